//! Tests of [`super`]: single packets by hand. Lossy links in bulk: `tests/lossy_video`.

use super::*;
use crate::rtp::{RtpHeader, write_packet};

const MS: Duration = Duration::from_millis(1);

struct Bench {
    now: Instant,
    receiver: VideoReceiver,
}

/// VP8 payloads: first or later packet of a key or delta frame.
const KEY: &[u8] = &[0x10, 0x00, 1];
const DELTA: &[u8] = &[0x10, 0x01, 1];
const MORE: &[u8] = &[0x00, 2];

impl Bench {
    fn new() -> Self {
        let formats = vec![
            (Pt(96), Format::Codec(VideoCodec::Vp8)),
            (Pt(97), Format::Rtx { of: Pt(96) }),
            (Pt(98), Format::Codec(VideoCodec::H264)),
            (Pt(99), Format::Rtx { of: Pt(55) }),
        ];
        Self { now: Instant::now(), receiver: VideoReceiver::new(VideoConfig { ssrc: Ssrc(1), formats }) }
    }

    fn packet(&mut self, pt: u8, seq: u16, picture: u32, marker: bool, payload: &[u8]) -> Verdict {
        let mut bytes = Vec::new();
        let header = RtpHeader { marker, pt: Pt(pt), seq, timestamp: picture * 3000, ssrc: Ssrc(1) };
        write_packet(&mut bytes, &header, &[], &[payload]);
        self.receiver.handle_rtp(self.now, &RtpView::parse(&bytes).unwrap())
    }

    fn vp8(&mut self, seq: u16, picture: u32, marker: bool, payload: &[u8]) -> Verdict {
        self.packet(96, seq, picture, marker, payload)
    }

    fn frames(&mut self) -> Vec<(VideoCodec, bool, Vec<u8>)> {
        let frames = std::iter::from_fn(|| self.receiver.poll_frame());
        frames.map(|f| (f.codec, f.keyframe, f.data.to_vec())).collect()
    }

    fn count(&mut self) -> usize {
        self.frames().len()
    }

    /// Feedback while time passes, with its times from now.
    fn feedback_over(&mut self, ms: u32) -> Vec<(u32, Feedback)> {
        let mut all = Vec::new();
        for at in 0..ms {
            while let Some(feedback) = self.receiver.poll_feedback(self.now) {
                all.push((at, feedback));
            }
            self.now += MS;
        }
        all
    }

    fn plis_over(&mut self, ms: u32) -> Vec<u32> {
        self.feedback_over(ms).into_iter().filter(|(_, f)| *f == Feedback::Pli).map(|(at, _)| at).collect()
    }

    /// A stream that flows.
    fn flowing() -> Self {
        let mut bench = Self::new();
        bench.vp8(100, 1, true, KEY);
        assert_eq!(bench.count(), 1);
        bench
    }
}

#[test]
fn codecs_change_from_packet_to_packet() {
    let mut bench = Bench::flowing();
    bench.packet(98, 101, 2, false, &[0x78, 0, 1, 0x67, 0, 1, 0x68]);
    bench.packet(98, 102, 2, true, &[0x65, 9]);
    bench.packet(98, 103, 3, true, &[0x41, 9]);
    bench.vp8(104, 4, false, KEY);
    bench.vp8(105, 4, true, MORE);
    let expected = [
        (VideoCodec::H264, true, vec![0, 0, 0, 1, 0x67, 0, 0, 0, 1, 0x68, 0, 0, 0, 1, 0x65, 9]),
        (VideoCodec::H264, false, vec![0, 0, 0, 1, 0x41, 9]),
        (VideoCodec::Vp8, true, vec![0x00, 1, 2]),
    ];
    assert_eq!(bench.frames(), expected);
}

#[test]
fn order_is_restored_and_repeats_are_told_apart() {
    let mut bench = Bench::flowing();
    assert!(matches!(bench.vp8(103, 3, true, DELTA), Verdict::Stored(_)));
    assert!(matches!(bench.vp8(102, 2, true, MORE), Verdict::Stored(_)));
    assert_eq!(bench.count(), 0);
    assert_eq!(bench.vp8(103, 3, true, DELTA), Verdict::Duplicate);
    let recovered = bench.packet(97, 1, 2, false, &[&[0, 101], DELTA].concat());
    let Verdict::Recovered(Numbered { seq, .. }) = recovered else { panic!("{recovered:?}") };
    assert_eq!(seq.wire(), 101, "under the number it has in the stream itself");
    assert_eq!(bench.count(), 2);
    assert_eq!(bench.packet(97, 2, 2, false, &[&[0, 101], DELTA].concat()), Verdict::TooOld);
    assert_eq!(bench.packet(97, 3, 2, false, &[]), Verdict::Padding(None));
    assert_eq!(bench.packet(97, 4, 2, false, &[&[0, 200], DELTA].concat()), Verdict::Stray);
    assert_eq!(bench.packet(99, 5, 2, false, &[&[0, 101], DELTA].concat()), Verdict::UnknownPayloadType);
    assert_eq!(bench.packet(100, 104, 4, false, DELTA), Verdict::UnknownPayloadType);
    assert_eq!(bench.vp8(104, 4, false, &[0x10]), Verdict::Malformed);
    assert_eq!(bench.vp8(20_000, 4, false, DELTA), Verdict::Stray);
    assert_eq!(bench.receiver.stats().recovered, 1);
}

#[test]
fn missing_packets_are_asked_for_at_the_pace_of_the_round_trip() {
    let mut bench = Bench::flowing();
    bench.receiver.set_rtt(40 * MS);
    bench.vp8(103, 3, true, DELTA);
    let asked = bench.feedback_over(140);
    let nack = || Feedback::Nack(vec![101, 102]);
    assert_eq!(asked, [(5, nack()), (50, nack()), (95, nack())]);
    bench.vp8(101, 2, false, DELTA);
    bench.vp8(102, 2, true, MORE);
    assert_eq!(bench.count(), 2);
    assert_eq!(bench.feedback_over(1000), []);
    assert_eq!(bench.receiver.poll_timeout(), None, "a stream in order costs no timer");
}

#[test]
fn a_packet_that_never_comes_costs_ten_requests_and_a_pli_each_half_second() {
    let mut bench = Bench::flowing();
    bench.receiver.set_rtt(20 * MS);
    bench.vp8(102, 3, true, DELTA);
    let asked = bench.feedback_over(3000);
    let nacks = asked.iter().filter(|(_, f)| matches!(f, Feedback::Nack(_))).count();
    assert_eq!(nacks, 10);
    let plis: Vec<_> = asked.iter().filter(|(_, f)| *f == Feedback::Pli).map(|(at, _)| *at).collect();
    assert_eq!(plis, [250, 750, 1250, 1750, 2250, 2750]);
    // It comes at last, and the picture goes on without a key frame.
    bench.vp8(101, 2, true, DELTA);
    assert_eq!(bench.count(), 2);
    assert!(bench.plis_over(1000).is_empty());
}

#[test]
fn a_whole_key_frame_behind_a_gap_is_taken_at_once() {
    let mut bench = Bench::flowing();
    bench.vp8(102, 3, true, DELTA);
    bench.vp8(105, 5, false, KEY);
    assert_eq!(bench.count(), 0);
    bench.vp8(106, 5, true, MORE);
    bench.vp8(107, 6, true, DELTA);
    let keyframes: Vec<_> = bench.frames().into_iter().map(|(_, keyframe, _)| keyframe).collect();
    assert_eq!(keyframes, [true, false]);
    assert_eq!(bench.feedback_over(1000), []);
}

#[test]
fn the_first_packets_may_overtake_each_other() {
    let mut bench = Bench::new();
    bench.vp8(101, 1, true, MORE);
    bench.now += 10 * MS;
    bench.vp8(100, 1, false, KEY);
    assert_eq!(bench.count(), 1);
    assert_eq!(bench.feedback_over(600), []);
}

#[test]
fn a_stream_that_begins_in_the_middle_asks_for_a_key_frame() {
    let mut bench = Bench::new();
    assert!(bench.plis_over(100).is_empty(), "nothing came yet");
    bench.vp8(100, 1, true, DELTA);
    assert_eq!(bench.count(), 0);
    assert_eq!(bench.plis_over(600), [20, 520]);
    bench.vp8(101, 2, true, KEY);
    assert_eq!(bench.count(), 1);
    assert!(bench.plis_over(1000).is_empty());
}

#[test]
fn a_key_frame_on_its_way_is_not_asked_for_again() {
    let mut bench = Bench::new();
    bench.vp8(100, 1, false, KEY);
    for seq in 101..111 {
        // One packet in 100 ms: a slow link.
        assert!(bench.plis_over(100).is_empty());
        bench.vp8(seq, 1, false, MORE);
    }
    // It stops coming.
    assert_eq!(bench.plis_over(600), [200]);
}

#[test]
fn wishes_for_key_frames() {
    let mut bench = Bench::flowing();
    bench.receiver.request_keyframe(bench.now);
    bench.receiver.request_keyframe(bench.now);
    bench.vp8(101, 2, true, DELTA);
    assert_eq!(bench.count(), 1, "frames go on meanwhile");
    assert_eq!(bench.plis_over(600), [0, 500]);
    bench.vp8(102, 3, true, KEY);
    assert_eq!(bench.count(), 1);
    bench.receiver.handle_decoder_failure(bench.now);
    bench.vp8(103, 4, true, DELTA);
    assert_eq!(bench.count(), 0, "of no use to the decoder");
    assert_eq!(bench.plis_over(500), [400], "500 ms after the last one");
    bench.vp8(104, 5, true, KEY);
    assert_eq!(bench.count(), 1);
}

#[test]
fn packets_that_do_not_fit_together_cost_a_key_frame() {
    let mut bench = Bench::flowing();
    bench.packet(98, 101, 2, true, &[0x7c, 0x05, 1]); // a fragment without its start
    bench.packet(98, 102, 3, true, &[0x41, 1]);
    assert_eq!(bench.count(), 0);
    bench.packet(98, 103, 4, false, &[0x78, 0, 1, 0x67, 0, 1, 0x68]);
    bench.vp8(104, 4, true, DELTA); // two codecs in one picture
    bench.vp8(105, 5, true, KEY);
    assert_eq!(bench.count(), 1);
}

#[test]
fn padding_fills_its_place() {
    let mut bench = Bench::flowing();
    bench.vp8(103, 3, true, DELTA);
    assert!(matches!(bench.vp8(101, 1, false, &[]), Verdict::Padding(Some(_))));
    bench.vp8(102, 2, true, DELTA);
    assert_eq!(bench.count(), 2);
    assert_eq!(bench.feedback_over(600), []);
}

#[test]
fn a_picture_without_marker_ends_where_the_next_begins() {
    let mut bench = Bench::flowing();
    bench.vp8(101, 2, false, DELTA);
    assert_eq!(bench.count(), 0);
    bench.vp8(102, 3, true, DELTA);
    assert_eq!(bench.count(), 2);
}

#[test]
fn long_gaps_begin_anew() {
    let mut bench = Bench::flowing();
    bench.now += 100 * MS;
    bench.vp8(100 + 300, 9, true, DELTA);
    assert_eq!(bench.plis_over(100), [0]);
    bench.vp8(100 + 301, 10, true, KEY);
    assert_eq!(bench.count(), 1);
    // A leap that goes on: a restarted sender.
    bench.vp8(30_000, 11, true, KEY);
    bench.vp8(30_001, 12, true, DELTA);
    bench.vp8(30_002, 13, true, KEY);
    assert_eq!(bench.count(), 1);
}

#[test]
fn what_is_never_polled_stays_bounded() {
    let mut bench = Bench::new();
    for i in 0..100_000u32 {
        let seq = u16::try_from(i % 65536).unwrap();
        bench.vp8(seq, i, i % 3 == 0, if i % 500 == 0 { KEY } else { DELTA });
        bench.now += MS;
    }
    assert!(bench.count() <= 1024);
}

#[test]
fn the_report_counts_the_path() {
    let mut bench = Bench::flowing();
    bench.vp8(104, 3, true, DELTA);
    bench.packet(97, 1, 2, false, &[&[0, 101], DELTA].concat());
    let block = bench.receiver.report_block(bench.now).unwrap();
    assert_eq!((block.ssrc, block.cumulative_lost, block.highest_seq), (Ssrc(1), 3, 104));
}
