//! Which blocks of a picture are worth coding again.
//!
//! in:  the picture to code, the quantizer at hand, whether the picture was coded in the end
//! out: a map of one byte per block: 1 where the encoder is to work
//!
//! ```text
//!              differs from what was coded of it ────┐
//!   block ──── was coded worse than is possible now ─┼──► active
//!              its turn of the refresh ──────────────┤
//!              none of these ────────────────────────┴──► the viewer keeps what it has there
//! ```
//!
//! A block is compared with its content when it was last coded, not with the picture before: a slow fade would otherwise
//! creep on below the limit. A picture that rate control left out was not coded, so nothing of it is remembered. The
//! refresh takes away what repeated deblocking does to blocks that are left alone.

use layouts::Size;

use super::Picture;
use super::blocks::{Comparison, count};
use super::color::Yuv;

/// A block that differs by no more stays: one and a half steps of 256 in the mean. Measured on footage at 1.5 Mbit/s: 0.35 dB
/// less than coding all; with 512 it was 0.5 dB.
pub(super) const STILL: u32 = 384;
/// Every block is coded once in so many pictures.
pub(super) const REFRESH: usize = 64;
/// A block is coded again when the quantizer has become finer by more than this, on the scale of 0 to 63 …
const FINER: u8 = 4;
/// … unless it was coded so finely that nobody sees more.
const GOOD: u8 = 12;
/// A leap is a change of so much of the picture, and of so many times what changed of late.
const LEAP_PERCENT: usize = 5;
const LEAP_TIMES: usize = 3;
/// Of a block that has never been coded.
const NEVER: u8 = u8::MAX;

/// What is known of each block.
#[derive(Debug)]
pub(super) struct Activity {
    /// Each block as it was when it was last coded.
    coded: Picture,
    /// The quantizer it was coded with.
    quantizers: Vec<u8>,
    map: Vec<u8>,
    /// Blocks in a row.
    columns: usize,
    /// Whose turn of the refresh it is.
    turn: usize,
    /// Blocks of the picture looked at last that changed, and how many do of late.
    changed: usize,
    usual: usize,
    settled: bool,
    comparison: Comparison,
}

impl Activity {
    /// Nothing has been coded.
    pub(super) fn new(size: Size) -> Self {
        let (columns, rows) = count(size);
        Self {
            coded: Picture::filled(size, Yuv::BLACK),
            quantizers: vec![NEVER; columns * rows],
            map: vec![1; columns * rows],
            columns,
            turn: 0,
            changed: columns * rows,
            usual: columns * rows,
            settled: false,
            comparison: Comparison::default(),
        }
    }

    /// Looks at the picture to be coded next, probably with this quantizer.
    pub(super) fn look(&mut self, picture: &Picture, quantizer: u8) {
        let (now, coded) = (picture.view(), self.coded.view());
        self.turn = (self.turn + 1) % REFRESH;
        self.settled = true;
        self.usual = (self.usual * 7 + self.changed) / 8;
        self.changed = 0;
        let rows = self.map.chunks_mut(self.columns).zip(self.quantizers.chunks(self.columns));
        let mut number = 0;
        for (row, (map, quantizers)) in rows.enumerate() {
            let differences = self.comparison.of_row(&now, &coded, row);
            for ((active, was), difference) in map.iter_mut().zip(quantizers).zip(differences) {
                let changed = *difference > STILL;
                let wanted = changed || (*was > GOOD && *was > quantizer.saturating_add(FINER));
                self.changed += usize::from(changed);
                self.settled &= !wanted;
                *active = u8::from(wanted || number % REFRESH == self.turn);
                number += 1;
            }
        }
    }

    /// That picture was coded, all of it when it is a key frame.
    pub(super) fn on_coded(&mut self, picture: &Picture, keyframe: bool, quantizer: u8) {
        if keyframe {
            self.map.fill(1);
        }
        let (from, mut to) = (picture.view(), self.coded.view_mut());
        let rows = self.map.chunks(self.columns).zip(self.quantizers.chunks_mut(self.columns));
        for (row, (map, quantizers)) in rows.enumerate() {
            let mut column = 0;
            for run in map.chunk_by(|a, b| a == b) {
                let blocks = column..column + run.len();
                column = blocks.end;
                if run.first() == Some(&1) {
                    if let Some(quantizers) = quantizers.get_mut(blocks.clone()) {
                        quantizers.fill(quantizer);
                    }
                    to.copy_blocks(&from, row, blocks);
                }
            }
        }
    }

    /// One byte per block, row by row.
    pub(super) fn map(&mut self) -> &mut [u8] {
        &mut self.map
    }

    /// How much moves of late, in percent of the picture.
    pub(super) fn motion_percent(&self) -> usize {
        self.usual * 100 / self.map.len().max(1)
    }

    /// Suddenly much more has changed than of late: a page was turned, a window moved.
    pub(super) fn is_leap(&self) -> bool {
        self.changed * 100 > self.map.len() * LEAP_PERCENT && self.changed > self.usual * LEAP_TIMES
    }

    /// The picture looked at last shows nothing that a viewer does not have, as well as the rate allows.
    pub(super) fn is_settled(&self) -> bool {
        self.settled
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec::yuv::View;

    const SIZE: Size = Size { width: 70, height: 50 };

    fn gray(y: u8) -> Picture {
        Picture::filled(SIZE, Yuv { y, u: 128, v: 128 })
    }

    /// The worst difference between what stands there and what was coded, over all blocks that are left alone.
    fn worst_left_alone(activity: &Activity, picture: &Picture) -> u32 {
        let mut comparison = Comparison::default();
        let (a, b): (View<'_>, View<'_>) = (picture.view(), activity.coded.view());
        let mut worst = 0;
        for (row, map) in activity.map.chunks(activity.columns).enumerate() {
            let sums = comparison.of_row(&a, &b, row);
            let left = sums.iter().zip(map).filter(|(_, active)| **active == 0).map(|(sum, _)| *sum);
            worst = left.fold(worst, u32::max);
        }
        worst
    }

    #[test]
    fn what_was_never_coded_is_active_and_what_stays_is_left_alone_in_between_refreshes() {
        let mut activity = Activity::new(SIZE);
        let picture = gray(16);
        activity.look(&picture, 20);
        assert!(activity.map().iter().all(|active| *active == 1));
        assert!(!activity.is_settled());
        activity.on_coded(&picture, true, 20);
        let mut turns = vec![0; activity.map().len()];
        for _ in 0..REFRESH {
            activity.look(&picture, 20);
            assert!(activity.is_settled());
            turns.iter_mut().zip(activity.map()).for_each(|(turns, active)| *turns += *active);
            activity.on_coded(&picture, false, 20);
        }
        assert!(turns.iter().all(|turns| *turns == 1), "{turns:?}");
    }

    #[test]
    fn a_finer_quantizer_codes_again_until_nobody_sees_more() {
        let check = |was, now, again| {
            let mut activity = Activity::new(SIZE);
            activity.look(&gray(80), was);
            activity.on_coded(&gray(80), true, was);
            activity.look(&gray(80), now);
            assert_eq!(!activity.is_settled(), again, "{was} to {now}");
        };
        check(40, 40, false);
        check(40, 36, false);
        check(40, 35, true);
        check(12, 2, false);
        check(13, 8, true);
        check(30, 50, false);
    }

    #[test]
    fn a_slow_fade_does_not_creep_on_below_the_limit() {
        let mut activity = Activity::new(SIZE);
        activity.look(&gray(40), 12);
        activity.on_coded(&gray(40), true, 12);
        let mut coded = 0;
        for y in 41..200 {
            let picture = gray(y);
            activity.look(&picture, 12);
            coded += usize::from(!activity.is_settled());
            assert!(worst_left_alone(&activity, &picture) <= STILL);
            activity.on_coded(&picture, false, 12);
        }
        assert!(coded >= 79, "each block at every second of 159 steps: {coded}");
    }

    #[test]
    fn a_leap_is_a_change_out_of_stillness() {
        let mut activity = Activity::new(SIZE);
        for _ in 0..60 {
            activity.look(&gray(40), 12);
            assert!(!activity.is_leap(), "it begins with everything");
            activity.on_coded(&gray(40), false, 12);
        }
        assert_eq!(activity.motion_percent(), 0);
        activity.look(&gray(200), 12);
        assert!(activity.is_leap());
        for n in 0..60 {
            activity.on_coded(&gray(if n % 2 == 0 { 200 } else { 100 }), true, 12);
            activity.look(&gray(if n % 2 == 0 { 100 } else { 200 }), 12);
        }
        assert!(!activity.is_leap());
        assert!(activity.motion_percent() > 60, "{}", activity.motion_percent());
    }

    #[test]
    fn a_picture_that_was_left_out_is_not_remembered() {
        let mut activity = Activity::new(SIZE);
        activity.look(&gray(40), 12);
        activity.on_coded(&gray(40), true, 12);
        activity.look(&gray(90), 12);
        assert!(!activity.is_settled());
        // Nothing came of it.
        activity.look(&gray(90), 12);
        assert!(!activity.is_settled() && activity.map().iter().all(|active| *active == 1));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        /// Whatever is drawn, coded or left out: what is left alone is what was coded, but for the limit.
        #[test]
        fn blocks_left_alone_show_what_was_coded(
            strokes in proptest::collection::vec(
                (0_u32..35, 0_u32..25, 1_u32..20, 1_u32..20, any::<u8>(), any::<u8>(), 0_u8..4, 4_u8..60),
                1..40,
            ),
        ) {
            let mut activity = Activity::new(SIZE);
            let mut picture = gray(128);
            for (x, y, width, height, luma, chroma, fate, quantizer) in strokes {
                let rect = layouts::PixelRect { x: x * 2, y: y * 2, width, height };
                if let Some(mut part) = picture.view_mut().crop(rect) {
                    part.fill(Yuv { y: luma, u: chroma, v: 128 });
                }
                activity.look(&picture, quantizer);
                prop_assert!(worst_left_alone(&activity, &picture) <= STILL);
                if fate > 0 {
                    activity.on_coded(&picture, fate == 1, quantizer);
                    prop_assert!(worst_left_alone(&activity, &picture) <= STILL);
                }
            }
        }
    }
}
