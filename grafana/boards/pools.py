"""Taoflow and pools: where TAO flows, what follows from it, and how deep pools are."""

from . import marks
from .board import board, netuid_variable, row, window_variable
from .panel import ALPHA, BAD, GOOD, LOOK, RATIO, TAO, bars, lines, query, stat, table
from .query import BLOCKS_PER_DAY, NETUID, each, growth, moved, of, per_day

SIGN = ((BAD, None), (GOOD, 0))
LOSS = ((GOOD, None), (LOOK, 0.05), (BAD, 0.2))
HUNDRED = 'size_tao="100"'


def subnet(name, *more, by=("netuid",)):
    return each(of(name, NETUID, *more), *by)


FLOW = f"{BLOCKS_PER_DAY} * {subnet('btemu_subnet_flow_average_tao')}"
OF_FLOW = (
    f"clamp_min({each(of('btemu_subnet_flow_average_tao'), 'run', 'netuid')}, 0) / on (run) group_left () "
    f"(sum by (run) (clamp_min({each(of('btemu_subnet_flow_average_tao'), 'run', 'netuid')}, 0)) > 0)"
)
IN, OUT = "btemu_subnet_flow_in_tao_total", "btemu_subnet_flow_out_tao_total"
STRENGTH = f"clamp_max({subnet('btemu_subnet_price_tao')} / ({subnet('btemu_subnet_moving_price_tao')} > 0), 3)"
VALUE = f"{subnet('btemu_subnet_alpha_outstanding_alpha')} * {subnet('btemu_subnet_price_tao')}"

BOARD = board(
    "pools", "Taoflow and pools", "Where TAO flows, which emission follows from it, and how deep pools are.",
    [netuid_variable(), window_variable()],
    [*marks.SUBNETS, *marks.HALVINGS, *marks.FAULTS],
    [
        row(
            None,
            stat("Net flow per day", "Into the chosen subnets: TAO staked less TAO taken out.",
                 query(f"{per_day(IN, NETUID)} - {per_day(OUT, NETUID)}"), TAO, SIGN),
            stat("Growing", "Part of the chosen subnets with a flow average above zero: only they get emission.",
                 query(f"avg ({subnet('btemu_subnet_flow_average_tao')} > bool 0)"), RATIO,
                 ((BAD, None), (LOOK, 0.3), (GOOD, 0.6)), decimals=0),
            stat("TAO in pools", "Of the chosen subnets.", query(f"sum ({subnet('btemu_subnet_tao_reserve_tao')})"), TAO),
            stat("Alpha outside, at spot prices", "What holders of the chosen subnets' alpha have, before they sell.",
                 query(f"sum ({VALUE})"), TAO),
            stat("Traded per day", "Bought and sold, on the chosen subnets.",
                 query(f"{per_day('btemu_subnet_bought_tao_total', NETUID)} + {per_day('btemu_subnet_sold_tao_total', NETUID)}"),
                 TAO),
            stat("Leaving with 100 τ", "Loss by selling alpha worth 100 TAO in one order, mean of the chosen subnets.",
                 query(f"avg ({subnet('btemu_subnet_exit_slippage_ratio', HUNDRED)})"), RATIO, LOSS, decimals=1),
        ),
        row(
            "Flow",
            lines("Flow average", "What emission shares follow, by subnet, per day.", query(FLOW, "{{netuid}}"),
                  TAO, SIGN, around_zero=True),
            lines("Net flow", "TAO staked less TAO taken out, by subnet, per day: what the average follows.",
                  query(f"{per_day(IN, NETUID, by=['netuid'])} - {per_day(OUT, NETUID, by=['netuid'])}", "{{netuid}}"),
                  TAO, SIGN, around_zero=True),
            lines("In and out", "All chosen subnets together, per day.",
                  [query(per_day(IN, NETUID), "in"), query(f"-1 * {per_day(OUT, NETUID)}", "out")],
                  TAO, SIGN, width=8, around_zero=True),
            bars("Part of all flow", "Each subnet's part of the flow averages above zero.",
                 query(f"sum by (netuid) ({OF_FLOW})", "{{netuid}}"), RATIO, min=0),
            bars("Part of all emission", "Each subnet's share of the last block's emission: compare with its part of the flow.",
                 query(subnet("btemu_subnet_emission_share_ratio"), "{{netuid}}"), RATIO, min=0),
        ),
        row(
            "Emission into pools",
            lines("Emission shares", "By subnet, one above the other.",
                  query(subnet("btemu_subnet_emission_share_ratio"), "{{netuid}}"), RATIO, stack=True, min=0, max=1),
            lines("What emission does", "TAO per day into the chosen subnets: into reserves, or spent on alpha that is destroyed.",
                  query(per_day("btemu_subnet_emission_tao_total", NETUID, by=["use"]), "{{use}}"), TAO, width=6, stack=True),
            lines("Root's part", "Of what validators get, by subnet.",
                  query(subnet("btemu_subnet_root_proportion_ratio"), "{{netuid}}"), RATIO, width=6, min=0),
        ),
        row(
            "Prices and depth",
            lines("Price by its moving average", "Above 100 % the price has risen, below it has fallen; by subnet. A young subnet's average is next to nothing: drawn up to 300 %.",
                  query(STRENGTH, "{{netuid}}"), RATIO, ((BAD, None), (GOOD, 1)), line_at_thresholds=True),
            lines("TAO in pools", "By subnet.", query(subnet("btemu_subnet_tao_reserve_tao"), "{{netuid}}"), TAO, stack=True),
            lines("Leaving with 100 τ", "Loss by selling alpha worth 100 TAO in one order, by subnet; nothing where the pool cannot pay.",
                  query(subnet("btemu_subnet_exit_slippage_ratio", HUNDRED), "{{netuid}}"), RATIO, LOSS,
                  width=8, line_at_thresholds=True),
            lines("Leaving, by size", "The same for three sizes, mean of the chosen subnets.",
                  query(f"avg by (size_tao) ({subnet('btemu_subnet_exit_slippage_ratio', by=['netuid', 'size_tao'])})",
                        "{{size_tao}} τ"), RATIO, LOSS, width=8),
            lines("Traded", "Per day, on the chosen subnets.",
                  [query(per_day("btemu_subnet_bought_tao_total", NETUID), "bought"),
                   query(f"-1 * {per_day('btemu_subnet_sold_tao_total', NETUID)}", "sold")],
                  TAO, SIGN, width=8, around_zero=True),
            table("Pools", "Now, and what prices did within the time shown; a number that went to another subnet counts on.",
                  [("Price", subnet("btemu_subnet_price_tao"), TAO, None),
                   ("Moved", moved("btemu_subnet_price_tao", NETUID, by=["netuid"]), RATIO, SIGN),
                   ("Flow per day", FLOW, TAO, SIGN),
                   ("Emission share", subnet("btemu_subnet_emission_share_ratio"), RATIO, None),
                   ("TAO in pool", subnet("btemu_subnet_tao_reserve_tao"), TAO, None),
                   ("Alpha in pool", subnet("btemu_subnet_alpha_in_pool_alpha"), ALPHA, None),
                   ("Alpha outside", VALUE, TAO, None),
                   ("Traded", f"{growth('btemu_subnet_bought_tao_total', NETUID, by=['netuid'], over='$__range')} + "
                              f"{growth('btemu_subnet_sold_tao_total', NETUID, by=['netuid'], over='$__range')}", TAO, None),
                   ("Leaving with 100 τ", subnet("btemu_subnet_exit_slippage_ratio", HUNDRED), RATIO, LOSS)],
                  key="netuid", sort="Flow per day"),
        ),
    ],
)
