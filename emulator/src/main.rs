//! btemu
#![recursion_limit = "256"]
#[cfg(test)]
mod conform;

fn main() {}
