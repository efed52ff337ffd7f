//! Somebody in the room, or on the way into it: who that is to the others, and everything known of it.
//!
//! | role | in `members` | sends | receives | ends |
//! |---|---|---|---|---|
//! | member | yes | yes | yes | by itself |
//! | audience | no | no | yes | by itself |
//! | child: a screen or device of a member | yes | yes | no | with its member, or before |
//!
//! One session has at most one member or audience, and that member's children.

use std::sync::Arc;
use std::time::{Duration, Instant};

use layouts::{LayoutId, Position, Tag, Tags};
use serde_json::{Map, Value};

use super::leg::{Call, Calls};
use super::media::MemberSetup;
use crate::grant::{JoinAs, MediaAllowed, RoomGrant};
use crate::ids::{MemberId, RoomId, RoomSessionId, SessionKey};
use crate::level::{Sensitivity, Volume};
use crate::session::ChildKind;
use crate::wire;
use crate::wire::member::MemberKind;

#[derive(Debug)]
pub(super) struct Participant {
    pub(super) id: MemberId,
    pub(super) role: Role,
    pub(super) name: Arc<str>,
    pub(super) session: SessionKey,
    pub(super) socket: Socket,
    pub(super) arrival: Arrival,
    pub(super) calls: Calls,
    pub(super) turn: Option<Turn>,
    /// Kinds of media it may send.
    pub(super) media_allowed: MediaAllowed,
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
    /// Which slots are its own.
    pub(super) tags: Tags,
    /// The token's end of stay.
    pub(super) remove_at: Option<Instant>,
    /// Its leaving as a member ends the room.
    pub(super) ends_room: bool,
}

/// What a participant is to the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Member,
    Audience,
    Child { of: MemberId, kind: ChildKind },
}

/// What somebody was told to become: its page comes by a new call.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Turn {
    /// It may be a member.
    ToMember(Entry),
    /// It is audience already.
    ToAudience,
}

/// As what a promoted one begins.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) media_allowed: MediaAllowed,
    pub(super) audio_muted: bool,
    pub(super) video_muted: bool,
    /// In place of what it has.
    pub(super) meta: Option<Map<String, Value>>,
}

/// How far a newcomer is.
#[derive(Debug, PartialEq)]
pub(super) enum Arrival {
    /// Its offer is not answered yet: nobody knows of it.
    Coming(Wishes),
    /// Everybody does.
    In,
}

/// How the canvas is to change when a newcomer is in. Only screens come with any.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Wishes {
    pub(super) layout: Option<LayoutId>,
    pub(super) positions: Vec<(MemberId, Position)>,
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

impl Role {
    pub(super) fn of(join_as: JoinAs) -> Self {
        match join_as {
            JoinAs::Member => Self::Member,
            JoinAs::Audience => Self::Audience,
        }
    }

    fn kind(&self) -> MemberKind {
        match self {
            Self::Member | Self::Audience => MemberKind::Member,
            Self::Child { kind: ChildKind::Screen, .. } => MemberKind::Screen,
            Self::Child { kind: ChildKind::Device, .. } => MemberKind::Device,
        }
    }
}

/// What the token's meta reserves for its holder; what is changed there later is the application's alone.
fn tags_of(meta: &Map<String, Value>) -> Tags {
    let tag = |name: &str| meta.get(name).and_then(Value::as_str).and_then(|text| text.parse::<Tag>().ok());
    Tags { reservation: tag("reservation"), role: tag("role") }
}

impl Participant {
    /// A person on the way in.
    pub(super) fn new(id: MemberId, grant: &RoomGrant, session: SessionKey, call: Call) -> Self {
        Self {
            media_allowed: grant.media_allowed,
            audio_muted: grant.join_audio_muted,
            video_muted: grant.join_video_muted,
            meta: grant.meta.clone(),
            tags: tags_of(&grant.meta),
            ends_room: grant.end_room_session_on_leave,
            ..Self::coming(id, Role::of(grant.join_as), Arc::clone(&grant.user_name), session, call)
        }
    }

    /// A screen or device of this member, on the way in.
    pub(super) fn child(&self, id: MemberId, kind: ChildKind, wishes: Wishes, call: Call) -> Self {
        let role = Role::Child { of: self.id.clone(), kind };
        Self {
            arrival: Arrival::Coming(wishes),
            media_allowed: self.media_allowed,
            ..Self::coming(id, role, Arc::clone(&self.name), self.session, call)
        }
    }

    fn coming(id: MemberId, role: Role, name: Arc<str>, session: SessionKey, call: Call) -> Self {
        Self {
            id,
            role,
            name,
            session,
            socket: Socket::Up,
            arrival: Arrival::Coming(Wishes::default()),
            calls: Calls::new(call),
            turn: None,
            media_allowed: MediaAllowed::All,
            audio_muted: false,
            video_muted: false,
            deaf: false,
            on_hold: false,
            handraised: false,
            input_volume: Volume::default(),
            output_volume: Volume::default(),
            input_sensitivity: Sensitivity::default(),
            talking: false,
            requested: Position::Auto,
            seat: Seat::NOWHERE,
            meta: Map::new(),
            tags: Tags::default(),
            remove_at: None,
            ends_room: false,
        }
    }

    pub(super) fn setup(&self) -> MemberSetup {
        MemberSetup {
            name: Arc::clone(&self.name),
            kind: self.role.kind(),
            parent: self.parent().cloned(),
            audience: self.role == Role::Audience,
            audio_muted: self.is_silenced(),
            video_muted: self.is_hidden(),
            position: self.requested,
        }
    }

    pub(super) fn is_in(&self) -> bool {
        self.arrival == Arrival::In
    }

    /// It is one of `members` on the wire.
    pub(super) fn is_listed(&self) -> bool {
        self.is_in() && self.role != Role::Audience
    }

    /// Promoted, and on its way as a member.
    pub(super) fn becomes_member(&self) -> bool {
        matches!(self.turn, Some(Turn::ToMember(_))) && self.calls.newest_is_turn()
    }

    /// A person, not something a person sends besides.
    pub(super) fn is_person(&self) -> bool {
        self.parent().is_none()
    }

    pub(super) fn is_screen(&self) -> bool {
        self.role.kind() == MemberKind::Screen
    }

    pub(super) fn parent(&self) -> Option<&MemberId> {
        match &self.role {
            Role::Member | Role::Audience => None,
            Role::Child { of, .. } => Some(of),
        }
    }

    /// A muted camera is not seen, wherever it sits.
    pub(super) fn is_visible(&self) -> bool {
        self.seat.visible && !self.video_muted
    }

    /// What the media plane is told: while on hold, nobody sits anywhere.
    pub(super) fn asks_to_sit(&self) -> Position {
        if self.on_hold { Position::OffCanvas } else { self.requested }
    }

    /// While on hold, nobody is heard; and who may send no sound never is, whatever its page sends.
    pub(super) fn is_silenced(&self) -> bool {
        self.audio_muted || self.on_hold || self.media_allowed == MediaAllowed::VideoOnly
    }

    /// The mute image takes the place of its picture, and always does for who may send no picture.
    pub(super) fn is_hidden(&self) -> bool {
        self.video_muted || self.media_allowed == MediaAllowed::AudioOnly
    }

    /// When time alone will end one of its calls, or its stay. `leave_after` is for who has lost its socket.
    pub(super) fn deadline(&self, leave_after: Duration) -> Option<Instant> {
        let without_socket = self.without_socket(leave_after);
        let calls = self.calls.iter().filter_map(|call| call.deadline(without_socket));
        calls.chain(self.remove_at).min()
    }

    pub(super) fn without_socket(&self, leave_after: Duration) -> Option<Duration> {
        (self.socket == Socket::Lost).then_some(leave_after)
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
            kind: self.role.kind(),
            parent_id: self.parent().map(ToString::to_string).unwrap_or_default(),
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
