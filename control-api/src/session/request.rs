//! What passes between a session and a room session.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::event::Event;
use crate::grant::{Authority, RoomGrant, Standing};
use crate::ids::{CallId, MemberId, RequestKey, RoomId, RoomSessionId, SessionKey};
use crate::receive::LegReceive;
use crate::wire::verto;

/// Something a session wants of a room. Every one is answered once, by [`RoomMessage::Reply`].
#[derive(Clone, Debug, PartialEq)]
pub struct RoomRequest {
    /// Which room; the shell finds it, or makes it if [`RoomRequest::opens_room`].
    pub route: Route,
    /// Who asks.
    pub from: Sender,
    /// What the reply must carry.
    pub key: RequestKey,
    /// What.
    pub command: Command,
}

/// How a request names its room.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Route {
    /// The running session of the room of that name, in the sender's project.
    Name(Arc<str>),
    /// That room session.
    Id(RoomSessionId),
}

/// Who asks, with what it may do.
#[derive(Clone, Debug, PartialEq)]
pub struct Sender {
    /// Where replies and events go.
    pub session: SessionKey,
    /// As of now: it changes with `signalwire.reauthenticate`.
    pub authority: Arc<Authority>,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// `verto.invite`.
    Invite(Invite),
    /// `verto.modify` with action `updateMedia`.
    UpdateMedia {
        /// Which leg.
        call: CallId,
        /// The offer.
        sdp: String,
        /// What its client says it receives, if it does.
        receive: Option<LegReceive>,
    },
    /// `verto.modify` with action `hold` or `unhold`.
    Hold {
        /// Which leg.
        call: CallId,
        /// Away, or back.
        held: bool,
    },
    /// `verto.info`.
    Info {
        /// Which leg.
        call: CallId,
    },
    /// `verto.bye`.
    Bye {
        /// Which leg.
        call: CallId,
    },
    /// A room method.
    Method {
        /// Name, from the table of methods.
        name: &'static str,
        /// As they came.
        params: Value,
    },
    /// Send me your events from now on.
    Watch {
        /// And `video.room.subscribed` first.
        initial_state: bool,
    },
}

/// A leg that wants to come in, or one that is known and comes again.
#[derive(Clone, Debug, PartialEq)]
pub struct Invite {
    /// Its name.
    pub call: CallId,
    /// Its offer.
    pub sdp: String,
    /// What it carries.
    pub role: LegRole,
    /// Its session is proven to be the one that has the call, if the call is known.
    pub may_resume: bool,
    /// What its client says it receives, if it does: the canvas, or what the call it follows received.
    pub receive: Option<LegReceive>,
    /// How it came.
    pub via: Via,
}

/// The protocol that a leg came by, which says in which directions media go at most and how it is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Via {
    /// Verto, from an SDK.
    #[default]
    Verto,
    /// RFC 9725: the client sends and receives nothing.
    Whip,
    /// The client receives and sends nothing.
    Whep,
}

/// Whose media a leg carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegRole {
    /// The person's own.
    Person,
    /// Something that person sends besides.
    Child(ExtraLeg),
}

/// A leg that a member sends besides its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtraLeg {
    /// What it carries.
    pub kind: ChildKind,
    /// Layout to take when it is in.
    pub layout: Option<String>,
    /// Places to take when it is in, by member; `self` is the newcomer.
    pub positions: BTreeMap<String, String>,
}

/// What a member can send besides its camera and microphone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildKind {
    /// A screen.
    Screen,
    /// Another camera or microphone.
    Device,
}

/// What a session tells rooms unasked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Its socket is gone; it may come back.
    SocketLost,
    /// There is a socket again.
    SocketBack,
    /// It will not come back.
    Gone,
}

/// What a room sends to a session. The shell keeps their order.
#[derive(Clone, Debug, PartialEq)]
pub enum RoomMessage {
    /// To a request.
    Reply {
        /// Which.
        request: RequestKey,
        /// How it went.
        reply: Reply,
    },
    /// To those who are subscribed.
    Event(Arc<Event>),
    /// To one leg.
    Verto(VertoMessage),
    /// To the page of one leg, whatever it is subscribed to.
    Leg(LegEvent),
    /// The session's member is something else now.
    RoleChanged(Box<RoleChange>),
}

/// A promotion or demotion, for the session it is about.
#[derive(Clone, Debug, PartialEq)]
pub struct RoleChange {
    /// Who.
    pub member: MemberId,
    /// Where.
    pub room: RoomId,
    /// Where.
    pub room_session: RoomSessionId,
    /// Its `event_channel`.
    pub channel: Arc<str>,
    /// As what.
    pub standing: Standing,
}

/// How a request went.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// Room method: these fields beside `code` and `message`. Verto: the inner result.
    Done(Value),
    /// Refused, with one of the codes applications compare with.
    Refused {
        /// `"403"`, `"404"`, `"422"`, `"500"`.
        code: &'static str,
        /// For people.
        message: String,
    },
    /// Verto only: inner error `-32002 CALL ERROR`, with the reason in its `data`.
    CallError {
        /// For people.
        reason: String,
    },
    /// Nobody knows the method.
    UnknownMethod,
}

/// A verto request of the room to one leg.
#[derive(Clone, Debug, PartialEq)]
pub struct VertoMessage {
    /// `verto.answer`, `verto.bye`.
    pub method: &'static str,
    /// With `callID` on top.
    pub params: Value,
}

/// How things are with one leg: each takes the place of the one before.
#[derive(Clone, Debug, PartialEq)]
pub struct LegEvent {
    /// What it is about.
    pub kind: LegEventKind,
    /// Which leg.
    pub call: CallId,
    /// The `params` of `signalwire.event`, as JSON text.
    pub params: Arc<str>,
}

/// Events that the page of one leg gets, and nobody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegEventKind {
    /// Which member is in which slot, and where on the picture.
    TilesChanged,
    /// Which encodings of its camera anybody watches.
    EncodingsWanted,
}

impl LegEventKind {
    /// Every such event.
    pub const ALL: [Self; 2] = [Self::TilesChanged, Self::EncodingsWanted];

    /// As in `event_type`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TilesChanged => "video.tiles.changed",
            Self::EncodingsWanted => "video.encodings.wanted",
        }
    }
}

impl Reply {
    /// Done, with nothing to say.
    pub(crate) fn done() -> Self {
        Self::Done(Value::Object(serde_json::Map::new()))
    }

    /// A permission is missing, or the door is closed.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::Refused { code: "403", message: "Unauthorized".to_owned() }
    }

    /// No such member.
    pub(crate) fn member_not_found() -> Self {
        Self::not_found("Member")
    }

    /// No such room session.
    #[must_use]
    pub fn room_not_found() -> Self {
        Self::not_found("Room session")
    }

    /// Nothing of that kind has that id.
    pub(crate) fn not_found(kind: &str) -> Self {
        Self::Refused { code: "404", message: format!("{kind} not found") }
    }

    /// The parameters are wrong.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::Refused { code: "422", message: message.into() }
    }

    /// The leg cannot be had.
    #[must_use]
    pub fn call_error(reason: impl Into<String>) -> Self {
        Self::CallError { reason: reason.into() }
    }

    /// A living leg keeps what it receives.
    pub(crate) fn receives_as_before() -> Self {
        Self::invalid("receive cannot change on a living call: begin a new one")
    }

    /// The session has no leg of that name.
    pub(crate) fn no_such_call() -> Self {
        Self::call_error("no such call")
    }

    /// The page does not wait for answers.
    pub(crate) fn too_many_offers() -> Self {
        Self::call_error("too many offers without an answer")
    }

    /// Ours failed: too busy, or too late.
    #[must_use]
    pub fn failed(message: impl Into<String>) -> Self {
        Self::Refused { code: "500", message: message.into() }
    }
}

impl RoomRequest {
    /// The grant of a newcomer whose arrival begins the room session if there is none: when the room is stored, which
    /// the shell knows, or when the grant says `auto_create_room`.
    #[must_use]
    pub fn opens_room(&self) -> Option<&RoomGrant> {
        match (&self.command, &*self.from.authority) {
            (Command::Invite(_), Authority::Room(grant)) => Some(grant),
            _ => None,
        }
    }

    /// The answer when there is no such room and none is to be made.
    #[must_use]
    pub fn without_room(self) -> (SessionKey, RoomMessage) {
        let reply = match &self.command {
            Command::Invite(_) => Reply::unauthorized(),
            Command::Bye { call } => Reply::Done(verto::CallEnded::normal(call.clone()).into_value()),
            Command::UpdateMedia { .. } | Command::Hold { .. } | Command::Info { .. } => {
                Reply::no_such_call()
            }
            Command::Method { .. } | Command::Watch { .. } => Reply::room_not_found(),
        };
        self.answered(reply)
    }

    /// The answer when the room's mailbox is full.
    #[must_use]
    pub fn busy(self) -> (SessionKey, RoomMessage) {
        self.answered(Reply::failed("busy"))
    }

    /// Any other answer of the shell.
    #[must_use]
    pub fn answered(self, reply: Reply) -> (SessionKey, RoomMessage) {
        (self.from.session, RoomMessage::Reply { request: self.key, reply })
    }
}
