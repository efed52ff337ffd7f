//! Rectangles of I420 pictures, and what libyuv does with them.
//!
//! in:  views, whose bounds were checked when they were made
//! out: the pixels of a mutable view: filled, copied, scaled, rotated, blended
//!
//! The only door to libyuv. A view can be made only of planes long enough for its size, and every call below derives
//! pointers, strides and sizes from views alone; that is what makes the calls sound.

#![allow(unsafe_code, reason = "libyuv is a C library; every call is made from views with checked bounds")]

use std::ops::Range;

use layouts::{PixelRect, Size};

use super::{Yuv, blocks, scale};

/// A rectangle of pixels to read.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    size: Size,
    planes: [&'a [u8]; 3],
    strides: [usize; 3],
}

/// A rectangle of pixels to draw on.
pub(crate) struct ViewMut<'a> {
    size: Size,
    planes: [&'a mut [u8]; 3],
    strides: [usize; 3],
}

/// Quarter turns, clockwise, as the coordination of video orientation counts them (3GPP TS 26.114 §7.4.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Rotation {
    /// As it is.
    #[default]
    None,
    /// 90° clockwise.
    Quarter,
    /// 180°.
    Half,
    /// 270° clockwise.
    ThreeQuarters,
}

impl Rotation {
    /// Out of the extension's byte: the last two bits. A picture that is mirrored as well is shown as it is, as the camera
    /// of a telephone that faces its holder shows it.
    #[must_use]
    pub const fn of_orientation(byte: u8) -> Self {
        match byte & 3 {
            0 => Self::None,
            1 => Self::Quarter,
            2 => Self::Half,
            _ => Self::ThreeQuarters,
        }
    }

    /// The size of a picture after the turn.
    #[must_use]
    pub fn turned(self, size: Size) -> Size {
        match self {
            Self::None | Self::Half => size,
            Self::Quarter | Self::ThreeQuarters => Size { width: size.height, height: size.width },
        }
    }

    fn mode(self) -> i32 {
        match self {
            Self::None => 0,
            Self::Quarter => 90,
            Self::Half => 180,
            Self::ThreeQuarters => 270,
        }
    }
}

/// Columns and rows of the three planes.
fn plane_sizes(size: Size) -> [(usize, usize); 3] {
    let chroma = (size.width.div_ceil(2) as usize, size.height.div_ceil(2) as usize);
    [(size.width as usize, size.height as usize), chroma, chroma]
}

/// Bytes a plane must have: full rows, the last one only up to its last pixel. `None` when the rows overlap or
/// libyuv's `int` cannot count them.
fn plane_len((columns, rows): (usize, usize), stride: usize) -> Option<usize> {
    if columns == 0 || rows == 0 || stride < columns {
        return None;
    }
    let len = stride.checked_mul(rows - 1)?.checked_add(columns)?;
    i32::try_from(len).ok().map(|_| len)
}

fn fits(size: Size, lens: [usize; 3], strides: [usize; 3]) -> bool {
    let need = plane_sizes(size).into_iter().zip(strides).map(|(plane, stride)| plane_len(plane, stride));
    need.zip(lens).all(|(need, len)| need.is_some_and(|need| need <= len))
}

/// Offsets of a rectangle's first pixel in the planes; `None` when it is not inside, or begins between chroma samples.
fn offsets(size: Size, strides: [usize; 3], rect: PixelRect) -> Option<[usize; 3]> {
    let inside = rect.width > 0
        && rect.height > 0
        && rect.x.checked_add(rect.width)? <= size.width
        && rect.y.checked_add(rect.height)? <= size.height;
    if !inside || !rect.x.is_multiple_of(2) || !rect.y.is_multiple_of(2) {
        return None;
    }
    let [y, u, v] = strides;
    let (column, row) = (rect.x as usize, rect.y as usize);
    Some([row * y + column, row / 2 * u + column / 2, row / 2 * v + column / 2])
}

impl<'a> View<'a> {
    /// `None` when a plane is too short for the size.
    pub(crate) fn new(size: Size, planes: [&'a [u8]; 3], strides: [usize; 3]) -> Option<Self> {
        fits(size, planes.map(<[u8]>::len), strides).then_some(Self { size, planes, strides })
    }

    /// A part of it; `None` when not inside, or when its corner is not even.
    pub(crate) fn crop(&self, rect: PixelRect) -> Option<Self> {
        let [at_y, at_u, at_v] = offsets(self.size, self.strides, rect)?;
        let [y, u, v] = self.planes;
        let planes = [y.get(at_y..)?, u.get(at_u..)?, v.get(at_v..)?];
        Self::new(Size { width: rect.width, height: rect.height }, planes, self.strides)
    }

    pub(crate) fn size(&self) -> Size {
        self.size
    }

    /// Pixels of a row of a plane; `None` beyond the last.
    pub(super) fn row(&self, plane: usize, row: usize) -> Option<&'a [u8]> {
        let &(columns, rows) = plane_sizes(self.size).get(plane)?;
        let start = row.checked_mul(*self.strides.get(plane)?).filter(|_| row < rows)?;
        self.planes.get(plane)?.get(start..)?.get(..columns)
    }

    fn raw(&self) -> Raw<*const u8> {
        Raw {
            planes: self.planes.map(<[u8]>::as_ptr),
            strides: self.strides.map(as_int),
            size: [as_int(self.size.width as usize), as_int(self.size.height as usize)],
        }
    }
}

impl<'a> ViewMut<'a> {
    /// `None` when a plane is too short for the size.
    pub(crate) fn new(size: Size, planes: [&'a mut [u8]; 3], strides: [usize; 3]) -> Option<Self> {
        let [y, u, v] = &planes;
        fits(size, [y.len(), u.len(), v.len()], strides).then_some(Self { size, planes, strides })
    }

    /// A part of it; `None` when not inside, or when its corner is not even.
    pub(crate) fn crop(&mut self, rect: PixelRect) -> Option<ViewMut<'_>> {
        let [at_y, at_u, at_v] = offsets(self.size, self.strides, rect)?;
        let [y, u, v] = &mut self.planes;
        let planes = [y.get_mut(at_y..)?, u.get_mut(at_u..)?, v.get_mut(at_v..)?];
        ViewMut::new(Size { width: rect.width, height: rect.height }, planes, self.strides)
    }

    pub(crate) fn size(&self) -> Size {
        self.size
    }

    /// Every pixel in one colour.
    pub(crate) fn fill(&mut self, color: Yuv) {
        let values = [color.y, color.u, color.v];
        let sizes = plane_sizes(self.size);
        for (((plane, stride), (columns, rows)), value) in
            self.planes.iter_mut().zip(self.strides).zip(sizes).zip(values)
        {
            for row in plane.chunks_mut(stride).take(rows) {
                if let Some(pixels) = row.get_mut(..columns) {
                    pixels.fill(value);
                }
            }
        }
    }

    /// The pixels of a view of the same size; of another size, the common upper left part.
    pub(crate) fn copy_from(&mut self, from: &View<'_>) {
        let (mine, theirs) = (plane_sizes(self.size), plane_sizes(from.size));
        for (index, plane) in self.planes.iter_mut().enumerate() {
            let (Some(source), Some(to), Some(of)) =
                (from.planes.get(index), mine.get(index), theirs.get(index))
            else {
                continue;
            };
            let (Some(&stride), Some(&from_stride)) = (self.strides.get(index), from.strides.get(index))
            else {
                continue;
            };
            let (columns, rows) = (to.0.min(of.0), to.1.min(of.1));
            for (row, source) in plane.chunks_mut(stride).zip(source.chunks(from_stride)).take(rows) {
                if let (Some(row), Some(source)) = (row.get_mut(..columns), source.get(..columns)) {
                    row.copy_from_slice(source);
                }
            }
        }
    }

    /// Some blocks of a row of blocks, out of a view of the same size.
    pub(super) fn copy_blocks(&mut self, from: &View<'_>, row: usize, columns: Range<usize>) {
        for ((index, plane), stride) in self.planes.iter_mut().enumerate().zip(self.strides) {
            let side = if index == 0 { blocks::SIDE } else { blocks::SIDE / 2 };
            for y in row * side..(row + 1) * side {
                let Some(source) = from.row(index, y) else { break };
                let part = (columns.start * side).min(source.len())..(columns.end * side).min(source.len());
                let target = plane.get_mut(y * stride..).and_then(|rows| rows.get_mut(part.clone()));
                if let (Some(target), Some(source)) = (target, source.get(part)) {
                    target.copy_from_slice(source);
                }
            }
        }
    }

    /// The whole of `from` on the whole of this: area average when it shrinks to half or less, bilinear otherwise.
    pub(crate) fn scale_from(&mut self, from: &View<'_>) {
        if from.size == self.size {
            return self.copy_from(from);
        }
        if self.scale_bilinear(from) {
            return;
        }
        let (src, dst) = (from.raw(), self.raw_mut());
        let ([sy, su, sv], [dy, du, dv]) = (src.planes, dst.planes);
        let ([ssy, ssu, ssv], [dsy, dsu, dsv]) = (src.strides, dst.strides);
        let ([sw, sh], [dw, dh]) = (src.size, dst.size);
        // SAFETY: both views guarantee that each plane holds `rows` rows of `stride` bytes (the last up to its last
        // pixel) for these sizes, chroma rounded up as libyuv does; `self` is borrowed mutably, so they do not overlap.
        let failed = unsafe {
            I420Scale(sy, ssy, su, ssu, sv, ssv, sw, sh, dy, dsy, du, dsu, dv, dsv, dw, dh, FILTER_BOX)
        };
        // libyuv refuses only null pointers, empty sizes and more than 32768 columns; views have none of them.
        debug_assert_eq!(failed, 0);
    }

    /// `false` where libyuv does better, or this machine cannot.
    fn scale_bilinear(&mut self, from: &View<'_>) -> bool {
        let (mine, theirs) = (plane_sizes(self.size), plane_sizes(from.size));
        let suits =
            mine.iter().zip(&theirs).all(|(to, of)| scale::suits(of.0, to.0) && scale::suits(of.1, to.1));
        let target = self.planes.iter_mut().zip(self.strides).zip(mine);
        let source = from.planes.iter().zip(from.strides).zip(theirs);
        suits
            && target.zip(source).all(|(((to, to_stride), to_size), ((of, of_stride), of_size))| {
                let of = scale::Plane { data: of, stride: of_stride, columns: of_size.0, rows: of_size.1 };
                let mut to =
                    scale::PlaneMut { data: to, stride: to_stride, columns: to_size.0, rows: to_size.1 };
                scale::bilinear(&of, &mut to)
            })
    }

    /// The whole of `from`, turned, on this; of another size than the turned one, nothing happens.
    pub(crate) fn rotate_from(&mut self, from: &View<'_>, rotation: Rotation) {
        if rotation.turned(from.size) != self.size {
            return;
        }
        let (src, dst) = (from.raw(), self.raw_mut());
        let ([sy, su, sv], [dy, du, dv]) = (src.planes, dst.planes);
        let ([ssy, ssu, ssv], [dsy, dsu, dsv]) = (src.strides, dst.strides);
        let [width, height] = src.size;
        // SAFETY: as in `scale_from`; the destination has the turned size, checked above.
        let failed = unsafe {
            I420Rotate(sy, ssy, su, ssu, sv, ssv, dy, dsy, du, dsu, dv, dsv, width, height, rotation.mode())
        };
        debug_assert_eq!(failed, 0);
    }

    /// `over`, as opaque as `alpha` says (one byte per pixel, rows without gaps), over the pixels that are there. Of
    /// other sizes, nothing happens.
    pub(crate) fn blend(&mut self, over: &View<'_>, alpha: &[u8]) {
        let (columns, rows) = (self.size.width as usize, self.size.height as usize);
        if over.size != self.size || alpha.len() != columns * rows {
            return;
        }
        let (src, dst) = (over.raw(), self.raw_mut());
        let ([sy, su, sv], [dy, du, dv]) = (src.planes, dst.planes);
        let ([ssy, ssu, ssv], [dsy, dsu, dsv]) = (src.strides, dst.strides);
        let [width, height] = src.size;
        // SAFETY: as in `scale_from`, and `alpha` has one byte for every pixel. Destination and background are the same
        // pixels, which libyuv allows: it reads a pixel of each input before it writes that pixel. Both pointers come
        // from the one mutable borrow.
        let failed = unsafe {
            I420Blend(
                sy,
                ssy,
                su,
                ssu,
                sv,
                ssv,
                dy.cast_const(),
                dsy,
                du.cast_const(),
                dsu,
                dv.cast_const(),
                dsv,
                alpha.as_ptr(),
                width,
                dy,
                dsy,
                du,
                dsu,
                dv,
                dsv,
                width,
                height,
            )
        };
        debug_assert_eq!(failed, 0);
    }

    fn raw_mut(&mut self) -> Raw<*mut u8> {
        let size = [as_int(self.size.width as usize), as_int(self.size.height as usize)];
        let [y, u, v] = &mut self.planes;
        let planes = [y.as_mut_ptr(), u.as_mut_ptr(), v.as_mut_ptr()];
        Raw { planes, strides: self.strides.map(as_int), size }
    }
}

/// A view as C sees it.
struct Raw<P> {
    planes: [P; 3],
    strides: [i32; 3],
    size: [i32; 2],
}

/// Views never hold more than `i32::MAX` bytes ([`plane_len`]), but a stride may stand beside a single row.
fn as_int(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// `kFilterBox`: libyuv itself falls back to bilinear unless the picture shrinks to less than half.
const FILTER_BOX: i32 = 3;

#[link(name = "yuv")]
unsafe extern "C" {
    fn I420Scale(
        src_y: *const u8,
        src_stride_y: i32,
        src_u: *const u8,
        src_stride_u: i32,
        src_v: *const u8,
        src_stride_v: i32,
        src_width: i32,
        src_height: i32,
        dst_y: *mut u8,
        dst_stride_y: i32,
        dst_u: *mut u8,
        dst_stride_u: i32,
        dst_v: *mut u8,
        dst_stride_v: i32,
        dst_width: i32,
        dst_height: i32,
        filtering: i32,
    ) -> i32;

    fn I420Rotate(
        src_y: *const u8,
        src_stride_y: i32,
        src_u: *const u8,
        src_stride_u: i32,
        src_v: *const u8,
        src_stride_v: i32,
        dst_y: *mut u8,
        dst_stride_y: i32,
        dst_u: *mut u8,
        dst_stride_u: i32,
        dst_v: *mut u8,
        dst_stride_v: i32,
        width: i32,
        height: i32,
        mode: i32,
    ) -> i32;

    fn I420Blend(
        src_y0: *const u8,
        src_stride_y0: i32,
        src_u0: *const u8,
        src_stride_u0: i32,
        src_v0: *const u8,
        src_stride_v0: i32,
        src_y1: *const u8,
        src_stride_y1: i32,
        src_u1: *const u8,
        src_stride_u1: i32,
        src_v1: *const u8,
        src_stride_v1: i32,
        alpha: *const u8,
        alpha_stride: i32,
        dst_y: *mut u8,
        dst_stride_y: i32,
        dst_u: *mut u8,
        dst_stride_u: i32,
        dst_v: *mut u8,
        dst_stride_v: i32,
        width: i32,
        height: i32,
    ) -> i32;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec::Picture;

    fn size(width: u32, height: u32) -> Size {
        Size { width, height }
    }

    #[test]
    fn a_view_needs_planes_as_long_as_its_size() {
        let data = [0_u8; 64];
        let check = |size, lens: [usize; 3], strides, expected| {
            let planes = lens.map(|len| &data[..len]);
            assert_eq!(View::new(size, planes, strides).is_some(), expected, "{size:?} {lens:?} {strides:?}");
        };
        check(size(4, 4), [16, 4, 4], [4, 2, 2], true);
        check(size(4, 4), [15, 4, 4], [4, 2, 2], false);
        check(size(4, 4), [16, 3, 4], [4, 2, 2], false);
        check(size(4, 4), [16, 4, 3], [4, 2, 2], false);
        check(size(5, 5), [25, 9, 9], [5, 3, 3], true);
        check(size(5, 5), [25, 9, 8], [5, 3, 3], false);
        // The last row ends with its last pixel.
        check(size(4, 4), [3 * 8 + 4, 8 + 2, 8 + 2], [8, 8, 8], true);
        check(size(4, 4), [3 * 8 + 3, 8 + 2, 8 + 2], [8, 8, 8], false);
        check(size(4, 4), [64, 64, 64], [3, 2, 2], false);
        check(size(0, 4), [64, 64, 64], [4, 2, 2], false);
        check(size(4, 1), [64, 64, 64], [usize::MAX, usize::MAX, usize::MAX], true);
        check(size(4, 3), [64, 64, 64], [usize::MAX, usize::MAX, usize::MAX], false);
        check(size(u32::MAX, u32::MAX), [64, 64, 64], [usize::MAX, usize::MAX, usize::MAX], false);
    }

    #[test]
    fn a_part_is_inside_and_begins_on_a_chroma_sample() {
        let mut picture = Picture::filled(size(17, 9), Yuv::BLACK);
        let mut check = |(x, y, width, height), expected| {
            let rect = PixelRect { x, y, width, height };
            assert_eq!(picture.view().crop(rect).is_some(), expected, "{rect:?}");
            assert_eq!(picture.view_mut().crop(rect).is_some(), expected, "{rect:?}");
        };
        check((0, 0, 17, 9), true);
        check((16, 8, 1, 1), true);
        check((2, 2, 3, 5), true);
        check((1, 0, 4, 4), false);
        check((0, 1, 4, 4), false);
        check((2, 0, 16, 4), false);
        check((0, 8, 4, 2), false);
        check((0, 0, 0, 4), false);
        check((u32::MAX - 1, 0, 4, 4), false);
    }

    proptest! {
        #[test]
        fn a_flat_picture_stays_flat_at_any_size(
            (from_width, from_height) in (1_u32..200, 1_u32..200),
            (width, height) in (1_u32..200, 1_u32..200),
            (x, y) in (0_u32..20, 0_u32..20),
        ) {
            let color = Yuv { y: 90, u: 60, v: 200 };
            let from = Picture::filled(size(from_width, from_height), color);
            let mut canvas = Picture::filled(size(width + 2 * x + 3, height + 2 * y + 3), Yuv::BLACK);
            let rect = PixelRect { x: 2 * x, y: 2 * y, width, height };
            canvas.view_mut().crop(rect).unwrap().scale_from(&from.view());
            // libyuv's area average divides by multiplying with a truncated 65536 / area: it rounds down, and the more
            // the more pixels become one. At the worst reduction a canvas sees, 1080p to 84x48, it is one step.
            let area = (from_width.div_ceil(width) + 1) * (from_height.div_ceil(height) + 1);
            let darker = u8::try_from(1 + 255 * area / 65_536).unwrap_or(u8::MAX);
            for row in 0..canvas.size().height {
                for column in 0..canvas.size().width {
                    let inside = (2 * x..2 * x + width).contains(&column) && (2 * y..2 * y + height).contains(&row);
                    let pixel = canvas.pixel(column, row).unwrap();
                    if inside {
                        let off = [pixel.y.abs_diff(90), pixel.u.abs_diff(60), pixel.v.abs_diff(200)];
                        prop_assert!(off.iter().all(|off| *off <= darker), "{pixel:?} at {column},{row}");
                    } else {
                        prop_assert_eq!(pixel.y, Yuv::BLACK.y, "at {},{}", column, row);
                    }
                }
            }
        }

        #[test]
        fn four_quarter_turns_are_none((width, height) in (1_u32..70, 1_u32..70)) {
            let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
            let noise = |count: u32, seed: u32| -> Vec<u8> {
                (0..count).map(|at| (at.wrapping_mul(2_654_435_761) ^ seed).to_le_bytes()[2]).collect()
            };
            let (u, v) = (noise(half_width * half_height, 1), noise(half_width * half_height, 2));
            let original = Picture::from_planes(size(width, height), &noise(width * height, 0), &u, &v).unwrap();
            let turn = |picture: &Picture, rotation: Rotation| {
                let mut turned = Picture::filled(rotation.turned(picture.size()), Yuv::BLACK);
                turned.view_mut().rotate_from(&picture.view(), rotation);
                turned
            };
            let once = turn(&original, Rotation::Quarter);
            // Clockwise: the upper left corner becomes the upper right.
            prop_assert_eq!(once.pixel(height - 1, 0).unwrap().y, original.pixel(0, 0).unwrap().y);
            let twice = turn(&once, Rotation::Quarter);
            let half = turn(&original, Rotation::Half);
            prop_assert_eq!(twice.y(), half.y());
            let thrice = turn(&twice, Rotation::Quarter);
            let back = turn(&original, Rotation::ThreeQuarters);
            prop_assert_eq!(thrice.u(), back.u());
            let again = turn(&thrice, Rotation::Quarter);
            prop_assert_eq!((again.y(), again.u(), again.v()), (original.y(), original.u(), original.v()));
        }
    }
}
