//! What microphones send: loops of Opus packets, coded once.
//!
//! in:  seeds, speech of `espeak-ng`
//! out: packets of 20 ms with their levels
//!
//! Coded as Chromium codes a microphone: mono, 32 kbit/s, complexity 9, in-band FEC, no DTX, for voice. Somebody who is
//! silent sends what a quiet room gives: noise at −66 dBFS, a packet every 20 ms like any other.

use std::fs;
use std::process::Command;
use std::sync::Arc;

use opus::{Application, Bitrate, Channels};

use super::LoadError;
use crate::process::scratch;

/// Samples of an Opus packet of 20 ms.
pub const FRAME: usize = 960;
const RATE: f32 = 48_000.0;
/// Packets of a loop of the synthetic voice: six seconds, of which four are spoken.
const LOOP: usize = 300;
const SPOKEN: usize = 200;
/// Loudness of a voice, and of a quiet room.
const VOICE_DBFS: f32 = -26.0;
const ROOM_DBFS: f32 = -66.0;
/// What is louder is somebody's voice.
const VOICE_FROM_DB: i8 = -50;
/// Amplitude of a tone that is mixed into a voice so that it can be found again.
const PILOT: f32 = 0.05;
/// Such a voice is half as loud again as the others: of a crowd only the loudest are mixed, and these two are to be among them.
const PILOT_VOICE: f32 = 1.5;
/// Voices of `espeak-ng`: variant and pitch.
const VOICES: [(&str, &str); 4] =
    [("en-us+m1", "35"), ("en-us+f2", "60"), ("en-us+m5", "25"), ("en-us+f4", "75")];
const TEXT: &str = "Good morning everybody. Let us begin with the numbers of last week. The first point is the new building, \
    which will be ready in spring. I have sent the plan around, and there were two questions about the costs. Could somebody \
    say how long the move will take? We thought of three days, but the lift is small. After that we should talk about who \
    comes to the meeting in June, and whether the train or the bus is better. Thank you, that is all from my side.";

/// A packet of a loop.
#[derive(Clone, Debug)]
pub(super) struct Spoken {
    pub(super) payload: Arc<[u8]>,
    /// Of the loudest −0, of silence −127.
    pub(super) level: i8,
}

impl Spoken {
    pub(super) fn is_voice(&self) -> bool {
        self.level > VOICE_FROM_DB
    }
}

/// A microphone's loop, and where in it one begins.
#[derive(Clone, Debug)]
pub struct Speech {
    packets: Arc<[Spoken]>,
    offset: usize,
}

impl Speech {
    /// A voice-like sound that pauses for two of every six seconds.
    ///
    /// # Errors
    /// When it cannot be coded.
    pub fn new(seed: u32) -> Result<Self, LoadError> {
        let hertz = f32::from(100 + (seed % 100).to_le_bytes()[0]);
        let sample = |n: usize| {
            if n >= SPOKEN * FRAME {
                return 0.0;
            }
            let at = n as f32 / RATE * std::f32::consts::TAU;
            let syllable = 0.5 - 0.5 * (at * 4.0).cos();
            let voice: f32 = (1..6_u8).map(|k| (at * hertz * f32::from(k)).sin() / f32::from(k)).sum();
            0.2 * syllable * voice
        };
        Self::of(&(0..LOOP * FRAME).map(sample).collect::<Vec<_>>())
    }

    /// A quiet room: what somebody sends who listens.
    ///
    /// # Errors
    /// When it cannot be coded.
    pub fn silence() -> Result<Self, LoadError> {
        let mut dice = 0x9E37_79B9_u32;
        let amplitude = 10_f32.powf(ROOM_DBFS / 20.0) * 3_f32.sqrt();
        let sample = |_| {
            dice ^= dice << 13;
            dice ^= dice >> 17;
            dice ^= dice << 5;
            amplitude * (f32::from((dice >> 16).to_le_bytes()[0]) / 127.5 - 1.0)
        };
        Self::of(&(0..100 * FRAME).map(sample).collect::<Vec<_>>())
    }

    /// The same, begun elsewhere in the loop.
    #[must_use]
    pub fn from(&self, packet: usize) -> Self {
        Self { packets: Arc::clone(&self.packets), offset: packet }
    }

    /// The packet of this number.
    pub(super) fn packet(&self, number: u64) -> Option<&Spoken> {
        let at = usize::try_from(number).unwrap_or(0).wrapping_add(self.offset);
        self.packets.get(at.checked_rem(self.packets.len())?)
    }

    /// Mean payload bytes of a packet.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.packets.iter().map(|packet| packet.payload.len()).sum::<usize>() / self.packets.len().max(1)
    }

    fn of(pcm: &[f32]) -> Result<Self, LoadError> {
        let wrong = |error: opus::Error| LoadError::Source(error.to_string());
        let mut encoder = opus::Encoder::new(48_000, Channels::Mono, Application::Voip).map_err(wrong)?;
        encoder.set_bitrate(Bitrate::Bits(32_000)).map_err(wrong)?;
        encoder.set_complexity(9).map_err(wrong)?;
        encoder.set_inband_fec(true).map_err(wrong)?;
        encoder.set_packet_loss_perc(10).map_err(wrong)?;
        let mut packets = Vec::with_capacity(pcm.len() / FRAME);
        for frame in pcm.chunks_exact(FRAME) {
            let payload = encoder.encode_vec_float(frame, 1275).map_err(wrong)?.into();
            packets.push(Spoken { payload, level: level(frame) });
        }
        match packets.is_empty() {
            true => Err(LoadError::Source("no sound".to_owned())),
            false => Ok(Self { packets: packets.into(), offset: 0 }),
        }
    }
}

/// Voices that read a text.
#[derive(Debug)]
pub struct Voices(Vec<Vec<f32>>);

impl Voices {
    /// Has `espeak-ng` read it in each voice.
    ///
    /// # Errors
    /// When `espeak-ng` or `ffmpeg` is missing.
    pub fn read() -> Result<Self, LoadError> {
        let folder = scratch("voices")?;
        let voices = VOICES.iter().map(|(voice, pitch)| {
            let file = folder.join(format!("{voice}.wav"));
            run(Command::new("espeak-ng").args(["-v", voice, "-p", pitch, "-w"]).arg(&file).arg(TEXT))?;
            let arguments = ["-ar", "48000", "-ac", "1", "-f", "s16le", "-"];
            let pcm = run(Command::new("ffmpeg").args(["-v", "error", "-i"]).arg(&file).args(arguments))?;
            let samples =
                pcm.as_chunks().0.iter().map(|bytes| f32::from(i16::from_le_bytes(*bytes)) / 32_768.0);
            Ok(at_loudness(samples.collect()))
        });
        let voices: Result<Vec<_>, LoadError> = voices.collect();
        let _ = fs::remove_dir_all(&folder);
        voices.map(Self)
    }

    /// The voice of this number, with a tone in it.
    ///
    /// # Errors
    /// When it cannot be coded.
    pub fn speech(&self, number: usize, pilot: Option<f32>) -> Result<Speech, LoadError> {
        let voice = self.0.get(number % self.0.len().max(1)).ok_or(LoadError::Ended)?;
        match pilot {
            None => Speech::of(voice),
            Some(hertz) => {
                let tone = |n: usize| PILOT * (n as f32 / RATE * hertz * std::f32::consts::TAU).sin();
                let with_tone = voice.iter().enumerate();
                let with_tone =
                    with_tone.map(|(n, sample)| ((sample + tone(n)) * PILOT_VOICE).clamp(-1.0, 1.0));
                Speech::of(&with_tone.collect::<Vec<_>>())
            }
        }
    }
}

fn run(command: &mut Command) -> Result<Vec<u8>, LoadError> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| LoadError::Source(format!("{name}: {error}")))?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(LoadError::Source(format!("{name}: {}", String::from_utf8_lossy(&output.stderr)))),
    }
}

fn at_loudness(mut samples: Vec<f32>) -> Vec<f32> {
    let gain = 10_f32.powf((VOICE_DBFS - power_db(&samples)) / 20.0);
    samples.iter_mut().for_each(|sample| *sample = (*sample * gain).clamp(-1.0, 1.0));
    samples
}

/// Mean power against full scale.
fn power_db(samples: &[f32]) -> f32 {
    let sum: f32 = samples.iter().map(|sample| sample * sample).sum();
    10.0 * (sum / samples.len().max(1) as f32).max(1e-13).log10()
}

/// As RFC 6464 §3 has it, but negative.
#[allow(clippy::cast_possible_truncation, reason = "clamped just before")]
fn level(frame: &[f32]) -> i8 {
    power_db(frame).clamp(-127.0, 0.0) as i8
}

/// What was heard: decodes packets in order and finds tones in them.
///
/// # Errors
/// When they are not Opus.
pub fn decode(packets: &[Arc<[u8]>]) -> Result<Vec<f32>, LoadError> {
    let wrong = |error: opus::Error| LoadError::Source(error.to_string());
    let mut decoder = opus::Decoder::new(48_000, Channels::Mono).map_err(wrong)?;
    let mut out = Vec::with_capacity(packets.len() * FRAME);
    let mut frame = vec![0.0; 6 * FRAME];
    for packet in packets {
        let samples = decoder.decode_float(packet, &mut frame, false).map_err(wrong)?;
        out.extend_from_slice(frame.get(..samples).unwrap_or_default());
    }
    Ok(out)
}

/// How far a tone stands out of what is beside it, in dB.
#[must_use]
pub fn stands_out_db(pcm: &[f32], hertz: f32) -> f32 {
    let beside = [-170.0, -110.0, -70.0, 70.0, 110.0, 170.0_f32].map(|offset| goertzel(pcm, hertz + offset));
    let mean = beside.iter().sum::<f32>() / 6.0;
    10.0 * (goertzel(pcm, hertz) / mean.max(1e-12)).max(1e-12).log10()
}

fn goertzel(pcm: &[f32], hertz: f32) -> f32 {
    let coefficient = 2.0 * (std::f64::consts::TAU * f64::from(hertz / RATE)).cos();
    let (s1, s2) = pcm
        .iter()
        .fold((0.0_f64, 0.0_f64), |(s1, s2), sample| (f64::from(*sample) + coefficient * s1 - s2, s1));
    let power = s1 * s1 + s2 * s2 - coefficient * s1 * s2;
    #[allow(clippy::cast_possible_truncation, reason = "a power, of which only the size is of interest")]
    let power = power as f32;
    power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pilot_is_found_in_what_was_coded_and_only_there() {
        let voices = Voices(vec![(0..FRAME * 150).map(|n| 0.1 * (n as f32 * 0.02).sin()).collect()]);
        let heard = |speech: &Speech| {
            let packets: Vec<_> = speech.packets.iter().map(|packet| Arc::clone(&packet.payload)).collect();
            decode(&packets).unwrap()
        };
        let with = heard(&voices.speech(0, Some(1_700.0)).unwrap());
        let without = heard(&voices.speech(0, None).unwrap());
        assert!(stands_out_db(&with, 1_700.0) > 15.0, "{}", stands_out_db(&with, 1_700.0));
        assert!(stands_out_db(&without, 1_700.0) < 10.0, "{}", stands_out_db(&without, 1_700.0));
    }

    #[test]
    fn who_is_silent_sends_as_often_and_says_how_quiet_it_is() {
        let silence = Speech::silence().unwrap();
        let levels: Vec<i8> = silence.packets.iter().map(|packet| packet.level).collect();
        assert_eq!(levels.len(), 100);
        assert!(levels.iter().all(|level| (-70..=-62).contains(level)), "{levels:?}");
        assert!(!silence.packet(5).unwrap().is_voice());
        let moved = silence.from(99);
        assert!(Arc::ptr_eq(&moved.packet(1).unwrap().payload, &silence.packet(0).unwrap().payload));
    }
}
