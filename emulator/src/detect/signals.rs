//! What the detectors say: a signal per detector and subject, and an alarm where one crosses its threshold.
//!
//! What does not belong here: what a signal is made of (the other files of this folder).

use protocol::units::{AccountId, Height, NetUid};
use std::collections::{BTreeMap, BTreeSet};

/// Alarms that are kept whole; later ones are only counted.
pub const ALARMS_KEPT_MAX: usize = 100_000;

/// Whom a signal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A neuron.
    Neuron {
        /// Its subnet.
        netuid: NetUid,
        /// Its hotkey.
        hotkey: AccountId,
    },
    /// A holder of stake, wherever it acts.
    Coldkey(AccountId),
    /// A subnet as a whole.
    Subnet(NetUid),
}

/// A signal that crossed its threshold. The same subject is named again only after its signal fell below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// The detector's name.
    pub detector: &'static str,
    /// The block after which it showed.
    pub height: Height,
    /// Whom it is about.
    pub subject: Subject,
}

/// A detector, named after the adversary that it shows.
#[derive(Debug, PartialEq)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// What it looks at.
    pub observable: &'static str,
    /// From which value on it raises an alarm.
    pub threshold: f64,
    /// What the value counts.
    pub unit: &'static str,
}

/// A detector's word on one subject.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Signal {
    /// Whose word it is.
    pub detector: &'static Row,
    /// Whom it is about.
    pub subject: Subject,
    /// In the detector's unit; never 0.
    pub value: f64,
}

/// A detector's name and whom it speaks of.
type Key = (&'static str, Subject);

/// What is seen now.
#[derive(Clone, Copy, Debug)]
struct Sight {
    detector: &'static Row,
    value: f64,
    /// The block it was last said.
    at: Height,
    /// The block in which it is over, of what happens once.
    until: Option<Height>,
}

/// All signals as of the last block, and the alarms so far.
#[derive(Clone, Debug, Default)]
pub struct Signals {
    now: BTreeMap<Key, Sight>,
    /// What is over in which block.
    ends: BTreeSet<(Height, Key)>,
    alarms: Vec<Alarm>,
    counts: BTreeMap<&'static str, u64>,
}

impl Signals {
    /// Says what a detector sees in a subject now; 0 for nothing.
    pub fn set(&mut self, detector: &'static Row, subject: Subject, value: f64, at: Height) {
        self.put((detector.name, subject), Sight { detector, value, at, until: None });
    }

    /// Says what a detector sees in something that happened once: it stays in sight for some blocks. Of two such deeds
    /// the greater counts.
    pub fn set_for(
        &mut self,
        detector: &'static Row,
        subject: Subject,
        value: f64,
        at: Height,
        blocks: u64,
    ) {
        let key = (detector.name, subject);
        let until = Height(at.0.saturating_add(blocks));
        let value = self.now.get(&key).map_or(value, |before| before.value.max(value));
        self.put(key, Sight { detector, value, at, until: Some(until) });
        self.ends.insert((until, key));
    }

    fn put(&mut self, key: Key, sight: Sight) {
        let Sight { detector, value, at, .. } = sight;
        let before = self.now.get(&key).map_or(0.0, |before| before.value);
        if value > 0.0 {
            self.now.insert(key, sight);
        } else {
            self.now.remove(&key);
        }
        if value < detector.threshold || before >= detector.threshold {
            return;
        }
        let count = self.counts.entry(detector.name).or_default();
        *count = count.saturating_add(1);
        if self.alarms.len() < ALARMS_KEPT_MAX {
            self.alarms.push(Alarm { detector: detector.name, height: at, subject: key.1 });
        }
    }

    /// Ends what is over after a block.
    pub fn settle(&mut self, height: Height) {
        while self.ends.first().is_some_and(|(until, _)| *until <= height) {
            let Some((until, key)) = self.ends.pop_first() else { return };
            if self.now.get(&key).is_some_and(|sight| sight.until == Some(until)) {
                self.now.remove(&key);
            }
        }
    }

    /// Ends what the last epoch of a subnet said of its neurons and this one does not say again.
    pub fn settle_neurons(&mut self, of: NetUid, height: Height) {
        self.now.retain(|(_, subject), sight| match subject {
            Subject::Neuron { netuid, .. } => *netuid != of || sight.at >= height,
            Subject::Coldkey(_) | Subject::Subnet(_) => true,
        });
    }

    /// Forgets a subnet that is gone and its neurons.
    pub fn forget(&mut self, gone: NetUid) {
        self.now.retain(|(_, subject), _| match subject {
            Subject::Neuron { netuid, .. } | Subject::Subnet(netuid) => *netuid != gone,
            Subject::Coldkey(_) => true,
        });
    }

    /// The alarms in order, the first [`ALARMS_KEPT_MAX`] of them.
    pub fn alarms(&self) -> &[Alarm] {
        &self.alarms
    }

    /// All alarms of a detector.
    pub fn count(&self, detector: &Row) -> u64 {
        self.counts.get(detector.name).copied().unwrap_or(0)
    }

    /// What is seen now.
    pub fn all(&self) -> impl Iterator<Item = Signal> {
        self.now.iter().map(|((_, subject), sight)| Signal {
            detector: sight.detector,
            subject: *subject,
            value: sight.value,
        })
    }

    /// The strongest signal of each detector that sees anything, by name, in parts of its threshold: from 1 on it is an
    /// alarm.
    pub fn strongest(&self) -> BTreeMap<&'static str, f64> {
        let mut strongest = BTreeMap::new();
        for Signal { detector, value, .. } in self.all() {
            let most = strongest.entry(detector.name).or_insert(0.0);
            *most = f64::max(*most, value / detector.threshold);
        }
        strongest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &Row = &Row { name: "test", observable: "", threshold: 0.5, unit: "" };

    #[test]
    fn an_alarm_is_raised_when_the_threshold_is_crossed_and_not_again_before_the_signal_fell() {
        let mut signals = Signals::default();
        let subject = Subject::Subnet(NetUid(1));
        let values = [0.4, 0.5, 0.9, 0.2, 0.7, 0.0, 0.5];
        for (height, value) in (1..).zip(values) {
            signals.set(ROW, subject, value, Height(height));
        }
        let heights: Vec<u64> = signals.alarms().iter().map(|alarm| alarm.height.0).collect();
        assert_eq!(heights, [2, 5, 7]);
        assert_eq!(signals.count(ROW), 3);
        assert_eq!(signals.strongest()["test"], 1.0);
        signals.set(ROW, Subject::Subnet(NetUid(2)), 0.1, Height(8));
        assert_eq!(signals.all().count(), 2);
        signals.forget(NetUid(1));
        assert_eq!(signals.all().map(|signal| signal.value).collect::<Vec<_>>(), [0.1]);
    }
    #[test]
    fn what_happened_once_is_over_after_its_time_and_what_an_epoch_does_not_repeat_at_once() {
        let mut signals = Signals::default();
        let seen = |signals: &Signals| signals.all().map(|one| one.value).collect::<Vec<_>>();
        let whale = Subject::Coldkey(AccountId::ZERO);
        signals.set_for(ROW, whale, 0.7, Height(10), 5);
        signals.set_for(ROW, whale, 0.6, Height(12), 5);
        signals.settle(Height(16));
        assert_eq!(seen(&signals), [0.7]);
        signals.settle(Height(17));
        assert_eq!(seen(&signals), [0.0; 0]);
        let neuron = |n| Subject::Neuron { netuid: NetUid(n), hotkey: AccountId::ZERO };
        signals.set(ROW, neuron(1), 0.1, Height(20));
        signals.set(ROW, neuron(2), 0.2, Height(20));
        signals.settle_neurons(NetUid(1), Height(30));
        assert_eq!(seen(&signals), [0.2]);
        assert_eq!(signals.alarms().len(), 1);
    }
}
