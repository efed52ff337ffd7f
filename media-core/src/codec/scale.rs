//! Bilinear scaling of a plane at any ratio between a half and whatever larger.
//!
//! in:  rows of one plane, rows of another size
//! out: those rows filled; `false` when this machine or this ratio is better served by libyuv
//!
//! ```text
//!   two rows ─► blended by the row's weight ─► eight pixels at a time: their sixteen sources picked, weighted, summed
//! ```
//!
//! Cameras stand at 2/3 or 3/5 of their size in most grids, and there libyuv's column filter makes two pixels at a time: it
//! was a tenth of the work of a canvas of nine. At a half and below libyuv averages whole areas, and is quick.
//! Pixels are centred: the middle of the picture stays in the middle. Weights are 1/64.

#![allow(unsafe_code, reason = "a function for processors that have AVX2 is called after asking for it")]

/// A plane to read: rows of `stride` bytes, of which `columns` are pixels; the last row ends with its last pixel.
pub(super) struct Plane<'a> {
    pub(super) data: &'a [u8],
    pub(super) stride: usize,
    pub(super) columns: usize,
    pub(super) rows: usize,
}

/// A plane to draw on.
pub(super) struct PlaneMut<'a> {
    pub(super) data: &'a mut [u8],
    pub(super) stride: usize,
    pub(super) columns: usize,
    pub(super) rows: usize,
}

/// Whether a length is scaled here: a reduction to a half or less needs an average of more than two pixels.
pub(super) const fn suits(from: usize, to: usize) -> bool {
    to * 2 > from && to >= PIXELS && from >= PIXELS
}

/// Pixels made at once.
const PIXELS: usize = 8;
/// Weights are parts of this, a power of two: products and their sum then fit the signed words of the processor.
const WHOLE: u32 = 64;

/// Fills `to` with the whole of `from`. The caller has seen that both lengths [`suits`].
#[cfg(target_arch = "x86_64")]
pub(super) fn bilinear(from: &Plane<'_>, to: &mut PlaneMut<'_>) -> bool {
    if !std::arch::is_x86_feature_detected!("avx2") {
        return false;
    }
    // SAFETY: the processor has AVX2; nothing else is asked of the caller.
    unsafe { avx2::bilinear(from, to) };
    true
}

/// Fills `to` with the whole of `from`, where there is a way to.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn bilinear(_from: &Plane<'_>, _to: &mut PlaneMut<'_>) -> bool {
    false
}

/// Where the centre of pixel `n` of `to` lies among `from`: the pixel at or before it, and the weight of the next.
fn position(n: usize, from: usize, to: usize) -> (usize, u32) {
    // In 1/WHOLE of a pixel: (n + 1/2) · from / to − 1/2, not before the first pixel and not beyond the last.
    let whole = WHOLE as usize;
    let at = ((2 * n + 1) * from * whole / (2 * to)).saturating_sub(whole / 2);
    let at = at.min((from - 1) * whole);
    (at / whole, u32::try_from(at % whole).unwrap_or(0))
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        __m128i, _mm_add_epi16, _mm_cvtsi128_si64, _mm_maddubs_epi16, _mm_packus_epi16, _mm_set_epi64x,
        _mm_set1_epi16, _mm_shuffle_epi8, _mm_srli_epi16,
    };

    use super::{PIXELS, Plane, PlaneMut, WHOLE, position};

    /// How eight neighbours are made of sixteen bytes.
    struct Block {
        /// The first of the sixteen bytes.
        first: usize,
        /// The two sources of each, counted from there.
        picks: __m128i,
        /// Their weights.
        weights: __m128i,
    }

    /// Bytes behind a row, so that sixteen can be read wherever one is needed.
    const BEHIND: usize = 16;

    #[target_feature(enable = "avx2")]
    pub(super) fn bilinear(from: &Plane<'_>, to: &mut PlaneMut<'_>) {
        let blocks: Vec<Block> =
            (0..to.columns.div_ceil(PIXELS)).map(|n| block(n * PIXELS, from.columns, to.columns)).collect();
        let mut blended = vec![0; from.columns + BEHIND];
        for (n, row) in to.data.chunks_mut(to.stride).take(to.rows).enumerate() {
            let (above, weight) = position(n, from.rows, to.rows);
            let below = (above + 1).min(from.rows - 1);
            let at =
                |row: usize| from.data.get(row * from.stride..).and_then(|rows| rows.get(..from.columns));
            let (Some(above), Some(below), Some(row)) = (at(above), at(below), row.get_mut(..to.columns))
            else {
                return;
            };
            blend(&mut blended, above, below, weight);
            columns(row, &blended, &blocks);
        }
    }

    #[target_feature(enable = "avx2")]
    fn block(first: usize, from: usize, to: usize) -> Block {
        let (start, _) = position(first, from, to);
        let (mut picks, mut weights) = ([0_u8; 16], [0_u8; 16]);
        for (n, (picks, weights)) in
            picks.as_chunks_mut::<2>().0.iter_mut().zip(weights.as_chunks_mut::<2>().0).enumerate()
        {
            // Pixels beyond the last are made and thrown away.
            let (at, weight) = position((first + n).min(to - 1), from, to);
            let pick = u8::try_from(at - start).unwrap_or(0);
            *picks = [pick, pick + 1];
            *weights = [WHOLE - weight, weight].map(|weight| u8::try_from(weight).unwrap_or(0));
        }
        Block { first: start, picks: vector(&picks), weights: vector(&weights) }
    }

    #[target_feature(enable = "avx2")]
    fn vector(bytes: &[u8; 16]) -> __m128i {
        let both = u128::from_le_bytes(*bytes);
        #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "halves, bit by bit")]
        let (low, high) = (both as i64, (both >> 64) as i64);
        _mm_set_epi64x(high, low)
    }

    /// One row out of two, and what is behind it: the last pixel again.
    #[target_feature(enable = "avx2")]
    fn blend(out: &mut [u8], above: &[u8], below: &[u8], weight: u32) {
        let (row, behind) = out.split_at_mut(above.len());
        match u16::try_from(weight) {
            Ok(0) | Err(_) => row.copy_from_slice(above),
            Ok(of_below) => {
                #[allow(clippy::cast_possible_truncation, reason = "64 parts of bytes, less 64")]
                let mix = |a: u8, b: u8| {
                    let sum = u16::from(a) * (WHOLE as u16 - of_below) + u16::from(b) * of_below;
                    ((sum + WHOLE as u16 / 2) / WHOLE as u16) as u8
                };
                for ((out, a), b) in row.iter_mut().zip(above).zip(below) {
                    *out = mix(*a, *b);
                }
            }
        }
        behind.fill(row.last().copied().unwrap_or(0));
    }

    #[target_feature(enable = "avx2")]
    fn columns(out: &mut [u8], row: &[u8], blocks: &[Block]) {
        let half = _mm_set1_epi16(32);
        let make = |block: &Block| {
            let sixteen = row.get(block.first..).and_then(|rest| rest.first_chunk::<16>());
            let pixels = _mm_shuffle_epi8(vector(sixteen.unwrap_or(&[0; 16])), block.picks);
            let sums = _mm_srli_epi16::<6>(_mm_add_epi16(_mm_maddubs_epi16(pixels, block.weights), half));
            _mm_cvtsi128_si64(_mm_packus_epi16(sums, sums)).to_le_bytes()
        };
        let (whole, rest) = out.as_chunks_mut::<PIXELS>();
        for (out, block) in whole.iter_mut().zip(blocks) {
            *out = make(block);
        }
        if let Some(block) = blocks.get(whole.len()) {
            for (out, pixel) in rest.iter_mut().zip(make(block)) {
                *out = pixel;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a plane of `to` pixels is of one of `from`, in floating point.
    fn ideal(from: &[u8], (w, h): (usize, usize), (x, y): (usize, usize), to: (usize, usize)) -> f64 {
        let place = |n: usize, from: usize, to: usize| {
            let at = (n as f64 + 0.5) * from as f64 / to as f64 - 0.5;
            let at = at.clamp(0.0, (from - 1) as f64);
            let first = (0..from).rposition(|n| n as f64 <= at).unwrap_or(0);
            (first, (first + 1).min(from - 1), at - first as f64)
        };
        let ((left, right, fx), (up, down, fy)) = (place(x, w, to.0), place(y, h, to.1));
        let at = |x: usize, y: usize| f64::from(from[y * w + x]);
        let row = |y| at(left, y) * (1.0 - fx) + at(right, y) * fx;
        row(up) * (1.0 - fy) + row(down) * fy
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// At every size it serves, each pixel is the bilinear one, and nothing beside the rectangle is touched.
        #[test]
        fn every_pixel_is_between_its_neighbours(
            from in (8_usize..90, 8_usize..60),
            to in (8_usize..120, 8_usize..90),
            steep in any::<bool>(),
        ) {
            prop_assume!(suits(from.0, to.0) && suits(from.1, to.1));
            let data: Vec<u8> = (0..from.0 * from.1)
                .map(|n| if steep { n * 7919 % 251 } else { n % from.0 + n / from.0 })
                .map(|value| u8::try_from(value).unwrap_or(u8::MAX))
                .collect();
            let source = Plane { data: &data, stride: from.0, columns: from.0, rows: from.1 };
            let stride = to.0 + 5;
            let mut out = vec![77_u8; stride * to.1];
            let mut target = PlaneMut { data: &mut out, stride, columns: to.0, rows: to.1 };
            if !bilinear(&source, &mut target) {
                return Ok(());
            }
            for y in 0..to.1 {
                for x in 0..to.0 {
                    let (is, ideal) = (f64::from(out[y * stride + x]), ideal(&data, from, (x, y), to));
                    // Two weights, each down to 1/64 exactly, and two roundings.
                    let most = if steep { 9.5 } else { 1.6 };
                    prop_assert!((is - ideal).abs() <= most, "{from:?} to {to:?} at {x},{y}: {is} for {ideal}");
                }
                prop_assert!(out[y * stride + to.0..(y + 1) * stride].iter().all(|byte| *byte == 77));
            }
        }
    }

    #[test]
    fn lengths_it_serves() {
        let check = |from, to, expected| assert_eq!(suits(from, to), expected, "{from} to {to}");
        check(640, 426, true);
        check(640, 321, true);
        check(640, 320, false);
        check(320, 1920, true);
        check(640, 4, false);
        check(4, 640, false);
    }
}
