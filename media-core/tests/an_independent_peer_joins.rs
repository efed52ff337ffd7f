//! str0m, with ICE, DTLS and SRTP of its own, meets our transports over a lossy link.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panic")]

mod sim;

use std::sync::Arc;
use std::time::{Duration, Instant};

use media_core::srtp::Profile;
use media_core::transport::{
    Fingerprint, Identity, PeerSetup, Received, RemoteIce, TransportEvent, Transports,
};
use media_core::units::TransportKey;
use sim::link::{Impairment, Link};
use sim::{rtp, server_address};
use str0m::config::DtlsVersion;
use str0m::ice::IceCreds;
use str0m::media::MediaKind;
use str0m::net::{Protocol, Receive};
use str0m::rtp::{RtpWrite, Ssrc};
use str0m::{Candidate, Event, Input, Output, Rtc};

const PEER: &str = "198.51.100.3:3000";
const PT_OPUS: u8 = 111;

struct Meeting {
    now: Instant,
    link: Link,
    server: Transports,
    key: TransportKey,
    peer: Rtc,
    peer_wakes: Instant,
    peer_connected: bool,
    peer_heard: Vec<Vec<u8>>,
    server_heard: Vec<Vec<u8>>,
    server_heard_rtcp: Vec<Vec<u8>>,
    profile: Option<Profile>,
}

impl Meeting {
    fn new(seed: u64, version: DtlsVersion, impairment: Impairment) -> Self {
        let now = Instant::now();
        let mut server = Transports::new(Arc::new(Identity::generate().unwrap()));
        let mut peer = Rtc::builder().set_rtp_mode(true).set_dtls_version(version).build(now);
        peer.add_local_candidate(Candidate::host(PEER.parse().unwrap(), Protocol::Udp).unwrap());
        peer.add_remote_candidate(Candidate::host(server_address(), Protocol::Udp).unwrap());

        let mut api = peer.direct_api();
        let creds = api.local_ice_credentials();
        let certificate = api.local_dtls_fingerprint().bytes.clone();
        let (key, local) = server.open(PeerSetup {
            remote: RemoteIce { ufrag: creds.ufrag, pwd: creds.pass },
            fingerprint: Fingerprint(certificate.try_into().unwrap()),
        });
        api.set_ice_controlling(true);
        api.set_remote_ice_credentials(IceCreds { ufrag: local.ufrag, pass: local.pwd });
        api.set_remote_fingerprint(str0m::config::Fingerprint {
            hash_func: "sha-256".to_owned(),
            bytes: server.fingerprint().0.to_vec(),
        });
        api.start_dtls(true).unwrap();
        api.declare_media("aud".into(), MediaKind::Audio);
        api.declare_stream_tx(Ssrc::from(1), None, "aud".into(), None);
        api.expect_stream_rx(Ssrc::from(2), None, "aud".into(), None);
        Self {
            now,
            link: Link::new(seed, impairment),
            server,
            key,
            peer,
            peer_wakes: now,
            peer_connected: false,
            peer_heard: Vec::new(),
            server_heard: Vec::new(),
            server_heard_rtcp: Vec::new(),
            profile: None,
        }
    }

    fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.drain_server();
            self.drain_peer();
            let next = [Some(self.peer_wakes), self.link.poll_timeout(), self.server.poll_timeout()];
            self.now = next.into_iter().flatten().min().unwrap().clamp(self.now, end);
            while let Some(mut datagram) = self.link.receive(self.now) {
                if datagram.to == server_address() {
                    let received = self.server.receive(self.now, datagram.from, &mut datagram.bytes);
                    match received {
                        Received::Rtp { packet, .. } => self.server_heard.push(packet.to_vec()),
                        Received::Rtcp { packet, .. } => self.server_heard_rtcp.push(packet.to_vec()),
                        Received::Taken | Received::Refused(_) => {}
                    }
                } else {
                    let receive = Receive::new(Protocol::Udp, datagram.from, datagram.to, &datagram.bytes);
                    self.peer.handle_input(Input::Receive(self.now, receive.unwrap())).unwrap();
                    self.drain_peer();
                }
            }
            self.server.handle_timeout(self.now);
            self.peer.handle_input(Input::Timeout(self.now)).unwrap();
        }
    }

    fn drain_server(&mut self) {
        while let Some((to, bytes)) = self.server.poll_transmit() {
            self.link.send(self.now, server_address(), to.udp().unwrap(), bytes.to_vec());
        }
        while let Some((_, event)) = self.server.poll_event() {
            match event {
                TransportEvent::Keyed(profile) => self.profile = Some(profile),
                TransportEvent::PathOpen(_) | TransportEvent::PathMoved(_) | TransportEvent::Data(_) => {}
                TransportEvent::Closed | TransportEvent::Failed(_) => panic!("{event:?}"),
            }
        }
    }

    fn drain_peer(&mut self) {
        loop {
            match self.peer.poll_output().unwrap() {
                Output::Timeout(at) => {
                    // It may ask for a time that has passed; the simulation goes on by a millisecond.
                    self.peer_wakes = at.max(self.now + Duration::from_millis(1));
                    return;
                }
                Output::Transmit(datagram) => {
                    let bytes = datagram.contents.to_vec();
                    self.link.send(self.now, datagram.source, datagram.destination, bytes);
                }
                Output::Event(Event::Connected) => self.peer_connected = true,
                Output::Event(Event::RtpPacket(packet)) => self.peer_heard.push(packet.payload.to_vec()),
                Output::Event(_) => {}
            }
        }
    }
}

fn meets(seed: u64, version: DtlsVersion, impairment: Impairment) -> Duration {
    let mut meeting = Meeting::new(seed, version, impairment);
    let started = meeting.now;
    while meeting.profile.is_none() || !meeting.peer_connected {
        meeting.run_for(Duration::from_millis(1));
        assert!(meeting.now - started < Duration::from_secs(20), "{version:?}, seed {seed}: not connected");
    }
    let took = meeting.now - started;
    for n in 0..50u16 {
        let now = meeting.now;
        let mut api = meeting.peer.direct_api();
        let packet =
            RtpWrite::new(PT_OPUS.into(), u64::from(n).into(), u32::from(n) * 960, now, b"up".to_vec());
        api.stream_tx(&Ssrc::from(1)).unwrap().write_rtp(packet);
        let mut down = rtp(2, n, b"down");
        down[1] = PT_OPUS;
        let to = meeting.server.seal_rtp(meeting.key, &mut down).unwrap();
        meeting.link.send(now, server_address(), to.udp().unwrap(), down);
        meeting.run_for(Duration::from_millis(20));
    }
    for (heard, text) in [(&meeting.server_heard, "up"), (&meeting.peer_heard, "down")] {
        assert!(heard.len() > 25, "{version:?}, seed {seed}: {} of 50 {text}", heard.len());
        assert!(heard.iter().all(|bytes| bytes.ends_with(text.as_bytes())));
    }
    // Sender and receiver reports: plaintext that begins with version 2 and a type we know.
    meeting.run_for(Duration::from_secs(6));
    assert!(!meeting.server_heard_rtcp.is_empty(), "{version:?}, seed {seed}: no RTCP");
    assert!(meeting.server_heard_rtcp.iter().all(|r| r[0] >> 6 == 2 && (200..=207).contains(&r[1])));
    took
}

#[test]
fn on_loopback_at_once() {
    for version in [DtlsVersion::Dtls12, DtlsVersion::Auto] {
        let took = meets(1, version, Impairment::LOOPBACK);
        // Ten round trips of 2 ms would be slow; a lost first flight would cost a second.
        assert!(took < Duration::from_millis(60), "{version:?}: {took:?}");
    }
}

#[test]
fn through_a_bad_network() {
    let bad = Impairment {
        delay: Duration::from_millis(20),
        jitter: Duration::from_millis(10),
        loss_permille: 150,
        duplicate_permille: 50,
    };
    for seed in 0..20 {
        meets(seed, DtlsVersion::Auto, bad);
    }
}
