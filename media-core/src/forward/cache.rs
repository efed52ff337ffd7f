//! The latest packets of a rendition, shared by all its legs.
//!
//! in:  packets as they are made
//! out: a packet by number, for retransmission; the packets since a fresh key frame, for a viewer who comes now
//!
//! When full, or when a packet is too old to be of use, the oldest goes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::MediaPacket;
use crate::units::SeqNo;

/// Packets held: 2 s at 6 Mbit/s.
const MAX_PACKETS: usize = 1024;
/// A packet repeated later than this would come after the viewer gave the picture up.
const MAX_AGE: Duration = Duration::from_secs(2);

/// A ring of packets with consecutive numbers.
#[derive(Debug, Default)]
pub struct PacketCache {
    packets: VecDeque<(Instant, Arc<MediaPacket>)>,
}

impl PacketCache {
    /// Adds the next packet of the rendition. A number out of order begins anew.
    pub fn insert(&mut self, now: Instant, packet: Arc<MediaPacket>) {
        if self.packets.back().is_some_and(|(_, last)| last.seq.0 + 1 != packet.seq.0) {
            self.packets.clear();
        }
        while self.packets.len() >= MAX_PACKETS || self.oldest_is_stale(now) {
            self.packets.pop_front();
        }
        self.packets.push_back((now, packet));
    }

    /// The packet with this number.
    #[must_use]
    pub fn find(&self, seq: SeqNo) -> Option<&Arc<MediaPacket>> {
        let first = self.packets.front()?.1.seq;
        let at = usize::try_from(seq.0.checked_sub(first.0)?).ok()?;
        self.packets.get(at).map(|(_, packet)| packet)
    }

    /// From the beginning of the latest key frame to now, when that is at most `max_age` old. Pictures
    /// are inserted whole, so what is given can be decoded.
    pub fn since_keyframe(&self, now: Instant, max_age: Duration) -> impl Iterator<Item = &Arc<MediaPacket>> {
        let fresh = self.packets.iter().rposition(|(at, packet)| {
            packet.begins && packet.keyframe && now.saturating_duration_since(*at) <= max_age
        });
        self.packets.iter().skip(fresh.unwrap_or(self.packets.len())).map(|(_, packet)| packet)
    }

    fn oldest_is_stale(&self, now: Instant) -> bool {
        self.packets.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > MAX_AGE)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::units::{ClockRate, MediaTime};

    fn packet(seq: u64, keyframe: bool, now: Instant) -> Arc<MediaPacket> {
        let timestamp = MediaTime { ticks: seq, rate: ClockRate::VIDEO };
        let mut packet = MediaPacket::audio(SeqNo(seq), timestamp, now, Bytes::new());
        packet.keyframe = keyframe;
        Arc::new(packet)
    }

    #[test]
    fn bounded_by_count_and_age() {
        let start = Instant::now();
        let mut cache = PacketCache::default();
        for seq in 0..3000 {
            cache.insert(start, packet(seq, false, start));
        }
        assert!(cache.find(SeqNo(3000 - 1025)).is_none());
        assert_eq!(cache.find(SeqNo(3000 - 1024)).unwrap().seq, SeqNo(3000 - 1024));
        assert_eq!(cache.find(SeqNo(2999)).unwrap().seq, SeqNo(2999));
        assert!(cache.find(SeqNo(3000)).is_none());
        let later = start + Duration::from_secs(3);
        cache.insert(later, packet(3000, false, later));
        assert!(cache.find(SeqNo(2999)).is_none());
        cache.insert(later, packet(5000, false, later));
        assert!(cache.find(SeqNo(3000)).is_none());
        assert!(cache.find(SeqNo(5000)).is_some());
    }

    #[test]
    fn a_fresh_key_frame_is_replayed() {
        let start = Instant::now();
        let mut cache = PacketCache::default();
        for seq in 0..10 {
            cache.insert(start, packet(seq, seq == 3 || seq == 6, start));
        }
        let replay = |at, age| {
            cache.since_keyframe(at, Duration::from_millis(age)).map(|p| p.seq.0).collect::<Vec<_>>()
        };
        assert_eq!(replay(start, 500), [6, 7, 8, 9]);
        assert!(replay(start + Duration::from_millis(501), 500).is_empty());
    }
}
