"""Stakers: who earns, from emission or from prices, and who holds what."""

from . import marks
from .board import board, netuid_variable, role_variable, row, window_variable
from .panel import ALPHA, BAD, BASE, COUNT, GOOD, LOOK, RATIO, TAO, bars, lines, query, stat, table
from .query import NETUID, ROLE, each, of, per_day

SIGN = ((BAD, None), (GOOD, 0))
ORDERS = 'call=~".*stake.*"'
NOT_ACCEPTED = 'outcome!="accepted"'


def players(name, *more, by=("role", "behaviour")):
    return each(of(name, ROLE, *more), *by)


INCOME = players("btemu_player_income_tao_total")
PRICES = players("btemu_player_price_result_tao")
WEALTH = f"sum by (role, behaviour) ({players('btemu_player_wealth_tao', by=['role', 'behaviour', 'form'])})"

BOARD = board(
    "stakers", "Stakers", "Who earns, from emission or from prices, and who holds what. Needs a run with metrics.accounts.",
    [netuid_variable(), role_variable(), window_variable()],
    [*marks.HALVINGS, *marks.SUBNETS],
    [
        row(
            None,
            stat("Result", "Of the chosen roles since the run began: emission income and what prices made of holdings.",
                 query(f"sum ({INCOME}) + sum ({PRICES})"), TAO, SIGN),
            stat("From emission", "Income at the spot price when it came; of a shallow pool nobody could have sold it all for that.", query(f"sum ({INCOME})"), TAO),
            stat("From prices", "Realised and not.", query(f"sum ({PRICES})"), TAO, SIGN),
            stat("Wealth", "Free TAO, and stake at spot prices; what leaving would bring is less (Taoflow and pools).", query(f"sum ({WEALTH})"), TAO),
            stat("Return", "Result by the wealth that it was made with, since the run began.",
                 query(f"(sum ({INCOME}) + sum ({PRICES})) / (sum ({WEALTH}) - sum ({INCOME}) - sum ({PRICES}))"),
                 RATIO, SIGN, decimals=2),
            stat("On root", "Part of all staked TAO that is on root: what stakers hold where no price moves.",
                 query(f"{each(of('btemu_root_stake_tao'))} / ({each(of('btemu_total_stake_tao'))} > 0)"), RATIO, decimals=1),
        ),
        row(
            "Two streams of revenue",
            lines("Emission income", "Per day, by behaviour.",
                  query(per_day("btemu_player_income_tao_total", ROLE, by=["role", "behaviour"]), "{{role}} {{behaviour}}"),
                  TAO, stack=True, table=True),
            lines("Price result", "Since the run began, by behaviour: below zero what prices took.",
                  query(PRICES, "{{role}} {{behaviour}}"), TAO, SIGN, around_zero=True, table=True),
            table("Behaviours", "Since the run began.",
                  [("Wealth", WEALTH, TAO, None),
                   ("From emission", INCOME, TAO, None),
                   ("From prices", PRICES, TAO, SIGN),
                   ("Result", f"{INCOME} + {PRICES}", TAO, SIGN),
                   ("Return", f"({INCOME} + {PRICES}) / ({WEALTH} - {INCOME} - {PRICES} > 0)", RATIO, SIGN)],
                  key="behaviour", sort="Result"),
        ),
        row(
            "Holdings",
            lines("Wealth by form", "Of the chosen roles: free TAO, and stake at spot prices.",
                  query(f"sum by (form) ({players('btemu_player_wealth_tao', by=['role', 'behaviour', 'form'])})", "{{form}}"),
                  TAO, width=8, stack=True),
            lines("Wealth by behaviour", "Free TAO and stake.", query(WEALTH, "{{role}} {{behaviour}}"), TAO, width=16, table=True),
            lines("Stake", "TAO staked in all, by the chain's own counter, and of it on root.",
                  [query(each(of("btemu_total_stake_tao")), "all"), query(each(of("btemu_root_stake_tao")), "on root")],
                  TAO, width=8),
            lines("Stake behind neurons", "Alpha on the chosen subnets.",
                  query(f"sum by (netuid) ({each(of('btemu_subnet_total_stake_alpha', NETUID), 'netuid')})", "{{netuid}}"),
                  ALPHA, width=8, stack=True),
            bars("Players", "Of the chosen roles.", query(players("btemu_players", by=["role"]), "{{role}}"), COUNT),
        ),
        row(
            "Orders",
            lines("Bought and sold", "On the chosen subnets, per day.",
                  [query(per_day("btemu_subnet_bought_tao_total", NETUID), "bought"),
                   query(f"-1 * {per_day('btemu_subnet_sold_tao_total', NETUID)}", "sold")],
                  TAO, SIGN, width=8, around_zero=True),
            lines("Orders", "Calls about stake per day, by kind.",
                  query(per_day("btemu_calls_total", ORDERS, by=["call"]), "{{call}}"), COUNT, width=8, stack=True),
            lines("Orders that failed", "Per day, by reason: a limit price that was not met, another who was faster.",
                  query(per_day("btemu_calls_total", ORDERS, NOT_ACCEPTED, by=["reason"]), "{{reason}}"),
                  COUNT, ((BASE, None), (LOOK, 1)), width=8, stack=True),
        ),
    ],
)
