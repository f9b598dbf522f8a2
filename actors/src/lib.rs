//! The players: machines of the network's participants, and the shell that carries them.

/// The door between the world and a player.
pub mod machine;
