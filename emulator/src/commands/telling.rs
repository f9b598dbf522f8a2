//! Summaries of runs for people.

use crate::progress::simulated_time;
use crate::run::control::Ended;
use crate::run::estimate::Estimate;
use crate::run::totals::Summary;
use crate::telling::figures::{tell_bytes, tell_duration, thousands};
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use std::fmt::Write;

/// The summary of a run or of its replay.
pub fn tell_summary(summary: &Summary) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        writeln!(text, "{name:<13}{value}").expect("a text takes every line");
    };
    let players = |role: &str| summary.players.get(role).copied().unwrap_or(0);
    line(
        "scenario",
        format!("{} (seed {}, rules {})", summary.scenario, summary.seed, summary.rules),
    );
    if let Some(fork) = &summary.forked_from {
        let set: Vec<String> = fork.set.iter().map(|one| format!(", {one}")).collect();
        line("fork of", format!("{fork}{}", set.concat()));
    }
    line(
        "blocks",
        format!(
            "{} ({} to {}), {} of simulated time",
            thousands(summary.blocks),
            summary.genesis_block,
            summary.block,
            simulated_time(summary.blocks)
        ),
    );
    line("tip hash", summary.tip_hash.clone());
    line("state root", summary.state_root.clone());
    line("events", thousands(summary.events));
    line(
        "calls",
        format!(
            "{} accepted, {} rejected",
            thousands(summary.extrinsics - summary.rejected),
            thousands(summary.rejected)
        ),
    );
    for (names, counts) in
        [("  accepted", &summary.calls_done), ("  rejected", &summary.calls_rejected)]
    {
        let parts: Vec<String> =
            counts.iter().map(|(name, count)| format!("{name} {}", thousands(*count))).collect();
        if !parts.is_empty() {
            line(names, parts.join(", "));
        }
    }
    let messages = summary.messages;
    line(
        "messages",
        format!(
            "{} sent, {} delivered, {} lost",
            thousands(messages.sent),
            thousands(messages.delivered),
            thousands(messages.dropped)
        ),
    );
    let customers = match players("customer") {
        0 => String::new(),
        customers => format!(", {} customers", thousands(customers)),
    };
    line(
        "players",
        format!(
            "{} owners, {} validators, {} miners, {} stakers{customers}",
            thousands(players("owner")),
            thousands(players("validator")),
            thousands(players("miner")),
            thousands(players("staker"))
        ),
    );
    if summary.crashes > 0 {
        line("crashed", format!("{} players", summary.crashes));
    }
    if let Some(ended) = summary.ended.filter(|ended| *ended != Ended::Complete) {
        let condition = summary.condition.as_ref();
        let condition = condition.map_or_else(String::new, |one| format!(": {one}"));
        line("ended early", format!("it {}{condition}", ended.words()));
    }
    let attempts = match summary.attempts {
        0 | 1 => String::new(),
        attempts => format!(", {attempts} attempts ({} restarts)", summary.restarts),
    };
    line(
        "wall time",
        format!(
            "{:.1} s, {:.0} blocks/s{attempts}",
            summary.wall_seconds, summary.blocks_per_second
        ),
    );
    line(
        "size",
        format!(
            "log {:.1} MB, peak memory {:.0} MiB",
            summary.log_bytes as f64 / 1e6,
            summary.peak_rss_bytes as f64 / f64::from(1 << 20)
        ),
    );
    if !summary.process_reports.is_empty() {
        let mut table = table(["process", "players", "steps", "peak MiB"]);
        for process in &summary.process_reports {
            table.add_row([
                process.name.clone(),
                thousands(process.players),
                thousands(process.steps),
                format!("{:.0}", process.peak_rss_bytes as f64 / f64::from(1 << 20)),
            ]);
        }
        add(&mut text, "", &table, 1);
    }
    if !summary.top_subnets.is_empty() {
        let mut table = table(["netuid", "subnet", "share of emission", "price (TAO)"]);
        for subnet in &summary.top_subnets {
            table.add_row([
                subnet.netuid.to_string(),
                format!("{} {}", subnet.symbol, subnet.name),
                format!("{:.2} %", subnet.emission_share * 100.0),
                format!("{:.6}", subnet.price),
            ]);
        }
        let sum = format!("together {:.2} %\n", summary.top10_emission_share * 100.0);
        add(&mut text, &sum, &table, 2);
    }
    text
}

/// A table without lines; every column but the given one is numbers.
fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(header);
    table
}

fn add(text: &mut String, after: &str, table: &Table, first_number: usize) {
    let mut table = table.clone();
    for (at, column) in table.column_iter_mut().enumerate() {
        if at >= first_number {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    write!(text, "\n{table}\n{after}").expect("a text takes every line");
}

/// What a run will take, in a line.
pub fn tell_estimate(estimate: &Estimate, free: Option<u64>) -> String {
    let free = free.map_or_else(String::new, |free| format!(" of {} free", tell_bytes(free)));
    format!(
        "{} blocks take about {} of disk{free} ({} of them snapshots and checkpoints) and {}\n",
        thousands(estimate.blocks),
        tell_bytes(estimate.bytes()),
        tell_bytes(estimate.cache_bytes),
        tell_duration(estimate.seconds)
    )
}
