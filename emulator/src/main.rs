//! btemu
mod conform;

fn main() {}
