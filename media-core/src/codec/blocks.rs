//! How much two pictures of one size differ, block by block.
//!
//! in:  two views
//! out: for each block of 16×16 pixels the sum of absolute differences; or whether any of them exceeds a limit
//!
//! A block counts as different as its worst plane: chroma has a quarter of the samples, so its sums count fourfold. One
//! limit then is a mean difference per sample in any plane, times 256.

use layouts::Size;

use super::yuv::View;

/// Pixels of a block's side: a macroblock of VP8 and of H.264.
pub(super) const SIDE: usize = 16;
/// Its side in chroma.
const CHROMA_SIDE: usize = SIDE / 2;

/// Blocks in a row, and rows of them.
pub(super) fn count(size: Size) -> (usize, usize) {
    ((size.width as usize).div_ceil(SIDE), (size.height as usize).div_ceil(SIDE))
}

/// Compares; kept for its allocations.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    sums: Vec<u32>,
    chroma: Vec<u32>,
}

impl Comparison {
    /// Whether no block differs by more than `most`; looks no further than the first row of blocks with one that does.
    pub(super) fn is_same(&mut self, a: &View<'_>, b: &View<'_>, most: u32) -> bool {
        let (_, rows) = count(a.size());
        a.size() == b.size() && (0..rows).all(|row| self.of_row(a, b, row).iter().all(|sum| *sum <= most))
    }

    /// Differences of one row of blocks of pictures of one size.
    pub(super) fn of_row(&mut self, a: &View<'_>, b: &View<'_>, row: usize) -> &[u32] {
        let (columns, _) = count(a.size());
        self.sums.clear();
        self.sums.resize(columns, 0);
        add::<SIDE>(a, b, 0, row, &mut self.sums);
        for plane in [1, 2] {
            self.chroma.clear();
            self.chroma.resize(columns, 0);
            add::<CHROMA_SIDE>(a, b, plane, row, &mut self.chroma);
            for (sum, chroma) in self.sums.iter_mut().zip(&self.chroma) {
                *sum = (*sum).max(chroma * 4);
            }
        }
        &self.sums
    }
}

fn add<const N: usize>(a: &View<'_>, b: &View<'_>, plane: usize, row: usize, sums: &mut [u32]) {
    for y in row * N..(row + 1) * N {
        let (Some(a), Some(b)) = (a.row(plane, y), b.row(plane, y)) else { return };
        let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<N>(), b.as_chunks::<N>());
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += difference(a, b);
        }
        if let Some(sum) = sums.get_mut(a.len()) {
            *sum += difference(a_rest, b_rest);
        }
    }
}

/// Of lengths known when compiled this becomes one instruction.
#[inline(always)]
fn difference(a: &[u8], b: &[u8]) -> u32 {
    a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(*b))).sum()
}

#[cfg(test)]
mod tests {
    use layouts::PixelRect;
    use proptest::prelude::*;

    use super::*;
    use crate::codec::{Picture, Yuv};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        /// Sums are those of a loop over pixels, at any size; a pixel that changed is in a block that did.
        #[test]
        fn a_changed_pixel_is_in_a_changed_block(
            (width, height) in (1_u32..70, 1_u32..50),
            (x, y) in (0_u32..70, 0_u32..50),
            (luma, chroma) in (any::<u8>(), any::<u8>()),
        ) {
            let size = Size { width, height };
            let before = Picture::filled(size, Yuv { y: 100, u: 100, v: 100 });
            let mut after = Picture::filled(size, Yuv { y: 100, u: 100, v: 100 });
            let (x, y) = (x % width / 2 * 2, y % height / 2 * 2);
            let mut view = after.view_mut();
            let mut pixel = view.crop(PixelRect { x, y, width: 1, height: 1 }).unwrap();
            pixel.fill(Yuv { y: luma, u: chroma, v: 100 });
            let expected = u32::from(luma.abs_diff(100)).max(u32::from(chroma.abs_diff(100)) * 4);
            let mut comparison = Comparison::default();
            let (columns, rows) = count(size);
            for row in 0..rows {
                let sums = comparison.of_row(&before.view(), &after.view(), row);
                prop_assert_eq!(sums.len(), columns);
                for (column, sum) in sums.iter().enumerate() {
                    let here = (column, row) == (x as usize / SIDE, y as usize / SIDE);
                    prop_assert_eq!(*sum, if here { expected } else { 0 }, "block {},{}", column, row);
                }
            }
            prop_assert_eq!(comparison.is_same(&before.view(), &after.view(), 0), expected == 0);
            prop_assert!(comparison.is_same(&before.view(), &after.view(), expected));
        }
    }

    #[test]
    fn pictures_of_different_sizes_are_not_the_same() {
        let [a, b] = [16, 18].map(|width| Picture::filled(Size { width, height: 16 }, Yuv::BLACK));
        assert!(!Comparison::default().is_same(&a.view(), &b.view(), u32::MAX));
    }
}
