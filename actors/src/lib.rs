//! The players: machines of the network's participants, and what carries them.
//!
//! Pure except for `shell`, the only file that names actix. The order below is the order to read.

/// The door between the world and a player.
pub mod machine;
/// Which players there are; a new one is a file and a line here.
pub mod registry;

/// Who does something wrong.
pub mod adversary;
/// Who uses a subnet's product and pays for it.
pub mod customer;
/// Who wants a subnet.
pub mod entrant;
/// Miners.
pub mod miner;
/// Subnet owners.
pub mod owner;
/// Stakers.
pub mod staker;
/// Validators.
pub mod validator;

/// When a player acts: blocks, epochs and gaps in simulated time.
pub mod calendar;
/// How a validator keeps its row to itself until it counts.
pub mod commitment;
/// What a place on a subnet is worth, and whether it can be had.
pub mod entry;
/// The only transcendental functions a player may use.
pub mod maths;
/// What a validator thinks of each miner it has heard.
pub mod scores;
/// How settings are declared.
mod settings;
/// Orders with a limit price.
pub mod trade;

/// Keys found by their first bits.
pub mod roster;

/// Many seats stepped through slices of simulated time, without actors.
pub mod host;
/// The same with one actix actor per player.
pub mod shell;

/// Messages that come twice.
#[cfg(test)]
mod duplicates;
/// A small network for the tests of this crate.
#[cfg(test)]
mod stage;
