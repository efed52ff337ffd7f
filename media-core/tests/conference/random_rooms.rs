//! Rooms in which anything happens, from seeds: people come and go, mute, turn up, ask for places, layouts change, packets are
//! lost. Whatever happens, nobody is seen in another's place, no picture is waited for once it is there, nobody blinks when
//! others come, and nothing is heard but who speaks, as loud as it is.
//!
//! Values stand for pictures (see [`crate::values`]); one small room has real ones. `SIGNALBOX_ROOM_SECONDS` is how long each
//! room lasts, `SIGNALBOX_ROOM_SEED` makes it one room, of that seed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use layouts::{LayoutId, Position};
use media_core::codec::Rgb;
use media_core::mix::audio::{AudioInput, Volume};
use media_core::mix::video::{Content, SceneLayer};
use media_core::room::{Action, Event, MemberConfig, Recorded, RecordedMedia, RoomConfig};
use media_core::units::MemberKey;
use media_core::units::VideoCodec::{H264, Vp8};

use crate::conference::{CANVAS, Conference, ROOM, alike, person};
use crate::offer::OPUS;
use crate::page::Setup;
use crate::sim::link::Impairment;
use crate::sound::{Seed, click, db, strength, tone};
use crate::values::{Drawn, Values, shown};

const FPS: u32 = 15;
const ROOMS: u64 = 12;
const SECONDS: f64 = 15.0;
/// Who is in a room at most.
const MEMBERS_MAX: usize = 30;
/// Of those who are not silent; so far apart that the codec, made for voices, keeps their levels.
const TONES: [f64; 5] = [310.0, 530.0, 790.0, 1130.0, 1510.0];
/// Of a tone, at full volume: −20 dB.
const AMPLITUDE: f64 = 0.1;
const MS: Duration = Duration::from_millis(1);
/// Of a picture that waits behind its key frame.
const SHOWN_WITHIN: Duration = Duration::from_millis(300);
/// From capture to canvas, seconds: the network, the sound's jitter buffer, one frame each of camera and canvas.
const LATE_MAX: f64 = 0.7;
/// Of the sound whose levels are measured, samples: too short for two corrections of a jitter buffer.
const PIECE: usize = 1440;
/// A tone is as loud as it should be so long after something happened to it.
const SETTLED: f64 = 1.0;

/// A member, as the room should see it.
struct Person {
    number: u32,
    page: usize,
    joined: Instant,
    here: bool,
    video_muted: Option<Instant>,
    audio_muted: bool,
    tone: Option<f64>,
    volume: i8,
    /// Since when a picture of it can be expected, but for its key frame.
    due_since: Option<Instant>,
    /// It has been on the canvas since.
    drawn: bool,
    /// … and is there without a break since then.
    seen_since: Option<Instant>,
    pictured: bool,
}

struct Rooms {
    it: Conference,
    seed: u64,
    random: Seed,
    people: Vec<Person>,
    /// When something happened to sound, on the server's clock, and who is heard how loud from then on, if that changed.
    changes: Vec<(f64, Option<BTreeMap<u64, f64>>)>,
    checked: usize,
    lossy: bool,
    /// The oldest picture that was drawn, seconds.
    latest: f64,
    /// How many comparisons there were: layers, tones.
    compared: [usize; 2],
}

impl Rooms {
    fn new(seed: u64, size: usize, lossy: bool) -> Self {
        let layout = LayoutId::GRID_RESPONSIVE;
        let mut it = Conference::with(seed, RoomConfig { canvas: CANVAS, fps: FPS, layout });
        it.values = Some(Values::default());
        it.codec_jobs_take(MS);
        it.plane.handle(it.now, AudioInput::SetRecorded { room: ROOM, recorded: true });
        it.link.impairment = Impairment {
            delay: 15 * MS,
            jitter: if lossy { 20 * MS } else { 5 * MS },
            ..Impairment::LOOPBACK
        };
        let mut rooms = Self {
            it,
            seed,
            random: Seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            people: Vec::new(),
            changes: Vec::new(),
            checked: 0,
            lossy,
            latest: 0.0,
            compared: [0; 2],
        };
        if lossy {
            rooms.lose(30);
        }
        for _ in 0..size.max(2) {
            rooms.join();
        }
        rooms
    }

    /// Of pictures and reports so many of a thousand are lost; what losses do to sound is looked at elsewhere.
    fn lose(&mut self, permille: u64) {
        let mut random = Seed(self.seed | 1);
        self.it.filter = Some(Box::new(move |_, _, bytes| {
            let is_rtp = bytes.first().is_some_and(|first| (128..192).contains(first));
            let is_sound = bytes.get(1).is_some_and(|second| second & 0x7f == OPUS.0);
            is_rtp && !is_sound && random.next() % 1000 < permille
        }));
    }

    fn below(&mut self, count: usize) -> usize {
        (self.random.next() % count.max(1) as u64) as usize
    }

    /// The first one listens and says nothing, the second one listens and has a tone; these two stay.
    fn join(&mut self) {
        let number = self.people.len() as u32 + 1;
        let listens = number <= 2;
        let free = self.free_tone();
        let has_tone = number == 2 || (number != 1 && self.below(2) == 0);
        let hz = free.filter(|_| has_tone);
        // What it says begins softly when all know of it.
        let since = self.it.seconds();
        let microphone: crate::sound::Sound = match hz {
            None => crate::sound::silence(),
            Some(hz) => {
                let mut wave = tone(hz, AMPLITUDE);
                Box::new(move |n| wave(n) * ((n as f64 / 48_000.0 - 0.8) / 0.05).clamp(0.0, 1.0) as f32)
            }
        };
        let setup = Setup {
            bundled: self.below(2) == 0,
            video: vec![Vp8],
            fps: FPS,
            microphone,
            value: Some(number),
            quiet: hz.is_none(),
            listens,
            ..Setup::default()
        };
        let config = MemberConfig { name: number.to_string().into(), ..person() };
        let page = self.it.join_as(config, setup);
        self.people.push(Person {
            number,
            page,
            joined: self.it.now,
            here: true,
            video_muted: None,
            audio_muted: false,
            tone: hz,
            volume: 0,
            due_since: Some(self.it.now),
            drawn: false,
            seen_since: None,
            pictured: false,
        });
        if hz.is_some() {
            // It connects within this time, and begins then.
            self.sound_changed();
            self.changes.push((since + 1.5, None));
        }
    }

    /// One that nobody has.
    fn free_tone(&self) -> Option<f64> {
        let taken = |hz: f64| self.people.iter().any(|one| one.here && one.tone == Some(hz));
        TONES.into_iter().find(|hz| !taken(*hz))
    }

    fn sound_changed(&mut self) {
        self.changes.push((self.it.seconds(), Some(self.loud())));
    }

    /// Who is heard how loud now: hertz and decibels.
    fn loud(&self) -> BTreeMap<u64, f64> {
        let here = self.people.iter().filter(|one| one.here && !one.audio_muted);
        here.filter_map(|one| Some((one.tone? as u64, -20.0 + f64::from(one.volume)))).collect()
    }

    fn leave(&mut self, at: usize) {
        let key = self.key(at);
        let page = self.people[at].page;
        // Of some the application says so before their page is closed.
        if self.below(2) == 0 {
            self.it.act(Action::RemoveMember { member: key });
        }
        let now = self.it.now;
        self.it.pages[page].page.close(now);
        self.it.act(Action::RemoveMember { member: key });
        self.people[at].here = false;
        self.sound_changed();
    }

    fn key(&self, at: usize) -> MemberKey {
        self.it.pages[self.people[at].page].key
    }

    /// Something happens.
    fn happen(&mut self) {
        let here: Vec<usize> = (0..self.people.len()).filter(|at| self.people[*at].here).collect();
        let any = here[self.below(here.len())];
        let key = self.key(any);
        match self.below(12) {
            0 | 1 if here.len() < MEMBERS_MAX => self.join(),
            2 if any >= 2 => self.leave(any),
            3 | 4 => {
                let muted = self.people[any].video_muted.is_none();
                self.it.act(Action::SetVideoMuted { member: key, muted });
                self.people[any].video_muted = muted.then_some(self.it.now);
                self.people[any].due_since = (!muted).then_some(self.it.now);
                self.people[any].drawn = false;
                self.people[any].pictured = false;
            }
            5 => {
                let muted = !self.people[any].audio_muted;
                self.it.act(Action::SetAudioMuted { member: key, muted });
                self.people[any].audio_muted = muted;
                self.sound_changed();
            }
            6 => {
                let steps = i8::try_from(self.below(12)).unwrap() - 9;
                self.it.act(Action::SetInputVolume { member: key, volume: Volume::saturating(steps) });
                self.people[any].volume = steps;
                self.sound_changed();
            }
            7 | 8 => {
                let all: Vec<LayoutId> = LayoutId::available().collect();
                let layout = all[self.below(all.len())].clone();
                self.it.act(Action::SetLayout { layout, positions: Vec::new() });
            }
            9 => {
                let wishes = [
                    Position::Auto,
                    Position::Standard(1),
                    Position::Standard(3),
                    Position::Reserved(1),
                    Position::OffCanvas,
                    Position::FullScreen,
                ];
                let position = wishes[self.below(wishes.len())];
                self.it.act(Action::SetPositions { positions: vec![(key, position)] });
            }
            10 => {
                let raised = self.below(2) == 0;
                self.it.act(Action::SetHandRaised { member: key, raised });
            }
            _ => {
                let hide = self.below(2) == 0;
                self.it.act(Action::SetHideVideoMuted { hide });
            }
        }
    }

    fn run(&mut self, seconds: f64) {
        let end = self.it.seconds() + seconds;
        while self.it.seconds() < end {
            // Now and then nothing happens for a while, so that there is time to listen.
            let pause = if self.below(6) == 0 { 2500 } else { 50 + self.below(600) as u64 };
            let until = self.it.now + pause as u32 * MS;
            while self.it.now < until {
                self.it.run(0.1);
                self.look();
            }
            self.happen();
            self.look();
        }
        self.it.run(3.0);
        self.look();
        self.listen();
    }

    /// Every scene drawn since.
    fn look(&mut self) {
        let values = self.it.values.as_mut().unwrap();
        let scenes = std::mem::take(&mut values.scenes);
        for scene in &scenes[self.checked..] {
            self.check_scene(scene);
        }
        self.checked = scenes.len();
        self.it.values.as_mut().unwrap().scenes = scenes;
        self.check_viewers();
    }

    fn check_scene(&mut self, scene: &Drawn) {
        let seed = self.seed;
        let placed = scene.arrangement.as_ref().expect("a canvas is arranged before it is drawn");
        let mut left: Vec<&SceneLayer> = scene.layers.iter().collect();
        let at = scene.at - self.it.started;
        for person in 0..self.people.len() {
            let number = self.people[person].number;
            let key = self.key(person);
            let layers = placed.layers.iter().filter(|layer| layer.visible);
            let its = layers.filter(|layer| layer.source.is_some_and(|source| source.0 == key.0));
            let mut seen = false;
            for layer in its {
                let rect = layer.pixels(CANVAS);
                let drawn = left.iter().position(|drawn| drawn.rect == rect && names(drawn) == number);
                let Some(drawn) = drawn else {
                    // Who has just left is gone from the picture before it is arranged anew.
                    assert!(!self.people[person].here, "seed {seed}, {at:?}: {number} is not in its place");
                    continue;
                };
                seen = true;
                self.compared[0] += 1;
                self.check_layer(person, left.swap_remove(drawn), scene.at);
            }
            if !seen && self.people[person].drawn {
                self.people[person].due_since = None;
                self.people[person].pictured = false;
            }
            self.people[person].drawn |= seen;
            if !seen {
                self.people[person].seen_since = None;
            }
        }
        assert!(left.is_empty(), "seed {seed}, {at:?}: {left:?} in nobody's place");
    }

    fn check_layer(&mut self, person: usize, layer: &SceneLayer, at: Instant) {
        let seed = self.seed;
        let one = &mut self.people[person];
        let seen_for = at - *one.seen_since.get_or_insert(at);
        let page = &self.it.pages[one.page].page;
        let (number, since) = (one.number, at - self.it.started);
        match &layer.content {
            Content::Picture { picture, .. } => {
                assert!(one.video_muted.is_none(), "seed {seed}, {since:?}: {number} has muted its camera");
                one.pictured = true;
                one.due_since.get_or_insert(at);
                let filmed = ((at - one.joined).as_secs_f64() * f64::from(FPS)) as u64 as u8;
                let frames = filmed.wrapping_sub(shown(picture).1);
                let late = f64::from(frames.cast_signed()) / f64::from(FPS);
                // Who comes back to the canvas is what it was until its key frame is there.
                let (most, after) = if self.lossy { (2.0, 2500 * MS) } else { (LATE_MAX, 500 * MS) };
                if seen_for >= after {
                    self.latest = self.latest.max(late);
                    assert!(late < most, "seed {seed}, {since:?}: the picture of {number} is {late} s old");
                }
            }
            Content::MuteImage { .. } | Content::Still { .. } => {
                assert!(one.video_muted.is_some(), "seed {seed}, {since:?}: {number} has muted nothing");
            }
            Content::Avatar { .. } | Content::Empty => {
                assert!(one.video_muted.is_none(), "seed {seed}, {since:?}: {number} has muted its camera");
                assert!(!one.pictured, "seed {seed}, {since:?}: {number} blinks");
                let due = *one.due_since.get_or_insert(at);
                let key = page.keys_arrived.iter().find(|arrived| **arrived >= due);
                let waits = one.here && key.is_some_and(|key| at > *key + SHOWN_WITHIN);
                assert!(
                    !waits,
                    "seed {seed}, {since:?}: {number}'s key frame came {:?} ago",
                    key.map(|key| at - *key)
                );
            }
        }
    }

    /// What the first two see is what was drawn just now.
    fn check_viewers(&mut self) {
        let scenes = &self.it.values.as_ref().unwrap().scenes;
        for viewer in &self.it.pages[..2] {
            let Some(last) = viewer.page.seen.last() else { continue };
            let drawn = scenes[last.value as usize].at;
            let late = self.it.now - drawn;
            let most = if self.lossy { 2500 * MS } else { 250 * MS };
            assert!(late < most, "seed {}, {:?}: what is seen is {late:?} old", self.seed, self.it.seconds());
        }
    }

    /// The mix before it is coded, between two moments.
    fn mix(&self, from: f64, to: f64) -> Vec<f32> {
        let sounds = self.it.events.iter().filter_map(|(_, event)| match event {
            Event::Recorded {
                recorded: Recorded { at, media: RecordedMedia::Sound { samples } }, ..
            } => {
                let at = (*at - self.it.started).as_secs_f64();
                (from..to).contains(&at).then_some(samples)
            }
            _ => None,
        });
        sounds.flat_map(|samples| samples.iter().map(|sample| f32::from(*sample) / 32_768.0)).collect()
    }

    /// Between two changes everybody is as loud as it should be, and nothing clicks.
    fn listen(&mut self) {
        let mut changes = std::mem::take(&mut self.changes);
        changes.sort_by(|a, b| a.0.total_cmp(&b.0));
        let ends: Vec<f64> = changes.iter().skip(1).map(|it| it.0).chain([self.it.seconds() - 0.6]).collect();
        let mut levels = BTreeMap::new();
        let mut wrong = Vec::new();
        let all: Vec<u64> = self.people.iter().filter_map(|one| Some(one.tone? as u64)).collect();
        for ((from, changed), to) in changes.into_iter().zip(ends) {
            levels = changed.unwrap_or(levels);
            let from = from + SETTLED;
            if to < from + 0.4 {
                continue;
            }
            let to = to.min(from + 2.0);
            let mix = self.mix(from, to);
            for hz in &all {
                self.compared[1] += 1;
                let loud = level(&mix, *hz as f64);
                let case = format!("seed {}: {hz} Hz from {from:.2} to {to:.2}", self.seed);
                match levels.get(hz) {
                    Some(expected) if (loud - expected).abs() > 0.5 => {
                        wrong.push(format!("{case} with {loud:.2} dB, not {expected}"));
                    }
                    None if loud > -60.0 => wrong.push(format!("{case} with {loud:.1} dB")),
                    Some(_) | None => {}
                }
            }
            for listener in 0..2 {
                let own = self.people[listener].tone.map(|hz| hz as u64);
                for hz in all.iter().filter(|hz| Some(**hz) != own) {
                    let page = self.people[listener].page;
                    let loud = self.it.hears_in_pieces(page, *hz as f64, from, to, PIECE);
                    let case =
                        format!("seed {}: {listener} hears {hz} Hz from {from:.2} to {to:.2}", self.seed);
                    // What codecs for voices make of several tones is not ours.
                    match levels.get(hz) {
                        Some(expected) if (loud - expected).abs() > 3.0 => {
                            wrong.push(format!("{case} with {loud:.2} dB, not {expected}"));
                        }
                        None if loud > -45.0 => wrong.push(format!("{case} with {loud:.1} dB")),
                        Some(_) | None => {}
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?} of {} tones", self.compared[1]);
        for listener in 0..2 {
            let page = &self.it.pages[self.people[listener].page].page;
            let pcm: Vec<f32> =
                page.heard(self.it.origin()).flat_map(|(_, pcm)| pcm.iter().copied()).collect();
            for (second, pcm) in pcm.chunks(48_000).enumerate() {
                let bend = f64::from(click(pcm));
                assert!(bend < BEND_MAX, "seed {}: a click of {bend:.4} in second {second}", self.seed);
            }
        }
    }
}

/// The median of a tone's strength in short pieces, dB.
fn level(pcm: &[f32], hz: f64) -> f64 {
    let mut pieces: Vec<f64> = pcm.chunks_exact(PIECE).map(|piece| strength(piece, hz)).collect();
    pieces.sort_by(f64::total_cmp);
    db(pieces[pieces.len() / 2])
}

/// How sharply the tones bend the wave at most, all together and 3 dB up, and as much again for their coding.
const BEND_MAX: f64 = 0.06;

/// Whose layer it is.
fn names(layer: &SceneLayer) -> u32 {
    match &layer.content {
        Content::Picture { picture, .. } => shown(picture).0,
        Content::MuteImage { name } | Content::Avatar { name } => name.parse().unwrap(),
        Content::Still { .. } | Content::Empty => 0,
    }
}

fn number(name: &str) -> Option<f64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn random_rooms_show_and_sound_what_they_should() {
    let seconds = number("SIGNALBOX_ROOM_SECONDS").unwrap_or(SECONDS);
    let seeds: Vec<u64> = match number("SIGNALBOX_ROOM_SEED") {
        Some(seed) => vec![seed as u64],
        None => (0..ROOMS).collect(),
    };
    for seed in seeds {
        println!("seed {seed}");
        let size = 1 + (seed * 7 % 30) as usize;
        let mut rooms = Rooms::new(seed, size, seed % 3 == 2);
        rooms.run(seconds);
        let [layers, tones] = rooms.compared;
        let jobs = rooms.it.values.as_ref().unwrap().jobs;
        println!(
            "seed {seed}: {:.2} s late at most, {} people, {layers} layers, {tones} tones, jobs {jobs:?}",
            rooms.latest,
            rooms.people.len()
        );
        assert!(
            rooms.lossy || jobs[1].abs_diff(jobs[2]) <= 1,
            "seed {seed}: one rendition is enough for all"
        );
        assert!(layers > 100 && tones > 0, "seed {seed}: {layers} layers and {tones} tones were looked at");
    }
}

#[test]
fn a_small_random_room_with_real_codecs() {
    const COLOURS: [Rgb; 4] = [Rgb(200, 40, 40), Rgb(40, 60, 200), Rgb(40, 170, 60), Rgb(200, 190, 40)];
    let seed = 77;
    let mut random = Seed(seed);
    let mut it = Conference::new(seed);
    it.link.impairment =
        Impairment { delay: 15 * MS, jitter: 10 * MS, loss_permille: 10, ..Impairment::LOOPBACK };
    for (n, colour) in COLOURS.into_iter().enumerate() {
        let video = if n % 2 == 0 { vec![H264] } else { vec![Vp8] };
        it.join(Setup {
            video,
            camera: Box::new(move |_| colour),
            quiet: true,
            listens: false,
            ..Setup::default()
        });
    }
    it.run_until(5.0, |it| it.pages.iter().all(|member| member.page.is_connected()));
    it.run(2.0);
    let layouts: Vec<LayoutId> = LayoutId::available().collect();
    for step in 0..12 {
        let layout = layouts[random.next() as usize % layouts.len()].clone();
        let name = layout.name().to_owned();
        it.act(Action::SetLayout { layout, positions: Vec::new() });
        it.run(1.2);
        for viewer in 0..COLOURS.len() {
            for (member, colour) in COLOURS.into_iter().enumerate() {
                let layers = it.placed().layers.iter();
                let key = it.pages[member].key.0;
                let mut its = layers.filter(|layer| layer.source.is_some_and(|source| source.0 == key));
                let Some(layer) = its.next().filter(|layer| layer.visible) else { continue };
                let rect = layer.pixels(CANVAS);
                let covered = it.placed().layers.iter().any(|other| {
                    let middle = other.pixels(CANVAS);
                    let (x, y) = (rect.x + rect.width / 2, rect.y + rect.height / 2);
                    other.z > layer.z
                        && other.source.is_some()
                        && (middle.x..middle.x + middle.width).contains(&x)
                        && (middle.y..middle.y + middle.height).contains(&y)
                });
                // Not where the banner is.
                if !covered && rect.height >= 60 {
                    let seen = it.sees(viewer, member);
                    assert!(alike(seen, colour), "step {step}, {name}: {viewer} sees {seen:?} for {member}");
                }
            }
        }
    }
}
