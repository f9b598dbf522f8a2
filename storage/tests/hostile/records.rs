//! Records: arbitrary bytes, and sound ones damaged with and without their hashes made right again. Whatever it is,
//! reading it gives an error or a block, and takes no more memory than is stated here.

use crate::damage::{EXTREMES, damage};
use crate::golden::{Begin, Golden};
use crate::loose::{FORMATS, Loose};
use crate::memory::most_held;
use crate::trial::{Choices, Tally, Target, try_inputs};
use protocol::units::Hash32;
use storage::codec::VALUE_BYTES_MAX;
use storage::part::Part;
use storage::record::{FRAME_BYTES_MAX, HEAD_BYTES, Record, RecordError, pack_frame};

const INPUTS: u64 = 12_000;
/// What reading a record may hold, per byte of its unpacked body: a fact of a few bytes is some hundreds in memory.
const HELD_PER_BYTE_MAX: usize = 1 << 10;
/// What reading any record may hold besides.
const HELD_MAX: usize = 256 << 20;

/// Reads everything that bytes may hold.
fn read(bytes: &[u8], tally: &Tally) {
    // Readers of streams and of damaged stores look at whatever comes.
    if let Some(head) = bytes.first_chunk::<HEAD_BYTES>() {
        drop(Record::length(head));
    }
    drop(Part::read(bytes));
    let mut own = bytes.to_vec();
    let checked = Record::check(&mut own);
    assert_eq!(checked, Record::read(bytes).map(drop), "in place and not");
    assert_eq!(own, bytes, "the check leaves them as they were");
    let record = match Record::read(bytes) {
        Ok(record) => record,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return tally.count("refused by its head or hash");
        }
    };
    tally.count("sound outside");
    drop(record.header());
    let decoded = match record.is_genesis() {
        true => record.genesis::<Begin>().map(|_| None),
        false => record.frame(record.height).map(Some),
    };
    match decoded {
        Ok(None) => tally.count("a genesis"),
        Ok(Some(frame)) => {
            tally.count("a block");
            // A block that can be read can be written, and is the same then.
            let (again, _) = pack_frame(&frame, Hash32::default());
            let again = Record::read(&again).and_then(|again| again.frame(frame.header.height));
            assert!(again == Ok(frame), "it is another when it is written again");
        }
        Err(RecordError::Codec(_)) => tally.count("refused by its content"),
        Err(_) => tally.count("refused unpacking"),
    }
}

/// What reading these bytes may hold.
fn held_max(bytes: &[u8]) -> usize {
    let (raw_len, is_columns) = match bytes.len() > HEAD_BYTES {
        true => {
            let loose = Loose::of(bytes);
            (loose.raw_len.min(FRAME_BYTES_MAX) as usize, loose.kind == 1 && loose.format > 1)
        }
        false => (0, true),
    };
    // A text or payload of the plain encoding gets its room before it is seen how much of it is there. The system
    // gives such room without memory behind it.
    let announced = if is_columns { 0 } else { VALUE_BYTES_MAX };
    HELD_MAX + announced + raw_len * HELD_PER_BYTE_MAX
}

fn try_record(logs: &[Golden], choices: &mut Choices<'_>, tally: &Tally) {
    tally.count("tried");
    let records = |choices: &mut Choices<'_>| {
        let log = choices.of(logs);
        // Block 0 is one of many, and unlike the others.
        let at = if choices.below(8) == 0 { 0 } else { choices.below(log.records.len()) };
        log.records[at].clone()
    };
    let kind = choices.below(16);
    let mut record = records(choices);
    let other = records(choices);
    let sound = Loose::of(&record);
    let bytes = match kind {
        0 => choices.rest().to_vec(),
        1 | 2 => {
            damage(&mut record, &other, choices);
            record
        }
        3 | 4 => {
            let mut body = sound.body.clone();
            damage(&mut body, &other[HEAD_BYTES..], choices);
            sound.with_body(body).sealed()
        }
        5 => {
            let mut loose = sound;
            match choices.below(6) {
                0 => loose.format = u16::from(choices.byte()),
                1 => loose.kind = choices.byte() % 3,
                2 => loose.height = *choices.of(&EXTREMES),
                3 => loose.raw_len = *choices.of(&EXTREMES),
                4 => loose.body_len = *choices.of(&EXTREMES),
                _ => loose.format = *choices.of(&FORMATS),
            }
            loose.sealed()
        }
        _ => {
            let mut raw = sound.raw();
            let other = Loose::of(&other).raw();
            damage(&mut raw, &other, choices);
            sound.with_raw(&raw).sealed()
        }
    };
    let ((), held) = most_held(|| read(&bytes, tally));
    let most = held_max(&bytes);
    assert!(held <= most, "{held} bytes, {most} would do");
}

#[test]
fn any_record_is_read_or_refused() {
    let logs = FORMATS.map(Golden::read);
    let tally = Tally::default();
    try_inputs!("any_record_is_read_or_refused", INPUTS, |choices| {
        try_record(&logs, choices, &tally)
    });
    tally.wants(&[("sound outside", 500), ("a block", 100), ("a genesis", 1)]);
}

/// Columns of zeros hold no bytes: what they announce is not believed beyond what a block can need.
#[test]
fn announced_columns_take_no_memory() {
    let log = Golden::read(4);
    let sound = Loose::of(&log.records[1]);
    let header = storage::codec::encode(&log.frames[0].header);
    // Shapes, names, bytes, then four columns of each width; each with a count and the planes it holds.
    let columns: [(&str, usize, u32); 4] = [
        ("shapes", 0, 1 << 20),
        ("shapes that are there", 0, 1 << 30),
        ("numbers of two bytes", 3, 1 << 30),
        ("numbers of sixteen bytes", 18, u32::MAX),
    ];
    for (what, column, count) in columns {
        let mut raw = header.clone();
        for at in 0..=18 {
            let count = if at == column { count } else { 0 };
            raw.extend(count.to_le_bytes());
            if count != 0 {
                let held = u16::from(what.ends_with("there"));
                raw.extend(held.to_le_bytes());
            }
        }
        // Behind them as many bytes as a body may have.
        raw.resize(64 << 20, 0);
        let record = sound.clone().with_raw(&raw).sealed();
        let read = || Record::read(&record).and_then(|record| record.frame(record.height));
        let (read, held) = most_held(read);
        assert!(matches!(read, Err(RecordError::Codec(_))), "{what}: {read:?}");
        assert!(held <= raw.len() + (1 << 20), "{what}: {held} bytes");
    }
}

/// Deep nesting in block 0, which is read by name, ends in an error and not at the end of the stack.
#[test]
fn a_deeply_nested_genesis_is_refused() {
    let log = Golden::read(4);
    let sound = Loose::of(&log.records[0]);
    let mut raw = storage::codec::encode(&("build", &log.header));
    // A map with one unknown field that holds arrays of one within each other.
    raw.extend(b"\x81\xa1x");
    raw.resize(1 << 20, 0x91);
    let record = sound.with_raw(&raw).sealed();
    let read = Record::read(&record).and_then(|record| record.genesis::<Begin>());
    assert!(matches!(read, Err(RecordError::Codec(_))), "{read:?}");
}
