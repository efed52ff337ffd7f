//! What the media plane tells the control plane.

use std::time::Duration;

use layouts::Placed;

use crate::units::{LegKey, MemberKey, RoomKey};

/// One happening in a media room.
#[allow(missing_docs, reason = "each variant's sentence speaks of its fields")]
#[derive(Debug)]
pub enum Event {
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
    /// Speech began or ended.
    Talking { room: RoomKey, member: MemberKey, talking: bool },
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
