//! What of a run is shown to Prometheus, and where: what a user asked for.
//!
//! What belongs here: the order, its limits, and the metrics it comes to. What does not: how it is asked for (`commands`,
//! `scenario`).

use super::remote::RemoteOrder;
use super::{Metrics, People};
use crate::detect::Detectors;
use crate::plan::Plan;
use protocol::state::State;
use protocol::units::NetUid;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::Path;

/// Subnets whose neurons are shown one by one at most: a neuron is eight series.
pub const NEURON_NETUIDS_MAX: usize = 8;

/// Whether the books of all people are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Accounting {
    /// They are not.
    #[default]
    Off,
    /// They are; it costs a second state and a book per holder.
    On,
}

/// What is shown beside what always is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Detail {
    /// Subnets whose neurons are shown one by one.
    pub neurons: BTreeSet<NetUid>,
    /// Whether people's revenue and wealth are.
    pub accounts: Accounting,
}

/// What is shown, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MetricsOrder {
    /// Where metrics are served.
    pub address: Option<String>,
    /// Where they are pushed.
    pub remote: Option<RemoteOrder>,
    /// What is in them.
    pub detail: Detail,
}

impl MetricsOrder {
    /// Whether anybody sees them.
    pub const fn is_wanted(&self) -> bool {
        self.address.is_some() || self.remote.is_some()
    }
}

impl Detail {
    /// The metrics of a run that begins, or goes on, with a state: what came before it is not known.
    pub fn metrics(&self, plan: &Plan, run: &Path, state: &State) -> Metrics {
        let detectors = Detectors::at(plan, state);
        let metrics = Metrics::of(plan, run).watching(detectors).naming(self.neurons.clone());
        match self.accounts {
            Accounting::Off => metrics,
            Accounting::On => metrics.accounting(People::open(plan, state)),
        }
    }
}
