//! One running room: who is there, who may do what, and the one order of what happened.
//!
//! in:  requests with their sender, notices of sessions, events of the media plane, time
//! out: replies, numbered events with their recipients, media instructions, the next deadline
//!
//! A participant's way through it: `join`, `children` → `methods`, `calls`, `roles` → `presence`, `leave`; `canvas` follows the
//! media plane's placement, `tiles` tells the page of one leg about it, `audience` counts, `recordings` follows the recorder,
//! `journal` writes what happened.

mod leg;
mod media;
mod offer;
mod participant;
mod settings;

mod audience;
mod calls;
mod canvas;
mod children;
mod join;
mod journal;
mod leave;
mod methods;
mod presence;
mod recordings;
mod roles;
mod tiles;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use layouts::{LayoutId, Look, Rules};
use serde_json::{Map, Value};

pub(crate) use methods::{known as known_method, names as method_names};

pub use settings::RoomSettings;

pub use recordings::{RecordingEvent, RecordingInstruction};

pub use media::{
    LegEnd, LegMedia, Liveness, MediaEvent, MediaInstruction, MemberSetup, PlacedLayer, Placement,
    PlannedAudio, PlannedVideo, TilePlan, Tone, WantedEncoding,
};

use self::audience::AudienceCount;
use self::canvas::Canvas;
use self::journal::Journal;
use self::leg::{Call, Leg};
use self::participant::{Participant, Role};
use self::recordings::Recordings;
use crate::clock::Now;
use crate::event::{Event, Recipients};
use crate::grant::Authority;
use crate::ids::{
    CallId, IdSource, LegId, MemberId, ProjectId, RequestKey, RoomId, RoomSessionId, SessionKey,
};
use crate::permission::{MemberAction, RoomAction};
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
    /// Where a small picture of it is, if it has one.
    pub preview_url: Option<String>,
    /// How it is set up.
    pub settings: RoomSettings,
    /// Listeners; the next one is refused. Each costs a leg that receives, and its share of every event.
    pub max_audience: usize,
    /// How long somebody is waited for of whom there is no sign of life: a reload takes 1 to 5 s.
    pub leave_after: Duration,
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
    /// Of the recorder.
    Recording(RecordingEvent),
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
    /// For the recorder.
    Recording(RecordingInstruction),
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
    /// In order of arrival: at most `max_members` of them, their children, and `max_audience`.
    participants: Vec<Participant>,
    /// Sessions that are in no room and want the events: realtime ones of the project.
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
    audience: AudienceCount,
    recordings: Recordings,
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
        // The media plane begins without it.
        let prioritize = config.settings.prioritize_handraise;
        let rules = config.settings.rules;
        let hands = prioritize.then_some(MediaInstruction::SetPrioritizeHandraise { on: true });
        let placing = (rules != Rules::default()).then_some(MediaInstruction::SetCanvasRules { rules });
        let look = config.settings.look;
        let drawing = (look != Look::default()).then_some(MediaInstruction::SetLook { look });
        Self {
            phase: Phase::Waiting { until: now.at + EMPTY_FOR },
            participants: Vec::new(),
            watchers: BTreeSet::new(),
            layout: config.settings.layout.clone(),
            locked: false,
            hide_video_muted: false,
            prioritize_handraise: prioritize,
            meta: config.settings.meta.clone(),
            canvas: Canvas::default(),
            audience: AudienceCount::default(),
            recordings: Recordings::default(),
            journal: Journal::default(),
            next_leg: 0,
            outputs: hands.into_iter().chain(placing).chain(drawing).map(RoomOutput::Media).collect(),
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
            RoomInput::Recording(event) => self.on_recording(now, event),
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
            Phase::Waiting { until } if self.participants.is_empty() => Some(until),
            Phase::Waiting { .. } | Phase::Running => None,
            Phase::Over => return None,
        };
        let participants = self.participants.iter().filter_map(|who| who.deadline(self.config.leave_after));
        participants.chain(empty).chain(self.canvas.due()).chain(self.audience.deadline()).min()
    }

    fn on_request(&mut self, now: Now, request: RoomRequest) {
        let RoomRequest { from, key, command, .. } = request;
        // What a command makes happen comes after its reply.
        let place = self.outputs.len();
        let reply = match command {
            Command::Invite(invite) => self.on_invite(now, &from, invite),
            Command::UpdateMedia { call, sdp, receive } => {
                match self.on_update_media(&from, key, &call, sdp, receive.as_ref()) {
                    Some(refusal) => refusal,
                    None => return, // the answer comes with the media plane's
                }
            }
            Command::Hold { call, held } => self.on_hold(now, &from, &call, held),
            Command::Info { call } => self.on_info(&from, &call),
            Command::Bye { call } => self.on_bye(now, &from, call),
            Command::Method { name, params } => {
                match methods::call(self, now, &from, key, name, params) {
                    Some(reply) => reply,
                    None => return, // the answer comes with the recorder's
                }
            }
            Command::Watch { initial_state } => self.on_watch(now, &from, initial_state),
        };
        let message = RoomMessage::Reply { request: key, reply };
        self.outputs.insert(place, RoomOutput::Send { to: from.session, message });
    }

    fn on_media(&mut self, now: Now, event: MediaEvent) {
        match event {
            MediaEvent::LegAnswered { leg, sdp } => self.on_leg_answered(now, leg, &sdp),
            MediaEvent::LegConnected { leg } => self.on_leg_connected(leg),
            MediaEvent::LegLiveness { leg, liveness } => self.on_liveness(now, leg, liveness),
            MediaEvent::LegEnded { leg, why } => self.on_leg_ended(now, leg, why),
            MediaEvent::Placed(placement) => self.on_placed(now, placement),
            MediaEvent::Tiles { leg, tiles } => self.on_tiles(now, leg, tiles),
            MediaEvent::Wanted { leg, encodings } => self.on_wanted(now, leg, encodings),
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

    /// Whether this sender has anything to ask here: a server of the project once the room has begun, or somebody who is
    /// in. A stranger's room is as good as none.
    fn admit(&self, from: &Sender) -> Result<(), Reply> {
        if *from.authority.project() != self.config.project {
            return Err(Reply::room_not_found());
        }
        match *from.authority {
            Authority::Project(_) if self.phase == Phase::Running => Ok(()),
            Authority::Project(_) => Err(Reply::room_not_found()),
            Authority::Room(_) => {
                let is_in = self.person_of(from.session).is_some_and(Participant::is_in);
                is_in.then_some(()).ok_or_else(Reply::unauthorized)
            }
        }
    }

    /// Whether the sender may do that to itself (`own`) or to somebody else. Audience may not, whatever it could do a
    /// moment ago when it sent the request.
    fn allows(&self, from: &Sender, action: MemberAction, own: bool) -> bool {
        !self.is_audience(from.session) && from.authority.allows(action, own)
    }

    /// Whether the sender may do that to the room.
    fn allows_room(&self, from: &Sender, action: RoomAction) -> bool {
        !self.is_audience(from.session) && from.authority.allows_room(action)
    }

    fn is_audience(&self, session: SessionKey) -> bool {
        self.person_of(session).is_some_and(|person| person.role == Role::Audience)
    }

    /// The member or audience of a session, on its way or in.
    fn person_of(&self, session: SessionKey) -> Option<&Participant> {
        self.participants.iter().find(|person| person.session == session && person.is_person())
    }

    /// The member of a session that everybody knows of.
    fn member_of(&self, session: SessionKey) -> Option<&Participant> {
        self.person_of(session).filter(|person| person.is_listed())
    }

    fn participant(&self, id: &MemberId) -> Option<&Participant> {
        self.participants.iter().find(|participant| participant.id == *id)
    }

    fn participant_mut(&mut self, id: &MemberId) -> Option<&mut Participant> {
        self.participants.iter_mut().find(|participant| participant.id == *id)
    }

    /// A member, screen or device that everybody knows of.
    fn member(&self, id: &MemberId) -> Option<&Participant> {
        self.participant(id).filter(|participant| participant.is_listed())
    }

    fn member_mut(&mut self, id: &MemberId) -> Option<&mut Participant> {
        self.participant_mut(id).filter(|participant| participant.is_listed())
    }

    /// Who has that call, in or on the way.
    fn by_call(&self, session: SessionKey, call: &CallId) -> Option<&Participant> {
        self.participants.iter().find(|who| who.session == session && who.calls.find(call).is_some())
    }

    fn by_leg(&self, leg: LegId) -> Option<&Participant> {
        self.participants.iter().find(|participant| participant.calls.by_leg(leg).is_some())
    }

    fn call_of_leg_mut(&mut self, leg: LegId) -> Option<&mut Call> {
        let mut calls = self.participants.iter_mut().flat_map(|participant| participant.calls.iter_mut());
        calls.find(|call| call.leg.id() == Some(leg))
    }

    /// A leg that is no longer wanted: the media plane ends it, and nobody will answer what it was asked.
    fn close_leg(&mut self, session: SessionKey, leg: Leg) {
        if let Some(leg) = leg.id() {
            self.instruct(MediaInstruction::CloseLeg { leg });
        }
        self.refuse_updates(session, leg);
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
