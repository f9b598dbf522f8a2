//! What becomes of commits: `commit-withholder`, `bad-revealer`, `vacancy-sniper`.

use super::scene::Epoch;
use super::signals::Signals;
use super::{BAD_REVEALER, COMMIT_WITHHOLDER, VACANCY_SNIPER};
use protocol::call::{Call, Origin};
use protocol::event::{Event, Via};
use protocol::frame::Frame;
use protocol::rejection::{Outcome, Refusal, Rejection};
use protocol::state::State;
use protocol::units::{AccountId, Hash32, NetUid};
use std::collections::{BTreeMap, VecDeque};

/// Commits of a hotkey that are looked back at.
const COMMITS_KEPT: usize = 8;
/// Commits that must be over before anything is said.
const COMMITS_MIN: usize = 3;
/// Epochs over which reveals and their refusals are counted.
const EPOCHS: usize = 4;
/// Refused reveals before anything is said.
const REFUSED_MIN: u64 = 2;
/// Commits that wait at most; the chain allows ten per hotkey.
const WAITING_MAX: usize = 64;

/// What a hotkey did with its commits on a subnet.
#[derive(Clone, Debug, Default)]
struct Ledger {
    /// Commits that can still be opened: hash, last block for it.
    waiting: VecDeque<(Hash32, u64)>,
    /// Of the last ones whose time is over, whether each was opened.
    over: VecDeque<bool>,
    /// Commits and refused reveals since the last epoch.
    now: (u64, u64),
    /// The same in the last epochs.
    kept: VecDeque<(u64, u64)>,
}

/// Somebody who took an earning neuron's place while rows waited.
#[derive(Clone, Copy, Debug, Default)]
struct Newcomer {
    /// Epochs since it came.
    epochs: u64,
    /// Whether it earned before any row could be about it.
    earned: bool,
    /// Epochs in a row without incentive.
    idle: u64,
}

/// Commits and newcomers of all subnets.
#[derive(Clone, Debug, Default)]
pub struct Commits {
    of: BTreeMap<(NetUid, AccountId), Ledger>,
    newcomers: BTreeMap<(NetUid, AccountId), Newcomer>,
}

impl Commits {
    /// Counts reveals that were refused.
    pub fn hear(&mut self, frame: &Frame) {
        for record in &frame.calls {
            let (Some(netuid), Origin::Signed(hotkey)) = (revealed(&record.call), record.origin)
            else {
                continue;
            };
            let Some(ledger) = self.of.get_mut(&(netuid, hotkey)) else { continue };
            if is_bad(record.outcome) {
                ledger.now.1 = ledger.now.1.saturating_add(1);
                // Whoever tries does not withhold.
                if ledger.waiting.pop_front().is_some() {
                    ledger.over.push_back(true);
                }
            }
        }
    }

    /// Follows an event. `earns` says whether a neuron had incentive in the last epoch.
    pub fn follow(&mut self, event: &Event, state: &State, earns: impl Fn(NetUid, u16) -> bool) {
        match event {
            Event::WeightsCommitted { hotkey, netuid, commit, .. } => {
                let ledger = self.of.entry((*netuid, *hotkey)).or_default();
                ledger.now.0 = ledger.now.0.saturating_add(1);
                ledger.waiting.push_back((commit.hash, commit.last_reveal));
                while ledger.waiting.len() > WAITING_MAX {
                    ledger.waiting.pop_front();
                }
            }
            Event::WeightsRevealed { hotkey, netuid, hash, .. } => {
                self.open(*netuid, *hotkey, std::slice::from_ref(hash));
            }
            Event::WeightsBatchRevealed { hotkey, netuid, hashes, .. } => {
                self.open(*netuid, *hotkey, hashes);
            }
            Event::NeuronPlaced { netuid, uid, hotkey, replaced: Some(_), via: Via::Burn } => {
                let waits = state.subnet(*netuid).is_some_and(|subnet| {
                    !subnet.commits.is_empty() || !subnet.timelocked.is_empty()
                });
                if waits && earns(*netuid, *uid) {
                    self.newcomers.insert((*netuid, *hotkey), Newcomer::default());
                }
            }
            _ => {}
        }
    }

    /// Judges an epoch.
    pub fn judge(&mut self, epoch: &Epoch<'_>, signals: &mut Signals) {
        let here = |hotkey: &AccountId| epoch.ground.neurons.contains_key(hotkey);
        self.of.retain(|(netuid, hotkey), _| *netuid != epoch.netuid || here(hotkey));
        for ((netuid, hotkey), ledger) in &mut self.of {
            if *netuid == epoch.netuid {
                ledger.close(epoch.height.0);
                let subject = epoch.neuron(*hotkey);
                signals.set(COMMIT_WITHHOLDER, subject, ledger.withheld(), epoch.height);
                signals.set(BAD_REVEALER, subject, ledger.refused(), epoch.height);
            }
        }
        self.newcomers.retain(|(netuid, hotkey), _| *netuid != epoch.netuid || here(hotkey));
        let incentive = epoch.run.incentive.first().map_or(&[][..], Vec::as_slice);
        for ((netuid, hotkey), newcomer) in &mut self.newcomers {
            if *netuid == epoch.netuid {
                let uid = epoch.subnet.neurons.uid(hotkey).unwrap_or(u16::MAX);
                let earns = incentive.get(usize::from(uid)).is_some_and(|part| *part > 0);
                let value = newcomer.live(earns, epoch.subnet.params.reveal_period);
                signals.set(VACANCY_SNIPER, epoch.neuron(*hotkey), value, epoch.height);
            }
        }
        self.newcomers.retain(|_, newcomer| newcomer.epochs <= EPOCHS_WATCHED);
    }

    /// Forgets what was kept of a subnet.
    pub fn forget(&mut self, netuid: NetUid) {
        self.of.retain(|(of, _), _| *of != netuid);
        self.newcomers.retain(|(of, _), _| *of != netuid);
    }

    fn open(&mut self, netuid: NetUid, hotkey: AccountId, hashes: &[Hash32]) {
        let Some(ledger) = self.of.get_mut(&(netuid, hotkey)) else { return };
        for hash in hashes {
            let Some(place) = ledger.waiting.iter().position(|(waiting, _)| waiting == hash) else {
                continue;
            };
            // Those before it go with it, unopened.
            for number in 0..=place {
                ledger.waiting.pop_front();
                ledger.over.push_back(number == place);
            }
        }
    }
}

/// Epochs for which a newcomer is watched.
const EPOCHS_WATCHED: u64 = 16;
/// Epochs without incentive, beyond the reveal period, after which a newcomer does no work.
const IDLE_MIN: u64 = 3;

impl Ledger {
    /// Ends an epoch.
    fn close(&mut self, height: u64) {
        while self.waiting.front().is_some_and(|(_, last)| *last < height) {
            self.waiting.pop_front();
            self.over.push_back(false);
        }
        while self.over.len() > COMMITS_KEPT {
            self.over.pop_front();
        }
        self.kept.push_back(std::mem::take(&mut self.now));
        while self.kept.len() > EPOCHS {
            self.kept.pop_front();
        }
    }

    /// The part of its last commits that it let lapse.
    fn withheld(&self) -> f64 {
        if self.over.len() < COMMITS_MIN {
            return 0.0;
        }
        let lapsed = self.over.iter().filter(|opened| !**opened).count();
        lapsed as f64 / self.over.len() as f64
    }

    /// Refused reveals per commit.
    fn refused(&self) -> f64 {
        let commits: u64 = self.kept.iter().map(|(commits, _)| *commits).sum();
        let refused: u64 = self.kept.iter().map(|(_, refused)| *refused).sum();
        if refused < REFUSED_MIN { 0.0 } else { refused as f64 / commits.max(1) as f64 }
    }
}

impl Newcomer {
    /// Lives through an epoch. Gives 1 for one that earned at once and nothing since: what was committed about it would
    /// count by then.
    fn live(&mut self, earns: bool, reveal_period: u64) -> f64 {
        self.epochs = self.epochs.saturating_add(1);
        self.earned |= earns && self.epochs <= reveal_period.saturating_add(1);
        self.idle = if earns { 0 } else { self.idle.saturating_add(1) };
        if self.earned && self.idle >= reveal_period.saturating_add(IDLE_MIN) { 1.0 } else { 0.0 }
    }
}

fn revealed(call: &Call) -> Option<NetUid> {
    match call {
        Call::RevealWeights { netuid, .. }
        | Call::RevealMechanismWeights { netuid, .. }
        | Call::BatchRevealWeights { netuid, .. } => Some(*netuid),
        _ => None,
    }
}

fn is_bad(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Refused(Refusal::CommitNotFound | Refusal::CommitBlockNotInRevealRange)
            | Outcome::Failed(
                Rejection::InvalidRevealCommitHashNotMatch
                    | Rejection::ExpiredWeightCommit
                    | Rejection::RevealTooEarly
                    | Rejection::NoWeightsCommitFound
            )
    )
}
