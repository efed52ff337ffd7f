//! What was sent under which transport-wide number, until its fate is known.
//!
//! in:  packets as they are sent, arrivals as the peer reports them
//! out: [`Outcome`]s: when a packet was sent and when it came, or that it is lost
//!
//! A ring that doubles while what flies does not fit into it, up to [`MAX_SLOTS`]; when full the oldest number is
//! forgotten, and a report on it says nothing any more.

use std::num::NonZeroU8;

/// Numbers remembered at first: half a second of a 720p canvas.
const FIRST_SLOTS: usize = 256;
/// … and at most: a second at 20 Mbit/s. 24 kB.
const MAX_SLOTS: usize = 2048;
/// A number whose slot is taken by a newer one earlier than this was still of interest, microseconds.
const WORTH_KEEPING_US: i64 = 1_000_000;

/// What a packet was sent for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Sound.
    Audio,
    /// A picture's packet, for the first time.
    Video,
    /// A packet the viewer asked for again.
    Repeat,
    /// A packet whose only use is to be measured.
    Padding,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) sent_us: i64,
    pub(super) size: usize,
    /// On the peer's clock; `None` when it is lost.
    pub(super) arrived_us: Option<i64>,
    /// It was reported lost before: it only came late.
    pub(super) was_lost: bool,
    /// The probe it belongs to.
    pub(super) cluster: Option<NonZeroU8>,
}

/// Each leg has hundreds of them, so they are small: 12 bytes.
#[derive(Clone, Copy, Debug)]
struct Slot {
    /// Low bits of the extended number: no two numbers 2^32 apart meet here.
    number: u32,
    /// Low bits of the time: how long before [`History::sent_us`] it was, up to an hour.
    sent_us: u32,
    size: u16,
    cluster: Option<NonZeroU8>,
    fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Unknown,
    Lost,
    Arrived,
    /// The place is free.
    Nobody,
}

const EMPTY: Slot = Slot { number: 0, sent_us: 0, size: 0, cluster: None, fate: Fate::Nobody };

/// See the module.
#[derive(Debug)]
pub(super) struct History {
    /// A power of two of them; a number's place is the number modulo their count.
    slots: Vec<Slot>,
    /// The number sent last, extended; `None` at first.
    last: Option<u64>,
    /// When that was.
    sent_us: i64,
    /// Bytes sent whose fate is unknown; forgotten ones count as arrived.
    in_flight: usize,
}

impl History {
    pub(super) fn new() -> Self {
        Self { slots: Vec::new(), last: None, sent_us: 0, in_flight: 0 }
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// A packet has left under `wire`.
    pub(super) fn on_sent(&mut self, now_us: i64, wire: u16, size: usize, cluster: Option<NonZeroU8>) {
        // A cycle above zero, so that a report on a number before the first has a place.
        let number = self.last.map_or(0x1_0000 | u64::from(wire), |last| nearest(last, wire));
        self.last = Some(self.last.map_or(number, |last| last.max(number)));
        self.sent_us = now_us;
        if self.slots.is_empty() {
            self.slots.resize(FIRST_SLOTS, EMPTY);
        }
        let displaced = self.slot(number).map_or(EMPTY, |slot| *slot);
        if displaced.fate == Fate::Unknown {
            if self.slots.len() < MAX_SLOTS && self.age_us(&displaced) < WORTH_KEEPING_US {
                self.grow();
            } else {
                self.in_flight = self.in_flight.saturating_sub(usize::from(displaced.size));
            }
        }
        let size = u16::try_from(size).unwrap_or(u16::MAX);
        self.in_flight += usize::from(size);
        let slot = Slot { number: low(number), sent_us: low_us(now_us), size, cluster, fate: Fate::Unknown };
        if let Some(place) = self.slot(number) {
            *place = slot;
        }
    }

    /// The peer says what became of `wire`. `None` when that is not known to have been sent, or is no news.
    pub(super) fn on_report(&mut self, wire: u16, arrived_us: Option<i64>) -> Option<Outcome> {
        let number = nearest(self.last?, wire);
        let sent_us = self.sent_us;
        let slot = self.slot(number).filter(|slot| slot.number == low(number))?;
        let (fate, was_lost) = match (slot.fate, arrived_us) {
            (Fate::Unknown, None) => (Fate::Lost, false),
            (Fate::Unknown, Some(_)) => (Fate::Arrived, false),
            (Fate::Lost, Some(_)) => (Fate::Arrived, true),
            (Fate::Lost, None) | (Fate::Arrived | Fate::Nobody, _) => return None,
        };
        let first_news = slot.fate == Fate::Unknown;
        slot.fate = fate;
        let outcome = Outcome {
            sent_us: sent_us - age_us(sent_us, slot),
            size: usize::from(slot.size),
            arrived_us,
            was_lost,
            cluster: slot.cluster,
        };
        if first_news {
            self.in_flight = self.in_flight.saturating_sub(outcome.size);
        }
        Some(outcome)
    }

    fn slot(&mut self, number: u64) -> Option<&mut Slot> {
        let mask = self.slots.len().checked_sub(1)?;
        #[allow(clippy::cast_possible_truncation, reason = "the low bits are meant")]
        self.slots.get_mut(number as usize & mask)
    }

    fn age_us(&self, slot: &Slot) -> i64 {
        age_us(self.sent_us, slot)
    }

    fn grow(&mut self) {
        let grown = vec![EMPTY; self.slots.len() * 2];
        for slot in std::mem::replace(&mut self.slots, grown) {
            if slot.fate != Fate::Nobody
                && let Some(place) = self.slot(u64::from(slot.number))
            {
                *place = slot;
            }
        }
    }
}

/// How long before `now_us` it was sent.
fn age_us(now_us: i64, slot: &Slot) -> i64 {
    i64::from(low_us(now_us).wrapping_sub(slot.sent_us))
}

#[allow(clippy::cast_possible_truncation, reason = "the low bits are meant")]
fn low(number: u64) -> u32 {
    number as u32
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the low bits are meant")]
fn low_us(at_us: i64) -> u32 {
    at_us as u32
}

/// The number with these low bits that is nearest to `last`.
fn nearest(last: u64, wire: u16) -> u64 {
    #[allow(clippy::cast_possible_truncation, reason = "the low 16 bits are meant")]
    let step = wire.wrapping_sub(last as u16).cast_signed();
    last.wrapping_add_signed(i64::from(step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fate_is_told_once_and_a_late_arrival_corrects_it() {
        let mut history = History::new();
        assert_eq!(history.on_report(7, Some(1)), None, "nothing was sent");
        for n in 0..4_u16 {
            history.on_sent(
                i64::from(n) * 1000,
                65_534_u16.wrapping_add(n),
                100,
                NonZeroU8::new(9).filter(|_| n == 3),
            );
        }
        assert_eq!(history.in_flight(), 400);
        let first = history.on_report(65_534, Some(50)).unwrap();
        assert_eq!((first.sent_us, first.size, first.arrived_us, first.cluster), (0, 100, Some(50), None));
        assert_eq!(history.on_report(65_534, Some(50)), None);
        assert_eq!(history.on_report(65_534, None), None, "what came stays so");
        let lost = history.on_report(0, None).unwrap();
        assert_eq!((lost.sent_us, lost.arrived_us, lost.was_lost), (2000, None, false));
        assert_eq!(history.on_report(0, None), None);
        assert!(history.on_report(0, Some(60)).unwrap().was_lost);
        assert_eq!(history.on_report(1, Some(70)).unwrap().cluster, NonZeroU8::new(9));
        assert_eq!(history.on_report(2, Some(80)), None, "never sent");
        assert_eq!(history.on_report(65_533, None), None);
        assert_eq!(history.in_flight(), 100);
    }

    #[test]
    fn grows_with_what_flies_and_is_bounded() {
        let mut history = History::new();
        for n in 0..5000_u16 {
            history.on_sent(i64::from(n), n, 10, None);
        }
        assert_eq!(history.slots.len(), MAX_SLOTS);
        assert_eq!(history.in_flight(), MAX_SLOTS * 10);
        assert!(history.on_report(4999 - 2047, None).is_some());
        assert!(history.on_report(4999 - 2048, None).is_none());

        // What is answered, or old, needs no more room.
        let mut history = History::new();
        for n in 0..5000_u16 {
            history.on_sent(i64::from(n) * 5000, n, 10, None);
        }
        assert_eq!(history.slots.len(), FIRST_SLOTS);
    }
}
