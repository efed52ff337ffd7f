//! Sentences spoken by `espeak-ng`: consonants, pauses and pitches nobody made up for a test.

use std::process::Command;

use super::world::{Sound, rms};

/// A sentence in one of its voices at 48 kHz, −23 dBFS in the mean.
pub(crate) fn sentence(voice: &str, words_per_minute: u32, text: &str) -> Vec<f32> {
    let speed = words_per_minute.to_string();
    let said = Command::new("espeak-ng").args(["--stdout", "-v", voice, "-s", &speed, text]).output();
    let said = said.expect("the Debian package espeak-ng speaks for the tests").stdout;
    let at = |from: usize| u32::from_le_bytes(said[from..from + 4].try_into().unwrap());
    assert_eq!((&said[..4], at(24)), (&b"RIFF"[..], 22_050), "16 bits, one channel");
    let spoken: Vec<f32> =
        said[44..].chunks_exact(2).map(|two| f32::from(i16::from_le_bytes([two[0], two[1]]))).collect();
    let samples = spoken.len() * 48_000 / 22_050;
    let mut pcm: Vec<f32> = (0..samples)
        .map(|n| {
            let place = n as f64 * 22_050.0 / 48_000.0;
            let (before, share) = (place as usize, place.fract() as f32);
            let value = |index: usize| spoken.get(index).copied().unwrap_or(0.0);
            value(before) * (1.0 - share) + value(before + 1) * share
        })
        .collect();
    let gain = (0.07 / rms(&pcm)) as f32;
    pcm.iter_mut().for_each(|sample| *sample *= gain);
    pcm
}

/// These samples from a moment on, seconds; silence before and after.
pub(crate) fn from(moment: f64, pcm: Vec<f32>) -> Sound {
    let first = (moment * 48_000.0) as u64;
    Box::new(move |n| {
        let index = n.checked_sub(first).and_then(|index| usize::try_from(index).ok());
        index.and_then(|index| pcm.get(index)).copied().unwrap_or(0.0)
    })
}
