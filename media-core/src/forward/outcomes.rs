//! What became of a stream's latest packets at one viewer.
//!
//! in:  numbers of the stream, and what was decided of each
//! out: the same, for those that are asked for again
//!
//! The quality changes meanwhile, and a packet that goes out again has to be what it was.

use crate::units::SeqNo;

/// Packets that are remembered: what is older is not asked for.
const LEN: u16 = 512;

/// What was decided of a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Nothing: it never came here.
    #[default]
    Unknown,
    LeftOut,
    /// It went on, with or without the marker bit.
    Sent {
        marker: bool,
    },
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcomes {
    newest: u64,
    /// By number modulo [`LEN`]; made with the first one.
    places: Vec<Outcome>,
}

impl Outcomes {
    /// Another stream begins.
    pub(super) fn clear(&mut self) {
        self.places.clear();
    }

    pub(super) fn note(&mut self, seq: SeqNo, outcome: Outcome) {
        if self.places.is_empty() {
            self.places.resize(LEN.into(), Outcome::Unknown);
            self.newest = seq.0;
        }
        let passed = seq.0.saturating_sub(self.newest).min(LEN.into());
        for n in 0..passed {
            *place(&mut self.places, seq.0 - n) = Outcome::Unknown;
        }
        self.newest = self.newest.max(seq.0);
        if self.newest - seq.0 < LEN.into() {
            *place(&mut self.places, seq.0) = outcome;
        }
    }

    pub(super) fn of(&self, seq: SeqNo) -> Outcome {
        let is_kept = seq.0 <= self.newest && self.newest - seq.0 < LEN.into();
        let at = usize::try_from(seq.0 % u64::from(LEN)).unwrap_or(0);
        self.places.get(at).copied().filter(|_| is_kept).unwrap_or_default()
    }
}

fn place(places: &mut [Outcome], seq: u64) -> &mut Outcome {
    let at = usize::try_from(seq % u64::from(LEN)).unwrap_or(0);
    places.get_mut(at).expect("a place for each remainder")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_remembered() {
        let mut it = Outcomes::default();
        assert_eq!(it.of(SeqNo(7)), Outcome::Unknown);
        for seq in (1000..3000).filter(|seq| seq % 3 > 0) {
            let outcome =
                if seq % 3 == 1 { Outcome::LeftOut } else { Outcome::Sent { marker: seq % 2 == 0 } };
            it.note(SeqNo(seq), outcome);
        }
        assert_eq!(it.of(SeqNo(2999)), Outcome::Sent { marker: false });
        assert_eq!(it.of(SeqNo(2998)), Outcome::LeftOut);
        assert_eq!(it.of(SeqNo(2997)), Outcome::Unknown, "it was skipped");
        assert_eq!(it.of(SeqNo(2999 - 510)), Outcome::Sent { marker: false });
        assert_eq!(it.of(SeqNo(2999 - 513)), Outcome::Unknown, "too old");
        assert_eq!(it.of(SeqNo(3000)), Outcome::Unknown, "still to come");
        it.note(SeqNo(2997), Outcome::LeftOut);
        assert_eq!(it.of(SeqNo(2997)), Outcome::LeftOut, "it came late");
        it.note(SeqNo(9_000_000), Outcome::LeftOut);
        assert_eq!(it.of(SeqNo(2997)), Outcome::Unknown);
        it.clear();
        assert_eq!(it.of(SeqNo(9_000_000)), Outcome::Unknown);
    }
}
