//! A picture: I420 in one allocation, shared and never changed once shared.
//!
//! in:  a size, and somebody who draws
//! out: `Arc<Picture>`s, whose allocations come back to their pool by themselves
//!
//! Two `Arc`s of the same allocation are the same picture: whoever holds one keeps the pool from drawing over it.

use std::fmt;
use std::sync::Arc;

use layouts::{PixelRect, Size};

use super::blocks::Comparison;
use super::yuv::{View, ViewMut};
use super::{Rgb, Yuv};

/// Rows begin at multiples of this many bytes, so that vector loads do not straddle rows.
const ROW_ALIGN: usize = 64;
/// Bytes after the last plane: scalers may load (not use) a vector beyond the last pixel.
const SLACK: usize = 64;
/// Pictures no block of which differs by more are the same: half a step of 256 in the mean. Encoders of still cameras keep
/// wavering by less.
const SAME: u32 = 128;

/// Three planes, 4:2:0, 8 bits; chroma planes of odd sizes are rounded up.
pub struct Picture {
    size: Size,
    y_stride: usize,
    chroma_stride: usize,
    data: Vec<u8>,
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Picture({}x{})", self.size.width, self.size.height)
    }
}

impl Picture {
    /// A picture of one colour. A side of 0 becomes 1.
    #[must_use]
    pub fn filled(size: Size, color: impl Into<Yuv>) -> Self {
        let mut picture = Self::zeroed(size);
        picture.view_mut().fill(color.into());
        picture
    }

    /// A picture of these rows: `y` of `width`, `u` and `v` of half of it rounded up, without gaps between rows.
    /// `None` when a plane has another length.
    #[must_use]
    pub fn from_planes(size: Size, y: &[u8], u: &[u8], v: &[u8]) -> Option<Self> {
        let (width, half) = (size.width as usize, size.width.div_ceil(2) as usize);
        let (rows, half_rows) = (size.height as usize, size.height.div_ceil(2) as usize);
        let right = y.len() == width * rows && u.len() == half * half_rows && v.len() == half * half_rows;
        let view = View::new(size, [y, u, v], [width, half, half]).filter(|_| right)?;
        let mut picture = Self::zeroed(size);
        picture.view_mut().copy_from(&view);
        Some(picture)
    }

    /// A picture whose pixels mean nothing yet.
    fn zeroed(size: Size) -> Self {
        let size = Size { width: size.width.max(1), height: size.height.max(1) };
        let y_stride = (size.width as usize).next_multiple_of(ROW_ALIGN);
        let chroma_stride = (size.width.div_ceil(2) as usize).next_multiple_of(ROW_ALIGN);
        let (rows, half_rows) = (size.height as usize, size.height.div_ceil(2) as usize);
        let data = vec![0; y_stride * rows + 2 * chroma_stride * half_rows + SLACK];
        Self { size, y_stride, chroma_stride, data }
    }

    /// Pixels.
    #[must_use]
    pub fn size(&self) -> Size {
        self.size
    }

    /// Bytes from one luma row to the next.
    #[must_use]
    pub fn y_stride(&self) -> usize {
        self.y_stride
    }

    /// Bytes from one chroma row to the next, in both planes.
    #[must_use]
    pub fn chroma_stride(&self) -> usize {
        self.chroma_stride
    }

    /// Luma rows, each [`Self::y_stride`] long.
    #[must_use]
    pub fn y(&self) -> &[u8] {
        self.planes().0
    }

    /// Blue-difference rows, each [`Self::chroma_stride`] long.
    #[must_use]
    pub fn u(&self) -> &[u8] {
        self.planes().1
    }

    /// Red-difference rows, each [`Self::chroma_stride`] long.
    #[must_use]
    pub fn v(&self) -> &[u8] {
        self.planes().2
    }

    /// The pixel at a place; `None` outside.
    #[must_use]
    pub fn pixel(&self, x: u32, y: u32) -> Option<Yuv> {
        if x >= self.size.width || y >= self.size.height {
            return None;
        }
        let chroma = (y / 2) as usize * self.chroma_stride + (x / 2) as usize;
        Some(Yuv {
            y: *self.y().get(y as usize * self.y_stride + x as usize)?,
            u: *self.u().get(chroma)?,
            v: *self.v().get(chroma)?,
        })
    }

    /// All pixels as RGB bytes, row by row: for pictures on disk, not for a hot path.
    #[must_use]
    pub fn to_rgb(&self) -> Vec<u8> {
        let Size { width, height } = self.size;
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        places
            .filter_map(|(x, y)| self.pixel(x, y))
            .flat_map(|yuv| {
                let Rgb(r, g, b) = yuv.into();
                [r, g, b]
            })
            .collect()
    }

    fn split(&self) -> (usize, usize) {
        let y_len = self.y_stride * self.size.height as usize;
        (y_len, self.chroma_stride * self.size.height.div_ceil(2) as usize)
    }

    fn planes(&self) -> (&[u8], &[u8], &[u8]) {
        let (y_len, chroma_len) = self.split();
        let (y, chroma) = self.data.split_at(y_len);
        let (u, rest) = chroma.split_at(chroma_len);
        (y, u, rest.split_at(chroma_len).0)
    }

    /// The whole picture, to read.
    pub(crate) fn view(&self) -> View<'_> {
        let (y, u, v) = self.planes();
        View::new(self.size, [y, u, v], [self.y_stride, self.chroma_stride, self.chroma_stride])
            .expect("planes are as long as their size says")
    }

    /// The whole picture, to draw on.
    pub(crate) fn view_mut(&mut self) -> ViewMut<'_> {
        let (y_len, chroma_len) = self.split();
        let (y, chroma) = self.data.split_at_mut(y_len);
        let (u, rest) = chroma.split_at_mut(chroma_len);
        let (v, _slack) = rest.split_at_mut(chroma_len);
        ViewMut::new(self.size, [y, u, v], [self.y_stride, self.chroma_stride, self.chroma_stride])
            .expect("planes are as long as their size says")
    }

    /// The rectangle that is the whole picture.
    pub(crate) fn bounds(&self) -> PixelRect {
        PixelRect { x: 0, y: 0, width: self.size.width, height: self.size.height }
    }
}

/// Allocations of recent pictures, taken again once nobody else holds them.
///
/// When all are held, the next picture is allocated outside the pool and simply freed later.
#[derive(Debug)]
pub(crate) struct PicturePool {
    slots: Vec<Arc<Picture>>,
    capacity: usize,
    latest: Option<Arc<Picture>>,
    comparison: Comparison,
}

impl PicturePool {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { slots: Vec::new(), capacity, latest: None, comparison: Comparison::default() }
    }

    /// The latest picture of [`Self::draw_next`], when this one shows the same.
    pub(crate) fn unchanged(&mut self, view: &View<'_>) -> Option<Arc<Picture>> {
        let latest = self.latest.as_ref()?;
        self.comparison.is_same(&latest.view(), view, SAME).then(|| Arc::clone(latest))
    }

    /// As [`Self::draw`], and remembered to compare the next with.
    pub(crate) fn draw_next(&mut self, size: Size, draw: impl FnOnce(&mut ViewMut<'_>)) -> Arc<Picture> {
        let picture = self.draw(size, draw);
        self.latest = Some(Arc::clone(&picture));
        picture
    }

    /// A picture of that size, drawn by `draw`, which must set every pixel: a reused allocation has old ones.
    pub(crate) fn draw(&mut self, size: Size, draw: impl FnOnce(&mut ViewMut<'_>)) -> Arc<Picture> {
        self.slots.retain(|slot| slot.size() == size);
        if let Some(slot) = self.slots.iter_mut().find(|slot| Arc::strong_count(slot) == 1)
            && let Some(picture) = Arc::get_mut(slot)
        {
            draw(&mut picture.view_mut());
            return Arc::clone(slot);
        }
        let mut picture = Picture::zeroed(size);
        draw(&mut picture.view_mut());
        let picture = Arc::new(picture);
        if self.slots.len() < self.capacity {
            self.slots.push(Arc::clone(&picture));
        }
        picture
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RED: Rgb = Rgb(255, 0, 0);

    #[test]
    fn odd_sizes_round_chroma_up() {
        for (width, height) in [(1, 1), (2, 2), (3, 5), (17, 16), (639, 361)] {
            let picture = Picture::filled(Size { width, height }, RED);
            assert_eq!(picture.pixel(width - 1, height - 1), Some(RED.into()), "{width}x{height}");
            assert_eq!(picture.pixel(width, 0), None);
            assert_eq!(picture.pixel(0, height), None);
            assert_eq!(picture.u().len(), picture.chroma_stride() * height.div_ceil(2) as usize);
        }
    }

    #[test]
    fn planes_of_a_wrong_length_are_refused() {
        let size = Size { width: 3, height: 3 };
        assert!(Picture::from_planes(size, &[9; 9], &[1; 4], &[2; 4]).is_some());
        assert!(Picture::from_planes(size, &[9; 9], &[1; 4], &[2; 3]).is_none());
        assert!(Picture::from_planes(size, &[9; 10], &[1; 4], &[2; 4]).is_none());
    }

    #[test]
    fn a_pool_reuses_only_what_nobody_holds() {
        let size = Size { width: 32, height: 32 };
        let mut pool = PicturePool::new(2);
        let mut draw = |value| pool.draw(size, |view| view.fill(Yuv { y: value, u: 0, v: 0 }));
        let first = draw(1);
        let second = draw(2);
        assert!(!Arc::ptr_eq(&first, &second));
        let first_at = Arc::as_ptr(&first);
        drop(first);
        assert_eq!(Arc::as_ptr(&draw(3)), first_at);
        let kept: Vec<_> = (4..10).map(draw).collect();
        let luma: Vec<u8> = kept.iter().map(|picture| picture.y()[0]).collect();
        assert_eq!(luma, [4, 5, 6, 7, 8, 9], "beyond its capacity a pool allocates, and overwrites nothing");
        assert_eq!(second.y()[0], 2);
        assert!(pool.slots.len() <= 2);
    }

    #[test]
    fn a_pool_forgets_another_size() {
        let mut pool = PicturePool::new(4);
        for side in [16, 32, 16] {
            let size = Size { width: side, height: side };
            assert_eq!(pool.draw(size, |view| view.fill(Yuv::BLACK)).size(), size);
            assert_eq!(pool.slots.len(), 1);
        }
    }
}
