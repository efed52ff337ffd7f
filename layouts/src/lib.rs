//! Geometry of room layouts, and [`Stage`], the stateful placement.
//!
//! in:  canvas size, layout, sources with their attributes, time as an argument
//! out: layers in drawing order, and whether anything changed
//!
//! No I/O, no clock, no floats in stored state.

mod grid;
mod position;
mod source;
mod tag;

mod catalogue;
mod defined;
mod fixed;
mod plan;
mod slots;
mod tables;

mod layer;
mod look;
mod place;
mod queue;

mod headroom;
mod lead;
mod stage;

mod demand;
mod preview;
mod svg;

pub use catalogue::LayoutId;
pub use defined::{
    Grounds, MAX_DEFINED, MAX_GROUP, MAX_SLOTS, Refusal, define, define_all, define_what_can_be,
    is_image_name,
};
pub use demand::{fills_the_canvas, largest};
pub use grid::{GridRect, PixelRect, Size};
pub use layer::{Fit, Layer, Pan, Placed, Rgb};
pub use look::{Look, MAX_BORDER, MAX_FADE_MS, Overlays};
pub use plan::{Options, Rules};
pub use position::{Position, UnknownPosition};
pub use preview::{MAX_PREVIEWED, preview, with_members};
pub use source::{Millis, Showing, Source, SourceKey, SourceKind};
pub use stage::{Stage, StageInput};
pub use svg::Drawing;
pub use tag::{NoTag, Tag, Tags};
