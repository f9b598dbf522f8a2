//! `market`: the people who use what a subnet makes. They are where money from outside comes from.
//!
//! They use it for real: now and then they ask some of its miners, better known ones more often, and keep a running
//! quality of the answers. Where it pleases them they become more, where not they leave; and they pay the owner.

use crate::machine::{Context, Input, Machine};
use crate::registry::{InvalidSetting, ppm, within};
use protocol::balances::EXISTENTIAL_DEPOSIT;
use protocol::call::Call;
use protocol::envelope::{Body, Envelope};
use protocol::units::{BLOCK_MS, BLOCKS_PER_DAY, NetUid, PlayerId, Rao};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const PPM: f64 = 1_000_000.0;
const DAY_MS: u64 = BLOCKS_PER_DAY * BLOCK_MS;
/// Fewer users than this, in millionths of one, are none.
const USERS_LEAST: u64 = 10_000;
/// The running quality is kept in thousandths of a millionth, so that slow smoothing does not round to a halt.
const QUALITY_ONE: f64 = 1_000_000_000.0;

const DRAW_FIRST: u64 = 1 << 56;
const DRAW_SAMPLE: u64 = 2 << 56;

/// Settings of `market`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MarketSettings {
    /// Blocks between two uses, each with a payment.
    pub interval_blocks: u64,
    /// Users at genesis.
    pub users_start: u64,
    /// Users there can be.
    pub users_max: u64,
    /// Growth of a small number of users per day at the wanted quality, in millionths.
    pub growth_ppm: u32,
    /// Users that leave per day where the quality is nothing, in millionths.
    pub churn_ppm: u32,
    /// The quality from which on users come and below which they leave, in millionths of a perfect answer.
    pub quality_wanted_ppm: u32,
    /// What a user pays per day for perfect quality, in rao.
    pub price_rao: Rao,
    /// Miners asked per use.
    pub sample: u32,
    /// Weight of a use in the running quality, in millionths.
    pub smoothing_ppm: u32,
    /// Free TAO it never pays, in rao.
    pub reserve_rao: Rao,
}

impl Default for MarketSettings {
    fn default() -> Self {
        Self {
            interval_blocks: BLOCKS_PER_DAY,
            users_start: 100,
            users_max: 10_000,
            growth_ppm: 30_000,
            churn_ppm: 50_000,
            quality_wanted_ppm: 500_000,
            price_rao: Rao(2_000_000),
            sample: 4,
            smoothing_ppm: 300_000,
            reserve_rao: Rao(1_000_000),
        }
    }
}

impl MarketSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        let year = 365 * BLOCKS_PER_DAY;
        let whole = 1_000_000_000_000;
        within("interval_blocks", self.interval_blocks, 1..=year, "1 block to 1 year")?;
        within("users_max", self.users_max, 1..=whole, "1 to a million millions")?;
        within("users_start", self.users_start, 0..=self.users_max, "at most users_max")?;
        ppm("growth_ppm", self.growth_ppm)?;
        ppm("churn_ppm", self.churn_ppm)?;
        let wanted = self.quality_wanted_ppm.into();
        within("quality_wanted_ppm", wanted, 1..=1_000_000, "1 to 1000000 (a whole)")?;
        within("sample", self.sample.into(), 1..=256, "1 to 256")?;
        ppm("smoothing_ppm", self.smoothing_ppm)
    }
}

/// The users of a subnet's product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Market {
    settings: MarketSettings,
    /// In millionths of a user: what is part of a hash has no floats.
    users: u64,
    /// Of `QUALITY_ONE`; none before the first use was over.
    quality: Option<u64>,
    /// What the current use has heard, by miner; none where nothing came yet.
    asked: BTreeMap<PlayerId, Option<u32>>,
    task: u64,
    looked_ms: u64,
    /// Whether a payment has no receipt yet.
    paying: bool,
}

impl Market {
    /// A market that nobody uses yet.
    pub const fn new(settings: MarketSettings) -> Self {
        let asked = BTreeMap::new();
        Self { settings, users: 0, quality: None, asked, task: 0, looked_ms: 0, paying: false }
    }

    /// Its users now.
    pub fn users(&self) -> f64 {
        self.users as f64 / PPM
    }

    /// Its running quality, in parts of a perfect answer.
    pub fn quality(&self) -> Option<f64> {
        self.quality.map(|quality| quality as f64 / QUALITY_ONE)
    }

    fn enter(&mut self, context: &mut Context<'_>) {
        self.users = self.settings.users_start.saturating_mul(PPM as u64);
        self.looked_ms = context.now_ms;
        self.use_product(context);
        let interval_ms = self.settings.interval_blocks.saturating_mul(BLOCK_MS);
        let first_ms = context.dice(DRAW_FIRST).between(BLOCK_MS, interval_ms);
        context.wake(context.now_ms.saturating_add(first_ms), 0);
    }

    fn look(&mut self, context: &mut Context<'_>) {
        let days = (context.now_ms - self.looked_ms) as f64 / DAY_MS as f64;
        self.looked_ms = context.now_ms;
        self.judge();
        if let Some(quality) = self.quality() {
            self.users = self.grown(quality, days);
            self.pay(quality, days, context);
        }
        self.use_product(context);
        let interval_ms = self.settings.interval_blocks.saturating_mul(BLOCK_MS);
        context.wake(context.now_ms.saturating_add(interval_ms), 0);
    }

    /// The mean of the last use enters the running quality; who did not answer was worth nothing. Where there was
    /// nobody to ask, a product that is known is gone.
    fn judge(&mut self) {
        let asked = std::mem::take(&mut self.asked);
        let seen = match (asked.len(), self.quality()) {
            (0, None) => return,
            (0, Some(_)) => 0.0,
            (count, _) => {
                let heard: f64 = asked.into_values().flatten().map(f64::from).sum();
                heard / (count as f64 * PPM)
            }
        };
        let weight = f64::from(self.settings.smoothing_ppm) / PPM;
        let old = self.quality().unwrap_or(seen);
        // A cast of a float rounds down and saturates.
        self.quality = Some(((old + (seen - old) * weight) * QUALITY_ONE) as u64);
    }

    /// Users after some days of this quality: logistic growth from the wanted quality on, faster the better it is;
    /// below it they leave, faster the worse it is. In millionths of a user.
    fn grown(&self, quality: f64, days: f64) -> u64 {
        let MarketSettings { users_max, growth_ppm, churn_ppm, quality_wanted_ppm, .. } =
            self.settings;
        let (most, wanted) = (users_max as f64, f64::from(quality_wanted_ppm) / PPM);
        let (users, pleased) = (self.users(), quality / wanted);
        let per_day = if pleased >= 1.0 {
            f64::from(growth_ppm) / PPM * pleased * (1.0 - users / most)
        } else {
            -f64::from(churn_ppm) / PPM * (1.0 - pleased)
        };
        let grown = ((users + users * per_day * days).clamp(0.0, most) * PPM) as u64;
        if grown < USERS_LEAST { 0 } else { grown }
    }

    fn pay(&mut self, quality: f64, days: f64, context: &mut Context<'_>) {
        let state = context.view.state();
        let subnet = context.me.netuid.and_then(|netuid| state.subnet(netuid));
        let Some(dest) = subnet.and_then(|subnet| subnet.info.owner) else { return };
        let owed = self.users() * self.settings.price_rao.0 as f64 * days * quality;
        let kept = self.settings.reserve_rao.plus(EXISTENTIAL_DEPOSIT);
        // A cast of a float saturates.
        let value = Rao(owed as u64).min(state.free(&context.me.coldkey).minus(kept));
        if self.paying || value < EXISTENTIAL_DEPOSIT || dest == context.me.coldkey {
            return;
        }
        self.paying = true;
        context.submit(context.me.coldkey, Call::TransferKeepAlive { dest, value });
    }

    /// Asks some miners, drawn by their incentive.
    fn use_product(&mut self, context: &mut Context<'_>) {
        let Some(netuid) = context.me.netuid else { return };
        let mut dice = context.dice(DRAW_SAMPLE);
        self.task = dice.next_u64();
        let mut miners = miners(netuid, context);
        for _ in 0..self.settings.sample {
            let sum: u64 = miners.iter().map(|(_, incentive)| incentive).sum();
            if sum == 0 {
                break;
            }
            let mut drawn = dice.below(sum);
            let place = miners.iter().position(|(_, incentive)| {
                let here = drawn < *incentive;
                drawn = drawn.saturating_sub(*incentive);
                here
            });
            let (player, _) = miners.remove(place.expect("what is drawn is below the sum"));
            self.asked.insert(player, None);
            context.send(player, Body::Query { netuid, task: self.task });
        }
    }

    fn hear(&mut self, answer: &Envelope, context: &Context<'_>) {
        let Body::Answer { netuid, task, value, .. } = answer.body else { return };
        if Some(netuid) != context.me.netuid || task != self.task {
            return;
        }
        if let Some(heard) = self.asked.get_mut(&answer.sender) {
            heard.get_or_insert(value.min(PPM as u32));
        }
    }
}

/// The players behind a subnet's neurons that earn incentive, with that incentive.
fn miners(netuid: NetUid, context: &Context<'_>) -> Vec<(PlayerId, u64)> {
    let Some(subnet) = context.view.state().subnet(netuid) else { return Vec::new() };
    let axons = context.directory.axons(netuid, &subnet.neurons.hotkeys);
    let incentives = |uid: usize| -> u64 {
        let of = |mechanism: &protocol::state::Mechanism| mechanism.incentive.get(uid).copied();
        subnet.mechanisms.iter().filter_map(of).map(u64::from).sum()
    };
    let players = axons.iter().enumerate().filter_map(|(uid, axon)| Some(((*axon)?, uid)));
    players.map(|(player, uid)| (player, incentives(uid))).filter(|(_, sum)| *sum > 0).collect()
}

impl Machine for Market {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        match input {
            Input::Start => self.enter(context),
            Input::Timer { .. } => self.look(context),
            Input::Message(envelope) => self.hear(envelope, context),
            Input::Receipt(_) => self.paying = false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Seated;
    use crate::miner::QualitySettings;
    use crate::registry::{BehaviourSettings, Player};
    use crate::stage::{Stage, fund, identity, subnet_of};
    use crate::validator::SamplerSettings;

    /// A subnet with an owner, two validators, miners of these qualities, and a market with a purse.
    fn stage(settings: &MarketSettings, qualities: &[u32], purse: Rao) -> Stage {
        let validators = vec![BehaviourSettings::Sampler(SamplerSettings::default()); 2];
        let miner = |mean_ppm: &u32| {
            let settings = QualitySettings {
                mean_ppm: *mean_ppm,
                spread_ppm: 0,
                noise_ppm: 0,
                ..QualitySettings::default()
            };
            BehaviourSettings::Quality(settings)
        };
        let miners: Vec<BehaviourSettings> = qualities.iter().map(miner).collect();
        let (mut state, mut seats) = subnet_of(&validators, &miners);
        let netuid = NetUid(1);
        let subnet = state.subnets.get_mut(&netuid).expect("it was made");
        subnet.info.owner = Some(identity("owners", 0, None).coldkey);
        let who = identity("customers", 0, Some(netuid));
        fund(&mut state, &who, purse);
        let player = BehaviourSettings::Market(settings.clone()).build();
        seats.push(Seated::new(who, player));
        Stage::new(state, seats, 1)
    }

    fn market(stage: &Stage) -> &Market {
        match stage.player(identity("customers", 0, None).id) {
            Player::Market(market) => market,
            other => panic!("{other:?} is no market"),
        }
    }

    /// A day is a long time for a test: users come and pay a thousand times as fast.
    fn busy() -> MarketSettings {
        MarketSettings {
            interval_blocks: 5,
            growth_ppm: 1_000_000,
            churn_ppm: 1_000_000,
            price_rao: Rao::whole(2),
            ..MarketSettings::default()
        }
    }

    fn paid(stage: &Stage) -> Rao {
        stage.state.free(&identity("owners", 0, None).coldkey)
    }

    #[test]
    fn a_good_product_grows_and_pays_its_owner() {
        let mut stage = stage(&busy(), &[900_000, 700_000], Rao::whole(100));
        stage.play(30);
        let early = paid(&stage);
        stage.play(170);
        let quality = market(&stage).quality().expect("it was used");
        assert!((0.6..0.95).contains(&quality), "{quality}");
        let users = market(&stage).users();
        assert!(users > 101.0 && users < 110.0, "{users}");
        let late = paid(&stage);
        // A hundred users at 2 TAO a day and four fifths of quality, for a fortieth of a day.
        assert!(late > early && (3..6).contains(&(late.0 / 1_000_000_000)), "{late}");
        assert_eq!(stage.refusals(), [""; 0]);
    }

    #[test]
    fn a_bad_product_loses_its_users() {
        let mut stage = stage(&busy(), &[200_000, 200_000], Rao::whole(100));
        stage.play(200);
        let users = market(&stage).users();
        assert!(users < 99.0, "{users}");
    }

    #[test]
    fn silence_is_worth_nothing_and_without_miners_nothing_is_paid() {
        let mut silent = stage(&busy(), &[900_000], Rao::whole(100));
        silent.play(60);
        let before = market(&silent).quality().expect("it was used");
        silent.wire = crate::stage::Wire::Cut;
        silent.play(60);
        let after = market(&silent).quality().expect("it was used");
        assert!(after < before / 10.0, "{before} {after}");
        let mut nobody = stage(&busy(), &[], Rao::whole(100));
        nobody.play(60);
        assert_eq!((market(&nobody).quality(), nobody.records.len()), (None, 0));
    }

    #[test]
    fn it_pays_while_its_purse_lasts() {
        let mut stage = stage(&busy(), &[900_000], Rao(100_000_000));
        stage.play(200);
        let who = identity("customers", 0, None);
        let left = stage.state.free(&who.coldkey);
        assert_eq!(left, busy().reserve_rao.plus(EXISTENTIAL_DEPOSIT));
        assert_eq!(stage.refusals(), [""; 0]);
    }
}
