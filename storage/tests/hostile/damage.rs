//! Damage to bytes: what disks, cables and enemies do to them.

use super::trial::Choices;

/// Numbers at the ends of what a length or an amount can be.
pub const EXTREMES: [u64; 12] = [
    0,
    1,
    0x7f,
    0xff,
    0xffff,
    0x7fff_ffff,
    0xffff_ffff,
    0x1_0000_0000,
    1 << 60,
    i64::MAX as u64,
    u64::MAX - 1,
    u64::MAX,
];

/// Changes at a time.
const CHANGES_MAX: usize = 4;
/// The longest stretch that is taken out, doubled or borrowed, in bytes.
const STRETCH_MAX: usize = 64;

/// Damages bytes at a few places; other bytes lend stretches.
pub fn damage(bytes: &mut Vec<u8>, others: &[u8], choices: &mut Choices<'_>) {
    for _ in 0..=choices.below(CHANGES_MAX) {
        damage_once(bytes, others, choices);
    }
}

fn damage_once(bytes: &mut Vec<u8>, others: &[u8], choices: &mut Choices<'_>) {
    let kind = choices.below(12);
    let at = choices.below(bytes.len());
    let until = (at + 1 + choices.below(STRETCH_MAX)).min(bytes.len());
    if bytes.is_empty() {
        bytes.push(choices.byte());
        return;
    }
    match kind {
        0 | 1 => bytes[at] ^= 1 << choices.below(8),
        2 | 3 => bytes[at] = choices.byte(),
        4 => bytes[at..until].fill(0xff),
        5 => bytes[at..until].fill(0),
        6 => bytes.truncate(at),
        7 => drop(bytes.drain(at..until)),
        8 => {
            let stretch = bytes[at..until].to_vec();
            bytes.splice(at..at, stretch);
        }
        9 => {
            let from = choices.below(others.len());
            let stretch = &others[from..(from + until - at).min(others.len())];
            let end = (at + stretch.len()).min(bytes.len());
            bytes.splice(at..end, stretch.iter().copied());
        }
        10 => {
            // A length of four bytes, where there may be one.
            let number = (*choices.of(&EXTREMES) as u32).to_le_bytes();
            bytes.iter_mut().skip(at).zip(number).for_each(|(byte, new)| *byte = new);
        }
        _ => {
            let number = choices.of(&EXTREMES).to_le_bytes();
            bytes.iter_mut().skip(at).zip(number).for_each(|(byte, new)| *byte = new);
        }
    }
}
