//! The audio plane in virtual time: who hears what, and what a network does to it.
#![allow(
    clippy::cast_possible_truncation,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests compute with numbers of their own making"
)]

mod cleaning;
mod crowds;
mod dozing;
mod limits;
mod loudness;
mod mixing;
mod moves;
mod network;
mod recorded;
mod sequences;
mod speech;
mod stereo;
mod tones;
mod typing;
mod world;
