//! How long packets of a source must be kept so that nearly all are there when due.
//!
//! in:  when each packet arrived, and its timestamp
//! out: which timestamp is due now
//!
//!   transit = arrived − timestamp          (two clocks, so only differences mean something)
//!   base    = the smallest of the last seconds: follows the source's clock, whichever way it drifts
//!   spread  = what 98 of 100 packets need on top
//!   due     = now − (base + spread + one frame + margin)
//!
//! Sound whose picture takes longer waits for it, up to a bound.
//!
//! All numbers are ticks of 48 kHz.

use std::collections::VecDeque;

use super::opus::FRAME;

/// One millisecond.
pub(super) const MS: i64 = 48;

/// Packets looked back at: 8 s of 20 ms packets; a change of the network is forgotten in that time.
const WINDOW: usize = 400;

/// Older packets count no more, so that a source that speaks rarely is judged by its present clock.
const MAX_AGE: i64 = 8_000 * MS;

/// A jump by more than this is another stream, not jitter: the sender restarted its clock.
const RESTART: i64 = 2_000 * MS;

/// Added to the measured need. Covers what the sound card and the scheduler of the source do between packets.
const MARGIN: i64 = 10 * MS;

/// Assumed before enough packets were seen.
const FIRST_SPREAD: i64 = 20 * MS;

/// Packets after which the measured spread is believed.
const ENOUGH: usize = 25;

/// More than this is not waited for: conversation breaks down before.
const MAX_SPREAD: i64 = 400 * MS;

/// For so long after a loss the next one is expected.
const REPAIR: i64 = 10_000 * MS;

/// Sound waits no longer than this for its picture: who speaks is waited for by all.
const MAX_HELD: i64 = 200 * MS;

/// For so long what was said of the picture holds.
const HELD: i64 = 2_000 * MS;

/// Packets between two estimates.
const EVERY: u32 = 8;

/// Whether a packet belongs to the stream that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Continuity {
    /// It does.
    Continues,
    /// Its clock has nothing to do with the last one; measuring began anew.
    Restarted,
}

/// The estimate for one source.
#[derive(Debug, Default)]
pub(super) struct Delay {
    seen: VecDeque<Seen>,
    base: i64,
    spread: i64,
    since_estimate: u32,
    /// Until then the packet after the one that is due is waited for, too.
    repair_until: i64,
    held: Option<Held>,
}

/// Transit time of the picture, as far as somebody has said so.
#[derive(Clone, Copy, Debug)]
struct Held {
    transit: i64,
    said: i64,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    arrived: i64,
    transit: i64,
}

impl Delay {
    /// Learns from a packet, also from one too late to be heard.
    pub(super) fn arrived(&mut self, arrived: i64, timestamp: i64) -> Continuity {
        let transit = arrived - timestamp;
        let continuity = if self.seen.is_empty() || (transit - self.base).abs() > RESTART {
            self.seen.clear();
            self.base = transit;
            Continuity::Restarted
        } else {
            Continuity::Continues
        };
        self.seen.push_back(Seen { arrived, transit });
        while self.seen.len() > WINDOW || self.seen.front().is_some_and(|old| arrived - old.arrived > MAX_AGE)
        {
            self.seen.pop_front();
        }
        // A quicker way is known at once; the rest is worth a look now and then.
        self.base = self.base.min(transit);
        self.since_estimate += 1;
        if self.since_estimate >= EVERY || self.seen.len() < ENOUGH {
            self.estimate();
        }
        continuity
    }

    /// The timestamp that should be heard at `now`.
    pub(super) fn due(&self, now: i64) -> i64 {
        let repair = if now < self.repair_until { FRAME as i64 } else { 0 };
        let due = now - self.base - self.spread - MARGIN - FRAME as i64 - repair;
        let held = self.held.filter(|held| now - held.said < HELD);
        held.map_or(due, |held| due.min(now - held.transit).max(due - MAX_HELD))
    }

    /// How long the quickest packet waits until it is due.
    pub(super) fn kept(&self, now: i64) -> i64 {
        now - self.base - self.due(now)
    }

    /// What was said of the picture holds when the sound begins anew.
    pub(super) fn clear(&mut self) {
        *self = Self { held: self.held, ..Self::default() };
    }

    /// Nothing of this timestamp is due before `until`.
    pub(super) fn hold_back(&mut self, timestamp: i64, until: i64, now: i64) {
        self.held = Some(Held { transit: until - timestamp, said: now });
    }

    /// A packet was lost whose successor carries a copy, but came too late to help. One frame more is kept for a
    /// while, so that the next such loss can be repaired; on a link without loss nobody pays for that.
    pub(super) fn keep_for_repair(&mut self, now: i64) {
        self.repair_until = now + REPAIR;
    }

    fn estimate(&mut self) {
        self.since_estimate = 0;
        let mut transits: Vec<i64> = self.seen.iter().map(|seen| seen.transit).collect();
        let rank = transits.len() * 98 / 100;
        let Some(rank) = rank.checked_sub(usize::from(rank == transits.len())) else { return };
        let (_, most, _) = transits.select_nth_unstable(rank);
        let most = *most;
        self.base = transits.iter().copied().min().unwrap_or(most);
        let floor = if self.seen.len() < ENOUGH { FIRST_SPREAD } else { 0 };
        self.spread = (most - self.base).clamp(floor, MAX_SPREAD);
    }
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "numbers of the tests' own making")]
mod tests {
    use super::*;

    fn feed(delay: &mut Delay, packets: u32, clock: f64, jitter_ms: impl Fn(u32) -> i64) -> i64 {
        let mut arrived = 0;
        for packet in 0..packets {
            let sent = (f64::from(packet) * 960.0) as i64;
            arrived = sent + 5_000 + jitter_ms(packet) * MS;
            delay.arrived(arrived, (sent as f64 * clock) as i64);
        }
        arrived
    }

    fn kept_ms(delay: &Delay) -> i64 {
        (delay.spread + MARGIN) / MS
    }

    #[test]
    fn waits_as_long_as_the_network_needs() {
        let check = |name: &str, jitter: fn(u32) -> i64, expected: std::ops::RangeInclusive<i64>| {
            let mut delay = Delay::default();
            feed(&mut delay, 500, 1.0, jitter);
            assert!(expected.contains(&kept_ms(&delay)), "{name}: {} ms", kept_ms(&delay));
        };
        check("steady", |_| 0, 10..=11);
        check("60 ms uniform", |packet| i64::from(packet * 7919 % 61), 65..=70);
        check(
            "one in a hundred very late is concealed",
            |packet| if packet % 100 == 7 { 300 } else { 0 },
            10..=11,
        );
        check("one in ten late is waited for", |packet| if packet % 10 == 7 { 100 } else { 0 }, 110..=111);
    }

    #[test]
    fn follows_a_clock_that_runs_fast_or_slow() {
        for clock in [0.9998, 1.0002] {
            let mut delay = Delay::default();
            let now = feed(&mut delay, 3000, clock, |_| 0);
            let newest = (2999.0 * 960.0 * clock) as i64;
            let kept = newest - delay.due(now);
            assert!((kept - 960 - 10 * MS).abs() < 3 * MS, "kept {kept} at {clock}");
        }
    }

    #[test]
    fn a_new_clock_starts_anew() {
        let mut delay = Delay::default();
        let now = feed(&mut delay, 100, 1.0, |_| 0);
        assert_eq!(delay.arrived(now + 960, 1 << 40), Continuity::Restarted);
        assert_eq!(delay.arrived(now + 1920, (1 << 40) + 960), Continuity::Continues);
        assert!(delay.due(now + 1920) > 1 << 39);
    }
}
