//! `btemu worker`: makes jobs of sweeps that come over a broker. Also whatever of it a build without a broker says.

use super::Failure;
use crate::logging::LogFormat;
use crate::run::signals::Asked;
use crate::sweep::bar::Bar;
use crate::sweep::local::Made;
use crate::sweep::plan::{Planned, Sweep};
use crate::sweep::store::Store;

/// `btemu worker`
#[derive(Debug, clap::Args)]
pub struct WorkerArguments {
    /// The NATS server with the jobs: nats://HOST:PORT.
    #[arg(long, value_name = "URL", value_parser = broker_url)]
    join: String,
    /// Jobs at once, a process each [default: the machine's cores].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// The token of the sweeps whose jobs it makes.
    #[arg(long, value_name = "T")]
    token: Option<String>,
}

/// `nats://HOST:PORT`, the port being 4222 unless it is given.
pub(super) fn broker_url(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("nats://");
    match rest {
        Some(rest) if !rest.is_empty() && !rest.contains(char::is_whitespace) => {
            Ok(text.to_owned())
        }
        _ => Err("a broker is nats://HOST:PORT, as in nats://127.0.0.1:4222".to_owned()),
    }
}

/// Whether this build can speak to one.
#[cfg(feature = "broker")]
pub(super) const fn check_broker() -> Result<(), Failure> {
    Ok(())
}

/// Whether this build can speak to one.
#[cfg(not(feature = "broker"))]
pub(super) fn check_broker() -> Result<(), Failure> {
    let what = "this build has no broker; build with --features broker";
    let hint = "cargo build --release --features emulator/broker; or, for a sweep, --jobs and \
                --shard, which need none";
    Err(Failure::usage(what, Some(hint.to_owned())))
}

/// Makes jobs until it is stopped.
#[cfg(feature = "broker")]
pub fn run(arguments: &WorkerArguments, log_format: LogFormat) -> Result<(), Failure> {
    use crate::parallel::cores;
    use crate::sweep::broker::worker;
    let failed = |what: String| Failure::failed(what, None);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed(format!("cannot make a runtime: {error}")))?;
    runtime.block_on(async {
        let mut asked = Asked::listen().map_err(|error| failed(error.to_string()))?;
        let settings = worker::Settings {
            url: arguments.join.clone(),
            token: arguments.token.clone(),
            at_once: arguments.jobs.map_or_else(cores, usize::from),
            log_format: log_format.name(),
        };
        let served = worker::serve(&settings, &mut asked).await;
        served.map_err(|error| Failure::failed(&error, error.hint()))
    })
}

/// Says that this build cannot.
#[cfg(not(feature = "broker"))]
pub fn run(arguments: &WorkerArguments, _: LogFormat) -> Result<(), Failure> {
    let WorkerArguments { join: _, jobs: _, token: _ } = arguments;
    check_broker()
}

/// Has jobs of a sweep made by workers.
#[cfg(feature = "broker")]
pub(super) async fn make_elsewhere(
    url: &str,
    token: Option<&str>,
    sweep: &Sweep,
    jobs: Vec<(usize, &Planned)>,
    store: &Store,
    bar: &Bar,
    asked: &mut Asked,
) -> Result<Made, Failure> {
    use crate::sweep::broker::{self, sweeper};
    let place = broker::Place { url, token };
    let made = sweeper::make(place, sweep, jobs, store, bar, asked).await;
    made.map_err(|error| Failure::failed(&error, error.hint()))
}

/// Says that this build cannot.
#[cfg(not(feature = "broker"))]
pub(super) async fn make_elsewhere(
    _: &str,
    _: Option<&str>,
    _: &Sweep,
    _: Vec<(usize, &Planned)>,
    _: &Store,
    _: &Bar,
    _: &mut Asked,
) -> Result<Made, Failure> {
    check_broker().map(|()| Made::default())
}

#[cfg(test)]
mod tests {
    use super::broker_url;

    #[test]
    fn a_broker_has_a_scheme_and_a_host() {
        for (text, sound) in [
            ("nats://127.0.0.1:4222", true),
            ("nats://host", true),
            ("127.0.0.1:4222", false),
            ("http://host", false),
            ("nats://", false),
            ("nats://a b", false),
        ] {
            assert_eq!(broker_url(text).is_ok(), sound, "{text}");
        }
    }
}
