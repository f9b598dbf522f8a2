//! Emission of a block: shares, injection into pools, accrual into pots, draining at epoch slots,
//! averages (20 §2, §4–§8). Each phase reads the state and emits one columnar event.

use crate::balances::leak;
use crate::emission;
use crate::event::{EmissionAccrued, EmissionInjected, EmissionShared, Event, PotsDrained};
use crate::issuance::block_emission;
use crate::pool::{Fees, MAX_PRICE, Pool, Swap};
use crate::registration_math::blocks_until_epoch;
use crate::rules::{Mode, RuleVersion};
use crate::state::{Leak, State, Subnet};
use crate::taoflow;
use crate::tx::Tx;
use crate::units::{Alpha, NetUid, Rao};
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

fn eligible(state: &State) -> impl Iterator<Item = (NetUid, &Subnet)> {
    state.networks().filter(|(netuid, subnet)| !netuid.is_root() && subnet.emits())
}

/// Steps the flow averages and fixes each eligible subnet's share of the block emission.
pub fn share(tx: &mut Tx<'_>) {
    let state = tx.state();
    let global = &state.global;
    let block = state.height.0;
    let mut columns = EmissionShared {
        block_emission: Rao(block_emission(global.total_issuance.0)),
        ..EmissionShared::default()
    };
    let mut moving_prices = Vec::new();
    for (netuid, subnet) in eligible(state) {
        let fast = &subnet.fast;
        let average = match fast.flow_average {
            Some((at, average)) if at == block => average,
            last => {
                let last = last.map(|(_, average)| average);
                taoflow::ema_step(last, fast.flow, global.flow_smoothing)
            }
        };
        columns.netuids.push(netuid);
        columns.flow_average.push(average);
        moving_prices.push(subnet.moving_price());
    }
    columns.share = match state.rules.version {
        RuleVersion::Taoflow => {
            taoflow::flow_shares(&columns.flow_average, global.flow_cutoff, global.flow_exponent)
        }
        RuleVersion::Price => taoflow::price_shares(&moving_prices),
    };
    tx.emit(Event::EmissionShared(Box::new(columns)));
}

/// What one block emits to one subnet.
struct Portion {
    netuid: NetUid,
    terms: emission::Terms,
}

/// Injects the block's emission into the pools and mints alpha into the pots.
pub fn emit(tx: &mut Tx<'_>) {
    let state = tx.state();
    let issuance = state.global.total_issuance.0;
    let block_emission = state.global.block_emission.0;
    let mut moving_prices: u128 = 0;
    let mut portions = Vec::new();
    for (netuid, subnet) in eligible(state) {
        moving_prices += subnet.moving_price();
        let tao = taoflow::tao_emission(block_emission, subnet.fast.emission_share);
        let alpha_issuance = subnet.fast.alpha_issuance();
        let terms = emission::terms(tao, subnet.price(), alpha_issuance, issuance);
        portions.push(Portion { netuid, terms });
    }
    let root_sells = moving_prices > 1 << 32;
    inject(tx, &portions);
    accrue(tx, &portions, root_sells);
}

/// The integer part of a U96F32.
fn whole(raw: u128) -> u64 {
    u64::try_from(raw >> 32).unwrap_or(u64::MAX)
}

fn inject(tx: &mut Tx<'_>, portions: &[Portion]) {
    let mut columns = EmissionInjected::default();
    let mode = tx.state().rules.mode;
    let (mut lost, mut gross) = (0i128, 0i128);
    for Portion { netuid, terms } in portions {
        let Some(subnet) = tx.state().subnet(*netuid) else {
            continue;
        };
        let (tao_in, alpha_in) = (whole(terms.tao_in), whole(terms.alpha_in));
        let excess = whole(terms.excess_tao);
        let mut pool = subnet.fast.pool;
        pool.adjust_liquidity(tao_in, alpha_in);
        let adjusted = pool;
        let bought = inject_chain_buy(&mut pool, subnet.params.mechanism, excess);
        let swap = bought.unwrap_or_default();
        // The reference issues and counts as staked what the buy was given, not what it spent.
        let (issued, staked) = match mode {
            Mode::Reference => (excess, bought.map_or(0, |_| excess)),
            Mode::Sound => (swap.paid_in, swap.paid_in),
        };
        if mode == Mode::Sound && bought.is_none() {
            pool = adjusted;
        }
        lost += i128::from(issued) - i128::from(swap.paid_in);
        gross += i128::from(staked) - i128::from(swap.paid_in);
        columns.staked = columns.staked.plus(Rao(tao_in)).plus(Rao(staked));
        columns.issued = columns.issued.plus(Rao(tao_in)).plus(Rao(issued));
        columns.netuids.push(*netuid);
        columns.tao_in.push(Rao(tao_in));
        columns.alpha_in.push(Alpha(alpha_in));
        columns.excess.push(Rao(excess));
        columns.bought_with.push(Rao(swap.paid_in));
        columns.bought.push(Alpha(swap.paid_out));
        columns.initialized.push(pool.initialized);
        columns.sqrt_price.push(pool.sqrt_price);
        columns.liquidity.push(pool.liquidity);
        columns.position_liquidity.push(pool.position_liquidity);
        columns.net_liquidity.push(pool.net_liquidity);
        columns.scrap_tao.push(pool.scrap_tao);
        columns.scrap_alpha.push(pool.scrap_alpha);
    }
    #[cfg(feature = "planted")]
    if crate::planted::active(crate::planted::Bug::EmissionPlusOneRao) {
        columns.issued = columns.issued.plus(Rao(1));
    }
    tx.emit(Event::EmissionInjected(Box::new(columns)));
    leak(tx, Leak::ChainBuys, lost);
    leak(tx, Leak::StakeExcess, gross);
}

/// Buys alpha with the excess, before the reserves grow. A failure leaves the reserves alone (and,
/// as on the chain, possibly a moved price: quirk Q4).
fn inject_chain_buy(pool: &mut Pool, mechanism: u16, excess: u64) -> Option<Swap> {
    if excess == 0 {
        None
    } else if mechanism == 1 {
        pool.buy(excess, MAX_PRICE, Fees::Dropped).ok()
    } else {
        Some(Swap { paid_in: excess, paid_out: excess, fee: 0 })
    }
}

fn accrue(tx: &mut Tx<'_>, portions: &[Portion], root_sells: bool) {
    let state = tx.state();
    let global = &state.global;
    let root_tao = state.subnet(NetUid::ROOT).map_or(0, |root| root.fast.pool.tao);
    let mut columns =
        EmissionAccrued { block_emission: global.block_emission, ..EmissionAccrued::default() };
    for Portion { netuid, terms } in portions {
        let Some(subnet) = state.subnet(*netuid) else {
            continue;
        };
        let issuance = subnet.fast.alpha_issuance().saturating_add(whole(terms.alpha_out));
        let proportion = emission::root_proportion(root_tao, global.tao_weight, issuance);
        let accrual = emission::accrue(terms.alpha_out, global.subnet_owner_cut, proportion);
        let (to_pot, recycled) = if root_sells { (accrual.root, 0) } else { (0, accrual.root) };
        columns.netuids.push(*netuid);
        columns.minted.push(Alpha(accrual.minted));
        columns.owner.push(Alpha(accrual.owner_cut));
        columns.server.push(Alpha(accrual.server));
        columns.validator.push(Alpha(accrual.validator));
        columns.root.push(Alpha(to_pot));
        columns.recycled.push(Alpha(recycled));
        columns.block_emission = Rao(whole(terms.alpha_out));
    }
    tx.emit(Event::EmissionAccrued(Box::new(columns)));
}

/// Takes the pots of the subnets whose epoch slot this block is; returns them in ascending netuid.
/// A subnet in which a hotkey holds two uids keeps its pots.
pub fn drain(tx: &mut Tx<'_>) -> PotsDrained {
    let state = tx.state();
    let block = state.height.0;
    let mut columns = PotsDrained::default();
    for (netuid, subnet) in state.networks().filter(|(netuid, _)| !netuid.is_root()) {
        let due = blocks_until_epoch(netuid.0, subnet.params.tempo, block) == 0;
        let distinct = subnet.neurons.uids.len() == subnet.neurons.len();
        if due && distinct {
            columns.netuids.push(netuid);
            columns.server.push(subnet.fast.pending_server);
            columns.validator.push(subnet.fast.pending_validator);
            columns.root.push(subnet.fast.pending_root);
            columns.owner.push(subnet.fast.pending_owner);
        }
    }
    if !columns.netuids.is_empty() {
        tx.emit(Event::PotsDrained(Box::new(columns.clone())));
    }
    columns
}

/// Steps the moving prices and notes root's proportions.
pub fn average_prices(tx: &mut Tx<'_>) {
    let state = tx.state();
    let global = &state.global;
    let root_tao = state.subnet(NetUid::ROOT).map_or(0, |root| root.fast.pool.tao);
    let (mut netuids, mut moving_price, mut root_proportion) = (vec![], vec![], vec![]);
    for (netuid, subnet) in eligible(state) {
        let moving = emission::moving_price_step(
            moving_price_before(subnet),
            subnet.price(),
            global.moving_alpha,
            state.height.0,
            subnet.info.first_emission.unwrap_or(0),
            subnet.params.ema_price_halving_blocks,
        );
        let issuance = subnet.fast.alpha_issuance();
        netuids.push(netuid);
        moving_price.push(moving);
        root_proportion.push(emission::root_proportion(root_tao, global.tao_weight, issuance));
    }
    if !netuids.is_empty() {
        tx.emit(Event::PricesAveraged { netuids, moving_price, root_proportion });
    }
}

/// The stable mechanism reads 1 as its moving price (20 §1).
fn moving_price_before(subnet: &Subnet) -> i128 {
    i128::try_from(subnet.moving_price()).unwrap_or(i128::MAX)
}
