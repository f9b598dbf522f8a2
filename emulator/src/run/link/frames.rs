//! Messages in a stream of bytes: a head of twelve bytes, then the message. The head is the message's length, its
//! number in its direction, from 0, and the CRC-32 of number and message, each four bytes, little-endian. There is room for what has come, never for what is only announced.
//!
//! Whatever carries the bytes, a message is read once, whole, and in its turn: one that comes again is dropped, and one
//! that is damaged, missing or too early ends the connection.

use crate::run::wire_error::{MESSAGE_BYTES_MAX, WireError};
use tokio_util::bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio_util::codec::{Decoder, Encoder};

/// Length of a message's head.
pub const HEAD_BYTES: usize = 12;
const WORD_BYTES: usize = 4;
/// Most room that is made at a time for bytes that are still to come.
const ROOM_BYTES: usize = 1 << 16;

/// Cuts a stream into messages.
#[derive(Clone, Copy, Debug)]
pub struct Frames {
    bytes_max: usize,
    /// The number of the next message that comes.
    next_in: u32,
    /// The number of the next message that goes.
    next_out: u32,
}

impl Default for Frames {
    fn default() -> Self {
        Self { bytes_max: MESSAGE_BYTES_MAX, next_in: 0, next_out: 0 }
    }
}

impl Frames {
    /// From now on longer messages are refused at their head.
    pub fn limit(&mut self, bytes_max: usize) {
        self.bytes_max = bytes_max.min(MESSAGE_BYTES_MAX);
    }
}

/// What tells that a message is whole and has its number. It finds what a broken line does; against strangers there is
/// the token.
fn checksum(number: u32, message: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&number.to_le_bytes());
    hasher.update(message);
    hasher.finalize()
}

/// The head of a message that has a number.
fn head(number: u32, length: u32, message: &[u8]) -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    let words = [length, number, checksum(number, message)];
    for (to, word) in head.chunks_exact_mut(WORD_BYTES).zip(words) {
        to.copy_from_slice(&word.to_le_bytes());
    }
    head
}

/// A message behind its head, which may lie about the length.
#[cfg(test)]
pub fn framed(number: u32, length: u32, message: &[u8]) -> Vec<u8> {
    [&head(number, length, message)[..], message].concat()
}

impl Decoder for Frames {
    type Item = Bytes;
    type Error = WireError;

    fn decode(&mut self, from: &mut BytesMut) -> Result<Option<Bytes>, WireError> {
        loop {
            let Some((head, _)) = from.split_first_chunk::<HEAD_BYTES>() else { return Ok(None) };
            let word = |at: usize| {
                let bytes = &head[at * WORD_BYTES..(at + 1) * WORD_BYTES];
                u32::from_le_bytes(bytes.try_into().expect("four bytes"))
            };
            let (length, number, stated) = (word(0) as usize, word(1), word(2));
            if length > self.bytes_max {
                return Err(WireError::TooLong { bytes_max: self.bytes_max });
            }
            let missing = (HEAD_BYTES + length).saturating_sub(from.len());
            if missing > 0 {
                from.reserve(missing.min(ROOM_BYTES));
                return Ok(None);
            }
            from.advance(HEAD_BYTES);
            let message = from.split_to(length).freeze();
            if checksum(number, &message) != stated {
                return Err(WireError::Damaged);
            }
            // Numbers go round; one that is not ahead was here before.
            match number.wrapping_sub(self.next_in) {
                0 => {
                    self.next_in = self.next_in.wrapping_add(1);
                    return Ok(Some(message));
                }
                ahead if ahead < u32::MAX / 2 => {
                    return Err(WireError::Missed { expected: self.next_in, found: number });
                }
                _ => tracing::info!(number, "a message came again and was dropped"),
            }
        }
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
        let number = self.next_out;
        self.next_out = number.wrapping_add(1);
        to.reserve(HEAD_BYTES + message.len());
        to.put_slice(&head(number, length, &message));
        to.put_slice(&message);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(messages: &[&[u8]]) -> BytesMut {
        let (mut frames, mut stream) = (Frames::default(), BytesMut::new());
        for message in messages {
            frames.encode(Bytes::copy_from_slice(message), &mut stream).expect("short");
        }
        stream
    }

    /// What comes out, up to the first error.
    fn read(stream: &[u8]) -> (Vec<Bytes>, Option<WireError>) {
        let (mut frames, mut buffer) = (Frames::default(), BytesMut::from(stream));
        let mut out = Vec::new();
        loop {
            match frames.decode(&mut buffer) {
                Ok(Some(message)) => out.push(message),
                Ok(None) => return (out, None),
                Err(error) => return (out, Some(error)),
            }
        }
    }

    #[test]
    fn a_message_is_read_once_whole_and_in_its_turn() {
        let (first, second, third) = (&b"one"[..], &b"two"[..], &b"three"[..]);
        let whole = stream(&[first, second, third]);
        let cut = |at: usize, length: usize| whole[at..at + HEAD_BYTES + length].to_vec();
        let one = cut(0, 3);
        let two = cut(one.len(), 3);
        let three = cut(one.len() + two.len(), 5);
        let rows = [
            (vec![&one, &two, &three], 3, true),
            (vec![&one, &one, &two, &two, &one, &three], 3, true),
            (vec![&one, &three, &two], 1, false),
            (vec![&two], 0, false),
        ];
        for (parts, count, sound) in rows {
            let bytes: Vec<u8> = parts.into_iter().flatten().copied().collect();
            let (out, error) = read(&bytes);
            assert_eq!((out.len(), error.is_none()), (count, sound), "{error:?}");
            assert!(out.iter().zip([first, second, third]).all(|(out, was)| out == was));
        }
        for at in 0..two.len() {
            let mut garbled = two.clone();
            garbled[at] ^= 0x10;
            let (out, _) = read(&[&one[..], &garbled, &three].concat());
            assert_eq!(out, [first], "byte {at}");
        }
    }

    #[test]
    fn messages_come_out_as_they_went_in_however_they_are_cut() {
        let messages = [&b""[..], b"a", b"twelve bytes", &[7; 100_000]];
        let stream = stream(&messages);
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
        let mut buffer = BytesMut::from(&head(0, announced, b"")[..]);
        assert!(frames.decode(&mut buffer).expect("it may still come").is_none());
        assert!(buffer.capacity() <= 2 * ROOM_BYTES, "{} bytes", buffer.capacity());
    }

    #[test]
    fn a_length_beyond_the_limit_of_the_moment_is_refused() {
        let mut frames = Frames::default();
        frames.limit(4_096);
        for (length, refused) in [(4_096_u32, false), (4_097, true), (u32::MAX, true)] {
            let mut buffer = BytesMut::from(&head(0, length, b"")[..]);
            let told = frames.decode(&mut buffer);
            assert_eq!(matches!(told, Err(WireError::TooLong { bytes_max: 4_096 })), refused);
        }
    }
}
