//! Mixing: one sound and one picture for a room.

pub mod audio;
pub mod video;
