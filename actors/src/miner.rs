//! Miners. `quality`: answers every query, after some work, with its latent quality and some noise.

use crate::machine::{Context, Input, Machine};
use crate::maths::normal_ppm;
use crate::registry::{InvalidSetting, ppm, within};
use protocol::canon::digest;
use protocol::dice::{Dice, Domain};
use protocol::envelope::{Body, Envelope};
use protocol::units::{BLOCK_MS, BLOCKS_PER_DAY, NetUid, PlayerId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A perfect answer.
const PERFECT_PPM: u32 = 1_000_000;
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
        within(
            "work_ms_max",
            self.work_ms_max,
            low..=day_ms,
            "work_ms_min to 1 day",
        )?;
        self.step_quality
            .map_or(Ok(()), |step| ppm("step_quality.to_ppm", step.to_ppm))
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
        let QualitySettings {
            mean_ppm,
            spread_ppm,
            ..
        } = self.settings;
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
        self.jobs.insert(
            tag,
            Job {
                client,
                netuid,
                task,
            },
        );
        let QualitySettings {
            work_ms_min,
            work_ms_max,
            ..
        } = self.settings;
        let work_ms = context
            .dice(DRAW_WORK | tag)
            .between(work_ms_min, work_ms_max);
        context.wake(context.now_ms.saturating_add(work_ms), tag);
    }

    fn answer(&mut self, tag: u64, context: &mut Context<'_>) {
        let Some(Job {
            client,
            netuid,
            task,
        }) = self.jobs.remove(&tag)
        else {
            return;
        };
        self.age(context);
        let mut dice = context.dice(DRAW_NOISE | tag);
        let noise_ppm = self.settings.noise_ppm;
        let value = normal_ppm(&mut dice, self.quality_ppm, noise_ppm, PERFECT_PPM);
        let content = digest("btemu answer 1", &(context.me.hotkey, task, value));
        let [a, b, c, d, e, f, g, h, ..] = content.0;
        let digest = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        context.send(
            client,
            Body::Answer {
                netuid,
                task,
                value,
                digest,
            },
        );
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
        let due = self
            .settings
            .step_quality
            .filter(|step| context.now_ms >= step.at_ms);
        if let (Some(step), false) = (due, self.stepped) {
            self.quality_ppm = step.to_ppm;
            self.stepped = true;
        }
    }
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
