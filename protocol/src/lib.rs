//! The rules of the emulated network, and the words everyone else uses for them.
//!
//! Pure: no I/O, no clock, no threads, no floats, no hash maps. The order below is the order to read.
#![no_std]

extern crate alloc;
