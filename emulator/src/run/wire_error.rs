//! What goes wrong between two processes of a run, and how long a message may be.

use std::io;

/// Longest message: a state of the whole network with all its seats is some tens of megabytes.
pub const MESSAGE_BYTES_MAX: usize = 1 << 30;

/// What went wrong between two processes.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The socket failed.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    /// The other end is gone.
    #[error("the connection was closed by the other end")]
    Closed,
    /// The bytes are no message.
    #[error("a message could not be read: {0}")]
    Garbled(#[from] storage::codec::CodecError),
    /// A message is longer than it may be.
    #[error("a message of more than {bytes_max} bytes was refused")]
    TooLong {
        /// How long it may be.
        bytes_max: usize,
    },
    /// A message is not the one that was sent.
    #[error("a message was damaged on its way")]
    Damaged,
    /// A message did not come, or comes too late.
    #[error("message {found} came where message {expected} should have")]
    Missed {
        /// The next one's number.
        expected: u32,
        /// The number of the one that came.
        found: u32,
    },
    /// The broker is not there or does not do its part, or nobody is at its other side.
    #[error("{0}")]
    Broker(String),
}
