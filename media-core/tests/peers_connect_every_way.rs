//! The engine on real sockets: UDP and TCP, IPv4 and IPv6 on one port, and what hostile connections can do there.
//!
//! The peer is str0m, with ICE, DTLS and SRTP of its own, over `std` sockets; frames of RFC 4571 are made here.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "tests fail by panic"
)]

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use layouts::{LayoutId, Position, Size};
use media_core::engine::{Engine, EngineConfig};
use media_core::room::{Action, Command, Event as RoomEvent, MemberConfig, MemberKind, Receive, RoomConfig};
use media_core::sdp::Offer;
use media_core::units::{LegKey, MemberKey, RoomKey};
use socket2::{Domain, Protocol as Socket2Protocol, Socket, Type};
use str0m::change::SdpAnswer;
use str0m::format::Codec;
use str0m::media::{Direction, MediaKind, MediaTime, Mid};
use str0m::net::{Protocol, Receive as FromNetwork};
use str0m::{Candidate, Event, Input, Output, Rtc};

const ROOM: RoomKey = RoomKey(0);
/// Everything here is a matter of milliseconds, or of 5 s where the engine waits; a test that hangs fails after this.
const PATIENCE: Duration = Duration::from_secs(60);
const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LOCALHOST6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

struct Server {
    engine: Engine,
    events: Receiver<RoomEvent>,
    legs: u32,
}

impl Server {
    fn start(bind: IpAddr, advertise: &[IpAddr], tcp: bool) -> Self {
        let config = EngineConfig {
            shards: 1,
            port: 0,
            tcp,
            bind,
            advertise: advertise.to_vec(),
            codec_workers: 1,
            lend_above_percent: 100,
        };
        let (sink, events) = channel();
        let engine = Engine::start(config, move |event| drop(sink.send(event))).unwrap();
        let server = Self { engine, events, legs: 0 };
        let size = Size { width: 320, height: 180 };
        server.act(Action::OpenRoom(RoomConfig { canvas: size, fps: 5, layout: LayoutId::GRID_RESPONSIVE }));
        server
    }

    fn act(&self, action: Action) {
        self.engine.command(Command { room: ROOM, action }).unwrap();
    }

    fn port(&self) -> u16 {
        self.engine.ports()[0]
    }

    /// A member with a leg; gives the answer to its offer.
    fn answer(&mut self, offer: &str) -> String {
        self.legs += 1;
        let (member, leg) = (MemberKey(self.legs), LegKey(self.legs));
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
        self.act(Action::OpenLeg { member, leg, offer, bundle: true, receive: Receive::Canvas });
        loop {
            match self.events.recv_timeout(PATIENCE).unwrap() {
                RoomEvent::LegAnswered { leg: answered, sdp, .. } if answered == leg => return sdp,
                RoomEvent::LegEnded { why, .. } => panic!("{why:?}"),
                _ => {}
            }
        }
    }

    fn close_last_leg(&self) {
        self.act(Action::CloseLeg { leg: LegKey(self.legs) });
    }

    /// Counters are published twice a second.
    fn until_dropped(&self, reason: &str, count: u64) {
        let started = Instant::now();
        while self.dropped(reason) < count {
            assert!(started.elapsed() < PATIENCE, "{reason}: {}", self.dropped(reason));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn dropped(&self, reason: &str) -> u64 {
        let counters = self.engine.counters();
        counters.dropped.iter().find(|(known, _)| *known == reason).map_or(0, |(_, count)| *count)
    }
}

/// How a peer comes to the server.
enum Way {
    Udp(UdpSocket),
    Tcp { stream: TcpStream, unread: Vec<u8> },
}

impl Way {
    fn udp(from: IpAddr) -> Self {
        let socket = UdpSocket::bind((from, 0)).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self::Udp(socket)
    }

    fn tcp(from: IpAddr, to: SocketAddr) -> Self {
        let stream = connect(from, to).unwrap();
        stream.set_nonblocking(true).unwrap();
        Self::Tcp { stream, unread: Vec::new() }
    }

    fn protocol(&self) -> Protocol {
        match self {
            Self::Udp(_) => Protocol::Udp,
            Self::Tcp { .. } => Protocol::Tcp,
        }
    }

    fn local(&self) -> SocketAddr {
        match self {
            Self::Udp(socket) => socket.local_addr().unwrap(),
            Self::Tcp { stream, .. } => stream.local_addr().unwrap(),
        }
    }

    fn send(&mut self, to: SocketAddr, datagram: &[u8]) {
        match self {
            Self::Udp(socket) => drop(socket.send_to(datagram, to)),
            Self::Tcp { stream, .. } => {
                let mut rest = &frame(datagram)[..];
                while !rest.is_empty() {
                    match stream.write(rest) {
                        Ok(count) => rest = &rest[count..],
                        Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
                        Err(error) => panic!("{error}"),
                    }
                }
            }
        }
    }

    fn receive(&mut self) -> Option<Vec<u8>> {
        let mut buffer = [0; 4096];
        match self {
            Self::Udp(socket) => socket.recv(&mut buffer).ok().map(|count| buffer[..count].to_vec()),
            Self::Tcp { stream, unread } => {
                if let Ok(count) = stream.read(&mut buffer) {
                    unread.extend_from_slice(&buffer[..count]);
                }
                let length = usize::from(u16::from_be_bytes(*unread.first_chunk()?));
                (unread.len() >= 2 + length).then(|| unread.drain(..2 + length).skip(2).collect())
            }
        }
    }
}

fn frame(datagram: &[u8]) -> Vec<u8> {
    [&u16::try_from(datagram.len()).unwrap().to_be_bytes()[..], datagram].concat()
}

fn connect(from: IpAddr, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Socket2Protocol::TCP))?;
    socket.bind(&SocketAddr::new(from, 0).into())?;
    socket.connect(&to.into())?;
    Ok(socket.into())
}

/// A peer with one audio section, which hears the room and is heard.
struct Peer {
    rtc: Rtc,
    way: Way,
    remote: SocketAddr,
    mid: Mid,
    /// The candidates of the answer, all of them.
    candidates: Vec<String>,
    connected: bool,
    heard: usize,
    spoken: u32,
}

impl Peer {
    /// Only the candidates that `keeps` are known to it.
    fn join(server: &mut Server, way: Way, remote: SocketAddr, keeps: impl Fn(&str) -> bool) -> Self {
        let mut rtc = Rtc::builder().build(Instant::now());
        rtc.add_local_candidate(Candidate::host(way.local(), way.protocol()).unwrap());
        let mut changes = rtc.sdp_api();
        let mid = changes.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None);
        let (offer, pending) = changes.apply().unwrap();
        let answer = server.answer(&offer.to_sdp_string());
        let is_candidate = |line: &&str| line.starts_with("a=candidate:");
        let candidates: Vec<String> = answer.lines().filter(is_candidate).map(str::to_owned).collect();
        let kept = answer.lines().filter(|line| !is_candidate(line) || keeps(line));
        let kept: String = kept.flat_map(|line| [line, "\r\n"]).collect();
        rtc.sdp_api().accept_answer(pending, SdpAnswer::from_sdp_string(&kept).unwrap()).unwrap();
        Self { rtc, way, remote, mid, candidates, connected: false, heard: 0, spoken: 0 }
    }

    /// Speaks, hears, until it has heard so much.
    fn until_heard(&mut self, packets: usize) {
        let started = Instant::now();
        let mut speak_at = started;
        while self.heard < packets {
            assert!(started.elapsed() < PATIENCE, "connected: {}, heard: {}", self.connected, self.heard);
            self.drain();
            while let Some(bytes) = self.way.receive() {
                let (source, local) = (self.remote, self.way.local());
                let received = FromNetwork::new(self.way.protocol(), source, local, &bytes).unwrap();
                self.rtc.handle_input(Input::Receive(Instant::now(), received)).unwrap();
                self.drain();
            }
            if self.connected && Instant::now() >= speak_at {
                speak_at += Duration::from_millis(20);
                self.speak();
            }
            std::thread::sleep(Duration::from_millis(2));
            self.rtc.handle_input(Input::Timeout(Instant::now())).unwrap();
        }
    }

    fn speak(&mut self) {
        let writer = self.rtc.writer(self.mid).unwrap();
        let opus = writer.payload_params().find(|p| p.spec().codec == Codec::Opus).unwrap().pt();
        self.spoken += 1;
        let time = MediaTime::from_90khz(u64::from(self.spoken) * 1800);
        // 20 ms of silence.
        writer.write(opus, Instant::now(), time, vec![0xf8, 0xff, 0xfe]).unwrap();
    }

    fn drain(&mut self) {
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(_) => return,
                Output::Transmit(datagram) => {
                    assert_eq!(datagram.proto, self.way.protocol());
                    self.way.send(datagram.destination, &datagram.contents);
                }
                Output::Event(Event::Connected) => self.connected = true,
                Output::Event(Event::MediaData(_)) => self.heard += 1,
                Output::Event(_) => {}
            }
        }
    }
}

#[test]
fn a_peer_without_udp_speaks_and_hears_over_tcp() {
    let mut server = Server::start(LOCALHOST, &[], true);
    let to = SocketAddr::new(LOCALHOST, server.port());
    let mut peer = Peer::join(&mut server, Way::tcp(LOCALHOST, to), to, |line| line.contains(" tcp "));
    let [udp, tcp] = &peer.candidates[..] else { panic!("{:?}", peer.candidates) };
    assert!(
        udp.contains(" udp ") && tcp.ends_with(&format!("127.0.0.1 {} typ host tcptype passive", to.port()))
    );
    peer.until_heard(100);
    assert!(server.engine.counters().audio_in.packets > 0, "the room hears it");

    // The leg ends: its connection is closed, not forgotten.
    server.close_last_leg();
    let Way::Tcp { stream, .. } = &peer.way else { unreachable!() };
    assert_closed(stream);
}

#[test]
fn without_tcp_there_is_no_candidate_and_no_listener() {
    let mut server = Server::start(LOCALHOST, &[], false);
    let to = SocketAddr::new(LOCALHOST, server.port());
    let mut peer = Peer::join(&mut server, Way::udp(LOCALHOST), to, |_| true);
    assert_eq!(peer.candidates.len(), 1);
    peer.until_heard(10);
    assert_eq!(connect(LOCALHOST, to).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn one_port_serves_both_families_by_both_protocols() {
    let mut server = Server::start(Ipv6Addr::UNSPECIFIED.into(), &[LOCALHOST, LOCALHOST6], true);
    for address in [LOCALHOST6, LOCALHOST] {
        let to = SocketAddr::new(address, server.port());
        for way in [Way::udp(address), Way::tcp(address, to)] {
            let protocol = if way.protocol() == Protocol::Udp { " udp " } else { " tcp " };
            let there = format!(" {address} ");
            let mut peer =
                Peer::join(&mut server, way, to, |line| line.contains(protocol) && line.contains(&there));
            let order: Vec<bool> = peer.candidates.iter().map(|line| line.contains(" ::1 ")).collect();
            assert_eq!(order, [true, false, true, false], "IPv6 first, in turns: {:?}", peer.candidates);
            peer.until_heard(20);
        }
    }
}

/// The server has closed it: reading ends, or fails.
fn assert_closed(mut stream: &TcpStream) {
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut buffer = [0; 65_536];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return,
            Err(error) => panic!("still open: {error}"),
        }
    }
}

#[test]
fn streams_that_are_not_of_our_peers_are_closed() {
    let server = Server::start(LOCALHOST, &[], true);
    let to = SocketAddr::new(LOCALHOST, server.port());
    let http = b"GET / HTTP/1.1\r\n\r\n".to_vec();
    for (what, bytes) in [
        ("an empty frame", vec![0, 0]),
        ("the longest frame", [vec![0xff, 0xff], vec![0; 70_000]].concat()),
        ("one byte more than a datagram", [vec![8, 1], vec![0; 2049]].concat()),
        ("HTTP", http),
        ("a good frame, then a bad one", [frame(&[0; 40]), vec![0, 0]].concat()),
    ] {
        let mut stream = connect(LOCALHOST, to).unwrap();
        // It may be closed before all is written.
        let _ = stream.write_all(&bytes);
        assert_closed(&stream);
        println!("{what}: closed");
    }
    server.until_dropped("tcp_bad_frame", 5);
}

#[test]
fn a_peer_joins_while_thousands_of_connections_say_nothing_or_little() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();

    let mut server = Server::start(Ipv4Addr::UNSPECIFIED.into(), &[LOCALHOST], true);
    let to = SocketAddr::new(LOCALHOST, server.port());
    // One address is allowed 512; of 600 the last ones are closed at once.
    let of_one: Vec<TcpStream> =
        (0..600).map(|_| connect(Ipv4Addr::new(127, 0, 0, 9).into(), to).unwrap()).collect();
    of_one[512..].iter().for_each(assert_closed);
    // Many addresses: nobody has too many, all together are most of a shard.
    let mut of_many: Vec<TcpStream> = (0..2000)
        .map(|n: u32| {
            connect(Ipv4Addr::new(127, 0, 1, u8::try_from(n % 200).unwrap() + 1).into(), to).unwrap()
        })
        .collect();
    // Some of them dribble: a long frame, byte by byte, that will never be whole.
    for byte in frame(&[0; 2000]).iter().take(20) {
        for stream in of_many.iter_mut().take(200) {
            let _ = stream.write_all(&[*byte]);
        }
    }
    let mut peer = Peer::join(&mut server, Way::tcp(LOCALHOST, to), to, |line| line.contains(" tcp "));
    peer.until_heard(50);
    // Nobody who has shown nothing stays.
    of_one.iter().chain(&of_many).for_each(assert_closed);
    peer.until_heard(100);
    server.until_dropped("tcp_too_many_of_one_address", 88);
    server.until_dropped("tcp_silent", 2512);
}
