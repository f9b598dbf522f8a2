//! `btemu guarantee`: the map of Yuma's consensus guarantee.
//!
//! What belongs here: what users type and read. What does not: the model and its work (`guarantee`, docs/guarantee.md).

use super::tables::numbers_table;
use super::{Failure, print, print_json};
use crate::clock::Stopwatch;
use crate::export::{ExportError, Target};
use crate::guarantee::output::{Told, csv, svg};
use crate::guarantee::{HONEST_STAKES, Measured, Millionths, Retention, Settings, Study, study};
use crate::parallel::cores;
use crate::progress::Showing;
use crate::telling::figures::thousands;
use crate::telling::tell_talk;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Honest utilities for which the table has a column.
const COLUMNS: [f64; 6] = [0.5, 0.6, 0.7, 0.8, 0.9, 1.0];

/// `btemu guarantee`
#[derive(Debug, clap::Args)]
pub struct GuaranteeArguments {
    /// Stake share of the honest camp; several, with commas between them, make a map each [default: 0.51, 0.55 and on
    /// in steps of 0.05 to 0.95, 0.99].
    #[arg(long = "honest-stake", value_name = "X", value_delimiter = ',', value_parser = Millionths::share)]
    honest_stakes: Vec<Millionths>,
    /// Standard deviation of each weight around its mean, of a mean of 1.
    #[arg(long, value_name = "X", default_value = "0.4", value_parser = Millionths::deviation)]
    weights_stddev: Millionths,
    /// κ: the part of the stake that carries a weight.
    #[arg(long, value_name = "X", default_value = "0.5", value_parser = Millionths::share)]
    kappa: Millionths,
    /// β: how far bonds follow clipped weights instead of those that were set.
    #[arg(long, value_name = "X", default_value = "1", value_parser = Millionths::share)]
    bonds_penalty: Millionths,
    /// ξ: the validators' share of what validators and miners get.
    #[arg(long, value_name = "X", default_value = "0.5", value_parser = Millionths::share)]
    validator_share: Millionths,
    /// UIDs of the subnet.
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u16).range(4..=4096))]
    uids: u16,
    /// How many of them are validators.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(2..=4096))]
    validators: u16,
    /// Values of each self-weight, from 0 to 1.
    #[arg(long, value_name = "N", default_value_t = 51, value_parser = clap::value_parser!(u16).range(2..=501))]
    points: u16,
    /// Networks drawn; of two and more a confidence interval is told.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=100))]
    samples: u16,
    /// What they are drawn from.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Epochs at each point; bonds go on, weights are drawn anew.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=200))]
    epochs: u16,
    /// Which of these epochs counts: the last, or the mean of all.
    #[arg(long, value_name = "WHICH", value_enum, default_value_t = Measured::Last)]
    measured: Measured,
    /// Part of the honest camp that copies the newest consensus it can read instead of evaluating.
    #[arg(long, value_name = "X", default_value = "0", value_parser = Millionths::share)]
    copiers: Millionths,
    /// Epochs after which committed weights are revealed: so much later copiers see the consensus.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=100))]
    reveal_epochs: u16,
    /// Standard deviation of the step that each miner's quality makes from epoch to epoch.
    #[arg(long, value_name = "X", default_value = "0", value_parser = Millionths::deviation)]
    drift: Millionths,
    /// Threads that compute; the result is the same [default: the machine's cores].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Print one JSON object: settings, maps, contours, required utilities.
    #[arg(long)]
    json: bool,
    /// Write a plot (FILE.svg), every point with the engine's amounts (FILE.csv), or the JSON object (FILE.json).
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// What `--out` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Svg,
    Csv,
    Json,
}

impl Format {
    fn of(path: &Path) -> Result<Self, Failure> {
        match path.extension().and_then(|end| end.to_str()) {
            Some("svg") => Ok(Self::Svg),
            Some("csv") => Ok(Self::Csv),
            Some("json") => Ok(Self::Json),
            _ => {
                let what = format!("--out {}: the end of the name says no format", path.display());
                let hint =
                    "FILE.svg for a plot, FILE.csv for every point, FILE.json for the object";
                Err(Failure::usage(what, Some(hint.to_owned())))
            }
        }
    }
}

/// Computes the maps, and shows them.
pub fn run(arguments: &GuaranteeArguments) -> Result<(), Failure> {
    let settings = settings(arguments);
    settings
        .check()
        .map_err(|unsound| Failure::usage(unsound.to_string(), Some(unsound.hint.clone())))?;
    // What cannot be written is told before the work, not after it.
    let out = match &arguments.out {
        Some(path) => Some((Format::of(path)?, Target::file(path).map_err(failed)?)),
        None => None,
    };
    let threads = arguments.jobs.map_or_else(cores, usize::from);
    let watch = Stopwatch::start();
    let bar = bar(settings.epochs_total(), Showing::unless_json(arguments.json));
    let study = study(&settings, threads, |epochs| bar.inc(epochs));
    bar.finish_and_clear();
    let seconds = watch.seconds();
    if let Some((format, target)) = out {
        let text = match format {
            Format::Svg => svg(&settings, &study).map_err(|error| Failure::failed(error, None))?,
            Format::Csv => csv(&settings, &study),
            Format::Json => {
                let told = serde_json::to_string(&Told::new(&settings, &study));
                told.map_err(|error| Failure::failed(format!("cannot write JSON: {error}"), None))?
                    + "\n"
            }
        };
        write(target, &text)?;
    }
    if arguments.json {
        return print_json(&Told::new(&settings, &study));
    }
    print(&tell(&settings, &study))?;
    let epochs = thousands(settings.epochs_total());
    tell_talk(&format!("{epochs} epochs in {seconds:.1} s on {threads} threads\n"));
    Ok(())
}

fn settings(arguments: &GuaranteeArguments) -> Settings {
    let honest_stakes = match arguments.honest_stakes.is_empty() {
        true => HONEST_STAKES.map(Millionths).to_vec(),
        false => arguments.honest_stakes.clone(),
    };
    Settings {
        honest_stakes,
        uids: arguments.uids,
        validators: arguments.validators,
        weights_stddev: arguments.weights_stddev,
        kappa: arguments.kappa,
        bonds_penalty: arguments.bonds_penalty,
        validator_share: arguments.validator_share,
        points: arguments.points,
        samples: arguments.samples,
        seed: arguments.seed,
        epochs: arguments.epochs,
        measured: arguments.measured,
        copiers: arguments.copiers,
        reveal_epochs: arguments.reveal_epochs,
        drift: arguments.drift,
    }
}

fn bar(epochs: u64, showing: Showing) -> ProgressBar {
    let target = match showing {
        Showing::Bar => ProgressDrawTarget::stderr(),
        Showing::Nothing => ProgressDrawTarget::hidden(),
    };
    let bar = ProgressBar::with_draw_target(Some(epochs), target);
    let style = "epoch {human_pos} of {human_len} {wide_bar} {per_sec} ETA {eta}";
    bar.set_style(ProgressStyle::with_template(style).expect("the template is well-formed"));
    bar
}

fn write(mut target: Target, text: &str) -> Result<(), Failure> {
    let mut output = target.begin("guarantee").map_err(failed)?;
    let written = output.to.write_all(text.as_bytes()).and_then(|()| output.to.flush());
    written.map_err(|error| {
        Failure::failed(format!("{} cannot be written: {error}", output.path.display()), None)
    })?;
    target.keep().map_err(failed)?;
    Ok(())
}

fn failed(error: ExportError) -> Failure {
    let hint = error.hint();
    Failure::failed(error, hint)
}

fn tell(settings: &Settings, study: &Study) -> String {
    let mut header = vec!["honest stake".to_owned(), "required utility".to_owned()];
    if settings.samples > 1 {
        header.push("± 95 %".to_owned());
    }
    header.push("at cabal's".to_owned());
    if !settings.copiers.is_none() {
        header.push("copiers' yield".to_owned());
    }
    header.extend(COLUMNS.iter().map(|utility| format!("least at {utility:.1}")));
    let names: Vec<&str> = header.iter().map(String::as_str).collect();
    let columns: Vec<usize> = (0..names.len()).collect();
    let mut table = numbers_table(&names, &columns);
    for retention in &study.retentions {
        table.add_row(tell_row(settings, retention));
    }
    format!(
        "{table}\n\nrequired utility: the honest self-weight from which on honest emission is at least the honest \
         stake, whatever the cabal's self-weight;\nat cabal's: the self-weight of the cabal that requires most; \
         least at: the least honest emission the cabal can force at that honest self-weight.\n"
    )
}

fn tell_row(settings: &Settings, retention: &Retention) -> Vec<String> {
    let or = |figure: Option<f64>, none: &str| {
        figure.map_or_else(|| none.to_owned(), |figure| format!("{figure:.3}"))
    };
    let required = retention.required();
    let mut row = vec![
        retention.honest_stake.to_string(),
        or(required.map(|estimate| estimate.mean), "none suffices"),
    ];
    if settings.samples > 1 {
        row.push(or(required.and_then(|estimate| estimate.ci95), "-"));
    }
    row.push(or(retention.worst_cabal_weight(), "-"));
    if !settings.copiers.is_none() {
        row.push(or(retention.copier_yield(), "-"));
    }
    row.extend(COLUMNS.iter().map(|&utility| format!("{:.3}", retention.emission.least(utility))));
    row
}
