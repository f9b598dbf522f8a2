//! What owners share that trade their own alpha: starting their subnets, looking at what came in, and running one
//! errand after the other.
//!
//! A look comes in the block after an epoch, because that is when the owner's cut arrives: an order given then is over
//! long before the next one, so what the alpha grew by between two looks is the cut and nothing else.

use crate::calendar::block_ms;
use crate::machine::{Context, Input};
use crate::trade::{Desk, after_epoch_ms, most_staked, permitted};
use protocol::call::Call;
use protocol::rejection::Outcome;
use protocol::state::Subnet;
use protocol::units::{AccountId, Alpha, BLOCK_MS, NetUid, Rao};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

const TAG_LOOK: u64 = 0;
const TAG_START: u64 = 1;

/// Something to order, when its turn comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Errand {
    /// Starts a subnet.
    Start {
        /// Which.
        netuid: NetUid,
    },
    /// Sells alpha behind the owner's hotkey.
    Sell {
        /// On which subnet.
        netuid: NetUid,
        /// How much at most.
        alpha: Alpha,
    },
    /// Buys alpha behind a hotkey.
    Buy {
        /// On which subnet.
        netuid: NetUid,
        /// Behind whom.
        hotkey: AccountId,
        /// For how much at most.
        rao: Rao,
    },
}

/// An order without a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Open {
    Started,
    /// What the sale was to bring.
    Sold(Rao),
    /// What the buy was to cost.
    Bought(Rao),
}

/// What an owner asks its estate to do after an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Time to look and to plan errands.
    Look,
    /// Nothing.
    Rest,
}

/// An owner's subnets and its purse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estate {
    slippage_ppm: u32,
    /// Alpha behind its own hotkeys when the last look was over.
    seen: BTreeMap<NetUid, Alpha>,
    /// Free TAO that is accounted for; more than that came in.
    known: Option<Rao>,
    errands: VecDeque<Errand>,
    open: Option<Open>,
    /// What buys that were not made were to cost.
    unspent: Rao,
}

impl Estate {
    /// An estate that nobody has looked at.
    pub const fn new(slippage_ppm: u32) -> Self {
        Self {
            slippage_ppm,
            seen: BTreeMap::new(),
            known: None,
            errands: VecDeque::new(),
            open: None,
            unspent: Rao::ZERO,
        }
    }

    /// Takes an input, keeps the rhythm, runs what is to run, and says whether it is time to look.
    pub fn turn(
        &mut self,
        input: &Input<'_>,
        interval_blocks: u64,
        context: &mut Context<'_>,
    ) -> Turn {
        match input {
            Input::Start => {
                self.note_all(context);
                self.known = Some(context.view.state().free(&context.me.coldkey));
                self.start_all(context);
                self.wake_look(interval_blocks, context);
                Turn::Rest
            }
            Input::Timer { tag: TAG_LOOK } => {
                self.wake_look(interval_blocks, context);
                self.forget_errands();
                let starts = unstarted(context).into_iter();
                self.errands.extend(starts.map(|netuid| Errand::Start { netuid }));
                Turn::Look
            }
            Input::Timer { .. } => {
                if self.open.is_none() && self.errands.is_empty() {
                    self.start_all(context);
                }
                Turn::Rest
            }
            Input::Receipt(receipt) => {
                self.settle(receipt.outcome);
                self.run(context);
                Turn::Rest
            }
            Input::Message(_) => Turn::Rest,
        }
    }

    /// Errands that were not run by the next look are planned anew, if at all.
    fn forget_errands(&mut self) {
        for errand in std::mem::take(&mut self.errands) {
            if let Errand::Buy { rao, .. } = errand {
                self.unspent = self.unspent.plus(rao);
            }
        }
        self.open = None;
    }

    fn wake_look(&self, interval_blocks: u64, context: &mut Context<'_>) {
        let netuid = context.me.netuid.or_else(|| own(context).first().copied());
        let netuid = netuid.unwrap_or(NetUid::ROOT);
        context.wake(after_epoch_ms(context, netuid, interval_blocks), TAG_LOOK);
    }

    fn start_all(&mut self, context: &mut Context<'_>) {
        let starts = unstarted(context).into_iter();
        self.errands.extend(starts.map(|netuid| Errand::Start { netuid }));
        self.run(context);
    }

    /// Alpha that the cut brought on a subnet since the last look; none at the first look.
    pub fn gained(&self, netuid: NetUid, context: &Context<'_>) -> Alpha {
        let Some(seen) = self.seen.get(&netuid) else { return Alpha::ZERO };
        held(netuid, context).minus(*seen)
    }

    /// Free TAO that came in since the last look from others; asked once per look.
    pub fn income(&mut self, context: &Context<'_>) -> Rao {
        let free = context.view.state().free(&context.me.coldkey);
        let known = self.known.replace(free).unwrap_or(free);
        free.minus(known)
    }

    /// What planned buys did not spend, since it was last asked.
    pub fn unspent(&mut self) -> Rao {
        std::mem::take(&mut self.unspent)
    }

    /// Adds an errand.
    pub fn plan(&mut self, errand: Errand) {
        self.errands.push_back(errand);
    }

    /// Submits the next errand that the chain would take; when none is left, notes what there is.
    pub fn run(&mut self, context: &mut Context<'_>) {
        while self.open.is_none() {
            match self.errands.pop_front() {
                None => return self.note_all(context),
                Some(errand) => self.open = self.run_one(errand, context),
            }
        }
    }

    fn run_one(&mut self, errand: Errand, context: &mut Context<'_>) -> Option<Open> {
        let state = context.view.state();
        let (coldkey, slippage_ppm) = (context.me.coldkey, self.slippage_ppm);
        let known = self.known.unwrap_or_default();
        match errand {
            Errand::Start { netuid } => {
                let subnet = state.subnet(netuid)?;
                let delay = state.global.start_call_delay;
                let allowed_at = subnet.info.registered_at.saturating_add(delay);
                if allowed_at > state.height.0 + 1 {
                    context.wake(block_ms(context, allowed_at - 1), TAG_START);
                    return None;
                }
                context.submit(coldkey, Call::StartCall { netuid });
                Some(Open::Started)
            }
            Errand::Sell { netuid, alpha } => {
                let hotkey = state.subnet(netuid)?.info.owner_hotkey?;
                let order = Desk { netuid, hotkey, coldkey, slippage_ppm }.sell(state, alpha)?;
                self.known = Some(known.plus(order.rao));
                context.submit(coldkey, order.call);
                Some(Open::Sold(order.rao))
            }
            Errand::Buy { netuid, hotkey, rao } => {
                let order = Desk { netuid, hotkey, coldkey, slippage_ppm }.buy(state, rao);
                let Some(order) = order else {
                    self.unspent = self.unspent.plus(rao);
                    return None;
                };
                self.unspent = self.unspent.plus(rao.minus(order.rao));
                self.known = Some(known.minus(order.rao));
                context.submit(coldkey, order.call);
                Some(Open::Bought(order.rao))
            }
        }
    }

    fn settle(&mut self, outcome: Outcome) {
        let (open, known) = (self.open.take(), self.known.unwrap_or_default());
        if outcome == Outcome::Ok {
            return;
        }
        match open {
            Some(Open::Sold(rao)) => self.known = Some(known.minus(rao)),
            Some(Open::Bought(rao)) => {
                self.known = Some(known.plus(rao));
                self.unspent = self.unspent.plus(rao);
            }
            Some(Open::Started) | None => {}
        }
    }

    fn note_all(&mut self, context: &Context<'_>) {
        let held = |netuid| (netuid, held(netuid, context));
        self.seen = own(context).into_iter().map(held).collect();
    }
}

/// The player's subnets, ascending: the one it has a place on, or all that its coldkey owns.
pub fn own(context: &Context<'_>) -> Vec<NetUid> {
    let mine = |(netuid, subnet): &(NetUid, &Subnet)| {
        let meant = context.me.netuid.is_none_or(|only| only == *netuid);
        meant && subnet.info.owner == Some(context.me.coldkey)
    };
    context.view.state().networks().filter(mine).map(|(netuid, _)| netuid).collect()
}

fn unstarted(context: &Context<'_>) -> Vec<NetUid> {
    let state = context.view.state();
    let waits = |netuid: &NetUid| {
        state.subnet(*netuid).is_some_and(|subnet| subnet.info.first_emission.is_none())
    };
    own(context).into_iter().filter(waits).collect()
}

/// Alpha of the owner behind the subnet's owner hotkey: where the cut goes.
pub fn held(netuid: NetUid, context: &Context<'_>) -> Alpha {
    let state = context.view.state();
    let hotkey = state.subnet(netuid).and_then(|subnet| subnet.info.owner_hotkey);
    hotkey.map_or(Alpha::ZERO, |hotkey| state.stake(&hotkey, &context.me.coldkey, netuid))
}

/// Behind whom an owner buys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Behind {
    /// Its own hotkey.
    #[default]
    Owner,
    /// The subnet's validator with most stake.
    Validator,
}

impl Behind {
    /// The hotkey; the owner's own where there is no validator.
    pub fn hotkey(self, netuid: NetUid, context: &Context<'_>) -> Option<AccountId> {
        let state = context.view.state();
        let subnet = state.subnet(netuid)?;
        let validator = match self {
            Self::Validator => most_staked(state, netuid, permitted(subnet)),
            Self::Owner => None,
        };
        validator.or(subnet.info.owner_hotkey)
    }
}

/// Blocks from one time to another, both in simulated milliseconds.
pub const fn blocks_between(from_ms: u64, to_ms: u64) -> u64 {
    to_ms.saturating_sub(from_ms) / BLOCK_MS
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::host::Seated;
    use crate::machine::Identity;
    use crate::miner::QualitySettings;
    use crate::registry::BehaviourSettings;
    use crate::stage::{Stage, enter, fund, identity, subnet_of};
    use crate::validator::SamplerSettings;

    /// A subnet with one owner under test.
    pub(crate) struct Plot {
        pub stage: Stage,
        pub owner: Identity,
    }

    impl Plot {
        /// The amounts of all orders of a kind that were done.
        pub(crate) fn orders(&self, name: &str) -> Vec<u64> {
            let done = self.stage.records.iter().filter(|record| record.outcome == Outcome::Ok);
            done.filter(|record| record.call.name() == name)
                .map(|record| match record.call {
                    Call::AddStakeLimit { amount_staked, .. } => amount_staked.0,
                    Call::RemoveStakeLimit { amount_unstaked, .. } => amount_unstaked.0,
                    ref other => panic!("{other:?} has no amount"),
                })
                .collect()
        }
    }

    /// A subnet that has not started, with a validator and two miners; its owner has 1,000 TAO and 100 alpha.
    pub(crate) fn plot(settings: BehaviourSettings) -> Plot {
        let netuid = NetUid(1);
        let validators = [BehaviourSettings::Sampler(SamplerSettings::default())];
        let miners = vec![BehaviourSettings::Quality(QualitySettings::default()); 2];
        let (mut state, mut seats) = subnet_of(&validators, &miners);
        let owner = identity("owners", 0, Some(netuid));
        enter(&mut state, &owner, netuid, Alpha::whole(100), false);
        fund(&mut state, &owner, Rao::whole(1_000));
        fund(&mut state, &identity(Stage::BANK, 0, None), Rao::whole(10_000));
        let subnet = state.subnets.get_mut(&netuid).expect("it was made");
        subnet.info.owner = Some(owner.coldkey);
        subnet.info.owner_hotkey = Some(owner.hotkey);
        subnet.info.first_emission = None;
        subnet.params.subtoken_enabled = false;
        seats.push(Seated::new(owner.clone(), settings.build()));
        Plot { stage: Stage::new(state, seats, 1), owner }
    }

    #[test]
    fn buys_that_were_not_made_are_told_once() {
        let mut estate = Estate::new(10_000);
        estate.errands.push_back(Errand::Buy {
            netuid: NetUid(1),
            hotkey: AccountId::ZERO,
            rao: Rao(5),
        });
        estate.open = Some(Open::Bought(Rao(7)));
        estate.settle(Outcome::Failed(protocol::rejection::Rejection::SubtokenDisabled));
        estate.forget_errands();
        assert_eq!((estate.unspent(), estate.unspent()), (Rao(12), Rao::ZERO));
        assert_eq!(estate.known, Some(Rao(7)), "it was not paid");
    }
}
