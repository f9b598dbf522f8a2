//! The seats of a host as bytes: on their way into a checkpoint nobody looks inside.

use actors::host::{HostCheckpoint, Seated};
use serde::{Deserialize, Serialize};
use storage::codec::{CodecError, decode, encode};

/// Seats of one host, packed where the players are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackedSeats(#[serde(with = "serde_bytes")] Vec<u8>);

impl PackedSeats {
    /// Packs seats.
    pub fn of(seats: &HostCheckpoint) -> Self {
        Self(encode(seats))
    }

    fn unpack(&self) -> Result<Vec<Seated>, CodecError> {
        Ok(decode::<HostCheckpoint>(&self.0)?.seats)
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
    Ok(seats)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actors::machine::Identity;
    use actors::registry::BehaviourSettings;
    use protocol::dice::{Key, account_of, player_id};

    fn seated(index: u64) -> Seated {
        let identity = Identity {
            id: player_id("miners", index),
            group: "miners".to_owned(),
            index,
            coldkey: account_of("miners", index, Key::Cold, 0),
            hotkey: account_of("miners", index, Key::Hot, 0),
            netuid: None,
        };
        Seated::new(identity, BehaviourSettings::Quality(Default::default()).build())
    }

    #[test]
    fn seats_come_out_in_order_however_they_were_spread() {
        let mut all: Vec<Seated> = (0..7).map(seated).collect();
        let spread = [&all[..2], &[], &all[2..]];
        let parts: Vec<PackedSeats> = spread
            .iter()
            .map(|seats| PackedSeats::of(&HostCheckpoint { seats: seats.to_vec() }))
            .collect();
        all.sort_by_key(|seated| seated.identity().id);
        assert_eq!(unpacked(&parts), Ok(all));
        let sent: Vec<PackedSeats> = decode(&encode(&parts)).expect("they were encoded");
        assert_eq!(sent, parts);
    }

    #[test]
    fn what_is_no_seats_is_an_error() {
        for bytes in [vec![], vec![9, 9], vec![0xff; 64]] {
            assert!(unpacked(&[PackedSeats(bytes.clone())]).is_err(), "{bytes:?}");
        }
    }
}
