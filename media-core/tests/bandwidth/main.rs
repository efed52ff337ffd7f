//! How the estimate, the allocation and the pacer of a leg behave on bad links: in virtual time, from seeds.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::wildcard_enum_match_arm,
    reason = "a test may panic"
)]

mod beside_the_family;
mod link;
mod reports_only;
mod steps;
mod world;
