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

    /// Any sixteen bits.
    #[allow(clippy::cast_possible_truncation, reason = "any 16 of the 64 bits will do")]
    pub(crate) fn next_u16(&mut self) -> u16 {
        self.next() as u16
    }

    /// Never 0: some receivers take that for "none".
    #[allow(clippy::cast_possible_truncation, reason = "any 32 of the 64 bits will do")]
    pub(crate) fn ssrc(&mut self) -> Ssrc {
        Ssrc((self.next() as u32).max(1))
    }
}
