//! The same link under the estimator of the `interceptor` crate: why we have our own.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use interceptor::{BandwidthEstimator, Gcc, History};
use media_core::receive::TwccRecorder;
use media_core::units::Ssrc;

use crate::link::{Link, Path};
use crate::world::{MS, Video, World};

/// An encoder that follows `interceptor`'s target over steps of (seconds, kbit/s); gives (estimate, queue) every 50 ms.
fn theirs(path: Path, steps: &[(u64, u64)]) -> Vec<(u64, f64)> {
    use ::rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc;
    use interceptor::convert_twcc;
    use rtc_shared::marshal::Unmarshal;

    let start = Instant::now();
    let mut gcc = Gcc::new(600_000.0, 30_000.0, 10_000_000.0);
    let mut history = History::new();
    let (mut link, mut viewer) = (Link::new(path), TwccRecorder::default());
    let mut reports: VecDeque<(u64, Vec<u8>)> = VecDeque::new();
    let (mut samples, mut number, mut owed, mut ms) = (Vec::new(), 0_u16, 0.0, 0);
    for &(seconds, kbps) in steps {
        for _ in 0..seconds * 1000 {
            ms += 1;
            let now = start + MS * u32::try_from(ms).unwrap();
            for number in link.tick(ms, kbps) {
                viewer.handle_packet(now, Ssrc(1), number);
            }
            let mut bytes = Vec::new();
            while viewer.poll_feedback(now, Ssrc(2), &mut bytes) {
                reports.push_back((ms + path.rtt_ms / 2, std::mem::take(&mut bytes)));
            }
            while reports.front().is_some_and(|(at, _)| *at <= ms) {
                let Some((_, bytes)) = reports.pop_front() else { break };
                let feedback = TransportLayerCc::unmarshal(&mut &bytes[..]).unwrap();
                for ack in convert_twcc(&feedback).into_iter().take(usize::from(feedback.packet_status_count))
                {
                    history.on_twcc_feedback(now, ack);
                }
                gcc.on_reports(now, &history.take_reports());
                history.prune_before(now.checked_sub(Duration::from_secs(2)).unwrap_or(start));
            }
            // Paced evenly: the easiest input there is.
            owed += gcc.target_bitrate() / 8000.0;
            while owed >= 1150.0 {
                owed -= 1150.0;
                history.add_outgoing(1, number, true, number, 1150, now);
                link.send(1150, number);
                number = number.wrapping_add(1);
            }
            if ms.is_multiple_of(50) {
                samples.push(((gcc.target_bitrate() / 1000.0) as u64, link.delay_ms()));
            }
        }
    }
    samples
}

fn ours(path: Path, steps: &[(u64, u64)]) -> Vec<(u64, f64)> {
    let mut world = World::new(path, Video::Elastic { most_kbps: 10_000 });
    for &(seconds, kbps) in steps {
        world.run(seconds, kbps);
    }
    world.samples.iter().map(|it| (it.estimate, it.queue_ms)).collect()
}

/// Seconds until 2 Mbit/s are estimated again after the last step, and how many of the 15 s after the first step down the
/// queue was longer than 150 ms.
fn judge(samples: &[(u64, f64)]) -> (f64, f64) {
    let (before, after) = samples.split_at(45 * 20);
    let regained = after.iter().position(|(kbps, _)| *kbps >= 2000).unwrap_or(after.len());
    let long = before[15 * 20..30 * 20].iter().filter(|(_, queue)| *queue > 150.0).count();
    (regained as f64 / 20.0, long as f64 / 20.0)
}

#[test]
fn ours_is_back_sooner_and_its_queue_shorter() {
    const STEPS: [(u64, u64); 4] = [(15, 5000), (15, 500), (15, 150), (30, 5000)];
    for (rtt_ms, loss_percent, queue_ms) in
        [(25, 0, 1000), (100, 0, 1000), (100, 2, 300), (250, 0, 1000), (100, 5, 1000)]
    {
        let path = Path { rtt_ms, loss_percent, jitter_ms: 2, stall_ms: 0, queue_ms, seed: 9 };
        let (our_regain, our_queue) = judge(&ours(path, &STEPS));
        let (their_regain, their_queue) = judge(&theirs(path, &STEPS));
        println!(
            "{path:?}: back after {our_regain} s, theirs {their_regain}; long queue {our_queue} s, theirs {their_queue}"
        );
        assert!(our_regain < 8.0 && our_regain < their_regain, "{path:?}: {our_regain} {their_regain}");
        assert!(our_queue <= 3.0, "{path:?}: {our_queue}");
    }
}
