//! Geometry of room layouts, and [`Stage`], the stateful placement.
//!
//! in:  canvas size, layout, sources with their attributes, time as an argument
//! out: layers in drawing order, and whether anything changed
//!
//! No I/O, no clock, no floats in stored state.

use std::fmt;

/// Pixels of a canvas or a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Size {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

/// A layout of the catalogue, by its place there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LayoutId(u16);

impl LayoutId {
    /// The default of a room: `grid-responsive`.
    pub const GRID_RESPONSIVE: Self = Self(0);

    /// Public name; also the `id` and `name` of `layout.changed`.
    #[must_use]
    pub fn name(self) -> &'static str {
        "grid-responsive"
    }

    /// The layout of that name.
    #[must_use]
    pub fn by_name(_name: &str) -> Option<Self> {
        None
    }

    /// All layouts a room offers, in the order `list_available_layouts` gives them.
    pub fn available() -> impl Iterator<Item = Self> {
        [Self::GRID_RESPONSIVE].into_iter()
    }
}

/// Where a source asks to sit, or sits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Position {
    /// The engine decides.
    #[default]
    Auto,
    /// `standard-N`, from 1.
    Standard(u16),
    /// `reserved-N`, from 1.
    Reserved(u16),
    /// Not in the picture.
    OffCanvas,
    /// The playback layer.
    Playback,
    /// The whole canvas, above everything.
    FullScreen,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Standard(n) => write!(f, "standard-{n}"),
            Self::Reserved(n) => write!(f, "reserved-{n}"),
            Self::OffCanvas => f.write_str("off-canvas"),
            Self::Playback => f.write_str("playback"),
            Self::FullScreen => f.write_str("full-screen"),
        }
    }
}

/// Says which text is no position.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a position")]
pub struct UnknownPosition(pub String);

impl std::str::FromStr for Position {
    type Err = UnknownPosition;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            _ => Err(UnknownPosition(text.to_owned())),
        }
    }
}

/// Milliseconds since any fixed moment; only differences count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis(pub u64);

/// A source of pictures; the caller numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceKey(pub u32);

/// What a source can show now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Showing {
    /// Real pictures (also when starved: the last one stays).
    Video,
    /// Video muted: the mute image.
    MuteImage,
    /// Sends no video: the avatar or initials.
    Avatar,
}

/// What kind of source it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SourceKind {
    /// Camera of a member.
    Member,
    /// Screen share.
    Screen,
    /// Played file or stream.
    Playback,
}

/// One source and its attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Who.
    pub key: SourceKey,
    /// What.
    pub kind: SourceKind,
    /// Order of joining, smaller first.
    pub joined: u64,
    /// Order of the last position request, larger is later; 0 when never asked.
    pub asked: u64,
    /// Where it asks to sit.
    pub requested: Position,
    /// What it can show.
    pub showing: Showing,
    /// On hold: not shown.
    pub on_hold: bool,
    /// When the hand was raised, if it is up.
    pub hand_raised: Option<Millis>,
    /// When it was last heard speaking.
    pub last_spoke: Option<Millis>,
}

/// Everything placement depends on.
#[derive(Clone, Debug)]
pub struct StageInput<'a> {
    /// The layout in force.
    pub layout: LayoutId,
    /// The canvas.
    pub canvas: Size,
    /// Who is there, in any order.
    pub sources: &'a [Source],
    /// Who has the floor, if anybody.
    pub floor: Option<SourceKey>,
    /// Muted videos leave the canvas.
    pub hide_video_muted: bool,
    /// Members without video leave the canvas.
    pub video_required: bool,
    /// Raised hands sort first.
    pub prioritize_handraise: bool,
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

/// How a picture fills a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fit {
    /// Entirely inside, bars around.
    Contain,
    /// Fills, excess cropped.
    Cover,
    /// `Cover` if at most 15 % would be lost, else `Contain`.
    Auto,
}

/// A slot after placement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Slot order, from 0; `playback` and `full-screen` last.
    pub index: u16,
    /// Drawing order, larger is above.
    pub z: i16,
    /// Where.
    pub rect: GridRect,
    /// Name of the slot.
    pub position: Position,
    /// Who, if occupied.
    pub source: Option<SourceKey>,
    /// How the picture is fitted.
    pub fit: Fit,
    /// Tag that owns the slot.
    pub reservation: Option<&'static str>,
    /// Occupied by a playback.
    pub playing_file: bool,
    /// False when fully covered by a `full-screen` occupant.
    pub visible: bool,
}

/// The arrangement of a canvas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Grows by one with every change.
    pub version: u64,
    /// The layout as it was set (a responsive one keeps its name).
    pub layout: LayoutId,
    /// Slots in order, then `playback`, then `full-screen`.
    pub layers: Vec<Layer>,
}

/// The stateful placement of one canvas.
#[derive(Clone, Debug, Default)]
pub struct Stage {}

impl Stage {
    /// Takes the state of the room at `now`; gives the new arrangement if it changed.
    pub fn update(&mut self, _now: Millis, _input: &StageInput<'_>) -> Option<Placed> {
        None
    }

    /// When `update` wants to be called again without a new input (hysteresis).
    #[must_use]
    pub fn deadline(&self) -> Option<Millis> {
        None
    }
}
