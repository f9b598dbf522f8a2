//! Everything that a page tells of one run: figures, courses, trouble, terms, and where the run comes from.
//!
//! What belongs here: what the parts of a page are made of. What does not: gathering it (`commands::report_page`), and
//! how it looks (`page`).

use super::Report;
use super::happenings::Happenings;
use super::series::Series;
use crate::run::totals::Totals;
use protocol::units::Height;

/// Everything that a page tells of one run.
#[derive(Debug)]
pub struct Dossier {
    /// The run folder, as it was named.
    pub run: String,
    /// Its figures.
    pub report: Report,
    /// Its figures over time.
    pub series: Series,
    /// What happened.
    pub happenings: Happenings,
    /// What was counted.
    pub totals: Totals,
    /// What went wrong, and who did.
    pub trouble: Trouble,
    /// Parameters whose value is not the default.
    pub terms: Vec<Term>,
    /// Where the run comes from.
    pub origin: Origin,
}

impl Dossier {
    /// Blocks since genesis.
    pub const fn blocks(&self) -> u64 {
        self.report.network.block - self.report.network.genesis_block
    }

    /// Blocks since genesis of a height.
    pub const fn since(&self, height: Height) -> u64 {
        height.0.saturating_sub(self.report.network.genesis_block)
    }
}

/// What went wrong, and who did.
#[derive(Clone, Debug, Default)]
pub struct Trouble {
    /// Detectors that raised an alarm.
    pub detectors: Vec<DetectorSeen>,
    /// How many detectors there are.
    pub detectors_all: usize,
    /// Times that faults of the scenario were in force: kind, first block, and the first block without it.
    pub faults: Vec<(&'static str, Height, Height)>,
    /// What struck below the simulation, by the operations journal: what, and how often. It changed no block.
    pub struck: Vec<(String, u64)>,
}

impl Trouble {
    /// Alarms of all detectors.
    pub fn alarms(&self) -> u64 {
        self.detectors.iter().map(|one| one.alarms).sum()
    }
}

/// A detector that raised an alarm.
#[derive(Clone, Debug, PartialEq)]
pub struct DetectorSeen {
    /// Its name.
    pub name: &'static str,
    /// What it looks at.
    pub observable: &'static str,
    /// All its alarms.
    pub alarms: u64,
    /// After which blocks they were raised, of the first so many.
    pub blocks: Vec<Height>,
    /// At whom they point, each once, in order.
    pub whom: Vec<String>,
}

/// A parameter whose value is not the default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// Of the network, or of which subnets.
    pub scope: String,
    /// Its name.
    pub parameter: &'static str,
    /// Its value.
    pub value: String,
    /// What it is by default.
    pub default: String,
    /// What they count.
    pub unit: &'static str,
}

/// Where a run comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The scenario's name.
    pub scenario: String,
    /// What it shows.
    pub description: String,
    /// The scenario in full (TOML), as the run began.
    pub document: String,
    /// Of all draws.
    pub seed: u64,
    /// What emission shares follow, and how faithful the rules are.
    pub rules: String,
    /// The build that made it.
    pub build: String,
    /// Calendar of genesis.
    pub genesis_time: String,
    /// Players by role.
    pub players: Vec<(String, u64)>,
    /// What decides the simulation.
    pub simulation_hash: String,
    /// The hash of the last block told of.
    pub tip_hash: String,
    /// The state after it.
    pub state_root: String,
    /// How many runs it left.
    pub forks: usize,
    /// The command line it was started with, if that is known.
    pub started_with: Option<String>,
    /// Commands that make the same run again.
    pub commands: Vec<String>,
    /// Files that have to lie beside the scenario, because they do not ship with the program.
    pub files: Vec<String>,
}
