//! Tests of genesis.
