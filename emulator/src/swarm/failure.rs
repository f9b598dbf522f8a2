//! What a trial can find wrong.

use serde::{Deserialize, Serialize};
use std::any::Any;
use std::fmt;

/// What did not hold, by name, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The invariant or check. Two failures of one name are the same to whoever shrinks.
    pub check: String,
    /// By how much and where.
    pub detail: String,
}

impl Failure {
    /// A check of a name does not hold.
    pub fn new(check: &str, detail: impl fmt::Display) -> Self {
        Self { check: check.to_owned(), detail: detail.to_string() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}: {}", self.check, self.detail)
    }
}

/// Makes any error a failure of a check.
pub trait Or<T> {
    /// The value, or a failure of this name.
    ///
    /// # Errors
    /// There was an error.
    fn or_fail(self, check: &str) -> Result<T, Failure>;
}

impl<T, E: fmt::Display> Or<T> for Result<T, E> {
    fn or_fail(self, check: &str) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(check, error))
    }
}

/// What a panic said.
pub fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("it says nothing").to_owned()
}
