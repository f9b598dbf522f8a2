//! A map's hash as a tree of sixteens: entries stand in leaves by a few bits of their key, and a write costs its leaf
//! and the nodes above it, not the whole map.
//!
//! What belongs here: which hashes are kept and which are worked out anew. What does not: what a leaf holds.

use crate::canon::{Canon, Preimage};
use crate::units::Hash32;
use alloc::vec;
use alloc::vec::Vec;

/// Children of a node.
const FANOUT: usize = 16;

/// A kept hash: `None` is dirty, `Some(None)` holds nothing.
type Slot = Option<Option<Hash32>>;

/// Which tree it is: its domain, and levels of nodes above the leaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub domain: &'static str,
    pub depth: u32,
}

impl Shape {
    /// Leaves of the tree.
    pub const fn leaves(self) -> usize {
        FANOUT.pow(self.depth)
    }

    /// The leaf of a key that begins with these bytes.
    pub fn leaf(self, key: &[u8; 32]) -> usize {
        let front = u32::from_be_bytes([key[0], key[1], key[2], key[3]]);
        (front >> (32 - 4 * self.depth)) as usize
    }
}

/// Hashes of leaves and nodes, leaves first. Empty before it is first asked for its root.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    levels: Vec<Vec<Slot>>,
}

impl Tree {
    /// A leaf was written to.
    pub fn mark(&mut self, leaf: usize) {
        let mut at = leaf;
        for level in &mut self.levels {
            if level[at].is_none() {
                return;
            }
            level[at] = None;
            at /= FANOUT;
        }
    }

    /// Everything was written to.
    pub fn forget(&mut self) {
        self.levels.clear();
    }

    /// The hash of the whole; none if there are no entries. `occupied` names the leaves that hold something, and is
    /// asked when nothing is known; `write` appends what a leaf holds.
    pub fn root<I: Iterator<Item = usize>>(
        &mut self,
        shape: Shape,
        buffer: &mut Vec<u8>,
        occupied: impl FnOnce() -> I,
        mut write: impl FnMut(usize, &mut Vec<u8>),
    ) -> Option<Hash32> {
        if self.levels.is_empty() {
            self.levels = (0..=shape.depth)
                .map(|level| vec![Some(None); FANOUT.pow(shape.depth - level)])
                .collect();
            for leaf in occupied() {
                self.mark(leaf);
            }
        }
        self.node(shape, shape.depth as usize, 0, buffer, &mut write)
    }

    fn node(
        &mut self,
        shape: Shape,
        level: usize,
        at: usize,
        buffer: &mut Vec<u8>,
        write: &mut impl FnMut(usize, &mut Vec<u8>),
    ) -> Option<Hash32> {
        if let Some(known) = self.levels[level][at] {
            return known;
        }
        let hash = if level == 0 {
            let leaf = Preimage::new(shape.domain, buffer);
            write(at, leaf.bytes);
            (!leaf.is_empty()).then(|| leaf.hash())
        } else {
            let children: [Option<Hash32>; FANOUT] = core::array::from_fn(|child| {
                self.node(shape, level - 1, at * FANOUT + child, buffer, write)
            });
            let node = Preimage::new("tree node", buffer);
            for (child, hash) in (0_u8..).zip(children) {
                if let Some(hash) = hash {
                    child.canon(node.bytes);
                    hash.canon(node.bytes);
                }
            }
            (!node.is_empty()).then(|| node.hash())
        };
        self.levels[level][at] = Some(hash);
        hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { domain: "test", depth: 2 };

    fn root(tree: &mut Tree, entries: &[(usize, u8)]) -> (Option<Hash32>, usize) {
        let mut written = 0;
        let occupied = || entries.iter().map(|(leaf, _)| *leaf);
        let hash = tree.root(SHAPE, &mut Vec::new(), occupied, |leaf, out| {
            written += 1;
            out.extend(entries.iter().filter(|(at, _)| *at == leaf).map(|(_, value)| *value));
        });
        (hash, written)
    }

    #[test]
    fn a_write_costs_its_leaf_and_equal_entries_have_equal_roots() {
        let mut tree = Tree::default();
        assert_eq!(root(&mut tree, &[]), (None, 0));
        tree.mark(3);
        let (one, written) = root(&mut tree, &[(3, 7)]);
        assert_eq!((one.is_some(), written), (true, 1));
        tree.mark(255);
        let (two, written) = root(&mut tree, &[(3, 7), (255, 1)]);
        assert_eq!((one == two, written), (false, 1), "only what was marked is written again");
        assert_eq!(root(&mut Tree::default(), &[(3, 7), (255, 1)]), (two, 2), "from scratch");
        assert_ne!(root(&mut Tree::default(), &[(4, 7), (255, 1)]).0, two, "in another leaf");
        tree.mark(255);
        assert_eq!(root(&mut tree, &[(3, 7)]).0, one, "what is gone leaves no trace");
        tree.forget();
        assert_eq!(root(&mut tree, &[(3, 7)]), (one, 1));
    }

    #[test]
    fn keys_stand_in_leaves_by_their_first_bits() {
        let mut key = [0; 32];
        (key[0], key[1]) = (0xab, 0xcd);
        assert_eq!(SHAPE.leaf(&key), 0xab);
        assert_eq!(Shape { domain: "test", depth: 3 }.leaf(&key), 0xabc);
        assert_eq!(SHAPE.leaves(), 256);
    }
}
