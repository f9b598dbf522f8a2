//! How a model looks: a picture of any size, made of the model and nothing else.
//!
//! What belongs here: places, words and colours. What does not: deciding what is seen (`model`). Colours are those of the
//! terminal, so it looks right on light and dark ground.

use super::model::{Counts, Life, Model, Overlay, Sort};
use super::scene::SubnetRow;
use crate::names::TAO;
use crate::progress::simulated_time;
use crate::telling::figures::{tell_bytes, thousands};
use protocol::units::{Rao, UNITS_PER_TOKEN};
use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Flex, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{
    Axis, Block, Cell, Chart, Clear, Dataset, GraphType, Paragraph, Row, Table, TableState,
};

/// The least that anything can be drawn on: columns and rows.
const LEAST: (u16, u16) = (50, 12);
/// From so many columns on there is something beside the table.
const WIDE: u16 = 100;
/// From so many rows on there are events.
const HIGH: u16 = 20;
/// Columns of the table, with everything.
const TABLE_COLUMNS: u16 = 70;
/// Columns of a height before an event.
const HEIGHT_COLUMNS: usize = 9;

/// The keys, as the help tells them.
const KEYS: [(&str, &str); 12] = [
    ("← →", "a block back or on"),
    ("PgUp PgDn", "a page of blocks back or on"),
    ("Home End", "the first or the last block; End goes along with a live run"),
    ("g", "to a block: a height, or +N from genesis, then Enter"),
    ("↑ ↓ or k j", "choose a subnet"),
    ("p s f n", "sort by price, share, flow, number; again: turned round"),
    ("r", "turn the order round"),
    ("e", "list the chain's bookkeeping beside what players do"),
    ("?", "this"),
    ("q", "leave"),
    ("", ""),
    ("", "flow is the chain's average of net TAO per block"),
];

/// Draws a model.
pub fn draw(model: &Model, frame: &mut Frame<'_>) {
    let area = frame.area();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        let text = format!("at least {} × {} are needed", LEAST.0, LEAST.1);
        frame.render_widget(Paragraph::new(text).alignment(Alignment::Center), area);
        return;
    }
    let events = if area.height >= HIGH { (area.height / 4).clamp(5, 14) } else { 0 };
    let [title, network, scrubber, body, tail, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(2),
        Constraint::Length(1),
        Constraint::Min(4),
        Constraint::Length(events),
        Constraint::Length(1),
    ])
    .areas(area);
    draw_title(model, frame, title);
    draw_network(model, frame, network);
    draw_scrubber(model, frame, scrubber);
    draw_body(model, frame, body);
    if events > 0 {
        draw_tail(model, frame, tail);
    }
    draw_keys(model, frame, keys);
    match &model.overlay {
        Overlay::None | Overlay::Going(_) => {}
        Overlay::Help => draw_help(frame, area),
    }
}

fn draw_title(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let (word, colour) = match (model.life, model.follows) {
        (Life::Live, true) => (live_word(model), Color::Green),
        (Life::Live, false) => ("live, looking back", Color::Yellow),
        (Life::Ended, _) => ("ended", Color::Yellow),
        (Life::Finished, _) => ("finished", Color::Blue),
    };
    let left = Line::from(vec!["btemu top ".bold(), Span::raw(&model.run)]);
    let right = Line::from(word).style(Style::new().fg(colour).bold());
    frame.render_widget(Paragraph::new(left), area);
    frame.render_widget(Paragraph::new(right).alignment(Alignment::Right), area);
}

fn live_word(model: &Model) -> &'static str {
    model.status.as_ref().map_or("live", |status| status.state.name())
}

/// The network's figures, in two lines.
fn draw_network(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let Some(scene) = model.scene() else { return };
    let since = scene.height.saturating_sub(model.genesis);
    let mut first = vec![
        ("block", format!("{} (+{})", scene.height, thousands(since))),
        ("time", simulated_time(since)),
    ];
    let speed = model.status.as_ref().map(|status| status.blocks_per_second);
    let speed = speed.or_else(|| model.counts.as_ref()?.blocks_per_second);
    first.extend(speed.map(|speed| ("speed", format!("{speed:.1}/s"))));
    first.extend(model.status.as_ref().map(|status| ("pace", status.pace.clone())));
    first.push(("subnets", scene.subnets.len().to_string()));
    let second = vec![
        ("issuance", tao(scene.issuance)),
        ("emission", format!("{}/block", tao(scene.block_emission))),
        ("lock cost", tao(scene.lock_cost)),
        ("staked", tao(scene.stake)),
    ];
    let line = |figures: Vec<(&'static str, String)>| {
        let spans = figures.into_iter().flat_map(|(name, value)| {
            [Span::from(format!("{name} ")).dim(), Span::from(value).bold(), Span::raw("   ")]
        });
        Line::from(spans.collect::<Vec<_>>())
    };
    frame.render_widget(Paragraph::new(vec![line(first), line(second)]), area);
}

/// Where in the run the view is: `1000 ├──●────┤ 2800`; what was not read yet is dotted.
fn draw_scrubber(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let (left, right) = (format!("{} ├", model.first), format!("┤ {}", model.tip));
    let ends = left.chars().count() + right.chars().count();
    let width = usize::from(area.width).saturating_sub(ends).max(1);
    let place = |height: u64| {
        let (at, all) = (height.saturating_sub(model.first), model.tip.saturating_sub(model.first));
        let last = (width - 1) as u128;
        let place = (u128::from(at) * last).checked_div(u128::from(all)).unwrap_or(last);
        usize::try_from(place).unwrap_or(usize::MAX)
    };
    let cursor = place(model.cursor);
    let read = match model.life {
        Life::Finished => place(model.read.unwrap_or(model.first)),
        Life::Live | Life::Ended => width,
    };
    let bar = (0..width).map(|at| match at {
        _ if at == cursor => '●',
        _ if at <= read => '─',
        _ => '·',
    });
    let style = Style::new().fg(if model.is_exact() { Color::Cyan } else { Color::Yellow });
    let line = Line::from(vec![
        Span::from(left).dim(),
        Span::styled(bar.collect::<String>(), style),
        Span::from(right).dim(),
    ]);
    frame.render_widget(Paragraph::new(line), area);
}

fn draw_body(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    if area.width < WIDE {
        draw_table(model, frame, area);
        return;
    }
    let [left, right] =
        Layout::horizontal([Constraint::Length(TABLE_COLUMNS), Constraint::Min(20)]).areas(area);
    draw_table(model, frame, left);
    let processes = processes(model).len();
    if processes == 0 {
        draw_chart(model, frame, right);
        return;
    }
    let rows = u16::try_from(processes).unwrap_or(u16::MAX).saturating_add(3);
    let lower = Constraint::Length(rows.min(right.height / 2));
    let [upper, lower] = Layout::vertical([Constraint::Min(4), lower]).areas(right);
    draw_chart(model, frame, upper);
    draw_processes(model, frame, lower);
}

fn draw_table(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let name = |sort: Sort, name: &str| {
        let down = (sort == Sort::Number) == model.turned;
        let arrow = if down { "▼" } else { "▲" };
        if model.sort == sort { format!("{name} {arrow}") } else { name.to_owned() }
    };
    let header = [
        Cell::from(Line::from(name(Sort::Number, "id")).right_aligned()),
        Cell::from("subnet"),
        number(name(Sort::Price, "price")),
        number(name(Sort::Share, "share")),
        number(name(Sort::Flow, "flow")),
        number("pool"),
        number("neur."),
    ];
    let header = Row::new(header).style(Style::new().bold());
    let rows = model.rows();
    let count = rows.len();
    let rows = rows.into_iter().map(table_row);
    let widths = [
        Constraint::Length(5),
        Constraint::Min(10),
        Constraint::Length(11),
        Constraint::Length(8),
        Constraint::Length(10),
        Constraint::Length(9),
        Constraint::Length(5),
    ];
    let block =
        Block::bordered().title(format!(" {count} subnets ")).border_style(Style::new().dim());
    let table = Table::new(rows, widths)
        .header(header)
        .block(block)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut state = TableState::default().with_selected(model.selected_place());
    frame.render_stateful_widget(table, area, &mut state);
}

fn table_row(row: &SubnetRow) -> Row<'static> {
    let flow = match row.flow {
        into if into > 0.0 => Color::Green,
        out if out < 0.0 => Color::Red,
        _ => Color::Reset,
    };
    Row::new([
        number(row.netuid.to_string()),
        Cell::from(row.name.to_string()),
        number(price(row.price)),
        number(format!("{:.2} %", row.share * 100.0)),
        number(format!("{:+.5}", row.flow)).style(Style::new().fg(flow)),
        number(short(row.reserve)),
        number(format!("{}/{}", row.validators, row.neurons)),
    ])
}

fn number(text: impl Into<String>) -> Cell<'static> {
    Cell::from(Line::from(text.into()).right_aligned())
}

/// The price of the chosen subnet over the blocks that are known.
fn draw_chart(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let row = model.selected.and_then(|netuid| model.scene()?.subnet(netuid).cloned());
    let (title, below) = match &row {
        Some(row) => (
            format!(" SN{} {}: {} {TAO} ", row.netuid, row.name, price(row.price)),
            format!(" moving price {} {TAO} ", price(row.moving_price)),
        ),
        None => (" price ".to_owned(), String::new()),
    };
    let block = Block::bordered()
        .title(title)
        .title_bottom(Line::from(below).right_aligned())
        .border_style(Style::new().dim());
    let points = model.prices();
    let (low, high) =
        points.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), (_, y)| {
            (low.min(*y), high.max(*y))
        });
    if points.len() < 2 || low > high {
        let text = Paragraph::new("one block is known so far").dim().block(block);
        frame.render_widget(text, area);
        return;
    }
    let room = if high > low { (high - low) * 0.05 } else { f64::max(low.abs() * 0.05, 1e-9) };
    let (bottom, top) = (low - room, high + room);
    let (first, last) = (points[0].0, points[points.len() - 1].0);
    let cursor = [(model.cursor as f64, bottom), (model.cursor as f64, top)];
    let dataset = |points| {
        Dataset::default().marker(Marker::Braille).graph_type(GraphType::Line).data(points)
    };
    let datasets = vec![
        dataset(&cursor).style(Style::new().fg(Color::Yellow)),
        dataset(&points).style(Style::new().fg(Color::Cyan)),
    ];
    let ends = |values: [String; 3]| values.map(Line::from);
    let x = Axis::default().style(Style::new().dim()).bounds([first, last]).labels(ends([
        since(model, first),
        since(model, (first + last) / 2.0),
        since(model, last),
    ]));
    let y = Axis::default().style(Style::new().dim()).bounds([bottom, top]).labels(ends([
        price(low),
        price((low + high) / 2.0),
        price(high),
    ]));
    let chart = Chart::new(datasets).block(block).x_axis(x).y_axis(y).legend_position(None);
    frame.render_widget(chart, area);
}

fn since(model: &Model, height: f64) -> String {
    format!("+{}", (height - model.genesis as f64).max(0.0) as u64)
}

/// Name, players, steps and memory of each process that is known.
fn processes(model: &Model) -> Vec<[String; 4]> {
    let status = model.status.iter().flat_map(|status| &status.processes).map(|process| {
        let (players, steps) = (thousands(process.players), thousands(process.steps));
        [process.name.clone(), players, steps, tell_bytes(process.rss_bytes)]
    });
    let told = |count: Option<u64>| count.map_or_else(|| "–".to_owned(), thousands);
    let counted = model.counts.iter().flat_map(|counts| &counts.processes).map(|process| {
        let (players, steps) = (told(process.players), told(process.steps));
        [process.name.clone(), players, steps, tell_bytes(process.rss_bytes)]
    });
    status.chain(counted).collect()
}

fn draw_processes(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let header = [Cell::from("process"), number("players"), number("steps"), number("memory")];
    let all = processes(model);
    let count = all.len();
    let rows = all.into_iter().map(|[name, players, steps, memory]| {
        Row::new([Cell::from(name), number(players), number(steps), number(memory)])
    });
    let widths =
        [Constraint::Min(8), Constraint::Length(8), Constraint::Length(13), Constraint::Length(8)];
    let restarts = model.status.as_ref().map(|status| status.restarts);
    let restarts = restarts.or_else(|| model.counts.as_ref()?.restarts);
    let restarts = restarts.map_or_else(String::new, |count| format!(", {count} restarts"));
    let title = format!(" {count} processes{restarts} ");
    let table = Table::new(rows, widths)
        .header(Row::new(header).style(Style::new().bold()))
        .block(Block::bordered().title(title).border_style(Style::new().dim()));
    frame.render_widget(table, area);
}

/// What the metrics of a run elsewhere count; they tell no events.
fn draw_counts(counts: &Counts, frame: &mut Frame<'_>, area: Rect) {
    let title = " what its metrics count (they tell no events) ";
    let block = Block::bordered().title(title).border_style(Style::new().dim());
    let lines = counts.lines.iter().map(|(name, told)| {
        Line::from(vec![Span::from(format!("{name:>15}  ")).dim(), Span::raw(told.clone())])
    });
    frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()).block(block), area);
}

/// What happened last.
fn draw_tail(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    if let Some(counts) = &model.counts {
        return draw_counts(counts, frame, area);
    }
    let what = if model.lists_all { " all events " } else { " what players did " };
    let block = Block::bordered().title(what).border_style(Style::new().dim());
    let room = usize::from(area.height.saturating_sub(2));
    let tail = model.tail(room);
    let mut lines: Vec<Line<'_>> = Vec::with_capacity(tail.len());
    let mut before = None;
    for (height, text) in tail {
        // Of several lines of a block the first one names it.
        let name = if before == Some(height) { String::new() } else { height.to_string() };
        before = Some(height);
        lines.push(Line::from(vec![
            Span::from(format!("{name:>HEIGHT_COLUMNS$}  ")).dim(),
            Span::raw(text.to_owned()),
        ]));
    }
    if lines.is_empty() {
        lines.push(Line::from("nothing in the blocks that were looked at").dim());
    }
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn draw_keys(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let line = match (&model.overlay, &model.note) {
        (Overlay::Going(typed), _) => Line::from(vec![
            "to block ".bold(),
            Span::raw(typed.clone()),
            "▏".into(),
            "  a height, or +N; Enter goes, Esc does not".dim(),
        ]),
        (_, Some(note)) => Line::from(note.clone()).style(Style::new().fg(Color::Yellow).bold()),
        (_, None) => {
            let keys = [
                ("q", "leave"),
                ("?", "help"),
                ("←→ PgUp PgDn Home End g", "blocks"),
                ("↑↓", "subnet"),
                ("p s f n r", "sort"),
                ("e", "events"),
            ];
            let spans = keys.iter().flat_map(|(key, what)| {
                [Span::from(*key).bold(), Span::from(format!(" {what}   ")).dim()]
            });
            Line::from(spans.collect::<Vec<_>>())
        }
    };
    frame.render_widget(Paragraph::new(line), area);
}

fn draw_help(frame: &mut Frame<'_>, area: Rect) {
    let height = u16::try_from(KEYS.len()).unwrap_or(u16::MAX).saturating_add(2);
    let [area] = Layout::vertical([Constraint::Length(height)]).flex(Flex::Center).areas(area);
    let [area] = Layout::horizontal([Constraint::Length(76)]).flex(Flex::Center).areas(area);
    let lines = KEYS.map(|(key, what)| {
        Line::from(vec![Span::from(format!(" {key:<11} ")).bold(), Span::raw(what)])
    });
    frame.render_widget(Clear, area);
    frame.render_widget(
        Paragraph::new(lines.to_vec()).block(Block::bordered().title(" keys ")),
        area,
    );
}

/// TAO in whole tokens where there are many, else in the digits that matter.
fn tao(amount: Rao) -> String {
    let whole = amount.0 / UNITS_PER_TOKEN;
    match whole {
        0..100 => format!("{:.3} {TAO}", amount.0 as f64 / UNITS_PER_TOKEN as f64),
        _ => format!("{} {TAO}", thousands(whole)),
    }
}

fn price(price: f64) -> String {
    if price != 0.0 && price < 0.000_1 { format!("{price:.8}") } else { format!("{price:.5}") }
}

/// An amount of TAO in few letters.
fn short(tao: f64) -> String {
    match tao {
        many if many >= 1e6 => format!("{:.2}M", many / 1e6),
        some if some >= 1e4 => format!("{:.1}k", some / 1e3),
        few => format!("{few:.1}"),
    }
}
