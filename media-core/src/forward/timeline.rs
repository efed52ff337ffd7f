//! Keeps one unbroken stream towards a viewer while the renditions behind it change.
//!
//! in:  packets of the current rendition, the moment another begins
//! out: their sequence number, timestamp and picture id in the viewer's stream
//!
//! ```text
//! out_seq = seq + seq_offset      out_ts = ts + ts_offset      out_id = id + id_offset
//! ```
//!
//! The offsets are found anew at the first packet of a rendition: the next number, the time that has really passed, the
//! next picture. RFC 3550 §5.1, RFC 7741 §4.2.

use std::time::{Duration, Instant};

use super::MediaPacket;
use crate::units::{ClockRate, MediaTime, SeqNo};

/// Where numbers begin; random, so that they tell nothing (RFC 3550 §5.1).
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// First sequence number.
    pub seq: u16,
    /// First sequence number of the retransmission stream.
    pub rtx_seq: u16,
    /// First timestamp.
    pub timestamp: u32,
    /// First VP8 picture id; 15 bits are used.
    pub picture_id: u16,
}

/// The viewer's stream.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    rate: ClockRate,
    next_seq: SeqNo,
    next_picture_id: u16,
    last: Last,
    rendition: Option<Rendition>,
}

#[derive(Clone, Copy, Debug)]
enum Last {
    Nothing { first_timestamp: u64 },
    Packet { ticks: u64, captured: Instant },
}

/// What to add to the current rendition's numbers, modulo 2^64 (2^16 for the id).
#[derive(Clone, Copy, Debug)]
struct Rendition {
    first_out: SeqNo,
    seq_offset: u64,
    ts_offset: u64,
    id_offset: u16,
}

/// A packet's place in the viewer's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) seq: SeqNo,
    pub(super) timestamp: MediaTime,
    pub(super) picture_id: Option<u16>,
}

impl Timeline {
    pub(super) fn new(rate: ClockRate, start: Start) -> Self {
        Self {
            rate,
            // A cycle above zero: see `SeqExtender`.
            next_seq: SeqNo((1 << 16) + u64::from(start.seq)),
            next_picture_id: start.picture_id & 0x7fff,
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

    /// Gives a new packet its place.
    pub(super) fn advance(&mut self, packet: &MediaPacket) -> Place {
        let rendition = match self.rendition {
            Some(rendition) => rendition,
            None => *self.rendition.insert(self.begin(packet)),
        };
        let place = rendition.place(packet, self.rate);
        self.next_seq = self.next_seq.max(SeqNo(place.seq.0.wrapping_add(1)));
        if let Some(id) = place.picture_id {
            self.next_picture_id = (id + 1) & 0x7fff;
        }
        self.last = Last::Packet { ticks: place.timestamp.ticks, captured: packet.captured };
        place
    }

    /// The current rendition's number of a sequence number the viewer quotes. `None` for what was sent before the switch:
    /// the rendition begins with a key frame, nobody needs what came before.
    pub(super) fn origin(&self, wire: u16) -> Option<SeqNo> {
        let rendition = self.rendition?;
        let behind = self.next_seq.wire().wrapping_sub(1).wrapping_sub(wire);
        let out = self.next_seq.0.wrapping_sub(1).wrapping_sub(u64::from(behind));
        (behind < 1 << 15 && out >= rendition.first_out.0)
            .then(|| SeqNo(out.wrapping_sub(rendition.seq_offset)))
    }

    /// The place a packet of the current rendition had.
    pub(super) fn place(&self, packet: &MediaPacket) -> Option<Place> {
        self.rendition.map(|rendition| rendition.place(packet, self.rate))
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

    fn begin(&self, packet: &MediaPacket) -> Rendition {
        let ticks = match self.last {
            Last::Nothing { first_timestamp } => first_timestamp,
            Last::Packet { ticks, captured } => {
                // Two pictures never share a timestamp.
                let passed = ticks_in(packet.captured.saturating_duration_since(captured), self.rate).max(1);
                ticks.wrapping_add(passed)
            }
        };
        Rendition {
            first_out: self.next_seq,
            seq_offset: self.next_seq.0.wrapping_sub(packet.seq.0),
            ts_offset: ticks.wrapping_sub(packet.timestamp.ticks),
            id_offset: self.next_picture_id.wrapping_sub(packet.picture_id.unwrap_or(0)),
        }
    }
}

impl Rendition {
    fn place(&self, packet: &MediaPacket, rate: ClockRate) -> Place {
        Place {
            seq: SeqNo(packet.seq.0.wrapping_add(self.seq_offset)),
            timestamp: MediaTime { ticks: packet.timestamp.ticks.wrapping_add(self.ts_offset), rate },
            picture_id: packet.picture_id.map(|id| id.wrapping_add(self.id_offset) & 0x7fff),
        }
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

    fn packet(seq: u64, ticks: u64, id: u16, captured: Instant) -> MediaPacket {
        let timestamp = MediaTime { ticks, rate: ClockRate::VIDEO };
        let mut packet = MediaPacket::audio(SeqNo(seq), timestamp, captured, Bytes::new());
        packet.picture_id = Some(id);
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
                    let place = timeline.advance(&packet);
                    prop_assert_eq!(place.seq.wire(), seq.wrapping_add(n as u16));
                    prop_assert_eq!(place.timestamp.wire(), timestamp.wrapping_add(n as u32 * 3600));
                    prop_assert_eq!(place.picture_id, Some(picture_id.wrapping_add(n as u16) & 0x7fff));
                    prop_assert_eq!(timeline.origin(place.seq.wire()), Some(packet.seq));
                    prop_assert_eq!(timeline.place(&packet), Some(place));
                    n += 1;
                }
                // What lies before the rendition, or was never sent, has no origin.
                prop_assert_eq!(timeline.origin(seq.wrapping_add(n as u16)), None);
                prop_assert_eq!(timeline.origin(seq.wrapping_add((n - count) as u16).wrapping_sub(1)), None);
            }
        }
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
