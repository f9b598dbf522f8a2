//! btemu
fn main() {}
