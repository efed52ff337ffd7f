//! Whole conferences in virtual time: pages that offer, connect, send and decode; one shard, one audio plane.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::cast_possible_truncation,
    reason = "a test fails by panic and computes with numbers of its own making"
)]
#![allow(unreachable_pub, reason = "the helpers are modules of one test crate")]

#[path = "../sim/mod.rs"]
mod sim;
#[path = "../audio/world.rs"]
#[allow(dead_code, reason = "its tones and measures are used here, its world is not")]
mod sound;

mod conference;
mod offer;
mod page;
mod values;

mod coming_and_going;
mod hostile;
mod lip_sync;
mod liveness;
mod load;
mod meeting;
mod narrow_links;
mod network;
mod on_the_canvas;
mod passed_through;
mod random_rooms;
mod recorded;
mod renegotiation;
mod screens;
mod taking_over;
mod too_small;
