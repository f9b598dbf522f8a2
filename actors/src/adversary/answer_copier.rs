//! `answer-copier`: asks the miner that earns most the task it was asked, and relays that one's answer as its own.
//!
//! Without an answer of the other it works itself.

use super::{TAG_OWN, settings};
use crate::machine::{Context, Input, Machine};
use crate::miner::{JOBS_MAX, Quality, QualitySettings};
use crate::registry::{InvalidSetting, within};
use protocol::envelope::{Body, Envelope};
use protocol::state::Subnet;
use protocol::units::{BLOCK_MS, BLOCKS_PER_DAY, NetUid, PlayerId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

settings! {
    /// Settings of `answer-copier`.
    AnswerCopierSettings {
        /// What it answers itself, where there is nobody to copy or no answer came.
        answers: QualitySettings = QualitySettings::default(),
        /// How long it waits for the other's answer, in milliseconds.
        wait_ms: u64 = 10_000,
    }
}

impl AnswerCopierSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        self.answers.check()?;
        within("wait_ms", self.wait_ms, 1..=BLOCKS_PER_DAY * BLOCK_MS, "1 millisecond to 1 day")
    }
}

/// Who waits for a copied answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Waiting {
    client: PlayerId,
    /// Whose answer it is to be.
    source: PlayerId,
    netuid: NetUid,
    task: u64,
}

/// A miner that relays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerCopier {
    settings: AnswerCopierSettings,
    answers: Quality,
    waiting: BTreeMap<u64, Waiting>,
    next: u64,
}

impl AnswerCopier {
    /// A miner that has not started.
    pub fn new(settings: AnswerCopierSettings) -> Self {
        let answers = Quality::new(settings.answers.clone());
        Self { settings, answers, waiting: BTreeMap::new(), next: 0 }
    }

    fn ask(&mut self, query: &Envelope, context: &mut Context<'_>) {
        let Body::Query { netuid, task } = query.body else { return };
        let client = query.sender;
        let state = context.view.state();
        let subnet = state.subnet(netuid);
        let source = subnet.and_then(|subnet| source(netuid, subnet, context));
        // Who is to be copied itself asks for work, not for its own answer.
        let source = source.filter(|source| *source != client);
        let (Some(source), true) = (source, self.waiting.len() < JOBS_MAX) else {
            return self.answers.step(&Input::Message(query), context);
        };
        let same = |other: &Waiting| (other.netuid, other.task) == (netuid, task);
        if !self.waiting.values().any(same) {
            context.send(source, Body::Query { netuid, task });
        }
        self.waiting.insert(self.next, Waiting { client, source, netuid, task });
        context.wake(context.now_ms.saturating_add(self.settings.wait_ms), TAG_OWN | self.next);
        self.next += 1;
    }

    fn relay(&mut self, answer: &Envelope, context: &mut Context<'_>) {
        let Body::Answer { netuid, task, .. } = answer.body else { return };
        let meant = |_: &u64, waiting: &mut Waiting| {
            (waiting.source, waiting.netuid, waiting.task) == (answer.sender, netuid, task)
        };
        for (_, waiting) in self.waiting.extract_if(.., meant) {
            context.send(waiting.client, answer.body.clone());
        }
    }

    /// Nobody answered: it works itself.
    fn give_up(&mut self, number: u64, context: &mut Context<'_>) {
        let Some(Waiting { client, netuid, task, .. }) = self.waiting.remove(&number) else {
            return;
        };
        let query = Envelope {
            due_ms: context.now_ms,
            sender: client,
            sequence: 0,
            receiver: context.me.id,
            sent_ms: context.now_ms,
            body: Body::Query { netuid, task },
        };
        self.answers.step(&Input::Message(&query), context);
    }
}

/// The miner that earned most in the last epoch and is not the player itself; of equals the lowest uid.
fn source(netuid: NetUid, subnet: &Subnet, context: &Context<'_>) -> Option<PlayerId> {
    let axons = context.directory.axons(netuid, &subnet.neurons.hotkeys);
    let incentive = &subnet.mechanism(0)?.incentive;
    let earning = incentive.iter().zip(axons.iter()).filter(|(part, _)| **part > 0);
    let others = earning
        .filter_map(|(part, axon)| Some((*part, (*axon)?)))
        .filter(|(_, player)| *player != context.me.id);
    // The last of equals is taken, so they are looked at from the end.
    let mut others: Vec<(u16, PlayerId)> = others.collect();
    others.reverse();
    others.into_iter().max_by_key(|(part, _)| *part).map(|(_, player)| player)
}

impl Machine for AnswerCopier {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        match input {
            Input::Message(envelope) => match envelope.body {
                Body::Query { .. } => self.ask(envelope, context),
                Body::Answer { .. } => self.relay(envelope, context),
            },
            Input::Timer { tag } if tag & TAG_OWN != 0 => self.give_up(tag & !TAG_OWN, context),
            _ => self.answers.step(input, context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adversary::arena::{
        EPOCH, VALIDATORS, arena_with, incentive, miner, queries_of, who, whose,
    };
    use crate::registry::BehaviourSettings;
    use crate::stage::Stage;

    fn copier(wait_ms: u64) -> BehaviourSettings {
        let answers = miner(100_000, None);
        BehaviourSettings::AnswerCopier(AnswerCopierSettings { answers, wait_ms })
    }

    fn good(mean_ppm: u32) -> BehaviourSettings {
        BehaviourSettings::Quality(miner(mean_ppm, None))
    }

    /// What a miner answered to the validators: when, which task, what.
    fn answers(stage: &Stage, place: usize) -> Vec<(u64, u64, u64)> {
        let validators: Vec<PlayerId> = (0..VALIDATORS).map(|uid| who(uid).id).collect();
        let sent = stage.done.iter().flat_map(|done| &done.outgoing);
        let own = sent
            .filter(|sent| sent.sender == whose(place).id && validators.contains(&sent.receiver));
        own.filter_map(|sent| match sent.body {
            Body::Answer { task, digest, .. } => Some((sent.sent_ms, task, digest)),
            Body::Query { .. } => None,
        })
        .collect()
    }

    #[test]
    fn it_gives_the_best_ones_answers_a_little_later_and_earns_like_it() {
        let mut stage = arena_with(&[], &[good(900_000), copier(10_000)], |_| {});
        let mut honest = arena_with(&[], &[good(900_000), good(100_000)], |_| {});
        stage.play(8 * EPOCH);
        honest.play(8 * EPOCH);
        let (own, copied) = (answers(&stage, 0), answers(&stage, 1));
        // From the first incentive on, and until the best one has answered the same tasks.
        let times = 3 * EPOCH * BLOCK_MS..7 * EPOCH * BLOCK_MS;
        let late: Vec<_> = copied.iter().filter(|(at_ms, ..)| times.contains(at_ms)).collect();
        let same = late.iter().filter(|(_, task, digest)| {
            own.iter().any(|(_, known, content)| (known, content) == (task, digest))
        });
        assert!(late.len() >= 12 && same.count() == late.len(), "all of them are copies");
        assert!(queries_of(&stage, &whose(1)) >= 12, "a miner that asks");
        assert_eq!(queries_of(&honest, &whose(1)), 0);
        let (best, copier) = (VALIDATORS, VALIDATORS + 1);
        assert!(incentive(&stage, copier) > 4 * incentive(&honest, copier));
        assert!(incentive(&stage, copier) > incentive(&stage, best) / 2);
        assert_eq!(stage.refusals(), [""; 0]);
    }

    #[test]
    fn copiers_of_each_other_answer_for_themselves_in_the_end() {
        let mut stage = arena_with(&[], &[copier(3_000), copier(3_000)], |_| {});
        stage.play(6 * EPOCH);
        for place in 0..2 {
            assert!(answers(&stage, place).len() >= 12, "{place}");
            let machine = match stage.player(whose(place).id) {
                crate::registry::Player::AnswerCopier(copier) => copier,
                other => panic!("{other:?} is no copier"),
            };
            assert!(machine.waiting.len() < 10, "nobody waits for ever");
        }
        let sent: usize = stage.done.iter().map(|done| done.outgoing.len()).sum();
        assert!(sent < 1_000, "they do not ask each other round and round: {sent}");
    }
}
