//! What a run is decided from, fully resolved: the meeting point of scenario, genesis and engine.
//!
//! Block 0 of the log holds a [`Plan`], so nothing else is needed to replay, resume or fork. A fork's plan is that of
//! its parent and what changes after a block; a [`Course`] is what holds for one block.

use actors::machine::Identity;
use actors::registry::{Player, Role};
use protocol::block::Submitted;
use protocol::call::{Call, Origin};
use protocol::canon::digest;
use protocol::dice::{Dice, Domain};
use protocol::frame::{Facts, Header, calls_root, events_root, facts_root};
use protocol::rules::PROTOCOL_VERSION;
use protocol::state::State;
use protocol::units::{BLOCK_MS, Hash32, Height, NetUid, PlayerId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

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
    /// Simulated faults, in the scenario's order. Absent where there are none, as in logs older than they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
    /// The players, in canonical order: by group as the scenario lists them, then by index.
    pub players: Vec<Seat>,
    /// The state at genesis; its height is the genesis height.
    pub genesis: State,
    /// Where the run left others and under what it went on, by block; not part of the simulation hash, because
    /// nothing before the first of them knows of it.
    #[serde(default)]
    pub forks: Vec<Fork>,
}

/// A point at which a run left another: everything up to its block is shared, everything after it follows this.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fork {
    /// The other run's folder, as it was named.
    pub parent: String,
    /// The build that made it.
    pub build: String,
    /// The last block that both share.
    pub at: Height,
    /// Its hash.
    pub block_hash: Hash32,
    /// What was assigned, as typed: `PATH=VALUE`.
    pub set: Vec<String>,
    /// The scenario from here on, in full (TOML).
    pub scenario: String,
    /// What it comes to.
    pub terms: Terms,
}

/// What is different behind a fork.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    /// Of all draws.
    pub seed: u64,
    /// The simulated network.
    pub network: Network,
    /// Limits of a block.
    pub limits: Limits,
    /// Root calls that change rules and parameters to what the scenario says now, ascending; later forks keep them.
    pub changes: Vec<TimelineCall>,
    /// Root calls of the scenario's timeline, ascending.
    pub timeline: Vec<TimelineCall>,
    /// Simulated faults from here on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
    /// Groups whose players go on with a fresh machine.
    pub recast: Vec<Recast>,
    /// Players that are gone, ascending.
    pub leaving: Vec<PlayerId>,
}

/// A group whose players go on with a fresh machine, on their old seats.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recast {
    /// The group's name.
    pub group: String,
    /// The machine of each.
    pub player: Player,
}

/// One player: who it is, its machine, and when it begins.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Seat {
    /// Who it is.
    pub identity: Identity,
    /// Its machine at the start.
    pub player: Player,
    /// When it starts, in simulated milliseconds; at genesis unless its group arrives later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrives_ms: Option<u64>,
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

/// A simulated fault: what, when, and whom it strikes. What it does to a message is in `run::faults`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What it does.
    pub kind: FaultKind,
    /// When it is in force.
    pub times: Times,
    /// Whom it is about.
    pub whom: Whom,
}

/// What a simulated fault does. New kinds are appended: a variant's place is in the simulation hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FaultKind {
    /// Messages are lost.
    Loss {
        /// How many, in millionths.
        ppm: u32,
    },
    /// Messages arrive garbled and are thrown away: for the players, a loss.
    Corruption {
        /// How many, in millionths.
        ppm: u32,
    },
    /// Messages arrive twice.
    Duplication {
        /// How many, in millionths.
        ppm: u32,
    },
    /// Messages and calls take longer.
    Delay {
        /// How many, in millionths.
        ppm: u32,
        /// The longest addition in milliseconds; drawn uniformly from 0 on.
        ms_max: u64,
    },
    /// Paths from one player to another on which messages wait for the end of the fault.
    Clog {
        /// How many paths, in millionths.
        ppm: u32,
    },
    /// Players do not hear each other.
    Partition {
        /// Who does not hear whom.
        shape: Shape,
    },
    /// Players neither hear others nor reach others or the chain.
    Offline {
        /// How many of those whom it is about, in millionths.
        ppm: u32,
    },
}

impl FaultKind {
    /// As scenarios call it; a partition by its shape.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loss { .. } => "loss",
            Self::Corruption { .. } => "corruption",
            Self::Duplication { .. } => "duplication",
            Self::Delay { .. } => "delay",
            Self::Clog { .. } => "clog",
            Self::Partition { shape: Shape::Halves } => "partition-halves",
            Self::Partition { shape: Shape::Isolate } => "partition-isolate",
            Self::Partition { shape: Shape::Bridge } => "partition-bridge",
            Self::Partition { shape: Shape::OneWay } => "partition-one-way",
            Self::Offline { .. } => "offline",
        }
    }
}

/// Who does not hear whom in a partition. New shapes are appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// Two sides that do not hear each other.
    Halves,
    /// One player whom nobody hears and who hears nobody.
    Isolate,
    /// Two sides that do not hear each other, and one player who hears and is heard by both.
    Bridge,
    /// Two sides of which the second hears the first, but not the other way round.
    OneWay,
}

/// When a fault is in force. A block is made under it if all that leads up to the block, back to the one before, is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// The first block made under it; of a drawn one, the first block of the first period.
    pub from: Height,
    /// Blocks that it lasts.
    pub blocks: u64,
    /// Blocks of a period, in each of which it strikes once at a moment drawn from the seed; none if it strikes once.
    pub every: Option<u64>,
    /// The first block that is no longer made under it, of a drawn one that ends.
    pub until: Option<Height>,
}

/// Whom a fault is about: players that are in one of these groups, of one of these roles, and on one of these
/// subnets at genesis. An empty list names everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whom {
    /// Groups by name.
    pub groups: Vec<String>,
    /// Roles.
    pub roles: Vec<Role>,
    /// Subnets that players act on.
    pub netuids: Vec<NetUid>,
}

impl Whom {
    /// Whether it names everybody.
    pub const fn is_everybody(&self) -> bool {
        self.groups.is_empty() && self.roles.is_empty() && self.netuids.is_empty()
    }

    /// Whether it names the player of a seat.
    pub fn names(&self, seat: &Seat) -> bool {
        let Identity { group, netuid, .. } = &seat.identity;
        let role = seat.player.behaviour().role;
        (self.groups.is_empty() || self.groups.contains(group))
            && (self.roles.is_empty() || self.roles.contains(&role))
            && (self.netuids.is_empty() || netuid.is_some_and(|it| self.netuids.contains(&it)))
    }
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
        self.simulation_hash_by(self.genesis.clone().root())
    }

    /// Takes the state at genesis, which a run needs only once and is most of a plan. What courses need of it stays:
    /// its height and the global scalars.
    pub fn take_genesis(&mut self) -> State {
        let mut rest = State::default();
        rest.height = self.genesis.height;
        rest.global = self.genesis.global.clone();
        std::mem::replace(&mut self.genesis, rest)
    }

    fn simulation_hash_by(&self, genesis_root: Hash32) -> Hash32 {
        let decisive = (
            PROTOCOL_VERSION,
            self.seed,
            genesis_root,
            &self.network,
            &self.limits,
            &self.timeline,
            &self.players,
        );
        // Scenarios without faults keep the hash they had before there were any.
        if self.faults.is_empty() {
            return digest("btemu simulation 1", &decisive);
        }
        digest("btemu simulation under faults 1", &(decisive, &self.faults))
    }

    /// What a block is made under: the plan as the forks before it have left it.
    pub fn course(&self, height: Height) -> Course<'_> {
        let count = self.forks.iter().take_while(|fork| fork.at < height).count();
        Course { plan: self, forks: &self.forks[..count] }
    }

    /// What the blocks behind the last fork are made under.
    pub fn last_course(&self) -> Course<'_> {
        Course { plan: self, forks: &self.forks }
    }

    /// The forks that follow a block at once, in order.
    pub fn forks_at(&self, height: Height) -> impl Iterator<Item = &Fork> {
        self.forks.iter().filter(move |fork| fork.at == height)
    }

    /// The header of the genesis block; its parent is the simulation hash.
    pub fn genesis_header(&self) -> Header {
        self.genesis_header_by(self.genesis.clone().root())
    }

    /// The headers that the genesis block has in older logs, which have other kinds of state roots: newest first, each
    /// made when asked for.
    pub fn older_genesis_headers(&self) -> impl Iterator<Item = Header> {
        self.genesis.older_roots().map(|root| self.genesis_header_by(root))
    }

    /// The header of the genesis block by its state root, which whoever may change the state gets without a copy of it.
    pub fn genesis_header_by(&self, state_root: Hash32) -> Header {
        let height = self.genesis.height;
        Header {
            height,
            parent: self.simulation_hash_by(state_root),
            time_ms: 0,
            entropy: self.course(height).entropy(height),
            state_root,
            calls_root: calls_root(&[], &[]),
            events_root: events_root(&[], &[]),
            facts_root: facts_root(&Facts::default()),
        }
    }
}

/// What holds for one stretch of a run, from a fork (or genesis) to the next.
#[derive(Clone, Copy, Debug)]
pub struct Course<'a> {
    plan: &'a Plan,
    forks: &'a [Fork],
}

impl<'a> Course<'a> {
    /// The whole plan.
    pub const fn plan(&self) -> &'a Plan {
        self.plan
    }

    /// The forks behind it, in order.
    pub const fn forks(&self) -> &'a [Fork] {
        self.forks
    }

    /// Of all draws.
    pub fn seed(&self) -> u64 {
        self.forks.last().map_or(self.plan.seed, |fork| fork.terms.seed)
    }

    /// The scenario in full (TOML).
    pub fn scenario(&self) -> &'a str {
        self.forks.last().map_or(&self.plan.scenario, |fork| &fork.scenario)
    }

    /// The simulated network.
    pub fn network(&self) -> &'a Network {
        self.forks.last().map_or(&self.plan.network, |fork| &fork.terms.network)
    }

    /// Limits of a block.
    pub fn limits(&self) -> &'a Limits {
        self.forks.last().map_or(&self.plan.limits, |fork| &fork.terms.limits)
    }

    /// Root calls of the scenario's timeline, ascending.
    pub fn timeline(&self) -> &'a [TimelineCall] {
        self.forks.last().map_or(&self.plan.timeline, |fork| &fork.terms.timeline)
    }

    /// Simulated faults.
    pub fn faults(&self) -> &'a [Fault] {
        self.forks.last().map_or(&self.plan.faults, |fork| &fork.terms.faults)
    }

    /// The seats that are taken.
    pub fn seats(&self) -> impl Iterator<Item = &'a Seat> {
        let gone: BTreeSet<PlayerId> =
            self.forks.iter().flat_map(|fork| fork.terms.leaving.iter().copied()).collect();
        self.plan.players.iter().filter(move |seat| !gone.contains(&seat.identity.id))
    }

    /// The entropy of a block: a draw of the seed.
    pub fn entropy(&self, height: Height) -> Hash32 {
        Hash32(Dice::new(self.seed(), Domain::Chain, 0, height.0, 0).next_bytes())
    }

    /// When a block is decided, in simulated milliseconds since genesis.
    pub const fn block_ms(&self, height: Height) -> u64 {
        height.0.saturating_sub(self.plan.genesis.height.0) * BLOCK_MS
    }

    /// Root's calls of a block, as they reach the chain: what forks change, then the timeline.
    pub fn root_calls(&self, height: Height) -> impl Iterator<Item = Submitted> + use<'a> {
        let due_ms = self.block_ms(height);
        let changes = self.forks.iter().flat_map(|fork| &fork.terms.changes);
        let planned =
            changes.chain(self.timeline()).filter(move |planned| planned.height == height);
        (0..).zip(planned).map(move |(sequence, planned)| Submitted {
            due_ms,
            player: PlayerId::CHAIN,
            sequence,
            origin: Origin::Root,
            nonce: None,
            call: planned.call.clone(),
        })
    }

    /// The last round that the beacon published a block before this one: what was published a block ago is known to
    /// the chain by now.
    pub fn beacon_round(&self, height: Height) -> Option<u64> {
        let beacon = &self.plan.genesis.global.beacon;
        beacon.round_at(self.block_ms(height).saturating_sub(BLOCK_MS))
    }
}
