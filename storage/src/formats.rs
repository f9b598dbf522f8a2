//! How a block is written, by the number of its format, and how each older one is still read.
//!
//! A new format is a new number, an arm in `read` for the one before, and a golden log of it that is kept
//! (`tests/golden/log/`): whatever was ever written with a number must replay forever. Variants are appended to the
//! enums of calls and events and need no new format; everything else that moves a byte of `codec.golden` does.

use crate::codec::{self, CodecError};
use crate::columns;
use protocol::event::{Event, Sealed};
use protocol::frame::{CallRecord, Facts, Frame, Header, RefusedCount};

/// The format that this build writes.
pub const FORMAT: u16 = 4;
/// The oldest format that this build reads.
pub const FORMAT_OLDEST: u16 = 1;

/// Everything of a block but its header.
type Body = (Vec<CallRecord>, Vec<RefusedCount>, Vec<Event>, Vec<Sealed>, Facts);

/// A block in the newest format, behind whatever is there: its header plainly, so that it can be had alone, the rest
/// as columns.
pub fn write(frame: &Frame, bytes: &mut Vec<u8>) {
    let Frame { header, calls, refused, events, sealed, facts } = frame;
    codec::encode_into(header, bytes).expect("memory takes every byte");
    columns::append(bytes, &(calls, refused, events, sealed, facts));
}

/// A block from its bytes in any format that this build reads.
///
/// # Errors
/// The bytes are no block of that format.
pub fn read(format: u16, bytes: &[u8]) -> Result<Frame, CodecError> {
    match format {
        1 => codec::decode(bytes),
        // From 2 on only the kind of state root differs, which `fold` tells by itself.
        _ => {
            let (header, used) = codec::decode_front::<Header>(bytes)?;
            let (calls, refused, events, sealed, facts) = columns::decode::<Body>(&bytes[used..])?;
            Ok(Frame { header, calls, refused, events, sealed, facts })
        }
    }
}
