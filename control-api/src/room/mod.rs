//! One running room: who is there, who may do what, and the one order of what happened.
//!
//! in:  requests with their sender, notices of sessions, events of the media plane, time
//! out: replies, numbered events with their recipients, media instructions, the next deadline

//! A member's way through it: `join` → `methods`, `calls` → `presence`, `leave`; `canvas` follows the media plane's
//! placement, `journal` writes what happened.

mod media;
mod member;

mod calls;
mod canvas;
mod join;
mod journal;
mod leave;
mod methods;
mod offer;
mod presence;
mod settings;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use layouts::LayoutId;
use serde_json::{Map, Value};

pub(crate) use methods::{known as known_method, names as method_names};

pub use settings::RoomSettings;

pub use media::{LegEnd, Liveness, MediaEvent, MediaInstruction, MemberSetup, PlacedLayer, Placement, Tone};

use self::canvas::Canvas;
use self::journal::Journal;
use self::member::Member;
use crate::clock::Now;
use crate::event::{Event, Recipients};
use crate::grant::Authority;
use crate::ids::{IdSource, LegId, MemberId, ProjectId, RequestKey, RoomId, RoomSessionId, SessionKey};
use crate::session::{Command, Notice, Reply, RoomMessage, RoomRequest, Sender};
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
    /// How it is set up.
    pub settings: RoomSettings,
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

/// Nobody came in: the invite that made the room was refused or given up.
const EMPTY_FOR: Duration = Duration::from_secs(15);

/// One running room.
#[derive(Debug)]
pub struct RoomSession {
    config: RoomConfig,
    phase: Phase,
    /// In order of arrival. At most `max_members`.
    members: Vec<Member>,
    /// Sessions that are no members and want the events: realtime ones of the project.
    watchers: BTreeSet<SessionKey>,
    layout: LayoutId,
    /// Nobody comes in any more.
    locked: bool,
    /// Members with a muted camera are not on the canvas.
    hide_video_muted: bool,
    /// Raised hands come first on the canvas.
    prioritize_handraise: bool,
    /// The application's data.
    meta: Map<String, Value>,
    canvas: Canvas,
    journal: Journal,
    next_leg: u64,
    outputs: VecDeque<RoomOutput>,
}

/// From the first invite to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nobody is in yet; `until` then, unless somebody is on the way.
    Waiting { until: Instant },
    /// `video.room.started` has gone out.
    Running,
    /// Nothing happens any more.
    Over,
}

impl RoomSession {
    /// An empty room. If nobody has come in within 15 s it ends by itself.
    #[must_use]
    pub fn new(now: Now, config: RoomConfig) -> Self {
        Self {
            phase: Phase::Waiting { until: now.at + EMPTY_FOR },
            members: Vec::new(),
            watchers: BTreeSet::new(),
            layout: config.settings.layout,
            locked: false,
            hide_video_muted: false,
            prioritize_handraise: config.settings.prioritize_handraise,
            meta: config.settings.meta.clone(),
            canvas: Canvas::default(),
            journal: Journal::default(),
            next_leg: 0,
            outputs: VecDeque::new(),
            config,
        }
    }

    /// The room as `video.rooms.get` shows it; `None` before the first member is in, and after the end.
    #[must_use]
    pub fn snapshot(&self) -> Option<Arc<wire::room::RoomSession>> {
        (self.phase == Phase::Running).then(|| Arc::new(self.wire(None)))
    }

    /// Number of the last event: the snapshot is the same while this is.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.journal.last()
    }

    /// Takes what happened.
    pub fn handle(&mut self, now: Now, input: RoomInput) {
        if self.phase == Phase::Over {
            if let RoomInput::Request(request) = input {
                self.outputs.push_back(RoomOutput::Return(request));
            }
            return;
        }
        match input {
            RoomInput::Request(request) => self.on_request(now, request),
            RoomInput::Notice { session, notice } => self.on_notice(now, session, notice),
            RoomInput::Media(event) => self.on_media(now, event),
            RoomInput::Close => self.remove_all(now),
            RoomInput::Timeout => {}
        }
        self.on_time(now);
    }

    /// What to do next; `None` until the next `handle`.
    pub fn poll(&mut self) -> Option<RoomOutput> {
        self.outputs.pop_front()
    }

    /// When to call [`RoomSession::handle`] with [`RoomInput::Timeout`].
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let empty = match self.phase {
            Phase::Waiting { until } if self.members.is_empty() => Some(until),
            Phase::Waiting { .. } | Phase::Running => None,
            Phase::Over => return None,
        };
        let members =
            self.members.iter().flat_map(|member| [member.leg.deadline(), member.remove_at]).flatten();
        members.chain(empty).chain(self.canvas.due()).min()
    }

    fn on_request(&mut self, now: Now, request: RoomRequest) {
        let RoomRequest { from, key, command, .. } = request;
        // What a command makes happen comes after its reply.
        let place = self.outputs.len();
        let reply = match command {
            Command::Invite(invite) => self.on_invite(now, &from, invite),
            Command::UpdateMedia { call, sdp } => match self.on_update_media(&from, key, &call, sdp) {
                Some(refusal) => refusal,
                None => return, // the answer comes with the media plane's
            },
            Command::Hold { call, held } => self.on_hold(now, &from, &call, held),
            Command::Info { call } => self.on_info(&from, &call),
            Command::Bye { call } => self.on_bye(now, &from, call),
            Command::Method { name, params } => methods::call(self, now, &from, name, params),
            Command::Watch { initial_state } => self.on_watch(now, &from, initial_state),
        };
        let message = RoomMessage::Reply { request: key, reply };
        self.outputs.insert(place, RoomOutput::Send { to: from.session, message });
    }

    fn on_media(&mut self, now: Now, event: MediaEvent) {
        match event {
            MediaEvent::LegAnswered { leg, sdp } => self.on_leg_answered(now, leg, &sdp),
            MediaEvent::LegConnected { leg } => self.on_leg_connected(leg),
            MediaEvent::LegLiveness { leg, liveness } => self.on_liveness(leg, liveness),
            MediaEvent::LegEnded { leg, why } => self.on_leg_ended(now, leg, why),
            MediaEvent::Placed(placement) => self.on_placed(now, placement),
            MediaEvent::Talking { member, talking } => self.on_talking(now, &member, talking),
        }
    }

    fn on_watch(&mut self, now: Now, from: &Sender, initial_state: bool) -> Reply {
        if let Err(refusal) = self.admit(from) {
            return refusal;
        }
        if matches!(*from.authority, Authority::Project(_)) {
            self.watchers.insert(from.session);
        }
        if initial_state {
            self.send_subscribed(now, from.session, None);
        }
        Reply::done()
    }

    /// Whether this sender has anything to ask here: a server of the project, or a member. A stranger's room is as good
    /// as none.
    fn admit(&self, from: &Sender) -> Result<(), Reply> {
        if *from.authority.project() != self.config.project {
            return Err(Reply::room_not_found());
        }
        match *from.authority {
            Authority::Project(_) => Ok(()),
            Authority::Room(_) => self.member_of(from.session).map(|_| ()).ok_or_else(Reply::unauthorized),
        }
    }

    /// The member of a session that everybody knows of.
    fn member_of(&self, session: SessionKey) -> Option<&Member> {
        self.members.iter().find(|member| member.session == session && member.is_in())
    }

    fn member(&self, id: &MemberId) -> Option<&Member> {
        self.members.iter().find(|member| member.id == *id)
    }

    fn member_mut(&mut self, id: &MemberId) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.id == *id)
    }

    fn member_by_leg(&mut self, leg: LegId) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.leg.id() == Some(leg))
    }

    fn new_leg(&mut self) -> LegId {
        self.next_leg += 1;
        LegId(self.next_leg)
    }

    fn instruct(&mut self, instruction: MediaInstruction) {
        self.outputs.push_back(RoomOutput::Media(instruction));
    }

    fn send(&mut self, to: SessionKey, message: RoomMessage) {
        self.outputs.push_back(RoomOutput::Send { to, message });
    }

    fn reply(&mut self, to: SessionKey, request: RequestKey, reply: Reply) {
        self.send(to, RoomMessage::Reply { request, reply });
    }
}
