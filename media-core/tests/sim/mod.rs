//! A simulated network and a simulated browser, in virtual time and from a seed.
//!
//! [`link::Link`] carries datagrams both ways with delay, loss, reordering and duplicates.
//! [`browser::Browser`] does what a browser does below RTP: connectivity checks, DTLS as client, SRTP.
//! [`run`] moves both and a [`Transports`] forward until a time.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a simulation fails by panic"
)]
#![allow(dead_code, unreachable_pub, reason = "each test file is a crate that uses a part of this")]

pub mod browser;
pub mod link;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use media_core::transport::{Fingerprint, Identity, PeerSetup, Received, TransportEvent, Transports};
use media_core::units::TransportKey;

use browser::Browser;
use link::{Impairment, Link};

/// Where the server of the simulation listens.
pub fn server_address() -> SocketAddr {
    "192.0.2.10:40000".parse().unwrap()
}

/// A server, its browsers, and the network between them.
pub struct World {
    pub now: Instant,
    pub started: Instant,
    pub server: Transports,
    pub link: Link,
    pub browsers: Vec<Browser>,
    /// All events of the server, with the time they came.
    pub events: Vec<(Duration, TransportKey, TransportEvent)>,
    /// All plaintext RTP the server received.
    pub server_rtp: Vec<(TransportKey, Vec<u8>)>,
    /// Why the server dropped datagrams.
    pub refused: Vec<media_core::transport::DropReason>,
}

impl World {
    pub fn new(seed: u64, impairment: Impairment) -> Self {
        let now = Instant::now();
        Self {
            now,
            started: now,
            server: Transports::new(Arc::new(Identity::generate().unwrap())),
            link: Link::new(seed, impairment),
            browsers: Vec::new(),
            events: Vec::new(),
            server_rtp: Vec::new(),
            refused: Vec::new(),
        }
    }

    /// A browser whose offer has been answered; it begins with its checks at once.
    pub fn join(&mut self, browser: Browser) -> usize {
        let fingerprint = browser.fingerprint();
        self.join_as(browser, fingerprint)
    }

    /// The same, with any fingerprint in the offer.
    pub fn join_as(&mut self, mut browser: Browser, fingerprint: Fingerprint) -> usize {
        let (key, local) = self.server.open(PeerSetup { remote: browser.remote_ice(), fingerprint });
        browser.answered(self.now, key, local, *self.server.fingerprint());
        self.browsers.push(browser);
        self.browsers.len() - 1
    }

    /// Moves time forward, from one happening to the next.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.flush();
            let next = self.next_happening().filter(|next| *next <= end);
            let Some(next) = next else { break };
            self.now = next.max(self.now);
            while let Some(datagram) = self.link.receive(self.now) {
                self.deliver(datagram);
            }
            self.server.handle_timeout(self.now);
            for browser in &mut self.browsers {
                browser.handle_timeout(self.now);
            }
        }
        self.now = end;
    }

    /// Runs until the condition holds; `false` when it does not within `limit`.
    pub fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now + limit;
        while !done(self) {
            if self.now >= end {
                return false;
            }
            self.run_for(Duration::from_millis(1));
        }
        true
    }

    /// Whether server and browser both have keys.
    pub fn is_connected(&self, browser: usize) -> bool {
        let browser = &self.browsers[browser];
        browser.is_connected()
            && self
                .events
                .iter()
                .any(|(_, key, event)| *key == browser.key() && matches!(event, TransportEvent::Keyed(_)))
    }

    /// The events of one transport.
    pub fn events_of(&self, key: TransportKey) -> Vec<&TransportEvent> {
        self.events.iter().filter(|(_, k, _)| *k == key).map(|(_, _, event)| event).collect()
    }

    /// Sends RTP from the server to a browser.
    pub fn server_sends(&mut self, key: TransportKey, rtp: &[u8]) -> bool {
        let mut packet = rtp.to_vec();
        match self.server.seal_rtp(key, &mut packet) {
            Some(to) => self.link.send(self.now, server_address(), to.udp().unwrap(), packet),
            None => return false,
        }
        true
    }

    fn next_happening(&self) -> Option<Instant> {
        let browsers = self.browsers.iter().filter_map(Browser::poll_timeout).min();
        [self.link.poll_timeout(), self.server.poll_timeout(), browsers].into_iter().flatten().min()
    }

    /// Puts on the link what anybody wants to send.
    fn flush(&mut self) {
        while let Some((to, bytes)) = self.server.poll_transmit() {
            // What goes over a connection is looked at by the test that made it.
            if let Some(to) = to.udp() {
                self.link.send(self.now, server_address(), to, bytes.to_vec());
            }
        }
        while let Some((key, event)) = self.server.poll_event() {
            self.events.push((self.now - self.started, key, event));
        }
        for browser in &mut self.browsers {
            while let Some((from, bytes)) = browser.poll_transmit() {
                self.link.send(self.now, from, server_address(), bytes);
            }
        }
    }

    fn deliver(&mut self, mut datagram: link::Datagram) {
        if datagram.to == server_address() {
            match self.server.receive(self.now, datagram.from, &mut datagram.bytes) {
                Received::Rtp { transport, packet } => self.server_rtp.push((transport, packet.to_vec())),
                Received::Rtcp { .. } | Received::Taken => {}
                Received::Refused(reason) => self.refused.push(reason),
            }
        } else if let Some(browser) = self.browsers.iter_mut().find(|b| b.has_address(datagram.to)) {
            browser.receive(self.now, datagram.to, datagram.bytes);
        }
    }
}

/// An RTP packet without extensions.
pub fn rtp(ssrc: u32, seq: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, 96];
    packet.extend(seq.to_be_bytes());
    packet.extend([0, 0, 0, 1]);
    packet.extend(ssrc.to_be_bytes());
    packet.extend(payload);
    packet
}
