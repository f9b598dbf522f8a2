//! How a hostile input is made, tried and told of; shared by the targets of several crates.
//!
//! What belongs here: choices read from bytes, the loop over inputs, the count of what became of them. What does not:
//! what is tried. A target is a function of bytes. bolero replays the inputs that are kept (`__fuzz__/*/corpus`), and
//! under `cargo bolero test` it looks for new ones; in a plain test run inputs are drawn from a seed.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::RefUnwindSafe;

/// Bytes of a drawn input, at least and at most.
const INPUT_BYTES: (usize, usize) = (8, 136);
/// Fewer inputs than this prove nothing about how often something is reached.
const INPUTS_TELLING: u64 = 100;

/// Choices read from the front of an input. Behind its end every choice is the first one, so that whatever is decided
/// by choices ends.
#[derive(Debug)]
pub struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    /// The choices of an input.
    pub const fn new(input: &'a [u8]) -> Self {
        Self(input)
    }

    /// A byte.
    pub fn byte(&mut self) -> u8 {
        let (byte, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *byte
    }

    /// Eight bytes.
    pub fn number(&mut self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }

    /// One of so many; 0 of none.
    pub fn below(&mut self, count: usize) -> usize {
        match count {
            0 | 1 => 0,
            2..=256 => usize::from(self.byte()) % count,
            _ => {
                (u64::from_le_bytes(std::array::from_fn(|at| if at < 3 { self.byte() } else { 0 }))
                    % count as u64) as usize
            }
        }
    }

    /// One of some.
    pub fn of<'b, T>(&mut self, some: &'b [T]) -> &'b T {
        &some[self.below(some.len())]
    }

    /// Whatever is left.
    pub const fn rest(&self) -> &'a [u8] {
        self.0
    }
}

/// A target; what it looked at is of no use after a panic, and nobody looks at it then.
#[derive(Debug)]
pub struct Target<F>(F);

impl<F> RefUnwindSafe for Target<F> {}

impl<F: Fn(&mut Choices<'_>)> Target<F> {
    /// A target that does this with every input.
    pub const fn new(target: F) -> Self {
        Self(target)
    }

    /// Tries an input.
    pub fn run(&self, input: &[u8]) {
        (self.0)(&mut Choices::new(input));
    }

    /// Tries drawn inputs: as many as given or as the environment says (`INPUTS`), or one (`SEED`).
    pub fn run_drawn(&self, name: &str, inputs: u64) {
        let seeds = match number("SEED") {
            Some(seed) => seed..seed + 1,
            None => 0..number("INPUTS").unwrap_or(inputs),
        };
        let mut input = Vec::new();
        for seed in seeds {
            let _told = Told { name, seed };
            draw(name, seed, &mut input);
            self.run(&input);
        }
    }
}

/// A number that whoever starts the tests gives.
fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// The input of a seed.
fn draw(name: &str, seed: u64, input: &mut Vec<u8>) {
    let mut bytes =
        blake3::Hasher::new().update(name.as_bytes()).update(&seed.to_le_bytes()).finalize_xof();
    let mut length = [0];
    bytes.fill(&mut length);
    let (least, most) = INPUT_BYTES;
    input.resize(least + usize::from(length[0]) % (most - least), 0);
    bytes.fill(input);
}

/// Says which input it was when a panic passes.
struct Told<'a> {
    name: &'a str,
    seed: u64,
}

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { name, seed } = self;
            eprintln!("try this input again with SEED={seed} and the name of the test, {name}");
        }
    }
}

/// What became of the inputs of a target.
#[derive(Debug, Default)]
pub struct Tally(RefCell<BTreeMap<&'static str, u64>>);

impl Tally {
    /// Something became of an input.
    pub fn count(&self, what: &'static str) {
        *self.0.borrow_mut().entry(what).or_default() += 1;
    }

    /// Prints the counts, and wants each of these of at least so many inputs in a thousand: a target that never gets
    /// past the front door tries nothing.
    pub fn wants(&self, wanted: &[(&'static str, u64)]) {
        let counts = self.0.borrow();
        println!("{counts:?}");
        let tried = counts.get("tried").copied().unwrap_or(0);
        for (what, per_mille) in wanted.iter().filter(|_| tried >= INPUTS_TELLING) {
            let count = counts.get(what).copied().unwrap_or(0);
            assert!(count * 1_000 >= tried * per_mille, "only {count} were {what}: {counts:?}");
        }
    }
}

/// Tries a target: inputs that are kept, then drawn ones.
macro_rules! try_inputs {
    ($name:literal, $inputs:expr, $target:expr) => {{
        let target = Target::new($target);
        let _ = bolero::check!().with_iterations(0).for_each(|input: &[u8]| target.run(input));
        target.run_drawn($name, $inputs);
    }};
}
pub(crate) use try_inputs;
