//! Answers one offer as a room would and sends back whatever comes on its data channels: the other side of
//! `web/tests/data-channels.test.mjs`.
//!
//! in:  a line with the offer in hexadecimal on standard input, which then stays open as long as this is wanted
//! out: a line with the answer in hexadecimal
//!
//! It also opens a channel of its own, `ours`, and greets on it.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::wildcard_enum_match_arm,
    reason = "a harness of tests"
)]

use std::io::{BufRead, Read, Write};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use bytes::Bytes;
use layouts::{LayoutId, Position, Size};
use media_core::engine::{Engine, EngineConfig};
use media_core::room::{
    Action, Command, Event, MemberConfig, MemberKind, Receive, RoomConfig, TileAudio, TileConfig,
};
use media_core::sdp::Offer;
use media_core::transport::{ChannelSetup, DataEvent, DataMessage, Delivery, Reliability};
use media_core::units::{LegKey, MemberKey, RoomKey};

const ROOM: RoomKey = RoomKey(0);
const MEMBER: MemberKey = MemberKey(1);
const LEG: LegKey = LegKey(1);

fn main() {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).unwrap();
    let offer = Box::new(Offer::parse(&String::from_utf8(decode(line.trim())).unwrap()).unwrap());

    let (sink, events) = channel();
    let config = EngineConfig {
        shards: 1,
        port: 0,
        tcp: true,
        bind: Ipv4Addr::LOCALHOST.into(),
        advertise: Vec::new(),
        codec_workers: 1,
        lend_above_percent: 100,
    };
    let engine = Engine::start(config, move |event| drop(sink.send(event))).unwrap();
    let act = |action| engine.command(Command { room: ROOM, action }).unwrap();
    let size = Size { width: 320, height: 180 };
    act(Action::OpenRoom(RoomConfig { canvas: size, fps: 5, layout: LayoutId::GRID_RESPONSIVE }));
    let config = MemberConfig {
        name: Arc::from("page"),
        kind: MemberKind::Member,
        parent: None,
        audience: false,
        audio_muted: false,
        video_muted: false,
        position: Position::Auto,
    };
    act(Action::AddMember { member: MEMBER, config });
    let receive = Receive::Tiles(TileConfig { video_slots: 1, audio: TileAudio::Mix });
    act(Action::OpenLeg { member: MEMBER, leg: LEG, offer, bundle: true, receive });
    let delivery = Delivery { ordered: true, reliability: Reliability::Reliable };
    let setup = ChannelSetup { label: "ours".to_owned(), protocol: "greeting".to_owned(), delivery };

    // Ends with the test, however that ends.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let send = |channel: &str, message: DataMessage| {
        act(Action::SendData { leg: LEG, channel: channel.to_owned(), message });
    };
    while let Ok(event) = events.recv_timeout(Duration::from_secs(120)) {
        match event {
            Event::LegAnswered { sdp, .. } => {
                println!("{}", encode(sdp.as_bytes()));
                std::io::stdout().flush().unwrap();
                act(Action::OpenChannel { leg: LEG, setup: setup.clone() });
            }
            Event::LegEnded { why, .. } => panic!("{why:?}"),
            Event::Data { data: DataEvent::Opened(opened), .. } if opened.label == "ours" => {
                send(
                    "ours",
                    DataMessage { is_text: true, bytes: Bytes::from_static("grüß dich".as_bytes()) },
                );
            }
            Event::Data { data: DataEvent::Message { label, message }, .. } => {
                send(&label, message);
            }
            // The page keeps what is under way below the limit.
            Event::Data { data: DataEvent::Refused { label, why }, .. } => panic!("{label}: {why}"),
            _ => {}
        }
    }
}

fn encode(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn decode(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().map(|c| c.to_digit(16).unwrap()).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair.iter().fold(0, |n, d| n * 16 + d)).unwrap()).collect()
}
