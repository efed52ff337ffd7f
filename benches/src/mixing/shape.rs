//! Where pictures stand on the canvas, and what they show.

use clap::ValueEnum;
use layouts::{PixelRect, Size};

/// Every canvas.
pub(super) const CANVAS: Size = Size { width: 1280, height: 720 };

/// An arrangement, each for inputs of one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Grid {
    /// Four of 360p.
    TwoByTwo,
    /// Nine of 360p.
    ThreeByThree,
    /// 25 of 180p.
    FiveByFive,
    /// A screen of 720p with four cameras of 360p beside it.
    Screen,
}

/// What they show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// All move.
    Moving,
    /// One moves, the others are still pictures, sent at the full rate like any camera.
    Still,
}

impl Content {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Moving => "all moving",
            Self::Still => "all but one still",
        }
    }
}

impl Grid {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::TwoByTwo => "2x2 of 360p",
            Self::ThreeByThree => "3x3 of 360p",
            Self::FiveByFive => "5x5 of 180p",
            Self::Screen => "screen 720p and 4 of 360p",
        }
    }

    /// Inputs and rectangles, in order; none overlaps another.
    pub(super) fn layers(self) -> Vec<(Size, PixelRect)> {
        let camera = Size { width: 640, height: 360 };
        match self {
            Self::TwoByTwo => grid(2, camera),
            Self::ThreeByThree => grid(3, camera),
            Self::FiveByFive => grid(5, Size { width: 320, height: 180 }),
            Self::Screen => {
                let screen = PixelRect { x: 0, y: 90, width: 960, height: 540 };
                let beside = (0..4).map(|n| {
                    let rect = PixelRect { x: 960, y: n * 180, width: 320, height: 180 };
                    (camera, rect)
                });
                [(CANVAS, screen)].into_iter().chain(beside).collect()
            }
        }
    }
}

fn grid(side: u32, size: Size) -> Vec<(Size, PixelRect)> {
    // Chroma begins at even pixels.
    let edge = |n: u32, length: u32| length * n / side / 2 * 2;
    let cells = (0..side).flat_map(|row| (0..side).map(move |column| (column, row)));
    let rect = |(column, row)| {
        let (x, y) = (edge(column, CANVAS.width), edge(row, CANVAS.height));
        let width = edge(column + 1, CANVAS.width) - x;
        PixelRect { x, y, width, height: edge(row + 1, CANVAS.height) - y }
    };
    cells.map(|cell| (size, rect(cell))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids_fill_the_canvas() {
        for (grid, count) in [(Grid::TwoByTwo, 4), (Grid::ThreeByThree, 9), (Grid::FiveByFive, 25)] {
            let layers = grid.layers();
            assert_eq!(layers.len(), count);
            let area: u32 = layers.iter().map(|(_, rect)| rect.width * rect.height).sum();
            assert_eq!(area, CANVAS.width * CANVAS.height);
            assert!(layers.iter().all(|(_, r)| [r.x, r.y, r.width, r.height].iter().all(|n| n % 2 == 0)));
        }
    }
}
