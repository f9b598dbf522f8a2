//! `bad-revealer`: reveals what it committed to with another salt, before its epoch, after it, or twice.

use super::{TAG_OWN, act_through, settings, unrevised};
use crate::calendar::{block_ms, next_tick};
use crate::commitment::CommitKind;
use crate::machine::{Context, Input, Machine, Output};
use crate::registry::InvalidSetting;
use crate::validator::{Sampler, SamplerSettings};
use protocol::call::Call;
use protocol::commits::COMMITS_MAX;
use protocol::units::BLOCK_MS;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

const TAG_EARLY: u64 = TAG_OWN;
const TAG_LATE: u64 = TAG_OWN | 1;

/// What is wrong with a reveal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Its salt is not the committed one.
    #[default]
    Salt,
    /// It comes in the block after the commit.
    Early,
    /// It comes an epoch too late.
    Late,
    /// It comes twice; the first is as it should be.
    Twice,
}

settings! {
    /// Settings of `bad-revealer`.
    BadRevealerSettings {
        /// How it asks, scores and commits. What is sealed the chain opens: only hashes are revealed by their setter.
        sampling: SamplerSettings =
            SamplerSettings { commit: CommitKind::Hash, ..Default::default() },
        /// What is wrong with its reveals.
        fault: Fault = Fault::Salt,
    }
}

impl BadRevealerSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        self.sampling.check()
    }
}

/// A validator that reveals wrongly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadRevealer {
    settings: BadRevealerSettings,
    sampler: Sampler,
    /// Reveals kept until their epoch is over, each with its time; the oldest first.
    kept: VecDeque<(u64, Call)>,
}

impl BadRevealer {
    /// A validator that has not started.
    pub fn new(settings: BadRevealerSettings) -> Self {
        let sampler = Sampler::new(settings.sampling.clone());
        Self { settings, sampler, kept: VecDeque::new() }
    }

    /// Says a reveal in its wrong way; everything else as it is.
    fn say(&mut self, said: Output, context: &mut Context<'_>) {
        let fault = self.settings.fault;
        match said {
            Output::Submit { signer, call: call @ Call::RevealWeights { .. } } => match fault {
                Fault::Salt => context.submit(signer, with_another_salt(call)),
                Fault::Early => {}
                Fault::Late => self.keep(call, context),
                Fault::Twice => {
                    context.submit(signer, call.clone());
                    context.submit(signer, call);
                }
            },
            Output::Submit { call: Call::CommitWeights { .. }, .. } => {
                context.outputs.push(said);
                if fault == Fault::Early {
                    context.wake(context.now_ms.saturating_add(BLOCK_MS), TAG_EARLY);
                }
            }
            other => context.outputs.push(other),
        }
    }

    fn keep(&mut self, call: Call, context: &mut Context<'_>) {
        let state = context.view.state();
        let netuid = context.me.netuid.filter(|_| self.kept.len() < COMMITS_MAX);
        let tick = netuid.and_then(|netuid| {
            let tempo = state.subnet(netuid)?.params.tempo;
            next_tick(netuid, tempo, state.height.0)
        });
        if let Some(tick) = tick {
            let at_ms = block_ms(context, tick.saturating_add(1));
            self.kept.push_back((at_ms, call));
            context.wake(at_ms, TAG_LATE);
        }
    }
}

fn with_another_salt(call: Call) -> Call {
    match call {
        Call::RevealWeights { netuid, uids, values, mut salt, version_key } => {
            salt.iter_mut().for_each(|number| *number = !*number);
            Call::RevealWeights { netuid, uids, values, salt, version_key }
        }
        other => other,
    }
}

impl Machine for BadRevealer {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        match input {
            Input::Timer { tag: TAG_EARLY } => {
                if let Some(last) = self.sampler.committed().last() {
                    context.submit(context.me.hotkey, last.reveal());
                }
            }
            Input::Timer { tag: TAG_LATE } => {
                let due = self.kept.partition_point(|(at_ms, _)| *at_ms <= context.now_ms);
                for (_, call) in self.kept.drain(..due) {
                    context.submit(context.me.hotkey, call);
                }
            }
            _ => {
                let from = context.outputs.len();
                act_through(&mut self.sampler, input, context, &mut unrevised, |_| true);
                for said in context.outputs.split_off(from) {
                    self.say(said, context);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adversary::arena::{EPOCH, arena, calls, refusals_of, row, seal};
    use crate::registry::BehaviourSettings;

    #[test]
    fn each_fault_is_refused_by_its_reason() {
        let rows = [
            (Fault::Salt, "CommitNotFound"),
            (Fault::Early, "CommitBlockNotInRevealRange"),
            (Fault::Late, "CommitBlockNotInRevealRange"),
            (Fault::Twice, "CommitNotFound"),
        ];
        for (fault, reason) in rows {
            let settings = BadRevealerSettings { fault, ..Default::default() };
            let mut stage = arena(&[BehaviourSettings::BadRevealer(settings)], seal);
            stage.play(8 * EPOCH);
            let refused = refusals_of(&stage, 0);
            let expected = format!("reveal_weights {reason}");
            assert!(refused.len() >= 3, "{fault:?}: {refused:?}");
            assert!(refused.iter().all(|said| *said == expected), "{fault:?}: {refused:?}");
            assert!(calls(&stage, 0, "commit_weights") >= 6, "{fault:?}");
            let opened = calls(&stage, 0, "reveal_weights");
            assert_eq!(opened > 0, fault == Fault::Twice, "{fault:?}: {opened}");
            assert_eq!(row(&stage, 0).is_empty(), fault != Fault::Twice, "{fault:?}");
            assert_eq!(stage.refusals().len(), refused.len(), "and nobody else's");
        }
    }
}
