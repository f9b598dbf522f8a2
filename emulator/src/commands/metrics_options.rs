//! Options about metrics that several commands share.
//!
//! What belongs here: what is typed, and what it comes to. What does not: what is done with it (`metrics`).

use super::Failure;
use super::reading::Reading;
use crate::metrics::order::{Accounting, Detail, NEURON_NETUIDS_MAX};
use crate::metrics::remote::{EVERY, RemoteOrder, check_url};
use crate::run::link::is_host_and_port;
use crate::scenario::{Overrides, Scenario, read_shown};
use protocol::units::NetUid;
use serde::{Deserialize, Serialize};

/// What is in the metrics beside what always is.
#[derive(Clone, Debug, Default, Serialize, Deserialize, clap::Args)]
#[serde(default)]
pub struct DetailOptions {
    /// Metrics of every neuron of this subnet; may be given several times [default: the scenario's].
    #[arg(long, value_name = "NETUID")]
    pub neurons: Vec<u16>,
    /// Metrics of what players earn and own: keeps the books of all holders, which costs time and a second state [default: the scenario's].
    #[arg(long)]
    pub accounts: bool,
}

/// Where metrics are pushed.
#[derive(Clone, Debug, Default, Serialize, Deserialize, clap::Args)]
#[serde(default)]
pub struct PushOptions {
    /// Push metrics with simulated timestamps to this receiver of Prometheus' remote write, as in http://127.0.0.1:9090/api/v1/write.
    #[arg(long, value_name = "URL", value_parser = receiver)]
    pub remote_write: Option<String>,
    /// Blocks between samples for --remote-write [default: 5].
    #[arg(long, value_name = "N", requires = "remote_write", value_parser = clap::value_parser!(u64).range(1..))]
    pub every: Option<u64>,
}

impl DetailOptions {
    /// What is asked for over what a scenario says.
    pub fn over(&self, scenario: &Scenario) -> Result<Detail, Failure> {
        self.laid_over(scenario.metrics_detail())
    }

    /// The same over the scenario in a log. One that this build cannot read asks for nothing.
    pub fn over_held(&self, reading: &Reading) -> Result<Detail, Failure> {
        let text = reading.plan.last_course().scenario();
        let held = read_shown(text, &Overrides::default()).ok();
        self.laid_over(held.map(|scenario| scenario.metrics_detail()).unwrap_or_default())
    }

    /// Refuses to be asked for where nobody would see it.
    pub fn check_seen(&self, is_seen: bool) -> Result<(), Failure> {
        if is_seen || (self.neurons.is_empty() && !self.accounts) {
            return Ok(());
        }
        let what = "--neurons and --accounts are about metrics, and none are served or pushed";
        let hint = "add --metrics 127.0.0.1:9464 or --remote-write URL".to_owned();
        Err(Failure::usage(what, Some(hint)))
    }

    fn laid_over(&self, detail: Detail) -> Result<Detail, Failure> {
        if self.neurons.len() > NEURON_NETUIDS_MAX {
            let count = self.neurons.len();
            let what = format!("--neurons: {count} subnets are more than {NEURON_NETUIDS_MAX}");
            let hint = "`btemu export` writes the neurons of all subnets as a table".to_owned();
            return Err(Failure::usage(what, Some(hint)));
        }
        Ok(Detail {
            neurons: match self.neurons.is_empty() {
                true => detail.neurons,
                false => self.neurons.iter().copied().map(NetUid).collect(),
            },
            accounts: if self.accounts { Accounting::On } else { detail.accounts },
        })
    }
}

impl PushOptions {
    /// What is asked for.
    pub fn order(&self) -> Option<RemoteOrder> {
        let url = self.remote_write.clone()?;
        Some(RemoteOrder { url, every: self.every.unwrap_or(EVERY) })
    }
}

fn receiver(text: &str) -> Result<String, String> {
    check_url(text).map(|()| text.to_owned())
}

/// HOST:PORT.
pub fn address(text: &str) -> Result<String, String> {
    match is_host_and_port(text) {
        true => Ok(text.to_owned()),
        false => Err("an address is HOST:PORT, as in 127.0.0.1:9464".to_owned()),
    }
}

/// HOST:PORT, or `off`.
pub fn address_or_off(text: &str) -> Result<String, String> {
    match text {
        "off" => Ok(text.to_owned()),
        _ => address(text).map_err(|error| format!("{error}, or `off`")),
    }
}
