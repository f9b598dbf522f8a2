//! Chance: every draw is a pure function of (seed, domain, who, block, n). No generator is kept.
//!
//! What belongs here: the draw, bounded integers, and the derivation of ids from (group, index).
//! What does not: distributions (players have their own, `actors`).

use crate::units::{AccountId, PlayerId};
use serde::{Deserialize, Serialize};

/// What a draw is for; draws of different domains are independent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
pub enum Domain {
    /// The block's entropy (automatic root claims, proof of work).
    Chain = 1,
    /// Latency, loss and duplication of messages.
    Net = 2,
    /// Decisions of players.
    Player = 3,
    /// Populations, holdings and everything else made at genesis.
    Genesis = 4,
    /// Simulated faults.
    Fault = 5,
    /// Samples of studies that no run contains.
    Study = 6,
}

/// What a draw's address is hashed behind.
const PREFIX: &[u8; 12] = b"btemu dice 1";
/// Bytes of a block of the stream.
const BLOCK_BYTES: usize = 64;
/// Bytes that one hash gives: enough for most dice, which draw once or twice.
const HASH_BYTES: usize = 32;

/// A stream of draws, addressed by what it is for: the extended output of BLAKE3 over the address.
#[derive(Clone, Debug)]
pub struct Dice {
    address: [u8; PREFIX.len() + 40],
    /// The part of the stream that is at hand, from `next` to `end`.
    bytes: [u8; BLOCK_BYTES],
    next: usize,
    end: usize,
    /// Where the stream goes on behind it, once anybody went that far.
    reader: Option<blake3::OutputReader>,
}

impl Dice {
    /// The draws of (seed, domain, who, block, n). The same address gives the same draws, always.
    pub fn new(seed: u64, domain: Domain, who: u64, block: u64, n: u64) -> Self {
        let mut address = [0u8; PREFIX.len() + 40];
        let (prefix, input) = address.split_at_mut(PREFIX.len());
        prefix.copy_from_slice(PREFIX);
        input[..8].copy_from_slice(&seed.to_le_bytes());
        input[8] = domain as u8;
        input[16..24].copy_from_slice(&who.to_le_bytes());
        input[24..32].copy_from_slice(&block.to_le_bytes());
        input[32..].copy_from_slice(&n.to_le_bytes());
        let mut bytes = [0; BLOCK_BYTES];
        // A hash is the beginning of the extended output, and far cheaper.
        bytes[..HASH_BYTES].copy_from_slice(blake3::hash(&address).as_bytes());
        Self { address, bytes, next: 0, end: HASH_BYTES, reader: None }
    }

    /// The next bytes of the stream.
    fn next_part<const N: usize>(&mut self) -> [u8; N] {
        let mut part = [0; N];
        let mut filled = 0;
        while filled < N {
            if self.next == self.end {
                self.read_on();
            }
            let count = (N - filled).min(self.end - self.next);
            part[filled..filled + count].copy_from_slice(&self.bytes[self.next..self.next + count]);
            (filled, self.next) = (filled + count, self.next + count);
        }
        part
    }

    /// Fetches the rest of the first block, or the next one.
    fn read_on(&mut self) {
        let address = &self.address;
        let reader = self.reader.get_or_insert_with(|| {
            let mut reader = blake3::Hasher::new().update(address).finalize_xof();
            reader.set_position(HASH_BYTES as u64);
            reader
        });
        self.end = BLOCK_BYTES - (reader.position() % BLOCK_BYTES as u64) as usize;
        self.next = 0;
        reader.fill(&mut self.bytes[..self.end]);
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        u64::from_le_bytes(self.next_part())
    }

    /// The next 32 bytes.
    pub fn next_bytes(&mut self) -> [u8; 32] {
        self.next_part()
    }

    /// A uniform integer in `0..bound`; 0 when the bound is 0. Unbiased: 64 × 64 → 128-bit
    /// multiplication, draws in the short remainder are rejected.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        let reject_below = bound.wrapping_neg() % bound;
        loop {
            let product = u128::from(self.next_u64()) * u128::from(bound);
            if product as u64 >= reject_below {
                return (product >> 64) as u64;
            }
        }
    }

    /// A uniform integer in `low..=high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low).saturating_add(1).max(1))
    }

    /// True with probability `parts_per_million` / 10⁶.
    pub fn chance_ppm(&mut self, parts_per_million: u32) -> bool {
        self.below(1_000_000) < u64::from(parts_per_million)
    }
}

/// The id of a player: from its group's name and its index in the group, nothing else.
pub fn player_id(group: &str, index: u64) -> PlayerId {
    let digest = derive(b"btemu player 1", group, index, 0);
    let mut id = [0; 8];
    id.copy_from_slice(&digest[..8]);
    // Zero is the chain.
    PlayerId(u64::from_le_bytes(id).max(1))
}

/// Which key of a player an account is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
pub enum Key {
    /// Holds TAO and stake, signs staking and registration.
    Cold = 1,
    /// Acts as neuron, signs weights.
    Hot = 2,
}

/// An account of a player: from its group's name, its index and the key, nothing else.
pub fn account_of(group: &str, index: u64, key: Key, number: u64) -> AccountId {
    AccountId(derive(b"btemu account 1", group, index, ((key as u64) << 56) | number))
}

fn derive(domain: &[u8], group: &str, index: u64, number: u64) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(domain);
    hasher.update(&(group.len() as u64).to_le_bytes());
    hasher.update(group.as_bytes());
    hasher.update(&index.to_le_bytes());
    hasher.update(&number.to_le_bytes());
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn draws_are_the_extended_output_of_the_address() {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"btemu dice 1");
        for word in [7_u64, Domain::Net as u64, 42, 100, 3] {
            hasher.update(&word.to_le_bytes());
        }
        let mut stream = [0; 1_024];
        hasher.finalize_xof().fill(&mut stream);
        for words in [0, 1, 3, 4, 5, 7] {
            let mut dice = Dice::new(7, Domain::Net, 42, 100, 3);
            let mut drawn = Vec::new();
            while drawn.len() < 900 {
                for _ in 0..words {
                    drawn.extend_from_slice(&dice.next_u64().to_le_bytes());
                }
                drawn.extend_from_slice(&dice.next_bytes());
            }
            assert_eq!(drawn, stream[..drawn.len()], "{words} words between");
        }
    }

    #[test]
    fn draws_are_golden() {
        // Changing any of these changes every run ever recorded.
        let mut dice = Dice::new(7, Domain::Player, 42, 100, 3);
        let drawn: Vec<u64> = (0..4).map(|_| dice.below(1_000)).collect();
        expect_test::expect![[r#"
            [
                49,
                103,
                193,
                200,
            ]
        "#]]
        .assert_debug_eq(&drawn);
        expect_test::expect!["b92c1928e6832c36"]
            .assert_eq(&alloc::format!("{}", player_id("validators", 5)));
        expect_test::expect!["5FbesneP2UFEqgzicW7ujwgCPqjAPS4fGqgJAQ19puSenuZX"]
            .assert_eq(&account_of("validators", 5, Key::Hot, 0).to_ss58());
    }

    #[test]
    fn addresses_are_independent_and_bounds_hold() {
        let a = Dice::new(1, Domain::Net, 1, 0, 0).next_u64();
        let b = Dice::new(1, Domain::Net, 0, 1, 0).next_u64();
        let c = Dice::new(1, Domain::Player, 1, 0, 0).next_u64();
        assert!(a != b && a != c && b != c);
        let mut dice = Dice::new(1, Domain::Net, 0, 0, 0);
        let mut seen = [0u32; 6];
        for _ in 0..6_000 {
            seen[usize::try_from(dice.between(0, 5)).expect("small")] += 1;
        }
        assert!(seen.iter().all(|count| (800..1_200).contains(count)), "{seen:?}");
        assert_eq!(dice.below(0), 0);
        assert_eq!(dice.between(9, 9), 9);
    }
}
