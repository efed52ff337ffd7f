//! What whole rooms cost the server, by stage: two members, and nine with fifty who only watch.
//!
//! in:  the server's program
//! out: rows in per cent of a core: decode, compose, encode, mix, the rest; and by thread
//!
//! Stages are the server's own account of itself (`/metrics`), the total is the kernel's. All cameras move.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use layouts::Size;
use media_core::codec::Rgb;
use media_core::units::VideoCodec;

use crate::client::{Call, Client, Invitation, demo_token};
use crate::loadtest;
use crate::loadtest::engine::{Engine, Plan, Profile};
use crate::peer::{Camera, Decode, Microphone, Offering, Peer, PeerConfig, Protection};
use crate::process::{Signalbox, ThreadTimes};
use crate::report::{Row, percentile};

/// A machine that leaves out frames shows one a second or two.
const PATIENCE: Duration = Duration::from_secs(60);
const SETTLE: Duration = Duration::from_secs(3);
const WINDOW: Duration = Duration::from_secs(5);
const WINDOWS: usize = 3;
const STAGES: [(&str, &str); 4] = [
    ("decode", "signalbox_decode_seconds_total"),
    ("compose", "signalbox_compose_seconds_total"),
    ("encode", "signalbox_encode_seconds_total"),
    ("mix", "signalbox_mix_seconds_total"),
];

/// One reading of everything.
struct Reading {
    at: Instant,
    threads: ThreadTimes,
    metrics: BTreeMap<String, f64>,
    frames: Vec<u64>,
}

/// Who is in the room.
#[derive(Clone, Copy)]
struct Crowd {
    members: usize,
    audience: u16,
}

impl Crowd {
    const ALL: [Self; 2] = [Self { members: 2, audience: 0 }, Self { members: 9, audience: 50 }];

    fn name(self) -> String {
        match self.audience {
            0 => format!("{} members", self.members),
            audience => format!("{} members and {audience} audience", self.members),
        }
    }
}

const COLOURS: [Rgb; 9] = [
    Rgb(200, 40, 40),
    Rgb(40, 60, 200),
    Rgb(40, 180, 60),
    Rgb(200, 180, 40),
    Rgb(150, 40, 180),
    Rgb(40, 180, 180),
    Rgb(220, 120, 40),
    Rgb(120, 120, 120),
    Rgb(90, 50, 20),
];

struct Member {
    _client: Client,
    _call: Call,
    peer: Peer,
}

/// Runs it for both codecs.
///
/// # Errors
/// When the server cannot be measured.
pub async fn run(program: &Path) -> Result<Vec<Row>, Box<dyn Error>> {
    let mut rows = Vec::new();
    for crowd in Crowd::ALL {
        for (codec, name) in [(VideoCodec::Vp8, "VP8"), (VideoCodec::H264, "H.264")] {
            let case = format!("{}, {name} 640x360, canvas 1280x720", crowd.name());
            match measure(program, codec, crowd).await {
                Ok(readings) => rows.extend(rows_of(&case, &readings)),
                Err(error) => rows.push(Row::error(case, "% of a core", error)),
            }
        }
    }
    Ok(rows)
}

async fn measure(program: &Path, codec: VideoCodec, crowd: Crowd) -> Result<Vec<Reading>, Box<dyn Error>> {
    // Those who only watch are of the load tester, whose stack knows one transport only.
    let server = Signalbox::start(program, true)?;
    let size = Size { width: 640, height: 360 };
    let mut members = Vec::new();
    for (colour, hertz) in COLOURS.into_iter().zip((440..).step_by(110)).take(crowd.members) {
        let camera = Arc::new(Camera::moving(codec, size, colour)?);
        let microphone = Arc::new(Microphone::tone(hertz)?);
        let config = PeerConfig {
            bundle: true,
            protection: Protection::All,
            camera,
            microphone,
            decode: Decode::Nothing,
        };
        let token = demo_token(&server.http(), "room", "Bench").await?;
        let mut client = Client::connect(&server.ws(), &token).await?;
        let offering = Offering::new(config).await?;
        let call = client.invite(offering.sdp()).await?;
        let peer = offering.accept(&call.answer)?;
        peer.until("video", PATIENCE, |o| o.video_frames > 30).await?;
        members.push(Member { _client: client, _call: call, peer });
    }
    let engine = Engine::start()?;
    let token = loadtest::signalbox::token(program, &server, "room", &["--audience"])?;
    let mut audience = Vec::new();
    for _ in 0..crowd.audience {
        let mut client = Client::connect(&server.ws(), &token).await?;
        let plan = Plan {
            video_slots: 1,
            hears: true,
            feedback: Profile::Browser,
            h264: codec == VideoCodec::H264,
            ..Plan::default()
        };
        let (peer, offer) = engine.offer(plan).await?;
        let call = client.invite_with(&offer, Invitation::default()).await?;
        engine.accept(peer, &call.answer).await?;
        engine.until(peer, "the canvas", PATIENCE, |view| view.video > 0).await?;
        audience.push((client, call));
    }
    tokio::time::sleep(SETTLE).await;
    let mut readings = vec![read(&server, &members).await?];
    for _ in 0..WINDOWS {
        tokio::time::sleep(WINDOW).await;
        readings.push(read(&server, &members).await?);
    }
    Ok(readings)
}

async fn read(server: &Signalbox, members: &[Member]) -> Result<Reading, Box<dyn Error>> {
    // The engine's totals are as of at most a second ago, so windows are read at their ends alike.
    let metrics = server.metrics().await?;
    let threads = server.process.thread_times()?;
    let frames = members.iter().map(|member| member.peer.observed().video_frames).collect();
    Ok(Reading { at: Instant::now(), threads, metrics, frames })
}

fn rows_of(case: &str, readings: &[Reading]) -> Vec<Row> {
    let mut samples = BTreeMap::<String, Vec<f64>>::new();
    let mut order = Vec::new();
    let mut note = |what: String, value: f64| {
        if !order.contains(&what) {
            order.push(what.clone());
        }
        samples.entry(what).or_default().push(value);
    };
    for (before, after) in readings.iter().zip(readings.iter().skip(1)) {
        let seconds = (after.at - before.at).as_secs_f64();
        let rise = |name: &str| {
            let value = |reading: &Reading| reading.metrics.get(name).copied().unwrap_or(f64::NAN);
            (value(after) - value(before)) / seconds
        };
        let mut total = 0.0;
        let mut threads = Vec::new();
        for (name, time) in &after.threads {
            let spent = time.saturating_sub(before.threads.get(name).copied().unwrap_or_default());
            let share = spent.as_secs_f64() / seconds * 100.0;
            total += share;
            threads.push((name, share));
        }
        let stages = STAGES.map(|(stage, name)| (stage, rise(name) * 100.0));
        for (stage, share) in stages {
            note(format!("{stage}|% of a core"), share);
        }
        note("rest|% of a core".to_owned(), total - stages.iter().map(|(_, share)| share).sum::<f64>());
        note("whole process|% of a core".to_owned(), total);
        for (name, share) in threads {
            note(format!("threads {name}|% of a core"), share);
        }
        note("canvas frames|1/s".to_owned(), rise("signalbox_canvas_frames_total"));
        note("canvas frames late|1/s".to_owned(), rise("signalbox_canvas_frames_late_total"));
        for (before, after) in before.frames.iter().zip(&after.frames) {
            let frames = u32::try_from(after - before).unwrap_or(u32::MAX);
            note("frames at a member|1/s".to_owned(), f64::from(frames) / seconds);
        }
    }
    let row = |what: &String| {
        let samples = samples.get(what)?;
        let (stage, unit) = what.split_once('|')?;
        let unit = if unit == "1/s" { "1/s" } else { "% of a core" };
        Some(Row::ours(format!("{case}: {stage}"), unit, percentile(samples, 50)?).spread_of(samples))
    };
    order.iter().filter_map(row).collect()
}
