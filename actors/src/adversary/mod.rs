//! Adversaries: players that do one wrong thing each, and are what their honest counterpart is up to then.
//!
//! Each is a player like any other: it sees what players see, says what players say, and the chain treats its orders as
//! anybody's. The first line of each file says exactly what its player does wrong. Here is what several share.
//!
//! What belongs here: wrong-doing. What does not: how it is measured, and against what.

/// Relays another miner's answers.
mod answer_copier;
/// Reveals what it committed wrongly.
mod bad_revealer;
/// Hedges on all miners and switches late.
mod bonds_gamer;
/// Weighs the cabal's own miners.
mod cabal;
/// Takes from its parents in the blocks of an epoch.
mod childkey_abuser;
/// Commits and does not reveal.
mod commit_withholder;
/// Pushes a subnet out and takes its slot.
mod dereg_sniper;
/// Buys the majority and does as it likes with it.
mod dictator;
/// Sells everything at once.
mod dump_whale;
/// Goes in and out around the flow average.
mod flow_recycler;
/// Turns its subnet's parameters against those in it.
mod hyperparameter_rugger;
/// Keeps the price of subnets high.
mod lock_cost_griefer;
/// Routes all incentive to its own key.
mod miner_burner;
/// Scores with an old metagraph or an old version key.
mod outdated;
/// Moves stake between hotkeys before each epoch.
mod permit_hopper;
/// Fires at the start of each registration interval.
mod registration_bot;
/// Buys before and sells after a regular buyer.
mod sandwicher;
/// Weighs its own key or a sister's.
mod self_weighter;
/// Stops setting weights.
mod sleeper;
/// Floods the chain and its subnet.
mod spammer;
/// Copies what was last revealed.
mod stale_copier;
/// Answers late and too often while a rival wins.
mod staller;
/// Many uids with one answer.
mod sybil;
/// Takes a uid that unrevealed rows point to.
mod vacancy_sniper;
/// Copies weights.
mod weight_copier;

/// How somebody comes to a majority of a subnet's stake.
mod majority;

/// A subnet under attack, for the tests of adversaries.
#[cfg(test)]
mod arena;

pub use answer_copier::{AnswerCopier, AnswerCopierSettings};
pub use bad_revealer::{BadRevealer, BadRevealerSettings};
pub use bonds_gamer::{BondsGamer, BondsGamerSettings};
pub use cabal::{Cabal, CabalSettings};
pub use childkey_abuser::{ChildkeyAbuser, ChildkeyAbuserSettings};
pub use commit_withholder::{CommitWithholder, CommitWithholderSettings};
pub use dereg_sniper::{DeregSniper, DeregSniperSettings};
pub use dictator::{Dictator, DictatorSettings};
pub use dump_whale::{DumpWhale, DumpWhaleSettings};
pub use flow_recycler::{FlowRecycler, FlowRecyclerSettings};
pub use hyperparameter_rugger::{HyperparameterRugger, HyperparameterRuggerSettings};
pub use lock_cost_griefer::{LockCostGriefer, LockCostGrieferSettings};
pub use miner_burner::{MinerBurner, MinerBurnerSettings};
pub use outdated::{Outdated, OutdatedSettings};
pub use permit_hopper::{PermitHopper, PermitHopperSettings};
pub use registration_bot::{RegistrationBot, RegistrationBotSettings};
pub use sandwicher::{Sandwicher, SandwicherSettings};
pub use self_weighter::{SelfWeighter, SelfWeighterSettings};
pub use sleeper::{Sleeper, SleeperSettings};
pub use spammer::{Spammer, SpammerSettings};
pub use stale_copier::{StaleCopier, StaleCopierSettings};
pub use staller::{Staller, StallerSettings};
pub use sybil::{Sybil, SybilSettings};
pub use vacancy_sniper::{VacancySniper, VacancySniperSettings};
pub use weight_copier::{WeightCopier, WeightCopierSettings};

use crate::calendar::{block_ms, gap_ms, next_tick};
use crate::commitment::Intent;
use crate::entry::admits;
use crate::machine::{Context, Identity, Input, Machine, Output};
use crate::owner::Hold;
use crate::registry::{InvalidSetting, check_interval, within};
use crate::settings::settings;
use crate::validator::{Revision, Sampler, scaled};
use protocol::balances::EXISTENTIAL_DEPOSIT;
use protocol::call::Call;
use protocol::dice::{Key, account_of};
use protocol::state::{State, Subnet};
use protocol::units::{AccountId, NetUid, Rao};

const PPM: u64 = 1_000_000;
/// Timers with this bit are an adversary's own; those below belong to the machine it acts through.
const TAG_OWN: u64 = 1 << 63;
/// The members that a group has on one subnet are numbered in these bits of their index; those above are the subnet's.
const NUMBER_BITS: u64 = 0xFFFF;
/// Members or keys of one mind at most.
const MEMBERS_MAX: u64 = 256;

const DRAW_GAP: u64 = 16 << 56;

/// Lets a sampler take an input with its rows revised, and says what it would say as far as `says` holds.
fn act_through(
    sampler: &mut Sampler,
    input: &Input<'_>,
    context: &mut Context<'_>,
    revise: &mut Revision<'_>,
    says: impl FnMut(&Output) -> bool,
) {
    let said = context.inside(context.me, |inner| sampler.step_revised(input, inner, revise));
    context.outputs.extend(said.into_iter().filter(says));
}

/// The revision of who sets honest rows.
fn unrevised(honest: Intent, _: &Subnet, _: &Context<'_>) -> Option<Intent> {
    Some(honest)
}

/// Whether an output sends a message.
const fn is_message(output: &Output) -> bool {
    matches!(output, Output::Send { .. })
}

/// A row with other parts: the largest becomes 65,535, what rounds to nothing is left out. `None` if nothing is left.
fn reweighed(intent: Intent, parts: Vec<(u16, u64)>) -> Option<Intent> {
    let (uids, values) = scaled(parts);
    let any = !uids.is_empty();
    any.then_some(Intent { uids, values, ..intent })
}

/// A row of which `share_ppm` goes to `favoured` in equal parts and the rest as it was; an empty row goes to them whole,
/// and without them it stays as it is.
fn favouring(intent: Intent, favoured: &[u16], share_ppm: u32) -> Option<Intent> {
    if favoured.is_empty() {
        return Some(intent);
    }
    // Parts of 10¹², whatever the sums.
    let sum: u64 = intent.values.iter().copied().map(u64::from).sum();
    let share = if sum == 0 { PPM } else { u64::from(share_ppm) };
    let rest = |value: u16| u64::from(value) * (PPM - share) * PPM / sum.max(1);
    let honest = intent.uids.iter().zip(&intent.values);
    let mut parts: Vec<(u16, u64)> = honest.map(|(uid, value)| (*uid, rest(*value))).collect();
    let each = share * PPM / favoured.len() as u64;
    for uid in favoured {
        match parts.iter_mut().find(|(known, _)| known == uid) {
            Some((_, part)) => *part += each,
            None => parts.push((*uid, each)),
        }
    }
    parts.sort_unstable();
    // Below 2⁴⁸, as scaling wants it.
    reweighed(intent, parts)
}

/// The index that the first member of a player's group has on the player's subnet.
const fn first_index(me: &Identity) -> u64 {
    me.index & !NUMBER_BITS
}

/// The identity of a member of the player's group on its subnet, by its number there.
fn member(me: &Identity, number: u64) -> Identity {
    Identity::new(&me.group, first_index(me) | number, me.netuid)
}

/// A further hotkey of a player; number 0 is its own.
fn hotkey_of(me: &Identity, number: u64) -> AccountId {
    account_of(&me.group, me.index, Key::Hot, number)
}

/// The first of a player's hotkeys `from..=to` that has no place on a subnet.
fn homeless(me: &Identity, subnet: &Subnet, from: u64, to: u64) -> Option<AccountId> {
    (from..=to).map(|number| hotkey_of(me, number)).find(|key| subnet.neurons.uid(key).is_none())
}

/// The player's subnet.
fn own_subnet<'a>(context: &Context<'a>) -> Option<(NetUid, &'a Subnet)> {
    let netuid = context.me.netuid?;
    context.view.state().subnet(netuid).map(|subnet| (netuid, subnet))
}

/// Keeps a rhythm of random moments with timers of a tag, and says whether it is time to look; the start is none.
fn time_to_look(
    input: &Input<'_>,
    tag: u64,
    interval_blocks: u64,
    context: &mut Context<'_>,
) -> bool {
    let looks = matches!(input, Input::Timer { tag: fired } if *fired == tag);
    if looks || matches!(input, Input::Start) {
        let gap_ms = gap_ms(&mut context.dice(DRAW_GAP), interval_blocks);
        context.wake(context.now_ms.saturating_add(gap_ms), tag);
    }
    looks
}

/// Starts a subnet as `hold` does, with timers of a tag of its own, beside another machine.
fn hold_beside(hold: &mut Hold, input: &Input<'_>, tag: u64, context: &mut Context<'_>) {
    let said = context.inside(context.me, |inner| hold.step(input, inner));
    context.outputs.extend(said.into_iter().map(|said| match said {
        Output::Wake { at_ms, .. } => Output::Wake { at_ms, tag },
        other => other,
    }));
}

/// Somebody who wants a place, and on which terms.
#[derive(Clone, Copy, Debug)]
struct Seeker {
    hotkey: AccountId,
    coldkey: AccountId,
    /// The most that is paid for it.
    burn_max: Rao,
    /// Free TAO that stays.
    reserve: Rao,
}

impl Seeker {
    /// The call that registers it on a subnet, if the chain would find a place and the coldkey can pay the burn.
    fn registers(&self, netuid: NetUid, context: &Context<'_>) -> Option<Call> {
        let Self { hotkey, coldkey, burn_max, reserve } = *self;
        let state = context.view.state();
        let burn = state.subnet(netuid)?.fast.burn;
        let most = burn_max.min(spendable(state, &coldkey, reserve));
        let taken = burn <= most && admits(state, netuid, &hotkey, coldkey);
        taken.then_some(Call::BurnedRegister { netuid, hotkey })
    }
}

/// Free TAO of a coldkey beyond a reserve and what keeps it alive.
fn spendable(state: &State, coldkey: &AccountId, reserve: Rao) -> Rao {
    state.free(coldkey).minus(reserve).minus(EXISTENTIAL_DEPOSIT)
}

/// When to submit what is to be decided `lead_blocks` blocks before an epoch of the subnet: the next such time that is
/// still to come; `None` where there are no epochs.
fn before_epoch_ms(context: &Context<'_>, netuid: NetUid, lead_blocks: u64) -> Option<u64> {
    let state = context.view.state();
    // What is submitted after a block is decided in the next one.
    let back = lead_blocks.saturating_add(1);
    let tempo = state.subnet(netuid)?.params.tempo;
    let tick = next_tick(netuid, tempo, state.height.0.saturating_add(back))?;
    Some(block_ms(context, tick - back))
}

/// Refuses a number of members or keys that is none, or too many.
fn check_members(key: &'static str, count: u32) -> Result<(), InvalidSetting> {
    within(key, count.into(), 1..=MEMBERS_MAX, "1 to 256")
}
