//! What the server is measured and tested with: a client and a media peer that share no code with it, and the way
//! measurements are written down.
//!
//! The peer's ICE, DTLS, SRTP and RTP are str0m's; only pictures are coded with our own codec bindings.

pub mod client;
pub mod peer;

pub mod janus;
pub mod process;

pub mod report;
pub mod turns;

pub mod join;
pub mod room;

pub mod loadtest;

pub mod mixing;
