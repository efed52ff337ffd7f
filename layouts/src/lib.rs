//! Geometry of room layouts, and [`Stage`], the stateful placement.
//!
//! in:  canvas size, layout, sources with their attributes, time as an argument
//! out: layers in drawing order, and whether anything changed
//!
//! No I/O, no clock, no floats in stored state.

mod grid;
mod position;
mod source;

mod catalogue;
mod slots;

mod layer;
mod place;
mod queue;

mod headroom;
mod lead;
mod stage;

pub use catalogue::LayoutId;
pub use grid::{GridRect, PixelRect, Size};
pub use layer::{Fit, Layer, Placed};
pub use position::{Position, UnknownPosition};
pub use source::{Millis, Showing, Source, SourceKey, SourceKind};
pub use stage::{Stage, StageInput};
