//! What is wrong with a scenario.

/// A scenario that cannot be used: one sentence that names the place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct ScenarioError {
    what: String,
    hint: Option<String>,
}

impl ScenarioError {
    /// An error with its place in the sentence.
    pub const fn new(what: String, hint: Option<String>) -> Self {
        Self { what, hint }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}
