"""Annotations that several boards share: a mark where a counter grew."""

from .board import annotation
from .query import each, happened, of

SUBNETS = [
    annotation(
        "Subnets registered", "A subnet was registered", "green",
        happened("btemu_subnets_registered_total"), "subnet registered",
    ),
    annotation(
        "Subnets dissolved", "A subnet was dissolved", "red",
        happened("btemu_subnets_dissolved_total", by=["cause"]), "subnet dissolved: {{cause}}",
    ),
]
HALVINGS = [
    annotation(
        "Halvings", "The block emission halved", "purple",
        f"{each(of('btemu_halvings'))} - {each(of('btemu_halvings') + ' offset $__interval')} > 0", "halving",
    ),
]
FAULTS = [
    annotation(
        "Faults", "A simulated fault came into force", "orange",
        happened("btemu_faults_total", by=["kind"]), "fault: {{kind}}",
    ),
]


def detections(enabled):
    """There may be many: only boards about them show them at once."""
    return [
        annotation(
            "Detections", "A detector raised an alarm; btemu detect RUN says at whom it points", "yellow",
            happened("btemu_detector_alarms_total", by=["detector"]), "detected: {{detector}}", enabled=enabled,
        ),
    ]


NEURONS = [
    annotation(
        "Neurons registered", "A neuron was registered", "super-light-green",
        happened("btemu_subnet_neurons_registered_total", 'netuid=~"$netuid"', by=["netuid"]),
        "neuron registered on {{netuid}}", enabled=False,
    ),
    annotation(
        "Neurons pruned", "A neuron lost its place", "super-light-red",
        happened("btemu_subnet_neurons_pruned_total", 'netuid=~"$netuid"', by=["netuid"]),
        "neuron pruned on {{netuid}}", enabled=False,
    ),
]
RESTARTS = [
    annotation(
        "Restarts", "A process was lost, and all were started again from the newest checkpoint", "red",
        happened("btemu_restarts_total"), "restart",
    ),
]
