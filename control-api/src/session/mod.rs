//! One SDK session: everything that belongs to a `protocol`.
//!
//! in:  sockets coming and going, their text, messages of rooms, time
//! out: text for the socket, requests for rooms, the next deadline

mod connect;
mod request;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

pub use connect::{ConnectRefusal, ConnectRequest, Credentials};
pub use request::{Command, Invite, Notice, Reply, RoomMessage, RoomRequest, Route, Sender, VertoMessage};

use crate::clock::Now;
use crate::grant::Authority;
use crate::ids::{ProjectId, Protocol, RequestKey, SessionKey, SocketId};
use crate::wire;

/// What a session is made with.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// Its number.
    pub key: SessionKey,
    /// Its name on the wire.
    pub protocol: Protocol,
    /// Name of this server.
    pub node_id: Arc<str>,
}

/// Credentials that the shell found good.
#[derive(Clone, Debug, PartialEq)]
pub struct Authenticated {
    /// What they allow.
    pub authority: Arc<Authority>,
    /// For browsers: what the page must show, with `protocol`, to go on after a reload.
    pub authorization_state: Option<String>,
}

/// What happens to a session.
#[derive(Clone, Debug)]
pub enum SessionInput {
    /// A text frame.
    Text {
        /// From this socket.
        socket: SocketId,
        /// At most [`crate::rpc::MAX_FRAME`] bytes; the shell closes with 1009 beyond.
        text: String,
    },
    /// A socket closed, whoever closed it.
    SocketLost {
        /// Which.
        socket: SocketId,
    },
    /// From a room, in its order.
    Room(RoomMessage),
    /// Answer to [`SessionOutput::ListRooms`].
    Rooms {
        /// Which request.
        request: RequestKey,
        /// The running room sessions of the project.
        rooms: Vec<Arc<wire::room::RoomSession>>,
    },
    /// Answer to [`SessionOutput::Reauthenticate`].
    Reauthenticated {
        /// Which request.
        request: RequestKey,
        /// How it went.
        outcome: Result<Authenticated, ConnectRefusal>,
    },
    /// The server wants to stop: tells the client to reconnect once its socket is closed.
    Drain,
    /// The deadline has come.
    Timeout,
}

/// What a session wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionOutput {
    /// Write a text frame.
    Send {
        /// To this socket.
        socket: SocketId,
        /// One JSON-RPC frame.
        text: String,
    },
    /// Close a socket: another one has taken its place.
    CloseSocket {
        /// Which.
        socket: SocketId,
    },
    /// Deliver to the room, or answer in its place.
    Request(RoomRequest),
    /// Deliver to the room if there is one.
    Notice {
        /// Which room.
        route: Route,
        /// Whose.
        project: ProjectId,
        /// Which session speaks.
        session: SessionKey,
        /// What it says.
        notice: Notice,
    },
    /// `video.rooms.get`: answer with [`SessionInput::Rooms`].
    ListRooms {
        /// Which request.
        request: RequestKey,
        /// Of this project.
        project: ProjectId,
    },
    /// Verify these and answer with [`SessionInput::Reauthenticated`].
    Reauthenticate {
        /// Which request.
        request: RequestKey,
        /// What to verify.
        credentials: Credentials,
    },
    /// Forget the session: nobody came back in time.
    Ended,
}

/// One SDK session.
#[derive(Debug)]
pub struct Session {
    config: SessionConfig,
    authority: Arc<Authority>,
    outputs: VecDeque<SessionOutput>,
}

impl Session {
    /// A session without a socket; call [`Session::attach`] next.
    #[must_use]
    pub fn new(config: SessionConfig, authority: Arc<Authority>) -> Self {
        Self { config, authority, outputs: VecDeque::new() }
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

    /// A verified connect, the first or a later one: this socket is now the session's. The one before, if any, is closed.
    pub fn attach(
        &mut self,
        _now: Now,
        _socket: SocketId,
        _request: ConnectRequest,
        _authenticated: Authenticated,
    ) {
    }

    /// Takes what happened.
    pub fn handle(&mut self, _now: Now, _input: SessionInput) {}

    /// What to do next; `None` until the next `handle`.
    pub fn poll(&mut self) -> Option<SessionOutput> {
        self.outputs.pop_front()
    }

    /// When to call [`Session::handle`] with [`SessionInput::Timeout`].
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        None
    }
}
