//! `btemu report`: what a run says about its subnets and its people.
//!
//! What belongs here: folding a run into a report, and showing it as text or JSON. What does not: what the figures are
//! (`report`, docs/report.md), and what goes into a page (`report_page`).

use super::reading::Reading;
use super::report_fold::fold;
use super::tables::numbers_table;
use super::{BlockArgument, Failure, print, print_json, report_page};
use crate::likeness::meant;
use crate::names::TAO;
use crate::progress::{Showing, simulated_time};
use crate::report::{NetworkReport, Report, SubnetReport};
use crate::telling::figures::thousands;
use protocol::units::{Rao, UNITS_PER_TOKEN};
use std::fmt::Write;
use std::path::PathBuf;

/// Subnets that the table shows unless all are asked for.
const SUBNETS_SHOWN: usize = 20;
/// The position whose sale the table quotes: the third that a report has.
const EXIT_SHOWN: usize = 2;

/// `btemu report`
#[derive(Debug, clap::Args)]
pub struct ReportArguments {
    /// The run folder.
    run: PathBuf,
    /// The last block looked at: a height, or +N counted from genesis [default: the last].
    #[arg(long, value_name = "B")]
    at: Option<BlockArgument>,
    /// All figures of this subnet; of several registrations of a netuid all.
    #[arg(long, value_name = "N")]
    subnet: Option<u16>,
    /// Show every subnet, not only the largest.
    #[arg(long, conflicts_with = "subnet")]
    all: bool,
    /// Print one JSON object, with every subnet.
    #[arg(long)]
    json: bool,
    /// Write one HTML page with charts instead, that opens without a network; what is there is replaced.
    #[arg(long, value_name = "FILE.html", conflicts_with_all = ["subnet", "all", "json"])]
    out: Option<PathBuf>,
    /// On the page, another run beside this one: the same figures, and what differs. Both up to the last block of both
    /// unless --at says otherwise.
    #[arg(long, value_name = "RUN", requires = "out")]
    vs: Option<PathBuf>,
}

/// Folds the run and shows its report.
pub fn run(arguments: &ReportArguments) -> Result<(), Failure> {
    if let Some(out) = &arguments.out {
        return report_page::write(&arguments.run, arguments.vs.as_deref(), arguments.at, out);
    }
    let reading = Reading::open(&arguments.run)?;
    let at = reading.height(arguments.at)?;
    let showing = Showing::unless_json(arguments.json);
    let (report, _) = fold(&reading, at, showing, |_, _, _| {})?;
    if let Some(netuid) = arguments.subnet {
        let of = || report.subnets.iter().filter(|subnet| subnet.netuid == netuid);
        if of().next().is_none() {
            let known: Vec<String> =
                report.subnets.iter().map(|subnet| subnet.netuid.to_string()).collect();
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            let hint = meant(&netuid.to_string(), &known);
            return Err(Failure::usage(format!("the run has no subnet {netuid}"), Some(hint)));
        }
        let subnets: Vec<&SubnetReport> = of().collect();
        return match arguments.json {
            true => print_json(&subnets),
            false => print(&subnets.iter().map(|one| tell_subnet(one)).collect::<String>()),
        };
    }
    match arguments.json {
        true => print_json(&report),
        false => print(&tell(&report, arguments.all)),
    }
}

fn tell(report: &Report, all: bool) -> String {
    let mut text = tell_network(&report.network);
    let header = [
        "netuid",
        "subnet",
        "emission",
        "price",
        "change",
        "net flow",
        "trend",
        "agree",
        "valid.",
        "organic",
        "cut kept",
        "exit 1,000",
    ];
    let right: Vec<usize> = (0..header.len()).filter(|column| *column != 1).collect();
    let mut table = numbers_table(&header, &right);
    let shown = if all { report.subnets.len() } else { SUBNETS_SHOWN };
    for subnet in report.subnets.iter().take(shown) {
        let exit = subnet.exits.get(EXIT_SHOWN).and_then(|exit| exit.slippage);
        table.add_row([
            subnet.netuid.to_string(),
            format!("{} {}", subnet.symbol, subnet.name),
            match subnet.dissolved_at {
                Some(block) => format!("gone at {block}"),
                None => percent(subnet.flow.emission_share),
            },
            format!("{:.6}", subnet.price_end),
            signed_percent(change(subnet.price_start, subnet.price_end)),
            tao_signed(subnet.flow.net_rao),
            subnet
                .flow
                .trend
                .map_or_else(none, |trend| tao_signed(trend.recent_rao - trend.before_rao)),
            subnet.product.agreement.map_or_else(none, percent),
            subnet.product.validators_active.to_string(),
            subnet.flywheel.organic.map_or_else(none, percent),
            subnet.team.kept.map_or_else(none, percent),
            exit.map_or_else(none, percent),
        ]);
    }
    writeln!(text, "\n{table}").expect("a text takes every line");
    let hidden = report.subnets.len().saturating_sub(shown);
    if hidden > 0 {
        writeln!(text, "and {hidden} more (--all); one of them with all figures: --subnet N")
            .expect("a text takes every line");
    }
    text
}

fn tell_network(network: &NetworkReport) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        writeln!(text, "{name:<16}{value}").expect("a text takes every line");
    };
    let blocks = network.block - network.genesis_block;
    line("blocks", format!("{}, {} of simulated time", thousands(blocks), simulated_time(blocks)));
    line(
        "subnets",
        format!(
            "{} at first, {} registered, {} dissolved, {} at last",
            network.subnets_start,
            network.registered.len(),
            network.dissolved.len(),
            network.subnets_end
        ),
    );
    line("TAO emission", tao(network.emission_rao));
    line(
        "concentration",
        format!(
            "top ten {} of emission, Herfindahl {:.4}, Gini {:.3}",
            percent(network.top10_emission_share),
            network.herfindahl,
            network.gini
        ),
    );
    let header = ["role", "emission income", "result of prices", "wealth at first", "at last"];
    let mut table = numbers_table(&header, &[1, 2, 3, 4]);
    for (role, streams) in &network.roles {
        table.add_row([
            (*role).to_owned(),
            tao(streams.income_rao),
            tao_signed(streams.price_result_rao),
            tao(streams.wealth_start_rao),
            tao(streams.wealth_end_rao),
        ]);
    }
    writeln!(text, "\n{table}").expect("a text takes every line");
    text
}

fn tell_subnet(subnet: &SubnetReport) -> String {
    let SubnetReport { product, flow, team, flywheel, .. } = subnet;
    let mut text = format!("{} {} (netuid {})\n", subnet.symbol, subnet.name, subnet.netuid);
    let mut line = |name: &str, value: String| {
        writeln!(text, "  {name:<12}{value}").expect("a text takes every line");
    };
    if let Some(block) = subnet.dissolved_at {
        line("gone", format!("dissolved in block {block}"));
    }
    line(
        "price",
        format!(
            "{:.6} to {:.6} TAO per alpha ({})",
            subnet.price_start,
            subnet.price_end,
            signed_percent(change(subnet.price_start, subnet.price_end))
        ),
    );
    line(
        "product",
        format!(
            "{} queries, {} answered in {} ms; customers paid {}; {} active validators agree by {}",
            thousands(product.queries),
            product.answered.map_or_else(none, percent),
            product.latency_ms.map_or_else(none, |ms| format!("{ms:.0}")),
            tao(product.revenue_rao),
            product.validators_active,
            product.agreement.map_or_else(none, percent),
        ),
    );
    line(
        "flow",
        format!(
            "{} in, {} out, {}; {}chain's average {} per block",
            tao(flow.in_rao),
            tao(flow.out_rao),
            tao_signed(flow.net_rao),
            flow.trend.map_or_else(String::new, |trend| format!(
                "the last {} days {}, as many before {}; ",
                trend.days,
                tao_signed(trend.recent_rao),
                tao_signed(trend.before_rao)
            )),
            flow.average_rao.map_or_else(none, |rao| format!("{:.9} {TAO}", rao / 1e9)),
        ),
    );
    line(
        "emission",
        format!(
            "{} now{}, {} over the run",
            percent(flow.emission_share),
            flow.emission_rank.map_or_else(String::new, |rank| format!(", rank {rank}")),
            tao(flow.emission_rao)
        ),
    );
    line(
        "team",
        format!(
            "{} parameters and {} identities set; cut of {:.3} alpha, {} kept; bought for {}",
            team.parameters_set,
            team.identities_set,
            team.cut_alpha_rao.0 as f64 / UNITS_PER_TOKEN as f64,
            team.kept.map_or_else(none, percent),
            tao(team.bought_rao),
        ),
    );
    line(
        "flywheel",
        format!(
            "{} organic of {} bought",
            flywheel.organic.map_or_else(none, percent),
            tao(flywheel.organic_rao.plus(flywheel.speculative_rao)),
        ),
    );
    for (role, sum) in &flywheel.flows {
        line("", format!("{role:<10}{} in, {} out", tao(sum.in_rao), tao(sum.out_rao)));
    }
    for exit in &subnet.exits {
        line(
            "exit",
            format!(
                "{} bring {}, {} lost",
                tao(exit.size_rao),
                tao(exit.proceeds_rao),
                exit.slippage.map_or_else(none, percent)
            ),
        );
    }
    text
}

fn none() -> String {
    "–".to_owned()
}

fn change(from: f64, to: f64) -> f64 {
    if from > 0.0 { to / from - 1.0 } else { 0.0 }
}

fn percent(part: f64) -> String {
    format!("{:.2} %", part * 100.0)
}

fn signed_percent(part: f64) -> String {
    format!("{:+.2} %", part * 100.0)
}

fn tao(amount: Rao) -> String {
    format!("{:.3} {TAO}", amount.0 as f64 / UNITS_PER_TOKEN as f64)
}

fn tao_signed(rao: i128) -> String {
    format!("{:+.3} {TAO}", rao as f64 / UNITS_PER_TOKEN as f64)
}
