//! The one table of metrics: name, kind, unit, labels and help of each family. docs/metrics.md shows the same,
//! and dashboards may use only these.
//!
//! What does not belong here: where the numbers come from.

#[cfg(test)]
use super::timings::BOUNDS_SECONDS;
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
    /// Measurements counted by size: `_bucket`, `_sum` and `_count` of each series.
    Histogram,
}

impl Kind {
    /// The word of the exposition format.
    #[cfg(test)]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
        }
    }

    /// The same for the encoder.
    pub const fn metric_type(self) -> MetricType {
        match self {
            Self::Gauge => MetricType::GAUGE,
            Self::Counter => MetricType::COUNTER,
            Self::Histogram => MetricType::HISTOGRAM,
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
    /// Blocks.
    Blocks,
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
            Self::Blocks => "blocks",
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

/// What the number of a family's series is a multiple of.
#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Nothing: it is fixed.
    Fixed,
    /// N: subnets that exist.
    Subnets,
    /// M: neurons of named subnets.
    NamedNeurons,
    /// C: combinations of call, outcome and reason that there are; most calls know few reasons.
    Outcomes,
    /// E: kinds of events.
    Events,
    /// D: detectors.
    Detectors,
    /// F: kinds of faults in the scenario.
    Faults,
    /// B: behaviours in the scenario, and one for everybody else.
    Behaviours,
    /// P: processes.
    Processes,
}

#[cfg(test)]
impl Scale {
    /// Its letter on the page.
    pub const fn letter(self) -> &'static str {
        match self {
            Self::Fixed => "",
            Self::Subnets => "N",
            Self::NamedNeurons => "M",
            Self::Outcomes => "C",
            Self::Events => "E",
            Self::Detectors => "D",
            Self::Faults => "F",
            Self::Behaviours => "B",
            Self::Processes => "P",
        }
    }
}

/// Time series of one histogram: a bucket per bound and one beyond, the sum, the count.
#[cfg(test)]
const HISTOGRAM_SERIES: u64 = BOUNDS_SECONDS.len() as u64 + 3;

#[cfg(test)]
impl Family {
    /// How many series it has at most: so many of what it is a multiple of.
    pub fn bound(&self) -> (u64, Scale) {
        let (times, scale) = match self.labels {
            [] | ["version", "commit"] | ["rules"] => (1, Scale::Fixed),
            ["cause" | "fate"] => (2, Scale::Fixed),
            ["queue"] => (4, Scale::Fixed),
            ["role"] => (5, Scale::Fixed),
            ["phase"] => (7, Scale::Fixed),
            ["ledger"] => (13, Scale::Fixed),
            ["netuid"] | ["netuid", "name", "symbol"] => (1, Scale::Subnets),
            ["netuid", "role" | "use"] => (2, Scale::Subnets),
            ["netuid", "size_tao" | "via"] => (3, Scale::Subnets),
            ["netuid", "to"] => (6, Scale::Subnets),
            ["netuid", "uid", ..] => (1, Scale::NamedNeurons),
            ["call", "outcome", "reason"] => (1, Scale::Outcomes),
            ["event"] => (1, Scale::Events),
            ["detector"] => (1, Scale::Detectors),
            ["kind"] => (1, Scale::Faults),
            ["role", "behaviour"] => (1, Scale::Behaviours),
            ["role", "behaviour", "form"] => (2, Scale::Behaviours),
            ["process"] => (1, Scale::Processes),
            others => unreachable!("{}: nobody said how many {others:?} there are", self.name),
        };
        match self.kind {
            Kind::Histogram => (times * HISTOGRAM_SERIES, scale),
            Kind::Gauge | Kind::Counter => (times, scale),
        }
    }
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
    BUILD_INFO: "btemu_build_info", Gauge, Info, ["version", "commit"], "The program that makes the run: its version, and the commit it was built from where that is known";
    BLOCK_HEIGHT: "btemu_block_height", Gauge, Count, [], "The chain's own number of the last block";
    SIMULATED: "btemu_simulated_seconds", Gauge, Seconds, [], "Simulated time from genesis to the last block";
    SPEED: "btemu_speed_blocks_per_second", Gauge, BlocksPerSecond, [], "Blocks made per second of wall time";
    WALL: "btemu_wall_seconds", Gauge, Seconds, [], "Wall time this process has been making blocks";
    LOG: "btemu_log_bytes", Gauge, Bytes, [], "Size of the log on disk";
    BLOCK_PHASE: "btemu_block_phase_seconds", Histogram, Seconds, ["phase"], "Wall time of a block by phase: slices (players at work), decide (calls and epochs), publish (players hear of it), wait (for the books of the block before), seal (roots), append (into the log, synced where that is due), count (totals, invariants, metrics)";
    LOG_SYNC: "btemu_log_sync_seconds", Histogram, Seconds, [], "Wall time of each wait until the log is on disk";
    QUEUE: "btemu_queue_depth", Gauge, Count, ["queue"], "What waits: calls (for a block with room), messages (under way to players), caches (being written), remote_write (batches to be sent)";

    TOTAL_ISSUANCE: "btemu_total_issuance_tao", Gauge, Tao, [], "TAO ever issued less TAO recycled";
    BLOCK_EMISSION: "btemu_block_emission_tao", Gauge, Tao, [], "TAO that the issuance curve allows for the next block";
    HALVINGS: "btemu_halvings", Gauge, Count, [], "Halvings of the block emission so far";
    EMISSION: "btemu_emission_tao_total", Counter, Tao, [], "TAO emission that reached pools, injected or spent on alpha";
    TOTAL_STAKE: "btemu_total_stake_tao", Gauge, Tao, [], "The chain's own counter of staked TAO, with its quirks";
    ROOT_STAKE: "btemu_root_stake_tao", Gauge, Tao, [], "TAO staked on root";
    LEAKED: "btemu_leaked_tao", Gauge, Tao, ["ledger"], "TAO that the chain's rules lose or invent, by ledger, signed; still in sound mode";
    TOP_TEN: "btemu_emission_top10_share_ratio", Gauge, Ratio, [], "Part of the block's TAO that the ten subnets with most get together";
    EMISSION_HERFINDAHL: "btemu_emission_herfindahl_ratio", Gauge, Ratio, [], "Herfindahl index of emission shares: 1 where one subnet gets all, 1/n where n get the same";
    EMISSION_GINI: "btemu_emission_gini_ratio", Gauge, Ratio, [], "Gini coefficient of emission shares over all subnets: 0 where all get the same, towards 1 where one gets all";
    SUBNETS: "btemu_subnets", Gauge, Count, [], "Subnets that exist, root not counted";
    SUBNET_LIMIT: "btemu_subnet_limit", Gauge, Count, [], "Subnets there may be; beyond, a registration prunes one";
    LOCK_COST: "btemu_lock_cost_tao", Gauge, Tao, [], "What registering a subnet costs now";
    SUBNETS_REGISTERED: "btemu_subnets_registered_total", Counter, Count, [], "Subnets that were registered";
    SUBNETS_DISSOLVED: "btemu_subnets_dissolved_total", Counter, Count, ["cause"], "Subnets that were dissolved: prune (made room for another) or root (ordered)";
    RULES_INFO: "btemu_rules_info", Gauge, Info, ["rules"], "The rules that emission shares follow";

    SUBNET_INFO: "btemu_subnet_info", Gauge, Info, ["netuid", "name", "symbol"], "The subnet's name and token symbol";
    SUBNET_REGISTERED: "btemu_subnet_registered_block", Gauge, Count, ["netuid"], "The block of the subnet's registration; another one where the netuid has another subnet";
    SUBNET_IMMUNE: "btemu_subnet_immunity_blocks", Gauge, Blocks, ["netuid"], "Blocks until the subnet can be pruned; 0 where it can";
    SUBNET_PRICE: "btemu_subnet_price_tao", Gauge, Tao, ["netuid"], "Spot price of one alpha in TAO";
    SUBNET_MOVING_PRICE: "btemu_subnet_moving_price_tao", Gauge, Tao, ["netuid"], "Slow average of the price of one alpha in TAO; decides pruning";
    SUBNET_TAO_RESERVE: "btemu_subnet_tao_reserve_tao", Gauge, Tao, ["netuid"], "TAO in the pool";
    SUBNET_ALPHA_IN: "btemu_subnet_alpha_in_pool_alpha", Gauge, Alpha, ["netuid"], "Alpha in the pool";
    SUBNET_ALPHA_OUT: "btemu_subnet_alpha_outstanding_alpha", Gauge, Alpha, ["netuid"], "Alpha outside the pool";
    SUBNET_STAKE: "btemu_subnet_total_stake_alpha", Gauge, Alpha, ["netuid"], "Alpha staked behind all hotkeys; outstanding alpha less what waits in pots and belongs to nobody";
    SUBNET_SLIPPAGE: "btemu_subnet_exit_slippage_ratio", Gauge, Ratio, ["netuid", "size_tao"], "What a holder loses who sells alpha worth 10, 100 or 1000 TAO at the spot price in one order, fee included; absent where the pool cannot pay";
    SUBNET_EMISSION_SHARE: "btemu_subnet_emission_share_ratio", Gauge, Ratio, ["netuid"], "Part of the last block's TAO emission; 0 while the subnet does not take part";
    SUBNET_ROOT_PROPORTION: "btemu_subnet_root_proportion_ratio", Gauge, Ratio, ["netuid"], "Root's part of what validators get";
    SUBNET_FLOW_AVERAGE: "btemu_subnet_flow_average_tao", Gauge, Tao, ["netuid"], "Average of TAO staked less TAO taken out, per block, signed; 0 before the first";
    SUBNET_FLOW_IN: "btemu_subnet_flow_in_tao_total", Counter, Tao, ["netuid"], "TAO that came in by staking, as emission shares count it";
    SUBNET_FLOW_OUT: "btemu_subnet_flow_out_tao_total", Counter, Tao, ["netuid"], "TAO that was taken out, as emission shares count it";
    SUBNET_BOUGHT: "btemu_subnet_bought_tao_total", Counter, Tao, ["netuid"], "TAO that alpha was bought with, moves between subnets among it; not the chain's own buys";
    SUBNET_SOLD: "btemu_subnet_sold_tao_total", Counter, Tao, ["netuid"], "TAO that was got for alpha, moves between subnets among it";
    SUBNET_EMISSION_TAO: "btemu_subnet_emission_tao_total", Counter, Tao, ["netuid", "use"], "TAO emission to the subnet: pool (put into the reserve) or buy (spent on alpha that is destroyed)";
    SUBNET_EMISSION_ALPHA: "btemu_subnet_emission_alpha_total", Counter, Alpha, ["netuid", "to"], "Alpha emission of the subnet: to the pool, and to the pots of owner, miner, validator and root; recycled is root's part while root may not sell";
    SUBNET_NEURONS: "btemu_subnet_neurons", Gauge, Count, ["netuid"], "Registered neurons";
    SUBNET_NEURON_LIMIT: "btemu_subnet_neuron_limit", Gauge, Count, ["netuid"], "Neurons there may be; beyond, a registration takes another's place";
    SUBNET_NEURONS_REGISTERED: "btemu_subnet_neurons_registered_total", Counter, Count, ["netuid", "via"], "Neurons that were registered: burn, work, or founder of the subnet";
    SUBNET_NEURONS_PRUNED: "btemu_subnet_neurons_pruned_total", Counter, Count, ["netuid"], "Neurons that lost their place, to a newer one or because there are to be fewer";
    SUBNET_BURN: "btemu_subnet_registration_cost_tao", Gauge, Tao, ["netuid"], "What a burned registration costs now";
    SUBNET_BURNED: "btemu_subnet_registration_burned_tao_total", Counter, Tao, ["netuid"], "TAO recycled or burned for registrations since the subnet began, by the chain's own counter";
    SUBNET_VALIDATORS: "btemu_subnet_validators_permitted", Gauge, Count, ["netuid"], "Neurons with a validator permit";
    SUBNET_VALIDATORS_ACTIVE: "btemu_subnet_validators_active", Gauge, Count, ["netuid"], "Of these, those that count as active since the last epoch";
    SUBNET_AGREEMENT: "btemu_subnet_agreement_ratio", Gauge, Ratio, ["netuid"], "Mean validator trust of active validators, weighted by stake: the part of what they say that consensus keeps; absent without any";
    SUBNET_INCENTIVE_HERFINDAHL: "btemu_subnet_incentive_herfindahl_ratio", Gauge, Ratio, ["netuid"], "Herfindahl index of incentive: 1 where one neuron gets all; 0 before any";
    SUBNET_INCENTIVE_GINI: "btemu_subnet_incentive_gini_ratio", Gauge, Ratio, ["netuid"], "Gini coefficient of incentive over neurons without a permit and those that get some; 0 before any";
    SUBNET_DIVIDENDS_HERFINDAHL: "btemu_subnet_dividends_herfindahl_ratio", Gauge, Ratio, ["netuid"], "Herfindahl index of dividends: 1 where one neuron gets all; 0 before any";
    SUBNET_DIVIDENDS_GINI: "btemu_subnet_dividends_gini_ratio", Gauge, Ratio, ["netuid"], "Gini coefficient of dividends over neurons with a permit and those that get some; 0 before any";
    SUBNET_CONSENSUS: "btemu_subnet_consensus_neurons", Gauge, Count, ["netuid"], "Neurons to which consensus gives any weight";
    SUBNET_BONDS: "btemu_subnet_bonds", Gauge, Count, ["netuid"], "Bonds of validators to neurons that are not 0, over all mechanisms";
    SUBNET_BONDS_TOP: "btemu_subnet_bonds_top_share_ratio", Gauge, Ratio, ["netuid"], "The largest validator's part of all bonds; 0 before any";
    SUBNET_EPOCHS: "btemu_subnet_epochs_total", Counter, Count, ["netuid"], "Epochs that were run";
    SUBNET_WEIGHTS_SET: "btemu_subnet_weights_set_total", Counter, Count, ["netuid"], "Rows of weights that were stored, revealed ones among them";
    SUBNET_COMMITS: "btemu_subnet_weight_commits_total", Counter, Count, ["netuid"], "Commitments to rows of weights, by hash or sealed";
    SUBNET_REVEALS: "btemu_subnet_weight_reveals_total", Counter, Count, ["netuid"], "Commitments that were opened and set";
    SUBNET_COMMITS_LOST: "btemu_subnet_weight_commits_lost_total", Counter, Count, ["netuid"], "Commitments that will never be set: expired, skipped or not to be read";
    SUBNET_COMMITS_WAITING: "btemu_subnet_weight_commits_waiting", Gauge, Count, ["netuid"], "Commitments that wait to be opened, expired ones among them until they are dropped";
    SUBNET_OWNER_STAKE: "btemu_subnet_owner_stake_alpha", Gauge, Alpha, ["netuid"], "Alpha that the owner's coldkey has staked on its subnet; 0 without an owner";
    SUBNET_OWNER_CUT: "btemu_subnet_owner_cut_alpha_total", Counter, Alpha, ["netuid"], "Alpha paid to the owner as its cut";
    SUBNET_OWNER_SOLD: "btemu_subnet_owner_sold_alpha_total", Counter, Alpha, ["netuid"], "Alpha that the owner's coldkey sold";
    SUBNET_OWNER_BOUGHT: "btemu_subnet_owner_bought_tao_total", Counter, Tao, ["netuid"], "TAO that the owner's coldkey bought alpha with";

    ROLE_NEURONS: "btemu_role_neurons", Gauge, Count, ["netuid", "role"], "Neurons by role: validator with a permit, miner without";
    ROLE_STAKE: "btemu_role_stake_alpha", Gauge, Alpha, ["netuid", "role"], "Alpha staked behind the neurons of a role";
    ROLE_EMISSION: "btemu_role_emission_alpha", Gauge, Alpha, ["netuid", "role"], "Alpha that the last epoch gave to the neurons of a role";
    ROLE_TRUST: "btemu_role_trust_ratio", Gauge, Ratio, ["netuid", "role"], "Mean trust of the neurons of a role: of validators the validator trust, of miners the consensus weight; 0 without any";
    NEURON_INFO: "btemu_neuron_info", Gauge, Info, ["netuid", "uid", "role", "hotkey"], "Who has the uid, on named netuids";
    NEURON_STAKE: "btemu_neuron_stake_alpha", Gauge, Alpha, ["netuid", "uid"], "Alpha staked behind the neuron";
    NEURON_INCENTIVE: "btemu_neuron_incentive_ratio", Gauge, Ratio, ["netuid", "uid"], "Incentive of the neuron, the mean over mechanisms";
    NEURON_DIVIDENDS: "btemu_neuron_dividends_ratio", Gauge, Ratio, ["netuid", "uid"], "Dividends of the neuron";
    NEURON_CONSENSUS: "btemu_neuron_consensus_ratio", Gauge, Ratio, ["netuid", "uid"], "Consensus weight of the neuron";
    NEURON_VALIDATOR_TRUST: "btemu_neuron_validator_trust_ratio", Gauge, Ratio, ["netuid", "uid"], "Validator trust of the neuron: the part of its weights that consensus keeps";
    NEURON_EMISSION: "btemu_neuron_emission_alpha", Gauge, Alpha, ["netuid", "uid"], "Alpha that the last epoch gave to the neuron";
    NEURON_UPDATE_AGE: "btemu_neuron_update_age_blocks", Gauge, Blocks, ["netuid", "uid"], "Blocks since the neuron last set or committed weights, or was registered";

    CALLS: "btemu_calls_total", Counter, Count, ["call", "outcome", "reason"], "Calls decided: accepted, rejected (included, changed nothing) or refused (not included), with the reason of a no; unknown is a refused call whose body was not kept";
    EVENTS: "btemu_events_total", Counter, Count, ["event"], "Public events by kind";
    MESSAGES_SENT: "btemu_messages_sent_total", Counter, Count, [], "Messages between players that were handed to the network; a duplicate counts once";
    MESSAGES_DELIVERED: "btemu_messages_delivered_total", Counter, Count, [], "Messages handed to players";
    MESSAGES_DROPPED: "btemu_messages_dropped_total", Counter, Count, [], "Messages that the network lost";
    PLAYERS: "btemu_players", Gauge, Count, ["role"], "Players of the scenario by role";
    PLAYERS_CRASHED: "btemu_players_crashed_total", Counter, Count, [], "Players whose machine panicked; they stay idle";
    PLAYER_INCOME: "btemu_player_income_tao_total", Counter, Tao, ["role", "behaviour"], "First stream of revenue: emission income at its value when it came; with accounts only";
    PLAYER_PRICE_RESULT: "btemu_player_price_result_tao", Gauge, Tao, ["role", "behaviour"], "Second stream of revenue: what prices made of what they held, realised and not, signed; with accounts only";
    PLAYER_WEALTH: "btemu_player_wealth_tao", Gauge, Tao, ["role", "behaviour", "form"], "What they own: free TAO, and stake at spot prices; with accounts only";

    FAULTS: "btemu_faults_total", Counter, Count, ["kind"], "Simulated faults that came into force, from genesis on; kinds of the scenario alone";
    FAULTS_ACTIVE: "btemu_faults_active", Gauge, Count, ["kind"], "Simulated faults in force in the last block";
    STRUCK: "btemu_disturbances_total", Counter, Count, ["kind"], "Faults below the simulation that were due so far, by kind; kinds of the scenario alone";
    RESTARTS: "btemu_restarts_total", Counter, Count, [], "How often all processes of the run were started again because one was lost";
    INVARIANTS_CHECKED: "btemu_invariants_checked_total", Counter, Count, [], "Blocks after which all invariants were checked; 0 where they are not";
    INVARIANTS_VIOLATED: "btemu_invariants_violated_total", Counter, Count, [], "Of these, blocks after which one did not hold";
    DETECTOR_ALARMS: "btemu_detector_alarms_total", Counter, Count, ["detector"], "Alarms of each detector: a signal about somebody crossed its threshold";
    DETECTOR_SIGNAL: "btemu_detector_signal_ratio", Gauge, Ratio, ["detector"], "The strongest signal of each detector over all subjects, in parts of its threshold; an alarm from 1 on, 0 while it sees nothing";

    PROCESS_MEMORY: "btemu_process_resident_memory_bytes", Gauge, Bytes, ["process"], "Resident memory of each process of the run";
    PROCESS_CPU: "btemu_process_cpu_seconds_total", Counter, Seconds, ["process"], "Processor time that each process of this machine has taken";
    PROCESS_PLAYERS: "btemu_process_players", Gauge, Count, ["process"], "Players that each process carries";
    PROCESS_STEPS: "btemu_process_steps_total", Counter, Count, ["process"], "Inputs that the players of each process took";
    REMOTE_SAMPLES: "btemu_remote_write_samples_total", Counter, Count, ["fate"], "Samples for remote write: sent, or lost because the receiver refused them or was away too long";
}

/// Families of the process that makes the run and of wall time; all others are folds of blocks.
pub const ENGINE_FAMILIES: &[&Family] = &[
    BUILD_INFO,
    SPEED,
    WALL,
    LOG,
    BLOCK_PHASE,
    LOG_SYNC,
    QUEUE,
    STRUCK,
    RESTARTS,
    INVARIANTS_CHECKED,
    INVARIANTS_VIOLATED,
    PROCESS_MEMORY,
    PROCESS_CPU,
    PROCESS_PLAYERS,
    PROCESS_STEPS,
    REMOTE_SAMPLES,
];
