//! One peer: its ICE credentials and paths, its DTLS association, its SRTP keys.

use std::time::{Duration, Instant};

use super::data::DataChannels;
use super::dtls::Dtls;
use super::ice::Ice;
use super::path::Path;
use crate::srtp::{Inbound, Outbound};

/// Addresses and connections one peer may send from at a time; browsers use a handful. When full, the one not heard
/// from for longest makes room, so that a phone may roam all day.
const MAX_PATHS: usize = 16;

/// A path is live while something authentic comes this often: checks come every 2–2.5 s (RFC 7675).
const PATH_LIVES: Duration = Duration::from_secs(10);

pub(super) struct Peer {
    pub(super) ice: Ice,
    pub(super) dtls: Dtls,
    pub(super) srtp: Option<Box<(Inbound, Outbound)>>,
    /// When they were negotiated.
    pub(super) data: Option<Box<DataChannels>>,
    /// Where the peer wants its media: the last way it nominated, at first any.
    pub(super) path: Option<Path>,
    /// Last authenticated STUN, RTP or RTCP.
    pub(super) last_heard: Option<Instant>,
    /// What the set of deadlines has for this peer.
    pub(super) deadline: Option<Instant>,
    /// Where authenticated checks came from, and when last.
    paths: Vec<(Path, Instant)>,
}

impl Peer {
    pub(super) fn new(ice: Ice, dtls: Dtls) -> Self {
        Self {
            ice,
            dtls,
            srtp: None,
            data: None,
            path: None,
            last_heard: None,
            deadline: None,
            paths: Vec::new(),
        }
    }

    /// When DTLS or the data channels have something to do.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let data = self.data.as_ref().and_then(|data| data.poll_timeout());
        self.dtls.poll_timeout().into_iter().chain(data).min()
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = Path> {
        self.paths.iter().map(|(path, _)| *path)
    }

    /// Whether others must keep off this path.
    pub(super) fn lives_at(&self, path: Path, now: Instant) -> bool {
        self.path == Some(path)
            && self.last_heard.is_some_and(|heard| now.saturating_duration_since(heard) < PATH_LIVES)
    }

    /// Notes an authenticated check from `from`; returns the path that had to make room.
    pub(super) fn heard_from(&mut self, from: Path, now: Instant) -> Option<Path> {
        self.last_heard = Some(now);
        if let Some((_, heard)) = self.paths.iter_mut().find(|(path, _)| *path == from) {
            *heard = now;
            return None;
        }
        let forgotten = if self.paths.len() < MAX_PATHS { None } else { self.quietest() };
        let forgotten = forgotten.map(|at| self.paths.swap_remove(at).0);
        self.paths.push((from, now));
        forgotten
    }

    /// A path is gone; returns where media goes instead, if it went there and the peer was heard elsewhere of late. If it
    /// was not, the next authenticated check opens a path again.
    pub(super) fn lost(&mut self, path: Path, now: Instant) -> Option<Path> {
        self.paths.retain(|(known, _)| *known != path);
        if self.path != Some(path) {
            return None;
        }
        let latest = self.paths.iter().max_by_key(|(_, heard)| *heard);
        let live = latest.filter(|(_, heard)| now.saturating_duration_since(*heard) < PATH_LIVES);
        self.path = live.map(|(path, _)| *path);
        self.path
    }

    fn quietest(&self) -> Option<usize> {
        let others = self.paths.iter().enumerate().filter(|(_, (path, _))| Some(*path) != self.path);
        others.min_by_key(|(_, (_, heard))| *heard).map(|(at, _)| at)
    }
}
