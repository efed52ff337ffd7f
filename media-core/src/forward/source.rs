//! A publisher's encoding, as all who watch it take it.
//!
//! in:  its packets as they came, repaired ones among them, in any order
//! out: each as a [`MediaPacket`], kept for those who miss it; its layers, their bit rates and sizes
//!
//! Nothing is kept while nobody watches: whoever comes first asks for a key frame.

use std::sync::Arc;
use std::time::{Duration, Instant};

use layouts::Size;

use super::ladder::Ladder;
use super::pool::Pool;
use super::{Dependency, MediaPacket, PacketCache};
use crate::bandwidth::allocate::EncodingRates;
use crate::rtp::dependency::Tracker;
use crate::rtp::{Layering, Onward, PayloadInfo};
use crate::units::{EncodingIndex, LegKey, MediaTime, SeqNo, VideoCodec};

/// A key frame this young is shown to a newcomer instead of asking for another.
const KEY_FRAME_MAX_AGE: Duration = Duration::from_millis(500);
/// Without a packet for this long an encoding has stopped: its publisher saves it, or its path is down.
pub(super) const FLOWS_FOR: Duration = Duration::from_millis(700);

/// Of an orientation: mirrored, and the quarters by which it is turned (3GPP TS 26.114 §7.4.5).
const TURNED: u8 = 0b111;

/// Names an encoding of a leg's camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId {
    /// Whose.
    pub leg: LegKey,
    /// Which.
    pub encoding: EncodingIndex,
}

/// A video slot of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Watcher {
    /// Of which leg.
    pub leg: LegKey,
    /// Its number there.
    pub slot: u8,
}

/// A packet of an encoding, checked by its receiver.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// Extended number.
    pub seq: SeqNo,
    /// Extended timestamp.
    pub timestamp: MediaTime,
    /// When it was captured, on our clock.
    pub captured: Instant,
    /// Last packet of its picture.
    pub marker: bool,
    /// What the payload is; `None` for padding, which only takes a number.
    pub codec: Option<VideoCodec>,
    /// Header extensions that go on.
    pub onward: Onward,
    /// Its dependency descriptor, as it came.
    pub dependency: Option<&'a [u8]>,
    /// Descriptor and data.
    pub payload: &'a [u8],
}

/// What those who watch have to do with a packet.
#[derive(Clone, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "one at a time, on the stack; a box would be an allocation per packet"
)]
pub enum Taken {
    /// Send it.
    Packet {
        /// What it is encoded with.
        codec: VideoCodec,
        /// The packet.
        packet: MediaPacket,
        /// What it tells of its layers.
        layering: Layering,
    },
    /// Close up over its number.
    Padding(SeqNo),
}

/// See the module.
#[derive(Debug, Default)]
pub struct Source {
    pool: Pool,
    cache: PacketCache,
    watchers: Vec<Watcher>,
    ladder: Ladder,
    tracker: Tracker,
    codec: Option<VideoCodec>,
    size: Option<Size>,
    last: Option<Instant>,
    /// How its camera is turned, when it says so.
    orientation: Option<u8>,
}

impl Source {
    /// Takes a packet of the encoding. `None` when nobody watches, or when the payload is malformed.
    pub fn take(&mut self, now: Instant, arrival: &Arrival<'_>) -> Option<Taken> {
        self.last = Some(now);
        let Some(codec) = arrival.codec else {
            return (!self.watchers.is_empty()).then_some(Taken::Padding(arrival.seq));
        };
        let described = arrival.dependency.filter(|_| codec == VideoCodec::Av1);
        let dependency = described.and_then(|bytes| self.tracker.read(bytes).ok());
        let (info, layering) = PayloadInfo::read(codec, arrival.payload, arrival.marker, dependency)?;
        self.ladder.note(now, &info, &layering, arrival.payload.len());
        self.codec = Some(codec);
        self.size = info.size.or(self.size);
        if self.watchers.is_empty() {
            return None;
        }
        let onward = self.turned(arrival);
        let packet = MediaPacket {
            seq: arrival.seq,
            timestamp: arrival.timestamp,
            captured: arrival.captured,
            marker: arrival.marker,
            begins: info.begins || info.keyframe,
            keyframe: info.keyframe,
            // AV1 that says nothing in its header cannot be cut.
            temporal: if codec == VideoCodec::Av1 { 0 } else { info.temporal_id },
            sync: info.is_switching_point,
            numbers: info.numbers,
            dependency: described.map(|bytes| self.kept(bytes, &layering)),
            onward,
            payload: self.pool.share(arrival.payload),
        };
        self.cache.insert(now, packet.clone());
        Some(Taken::Packet { codec, packet, layering })
    }

    fn kept(&mut self, descriptor: &[u8], layering: &Layering) -> Dependency {
        let structure = match layering {
            Layering::Plain | Layering::Vp9(_) => None,
            Layering::Av1(_, structure) => Some(Arc::clone(structure)),
        };
        Dependency { bytes: self.pool.share(descriptor), structure }
    }

    /// A camera that turns says so at the end of key frames and when it has turned (3GPP TS 26.114 §7.4.5). Here it is said
    /// at the end of every picture, so that whoever begins with any of them knows it too.
    fn turned(&mut self, arrival: &Arrival<'_>) -> Onward {
        self.orientation = arrival.onward.orientation.or(self.orientation);
        Onward { orientation: self.orientation.filter(|_| arrival.marker), ..arrival.onward }
    }

    /// Who gets its packets.
    #[must_use]
    pub fn watchers(&self) -> &[Watcher] {
        &self.watchers
    }

    /// One more gets them.
    pub fn watch(&mut self, watcher: Watcher) {
        if !self.watchers.contains(&watcher) {
            self.watchers.push(watcher);
        }
    }

    /// One gets them no more.
    pub fn unwatch(&mut self, watcher: Watcher) {
        self.watchers.retain(|other| *other != watcher);
        if self.watchers.is_empty() {
            self.cache.clear();
        }
    }

    /// What is kept for those who miss it.
    #[must_use]
    pub fn cache(&self) -> &PacketCache {
        &self.cache
    }

    /// What a newcomer is shown at once: the packets since a key frame that is still young.
    pub fn fresh(&self, now: Instant) -> impl Iterator<Item = &MediaPacket> {
        self.cache.since_keyframe(now, KEY_FRAME_MAX_AGE)
    }

    /// Packets come.
    #[must_use]
    pub fn flows(&self, now: Instant) -> bool {
        self.last.is_some_and(|last| now.saturating_duration_since(last) < FLOWS_FOR)
    }

    /// What it is encoded with, once a packet has come.
    #[must_use]
    pub fn codec(&self) -> Option<VideoCodec> {
        self.codec
    }

    /// Size of its pictures, from its latest key frame.
    #[must_use]
    pub fn size(&self) -> Option<Size> {
        self.size
    }

    /// Its camera is held upright, as far as it says.
    #[must_use]
    pub fn is_upright(&self) -> bool {
        self.orientation.is_none_or(|orientation| orientation & TURNED == 0)
    }

    /// How many spatial layers it has, each of which may be shown with those below it alone.
    #[must_use]
    pub fn layers(&self) -> u8 {
        self.ladder.count()
    }

    /// Pixels of a layer, when they were told.
    #[must_use]
    pub fn layer_size(&self, spatial: u8) -> Option<Size> {
        self.ladder.size(spatial)
    }

    /// Packets of a layer come.
    #[must_use]
    pub fn layer_flows(&self, now: Instant, spatial: u8) -> bool {
        self.ladder.flows(now, spatial)
    }

    /// What it takes on the wire while it flows, up to a spatial layer, by temporal id, headers left out; nothing before that
    /// is known.
    #[must_use]
    pub fn rates(&self, spatial: u8) -> EncodingRates {
        self.ladder.rates(spatial)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::ClockRate;

    const MS: Duration = Duration::from_millis(1);
    const WATCHER: Watcher = Watcher { leg: LegKey(1), slot: 0 };

    fn arrival(seq: u64, codec: Option<VideoCodec>, payload: &[u8], now: Instant) -> Arrival<'_> {
        let timestamp = MediaTime { ticks: seq * 3000, rate: ClockRate::VIDEO };
        let (onward, dependency) = (Onward::default(), None);
        Arrival {
            seq: SeqNo(seq),
            timestamp,
            captured: now,
            marker: true,
            codec,
            onward,
            dependency,
            payload,
        }
    }

    #[test]
    fn keeps_for_those_who_watch_and_nothing_for_nobody() {
        let now = Instant::now();
        let mut source = Source::default();
        let key = [0x10, 0x00, 1, 2];
        assert!(source.take(now, &arrival(1, Some(VideoCodec::Vp8), &key, now)).is_none());
        source.watch(WATCHER);
        source.watch(WATCHER);
        assert_eq!(source.watchers(), [WATCHER]);
        assert_eq!(source.fresh(now).count(), 0);
        let taken = source.take(now, &arrival(2, Some(VideoCodec::Vp8), &key, now));
        assert!(matches!(taken, Some(Taken::Packet { packet, .. }) if packet.begins && packet.keyframe));
        assert!(matches!(source.take(now, &arrival(3, None, &[], now)), Some(Taken::Padding(SeqNo(3)))));
        assert!(source.take(now, &arrival(4, Some(VideoCodec::Vp8), &[0x90], now)).is_none(), "malformed");
        assert_eq!(source.fresh(now).count(), 1);
        assert!(source.cache().find(SeqNo(2)).is_some());
        assert!(source.flows(now + 699 * MS) && !source.flows(now + 700 * MS));
        source.unwatch(WATCHER);
        assert!(source.cache().find(SeqNo(2)).is_none());
    }
}
