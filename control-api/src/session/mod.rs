//! One SDK session: everything that belongs to a `protocol`.
//!
//! in:  sockets coming and going, their text, messages of rooms, time
//! out: text for the socket, requests for rooms, the next deadline
//!
//! ```text
//!            attach                  socket lost, or silent for 35 s
//!   Fresh ────────────► Up ────────────────────────────────────────────► Down ──── 60 s ────► Over
//!                       ▲ └─ attach: the newer socket wins                │
//!                       └──────────────── attach ─────────────────────────┘
//! ```

mod connect;
mod io;
mod request;

mod incoming;
mod pace;

mod backlog;
mod pending;
mod subscriptions;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

pub use connect::{ConnectRefusal, ConnectRequest, Credentials};
pub use incoming::methods;
pub use io::{Authenticated, SessionConfig, SessionInput, SessionOutput};
pub use request::{
    ChildKind, Command, ExtraLeg, Invite, LegEvent, LegEventKind, LegRole, Notice, Reply, RoleChange,
    RoomMessage, RoomRequest, Route, Sender, VertoMessage, Via,
};

use self::backlog::{Backlog, Parcel};
use self::pace::Pace;
use self::pending::{Pending, PendingRequests, Shape};
use self::subscriptions::Subscriptions;
use crate::clock::Now;
use crate::event::EventKind;
use crate::grant::{Authority, JoinAs, Standing};
use crate::ids::{Protocol, RequestKey, SessionKey, SocketId};
use crate::rpc::{self, Id, Incoming};
use crate::wire;
use crate::wire::connect::{
    Authorization, ConnectResult, IceServer, ProjectAuthorization, VideoAuthorization,
};
use crate::wire::room::{EventParams, RoleBody, RoomEvent};

/// How long a session without a socket is kept, at least.
const KEPT_FOR: Duration = Duration::from_secs(60);
/// Once pinged, SDKs want the next ping within 15 s.
const PING_EVERY: Duration = Duration::from_secs(10);
/// SDKs answer pings: three without a word, and the socket is dead.
const SILENT_FOR: Duration = Duration::from_secs(35);
/// Delivered events kept until the client acknowledges them; beyond that the oldest count as received.
const MAX_UNACKNOWLEDGED: usize = 512;

/// One SDK session.
#[derive(Debug)]
pub struct Session {
    config: SessionConfig,
    /// By its credentials.
    granted: Arc<Authority>,
    /// What a room has made of that.
    standing: Option<Standing>,
    /// Both together: what it may do.
    authority: Arc<Authority>,
    /// What the page must show to go on after a reload.
    authorization_state: Option<String>,
    ice_servers: Vec<IceServer>,
    /// The page of now has shown nothing wrong.
    may_resume: bool,
    link: Link,
    subscriptions: Subscriptions,
    pace: Pace,
    pending: PendingRequests,
    backlog: Backlog,
    next_frame: u64,
    outputs: VecDeque<SessionOutput>,
}

/// The way to the client.
#[derive(Debug)]
enum Link {
    /// Not attached yet.
    Fresh,
    Up(Up),
    /// The client may come back.
    Down {
        until: Instant,
    },
    Over,
}

/// A socket and what belongs to it.
#[derive(Debug)]
struct Up {
    socket: SocketId,
    ping_at: Instant,
    heard_at: Instant,
    acks: Acks,
}

/// Whether the client acknowledges events.
#[derive(Debug)]
enum Acks {
    Never,
    /// Sent and not acknowledged, by frame number.
    Announced(VecDeque<(u64, Parcel)>),
}

impl Session {
    /// A session without a socket; call [`Session::attach`] next.
    #[must_use]
    pub fn new(config: SessionConfig, authority: Arc<Authority>) -> Self {
        Self {
            config,
            pace: Pace::of(&authority),
            granted: Arc::clone(&authority),
            standing: None,
            authority,
            authorization_state: None,
            ice_servers: Vec::new(),
            may_resume: true,
            link: Link::Fresh,
            subscriptions: Subscriptions::default(),
            pending: PendingRequests::default(),
            backlog: Backlog::default(),
            next_frame: 0,
            outputs: VecDeque::new(),
        }
    }

    /// Its number.
    #[must_use]
    pub fn key(&self) -> SessionKey {
        self.config.key
    }

    /// Its name.
    #[must_use]
    pub fn protocol(&self) -> &Protocol {
        &self.config.protocol
    }

    /// What it may do.
    #[must_use]
    pub fn authority(&self) -> &Arc<Authority> {
        &self.authority
    }

    /// Whether it has ended: the shell makes another one for whoever still comes.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.link, Link::Over)
    }

    /// A verified connect, the first or a later one: this socket is now the session's. The one before, if any, is
    /// closed. The shell has made sure that the new authority is of the same party. Nothing happens to a session that is over.
    pub fn attach(
        &mut self,
        now: Now,
        socket: SocketId,
        request: ConnectRequest,
        authenticated: Authenticated,
    ) {
        match &self.link {
            Link::Over => return,
            Link::Up(up) => {
                let former = up.socket;
                self.outputs.push_back(SessionOutput::CloseSocket { socket: former });
                self.unplug(now);
            }
            Link::Fresh | Link::Down { .. } => {}
        }
        let comes_back = matches!(self.link, Link::Down { .. });
        let acks = if request.event_acks { Acks::Announced(VecDeque::new()) } else { Acks::Never };
        self.link = Link::Up(Up { socket, ping_at: now.at + PING_EVERY, heard_at: now.at, acks });
        self.may_resume = authenticated.may_resume;
        self.adopt(authenticated);
        self.send_connect_result(&request.id);
        if comes_back {
            self.notify_rooms(Notice::SocketBack);
        }
        for parcel in self.backlog.take() {
            self.deliver(parcel);
        }
    }

    /// Takes what happened.
    pub fn handle(&mut self, now: Now, input: SessionInput) {
        if self.is_over() {
            return;
        }
        match input {
            SessionInput::Text { socket, text } => self.on_text(now, socket, &text),
            SessionInput::SocketLost { socket } => self.on_socket_lost(now, socket),
            SessionInput::Room(message) => self.on_room(now, message),
            SessionInput::Rooms { request, rooms } => {
                self.on_reply(request, Reply::Done(json!({"rooms": rooms})))
            }
            SessionInput::Reauthenticated { request, outcome } => self.on_reauthenticated(request, outcome),
            SessionInput::Drain => self.send_request("signalwire.disconnect", &json!({})),
            SessionInput::Timeout => {}
        }
        self.on_time(now);
    }

    /// What to do next; `None` until the next `handle`.
    pub fn poll(&mut self) -> Option<SessionOutput> {
        self.outputs.pop_front()
    }

    /// When to call [`Session::handle`] with [`SessionInput::Timeout`].
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let link = match &self.link {
            Link::Up(up) => Some(up.ping_at.min(up.heard_at + SILENT_FOR)),
            Link::Down { until } => Some(*until),
            Link::Fresh => None,
            Link::Over => return None,
        };
        link.into_iter().chain(self.pending.deadline()).min()
    }

    fn on_text(&mut self, now: Now, socket: SocketId, text: &str) {
        let Link::Up(up) = &mut self.link else { return };
        if up.socket != socket {
            return;
        }
        up.heard_at = now.at;
        let incoming = rpc::parse(text);
        if !matches!(incoming, Ok(Incoming::Response { .. })) && !self.pace.admits(now.at) {
            let id = match &incoming {
                Ok(Incoming::Request { id, .. } | Incoming::Response { id }) => Some(id),
                Err(_) => None,
            };
            let text = rpc::error(id, rpc::TOO_MANY_REQUESTS, "Too many requests");
            return self.write(text);
        }
        match incoming {
            Ok(Incoming::Request { id, method, params }) => self.on_client_request(now, id, &method, params),
            Ok(Incoming::Response { id }) => self.on_acknowledged(&id),
            Err(reply) => self.write(reply),
        }
    }

    fn on_acknowledged(&mut self, id: &Id) {
        let Id::Text(id) = id else { return };
        let Some(number) = id.strip_prefix('s').and_then(|digits| digits.parse::<u64>().ok()) else { return };
        if let Link::Up(Up { acks: Acks::Announced(open), .. }) = &mut self.link {
            open.retain(|(sent, _)| *sent != number);
        }
    }

    fn on_socket_lost(&mut self, now: Now, socket: SocketId) {
        if matches!(&self.link, Link::Up(up) if up.socket == socket) {
            self.unplug(now);
            self.notify_rooms(Notice::SocketLost);
        }
    }

    /// The socket is gone: what was not received for sure is kept, what was asked needs no answer.
    fn unplug(&mut self, now: Now) {
        self.pending.forget_all();
        let until = now.at + KEPT_FOR.max(self.config.leave_after);
        let former = std::mem::replace(&mut self.link, Link::Down { until });
        if let Link::Up(Up { acks: Acks::Announced(open), .. }) = former {
            for (_, parcel) in open {
                self.backlog.push(parcel);
            }
        }
    }

    fn on_room(&mut self, now: Now, message: RoomMessage) {
        match message {
            RoomMessage::Reply { request, reply } => self.on_reply(request, reply),
            RoomMessage::Event(event) => {
                if self.subscriptions.wants(&event) {
                    self.deliver(Parcel::Room(event.clone()));
                }
                if event.kind == EventKind::RoomEnded {
                    self.subscriptions.forget_room(&event.channel);
                }
            }
            RoomMessage::Verto(verto) => self.deliver_verto(now, &verto),
            RoomMessage::Leg(event) => self.deliver(Parcel::Leg(event)),
            RoomMessage::RoleChanged(change) => self.on_role_changed(now, *change),
        }
    }

    fn on_reply(&mut self, request: RequestKey, reply: Reply) {
        let Some(pending) = self.pending.close(request) else { return };
        self.answer(&pending, reply);
    }

    fn answer(&mut self, pending: &Pending, reply: Reply) {
        if let (Shape::Subscribe { channel, first: true }, Reply::Refused { .. }) = (&pending.shape, &reply) {
            self.subscriptions.forget_room(channel);
        }
        self.write(pending.answer(&self.config.node_id, reply));
    }

    fn on_reauthenticated(&mut self, request: RequestKey, outcome: Result<Authenticated, ConnectRefusal>) {
        let Some(pending) = self.pending.close(request) else { return };
        match outcome {
            Ok(authenticated) if authenticated.authority.is_same_party(&self.authority) => {
                self.adopt(authenticated);
                self.send_connect_result(&pending.id);
            }
            Ok(_) => self.refuse_reauthentication(&pending.id, ConnectRefusal::RequesterValidation),
            Err(refusal) => self.refuse_reauthentication(&pending.id, refusal),
        }
    }

    /// Everything that time alone decides.
    fn on_time(&mut self, now: Now) {
        while let Some(overdue) = self.pending.take_overdue(now.at) {
            self.answer(&overdue, Reply::failed("no answer in time"));
        }
        match &mut self.link {
            Link::Up(up) if up.heard_at + SILENT_FOR <= now.at => {
                let socket = up.socket;
                self.outputs.push_back(SessionOutput::CloseSocket { socket });
                self.on_socket_lost(now, socket);
            }
            Link::Up(up) if up.ping_at <= now.at => {
                up.ping_at = now.at + PING_EVERY;
                self.send_request("signalwire.ping", &json!({"timestamp": now.unix_s}));
            }
            Link::Down { until } if *until <= now.at => {
                self.notify_rooms(Notice::Gone);
                self.link = Link::Over;
                self.outputs.push_back(SessionOutput::Ended);
            }
            Link::Up(_) | Link::Down { .. } | Link::Fresh | Link::Over => {}
        }
    }

    fn adopt(&mut self, authenticated: Authenticated) {
        self.granted = authenticated.authority;
        self.authorization_state = authenticated.authorization_state;
        self.ice_servers = authenticated.ice_servers;
        self.judge();
    }

    /// What the session may do follows from its credentials and from what a room has made of them.
    fn judge(&mut self) {
        self.authority = match (&*self.granted, &self.standing) {
            (Authority::Room(grant), Some(standing)) => Arc::new(Authority::Room(grant.with(standing))),
            (Authority::Room(_), None) | (Authority::Project(_), _) => Arc::clone(&self.granted),
        };
    }

    /// Promoted or demoted: the page swaps its authorization, and comes again by a new call.
    fn on_role_changed(&mut self, now: Now, change: RoleChange) {
        let event_type = match change.standing.join_as {
            JoinAs::Member => "video.member.promoted",
            JoinAs::Audience => "video.member.demoted",
        };
        self.standing = Some(change.standing);
        self.judge();
        let params = wire::text(&EventParams {
            event_type,
            event_channel: &change.channel,
            timestamp: now.unix_s,
            project_id: self.authority.project(),
            node_id: &self.config.node_id,
            params: RoomEvent {
                room_id: &change.room,
                room_session_id: &change.room_session,
                body: RoleBody { member_id: &change.member, authorization: self.authorization() },
            },
        });
        self.deliver(Parcel::Own(params));
        self.send_authorization_state();
    }

    fn authorization(&self) -> Authorization {
        let protocol = &self.config.protocol;
        let signature = protocol.signature();
        match &*self.authority {
            Authority::Room(grant) => Authorization::Video(Box::new(VideoAuthorization::of(
                grant,
                signature,
                &protocol.uuid().to_string(),
            ))),
            Authority::Project(grant) => Authorization::Project(ProjectAuthorization {
                project: grant.project.to_string(),
                scopes: ["video"],
                signature: signature.to_owned(),
                expires_at: None,
            }),
        }
    }

    fn send_connect_result(&mut self, id: &Id) {
        let protocol = &self.config.protocol;
        let result = ConnectResult {
            identity: format!("{}@{}", protocol.uuid(), self.config.node_id),
            protocol: protocol.to_string(),
            authorization: self.authorization(),
            ice_servers: self.ice_servers.clone(),
        };
        self.write(rpc::result(id, &wire::value(&result)));
        self.send_authorization_state();
    }

    /// It proves the session and not the role, which the session knows: an older copy in a page is as good.
    fn send_authorization_state(&mut self) {
        let Some(state) = &self.authorization_state else { return };
        let event = json!({
            "event_type": "signalwire.authorization.state",
            "params": connect::authorization_state(state),
        });
        self.deliver(Parcel::Once(event.to_string()));
    }

    fn deliver_verto(&mut self, now: Now, verto: &VertoMessage) {
        self.next_frame += 1;
        let params = wire::text(&EventParams {
            event_type: "webrtc.message",
            event_channel: self.config.protocol.as_str(),
            timestamp: now.unix_s,
            project_id: self.authority.project(),
            node_id: &self.config.node_id,
            params: json!({
                "jsonrpc": "2.0", "id": self.next_frame, "method": verto.method, "params": verto.params,
            }),
        });
        // A page whose answer was lost invites again by itself.
        let parcel = if verto.method == "verto.answer" { Parcel::Once } else { Parcel::Own };
        self.deliver(parcel(params));
    }

    /// Sends an event, or keeps it for the next socket.
    fn deliver(&mut self, parcel: Parcel) {
        let Link::Up(up) = &mut self.link else { return self.backlog.push(parcel) };
        self.next_frame += 1;
        let number = self.next_frame;
        let params = match &parcel {
            Parcel::Room(event) => &*event.params,
            Parcel::Leg(event) => &*event.params,
            Parcel::Own(params) | Parcel::Once(params) => params,
        };
        let text = rpc::event(&format!("s{number}"), params);
        if let Acks::Announced(open) = &mut up.acks
            && parcel.comes_again()
        {
            if open.len() >= MAX_UNACKNOWLEDGED {
                open.pop_front();
            }
            open.push_back((number, parcel));
        }
        self.write(text);
    }

    fn send_request(&mut self, method: &str, params: &Value) {
        self.next_frame += 1;
        let text = rpc::request(&format!("s{}", self.next_frame), method, params);
        self.write(text);
    }

    fn answer_at_once(&mut self, now: Now, id: Id, reply: Reply) {
        let node_id = Arc::clone(&self.config.node_id);
        self.write(Pending::at_once(now.at, id).answer(&node_id, reply));
    }

    /// Text for the socket of now; without one it is lost.
    fn write(&mut self, text: String) {
        if let Link::Up(up) = &self.link {
            self.outputs.push_back(SessionOutput::Send { socket: up.socket, text });
        }
    }

    /// Tells the rooms this session has to do with.
    fn notify_rooms(&mut self, notice: Notice) {
        let routes: Vec<Route> = match &*self.authority {
            Authority::Room(grant) => vec![Route::Name(Arc::clone(&grant.room_name))],
            Authority::Project(_) => self.subscriptions.rooms().map(Route::Id).collect(),
        };
        for route in routes {
            let project = self.authority.project().clone();
            self.outputs.push_back(SessionOutput::Notice {
                route,
                project,
                session: self.config.key,
                notice,
            });
        }
    }
}
