//! Whole rooms of tile legs in virtual time: simulcast cameras in, slots out, no codec between.
//!
//! Pictures are values: who made it, at which size, and which number it has. So a test sees whose picture is in which
//! slot, and whether a decoder could have shown it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::cast_possible_truncation,
    reason = "a simulation fails by panic, and its numbers are small"
)]
#![allow(dead_code, unreachable_pub, reason = "each test uses a part of the hall")]

mod a_day;
mod camera;
mod extensions;
mod h264;
mod hall;
mod layered;
mod layers;
mod microphone;
mod narrow_links;
mod network;
mod page;
#[path = "../sim/mod.rs"]
mod sim;
mod slots;
mod storm;
mod viewer;
mod voices;
