//! What owners do to their subnets and to those who want one: `hyperparameter-rugger`, `miner-burner`,
//! `lock-cost-griefer`.

use super::scene::Epoch;
use super::signals::{Signals, Subject};
use super::{HYPERPARAMETER_RUGGER, LOCK_COST_GRIEFER, MINER_BURNER};
use protocol::call::{Call, Origin};
use protocol::epoch::withheld_uids;
use protocol::event::Event;
use protocol::frame::Frame;
use protocol::rejection::Outcome;
use protocol::state::State;
use protocol::units::{AccountId, Height, NetUid};
use std::collections::{BTreeMap, BTreeSet};

/// Blocks for which a trimming stays in sight.
const TRIM_BLOCKS: u64 = 7_200;
/// Blocks after which a subnet that could be started should be.
const START_BLOCKS: u64 = 300;
/// Blocks between two looks at subnets that are not started.
const LOOK_BLOCKS: u64 = 50;

/// Deeds of owners.
#[derive(Clone, Debug, Default)]
pub struct Owners {
    /// Coldkeys to which the owner of a subnet gave money.
    funded: BTreeMap<NetUid, BTreeSet<AccountId>>,
    /// The part of its neurons that a subnet's owner trimmed away, and when.
    trimmed: BTreeMap<NetUid, (u64, f64)>,
    /// Subnets that were registered and not started, by netuid: owner and block.
    idle: BTreeMap<NetUid, (AccountId, u64)>,
    /// Subnets of a coldkey that were never started, pruned ones too.
    never: BTreeMap<AccountId, u64>,
    /// Whom the last look named.
    named: BTreeSet<AccountId>,
}

impl Owners {
    /// Reads a block.
    pub fn hear(&mut self, frame: &Frame, state: &State, signals: &mut Signals) {
        let height = frame.header.height;
        self.gifts(frame, state);
        for event in &frame.events {
            match event {
                Event::NeuronsTrimmed { netuid, removed, .. } => {
                    let left = state.subnet(*netuid).map_or(0, |subnet| subnet.neurons.len());
                    let before = (left + removed.len()).max(1);
                    let part = removed.len() as f64 / before as f64;
                    self.trimmed.insert(*netuid, (height.0, part));
                }
                Event::SubnetRegistered(facts) => {
                    self.idle.insert(facts.netuid, (facts.owner, height.0));
                }
                Event::SubnetStarted { netuid, .. } => {
                    self.idle.remove(netuid);
                }
                Event::SubnetDissolved(facts) => {
                    if let Some((owner, _)) = self.idle.remove(&facts.netuid) {
                        let never = self.never.entry(owner).or_default();
                        *never = never.saturating_add(1);
                    }
                }
                _ => {}
            }
        }
        let looks = height.0.is_multiple_of(LOOK_BLOCKS);
        if looks && (!self.idle.is_empty() || !self.never.is_empty()) {
            self.look(height, state, signals);
        }
    }

    /// Judges an epoch.
    pub fn judge(&mut self, epoch: &Epoch<'_>, signals: &mut Signals) {
        let subject = Subject::Subnet(epoch.netuid);
        let withheld = withheld_uids(epoch.state, epoch.subnet);
        let burned = part_of(epoch, |uid, _| withheld.contains(&uid));
        signals.set(MINER_BURNER, subject, burned, epoch.height);
        let funded = self.funded.get(&epoch.netuid);
        let is_straw = |hotkey: &AccountId| {
            let coldkey = epoch.state.owner(hotkey);
            coldkey.is_some_and(|coldkey| funded.is_some_and(|funded| funded.contains(&coldkey)))
        };
        let hotkeys = &epoch.ground.hotkeys;
        let uids = hotkeys.iter().filter(|hotkey| is_straw(hotkey)).count();
        let uids = uids as f64 / hotkeys.len().max(1) as f64;
        let straws = part_of(epoch, |_, hotkey| is_straw(hotkey)).max(uids);
        let trimmed = self.trimmed.get(&epoch.netuid);
        let trimmed = trimmed.filter(|(at, _)| at.saturating_add(TRIM_BLOCKS) >= epoch.height.0);
        let value = straws.max(trimmed.map_or(0.0, |(_, part)| *part));
        signals.set(HYPERPARAMETER_RUGGER, subject, value, epoch.height);
    }

    /// Forgets what was kept of a subnet.
    pub fn forget(&mut self, netuid: NetUid) {
        self.funded.remove(&netuid);
        self.trimmed.remove(&netuid);
    }

    fn gifts(&mut self, frame: &Frame, state: &State) {
        for record in frame.calls.iter().filter(|record| record.outcome == Outcome::Ok) {
            let (
                Call::TransferKeepAlive { dest, .. }
                | Call::TransferAllowDeath { dest, .. }
                | Call::TransferAll { dest, .. },
                Origin::Signed(signer),
            ) = (&record.call, record.origin)
            else {
                continue;
            };
            let owned = state.networks().filter(|(_, subnet)| subnet.info.owner == Some(signer));
            for (netuid, _) in owned {
                self.funded.entry(netuid).or_default().insert(*dest);
            }
        }
    }

    /// Counts what each coldkey registered and did not start though it could.
    fn look(&mut self, height: Height, state: &State, signals: &mut Signals) {
        let mut counts = self.never.clone();
        let wait = state.global.start_call_delay.saturating_add(START_BLOCKS);
        for (owner, at) in self.idle.values() {
            if at.saturating_add(wait) < height.0 {
                let count = counts.entry(*owner).or_default();
                *count = count.saturating_add(1);
            }
        }
        for gone in self.named.iter().filter(|one| !counts.contains_key(*one)) {
            signals.set(LOCK_COST_GRIEFER, Subject::Coldkey(*gone), 0.0, height);
        }
        for (owner, count) in &counts {
            signals.set(LOCK_COST_GRIEFER, Subject::Coldkey(*owner), *count as f64, height);
        }
        self.named = counts.into_keys().collect();
    }
}

/// The part of the miners' emission that goes to some of the uids.
fn part_of(epoch: &Epoch<'_>, counts: impl Fn(u16, &AccountId) -> bool) -> f64 {
    let paid = (0_u16..).zip(&epoch.ground.hotkeys).zip(&epoch.run.server_emission);
    let (mut part, mut all) = (0_u128, 0_u128);
    for ((uid, hotkey), alpha) in paid {
        all += u128::from(alpha.0);
        if alpha.0 > 0 && counts(uid, hotkey) {
            part += u128::from(alpha.0);
        }
    }
    if all == 0 { 0.0 } else { part as f64 / all as f64 }
}
