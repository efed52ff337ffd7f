//! The latest packets of a rendition or of a publisher's encoding, shared by all who watch it.
//!
//! in:  packets as they are made or come, with gaps and out of order
//! out: a packet by number, for retransmission; the packets since a fresh key frame, for a viewer who comes now
//!
//! When full, or when a packet is too old to be of use, the oldest goes.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::MediaPacket;
use crate::units::SeqNo;

/// Packets held: 2 s at 6 Mbit/s.
const MAX_PACKETS: usize = 1024;
/// A packet repeated later than this would come after the viewer gave the picture up.
const MAX_AGE: Duration = Duration::from_secs(2);

/// A ring of packets by number.
#[derive(Debug, Default)]
pub struct PacketCache {
    /// Number of the first place.
    first: u64,
    /// A place for each number; empty where none has come.
    places: VecDeque<Option<(Instant, MediaPacket)>>,
}

impl PacketCache {
    /// Adds a packet. A number far from the others begins anew; one from before the ring is left out.
    pub fn insert(&mut self, now: Instant, packet: MediaPacket) {
        self.drop_stale(now);
        if self.places.is_empty() {
            self.first = packet.seq.0;
        }
        let Some(at) = packet.seq.0.checked_sub(self.first) else { return };
        let mut at = usize::try_from(at).unwrap_or(usize::MAX);
        if at >= self.places.len().saturating_add(MAX_PACKETS) {
            self.places.clear();
            (self.first, at) = (packet.seq.0, 0);
        }
        while at >= MAX_PACKETS {
            self.places.pop_front();
            self.first += 1;
            at -= 1;
        }
        while self.places.len() <= at {
            self.places.push_back(None);
        }
        if let Some(place) = self.places.get_mut(at) {
            *place = Some((now, packet));
        }
    }

    /// The packet with this number.
    #[must_use]
    pub fn find(&self, seq: SeqNo) -> Option<&MediaPacket> {
        let at = usize::try_from(seq.0.checked_sub(self.first)?).ok()?;
        self.places.get(at)?.as_ref().map(|(_, packet)| packet)
    }

    /// From the beginning of the latest key frame to now, when that is at most `max_age` old. What is missing of it can
    /// be asked for.
    pub fn since_keyframe(&self, now: Instant, max_age: Duration) -> impl Iterator<Item = &MediaPacket> {
        let fresh = self.places.iter().rposition(|place| {
            place.as_ref().is_some_and(|(at, packet)| {
                packet.begins && packet.keyframe && now.saturating_duration_since(*at) <= max_age
            })
        });
        self.places.iter().skip(fresh.unwrap_or(self.places.len())).flatten().map(|(_, packet)| packet)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.places.clear();
    }

    fn drop_stale(&mut self, now: Instant) {
        let is_stale = |place: &Option<(Instant, MediaPacket)>| {
            place.as_ref().is_none_or(|(at, _)| now.saturating_duration_since(*at) > MAX_AGE)
        };
        while self.places.front().is_some_and(is_stale) {
            self.places.pop_front();
            self.first += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::units::{ClockRate, MediaTime};

    fn packet(seq: u64, keyframe: bool, now: Instant) -> MediaPacket {
        let timestamp = MediaTime { ticks: seq, rate: ClockRate::VIDEO };
        let mut packet = MediaPacket::audio(SeqNo(seq), timestamp, now, Bytes::new());
        packet.keyframe = keyframe;
        packet
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
        cache.insert(later, packet(1 << 40, false, later));
        assert!(cache.find(SeqNo(3000)).is_none(), "numbers that leap begin anew");
        assert!(cache.find(SeqNo(1 << 40)).is_some());
    }

    #[test]
    fn gaps_are_filled_by_what_comes_late() {
        let start = Instant::now();
        let mut cache = PacketCache::default();
        for seq in [10, 11, 14, 15, 12] {
            cache.insert(start, packet(seq, false, start));
        }
        let has = |cache: &PacketCache, seq| cache.find(SeqNo(seq)).is_some_and(|packet| packet.seq.0 == seq);
        assert!(has(&cache, 10) && has(&cache, 12) && has(&cache, 15));
        assert!(!has(&cache, 13) && !has(&cache, 9));
        cache.insert(start, packet(9, false, start));
        assert!(!has(&cache, 9), "from before the ring");
        cache.insert(start, packet(1040, false, start));
        assert!(
            !has(&cache, 15) && has(&cache, 1040),
            "a number less than a ring ahead pushes the oldest out"
        );
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
