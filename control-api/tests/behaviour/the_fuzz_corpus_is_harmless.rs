//! What fuzzing has found and kept, again and again.

#[allow(unreachable_pub, clippy::type_complexity, reason = "shared with the fuzz targets")]
#[path = "../../../fuzz/src/control.rs"]
mod control;

#[allow(unreachable_pub, clippy::type_complexity, reason = "shared with the fuzz targets")]
#[path = "../../../fuzz/src/corpus.rs"]
mod corpus;

#[test]
fn every_kept_input_is_survived() {
    corpus::replay(&control::TARGETS);
}
