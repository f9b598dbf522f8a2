"""Competition: what a place costs, of subnets and of neurons, and who loses one."""

from . import marks
from .board import board, netuid_variable, row, window_variable
from .panel import BAD, BLOCKS, COUNT, GOOD, LOOK, RATIO, TAO, WHOLE, lines, query, stat, table
from .query import NETUID, each, growth, of, per_day

SIGN = ((BAD, None), (GOOD, 0))
FULL = ((GOOD, None), (LOOK, 0.8), (BAD, 1))


def subnet(name, *more, by=("netuid",)):
    return each(of(name, NETUID, *more), *by)


def anywhere(name):
    return each(of(name), "netuid")


PRUNABLE = f"{anywhere('btemu_subnet_moving_price_tao')} and ({anywhere('btemu_subnet_immunity_blocks')} == 0)"
AGE = f"scalar({each(of('btemu_block_height'))}) - {subnet('btemu_subnet_registered_block')}"
FILLED = f"{subnet('btemu_subnet_neurons')} / ({subnet('btemu_subnet_neuron_limit')} > 0)"

BOARD = board(
    "competition", "Competition", "What a place costs, of subnets and of neurons, and who loses one.",
    [netuid_variable(), window_variable()],
    [*marks.SUBNETS, *marks.NEURONS],
    [
        row(
            None,
            stat("Lock cost", "What registering a subnet costs now.", query(each(of("btemu_lock_cost_tao"))), TAO),
            stat("Places taken", "Subnets by their limit: at the limit each registration prunes one.",
                 query(f"{each(of('btemu_subnets'))} / {each(of('btemu_subnet_limit'))}"), RATIO, FULL, decimals=0),
            stat("Next to be pruned", "Its number: of the subnets that are not immune the one with the lowest moving price.",
                 query(f"bottomk(1, {PRUNABLE})", "{{netuid}}", instant=True), TAO, text="name", sparkline=False),
            stat("Subnets registered", "Within the time shown.",
                 query(growth("btemu_subnets_registered_total", over="$__range")), WHOLE, decimals=0),
            stat("A neuron's place", "Cost of a burned registration, mean of the chosen subnets.",
                 query(f"avg ({subnet('btemu_subnet_registration_cost_tao')})"), TAO),
            stat("Neurons pruned per day", "That lost their place, on the chosen subnets.",
                 query(per_day("btemu_subnet_neurons_pruned_total", NETUID)), COUNT, decimals=0),
        ),
        row(
            "Subnets",
            lines("Lock cost", "Doubles with each registration, and falls in between.",
                  query(each(of("btemu_lock_cost_tao")), "lock cost"), TAO, min=0),
            lines("Subnets", "And their limit.",
                  [query(each(of("btemu_subnets")), "subnets"), query(each(of("btemu_subnet_limit")), "limit")],
                  WHOLE, width=6, min=0),
            lines("Registered and dissolved", "Since the run began.",
                  [query(each(of("btemu_subnets_registered_total")), "registered"),
                   query(each(of("btemu_subnets_dissolved_total"), "cause"), "dissolved: {{cause}}")], WHOLE, width=6, min=0),
            lines("Moving prices of the weakest", "Of subnets that are not immune the five lowest; the lowest goes first.",
                  query(f"bottomk(5, {PRUNABLE})", "{{netuid}}"), TAO),
            lines("Immunity", "Blocks until a subnet can be pruned.",
                  query(subnet("btemu_subnet_immunity_blocks"), "{{netuid}}"), BLOCKS, ((BAD, None), (GOOD, 1)), min=0),
            table("Places", "The subnet with the lowest moving price that is not immune goes first.",
                  [("Moving price", subnet("btemu_subnet_moving_price_tao"), TAO, None),
                   ("Price", subnet("btemu_subnet_price_tao"), TAO, None),
                   ("Immune for", subnet("btemu_subnet_immunity_blocks"), BLOCKS, ((LOOK, None), (GOOD, 1))),
                   ("Age", AGE, BLOCKS, None),
                   ("Emission share", subnet("btemu_subnet_emission_share_ratio"), RATIO, None),
                   ("Neurons", subnet("btemu_subnet_neurons"), WHOLE, None),
                   ("Filled", FILLED, RATIO, FULL),
                   ("Registration", subnet("btemu_subnet_registration_cost_tao"), TAO, None)],
                  key="netuid", sort="Moving price", falling=False),
        ),
        row(
            "Neurons",
            lines("Registration cost", "Of a burned registration, by subnet; logarithmic.",
                  query(subnet("btemu_subnet_registration_cost_tao"), "{{netuid}}"), TAO, width=8, log=True),
            lines("Filled", "Neurons by their limit: at the limit a newcomer takes another's place.",
                  query(FILLED, "{{netuid}}"), RATIO, FULL, width=8, min=0),
            lines("Neurons by role", "On the chosen subnets: validators have a permit, miners have none.",
                  query(f"sum by (role) ({subnet('btemu_role_neurons', by=['netuid', 'role'])})", "{{role}}"), WHOLE,
                  width=8, stack=True),
            lines("Registered", "Neurons per day on the chosen subnets: by burn, by work, founders.",
                  query(per_day("btemu_subnet_neurons_registered_total", NETUID, by=["via"]), "{{via}}"), COUNT, width=8,
                  stack=True),
            lines("Pruned", "Neurons per day, by subnet.",
                  query(per_day("btemu_subnet_neurons_pruned_total", NETUID, by=["netuid"]), "{{netuid}}"), COUNT, width=8,
                  stack=True),
            lines("Burned for registrations", "TAO recycled or burned since each subnet began.",
                  query(subnet("btemu_subnet_registration_burned_tao_total"), "{{netuid}}"), TAO, width=8, stack=True),
        ),
    ],
)
