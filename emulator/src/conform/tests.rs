//! The golden epochs pass, and nothing passes by accident.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::*;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/epoch").join(name)
}

#[test]
fn every_golden_epoch_is_reproduced() {
    let results = run_paths(&[golden("")]).unwrap();
    let failed: Vec<_> = results.iter().filter(|result| !result.passed()).collect();
    assert!(failed.is_empty(), "{failed:#?}");

    let epochs = |result: &CaseResult| {
        let case = read_case(&result.path).unwrap();
        case.get("epochs").map_or(1, |epochs| epochs.as_array().unwrap().len())
    };
    let epochs: usize = results.iter().map(epochs).sum();
    assert!(results.len() >= 146 && epochs > 250, "{} cases, {epochs} epochs", results.len());
}
