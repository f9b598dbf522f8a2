//! What tests of the whole program need beside it. The tests live in `e2e/`.

/// A NATS server.
pub mod broker;
