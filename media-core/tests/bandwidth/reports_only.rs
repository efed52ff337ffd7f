//! Peers that do not tell when packets came.

use media_core::bandwidth::{Bandwidth, Kind};
use media_core::units::Bitrate;

use crate::world::MS;

#[test]
fn without_any_report_nothing_is_limited() {
    let start = std::time::Instant::now();
    let mut bandwidth = Bandwidth::new(start);
    for n in 0..2000 {
        bandwidth.on_sent(start + MS * n, None, 1200, Kind::Video);
        bandwidth.on_tick(start + MS * n);
    }
    assert_eq!((bandwidth.estimate(), bandwidth.probes()), (None, 0));
}

#[test]
fn a_receivers_own_estimate_is_a_limit() {
    let start = std::time::Instant::now();
    let mut bandwidth = Bandwidth::new(start);
    bandwidth.on_remb(Bitrate::kbps(700));
    assert_eq!(bandwidth.estimate(), Some(Bitrate::kbps(700)));
    bandwidth.on_remb(Bitrate(1));
    assert_eq!(bandwidth.estimate(), Some(Bitrate::kbps(30)), "sound goes on");
    bandwidth.on_remb(Bitrate(u64::MAX));
    assert_eq!(bandwidth.estimate(), Some(Bitrate::kbps(100_000)));
}

#[test]
fn losses_in_receiver_reports_lower_the_rate_and_calm_raises_it() {
    let start = std::time::Instant::now();
    let mut bandwidth = Bandwidth::new(start);
    let mut at = 0;
    let mut seconds = |bandwidth: &mut Bandwidth, seconds: u32, kbps: u32, fraction_lost| {
        for ms in at..at + seconds * 1000 {
            if ms % 8 == 0 {
                bandwidth.on_sent(start + MS * ms, None, kbps as usize, Kind::Video);
            }
            if ms % 1000 == 0 {
                bandwidth.on_report(start + MS * ms, fraction_lost);
            }
        }
        at += seconds * 1000;
        bandwidth.estimate().unwrap().0 / 1000
    };
    assert!(seconds(&mut bandwidth, 5, 1500, 3) > 10_000, "1 % is nothing");
    let lowered = seconds(&mut bandwidth, 4, 1500, 90);
    assert!((700..1450).contains(&lowered), "{lowered}");
    let calm = seconds(&mut bandwidth, 60, 1000, 0);
    assert!(calm > 3000, "{calm}");
}
