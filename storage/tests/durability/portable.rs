//! A log as one file: whatever is cut off or flipped, the reader says so, and what it gave until then is an exact prefix.

use crate::frames::{GENESIS, frames, write_log};
use protocol::units::Height;
use storage::log::{Durability, EventLog, SledLog};
use storage::part::RawRecord;
use storage::portable::{PortableError, Reader, Writer};

const BLOCKS: u64 = 12;

fn read(bytes: &[u8]) -> (Vec<RawRecord>, Option<PortableError>) {
    let mut records = Vec::new();
    for read in Reader::new(bytes) {
        match read {
            Ok(record) => records.push(record),
            Err(error) => return (records, Some(error)),
        }
    }
    (records, None)
}

#[test]
fn every_cut_and_every_flipped_byte_is_found() {
    let folder = tempfile::tempdir().expect("writable");
    let path = folder.path().join("log");
    write_log(&path, BLOCKS as usize);
    let log = SledLog::open(&path).expect("it was closed");
    let records: Result<Vec<_>, _> = log.records(Height(0), log.tip()).collect();
    let records = records.expect("they are sound");
    let mut writer = Writer::new(Vec::new());
    for record in &records {
        writer.write(record).expect("memory takes it");
    }
    let (length, bytes) = writer.finish().expect("memory takes it");
    assert_eq!(length, bytes.len() as u64);
    let (whole, error) = read(&bytes);
    assert!(error.is_none() && whole == records);

    let tail = bytes.len().saturating_sub(5_000);
    for at in (0..tail).step_by(101).chain(tail..bytes.len()) {
        let (prefix, error) = read(&bytes[..at]);
        assert!(prefix == records[..prefix.len()], "cut at {at}");
        match error {
            Some(PortableError::CutOff { at: told, height }) => {
                assert_eq!(told, at as u64);
                let next = if prefix.is_empty() { 0 } else { GENESIS + prefix.len() as u64 };
                assert_eq!(height.0, next, "cut at {at}");
            }
            other => panic!("cut at {at}: {other:?}"),
        }
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        let (prefix, error) = read(&flipped);
        assert!(error.is_some(), "flipped at {at}");
        assert!(prefix == records[..prefix.len()], "flipped at {at}");
        assert!(prefix.iter().map(|record| record.bytes().len()).sum::<usize>() <= at, "{at}");
    }
}

/// A log made of the records of another one is the same, byte for byte.
#[test]
fn a_copied_log_has_the_same_records() {
    let folder = tempfile::tempdir().expect("writable");
    let path = folder.path().join("log");
    write_log(&path, BLOCKS as usize);
    let log = SledLog::open(&path).expect("it was closed");
    let records: Result<Vec<_>, _> = log.records(Height(0), log.tip()).collect();
    let records = records.expect("they are sound");
    let copy = folder.path().join("copy");
    let copied = SledLog::create_copy(&copy, &records[0], Durability::End);
    let mut copied = copied.expect("the folder is new");
    for record in &records[1..] {
        copied.append_record(&record.record()).expect("it follows");
    }
    let again: Result<Vec<_>, _> = copied.records(Height(0), copied.tip()).collect();
    assert!(again.expect("they are sound") == records);
    let block = SledLog::create_copy(&folder.path().join("no"), &records[1], Durability::End);
    assert!(block.is_err(), "a log begins with block 0");
    let last = frames().nth(BLOCKS as usize - 1).expect("they never end");
    assert_eq!(copied.frame(copied.tip()).expect("it is there"), last);
}
