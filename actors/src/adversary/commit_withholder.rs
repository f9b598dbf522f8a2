//! `commit-withholder`: commits each tempo and reveals never, or only what agrees better with the consensus than its old row.
//!
//! What it commits to is a sampler's row.

use super::{act_through, settings, unrevised};
use crate::commitment::CommitKind;
use crate::machine::{Context, Input, Machine, Output};
use crate::registry::InvalidSetting;
use crate::validator::{Sampler, SamplerSettings};
use protocol::call::Call;
use protocol::state::Subnet;
use serde::{Deserialize, Serialize};

/// When a withholder reveals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reveals {
    /// Never.
    #[default]
    Never,
    /// When the row would be trusted more than the one that stands.
    WhenItPays,
}

settings! {
    /// Settings of `commit-withholder`.
    CommitWithholderSettings {
        /// How it asks, scores and commits. What is sealed the chain opens: only hashes can be withheld.
        sampling: SamplerSettings =
            SamplerSettings { commit: CommitKind::Hash, ..Default::default() },
        /// When it reveals.
        reveals: Reveals = Reveals::Never,
    }
}

impl CommitWithholderSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        self.sampling.check()
    }
}

/// A validator that withholds what it committed to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitWithholder {
    settings: CommitWithholderSettings,
    sampler: Sampler,
}

impl CommitWithholder {
    /// A validator that has not started.
    pub fn new(settings: CommitWithholderSettings) -> Self {
        let sampler = Sampler::new(settings.sampling.clone());
        Self { settings, sampler }
    }
}

/// The part of a row that lies within a consensus, of 10⁶ and rounded down: what trust in it would be.
fn agreement(row: &[(u16, u16)], consensus: &[u16]) -> u64 {
    let sum = row.iter().map(|(_, weight)| u64::from(*weight)).sum::<u64>().max(1);
    let whole = consensus.iter().map(|part| u64::from(*part)).sum::<u64>().max(1);
    let of = |uid: &u16| u64::from(consensus.get(usize::from(*uid)).copied().unwrap_or(0));
    let within = |(uid, weight): &(u16, u16)| {
        (u64::from(*weight) * 1_000_000 / sum).min(of(uid) * 1_000_000 / whole)
    };
    row.iter().map(within).sum()
}

/// Whether a row is worth revealing.
fn pays(uids: &[u16], values: &[u16], subnet: &Subnet, context: &Context<'_>) -> bool {
    let consensus = &subnet.neurons.consensus;
    let committed: Vec<(u16, u16)> = uids.iter().copied().zip(values.iter().copied()).collect();
    let uid = subnet.neurons.uid(&context.me.hotkey).map(usize::from);
    let rows = subnet.mechanism(0).map(|mechanism| &mechanism.weights);
    let standing = uid.and_then(|uid| rows?.get(uid)).map_or(&[][..], Vec::as_slice);
    agreement(&committed, consensus) > agreement(standing, consensus)
}

/// Whether the withholder says this.
fn says(reveals: Reveals, said: &Output, context: &Context<'_>) -> bool {
    let Output::Submit { call: Call::RevealWeights { netuid, uids, values, .. }, .. } = said else {
        return true;
    };
    let subnet = context.view.state().subnet(*netuid);
    match reveals {
        Reveals::Never => false,
        Reveals::WhenItPays => subnet.is_some_and(|subnet| pays(uids, values, subnet, context)),
    }
}

impl Machine for CommitWithholder {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        let from = context.outputs.len();
        act_through(&mut self.sampler, input, context, &mut unrevised, |_| true);
        let said = context.outputs.split_off(from);
        for output in said {
            if says(self.settings.reveals, &output, context) {
                context.outputs.push(output);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adversary::arena::{EPOCH, arena, calls, hashed, row, seal};
    use crate::registry::BehaviourSettings;
    use protocol::units::NetUid;

    fn withholder(reveals: Reveals) -> BehaviourSettings {
        let settings = CommitWithholderSettings { reveals, ..Default::default() };
        BehaviourSettings::CommitWithholder(settings)
    }

    #[test]
    fn it_commits_without_revealing_and_looks_fresh() {
        let mut stage = arena(&[withholder(Reveals::Never), hashed()], seal);
        stage.play(8 * EPOCH);
        let committed = calls(&stage, 0, "commit_weights");
        assert!(committed >= 6 && calls(&stage, 1, "commit_weights") >= 6);
        assert_eq!(calls(&stage, 0, "reveal_weights"), 0);
        assert!(calls(&stage, 1, "reveal_weights") >= 5, "the honest one opens what it commits");
        assert_eq!(row(&stage, 0), [], "nothing of it was ever seen");
        let updated = stage.state.subnets[&NetUid(1)].mechanisms[0].last_update[0];
        assert!(stage.state.height.0 - updated < 2 * EPOCH, "and yet it looks fresh");
        assert_eq!(stage.refusals(), [""; 0]);
    }

    #[test]
    fn it_reveals_what_agrees_better_and_keeps_the_rest() {
        let mut stage = arena(&[withholder(Reveals::WhenItPays), hashed()], seal);
        stage.play(10 * EPOCH);
        let committed = calls(&stage, 0, "commit_weights");
        let revealed = calls(&stage, 0, "reveal_weights");
        assert!(revealed >= 1 && revealed + 3 < committed, "{revealed} of {committed}");
        assert!(!row(&stage, 0).is_empty());
        let rows = [(&[(1, 9), (2, 1)][..], 1_000_000), (&[(2, 5)], 100_000), (&[], 0)];
        for (row, expected) in rows {
            assert_eq!(agreement(row, &[0, 9_000, 1_000]), expected, "{row:?}");
        }
    }
}
