//! Wire numbers that wrap become numbers that do not.
//!
//! in:  16-bit sequence numbers and 32-bit timestamps in arrival order, reordered and repeated
//! out: [`SeqNo`] and [`MediaTime`]
//!
//! RFC 3550 §A.1: small steps in both directions are order and loss; a leap is believed when a second packet follows it.

use crate::units::{ClockRate, MediaTime, SeqNo};

/// Loss larger than this is a leap (RFC 3550 §A.1, `MAX_DROPOUT`).
const MAX_DROPOUT: i32 = 3000;
/// Reordering larger than this is a leap. RFC 3550 says 100; a browser repeats packets up to a second old as
/// bandwidth probes, and at 8 Mbit/s a second is 900 packets.
const MAX_MISORDER: i32 = 1000;

/// Extends the sequence numbers of one stream.
#[derive(Clone, Debug, Default)]
pub struct SeqExtender {
    highest: Option<SeqNo>,
    /// The number that would prove a leap.
    leap: Option<u16>,
}

impl SeqExtender {
    /// The extended number. `None` for the first packet after a leap: taken as stray until its successor comes.
    /// A proven leap is always forward, so that the stream keeps one order.
    pub fn extend(&mut self, wire: u16) -> Option<SeqNo> {
        let Some(highest) = self.highest else {
            // One cycle above zero leaves room below for packets that overtook each other at the start.
            return Some(self.accept(SeqNo((1 << 16) + u64::from(wire))));
        };
        let near = nearest(highest.0, u64::from(wire), 16)?;
        let step = i64::try_from(near).ok()? - i64::try_from(highest.0).ok()?;
        if (-i64::from(MAX_MISORDER)..=i64::from(MAX_DROPOUT)).contains(&step) {
            self.leap = None;
            return Some(self.accept(SeqNo(near)));
        }
        if self.leap.replace(wire.wrapping_add(1)) != Some(wire) {
            return None;
        }
        self.leap = None;
        let forward = if near > highest.0 { near } else { near + (1 << 16) };
        Some(self.accept(SeqNo(forward)))
    }

    /// The number nearest to what has been seen, without learning from it: for numbers that are only *quoted*,
    /// in a NACK or a retransmission. `None` before the first packet.
    #[must_use]
    pub fn near(&self, wire: u16) -> Option<SeqNo> {
        nearest(self.highest?.0, u64::from(wire), 16).map(SeqNo)
    }

    /// The highest so far.
    #[must_use]
    pub fn highest(&self) -> Option<SeqNo> {
        self.highest
    }

    fn accept(&mut self, seq: SeqNo) -> SeqNo {
        self.highest = self.highest.max(Some(seq));
        seq
    }
}

/// Extends the timestamps of one stream to the nearest value of the latest one.
#[derive(Clone, Debug)]
pub struct TimestampExtender {
    rate: ClockRate,
    last: Option<u64>,
}

impl TimestampExtender {
    /// For a stream with this clock.
    #[must_use]
    pub fn new(rate: ClockRate) -> Self {
        Self { rate, last: None }
    }

    /// The extended timestamp.
    pub fn extend(&mut self, wire: u32) -> MediaTime {
        let time = self.near(wire);
        self.last = self.last.max(Some(time.ticks));
        time
    }

    /// The timestamp nearest to what has been seen, without learning from it: for a sender report's.
    #[must_use]
    pub fn near(&self, wire: u32) -> MediaTime {
        let first = (1 << 32) + u64::from(wire);
        let ticks = self.last.map_or(first, |last| nearest(last, u64::from(wire), 32).unwrap_or(first));
        MediaTime { ticks, rate: self.rate }
    }
}

/// The number with the low `bits` of `low` that is nearest to `reference`. `None` where that is below zero.
fn nearest(reference: u64, low: u64, bits: u32) -> Option<u64> {
    let cycle = 1u64 << bits;
    let forward = low.wrapping_sub(reference) & (cycle - 1);
    if forward < cycle / 2 { reference.checked_add(forward) } else { reference.checked_sub(cycle - forward) }
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "numbers that wrap on purpose")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn wraps_and_reorders() {
        let mut x = SeqExtender::default();
        let got: Vec<_> = [65534, 65535, 1, 0, 65533, 2].map(|w| x.extend(w).unwrap().0 - 65536).into();
        assert_eq!(got, [65534, 65535, 65537, 65536, 65533, 65538]);
        assert_eq!(x.highest(), Some(SeqNo(65536 + 65538)));
        assert_eq!(x.near(65535), Some(SeqNo(65536 + 65535)));
    }

    #[test]
    fn packets_that_overtook_the_first_are_below_it() {
        let mut x = SeqExtender::default();
        let first = x.extend(0).unwrap();
        assert_eq!(x.extend(65535), Some(SeqNo(first.0 - 1)));
    }

    #[test]
    fn a_stray_is_dropped_and_a_leap_is_believed_when_it_continues() {
        let mut x = SeqExtender::default();
        let first = x.extend(10).unwrap();
        assert_eq!(x.extend(30_000), None);
        assert_eq!(x.extend(11), Some(SeqNo(first.0 + 1)));
        assert_eq!(x.extend(30_001), None, "the packet between them unmade the leap");
        let leapt = x.extend(30_002).unwrap();
        assert_eq!(leapt.wire(), 30_002);
        assert!(leapt > first);
        // Backward, as after a restarted sender: still forward in the extended numbers.
        assert_eq!(x.extend(20_000), None);
        let again = x.extend(20_001).unwrap();
        assert_eq!(again.wire(), 20_001);
        assert!(again > leapt);
    }

    #[test]
    fn timestamps_wrap() {
        let mut x = TimestampExtender::new(ClockRate::VIDEO);
        let a = x.extend(0xffff_ff00);
        let b = x.extend(0x100);
        assert_eq!(b.ticks - a.ticks, 0x200);
        assert_eq!(x.near(0xffff_ff00), a);
        assert_eq!(x.extend(0xffff_fff0).ticks - a.ticks, 0xf0, "reordered");
    }

    proptest! {
        #[test]
        fn nearest_keeps_the_low_bits_and_is_near(reference in (1u64 << 16)..(1 << 60), low: u16) {
            let got = nearest(reference, u64::from(low), 16).unwrap();
            prop_assert_eq!(SeqNo(got).wire(), low);
            prop_assert!(got.abs_diff(reference) <= 1 << 15);
        }

        /// A lossy, reordered stream is numbered as its sender numbered it.
        #[test]
        fn follows_a_sender(start: u16, steps in prop::collection::vec(-900i64..2900, 1..200)) {
            let mut x = SeqExtender::default();
            let base = 65536 + i64::from(start);
            let mut highest = 0;
            prop_assert_eq!(x.extend(start), Some(SeqNo(base as u64)));
            for step in steps {
                let sent = (highest + step).max(-60_000);
                highest = highest.max(sent);
                let wire = SeqNo((base + sent) as u64).wire();
                prop_assert_eq!(x.extend(wire), Some(SeqNo((base + sent) as u64)));
            }
        }
    }
}
