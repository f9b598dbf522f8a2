//! Tests of exports: the page, what rows say, and that what is written can be read back.

use super::rows::{At, EventRow, Moment};
use super::tables::{Column, EVENTS, Kind, Presence, Value, event};
use super::*;
use crate::detect::Detectors;
use crate::metrics::{Metrics, Sample, table};
use crate::plan::Plan;
use crate::run::public::Seal;
use crate::scenario::{self, Overrides};
use crate::telling::facts::{facts, sealed_fact};
use protocol::block::{BlockInput, Decided, decide_block, seal};
use protocol::call::{Call, Origin};
use protocol::event::{Event, Parameter, Sealed};
use protocol::frame::{CallRecord, Facts, RefusedCount};
use protocol::payload::hash_of;
use protocol::rejection::{Outcome, Refusal, Rejection};
use protocol::units::{AccountId, Alpha, BLOCK_MS, Hash32, NetUid, Rao};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

const INTRODUCTION: &str = include_str!("introduction.md");

/// How each kind of column is written.
const KINDS: &[(Kind, &str, &str, &str)] = &[
    (
        Kind::Integer,
        "digits",
        "`INT64`",
        "a signed number of 64 bits; amounts are in the smallest unit, 10⁻⁹ TAO or alpha",
    ),
    (
        Kind::Float,
        "shortest digits that give the same number",
        "`DOUBLE`",
        "for people and plots; where bits matter the raw ones stand beside it",
    ),
    (Kind::Flag, "`true`, `false`", "`BOOLEAN`", ""),
    (Kind::Word, "text", "`BYTE_ARRAY`, string, dictionary", "a text that many rows share"),
    (Kind::Account, "text", "`BYTE_ARRAY`, string, dictionary", "an address in SS58"),
    (Kind::Hash, "text", "`BYTE_ARRAY`, string", "32 bytes as 64 lower-case hexadecimal digits"),
    (
        Kind::Decimal,
        "digits, in JSON a text",
        "`BYTE_ARRAY`, string",
        "the raw bits of a fixed-point number: up to 128, which no integer of Parquet holds",
    ),
    (
        Kind::Json,
        "text",
        "`BYTE_ARRAY`, string",
        "a JSON object as text; a reader must keep integers beyond 2⁵³",
    ),
    (
        Kind::Time,
        "RFC 3339, UTC, milliseconds",
        "`INT64`, timestamp in ms, UTC",
        "simulated time: the calendar of genesis and 12 seconds per block",
    ),
];

fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    page.push_str(
        "\n## Types\n\n| type | in CSV and JSON | in Parquet | what |\n|---|---|---|---|\n",
    );
    for (kind, text, parquet, about) in KINDS {
        let about = if about.is_empty() { "–" } else { about };
        writeln!(page, "| {} | {text} | {parquet} | {about} |", kind.name()).unwrap();
    }
    for table in TABLES {
        writeln!(page, "\n## {}\n\n{}.\n", table.name, table.about).unwrap();
        page.push_str("| column | type | what |\n|---|---|---|\n");
        for Column { name, kind, presence, about } in table.columns {
            let optional = if *presence == Presence::Sometimes { ", optional" } else { "" };
            writeln!(page, "| `{name}` | {}{optional} | {about} |", kind.name()).unwrap();
        }
    }
    page
}

#[test]
fn the_page_shows_the_tables() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/export.md");
    let page = page();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let differs = written.lines().zip(page.lines()).find(|(written, page)| written != page);
    assert!(
        written == page,
        "docs/export.md is out of date, first at {differs:?}; UPDATE_EXPECT=1 writes it anew"
    );
}

#[test]
fn columns_are_named_once_and_say_their_unit() {
    for table in TABLES {
        let names: BTreeSet<&str> = table.columns.iter().map(|column| column.name).collect();
        assert_eq!(names.len(), table.columns.len(), "{}", table.name);
        assert_eq!([table.columns[0].name, table.columns[1].name], ["block", "time"]);
        for column in table.columns {
            let Column { name, kind, about, .. } = column;
            assert!(!about.is_empty() && !about.ends_with('.'), "{name} of {}", table.name);
            assert_eq!(name.ends_with("_bits"), *kind == Kind::Decimal, "{name}");
            if let Some(number) = name.strip_suffix("_bits") {
                assert!(names.contains(number), "{name} without {number}");
            }
            assert!(!name.ends_with("_rao") || *kind == Kind::Integer, "{name}");
        }
    }
}

#[test]
fn moments_are_written_in_utc() {
    let rows = [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_767_225_612_000, "2026-01-01T00:00:12.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (i64::MAX, "9223372036854775807"),
    ];
    for (ms, text) in rows {
        assert_eq!(Moment(ms).to_string(), text);
    }
}

/// The columns of an event's first fact that have a value, in order.
fn row(fact: crate::telling::facts::Fact) -> Vec<(&'static str, Value)> {
    let at = At { block: Height(7), time: Moment(0) };
    let values = event(EventRow::of(at, 3, 0, fact));
    assert_eq!(EVENTS.lacking(&values), None);
    let named = EVENTS.columns.iter().map(|column| column.name).zip(values);
    named.skip(4).filter(|(_, value)| *value != Value::Null).collect()
}

#[test]
fn what_many_kinds_share_has_columns_and_the_rest_stays() {
    let (hotkey, coldkey) = (AccountId([1; 32]), AccountId([2; 32]));
    let netuid = NetUid(9);
    let text = |account: AccountId| Value::Text(account.to_ss58());
    let fields = |json: &str| ("fields", Value::Text(json.to_owned()));
    let kind = |kind| ("kind", Value::Word(kind));
    let number = Value::Integer;
    let (tao, alpha, fee) = (Rao(5), Alpha(6), Rao(1));
    let rows = [
        (
            Event::StakeAdded { coldkey, hotkey, netuid, tao, alpha, fee },
            vec![
                kind("stake_added"),
                ("netuid", number(9)),
                ("hotkey", text(hotkey)),
                ("coldkey", text(coldkey)),
                ("tao_rao", number(5)),
                ("alpha_rao", number(6)),
                ("fee_tao_rao", number(1)),
            ],
        ),
        (
            Event::StakeRemoved { coldkey, hotkey, netuid, tao, alpha, fee: Alpha(1) },
            vec![
                kind("stake_removed"),
                ("netuid", number(9)),
                ("hotkey", text(hotkey)),
                ("coldkey", text(coldkey)),
                ("tao_rao", number(5)),
                ("alpha_rao", number(6)),
                ("fee_alpha_rao", number(1)),
            ],
        ),
        (
            Event::BalanceCredited { account: coldkey, amount: tao },
            vec![kind("balance_credited"), ("account", text(coldkey)), ("tao_rao", number(5))],
        ),
        (
            Event::AlphaDestroyed { netuid, amount: alpha },
            vec![kind("alpha_destroyed"), ("netuid", number(9)), ("alpha_rao", number(6))],
        ),
        (
            Event::FlowRecorded { netuid, by: -4 },
            vec![kind("flow_recorded"), ("netuid", number(9)), ("tao_rao", number(-4))],
        ),
        (
            Event::AccountReaped { account: coldkey, dust: Rao(3) },
            vec![kind("account_reaped"), ("account", text(coldkey)), ("tao_rao", number(3))],
        ),
        (
            Event::BalanceCredited { account: coldkey, amount: Rao(u64::MAX) },
            vec![
                kind("balance_credited"),
                ("account", text(coldkey)),
                fields(r#"{"amount_rao":18446744073709551615}"#),
            ],
        ),
        (
            Event::ParameterSet { netuid: None, name: Parameter::Tempo, value: u128::MAX },
            vec![
                kind("parameter_set"),
                fields(r#"{"name":"tempo","value":340282366920938463463374607431768211455}"#),
            ],
        ),
        (Event::StakeMarkersCleared, vec![kind("stake_markers_cleared")]),
    ];
    for (event, expected) in rows {
        assert_eq!(row(facts(&event).remove(0)), expected, "{event:?}");
    }
    let told = row(sealed_fact(&Seal { hash: Hash32([1; 32]), bytes: 40 }));
    let commit = Hash32([1; 32]);
    let expected = format!(r#"{{"commit":"{commit}","payload_bytes":40}}"#);
    assert_eq!(told, [kind("commit_payload"), fields(&expected)]);
}

#[test]
fn a_number_that_no_column_holds_is_refused_where_it_must_stand() {
    let mut values: Vec<Value> = EVENTS.columns.iter().map(|_| Value::Null).collect();
    for (value, column) in values.iter_mut().zip(EVENTS.columns) {
        *value = match column.kind {
            Kind::Integer => Value::from(1_u64),
            Kind::Time => Value::Time(0),
            _ => Value::Word(""),
        };
    }
    assert_eq!(EVENTS.lacking(&values), None);
    values[2] = Value::from(u64::MAX);
    assert_eq!(EVENTS.lacking(&values).map(|column| column.name), Some("index"));
}

#[test]
fn an_export_that_fails_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b");
    let mut target = Target::folder(&path).unwrap();
    target.begin("x.csv").unwrap();
    assert!(path.join("x.csv.part").exists() && !path.join("x.csv").exists());
    drop(target);
    assert!(!path.exists());
    let mut target = Target::folder(&path).unwrap();
    target.begin("x.csv").unwrap();
    let kept = target.keep().unwrap();
    assert_eq!(kept, [Kept { path: path.join("x.csv"), bytes: 0 }]);
    assert!(path.join("x.csv").exists() && !path.join("x.csv.part").exists());
    let refused = Target::folder(&path).map(drop).unwrap_err().to_string();
    assert!(refused.ends_with("is not empty"), "{refused}");
    let refused = Target::file(&path).map(drop).unwrap_err().to_string();
    assert!(refused.contains("is a folder"), "{refused}");
}

/// Blocks without calls over the quickstart's network.
fn blocks(count: u64) -> (Plan, Vec<(Frame, State)>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/quickstart.toml");
    let plan = scenario::load(&path, &Overrides::default()).unwrap().plan().unwrap();
    let mut state = plan.genesis.clone();
    let mut header = plan.genesis_header();
    let blocks = (1..=count).map(|number| {
        let height = Height(plan.genesis.height.0 + number);
        let input = BlockInput {
            height,
            time_ms: number * BLOCK_MS,
            entropy: plan.course(height).entropy(height),
            calls: Vec::new(),
            surplus: Vec::new(),
            refused_kept_max: 0,
            beacon_round: None,
        };
        let (decided, facts) = (decide_block(&mut state, &input), Facts::default());
        header = seal(&mut state, header.hash(), &input, &decided, &facts);
        let Decided { calls, refused, events, sealed, .. } = decided;
        let frame = Frame { header: header.clone(), calls, refused, events, sealed, facts };
        (frame, state.clone())
    });
    let blocks = blocks.collect();
    (plan, blocks)
}

fn feed(sink: &mut dyn Sink, blocks: &[(Frame, State)]) {
    for (frame, state) in blocks {
        let (header, frame) = (&frame.header, Some(frame.clone()));
        sink.block(Block { header, frame, state, sampled: true }).unwrap();
    }
}

/// Series with their points (value, seconds), from a reader that believes nothing.
fn read_openmetrics(text: &str) -> BTreeMap<String, Vec<(f64, f64)>> {
    let mut all = BTreeMap::new();
    let mut families = BTreeSet::new();
    let (mut family, mut last) = (String::new(), String::new());
    let text = text.strip_suffix("# EOF\n").expect("it says where it ends");
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(["gauge", "counter", "info"].contains(&kind), "{line}");
            assert!(families.insert(name.to_owned()), "{name} comes once");
            family = name.to_owned();
            continue;
        }
        if let Some(rest) = line.strip_prefix("# UNIT ") {
            let (name, unit) = rest.split_once(' ').unwrap();
            assert!(name == family && name.ends_with(&format!("_{unit}")), "{line}");
            continue;
        }
        if let Some(rest) = line.strip_prefix("# HELP ") {
            assert!(rest.starts_with(&format!("{family} ")), "{line}");
            continue;
        }
        let (rest, time) = line.rsplit_once(' ').unwrap();
        let (series, value) = rest.rsplit_once(' ').unwrap();
        assert!(series.starts_with(&family), "{line} stands below {family}");
        if series != last {
            assert!(!all.contains_key(series), "points of {series} stand together");
            last = series.to_owned();
        }
        let points: &mut Vec<(f64, f64)> = all.entry(series.to_owned()).or_default();
        let point = (value.parse().unwrap(), time.parse().unwrap());
        assert!(points.last().is_none_or(|(_, before)| *before < point.1), "{line}");
        points.push(point);
    }
    all
}

#[test]
fn points_are_those_of_the_metrics_and_stand_together() {
    let folder = tempfile::tempdir().unwrap();
    let (mut plan, blocks) = blocks(300);
    plan.name = "quick \"start\" \\ 1".to_owned();
    let path = folder.path().join("metrics.txt");
    let run = Path::new("runs/quickstart-7-1");
    let of_run = || Metrics::of(&plan, run).watching(Detectors::of(&plan));
    let mut target = Target::file(&path).unwrap();
    let mut export = OpenMetrics::begin(&mut target, &plan, of_run()).unwrap();
    feed(&mut export, &blocks);
    let written = Box::new(export).finish().unwrap();
    target.keep().unwrap();

    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(r#"scenario="quick \"start\" \\ 1""#), "labels are escaped");
    let series = read_openmetrics(&text);
    assert_eq!(written[0].rows, series.values().map(|points| points.len() as u64).sum::<u64>());
    let metrics = of_run();
    let genesis_s = plan.genesis_unix_s as f64;
    let mut compared = 0;
    for (number, (frame, state)) in (1_u32..).zip(&blocks) {
        metrics.block(frame, state);
        let time = genesis_s + f64::from(number) * 12.0;
        for Sample { family, labels, value } in metrics.samples() {
            if table::ENGINE_FAMILIES.contains(&family) {
                continue;
            }
            let labels = labels.iter().map(|(name, value)| {
                format!("{name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
            });
            let name = format!("{}{{{}}}", family.name, labels.collect::<Vec<_>>().join(","));
            let found = series.get(&name).unwrap_or_else(|| panic!("no {name}"));
            assert!(found.contains(&(value, time)), "{name} at {time}");
            compared += 1;
        }
    }
    assert_eq!(compared, written[0].rows);
    let price = series.keys().filter(|name| name.starts_with("btemu_subnet_price_tao{")).count();
    assert_eq!(price, 3);
    assert!(series.values().any(|points| points.len() == 300), "some need several chunks");
}

/// The files of all tables in some format.
fn written(
    folder: &Path,
    format: TableFormat,
    blocks: &(Plan, Vec<(Frame, State)>),
) -> Vec<PathBuf> {
    let mut target = Target::folder(&folder.join(format.extension())).unwrap();
    let writers = TABLES.iter().map(|table| (*table, format.begin(&mut target, table).unwrap()));
    let writers = writers.collect();
    let mut tables = Tables::new(&blocks.0, writers);
    feed(&mut tables, &blocks.1);
    Box::new(tables).finish().unwrap();
    target.keep().unwrap().into_iter().map(|kept| kept.path).collect()
}

/// The rows of CSV as JSON lines have them: a reader knows the kind of every column.
fn csv_rows(table: &Table, path: &Path) -> Vec<Json> {
    let mut reader = ::csv::Reader::from_path(path).unwrap();
    let names: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
    assert_eq!(reader.headers().unwrap(), names);
    let records = reader.records().map(|record| {
        let record = record.unwrap();
        let values = table.columns.iter().zip(&record).map(|(column, text)| {
            let value = match column.kind {
                _ if text.is_empty() && column.presence == Presence::Sometimes => Json::Null,
                Kind::Integer | Kind::Float => Json::Number(text.parse().unwrap()),
                Kind::Flag => json!(text.parse::<bool>().unwrap()),
                _ => json!(text),
            };
            (column.name.to_owned(), value)
        });
        Json::Object(values.collect())
    });
    records.collect()
}

/// Rows of JSON lines.
fn jsonl_rows(path: &Path) -> Vec<Json> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Equal but for the spelling of floats.
fn is_same(table: &Table, one: &Json, other: &Json) -> bool {
    table.columns.iter().all(|column| {
        let (one, other) = (&one[column.name], &other[column.name]);
        match column.kind {
            Kind::Float => one.as_f64() == other.as_f64() && one.is_number(),
            _ => one == other,
        }
    })
}

#[test]
fn csv_and_json_lines_hold_the_same_rows() {
    let blocks = blocks(45);
    let folder = tempfile::tempdir().unwrap();
    let csv = written(folder.path(), TableFormat::Csv, &blocks);
    let jsonl = written(folder.path(), TableFormat::Jsonl, &blocks);
    for ((table, csv), jsonl) in TABLES.iter().zip(&csv).zip(&jsonl) {
        let (csv, jsonl) = (csv_rows(table, csv), jsonl_rows(jsonl));
        assert!(!jsonl.is_empty() || table.name == "calls", "{}", table.name);
        assert_eq!(csv.len(), jsonl.len(), "{}", table.name);
        for (one, other) in csv.iter().zip(&jsonl) {
            assert!(is_same(table, one, other), "{}: {one} {other}", table.name);
        }
    }
    let (plan, blocks) = blocks;
    let subnets = jsonl_rows(&jsonl[3]);
    let (_, last) = blocks.last().unwrap();
    let row = subnets.last().unwrap();
    let subnet = last.subnet(NetUid(3)).unwrap();
    assert_eq!(row["block"].as_u64(), Some(plan.genesis.height.0 + 45));
    assert_eq!(row["tao_reserve_rao"].as_u64(), Some(subnet.fast.pool.tao));
    assert_eq!(row["price_bits"], json!(subnet.price().to_string()));
}

/// A call that seals a payload, done or not, and what it sealed: hash and length are told.
#[test]
fn sealed_payloads_do_not_leave() {
    let (plan, mut blocks) = blocks(1);
    let payload = vec![0xab; 40];
    let hash = hash_of(&payload);
    let signer = AccountId([1; 32]);
    let mut record = CallRecord {
        player: plan.players[0].identity.id,
        sequence: 4,
        due_ms: 1_000,
        origin: Origin::Signed(signer),
        nonce: 2,
        call: Call::CommitTimelockedWeights {
            netuid: NetUid(3),
            commit: payload.clone(),
            reveal_round: 9,
            commit_reveal_version: 4,
        },
        outcome: Outcome::Ok,
    };
    let frame = &mut blocks[0].0;
    frame.calls.push(record.clone());
    (record.origin, record.call) = (Origin::Root, Call::DisputeColdkeySwap);
    record.outcome = Outcome::Failed(Rejection::BadOrigin);
    frame.calls.push(record.clone());
    let (player, reason) = (record.player, Refusal::PoolFull);
    frame.refused.push(RefusedCount { player, reason, count: 7 });
    frame.sealed.push(Sealed::CommitPayload { commit: hash, payload });
    let folder = tempfile::tempdir().unwrap();
    let files = written(folder.path(), TableFormat::Jsonl, &(plan, blocks));
    for file in &files {
        let text = fs::read_to_string(file).unwrap();
        assert!(!text.contains("171,171") && !text.contains("abab"), "{}", file.display());
    }
    let told = |row: &Json| {
        let names = ["group", "sequence", "signer", "nonce", "call", "netuid", "outcome", "reason"];
        let more = ["count", "arguments"];
        Json::Array(names.iter().chain(&more).map(|name| row[*name].clone()).collect())
    };
    let rows: Vec<Json> = jsonl_rows(&files[1]).iter().map(told).collect();
    let arguments = format!(
        r#"{{"commit_bytes":40,"commit_hash":"{hash}","commit_reveal_version":4,"netuid":3,"reveal_round":9}}"#
    );
    let expected = [
        json!(["owners", 4, signer, 2, "commit_timelocked_weights", 3, "ok", null, 1, arguments]),
        json!(["owners", 4, null, 2, "dispute_coldkey_swap", null, "failed", "BadOrigin", 1, "{}"]),
        json!(["owners", null, null, null, null, null, "refused", "PoolFull", 7, null]),
    ];
    assert_eq!(rows, expected);
    let last = jsonl_rows(&files[2]).pop().unwrap();
    assert_eq!(last["kind"], "commit_payload");
    let fields = format!(r#"{{"commit":"{hash}","payload_bytes":40}}"#);
    assert_eq!(last["fields"], json!(fields));
}

#[cfg(feature = "parquet")]
mod parquet_files {
    use super::super::tables::CALLS;
    use super::*;
    use ::parquet::basic::{Compression, LogicalType, Repetition, Type};
    use ::parquet::file::reader::{FileReader, SerializedFileReader};
    use ::parquet::record::Field;

    fn reader(path: &Path) -> SerializedFileReader<fs::File> {
        SerializedFileReader::new(fs::File::open(path).unwrap()).unwrap()
    }

    /// The rows as JSON lines have them.
    fn rows(path: &Path) -> Vec<Json> {
        let reader = reader(path);
        let rows = reader.get_row_iter(None).unwrap().map(|row| {
            let fields = row.unwrap().into_columns().into_iter();
            let fields = fields.map(|(name, field)| {
                let value = match field {
                    Field::Null => Json::Null,
                    Field::Bool(flag) => json!(flag),
                    Field::Long(number) => json!(number),
                    Field::Double(number) => json!(number),
                    Field::Str(text) => json!(text),
                    Field::TimestampMillis(ms) => json!(Moment(ms).to_string()),
                    other => panic!("{name} is {other:?}"),
                };
                (name, value)
            });
            Json::Object(fields.collect())
        });
        rows.collect()
    }

    #[test]
    fn parquet_holds_the_rows_of_json_lines_with_types() {
        let blocks = blocks(45);
        let folder = tempfile::tempdir().unwrap();
        let parquet = written(folder.path(), TableFormat::Parquet, &blocks);
        let jsonl = written(folder.path(), TableFormat::Jsonl, &blocks);
        for ((table, parquet), jsonl) in TABLES.iter().zip(&parquet).zip(&jsonl) {
            let (rows, expected) = (rows(parquet), jsonl_rows(jsonl));
            assert_eq!(rows.len(), expected.len(), "{}", table.name);
            for (row, expected) in rows.iter().zip(&expected) {
                assert!(is_same(table, row, expected), "{}: {row} {expected}", table.name);
            }
            let reader = reader(parquet);
            let file = reader.metadata();
            let schema = file.file_metadata().schema_descr();
            assert_eq!(schema.num_columns(), table.columns.len());
            for (column, found) in table.columns.iter().zip(schema.columns()) {
                let (physical, text) = match column.kind {
                    Kind::Integer | Kind::Time => (Type::INT64, false),
                    Kind::Float => (Type::DOUBLE, false),
                    Kind::Flag => (Type::BOOLEAN, false),
                    _ => (Type::BYTE_ARRAY, true),
                };
                let (name, kind) = (found.name(), found.logical_type_ref());
                assert_eq!((name, found.physical_type()), (column.name, physical));
                assert_eq!(kind == Some(&LogicalType::String), text, "{name}");
                assert_eq!(
                    matches!(kind, Some(LogicalType::Timestamp(_))),
                    column.kind == Kind::Time
                );
                let repetition = found.self_type().get_basic_info().repetition();
                let optional = column.presence == Presence::Sometimes;
                assert_eq!(repetition == Repetition::OPTIONAL, optional, "{name}");
            }
            for chunk in file.row_groups().iter().flat_map(|group| group.columns()) {
                assert!(matches!(chunk.compression(), Compression::ZSTD(_)));
                assert!(chunk.statistics().is_some(), "{}", chunk.column_path());
            }
        }
    }

    /// More rows than one group holds, with and without values at its border.
    #[test]
    fn row_groups_end_and_nothing_is_lost_between_them() {
        const ROWS: i64 = 150_001;
        let folder = tempfile::tempdir().unwrap();
        let mut target = Target::folder(&folder.path().join("out")).unwrap();
        let mut writer = TableFormat::Parquet.begin(&mut target, CALLS).unwrap();
        for number in 0..ROWS {
            let values = CALLS.columns.iter().map(|column| match column.kind {
                _ if column.presence == Presence::Sometimes && number % 3 == 0 => Value::Null,
                Kind::Integer => Value::Integer(number),
                Kind::Time => Value::Time(number),
                _ => Value::Text((number % 7).to_string()),
            });
            writer.row(&values.collect::<Vec<_>>()).unwrap();
        }
        writer.finish().unwrap();
        let path = target.keep().unwrap().remove(0).path;
        let reader = reader(&path);
        let groups = reader.metadata().row_groups();
        let sizes: Vec<i64> = groups.iter().map(|group| group.num_rows()).collect();
        assert_eq!(sizes, [1 << 16, 1 << 16, ROWS - (1 << 17)]);
        for (number, row) in (0_i64..).zip(rows(&path)) {
            assert_eq!(row["block"], json!(number));
            let nonce = if number % 3 == 0 { Json::Null } else { json!(number) };
            assert_eq!(row["nonce"], nonce);
            assert_eq!(row["outcome"], json!((number % 7).to_string()));
        }
    }
}
