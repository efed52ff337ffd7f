//! What passes between a session and the shell around it.

use std::sync::Arc;
use std::time::Duration;

use super::connect::{ConnectRefusal, Credentials};
use super::request::{Notice, RoomMessage, RoomRequest, Route};
use crate::grant::Authority;
use crate::ids::{ProjectId, Protocol, RequestKey, SessionKey, SocketId};
use crate::wire;
use crate::wire::connect::IceServer;

/// What a session is made with.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// Its number.
    pub key: SessionKey,
    /// Its name on the wire.
    pub protocol: Protocol,
    /// Name of this server.
    pub node_id: Arc<str>,
    /// How long rooms keep somebody without a sign of life; the session is kept at least as long.
    pub leave_after: Duration,
}

/// Credentials that the shell found good.
#[derive(Clone, Debug, PartialEq)]
pub struct Authenticated {
    /// What they allow.
    pub authority: Arc<Authority>,
    /// For browsers: what the page must show, with `protocol`, to go on after a reload.
    pub authorization_state: Option<String>,
    /// It may take up the calls the session has: it showed no state, or the session's own. A page with the state of
    /// another session may only begin anew.
    pub may_resume: bool,
    /// For browsers, when there is a TURN server.
    pub ice_servers: Vec<IceServer>,
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
