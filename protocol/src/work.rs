//! Proof of work of a registration (30 §6.2): the seal of a nonce, and whether it meets a difficulty.
//!
//! What belongs here: hashing and comparing. What does not: who may register (`registration`).

use crate::units::{AccountId, Hash32};
use sha2::Sha256;
use sha3::{Digest as _, Keccak256};

/// The seal of a nonce for a hotkey under a block's hash:
/// `keccak256(sha256(nonce ‖ keccak256(block hash ‖ hotkey)))`, the nonce little-endian.
pub fn seal(block_hash: &Hash32, hotkey: &AccountId, nonce: u64) -> Hash32 {
    let salt = Keccak256::new().chain_update(block_hash.0).chain_update(hotkey.0).finalize();
    let inner = Sha256::new().chain_update(nonce.to_le_bytes()).chain_update(salt).finalize();
    Hash32(Keccak256::digest(inner).into())
}

/// Whether a seal meets a difficulty: read as a little-endian number, its product with the difficulty
/// stays below 2²⁵⁶. About one seal in `difficulty` does.
pub fn meets(seal: &Hash32, difficulty: u64) -> bool {
    let mut carry = 0u128;
    for limb in seal.0.as_chunks::<8>().0 {
        let product = u128::from(u64::from_le_bytes(*limb)) * u128::from(difficulty) + carry;
        carry = product >> 64;
    }
    carry == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_meets_the_difficulties_up_to_its_own() {
        let mut number = [0; 32];
        // 2²⁴⁸: times 255 it stays below 2²⁵⁶, times 256 it does not.
        number[31] = 1;
        let seal = Hash32(number);
        for (difficulty, expected) in
            [(0, true), (1, true), (255, true), (256, false), (u64::MAX, false)]
        {
            assert_eq!(meets(&seal, difficulty), expected, "{difficulty}");
        }
        // The lowest limb carries through all the others.
        let seal = Hash32([0xff; 32]);
        assert_eq!([meets(&seal, 1), meets(&seal, 2)], [true, false]);
        assert!(meets(&Hash32([0; 32]), u64::MAX));
    }

    #[test]
    fn a_difficulty_is_the_number_of_seals_it_takes() {
        let (hash, hotkey) = (Hash32([7; 32]), AccountId([9; 32]));
        for difficulty in [1, 8, 64] {
            let found =
                (0..64_000).filter(|nonce| meets(&seal(&hash, &hotkey, *nonce), difficulty));
            let (found, expected) = (found.count() as u64, 64_000 / difficulty);
            assert!(found.abs_diff(expected) <= expected / 10, "{difficulty}: {found}");
        }
    }

    #[test]
    fn a_seal_depends_on_all_it_is_made_of() {
        let (hash, hotkey) = (Hash32([7; 32]), AccountId([9; 32]));
        let one = seal(&hash, &hotkey, 1);
        let others = [
            seal(&Hash32([8; 32]), &hotkey, 1),
            seal(&hash, &AccountId([8; 32]), 1),
            seal(&hash, &hotkey, 2),
        ];
        assert!(others.iter().all(|other| *other != one));
        // SHA3's padding differs from Keccak's; this is Keccak of the empty text.
        let empty = Keccak256::digest([]);
        assert_eq!(empty[..4], [0xc5, 0xd2, 0x46, 0x01]);
    }
}
