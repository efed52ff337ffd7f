//! What fuzzing has found and kept, again and again, and what is near to it.

#[allow(unreachable_pub, clippy::type_complexity, reason = "shared with the fuzz targets")]
#[path = "../../../fuzz/src/control.rs"]
mod control;

#[allow(unreachable_pub, clippy::type_complexity, reason = "shared with the fuzz targets")]
#[path = "../../../fuzz/src/corpus.rs"]
mod corpus;

#[allow(
    unreachable_pub,
    clippy::type_complexity,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "shared with media-core"
)]
#[path = "../../../fuzz/src/mutate.rs"]
mod mutate;

#[test]
fn every_kept_input_is_survived() {
    corpus::replay(&control::TARGETS);
}

#[test]
fn what_is_near_to_the_kept_inputs_is_survived() {
    mutate::attack(&control::TARGETS);
}
