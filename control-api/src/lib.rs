//! The control plane of a video room server as two state machines without I/O.
//!
//! ```text
//!  socket text ──► ConnectRequest::parse            (the shell verifies credentials, finds or makes the Session)
//!  socket text ──► Session ──RoomRequest──► RoomSession ──MediaInstruction──► media plane
//!  socket text ◄── Session ◄─RoomMessage─── RoomSession ◄──MediaEvent──────── media plane
//! ```
//!
//! [`Session`] is one SDK session, named by its `protocol`: it outlives its sockets, owns subscriptions, queued events and
//! requests under way. [`RoomSession`] is one running room: the only place that knows who may do what to whom, and
//! that puts everything that happens there into one order.
//!
//! Both take input by `handle`, give output by `poll` until it is `None`, and name the next moment they want to be
//! called by `deadline`. Time is an argument. The shell owns tasks, sockets, mailboxes, storage and secrets. What it
//! must keep: messages from one room to one session arrive in the order they came out.

mod clock;
mod event;
mod grant;
mod ids;
mod level;
mod permission;
mod receive;
mod room;
pub mod rpc;
mod session;
pub mod wire;

pub use clock::Now;
pub use event::{Event, EventKind, EventSet, Recipients};
pub use grant::{Authority, JoinAs, MediaAllowed, ProjectGrant, RoomGrant, Standing};
pub use ids::{
    CallId, IdSource, LegId, MemberId, ProjectId, Protocol, RecordingId, RequestKey, RoomId, RoomSessionId,
    SessionKey, SocketId,
};
pub use level::{Sensitivity, Volume};
pub use permission::{MemberAction, Permission, PermissionSet, RoomAction};
pub use receive::{LegReceive, TileAudio};
pub use room::{
    LegEnd, LegMedia, Liveness, MediaEvent, MediaInstruction, MemberSetup, PlacedLayer, Placement,
    PlannedAudio, PlannedVideo, RecordingEvent, RecordingInstruction, RoomConfig, RoomInput, RoomOutput,
    RoomSession, RoomSettings, TilePlan, Tone, WantedEncoding,
};
pub use session::{
    Authenticated, ChildKind, Command, ConnectRefusal, ConnectRequest, Credentials, ExtraLeg, Invite,
    LegEvent, LegEventKind, LegRole, Notice, Reply, RoleChange, RoomMessage, RoomRequest, Route, Sender,
    Session, SessionConfig, SessionInput, SessionOutput, VertoMessage, Via, methods,
};
pub use wire::connect::IceServer;
pub use wire::recording::RecordingEnd;
