//! What the network can send, as functions of bytes.
//!
//! in:  bytes of a fuzzer, or of `corpus/<target>/`
//! out: nothing; a panic is a find
//!
//! The functions live in [`media`] and [`control`]. Tests of `media-core` and `control-api` include the same two files
//! and feed them the corpus on every run, by the stable compiler; only this crate needs a nightly one.

pub mod control;
pub mod media;

// The scenery of `control` is that of control-api's behaviour tests.
#[allow(dead_code, clippy::wildcard_enum_match_arm, reason = "used in part")]
#[path = "../../control-api/tests/behaviour/play.rs"]
mod play;
#[allow(dead_code, clippy::wildcard_enum_match_arm, reason = "used in part")]
#[path = "../../control-api/tests/behaviour/world.rs"]
mod world;
