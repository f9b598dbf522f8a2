//! What of a block may be shown to whoever asks: everything but sealed payloads, of which only hash and length are
//! told. Listings of finished logs and followers of live runs see the same.

use protocol::call::Call;
use protocol::event::{Event, Sealed};
use protocol::frame::{CallRecord, Frame, Header, RefusedCount};
use protocol::payload::hash_of;
use protocol::units::Hash32;
use serde::{Deserialize, Serialize};

/// A block without sealed payloads and off-chain facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicFrame {
    /// Its header.
    pub header: Header,
    /// Its calls; those that seal something carry no payload.
    pub calls: Vec<CallRecord>,
    /// Further refused calls, counted.
    pub refused: Vec<RefusedCount>,
    /// Its public events.
    pub events: Vec<Event>,
    /// What was sealed in it.
    pub sealed: Vec<Seal>,
    /// What its calls wanted to seal, by the call's place.
    pub call_seals: Vec<(u32, Seal)>,
}

/// What may be told of a sealed payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// BLAKE2b-256 of the payload.
    pub hash: Hash32,
    /// Its length in bytes.
    pub bytes: u64,
}

impl Seal {
    fn of(payload: &[u8]) -> Self {
        Self { hash: hash_of(payload), bytes: payload.len() as u64 }
    }
}

impl PublicFrame {
    /// Takes the payloads out of a block.
    pub fn new(frame: Frame) -> Self {
        let Frame { header, mut calls, refused, events, sealed, .. } = frame;
        let sealed = sealed.iter().map(|Sealed::CommitPayload { commit, payload }| Seal {
            hash: *commit,
            bytes: payload.len() as u64,
        });
        let call_seals = (0..).zip(&mut calls).filter_map(|(place, record)| {
            let payload = std::mem::take(payload_of(&mut record.call)?);
            Some((place, Seal::of(&payload)))
        });
        let call_seals = call_seals.collect();
        Self { header, refused, events, sealed: sealed.collect(), call_seals, calls }
    }
}

/// The payload that a call wants to seal.
const fn payload_of(call: &mut Call) -> Option<&mut Vec<u8>> {
    match call {
        Call::CommitTimelockedWeights { commit, .. }
        | Call::CommitTimelockedMechanismWeights { commit, .. }
        | Call::CommitCrv3MechanismWeights { commit, .. } => Some(commit),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::call::Origin;
    use protocol::frame::Facts;
    use protocol::rejection::Outcome;
    use protocol::units::{AccountId, Height, NetUid, PlayerId};

    #[test]
    fn no_payload_is_left() {
        let payload = vec![0xab; 40];
        let call = Call::CommitTimelockedWeights {
            netuid: NetUid(1),
            commit: payload.clone(),
            reveal_round: 7,
            commit_reveal_version: 4,
        };
        let record = |call| CallRecord {
            player: PlayerId(1),
            sequence: 0,
            due_ms: 0,
            origin: Origin::Signed(AccountId([1; 32])),
            nonce: 0,
            call,
            outcome: Outcome::Ok,
        };
        let header = Header {
            height: Height(1),
            parent: Hash32::default(),
            time_ms: 0,
            entropy: Hash32::default(),
            state_root: Hash32::default(),
            calls_root: Hash32::default(),
            events_root: Hash32::default(),
            facts_root: Hash32::default(),
        };
        let commit = hash_of(&payload);
        let public = PublicFrame::new(Frame {
            header,
            calls: vec![record(Call::DisputeColdkeySwap), record(call)],
            refused: Vec::new(),
            events: Vec::new(),
            sealed: vec![Sealed::CommitPayload { commit, payload: payload.clone() }],
            facts: Facts::default(),
        });
        let seal = Seal { hash: commit, bytes: 40 };
        assert_eq!((&public.sealed[..], &public.call_seals[..]), (&[seal][..], &[(1, seal)][..]));
        let bytes = storage::codec::encode(&public);
        assert!(!bytes.windows(8).any(|window| window == &payload[..8]));
    }
}
