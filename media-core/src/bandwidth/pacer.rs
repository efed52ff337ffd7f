//! Spreads what a leg sends over time, so that a key frame does not fill the queue in front of a narrow link.
//!
//! in:  packets on their way out, the estimate
//! out: the same packets: at once while the bucket has room, else when it has drained
//!
//! A leaky bucket that drains at 2.5 times the estimate and holds ten milliseconds of that: on a wide path an ordinary
//! picture passes as a whole and nothing ever waits. Sound never waits, it only fills the bucket. Repeats go before
//! pictures, which they repair.
//!
//! When full: waiting pictures are given up as a whole, and none is taken until a key frame begins; of repeats the oldest
//! go, for the viewer asks again.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Kind;
use crate::units::Bitrate;

/// Waiting packets are looked after this often.
pub const TICK: Duration = Duration::from_millis(5);
/// Drain, relative to the estimate: the reserve lets a key frame through in time.
const FACTOR: (u64, u64) = (5, 2);
/// What the bucket holds.
const BURST: Duration = Duration::from_millis(10);
/// … and at least: two packets.
const BURST_LEAST: u64 = 2_400;
/// Pictures wait no longer than this; beyond it they come too late to be of use.
const LONGEST: Duration = Duration::from_millis(700);
/// … and no more of them than a large key frame.
const MAX_VIDEO_BYTES: u64 = 600_000;
const MAX_REPEATS: usize = 256;

/// What became of a packet that was offered.
#[derive(Debug, PartialEq, Eq)]
pub enum Offered<P> {
    /// To be sent now.
    Now(P),
    /// [`Pacer::poll`] will give it.
    Waits,
    /// Given up, as is every picture's packet until a key frame begins: one is to be asked for.
    Dropped,
}

/// See the module. `P` is whatever the leg needs to send the packet when its time has come.
#[derive(Debug)]
pub struct Pacer<P> {
    /// Bytes in the bucket.
    level: u64,
    drained_at: Option<Instant>,
    rate: Option<Bitrate>,
    repeats: VecDeque<(usize, P)>,
    video: VecDeque<(usize, P)>,
    video_bytes: u64,
    /// Pictures were given up: the next one taken begins a key frame.
    broken: bool,
    dropped: u64,
}

impl<P> Default for Pacer<P> {
    fn default() -> Self {
        Self {
            level: 0,
            drained_at: None,
            rate: None,
            repeats: VecDeque::new(),
            video: VecDeque::new(),
            video_bytes: 0,
            broken: false,
            dropped: 0,
        }
    }
}

impl<P> Pacer<P> {
    /// Follows the estimate; `None` is a path nobody measures: everything passes.
    pub fn set_estimate(&mut self, estimate: Option<Bitrate>) {
        self.rate = estimate.map(|it| Bitrate(it.0.saturating_mul(FACTOR.0) / FACTOR.1));
    }

    /// Packets given up so far.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// A packet wants to go out. `begins_key`: it is the first of a key frame.
    pub fn offer(
        &mut self,
        now: Instant,
        kind: Kind,
        size: usize,
        begins_key: bool,
        packet: P,
    ) -> Offered<P> {
        if kind == Kind::Video && self.broken {
            if !begins_key {
                self.dropped += 1;
                return Offered::Dropped;
            }
            self.broken = false;
        }
        let waits = match kind {
            Kind::Audio | Kind::Padding => false,
            Kind::Repeat => !self.repeats.is_empty() || !self.has_room(now),
            Kind::Video => !self.repeats.is_empty() || !self.video.is_empty() || !self.has_room(now),
        };
        if !waits {
            self.fill(size);
            return Offered::Now(packet);
        }
        if kind == Kind::Repeat {
            if self.repeats.len() >= MAX_REPEATS {
                self.repeats.pop_front();
                self.dropped += 1;
            }
            self.repeats.push_back((size, packet));
            return Offered::Waits;
        }
        if self.is_full(size) {
            self.give_up();
            if !begins_key {
                self.dropped += 1;
                return Offered::Dropped;
            }
            self.broken = false;
        }
        self.video_bytes += size as u64;
        self.video.push_back((size, packet));
        Offered::Waits
    }

    /// The next packet whose time has come.
    pub fn poll(&mut self, now: Instant) -> Option<(Kind, P)> {
        if self.is_empty() || !self.has_room(now) {
            return None;
        }
        let (kind, (size, packet)) = match self.repeats.pop_front() {
            Some(repeat) => (Kind::Repeat, repeat),
            None => (Kind::Video, self.video.pop_front()?),
        };
        if kind == Kind::Video {
            self.video_bytes = self.video_bytes.saturating_sub(size as u64);
        }
        self.fill(size);
        Some((kind, packet))
    }

    /// Nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.repeats.is_empty() && self.video.is_empty()
    }

    /// Nothing waits and nothing was sent just now: what is sent beside the media takes no one's place.
    pub fn is_calm(&mut self, now: Instant) -> bool {
        self.is_empty() && self.has_room(now)
    }

    /// A packet went out beside the queue.
    pub fn fill(&mut self, size: usize) {
        self.level = self.level.saturating_add(size as u64);
    }

    /// Gives up every picture that waits; the next one begins with a key frame. For a stream that shows something else
    /// from now on.
    pub fn give_up(&mut self) {
        self.dropped += self.video.len() as u64;
        self.video.clear();
        self.video_bytes = 0;
        self.broken = true;
    }

    /// How long the last of what waits will wait.
    #[must_use]
    pub fn delay(&self) -> Duration {
        self.rate.map_or(Duration::ZERO, |rate| time_of(self.video_bytes, rate))
    }

    fn is_full(&self, size: usize) -> bool {
        let bytes = self.video_bytes + size as u64;
        bytes > MAX_VIDEO_BYTES || self.rate.is_some_and(|rate| time_of(bytes, rate) > LONGEST)
    }

    fn has_room(&mut self, now: Instant) -> bool {
        let Some(rate) = self.rate else {
            self.level = 0;
            return true;
        };
        let before = *self.drained_at.get_or_insert(now);
        let drained = rate.bytes_in(now.saturating_duration_since(before));
        if drained > 0 {
            self.level = self.level.saturating_sub(drained);
            self.drained_at = Some(now);
        }
        self.level < rate.bytes_in(BURST).max(BURST_LEAST)
    }
}

fn time_of(bytes: u64, rate: Bitrate) -> Duration {
    Duration::from_micros(bytes.saturating_mul(8_000_000) / rate.0.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Offers `count` packets of 1000 bytes; gives how many passed at once.
    fn offer(pacer: &mut Pacer<u32>, now: Instant, kind: Kind, numbers: std::ops::Range<u32>) -> usize {
        numbers.filter(|n| matches!(pacer.offer(now, kind, 1000, false, *n), Offered::Now(_))).count()
    }

    #[test]
    fn an_unconstrained_leg_waits_for_nothing() {
        let now = Instant::now();
        let mut pacer = Pacer::default();
        assert_eq!(offer(&mut pacer, now, Kind::Video, 0..500), 500, "nobody measures");
        pacer.set_estimate(Some(Bitrate::kbps(4000)));
        assert!(pacer.is_calm(now));
        // Six packets every 33 ms are 1.5 Mbit/s.
        for picture in 0..100 {
            assert_eq!(offer(&mut pacer, now + 33 * MS * picture, Kind::Video, 0..6), 6);
        }
        assert!(pacer.is_empty());
    }

    #[test]
    fn a_burst_is_spread_and_repeats_go_first() {
        let start = Instant::now();
        let mut pacer = Pacer::default();
        pacer.set_estimate(Some(Bitrate::kbps(800)));
        assert_eq!(offer(&mut pacer, start, Kind::Video, 0..40), 3);
        assert_eq!(offer(&mut pacer, start, Kind::Repeat, 100..102), 0);
        assert_eq!(offer(&mut pacer, start, Kind::Audio, 200..201), 1, "sound never waits");
        let mut order = Vec::new();
        for tick in 0..40 {
            while let Some((_, n)) = pacer.poll(start + TICK * tick) {
                order.push((n, tick));
            }
        }
        let numbers: Vec<u32> = order.iter().map(|(n, _)| *n).collect();
        assert_eq!(numbers[..4], [100, 101, 3, 4]);
        assert_eq!(numbers.len(), 39);
        // 40 kB at 2 Mbit/s.
        assert!((30..34).contains(&order.last().unwrap().1), "{order:?}");
        assert_eq!(pacer.dropped(), 0);
    }

    #[test]
    fn when_full_pictures_are_given_up_to_the_next_key_frame() {
        let now = Instant::now();
        let mut pacer = Pacer::default();
        pacer.set_estimate(Some(Bitrate::kbps(100)));
        let offered: Vec<_> = (0..40).map(|n| pacer.offer(now, Kind::Video, 1000, n == 0, n)).collect();
        let first = offered.iter().position(|it| *it == Offered::Dropped).unwrap();
        assert!((20..30).contains(&first), "700 ms at 250 kbit/s are 22 packets: {first}");
        assert!(offered[first..].iter().all(|it| *it == Offered::Dropped));
        assert!(pacer.is_empty() && pacer.delay() == Duration::ZERO);
        assert_eq!(pacer.offer(now, Kind::Video, 1000, true, 50), Offered::Waits);
        assert_eq!(pacer.offer(now, Kind::Video, 1000, false, 51), Offered::Waits);
        assert_eq!(pacer.dropped(), 37);
        for n in 0..400 {
            pacer.offer(now, Kind::Repeat, 1000, false, n);
        }
        assert_eq!(pacer.repeats.len(), MAX_REPEATS);
    }
}
