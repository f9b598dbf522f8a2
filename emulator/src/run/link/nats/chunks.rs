//! Messages cut into numbered chunks, and put together again. Pure: what the server does to them is somebody else's.

use super::broken;
use crate::run::wire_error::WireError;
use tokio_util::bytes::{BufMut, Bytes, BytesMut};

/// Kind, number, chunks taken of the other direction.
pub const HEAD_BYTES: usize = 1 + 8 + 8;

/// What comes over a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A part of a message that goes on.
    More = 0,
    /// The last part of a message.
    Last = 1,
    /// Nothing but a sign of life, and what was taken.
    Beat = 2,
    /// The end.
    Close = 3,
}

/// What stands before each chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// What it is.
    pub kind: Kind,
    /// Chunks of this direction so far, this one too if it is one.
    pub number: u64,
    /// Chunks of the other direction that take no room at the sender of this any more.
    pub taken: u64,
}

impl Head {
    /// Head and chunk as bytes.
    pub fn framed(self, chunk: &[u8]) -> Bytes {
        let mut frame = BytesMut::with_capacity(HEAD_BYTES + chunk.len());
        frame.put_u8(self.kind as u8);
        frame.put_u64_le(self.number);
        frame.put_u64_le(self.taken);
        frame.put_slice(chunk);
        frame.freeze()
    }

    /// Head and chunk from bytes, if they are such.
    pub fn read(frame: &[u8]) -> Option<(Self, &[u8])> {
        let (kind, rest) = frame.split_first()?;
        let (number, rest) = rest.split_first_chunk::<8>()?;
        let (taken, chunk) = rest.split_first_chunk::<8>()?;
        let kind = match kind {
            0 => Kind::More,
            1 => Kind::Last,
            2 => Kind::Beat,
            3 => Kind::Close,
            _ => return None,
        };
        let (number, taken) = (u64::from_le_bytes(*number), u64::from_le_bytes(*taken));
        Some((Self { kind, number, taken }, chunk))
    }
}

/// What has come of one direction.
#[derive(Debug, Default)]
pub struct Inbound {
    /// Chunks so far.
    pub received: u64,
    assembling: BytesMut,
}

impl Inbound {
    /// Takes what came; gives a message that is whole now.
    ///
    /// # Errors
    /// It is not the next one, it is the end, or the message is too long.
    pub fn take(
        &mut self,
        head: Head,
        chunk: &[u8],
        bytes_max: usize,
    ) -> Result<Option<Bytes>, WireError> {
        let is_chunk = matches!(head.kind, Kind::More | Kind::Last);
        let expected = self.received + u64::from(is_chunk);
        if head.number != expected {
            return Err(broken(format!("number {} came where {expected} was due", head.number)));
        }
        match head.kind {
            Kind::Beat => return Ok(None),
            Kind::Close => return Err(WireError::Closed),
            Kind::More | Kind::Last => self.received = head.number,
        }
        if self.assembling.len() + chunk.len() > bytes_max {
            return Err(WireError::TooLong { bytes_max });
        }
        self.assembling.extend_from_slice(chunk);
        let is_whole = head.kind == Kind::Last;
        Ok(is_whole.then(|| std::mem::take(&mut self.assembling).freeze()))
    }
}

/// A message on its way out.
#[derive(Debug, Default)]
pub struct Outbound {
    /// Chunks so far.
    pub sent: u64,
    rest: Option<Bytes>,
}

impl Outbound {
    /// Begins with a message.
    pub fn begin(&mut self, message: Bytes) {
        self.rest = Some(message);
    }

    /// Whether a message is on its way.
    pub const fn is_busy(&self) -> bool {
        self.rest.is_some()
    }

    /// The next chunk, of so many bytes at most.
    pub fn next(&mut self, bytes_max: usize) -> Option<(Kind, Bytes)> {
        let mut rest = self.rest.take()?;
        let chunk = rest.split_to(rest.len().min(bytes_max));
        self.sent += 1;
        if rest.is_empty() {
            return Some((Kind::Last, chunk));
        }
        self.rest = Some(rest);
        Some((Kind::More, chunk))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES_MAX: usize = 1_000;

    /// Messages as they go over a subject.
    fn frames(messages: &[&[u8]], chunk_bytes_max: usize) -> Vec<Bytes> {
        let (mut outbound, mut frames) = (Outbound::default(), Vec::new());
        for message in messages {
            outbound.begin(Bytes::copy_from_slice(message));
            while let Some((kind, chunk)) = outbound.next(chunk_bytes_max) {
                frames.push(Head { kind, number: outbound.sent, taken: 0 }.framed(&chunk));
            }
        }
        frames
    }

    fn taken(frames: &[Bytes]) -> Result<Vec<Bytes>, WireError> {
        let (mut inbound, mut messages) = (Inbound::default(), Vec::new());
        for frame in frames {
            let (head, chunk) = Head::read(frame).ok_or_else(|| broken("illegible"))?;
            messages.extend(inbound.take(head, chunk, BYTES_MAX)?);
        }
        Ok(messages)
    }

    #[test]
    fn messages_come_out_as_they_went_in_however_they_are_cut() {
        let messages = [&b""[..], b"a", b"twelve bytes", &[7; 999]];
        for chunk_bytes_max in [1, 2, 6, 12, 500, 5_000] {
            let whole = taken(&frames(&messages, chunk_bytes_max)).expect("all came");
            assert_eq!(whole, messages, "cut into {chunk_bytes_max}");
        }
    }

    #[test]
    fn what_is_lost_repeated_or_out_of_order_is_seen_at_the_next_chunk() {
        let frames = frames(&[b"one message", b"another", b"the last"], 3);
        for at in 0..frames.len() - 1 {
            let mut lost = frames.clone();
            lost.remove(at);
            let mut repeated = frames.clone();
            repeated.insert(at, frames[at].clone());
            let mut swapped = frames.clone();
            swapped.swap(at, at + 1);
            for wrong in [lost, repeated, swapped] {
                let told = taken(&wrong).expect_err("it is not what was sent").to_string();
                assert!(told.contains(" was due"), "{told}");
            }
        }
        // The last chunk of all is missed by the next beat.
        let mut lost = frames.clone();
        lost.pop();
        lost.push(Head { kind: Kind::Beat, number: frames.len() as u64, taken: 0 }.framed(b""));
        assert!(taken(&lost).is_err());
    }

    #[test]
    fn a_message_longer_than_allowed_is_refused_before_it_is_whole() {
        let mut inbound = Inbound::default();
        let mut room = 0;
        for number in 1.. {
            let head = Head { kind: Kind::More, number, taken: 0 };
            match inbound.take(head, &[0; 300], BYTES_MAX) {
                Ok(message) => assert_eq!(message, None),
                Err(WireError::TooLong { bytes_max: BYTES_MAX }) => break,
                Err(other) => panic!("{other}"),
            }
            room += 300;
        }
        assert_eq!(room, 900);
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        let head = Head { kind: Kind::Close, number: 0, taken: 9 };
        let whole = head.framed(b"");
        assert_eq!(Head::read(&whole), Some((head, &b""[..])));
        for length in 0..whole.len() {
            assert_eq!(Head::read(&whole[..length]), None);
        }
        let mut foreign = whole.to_vec();
        foreign[0] = 4;
        assert_eq!(Head::read(&foreign), None);
        let closed = Inbound::default().take(head, b"", BYTES_MAX);
        assert!(matches!(closed, Err(WireError::Closed)));
    }
}
