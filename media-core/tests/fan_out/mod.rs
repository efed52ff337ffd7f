//! One shard, one room, many viewers of its canvas: a picture in, sealed datagrams out.
//!
//! The viewers connect as browsers do, in virtual time; then pictures of any size are put in the place of encoded ones.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use layouts::{LayoutId, Position, Size};
use media_core::codec::Encoded;
use media_core::room::{Action, Command, Event, Job, JobDone, MemberConfig, MemberKind, Receive, RoomConfig};
use media_core::sdp::Offer;
use media_core::shard::{Input, Output, Shard, ShardConfig};
use media_core::transport::{Candidate, Fingerprint, Identity, LocalIce};
use media_core::units::{LegKey, MemberKey, RoomKey, TransportKey};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;

use crate::sim::browser::Browser;
use crate::sim::server_address;

const ROOM: RoomKey = RoomKey(1);
/// Bytes of VP8 in a packet as our packetizer cuts pictures.
pub const PIECE: usize = 1156;

pub struct FanOut {
    pub now: Instant,
    pub shard: Shard,
    pub viewers: Vec<Browser>,
    pictures: u64,
}

impl FanOut {
    /// All viewers connected; each has its address.
    pub fn new(addresses: &[SocketAddr]) -> Self {
        let now = Instant::now();
        let config = ShardConfig {
            candidates: Candidate::of(&[server_address().ip()], server_address().port(), false),
            wall: Duration::from_secs(1_790_000_000),
            seed: 7,
        };
        let shard = Shard::new(now, Arc::new(Identity::generate().unwrap()), config);
        let mut it = Self { now, shard, viewers: Vec::new(), pictures: 0 };
        let canvas = Size { width: 160, height: 96 };
        it.act(Action::OpenRoom(RoomConfig { canvas, fps: 30, layout: LayoutId::GRID_RESPONSIVE }));
        for (number, address) in (1u32..).zip(addresses) {
            it.join(number, *address);
        }
        for _ in 0..5000 {
            if it.viewers.iter().all(Browser::is_connected) {
                break;
            }
            it.pass(Duration::from_millis(1));
        }
        assert!(it.viewers.iter().all(Browser::is_connected), "all connect");
        it.pass(Duration::from_millis(100));
        it
    }

    fn act(&mut self, action: Action) {
        self.shard.handle(self.now, Input::Command(Command { room: ROOM, action }));
    }

    fn join(&mut self, number: u32, address: SocketAddr) {
        let profile = SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm;
        let mut viewer = Browser::new(&format!("viewer{number}"), &[profile], &[&address.to_string()]);
        let (member, leg) = (MemberKey(number), LegKey(number));
        let config = MemberConfig {
            name: "Viewer".into(),
            kind: MemberKind::Member,
            parent: None,
            audience: true,
            audio_muted: true,
            video_muted: true,
            position: Position::Auto,
        };
        self.act(Action::AddMember { member, config });
        let offer = Box::new(Offer::parse(&offer(&viewer)).unwrap());
        self.act(Action::OpenLeg { member, leg, offer, bundle: true, receive: Receive::Canvas });
        let sdp = loop {
            match self.shard.poll() {
                Output::Event(Event::LegAnswered { sdp, .. }) => break sdp,
                Output::Idle { .. } => panic!("no answer"),
                _ => {}
            }
        };
        let value = |name: &str| sdp.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        let ice = LocalIce { ufrag: value("a=ice-ufrag:").to_owned(), pwd: value("a=ice-pwd:").to_owned() };
        let fingerprint = Fingerprint::parse(value("a=fingerprint:sha-256 ")).unwrap();
        viewer.answered(self.now, TransportKey(0), ice, fingerprint);
        self.viewers.push(viewer);
    }

    /// Time passes: datagrams arrive at once, no picture is encoded.
    pub fn pass(&mut self, time: Duration) {
        self.now += time;
        self.shard.handle(self.now, Input::Timeout);
        let mut arrived = Vec::new();
        for viewer in &mut self.viewers {
            viewer.handle_timeout(self.now);
            while let Some((from, bytes)) = viewer.poll_transmit() {
                arrived.push((from, bytes));
            }
        }
        for (from, mut bytes) in arrived {
            self.shard.handle(self.now, Input::Datagram { from: from.into(), bytes: &mut bytes });
        }
        // Pictures that are due here are empty ones.
        while let Some(done) = self.next_encode(Vec::new(), false) {
            self.shard.handle(self.now, Input::JobDone { done, spent: Duration::ZERO });
        }
        let now = self.now;
        for (to, bytes) in self.shard.outbox().datagrams() {
            if let Some(viewer) = self.viewers.iter_mut().find(|viewer| viewer.has_address(to)) {
                viewer.receive(now, to, bytes.to_vec());
            }
        }
        self.shard.outbox().clear();
    }

    /// The next finished encode, of `data` in the place of what would have been encoded; `None` when none is due.
    fn next_encode(&mut self, data: Vec<u8>, keyframe: bool) -> Option<JobDone> {
        loop {
            match self.shard.poll() {
                Output::Job(Job::Encode { room, codec, encoder, time, .. }) => {
                    let encoded = (!data.is_empty()).then(|| Encoded { data: data.into(), keyframe });
                    return Some(JobDone::Encoded { room, codec, encoder, time, result: Ok(encoded) });
                }
                Output::Job(job) => {
                    let done = job.run();
                    self.shard.handle(self.now, Input::JobDone { done, spent: Duration::ZERO });
                }
                Output::Event(_) | Output::Audio(_) | Output::Disconnect(_) => {}
                Output::Idle { .. } => return None,
            }
        }
    }

    /// A picture of so many full packets, ready to be handed to the shard.
    pub fn picture(&mut self, packets: usize) -> JobDone {
        let keyframe = self.pictures == 0;
        self.pictures += 1;
        let mut data = vec![0x55; packets * PIECE];
        // The low bit of a VP8 frame says that it is no key frame.
        data[0] = u8::from(!keyframe);
        for _ in 0..200 {
            self.now += Duration::from_millis(1);
            self.shard.handle(self.now, Input::Timeout);
            if let Some(done) = self.next_encode(data.clone(), keyframe) {
                return done;
            }
        }
        panic!("no frame is due");
    }
}

fn offer(viewer: &Browser) -> String {
    let ice = viewer.remote_ice();
    let section = |kind: &str, mid: &str, pt: &str, map: &str| {
        format!(
            "m={kind} 9 UDP/TLS/RTP/SAVPF {pt}\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:{}\r\na=ice-pwd:{}\r\n\
             a=fingerprint:sha-256 {}\r\na=setup:actpass\r\na=mid:{mid}\r\na=recvonly\r\na=rtcp-mux\r\n\
             a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n\
             a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n{map}",
            ice.ufrag,
            ice.pwd,
            viewer.fingerprint(),
        )
    };
    let audio = section("audio", "0", "111", "a=rtpmap:111 opus/48000/2\r\n");
    let video = section(
        "video",
        "1",
        "96 97",
        "a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 transport-cc\r\na=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\n\
         a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n",
    );
    format!("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n{audio}{video}")
}
