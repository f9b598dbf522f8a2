//! Which players there are. A new player is one file and one line in the list below.
//!
//! What belongs here: names and dispatch. What does not: behaviour, and reading scenario files.

use crate::machine::{Context, Input, Machine};
use protocol::units::BLOCKS_PER_DAY;
use serde::{Deserialize, Deserializer, Serialize};

/// What a participant is on the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Owns a subnet.
    Owner,
    /// Scores miners and sets weights.
    Validator,
    /// Answers validators.
    Miner,
    /// Moves TAO in and out of subnets.
    Staker,
    /// Uses what a subnet makes and pays its owner for it.
    Customer,
}

impl Role {
    /// Every role.
    pub const ALL: &'static [Self] =
        &[Self::Owner, Self::Validator, Self::Miner, Self::Staker, Self::Customer];

    /// The name as scenarios and metrics write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Validator => "validator",
            Self::Miner => "miner",
            Self::Staker => "staker",
            Self::Customer => "customer",
        }
    }
}

/// A behaviour that a group of players can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// Whose behaviour it is.
    pub role: Role,
    /// Its name within the role.
    pub name: &'static str,
    /// What it does, in one line.
    pub what: &'static str,
}

/// No such behaviour.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a {role} has no behaviour {name:?}; it has {known}", role = role.name())]
pub struct UnknownBehaviour {
    /// Whose behaviour was asked for.
    pub role: Role,
    /// The name asked for.
    pub name: String,
    /// The names there are, separated by commas.
    pub known: String,
}

/// A setting that no player can act on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} is {value}, but it must be {must}")]
pub struct InvalidSetting {
    /// The setting's name.
    pub key: &'static str,
    /// Its value.
    pub value: u64,
    /// What it must be.
    pub must: &'static str,
}

/// Refuses a setting outside `low..=high`, with the words for that range.
pub(crate) fn within(
    key: &'static str,
    value: u64,
    range: std::ops::RangeInclusive<u64>,
    must: &'static str,
) -> Result<(), InvalidSetting> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(InvalidSetting { key, value, must })
}

/// Refuses a time between two looks that is none, or more than a year.
pub(crate) fn check_interval(interval_blocks: u64) -> Result<(), InvalidSetting> {
    let year = 365 * BLOCKS_PER_DAY;
    within("interval_blocks", interval_blocks, 1..=year, "1 block to 1 year")
}

/// Refuses a share above one whole.
pub(crate) fn ppm(key: &'static str, value: u32) -> Result<(), InvalidSetting> {
    within(key, value.into(), 0..=1_000_000, "at most 1000000 (a whole)")
}

macro_rules! players {
    ($($(#[$when:meta])? $machine:ident, $settings:ident in $($module:ident)::+:
        $role:ident $name:literal, $what:literal;)*) => {
        /// A player of any kind. Append variants only: their position is part of every checkpoint.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub enum Player {
            $($(#[$when])? #[doc = $what] $machine(crate::$($module)::+::$machine),)*
        }

        impl Machine for Player {
            fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
                match self {
                    $($(#[$when])? Self::$machine(machine) => machine.step(input, context),)*
                }
            }
        }

        impl Player {
            /// Whose machine it is and which.
            pub const fn behaviour(&self) -> Behaviour {
                match self {
                    $($(#[$when])? Self::$machine(_) => Behaviour {
                        role: Role::$role, name: $name, what: $what,
                    },)*
                }
            }
        }

        /// The settings of a behaviour. Serialises as the settings alone.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum BehaviourSettings {
            $($(#[$when])? #[doc = $what] $machine(crate::$($module)::+::$settings),)*
        }

        impl BehaviourSettings {
            /// The default settings of a behaviour.
            ///
            /// # Errors
            /// No such behaviour.
            pub fn defaults(role: Role, behaviour: &str) -> Result<Self, UnknownBehaviour> {
                match (role, behaviour) {
                    $($(#[$when])? (Role::$role, $name) => Ok(Self::$machine(Default::default())),)*
                    _ => Err(unknown(role, behaviour)),
                }
            }

            /// Reads settings over these ones' type: absent ones take the behaviour's default,
            /// unknown ones are errors that name the known ones.
            ///
            /// # Errors
            /// What the deserialiser says.
            pub fn read<'de, D: Deserializer<'de>>(&self, from: D) -> Result<Self, D::Error> {
                match self {
                    $($(#[$when])? Self::$machine(_) => Deserialize::deserialize(from).map(Self::$machine),)*
                }
            }

            /// Checks the values.
            ///
            /// # Errors
            /// The first setting that no player could act on.
            pub fn check(&self) -> Result<(), InvalidSetting> {
                match self {
                    $($(#[$when])? Self::$machine(settings) => settings.check(),)*
                }
            }

            /// Whose settings they are and of which behaviour.
            pub const fn behaviour(&self) -> Behaviour {
                match self {
                    $($(#[$when])? Self::$machine(_) => Behaviour {
                        role: Role::$role, name: $name, what: $what,
                    },)*
                }
            }

            /// A machine with these settings, at genesis.
            pub fn build(self) -> Player {
                match self {
                    $($(#[$when])? Self::$machine(settings) => {
                        Player::$machine(crate::$($module)::+::$machine::new(settings))
                    })*
                }
            }
        }

        /// Every behaviour.
        pub const fn behaviours() -> &'static [Behaviour] {
            &[$($(#[$when])? Behaviour { role: Role::$role, name: $name, what: $what },)*]
        }
    };
}

players! {
    Hold, HoldSettings in owner: Owner "hold", "Starts its subnet as soon as it may and does nothing else.";
    Sampler, SamplerSettings in validator: Validator "sampler", "Queries a sample of miners each tempo and sets weights from its running scores.";
    Quality, QualitySettings in miner: Miner "quality", "Answers every query with a latent quality and some noise.";
    Index, IndexSettings in staker: Staker "index", "Keeps a share of its wealth on root.";
    Momentum, MomentumSettings in staker: Staker "momentum", "Buys the subnet that rises most against its moving price and sells its weakest holding.";
    Noise, NoiseSettings in staker: Staker "noise", "Moves TAO into or out of a random subnet.";
    Entrant, EntrantSettings in entrant: Owner "entrant", "Registers a subnet when the lock cost is within its price, starts it and backs it.";
    Market, MarketSettings in customer: Customer "market", "Uses a subnet's miners, grows with their quality and pays the owner.";
    Builder, BuilderSettings in owner::builder: Owner "builder", "Buys its own alpha with a part of what customers pay and sells a part of its cut.";
    Treasurer, TreasurerSettings in owner::treasurer: Owner "treasurer", "Buys its own alpha for a time and sells it later in parts.";
    Absentee, AbsenteeSettings in owner::absentee: Owner "absentee", "Starts its subnet and sells its whole cut.";
    Multi, MultiSettings in owner::multi: Owner "multi", "Owns several subnets with one purse, and can leave all of them.";
    Worker, WorkerSettings in miner::worker: Miner "worker", "Lives on what it earns: invests, neglects its work, or looks for another place.";
    Judge, JudgeSettings in validator::judge: Validator "judge", "Works as a sampler, measures with noise, and minds its permit, version, take and children.";
    Tuner, TunerSettings in owner::tuner: Owner "tuner", "Holds, and turns its subnet's parameters by rules.";
    Prospector, ProspectorSettings in entrant::prospector: Owner "prospector", "Registers a subnet as an entrant does, when a middling one pays its price back in time.";
    Concentrated, ConcentratedSettings in staker: Staker "concentrated", "Holds a few subnets in equal parts and seldom thinks again which.";
    Value, ValueSettings in staker: Staker "value", "Buys the subnet with much emission for its market value and sells its dearest holding.";
    Flow, FlowSettings in staker: Staker "flow", "Buys the subnet into which most TAO flows and sells what it flows out of.";
    Apy, ApySettings in staker: Staker "apy", "Chases the validator whose stakers earned most.";
    Panic, PanicSettings in staker: Staker "panic", "Sells what has fallen too far from its peak and stays away for a while.";
    Averager, AveragerSettings in staker: Staker "averager", "Puts in a fixed amount each time until its budget is spent.";
    Institution, InstitutionSettings in staker: Staker "institution", "Enters and leaves a large position in small orders with limit prices.";
    WeightCopier, WeightCopierSettings in adversary: Validator "weight-copier", "Queries no miner and sets weights that it copies.";
    StaleCopier, StaleCopierSettings in adversary: Validator "stale-copier", "Queries no miner and commits to what was last revealed.";
    CommitWithholder, CommitWithholderSettings in adversary: Validator "commit-withholder", "Commits to its rows and reveals them never, or only when it pays.";
    BadRevealer, BadRevealerSettings in adversary: Validator "bad-revealer", "Reveals its rows with another salt, too early, too late, or twice.";
    Cabal, CabalSettings in adversary: Validator "cabal", "Gives a part of its row to the miners of its own cabal.";
    SelfWeighter, SelfWeighterSettings in adversary: Validator "self-weighter", "Gives a part of its row to itself or to a sister hotkey.";
    BondsGamer, BondsGamerSettings in adversary: Validator "bonds-gamer", "Hedges on all miners with minimal weights and switches late.";
    PermitHopper, PermitHopperSettings in adversary: Validator "permit-hopper", "Moves its stake to another hotkey of its group just before each epoch.";
    Spammer, SpammerSettings in adversary: Validator "spammer", "Sets random weights and floods chain and subnet with what means nothing.";
    Sleeper, SleeperSettings in adversary: Validator "sleeper", "Stops asking and setting weights without a word, and may come back.";
    Outdated, OutdatedSettings in adversary: Validator "outdated", "Sets weights by an old metagraph or with an old version key.";
    ChildkeyAbuser, ChildkeyAbuserSettings in adversary: Validator "childkey-abuser", "Raises its childkey take or moves its children just before an epoch.";
    Dictator, DictatorSettings in adversary: Validator "dictator", "Buys most of the stake and makes its own taste the consensus.";
    FlowRecycler, FlowRecyclerSettings in adversary: Staker "flow-recycler", "Moves one capital in and out around the flow average.";
    Sandwicher, SandwicherSettings in adversary: Staker "sandwicher", "Buys before and sells after a regular large buyer in one block.";
    DumpWhale, DumpWhaleSettings in adversary: Staker "dump-whale", "Sells all it holds at once at any price.";
    DeregSniper, DeregSniperSettings in adversary: Staker "dereg-sniper", "Pushes a subnet to the lowest price and registers one in its place.";
    HyperparameterRugger, HyperparameterRuggerSettings in adversary: Owner "hyperparameter-rugger", "Turns its subnet's parameters against all but its own neurons.";
    MinerBurner, MinerBurnerSettings in adversary: Owner "miner-burner", "Routes all incentive to its own hotkey, where it is withheld.";
    LockCostGriefer, LockCostGrieferSettings in adversary: Owner "lock-cost-griefer", "Registers subnets only to keep the next one dear.";
    Sybil, SybilSettings in adversary: Miner "sybil", "Serves one answer at many uids, hoards places and keeps the burn up.";
    AnswerCopier, AnswerCopierSettings in adversary: Miner "answer-copier", "Relays the best miner's answers as its own.";
    VacancySniper, VacancySniperSettings in adversary: Miner "vacancy-sniper", "Registers into a uid that unrevealed rows still point to.";
    Staller, StallerSettings in adversary: Miner "staller", "Answers late and floods validators while a rival wins.";
    RegistrationBot, RegistrationBotSettings in adversary: Miner "registration-bot", "Fires registrations in the first block of each interval.";
    #[cfg(test)]
    Probe, ProbeSettings in stage: Miner "probe", "Notes its inputs and does what its script says.";
}

/// Where the players of a group are at genesis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seats {
    /// On each subnet of the group its own.
    EachSubnet,
    /// One player on all subnets of the group together.
    AllSubnets,
    /// On no subnet.
    Nowhere,
}

impl BehaviourSettings {
    /// Where its players are at genesis.
    pub fn seats(&self) -> Seats {
        match self {
            Self::Entrant(_) | Self::Prospector(_) | Self::LockCostGriefer(_) => Seats::Nowhere,
            Self::VacancySniper(_) | Self::RegistrationBot(_) => Seats::Nowhere,
            Self::Sybil(settings) if settings.starts_outside => Seats::Nowhere,
            Self::Multi(_) => Seats::AllSubnets,
            Self::Worker(settings) if settings.starts_outside => Seats::Nowhere,
            Self::Judge(settings) if settings.starts_outside => Seats::Nowhere,
            other if other.behaviour().role == Role::Staker => Seats::Nowhere,
            _ => Seats::EachSubnet,
        }
    }

    /// The setting that names another group whose keys its players know, and the name.
    pub fn known_group(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::Cabal(settings) => Some(("miners_group", &settings.miners_group)),
            _ => None,
        }
    }

    /// Whether its players have a place on each subnet of their group, or act on the whole network.
    pub fn has_places(&self) -> bool {
        self.seats() == Seats::EachSubnet
    }
}

fn unknown(role: Role, name: &str) -> UnknownBehaviour {
    let of_role = behaviours().iter().filter(|known| known.role == role);
    let names: Vec<&str> = of_role.map(|known| known.name).collect();
    UnknownBehaviour { role, name: name.to_owned(), known: names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::canon::digest;
    use protocol::units::Hash32;
    use serde_json::json;

    #[test]
    fn behaviours_are_known_by_role_and_name() {
        for known in behaviours() {
            let settings = BehaviourSettings::defaults(known.role, known.name).expect("is known");
            assert_eq!((settings.behaviour(), settings.check()), (*known, Ok(())));
            let player = settings.build();
            assert_eq!(player.behaviour(), *known);
            // The simulation hash covers the machine, and its code knows no floats.
            assert_ne!(digest("player", &player), Hash32::default());
        }
        let unknown = BehaviourSettings::defaults(Role::Staker, "hold").expect_err("an owner's");
        assert_eq!(
            unknown.to_string(),
            "a staker has no behaviour \"hold\"; it has index, momentum, noise, \
             concentrated, value, flow, apy, panic, averager, institution, flow-recycler, \
             sandwicher, dump-whale, dereg-sniper"
        );
    }

    #[test]
    fn settings_read_back_and_strange_ones_are_refused() {
        for known in behaviours() {
            let settings = BehaviourSettings::defaults(known.role, known.name).expect("is known");
            let written = serde_json::to_value(&settings).expect("settings serialise");
            assert_eq!(settings.read(written).expect("reads back"), settings);
            assert_eq!(settings.read(json!({})).expect("all have defaults"), settings);
            let error = settings.read(json!({"sampel": 3})).expect_err("no such setting");
            assert!(error.to_string().starts_with("unknown field `sampel`"), "{error}");
        }
    }

    #[test]
    fn values_out_of_range_are_named() {
        let rows = [
            (Role::Owner, "hold", json!({"retry_blocks": 0}), "retry_blocks is 0"),
            (Role::Owner, "entrant", json!({"interval_blocks": 0}), "interval_blocks is 0"),
            (Role::Owner, "entrant", json!({"price_max_rao": 5}), "price_min_rao is 1000000000000"),
            (Role::Owner, "entrant", json!({"backing_ppm": 1_000_001}), "backing_ppm"),
            (Role::Validator, "sampler", json!({"sample": 0}), "sample is 0"),
            (Role::Validator, "sampler", json!({"answer_wait_ms": 90_000_000}), "answer_wait_ms"),
            (Role::Validator, "sampler", json!({"smoothing_ppm": 1_000_001}), "smoothing_ppm"),
            (Role::Validator, "sampler", json!({"lead_blocks": 0}), "lead_blocks is 0"),
            (Role::Validator, "sampler", json!({"stagger_ppm": 1_000_001}), "stagger_ppm"),
            (Role::Miner, "quality", json!({"mean_ppm": 1_000_001}), "mean_ppm"),
            (Role::Miner, "quality", json!({"work_ms_min": 9, "work_ms_max": 8}), "work_ms_max"),
            (
                Role::Miner,
                "quality",
                json!({"step_quality": {"at_ms": 1, "to_ppm": 1_000_001}}),
                "step_quality.to_ppm",
            ),
            (Role::Staker, "index", json!({"interval_blocks": 0}), "interval_blocks is 0"),
            (Role::Staker, "index", json!({"target_ppm": 1_000_001}), "target_ppm"),
            (Role::Staker, "momentum", json!({"order_ppm": 0}), "order_ppm is 0"),
            (Role::Staker, "noise", json!({"in_ppm": 1_000_001}), "in_ppm"),
            (Role::Owner, "builder", json!({"buyback_ppm": 1_000_001}), "buyback_ppm"),
            (Role::Owner, "treasurer", json!({"pump_blocks": 0}), "pump_blocks is 0"),
            (Role::Owner, "absentee", json!({"interval_blocks": 0}), "interval_blocks is 0"),
            (Role::Owner, "multi", json!({"exit_parts": 0}), "exit_parts is 0"),
            (Role::Miner, "worker", json!({"mean_ppm": 1_000_001}), "mean_ppm"),
            (Role::Miner, "worker", json!({"uptime_ppm": 0}), "uptime_ppm is 0"),
            (Role::Validator, "judge", json!({"take_step_ppm": 0}), "take_step_ppm is 0"),
            (Role::Validator, "judge", json!({"sampling": {"sample": 0}}), "sample is 0"),
            (Role::Owner, "tuner", json!({"burn_max_rao": 1_000_000_000}), "burn_max_rao"),
            (Role::Owner, "tuner", json!({"immunity_min": 30_000}), "immunity_min is 30000"),
            (Role::Owner, "prospector", json!({"horizon_days": 0}), "horizon_days is 0"),
            (Role::Customer, "market", json!({"users_start": 10_001}), "users_start is 10001"),
            (Role::Customer, "market", json!({"quality_wanted_ppm": 0}), "quality_wanted_ppm"),
            (Role::Staker, "concentrated", json!({"subnets_max": 0}), "subnets_max is 0"),
            (Role::Staker, "concentrated", json!({"band_ppm": 1_000_001}), "band_ppm"),
            (Role::Staker, "value", json!({"interval_blocks": 0}), "interval_blocks is 0"),
            (Role::Staker, "value", json!({"budget_ppm": 1_000_001}), "budget_ppm"),
            (Role::Staker, "value", json!({"delay_blocks": 7_201}), "delay_blocks"),
            (Role::Staker, "value", json!({"slippage_ppm": 99}), "slippage_ppm is 99"),
            (Role::Staker, "value", json!({"dear_ppm": 1_250_000}), "dear_ppm is 1250000"),
            (Role::Staker, "flow", json!({"order_ppm": 0}), "order_ppm is 0"),
            (Role::Staker, "flow", json!({"horizon_blocks": 26_280_001}), "horizon_blocks"),
            (Role::Staker, "apy", json!({"window_blocks": 0}), "window_blocks is 0"),
            (Role::Staker, "apy", json!({"validators_max": 65}), "validators_max is 65"),
            (Role::Staker, "panic", json!({"drawdown_ppm": 0}), "drawdown_ppm is 0"),
            (Role::Staker, "panic", json!({"memory_blocks": 7}), "memory_blocks is 7"),
            (Role::Staker, "panic", json!({"sell_ppm": 1_000_001}), "sell_ppm"),
            (Role::Staker, "averager", json!({"amount_rao": 5}), "amount_rao is 5"),
            (Role::Staker, "averager", json!({"exit_parts": 0}), "exit_parts is 0"),
            (Role::Staker, "institution", json!({"participation_ppm": 0}), "participation_ppm"),
            (Role::Validator, "weight-copier", json!({"memory_epochs": 0}), "memory_epochs is 0"),
            (Role::Validator, "stale-copier", json!({"sampling": {"sample": 0}}), "sample is 0"),
            (Role::Validator, "commit-withholder", json!({"sampling": {"sample": 0}}), "sample"),
            (Role::Validator, "bad-revealer", json!({"sampling": {"sample": 0}}), "sample is 0"),
            (Role::Validator, "cabal", json!({"miners": 257}), "miners is 257"),
            (Role::Validator, "cabal", json!({"self_weight_ppm": 1_000_001}), "self_weight_ppm"),
            (Role::Validator, "self-weighter", json!({"interval_blocks": 0}), "interval_blocks"),
            (Role::Validator, "bonds-gamer", json!({"late_rows": 65}), "late_rows is 65"),
            (Role::Validator, "permit-hopper", json!({"lead_blocks": 0}), "lead_blocks is 0"),
            (Role::Validator, "permit-hopper", json!({"stay_epochs": 0}), "stay_epochs is 0"),
            (Role::Validator, "spammer", json!({"calls_per_block": 1_001}), "calls_per_block"),
            (Role::Validator, "sleeper", json!({"sampling": {"sample": 0}}), "sample is 0"),
            (Role::Validator, "outdated", json!({"refresh_blocks": 0}), "refresh_blocks is 0"),
            (Role::Validator, "childkey-abuser", json!({"lenders": 2}), "lenders is 2"),
            (Role::Validator, "childkey-abuser", json!({"take_low_ppm": 180_001}), "take_low_ppm"),
            (Role::Validator, "dictator", json!({"majority": {"order_ppm": 0}}), "order_ppm is 0"),
            (Role::Staker, "flow-recycler", json!({"in_blocks": 0}), "in_blocks is 0"),
            (Role::Staker, "sandwicher", json!({"sell_after_ms": 12_000}), "sell_after_ms"),
            (Role::Staker, "dump-whale", json!({"dump_ppm": 0}), "dump_ppm is 0"),
            (Role::Staker, "dereg-sniper", json!({"sell_ppm": 1_000_001}), "sell_ppm"),
            (Role::Owner, "hyperparameter-rugger", json!({"immortals": 11}), "immortals is 11"),
            (
                Role::Owner,
                "miner-burner",
                json!({"majority": {"share_ppm": 1_000_001}}),
                "share_ppm",
            ),
            (Role::Owner, "lock-cost-griefer", json!({"interval_blocks": 0}), "interval_blocks"),
            (Role::Miner, "sybil", json!({"further_hotkeys": 257}), "further_hotkeys is 257"),
            (Role::Miner, "answer-copier", json!({"wait_ms": 0}), "wait_ms is 0"),
            (Role::Miner, "vacancy-sniper", json!({"interval_blocks": 0}), "interval_blocks is 0"),
            (Role::Miner, "staller", json!({"flood": 101}), "flood is 101"),
            (Role::Miner, "registration-bot", json!({"shots": 65}), "shots is 65"),
        ];
        for (role, behaviour, written, expected) in rows {
            let defaults = BehaviourSettings::defaults(role, behaviour).expect("is known");
            let settings = defaults.read(written).expect("reads");
            let error = settings.check().expect_err(expected).to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
