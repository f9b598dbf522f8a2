//! btemu
#![recursion_limit = "256"]
#[cfg(test)]
mod conform;

#[cfg_attr(not(test), allow(dead_code, unused_imports))]
mod metrics;

fn main() {}
