//! The door between the world and a player: one input in, any number of outputs out.
//!
//! What belongs here: the words of that door. What does not: any behaviour, any waiting.

use crate::roster::Roster;
use protocol::call::Call;
use protocol::dice::{Dice, Domain, Key, account_of, player_id};
use protocol::envelope::{Body, Envelope};
use protocol::rejection::Outcome;
use protocol::units::{AccountId, Height, NetUid, PlayerId};
use protocol::view::View;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// A player: a pure machine. Its whole memory is in `self` and serialisable.
pub trait Machine {
    /// Takes one input and says what follows from it.
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>);
}

/// What can reach a player.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// The player enters the simulation.
    Start,
    /// A timer it set, by the tag it gave.
    Timer {
        /// The tag.
        tag: u64,
    },
    /// A message of another player.
    Message(&'a Envelope),
    /// What became of a call it submitted.
    Receipt(&'a Receipt),
}

/// What became of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Who submitted it.
    pub player: PlayerId,
    /// The submitter's sequence number.
    pub sequence: u64,
    /// The block that decided it.
    pub height: Height,
    /// What became of it.
    pub outcome: Outcome,
}

/// What a player can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Output {
    /// Sends a message to another player.
    Send {
        /// To whom.
        to: PlayerId,
        /// What it says.
        body: Body,
    },
    /// Submits a call signed by one of the player's accounts; the nonce is the signer's next.
    Submit {
        /// Who signs.
        signer: AccountId,
        /// What is ordered.
        call: Call,
    },
    /// Sets a timer. It fires at `at_ms`, or in the next slice if that is sooner.
    Wake {
        /// Simulated milliseconds since genesis.
        at_ms: u64,
        /// Given back with the timer.
        tag: u64,
    },
}

/// Who a player is: from (group, index) alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Its id.
    pub id: PlayerId,
    /// Its group's name.
    pub group: String,
    /// Its index in the group.
    pub index: u64,
    /// Holds TAO and stake; signs staking and registration.
    pub coldkey: AccountId,
    /// Its neuron; signs weights.
    pub hotkey: AccountId,
    /// The subnet it acts on; `None` when it acts on many.
    pub netuid: Option<NetUid>,
}

impl Identity {
    /// That of a group's member, with the keys that follow from both.
    pub fn new(group: &str, index: u64, netuid: Option<NetUid>) -> Self {
        Self {
            id: player_id(group, index),
            group: group.to_owned(),
            index,
            coldkey: account_of(group, index, Key::Cold, 0),
            hotkey: account_of(group, index, Key::Hot, 0),
            netuid,
        }
    }
}

/// What a machine may know and use during a step.
pub struct Context<'a> {
    /// The chain's public state as of the last block.
    pub view: &'a View,
    /// Who is stepping.
    pub me: &'a Identity,
    /// Who answers for a hotkey: the network's address book.
    pub directory: &'a Directory,
    /// Simulated milliseconds since genesis.
    pub now_ms: u64,
    /// The run's seed, for draws.
    pub seed: u64,
    /// What the step says; in order.
    pub outputs: Vec<Output>,
}

impl Context<'_> {
    /// Draws of this player, for this block and purpose `n`. The same address gives the same draws.
    pub fn dice(&self, n: u64) -> Dice {
        Dice::new(self.seed, Domain::Player, self.me.id.0, self.view.state().height.0, n)
    }

    /// Sends a message.
    pub fn send(&mut self, to: PlayerId, body: Body) {
        self.outputs.push(Output::Send { to, body });
    }

    /// Submits a call.
    pub fn submit(&mut self, signer: AccountId, call: Call) {
        self.outputs.push(Output::Submit { signer, call });
    }

    /// Sets a timer.
    pub fn wake(&mut self, at_ms: u64, tag: u64) {
        self.outputs.push(Output::Wake { at_ms, tag });
    }

    /// What a machine inside this one would say, acting as `me`; whether it is said is left to the caller.
    pub fn inside(&self, me: &Identity, act: impl FnOnce(&mut Context<'_>)) -> Vec<Output> {
        let Context { view, directory, now_ms, seed, .. } = *self;
        let mut inner = Context { view, me, directory, now_ms, seed, outputs: Vec::new() };
        act(&mut inner);
        inner.outputs
    }
}

/// Which player runs the neuron of a hotkey. Public knowledge: on the real network it is the axon.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    hotkeys: Roster<AccountId>,
    /// The players behind them.
    players: Vec<PlayerId>,
    members: Members,
}

/// Who is behind the neurons of a subnet, by uid; `None` where nobody plays.
pub type Axons = Arc<[Option<PlayerId>]>;

/// The last answer for each subnet, with the hotkeys it was asked about: these change far less often than they are
/// asked about. It says nothing that the directory does not, so it is in no comparison.
#[derive(Debug, Default)]
struct Members(Mutex<BTreeMap<NetUid, (Vec<AccountId>, Axons)>>);

impl Clone for Members {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Members {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Members {}

impl FromIterator<(AccountId, PlayerId)> for Directory {
    /// Of several players with one hotkey the last is meant.
    fn from_iter<I: IntoIterator<Item = (AccountId, PlayerId)>>(entries: I) -> Self {
        let entries: Vec<(AccountId, PlayerId)> = entries.into_iter().collect();
        let hotkeys: Roster<AccountId> = entries.iter().map(|(hotkey, _)| *hotkey).collect();
        let mut players = vec![PlayerId::CHAIN; hotkeys.keys().len()];
        for (hotkey, player) in entries {
            if let Some(place) = hotkeys.place(&hotkey) {
                players[place] = player;
            }
        }
        Self { hotkeys, players, members: Members::default() }
    }
}

impl Directory {
    /// The player behind a hotkey.
    pub fn player(&self, hotkey: &AccountId) -> Option<PlayerId> {
        self.hotkeys.place(hotkey).map(|place| self.players[place])
    }

    /// The players behind all neurons of a subnet, whose hotkeys these are by uid.
    pub fn axons(&self, netuid: NetUid, hotkeys: &[AccountId]) -> Axons {
        let mut members = self.members.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, axons)) = members.get(&netuid)
            && known == hotkeys
        {
            return Arc::clone(axons);
        }
        let axons: Axons = hotkeys.iter().map(|hotkey| self.player(hotkey)).collect();
        members.insert(netuid, (hotkeys.to_vec(), Arc::clone(&axons)));
        axons
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axons_follow_the_neurons_of_a_subnet() {
        let account = |n| AccountId([n; 32]);
        let directory: Directory =
            [(account(1), PlayerId(10)), (account(2), PlayerId(20))].into_iter().collect();
        let axons = |netuid, hotkeys: &[u8]| {
            let hotkeys: Vec<AccountId> = hotkeys.iter().copied().map(account).collect();
            directory.axons(NetUid(netuid), &hotkeys).to_vec()
        };
        let (one, two) = (Some(PlayerId(10)), Some(PlayerId(20)));
        assert_eq!(axons(1, &[1, 3, 2]), [one, None, two]);
        assert_eq!(axons(1, &[1, 3, 2]), [one, None, two], "the same again");
        assert_eq!(axons(1, &[1, 2]), [one, two], "a neuron is gone");
        assert_eq!(axons(1, &[2, 2]), [two, two], "another has its uid");
        assert_eq!(axons(2, &[1, 2]), [one, two], "another subnet");
        assert_eq!(axons(1, &[2, 2]), [two, two]);
    }
}
