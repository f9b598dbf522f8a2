//! JSON that says where it is wrong.

use crate::scenario::error::ScenarioError;
use serde::de::DeserializeOwned;
use std::path::Path;

/// Reads JSON; an error names the file and the place in it.
///
/// # Errors
/// It is not what it should be.
pub fn read<T: DeserializeOwned>(file: &Path, text: &str) -> Result<T, ScenarioError> {
    let mut reader = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let what = format!("{}: {}: {}", file.display(), error.path(), error.inner());
        ScenarioError::new(what, None)
    })
}
