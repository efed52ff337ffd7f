//! The integer grid under every layout, and the way from it to pixels and percentages.
//!
//! in:  a rectangle on the grid, a canvas in pixels
//! out: the same rectangle in pixels, or in per cent of the canvas
//!
//!   edge(u) = 2 * floor(u * D / (2 * GRID))        left = edge(x), width = edge(x + w) - edge(x)
//!
//! Pixels come from edges and never from sizes: neighbours share an edge, so no rounding opens a gap between
//! them or lets them overlap, and the last column takes the remainder. Edges are even because pictures are 4:2:0.

/// Steps of the grid in each direction: exact for 1–10, 12, 14, 15 and 16 columns.
pub(crate) const GRID: u16 = 5040;

/// Grid steps in one unit of a layout table, which counts 360 to the canvas.
pub(crate) const TABLE_UNIT: u16 = GRID / 360;

/// Pixels of a canvas or a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Size {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

/// A rectangle on the 5040 × 5040 grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GridRect {
    /// Left edge.
    pub x: u16,
    /// Top edge.
    pub y: u16,
    /// Width, > 0.
    pub w: u16,
    /// Height, > 0.
    pub h: u16,
}

/// A rectangle in pixels, all edges even.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PixelRect {
    /// Left edge.
    pub x: u32,
    /// Top edge.
    pub y: u32,
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

impl GridRect {
    /// From where its middle is heard in stereo, −1000, left, to 1000, right: one at the edge not quite from the edge.
    pub(crate) fn heard_from(self) -> i16 {
        let centre = i32::from(self.x) * 2 + i32::from(self.w) - i32::from(GRID);
        i16::try_from(centre * 1000 / i32::from(GRID)).unwrap_or_default()
    }

    /// The whole canvas.
    pub const WHOLE: Self = Self { x: 0, y: 0, w: GRID, h: GRID };

    /// From the units of a layout table.
    pub(crate) const fn from_table((x, y, w, h): (u16, u16, u16, u16)) -> Self {
        Self { x: x * TABLE_UNIT, y: y * TABLE_UNIT, w: w * TABLE_UNIT, h: h * TABLE_UNIT }
    }

    /// The rectangle on a canvas of that many pixels.
    #[must_use]
    pub fn pixels(self, canvas: Size) -> PixelRect {
        let (x, width) = span(self.x, self.w, canvas.width);
        let (y, height) = span(self.y, self.h, canvas.height);
        PixelRect { x, y, width, height }
    }

    /// Whether the two have any square of the grid in common.
    pub(crate) fn overlaps(self, other: Self) -> bool {
        let apart =
            |start: u16, length: u16, other: u16, its: u16| start + length <= other || other + its <= start;
        !apart(self.x, self.w, other.x, other.w) && !apart(self.y, self.h, other.y, other.h)
    }

    /// Whether it is the whole canvas.
    #[must_use]
    pub fn is_whole(self) -> bool {
        self == Self::WHOLE
    }

    /// How much of the canvas it covers, in squares of the grid.
    #[must_use]
    pub fn area(self) -> u32 {
        u32::from(self.w) * u32::from(self.h)
    }

    /// `(x, y, width, height)` in per cent of the canvas, rounded to 4 decimals.
    #[must_use]
    pub fn percent(self) -> (f64, f64, f64, f64) {
        (percent(self.x), percent(self.y), percent(self.w), percent(self.h))
    }
}

fn span(start: u16, length: u16, pixels: u32) -> (u32, u32) {
    let near = edge(u32::from(start), pixels);
    let far = edge(u32::from(start) + u32::from(length), pixels);
    (near, far - near)
}

fn edge(at: u32, pixels: u32) -> u32 {
    let edge = 2 * (u64::from(at) * u64::from(pixels) / (2 * u64::from(GRID)));
    u32::try_from(edge).unwrap_or(u32::MAX - 1)
}

/// Rounds as an integer, so that the same grid value gives the same digits on every machine.
fn percent(steps: u16) -> f64 {
    // 1 000 000 / GRID in lowest terms, which fits 32 bits; the odd divisor leaves no ties.
    let ten_thousandths = (u32::from(steps) * 12_500 + 31) / 63;
    f64::from(ten_thousandths) / 10_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(canvas: (u32, u32), table: (u16, u16, u16, u16), pixels: (u32, u32, u32, u32)) {
        let rect = GridRect::from_table(table).pixels(Size { width: canvas.0, height: canvas.1 });
        assert_eq!((rect.x, rect.y, rect.width, rect.height), pixels, "{table:?} on {canvas:?}");
    }

    #[test]
    fn pixels_come_from_even_edges() {
        check((1280, 720), (0, 0, 120, 120), (0, 0, 426, 240));
        check((1280, 720), (120, 0, 120, 120), (426, 0, 426, 240));
        check((1280, 720), (240, 0, 120, 120), (852, 0, 428, 240));
        check((1280, 720), (0, 0, 240, 240), (0, 0, 852, 480));
        check((1280, 720), (300, 0, 60, 60), (1066, 0, 214, 120));
        check((1280, 720), (0, 90, 180, 180), (0, 180, 640, 360));
        check((1920, 1080), (0, 0, 120, 120), (0, 0, 640, 360));
        check((1920, 1080), (300, 300, 60, 60), (1600, 900, 320, 180));
        check((854, 480), (288, 288, 72, 72), (682, 384, 172, 96));
    }

    #[test]
    fn the_last_line_of_an_odd_canvas_is_background() {
        check((853, 479), (0, 0, 360, 360), (0, 0, 852, 478));
    }

    #[test]
    fn percentages_have_four_decimals() {
        let third = GridRect::from_table((120, 240, 120, 24)).percent();
        assert_eq!(third, (33.3333, 66.6667, 33.3333, 6.6667));
        assert_eq!(GridRect::WHOLE.percent(), (0.0, 0.0, 100.0, 100.0));
    }
}
