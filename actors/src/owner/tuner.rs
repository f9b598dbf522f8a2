//! `tuner`: an owner that holds, watches its subnet and turns its parameters by rules that anybody can follow, as often
//! as the chain lets an owner do so.

use super::estate::{Estate, Turn, own};
use crate::calendar::next_tick;
use crate::machine::{Context, Input, Machine};
use crate::registry::{InvalidSetting, ppm, within};
use crate::trade::part;
use protocol::call::{Call, Origin, Setting};
use protocol::hyperparameters::{table, timer_of};
use protocol::state::{Row, Subnet};
use protocol::units::{BLOCKS_PER_DAY, NetUid, Rao};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Blocks that an order may take to arrive.
const ARRIVES_BLOCKS: u64 = 3;
/// Rows of fewer validators are no sign of copying.
const ROWS_LEAST: usize = 3;
/// The chain wants a lowest burn below one TAO.
const MIN_BURN_MOST: Rao = Rao(999_999_999);

/// Settings of `tuner`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TunerSettings {
    /// Blocks between two looks, at least; a look comes after an epoch.
    pub interval_blocks: u64,
    /// Blocks back from a look in which registrations count.
    pub window_blocks: u64,
    /// Registrations in the window from which on they come too fast.
    pub registrations_high: u32,
    /// How far a look moves a parameter, in millionths of it.
    pub step_ppm: u32,
    /// Whether it raises `min_burn` when registrations come too fast and lowers it when slots stay empty.
    pub tunes_burn: bool,
    /// Lowest `min_burn` it sets, in rao.
    pub burn_min_rao: Rao,
    /// Highest `min_burn` it sets, in rao.
    pub burn_max_rao: Rao,
    /// Whether it raises `immunity_period` when registrations come too fast and lowers it when slots stay empty.
    pub tunes_immunity: bool,
    /// Lowest immunity period it sets, in blocks.
    pub immunity_min: u16,
    /// Highest immunity period it sets, in blocks.
    pub immunity_max: u16,
    /// Whether it turns `commit_reveal` on when validators copy.
    pub seals_rows: bool,
    /// Validators whose row is another one's too, in millionths of all with a row, from which on they copy.
    pub copies_ppm: u32,
    /// Whether it raises `min_allowed_weights` to half of the middle row's length.
    pub widens_rows: bool,
}

impl Default for TunerSettings {
    fn default() -> Self {
        Self {
            interval_blocks: 720,
            window_blocks: 720,
            registrations_high: 6,
            step_ppm: 250_000,
            tunes_burn: true,
            burn_min_rao: Rao(500_000),
            burn_max_rao: Rao(900_000_000),
            tunes_immunity: true,
            immunity_min: 1_000,
            immunity_max: 20_000,
            seals_rows: true,
            copies_ppm: 500_000,
            widens_rows: true,
        }
    }
}

impl TunerSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        let year = 365 * BLOCKS_PER_DAY;
        within("interval_blocks", self.interval_blocks, 1..=year, "1 block to 1 year")?;
        within("window_blocks", self.window_blocks, 1..=year, "1 block to 1 year")?;
        ppm("step_ppm", self.step_ppm)?;
        let most = MIN_BURN_MOST.0;
        within("burn_max_rao", self.burn_max_rao.0, 0..=most, "below 1 TAO")?;
        let most = self.burn_max_rao.0;
        within("burn_min_rao", self.burn_min_rao.0, 0..=most, "at most burn_max_rao")?;
        let most = self.immunity_max.into();
        within("immunity_min", self.immunity_min.into(), 0..=most, "at most immunity_max")?;
        ppm("copies_ppm", self.copies_ppm)
    }
}

/// An owner that turns parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tuner {
    settings: TunerSettings,
    estate: Estate,
}

/// Which way entry should go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    Harder,
    Easier,
}

impl Tuner {
    /// An owner that has not started.
    pub const fn new(settings: TunerSettings) -> Self {
        // It trades nothing.
        Self { settings, estate: Estate::new(0) }
    }

    /// Makes the first change that is due and that the chain would take.
    fn look(&self, context: &mut Context<'_>) {
        for netuid in own(context) {
            let Some(subnet) = context.view.state().subnet(netuid) else { continue };
            let due = [
                self.look_rows(netuid, subnet),
                self.look_widths(netuid, subnet),
                self.look_burn(netuid, subnet, context),
                self.look_immunity(netuid, subnet, context),
            ];
            let mut due = due.into_iter().flatten();
            if let Some(setting) = due.find(|setting| allowed(setting, netuid, subnet, context)) {
                context.submit(context.me.coldkey, Call::SudoSet(setting));
            }
        }
    }

    fn look_rows(&self, netuid: NetUid, subnet: &Subnet) -> Option<Setting> {
        let wanted = self.settings.seals_rows && !subnet.params.commit_reveal;
        let rows = if wanted { rows(subnet) } else { Vec::new() };
        let mut counts: BTreeMap<&Row, usize> = BTreeMap::new();
        rows.iter().for_each(|row| *counts.entry(row).or_default() += 1);
        let copied: usize = counts.values().filter(|count| **count > 1).sum();
        let enough = part(rows.len() as u64, self.settings.copies_ppm).max(2);
        let due = rows.len() >= ROWS_LEAST && copied as u64 >= enough;
        due.then_some(Setting::CommitRevealWeightsEnabled { netuid, value: true })
    }

    fn look_widths(&self, netuid: NetUid, subnet: &Subnet) -> Option<Setting> {
        let rows = if self.settings.widens_rows { rows(subnet) } else { Vec::new() };
        let mut widths: Vec<usize> = rows.iter().map(|row| row.len()).collect();
        widths.sort_unstable();
        let middle = widths.get(widths.len() / 2).filter(|_| widths.len() >= ROWS_LEAST)?;
        let value = u16::try_from(middle / 2).unwrap_or(u16::MAX);
        let due = value > subnet.params.min_allowed_weights;
        due.then_some(Setting::MinAllowedWeights { netuid, value })
    }

    fn look_burn(&self, netuid: NetUid, subnet: &Subnet, context: &Context<'_>) -> Option<Setting> {
        let entry = self.entry(subnet, context).filter(|_| self.settings.tunes_burn)?;
        let bounds = (self.settings.burn_min_rao.0, self.settings.burn_max_rao.0);
        let now = subnet.params.min_burn.0;
        let value = Rao(self.moved(now, bounds, entry)?);
        let fits = value < subnet.params.max_burn;
        fits.then_some(Setting::MinBurn { netuid, value })
    }

    fn look_immunity(
        &self,
        netuid: NetUid,
        subnet: &Subnet,
        context: &Context<'_>,
    ) -> Option<Setting> {
        let entry = self.entry(subnet, context).filter(|_| self.settings.tunes_immunity)?;
        let bounds = (self.settings.immunity_min.into(), self.settings.immunity_max.into());
        let moved = self.moved(subnet.params.immunity_period.into(), bounds, entry)?;
        let value = u16::try_from(moved).unwrap_or(u16::MAX);
        Some(Setting::ImmunityPeriod { netuid, value })
    }

    /// Too many came within the window, or nobody did and there is room.
    fn entry(&self, subnet: &Subnet, context: &Context<'_>) -> Option<Entry> {
        let neurons = &subnet.neurons;
        let height = context.view.state().height.0;
        let from = height.saturating_sub(self.settings.window_blocks);
        let came = neurons.registered_at.iter().filter(|at| **at > from).count();
        let room = neurons.len() < usize::from(subnet.params.max_allowed_uids);
        if came >= self.settings.registrations_high as usize {
            Some(Entry::Harder)
        } else {
            (came == 0 && room).then_some(Entry::Easier)
        }
    }

    /// A step up or down, within bounds; none where that changes nothing.
    fn moved(&self, now: u64, (least, most): (u64, u64), entry: Entry) -> Option<u64> {
        let step = part(now, self.settings.step_ppm).max(1);
        let next = match entry {
            Entry::Harder => now.saturating_add(step).clamp(least, most).max(now),
            Entry::Easier => now.saturating_sub(step).clamp(least, most).min(now),
        };
        (next != now).then_some(next)
    }
}

/// The rows of those who may set weights and have done so.
fn rows(subnet: &Subnet) -> Vec<&Row> {
    let Some(mechanism) = subnet.mechanism(0) else { return Vec::new() };
    let permits = subnet.neurons.validator_permit.iter();
    let permitted = mechanism.weights.iter().zip(permits).filter(|(_, permit)| **permit);
    permitted.map(|(row, _)| row).filter(|row| !row.is_empty()).collect()
}

/// Whether the chain lets this owner make the change in one of the next blocks: its own pause is over, and the blocks
/// before the epoch are far enough.
pub(crate) fn allowed(
    setting: &Setting,
    netuid: NetUid,
    subnet: &Subnet,
    context: &Context<'_>,
) -> bool {
    let (state, origin) = (context.view.state(), Origin::Signed(context.me.coldkey));
    let next = state.height.0 + 1;
    let rested =
        timer_of(state, table::of(setting), origin, netuid).is_none_or(|(stamp, pause)| {
            let last = subnet.stamps.get(&stamp).copied().unwrap_or(0);
            last == 0 || next.saturating_sub(last) >= pause
        });
    let open = next_tick(netuid, subnet.params.tempo, state.height.0).is_none_or(|tick| {
        tick - next >= u64::from(state.global.admin_freeze_window) + ARRIVES_BLOCKS
    });
    rested && open
}

impl Machine for Tuner {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        if self.estate.turn(input, self.settings.interval_blocks, context) == Turn::Look {
            self.estate.run(context);
            self.look(context);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Seated;
    use crate::miner::QualitySettings;
    use crate::registry::BehaviourSettings;
    use crate::stage::{Stage, TEMPO, enter, fund, identity, subnet_of};
    use crate::validator::SamplerSettings;
    use protocol::state::State;
    use protocol::units::Alpha;

    const EPOCH: u64 = TEMPO as u64 + 1;

    /// A rule at a time: none is on.
    fn settings() -> TunerSettings {
        TunerSettings {
            interval_blocks: 10,
            window_blocks: 30,
            registrations_high: 3,
            tunes_burn: false,
            tunes_immunity: false,
            seals_rows: false,
            widens_rows: false,
            ..TunerSettings::default()
        }
    }

    /// Three validators, eight miners and an owner, on a chain that is frozen for two blocks before an epoch.
    fn stage(settings: TunerSettings, change: fn(&mut Subnet)) -> Stage {
        let netuid = NetUid(1);
        let validators = vec![BehaviourSettings::Sampler(SamplerSettings::default()); 3];
        let spread_ppm = 0;
        let miner = QualitySettings { spread_ppm, noise_ppm: 0, ..QualitySettings::default() };
        let miners = vec![BehaviourSettings::Quality(miner); 8];
        let (mut state, mut seats) = subnet_of(&validators, &miners);
        state.global.admin_freeze_window = 2;
        let owner = identity("owners", 0, Some(netuid));
        enter(&mut state, &owner, netuid, Alpha::ZERO, false);
        fund(&mut state, &owner, Rao::whole(1));
        let subnet = state.subnets.get_mut(&netuid).expect("it was made");
        subnet.info.owner = Some(owner.coldkey);
        subnet.info.owner_hotkey = Some(owner.hotkey);
        change(subnet);
        seats.push(Seated::new(owner, BehaviourSettings::Tuner(settings).build()));
        Stage::new(state, seats, 1)
    }

    fn params(state: &State) -> &protocol::state::Params {
        &state.subnets[&NetUid(1)].params
    }

    /// What one rule has done after some blocks, where all registrations are young for 30 blocks.
    #[test]
    fn registrations_that_come_too_fast_make_entry_harder_and_empty_slots_make_it_easier() {
        let mut stage = stage(
            TunerSettings { tunes_burn: true, tunes_immunity: true, ..settings() },
            |subnet| subnet.neurons.registered_at.fill(20),
        );
        let (burn, immunity) =
            (params(&stage.state).min_burn, params(&stage.state).immunity_period);
        stage.play(4 * EPOCH);
        let (high, long) = (params(&stage.state).min_burn, params(&stage.state).immunity_period);
        assert!(high > burn && long > immunity, "{high} {long}");
        stage.play(12 * EPOCH);
        let (low, short) = (params(&stage.state).min_burn, params(&stage.state).immunity_period);
        assert!(low < high && short < long, "{low} {short}");
        assert!(low >= settings().burn_min_rao && short >= settings().immunity_min);
        assert_eq!(stage.refusals(), [""; 0]);
    }

    #[test]
    fn copied_rows_are_sealed_and_own_ones_are_not() {
        let seals = TunerSettings { seals_rows: true, ..settings() };
        let mut copied = stage(seals.clone(), |_| {});
        copied.play(5 * EPOCH);
        assert!(params(&copied.state).commit_reveal, "all miners are alike, so all rows are");
        let changes = copied.count("sudo_set_commit_reveal_weights_enabled");
        assert_eq!((changes, copied.refusals()), (1, vec![]));
        let mut own = stage(TunerSettings { copies_ppm: 1_000_000, ..seals }, |subnet| {
            subnet.params.weights_set_rate_limit = 10_000;
            subnet.mechanisms[0].last_update[..3].fill(1);
            for (uid, row) in subnet.mechanisms[0].weights[..3].iter_mut().enumerate() {
                *row = vec![(3, 10), (4, uid as u16)];
            }
        });
        own.play(5 * EPOCH);
        assert!(!params(&own.state).commit_reveal);
    }

    #[test]
    fn short_rows_are_to_be_half_as_long_as_the_middle_one() {
        let mut stage = stage(TunerSettings { widens_rows: true, ..settings() }, |_| {});
        stage.play(5 * EPOCH);
        assert_eq!(params(&stage.state).min_allowed_weights, 4);
        assert_eq!(stage.refusals(), [""; 0]);
    }

    #[test]
    fn it_changes_a_parameter_no_more_often_than_the_chain_lets_it() {
        let mut stage = stage(TunerSettings { tunes_burn: true, ..settings() }, |subnet| {
            subnet.params.min_burn = Rao(800_000_000);
        });
        stage.state.global.owner_hyperparam_rate_limit = 5;
        let seats = stage.hosts[0].checkpoint().seats;
        let mut slow = Stage::new(stage.state, seats, 1);
        slow.play(15 * EPOCH);
        // Five tempos are fifty blocks, and a look comes every eleven.
        assert_eq!((slow.count("sudo_set_min_burn"), slow.refusals()), (3, vec![]));
    }
}
