//! What a run says about each subnet and about the network: the five questions of an investor, and who won and lost.
//!
//! What belongs here: one pass over a log, and what is made of it. What does not: how it is shown (`commands::report`).
//! docs/report.md says what every figure is.

/// What is gathered block by block.
mod gather;
/// Sums and shares of numbers.
mod inequality;
/// The network's part.
mod network;
/// One subnet's part.
mod subnet;

pub use gather::Gathered;
pub use inequality::{gini, herfindahl};
pub use network::NetworkReport;
pub use subnet::{SubnetReport, exits};

use crate::accounting::Accounts;
use crate::plan::Plan;
use protocol::state::State;
use serde::Serialize;

/// Everything that `btemu report` tells.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The whole network.
    pub network: NetworkReport,
    /// Every subnet that there was, those that remain first, largest emission share first.
    pub subnets: Vec<SubnetReport>,
}

impl Report {
    /// What was gathered, told with the state after the last block.
    pub fn new(plan: &Plan, gathered: &Gathered, accounts: &Accounts, state: &State) -> Self {
        let network = NetworkReport::new(plan, gathered, accounts, state);
        Self { network, subnets: subnet::reports(gathered, state) }
    }
}
