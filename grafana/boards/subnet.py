"""Subnet balance sheet: one subnet as an owner or a buyer reads it."""

from . import marks
from .board import board, netuid_variable, row, window_variable
from .panel import ALPHA, BAD, COUNT, GOOD, LOOK, RATIO, TAO, WHOLE, lines, query, stat, words
from .query import NETUID, each, growth, moved, of, per_day

SIGN = ((BAD, None), (GOOD, 0))
READING = (
    "**Emission is a subsidy**: what the network pays, whatever anybody thinks of the subnet. **The price is the market's "
    "signal**: what holders of alpha won or lost. **Net flow is growth**: who came to stay less who left; emission follows "
    "it. Then: does the **owner** keep or sell its cut, how many **validators** judge the miners, and what does it cost to "
    "**leave**? A subnet with subsidy, a falling price and money flowing out lives on emission alone."
)


def here(name, *matchers, by=("run",)):
    return each(of(name, NETUID, *matchers), *by)


def paid(name, *matchers, by=()):
    return per_day(name, NETUID, *matchers, by=by)


NET_FLOW = f"{paid('btemu_subnet_flow_in_tao_total')} - {paid('btemu_subnet_flow_out_tao_total')}"
OUTSTANDING = f"{here('btemu_subnet_alpha_outstanding_alpha')} * {here('btemu_subnet_price_tao')}"
KEPT = (
    f"1 - {growth('btemu_subnet_owner_sold_alpha_total', NETUID, over='$__range')} / "
    f"({growth('btemu_subnet_owner_cut_alpha_total', NETUID, over='$__range')} > 0)"
)
HUNDRED = 'size_tao="100"'

BOARD = board(
    "subnet", "Subnet balance sheet", "One subnet: what it is given, what the market says, who comes, and what leaving costs.",
    [netuid_variable(several=False), window_variable()],
    [*marks.SUBNETS, *marks.HALVINGS, *marks.FAULTS, *marks.NEURONS],
    [
        row(
            None,
            stat("Subsidy per day", "TAO emission to the subnet per day, injected into its pool or spent on its alpha.",
                 query(paid("btemu_subnet_emission_tao_total")), TAO),
            stat("Net flow per day", "TAO staked less TAO taken out per day: growth where above zero.",
                 query(NET_FLOW), TAO, SIGN),
            stat("Price moved", "What the price of alpha did within the time shown: a holder's result before emission.",
                 query(moved("btemu_subnet_price_tao", NETUID)), RATIO, SIGN, decimals=1),
            stat("Cut that the owner kept",
                 "Of the owner's cut within the time shown, the part not sold; below zero it sold more than it got.",
                 query(KEPT), RATIO, ((BAD, None), (LOOK, 0), (GOOD, 0.5)), decimals=0),
            stat("Active validators", "With a permit, and weights that count. Of one or two the largest decides alone.",
                 query(here("btemu_subnet_validators_active")), WHOLE, ((BAD, None), (LOOK, 2), (GOOD, 4))),
            stat("Leaving with 100 τ", "What a holder loses who sells alpha worth 100 TAO in one order, fee included.",
                 query(here("btemu_subnet_exit_slippage_ratio", HUNDRED)), RATIO,
                 ((GOOD, None), (LOOK, 0.05), (BAD, 0.2)), decimals=1),
        ),
        row(None, words("How to read it", "The three questions of a balance sheet.", READING, height=3)),
        row(
            "Subsidy, signal, growth",
            lines("Subsidy and growth", "Per day: TAO emission, TAO that came in and that left, and the difference.",
                  [query(paid("btemu_subnet_emission_tao_total"), "subsidy"), query(NET_FLOW, "net flow"),
                   query(paid("btemu_subnet_flow_in_tao_total"), "in"),
                   query(f"-1 * {paid('btemu_subnet_flow_out_tao_total')}", "out")],
                  TAO, SIGN, around_zero=True),
            lines("Price", "Spot price of one alpha, and its slow average, which decides who is pruned.",
                  [query(here("btemu_subnet_price_tao"), "spot"), query(here("btemu_subnet_moving_price_tao"), "moving")],
                  TAO),
            lines("Share of emission", "Part of each block's TAO emission.",
                  query(here("btemu_subnet_emission_share_ratio"), "share"), RATIO, width=8, min=0),
            lines("Bought and sold", "TAO that alpha was bought with and sold for, per day.",
                  [query(paid("btemu_subnet_bought_tao_total"), "bought"),
                   query(f"-1 * {paid('btemu_subnet_sold_tao_total')}", "sold")],
                  TAO, SIGN, width=8, around_zero=True),
            lines("Pool and market value", "TAO in the pool, and what all alpha outside is worth at the spot price.",
                  [query(here("btemu_subnet_tao_reserve_tao"), "pool"), query(OUTSTANDING, "alpha outside")],
                  TAO, width=8),
        ),
        row(
            "Who gets the alpha, and the owner",
            lines("Alpha emission", "Per day: into the pool, and to the pots of owner, miners, validators and root.",
                  query(paid("btemu_subnet_emission_alpha_total", by=["to"]), "{{to}}"), ALPHA, stack=True, table=True),
            lines("The owner's stake", "Alpha that the owner's coldkey has staked on its subnet.",
                  query(here("btemu_subnet_owner_stake_alpha"), "owner"), ALPHA, width=4),
            lines("The owner's orders", "Alpha of its cut and alpha sold, per day.",
                  [query(paid("btemu_subnet_owner_cut_alpha_total"), "cut"),
                   query(paid("btemu_subnet_owner_sold_alpha_total"), "sold")], ALPHA, width=4),
            lines("The owner's buys", "TAO that the owner's coldkey bought its own alpha with, per day.",
                  query(paid("btemu_subnet_owner_bought_tao_total"), "bought"), TAO, width=4, min=0),
        ),
        row(
            "Neurons and exit",
            lines("What leaving costs", "Lost by selling alpha worth so many TAO in one order, fee included; nothing where the pool cannot pay.",
                  query(here("btemu_subnet_exit_slippage_ratio", by=["size_tao"]), "{{size_tao}} τ"),
                  RATIO, ((GOOD, None), (LOOK, 0.05), (BAD, 0.2)), width=8, line_at_thresholds=True),
            lines("Validators", "With a permit; and of these, active.",
                  [query(here("btemu_subnet_validators_permitted"), "permitted"),
                   query(here("btemu_subnet_validators_active"), "active")], WHOLE, width=8, min=0),
            lines("Registrations and prunes", "Neurons per day.",
                  [query(paid("btemu_subnet_neurons_registered_total"), "registered"),
                   query(f"-1 * {paid('btemu_subnet_neurons_pruned_total')}", "pruned")],
                  COUNT, SIGN, width=8, around_zero=True),
            lines("Registration cost", "Of a burned registration, now.",
                  query(here("btemu_subnet_registration_cost_tao"), "cost"), TAO, width=8, min=0),
            lines("Agreement", "Mean validator trust weighted by stake: the part of what validators say that consensus keeps.",
                  query(here("btemu_subnet_agreement_ratio"), "agreement"), RATIO,
                  ((BAD, None), (LOOK, 0.6), (GOOD, 0.9)), width=8, line_at_thresholds=True, max=1),
            lines("Neurons", "And how many there may be; beyond, a registration takes another's place.",
                  [query(here("btemu_subnet_neurons"), "neurons"), query(here("btemu_subnet_neuron_limit"), "limit")],
                  WHOLE, width=8, min=0),
        ),
    ],
)
