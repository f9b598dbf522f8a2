//! Cases of the epoch: one epoch, or a sequence in which each continues from the last.

use protocol::yuma::{self, EpochInput, EpochOutput, EpochRaw, Row};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::{compare, is_empty, parse};

/// Groups of epoch cases.
const GROUPS: [&str; 11] = [
    "tiny", "edge", "cabal", "copier", "dictator", "spam", "uniform", "medium", "large", "xl",
    "seq",
];

/// A case file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[serde(rename = "id")]
    _id: Option<IgnoredAny>,
    #[serde(rename = "note")]
    _note: Option<IgnoredAny>,
    group: Option<String>,
    kind: Kind,
    input: Input,
    epochs: Option<Vec<Step>>,
    expected: Option<Value>,
    raw_i32f32: Option<Value>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Single,
    Sequence,
}

/// The state before the first epoch. All fields must be there.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    n: u16,
    block: u64,
    tempo: u16,
    activity_cutoff: u16,
    max_validators: u16,
    #[serde(deserialize_with = "present")]
    owner_uid: Option<u16>,
    kappa: u16,
    bonds_penalty: u16,
    bonds_moving_average: u64,
    liquid_alpha: bool,
    yuma3: bool,
    alpha_low: u16,
    alpha_high: u16,
    alpha_sigmoid_steepness: i16,
    stake_threshold: u64,
    rao_emission: u64,
    commit_reveal: bool,
    stake: Vec<u64>,
    last_update: Vec<u64>,
    registered_at: Vec<u64>,
    validator_permit: Vec<bool>,
    commit_block: Vec<Option<u64>>,
    weights: Vec<Row>,
    bonds: Vec<Row>,
}

/// A value that may be null but must be there.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u16>, D::Error> {
    Option::deserialize(from)
}

/// What is replaced before an epoch of a sequence, and what the epoch must give.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    block: u64,
    weights: Option<Vec<Row>>,
    last_update: Option<Vec<u64>>,
    registered_at: Option<Vec<u64>>,
    bonds: Option<Vec<Row>>,
    stake: Option<Vec<u64>>,
    expected: Option<Value>,
}

/// Checks one case; what is returned are the reasons why it fails.
pub fn check(case: &Value) -> Vec<String> {
    let case: Case = match parse(case) {
        Ok(case) => case,
        Err(failure) => return vec![failure],
    };
    match case.group.as_deref() {
        None => return vec!["group: the case has none".to_string()],
        Some(group) if !GROUPS.contains(&group) => {
            return vec![format!("group: unknown group {group:?}")];
        }
        Some(_) => {}
    }
    let checked = match case.kind {
        Kind::Single => check_single(case),
        Kind::Sequence => check_sequence(case),
    };
    checked.unwrap_or_else(|failure| vec![failure])
}

fn check_single(case: Case) -> Result<Vec<String>, String> {
    let mut failures = Vec::new();
    let expected = case.single()?.ok_or("expected: the case expects nothing")?;
    case.input.validate("input")?;
    let (output, raw) = case.input.epoch();
    compare("expected", expected, &output_json(&output), &mut failures);
    if let Some(expected) = &case.raw_i32f32 {
        compare("raw_i32f32", expected, &raw_json(&raw), &mut failures);
    }
    Ok(failures)
}

fn check_sequence(case: Case) -> Result<Vec<String>, String> {
    let mut failures = Vec::new();
    let (mut input, steps) = case.sequence()?;
    for (index, mut step) in steps.into_iter().enumerate() {
        let at = format!("epochs[{index}]");
        let expected = step.expected.take().filter(|expected| !is_empty(Some(expected)));
        let expected = expected.ok_or(format!("{at}.expected: the case expects nothing"))?;
        input.replace(step);
        input.validate(&at)?;
        let output = yuma::epoch(&input.borrow(&input.stake_raw()));
        compare(&format!("{at}.expected"), &expected, &output_json(&output), &mut failures);
        input.carry(output);
    }
    Ok(failures)
}

/// Computes the epoch, or the epochs of a sequence, of a case or of a bare `input`: one `expected`
/// for a single epoch, a list of them for a sequence. Integers are those of the case files: u16
/// proportions in 1/65535, amounts in rao.
///
/// # Errors
/// A sentence that names the field that is missing, unknown, of the wrong type or out of range.
pub fn epoch_calculator(input: &Value) -> Result<Value, String> {
    if input.get("input").is_none() {
        let input: Input = parse(input)?;
        input.validate("input")?;
        return Ok(output_json(&input.epoch().0));
    }
    let case: Case = parse(input)?;
    match case.kind {
        Kind::Single => {
            case.single()?;
            case.input.validate("input")?;
            Ok(output_json(&case.input.epoch().0))
        }
        Kind::Sequence => {
            let (mut input, steps) = case.sequence()?;
            let mut outputs = Vec::with_capacity(steps.len());
            for (index, step) in steps.into_iter().enumerate() {
                input.replace(step);
                input.validate(&format!("epochs[{index}]"))?;
                let output = yuma::epoch(&input.borrow(&input.stake_raw()));
                outputs.push(output_json(&output));
                input.carry(output);
            }
            Ok(Value::Array(outputs))
        }
    }
}

impl Case {
    /// The `expected` of a single epoch, if it says anything.
    fn single(&self) -> Result<Option<&Value>, String> {
        if self.epochs.is_some() {
            return Err("epochs: a case of kind \"single\" has none".to_string());
        }
        Ok(self.expected.as_ref().filter(|expected| !is_empty(Some(expected))))
    }

    /// The start and the steps of a sequence.
    fn sequence(self) -> Result<(Input, Vec<Step>), String> {
        for (name, field) in [("expected", &self.expected), ("raw_i32f32", &self.raw_i32f32)] {
            if field.is_some() {
                return Err(format!("{name}: a case of kind \"sequence\" has none"));
            }
        }
        let steps = self.epochs.filter(|steps| !steps.is_empty());
        let steps = steps.ok_or("epochs: a case of kind \"sequence\" has at least one")?;
        Ok((self.input, steps))
    }
}

impl Input {
    /// Whether the lists have one value per uid. The chain itself stores updates and permits in
    /// lists of any length, so these two may be shorter or longer.
    fn validate(&self, at: &str) -> Result<(), String> {
        let lists = [
            ("stake", self.stake.len()),
            ("registered_at", self.registered_at.len()),
            ("commit_block", self.commit_block.len()),
            ("weights", self.weights.len()),
            ("bonds", self.bonds.len()),
        ];
        let n = self.n;
        match lists.into_iter().find(|&(_, len)| len != usize::from(n)) {
            Some((name, len)) => Err(format!("{at}.{name}: expected {n} values (n), found {len}")),
            None => Ok(()),
        }
    }

    fn replace(&mut self, step: Step) {
        fn set<T>(field: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *field = value;
            }
        }
        self.block = step.block;
        set(&mut self.weights, step.weights);
        set(&mut self.last_update, step.last_update);
        set(&mut self.registered_at, step.registered_at);
        set(&mut self.bonds, step.bonds);
        set(&mut self.stake, step.stake);
    }

    /// Takes over what the chain keeps of an epoch.
    fn carry(&mut self, output: EpochOutput) {
        self.bonds = output.bonds;
        self.validator_permit = output.new_validator_permit;
    }

    fn stake_raw(&self) -> Vec<i128> {
        self.stake.iter().map(|&stake| yuma::combined_stake(stake, 0, 0)).collect()
    }

    fn epoch(&self) -> (EpochOutput, EpochRaw) {
        yuma::epoch_with_raw(&self.borrow(&self.stake_raw()))
    }

    fn borrow<'a>(&'a self, stake: &'a [i128]) -> EpochInput<'a> {
        EpochInput {
            block: self.block,
            tempo: self.tempo,
            activity_cutoff: self.activity_cutoff,
            max_validators: self.max_validators,
            owner_uid: self.owner_uid,
            kappa: self.kappa,
            bonds_penalty: self.bonds_penalty,
            bonds_moving_average: self.bonds_moving_average,
            liquid_alpha: self.liquid_alpha,
            yuma3: self.yuma3,
            alpha_low: self.alpha_low,
            alpha_high: self.alpha_high,
            alpha_sigmoid_steepness: self.alpha_sigmoid_steepness,
            stake_threshold: self.stake_threshold,
            rao_emission: self.rao_emission,
            commit_reveal: self.commit_reveal,
            stake,
            last_update: &self.last_update,
            registered_at: &self.registered_at,
            validator_permit: &self.validator_permit,
            commit_block: &self.commit_block,
            weights: &self.weights,
            bonds: &self.bonds,
        }
    }
}

/// The keys of `expected`.
fn output_json(output: &EpochOutput) -> Value {
    json!({
        "active": output.active,
        "stake_weight": output.stake_weight,
        "consensus": output.consensus,
        "validator_trust": output.validator_trust,
        "incentive": output.incentive,
        "dividends": output.dividends,
        "server_emission": output.server_emission,
        "validator_emission": output.validator_emission,
        "emission": output.emission,
        "new_validator_permit": output.new_validator_permit,
        "stake": output.stake,
        "bonds": output.bonds,
    })
}

/// The keys of `raw_i32f32`.
fn raw_json(raw: &EpochRaw) -> Value {
    json!({
        "stake": raw.stake,
        "active_stake": raw.active_stake,
        "consensus": raw.consensus,
        "validator_trust": raw.validator_trust,
        "incentive": raw.incentive,
        "dividends": raw.dividends,
        "ema_bonds": raw.ema_bonds,
    })
}
