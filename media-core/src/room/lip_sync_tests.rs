//! Hours of lip sync in virtual time.
//!
//! Real: the sender's clock as we know it, the feed of pictures, and the whole audio plane with its jitter buffer. For a
//! minute of every ten the sound is loud, decoded and stretched; else it announces that it is silent, and is not decoded.
//! Made up: the network, which delays and loses; sender reports, some of which are lost; codecs of the camera, which only
//! take time. The sender has two quartzes: the one of its machine, which captures pictures and dates reports, and the one
//! of its sound card, which counts samples.
//!
//! Of every picture it is known when it was taken and when a canvas shows it, and of every sample when it was recorded
//! and when it is heard. A picture that had to be sent again may be later by one frame of the canvas. A camera that comes
//! back is given two seconds in which its sound begins to wait for it.
#![allow(clippy::cast_possible_truncation, reason = "numbers of the tests' own making")]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use layouts::Size;

use super::feed::Feed;
use super::job::{FeedKey, Job};
use crate::codec::{Picture, Rgb};
use crate::mix::audio::{AudioInput, AudioOutput, AudioPlane, SoundKind};
use crate::receive::{ReceivedFrame, SenderClock};
use crate::rtcp::NtpTime;
use crate::units::{ClockRate, LegKey, MediaKind, MediaTime, MemberKey, RoomKey, SeqNo, VideoCodec};

const ROOM: RoomKey = RoomKey(1);
const ANN: MemberKey = MemberKey(1);
/// Pictures that are told apart.
const PICTURES: usize = 64;
const FPS: f64 = 30.0;
const DECODES: f64 = 0.008;

/// What is done to the member.
#[derive(Clone, Copy)]
struct Case {
    /// The machine's quartz, and the sound card's beside it; parts of a million.
    ppm: f64,
    card_ppm: f64,
    loss: f64,
    /// How much longer than sound a picture takes to be coded and sent, seconds.
    slower: f64,
    /// It is muted here, stops its microphone or its camera, now and then, for up to ten minutes.
    pauses: bool,
}

enum Due {
    Speak,
    Film,
    Heard(u64, u64, bool),
    /// The picture's packets, whether the first of them came at once.
    Seen(u64, bool),
    Decoded(u64, Job),
    Report(MediaKind, NtpTime, u64),
    Canvas,
    Change,
}

struct World {
    case: Case,
    start: Instant,
    now: f64,
    seed: u64,
    events: BinaryHeap<Reverse<(u64, u64)>>,
    pending: BTreeMap<u64, Due>,
    numbered: u64,
    plane: AudioPlane,
    clock: SenderClock,
    feed: Feed,
    pictures: Vec<Arc<Picture>>,
    loud: Vec<Bytes>,
    quiet: Bytes,
    spoken: u64,
    /// When each of the latest pictures was taken, by its number.
    filmed: BTreeMap<u64, f64>,
    /// Those that were sent again.
    again: BTreeSet<u64>,
    next_picture: u64,
    microphone: bool,
    camera: bool,
    /// Since when.
    films: f64,
    muted: bool,
    shown: Option<u64>,
    /// Sample that is heard, and when.
    playing: Option<(f64, f64)>,
    /// Moments and milliseconds by which pictures are later than their sound.
    skews: Vec<(f64, f64)>,
}

fn coded(amplitude: f32) -> Vec<Bytes> {
    let mut encoder = opus::Encoder::new(48_000, opus::Channels::Mono, opus::Application::Voip).unwrap();
    let tone = |n: usize| amplitude * (n as f32 / 48_000.0 * 450.0 * std::f32::consts::TAU).sin();
    let frame: Vec<f32> = (0..960).map(tone).collect();
    (0..50).map(|_| encoder.encode_vec_float(&frame, 1275).unwrap().into()).collect()
}

impl World {
    fn new(case: Case) -> Self {
        let start = Instant::now();
        let mut plane = AudioPlane::new(start);
        plane.handle(start, AudioInput::OpenRoom { room: ROOM });
        let (member, parent, sound, muted) = (ANN, None, SoundKind::Voice, false);
        plane.handle(start, AudioInput::AddMember { room: ROOM, member, parent, sound, muted });
        let picture = || Arc::new(Picture::filled(Size { width: 16, height: 16 }, Rgb(1, 2, 3)));
        let mut world = Self {
            case,
            start,
            now: 0.0,
            seed: 0x9E37_79B9_7F4A_7C15,
            events: BinaryHeap::new(),
            pending: BTreeMap::new(),
            numbered: 0,
            plane,
            clock: SenderClock::new(start),
            feed: Feed::new(FeedKey { room: ROOM, leg: LegKey(1) }),
            pictures: (0..PICTURES).map(|_| picture()).collect(),
            loud: coded(0.3),
            quiet: coded(0.000_1).swap_remove(40),
            spoken: 0,
            filmed: BTreeMap::new(),
            again: BTreeSet::new(),
            next_picture: 0,
            microphone: true,
            camera: true,
            films: 0.0,
            muted: false,
            shown: None,
            playing: None,
            skews: Vec::new(),
        };
        world.at(0.02 / world.pace(), Due::Speak);
        world.at(0.0081, Due::Film);
        world.at(0.0133, Due::Canvas);
        world.at(60.0, Due::Change);
        world
    }

    fn share(&mut self) -> f64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        (self.seed >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn at(&mut self, when: f64, due: Due) {
        self.numbered += 1;
        self.events.push(Reverse(((when * 1e9) as u64, self.numbered)));
        self.pending.insert(self.numbered, due);
    }

    fn instant(&self, at: f64) -> Instant {
        self.start + Duration::from_secs_f64(at)
    }

    /// What the sender's machine shows at this moment, and its sound card; seconds.
    fn machine(&self, at: f64) -> f64 {
        at * (1.0 + self.case.ppm * 1e-6)
    }

    fn card(&self, at: f64) -> f64 {
        at * self.pace()
    }

    fn pace(&self) -> f64 {
        (1.0 + self.case.ppm * 1e-6) * (1.0 + self.case.card_ppm * 1e-6)
    }

    fn sound(ticks: u64) -> MediaTime {
        MediaTime { ticks: (1 << 32) + 777 + ticks, rate: ClockRate::OPUS }
    }

    fn video(&self, taken: f64) -> MediaTime {
        MediaTime { ticks: (1 << 32) + (self.machine(taken) * 90_000.0) as u64, rate: ClockRate::VIDEO }
    }

    fn ntp(&self, at: f64) -> NtpTime {
        NtpTime((3_900_000_000 << 32) + (self.machine(at) * (1_u64 << 32) as f64) as u64)
    }

    fn run(&mut self, until: f64) {
        loop {
            let idle = self.drain();
            let (event, number) = self.events.peek().map(|Reverse(next)| *next).unwrap();
            let event = event as f64 / 1e9;
            let idle = idle.saturating_duration_since(self.start).as_secs_f64();
            self.now = self.now.max(event.min(idle));
            if self.now > until {
                return;
            }
            if event <= self.now {
                self.events.pop();
                let due = self.pending.remove(&number).unwrap();
                self.happens(due);
            }
        }
    }

    fn drain(&mut self) -> Instant {
        let now = self.instant(self.now);
        loop {
            match self.plane.poll(now) {
                AudioOutput::Playing { timestamp, at, .. } => {
                    let sample = timestamp.ticks as f64 - Self::sound(0).ticks as f64;
                    self.playing = Some((sample / 48_000.0, at.duration_since(self.start).as_secs_f64()));
                    self.feed.on_playing(&self.clock, timestamp, at);
                }
                AudioOutput::Idle { until } => return until,
                AudioOutput::Packet { .. }
                | AudioOutput::Talking { .. }
                | AudioOutput::Floor { .. }
                | AudioOutput::Recorded { .. } => {}
            }
        }
    }

    fn happens(&mut self, due: Due) {
        let now = self.instant(self.now);
        match due {
            Due::Speak => self.speak(),
            Due::Film => self.film(),
            Due::Heard(number, ticks, loud) => {
                let timestamp = Self::sound(ticks);
                self.clock.handle_packet(now, MediaKind::Audio, timestamp);
                let payload =
                    if loud { &self.loud[number as usize % self.loud.len()] } else { &self.quiet }.clone();
                let (room, member, seq, arrived) = (ROOM, ANN, SeqNo((1 << 16) + number), now);
                let level = Some(if loud { 13 } else { 83 });
                let packet = AudioInput::Packet { room, member, seq, timestamp, payload, arrived, level };
                self.plane.handle(now, packet);
            }
            Due::Seen(number, on_time) => {
                let Some(&taken) = self.filmed.get(&number) else { return };
                let (timestamp, data, arrived) = (self.video(taken), Bytes::new(), now);
                if on_time {
                    self.clock.handle_packet(now, MediaKind::Video, timestamp);
                }
                let (codec, keyframe) = (VideoCodec::Vp8, true);
                let job = self.feed.on_frame(ReceivedFrame { codec, keyframe, timestamp, data, arrived });
                self.decode(job);
            }
            Due::Decoded(number, job) => {
                let Job::Decode { decoder, frame, .. } = job else { panic!("a decode") };
                let picture = Arc::clone(&self.pictures[number as usize % PICTURES]);
                if let Some((timestamp, until)) = self.feed.on_ready(&self.clock, frame.timestamp, now) {
                    let (room, member) = (ROOM, ANN);
                    self.plane.handle(now, AudioInput::HoldBack { room, member, timestamp, until });
                }
                let next = self.feed.on_decoded(decoder, frame.timestamp, Ok(Some(picture)));
                self.decode(next);
            }
            Due::Report(kind, ntp, ticks) => {
                let timestamp = match kind {
                    MediaKind::Audio => Self::sound(ticks),
                    MediaKind::Video => MediaTime { ticks, rate: ClockRate::VIDEO },
                };
                self.clock.handle_report(kind, ntp, timestamp);
            }
            Due::Canvas => {
                self.show();
                self.at(self.now + 1.0 / FPS, Due::Canvas);
            }
            Due::Change => self.change(),
        }
    }

    fn decode(&mut self, job: Option<Job>) {
        let Some(job) = job else { return };
        let Job::Decode { frame, .. } = &job else { panic!("a decode") };
        let timestamp = frame.timestamp.ticks;
        let number = self.filmed.iter().find(|(_, taken)| self.video(**taken).ticks == timestamp);
        let number = *number.unwrap().0;
        self.at(self.now + DECODES, Due::Decoded(number, job));
    }

    /// 20 ms have been recorded.
    fn speak(&mut self) {
        let ticks = self.spoken * 960;
        let loud = self.now % 600.0 > 540.0;
        if self.microphone {
            let arrives = self.now + 0.02 + 0.03 * self.share();
            if self.share() >= self.case.loss {
                self.at(arrives, Due::Heard(self.spoken, ticks, loud));
            }
            if self.spoken % 250 == 40 && self.share() > 0.1 {
                let scatter = 0.004 * (self.share() - 0.5);
                let ntp = self.ntp(self.now + scatter);
                self.at(arrives, Due::Report(MediaKind::Audio, ntp, ticks + 960));
            }
        }
        self.spoken += 1;
        self.at((self.spoken + 1) as f64 * 0.02 / self.pace(), Due::Speak);
    }

    fn film(&mut self) {
        if self.camera {
            let number = self.next_picture;
            self.filmed.insert(number, self.now);
            if self.filmed.len() > PICTURES {
                self.filmed.pop_first();
            }
            let lost = self.share() < self.case.loss;
            if lost {
                self.again.insert(number);
            }
            let sent = self.now + 0.01 + self.case.slower + 0.02 + 0.03 * self.share();
            self.at(if lost { sent + 0.03 } else { sent }, Due::Seen(number, !lost));
            if number.is_multiple_of(30) && self.share() > 0.1 {
                let scatter = 0.004 * (self.share() - 0.5);
                let ntp = self.ntp(self.now + scatter);
                self.at(sent, Due::Report(MediaKind::Video, ntp, self.video(self.now).ticks));
            }
            self.next_picture += 1;
        }
        self.at(self.now + 1.0 / FPS, Due::Film);
    }

    /// Somebody presses a button.
    fn change(&mut self) {
        let pauses = self.case.pauses && self.microphone && self.camera && !self.muted;
        (self.microphone, self.camera, self.muted) = match (self.share() * 3.0) as u8 {
            0 if pauses => (false, true, false),
            1 if pauses => (true, false, false),
            _ if pauses => (true, true, true),
            _ => (true, true, false),
        };
        if !self.camera {
            self.films = f64::MAX;
        } else if self.films > self.now {
            self.films = self.now;
        }
        let (room, member, muted) = (ROOM, ANN, self.muted);
        self.plane.handle(self.instant(self.now), AudioInput::SetMuted { room, member, muted });
        let pause = 5.0 + 595.0 * self.share() * self.share();
        self.at(self.now + pause, Due::Change);
    }

    /// A frame of the canvas.
    fn show(&mut self) {
        let until = self.instant(self.now + 0.5 / FPS);
        let Some((picture, _)) = self.feed.picture(until, &self.clock) else { return };
        let place = self.pictures.iter().position(|other| Arc::ptr_eq(other, &picture)).unwrap();
        let taken = self.filmed.iter().rev().find(|(number, _)| **number as usize % PICTURES == place);
        let (&number, &taken) = taken.unwrap();
        if self.shown.replace(number) == Some(number) {
            return;
        }
        let Some((sample, at)) = self.playing.filter(|(_, at)| self.now - at < 0.15) else { return };
        let heard = at + (self.card(taken) - sample);
        let late = (self.now - heard) * 1000.0;
        if self.now > self.films + 2.0 {
            let allowed = if self.again.contains(&number) { 1000.0 / FPS } else { 0.0 };
            self.skews.push((self.now, if late > 0.0 { (late - allowed).max(0.0) } else { late }));
        }
    }
}

fn check(case: Case, hours: f64) {
    let mut world = World::new(case);
    world.run(hours * 3600.0);
    let far = world.skews.iter().filter(|(at, skew)| *at > 8.0 && skew.abs() > 40.0);
    let far: Vec<String> = far.map(|(at, skew)| format!("{at:.2} s: {skew:.0} ms")).collect();
    let all = world.skews.len();
    assert!(all as f64 > hours * 3600.0 * FPS / 4.0, "{all} pictures beside sound");
    assert!(far.is_empty(), "{} of {all}: {:?}", far.len(), &far[..far.len().min(60)]);
    let mean = world.skews.iter().map(|(_, skew)| skew).sum::<f64>() / all as f64;
    assert!(mean.abs() < 15.0, "{mean} ms in the middle");
}

const STEADY: Case = Case { ppm: 0.0, card_ppm: 0.0, loss: 0.0, slower: 0.0, pauses: false };

#[test]
fn lips_fit_for_hours_on_clocks_that_drift_and_links_that_lose() {
    check(Case { ppm: 100.0, card_ppm: 100.0, loss: 0.03, ..STEADY }, 3.0);
    check(Case { ppm: -100.0, card_ppm: -100.0, loss: 0.03, ..STEADY }, 3.0);
}

#[test]
fn lips_fit_whenever_sound_and_pictures_are_back() {
    check(Case { ppm: 100.0, card_ppm: -100.0, loss: 0.01, pauses: true, ..STEADY }, 3.0);
    check(Case { ppm: -100.0, card_ppm: 100.0, loss: 0.01, pauses: true, ..STEADY }, 3.0);
}

#[test]
fn sound_waits_for_pictures_that_take_longer() {
    check(Case { slower: 0.12, ..STEADY }, 0.3);
    check(Case { slower: 0.12, ppm: 100.0, card_ppm: -100.0, loss: 0.01, pauses: true }, 1.0);
}
