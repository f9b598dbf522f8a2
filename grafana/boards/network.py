"""Network: how the whole of it does, and where its emission goes."""

from . import marks
from .board import board, netuid_variable, row, window_variable
from .panel import BAD, BASE, COUNT, DURATION, GOOD, LOOK, RATIO, TAO, WHOLE, lines, query, stat, table
from .query import BLOCKS_PER_DAY, NETUID, each, growth, named, of, per_block, per_day

SUBNET_LINK = [{
    "title": "Balance sheet of this subnet",
    "url": "/d/btemu-subnet?var-datasource=${datasource}&var-run=${run}&var-netuid=${__value.raw}&from=${__from}&to=${__to}",
}]

ACCEPTED = 'outcome="accepted"'
HUNDRED = 'size_tao="100"'


def subnet(name, *matchers):
    return each(of(name, NETUID, *matchers), "netuid")


NAMED = named(
    each(of("btemu_subnet_price_tao", NETUID), "run", "netuid"),
    each(of("btemu_subnet_info", NETUID), "run", "netuid", "name"), ["run", "netuid"], ["name"],
)

FIRST = row(
    None,
    stat("Block", "The chain's own number of the last block.", query(each(of("btemu_block_height"))), WHOLE),
    stat("Simulated time", "From genesis to the last block; a block is 12 seconds.",
         query(each(of("btemu_simulated_seconds"))), DURATION),
    stat("Emission per day", "TAO that the issuance curve allows for 7,200 blocks, at the rate of now.",
         query(f"{BLOCKS_PER_DAY} * {each(of('btemu_block_emission_tao'))}"), TAO),
    stat("Effective subnets",
         "How many subnets would share the emission if all of them got the same: one by the Herfindahl index. Below five few decide.",
         query(f"1 / ({each(of('btemu_emission_herfindahl_ratio'))} > 0)"), COUNT,
         ((BAD, None), (LOOK, 2), (GOOD, 5)), decimals=1),
    stat("Subnets", "Subnets that exist, root not counted.", query(each(of("btemu_subnets"))), WHOLE),
    stat("Lock cost", "What registering a subnet costs now. It doubles with each registration and falls in between.",
         query(each(of("btemu_lock_cost_tao"))), TAO),
)

EMISSION = row(
    "Where emission goes",
    lines("Emission shares", "Part of each block's TAO emission by subnet, one above the other.",
          query(subnet("btemu_subnet_emission_share_ratio"), "{{netuid}}"), RATIO, width=16, height=9,
          stack=True, table=True, max=1, min=0),
    lines("Concentration",
          "Over all subnets: the share of the ten largest, Gini (0: all get the same) and Herfindahl (1/n: n get the same).",
          [query(each(of("btemu_emission_top10_share_ratio")), "ten largest"),
           query(each(of("btemu_emission_gini_ratio")), "Gini"),
           query(each(of("btemu_emission_herfindahl_ratio")), "Herfindahl")],
          RATIO, width=8, height=9, min=0),
    lines("Price", "Spot price of one alpha, by subnet; logarithmic.",
          query(subnet("btemu_subnet_price_tao"), "{{netuid}}"), TAO, log=True),
    lines("Net flow", "Average of TAO staked less TAO taken out, as emission shares follow it, per day.",
          query(f"{BLOCKS_PER_DAY} * {subnet('btemu_subnet_flow_average_tao')}", "{{netuid}}"),
          TAO, ((BAD, None), (BASE, 0)), around_zero=True),
    table("Subnets", "Now; a click on the number opens its balance sheet.",
          [("Price", NAMED, TAO, None),
           ("Emission share", subnet("btemu_subnet_emission_share_ratio"), RATIO, None),
           ("Flow per day", f"{BLOCKS_PER_DAY} * {subnet('btemu_subnet_flow_average_tao')}", TAO, ((BAD, None), (GOOD, 0))),
           ("Pool", subnet("btemu_subnet_tao_reserve_tao"), TAO, None),
           ("Leaving with 100 τ", subnet("btemu_subnet_exit_slippage_ratio", HUNDRED), RATIO,
            ((GOOD, None), (LOOK, 0.05), (BAD, 0.2))),
           ("Neurons", subnet("btemu_subnet_neurons"), WHOLE, None),
           ("Validators", subnet("btemu_subnet_validators_active"), WHOLE, ((BAD, None), (LOOK, 2), (GOOD, 4)))],
          key="netuid", sort="Emission share", height=11, key_links=SUBNET_LINK),
)

TAO_ROW = row(
    "TAO",
    lines("Issuance", "TAO ever issued less TAO recycled.", query(each(of("btemu_total_issuance_tao")), "issued"), TAO, width=8),
    lines("Stake", "TAO staked in all, by the chain's own counter, and of it on root.",
          [query(each(of("btemu_total_stake_tao")), "all"), query(each(of("btemu_root_stake_tao")), "on root")],
          TAO, width=8),
    lines("Emission, allowed and arrived",
          "Per day: what the curve allows, and what reached pools, injected or spent on alpha.",
          [query(f"{BLOCKS_PER_DAY} * {each(of('btemu_block_emission_tao'))}", "allowed"),
           query(per_day("btemu_emission_tao_total"), "arrived")], TAO, width=8, min=0),
    lines("Subnets and their limit", "At the limit a registration prunes the subnet with the lowest moving price.",
          [query(each(of("btemu_subnets")), "subnets"), query(each(of("btemu_subnet_limit")), "limit")],
          WHOLE, width=8, min=0),
    lines("Calls", "Decided per block, by outcome: rejected ones were included and changed nothing.",
          query(per_block("btemu_calls_total", by=["outcome"]), "{{outcome}}"), COUNT, width=8, stack=True),
    lines("Leaks", "TAO that the chain's rules lose or invent, by ledger, signed.",
          query(each(of("btemu_leaked_tao"), "ledger"), "{{ledger}}"), TAO, width=8),
)

HISTORY = row(
    "Counted since the run began",
    stat("Halvings", "Of the block emission.", query(each(of("btemu_halvings"))), WHOLE, sparkline=False),
    stat("Subnets registered", "By lock cost, within the time shown.",
         query(growth("btemu_subnets_registered_total", over="$__range")), WHOLE, decimals=0),
    stat("Subnets dissolved", "Pruned or ordered, within the time shown.",
         query(growth("btemu_subnets_dissolved_total", over="$__range")), WHOLE, ((GOOD, None), (LOOK, 1)), decimals=0),
    stat("Players", "Of all roles.", query(f"sum ({each(of('btemu_players'), 'role')})"), WHOLE, sparkline=False),
    stat("Events", "Facts that the log holds, per block.", query(per_block("btemu_events_total")), COUNT, decimals=1),
    stat("Calls accepted", "Part of all calls of the window.",
         query(f"{growth('btemu_calls_total', ACCEPTED, by=['run'])} / {growth('btemu_calls_total', by=['run'])}"),
         RATIO, ((BAD, None), (LOOK, 0.5), (GOOD, 0.8)), decimals=1),
)

BOARD = board(
    "network", "Network", "How the whole network does, and where its emission goes.",
    [netuid_variable(), window_variable()],
    [*marks.SUBNETS, *marks.HALVINGS, *marks.FAULTS, *marks.detections(enabled=False)],
    [FIRST, EMISSION, TAO_ROW, HISTORY],
)
