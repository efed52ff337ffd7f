//! A thousand moves between shared and private encodes, heard by those who move and by those who stay, under a detector
//! of discontinuities that is shown what it must find.

use bytes::Bytes;
use media_core::mix::audio::{AudioInput, SoundKind};
use media_core::units::{LegKey, MemberKey};

use super::world::{Link, ROOM, Sound, World, between, click, tone};

/// Who moves, by speaking up …
const SPEAKERS: std::ops::RangeInclusive<u32> = 1..=10;

/// … or by its volume.
const LISTENERS: std::ops::RangeInclusive<u32> = 11..=18;

/// What is left of each 20 ms, as a share of the whole, when the tone that sounds and the murmurs are taken away; and
/// how sharply the wave bends. A break raises one of them, whatever it is made of.
fn strangeness(pcm: &[f32]) -> Vec<(f64, f64)> {
    let waves: Vec<Vec<f64>> = [440.0, 300.0]
        .iter()
        .flat_map(|hz| {
            let angle = move |n: usize| n as f64 / 48_000.0 * hz * std::f64::consts::TAU;
            [
                (0..960).map(|n| angle(n).sin()).collect(),
                (0..960).map(|n| angle(n).cos()).collect::<Vec<f64>>(),
            ]
        })
        .collect();
    // Orthonormal, so that what a frame has of each can be taken away one after another.
    let mut base: Vec<Vec<f64>> = Vec::new();
    let common = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let without = |mut wave: Vec<f64>, base: &[Vec<f64>]| {
        for other in base {
            let share = common(&wave, other);
            wave.iter_mut().zip(other).for_each(|(sample, other)| *sample -= share * other);
        }
        wave
    };
    for wave in waves {
        let rest = without(wave, &base);
        let length = common(&rest, &rest).sqrt();
        base.push(rest.iter().map(|sample| sample / length).collect());
    }
    pcm.chunks_exact(960)
        .map(|frame| {
            let bend = f64::from(click(frame));
            let frame: Vec<f64> = frame.iter().map(|sample| f64::from(*sample)).collect();
            let whole = common(&frame, &frame).max(1e-9);
            let explained: f64 = base.iter().map(|wave| common(&frame, wave).powi(2)).sum();
            (((whole - explained).max(0.0) / whole).sqrt(), bend)
        })
        .collect()
}

/// Frames stranger than any of a steady sound.
fn breaks(pcm: &[f32], steady: (f64, f64)) -> Vec<usize> {
    let strange = |(_, (rest, bend)): &(usize, (f64, f64))| *rest > steady.0 || *bend > steady.1;
    strangeness(pcm).into_iter().enumerate().filter(strange).map(|(frame, _)| frame).collect()
}

/// What one hears of these payloads.
fn decoded<'a>(payloads: impl Iterator<Item = &'a Bytes>) -> Vec<f32> {
    let mut decoder = opus::Decoder::new(48_000, opus::Channels::Mono).unwrap();
    let mut pcm = Vec::new();
    for payload in payloads {
        let mut frame = [0.0; 960];
        decoder.decode_float(payload, &mut frame, false).unwrap();
        pcm.extend_from_slice(&frame);
    }
    pcm
}

/// The payloads of a new encoder.
fn encoded_anew(pcm: &[f32]) -> Vec<Bytes> {
    let mut encoder = opus::Encoder::new(48_000, opus::Channels::Mono, opus::Application::Voip).unwrap();
    encoder.set_bitrate(opus::Bitrate::Bits(40_000)).unwrap();
    pcm.chunks_exact(960).map(|frame| encoder.encode_vec_float(frame, 1275).unwrap().into()).collect()
}

/// 40 ms every 3.6 s, loud enough to be heard and far too quiet to bend the wave.
fn murmur(number: u32) -> Sound {
    let mut word = tone(300.0, 0.004);
    let late = f64::from(number) * 0.31;
    Box::new(move |n| {
        let gate = between(late, late + 0.04, Box::new(|_| 1.0))(n.saturating_sub(96_000) % 172_800);
        if n > 96_000 { gate * word(n) } else { 0.0 }
    })
}

#[test]
fn a_thousand_moves_are_not_heard() {
    let mut world = World::new();
    world.member(20, tone(440.0, 0.3), Link::default());
    SPEAKERS.for_each(|number| world.join(number, murmur(number), Link::default()));
    for number in LISTENERS {
        let (parent, sound, muted) = (None, SoundKind::Voice, true);
        world.input(AudioInput::AddMember { room: ROOM, member: MemberKey(number), parent, sound, muted });
        world.listen(number, Some(number));
    }
    world.listen(30, None);
    world.run(2.0);
    let mut turned = 0;
    for step in 0..450_u32 {
        world.run(0.2);
        for number in LISTENERS.filter(|number| (step + number) % 7 == 0) {
            world.output_volume(number, if (step / 7) % 2 == 0 { -1 } else { 0 });
            turned += 1;
        }
    }
    // Each word is a move to one's own mix and, three seconds later, back; it has a payload of its own meanwhile.
    let shared = &world.heard[&LegKey(30)].payloads;
    let moves: usize = SPEAKERS
        .map(|number| {
            let own = world.heard[&LegKey(number)].payloads.iter();
            let apart: Vec<bool> = own.zip(shared).map(|(own, shared)| own != shared).collect();
            apart.windows(2).filter(|pair| pair[0] != pair[1]).count()
        })
        .sum();
    assert!(moves >= 480 && moves + turned >= 1000, "{moves} moves of mixes and {turned} of volumes");
    let calm = strangeness(world.sound(30, 0.5, 2.0));
    let worst = |of: fn(&(f64, f64)) -> f64| calm.iter().map(of).fold(0.0, f64::max);
    let steady = (2.0 * worst(|it| it.0) + 0.02, 1.5 * worst(|it| it.1));
    for leg in SPEAKERS.chain(LISTENERS).chain([30]) {
        let found = breaks(world.sound(leg, 0.5, 90.0), steady);
        assert!(found.is_empty(), "leg {leg}: {found:?}");
    }
    // The same sound with moves that nobody prepared: every half second on to an encoder that has heard nothing yet.
    let pcm = world.sound(30, 2.0, 42.0);
    let moved: Vec<Bytes> = pcm.chunks_exact(960 * 25).flat_map(encoded_anew).collect();
    let found = breaks(&decoded(moved.iter())[24_000..], steady);
    let seen = (1..79).filter(|cut| found.iter().any(|frame| frame / 25 + 1 == *cut)).count();
    assert!(seen >= 70, "the detector sees {seen} of 78 moves that are cuts");
}
