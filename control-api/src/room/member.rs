//! One member as the room knows it, with its media leg.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use layouts::Position;
use serde_json::{Map, Value};

use super::media::{Liveness, MemberSetup};
use super::offer::PeerIdentity;
use crate::grant::RoomGrant;
use crate::ids::{CallId, LegId, MemberId, RequestKey, RoomId, RoomSessionId, SessionKey};
use crate::level::{Sensitivity, Volume};
use crate::wire;

#[derive(Debug)]
pub(super) struct Member {
    pub(super) id: MemberId,
    pub(super) name: Arc<str>,
    pub(super) session: SessionKey,
    pub(super) call: CallId,
    /// Of the page's peer connection.
    pub(super) peer: Option<PeerIdentity>,
    pub(super) arrival: Arrival,
    pub(super) socket: Socket,
    pub(super) leg: Leg,
    pub(super) audio_muted: bool,
    pub(super) video_muted: bool,
    pub(super) deaf: bool,
    pub(super) on_hold: bool,
    pub(super) handraised: bool,
    /// How loud the others hear it.
    pub(super) input_volume: Volume,
    /// How loud it hears the others.
    pub(super) output_volume: Volume,
    pub(super) input_sensitivity: Sensitivity,
    pub(super) talking: bool,
    pub(super) requested: Position,
    /// As clients last heard.
    pub(super) seat: Seat,
    pub(super) meta: Map<String, Value>,
    /// The token's end of stay.
    pub(super) remove_at: Option<Instant>,
    /// Its leaving ends the room.
    pub(super) ends_room: bool,
}

/// How far a newcomer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// Its offer is not answered yet: nobody knows of it.
    Coming,
    /// Everybody does.
    In,
}

/// The page's WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Socket {
    Up,
    Lost,
}

/// Where the canvas shows a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seat {
    pub(super) position: Position,
    pub(super) visible: bool,
}

impl Seat {
    pub(super) const NOWHERE: Self = Self { position: Position::OffCanvas, visible: false };
}

/// A member's media.
///
/// ```text
///            answered             connected
///   Opening ──────────► Connecting ──────────► Live
///      │ ▲ until            │ until             │ ended by itself
///      ▼ │ invite           ▼                   ▼
///    (leaves) ◄───────────────────────────── Lost ── until ──► (leaves)
/// ```
#[derive(Debug)]
pub(super) enum Leg {
    /// The media plane has an offer.
    Opening { id: LegId, until: Instant, asked: Asked },
    /// The page has the answer.
    Connecting { id: LegId, until: Instant, asked: Asked },
    /// Media flows, or did.
    Live { id: LegId, liveness: Liveness, asked: Asked },
    /// The peer connection is gone; a reloaded page may bring another.
    Lost { until: Instant },
}

/// Offers under way in the media plane, which answers in order, and what each answer is for.
pub(super) type Asked = VecDeque<Purpose>;

/// More offers than that on their way and the next is refused: pages wait for an answer before they offer again.
pub(super) const MAX_ASKED: usize = 4;

/// What an answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A new member comes in.
    Join,
    /// A known member's page was loaded anew: it needs the state again.
    Reload,
    /// The same page, after losing its socket or path.
    Resume,
    /// `updateMedia`: the answer goes into the reply.
    Update(RequestKey),
}

impl Leg {
    pub(super) fn id(&self) -> Option<LegId> {
        match self {
            Self::Opening { id, .. } | Self::Connecting { id, .. } | Self::Live { id, .. } => Some(*id),
            Self::Lost { .. } => None,
        }
    }

    pub(super) fn asked_mut(&mut self) -> Option<&mut Asked> {
        match self {
            Self::Opening { asked, .. } | Self::Connecting { asked, .. } | Self::Live { asked, .. } => {
                Some(asked)
            }
            Self::Lost { .. } => None,
        }
    }

    /// The page is away: what has not connected by then will not.
    pub(super) fn hasten(&mut self, latest: Instant) {
        match self {
            Self::Opening { until, .. } | Self::Connecting { until, .. } => *until = latest.min(*until),
            Self::Live { .. } | Self::Lost { .. } => {}
        }
    }

    /// When it has lasted too long in this state.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Opening { until, .. } | Self::Connecting { until, .. } | Self::Lost { until } => {
                Some(*until)
            }
            Self::Live { .. } => None,
        }
    }
}

impl Member {
    pub(super) fn new(
        id: MemberId,
        grant: &RoomGrant,
        session: SessionKey,
        call: CallId,
        peer: Option<PeerIdentity>,
        leg: Leg,
    ) -> Self {
        Self {
            id,
            name: Arc::clone(&grant.user_name),
            session,
            call,
            peer,
            arrival: Arrival::Coming,
            socket: Socket::Up,
            leg,
            audio_muted: grant.join_audio_muted,
            video_muted: grant.join_video_muted,
            deaf: false,
            on_hold: false,
            handraised: false,
            input_volume: Volume::default(),
            output_volume: Volume::default(),
            input_sensitivity: Sensitivity::default(),
            talking: false,
            requested: Position::Auto,
            seat: Seat::NOWHERE,
            meta: grant.meta.clone(),
            remove_at: None,
            ends_room: grant.end_room_session_on_leave,
        }
    }

    pub(super) fn setup(&self) -> MemberSetup {
        MemberSetup {
            name: Arc::clone(&self.name),
            kind: wire::member::MemberKind::Member,
            parent: None,
            audience: false,
            audio_muted: self.audio_muted,
            video_muted: self.video_muted,
            position: self.requested,
        }
    }

    pub(super) fn is_in(&self) -> bool {
        self.arrival == Arrival::In
    }

    /// A muted camera is not seen, wherever it sits.
    pub(super) fn is_visible(&self) -> bool {
        self.seat.visible && !self.video_muted
    }

    /// What the media plane is told: while on hold, nobody sits anywhere.
    pub(super) fn asks_to_sit(&self) -> Position {
        if self.on_hold { Position::OffCanvas } else { self.requested }
    }

    /// While on hold, nobody is heard.
    pub(super) fn is_silenced(&self) -> bool {
        self.audio_muted || self.on_hold
    }

    pub(super) fn wire(
        &self,
        room: &RoomId,
        session: &RoomSessionId,
        updated: Option<Vec<&'static str>>,
    ) -> wire::member::Member {
        wire::member::Member {
            id: self.id.clone(),
            room_session_id: session.clone(),
            room_id: room.clone(),
            name: self.name.to_string(),
            kind: wire::member::MemberKind::Member,
            parent_id: String::new(),
            requested_position: self.requested.to_string(),
            current_position: self.seat.position.to_string(),
            visible: self.is_visible(),
            audio_muted: self.audio_muted,
            video_muted: self.video_muted,
            deaf: self.deaf,
            on_hold: self.on_hold,
            handraised: self.handraised,
            input_volume: self.input_volume,
            output_volume: self.output_volume,
            input_sensitivity: self.input_sensitivity,
            meta: self.meta.clone(),
            talking: self.talking,
            updated,
        }
    }
}
