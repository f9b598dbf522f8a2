//! What every state has by its making and a stored one need not have: columns that fit each other.
//!
//! What belongs here: what `apply` takes for granted. What does not: rules, and sums that must hold (`invariants`).

use super::{Neurons, State, Subnet};

impl State {
    /// What does not fit in a state that was read, if anything: such a state is of no use to `apply`.
    pub fn misfit(&self) -> Option<&'static str> {
        self.subnets.values().find_map(subnet_misfit)
    }
}

fn subnet_misfit(subnet: &Subnet) -> Option<&'static str> {
    let count = subnet.neurons.len();
    if count > usize::from(u16::MAX) {
        return Some("a subnet has more neurons than uids");
    }
    if !columns_fit(&subnet.neurons) {
        return Some("columns of neurons differ in length");
    }
    if !subnet.neurons.uids_fit() {
        return Some("uids and hotkeys differ");
    }
    if subnet.mechanisms.len() > usize::from(u8::MAX) {
        return Some("a subnet has more mechanisms than can be");
    }
    let is_longer = subnet.mechanisms.iter().any(|mechanism| {
        let longest = mechanism.incentive.len().max(mechanism.last_update.len());
        longest.max(mechanism.weights.len()).max(mechanism.bonds.len()) > count
    });
    is_longer.then_some("a mechanism has more rows than there are neurons")
}

impl Neurons {
    /// Lengths of the columns that are as long as there are neurons, hotkeys apart.
    pub(crate) fn column_lengths(&self) -> [usize; 7] {
        [
            self.registered_at.len(),
            self.active.len(),
            self.emission.len(),
            self.consensus.len(),
            self.dividends.len(),
            self.validator_trust.len(),
            self.validator_permit.len(),
        ]
    }

    /// Whether each hotkey has the uid under which it stands, and no other has one.
    pub(crate) fn uids_fit(&self) -> bool {
        let mut hotkeys = (0..=u16::MAX).zip(&self.hotkeys);
        self.uids.len() == self.len() && hotkeys.all(|(uid, key)| self.uid(key) == Some(uid))
    }
}

fn columns_fit(neurons: &Neurons) -> bool {
    let count = neurons.len();
    let mut lengths = neurons.column_lengths().into_iter();
    lengths.all(|length| length == count) && neurons.stake_weight.len() <= count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Mechanism;
    use crate::units::{AccountId, NetUid};
    use alloc::vec;

    #[test]
    fn each_part_that_does_not_fit_is_named() {
        type Change = fn(&mut Subnet);
        let changes: [(Change, Option<&str>); 8] = [
            (|_| {}, None),
            (|subnet| subnet.neurons.stake_weight = vec![], None),
            (
                |subnet| subnet.neurons.active.push(true),
                Some("columns of neurons differ in length"),
            ),
            (
                |subnet| subnet.neurons.stake_weight = vec![1; 3],
                Some("columns of neurons differ in length"),
            ),
            (|subnet| subnet.neurons.uids.clear(), Some("uids and hotkeys differ")),
            (|subnet| subnet.neurons.hotkeys.swap(0, 1), Some("uids and hotkeys differ")),
            (
                |subnet| subnet.mechanisms = vec![Mechanism::default(); 256],
                Some("a subnet has more mechanisms than can be"),
            ),
            (
                |subnet| subnet.mechanisms[0].bonds = vec![vec![]; 3],
                Some("a mechanism has more rows than there are neurons"),
            ),
        ];
        let hotkeys = [AccountId([1; 32]), AccountId([2; 32])];
        let neurons = Neurons {
            hotkeys: hotkeys.to_vec(),
            registered_at: vec![0; 2],
            active: vec![true; 2],
            emission: vec![Default::default(); 2],
            consensus: vec![0; 2],
            dividends: vec![0; 2],
            validator_trust: vec![0; 2],
            validator_permit: vec![true; 2],
            stake_weight: vec![0; 2],
            uids: hotkeys.into_iter().zip(0..).collect(),
        };
        for (change, what) in changes {
            let mechanisms = vec![Mechanism::default()];
            let mut subnet = Subnet { neurons: neurons.clone(), mechanisms, ..Subnet::default() };
            change(&mut subnet);
            let mut state = State::default();
            state.subnets.insert(NetUid(1), subnet);
            assert_eq!(state.misfit(), what);
        }
    }
}
