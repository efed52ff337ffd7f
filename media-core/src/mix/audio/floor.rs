//! Who has the floor: whom a room listens to.
//!
//! in:  of each microphone how loud it is, smoothed, and whether it talks
//! out: the holder, when it is another
//!
//! ```text
//!   level   smoothed: 0.8 of the old + 0.2 of a frame's mean absolute sample
//!   holder  below 0.3 % of full scale  ─┐
//!   other   above 0.9 %, and talks     ─┴─►  the loudest of them has the floor
//! ```
//!
//! So nobody loses it between two words, nor by a cough of somebody else. Without a holder whoever talks has it.

use crate::units::MemberKey;

/// A holder below this share of full scale has come to an end.
const QUIET: f32 = 0.003;

/// Whoever is to have it then is above this.
const CHALLENGES: f32 = 0.009;

/// Share of the old level that is kept with each frame.
const KEEPS: f32 = 0.8;

/// Who has the floor of one room.
#[derive(Debug, Default)]
pub(super) struct Floor(Option<MemberKey>);

/// One microphone that is there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    pub(super) member: MemberKey,
    /// Smoothed by [`smooth`].
    pub(super) level: f32,
    pub(super) talks: bool,
}

/// The level after a frame with this mean absolute sample.
pub(super) fn smooth(level: f32, frame: f32) -> f32 {
    KEEPS * level + (1.0 - KEEPS) * frame
}

impl Floor {
    /// Looks at all microphones of the room; gives the new holder when it passes.
    pub(super) fn pass(&mut self, claims: impl Iterator<Item = Claim>) -> Option<MemberKey> {
        let (mut holder, mut loudest): (_, Option<Claim>) = (None, None);
        for claim in claims {
            if self.0 == Some(claim.member) {
                holder = Some(claim.level);
            } else if claim.talks && loudest.is_none_or(|loudest| claim.level > loudest.level) {
                loudest = Some(claim);
            }
        }
        let challenger = loudest?;
        let passes = holder.is_none_or(|holder| holder < QUIET && challenger.level > CHALLENGES);
        if !passes {
            return None;
        }
        self.0 = Some(challenger.member);
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: MemberKey = MemberKey(1);
    const BOB: MemberKey = MemberKey(2);
    const EVE: MemberKey = MemberKey(3);

    #[test]
    fn the_floor_passes_by_the_table() {
        let mut floor = Floor::default();
        // Levels of the three, with a minus for one that does not talk; who gets the floor.
        let mut check = |levels: [f32; 3], expected: Option<MemberKey>| {
            let claims = [ANN, BOB, EVE].into_iter().zip(levels);
            let claims =
                claims.map(|(member, level)| Claim { member, level: level.abs(), talks: level > 0.0 });
            assert_eq!(floor.pass(claims), expected, "{levels:?}");
        };
        check([-0.02, -0.02, -0.02], None);
        check([0.001, -0.02, -0.02], Some(ANN));
        check([0.0031, 0.5, 0.1], None);
        check([0.0029, 0.008, 0.0089], None);
        check([0.0029, 0.0091, -0.5], Some(BOB));
        check([0.5, 0.1, 0.1], None);
        check([0.02, -0.0001, 0.03], Some(EVE));
        check([-0.0, -0.0, -0.0], None);
        check([0.01, -0.0, -0.0], Some(ANN));
        assert_eq!(
            floor.pass([Claim { member: BOB, level: 0.001, talks: true }].into_iter()),
            Some(BOB),
            "left"
        );
    }

    #[test]
    fn a_level_rises_and_falls_within_a_fifth_of_a_second() {
        let frames = |from: f32, frame: f32, until: fn(f32) -> bool| {
            let mut level = from;
            (1..100).find(|_| {
                level = smooth(level, frame);
                until(level)
            })
        };
        assert_eq!(frames(0.0, 0.01, |level| level > CHALLENGES), Some(11));
        assert_eq!(frames(0.0, 0.1, |level| level > CHALLENGES), Some(1));
        assert_eq!(frames(0.05, 0.0, |level| level < QUIET), Some(13));
    }
}
