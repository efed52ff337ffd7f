//! ICE, DTLS, SRTP and data channels of all peers that share one port.
//!
//! in:  datagrams and where they came from, RTP and RTCP to protect, time
//! out: plaintext RTP and RTCP, STUN and DTLS to send, events, the next deadline
//!
//! ```text
//!              ┌ STUN by user name fragment ─► ice ──► path, addresses
//!   datagram ──┼ DTLS by address ─► gate ─► client_hello ─► dtls ──► keys, data
//!   (demux)    └ SRTP by address ─► srtp ──────────────────────────► Received
//! ```
//!
//! We are ICE-lite and the DTLS server. Addresses are learnt from authenticated connectivity checks
//! only; what comes from elsewhere is dropped unanswered. No datagram that is not authenticated gets
//! an answer longer than itself, except that a handshake goes on with an address ICE has validated.
//!
//! RFC 7983 (one port), RFC 8445 (ICE), RFC 5763 and 5764 (DTLS-SRTP).

mod candidate;
mod client_hello;
mod data;
mod demux;
mod drop_reason;
mod dtls;
mod dtls_gate;
mod dtls_record;
pub mod framing;
mod ice;
mod identity;
mod params;
mod path;
mod peer;
mod slots;

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use rustc_hash::FxHashMap;

use crate::srtp::{Outbound, Profile};
use crate::units::TransportKey;
use demux::Class;
use dtls::{Dtls, Outcome};
use ice::{Check, Ice, Ufrag};
use peer::Peer;
use slots::Slots;

pub use candidate::{Candidate, Protocol};
pub use data::{
    ChannelSetup, DataChannels, DataEvent, DataMessage, Delivery, MESSAGE_MAX, Reliability, SEND_LOW,
    SEND_MAX, SendRefusal,
};
pub use drop_reason::DropReason;
pub use identity::{Identity, IdentityError};
pub(crate) use slots::place;

pub use params::{Fingerprint, LocalIce, RemoteIce};
pub use path::{ConnectionId, Path};

/// Datagrams waiting for [`Transports::poll_transmit`]. Further ones are dropped: they are answers
/// to checks and handshake flights, which both sides repeat.
const MAX_OUTBOX: usize = 4096;

/// What the SDP said of a peer.
#[derive(Clone, Debug)]
pub struct PeerSetup {
    /// Its ICE credentials.
    pub remote: RemoteIce,
    /// Hash of the certificate it will show.
    pub fingerprint: Fingerprint,
}

/// What came of a received datagram.
#[derive(Debug, PartialEq, Eq)]
pub enum Received<'b> {
    /// Authentic RTP.
    Rtp {
        /// Whose.
        transport: TransportKey,
        /// Decrypted.
        packet: &'b [u8],
    },
    /// Authentic RTCP.
    Rtcp {
        /// Whose.
        transport: TransportKey,
        /// Decrypted.
        packet: &'b [u8],
    },
    /// STUN or DTLS; see what there is to send and which events there are.
    Taken,
    /// Dropped, and why.
    Refused(DropReason),
}

/// What happened to a transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransportEvent {
    /// The first authenticated check came, this way.
    PathOpen(Path),
    /// The peer wants its media another way from now on.
    PathMoved(Path),
    /// DTLS is complete; media can flow.
    Keyed(Profile),
    /// The peer has closed its side.
    Closed,
    /// DTLS has failed; says why.
    Failed(String),
    /// Something happened on its data channels.
    Data(DataEvent),
}

/// All peers of one UDP port; one value per shard.
pub struct Transports {
    identity: Arc<Identity>,
    peers: Slots<Peer>,
    by_ufrag: FxHashMap<Ufrag, TransportKey>,
    /// Written by authenticated checks only.
    by_path: FxHashMap<Path, TransportKey>,
    /// Where the connections come from: what a check that came on one is answered with.
    connections: FxHashMap<ConnectionId, SocketAddr>,
    /// Connections that no peer uses any more; at most one for each that is open.
    abandoned: VecDeque<ConnectionId>,
    /// Peers in the middle of a handshake, by when they want [`Self::handle_timeout`].
    deadlines: BTreeSet<(Instant, TransportKey)>,
    outbox: VecDeque<(Path, Bytes)>,
    /// Emptied by [`Self::poll_event`], after every datagram. Of a path that moves only the latest is kept; messages of
    /// data channels are bounded by what a peer may send before it is read; everything else happens once.
    events: VecDeque<(TransportKey, TransportEvent)>,
    flight: Vec<Bytes>,
}

impl fmt::Debug for Transports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transports")
            .field("peers", &self.by_ufrag.len())
            .field("paths", &self.by_path.len())
            .field("connections", &self.connections.len())
            .finish_non_exhaustive()
    }
}

impl Transports {
    /// No peers yet.
    #[must_use]
    pub fn new(identity: Arc<Identity>) -> Self {
        Self {
            identity,
            peers: Slots::new(),
            by_ufrag: FxHashMap::default(),
            by_path: FxHashMap::default(),
            connections: FxHashMap::default(),
            abandoned: VecDeque::new(),
            deadlines: BTreeSet::new(),
            outbox: VecDeque::new(),
            events: VecDeque::new(),
            flight: Vec::new(),
        }
    }

    /// For our SDP: the hash of our certificate.
    #[must_use]
    pub fn fingerprint(&self) -> &Fingerprint {
        self.identity.fingerprint()
    }

    /// Expects a peer; returns our credentials for the answer.
    pub fn open(&mut self, setup: PeerSetup) -> (TransportKey, LocalIce) {
        let ice = Ice::new(setup.remote, |ufrag| self.by_ufrag.contains_key(ufrag));
        let (ufrag, local) = (ice.ufrag(), ice.local());
        let key = self.peers.insert(Peer::new(ice, Dtls::new(setup.fingerprint)));
        self.by_ufrag.insert(ufrag, key);
        (key, local)
    }

    /// New credentials for the same association: DTLS, SRTP and the path stay until the peer has
    /// found another (RFC 8445 §9). `None` when there is no such transport.
    pub fn restart_ice(&mut self, key: TransportKey, remote: RemoteIce) -> Option<LocalIce> {
        let peer = self.peers.get_mut(key)?;
        let is_taken = |ufrag: &Ufrag| self.by_ufrag.contains_key(ufrag);
        if let Some(forgotten) = peer.ice.restart(remote, is_taken) {
            self.by_ufrag.remove(&forgotten);
        }
        self.by_ufrag.insert(peer.ice.ufrag(), key);
        Some(peer.ice.local())
    }

    /// Says goodbye (close_notify) and forgets the peer.
    pub fn close(&mut self, now: Instant, key: TransportKey) {
        let Some(mut peer) = self.peers.remove(key) else { return };
        for ufrag in peer.ice.ufrags() {
            self.by_ufrag.remove(&ufrag);
        }
        for path in peer.paths() {
            // Another peer may have come to this address since.
            if self.by_path.get(&path) == Some(&key) {
                self.leave(path);
            }
        }
        if let Some(deadline) = peer.deadline {
            self.deadlines.remove(&(deadline, key));
        }
        self.events.retain(|(whose, _)| *whose != key);
        peer.dtls.close(now, &mut self.flight);
        self.send_flight(peer.path);
    }

    /// A peer, who is not known yet, has made a connection to our port.
    pub fn handle_connected(&mut self, connection: ConnectionId, from: SocketAddr) {
        self.connections.insert(connection, from);
    }

    /// A connection is no more. Its peer gets its media the way it was last heard on, until it says otherwise.
    pub fn handle_disconnected(&mut self, now: Instant, connection: ConnectionId) {
        self.connections.remove(&connection);
        self.abandoned.retain(|abandoned| *abandoned != connection);
        let path = Path::Tcp(connection);
        let Some(key) = self.by_path.remove(&path) else { return };
        let Some(peer) = self.peers.get_mut(key) else { return };
        if let Some(next) = peer.lost(path, now) {
            self.moved(key, next);
        }
    }

    /// Whether an authenticated check came on this connection.
    #[must_use]
    pub fn serves(&self, connection: ConnectionId) -> bool {
        self.by_path.contains_key(&Path::Tcp(connection))
    }

    /// A connection that can be closed, once all there is to transmit has been sent.
    pub fn poll_abandoned(&mut self) -> Option<ConnectionId> {
        self.abandoned.pop_front()
    }

    /// Takes a datagram; media is decrypted in place.
    pub fn receive<'b>(&mut self, now: Instant, from: impl Into<Path>, bytes: &'b mut [u8]) -> Received<'b> {
        let from = from.into();
        let taken = match demux::class(bytes) {
            Some(Class::Rtp) => return self.on_media(now, from, bytes, Class::Rtp),
            Some(Class::Rtcp) => return self.on_media(now, from, bytes, Class::Rtcp),
            Some(Class::Stun) => self.on_stun(now, from, bytes),
            Some(Class::Dtls) => self.on_dtls(now, from, bytes),
            None => Err(DropReason::UnknownProtocol),
        };
        match taken {
            Ok(()) => Received::Taken,
            Err(reason) => Received::Refused(reason),
        }
    }

    /// Protects RTP; says where to send it. `None` while there are no keys or no path, and for what
    /// is not RTP.
    pub fn seal_rtp(&mut self, key: TransportKey, packet: &mut Vec<u8>) -> Option<Path> {
        let peer = self.peers.get_mut(key)?;
        let (_, outbound) = peer.srtp.as_deref_mut()?;
        outbound.seal_rtp(packet).ok()?;
        peer.path
    }

    /// Protects RTCP; says where to send it. `None` while there are no keys or no path, and for
    /// what is not RTCP.
    pub fn seal_rtcp(&mut self, key: TransportKey, packet: &mut Vec<u8>) -> Option<Path> {
        let peer = self.peers.get_mut(key)?;
        let (_, outbound) = peer.srtp.as_deref_mut()?;
        outbound.seal_rtcp(packet).ok()?;
        peer.path
    }

    /// What protects media for a peer, and where it goes. `None` while there are no keys or no path.
    pub fn way_out(&mut self, key: TransportKey) -> Option<(Path, &mut Outbound)> {
        let peer = self.peers.get_mut(key)?;
        let (_, outbound) = peer.srtp.as_deref_mut()?;
        Some((peer.path?, outbound))
    }

    /// Next STUN or DTLS datagram to send.
    pub fn poll_transmit(&mut self) -> Option<(Path, Bytes)> {
        self.outbox.pop_front()
    }

    /// Next event.
    pub fn poll_event(&mut self) -> Option<(TransportKey, TransportEvent)> {
        self.events.pop_front()
    }

    /// When [`Self::handle_timeout`] is due; only peers in a handshake need it.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Repeats what was lost, ends what takes too long.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((deadline, key)) = self.deadlines.first().copied().filter(|(at, _)| *at <= now) {
            self.deadlines.remove(&(deadline, key));
            let Some(peer) = self.peers.get_mut(key) else { continue };
            peer.deadline = None;
            let outcome = peer.dtls.handle_timeout(now, &mut self.flight);
            if let Some(data) = &mut peer.data {
                data.handle_timeout(now);
            }
            self.after_dtls(now, key, outcome);
        }
    }

    /// The SDP has data channels; the peer takes messages of at most this length.
    pub fn expect_data(&mut self, key: TransportKey, message_max: usize) {
        if let Some(peer) = self.peers.get_mut(key) {
            peer.dtls.expect_data();
            peer.data.get_or_insert_with(|| Box::new(DataChannels::new(message_max)));
        }
    }

    /// Opens a data channel to the peer; [`DataEvent::Opened`] follows.
    ///
    /// # Errors
    /// [`SendRefusal`]
    pub fn open_channel(
        &mut self,
        now: Instant,
        key: TransportKey,
        setup: ChannelSetup,
    ) -> Result<(), SendRefusal> {
        self.with_data(now, key, |data| data.open(now, setup))
    }

    /// Sends a message on the channel of this label. Refused with [`SendRefusal::Full`] when [`SEND_MAX`] bytes wait;
    /// [`DataEvent::Drained`] follows when no more than [`SEND_LOW`] do.
    ///
    /// # Errors
    /// [`SendRefusal`]
    pub fn send_data(
        &mut self,
        now: Instant,
        key: TransportKey,
        label: &str,
        message: &DataMessage,
    ) -> Result<(), SendRefusal> {
        self.with_data(now, key, |data| data.send(now, label, message))
    }

    /// Ends the channel of this label; [`DataEvent::Closed`] follows.
    pub fn close_channel(&mut self, now: Instant, key: TransportKey, label: &str) {
        // Without data channels there is nothing to end.
        let _ = self.with_data(now, key, |data| {
            data.close(now, label);
            Ok(())
        });
    }

    fn with_data(
        &mut self,
        now: Instant,
        key: TransportKey,
        act: impl FnOnce(&mut DataChannels) -> Result<(), SendRefusal>,
    ) -> Result<(), SendRefusal> {
        let peer = self.peers.get_mut(key).ok_or(SendRefusal::NoChannel)?;
        let acted = act(peer.data.as_mut().ok_or(SendRefusal::NoChannel)?);
        self.after_dtls(now, key, Outcome::Nothing);
        acted
    }

    /// When the last authenticated STUN, RTP, RTCP or data came.
    #[must_use]
    pub fn last_heard(&self, key: TransportKey) -> Option<Instant> {
        self.peers.get(key)?.last_heard
    }

    fn on_media<'b>(&mut self, now: Instant, from: Path, bytes: &'b mut [u8], class: Class) -> Received<'b> {
        let Some(&transport) = self.by_path.get(&from) else {
            return Received::Refused(DropReason::MediaUnknownAddress);
        };
        let Some(peer) = self.peers.get_mut(transport) else {
            return Received::Refused(DropReason::MediaUnknownAddress);
        };
        let Some((inbound, _)) = peer.srtp.as_deref_mut() else {
            return Received::Refused(DropReason::MediaBeforeKeys);
        };
        let opened = match class {
            Class::Rtcp => inbound.open_rtcp(bytes).map(|packet| Received::Rtcp { transport, packet }),
            Class::Rtp | Class::Stun | Class::Dtls => {
                inbound.open_rtp(bytes).map(|packet| Received::Rtp { transport, packet })
            }
        };
        match opened {
            Ok(received) => {
                peer.last_heard = Some(now);
                received
            }
            Err(refusal) => Received::Refused(refusal.into()),
        }
    }

    fn on_stun(&mut self, now: Instant, from: Path, bytes: &[u8]) -> Result<(), DropReason> {
        let mut check = Check::parse(bytes)?;
        let key = *self.by_ufrag.get(&check.local()).ok_or(DropReason::StunUnknownUfrag)?;
        let crypto = self.identity.crypto().crypto();
        let peer = self.peers.get(key).ok_or(DropReason::StunUnknownUfrag)?;
        let mapped = match from {
            Path::Udp(address) => address,
            Path::Tcp(connection) => {
                *self.connections.get(&connection).ok_or(DropReason::StunUnauthenticated)?
            }
        };
        let answer = peer.ice.answer(&mut check, mapped, crypto).ok_or(DropReason::StunUnauthenticated)?;
        // A member could send checks of its own with another member's address as their source.
        let owner = self.by_path.get(&from).filter(|owner| **owner != key);
        if owner.and_then(|owner| self.peers.get(*owner)).is_some_and(|owner| owner.lives_at(from, now)) {
            return Err(DropReason::StunAddressTaken);
        }
        if self.outbox.len() >= MAX_OUTBOX {
            return Err(DropReason::OutboxFull);
        }
        self.outbox.push_back((from, answer));
        self.on_authentic_check(now, key, from, &check);
        Ok(())
    }

    fn on_authentic_check(&mut self, now: Instant, key: TransportKey, from: Path, check: &Check) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        if let Some(forgotten) = peer.ice.on_authentic(check) {
            self.by_ufrag.remove(&forgotten);
        }
        let full = peer.heard_from(from, now);
        if let Some(full) = full.filter(|full| self.by_path.get(full) == Some(&key)) {
            self.leave(full);
        }
        self.by_path.insert(from, key);
        let Some(peer) = self.peers.get_mut(key) else { return };
        match peer.path {
            None => {
                peer.path = Some(from);
                self.events.push_back((key, TransportEvent::PathOpen(from)));
            }
            Some(path) if check.nominates && path != from => {
                peer.path = Some(from);
                self.moved(key, from);
            }
            Some(_) => {}
        }
    }

    /// Only the latest of several moves is told.
    fn moved(&mut self, key: TransportKey, to: Path) {
        self.events.retain(|(whose, event)| *whose != key || !matches!(event, TransportEvent::PathMoved(_)));
        self.events.push_back((key, TransportEvent::PathMoved(to)));
    }

    /// Nobody is expected on this path any more.
    fn leave(&mut self, path: Path) {
        self.by_path.remove(&path);
        if let Path::Tcp(connection) = path
            && self.connections.contains_key(&connection)
        {
            self.abandoned.push_back(connection);
        }
    }

    fn on_dtls(&mut self, now: Instant, from: Path, bytes: &[u8]) -> Result<(), DropReason> {
        let key = *self.by_path.get(&from).ok_or(DropReason::DtlsUnknownAddress)?;
        let peer = self.peers.get_mut(key).ok_or(DropReason::DtlsUnknownAddress)?;
        let outcome = peer.dtls.read(now, &self.identity, bytes, &mut self.flight)?;
        let mut taken = Ok(());
        for packet in peer.dtls.take_data() {
            peer.last_heard = Some(now);
            if let Some(data) = &mut peer.data {
                taken = taken.and(data.receive(now, packet.freeze()));
            }
        }
        self.after_dtls(now, key, outcome);
        taken
    }

    /// Sends what DTLS and the data channels want sent, sets their next deadline, tells what happened.
    fn after_dtls(&mut self, now: Instant, key: TransportKey, outcome: Outcome) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        if let Some(data) = &mut peer.data {
            while let Some(packet) = data.poll_transmit() {
                peer.dtls.send_data(now, &packet, &mut self.flight);
            }
            while let Some(event) = data.poll_event() {
                self.events.push_back((key, TransportEvent::Data(event)));
            }
        }
        let next = peer.poll_timeout();
        if next != peer.deadline {
            if let Some(before) = peer.deadline {
                self.deadlines.remove(&(before, key));
            }
            self.deadlines.extend(next.map(|next| (next, key)));
            peer.deadline = next;
        }
        let event = match outcome {
            Outcome::Nothing => None,
            Outcome::Keyed { profile, keys } => {
                peer.srtp = Some(keys);
                Some(TransportEvent::Keyed(profile))
            }
            Outcome::Closed => Some(TransportEvent::Closed),
            Outcome::Failed(why) => Some(TransportEvent::Failed(why)),
        };
        self.events.extend(event.map(|event| (key, event)));
        let path = peer.path;
        self.send_flight(path);
    }

    fn send_flight(&mut self, path: Option<Path>) {
        let room = MAX_OUTBOX.saturating_sub(self.outbox.len());
        let flight = self.flight.drain(..);
        if let Some(path) = path {
            self.outbox.extend(flight.take(room).map(|datagram| (path, datagram)));
        }
    }
}
