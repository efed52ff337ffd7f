//! Decides whether a packet is repeated once more.
//!
//! in:  requests for packets, media as it is sent
//! out: yes or no
//!
//! A viewer may ask for anything as often as it likes; what it gets is bounded per packet, in time and in bytes, so that
//! repeats never crowd out the media nor turn the server into an amplifier.

use std::time::{Duration, Instant};

use crate::units::{Bitrate, SeqNo};

/// Times one packet is repeated; as many as a browser asks for it.
const MAX_REPEATS: u8 = 10;
/// A packet is not repeated again within half a round trip: the viewer asks again after a whole one, and that request may
/// come early by the path's jitter. Round trip until it is known:
const DEFAULT_RTT: Duration = Duration::from_millis(50);
/// … and never sooner than this.
const MIN_SPACING: Duration = Duration::from_millis(5);
/// Repeats may cost as much as the media does: a fifth of it lost in bursts, a key frame among it, takes that for some
/// seconds. This much more is allowed, so that the last packets before a pause are repeated too.
const FLOOR: Bitrate = Bitrate::kbps(100);
/// Repeats at once: a lost key frame of a 720p canvas.
const BURST: u64 = 150_000;
/// Packets whose repeats are remembered; a newer one takes the place of one this much older.
const REMEMBERED: usize = 512;

/// The repeats of one stream.
#[derive(Debug)]
pub(super) struct Repeats {
    /// Bytes that may be repeated now.
    allowance: u64,
    began: Instant,
    refilled: Instant,
    /// By number modulo [`REMEMBERED`]; made at the first loss.
    packets: Vec<Option<Repeated>>,
}

/// Each stream with losses has hundreds of them, so they are small.
#[derive(Clone, Copy, Debug)]
struct Repeated {
    /// Low bits of its number.
    seq: u32,
    /// When that was, in milliseconds since the stream began.
    last_ms: u32,
    times: u8,
}

impl Repeats {
    pub(super) fn new(now: Instant) -> Self {
        Self { allowance: BURST, began: now, refilled: now, packets: Vec::new() }
    }

    /// Media of this size was sent.
    pub(super) fn on_media(&mut self, bytes: usize) {
        self.allowance = BURST.min(self.allowance + bytes as u64);
    }

    /// Whether to repeat now; counts it when so.
    pub(super) fn allow(&mut self, now: Instant, seq: SeqNo, bytes: usize, rtt: Option<Duration>) -> bool {
        self.refill(now);
        let Some(rest) = self.allowance.checked_sub(bytes as u64) else { return false };
        if self.packets.is_empty() {
            self.packets.resize(REMEMBERED, None);
        }
        let now_ms = low(now.saturating_duration_since(self.began).as_millis());
        let Some(slot) = slot(&mut self.packets, seq) else { return false };
        let times = match slot {
            Some(before) if before.seq == low(seq.0.into()) => {
                let spacing = (rtt.unwrap_or(DEFAULT_RTT) / 2).max(MIN_SPACING);
                let passed = Duration::from_millis(now_ms.wrapping_sub(before.last_ms).into());
                if before.times >= MAX_REPEATS || passed < spacing {
                    return false;
                }
                before.times + 1
            }
            Some(_) | None => 1,
        };
        *slot = Some(Repeated { seq: low(seq.0.into()), last_ms: now_ms, times });
        self.allowance = rest;
        true
    }

    fn refill(&mut self, now: Instant) {
        let bytes = FLOOR.bytes_in(now.saturating_duration_since(self.refilled));
        if bytes > 0 {
            self.allowance = BURST.min(self.allowance + bytes);
            self.refilled = now;
        }
    }
}

#[allow(clippy::cast_possible_truncation, reason = "the low bits are meant")]
fn low(value: u128) -> u32 {
    value as u32
}

#[allow(clippy::cast_possible_truncation, reason = "a remainder below REMEMBERED")]
fn slot(packets: &mut [Option<Repeated>], seq: SeqNo) -> Option<&mut Option<Repeated>> {
    packets.get_mut((seq.0 % REMEMBERED as u64) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn spaced_and_ten_times_at_most() {
        let mut now = Instant::now();
        let mut repeats = Repeats::new(now);
        let mut times = 0;
        for _ in 0..1000 {
            times += u32::from(repeats.allow(now, SeqNo(7), 10, Some(40 * MS)));
            now += 10 * MS;
        }
        assert_eq!(times, 10);
        let mut repeats = Repeats::new(now);
        assert!(repeats.allow(now, SeqNo(7), 10, Some(40 * MS)));
        assert!(!repeats.allow(now + 19 * MS, SeqNo(7), 10, Some(40 * MS)));
        assert!(repeats.allow(now + 20 * MS, SeqNo(7), 10, Some(40 * MS)));
        assert!(repeats.allow(now + 20 * MS, SeqNo(8), 10, Some(40 * MS)));
    }

    #[test]
    fn bytes_are_bounded_by_the_media() {
        let now = Instant::now();
        let mut repeats = Repeats::new(now);
        let mut seq = 0;
        let mut repeated = |repeats: &mut Repeats, now| {
            let mut bytes = 0;
            while repeats.allow(now, SeqNo(seq), 1000, None) {
                seq += 1;
                bytes += 1000;
            }
            bytes
        };
        assert_eq!(repeated(&mut repeats, now), 150_000);
        repeats.on_media(10_000);
        assert_eq!(repeated(&mut repeats, now), 10_000);
        assert_eq!(repeated(&mut repeats, now + 1000 * MS), 12_000, "100 kbit/s without media");
    }
}
