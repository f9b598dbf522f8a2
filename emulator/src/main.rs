//! btemu
#[cfg(test)]
mod conform;

fn main() {}
