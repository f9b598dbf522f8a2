//! What makes an attack.

use crate::scenario::document::Group;
use actors::registry::Role;

/// One attack.
#[derive(Clone, Copy, Debug)]
pub struct Adversary {
    /// Its name, and that of its scenario.
    pub name: &'static str,
    /// Whose attack it is.
    pub role: Role,
    /// The behaviour of the groups that attack.
    pub behaviour: &'static str,
    /// What they are where they are honest.
    pub counterpart: &'static str,
    /// Makes a group honest.
    pub reform: fn(&mut Group),
    /// Who pays, by design.
    pub victims: &'static str,
    /// The figure of both arms that shows what it is about, of [`crate::arm::FIGURES`].
    pub figure: &'static str,
}

impl Adversary {
    /// Where its scenario is in the repository.
    pub fn scenario(&self) -> String {
        format!("configs/attacks/{}.toml", self.name)
    }
}
