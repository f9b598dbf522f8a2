//! How much an event matters to people: what a report lists, and what of a block is shown first.
//!
//! What belongs here: one rank for each event. What does not: how an event is told (`telling::lines`).

use protocol::event::Event;

/// What an event is to people; the greater the more it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// The chain does its books.
    Bookkeeping,
    /// Somebody did something.
    Deed,
    /// Subnets, rules or parameters are others than before, or a coldkey is.
    Turn,
}

/// The rank of an event.
pub const fn rank(event: &Event) -> Rank {
    match event {
        Event::RulesSwitched { .. }
        | Event::ParameterSet { .. }
        | Event::SubnetRegistered(_)
        | Event::SubnetDissolved(_)
        | Event::SubnetStarted { .. }
        | Event::NeuronsTrimmed { .. }
        | Event::ColdkeySwapped(_) => Rank::Turn,
        Event::SubnetIdentitySet { .. }
        | Event::SymbolUpdated { .. }
        | Event::NeuronPlaced { .. }
        | Event::StakeAdded { .. }
        | Event::StakeRemoved { .. }
        | Event::StakeMoved { .. }
        | Event::StakeSwapped { .. }
        | Event::StakeTransferred { .. }
        | Event::AlphaBurned { .. }
        | Event::AlphaRecycled { .. }
        | Event::AddStakeBurned { .. }
        | Event::WeightsSet { .. }
        | Event::WeightsCommitted { .. }
        | Event::WeightsRevealed { .. }
        | Event::TimelockedWeightsCommitted { .. }
        | Event::TimelockedWeightsRevealed { .. }
        | Event::DelegateTakeChanged { .. }
        | Event::ChildkeyTakeSet { .. }
        | Event::ChildrenSet { .. }
        | Event::HotkeySwapped { .. }
        | Event::ColdkeySwapAnnounced { .. }
        | Event::RootClaimed { .. } => Rank::Deed,
        _ => Rank::Bookkeeping,
    }
}
