//! A market for the tests of stakers: a few subnets, two validators, one staker and somebody who moves prices.

use crate::host::Seated;
use crate::machine::{Identity, Output};
use crate::registry::BehaviourSettings;
use crate::stage::{ProbeSettings, Stage, enter, fund, genesis, identity, stake};
use protocol::call::Call;
use protocol::state::State;
use protocol::units::{Alpha, BLOCK_MS, NetUid, Rao};
use std::collections::BTreeMap;

/// Three subnets and root with two validators each, of which the second has more stake.
pub fn market() -> State {
    let mut state = genesis(3);
    for netuid in (0..=3).map(NetUid) {
        for (index, tokens) in [(0, 100), (1, 200)] {
            let who = identity("validators", index, None);
            enter(&mut state, &who, netuid, Alpha::whole(tokens), true);
        }
    }
    state
}

/// The staker of the tests.
pub fn staker() -> Identity {
    identity("stakers", 0, None)
}

/// The market and a staker with 100 TAO.
pub fn market_with_money() -> State {
    let mut state = market();
    fund(&mut state, &staker(), Rao::whole(100));
    state
}

/// Gives the staker alpha behind the validator with more stake.
pub fn give(state: &mut State, netuid: u16, alpha: u64) {
    let hotkey = identity("validators", 1, None).hotkey;
    stake(state, &staker(), hotkey, NetUid(netuid), Alpha::whole(alpha));
}

/// Sets the flow averages of subnets 1, 2 and 3, in rao per block, from which their emission follows.
pub fn set_flows(state: &mut State, flows: [i128; 3]) {
    for (netuid, flow) in (1..).map(NetUid).zip(flows) {
        let subnet = state.subnets.get_mut(&netuid).expect("it was made");
        subnet.fast.flow_average = Some((0, flow << 64));
    }
}

/// The market with one staker.
pub fn stage(state: State, who: Identity, settings: BehaviourSettings) -> Stage {
    Stage::new(state, vec![Seated::new(who, settings.build())], 1)
}

/// The market with the staker, and a whale that makes calls in the blocks after given heights.
pub fn stage_with_whale(
    mut state: State,
    settings: BehaviourSettings,
    calls: Vec<(u64, Call)>,
) -> Stage {
    let whale = whale();
    fund(&mut state, &whale, Rao::whole(100_000));
    let mut probe = ProbeSettings::default();
    for (tag, (height, call)) in (0..).zip(calls) {
        probe.on_start.push(Output::Wake { at_ms: height * BLOCK_MS, tag });
        let submit = Output::Submit { signer: whale.coldkey, call };
        probe.on_timer.insert(tag, vec![submit]);
    }
    let seats = vec![
        Seated::new(staker(), settings.build()),
        Seated::new(whale, BehaviourSettings::Probe(probe).build()),
    ];
    Stage::new(state, seats, 1)
}

/// Somebody who moves prices.
pub fn whale() -> Identity {
    identity("whales", 0, None)
}

/// A call of the whale that buys.
pub fn whale_buys(netuid: u16, tokens: u64) -> Call {
    let hotkey = identity("validators", 0, None).hotkey;
    Call::AddStake { hotkey, netuid: NetUid(netuid), amount_staked: Rao::whole(tokens) }
}

/// A call of the whale that sells all it has.
pub fn whale_sells(netuid: u16) -> Call {
    let hotkey = identity("validators", 0, None).hotkey;
    Call::RemoveStakeFullLimit { hotkey, netuid: NetUid(netuid), limit_price: None }
}

/// A call of the whale that sells some alpha.
pub fn whale_sells_some(netuid: u16, tokens: u64) -> Call {
    let hotkey = identity("validators", 0, None).hotkey;
    let amount_unstaked = Alpha::whole(tokens);
    Call::RemoveStake { hotkey, netuid: NetUid(netuid), amount_unstaked }
}

/// What somebody holds behind the validator with more stake.
pub fn held(stage: &Stage, who: &Identity, netuid: NetUid) -> Alpha {
    let hotkey = identity("validators", 1, None).hotkey;
    stage.state.stake(&hotkey, &who.coldkey, netuid)
}

/// What the staker holds on a subnet behind anybody.
pub fn position(stage: &Stage, netuid: u16) -> Alpha {
    let hotkeys = (0..2).map(|index| identity("validators", index, None).hotkey);
    let of = |hotkey| stage.state.stake(&hotkey, &staker().coldkey, NetUid(netuid));
    hotkeys.map(of).fold(Alpha::ZERO, Alpha::plus)
}

/// The staker's free TAO.
pub fn free(stage: &Stage) -> Rao {
    stage.state.free(&staker().coldkey)
}

/// How many orders of the staker there were: into (`buy`) and out of (`sell`) each subnet.
pub fn orders(stage: &Stage) -> BTreeMap<(&'static str, u16), usize> {
    let mut orders = BTreeMap::new();
    for record in stage.records.iter().filter(|record| record.player == staker().id) {
        let (kind, netuid) = match &record.call {
            Call::AddStakeLimit { netuid, .. } => ("buy", netuid),
            Call::RemoveStakeLimit { netuid, .. } | Call::RemoveStakeFullLimit { netuid, .. } => {
                ("sell", netuid)
            }
            other => panic!("{other:?} is no order of a trader"),
        };
        *orders.entry((kind, netuid.0)).or_default() += 1;
    }
    orders
}
