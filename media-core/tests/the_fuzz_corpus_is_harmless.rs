//! What fuzzing has found and kept, again and again, and what is near to it.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::type_complexity,
    unreachable_pub,
    reason = "shared with the fuzz targets; a test fails by panicking"
)]

#[path = "../../fuzz/src/corpus.rs"]
mod corpus;
#[path = "../../fuzz/src/media.rs"]
mod media;
#[path = "../../fuzz/src/mutate.rs"]
mod mutate;

#[test]
fn every_kept_input_is_survived() {
    corpus::replay(&media::TARGETS);
}

#[test]
fn what_is_near_to_the_kept_inputs_is_survived() {
    mutate::attack(&media::TARGETS);
}
