//! What the media plane tells the control plane.

use std::time::Duration;

use bytes::Bytes;
use layouts::{GridRect, Placed};

use super::recorded::Recorded;
use crate::transport::DataEvent;
use crate::units::{EncodingIndex, LegKey, MemberKey, Rid, RoomKey};

/// One happening in a media room.
#[allow(missing_docs, reason = "each variant's sentence speaks of its fields")]
#[derive(Debug)]
pub enum Event {
    /// A small picture of the canvas, as JPEG.
    Preview { room: RoomKey, jpeg: Bytes },
    /// The answer to `OpenLeg` or `ReofferLeg`.
    LegAnswered { room: RoomKey, leg: LegKey, sdp: String },
    /// All transports of the leg have keys: media can flow. `took` counts from the offer.
    LegConnected { room: RoomKey, leg: LegKey, took: Duration },
    /// An authenticated packet (RTP, RTCP or STUN) came again, or none has come for a while.
    LegLiveness { room: RoomKey, leg: LegKey, liveness: Liveness },
    /// The leg is over, not by a command.
    LegEnded { room: RoomKey, leg: LegKey, why: LegEnd },
    /// The picture has a new arrangement; a layer's source is a [`MemberKey`] by number.
    Placed { room: RoomKey, placed: Placed },
    /// What a tile leg receives in which slot, whenever that changes.
    Tiles { room: RoomKey, leg: LegKey, tiles: Tiles },
    /// Which encodings of a simulcast camera somebody looks at: for its publisher, who may leave out the others.
    Wanted { room: RoomKey, leg: LegKey, encodings: Vec<WantedEncoding> },
    /// Something happened on the data channels of a leg.
    Data { room: RoomKey, leg: LegKey, data: DataEvent },
    /// Speech began or ended.
    Talking { room: RoomKey, member: MemberKey, talking: bool },
    /// Between `StartRecording` and `StopRecording`: some 70 a second, and whoever takes them must not wait.
    Recorded { room: RoomKey, recorded: Recorded },
}

/// The slots of a tile leg and the layers they show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tiles {
    /// Of the [`Placed`] they belong to.
    pub version: u64,
    /// Every occupied, visible layer.
    pub video: Vec<VideoTile>,
    /// Every audio slot; none where the leg hears the mix.
    pub audio: Vec<AudioTile>,
}

/// A layer as a tile leg has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VideoTile {
    /// Index of the layer.
    pub layer: u16,
    /// Who is in it.
    pub member: MemberKey,
    /// The stream that shows it; without one the client draws a stand-in.
    pub slot: Option<u8>,
    /// Which encoding is chosen; `None` while there is nothing to send.
    pub encoding: Option<EncodingIndex>,
    /// Where on the canvas.
    pub rect: GridRect,
    /// Drawing order, larger is above.
    pub z: i16,
}

/// An audio slot of a tile leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioTile {
    /// Its number.
    pub slot: u8,
    /// Who is heard in it.
    pub member: Option<MemberKey>,
}

/// Whether an encoding of a camera is of use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedEncoding {
    /// Which.
    pub rid: Rid,
    /// Somebody looks at it.
    pub active: bool,
}

/// Whether a leg is heard from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// Packets come (again).
    Alive,
    /// No authenticated packet for 5 s: its picture is a stand-in.
    Stale,
    /// None for 15 s.
    Silent,
    /// None for 30 s.
    Gone,
}

/// Why a leg ended by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegEnd {
    /// DTLS close_notify: the browser closed its peer connection.
    PeerClosed,
    /// DTLS did not complete, or the certificate was not the one in the SDP.
    HandshakeFailed(String),
    /// Nobody came within the time for ICE and DTLS.
    NeverConnected,
    /// Newer legs of the same member have pushed it out: nobody closed it in time.
    Superseded,
    /// The offer cannot be answered; says why.
    Refused(String),
}
