//! Draws of a swarm: a stream of its own for each part of a scenario, so that more draws for one part move no other.

use protocol::dice::{Dice, Domain};

/// A stream of draws.
#[derive(Clone, Debug)]
pub struct Fate(Dice);

impl Fate {
    /// The stream of a seed for a part.
    pub fn new(seed: u64, part: &str) -> Self {
        let hash = blake3::hash(part.as_bytes());
        let (head, _) = hash.as_bytes().split_first_chunk().expect("eight of 32 bytes");
        Self(Dice::new(seed, Domain::Study, u64::from_le_bytes(*head), 0, 0))
    }

    /// Below a bound; 0 when that is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0.below(bound)
    }

    /// From one number to another.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        self.0.between(low, high.max(low))
    }

    /// A number that is small, from one to another.
    pub fn part_of(&mut self, low: u32, high: u32) -> u32 {
        self.between(low.into(), high.into()) as u32
    }

    /// A part in millionths, at least one.
    pub fn part(&mut self, most: u32) -> u32 {
        self.part_of(1, most)
    }

    /// True once in so many times.
    pub fn chance(&mut self, one_in: u64) -> bool {
        self.below(one_in) == 0
    }

    /// One of several; there must be one.
    pub fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len() as u64) as usize]
    }
}
