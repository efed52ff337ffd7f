//! Numbers packets beyond 16 bits and remembers which ones were seen.
//!
//! in:  sequence numbers as on the wire
//! out: packet indices (roll-over counter and sequence number as one 48-bit number), "seen before?"

use crate::units::Ssrc;

/// Roll-over counter and sequence number together, RFC 3711 §3.3.1.
const MAX_INDEX: u64 = (1 << 48) - 1;

/// The index nearest to the highest one that ends in `seq`, RFC 3711 appendix A.
///
/// `None` when that would lie before the first or beyond the last index.
pub(super) fn nearest(highest: Option<u64>, seq: u16) -> Option<u64> {
    let Some(highest) = highest else { return Some(u64::from(seq)) };
    #[allow(clippy::cast_possible_truncation, reason = "the low 16 bits are the sequence number")]
    let step = seq.wrapping_sub(highest as u16).cast_signed();
    highest.checked_add_signed(i64::from(step)).filter(|index| *index <= MAX_INDEX)
}

/// Replay window of one SSRC, RFC 3711 §3.3.2.
///
/// 1024 packets: at 500 packets a second, a retransmission may be two seconds late.
#[derive(Clone, Debug)]
pub(super) struct Window {
    highest: u64,
    /// Bit `index % 1024`: seen. Bits of indices not yet reached are clear.
    seen: [u64; WORDS],
}

const WORDS: usize = 16;
const SPAN: u64 = 64 * WORDS as u64;

impl Window {
    pub(super) fn starting_at(index: u64) -> Self {
        let mut window = Self { highest: index, seen: [0; WORDS] };
        window.mark(index);
        window
    }

    pub(super) fn highest(&self) -> u64 {
        self.highest
    }

    pub(super) fn is_new(&self, index: u64) -> bool {
        index > self.highest || (self.highest - index < SPAN && !self.is_marked(index))
    }

    /// Remembers an authenticated packet that [`Self::is_new`].
    pub(super) fn accept(&mut self, index: u64) {
        if index > self.highest {
            if index - self.highest >= SPAN {
                self.seen = [0; WORDS];
            } else {
                for skipped in self.highest + 1..index {
                    self.clear(skipped);
                }
            }
            self.highest = index;
        }
        self.mark(index);
    }

    fn is_marked(&self, index: u64) -> bool {
        let (word, bit) = place(index);
        self.seen.get(word).is_some_and(|w| w & bit != 0)
    }

    fn mark(&mut self, index: u64) {
        let (word, bit) = place(index);
        if let Some(w) = self.seen.get_mut(word) {
            *w |= bit;
        }
    }

    fn clear(&mut self, index: u64) {
        let (word, bit) = place(index);
        if let Some(w) = self.seen.get_mut(word) {
            *w &= !bit;
        }
    }
}

#[allow(clippy::cast_possible_truncation, reason = "both are smaller than 1024")]
fn place(index: u64) -> (usize, u64) {
    ((index % SPAN / 64) as usize, 1 << (index % 64))
}

/// A bounded map from SSRC to `T`. A handful of entries is searched faster than hashed.
#[derive(Debug)]
pub(super) struct Streams<T> {
    ssrcs: Vec<Ssrc>,
    states: Vec<T>,
    limit: usize,
}

/// Where a stream is kept; valid until the map is dropped, nothing is ever removed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot(usize);

impl<T> Streams<T> {
    pub(super) fn new(limit: usize) -> Self {
        Self { ssrcs: Vec::new(), states: Vec::new(), limit }
    }

    pub(super) fn find(&self, ssrc: Ssrc) -> Option<Slot> {
        self.ssrcs.iter().position(|s| *s == ssrc).map(Slot)
    }

    pub(super) fn at(&self, slot: Option<Slot>) -> Option<&T> {
        self.states.get(slot?.0)
    }

    pub(super) fn at_mut(&mut self, slot: Option<Slot>) -> Option<&mut T> {
        self.states.get_mut(slot?.0)
    }

    pub(super) fn is_full(&self) -> bool {
        self.ssrcs.len() >= self.limit
    }

    /// Adds an SSRC that [`Self::find`] did not find, while not [`Self::is_full`].
    pub(super) fn insert(&mut self, ssrc: Ssrc, state: T) {
        self.ssrcs.push(ssrc);
        self.states.push(state);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_nearest_index_is_chosen() {
        let check = |highest, seq, expected| assert_eq!(nearest(highest, seq), expected);
        check(None, 65_535, Some(65_535));
        check(Some(65_535), 0, Some(65_536));
        check(Some(65_536), 65_535, Some(65_535));
        check(Some(65_536 + 40_000), 10_000, Some(65_536 + 10_000));
        check(Some(65_536 + 40_000), 5_000, Some(2 * 65_536 + 5_000));
        check(Some(10), 65_000, None);
        check(Some(MAX_INDEX), 0, None);
        check(Some(MAX_INDEX), 65_534, Some(MAX_INDEX - 1));
    }

    proptest! {
        #[test]
        fn any_step_below_half_the_circle_is_followed(
            start in 40_000u64..1 << 40,
            steps in prop::collection::vec(-32_000i64..32_000, 1..200),
        ) {
            let mut highest = start;
            for step in steps {
                let index = highest.saturating_add_signed(step);
                #[allow(clippy::cast_possible_truncation, reason = "as on the wire")]
                let wire = index as u16;
                prop_assert_eq!(nearest(Some(highest), wire), Some(index));
                highest = highest.max(index);
            }
        }

        /// Against a set that never forgets: nothing twice, nothing new refused inside the window.
        #[test]
        fn the_window_agrees_with_a_set(
            jumps in prop::collection::vec(-1500i64..1500, 1..500),
        ) {
            let start = 1_000_000u64;
            let mut window = Window::starting_at(start);
            let mut seen = HashSet::from([start]);
            let mut index = start;
            for jump in jumps {
                index = index.saturating_add_signed(jump);
                let in_reach = index + SPAN > window.highest();
                prop_assert_eq!(window.is_new(index), in_reach && !seen.contains(&index));
                if window.is_new(index) {
                    window.accept(index);
                    seen.insert(index);
                }
            }
        }
    }
}
