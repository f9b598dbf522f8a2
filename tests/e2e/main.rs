//! End-to-end tests: `btemu` as its users run it. One binary, a module per subject.

/// Starting the program and reading what it says.
mod program;

/// The accounts of a coldkey.
mod account;
/// Attacks against their honest counterparts.
mod attack;
/// Wrong input: one clear sentence each.
mod bad_input;
/// Grafana's boards, and Prometheus that answers them.
mod boards;
/// Runs over a NATS server.
mod broker;
/// Files that name each other.
mod circles;
/// Golden cases through the command.
mod conform;
/// A live run that is told what to do.
mod control;
/// Damaged logs and portable files.
mod damage;
/// What shows adversaries.
mod detect;
/// Two runs compared.
mod diff;
/// Pages that are written from the code.
mod documents;
/// Exports that other tools read.
mod export;
/// A network that fails.
mod faults;
/// A live run, followed.
mod follow;
/// Leaving a run at a block.
mod fork;
/// Logs of older builds, snapshots, and disks.
mod formats;
/// `btemu guarantee`.
mod guarantee;
/// Same scenario, same seed, same tip hash.
mod hashes;
/// Stopping, dying, and leaving nothing behind.
mod interruption;
/// Scenarios in TOML, YAML and JSON.
mod languages;
/// Which crate may name what.
mod layering;
/// Links between processes, hosts from outside, and strangers.
mod links;
/// Metagraphs, imported and played.
mod metagraph;
/// Metrics over HTTP.
mod metrics;
/// `btemu report --out`.
mod page;
/// Players that come and go.
mod population;
/// Limits of queues.
mod queues;
/// Replay, verify, inspect, log.
mod reading;
/// Metrics at simulated times, wherever they are read.
mod remote_write;
/// `btemu report`.
mod report;
/// Making a run again.
mod reproduce;
/// Scenario commands and the shipped scenarios.
mod scenarios;
/// Scenario files as JSON Schema.
mod schema;
/// Weights that are sealed until they count.
mod sealed;
/// Memory over a long run.
mod soak;
/// The stories that ship.
mod stories;
/// Faults below the simulation, in scenarios.
mod struck;
/// Random scenarios against every check.
mod swarm;
/// Grids of runs.
mod sweep;
/// Grids of runs over a broker.
mod sweep_broker;
/// Log lines.
mod telling;
/// `btemu top` in a terminal.
mod top;
/// How far a run goes, and with which seeds.
mod until;
/// Which program this is.
mod version;
