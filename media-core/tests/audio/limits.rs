//! What many loud voices come to, and how true one voice stays; measured at the listener, behind both codecs.

use super::world::{Link, Sound, World, db, noise, rms, strength, tone, voice};

/// −3 dBFS.
const LOUD: f64 = 0.708;

/// A sound of this peak.
fn peaking(peak: f64, mut make: impl FnMut() -> Sound) -> Sound {
    let mut once = make();
    let found = (0..96_000).map(|n| once(n).abs()).fold(0.0_f32, f32::max);
    let (gain, mut again) = (peak as f32 / found, make());
    Box::new(move |n| gain * again(n))
}

/// The largest value of the wave through these samples, with three between each two (ITU-R BS.1770-4, annex 2, by a
/// longer filter).
fn true_peak(pcm: &[f32]) -> f64 {
    const HALF: usize = 24;
    let taps: Vec<Vec<f64>> = (0..4)
        .map(|quarter| {
            let shift = HALF as f64 - 1.0 + f64::from(quarter) / 4.0;
            (0..2 * HALF)
                .map(|n| {
                    let x = n as f64 - shift;
                    let (angle, window) =
                        (x * std::f64::consts::PI, (x / (HALF as f64 + 1.0)).clamp(-1.0, 1.0));
                    let sinc = if x.abs() < 1e-9 { 1.0 } else { angle.sin() / angle };
                    sinc * (0.5 + 0.5 * (window * std::f64::consts::PI).cos())
                })
                .collect()
        })
        .collect();
    let at = |window: &[f32], taps: &[f64]| -> f64 {
        window.iter().zip(taps).map(|(sample, tap)| f64::from(*sample) * tap).sum()
    };
    pcm.windows(2 * HALF)
        .flat_map(|window| taps.iter().map(|taps| at(window, taps).abs()))
        .fold(0.0, f64::max)
}

#[test]
fn the_measure_of_true_peaks_sees_between_samples() {
    // At an eighth of the rate, half a sample beside its crests.
    let hidden: Vec<f32> =
        (0..960).map(|n| (std::f64::consts::TAU * (n as f64 + 0.5) / 4.0).sin() as f32).collect();
    assert!((db(f64::from(hidden[200].abs())) + 3.01).abs() < 0.1 && db(true_peak(&hidden)).abs() < 0.2);
}

#[test]
fn twenty_loud_speakers_stay_half_a_decibel_below_full_scale() {
    type Voice = fn(u32) -> Sound;
    let crowds: [(&str, Voice); 3] = [
        ("voices", |n| peaking(LOUD, || voice(90.0 + 11.0 * f64::from(n)))),
        ("tones", |n| tone(200.0 + 61.0 * f64::from(n), LOUD)),
        ("noise", |n| {
            let mut hiss = noise(LOUD / 3.0_f64.sqrt());
            Box::new(move |at| hiss(at + u64::from(n)))
        }),
    ];
    for (name, sound) in crowds {
        let mut world = World::new();
        for n in 0..20 {
            world.member(1 + n, sound(n), Link::default());
        }
        world.listen(99, None);
        world.run(4.0);
        let peak = db(true_peak(world.sound(99, 0.0, 4.0)));
        assert!(peak <= -0.5, "{name}: true peak {peak} dBFS");
        let loudness = db(rms(world.sound(99, 1.0, 4.0)));
        assert!(loudness > -20.0, "{name}: {loudness} dBFS in the mean is turned down too far");
    }
}

/// Harmonics of a tone, as a share of it.
fn harmonic_distortion(pcm: &[f32], hz: f64) -> f64 {
    let harmonics = (2..=10).map(|k| f64::from(k) * hz).filter(|hz| *hz < 20_000.0);
    harmonics.map(|hz| strength(pcm, hz).powi(2)).sum::<f64>().sqrt() / strength(pcm, hz)
}

#[test]
fn a_single_speaker_is_not_distorted() {
    for hz in [150.0, 440.0, 1000.0, 3000.0] {
        for amplitude in [0.1, LOUD, 0.98] {
            let mut world = World::new();
            world.member(1, tone(hz, amplitude), Link::default());
            world.listen(9, None);
            world.run(3.0);
            let found = harmonic_distortion(world.sound(9, 1.0, 3.0), hz);
            assert!(found < 0.01, "{hz} Hz at {} dBFS: {found}", db(amplitude));
        }
    }
}

#[test]
fn each_of_several_is_heard_as_loud_as_it_speaks() {
    let voices = [(1, 330.0, 0.2), (2, 740.0, 0.14), (3, 1230.0, 0.1)];
    let mut world = World::new();
    for (number, hz, amplitude) in voices {
        world.join(number, tone(hz, amplitude), Link::default());
    }
    world.listen(9, None);
    world.run(4.0);
    for (leg, others) in [(9, None), (1, Some(1)), (2, Some(2)), (3, Some(3))] {
        for (_, hz, amplitude) in voices.into_iter().filter(|(number, ..)| others != Some(*number)) {
            let off = db(strength(world.sound(leg, 1.0, 4.0), hz) / amplitude);
            assert!(off.abs() < 0.5, "leg {leg} hears {hz} Hz by {off} dB wrong");
        }
    }
}
