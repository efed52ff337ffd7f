//! A media peer that shares nothing with the server: str0m's ICE, DTLS, SRTP and RTP on sockets of its own.
//!
//! in:  the server's SDP answer, clips to send
//! out: an SDP offer, and [`Observed`]: when what came first, the picture and the sound as they are now
//!
//! A task drives it until its [`Peer`] is dropped.

mod aes_cm;
mod clip;
mod drive;
mod observed;
mod sdp;
mod transport;

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use clip::{Camera, Microphone};
pub use observed::{Milestones, Observed};

use drive::Drive;

/// What a peer is made with.
#[derive(Clone, Debug)]
pub struct PeerConfig {
    /// One transport for both sections, or one for each.
    pub bundle: bool,
    /// Which SRTP profiles it offers.
    pub protection: Protection,
    /// What it sends as video.
    pub camera: Arc<Camera>,
    /// What it sends as audio.
    pub microphone: Arc<Microphone>,
    /// Which received pictures it decodes.
    pub decode: Decode,
}

/// Which SRTP profiles a peer offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// AES-256-GCM, AES-128-GCM and AES-CM-SHA1, all with str0m's own DTLS.
    All,
    /// AES-CM-SHA1 alone.
    AesCm,
}

/// Which received pictures are decoded; sound always is when any picture is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decode {
    /// None: frames are counted only.
    Nothing,
    /// Up to the first that has the camera's colour in its middle: one's own picture, seen through the server.
    UntilOneself,
    /// All.
    Everything,
}

/// Why a peer could not go on.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// No socket.
    #[error("socket: {0}")]
    Socket(#[from] std::io::Error),
    /// str0m said so.
    #[error("str0m: {0}")]
    Rtc(#[from] str0m::RtcError),
    /// The answer cannot be used.
    #[error("answer: {0}")]
    Answer(String),
    /// A clip or a received frame could not be coded.
    #[error("codec: {0}")]
    Codec(#[from] media_core::codec::CodecError),
    /// Opus said so.
    #[error("opus: {0}")]
    Opus(#[from] opus::Error),
    /// What was waited for did not come.
    #[error("{what} did not come within {within:?}: {seen}")]
    Late {
        /// What.
        what: &'static str,
        /// How long it had.
        within: Duration,
        /// What came instead.
        seen: String,
    },
    /// Its task ended.
    #[error("the peer ended: {0}")]
    Ended(String),
}

/// An offer that waits for its answer.
#[derive(Debug)]
pub struct Offering {
    drive: Drive,
    offer: String,
}

/// A running peer.
#[derive(Debug)]
pub struct Peer {
    observed: watch::Receiver<Observed>,
    task: JoinHandle<()>,
}

impl Offering {
    /// Binds sockets on loopback and makes the offer.
    ///
    /// # Errors
    /// [`PeerError`]
    pub async fn new(config: PeerConfig) -> Result<Self, PeerError> {
        Self::from(config, IpAddr::V4(Ipv4Addr::LOCALHOST)).await
    }

    /// Binds sockets to that address and makes the offer.
    ///
    /// # Errors
    /// [`PeerError`]
    pub async fn from(config: PeerConfig, address: IpAddr) -> Result<Self, PeerError> {
        let (drive, offer) = Drive::offer(config, address).await?;
        Ok(Self { drive, offer })
    }

    /// The offer, complete with candidates.
    #[must_use]
    pub fn sdp(&self) -> &str {
        &self.offer
    }

    /// Takes the answer and starts.
    ///
    /// # Errors
    /// [`PeerError::Answer`], [`PeerError::Rtc`]
    pub fn accept(mut self, answer: &str) -> Result<Peer, PeerError> {
        self.drive.accept(answer)?;
        let observed = self.drive.subscribe();
        let task = tokio::spawn(self.drive.run());
        Ok(Peer { observed, task })
    }
}

impl Peer {
    /// As of now.
    #[must_use]
    pub fn observed(&self) -> Observed {
        self.observed.borrow().clone()
    }

    /// Waits until that is so.
    ///
    /// # Errors
    /// [`PeerError::Late`] with what was seen instead, [`PeerError::Ended`].
    pub async fn until(
        &self,
        what: &'static str,
        within: Duration,
        is_so: impl Fn(&Observed) -> bool,
    ) -> Result<Observed, PeerError> {
        let mut observed = self.observed.clone();
        let seen = tokio::time::timeout(within, observed.wait_for(|o| is_so(o) || o.ended.is_some())).await;
        let seen = match seen {
            Ok(Ok(seen)) => seen.clone(),
            Ok(Err(_)) => return Err(PeerError::Ended("its task is gone".to_owned())),
            Err(_) => {
                let seen = format!("{:?}", self.observed());
                return Err(PeerError::Late { what, within, seen });
            }
        };
        match seen.ended {
            Some(why) if !is_so(&self.observed()) => Err(PeerError::Ended(why)),
            Some(_) | None => Ok(seen),
        }
    }

    /// Ends it without a word, as a machine that loses its network.
    pub fn stop(self) -> impl Future<Output = ()> {
        drop(self.observed);
        self.task.abort();
        async move {
            let _ = self.task.await;
        }
    }
}
