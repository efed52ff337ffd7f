//! Transport-wide feedback: tells a sender when each of its packets arrived, so that it can find its bandwidth. Without it
//! a browser stays at 300 kbit/s.
//!
//! in:  transport-wide sequence numbers as packets arrive
//! out: feedback packets
//!
//! draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1. `interceptor` keeps its recorder to itself and takes parsed
//! packets one by one through a chain, hence an own one; what it makes is checked against `rtcp`'s parser.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::units::Ssrc;

/// Feedback goes out this long after the first packet it reports; browsers send every 50–250 ms.
const INTERVAL: Duration = Duration::from_millis(50);
/// Arrivals kept, reported ones too: a straggler makes the report begin again at it. Above this the oldest go unreported.
const MAX_ARRIVALS: usize = 2000;
/// Reported arrivals are kept for stragglers this long.
const KEEP: Duration = Duration::from_millis(500);
/// Packets in one feedback packet: in the worst case 2 bytes of delta and 2 bits of status each, within 1 kB.
const MAX_STATUSES: usize = 400;

/// Unit of arrival deltas.
const DELTA_US: i64 = 250;
/// Unit of the reference time.
const REFERENCE_US: i64 = 64_000;

/// Records the arrivals of one transport.
#[derive(Debug, Default)]
pub struct TwccRecorder {
    /// The first arrival.
    epoch: Option<Instant>,
    /// Number of the first of `arrivals`, extended.
    first: i64,
    /// Microseconds since the epoch.
    arrivals: VecDeque<Option<i64>>,
    /// Where the next feedback begins.
    unreported: i64,
    /// When the first unreported packet came.
    waiting_since: Option<Instant>,
    /// The stream named in feedback: the latest that came. Feedback is about the transport; the field must name one.
    media: Option<Ssrc>,
    count: u8,
}

impl TwccRecorder {
    /// A packet has arrived.
    pub fn handle_packet(&mut self, now: Instant, media: Ssrc, wire: u16) {
        let epoch = *self.epoch.get_or_insert(now);
        self.media = Some(media);
        let seq = self.extend(wire);
        if !self.make_room(seq) {
            return;
        }
        let Some(slot) = usize::try_from(seq - self.first).ok().and_then(|at| self.arrivals.get_mut(at))
        else {
            return;
        };
        if slot.is_some() {
            return; // the first arrival counts
        }
        *slot = Some(micros(now.saturating_duration_since(epoch)));
        self.unreported = self.unreported.min(seq);
        self.waiting_since.get_or_insert(now);
    }

    /// When feedback is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.waiting_since.map(|since| since + INTERVAL)
    }

    /// Appends one feedback packet when it is due; call until `false`, each as its own datagram.
    pub fn poll_feedback(&mut self, now: Instant, from: Ssrc, out: &mut Vec<u8>) -> bool {
        if self.poll_timeout().is_none_or(|at| now < at) {
            return false;
        }
        let Some(media) = self.media else { return false };
        let Some(report) = self.next_report() else {
            self.waiting_since = None;
            return false;
        };
        report.write(from, media, self.count, out);
        self.count = self.count.wrapping_add(1);
        self.unreported = report.base + report.statuses.len().try_into().unwrap_or(i64::MAX);
        if self.unreported >= self.end() {
            self.waiting_since = None;
        }
        self.forget(now);
        true
    }

    fn end(&self) -> i64 {
        self.first + i64::try_from(self.arrivals.len()).unwrap_or(i64::MAX)
    }

    /// The number nearest to the latest one.
    fn extend(&self, wire: u16) -> i64 {
        if self.arrivals.is_empty() {
            return i64::from(wire);
        }
        let last = self.end() - 1;
        let step = wire.wrapping_sub(low_bits(last)).cast_signed();
        last + i64::from(step)
    }

    /// Makes the number fall within `arrivals`. `false` when it is too old for that.
    fn make_room(&mut self, seq: i64) -> bool {
        if self.arrivals.is_empty() {
            self.first = seq;
            self.unreported = seq;
        }
        let max = i64::try_from(MAX_ARRIVALS).unwrap_or(i64::MAX);
        if seq < self.first {
            if self.end() - seq > max {
                return false;
            }
            while self.first > seq {
                self.arrivals.push_front(None);
                self.first -= 1;
            }
            return true;
        }
        if seq - self.end() >= max {
            // A leap: nothing that is held is of use for it.
            self.arrivals.clear();
            self.first = seq;
            self.unreported = seq;
        }
        while self.end() <= seq {
            self.arrivals.push_back(None);
        }
        while self.arrivals.len() > MAX_ARRIVALS {
            self.arrivals.pop_front();
            self.first += 1;
        }
        self.unreported = self.unreported.max(self.first);
        true
    }

    /// Drops what is reported and too old to matter.
    fn forget(&mut self, now: Instant) {
        let Some(epoch) = self.epoch else { return };
        let old = micros(now.saturating_duration_since(epoch)) - micros(KEEP);
        // The last one stays: it tells where numbers are.
        while self.first < self.unreported
            && self.arrivals.len() > 1
            && self.arrivals.front().is_some_and(|a| a.is_none_or(|at| at < old))
        {
            self.arrivals.pop_front();
            self.first += 1;
        }
    }

    /// As much as one packet holds, from the first unreported packet that has come.
    fn next_report(&self) -> Option<Report> {
        let mut report: Option<Report> = None;
        let skip = usize::try_from(self.unreported - self.first).ok()?;
        for (n, arrival) in (self.unreported..).zip(self.arrivals.iter().skip(skip)) {
            match (&mut report, *arrival) {
                (None, None) => {}
                // Packets lost before the first one that came are part of the report, so that it begins where the last
                // one ended.
                (None, Some(at)) => {
                    let lost =
                        usize::try_from(n - self.unreported).unwrap_or(usize::MAX).min(MAX_STATUSES - 1);
                    report = Some(Report::begin(n - i64::try_from(lost).unwrap_or(0), lost, at));
                }
                (Some(report), arrival) => {
                    if report.statuses.len() >= MAX_STATUSES || !report.add(arrival) {
                        break;
                    }
                }
            }
        }
        report
    }
}

/// A feedback packet in the making.
struct Report {
    base: i64,
    reference: i64,
    last_us: i64,
    statuses: Vec<Status>,
    deltas: Vec<u8>,
}

/// Packet status symbols, §3.1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Lost = 0,
    SmallDelta = 1,
    LargeDelta = 2,
}

impl Report {
    fn begin(base: i64, lost: usize, first_us: i64) -> Self {
        let reference = first_us.div_euclid(REFERENCE_US);
        let mut report = Self {
            base,
            reference,
            last_us: reference * REFERENCE_US,
            statuses: vec![Status::Lost; lost],
            deltas: Vec::new(),
        };
        report.add(Some(first_us));
        report
    }

    /// `false` when the time since the last one does not fit a delta: another report begins there.
    fn add(&mut self, arrival: Option<i64>) -> bool {
        let Some(at) = arrival else {
            self.statuses.push(Status::Lost);
            return true;
        };
        let delta = (at - self.last_us + DELTA_US / 2).div_euclid(DELTA_US);
        if let Ok(small) = u8::try_from(delta) {
            self.statuses.push(Status::SmallDelta);
            self.deltas.push(small);
        } else if let Ok(large) = i16::try_from(delta) {
            self.statuses.push(Status::LargeDelta);
            self.deltas.extend_from_slice(&large.to_be_bytes());
        } else {
            return false;
        }
        self.last_us += delta * DELTA_US; // as the reader adds up, so that rounding does not
        true
    }

    fn write(&self, from: Ssrc, media: Ssrc, count: u8, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0x8f, 205, 0, 0]);
        out.extend_from_slice(&from.0.to_be_bytes());
        out.extend_from_slice(&media.0.to_be_bytes());
        out.extend_from_slice(&low_bits(self.base).to_be_bytes());
        out.extend_from_slice(&u16::try_from(self.statuses.len()).unwrap_or(u16::MAX).to_be_bytes());
        let [.., a, b, c] = self.reference.to_be_bytes();
        out.extend_from_slice(&[a, b, c, count]);
        write_chunks(&self.statuses, out);
        out.extend_from_slice(&self.deltas);
        // RFC 3550 padding: the last byte counts it and the P bit says so.
        let padding = (out.len() - start).wrapping_neg() % 4;
        if padding > 0 {
            out.resize(out.len() + padding - 1, 0);
            out.push(u8::try_from(padding).unwrap_or(0));
        }
        let words = u16::try_from((out.len() - start) / 4 - 1).unwrap_or(u16::MAX);
        if let Some(header) = out.get_mut(start..).and_then(|h| h.first_chunk_mut::<4>()) {
            header[0] |= if padding > 0 { 0x20 } else { 0 };
            [header[2], header[3]] = words.to_be_bytes();
        }
    }
}

/// Runs of 8 or more equal symbols as run length (§3.1.3), else 14 one-bit or 7 two-bit symbols (§3.1.4).
fn write_chunks(statuses: &[Status], out: &mut Vec<u8>) {
    let mut rest = statuses;
    while let Some(&first) = rest.first() {
        let run = rest.iter().take_while(|s| **s == first).count();
        let fourteen = rest.get(..rest.len().min(14)).unwrap_or(rest);
        let (chunk, taken) = if run > 14 || run == rest.len() {
            let run = run.min(0x1fff);
            ((first as u16) << 13 | u16::try_from(run).unwrap_or(0), run)
        } else if fourteen.iter().all(|s| *s != Status::LargeDelta) {
            (0x8000 | symbols(fourteen, 1, 14), fourteen.len())
        } else {
            let seven = rest.get(..rest.len().min(7)).unwrap_or(rest);
            (0xc000 | symbols(seven, 2, 7), seven.len())
        };
        out.extend_from_slice(&chunk.to_be_bytes());
        rest = rest.get(taken..).unwrap_or(&[]);
    }
}

/// Symbols from the left; missing ones at the end read as lost and lie beyond the packet's count.
fn symbols(statuses: &[Status], bits: u32, places: usize) -> u16 {
    let padded = statuses.iter().copied().chain(std::iter::repeat(Status::Lost)).take(places);
    padded.fold(0, |chunk, status| chunk << bits | status as u16)
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the wire carries the low 16 bits"
)]
fn low_bits(seq: i64) -> u16 {
    seq as u16
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "numbers that wrap on purpose")]
mod tests {
    use ::interceptor::convert_twcc;
    use ::rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc;
    use proptest::prelude::*;
    use rtc_shared::marshal::Unmarshal;

    use super::*;
    use crate::rtcp::{Packet, packets};

    const MS: Duration = Duration::from_millis(1);

    /// All feedback that is due, as (number, arrival in µs) the way an independent reader understands it.
    fn feedback(recorder: &mut TwccRecorder, now: Instant) -> Vec<(u16, Option<i64>)> {
        let mut all = Vec::new();
        let mut out = Vec::new();
        while recorder.poll_feedback(now, Ssrc(1), &mut out) {
            assert!(out.len() < 1200 && out.len() % 4 == 0);
            let cc = TransportLayerCc::unmarshal(&mut &out[..]).unwrap();
            let count = usize::from(cc.packet_status_count);
            let before = all.len();
            for ack in convert_twcc(&cc).into_iter().take(count) {
                let at = ack.arrival.map(|at| i64::try_from(at.as_micros()).unwrap());
                assert_eq!(ack.arrived, at.is_some());
                all.push((ack.sequence_number, at));
            }
            // Our own reader says the same.
            let read: Vec<_> = packets(&out).collect();
            let [Packet::TransportCc(cc)] = &read[..] else { panic!("{read:?} {out:02x?}") };
            let ours: Vec<_> = cc.arrivals().map(|it| (it.number, it.at_us)).collect();
            assert_eq!(ours, all[before..]);
            out.clear();
        }
        all
    }

    #[test]
    fn every_50_ms_and_only_when_there_is_something() {
        let start = Instant::now();
        let mut recorder = TwccRecorder::default();
        assert_eq!(recorder.poll_timeout(), None);
        recorder.handle_packet(start, Ssrc(9), 65535);
        recorder.handle_packet(start + 10 * MS, Ssrc(9), 1);
        assert!(feedback(&mut recorder, start + 49 * MS).is_empty());
        assert_eq!(recorder.poll_timeout(), Some(start + 50 * MS));
        let got = feedback(&mut recorder, start + 50 * MS);
        assert_eq!(got, [(65535, Some(0)), (0, None), (1, Some(10_000))]);
        assert_eq!(recorder.poll_timeout(), None);
        // The straggler: reported again from it on.
        recorder.handle_packet(start + 60 * MS, Ssrc(9), 0);
        recorder.handle_packet(start + 61 * MS, Ssrc(9), 2);
        let got = feedback(&mut recorder, start + 110 * MS);
        assert_eq!(got, [(0, Some(60_000)), (1, Some(10_000)), (2, Some(61_000))]);
    }

    #[test]
    fn long_silence_starts_another_packet() {
        let start = Instant::now();
        let mut recorder = TwccRecorder::default();
        recorder.handle_packet(start, Ssrc(9), 1);
        recorder.handle_packet(start + 20_000 * MS, Ssrc(9), 2);
        let got = feedback(&mut recorder, start + 20_000 * MS);
        assert_eq!(got, [(1, Some(0)), (2, Some(20_000_000))]);
    }

    #[test]
    fn memory_is_bounded() {
        let start = Instant::now();
        let mut recorder = TwccRecorder::default();
        for i in 0..200_000u32 {
            // Leaps of all sizes, forward and back; never polled.
            recorder.handle_packet(start, Ssrc(9), (i.wrapping_mul(2_654_435_761) >> 16) as u16);
            assert!(recorder.arrivals.len() <= MAX_ARRIVALS);
        }
        assert!(feedback(&mut recorder, start + 50 * MS).len() <= 2 * MAX_ARRIVALS);
    }

    proptest! {
        /// Each packet that came is reported, with its time to the quarter millisecond, whatever was lost or reordered.
        #[test]
        fn all_arrivals_are_reported(
            first: u16,
            packets in prop::collection::vec((prop::bool::weighted(0.8), 0u64..40_000), 1..500),
        ) {
            let start = Instant::now();
            let mut recorder = TwccRecorder::default();
            let (mut now, mut expected, mut reported) = (start, Vec::new(), Vec::new());
            for (i, (arrives, delay_us)) in packets.into_iter().enumerate() {
                now += Duration::from_micros(delay_us / 4);
                if arrives {
                    let seq = first.wrapping_add(i as u16);
                    recorder.handle_packet(now, Ssrc(9), seq);
                    expected.push((seq, i64::try_from((now - start).as_micros()).unwrap()));
                }
                reported.extend(feedback(&mut recorder, now));
            }
            // Since the epoch is the first arrival:
            if let Some((_, epoch)) = expected.first().copied() {
                expected.iter_mut().for_each(|(_, at)| *at -= epoch);
            }
            reported.extend(feedback(&mut recorder, now + 50 * MS));
            let came: Vec<_> = reported.iter().filter_map(|(seq, at)| Some((*seq, (*at)?))).collect();
            prop_assert_eq!(came.len(), expected.len());
            for ((seq, at), (expected_seq, expected_at)) in came.into_iter().zip(expected) {
                prop_assert_eq!(seq, expected_seq);
                prop_assert!((at - expected_at).abs() <= 250, "{} against {}", at, expected_at);
            }
        }
    }
}
