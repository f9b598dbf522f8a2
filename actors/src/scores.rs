//! What a validator thinks of each miner it has heard: running scores by hotkey.
//!
//! There are thousands of validators with a hundred scores each, so a hotkey is known by its first eight bytes here: they
//! tell the few hundred of a subnet apart.

use protocol::units::AccountId;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;

/// Scores that are added room for at once.
const ROOM: usize = 32;

/// Running scores by hotkey. They are written as a map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scores {
    /// Ascending.
    tags: Vec<u64>,
    /// One for each tag.
    scores: Vec<u32>,
}

impl Scores {
    /// No scores.
    pub const fn new() -> Self {
        Self { tags: Vec::new(), scores: Vec::new() }
    }

    /// How many there are.
    pub const fn count(&self) -> usize {
        self.tags.len()
    }

    /// The score of a hotkey.
    pub fn get(&self, hotkey: &AccountId) -> Option<u32> {
        self.tags.binary_search(&tag(hotkey)).ok().map(|place| self.scores[place])
    }

    /// Sets the score of a hotkey to what follows from the one it had.
    pub fn update(&mut self, hotkey: &AccountId, next: impl FnOnce(Option<u32>) -> u32) {
        let tag = tag(hotkey);
        match self.tags.binary_search(&tag) {
            Ok(place) => self.scores[place] = next(Some(self.scores[place])),
            Err(place) => {
                if self.tags.len() == self.tags.capacity() {
                    self.tags.reserve_exact(ROOM);
                    self.scores.reserve_exact(ROOM);
                }
                self.tags.insert(place, tag);
                self.scores.insert(place, next(None));
            }
        }
    }

    /// Forgets all hotkeys but these.
    pub fn keep_only(&mut self, hotkeys: &[AccountId]) {
        let mut kept: Vec<u64> = hotkeys.iter().map(tag).collect();
        kept.sort_unstable();
        let old = std::mem::take(self);
        for (tag, score) in old.tags.into_iter().zip(old.scores) {
            if kept.binary_search(&tag).is_ok() {
                self.tags.push(tag);
                self.scores.push(score);
            }
        }
    }
}

impl Serialize for Scores {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.tags.iter().zip(&self.scores))
    }
}

impl<'de> Deserialize<'de> for Scores {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let (tags, scores) = BTreeMap::<u64, u32>::deserialize(from)?.into_iter().unzip();
        Ok(Self { tags, scores })
    }
}

fn tag(hotkey: &AccountId) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = hotkey.0;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hotkey(n: u8) -> AccountId {
        let mut bytes = [0; 32];
        // Far from ascending.
        bytes[0] = n.wrapping_mul(167);
        bytes[7] = n;
        AccountId(bytes)
    }

    #[test]
    fn it_does_what_a_map_does() {
        let (mut scores, mut map) = (Scores::new(), BTreeMap::new());
        for round in 0_u32..4 {
            for n in (0..200).filter(|n| u32::from(*n) % (round + 1) == 0) {
                let next = |old: Option<u32>| old.unwrap_or(7) * 3 % 1_000_003 + round;
                scores.update(&hotkey(n), next);
                map.insert(hotkey(n), next(map.get(&hotkey(n)).copied()));
            }
            let all: Vec<AccountId> = (0..=255).map(hotkey).collect();
            let held = |scores: &Scores, map: &BTreeMap<_, _>| {
                assert_eq!(scores.count(), map.len());
                for hotkey in &all {
                    assert_eq!(scores.get(hotkey), map.get(hotkey).copied());
                }
            };
            held(&scores, &map);
            let kept: Vec<AccountId> = all.iter().rev().step_by(3).copied().collect();
            scores.keep_only(&kept);
            map.retain(|hotkey, _| kept.contains(hotkey));
            held(&scores, &map);
            let written = serde_json::to_string(&scores).expect("they are written");
            assert_eq!(serde_json::from_str::<Scores>(&written).expect("they are read"), scores);
        }
        assert_eq!(serde_json::to_string(&Scores::new()).expect("they are written"), "{}");
        scores.keep_only(&[]);
        assert_eq!(scores, Scores::new());
    }
}
