//! Pictures that somebody gave: behind all, over all, or in the place of a member.
//!
//! in:  pixels with opacity
//! out: the same in the canvas' space, covering any size
//!
//! Of what is fully transparent the colour is that of the rest, so that no dark line runs along the edges of a logo when it
//! is made smaller.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use layouts::{Fit, PixelRect, Size};

use super::fit::fit;
use crate::codec::{Picture, Rgb, Yuv};

/// Longest side.
const SIDE_MAX: u32 = 4096;

/// A picture with opacity, in memory once however often it is shown.
#[derive(Debug)]
pub struct Image {
    /// No other has it.
    number: u64,
    colors: Picture,
    /// Opacity as luma, unless all of it is opaque.
    opacity: Option<Picture>,
}

impl PartialEq for Image {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Image {}

impl Image {
    /// Of red, green, blue and opacity, four bytes a pixel, row by row, opacity not multiplied in. `None` when the length
    /// is another one, or a side is 0 or beyond 4096.
    #[must_use]
    pub fn of_rgba(size: Size, rgba: &[u8]) -> Option<Arc<Self>> {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let sides = 1..=SIDE_MAX;
        let (columns, rows) = (size.width as usize, size.height as usize);
        if !sides.contains(&size.width) || !sides.contains(&size.height) || rgba.len() != columns * rows * 4 {
            return None;
        }
        let opacity: Vec<u8> = rgba.chunks_exact(4).filter_map(|pixel| pixel.get(3)).copied().collect();
        let neutral = vec![128; size.width.div_ceil(2) as usize * size.height.div_ceil(2) as usize];
        let is_opaque = opacity.iter().all(|opacity| *opacity == 255);
        Some(Arc::new(Self {
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            colors: colors(size, rgba)?,
            opacity: if is_opaque { None } else { Picture::from_planes(size, &opacity, &neutral, &neutral) },
        }))
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// What fills a rectangle of that size, the excess cropped: its colours, and its opacity unless all is opaque.
    pub(super) fn covering(&self, size: Size) -> (Picture, Option<Vec<u8>>) {
        let scaled = |from: &Picture| {
            let mut to = Picture::filled(size, Yuv::BLACK);
            let crop = fit(from.size(), to.size(), Fit::Cover).crop;
            if let Some(part) = from.view().crop(crop) {
                to.view_mut().scale_from(&part);
            }
            to
        };
        (scaled(&self.colors), self.opacity.as_ref().map(|opacity| luma(&scaled(opacity))))
    }

    /// The same over a colour, opaque.
    pub(super) fn covering_over(&self, size: Size, under: Rgb) -> Picture {
        match self.covering(size) {
            (colors, None) => colors,
            (colors, Some(opacity)) => {
                let mut picture = Picture::filled(size, under);
                picture.view_mut().blend(&colors.view(), &opacity);
                picture
            }
        }
    }
}

fn colors(size: Size, rgba: &[u8]) -> Option<Picture> {
    let (columns, rows) = (size.width as usize, size.height as usize);
    let mean = mean(rgba.chunks_exact(4));
    let at = |x: usize, y: usize| match rgba.get((y * columns + x) * 4..)? {
        [_, _, _, 0, ..] => Some(mean),
        [red, green, blue, ..] => Some(Rgb(*red, *green, *blue)),
        _ => None,
    };
    let places = (0..rows).flat_map(|y| (0..columns).map(move |x| (x, y)));
    let luma: Vec<u8> = places.filter_map(|(x, y)| Some(Yuv::from(at(x, y)?).y)).collect();
    let (mut u, mut v) = (Vec::new(), Vec::new());
    for y in (0..rows).step_by(2) {
        for x in (0..columns).step_by(2) {
            // Of an odd last column or row there is one sample of two.
            let (right, below) = ((x + 1).min(columns - 1), (y + 1).min(rows - 1));
            let four = [at(x, y)?, at(right, y)?, at(x, below)?, at(right, below)?];
            let color = Yuv::from(mean_of(&four));
            u.push(color.u);
            v.push(color.v);
        }
    }
    Picture::from_planes(size, &luma, &u, &v)
}

fn mean_of(colors: &[Rgb]) -> Rgb {
    let bytes: Vec<[u8; 4]> = colors.iter().map(|Rgb(red, green, blue)| [*red, *green, *blue, 255]).collect();
    mean(bytes.iter().map(<[u8; 4]>::as_slice))
}

/// Of all pixels, each as far as it is opaque.
fn mean<'a>(pixels: impl Iterator<Item = &'a [u8]>) -> Rgb {
    let (mut sums, mut weight) = ([0_u64; 3], 0_u64);
    for pixel in pixels {
        let [red, green, blue, opacity] = pixel else { continue };
        weight += u64::from(*opacity);
        let parts = [red, green, blue];
        sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum += u64::from(*part) * u64::from(*opacity));
    }
    let [red, green, blue] =
        sums.map(|sum| u8::try_from(sum.checked_div(weight).unwrap_or(0)).unwrap_or(u8::MAX));
    Rgb(red, green, blue)
}

/// Luma rows without gaps.
fn luma(picture: &Picture) -> Vec<u8> {
    let (width, rows) = (picture.size().width as usize, picture.size().height as usize);
    picture
        .y()
        .chunks(picture.y_stride())
        .take(rows)
        .filter_map(|row| row.get(..width))
        .flatten()
        .copied()
        .collect()
}

/// The least rectangle, on even pixels, outside of which all is transparent.
pub(super) fn seen(opacity: &[u8], size: Size) -> Option<PixelRect> {
    let width = size.width as usize;
    let is_seen = |row: &&[u8]| row.iter().any(|opacity| *opacity > 0);
    let rows: Vec<&[u8]> = opacity.chunks_exact(width).collect();
    let (top, bottom) = (rows.iter().position(is_seen)?, rows.iter().rposition(is_seen)?);
    let columns = rows.iter().filter_map(|row| {
        let first = row.iter().position(|opacity| *opacity > 0)?;
        Some((first, row.iter().rposition(|opacity| *opacity > 0)?))
    });
    let (left, right) =
        columns.fold((width, 0), |(left, right), (first, last)| (left.min(first), right.max(last)));
    let even = |edge: usize| u32::try_from(edge / 2 * 2).unwrap_or(0);
    let (x, y) = (even(left), even(top));
    // One past the last, up to an even one; of an odd size the last line stays as it is.
    let (end_x, end_y) = (even(right + 2).min(size.width), even(bottom + 2).min(size.height));
    Some(PixelRect { x, y, width: end_x.saturating_sub(x), height: end_y.saturating_sub(y) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(size: Size, pixel: impl Fn(u32, u32) -> [u8; 4]) -> Arc<Image> {
        let places = (0..size.height).flat_map(|y| (0..size.width).map(move |x| (x, y)));
        let rgba: Vec<u8> = places.flat_map(|(x, y)| pixel(x, y)).collect();
        Image::of_rgba(size, &rgba).unwrap()
    }

    #[test]
    fn an_image_has_as_many_bytes_as_its_size_says() {
        let of = |width: u32, height: u32, len: usize| {
            Image::of_rgba(Size { width, height }, &vec![9; len]).is_some()
        };
        assert!(of(1, 1, 4) && of(3, 5, 60) && of(4096, 1, 4096 * 4));
        assert!(!of(0, 1, 0) && !of(1, 1, 3) && !of(1, 1, 5) && !of(4097, 1, 4097 * 4));
    }

    #[test]
    fn it_covers_and_keeps_its_colour_at_the_edges() {
        let size = Size { width: 64, height: 64 };
        let red = Rgb(200, 30, 30);
        let logo = image(size, |x, _| if x < 32 { [200, 30, 30, 255] } else { [0, 0, 0, 0] });
        let small = Size { width: 16, height: 8 };
        let (colors, opacity) = logo.covering(small);
        let opacity = opacity.unwrap();
        assert_eq!((opacity.len(), opacity[0], opacity[15]), (128, 255, 0));
        let far =
            (0..16).filter_map(|x| colors.pixel(x, 4)).filter(|pixel| pixel.y.abs_diff(Yuv::from(red).y) > 3);
        assert_eq!(far.count(), 0, "red on both sides of the edge");
        let over = logo.covering_over(small, Rgb(0, 0, 255));
        assert!(over.pixel(14, 4).unwrap().y.abs_diff(Yuv::from(Rgb(0, 0, 255)).y) <= 2);
        assert!(image(size, |_, _| [1, 2, 3, 255]).covering(small).1.is_none());
    }

    #[test]
    fn what_is_seen_is_bounded_on_even_pixels() {
        let size = Size { width: 9, height: 7 };
        let check = |marks: &[(usize, usize)], expected: Option<(u32, u32, u32, u32)>| {
            let mut opacity = vec![0; 63];
            marks.iter().for_each(|(x, y)| opacity[y * 9 + x] = 7);
            let rect = expected.map(|(x, y, width, height)| PixelRect { x, y, width, height });
            assert_eq!(seen(&opacity, size), rect, "{marks:?}");
        };
        check(&[], None);
        check(&[(0, 0)], Some((0, 0, 2, 2)));
        check(&[(3, 3), (5, 4)], Some((2, 2, 4, 4)));
        check(&[(8, 6)], Some((8, 6, 1, 1)));
    }
}
