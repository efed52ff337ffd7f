//! Video between a publisher and a receiver over a bad link.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::wildcard_enum_match_arm,
    reason = "a test may panic"
)]

mod link;
mod nack_recovers_under_loss;
mod picture_returns_after_burst_loss;
