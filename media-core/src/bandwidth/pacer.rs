//! Spreads what a leg sends over time, so that a key frame does not fill the queue in front of a narrow link.
//!
//! in:  packets on their way out, the estimate
//! out: the same packets: at once while the bucket has room, else when it has drained
//!
//! A leaky bucket that drains at 5/3 of the estimate and holds ten milliseconds of that, or forty where the path carries all
//! that is wanted: there an ordinary picture passes as a whole and nothing waits. Sound never waits, it only fills the
//! bucket. Repeats pass before pictures that wait, for they mend what was shown; padding only when nothing waits.
//!
//! When full: waiting pictures are given up as a whole, and none of a stream is taken until a key frame of it begins: of a
//! single stream the pacer sees to that, of several their owner ([`Pacer::offer_one_of_many`]). A repeat is refused, for the
//! viewer asks again.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Kind;
use crate::units::Bitrate;

/// Waiting packets are looked after this often.
pub const TICK: Duration = Duration::from_millis(5);
/// Drain, relative to the estimate: the reserve lets a key frame through in time, and makes a queue in front of a narrow
/// link that is too short to be taken for congestion.
const FACTOR: (u64, u64) = (5, 3);
/// What the bucket holds …
const BURST: Duration = Duration::from_millis(10);
/// … and where the path carries this part of what is wanted.
const BURST_UNBOUND: Duration = Duration::from_millis(40);
const UNBOUND: (u64, u64) = (5, 4);
/// … and at least: two packets.
const BURST_LEAST: u64 = 2_400;
/// Repeats may fill it to this.
const REPEATS: Duration = Duration::from_millis(100);
/// Pictures wait no longer than this; beyond it they come too late to be of use.
const LONGEST: Duration = Duration::from_millis(700);
/// … and no more of them than a large key frame.
const MAX_VIDEO_BYTES: u64 = 600_000;

/// What becomes of a picture's packet that wants to go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offered {
    /// To be sent now.
    Now,
    /// [`Pacer::poll`] will give it.
    Waits,
    /// Given up, as are all until a key frame begins: one is to be asked for.
    Dropped,
}

/// See the module. `P` is whatever the leg needs to send the packet when its time has come.
#[derive(Debug)]
pub struct Pacer<P> {
    /// Bytes in the bucket.
    level: u64,
    drained_at: Option<Instant>,
    rate: Option<Bitrate>,
    burst: Duration,
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
            burst: BURST,
            video: VecDeque::new(),
            video_bytes: 0,
            broken: false,
            dropped: 0,
        }
    }
}

impl<P> Pacer<P> {
    /// Follows the estimate, and what all streams want at their best; `None` is a path nobody measures: everything passes.
    pub fn set_estimate(&mut self, estimate: Option<Bitrate>, wanted: Bitrate) {
        let enough = Bitrate(wanted.0.saturating_mul(UNBOUND.0) / UNBOUND.1);
        self.burst = if estimate.is_some_and(|it| it >= enough) { BURST_UNBOUND } else { BURST };
        self.rate = estimate.map(|it| Bitrate(it.0.saturating_mul(FACTOR.0) / FACTOR.1));
    }

    /// Packets given up so far.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Whether a packet that never waits may go out now: sound always, a repeat unless the bucket runs over, padding when no
    /// picture waits.
    pub fn admits(&mut self, now: Instant, kind: Kind) -> bool {
        let passes = match kind {
            Kind::Audio | Kind::Video => true,
            Kind::Repeat => self.has_room(now, REPEATS),
            Kind::Padding => self.video.is_empty(),
        };
        self.dropped += u64::from(kind == Kind::Repeat && !passes);
        passes
    }

    /// A packet of whatever kind has gone out.
    pub fn on_sent(&mut self, now: Instant, size: usize) {
        self.drain(now);
        if self.rate.is_some() {
            self.level = self.level.saturating_add(size as u64);
        }
    }

    /// The first packet of a key frame, of this size, is to be offered next. Where it would have to wait too long, all that
    /// waits is given up for it. Gives whether the stream begins anew with it, because something was given up now or before.
    pub fn begin_key(&mut self, size: usize) -> bool {
        if !self.video.is_empty() && self.is_full(size) {
            self.give_up();
            self.broken = true;
        }
        self.broken
    }

    /// A picture's packet wants to go out; `packet` gives it when it has to wait. `begins_key`: it is the first of a key frame.
    pub fn offer(
        &mut self,
        now: Instant,
        size: usize,
        begins_key: bool,
        packet: impl FnOnce() -> P,
    ) -> Offered {
        if begins_key {
            self.begin_key(size);
        } else if self.broken {
            self.dropped += 1;
            return Offered::Dropped;
        }
        let offered = self.offer_one_of_many(now, size, packet);
        self.broken = offered == Offered::Dropped;
        offered
    }

    /// The same where several streams share the path: when full, all that waits of all of them is given up, and whoever owns
    /// them takes care that each goes on with a key frame.
    pub fn offer_one_of_many(&mut self, now: Instant, size: usize, packet: impl FnOnce() -> P) -> Offered {
        if self.rate.is_none() && self.video.is_empty() {
            return Offered::Now;
        }
        if self.is_full(size) {
            self.give_up();
            self.dropped += 1;
            return Offered::Dropped;
        }
        if self.video.is_empty() && self.has_room(now, self.burst) {
            return Offered::Now;
        }
        self.video_bytes += size as u64;
        self.video.push_back((size, packet()));
        Offered::Waits
    }

    /// The next packet whose time has come.
    pub fn poll(&mut self, now: Instant) -> Option<P> {
        if self.video.is_empty() || !self.has_room(now, self.burst) {
            return None;
        }
        let (size, packet) = self.video.pop_front()?;
        self.video_bytes = self.video_bytes.saturating_sub(size as u64);
        if self.video.is_empty() {
            // A leg that waits now and then holds no room for a key frame all the time.
            self.video = VecDeque::new();
        }
        Some(packet)
    }

    /// Nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.video.is_empty()
    }

    /// How long the last of what waits will wait.
    #[must_use]
    pub fn delay(&self) -> Duration {
        self.rate.map_or(Duration::ZERO, |rate| time_of(self.video_bytes, rate))
    }

    fn give_up(&mut self) {
        self.dropped += self.video.len() as u64;
        self.video = VecDeque::new();
        self.video_bytes = 0;
    }

    fn is_full(&self, size: usize) -> bool {
        let bytes = self.video_bytes + size as u64;
        bytes > MAX_VIDEO_BYTES || self.rate.is_some_and(|rate| time_of(bytes, rate) > LONGEST)
    }

    fn has_room(&mut self, now: Instant, depth: Duration) -> bool {
        self.drain(now);
        self.rate.is_none_or(|rate| self.level < rate.bytes_in(depth).max(BURST_LEAST))
    }

    /// What nobody measures does not fill the bucket.
    fn drain(&mut self, now: Instant) {
        let Some(rate) = self.rate else {
            self.level = 0;
            return;
        };
        let before = *self.drained_at.get_or_insert(now);
        let drained = rate.bytes_in(now.saturating_duration_since(before));
        if drained > 0 {
            self.level = self.level.saturating_sub(drained);
            self.drained_at = Some(now);
        }
    }
}

fn time_of(bytes: u64, rate: Bitrate) -> Duration {
    Duration::from_micros(bytes.saturating_mul(8_000_000) / rate.0.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Offers packets of 1000 bytes; gives how many passed at once.
    fn offer(pacer: &mut Pacer<u32>, now: Instant, kind: Kind, numbers: std::ops::Range<u32>) -> usize {
        let mut passes = |n| {
            let passes = match kind {
                Kind::Video => pacer.offer(now, 1000, false, || n) == Offered::Now,
                Kind::Audio | Kind::Repeat | Kind::Padding => pacer.admits(now, kind),
            };
            if passes {
                pacer.on_sent(now, 1000);
            }
            passes
        };
        numbers.filter(|n| passes(*n)).count()
    }

    #[test]
    fn an_unconstrained_leg_waits_for_nothing() {
        let now = Instant::now();
        let mut pacer = Pacer::default();
        assert_eq!(offer(&mut pacer, now, Kind::Video, 0..500), 500, "nobody measures");
        pacer.set_estimate(Some(Bitrate::kbps(4000)), Bitrate::kbps(1500));
        // Six packets every 33 ms are 1.5 Mbit/s.
        for picture in 0..100 {
            assert_eq!(offer(&mut pacer, now + 33 * MS * picture, Kind::Video, 0..6), 6);
        }
        assert!(pacer.is_empty());
    }

    #[test]
    fn a_burst_is_spread_and_sound_and_repeats_pass_it() {
        let start = Instant::now();
        let mut pacer = Pacer::default();
        pacer.set_estimate(Some(Bitrate::kbps(1200)), Bitrate::kbps(1500));
        assert_eq!(offer(&mut pacer, start, Kind::Video, 0..40), 3);
        assert_eq!(offer(&mut pacer, start, Kind::Repeat, 100..102), 2);
        assert_eq!(offer(&mut pacer, start, Kind::Audio, 200..201), 1, "sound never waits");
        assert_eq!(offer(&mut pacer, start, Kind::Padding, 300..301), 0, "padding takes no one's place");
        assert_eq!(offer(&mut pacer, start, Kind::Repeat, 100..200), 19, "100 ms at 2 Mbit/s are 25 kB");
        let mut order = Vec::new();
        for tick in 0..60 {
            while let Some(n) = pacer.poll(start + TICK * tick) {
                pacer.on_sent(start + TICK * tick, 1000);
                order.push((n, tick));
            }
        }
        let numbers: Vec<u32> = order.iter().map(|(n, _)| *n).collect();
        assert_eq!(numbers, (3..40).collect::<Vec<_>>());
        // 62 kB at 2 Mbit/s.
        assert!((47..51).contains(&order.last().unwrap().1), "{order:?}");
        assert_eq!(pacer.dropped(), 81);
    }

    #[test]
    fn when_full_pictures_are_given_up_to_the_next_key_frame() {
        let now = Instant::now();
        let mut pacer = Pacer::default();
        pacer.set_estimate(Some(Bitrate::kbps(150)), Bitrate::kbps(1500));
        let mut offer = |n| {
            let offered = pacer.offer(now, 1000, n == 0, || n);
            if offered == Offered::Now {
                pacer.on_sent(now, 1000);
            }
            offered
        };
        let offered: Vec<_> = (0..40).map(&mut offer).collect();
        let first = offered.iter().position(|it| *it == Offered::Dropped).unwrap();
        assert!((20..30).contains(&first), "700 ms at 250 kbit/s are 22 packets: {first}");
        assert!(offered[first..].iter().all(|it| *it == Offered::Dropped));
        assert!(pacer.is_empty() && pacer.delay() == Duration::ZERO);
        assert_eq!(pacer.offer(now, 1000, true, || 50), Offered::Waits);
        assert_eq!(pacer.offer(now, 1000, false, || 51), Offered::Waits);
        assert_eq!(pacer.dropped(), 37);
    }
}
