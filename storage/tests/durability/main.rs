//! What a log survives: its process killed, the machine's power cut, its files damaged, the disk full.

/// The files are damaged.
mod damage;
/// The blocks that are written.
mod frames;
/// The disk is full.
mod full;
/// The writing process is killed.
mod kill;
/// A log as one file.
mod portable;
/// The power is cut.
mod power;
