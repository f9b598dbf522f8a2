//! The one table of metrics: name, kind, unit, labels and help of each family. docs/metrics.md shows the same,
//! and dashboards may use only these.
//!
//! What does not belong here: where the numbers come from.

use prometheus::proto::MetricType;

/// Labels that every series has besides its own.
pub const RUN_LABELS: [&str; 3] = ["scenario", "seed", "run"];

/// How a family's values move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Up and down.
    Gauge,
    /// Only up, from 0 when the process starts.
    Counter,
}

impl Kind {
    /// The word of the exposition format.
    #[cfg(test)]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
        }
    }

    /// The same for the encoder.
    pub const fn metric_type(self) -> MetricType {
        match self {
            Self::Gauge => MetricType::GAUGE,
            Self::Counter => MetricType::COUNTER,
        }
    }
}

/// What a value counts. All but [`Unit::Count`] stand at the end of the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// TAO, not rao.
    Tao,
    /// Whole alpha.
    Alpha,
    /// A part of one whole.
    Ratio,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// Blocks in a second.
    BlocksPerSecond,
    /// A plain number of what the name says.
    Count,
    /// Always 1; the labels say something.
    Info,
}

impl Unit {
    /// The word in names and in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tao => "tao",
            Self::Alpha => "alpha",
            Self::Ratio => "ratio",
            Self::Seconds => "seconds",
            Self::Bytes => "bytes",
            Self::BlocksPerSecond => "blocks_per_second",
            Self::Count => "count",
            Self::Info => "info",
        }
    }
}

/// A family of series.
#[derive(Debug, PartialEq, Eq)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// How its values move.
    pub kind: Kind,
    /// What its values count.
    pub unit: Unit,
    /// Its own labels, in the order in which values are given.
    pub labels: &'static [&'static str],
    /// What it is.
    pub help: &'static str,
}

macro_rules! families {
    ($($constant:ident: $name:literal, $kind:ident, $unit:ident, [$($label:literal),*], $help:literal;)*) => {
        $(
            #[doc = $help]
            pub const $constant: &Family = &Family {
                name: $name,
                kind: Kind::$kind,
                unit: Unit::$unit,
                labels: &[$($label),*],
                help: $help,
            };
        )*

        /// Every family, in the order of the table.
        pub const FAMILIES: &[&Family] = &[$($constant,)*];
    };
}

families! {
    BUILD_INFO: "btemu_build_info", Gauge, Info, ["version"], "The program that makes the run";
    BLOCK_HEIGHT: "btemu_block_height", Gauge, Count, [], "The chain's own number of the last block";
    SIMULATED: "btemu_simulated_seconds", Gauge, Seconds, [], "Simulated time from genesis to the last block";
    SPEED: "btemu_speed_blocks_per_second", Gauge, BlocksPerSecond, [], "Blocks made per second of wall time";
    WALL: "btemu_wall_seconds", Gauge, Seconds, [], "Wall time this process has been making blocks";
    LOG: "btemu_log_bytes", Gauge, Bytes, [], "Size of the log on disk";

    TOTAL_ISSUANCE: "btemu_total_issuance_tao", Gauge, Tao, [], "TAO ever issued less TAO recycled";
    TOTAL_STAKE: "btemu_total_stake_tao", Gauge, Tao, [], "The chain's own counter of staked TAO, with its quirks";
    ROOT_STAKE: "btemu_root_stake_tao", Gauge, Tao, [], "TAO staked on root";
    LEAKED: "btemu_leaked_tao", Gauge, Tao, ["ledger"], "TAO that the chain's rules lose or invent, by ledger, signed; still in sound mode";
    TOP_TEN: "btemu_emission_top10_share_ratio", Gauge, Ratio, [], "Part of the block's TAO that the ten subnets with most get together";
    SUBNETS: "btemu_subnets", Gauge, Count, [], "Subnets that exist, root not counted";
    SUBNET_LIMIT: "btemu_subnet_limit", Gauge, Count, [], "Subnets there may be; beyond, a registration prunes one";
    LOCK_COST: "btemu_lock_cost_tao", Gauge, Tao, [], "What registering a subnet costs now";

    SUBNET_INFO: "btemu_subnet_info", Gauge, Info, ["netuid", "name", "symbol"], "The subnet's name and token symbol";
    SUBNET_PRICE: "btemu_subnet_price_tao", Gauge, Tao, ["netuid"], "Spot price of one alpha in TAO";
    SUBNET_MOVING_PRICE: "btemu_subnet_moving_price_tao", Gauge, Tao, ["netuid"], "Slow average of the price of one alpha in TAO; decides pruning";
    SUBNET_TAO_RESERVE: "btemu_subnet_tao_reserve_tao", Gauge, Tao, ["netuid"], "TAO in the pool";
    SUBNET_ALPHA_IN: "btemu_subnet_alpha_in_pool_alpha", Gauge, Alpha, ["netuid"], "Alpha in the pool";
    SUBNET_ALPHA_OUT: "btemu_subnet_alpha_outstanding_alpha", Gauge, Alpha, ["netuid"], "Alpha outside the pool";
    SUBNET_STAKE: "btemu_subnet_total_stake_alpha", Gauge, Alpha, ["netuid"], "Alpha staked behind all hotkeys; outstanding alpha less what waits in pots and belongs to nobody";
    SUBNET_EMISSION_SHARE: "btemu_subnet_emission_share_ratio", Gauge, Ratio, ["netuid"], "Part of the last block's TAO emission; 0 while the subnet does not take part";
    SUBNET_FLOW_AVERAGE: "btemu_subnet_flow_average_tao", Gauge, Tao, ["netuid"], "Average of TAO staked less TAO taken out, per block, signed; 0 before the first";
    SUBNET_NEURONS: "btemu_subnet_neurons", Gauge, Count, ["netuid"], "Registered neurons";

    CALLS: "btemu_calls_total", Counter, Count, ["call", "outcome", "reason"], "Calls decided: accepted, rejected (included, changed nothing) or refused (not included), with the reason of a no; unknown is a refused call whose body was not kept";
    EVENTS: "btemu_events_total", Counter, Count, ["event"], "Public events by kind";
    MESSAGES_SENT: "btemu_messages_sent_total", Counter, Count, [], "Messages between players that were handed to the network; a duplicate counts once";
    MESSAGES_DELIVERED: "btemu_messages_delivered_total", Counter, Count, [], "Messages handed to players";
    MESSAGES_DROPPED: "btemu_messages_dropped_total", Counter, Count, [], "Messages that the network lost";
    PLAYERS: "btemu_players", Gauge, Count, ["role"], "Players of the scenario by role";
    PLAYERS_CRASHED: "btemu_players_crashed_total", Counter, Count, [], "Players whose machine panicked; they stay idle";

    DETECTOR_ALARMS: "btemu_detector_alarms_total", Counter, Count, ["detector"], "Alarms of each detector: a signal about somebody crossed its threshold";
    DETECTOR_SIGNAL: "btemu_detector_signal_ratio", Gauge, Ratio, ["detector"], "The strongest signal of each detector over all subjects, in parts of its threshold; an alarm from 1 on, 0 while it sees nothing";

    PROCESS_MEMORY: "btemu_process_resident_memory_bytes", Gauge, Bytes, ["process"], "Resident memory of each process of the run";
    PROCESS_PLAYERS: "btemu_process_players", Gauge, Count, ["process"], "Players that each process carries";
    PROCESS_STEPS: "btemu_process_steps_total", Counter, Count, ["process"], "Inputs that the players of each process took";
}

/// Families of the process that makes the run and of wall time; all others are folds of blocks.
pub const ENGINE_FAMILIES: &[&Family] =
    &[BUILD_INFO, SPEED, WALL, LOG, PROCESS_MEMORY, PROCESS_PLAYERS, PROCESS_STEPS];
