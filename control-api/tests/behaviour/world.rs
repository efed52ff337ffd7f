//! A server in one value: it routes what sessions and rooms say, plays the media plane, and keeps what clients receive.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use control_api::{
    Authenticated, Authority, ConnectRequest, Event, EventKind, IceServer, IdSource, JoinAs, LegId, Liveness,
    MediaEvent, MediaInstruction, MemberId, Now, PlacedLayer, Placement, ProjectGrant, ProjectId, Protocol,
    Recipients, RecordingEvent, RecordingInstruction, RoomConfig, RoomGrant, RoomId, RoomInput, RoomMessage,
    RoomOutput, RoomSession, RoomSessionId, RoomSettings, Route, Session, SessionConfig, SessionInput,
    SessionKey, SessionOutput, SocketId,
};
use layouts::{Fit, GridRect, LayoutId, Position};
use serde_json::{Value, json};

pub(crate) const PROJECT: &str = "dev";
/// Wall clock at the start.
pub(crate) const START_UNIX_S: f64 = 1_773_404_960.0;

/// A client: its session and the socket it last opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) session: SessionKey,
    pub(crate) socket: SocketId,
}

pub(crate) struct World {
    start: Instant,
    pub(crate) elapsed: Duration,
    pub(crate) sessions: BTreeMap<SessionKey, Session>,
    pub(crate) rooms: BTreeMap<RoomSessionId, Room>,
    /// What each socket received and nobody has looked at.
    inboxes: BTreeMap<SocketId, Vec<Value>>,
    /// Sockets a session closed.
    pub(crate) closed: BTreeSet<SocketId>,
    /// Every event a room gave out, in order.
    pub(crate) events: Vec<Arc<Event>>,
    /// Who was to receive the last of them.
    pub(crate) last_recipients: Recipients,
    /// Every instruction to the media plane, in order.
    pub(crate) instructions: Vec<MediaInstruction>,
    /// Rooms that ended.
    pub(crate) ended: Vec<RoomSessionId>,
    /// Credentials of `signalwire.reauthenticate` meet this.
    pub(crate) reauthentication: Option<Arc<Authority>>,
    /// What rooms told their recorders.
    pub(crate) recorder: Vec<RecordingInstruction>,
    /// Recorders begin at once.
    pub(crate) records: bool,
    /// The media plane answers offers at once.
    pub(crate) answers: bool,
    /// The media plane places everybody at once.
    pub(crate) places: bool,
    /// Pages show the state that belongs to their session, or none.
    pub(crate) shows_right_state: bool,
    /// What the shell gives every session from now on.
    pub(crate) ice_servers: Vec<IceServer>,
    /// Rooms answer: otherwise requests to them are lost.
    pub(crate) rooms_answer: bool,
    /// What rooms are made with.
    pub(crate) settings: RoomSettings,
    /// What rooms are made with: how long nobody's sign of life is waited for.
    pub(crate) leave_after: Duration,
    last: u64,
}

pub(crate) struct Room {
    pub(crate) machine: RoomSession,
    pub(crate) name: Arc<str>,
    placed: u64,
    layout: LayoutId,
    seats: Vec<(MemberId, Position)>,
    listeners: BTreeSet<MemberId>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            elapsed: Duration::ZERO,
            sessions: BTreeMap::new(),
            rooms: BTreeMap::new(),
            inboxes: BTreeMap::new(),
            closed: BTreeSet::new(),
            events: Vec::new(),
            last_recipients: Recipients::default(),
            instructions: Vec::new(),
            ended: Vec::new(),
            reauthentication: None,
            recorder: Vec::new(),
            records: true,
            answers: true,
            places: true,
            shows_right_state: true,
            ice_servers: Vec::new(),
            rooms_answer: true,
            settings: RoomSettings { max_members: 4, ..RoomSettings::default() },
            leave_after: secs(15),
            last: 0,
        }
    }

    pub(crate) fn now(&self) -> Now {
        Now { at: self.start + self.elapsed, unix_s: START_UNIX_S + self.elapsed.as_secs_f64() }
    }

    fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    // ---- clients ----

    /// A browser with these permissions, connected.
    pub(crate) fn browser(&mut self, name: &str, scopes: &[&str]) -> Client {
        let mut grant = RoomGrant::new(ProjectId::new(PROJECT), "my-room", name);
        grant.scopes = scopes.iter().map(ToString::to_string).collect();
        self.connect(Authority::Room(grant), true)
    }

    /// A browser that may only listen, connected.
    pub(crate) fn listener(&mut self, name: &str) -> Client {
        let grant = RoomGrant::new(ProjectId::new(PROJECT), "my-room", name);
        self.connect(Authority::Room(RoomGrant { join_as: JoinAs::Audience, ..grant }), true)
    }

    /// A server of the project, connected.
    pub(crate) fn realtime(&mut self) -> Client {
        self.connect(Authority::Project(ProjectGrant { project: ProjectId::new(PROJECT) }), false)
    }

    pub(crate) fn connect(&mut self, authority: Authority, event_acks: bool) -> Client {
        let session = SessionKey(self.number());
        let uuid = format!("5f7f5bd0-2f44-4a49-bb13-{:012x}", session.0).parse().unwrap();
        let protocol = Protocol::new("5161", uuid, &ProjectId::new(PROJECT)).unwrap();
        let config =
            SessionConfig { key: session, protocol, node_id: "node-1".into(), leave_after: self.leave_after };
        let authority = Arc::new(authority);
        self.sessions.insert(session, Session::new(config, Arc::clone(&authority)));
        self.attach(session, authority, event_acks)
    }

    /// The client comes with another socket.
    pub(crate) fn reconnect(&mut self, client: Client) -> Client {
        let authority = Arc::clone(self.sessions[&client.session].authority());
        self.attach(client.session, authority, true)
    }

    /// The client comes with another socket and these credentials.
    pub(crate) fn reconnect_with(&mut self, client: Client, authority: Authority) -> Client {
        self.attach(client.session, Arc::new(authority), true)
    }

    fn attach(&mut self, session: SessionKey, authority: Arc<Authority>, event_acks: bool) -> Client {
        let socket = SocketId(self.number());
        let state = matches!(*authority, Authority::Room(_)).then(|| "opaque".to_owned());
        let connect = json!({"jsonrpc": "2.0", "id": "c", "method": "signalwire.connect", "params": {
            "version": {"major": 3, "minor": 0, "revision": 0}, "event_acks": event_acks,
            "agent": "test", "authentication": {"jwt_token": "t"}}});
        let request = ConnectRequest::parse(&connect.to_string()).unwrap();
        let now = self.now();
        let authenticated = Authenticated {
            authority,
            authorization_state: state,
            may_resume: self.shows_right_state,
            ice_servers: self.ice_servers.clone(),
        };
        let machine = self.sessions.get_mut(&session).unwrap();
        machine.attach(now, socket, request, authenticated);
        self.drain_session(session);
        Client { session, socket }
    }

    pub(crate) fn lose_socket(&mut self, client: Client) {
        self.tell_session(client.session, SessionInput::SocketLost { socket: client.socket });
    }

    pub(crate) fn text(&mut self, client: Client, text: &str) {
        self.tell_session(
            client.session,
            SessionInput::Text { socket: client.socket, text: text.to_owned() },
        );
    }

    /// Sends a request and takes its reply out of the inbox, if it is there.
    pub(crate) fn request(&mut self, client: Client, method: &str, params: &Value) -> Option<Value> {
        let id = format!("r{}", self.number());
        self.text(
            client,
            &json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string(),
        );
        self.take_reply(client, &id)
    }

    pub(crate) fn take_reply(&mut self, client: Client, id: &str) -> Option<Value> {
        let inbox = self.inboxes.entry(client.socket).or_default();
        let place = inbox.iter().position(|frame| frame["id"] == id && frame.get("method").is_none())?;
        Some(inbox.remove(place))
    }

    /// The result of a request to the client's room.
    pub(crate) fn method(&mut self, client: Client, method: &str, mut params: Value) -> Value {
        params["room_session_id"] = json!(self.room_id().as_str());
        self.request(client, method, &params).unwrap()["result"].take()
    }

    pub(crate) fn verto(&mut self, client: Client, method: &str, params: Value) -> Value {
        let call = params["dialogParams"]["callID"].clone();
        let message = json!({"jsonrpc": "2.0", "id": "inner", "method": method, "params": params});
        let subscribe = json!([
            "video.member.updated",
            "video.member.left",
            "video.member.talking",
            "video.room.updated"
        ]);
        let params = json!({"callID": call, "subscribe": subscribe, "message": message});
        self.request(client, "video.message", &params).unwrap()["result"].take()
    }

    pub(crate) fn invite(&mut self, client: Client, call: &str) -> Value {
        self.invite_from(client, call, call)
    }

    /// An invite whose offer is of that peer connection.
    pub(crate) fn invite_from(&mut self, client: Client, call: &str, peer: &str) -> Value {
        let params = json!({"dialogParams": {"callID": call}, "sdp": offer(peer)});
        self.verto(client, "verto.invite", params)
    }

    /// A screen or device of a browser that is in the room; the reply.
    pub(crate) fn share(&mut self, client: Client, call: &str, kind: &str, mut more: Value) -> Value {
        more["dialogParams"] = json!({"callID": call, kind: true});
        more["sdp"] = json!(offer(call));
        self.verto(client, "verto.invite", more)
    }

    /// A browser that is in the room; gives its member id.
    pub(crate) fn join(&mut self, client: Client) -> MemberId {
        let reply = self.invite(client, &format!("call-{}", client.session.0));
        MemberId::new(reply["result"]["result"]["memberID"].as_str().unwrap())
    }

    /// The same, of a page that says what it receives.
    pub(crate) fn join_with(&mut self, client: Client, receive: &Value) -> MemberId {
        let call = format!("call-{}", client.session.0);
        let reply = self.invite_with(client, &call, &call, receive);
        MemberId::new(reply["result"]["result"]["memberID"].as_str().unwrap())
    }

    /// An invite of that peer connection that says what it receives.
    pub(crate) fn invite_with(&mut self, client: Client, call: &str, peer: &str, receive: &Value) -> Value {
        let params = json!({"dialogParams": {"callID": call, "receive": receive}, "sdp": offer(peer)});
        self.verto(client, "verto.invite", params)
    }

    /// Everything the socket has received since the last look.
    pub(crate) fn frames(&mut self, client: Client) -> Vec<Value> {
        self.inboxes.remove(&client.socket).unwrap_or_default()
    }

    /// The events among it: names, with the method for verto.
    pub(crate) fn event_names(&mut self, client: Client) -> Vec<String> {
        self.events_of(client).iter().map(event_name).collect()
    }

    /// The events among it: `params` of `signalwire.event`.
    pub(crate) fn events_of(&mut self, client: Client) -> Vec<Value> {
        let frames = self.frames(client).into_iter();
        frames
            .filter(|frame| frame["method"] == "signalwire.event")
            .map(|mut frame| frame["params"].take())
            .collect()
    }

    pub(crate) fn forget_frames(&mut self) {
        self.inboxes.clear();
        self.instructions.clear();
    }

    // ---- rooms ----

    /// The one room there is.
    pub(crate) fn room_id(&self) -> RoomSessionId {
        self.rooms.keys().next_back().cloned().unwrap_or_else(|| RoomSessionId::new("none"))
    }

    pub(crate) fn has_room(&self) -> bool {
        !self.rooms.is_empty()
    }

    /// News of the media plane for the one room.
    pub(crate) fn media(&mut self, event: MediaEvent) {
        let room = self.room_id();
        self.tell_room(&room, RoomInput::Media(event));
    }

    /// The last leg the media plane was asked to open.
    pub(crate) fn last_leg(&self) -> LegId {
        let opened = self.instructions.iter().rev().find_map(|instruction| match instruction {
            MediaInstruction::OpenLeg { leg, .. } => Some(*leg),
            _ => None,
        });
        opened.unwrap()
    }

    pub(crate) fn heard(&mut self, leg: LegId, liveness: Liveness) {
        self.media(MediaEvent::LegLiveness { leg, liveness });
    }

    pub(crate) fn members(&self) -> Vec<String> {
        let snapshot = self.rooms.values().next_back().and_then(|room| room.machine.snapshot());
        snapshot
            .map(|room| room.members.iter().map(|member| member.name.clone()).collect())
            .unwrap_or_default()
    }

    // ---- time ----

    /// Lets time pass, waking everybody when they asked for it.
    pub(crate) fn pass(&mut self, by: Duration) {
        let end = self.elapsed + by;
        loop {
            let next = self.deadlines().min().map(|at| at.saturating_duration_since(self.start));
            match next {
                Some(at) if at <= end => {
                    self.elapsed = self.elapsed.max(at);
                    self.wake();
                }
                _ => break,
            }
        }
        self.elapsed = end;
    }

    pub(crate) fn deadlines(&self) -> impl Iterator<Item = Instant> + '_ {
        let sessions = self.sessions.values().filter_map(Session::deadline);
        sessions.chain(self.rooms.values().filter_map(|room| room.machine.deadline()))
    }

    fn wake(&mut self) {
        for session in self.sessions.keys().copied().collect::<Vec<_>>() {
            self.tell_session(session, SessionInput::Timeout);
        }
        for room in self.rooms.keys().cloned().collect::<Vec<_>>() {
            self.tell_room(&room, RoomInput::Timeout);
        }
    }

    /// The client says something, so that its socket does not count as dead.
    pub(crate) fn stay_awake(&mut self, clients: &[Client], by: Duration) {
        let end = self.elapsed + by;
        while self.elapsed < end {
            self.pass((end - self.elapsed).min(Duration::from_secs(5)));
            for client in clients {
                self.text(*client, r#"{"jsonrpc":"2.0","id":"x","result":{}}"#);
            }
        }
    }

    // ---- the shell ----

    pub(crate) fn tell_session(&mut self, key: SessionKey, input: SessionInput) {
        let now = self.now();
        if let Some(session) = self.sessions.get_mut(&key) {
            session.handle(now, input);
            self.drain_session(key);
        }
    }

    fn drain_session(&mut self, key: SessionKey) {
        while let Some(output) = self.sessions.get_mut(&key).and_then(Session::poll) {
            match output {
                SessionOutput::Send { socket, text } => {
                    let frame = serde_json::from_str(&text).unwrap();
                    self.inboxes.entry(socket).or_default().push(frame);
                }
                SessionOutput::CloseSocket { socket } => {
                    self.closed.insert(socket);
                }
                SessionOutput::Request(request) => self.route(request),
                SessionOutput::Notice { route, session, notice, .. } => {
                    if let Some(room) = self.find(&route) {
                        self.tell_room(&room, RoomInput::Notice { session, notice });
                    }
                }
                SessionOutput::ListRooms { request, .. } => {
                    let rooms = self.rooms.values().filter_map(|room| room.machine.snapshot()).collect();
                    self.tell_session(key, SessionInput::Rooms { request, rooms });
                }
                SessionOutput::Reauthenticate { request, .. } => {
                    let authority = self.reauthentication.clone();
                    let outcome = authority
                        .map(|authority| Authenticated {
                            authority,
                            authorization_state: Some("fresh".into()),
                            may_resume: true,
                            ice_servers: self.ice_servers.clone(),
                        })
                        .ok_or(control_api::ConnectRefusal::Unauthorized);
                    self.tell_session(key, SessionInput::Reauthenticated { request, outcome });
                }
                SessionOutput::Ended => {
                    self.sessions.remove(&key);
                }
            }
        }
    }

    fn find(&self, route: &Route) -> Option<RoomSessionId> {
        let found = self.rooms.iter().find(|(id, room)| match route {
            Route::Id(wanted) => *id == wanted,
            Route::Name(name) => room.name == *name,
        });
        found.map(|(id, _)| id.clone())
    }

    fn route(&mut self, request: control_api::RoomRequest) {
        if !self.rooms_answer {
            return;
        }
        let room =
            match (self.find(&request.route), request.opens_room().filter(|grant| grant.auto_create_room)) {
                (Some(room), _) => room,
                (None, Some(grant)) => {
                    let grant = grant.clone();
                    self.open_room(&grant)
                }
                (None, None) => {
                    let (to, message) = request.without_room();
                    return self.tell_session(to, SessionInput::Room(message));
                }
            };
        self.tell_room(&room, RoomInput::Request(request));
    }

    fn open_room(&mut self, grant: &RoomGrant) -> RoomSessionId {
        let id = RoomSessionId::new(format!("room-session-{}", self.number()));
        let config = RoomConfig {
            project: ProjectId::new(PROJECT),
            room_id: RoomId::new("room-1"),
            room_session_id: id.clone(),
            name: Arc::clone(&grant.room_name),
            display_name: Arc::clone(grant.display_name()),
            settings: self.settings.clone(),
            max_audience: 3,
            leave_after: self.leave_after,
            preview_url: None,
            node_id: "node-1".into(),
            ids: IdSource::seeded(u128::from(self.last)),
        };
        let room = Room {
            machine: RoomSession::new(self.now(), config),
            name: Arc::clone(&grant.room_name),
            placed: 0,
            layout: LayoutId::GRID_RESPONSIVE,
            seats: Vec::new(),
            listeners: BTreeSet::new(),
        };
        self.rooms.insert(id.clone(), room);
        id
    }

    pub(crate) fn tell_room(&mut self, id: &RoomSessionId, input: RoomInput) {
        let now = self.now();
        if let Some(room) = self.rooms.get_mut(id) {
            room.machine.handle(now, input);
            self.drain_room(id);
        }
    }

    fn drain_room(&mut self, id: &RoomSessionId) {
        while let Some(output) = self.rooms.get_mut(id).and_then(|room| room.machine.poll()) {
            match output {
                RoomOutput::Send { to, message } => self.tell_session(to, SessionInput::Room(message)),
                RoomOutput::Event { to, event } => {
                    self.events.push(Arc::clone(&event));
                    self.last_recipients = to.clone();
                    let project = self.sessions.values().filter(|session| {
                        to.project && matches!(**session.authority(), Authority::Project(_))
                    });
                    let all: BTreeSet<SessionKey> =
                        to.sessions.iter().copied().chain(project.map(Session::key)).collect();
                    for session in all {
                        self.tell_session(
                            session,
                            SessionInput::Room(RoomMessage::Event(Arc::clone(&event))),
                        );
                    }
                }
                RoomOutput::Media(instruction) => self.on_instruction(id, instruction),
                RoomOutput::Recording(instruction) => self.on_recording(id, instruction),
                RoomOutput::Return(request) => {
                    self.rooms.remove(id);
                    self.route(request);
                }
                RoomOutput::Ended => {
                    self.rooms.remove(id);
                    self.ended.push(id.clone());
                }
            }
        }
    }

    /// The recording that was begun last.
    pub(crate) fn recording(&self) -> &str {
        let starts = self.recorder.iter().rev().find_map(|known| match known {
            RecordingInstruction::Start { id } => Some(id.as_str()),
            _ => None,
        });
        starts.unwrap_or("none")
    }

    /// What the recorder of the one room says.
    pub(crate) fn recorder_says(&mut self, event: RecordingEvent) {
        let room = self.room_id();
        self.tell_room(&room, RoomInput::Recording(event));
    }

    /// Plays the recorder: it begins at once.
    fn on_recording(&mut self, room: &RoomSessionId, instruction: RecordingInstruction) {
        self.recorder.push(instruction.clone());
        if let RecordingInstruction::Start { id } = instruction
            && self.records
        {
            self.tell_room(room, RoomInput::Recording(RecordingEvent::Started { id }));
        }
    }

    /// Plays the media plane: answers, connects, and seats members in order of arrival.
    fn on_instruction(&mut self, id: &RoomSessionId, instruction: MediaInstruction) {
        self.instructions.push(instruction.clone());
        let Some(room) = self.rooms.get_mut(id) else { return };
        match instruction {
            MediaInstruction::AddMember { member, setup } => {
                if setup.audience {
                    room.listeners.insert(member.clone());
                }
                room.seats.push((member, setup.position));
            }
            MediaInstruction::SetAudience { member, audience: true } => {
                room.listeners.insert(member);
            }
            MediaInstruction::SetAudience { member, audience: false } => {
                room.listeners.remove(&member);
            }
            MediaInstruction::RemoveMember { member } => room.seats.retain(|(known, _)| *known != member),
            MediaInstruction::SetLayout { layout, positions } => {
                room.layout = layout;
                room.seat(positions);
            }
            MediaInstruction::SetPositions { positions } => room.seat(positions),
            MediaInstruction::OpenLeg { leg, .. } => {
                if self.answers {
                    self.tell_room(
                        id,
                        RoomInput::Media(MediaEvent::LegAnswered { leg, sdp: "v=0 answer".into() }),
                    );
                    self.tell_room(id, RoomInput::Media(MediaEvent::LegConnected { leg }));
                }
                return;
            }
            MediaInstruction::ReofferLeg { leg, .. } => {
                if self.answers {
                    self.tell_room(
                        id,
                        RoomInput::Media(MediaEvent::LegAnswered { leg, sdp: "v=0 again".into() }),
                    );
                }
                return;
            }
            MediaInstruction::CloseLeg { .. }
            | MediaInstruction::SetViewport { .. }
            | MediaInstruction::SetCanvasRules { .. }
            | MediaInstruction::SetLook { .. }
            | MediaInstruction::SetMuteImage { .. }
            | MediaInstruction::SetTags { .. }
            | MediaInstruction::SetAudioMuted { .. }
            | MediaInstruction::SetVideoMuted { .. }
            | MediaInstruction::SetHandRaised { .. }
            | MediaInstruction::SetHideVideoMuted { .. }
            | MediaInstruction::SetPrioritizeHandraise { .. }
            | MediaInstruction::SetDeaf { .. }
            | MediaInstruction::SetInputVolume { .. }
            | MediaInstruction::SetOutputVolume { .. }
            | MediaInstruction::SetInputSensitivity { .. }
            | MediaInstruction::PlayTone { .. }
            | MediaInstruction::CloseRoom => return,
        }
        if self.places {
            self.place(id);
        }
    }

    pub(crate) fn place(&mut self, id: &RoomSessionId) {
        let Some(room) = self.rooms.get_mut(id) else { return };
        room.placed += 1;
        let placement = room.placement();
        self.tell_room(id, RoomInput::Media(MediaEvent::Placed(placement)));
    }
}

impl Room {
    fn seat(&mut self, positions: Vec<(MemberId, Position)>) {
        for (member, position) in positions {
            if let Some(seat) = self.seats.iter_mut().find(|(known, _)| *known == member) {
                seat.1 = position;
            }
        }
    }

    /// One row, left to right; whoever asks for a slot has it, in this stage.
    fn placement(&self) -> Placement {
        let is_shown = |(member, position): &&(MemberId, Position)| {
            *position != Position::OffCanvas && !self.listeners.contains(member)
        };
        let shown = self.seats.iter().filter(is_shown);
        let layers = shown.zip(0_u16..).map(|((member, position), n)| PlacedLayer {
            index: n,
            z: i16::try_from(n).unwrap(),
            rect: GridRect { x: n * 2520, y: 0, w: 2520, h: 1680 },
            position: if *position == Position::Auto { Position::Standard(n + 1) } else { *position },
            member: Some(member.clone()),
            fit: Fit::Contain,
            reservation: None,
            playing_file: false,
            visible: true,
        });
        Placement { version: self.placed, layout: self.layout.clone(), layers: layers.collect() }
    }
}

/// An offer of that peer connection.
pub(crate) fn offer(peer: &str) -> String {
    format!("v=0\r\no=- {peer} 2 IN IP4 127.0.0.1\r\ns=-\r\na=fingerprint:sha-256 {peer}\r\n")
}

pub(crate) fn event_name(event: &Value) -> String {
    let name = event["event_type"].as_str().unwrap();
    if name == "webrtc.message" { event["params"]["method"].as_str().unwrap() } else { name }.to_owned()
}

/// Every permission there is.
pub(crate) fn all_scopes() -> Vec<String> {
    control_api::Permission::all().map(|permission| permission.to_string()).collect()
}

pub(crate) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(crate) fn kinds(events: &[Arc<Event>]) -> Vec<EventKind> {
    events.iter().map(|event| event.kind).collect()
}
