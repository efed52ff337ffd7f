//! What fuzzing has found and kept, again and again.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::type_complexity,
    unreachable_pub,
    reason = "shared with the fuzz targets; a test fails by panicking"
)]

#[path = "../../fuzz/src/corpus.rs"]
mod corpus;
#[path = "../../fuzz/src/media.rs"]
mod media;

#[test]
fn every_kept_input_is_survived() {
    corpus::replay(&media::TARGETS);
}
