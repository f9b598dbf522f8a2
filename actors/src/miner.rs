//! Miners. `quality`: answers every query, after some work, with its latent quality and some noise. Another that
//! answers like it is below.

use crate::machine::{Context, Input, Machine};
use crate::maths::normal_ppm;
use crate::registry::{InvalidSetting, ppm, within};
use protocol::canon::digest;
use protocol::dice::{Dice, Domain};
use protocol::envelope::{Body, Envelope};
use protocol::units::{AccountId, BLOCK_MS, BLOCKS_PER_DAY, NetUid, PlayerId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Who lives on what it earns.
pub mod worker;

/// A perfect answer.
pub(crate) const PERFECT_PPM: u32 = 1_000_000;
/// Queries a miner works on at once; it does not answer further ones.
pub const JOBS_MAX: usize = 1_024;

const DRAW_QUALITY: u64 = 1 << 56;
const DRAW_WORK: u64 = 2 << 56;
const DRAW_NOISE: u64 = 3 << 56;
const DRAW_DRIFT: u64 = 4 << 56;

/// Settings of `quality`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QualitySettings {
    /// Mean of the group's latent qualities, in millionths of a perfect answer.
    pub mean_ppm: u32,
    /// Their standard deviation, in millionths.
    pub spread_ppm: u32,
    /// Standard deviation of a quality's change from one day to the next, in millionths.
    pub drift_ppm: u32,
    /// Standard deviation of an answer's value around the quality, in millionths.
    pub noise_ppm: u32,
    /// Shortest time of work on an answer, in milliseconds.
    pub work_ms_min: u64,
    /// Longest time of work on an answer, in milliseconds; drawn uniformly per query.
    pub work_ms_max: u64,
    /// A change of the quality at a given time; absent for none.
    pub step_quality: Option<StepQuality>,
}

/// A latent quality that changes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepQuality {
    /// When, in simulated milliseconds since genesis.
    pub at_ms: u64,
    /// The new quality, in millionths.
    pub to_ppm: u32,
}

impl Default for QualitySettings {
    fn default() -> Self {
        Self {
            mean_ppm: 600_000,
            spread_ppm: 150_000,
            drift_ppm: 0,
            noise_ppm: 20_000,
            work_ms_min: 500,
            work_ms_max: 3_000,
            step_quality: None,
        }
    }
}

impl QualitySettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        ppm("mean_ppm", self.mean_ppm)?;
        ppm("spread_ppm", self.spread_ppm)?;
        ppm("drift_ppm", self.drift_ppm)?;
        ppm("noise_ppm", self.noise_ppm)?;
        let (low, day_ms) = (self.work_ms_min, BLOCKS_PER_DAY * BLOCK_MS);
        within("work_ms_max", self.work_ms_max, low..=day_ms, "work_ms_min to 1 day")?;
        self.step_quality.map_or(Ok(()), |step| ppm("step_quality.to_ppm", step.to_ppm))
    }
}

/// A miner with a latent quality.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quality {
    settings: QualitySettings,
    quality_ppm: u32,
    /// Days whose drift is in the quality.
    days: u64,
    stepped: bool,
    /// Answers it works on, by the tag of the timer that ends the work.
    jobs: BTreeMap<u64, Job>,
    next_job: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Job {
    client: PlayerId,
    netuid: NetUid,
    task: u64,
}

impl Quality {
    /// A miner that has not started.
    pub const fn new(settings: QualitySettings) -> Self {
        Self {
            settings,
            quality_ppm: 0,
            days: 0,
            stepped: false,
            jobs: BTreeMap::new(),
            next_job: 0,
        }
    }

    /// Its latent quality as of its last step, in millionths.
    pub const fn quality_ppm(&self) -> u32 {
        self.quality_ppm
    }

    fn enter(&mut self, context: &Context<'_>) {
        let QualitySettings { mean_ppm, spread_ppm, .. } = self.settings;
        let mut dice = context.dice(DRAW_QUALITY);
        self.quality_ppm = normal_ppm(&mut dice, mean_ppm, spread_ppm, PERFECT_PPM);
        self.days = context.now_ms / (BLOCKS_PER_DAY * BLOCK_MS);
    }

    fn take_job(&mut self, query: &Envelope, context: &mut Context<'_>) {
        let Body::Query { netuid, task } = query.body else {
            return;
        };
        if self.jobs.len() >= JOBS_MAX {
            return;
        }
        let tag = self.next_job;
        self.next_job += 1;
        let client = query.sender;
        self.jobs.insert(tag, Job { client, netuid, task });
        let QualitySettings { work_ms_min, work_ms_max, .. } = self.settings;
        let work_ms = context.dice(DRAW_WORK | tag).between(work_ms_min, work_ms_max);
        context.wake(context.now_ms.saturating_add(work_ms), tag);
    }

    fn answer(&mut self, tag: u64, context: &mut Context<'_>) {
        let Some(Job { client, netuid, task }) = self.jobs.remove(&tag) else {
            return;
        };
        self.age(context);
        let mut dice = context.dice(DRAW_NOISE | tag);
        let noise_ppm = self.settings.noise_ppm;
        let value = normal_ppm(&mut dice, self.quality_ppm, noise_ppm, PERFECT_PPM);
        let digest = content_digest(&context.me.hotkey, task, value);
        context.send(client, Body::Answer { netuid, task, value, digest });
    }

    /// Brings the quality up to date. Drift is addressed by the day, not by the block that asks for it, so
    /// how often a miner is queried changes nothing.
    fn age(&mut self, context: &Context<'_>) {
        let today = context.now_ms / (BLOCKS_PER_DAY * BLOCK_MS);
        let drift_ppm = self.settings.drift_ppm;
        for day in self.days..today {
            let (seed, me) = (context.seed, context.me.id.0);
            let mut dice = Dice::new(seed, Domain::Player, me, day, DRAW_DRIFT);
            self.quality_ppm = normal_ppm(&mut dice, self.quality_ppm, drift_ppm, PERFECT_PPM);
        }
        self.days = today;
        let due = self.settings.step_quality.filter(|step| context.now_ms >= step.at_ms);
        if let (Some(step), false) = (due, self.stepped) {
            self.quality_ppm = step.to_ppm;
            self.stepped = true;
        }
    }
}

/// The digest of the content that a miner's work on a task gives, when it is worth so much.
pub(crate) fn content_digest(hotkey: &AccountId, task: u64, value: u32) -> u64 {
    let content = digest("btemu answer 1", &(*hotkey, task, value));
    let [a, b, c, d, e, f, g, h, ..] = content.0;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

impl Machine for Quality {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        match input {
            Input::Start => self.enter(context),
            Input::Message(envelope) => self.take_job(envelope, context),
            Input::Timer { tag } => self.answer(*tag, context),
            Input::Receipt(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{Delivery, Host, Outgoing, Seated};
    use crate::machine::Directory;
    use crate::registry::{BehaviourSettings, Player};
    use crate::stage::{Stage, greeting, identity, subnet_of};
    use crate::validator::SamplerSettings;
    use protocol::units::Alpha;
    use protocol::view::View;

    fn host_of(settings: &QualitySettings, count: u64) -> (Host, Vec<PlayerId>) {
        let seat = |index| {
            let who = identity("miners", index, Some(NetUid(1)));
            Seated::new(who, BehaviourSettings::Quality(settings.clone()).build())
        };
        let seats: Vec<Seated> = (0..count).map(seat).collect();
        let players = seats.iter().map(|seated| seated.identity().id).collect();
        let mut host = Host::new(seats, View::default(), Directory::default(), 1);
        host.start();
        host.slice(0, 1_000, Vec::new());
        (host, players)
    }

    fn ask(host: &mut Host, player: PlayerId, at_ms: u64, count: u64) -> Vec<Outgoing> {
        let query = |sequence| Delivery::Message(greeting(at_ms, 5, sequence, player));
        let queries = (0..count).map(query).collect();
        let first = at_ms - at_ms % 1_000;
        let mut answers = host.slice(first, first + 1_000, queries).outgoing;
        while let Some(wake_ms) = host.next_wake_ms() {
            let from_ms = wake_ms - wake_ms % 1_000;
            answers.extend(host.slice(from_ms, from_ms + 1_000, Vec::new()).outgoing);
        }
        answers
    }

    fn value(answer: &Outgoing) -> u32 {
        match answer.body {
            Body::Answer { value, .. } => value,
            Body::Query { .. } => panic!("a miner asks nothing"),
        }
    }

    #[test]
    fn qualities_have_the_groups_mean_and_spread() {
        let (host, players) = host_of(&QualitySettings::default(), 1_000);
        let quality = |player: &PlayerId| match host.seat(*player).map(Seated::player) {
            Some(Player::Quality(quality)) => f64::from(quality.quality_ppm()),
            other => panic!("{other:?}"),
        };
        let mean = players.iter().map(quality).sum::<f64>() / 1_000.0;
        let squares = players.iter().map(|player| (quality(player) - mean).powi(2));
        let spread = (squares.sum::<f64>() / 1_000.0).sqrt();
        assert!((590_000.0..610_000.0).contains(&mean), "{mean}");
        assert!((140_000.0..160_000.0).contains(&spread), "{spread}");
    }

    #[test]
    fn answers_come_after_the_work_and_scatter_around_the_quality() {
        let spread_ppm = 0;
        let (mut host, players) =
            host_of(&QualitySettings { spread_ppm, ..QualitySettings::default() }, 1);
        let answers = ask(&mut host, players[0], 5_000, 500);
        assert_eq!(answers.len(), 500);
        let waits = answers.iter().map(|answer| answer.sent_ms - 5_000);
        assert!(waits.clone().all(|wait| (500..=3_000).contains(&wait)));
        assert!(waits.min() < Some(1_100), "the shortest is short");
        let mean = answers.iter().map(|answer| f64::from(value(answer))).sum::<f64>() / 500.0;
        assert!((596_000.0..604_000.0).contains(&mean), "{mean}");
    }

    #[test]
    fn surplus_queries_go_unanswered() {
        let (mut host, players) = host_of(&QualitySettings::default(), 1);
        assert_eq!(ask(&mut host, players[0], 5_000, 2_000).len(), JOBS_MAX);
    }

    #[test]
    fn drift_and_step_do_not_depend_on_how_often_one_asks() {
        let settings = QualitySettings {
            drift_ppm: 50_000,
            noise_ppm: 0,
            step_quality: Some(StepQuality { at_ms: 86_400_000 * 2, to_ppm: 900_000 }),
            ..QualitySettings::default()
        };
        let day = |day: u64| day * 86_400_000 + 5_000;
        let (mut often, players) = host_of(&settings, 1);
        let asked: Vec<u32> =
            (0..4).map(|at| value(&ask(&mut often, players[0], day(at), 1)[0])).collect();
        assert!(asked[0] != asked[1] && asked[2] == 900_000 && asked[3] != 900_000, "{asked:?}");
        let (mut seldom, players) = host_of(&settings, 1);
        assert_eq!(value(&ask(&mut seldom, players[0], day(1), 1)[0]), asked[1]);
        assert_eq!(value(&ask(&mut seldom, players[0], day(2), 1)[0]), asked[2]);
    }

    #[test]
    fn a_miner_whose_quality_rises_earns_more_within_ten_epochs() {
        let settings = QualitySettings { spread_ppm: 0, ..QualitySettings::default() };
        let mean =
            |mean_ppm| BehaviourSettings::Quality(QualitySettings { mean_ppm, ..settings.clone() });
        let epoch = u64::from(crate::stage::TEMPO) + 1;
        let at_ms = 11 * epoch * BLOCK_MS;
        let rising = BehaviourSettings::Quality(QualitySettings {
            mean_ppm: 100_000,
            step_quality: Some(StepQuality { at_ms, to_ppm: 900_000 }),
            ..settings.clone()
        });
        let validators = vec![BehaviourSettings::Sampler(SamplerSettings::default()); 3];
        let (state, seats) = subnet_of(&validators, &[rising, mean(500_000), mean(500_000)]);
        let mut stage = Stage::new(state, seats, 1);
        let earns = |stage: &Stage| -> Vec<Alpha> {
            stage.state.subnets[&NetUid(1)].neurons.emission[3..].to_vec()
        };
        stage.play(11 * epoch);
        let before = earns(&stage);
        stage.play(10 * epoch);
        let after = earns(&stage);
        assert!(before[0] < before[1], "{before:?}");
        assert!(after[0] > after[1] && after[0].0 > 3 * before[0].0, "{before:?} {after:?}");
    }
}
