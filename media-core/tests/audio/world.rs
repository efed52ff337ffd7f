//! A room in virtual time: members with a sound and a link each, listeners that decode what they get.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::{Duration, Instant};

use bytes::Bytes;
use media_core::mix::audio::{AudioInput, AudioOutput, AudioPlane, Sensitivity, SoundKind, Volume};
use media_core::units::{ClockRate, LegKey, MediaTime, MemberKey, RoomKey, SeqNo};

pub(crate) const FRAME: usize = 960;
pub(crate) const ROOM: RoomKey = RoomKey(1);

/// Numbers that are the same in every run.
pub(crate) struct Seed(pub u64);

impl Seed {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// 0 … 1.
    pub(crate) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// What the network does to the packets of one member.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) delay_ms: f64,
    /// Uniform, on top of the delay; packets overtake each other.
    pub(crate) jitter_ms: f64,
    pub(crate) loss: f64,
    /// Packets lost together once a loss begins.
    pub(crate) burst: u32,
    pub(crate) duplicates: f64,
    /// Source's clock relative to ours.
    pub(crate) clock: f64,
}

impl Default for Link {
    fn default() -> Self {
        Self { delay_ms: 20.0, jitter_ms: 0.0, loss: 0.0, burst: 1, duplicates: 0.0, clock: 1.0 }
    }
}

pub(crate) type Sound = Box<dyn FnMut(u64) -> f32>;

/// A steady tone.
pub(crate) fn tone(hz: f64, amplitude: f64) -> Sound {
    Box::new(move |n| (amplitude * (n as f64 / 48_000.0 * hz * std::f64::consts::TAU).sin()) as f32)
}

pub(crate) fn silence() -> Sound {
    Box::new(|_| 0.0)
}

/// A sound between two moments, seconds, faded over 10 ms so that the sound itself has no edge.
pub(crate) fn between(from: f64, to: f64, mut sound: Sound) -> Sound {
    Box::new(move |n| {
        let at = n as f64 / 48_000.0;
        let gain = ((at - from) / 0.01).clamp(0.0, 1.0) * ((to - at) / 0.01).clamp(0.0, 1.0);
        sound(n) * gain as f32
    })
}

/// A vowel held for ever: what concealment is made for.
pub(crate) fn vowel(hz: f64) -> Sound {
    Box::new(move |n| {
        let at = n as f64 / 48_000.0 * hz * std::f64::consts::TAU;
        (0.15 * (1..=10).map(|k| (at * f64::from(k)).cos() / f64::from(k)).sum::<f64>()) as f32
    })
}

/// The noise of a whisper, or of a room, at this root mean square.
pub(crate) fn noise(rms: f64) -> Sound {
    let mut seed = Seed(0x5EED);
    Box::new(move |_| (rms * 3.0_f64.sqrt() * (2.0 * seed.share() - 1.0)) as f32)
}

/// Something like a voice: a gliding fundamental with harmonics, in syllables.
pub(crate) fn voice(hz: f64) -> Sound {
    let mut phase = 0.0_f64;
    Box::new(move |n| {
        let at = n as f64 / 48_000.0;
        phase += hz * (1.0 + 0.15 * (at * 2.1).sin()) / 48_000.0;
        let syllable = (0.5 - 0.5 * (at * 4.0 * std::f64::consts::TAU).cos()).powf(0.7);
        let wave: f64 =
            (1..=8).map(|k| (phase * std::f64::consts::TAU * f64::from(k)).sin() / f64::from(k)).sum();
        (0.2 * syllable * wave) as f32
    })
}

struct Source {
    encoder: opus::Encoder,
    sound: Sound,
    link: Link,
    /// Of the levels it announces (RFC 6464), by the true one, −dBov.
    levels: Option<fn(u8) -> u8>,
    seed: Seed,
    sent: u64,
    losing: u32,
}

/// What a leg has heard.
#[derive(Default)]
pub(crate) struct Heard {
    /// Left and right in turns.
    pub(crate) stereo: bool,
    pub(crate) pcm: Vec<f32>,
    pub(crate) times: Vec<Instant>,
    pub(crate) timestamps: Vec<u64>,
    pub(crate) payloads: Vec<Bytes>,
}

enum Due {
    /// A member's microphone has 20 ms more.
    Speak(MemberKey),
    Arrive(MemberKey, SeqNo, MediaTime, Option<u8>, Vec<u8>),
}

pub(crate) struct World {
    pub(crate) plane: AudioPlane,
    pub(crate) start: Instant,
    pub(crate) now: Instant,
    sources: BTreeMap<MemberKey, Source>,
    events: BinaryHeap<Reverse<(Instant, u64)>>,
    pending: BTreeMap<u64, Due>,
    decoders: BTreeMap<LegKey, opus::Decoder>,
    pub(crate) heard: BTreeMap<LegKey, Heard>,
    pub(crate) talking: Vec<(Instant, MemberKey, bool)>,
    /// Who has got the floor.
    pub(crate) floor: Vec<(Instant, MemberKey)>,
    pub(crate) playing: Vec<(MemberKey, u64, Instant)>,
    /// What a recorder got, and for when.
    pub(crate) recorded: Vec<(Instant, std::sync::Arc<[i16]>)>,
    numbered: u64,
}

impl World {
    pub(crate) fn new() -> Self {
        let start = Instant::now();
        let mut plane = AudioPlane::new(start);
        plane.handle(start, AudioInput::OpenRoom { room: ROOM });
        Self {
            plane,
            start,
            now: start,
            sources: BTreeMap::new(),
            events: BinaryHeap::new(),
            pending: BTreeMap::new(),
            decoders: BTreeMap::new(),
            heard: BTreeMap::new(),
            talking: Vec::new(),
            floor: Vec::new(),
            playing: Vec::new(),
            recorded: Vec::new(),
            numbered: 0,
        }
    }

    /// A member that speaks and listens.
    pub(crate) fn join(&mut self, number: u32, sound: Sound, link: Link) {
        self.member(number, sound, link);
        self.listen(number, Some(number));
    }

    /// A member that speaks.
    pub(crate) fn member(&mut self, number: u32, sound: Sound, link: Link) {
        self.source(number, None, SoundKind::Voice, sound, link);
    }

    /// The screen of a member.
    pub(crate) fn screen(&mut self, number: u32, parent: u32, sound: Sound, link: Link) {
        self.source(number, Some(MemberKey(parent)), SoundKind::Program, sound, link);
    }

    /// A further microphone of a member.
    pub(crate) fn device(&mut self, number: u32, parent: u32, sound: Sound, link: Link) {
        self.source(number, Some(MemberKey(parent)), SoundKind::Voice, sound, link);
    }

    fn source(&mut self, number: u32, parent: Option<MemberKey>, kind: SoundKind, sound: Sound, link: Link) {
        let mut encoder = opus::Encoder::new(48_000, opus::Channels::Mono, opus::Application::Voip).unwrap();
        encoder.set_bitrate(opus::Bitrate::Bits(40_000)).unwrap();
        encoder.set_inband_fec(true).unwrap();
        encoder.set_packet_loss_perc(10).unwrap();
        encoder.set_complexity(3).unwrap();
        let member = MemberKey(number);
        let seed = Seed(u64::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        self.sources.insert(member, Source { encoder, sound, link, levels: None, seed, sent: 0, losing: 0 });
        self.input(AudioInput::AddMember { room: ROOM, member, parent, sound: kind, muted: false });
        // Microphones are not in step with the room's clock.
        self.at(self.now + Duration::from_micros(3_700 + u64::from(number) * 1_900), Due::Speak(member));
    }

    pub(crate) fn listen(&mut self, leg: u32, member: Option<u32>) {
        let leg = LegKey(leg);
        self.decoders.insert(leg, opus::Decoder::new(48_000, opus::Channels::Mono).unwrap());
        self.heard.insert(leg, Heard::default());
        let member = member.map(MemberKey);
        self.input(AudioInput::AddListener { room: ROOM, leg, member, stereo: false });
    }

    /// A leg that hears in stereo: left and right in turns in its sound.
    pub(crate) fn listen_in_stereo(&mut self, leg: u32, member: Option<u32>) {
        let (leg, member) = (LegKey(leg), member.map(MemberKey));
        self.decoders.insert(leg, opus::Decoder::new(48_000, opus::Channels::Stereo).unwrap());
        self.heard.insert(leg, Heard { stereo: true, ..Heard::default() });
        self.input(AudioInput::AddListener { room: ROOM, leg, member, stereo: true });
    }

    /// What a stereo leg heard on one side between two moments.
    pub(crate) fn side(&self, leg: u32, right: bool, from: f64, to: f64) -> Vec<f32> {
        let pcm = &self.heard[&LegKey(leg)].pcm;
        let woven = &pcm[(from * 48_000.0) as usize * 2..((to * 48_000.0) as usize * 2).min(pcm.len())];
        woven.iter().skip(usize::from(right)).step_by(2).copied().collect()
    }

    pub(crate) fn pan(&mut self, number: u32, place: i16) {
        self.input(AudioInput::SetPan { room: ROOM, member: MemberKey(number), place });
    }

    pub(crate) fn input(&mut self, input: AudioInput) {
        self.plane.handle(self.now, input);
        self.drain();
    }

    pub(crate) fn mute(&mut self, number: u32, muted: bool) {
        self.input(AudioInput::SetMuted { room: ROOM, member: MemberKey(number), muted });
    }

    pub(crate) fn deafen(&mut self, number: u32, deaf: bool) {
        self.input(AudioInput::SetDeaf { room: ROOM, member: MemberKey(number), deaf });
    }

    pub(crate) fn input_volume(&mut self, number: u32, steps: i8) {
        let (member, volume) = (MemberKey(number), Volume::saturating(steps));
        self.input(AudioInput::SetInputVolume { room: ROOM, member, volume });
    }

    pub(crate) fn output_volume(&mut self, number: u32, steps: i8) {
        let (member, volume) = (MemberKey(number), Volume::saturating(steps));
        self.input(AudioInput::SetOutputVolume { room: ROOM, member, volume });
    }

    pub(crate) fn sensitivity(&mut self, number: u32, value: u8) {
        let (member, sensitivity) = (MemberKey(number), Sensitivity::saturating(value));
        self.input(AudioInput::SetInputSensitivity { room: ROOM, member, sensitivity });
    }

    /// Encodes made in the next second.
    pub(crate) fn encodes_in_a_second(&mut self) -> u64 {
        let before = self.plane.counters().encodes;
        self.run(1.0);
        self.plane.counters().encodes - before
    }

    /// From now on a member announces how loud it is.
    pub(crate) fn announces(&mut self, number: u32, announce: fn(u8) -> u8) {
        self.sources.get_mut(&MemberKey(number)).unwrap().levels = Some(announce);
    }

    pub(crate) fn link(&mut self, number: u32) -> &mut Link {
        &mut self.sources.get_mut(&MemberKey(number)).unwrap().link
    }

    fn at(&mut self, when: Instant, due: Due) {
        self.numbered += 1;
        self.events.push(Reverse((when, self.numbered)));
        self.pending.insert(self.numbered, due);
    }

    pub(crate) fn run(&mut self, seconds: f64) {
        let end = self.now + Duration::from_secs_f64(seconds);
        loop {
            let tick = self.drain();
            let event = self.events.peek().map(|Reverse((when, _))| *when);
            let next = event.map_or(tick, |event| event.min(tick));
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            if event.is_some_and(|event| event <= self.now) {
                let Reverse((_, number)) = self.events.pop().unwrap();
                match self.pending.remove(&number).unwrap() {
                    Due::Speak(member) => self.speak(member),
                    Due::Arrive(member, seq, timestamp, level, payload) => self.input(AudioInput::Packet {
                        room: ROOM,
                        member,
                        seq,
                        timestamp,
                        payload: payload.into(),
                        arrived: self.now,
                        level,
                    }),
                }
            }
        }
        self.now = end;
    }

    fn speak(&mut self, member: MemberKey) {
        let Some(source) = self.sources.get_mut(&member) else { return };
        let from = source.sent * FRAME as u64;
        let pcm: Vec<f32> = (from..from + FRAME as u64).map(|n| (source.sound)(n)).collect();
        let payload = source.encoder.encode_vec_float(&pcm, 1275).unwrap();
        let level = source.levels.map(|announce| announce((-db(rms(&pcm))).clamp(0.0, 127.0) as u8));
        let (seq, timestamp) = (SeqNo(65_536 + source.sent), 4_294_967_296 + from);
        let timestamp = MediaTime { ticks: timestamp, rate: ClockRate::OPUS };
        source.sent += 1;
        if source.losing == 0 && source.seed.share() < source.link.loss / f64::from(source.link.burst) {
            source.losing = source.link.burst;
        }
        let lost = source.losing > 0;
        source.losing = source.losing.saturating_sub(1);
        let copies = 1 + u32::from(source.seed.share() < source.link.duplicates);
        let mut arrivals = Vec::new();
        for _ in 0..copies {
            let late = source.link.delay_ms + source.link.jitter_ms * source.seed.share();
            arrivals.push(self.now + Duration::from_secs_f64(late / 1000.0));
        }
        let again = self.now + Duration::from_secs_f64(0.02 / source.link.clock);
        if !lost {
            for when in arrivals {
                self.at(when, Due::Arrive(member, seq, timestamp, level, payload.clone()));
            }
        }
        self.at(again, Due::Speak(member));
    }

    fn drain(&mut self) -> Instant {
        loop {
            match self.plane.poll(self.now) {
                AudioOutput::Packet { listeners, timestamp, payload, .. } => {
                    for leg in listeners.iter() {
                        let heard = self.heard.get_mut(leg).expect("only listeners get packets");
                        let mut pcm = [0.0; 2 * 5760];
                        let decoder = self.decoders.get_mut(leg).unwrap();
                        let samples = decoder.decode_float(&payload, &mut pcm, false).unwrap();
                        assert_eq!(samples, FRAME);
                        let channels = if heard.stereo { 2 } else { 1 };
                        heard.pcm.extend_from_slice(&pcm[..samples * channels]);
                        heard.times.push(self.now);
                        heard.timestamps.push(timestamp.ticks);
                        heard.payloads.push(payload.clone());
                    }
                }
                AudioOutput::Talking { member, talking, .. } => {
                    self.talking.push((self.now, member, talking))
                }
                AudioOutput::Floor { member, .. } => self.floor.push((self.now, member)),
                AudioOutput::Playing { member, timestamp, at, .. } => {
                    self.playing.push((member, timestamp.ticks.wrapping_sub(4_294_967_296), at));
                }
                AudioOutput::Recorded { samples, at, .. } => self.recorded.push((at, samples)),
                AudioOutput::Idle { until } => return until,
            }
        }
    }

    /// What a leg heard between two moments, seconds since the beginning.
    pub(crate) fn sound(&self, leg: u32, from: f64, to: f64) -> &[f32] {
        let pcm = &self.heard[&LegKey(leg)].pcm;
        &pcm[(from * 48_000.0) as usize..((to * 48_000.0) as usize).min(pcm.len())]
    }

    /// How old what is heard of a member is, ms, at each report: nothing but the delay in the plane and on the link.
    pub(crate) fn delays_ms(&self, number: u32, clock: f64) -> Vec<f64> {
        let began = 0.0037 + f64::from(number) * 0.0019;
        self.playing
            .iter()
            .filter(|(member, ..)| *member == MemberKey(number))
            .map(|(_, ticks, at)| {
                let spoken = began + *ticks as f64 / 48_000.0 / clock;
                ((*at - self.start).as_secs_f64() - spoken) * 1000.0
            })
            .collect()
    }
}

/// Strength of one frequency (Goertzel): the amplitude of a tone that would sound as loud.
pub(crate) fn strength(pcm: &[f32], hz: f64) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (n, sample) in pcm.iter().enumerate() {
        // A window keeps a neighbour's tone from leaking in.
        let window = 0.5 - 0.5 * (n as f64 / pcm.len() as f64 * std::f64::consts::TAU).cos();
        let angle = n as f64 / 48_000.0 * hz * std::f64::consts::TAU;
        re += f64::from(*sample) * window * angle.cos();
        im += f64::from(*sample) * window * angle.sin();
    }
    4.0 * (re * re + im * im).sqrt() / pcm.len() as f64
}

pub(crate) fn db(ratio: f64) -> f64 {
    20.0 * ratio.max(1e-9).log10()
}

pub(crate) fn rms(pcm: &[f32]) -> f64 {
    (pcm.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / pcm.len() as f64).sqrt()
}

/// The loudest click: the largest second difference, which a smooth wave keeps small, over 1 ms.
pub(crate) fn click(pcm: &[f32]) -> f32 {
    pcm.windows(3).map(|three| (three[2] - 2.0 * three[1] + three[0]).abs()).fold(0.0, f32::max)
}

/// The longest time, ms, in which the sound stayed below this level (in pieces of 5 ms).
pub(crate) fn longest_hole_ms(pcm: &[f32], below: f64) -> usize {
    let (mut longest, mut hole) = (0, 0);
    for piece in pcm.chunks_exact(240) {
        hole = if rms(piece) < below { hole + 5 } else { 0 };
        longest = longest.max(hole);
    }
    longest
}
