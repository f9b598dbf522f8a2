//! Portable logs: damaged ones, and ones whose records chain although they were changed. Whatever the file holds, its
//! reader gives records that follow each other, then an error or the end.

use crate::damage::{EXTREMES, damage};
use crate::golden::Golden;
use crate::loose::{FORMATS, Loose};
use crate::memory::most_held;
use crate::trial::{Choices, Tally, Target, try_inputs};
use protocol::units::{Hash32, Height};
use storage::portable::{END_MAGIC, PortableError, Reader};
use storage::record::RecordError;

const INPUTS: u64 = 20_000;
/// Records of a file, at most.
const RECORDS_MAX: usize = 6;
/// What reading may hold beyond twice the file, in bytes.
const HELD_MAX: usize = 1 << 20;

fn end(height: u64, hash: Hash32) -> Vec<u8> {
    let mut end = END_MAGIC.to_vec();
    end.extend(height.to_le_bytes());
    end.extend(hash.0);
    end.extend(crc32fast::hash(&end).to_le_bytes());
    end
}

/// A file of these records, each after the one before it.
fn chained(records: &[Loose]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut last = (0, Hash32::default());
    for (at, record) in records.iter().enumerate() {
        let mut record = record.clone();
        if at > 0 {
            record.previous = last.1;
        }
        last = (record.height, record.hash());
        bytes.extend(record.sealed());
    }
    bytes.extend(end(last.0, last.1));
    bytes
}

/// A file of these records as they are, each sound by itself.
fn loose(records: &[Loose]) -> Vec<u8> {
    let mut bytes: Vec<u8> = records.iter().flat_map(Loose::sealed).collect();
    let last = records.last().map_or((0, Hash32::default()), |one| (one.height, one.hash()));
    bytes.extend(end(last.0, last.1));
    bytes
}

fn try_file(logs: &[Golden], choices: &mut Choices<'_>, tally: &Tally) {
    tally.count("tried");
    let log = choices.of(logs);
    let count = 1 + choices.below(RECORDS_MAX);
    let mut records: Vec<Loose> = log.records[..count].iter().map(|one| Loose::of(one)).collect();
    let mut bytes = match choices.below(4) {
        0 => {
            let mut bytes = chained(&records);
            damage(&mut bytes, &log.records[1], choices);
            bytes
        }
        1 => choices.rest().to_vec(),
        _ => {
            for _ in 0..=choices.below(3) {
                let at = choices.below(records.len());
                let other = choices.below(records.len());
                match choices.below(6) {
                    0 => records.swap(at, other),
                    1 => records.insert(at, records[other].clone()),
                    2 if records.len() > 1 => drop(records.remove(at)),
                    3 => records[at].kind ^= 1,
                    4 => records[at].height = *choices.of(&EXTREMES),
                    _ => {
                        let mut raw = records[at].raw();
                        damage(&mut raw, &log.records[1], choices);
                        records[at] = records[at].clone().with_raw(&raw);
                    }
                }
            }
            match choices.below(4) {
                0 => loose(&records),
                _ => chained(&records),
            }
        }
    };
    if choices.below(8) == 0 {
        bytes.push(choices.byte());
    }
    let (error, held) = most_held(|| read(&bytes, tally));
    assert!(held <= 2 * bytes.len() + HELD_MAX, "{held} bytes for {}", bytes.len());
    match error {
        None => tally.count("whole"),
        Some(error) => {
            assert!(!error.to_string().is_empty());
            tally.count("refused");
        }
    }
}

/// Reads a file to its end or its first error.
fn read(bytes: &[u8], tally: &Tally) -> Option<PortableError> {
    let mut last: Option<(Height, Hash32)> = None;
    for read in Reader::new(bytes) {
        let raw = match read {
            Ok(raw) => raw,
            Err(error) => return Some(error),
        };
        let record = raw.record();
        match last {
            None => assert!(record.is_genesis()),
            Some((height, hash)) => {
                assert_eq!((record.height.0, record.previous), (height.0 + 1, hash));
            }
        }
        last = Some((record.height, record.hash));
        tally.count("a record");
    }
    None
}

#[test]
fn any_file_is_read_or_refused() {
    let logs = FORMATS.map(Golden::read);
    let tally = Tally::default();
    try_inputs!("any_file_is_read_or_refused", INPUTS, |choices| {
        try_file(&logs, choices, &tally)
    });
    tally.wants(&[("whole", 40), ("refused", 300), ("a record", 400)]);
}

/// No block is so high that the next one has no height: a file that begins at the end of all numbers is refused.
#[test]
fn no_log_begins_at_the_end_of_all_heights() {
    let log = Golden::read(4);
    let mut records = [Loose::of(&log.records[0]), Loose::of(&log.records[1])];
    records[0].height = u64::MAX;
    records[1].height = 0;
    match read(&chained(&records), &Tally::default()) {
        Some(PortableError::NoLog { error: RecordError::Head }) => {}
        other => panic!("{other:?}"),
    }
}
