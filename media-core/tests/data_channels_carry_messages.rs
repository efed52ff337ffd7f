//! Data channels between our transports and str0m, whose SCTP is another one, over a link that loses packets.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "tests fail by panic"
)]

mod sim;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use media_core::transport::{
    ChannelSetup, DataEvent, DataMessage, Delivery, DropReason, Fingerprint, Identity, MESSAGE_MAX,
    PeerSetup, Received, Reliability, RemoteIce, SEND_MAX, SendRefusal, TransportEvent, Transports,
};
use media_core::units::TransportKey;
use sim::link::{Impairment, Link};
use sim::server_address;
use str0m::channel::{ChannelConfig, ChannelId, Reliability as TheirReliability};
use str0m::ice::IceCreds;
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc};

const PEER: &str = "198.51.100.3:3000";
const LOSSY: Impairment = Impairment {
    delay: Duration::from_millis(20),
    jitter: Duration::from_millis(10),
    loss_permille: 100,
    duplicate_permille: 20,
};

struct Meeting {
    now: Instant,
    link: Link,
    server: Transports,
    key: TransportKey,
    peer: Rtc,
    peer_wakes: Instant,
    /// Of the peer.
    channels: BTreeMap<String, ChannelId>,
    peer_heard: Vec<(ChannelId, bool, Vec<u8>)>,
    peer_closed: Vec<ChannelId>,
    heard: Vec<DataEvent>,
    refused: Vec<DropReason>,
}

impl Meeting {
    /// `expects`: whether the SDP had data channels for us.
    fn new(seed: u64, impairment: Impairment, expects: bool) -> Self {
        let now = Instant::now();
        let mut server = Transports::new(Arc::new(Identity::generate().unwrap()));
        let mut peer = Rtc::builder().build(now);
        peer.add_local_candidate(Candidate::host(PEER.parse().unwrap(), Protocol::Udp).unwrap());
        peer.add_remote_candidate(Candidate::host(server_address(), Protocol::Udp).unwrap());
        let mut api = peer.direct_api();
        let creds = api.local_ice_credentials();
        let certificate = api.local_dtls_fingerprint().bytes.clone();
        let (key, local) = server.open(PeerSetup {
            remote: RemoteIce { ufrag: creds.ufrag, pwd: creds.pass },
            fingerprint: Fingerprint(certificate.try_into().unwrap()),
        });
        if expects {
            server.expect_data(key, MESSAGE_MAX);
        }
        api.set_ice_controlling(true);
        api.set_remote_ice_credentials(IceCreds { ufrag: local.ufrag, pass: local.pwd });
        api.set_remote_fingerprint(str0m::config::Fingerprint {
            hash_func: "sha-256".to_owned(),
            bytes: server.fingerprint().0.to_vec(),
        });
        api.start_dtls(true).unwrap();
        api.start_sctp(true);
        Self {
            now,
            link: Link::new(seed, impairment),
            server,
            key,
            peer,
            peer_wakes: now,
            channels: BTreeMap::new(),
            peer_heard: Vec::new(),
            peer_closed: Vec::new(),
            heard: Vec::new(),
            refused: Vec::new(),
        }
    }

    fn peer_opens(&mut self, label: &str, ordered: bool, reliability: TheirReliability) {
        let config =
            ChannelConfig { label: label.to_owned(), ordered, reliability, ..ChannelConfig::default() };
        self.peer.direct_api().create_data_channel(config);
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
                    match self.server.receive(self.now, datagram.from, &mut datagram.bytes) {
                        Received::Refused(reason) => self.refused.push(reason),
                        Received::Taken | Received::Rtp { .. } | Received::Rtcp { .. } => {}
                    }
                    self.drain_server();
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

    fn run_until(&mut self, what: &str, limit: Duration, done: impl Fn(&Self) -> bool) {
        let end = self.now + limit;
        while !done(self) {
            assert!(self.now < end, "{what}; refused: {:?}", self.refused);
            self.run_for(Duration::from_millis(5));
        }
    }

    fn drain_server(&mut self) {
        while let Some((to, bytes)) = self.server.poll_transmit() {
            self.link.send(self.now, server_address(), to.udp().unwrap(), bytes.to_vec());
        }
        while let Some((_, event)) = self.server.poll_event() {
            match event {
                TransportEvent::Data(event) => self.heard.push(event),
                TransportEvent::PathOpen(_) | TransportEvent::PathMoved(_) | TransportEvent::Keyed(_) => {}
                TransportEvent::Closed | TransportEvent::Failed(_) => panic!("{event:?}"),
            }
        }
    }

    fn drain_peer(&mut self) {
        loop {
            match self.peer.poll_output().unwrap() {
                Output::Timeout(at) => {
                    self.peer_wakes = at.max(self.now + Duration::from_millis(1));
                    return;
                }
                Output::Transmit(datagram) => {
                    let bytes = datagram.contents.to_vec();
                    self.link.send(self.now, datagram.source, datagram.destination, bytes);
                }
                Output::Event(Event::ChannelOpen(id, label)) => drop(self.channels.insert(label, id)),
                Output::Event(Event::ChannelData(data)) => {
                    self.peer_heard.push((data.id, data.binary, data.data));
                }
                Output::Event(Event::ChannelClose(id)) => self.peer_closed.push(id),
                Output::Event(_) => {}
            }
        }
    }

    /// All messages the server has heard on a channel.
    fn heard_on(&self, channel: &str) -> Vec<&DataMessage> {
        let mut of_channel = Vec::new();
        for event in &self.heard {
            if let DataEvent::Message { label, message } = event
                && label == channel
            {
                of_channel.push(message);
            }
        }
        of_channel
    }

    fn send(&mut self, label: &str, bytes: &[u8]) -> Result<(), SendRefusal> {
        let message = DataMessage { is_text: false, bytes: Bytes::copy_from_slice(bytes) };
        self.server.send_data(self.now, self.key, label, &message)
    }
}

/// One kind of channel, opened by the peer and known to both.
fn opened(seed: u64, impairment: Impairment, ordered: bool, reliability: TheirReliability) -> Meeting {
    let mut it = Meeting::new(seed, impairment, true);
    it.peer_opens("chat", ordered, reliability);
    it.run_until("the channel opens", Duration::from_secs(30), |it| {
        it.channels.contains_key("chat") && it.heard.iter().any(|event| matches!(event, DataEvent::Opened(_)))
    });
    it
}

#[test]
fn a_reliable_channel_loses_nothing_either_way() {
    for seed in 0..3 {
        let mut it = opened(seed, LOSSY, true, TheirReliability::Reliable);
        let id = it.channels["chat"];
        let sizes = [1, 2, 100, 1100, 1200, 5000, 30_000, MESSAGE_MAX];
        let message = |n: usize| vec![u8::try_from(n).unwrap(); sizes[n % sizes.len()]];
        for n in 0..16 {
            let sent = message(n);
            it.run_until("the peer takes it", Duration::from_secs(60), |_| true);
            while !it.peer.channel(id).unwrap().write(true, &sent).unwrap() {
                it.run_for(Duration::from_millis(20));
            }
            while it.send("chat", &sent) == Err(SendRefusal::Full) {
                it.run_for(Duration::from_millis(20));
            }
        }
        it.run_until("all arrive", Duration::from_secs(120), |it| {
            it.heard_on("chat").len() == 16 && it.peer_heard.len() == 16
        });
        for n in 0..16 {
            assert_eq!(it.heard_on("chat")[n].bytes, message(n), "seed {seed}, message {n} up");
            assert_eq!(it.peer_heard[n], (id, true, message(n)), "seed {seed}, message {n} down");
        }
        let strange: Vec<_> =
            it.refused.iter().filter(|reason| reason.as_str().starts_with("data_")).collect();
        assert!(strange.is_empty(), "an honest peer passes the gate: {strange:?}");
    }
}

#[test]
fn a_lossy_channel_goes_on_without_what_was_lost() {
    for (ordered, reliability) in [
        (false, TheirReliability::MaxRetransmits { retransmits: 0 }),
        (true, TheirReliability::MaxRetransmits { retransmits: 0 }),
        (false, TheirReliability::MaxPacketLifetime { lifetime: 30 }),
    ] {
        let mut it = opened(7, LOSSY, ordered, reliability);
        let id = it.channels["chat"];
        let Some(DataEvent::Opened(setup)) = it.heard.first().cloned() else { panic!("{:?}", it.heard) };
        assert_eq!(setup.delivery.ordered, ordered);
        assert_ne!(setup.delivery.reliability, Reliability::Reliable);
        for n in 0..300_u16 {
            // Some of them in pieces.
            let size = if n % 10 == 0 { 4000 } else { 40 };
            let sent = [&n.to_be_bytes()[..], &vec![7; size]].concat();
            it.peer.channel(id).unwrap().write(true, &sent).unwrap();
            it.send("chat", &sent).unwrap();
            it.run_for(Duration::from_millis(10));
        }
        // What waits for the timer of a lost packet is late, and not lost.
        it.run_for(Duration::from_secs(60));
        let number = |bytes: &[u8]| u16::from_be_bytes([bytes[0], bytes[1]]);
        let up: Vec<u16> = it.heard_on("chat").iter().map(|message| number(&message.bytes)).collect();
        let down: Vec<u16> = it.peer_heard.iter().map(|(_, _, bytes)| number(bytes)).collect();
        for (way, numbers) in [("up", up), ("down", down)] {
            let what = format!("{way}, {ordered}, {reliability:?}: {} of 300", numbers.len());
            assert!((150..300).contains(&numbers.len()), "{what}");
            assert!(*numbers.last().unwrap() > 280, "it goes on to the end; {what}");
            assert!(!ordered || numbers.is_sorted(), "{what}");
        }
    }
}

#[test]
fn we_open_channels_too_and_each_side_can_end_one() {
    let mut it = Meeting::new(1, Impairment::LOOPBACK, true);
    let delivery = Delivery { ordered: false, reliability: Reliability::MaxRetransmits(2) };
    let setup = ChannelSetup { label: "ours".to_owned(), protocol: "p".to_owned(), delivery };
    // Before there is any association.
    it.server.open_channel(it.now, it.key, setup.clone()).unwrap();
    assert_eq!(it.send("ours", b"early"), Err(SendRefusal::NoChannel));
    it.peer_opens("theirs", true, TheirReliability::Reliable);
    it.run_until("both open", Duration::from_secs(10), |it| it.channels.len() == 2 && it.heard.len() == 2);
    assert!(it.heard.contains(&DataEvent::Opened(setup)));
    let ours = it.channels["ours"];
    let config = it.peer.channel(ours).unwrap().config().unwrap().clone();
    assert_eq!((config.ordered, config.protocol.as_str()), (false, "p"));
    assert_eq!(config.reliability, TheirReliability::MaxRetransmits { retransmits: 2 });
    it.send("ours", b"hello").unwrap();
    it.run_until("it arrives", Duration::from_secs(1), |it| !it.peer_heard.is_empty());
    assert_eq!(it.peer_heard[0], (ours, true, b"hello".to_vec()));

    it.server.close_channel(it.now, it.key, "ours");
    assert_eq!(it.send("ours", b"late"), Err(SendRefusal::NoChannel));
    it.run_until("the peer hears of it", Duration::from_secs(5), |it| it.peer_closed == [ours]);
    let theirs = it.channels["theirs"];
    it.peer.direct_api().close_data_channel(theirs);
    let closed = |label: &str| DataEvent::Closed { label: label.to_owned() };
    it.run_until("both are closed", Duration::from_secs(5), |it| {
        [closed("ours"), closed("theirs")].iter().all(|event| it.heard.contains(event))
    });
}

#[test]
fn who_sends_too_much_is_told_and_told_when_there_is_room() {
    let mut it = opened(1, Impairment::LOOPBACK, true, TheirReliability::Reliable);
    let chunk = vec![5; 16 * 1024];
    let mut taken = 0;
    // No time passes, so nothing is acknowledged.
    while it.send("chat", &chunk).is_ok() {
        taken += chunk.len();
    }
    assert!((SEND_MAX - chunk.len()..=SEND_MAX).contains(&taken), "{taken}");
    assert_eq!(it.send("chat", &chunk), Err(SendRefusal::Full));
    assert!(!it.heard.contains(&DataEvent::Drained));
    it.run_until("there is room", Duration::from_secs(20), |it| it.heard.contains(&DataEvent::Drained));
    assert_eq!(it.send("chat", &chunk), Ok(()));
    assert_eq!(it.send("chat", &vec![0; MESSAGE_MAX + 1]), Err(SendRefusal::TooLong));
    it.run_until("all arrive", Duration::from_secs(20), |it| it.peer_heard.len() == taken / chunk.len() + 1);
}

#[test]
fn without_data_channels_in_the_sdp_there_are_none() {
    let mut it = Meeting::new(1, Impairment::LOOPBACK, false);
    it.peer_opens("chat", true, TheirReliability::Reliable);
    it.run_for(Duration::from_secs(5));
    assert!(it.channels.is_empty() && it.heard.is_empty());
    assert!(it.refused.contains(&DropReason::DtlsApplicationData));
    assert_eq!(it.send("chat", b"x"), Err(SendRefusal::NoChannel));
}
