//! Keeps one unbroken stream towards a viewer while the renditions or encodings behind it change.
//!
//! in:  packets of the current rendition, those of it that are left out, the moment another begins
//! out: their sequence number, timestamp, picture id and TL0PICIDX in the viewer's stream
//!
//! ```text
//! out_seq = seq + seq_offset      out_ts = ts + ts_offset      out_id = id + id_offset
//!
//!   in   10 11 12 13 14 15      12 and 13 are left out: a picture of a higher temporal id, or padding
//!   out  50 51  ·  · 52 53      two segments, offsets +40 and +38
//! ```
//!
//! The offsets are found anew at the first packet of a rendition: the next number, the time that has really passed, the
//! next picture. Leaving packets out begins a new segment, so that what comes late or is asked for again still finds the
//! number it had. RFC 3550 §5.1, RFC 7741 §4.2.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::MediaPacket;
use crate::units::{ClockRate, MediaTime, SeqNo};

/// Segments remembered: 4 s of every second picture left out at 30 pictures per second. What is older is not asked for.
const MAX_SEGMENTS: usize = 64;

/// Where numbers begin; random, so that they tell nothing (RFC 3550 §5.1).
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// First sequence number.
    pub seq: u16,
    /// First sequence number of the retransmission stream.
    pub rtx_seq: u16,
    /// First timestamp.
    pub timestamp: u32,
    /// First VP8 picture id; 15 bits are used. Its low byte is the first TL0PICIDX.
    pub picture_id: u16,
}

/// The viewer's stream.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    rate: ClockRate,
    next_seq: SeqNo,
    next_picture_id: u16,
    next_tl0: u8,
    last: Last,
    rendition: Option<Rendition>,
}

#[derive(Clone, Copy, Debug)]
enum Last {
    Nothing { first_timestamp: u64 },
    Packet { ticks: u64, captured: Instant },
}

/// What to add to the current rendition's numbers, modulo 2^64 (2^16 for the id, 2^8 for TL0PICIDX).
#[derive(Clone, Debug)]
struct Rendition {
    ts_offset: u64,
    tl0_offset: u8,
    /// Never empty; each begins behind the one before.
    segments: VecDeque<Segment>,
    /// Highest number seen, forwarded or left out.
    highest: u64,
    /// The picture left out last.
    left_out: Option<u16>,
}

/// From a number on.
#[derive(Clone, Copy, Debug)]
struct Segment {
    from: u64,
    seq_offset: u64,
    id_offset: u16,
}

/// A packet's place in the viewer's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) seq: SeqNo,
    pub(super) timestamp: MediaTime,
    pub(super) picture_id: u16,
    pub(super) tl0: u8,
}

impl Timeline {
    pub(super) fn new(rate: ClockRate, start: Start) -> Self {
        let [_, first_tl0] = start.picture_id.to_be_bytes();
        Self {
            rate,
            // A cycle above zero: see `SeqExtender`.
            next_seq: SeqNo((1 << 16) + u64::from(start.seq)),
            next_picture_id: start.picture_id & 0x7fff,
            next_tl0: first_tl0,
            last: Last::Nothing { first_timestamp: (1 << 32) + u64::from(start.timestamp) },
            rendition: None,
        }
    }

    /// The next packet is the first of another rendition, or of the same after a pause.
    pub(super) fn switch(&mut self) {
        self.rendition = None;
    }

    /// No packet of the current rendition has passed yet.
    pub(super) fn is_switching(&self) -> bool {
        self.rendition.is_none()
    }

    /// Gives a new packet its place; none to one from before the rendition's first, which nobody can use.
    pub(super) fn advance(&mut self, packet: &MediaPacket) -> Option<Place> {
        let rendition = match self.rendition.take() {
            Some(rendition) => self.rendition.insert(rendition),
            None => {
                let begun = self.begin(packet);
                self.rendition.insert(begun)
            }
        };
        let place = rendition.place(packet, self.rate)?;
        if packet.seq.0 >= rendition.highest {
            rendition.highest = packet.seq.0;
            self.next_seq = self.next_seq.max(SeqNo(place.seq.0.wrapping_add(1)));
            if packet.numbers.is_some() {
                self.next_picture_id = place.picture_id.wrapping_add(1) & 0x7fff;
                self.next_tl0 = place.tl0.wrapping_add(1);
            }
            self.last = Last::Packet { ticks: place.timestamp.ticks, captured: packet.captured };
        }
        Some(place)
    }

    /// A packet of the current rendition is not for this viewer; `picture_id` when it carries a part of a picture. The
    /// numbers close up over it, unless later packets have already passed: then the viewer misses it, and gets `false`.
    pub(super) fn leave_out(&mut self, seq: SeqNo, picture_id: Option<u16>) -> bool {
        let Some(rendition) = &mut self.rendition else { return true };
        let Some(next) = rendition.leave_out(seq.0, picture_id) else { return false };
        self.next_seq = self.next_seq.max(SeqNo(next));
        true
    }

    /// The current rendition's number of a sequence number the viewer quotes. `None` for what was sent before the switch:
    /// the rendition begins with a key frame, nobody needs what came before.
    pub(super) fn origin(&self, wire: u16) -> Option<SeqNo> {
        let rendition = self.rendition.as_ref()?;
        let behind = self.next_seq.wire().wrapping_sub(1).wrapping_sub(wire);
        let out = self.next_seq.0.wrapping_sub(1).wrapping_sub(u64::from(behind));
        if behind >= 1 << 15 {
            return None;
        }
        let segment = rendition.segments.iter().rev().find(|segment| out >= segment.first_out())?;
        Some(SeqNo(out.wrapping_sub(segment.seq_offset)))
    }

    /// The place a packet of the current rendition had.
    pub(super) fn place(&self, packet: &MediaPacket) -> Option<Place> {
        self.rendition.as_ref()?.place(packet, self.rate)
    }

    /// The stream's timestamp at this moment.
    pub(super) fn timestamp_at(&self, now: Instant) -> Option<MediaTime> {
        match self.last {
            Last::Nothing { .. } => None,
            Last::Packet { ticks, captured } => {
                let ahead = ticks_in(now.saturating_duration_since(captured), self.rate);
                let behind = ticks_in(captured.saturating_duration_since(now), self.rate);
                Some(MediaTime { ticks: ticks.wrapping_add(ahead).wrapping_sub(behind), rate: self.rate })
            }
        }
    }

    /// The stream's timestamp before there was anything in it.
    pub(super) fn first_timestamp(&self) -> MediaTime {
        let ticks = match self.last {
            Last::Nothing { first_timestamp: ticks } | Last::Packet { ticks, .. } => ticks,
        };
        MediaTime { ticks, rate: self.rate }
    }

    /// The latest sequence number.
    pub(super) fn latest(&self) -> u16 {
        self.next_seq.wire().wrapping_sub(1)
    }

    fn begin(&self, packet: &MediaPacket) -> Rendition {
        let ticks = match self.last {
            Last::Nothing { first_timestamp } => first_timestamp,
            Last::Packet { ticks, captured } => {
                // Two pictures never share a timestamp.
                let passed = ticks_in(packet.captured.saturating_duration_since(captured), self.rate).max(1);
                ticks.wrapping_add(passed)
            }
        };
        let (id, tl0) = packet.numbers.map_or((0, 0), |it| (it.picture_id, it.tl0.map_or(0, |(tl0, _)| tl0)));
        let segment = Segment {
            from: packet.seq.0,
            seq_offset: self.next_seq.0.wrapping_sub(packet.seq.0),
            id_offset: self.next_picture_id.wrapping_sub(id),
        };
        Rendition {
            ts_offset: ticks.wrapping_sub(packet.timestamp.ticks),
            tl0_offset: self.next_tl0.wrapping_sub(tl0),
            segments: VecDeque::from([segment]),
            highest: packet.seq.0,
            left_out: None,
        }
    }
}

impl Rendition {
    fn place(&self, packet: &MediaPacket, rate: ClockRate) -> Option<Place> {
        let segment = self.segments.iter().rev().find(|segment| segment.from <= packet.seq.0)?;
        let (id, tl0) = packet.numbers.map_or((0, 0), |it| (it.picture_id, it.tl0.map_or(0, |(tl0, _)| tl0)));
        Some(Place {
            seq: SeqNo(packet.seq.0.wrapping_add(segment.seq_offset)),
            timestamp: MediaTime { ticks: packet.timestamp.ticks.wrapping_add(self.ts_offset), rate },
            picture_id: id.wrapping_add(segment.id_offset) & 0x7fff,
            tl0: tl0.wrapping_add(self.tl0_offset),
        })
    }

    /// Gives the viewer's number of the packet that comes next.
    fn leave_out(&mut self, seq: u64, picture_id: Option<u16>) -> Option<u64> {
        if seq <= self.highest {
            return None;
        }
        self.highest = seq;
        let begins_picture = picture_id.is_some() && picture_id != self.left_out;
        self.left_out = picture_id.or(self.left_out);
        let last = self.segments.back_mut()?;
        let out = seq.wrapping_add(last.seq_offset);
        let next = Segment {
            from: seq + 1,
            seq_offset: last.seq_offset.wrapping_sub(1),
            id_offset: last.id_offset.wrapping_sub(u16::from(begins_picture)),
        };
        if last.from == seq {
            *last = next;
        } else {
            self.segments.push_back(next);
            if self.segments.len() > MAX_SEGMENTS {
                self.segments.pop_front();
            }
        }
        Some(out)
    }
}

impl Segment {
    fn first_out(&self) -> u64 {
        self.from.wrapping_add(self.seq_offset)
    }
}

/// Ticks in a duration, to the nearest.
fn ticks_in(duration: Duration, rate: ClockRate) -> u64 {
    let ticks = (duration.as_nanos() * u128::from(rate.0) + 500_000_000) / 1_000_000_000;
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "numbers that wrap on purpose")]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::rtp::PictureNumbers;

    fn packet(seq: u64, ticks: u64, id: u16, captured: Instant) -> MediaPacket {
        let timestamp = MediaTime { ticks, rate: ClockRate::VIDEO };
        let mut packet = MediaPacket::audio(SeqNo(seq), timestamp, captured, Bytes::new());
        packet.numbers = Some(PictureNumbers { tl0: Some((id as u8, 4)), ..PictureNumbers::own(id) });
        packet
    }

    proptest! {
        /// However renditions are numbered, the viewer sees +1, +1 and the time that passed.
        #[test]
        fn one_stream_across_switches(
            seq: u16, timestamp: u32, picture_id: u16,
            renditions in prop::collection::vec((1u64..1 << 40, 1u64..1 << 50, 0u16..1 << 15, 1u64..20), 1..8),
        ) {
            let start = Instant::now();
            let mut timeline = Timeline::new(ClockRate::VIDEO, Start { seq, rtx_seq: 0, timestamp, picture_id });
            let mut n = 0u64;
            for (first_seq, first_ticks, first_id, count) in renditions {
                timeline.switch();
                for i in 0..count {
                    let captured = start + Duration::from_millis(n * 40);
                    let id = (first_id + i as u16) & 0x7fff;
                    let packet = packet(first_seq + i, first_ticks + i * 3600, id, captured);
                    let place = timeline.advance(&packet).unwrap();
                    prop_assert_eq!(place.seq.wire(), seq.wrapping_add(n as u16));
                    prop_assert_eq!(place.timestamp.wire(), timestamp.wrapping_add(n as u32 * 3600));
                    prop_assert_eq!(place.picture_id, picture_id.wrapping_add(n as u16) & 0x7fff);
                    prop_assert_eq!(place.tl0, (picture_id as u8).wrapping_add(n as u8));
                    prop_assert_eq!(timeline.origin(place.seq.wire()), Some(packet.seq));
                    prop_assert_eq!(timeline.place(&packet), Some(place));
                    n += 1;
                }
                // What lies before the rendition, or was never sent, has no origin.
                prop_assert_eq!(timeline.origin(seq.wrapping_add(n as u16)), None);
                prop_assert_eq!(timeline.origin(seq.wrapping_add((n - count) as u16).wrapping_sub(1)), None);
            }
        }

        /// Whatever is left out, lost or overtaken: each packet that passes keeps one number, no two share one, numbers
        /// and picture ids are closed where nothing was lost, and every number leads back to its packet.
        #[test]
        fn numbers_close_up_over_what_is_left_out(
            // Per picture: packets, left out or not; then which packets are lost, and which come one later.
            pictures in prop::collection::vec((1u64..4, any::<bool>()), 1..60),
            lost in prop::collection::vec(0u8..12, 240), late in prop::collection::vec(0u8..10, 240),
        ) {
            let start = Instant::now();
            let first = Start { seq: 65_500, rtx_seq: 0, timestamp: 0, picture_id: 32_760 };
            let mut timeline = Timeline::new(ClockRate::VIDEO, first);
            let (mut sent, mut seq) = (Vec::new(), 5000);
            for (n, (count, out)) in pictures.iter().enumerate() {
                let out = *out && n > 0;
                for _ in 0..*count {
                    let captured = start + Duration::from_millis(n as u64 * 33);
                    sent.push((packet(seq, n as u64 * 3000, n as u16, captured), out));
                    seq += 1;
                }
            }
            let lossless = lost.iter().take(sent.len()).all(|lost| *lost != 0);
            let kept: Vec<_> =
                sent.iter().zip(&lost).enumerate().filter(|(i, (_, lost))| *i == 0 || **lost != 0).map(|(_, (it, _))| it.clone()).collect();
            let mut order: Vec<usize> = (0..kept.len()).collect();
            for (i, late) in (1..order.len().saturating_sub(1)).zip(&late) {
                if *late == 0 { order.swap(i, i + 1); }
            }
            let in_order = order.windows(2).all(|pair| pair[0] < pair[1]);
            let mut given = Vec::new();
            for i in order {
                let (packet, out) = &kept[i];
                if *out {
                    timeline.leave_out(packet.seq, packet.numbers.and_then(|numbers| numbers.closing_id()));
                } else {
                    given.push((packet.clone(), timeline.advance(packet).unwrap()));
                }
            }
            given.sort_by_key(|(packet, _)| packet.seq);
            for pair in given.windows(2) {
                prop_assert!(pair[0].1.seq < pair[1].1.seq, "no two share a number, and their order stays");
            }
            for (packet, place) in given.iter().rev().take(40) {
                prop_assert_eq!(timeline.origin(place.seq.wire()), Some(packet.seq));
                prop_assert_eq!(timeline.place(packet), Some(*place));
            }
            if lossless && in_order {
                for pair in given.windows(2) {
                    prop_assert_eq!(pair[1].1.seq.0 - pair[0].1.seq.0, 1);
                    let step = pair[1].1.picture_id.wrapping_sub(pair[0].1.picture_id) & 0x7fff;
                    let same = pair[0].0.timestamp == pair[1].0.timestamp;
                    prop_assert_eq!(step, u16::from(!same));
                }
            }
        }
    }

    #[test]
    fn what_comes_from_before_the_key_frame_has_no_place() {
        let start = Instant::now();
        let first = Start { seq: 0, rtx_seq: 0, timestamp: 0, picture_id: 0 };
        let mut timeline = Timeline::new(ClockRate::VIDEO, first);
        timeline.leave_out(SeqNo(99), None);
        assert!(timeline.advance(&packet(100, 5, 7, start)).is_some());
        assert_eq!(timeline.advance(&packet(99, 5, 6, start)), None);
        timeline.leave_out(SeqNo(98), None);
        assert_eq!(timeline.advance(&packet(101, 5, 7, start)).unwrap().seq.wire(), 1);
    }

    #[test]
    fn reports_pair_the_timestamp_with_the_capture_time() {
        let start = Instant::now();
        let mut timeline =
            Timeline::new(ClockRate::VIDEO, Start { seq: 0, rtx_seq: 0, timestamp: 1000, picture_id: 0 });
        assert_eq!(timeline.timestamp_at(start), None);
        timeline.advance(&packet(1, 5, 0, start));
        assert_eq!(timeline.timestamp_at(start + Duration::from_millis(10)).unwrap().wire(), 1900);
        assert_eq!(timeline.timestamp_at(start - Duration::from_millis(10)).unwrap().wire(), 100);
    }
}
