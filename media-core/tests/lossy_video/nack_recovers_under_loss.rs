//! Retransmission repairs what a link loses, reorders and repeats, without key frames and without a flood.

use crate::link::{Conditions, Loss, MS, run};
use media_core::units::VideoCodec;

fn conditions(codec: VideoCodec, jitter_ms: u64, loss: Loss) -> Conditions {
    Conditions {
        codec,
        one_way: MS * 25,
        jitter_ms,
        duplicates: 1.0,
        loss,
        loss_ms: (1_000, 30_000),
        length_ms: 31_000,
    }
}

#[test]
fn every_frame_is_shown() {
    for (seed, codec) in
        [(1, VideoCodec::Vp8), (2, VideoCodec::H264), (3, VideoCodec::Vp8), (4, VideoCodec::H264)]
    {
        for loss in
            [Loss::None, Loss::Random(2.0), Loss::Random(5.0), Loss::Bursts { percent: 5.0, mean_ms: 10.0 }]
        {
            let outcome = run(conditions(codec, 2, loss), seed);
            outcome.check_order_and_plis();
            assert!(outcome.pli_ms.is_empty(), "retransmission suffices: {:?}", outcome.pli_ms);
            // Those of the last moments are still under way.
            assert!(
                outcome.shown.len() as u64 >= outcome.frames_sent - 8,
                "{} of {}",
                outcome.shown.len(),
                outcome.frames_sent
            );
        }
    }
}

#[test]
fn reordering_alone_costs_no_picture() {
    for seed in 1..=4 {
        let outcome = run(conditions(VideoCodec::Vp8, 15, Loss::None), seed);
        outcome.check_order_and_plis();
        assert!(outcome.pli_ms.is_empty(), "{:?}", outcome.pli_ms);
        assert!(outcome.shown.len() as u64 >= outcome.frames_sent - 3);
        assert_eq!(outcome.report.fraction_lost, 0);
    }
}

#[test]
fn repeats_stay_in_proportion() {
    let outcome = run(conditions(VideoCodec::Vp8, 2, Loss::Random(5.0)), 9);
    let repeated = outcome.repeat_octets as f64 / outcome.media_octets as f64;
    assert!((0.03..0.10).contains(&repeated), "5 % lost, {repeated} repeated");
    assert!(outcome.nacked > 0);
    let rtt = outcome.rtt.expect("reports went both ways");
    assert!((50 * MS..56 * MS).contains(&rtt), "{rtt:?}");
    // The report counts what the path lost, not what was left after repair; duplicates count against it.
    let lost = f64::from(outcome.report.cumulative_lost);
    let packets = outcome.media_octets as f64 / 1100.0;
    assert!((0.02..0.06).contains(&(lost / packets)), "{lost} of {packets}");
}
