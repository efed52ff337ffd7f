//! What a client that draws the layout itself is told, and tells.

use serde::{Deserialize, Serialize};

use super::layout::Percent;
use crate::ids::{CallId, MemberId};

/// `video.tiles.changed`: where each member is on the picture, and in which of the leg's streams.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TilesBody {
    /// The leg.
    pub call_id: CallId,
    /// Whose leg.
    pub member_id: MemberId,
    /// `version` of the layout it draws.
    pub version: u64,
    /// Every layer that holds a member, in slot order.
    pub video: Vec<VideoTile>,
    /// Every sound slot; none when the leg hears the mix.
    pub audio: Vec<AudioTile>,
}

/// One layer. Places are those of `video.layout.changed`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VideoTile {
    /// As in the layout.
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
    /// How its picture fills it: `contain`, `cover`, or `auto`: `cover` when that crops at most 15 %, else `contain`.
    pub fit: &'static str,
    /// Who.
    pub member_id: MemberId,
    /// In which recvonly video section, from 0; `null`: in none, draw a stand-in.
    pub slot: Option<u8>,
    /// Which encoding of the member's camera it is, 0 the smallest; `null`: none yet.
    pub encoding: Option<u8>,
}

/// One sound slot.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AudioTile {
    /// The recvonly audio section, from 0.
    pub slot: u8,
    /// Who is in it; `null`: nobody.
    pub member_id: Option<MemberId>,
}

/// `video.encodings.wanted`: which encodings of this leg's camera anybody watches.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WantedBody {
    /// The leg.
    pub call_id: CallId,
    /// Whose leg.
    pub member_id: MemberId,
    /// Every encoding of its simulcast, or its only one.
    pub encodings: Vec<Wanted>,
}

/// One encoding.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Wanted {
    /// As in the offer; empty for a camera of one stream.
    pub rid: String,
    /// False: nobody watches it, so it needs not be encoded.
    pub active: bool,
}

/// `video.tiles.set_viewport`.
#[derive(Clone, Debug, Deserialize)]
pub struct SetViewportParams {
    /// The leg.
    pub call_id: CallId,
    /// Of the whole picture at the viewer, in device pixels.
    pub width: u32,
    /// The same.
    pub height: u32,
}
