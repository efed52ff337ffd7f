//! Load: many peers against one server, and what that costs the server.
//!
//! in:  a server to load, how many publish and watch, what they report back, for how long
//! out: processor time per forwarded packet, memory per subscriber, delay, joins; or why there is no result
//!
//! ```text
//!   scenario ── Driver (signalling: ours, Janus, the bare sender) ──► the server's process ◄── meter
//!       └─────► engine thread: all peers' sockets; no epoll, so nobody pays for waking us
//!                  peer = one UDP socket + str0m (ICE, DTLS) + clear headers counted
//!                  some peers verify: str0m decrypts, the pattern in every payload is compared
//! ```
//!
//! Whoever is measured gets the same packets: sources are made from a seed, feedback is written by us for everybody.

pub mod rtcp;
pub mod rtp;
pub mod vp8;

pub mod source;
pub mod speech;

mod feedback;
mod keys;
mod net;
mod peer;
mod sent;
mod verify;

pub mod engine;
pub mod meter;

pub mod driver;
pub mod floor;
pub mod janus;
pub mod signalbox;

pub mod scenario;

pub mod forward;

pub mod audiobridge;
pub mod conference;

pub mod audio;

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A socket, a process or a file.
    #[error("system: {0}")]
    Io(#[from] std::io::Error),
    /// str0m said so.
    #[error("str0m: {0}")]
    Rtc(#[from] str0m::RtcError),
    /// Coding the source failed.
    #[error("source: {0}")]
    Source(String),
    /// The server answered what cannot be used.
    #[error("signalling: {0}")]
    Signalling(String),
    /// What was waited for did not come.
    #[error("{0}")]
    Late(String),
    /// More than the caps allow, or an address that is not loopback.
    #[error("refused: {0}")]
    Refused(String),
    /// The engine's thread is gone.
    #[error("the load engine has ended")]
    Ended,
}

impl From<crate::client::ClientError> for LoadError {
    fn from(error: crate::client::ClientError) -> Self {
        Self::Signalling(error.to_string())
    }
}
