//! CPU of the audio plane per 20 ms: decode of all who send, mix, encode.
#![allow(missing_docs, reason = "the functions criterion makes have none")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use media_core::mix::audio::{AudioInput, AudioOutput, AudioPlane, SoundKind};
use media_core::units::{ClockRate, LegKey, MediaTime, MemberKey, RoomKey, SeqNo};

const ROOM: RoomKey = RoomKey(1);
const FRAME: usize = 960;

/// Four seconds of packets, to be repeated: a voice-like sound of this loudness.
fn packets(amplitude: f32, hz: f32) -> Vec<Bytes> {
    let mut encoder = opus::Encoder::new(48_000, opus::Channels::Mono, opus::Application::Voip)
        .expect("these arguments are constant and valid");
    (0..200_usize)
        .map(|index| {
            let pcm: Vec<f32> = (0..FRAME)
                .map(|n| {
                    let at = (index * FRAME + n) as f32 / 48_000.0;
                    let syllable = 0.5 - 0.5 * (at * 4.0 * std::f32::consts::TAU).cos();
                    let angle = at * hz * std::f32::consts::TAU;
                    amplitude
                        * syllable
                        * (1..8_u16).map(|k| (angle * f32::from(k)).sin() / f32::from(k)).sum::<f32>()
                })
                .collect();
            encoder.encode_vec_float(&pcm, 1275).map(Bytes::from).unwrap_or_default()
        })
        .collect()
}

struct Room {
    plane: AudioPlane,
    voices: Vec<Vec<Bytes>>,
    start: Instant,
    ticks: u32,
}

impl Room {
    fn new(members: u32, talking: u32) -> Self {
        let start = Instant::now();
        let mut plane = AudioPlane::new(start);
        plane.handle(start, AudioInput::OpenRoom { room: ROOM });
        for number in 0..members {
            let (member, leg) = (MemberKey(number), LegKey(number));
            plane.handle(
                start,
                AudioInput::AddMember {
                    room: ROOM,
                    member,
                    parent: None,
                    sound: SoundKind::Voice,
                    muted: false,
                },
            );
            plane.handle(
                start,
                AudioInput::AddListener { room: ROOM, leg, member: Some(member), stereo: false },
            );
        }
        // Who does not talk sends the noise of a quiet room: browsers do not pause by default.
        let noise = packets(0.0003, 97.0);
        let voice = |number: u32| match number < talking {
            true => packets(0.2, 110.0 + 7.0 * f32::from(u16::try_from(number).unwrap_or(0))),
            false => noise.clone(),
        };
        let mut room = Self { plane, voices: (0..members).map(voice).collect(), start, ticks: 0 };
        (0..100).for_each(|_| room.tick());
        room
    }

    fn tick(&mut self) {
        let now = self.start + Duration::from_millis(20) * self.ticks;
        for (number, voice) in (0..).zip(&self.voices) {
            let seq = SeqNo(self.ticks.into());
            let timestamp = MediaTime { ticks: seq.0 * FRAME as u64, rate: ClockRate::OPUS };
            let Some(payload) = voice.iter().cycle().nth(self.ticks as usize % voice.len()).cloned() else {
                continue;
            };
            let member = MemberKey(number);
            self.plane.handle(
                now,
                AudioInput::Packet { room: ROOM, member, seq, timestamp, payload, arrived: now, level: None },
            );
        }
        loop {
            match self.plane.poll(now) {
                AudioOutput::Idle { .. } => break,
                AudioOutput::Packet { payload, .. } => drop(black_box(payload)),
                AudioOutput::Talking { .. }
                | AudioOutput::Floor { .. }
                | AudioOutput::Playing { .. }
                | AudioOutput::Recorded { .. } => {}
            }
        }
        self.ticks += 1;
    }
}

fn mix(criterion: &mut Criterion) {
    let rooms =
        [("2-members-1-talking", 2, 1), ("2-members-all-talking", 2, 2), ("100-members-3-talking", 100, 3)];
    for (name, members, talking) in rooms {
        let mut room = Room::new(members, talking);
        criterion.bench_function(&format!("media-core/mix/{name}"), |bencher| bencher.iter(|| room.tick()));
    }
    let mut room = Room::new(0, 0);
    (0..100).for_each(|leg| {
        let now = room.start;
        room.plane.handle(
            now,
            AudioInput::AddListener { room: ROOM, leg: LegKey(leg), member: None, stereo: false },
        );
    });
    criterion.bench_function("media-core/mix/100-listeners-silence", |bencher| bencher.iter(|| room.tick()));
}

criterion_group!(benches, mix);
criterion_main!(benches);
