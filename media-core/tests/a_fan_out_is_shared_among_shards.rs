//! A fan-out that is spread over two shards arrives at every receiver whole and in order, from one address.
//!
//! The peers are str0m on real sockets: ICE, DTLS, SRTP and the order of what it gets are its own. One publishes pictures of
//! numbered packets, forty watch it; both shards always help each other. The pieces of a picture differ by a byte, so that
//! they are padded to leave as one message: nothing of that is seen behind RTP.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "tests fail by panic"
)]

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use layouts::{LayoutId, Position, Size};
use media_core::engine::{Engine, EngineConfig};
use media_core::room::{Action, Command, Event as RoomEvent, MemberConfig, MemberKind, Receive, RoomConfig};
use media_core::sdp::Offer;
use media_core::units::{LegKey, MemberKey, RoomKey};
use str0m::change::SdpAnswer;
use str0m::media::{Direction, MediaKind, Mid, Pt};
use str0m::net::{Protocol, Receive as FromNetwork};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, Input, Output, Rtc};

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const ROOM: RoomKey = RoomKey(0);
const VIEWERS: u32 = 40;
const PER_PICTURE: u32 = 5;
const PICTURES: u32 = 150;
/// Half of the receivers are the helper's.
const LENT: u64 = (VIEWERS * PER_PICTURE * PICTURES / 4) as u64;
/// A test that hangs fails after this.
const PATIENCE: Duration = Duration::from_secs(60);

struct Server {
    engine: Engine,
    events: Receiver<RoomEvent>,
}

impl Server {
    fn start() -> Self {
        let config = EngineConfig {
            shards: 2,
            port: 0,
            tcp: false,
            bind: LOCALHOST,
            advertise: Vec::new(),
            codec_workers: 1,
            lend_above_percent: 0,
        };
        let (sink, events) = channel();
        let engine = Engine::start(config, move |event| drop(sink.send(event))).unwrap();
        let server = Self { engine, events };
        let size = Size { width: 320, height: 180 };
        server.act(Action::OpenRoom(RoomConfig { canvas: size, fps: 5, layout: LayoutId::GRID_RESPONSIVE }));
        server
    }

    fn act(&self, action: Action) {
        self.engine.command(Command { room: ROOM, action }).unwrap();
    }

    fn answer(&self, number: u32, offer: &str, receive: Receive) -> String {
        let (member, leg) = (MemberKey(number), LegKey(number));
        let config = MemberConfig {
            name: Arc::from("peer"),
            kind: MemberKind::Member,
            parent: None,
            audience: false,
            audio_muted: false,
            video_muted: false,
            position: Position::Auto,
        };
        self.act(Action::AddMember { member, config });
        let offer = Box::new(Offer::parse(offer).unwrap());
        self.act(Action::OpenLeg { member, leg, offer, bundle: true, receive });
        loop {
            match self.events.recv_timeout(PATIENCE).unwrap() {
                RoomEvent::LegAnswered { leg: answered, sdp, .. } if answered == leg => return sdp,
                RoomEvent::LegEnded { why, .. } => panic!("{why:?}"),
                _ => {}
            }
        }
    }
}

struct Peer {
    rtc: Rtc,
    socket: UdpSocket,
    remote: SocketAddr,
    mid: Mid,
    connected: bool,
    /// Numbers of RTP, and of what was published, in the order they came.
    got: Vec<(u64, u32)>,
    /// What does not reach it: the datagram with this place among those that are as long as media.
    loses: Option<usize>,
    media_seen: usize,
    padded: usize,
}

/// Browsers cut a picture into pieces of which the last ones are a byte longer.
fn len(number: u32) -> usize {
    1000 + usize::from(number % PER_PICTURE >= 3)
}

impl Peer {
    fn join(server: &Server, number: u32, direction: Direction, receive: Receive) -> Self {
        let socket = UdpSocket::bind((LOCALHOST, 0)).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket2::SockRef::from(&socket).set_recv_buffer_size(4 << 20).unwrap();
        let mut rtc = Rtc::builder().clear_codecs().enable_vp8(true).set_rtp_mode(true).build(Instant::now());
        rtc.add_local_candidate(Candidate::host(socket.local_addr().unwrap(), Protocol::Udp).unwrap());
        let mut changes = rtc.sdp_api();
        let mid = changes.add_media(MediaKind::Video, direction, None, None, None);
        let (offer, pending) = changes.apply().unwrap();
        let answer = server.answer(number, &offer.to_sdp_string(), receive);
        rtc.sdp_api().accept_answer(pending, SdpAnswer::from_sdp_string(&answer).unwrap()).unwrap();
        let remote = SocketAddr::new(LOCALHOST, server.engine.ports()[0]);
        let (connected, got) = (false, Vec::new());
        Self { rtc, socket, remote, mid, connected, got, loses: None, media_seen: 0, padded: 0 }
    }

    fn turn(&mut self) {
        self.rtc.handle_input(Input::Timeout(Instant::now())).unwrap();
        self.drain();
        let mut buffer = [0; 2048];
        while let Ok((count, from)) = self.socket.recv_from(&mut buffer) {
            assert_eq!(from, self.remote, "from the port of the room's shard, whoever sends");
            let bytes = &buffer[..count];
            if count > 900 && bytes[0] >> 6 == 2 {
                self.media_seen += 1;
                if self.loses == Some(self.media_seen) {
                    continue;
                }
            }
            let local = self.socket.local_addr().unwrap();
            let received = FromNetwork::new(Protocol::Udp, from, local, bytes).unwrap();
            self.rtc.handle_input(Input::Receive(Instant::now(), received)).unwrap();
            self.drain();
        }
    }

    fn drain(&mut self) {
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(_) => return,
                Output::Transmit(datagram) => {
                    self.socket.send_to(&datagram.contents, datagram.destination).unwrap();
                }
                Output::Event(Event::Connected) => self.connected = true,
                Output::Event(Event::RtpPacket(packet)) if packet.payload.len() >= 1000 => {
                    let number = u32::from_be_bytes(packet.payload[16..20].try_into().unwrap());
                    assert_eq!(packet.payload.len(), len(number), "without padding");
                    self.padded += usize::from(packet.header.has_padding);
                    assert!(packet.payload[20..].iter().all(|byte| *byte == number.to_be_bytes()[3]));
                    self.got.push((*packet.seq_no, number));
                }
                Output::Event(_) => {}
            }
        }
    }

    fn publish(&mut self, picture: u32) {
        for packet in 0..PER_PICTURE {
            let number = picture * PER_PICTURE + packet;
            let mut payload = vec![number.to_be_bytes()[3]; len(number)];
            // RFC 7741 §4.2: the least descriptor. Behind it the first bytes of a picture: every tenth is a key frame.
            payload[..16].fill(0);
            if packet == 0 {
                payload[0] = 0x10;
                payload[1] = u8::from(!picture.is_multiple_of(10));
                payload[4..11].copy_from_slice(&[0x9d, 0x01, 0x2a, 64, 1, 180, 0]);
            }
            payload[16..20].copy_from_slice(&number.to_be_bytes());
            let write = RtpWrite::new(
                Pt::new_with_value(96),
                u64::from(number).into(),
                picture * 1800,
                Instant::now(),
                payload,
            );
            let write = write.marker(packet + 1 == PER_PICTURE).nackable(true);
            self.rtc.direct_api().stream_tx_by_mid(self.mid, None).unwrap().write_rtp(write);
            self.drain();
        }
    }
}

#[test]
fn every_receiver_gets_everything_in_order_and_repeats_come_too() {
    let server = Server::start();
    let mut publisher = Peer::join(&server, 1, Direction::SendOnly, Receive::Canvas);
    let mut viewers: Vec<Peer> = (0..VIEWERS)
        .map(|n| Peer::join(&server, 2 + n, Direction::RecvOnly, Receive::Member(MemberKey(1))))
        .collect();
    let lossy = [7, 8];
    for at in lossy {
        viewers[at].loses = Some(100 + at);
    }
    let started = Instant::now();
    let (mut picture, mut next) = (0, started);
    // All pictures, as many more as it takes until the other shard has begun to help, and time for the last repeat.
    let mut last: Option<Instant> = None;
    while last.is_none_or(|last| last.elapsed() < Duration::from_secs(1)) {
        let counters = server.engine.counters();
        assert!(started.elapsed() < PATIENCE, "{picture} pictures, {counters:?}");
        publisher.turn();
        viewers.iter_mut().for_each(Peer::turn);
        let connected = publisher.connected && viewers.iter().all(|viewer| viewer.connected);
        if connected && last.is_none() && Instant::now() >= next {
            next = Instant::now() + Duration::from_millis(40);
            publisher.publish(picture);
            picture += 1;
            last = (picture >= PICTURES && counters.lent >= LENT).then(Instant::now);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    for (at, viewer) in viewers.iter_mut().enumerate() {
        let in_order = viewer.got.clone();
        if lossy.contains(&at) {
            viewer.got.sort_unstable();
            assert_ne!(in_order, viewer.got, "viewer {at}: the repeat came later");
        }
        let last = viewer.got.last().map(|(_, number)| *number);
        assert_eq!(last, Some(picture * PER_PICTURE - 1), "viewer {at}: all to the end");
        // Where the kernel has UDP GSO. Not all: a turn may end between two packets of a picture.
        assert!(
            viewer.padded > viewer.got.len() / 5,
            "viewer {at}: {} of {}",
            viewer.padded,
            viewer.got.len()
        );
        assert!(viewer.got.len() as u64 >= u64::from(PICTURES), "viewer {at}: {}", viewer.got.len());
        for pair in viewer.got.windows(2) {
            let [before, after] = [pair[0], pair[1]];
            assert_eq!(after.0, before.0 + 1, "viewer {at}");
            // Who was thought to have a narrow link for a while goes on with a key frame.
            let goes_on = after.1 == before.1 + 1;
            let begins_again = after.1 > before.1 && after.1.is_multiple_of(10 * PER_PICTURE);
            assert!(goes_on || begins_again, "viewer {at}: {before:?} {after:?}");
        }
    }
    let until = Instant::now() + PATIENCE;
    while server.engine.counters().borrowed < server.engine.counters().lent && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(50));
    }
    let shards = server.engine.counters_of_shards();
    assert!(shards[0].lent >= LENT && shards[0].lent == shards[1].borrowed, "{shards:?}");
    assert_eq!((shards[1].lent, shards[0].borrowed, shards[0].ring_full), (0, 0, 0));
    assert!(shards[0].retransmitted_out >= 2, "{shards:?}");
}
