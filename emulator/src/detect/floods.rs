//! Calls that the chain must refuse, and registrations that come all at once: `spammer`, `registration-bot`.

use super::signals::{Signals, Subject};
use super::{REGISTRATION_BOT, SPAMMER};
use protocol::call::{Call, Origin};
use protocol::event::Event;
use protocol::frame::Frame;
use protocol::rejection::Outcome;
use protocol::state::State;
use protocol::units::{AccountId, Height, NetUid, PlayerId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Blocks over which failed calls are counted.
const WINDOW_BLOCKS: u64 = 100;
/// Different reasons for a no that a flood has at least; who wants one thing and cannot get it has fewer.
const REASONS_MIN: usize = 4;
/// Beginnings of intervals that are looked back at.
const INTERVALS: usize = 8;
/// Registrations of one coldkey in the first block of an interval from which on it fires.
const SHOTS_MIN: u64 = 2;

/// Failed calls of one player.
#[derive(Clone, Debug)]
struct Failed {
    signer: AccountId,
    count: u64,
    reasons: BTreeSet<(&'static str, &'static str)>,
}

/// Failed calls and bursts of registrations.
#[derive(Clone, Debug, Default)]
pub struct Floods {
    failed: BTreeMap<PlayerId, Failed>,
    /// Who floods, as of the last window.
    flooding: BTreeSet<AccountId>,
    /// Of the last intervals of a subnet, who fired at their beginning.
    fired: BTreeMap<NetUid, VecDeque<BTreeSet<AccountId>>>,
}

impl Floods {
    /// Counts a block's calls.
    pub fn hear(&mut self, frame: &Frame, state: &State, signals: &mut Signals) {
        for record in frame.calls.iter().filter(|record| record.outcome != Outcome::Ok) {
            let Origin::Signed(signer) = record.origin else { continue };
            let failed = self.failed.entry(record.player).or_insert_with(|| Failed {
                signer,
                count: 0,
                reasons: BTreeSet::new(),
            });
            failed.count = failed.count.saturating_add(1);
            failed.reasons.insert((record.call.name(), record.outcome.reason()));
        }
        for refused in &frame.refused {
            // Whoever has that many refused has some that are kept whole.
            if let Some(failed) = self.failed.get_mut(&refused.player) {
                failed.count = failed.count.saturating_add(u64::from(refused.count));
            }
        }
        let height = frame.header.height;
        if height.0.is_multiple_of(WINDOW_BLOCKS) {
            self.close(height, state, signals);
        }
        for event in &frame.events {
            if let Event::RegistrationTermsAdjusted { netuids, .. } = event {
                self.interval(frame, netuids, signals);
            }
        }
    }

    /// Forgets what was kept of a subnet.
    pub fn forget(&mut self, netuid: NetUid) {
        self.fired.remove(&netuid);
    }

    fn close(&mut self, height: Height, state: &State, signals: &mut Signals) {
        let mut flooding: BTreeMap<AccountId, f64> = BTreeMap::new();
        for failed in std::mem::take(&mut self.failed).into_values() {
            if failed.reasons.len() >= REASONS_MIN {
                let coldkey = state.owner(&failed.signer).unwrap_or(failed.signer);
                let rate = failed.count as f64 / WINDOW_BLOCKS as f64;
                *flooding.entry(coldkey).or_default() += rate;
            }
        }
        for quiet in self.flooding.iter().filter(|one| !flooding.contains_key(*one)) {
            signals.set(SPAMMER, Subject::Coldkey(*quiet), 0.0, height);
        }
        for (coldkey, rate) in &flooding {
            signals.set(SPAMMER, Subject::Coldkey(*coldkey), *rate, height);
        }
        self.flooding = flooding.into_keys().collect();
    }

    /// The block begins a registration interval of these subnets.
    fn interval(&mut self, frame: &Frame, netuids: &[NetUid], signals: &mut Signals) {
        let mut shots: BTreeMap<NetUid, BTreeMap<AccountId, u64>> = BTreeMap::new();
        for record in &frame.calls {
            if let (Call::BurnedRegister { netuid, .. }, Origin::Signed(signer)) =
                (&record.call, record.origin)
            {
                *shots.entry(*netuid).or_default().entry(signer).or_default() += 1;
            }
        }
        for netuid in netuids {
            let shots = shots.remove(netuid).unwrap_or_default();
            let bursts = shots.into_iter().filter(|(_, count)| *count >= SHOTS_MIN);
            let fired = self.fired.entry(*netuid).or_default();
            fired.push_back(bursts.map(|(signer, _)| signer).collect());
            let gone =
                if fired.len() > INTERVALS { fired.pop_front() } else { None }.unwrap_or_default();
            let all: BTreeSet<AccountId> = fired.iter().flatten().chain(&gone).copied().collect();
            for coldkey in all {
                let count = fired.iter().filter(|interval| interval.contains(&coldkey)).count();
                let subject = Subject::Coldkey(coldkey);
                signals.set(REGISTRATION_BOT, subject, count as f64, frame.header.height);
            }
        }
    }
}
