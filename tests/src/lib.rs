//! What tests need beside the program: other people's programs. The tests live in `e2e/`.

/// A NATS server of a test's own.
pub mod broker;
/// A Prometheus of a test's own.
pub mod prometheus;
