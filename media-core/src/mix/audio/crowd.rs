//! Who is in the mix when more speak at once than anybody can tell apart.
//!
//! in:  how loud each voice is that could be heard
//! out: those that are
//!
//! A voice among [`MOST`] others as loud is 15 dB below their sum, and drowns in it; but each costs everybody who speaks
//! an encode of one's own. So the loudest are mixed. Who is among them stays until somebody else is 6 dB louder, so that
//! voices as loud as each other do not take turns within words. What is no microphone is always heard.

use std::collections::BTreeSet;

use crate::units::MemberKey;

/// Voices mixed at once.
pub(super) const MOST: usize = 32;

/// Whoever is in place counts as so much louder (6 dB).
const IN_PLACE: f32 = 2.0;

/// One voice that could be heard.
#[derive(Clone, Copy, Debug)]
pub(super) struct Voice {
    pub(super) member: MemberKey,
    /// Of its latest syllables.
    pub(super) level: f32,
    /// It is in the mix now.
    pub(super) in_place: bool,
}

/// Those who are left out; nobody, unless it is a crowd.
pub(super) fn left_out(mut voices: Vec<Voice>) -> BTreeSet<MemberKey> {
    let weight = |voice: &Voice| if voice.in_place { voice.level * IN_PLACE } else { voice.level };
    voices.sort_by(|a, b| weight(b).total_cmp(&weight(a)).then(a.member.cmp(&b.member)));
    voices.into_iter().skip(MOST).map(|voice| voice.member).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voices(levels: impl Iterator<Item = (f32, bool)>) -> Vec<Voice> {
        (0..)
            .zip(levels)
            .map(|(n, (level, in_place))| Voice { member: MemberKey(n), level, in_place })
            .collect()
    }

    #[test]
    fn the_loudest_are_heard_and_equals_stay() {
        let few = voices((0..32).map(|_| (0.1, false)));
        assert!(left_out(few).is_empty());
        let equals = voices((0..40).map(|n| (0.1, n >= 8)));
        assert_eq!(left_out(equals), (0..8).map(MemberKey).collect());
        let shouting = voices((0..33).map(|n| (if n == 0 { 0.25 } else { 0.1 }, n != 0)));
        assert_eq!(left_out(shouting), BTreeSet::from([MemberKey(32)]));
        let murmuring = voices((0..33).map(|n| (if n == 0 { 0.15 } else { 0.1 }, n != 0)));
        assert_eq!(left_out(murmuring), BTreeSet::from([MemberKey(0)]));
    }
}
