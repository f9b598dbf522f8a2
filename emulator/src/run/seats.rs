//! The seats of a host as bytes: on their way into a checkpoint nobody looks inside.

use actors::host::Seated;
use actors::shell::{Look, ShellError, ShellHost};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, PoisonError};
use storage::codec::{CodecError, decode_front, encode_into};

/// Seats of one host, packed where the players are: one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackedSeats(#[serde(with = "serde_bytes")] Vec<u8>);

impl PackedSeats {
    /// Packs the seats of a host.
    ///
    /// # Errors
    /// An actor is gone.
    pub async fn of(host: &ShellHost) -> Result<Self, ShellError> {
        let packed = Arc::new(Mutex::new(Self::default()));
        let look: Look = {
            let packed = Arc::clone(&packed);
            Arc::new(Mutex::new(move |seated: &Seated| {
                packed.lock().unwrap_or_else(PoisonError::into_inner).add(seated);
            }))
        };
        host.show(&look).await?;
        let mut packed = packed.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(std::mem::take(&mut *packed))
    }

    fn add(&mut self, seated: &Seated) {
        encode_into(seated, &mut self.0).expect("memory takes every byte");
    }

    fn unpack(&self) -> Result<Vec<Seated>, CodecError> {
        let (mut seats, mut rest) = (Vec::new(), self.0.as_slice());
        while !rest.is_empty() {
            let (seated, used) = decode_front(rest)?;
            seats.push(seated);
            rest = &rest[used..];
        }
        Ok(seats)
    }
}

impl<'a> FromIterator<&'a Seated> for PackedSeats {
    fn from_iter<I: IntoIterator<Item = &'a Seated>>(seats: I) -> Self {
        let mut packed = Self::default();
        seats.into_iter().for_each(|seated| packed.add(seated));
        packed
    }
}

/// The seats of all hosts, ascending by player.
///
/// # Errors
/// The bytes are none, or those of another build.
pub fn unpacked(parts: &[PackedSeats]) -> Result<Vec<Seated>, CodecError> {
    let mut seats = Vec::new();
    for part in parts {
        seats.extend(part.unpack()?);
    }
    seats.sort_by_key(|seated| seated.identity().id);
    #[cfg(feature = "planted")]
    if crate::planted::active(crate::planted::Bug::MissingPlayer) {
        seats.pop();
    }
    Ok(seats)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actors::machine::Identity;
    use actors::registry::BehaviourSettings;

    fn seated(index: u64) -> Seated {
        Seated::new(
            Identity::new("miners", index, None),
            BehaviourSettings::Quality(Default::default()).build(),
        )
    }

    #[test]
    fn seats_come_out_in_order_however_they_were_spread() {
        let mut all: Vec<Seated> = (0..7).map(seated).collect();
        let spread = [&all[..2], &[], &all[2..]];
        let parts: Vec<PackedSeats> = spread.iter().map(|seats| seats.iter().collect()).collect();
        all.sort_by_key(|seated| seated.identity().id);
        assert_eq!(unpacked(&parts), Ok(all));
        let sent: Vec<PackedSeats> =
            storage::codec::decode(&storage::codec::encode(&parts)).expect("they were encoded");
        assert_eq!(sent, parts);
    }

    #[test]
    fn what_is_no_seats_is_an_error() {
        for bytes in [vec![9, 9], vec![0xff; 64]] {
            assert!(unpacked(&[PackedSeats(bytes.clone())]).is_err(), "{bytes:?}");
        }
    }
}
