//! Numbers that only have to differ: SSRCs, session ids, first sequence numbers.
//!
//! Seeded once, so a simulation repeats. Nothing secret comes from here: ICE passwords and keys are drawn from the
//! system by the transports.

use crate::units::Ssrc;

/// SplitMix64.
#[derive(Debug)]
pub(crate) struct Ids(u64);

impl Ids {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Fifteen bits: a first picture id, or a first sequence number. A receiver whose first packets are lost or overtaken
    /// could otherwise not tell whether the number has wrapped, and guess another SRTP rollover counter than ours
    /// (RFC 3711 §3.3.1).
    #[allow(clippy::cast_possible_truncation, reason = "any 15 of the 64 bits will do")]
    pub(crate) fn first_number(&mut self) -> u16 {
        self.next() as u16 & 0x7fff
    }

    /// Never 0: some receivers take that for "none".
    #[allow(clippy::cast_possible_truncation, reason = "any 32 of the 64 bits will do")]
    pub(crate) fn ssrc(&mut self) -> Ssrc {
        Ssrc((self.next() as u32).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_numbers_are_far_from_the_wrap() {
        let mut ids = Ids::new(1);
        let mut all: Vec<u16> = (0..1000).map(|_| ids.first_number()).collect();
        assert!(all.iter().all(|number| *number < 1 << 15));
        all.sort_unstable();
        all.dedup();
        assert!(all.len() > 950, "and differ");
    }
}
