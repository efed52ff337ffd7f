//! One peer: its ICE credentials and addresses, its DTLS association, its SRTP keys.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::dtls::Dtls;
use super::ice::Ice;
use crate::srtp::{Inbound, Outbound};

/// Addresses one peer may send from at a time; browsers use a handful. When full, the one not heard
/// from for longest makes room, so that a phone may roam all day.
const MAX_ADDRESSES: usize = 16;

/// A path is live while something authentic comes this often: checks come every 2–2.5 s (RFC 7675).
const PATH_LIVES: Duration = Duration::from_secs(10);

pub(super) struct Peer {
    pub(super) ice: Ice,
    pub(super) dtls: Dtls,
    pub(super) srtp: Option<Box<(Inbound, Outbound)>>,
    /// Where the peer wants its media: the last address it nominated, at first any.
    pub(super) path: Option<SocketAddr>,
    /// Last authenticated STUN, RTP or RTCP.
    pub(super) last_heard: Option<Instant>,
    /// What the set of deadlines has for this peer.
    pub(super) deadline: Option<Instant>,
    /// Where authenticated checks came from, and when last.
    addresses: Vec<(SocketAddr, Instant)>,
}

impl Peer {
    pub(super) fn new(ice: Ice, dtls: Dtls) -> Self {
        Self { ice, dtls, srtp: None, path: None, last_heard: None, deadline: None, addresses: Vec::new() }
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.addresses.iter().map(|(address, _)| *address)
    }

    /// Whether others must keep off this address.
    pub(super) fn lives_at(&self, address: SocketAddr, now: Instant) -> bool {
        self.path == Some(address)
            && self.last_heard.is_some_and(|heard| now.saturating_duration_since(heard) < PATH_LIVES)
    }

    /// Notes an authenticated check from `from`; returns the address that had to make room.
    pub(super) fn heard_from(&mut self, from: SocketAddr, now: Instant) -> Option<SocketAddr> {
        self.last_heard = Some(now);
        if let Some((_, heard)) = self.addresses.iter_mut().find(|(address, _)| *address == from) {
            *heard = now;
            return None;
        }
        let forgotten = if self.addresses.len() < MAX_ADDRESSES { None } else { self.quietest() };
        let forgotten = forgotten.map(|at| self.addresses.swap_remove(at).0);
        self.addresses.push((from, now));
        forgotten
    }

    fn quietest(&self) -> Option<usize> {
        let others = self.addresses.iter().enumerate().filter(|(_, (a, _))| Some(*a) != self.path);
        others.min_by_key(|(_, (_, heard))| *heard).map(|(at, _)| at)
    }
}
