//! Messages in a stream of bytes: four bytes of length, little-endian, then the message. There is room for what has
//! come, never for what is only announced.

use crate::run::wire::{MESSAGE_BYTES_MAX, WireError};
use tokio_util::bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio_util::codec::{Decoder, Encoder};

const HEAD_BYTES: usize = 4;
/// Most room that is made at a time for bytes that are still to come.
const ROOM_BYTES: usize = 1 << 16;

/// Cuts a stream into messages.
#[derive(Clone, Copy, Debug)]
pub struct Frames {
    bytes_max: usize,
}

impl Default for Frames {
    fn default() -> Self {
        Self { bytes_max: MESSAGE_BYTES_MAX }
    }
}

impl Frames {
    /// From now on longer messages are refused at their head.
    pub fn limit(&mut self, bytes_max: usize) {
        self.bytes_max = bytes_max.min(MESSAGE_BYTES_MAX);
    }
}

impl Decoder for Frames {
    type Item = Bytes;
    type Error = WireError;

    fn decode(&mut self, from: &mut BytesMut) -> Result<Option<Bytes>, WireError> {
        let Some((head, _)) = from.split_first_chunk::<HEAD_BYTES>() else { return Ok(None) };
        let length = u32::from_le_bytes(*head) as usize;
        if length > self.bytes_max {
            return Err(WireError::TooLong { bytes_max: self.bytes_max });
        }
        let missing = (HEAD_BYTES + length).saturating_sub(from.len());
        if missing > 0 {
            from.reserve(missing.min(ROOM_BYTES));
            return Ok(None);
        }
        from.advance(HEAD_BYTES);
        Ok(Some(from.split_to(length).freeze()))
    }
}

impl Encoder<Bytes> for Frames {
    type Error = WireError;

    fn encode(&mut self, message: Bytes, to: &mut BytesMut) -> Result<(), WireError> {
        let too_long = WireError::TooLong { bytes_max: MESSAGE_BYTES_MAX };
        if message.len() > MESSAGE_BYTES_MAX {
            return Err(too_long);
        }
        let length = u32::try_from(message.len()).map_err(|_| too_long)?;
        to.reserve(HEAD_BYTES + message.len());
        to.put_u32_le(length);
        to.put_slice(&message);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_as_they_went_in_however_they_are_cut() {
        let messages = [&b""[..], b"a", b"twelve bytes", &[7; 100_000]];
        let mut stream = BytesMut::new();
        for message in messages {
            Frames::default().encode(Bytes::copy_from_slice(message), &mut stream).expect("short");
        }
        for cut in [1, 3, 4, 5, 1_000, stream.len()] {
            let (mut frames, mut buffer, mut out) =
                (Frames::default(), BytesMut::new(), Vec::new());
            for part in stream.chunks(cut) {
                buffer.extend_from_slice(part);
                while let Some(message) = frames.decode(&mut buffer).expect("sound") {
                    out.push(message.to_vec());
                }
            }
            assert_eq!(out, messages, "cut into {cut}");
            assert!(buffer.is_empty());
        }
    }

    #[test]
    fn an_announced_length_takes_no_room_before_its_bytes_are_there() {
        let mut frames = Frames::default();
        let announced = u32::try_from(MESSAGE_BYTES_MAX).expect("below four gigabytes");
        let mut buffer = BytesMut::from(&announced.to_le_bytes()[..]);
        assert!(frames.decode(&mut buffer).expect("it may still come").is_none());
        assert!(buffer.capacity() <= 2 * ROOM_BYTES, "{} bytes", buffer.capacity());
    }

    #[test]
    fn a_length_beyond_the_limit_of_the_moment_is_refused() {
        let mut frames = Frames::default();
        frames.limit(4_096);
        for (length, refused) in [(4_096_u32, false), (4_097, true), (u32::MAX, true)] {
            let mut buffer = BytesMut::from(&length.to_le_bytes()[..]);
            let told = frames.decode(&mut buffer);
            assert_eq!(matches!(told, Err(WireError::TooLong { bytes_max: 4_096 })), refused);
        }
    }
}
