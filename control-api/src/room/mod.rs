//! One running room: who is there, who may do what, and the one order of what happened.
//!
//! in:  requests with their sender, notices of sessions, events of the media plane, time
//! out: replies, numbered events with their recipients, media instructions, the next deadline

mod media;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use layouts::LayoutId;
pub use media::{LegEnd, Liveness, MediaEvent, MediaInstruction, MemberSetup, PlacedLayer, Placement};

use crate::clock::Now;
use crate::event::{Event, Recipients};
use crate::ids::{IdSource, ProjectId, RoomId, RoomSessionId, SessionKey};
use crate::session::{Notice, RoomMessage, RoomRequest};
use crate::wire;

/// What a room session is made with.
#[derive(Clone, Debug)]
pub struct RoomConfig {
    /// Whose.
    pub project: ProjectId,
    /// Of the room.
    pub room_id: RoomId,
    /// Of this run of it.
    pub room_session_id: RoomSessionId,
    /// Name.
    pub name: Arc<str>,
    /// For people.
    pub display_name: Arc<str>,
    /// Layout to begin with.
    pub layout: LayoutId,
    /// The next one is refused.
    pub max_members: usize,
    /// Name of this server.
    pub node_id: Arc<str>,
    /// Names the members.
    pub ids: IdSource,
}

/// What happens to a room.
#[derive(Clone, Debug)]
pub enum RoomInput {
    /// Of a session.
    Request(RoomRequest),
    /// Of a session, unasked.
    Notice {
        /// Whose.
        session: SessionKey,
        /// What.
        notice: Notice,
    },
    /// Of the media plane.
    Media(MediaEvent),
    /// Put everybody out and end: the server stops.
    Close,
    /// The deadline has come.
    Timeout,
}

/// What a room wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum RoomOutput {
    /// Deliver to that session.
    Send {
        /// Whom to.
        to: SessionKey,
        /// What.
        message: RoomMessage,
    },
    /// Deliver to these sessions as [`RoomMessage::Event`].
    Event {
        /// Whom to.
        to: Recipients,
        /// What.
        event: Arc<Event>,
    },
    /// For the media plane.
    Media(MediaInstruction),
    /// This room session was over before the request came: find or make another one for it.
    Return(RoomRequest),
    /// Over; `video.room.ended` has gone out if `video.room.started` had.
    Ended,
}

/// One running room.
#[derive(Debug)]
pub struct RoomSession {
    #[allow(dead_code, reason = "for the moment")]
    config: RoomConfig,
    outputs: VecDeque<RoomOutput>,
}

impl RoomSession {
    /// An empty room. If nobody has come in within 15 s it ends by itself.
    #[must_use]
    pub fn new(_now: Now, config: RoomConfig) -> Self {
        Self { config, outputs: VecDeque::new() }
    }

    /// The room as `video.rooms.get` shows it; `None` before the first member is in, and after the end.
    #[must_use]
    pub fn snapshot(&self) -> Option<Arc<wire::room::RoomSession>> {
        None
    }

    /// Number of the last event: the snapshot is the same while this is.
    #[must_use]
    pub fn revision(&self) -> u64 {
        0
    }

    /// Takes what happened.
    pub fn handle(&mut self, _now: Now, _input: RoomInput) {}

    /// What to do next; `None` until the next `handle`.
    pub fn poll(&mut self) -> Option<RoomOutput> {
        self.outputs.pop_front()
    }

    /// When to call [`RoomSession::handle`] with [`RoomInput::Timeout`].
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        None
    }
}
