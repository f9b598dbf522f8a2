//! What is done with a log beside making it.

/// Which readings a trial makes beside the two legs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readings {
    /// Every call is decided again.
    pub re_execution: Reading,
    /// Every player is run again.
    pub re_simulation: Reading,
    /// The log is damaged, the damage found, the rest repaired and resumed.
    pub damage: Reading,
}

/// Whether something is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// It is.
    Made,
    /// It is not.
    Spared,
}

impl Readings {
    /// Everything.
    pub const ALL: Self =
        Self { re_execution: Reading::Made, re_simulation: Reading::Made, damage: Reading::Made };

    /// What a seed draws: re-execution always, a re-simulation once in four, a damaged log once in three.
    pub const fn of(seed: u64) -> Self {
        Self {
            re_execution: Reading::Made,
            re_simulation: Reading::once_in(4, seed),
            damage: Reading::once_in(3, seed),
        }
    }
}

impl Reading {
    const fn once_in(number: u64, seed: u64) -> Self {
        match seed.is_multiple_of(number) {
            true => Self::Made,
            false => Self::Spared,
        }
    }
}
