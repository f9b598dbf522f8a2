//! The door between the world and a player: one input in, any number of outputs out.
//!
//! What belongs here: the words of that door. What does not: any behaviour, any waiting.

use crate::roster::Roster;
use protocol::call::Call;
use protocol::dice::{Dice, Domain};
use protocol::envelope::{Body, Envelope};
use protocol::rejection::Outcome;
use protocol::units::{AccountId, Height, NetUid, PlayerId};
use protocol::view::View;
use serde::{Deserialize, Serialize};

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
}

/// Which player runs the neuron of a hotkey. Public knowledge: on the real network it is the axon.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    hotkeys: Roster<AccountId>,
    /// The players behind them.
    players: Vec<PlayerId>,
}

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
        Self { hotkeys, players }
    }
}

impl Directory {
    /// The player behind a hotkey.
    pub fn player(&self, hotkey: &AccountId) -> Option<PlayerId> {
        self.hotkeys.place(hotkey).map(|place| self.players[place])
    }
}
