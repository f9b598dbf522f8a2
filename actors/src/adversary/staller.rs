//! `staller`: answers late and floods validators with answers to no task while a rival miner wins.
//!
//! A rival is a miner that is not of its group. While none wins it is an honest miner.

use super::{check_members, member, settings};
use crate::machine::{Context, Input, Machine, Output};
use crate::miner::{Quality, QualitySettings};
use crate::registry::{InvalidSetting, within};
use protocol::envelope::Body;
use protocol::units::{BLOCK_MS, BLOCKS_PER_DAY, NetUid};
use serde::{Deserialize, Serialize};

/// Answers to tasks that nobody gave, per query, at most.
const FLOOD_MAX: u64 = 100;

const DRAW_FLOOD: u64 = 20 << 56;

settings! {
    /// Settings of `staller`.
    StallerSettings {
        /// How it answers while no rival wins.
        answers: QualitySettings = QualitySettings::default(),
        /// First members of its group on the subnet that are no rivals.
        members: u32 = 1,
        /// By how much its answers are late while a rival wins, in milliseconds.
        stall_ms: u64 = 60_000,
        /// Senseless answers per query while a rival wins.
        flood: u32 = 10,
    }
}

impl StallerSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        self.answers.check()?;
        check_members("members", self.members)?;
        let day_ms = BLOCKS_PER_DAY * BLOCK_MS;
        within("stall_ms", self.stall_ms, 0..=day_ms, "at most 1 day")?;
        within("flood", self.flood.into(), 0..=FLOOD_MAX, "at most 100")
    }
}

/// A miner that stalls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staller {
    settings: StallerSettings,
    answers: Quality,
}

impl Staller {
    /// A miner that has not started.
    pub fn new(settings: StallerSettings) -> Self {
        let answers = Quality::new(settings.answers.clone());
        Self { settings, answers }
    }

    /// Whether the miner that earned most in the last epoch is none of its own; of equals the lowest uid counts.
    fn rival_wins(&self, netuid: NetUid, context: &Context<'_>) -> bool {
        let subnet = context.view.state().subnet(netuid);
        let best = subnet.and_then(|subnet| {
            let incentive = subnet.mechanism(0)?.incentive.iter().copied();
            let earning = (0_usize..).zip(incentive).filter(|(_, part)| *part > 0);
            let best = earning.min_by_key(|(uid, part)| (std::cmp::Reverse(*part), *uid))?;
            subnet.neurons.hotkeys.get(best.0)
        });
        let own = |number: u64| Some(&member(context.me, number).hotkey) == best;
        best.is_some() && !(0..u64::from(self.settings.members)).any(own)
    }
}

impl Machine for Staller {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        let asked = match input {
            Input::Message(envelope) => match envelope.body {
                Body::Query { netuid, .. } => Some((envelope.sender, netuid)),
                Body::Answer { .. } => None,
            },
            _ => None,
        };
        let stalls = asked.filter(|(_, netuid)| self.rival_wins(*netuid, context));
        let Some((client, netuid)) = stalls else {
            return self.answers.step(input, context);
        };
        let said = context.inside(context.me, |inner| self.answers.step(input, inner));
        context.outputs.extend(said.into_iter().map(|said| match said {
            Output::Wake { at_ms, tag } => {
                Output::Wake { at_ms: at_ms.saturating_add(self.settings.stall_ms), tag }
            }
            other => other,
        }));
        let mut dice = context.dice(DRAW_FLOOD);
        for _ in 0..self.settings.flood {
            let (task, digest) = (dice.next_u64(), dice.next_u64());
            context.send(client, Body::Answer { netuid, task, value: u32::MAX, digest });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adversary::arena::{EPOCH, VALIDATORS, arena_with, incentive, miner, who, whose};
    use crate::registry::{BehaviourSettings, Player};
    use crate::stage::Stage;
    use protocol::units::PlayerId;

    fn stage(staller: u32, rival: u32) -> Stage {
        let settings = StallerSettings { answers: miner(staller, None), ..Default::default() };
        let rival = BehaviourSettings::Quality(miner(rival, None));
        arena_with(&[], &[BehaviourSettings::Staller(settings), rival], |_| {})
    }

    /// Answers of a miner that came while the validator still waited for them, of all to tasks that were given; and others.
    fn answers(stage: &Stage, place: usize) -> (usize, usize, usize) {
        let tasks: Vec<(u64, PlayerId, u64)> = stage
            .done
            .iter()
            .flat_map(|done| &done.outgoing)
            .filter_map(|sent| match sent.body {
                Body::Query { task, .. } => Some((task, sent.receiver, sent.sent_ms)),
                Body::Answer { .. } => None,
            })
            .collect();
        let (mut soon, mut all, mut senseless) = (0, 0, 0);
        for sent in stage.done.iter().flat_map(|done| &done.outgoing) {
            if let Body::Answer { task, .. } = sent.body
                && sent.sender == whose(place).id
            {
                let given =
                    tasks.iter().find(|(known, to, _)| (*known, *to) == (task, sent.sender));
                match given {
                    Some((_, _, asked_ms)) => {
                        all += 1;
                        soon += usize::from(sent.sent_ms - asked_ms < 24_000);
                    }
                    None => senseless += 1,
                }
            }
        }
        (soon, all, senseless)
    }

    #[test]
    fn while_a_rival_wins_its_answers_are_late_and_senseless_and_hurt_nobody_else() {
        let mut stage = stage(400_000, 900_000);
        stage.play(8 * EPOCH);
        let (soon, all, senseless) = answers(&stage, 0);
        assert!(all >= 16 && soon * 3 < all, "{soon} of {all} in time");
        assert!(senseless > 150, "{senseless}");
        assert_eq!(answers(&stage, 1).2, 0);
        assert!(stage.done.iter().all(|done| done.crashes.is_empty()), "nobody crashes");
        // What a validator knows does not grow by what it is flooded with.
        let Player::Sampler(sampler) = stage.player(who(0).id) else { panic!("a sampler") };
        assert_eq!(sampler.score(&whose(1).hotkey), Some(900_000_000), "nothing but true answers");
        assert!(incentive(&stage, VALIDATORS + 1) > 30_000);
        assert_eq!(stage.refusals(), [""; 0]);
    }

    #[test]
    fn while_it_wins_itself_it_is_honest() {
        let mut stage = stage(900_000, 400_000);
        stage.play(6 * EPOCH);
        let (soon, all, senseless) = answers(&stage, 0);
        assert!(all >= 12 && soon == all && senseless == 0, "{soon} of {all}, {senseless}");
    }
}
