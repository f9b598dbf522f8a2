//! What a run is decided from, fully resolved: the meeting point of scenario, genesis and engine.
//!
//! Block 0 of the log holds a [`Plan`], so nothing else is needed to replay, resume or fork.

use actors::machine::Identity;
use actors::registry::Player;
use protocol::call::Call;
use protocol::canon::digest;
use protocol::dice::{Dice, Domain};
use protocol::frame::{Facts, Header, calls_root, events_root, facts_root};
use protocol::rules::PROTOCOL_VERSION;
use protocol::state::State;
use protocol::units::{Hash32, Height};
use serde::{Deserialize, Serialize};

/// Everything that decides a simulation, and what its people call it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// The scenario's name; not part of the simulation hash.
    pub name: String,
    /// What it shows; not part of the simulation hash.
    pub description: String,
    /// The scenario in full, as `scenario show` prints it (TOML).
    pub scenario: String,
    /// Of all draws.
    pub seed: u64,
    /// Calendar of genesis: seconds since 1970-01-01T00:00:00Z.
    pub genesis_unix_s: i64,
    /// The simulated network between players.
    pub network: Network,
    /// Limits of a block.
    pub limits: Limits,
    /// Root calls at given heights, ascending.
    pub timeline: Vec<TimelineCall>,
    /// The players, in canonical order: by group as the scenario lists them, then by index.
    pub players: Vec<Seat>,
    /// The state at genesis; its height is the genesis height.
    pub genesis: State,
}

/// One player: who it is and its machine at genesis.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Seat {
    /// Who it is.
    pub identity: Identity,
    /// Its machine.
    pub player: Player,
}

/// The simulated network: how messages between players travel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Length of a slice in simulated milliseconds: nothing sent in a slice is delivered in it.
    pub slice_ms: u64,
    /// Shortest latency.
    pub latency_ms_min: u64,
    /// Longest latency; drawn uniformly per message.
    pub latency_ms_max: u64,
    /// Messages lost, in millionths. Calls to the chain are delayed but never lost.
    pub loss_ppm: u32,
    /// Messages that arrive twice, in millionths.
    pub duplication_ppm: u32,
}

/// Limits of a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Calls decided per block; the surplus waits.
    pub extrinsics_per_block_max: u32,
    /// Calls that may wait; the surplus is refused.
    pub pool_max: u32,
    /// Bodies of refused calls kept per block.
    pub refused_kept_max: u32,
}

/// A root call of the timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineCall {
    /// The block it is decided in.
    pub height: Height,
    /// What is ordered.
    pub call: Call,
}

impl Plan {
    /// The simulation hash: everything that decides what happens and nothing that does not.
    pub fn simulation_hash(&self) -> Hash32 {
        let genesis_root = self.genesis.clone().root();
        digest(
            "btemu simulation 1",
            &(
                PROTOCOL_VERSION,
                self.seed,
                genesis_root,
                &self.network,
                &self.limits,
                &self.timeline,
                &self.players,
            ),
        )
    }

    /// The entropy of a block: a draw of the seed.
    pub fn entropy(&self, height: Height) -> Hash32 {
        Hash32(Dice::new(self.seed, Domain::Chain, 0, height.0, 0).next_bytes())
    }

    /// The header of the genesis block; its parent is the simulation hash.
    pub fn genesis_header(&self) -> Header {
        let height = self.genesis.height;
        Header {
            height,
            parent: self.simulation_hash(),
            time_ms: 0,
            entropy: self.entropy(height),
            state_root: self.genesis.clone().root(),
            calls_root: calls_root(&[], &[]),
            events_root: events_root(&[], &[]),
            facts_root: facts_root(&Facts::default()),
        }
    }
}
