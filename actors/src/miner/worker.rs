//! `worker`: a miner that lives on what it earns. It keeps books, puts money into its quality while that pays, neglects
//! its work when it does not, and may look for a place elsewhere.

use super::{PERFECT_PPM, Quality, QualitySettings};
use crate::calendar::gap_ms;
use crate::entry::{admits, miner_day_rao};
use crate::machine::{Context, Input, Machine};
use crate::registry::{InvalidSetting, ppm, within};
use crate::trade::{Desk, early_in_epoch_ms, part, worth};
use protocol::balances::EXISTENTIAL_DEPOSIT;
use protocol::call::Call;
use protocol::envelope::Body;
use protocol::rejection::Outcome;
use protocol::state::State;
use protocol::units::{Alpha, BLOCK_MS, BLOCKS_PER_DAY, NetUid, Rao};
use serde::{Deserialize, Serialize};

const PPM: u64 = 1_000_000;
const DAY_MS: u64 = BLOCKS_PER_DAY * BLOCK_MS;
/// Tags below are those of the answers it works on.
const TAG_LOOK: u64 = 1 << 63;
const TAG_OUTAGE: u64 = 1 << 62;

const DRAW_GAP: u64 = 8 << 56;
const DRAW_OUTAGE: u64 = 9 << 56;

/// Settings of `worker`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkerSettings {
    /// Mean of the group's qualities when they begin, in millionths of a perfect answer.
    pub mean_ppm: u32,
    /// Their standard deviation, in millionths.
    pub spread_ppm: u32,
    /// Standard deviation of an answer's value around the quality, in millionths.
    pub noise_ppm: u32,
    /// Shortest time of work on an answer, in milliseconds.
    pub work_ms_min: u64,
    /// Longest time of work on an answer, in milliseconds; drawn uniformly per query.
    pub work_ms_max: u64,
    /// Part of the time in which it can be reached, in millionths.
    pub uptime_ppm: u32,
    /// Mean length of an outage, in blocks.
    pub outage_blocks: u64,
    /// Blocks between two looks at its books, at least; a look comes early in a tempo.
    pub interval_blocks: u64,
    /// What its work costs per day when it begins, in rao; it is paid outside the network.
    pub cost_rao: Rao,
    /// Part of what its quality lacks that an investment closes, in millionths.
    pub invest_ppm: u32,
    /// By how much an investment raises its cost, in millionths.
    pub invest_cost_ppm: u32,
    /// It invests when it earns this many millionths of its cost, or more.
    pub margin_ppm: u32,
    /// What its quality loses per day while it does not invest, in millionths.
    pub decay_ppm: u32,
    /// Blocks of loss after which it stops working.
    pub patience_blocks: u64,
    /// Part of what it earned that it sells at each look, in millionths.
    pub sell_ppm: u32,
    /// How far a sale may move the price, in millionths.
    pub slippage_ppm: u32,
    /// Whether it looks for another place when it has none or works no more.
    pub roams: bool,
    /// Days over which it counts what a place would earn against its burn and its cost.
    pub horizon_days: u32,
    /// Free TAO it never burns, in rao.
    pub reserve_rao: Rao,
    /// Whether the group begins without places.
    pub starts_outside: bool,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            mean_ppm: 500_000,
            spread_ppm: 150_000,
            noise_ppm: 20_000,
            work_ms_min: 500,
            work_ms_max: 3_000,
            uptime_ppm: 990_000,
            outage_blocks: 100,
            interval_blocks: 3_600,
            cost_rao: Rao(100_000_000),
            invest_ppm: 50_000,
            invest_cost_ppm: 50_000,
            margin_ppm: 1_500_000,
            decay_ppm: 10_000,
            patience_blocks: 2 * BLOCKS_PER_DAY,
            sell_ppm: 500_000,
            slippage_ppm: 20_000,
            roams: false,
            horizon_days: 10,
            reserve_rao: Rao(100_000_000),
            starts_outside: false,
        }
    }
}

impl WorkerSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        let year = 365 * BLOCKS_PER_DAY;
        self.answers().check()?;
        within("uptime_ppm", self.uptime_ppm.into(), 1..=PPM, "1 to 1000000 (a whole)")?;
        within("outage_blocks", self.outage_blocks, 1..=year, "1 block to 1 year")?;
        within("interval_blocks", self.interval_blocks, 1..=year, "1 block to 1 year")?;
        ppm("invest_ppm", self.invest_ppm)?;
        ppm("invest_cost_ppm", self.invest_cost_ppm)?;
        ppm("decay_ppm", self.decay_ppm)?;
        ppm("sell_ppm", self.sell_ppm)?;
        ppm("slippage_ppm", self.slippage_ppm)?;
        within("horizon_days", self.horizon_days.into(), 1..=3_650, "1 to 3650")
    }

    /// How it answers.
    const fn answers(&self) -> QualitySettings {
        QualitySettings {
            mean_ppm: self.mean_ppm,
            spread_ppm: self.spread_ppm,
            drift_ppm: 0,
            noise_ppm: self.noise_ppm,
            work_ms_min: self.work_ms_min,
            work_ms_max: self.work_ms_max,
            step_quality: None,
        }
    }
}

/// Whether a worker works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mood {
    /// It answers.
    Working,
    /// It has a place but does nothing for it.
    Neglecting,
    /// It has no place.
    Away,
}

/// An order without a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Open {
    Sale,
    Entry { netuid: NetUid, burn: Rao },
}

/// A miner that lives on what it earns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worker {
    settings: WorkerSettings,
    /// Its answers and its quality.
    answers: Quality,
    home: Option<NetUid>,
    mood: Mood,
    reachable: bool,
    /// What its work costs per day now.
    cost: Rao,
    /// What it earned, less its cost and its burns, in rao.
    profit: i64,
    /// Alpha at home when it last looked.
    seen: Alpha,
    looked_ms: u64,
    /// Since when it makes a loss.
    loss_since_ms: Option<u64>,
    open: Option<Open>,
}

impl Worker {
    /// A miner that has not started.
    pub const fn new(settings: WorkerSettings) -> Self {
        let answers = Quality::new(settings.answers());
        let cost = settings.cost_rao;
        Self {
            settings,
            answers,
            home: None,
            mood: Mood::Away,
            reachable: true,
            cost,
            profit: 0,
            seen: Alpha::ZERO,
            looked_ms: 0,
            loss_since_ms: None,
            open: None,
        }
    }

    /// Whether it works.
    pub const fn mood(&self) -> Mood {
        self.mood
    }

    /// Where it has its place.
    pub const fn home(&self) -> Option<NetUid> {
        self.home
    }

    /// What it earned, less its cost and its burns, in rao.
    pub const fn profit(&self) -> i64 {
        self.profit
    }

    /// Its quality now, in millionths.
    pub const fn quality_ppm(&self) -> u32 {
        self.answers.quality_ppm()
    }

    fn enter(&mut self, context: &mut Context<'_>) {
        self.settle_in(context.me.netuid, context);
        if self.settings.uptime_ppm < PERFECT_PPM {
            self.wake_outage(context);
        }
        self.wake_look(context);
    }

    /// Begins to work somewhere, or nowhere.
    fn settle_in(&mut self, home: Option<NetUid>, context: &Context<'_>) {
        self.home = home;
        self.mood = if home.is_some() { Mood::Working } else { Mood::Away };
        self.answers.enter(context);
        self.cost = self.settings.cost_rao;
        self.seen = self.held(context);
        self.looked_ms = context.now_ms;
        self.loss_since_ms = None;
    }

    fn held(&self, context: &Context<'_>) -> Alpha {
        let (state, me) = (context.view.state(), context.me);
        self.home.map_or(Alpha::ZERO, |home| state.stake(&me.hotkey, &me.coldkey, home))
    }

    fn wake_look(&self, context: &mut Context<'_>) {
        let interval = self.settings.interval_blocks;
        let mut dice = context.dice(DRAW_GAP);
        let at_ms = match self.home {
            Some(home) => early_in_epoch_ms(context, home, interval, &mut dice),
            None => context.now_ms.saturating_add(gap_ms(&mut dice, interval)),
        };
        context.wake(at_ms, TAG_LOOK);
    }

    /// Draws when the next outage begins or the present one ends.
    fn wake_outage(&self, context: &mut Context<'_>) {
        let down = PERFECT_PPM - self.settings.uptime_ppm;
        let outage = self.settings.outage_blocks;
        let up = outage.saturating_mul(self.settings.uptime_ppm.into()) / u64::from(down.max(1));
        let mean = if self.reachable { up } else { outage };
        let wait_ms = gap_ms(&mut context.dice(DRAW_OUTAGE), mean);
        context.wake(context.now_ms.saturating_add(wait_ms), TAG_OUTAGE);
    }

    fn look(&mut self, context: &mut Context<'_>) {
        self.open = None;
        let (state, hotkey) = (context.view.state(), context.me.hotkey);
        let subnet = self.home.and_then(|home| state.subnet(home));
        if subnet.is_none_or(|subnet| subnet.neurons.uid(&hotkey).is_none()) {
            (self.home, self.mood) = (None, Mood::Away);
        }
        let earned = self.home.map_or(Alpha::ZERO, |home| self.look_books(home, context));
        if self.settings.roams && self.mood != Mood::Working {
            self.look_around(context);
        }
        if let (Some(home), None) = (self.home, self.open) {
            self.look_sell(home, earned, context);
        }
        self.wake_look(context);
    }

    /// Books what came in and what it cost, draws the conclusions, and tells the alpha that came in.
    fn look_books(&mut self, home: NetUid, context: &Context<'_>) -> Alpha {
        let state = context.view.state();
        let Some(subnet) = state.subnet(home) else { return Alpha::ZERO };
        let held = self.held(context);
        let earned = held.minus(self.seen);
        let spent_ms = context.now_ms - self.looked_ms;
        (self.seen, self.looked_ms) = (held, context.now_ms);
        let income = worth(subnet, earned);
        let working = self.mood == Mood::Working;
        let cost = if working { over(self.cost, spent_ms) } else { Rao::ZERO };
        self.book(i128::from(income.0) - i128::from(cost.0));
        if working {
            self.look_quality(income, cost, spent_ms, context);
        }
        earned
    }

    fn look_sell(&mut self, home: NetUid, earned: Alpha, context: &mut Context<'_>) {
        let alpha = Alpha(part(earned.0, self.settings.sell_ppm));
        if let Some(order) = self.desk(home, context).sell(context.view.state(), alpha) {
            context.submit(context.me.coldkey, order.call);
            self.open = Some(Open::Sale);
        }
    }

    /// Invests while it pays; otherwise lets its quality go, and after enough loss its work.
    fn look_quality(&mut self, income: Rao, cost: Rao, spent_ms: u64, context: &Context<'_>) {
        let quality = u64::from(self.answers.quality_ppm);
        let (step, more) = (self.settings.invest_ppm, self.settings.invest_cost_ppm);
        let enough = u128::from(cost.0) * u128::from(self.settings.margin_ppm) / u128::from(PPM);
        let next = if income > Rao::ZERO && u128::from(income.0) >= enough {
            self.cost = self.cost.plus(Rao(part(self.cost.0, more)));
            quality + part(u64::from(PERFECT_PPM) - quality, step)
        } else {
            let cheaper = self.cost.minus(Rao(part(self.cost.0, more)));
            self.cost = cheaper.max(self.settings.cost_rao);
            let lost_per_day = part(quality, self.settings.decay_ppm);
            quality.saturating_sub(over(Rao(lost_per_day), spent_ms).0)
        };
        // Between nothing and a perfect answer.
        self.answers.quality_ppm = next as u32;
        if income >= cost {
            self.loss_since_ms = None;
            return;
        }
        let since = *self.loss_since_ms.get_or_insert(context.now_ms - spent_ms);
        let patience_ms = self.settings.patience_blocks.saturating_mul(BLOCK_MS);
        if context.now_ms - since >= patience_ms {
            self.mood = Mood::Neglecting;
        }
    }

    fn book(&mut self, rao: i128) {
        let sum = i128::from(self.profit) + rao;
        self.profit = i64::try_from(sum).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX });
    }

    /// Registers on the subnet where a place earns most over its horizon, less the burn, if that is more than its cost.
    fn look_around(&mut self, context: &mut Context<'_>) {
        let state = context.view.state();
        let me = context.me;
        let spendable = state.free(&me.coldkey).minus(self.settings.reserve_rao);
        let spendable = spendable.minus(EXISTENTIAL_DEPOSIT);
        let subnets = state.networks().filter(|(netuid, subnet)| {
            subnet.emits()
                && subnet.fast.burn <= spendable
                && admits(state, *netuid, &me.hotkey, me.coldkey)
        });
        let least = i128::from(self.settings.cost_rao.0) * i128::from(self.settings.horizon_days);
        let best = subnets
            .map(|(netuid, subnet)| (self.prospect(state, netuid), netuid, subnet.fast.burn))
            .filter(|(prospect, ..)| *prospect > least)
            // Of equals the lowest.
            .max_by_key(|(prospect, netuid, _)| (*prospect, std::cmp::Reverse(*netuid)));
        if let Some((_, netuid, burn)) = best {
            context.submit(me.coldkey, Call::BurnedRegister { netuid, hotkey: me.hotkey });
            self.open = Some(Open::Entry { netuid, burn });
        }
    }

    fn prospect(&self, state: &State, netuid: NetUid) -> i128 {
        let Some(subnet) = state.subnet(netuid) else { return 0 };
        let earns = i128::from(miner_day_rao(state, subnet).0);
        earns * i128::from(self.settings.horizon_days) - i128::from(subnet.fast.burn.0)
    }

    const fn desk(&self, netuid: NetUid, context: &Context<'_>) -> Desk {
        let (hotkey, coldkey) = (context.me.hotkey, context.me.coldkey);
        Desk { netuid, hotkey, coldkey, slippage_ppm: self.settings.slippage_ppm }
    }

    fn settle(&mut self, outcome: Outcome, context: &mut Context<'_>) {
        match self.open.take() {
            Some(Open::Sale) => self.seen = self.held(context),
            Some(Open::Entry { netuid, burn }) if outcome == Outcome::Ok => {
                self.book(-i128::from(burn.0));
                self.settle_in(Some(netuid), context);
            }
            Some(Open::Entry { .. }) | None => {}
        }
    }

    /// Whether it is there for this query or this answer.
    fn is_there(&self, input: &Input<'_>) -> bool {
        let meant = match input {
            Input::Message(envelope) => match envelope.body {
                Body::Query { netuid, .. } => self.home == Some(netuid),
                Body::Answer { .. } => false,
            },
            _ => true,
        };
        meant && self.reachable && self.mood == Mood::Working
    }
}

/// What a daily amount comes to over some time, rounded down.
fn over(per_day: Rao, ms: u64) -> Rao {
    let rao = u128::from(per_day.0) * u128::from(ms) / u128::from(DAY_MS);
    Rao(u64::try_from(rao).unwrap_or(u64::MAX))
}

impl Machine for Worker {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        match input {
            Input::Start => self.enter(context),
            Input::Timer { tag: TAG_LOOK } => self.look(context),
            Input::Timer { tag: TAG_OUTAGE } => {
                self.reachable = !self.reachable;
                self.wake_outage(context);
            }
            Input::Receipt(receipt) => self.settle(receipt.outcome, context),
            Input::Timer { tag } if !self.is_there(input) => {
                self.answers.jobs.remove(tag);
            }
            Input::Message(_) if !self.is_there(input) => {}
            Input::Timer { .. } | Input::Message(_) => self.answers.step(input, context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Seated;
    use crate::machine::Identity;
    use crate::registry::{BehaviourSettings, Player};
    use crate::stage::{Stage, TEMPO, enter, fund, genesis, identity, subnet_of};
    use crate::validator::SamplerSettings;

    const EPOCH: u64 = TEMPO as u64 + 1;

    fn settings() -> WorkerSettings {
        WorkerSettings {
            spread_ppm: 0,
            noise_ppm: 0,
            uptime_ppm: 1_000_000,
            interval_blocks: 10,
            cost_rao: Rao::whole(1),
            decay_ppm: 500_000,
            patience_blocks: 60,
            ..WorkerSettings::default()
        }
    }

    /// A subnet with two validators and workers of these settings.
    fn stage(workers: &[WorkerSettings]) -> Stage {
        let validators = vec![BehaviourSettings::Sampler(SamplerSettings::default()); 2];
        let workers: Vec<BehaviourSettings> =
            workers.iter().cloned().map(BehaviourSettings::Worker).collect();
        let (state, seats) = subnet_of(&validators, &workers);
        Stage::new(state, seats, 1)
    }

    fn worker<'a>(stage: &'a Stage, who: &Identity) -> &'a Worker {
        match stage.player(who.id) {
            Player::Worker(worker) => worker,
            other => panic!("{other:?} is no worker"),
        }
    }

    #[test]
    fn one_that_earns_invests_with_less_and_less_effect_and_sells_a_part() {
        let mut stage = stage(&[settings()]);
        let who = identity("miners", 0, None);
        let mut before = worker(&stage, &who).quality_ppm();
        let mut steps = Vec::new();
        for _ in 0..10 {
            stage.play(EPOCH);
            let now = worker(&stage, &who).quality_ppm();
            steps.push(now.saturating_sub(before));
            before = now;
        }
        let raised: Vec<u32> = steps.into_iter().filter(|step| *step > 0).collect();
        assert!(raised.len() >= 4, "{raised:?}");
        assert!(raised.windows(2).all(|pair| pair[1] < pair[0]), "{raised:?}");
        assert!(worker(&stage, &who).profit() > 0);
        let free = stage.state.free(&who.coldkey);
        let kept = stage.state.stake(&who.hotkey, &who.coldkey, NetUid(1));
        assert!(free > Rao::ZERO && kept > Alpha::ZERO, "{free} {kept}");
        assert_eq!(stage.refusals(), [""; 0]);
    }

    #[test]
    fn one_that_loses_lets_go_and_then_answers_no_more() {
        // A thousand TAO a day are more than the whole subnet mints.
        let dear = WorkerSettings { cost_rao: Rao::whole(10_000), ..settings() };
        let mut stage = stage(&[dear, settings()]);
        let (loser, winner) = (identity("miners", 0, None), identity("miners", 1, None));
        stage.play(5 * EPOCH);
        assert_eq!(worker(&stage, &loser).mood(), Mood::Working, "it is patient");
        stage.play(7 * EPOCH);
        assert_eq!(worker(&stage, &loser).mood(), Mood::Neglecting);
        assert!(worker(&stage, &loser).quality_ppm() < settings().mean_ppm);
        assert!(worker(&stage, &loser).profit() < 0);
        let slices = stage.done.len();
        stage.play(4 * EPOCH);
        let answers = |who: &Identity| {
            let sent = stage.done[slices..].iter().flat_map(|done| &done.outgoing);
            sent.filter(|sent| sent.sender == who.id).count()
        };
        assert_eq!(answers(&loser), 0);
        assert!(answers(&winner) > 0);
    }

    #[test]
    fn outages_take_their_part_of_the_time() {
        let unsteady = WorkerSettings { uptime_ppm: 500_000, outage_blocks: 3, ..settings() };
        let mut stage = stage(&[unsteady, settings()]);
        stage.play(40 * EPOCH);
        let answers = |index| {
            let who = identity("miners", index, None);
            let sent = stage.done.iter().flat_map(|done| &done.outgoing);
            sent.filter(|sent| sent.sender == who.id).count()
        };
        let (unsteady, steady) = (answers(0), answers(1));
        assert!(unsteady * 4 > steady && unsteady * 4 < steady * 3, "{unsteady} of {steady}");
    }

    /// Two subnets with a validator each, and workers on one of them or on none.
    fn frontier(workers: &[(WorkerSettings, Option<NetUid>)]) -> Stage {
        let mut state = genesis(2);
        let mut seats = Vec::new();
        for netuid in (1..=2).map(NetUid) {
            let who = identity("validators", u64::from(netuid.0), Some(netuid));
            enter(&mut state, &who, netuid, Alpha::whole(1_000), true);
            let player = BehaviourSettings::Sampler(SamplerSettings::default()).build();
            seats.push(Seated::new(who, player));
            let subnet = state.subnets.get_mut(&netuid).expect("it was made");
            subnet.fast.alpha_out_emission = Alpha::whole(1);
            subnet.fast.burn = Rao::whole(2);
        }
        for (index, (settings, home)) in (0..).zip(workers) {
            let who = identity("workers", index, *home);
            if let Some(home) = home {
                enter(&mut state, &who, *home, Alpha::ZERO, false);
            }
            fund(&mut state, &who, Rao::whole(10));
            seats.push(Seated::new(who, BehaviourSettings::Worker(settings.clone()).build()));
        }
        Stage::new(state, seats, 1)
    }

    #[test]
    fn one_without_a_place_registers_and_works_where_it_earns_most() {
        let roaming = WorkerSettings {
            roams: true,
            starts_outside: true,
            interval_blocks: 2,
            horizon_days: 1_000,
            ..settings()
        };
        let homely = WorkerSettings { roams: false, ..roaming.clone() };
        let poor = WorkerSettings { reserve_rao: Rao::whole(9), ..roaming.clone() };
        let dear = WorkerSettings { cost_rao: Rao::whole(1_000_000), ..roaming.clone() };
        let mut stage = frontier(&[roaming, homely, poor, dear].map(|settings| (settings, None)));
        stage.play(6);
        let home = |index| worker(&stage, &identity("workers", index, None)).home();
        assert!(home(0).is_some());
        assert_eq!([home(1), home(2), home(3)], [None; 3]);
        assert_eq!(stage.count("burned_register"), 1);
        let who = identity("workers", 0, None);
        assert!(worker(&stage, &who).profit() <= -2_000_000_000, "it paid the burn");
        stage.play(6 * EPOCH);
        let netuid = worker(&stage, &who).home().expect("it has one");
        let uid = stage.state.subnets[&netuid].neurons.uid(&who.hotkey).expect("it is there");
        let emission = stage.state.subnets[&netuid].neurons.emission[usize::from(uid)];
        assert!(emission > Alpha::ZERO, "it earns");
        assert_eq!(stage.refusals(), [""; 0]);
    }

    #[test]
    fn one_that_neglects_its_place_enters_another() {
        let patience_blocks = 30;
        let strong = WorkerSettings { mean_ppm: 900_000, ..settings() };
        // Alone on a subnet a miner earns some 300 TAO a day.
        let cost_rao = Rao::whole(50);
        let weak = WorkerSettings {
            mean_ppm: 50_000,
            roams: true,
            cost_rao,
            patience_blocks,
            ..settings()
        };
        let home = Some(NetUid(1));
        let mut stage = frontier(&[(strong, home), (weak, home)]);
        let who = identity("workers", 1, None);
        stage.play(2 * EPOCH);
        assert_eq!(worker(&stage, &who).home(), home);
        stage.play(8 * EPOCH);
        assert_eq!(worker(&stage, &who).home(), Some(NetUid(2)));
        assert_eq!(worker(&stage, &who).mood(), Mood::Working);
        assert_eq!((stage.count("burned_register"), stage.refusals()), (1, vec![]));
    }
}
