//! The state root as logs of format 3 have it: a sum of hashes of entries that are not padded, always computed from
//! scratch.
//!
//! What belongs here: what those roots cover, for good. Nothing new is hashed this way.

use super::entries::Entry;
use super::sum::{Part, Sum};
use super::{canon_bonds, canon_entries, rows_of, says_anything, write_row};
use crate::canon::{Canon, sized};
use crate::state::{State, Subnet};
use crate::units::{Hash32, NetUid};
use alloc::vec::Vec;

/// What hashes of entries are keyed with.
const KEY: &[u8; 32] = b"btemu state root 3: entry of map";

/// A sum being made.
#[derive(Default)]
struct Singles {
    sum: Sum,
    buffer: Vec<u8>,
}

impl Singles {
    fn add(&mut self, part: Part, write: impl FnOnce(&mut Vec<u8>)) {
        self.buffer.clear();
        self.buffer.push(part as u8);
        write(&mut self.buffer);
        self.sum.add(Sum::of(blake3::keyed_hash(KEY, &self.buffer).as_bytes()));
    }

    fn add_all<'a, K: 'a, V: Entry<K> + 'a>(
        &mut self,
        map: impl IntoIterator<Item = (&'a K, &'a V)>,
    ) {
        map.into_iter().for_each(|(key, value)| self.add(V::PART, |out| value.write(key, out)));
    }

    /// A part of a subnet that is hashed as a whole; nothing while it is empty.
    fn add_part(&mut self, id: NetUid, part: Part, write: impl FnOnce(&mut Vec<u8>)) {
        let mut says = Vec::new();
        write(&mut says);
        if !says.is_empty() {
            self.add(part, |out| {
                id.canon(out);
                out.extend(says);
            });
        }
    }

    fn add_subnet(&mut self, id: NetUid, subnet: &Subnet) {
        self.add_part(id, Part::Added, |out| out.extend(subnet.added.then_some(1)));
        self.add_part(id, Part::Params, |out| subnet.params.canon(out));
        self.add_part(id, Part::Info, |out| subnet.info.canon(out));
        self.add_part(id, Part::Neurons, |out| subnet.neurons.canon(out));
        self.add_part(id, Part::Bonds, |out| canon_bonds(&subnet.mechanisms, out));
        self.add_part(id, Part::Dividends, |out| canon_entries(&subnet.last_dividends, out));
        self.add_part(id, Part::Axons, |out| canon_entries(&subnet.axons, out));
        self.add_part(id, Part::Links, |out| canon_entries(&subnet.links, out));
        self.add_part(id, Part::PendingChildren, |out| {
            canon_entries(&subnet.pending_children, out);
        });
        self.add_part(id, Part::Stamps, |out| canon_entries(&subnet.stamps, out));
        self.add_part(id, Part::Commits, |out| canon_entries(&subnet.commits, out));
        for (index, mechanism) in (0..=u8::MAX).zip(&subnet.mechanisms) {
            for uid in (0..=u16::MAX).take(rows_of(mechanism)) {
                if says_anything(mechanism, uid) {
                    self.add(Part::Row, |out| write_row(id, mechanism, (index, uid), out));
                }
            }
        }
        for (hotkey, pool) in &subnet.pools {
            self.add_all([(&(id, *hotkey), pool)]);
            for (coldkey, share) in &pool.holders {
                self.add_all([(&(id, *hotkey, *coldkey), share)]);
            }
        }
        for (key, queue) in &subnet.timelocked {
            self.add(Part::Sealed, |out| {
                id.canon(out);
                key.canon(out);
                for commit in queue {
                    sized(out, |out| commit.canon(out));
                }
            });
        }
    }
}

impl State {
    /// The state root of logs of format 3, computed from scratch.
    pub(super) fn root_by_singles(&self) -> Hash32 {
        let mut singles = Singles::default();
        singles.add_all(&self.accounts);
        singles.add_all(&self.hotkeys);
        singles.add_all(&self.coldkeys);
        singles.add_all(&self.root_claimed);
        self.subnets.iter().for_each(|(id, subnet)| singles.add_subnet(*id, subnet));
        self.root_over("btemu state root 3", singles.sum, &mut Vec::new())
    }
}
