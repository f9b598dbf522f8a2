"""Consensus: whether validators agree, on whom, and how they say it."""

from . import marks
from .board import board, netuid_variable, role_variable, row, window_variable
from .panel import (
    ALPHA, BAD, BASE, BLOCKS, COUNT, GOOD, LOOK, RATIO, WHOLE, bars, lines, query, stat, table,
)
from .query import NETUID, ROLE, each, growth, named, of, per_day

# Roles of neurons are two of the roles of players.
SAID = 'call=~".*weights.*"'
ACCEPTED = 'outcome="accepted"'
REFUSED = 'outcome!="accepted"'
AGREEMENT = ((BAD, None), (LOOK, 0.6), (GOOD, 0.9))
UNEQUAL = ((GOOD, None), (LOOK, 0.7), (BAD, 0.9))


def subnet(name, *more, by=("netuid",)):
    return each(of(name, NETUID, *more), *by)


def neuron(name):
    return each(of(name, NETUID), "netuid", "uid")


WHO = named(
    each(of("btemu_neuron_stake_alpha", NETUID), "run", "netuid", "uid"),
    each(of("btemu_neuron_info", NETUID, ROLE), "run", "netuid", "uid", "role"), ["run", "netuid", "uid"], ["role"],
)
PER_EPOCH = (
    f"{growth('btemu_subnet_weights_set_total', NETUID, by=['netuid'])} / "
    f"({growth('btemu_subnet_epochs_total', NETUID, by=['netuid'])} > 0)"
)

BOARD = board(
    "consensus", "Consensus", "Whether validators agree, on whom, and how weights come to the chain.",
    [netuid_variable(), role_variable(), window_variable()],
    [*marks.FAULTS, *marks.detections(enabled=False), *marks.NEURONS],
    [
        row(
            None,
            stat("Agreement", "Of the chosen subnets, on average: the part of what active validators say that consensus keeps. Subnets without rows are left out.",
                 query(f"avg ({subnet('btemu_subnet_agreement_ratio')} > 0)"), RATIO, AGREEMENT, decimals=1),
            stat("Least agreement", "Of the chosen subnets on which there are rows.",
                 query(f"min ({subnet('btemu_subnet_agreement_ratio')} > 0)"), RATIO, AGREEMENT, decimals=1),
            stat("Active validators", "On the chosen subnets.",
                 query(f"sum ({subnet('btemu_subnet_validators_active')})"), WHOLE),
            stat("Epochs per day", "On the chosen subnets together.",
                 query(per_day("btemu_subnet_epochs_total", NETUID)), COUNT),
            stat("Weights accepted", "Part of the calls about weights that the chain took, within the window.",
                 query(f"{growth('btemu_calls_total', SAID, ACCEPTED)} / {growth('btemu_calls_total', SAID)}"),
                 RATIO, ((BAD, None), (LOOK, 0.7), (GOOD, 0.95)), decimals=1),
            stat("Commits waiting", "Rows of weights that are known by hash or sealed and not yet opened.",
                 query(f"sum ({subnet('btemu_subnet_weight_commits_waiting')})"), WHOLE),
        ),
        row(
            "Trust",
            lines("Agreement", "Mean validator trust of active validators, weighted by stake, by subnet.",
                  query(subnet("btemu_subnet_agreement_ratio"), "{{netuid}}"), RATIO, AGREEMENT,
                  line_at_thresholds=True, max=1),
            lines("Trust by role", "Mean over the chosen subnets: of validators the validator trust, of miners the consensus weight.",
                  query(f"avg by (role) ({subnet('btemu_role_trust_ratio', ROLE, by=['netuid', 'role'])})", "{{role}}"), RATIO),
            lines("Validators", "With a permit, and of these active, on the chosen subnets.",
                  [query(f"sum ({subnet('btemu_subnet_validators_permitted')})", "permitted"),
                   query(f"sum ({subnet('btemu_subnet_validators_active')})", "active")], WHOLE, width=8, min=0),
            lines("Neurons with weight", "To how many consensus gives any, by subnet.",
                  query(subnet("btemu_subnet_consensus_neurons"), "{{netuid}}"), WHOLE, width=8, min=0),
            lines("Stake by role", "Alpha staked behind neurons, on the chosen subnets.",
                  query(f"sum by (role) ({subnet('btemu_role_stake_alpha', ROLE, by=['netuid', 'role'])})", "{{role}}"),
                  ALPHA, width=8, stack=True),
        ),
        row(
            "Who is paid",
            lines("Incentive, unequal", "Gini over miners, by subnet: 0 where all get the same, towards 1 where one gets all.",
                  query(subnet("btemu_subnet_incentive_gini_ratio"), "{{netuid}}"), RATIO, UNEQUAL,
                  line_at_thresholds=True, min=0, max=1),
            lines("Dividends, unequal", "Gini over validators, by subnet.",
                  query(subnet("btemu_subnet_dividends_gini_ratio"), "{{netuid}}"), RATIO, UNEQUAL,
                  line_at_thresholds=True, min=0, max=1),
            lines("One miner's weight", "Herfindahl index of incentive, by subnet: 1 where one neuron gets all.",
                  query(subnet("btemu_subnet_incentive_herfindahl_ratio"), "{{netuid}}"), RATIO, width=8, min=0, max=1),
            lines("One validator's weight", "Herfindahl index of dividends, by subnet.",
                  query(subnet("btemu_subnet_dividends_herfindahl_ratio"), "{{netuid}}"), RATIO, width=8, min=0, max=1),
            bars("Last epoch's alpha", "Given to neurons by role, on the chosen subnets.",
                 query(f"sum by (role) ({subnet('btemu_role_emission_alpha', ROLE, by=['netuid', 'role'])})", "{{role}}"), ALPHA),
        ),
        row(
            "Bonds and rows",
            lines("Bonds", "Of validators to neurons, that are not 0, by subnet.",
                  query(subnet("btemu_subnet_bonds"), "{{netuid}}"), WHOLE, width=8, min=0),
            lines("Largest validator's bonds", "Its part of all bonds, by subnet.",
                  query(subnet("btemu_subnet_bonds_top_share_ratio"), "{{netuid}}"), RATIO,
                  ((GOOD, None), (LOOK, 0.5), (BAD, 0.8)), width=8, line_at_thresholds=True, max=1),
            lines("Rows per epoch", "Rows of weights stored per epoch, by subnet.",
                  query(PER_EPOCH, "{{netuid}}"), COUNT, width=8, min=0),
            lines("Commit and reveal", "Per day, on the chosen subnets: commits, those opened and set, those that never will be.",
                  [query(per_day("btemu_subnet_weight_commits_total", NETUID), "committed"),
                   query(per_day("btemu_subnet_weight_reveals_total", NETUID), "opened"),
                   query(per_day("btemu_subnet_weight_commits_lost_total", NETUID), "lost")], COUNT, width=8),
            lines("Commits waiting", "By subnet.",
                  query(f"{subnet('btemu_subnet_weight_commits_waiting')}", "{{netuid}}"), WHOLE, width=8, min=0),
            lines("Why weights were refused", "Calls about weights that changed nothing, per day, by reason.",
                  query(per_day("btemu_calls_total", SAID, REFUSED, by=["reason"]), "{{reason}}"), COUNT,
                  ((BASE, None),), width=8, stack=True),
        ),
        row(
            "Named subnets",
            table("Neurons", "Of the chosen subnets that the scenario names in metrics.neuron_netuids.",
                  [("Stake", WHO, ALPHA, None),
                   ("Incentive", neuron("btemu_neuron_incentive_ratio"), RATIO, None),
                   ("Dividends", neuron("btemu_neuron_dividends_ratio"), RATIO, None),
                   ("Consensus", neuron("btemu_neuron_consensus_ratio"), RATIO, None),
                   ("Validator trust", neuron("btemu_neuron_validator_trust_ratio"), RATIO, None),
                   ("Last epoch", neuron("btemu_neuron_emission_alpha"), ALPHA, None),
                   ("Weights' age", neuron("btemu_neuron_update_age_blocks"), BLOCKS, None)],
                  key="uid", sort="Stake"),
        ),
    ],
)
