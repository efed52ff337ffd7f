//! `layout` of `video.layout.changed`.

use serde::{Serialize, Serializer};

use crate::ids::{MemberId, RoomId, RoomSessionId};

/// The arrangement of the canvas.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Layout {
    /// Layout id.
    pub id: String,
    /// The same: applications compare it with the name they set.
    pub name: String,
    /// Grows with every arrangement; an extension of ours, by which `video.tiles.changed` says what it draws.
    pub version: u64,
    /// Where.
    pub room_id: RoomId,
    /// Where.
    pub room_session_id: RoomSessionId,
    /// Slots in order, then `playback`, then `full-screen`.
    pub layers: Vec<Layer>,
}

/// One rectangle, in percent of the canvas from its top left.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Layer {
    /// From 0.
    pub layer_index: u16,
    /// Larger is above.
    pub z_index: i16,
    /// Left.
    pub x: Percent,
    /// Top.
    pub y: Percent,
    /// Width.
    pub width: Percent,
    /// Height.
    pub height: Percent,
    /// Who; absent on empty slots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member_id: Option<MemberId>,
    /// Name of the slot.
    pub position: String,
    /// Tag that owns it.
    pub reservation: Option<String>,
    /// Holds a playback.
    pub playing_file: bool,
    /// False hides the overlay.
    pub visible: bool,
}

/// A share of the canvas, kept in steps of its 5040 × 5040 grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percent {
    steps: u16,
}

impl Percent {
    /// From steps of the grid.
    #[must_use]
    pub fn of_grid(steps: u16) -> Self {
        Self { steps }
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Four decimals, rounded as an integer: 1 000 000 / 5040 in lowest terms, whose odd divisor leaves no ties.
        let ten_thousandths = (u32::from(self.steps) * 12_500 + 31) / 63;
        if ten_thousandths.is_multiple_of(10_000) {
            serializer.serialize_u32(ten_thousandths / 10_000) // 50, not 50.0
        } else {
            serializer.serialize_f64(f64::from(ten_thousandths) / 10_000.0)
        }
    }
}
