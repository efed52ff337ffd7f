//! 20 % burst loss over a minute: at most one key frame request per 500 ms, and the picture is back within 700 ms after
//! the burst.

use crate::link::{Conditions, Loss, MS, run};
use media_core::units::VideoCodec;

const CLEAN: u64 = 2_000;
const BURST_END: u64 = CLEAN + 60_000;

fn conditions(codec: VideoCodec, one_way_ms: u32, loss: Loss) -> Conditions {
    Conditions {
        codec,
        one_way: MS * one_way_ms,
        jitter_ms: 3,
        duplicates: 0.5,
        loss,
        loss_ms: (CLEAN, BURST_END),
        length_ms: BURST_END + 5_000,
    }
}

fn both_codecs(mut check: impl FnMut(VideoCodec, u64)) {
    for seed in 1..=5 {
        check(VideoCodec::Vp8, seed);
        check(VideoCodec::H264, seed);
    }
}

#[test]
fn gilbert_elliott() {
    both_codecs(|codec, seed| {
        for (one_way_ms, mean_ms) in [(10, 20.0), (10, 100.0), (50, 20.0), (50, 100.0)] {
            let outcome = run(conditions(codec, one_way_ms, Loss::Bursts { percent: 20.0, mean_ms }), seed);
            assert!((14.0..26.0).contains(&outcome.loss_percent), "{}", outcome.loss_percent);
            outcome.check_order_and_plis();
            let back = outcome.back_after(BURST_END).expect("a picture after the burst");
            let freeze = outcome.longest_freeze_ms(BURST_END + 700, BURST_END + 5_000);
            let shown = outcome.shown.len() as f64 / outcome.frames_sent as f64;
            assert!(shown > 0.9, "{codec:?} seed {seed}: {shown} of the frames");
            assert!(
                back <= 700 && freeze < 150,
                "{codec:?} seed {seed}: {back} ms, then a freeze of {freeze} ms"
            );
        }
    });
}

#[test]
fn outages() {
    both_codecs(|codec, seed| {
        // Each outage as long as it takes to be 20 % of the time.
        for (for_ms, every_ms) in [(100, 500), (300, 1500), (1000, 5000)] {
            let outcome = run(conditions(codec, 50, Loss::Outages { for_ms, every_ms }), seed);
            outcome.check_order_and_plis();
            for outage in (CLEAN..BURST_END).step_by(usize::try_from(every_ms).unwrap()) {
                let back = outcome.back_after(outage + for_ms).expect("a picture after each outage");
                let shown = outcome.shown.len() as f64 / outcome.frames_sent as f64;
                assert!(shown > 0.9, "{codec:?} seed {seed}: {shown} of the frames");
                assert!(back <= 700, "{codec:?} seed {seed}, {for_ms} ms at {outage}: back after {back} ms");
            }
        }
    });
}
