//! Opus by libopus: one encoder or decoder per value, 48 kHz.
//!
//! in:  frames of samples, payloads of RTP packets, the news that a packet is missing
//! out: payloads, samples
//!
//! Decoders have one channel, because a room mixes voices: browsers capture speech in mono, and a decoder made for one
//! channel folds a stereo sender down by itself. Mixes have one or two: a mono payload is valid under the `opus/48000/2`
//! of every SDP (RFC 7587 §4.1, §6.1), and costs 0.6 of stereo.
//!
//! The binding is our own because of [`Encoder::fork`], which safe bindings do not offer.
#![allow(unsafe_code, reason = "libopus is C; each call is checked below and says why it is sound")]

use std::ptr::NonNull;

use opusic_sys as sys;

use super::mix::{Channels, Mix};

/// Channels of a decoder.
const DECODED: i32 = 1;

/// Samples per second.
pub(super) const RATE: i32 = 48_000;

/// Samples of one mixed frame: 20 ms.
pub(super) const FRAME: usize = 960;

/// One frame of the mix.
pub(super) type Frame = [f32; FRAME];

/// Longest packet, RFC 6716 §3.2.5: 120 ms.
pub(super) const LONGEST: usize = 5760;

/// What concealment works in: 2.5 ms, the shortest Opus frame.
pub(super) const SHORTEST: usize = 120;

/// What listeners get. Speech in full band with room for redundancy; the bandwidth of a composed call is video.
const BITRATE: i32 = 40_000;

/// The same in stereo.
const BITRATE_STEREO: i32 = 64_000;

/// Costs 0.45 of the default 9 and is not told apart in speech.
const COMPLEXITY: i32 = 5;

/// How much loss the in-band redundancy is meant for until something is known.
pub(super) const EXPECTED_LOSS_PERCENT: u8 = 10;

/// libopus does not write more than this for one frame (RFC 6716 §3.2.1).
const MAX_PAYLOAD: usize = 1275;

/// The samples of a payload, when it is one Opus packet of at most 120 ms.
pub(super) fn samples_of(payload: &[u8]) -> Option<usize> {
    let length = i32::try_from(payload.len()).ok().filter(|length| *length > 0)?;
    // SAFETY: pointer and length describe `payload`, which is not empty; the function only reads it.
    let samples = unsafe { sys::opus_packet_get_nb_samples(payload.as_ptr(), length, RATE) };
    usize::try_from(samples).ok().filter(|samples| (SHORTEST..=LONGEST).contains(samples))
}

/// Whether a payload carries a copy of the packet before it (in-band FEC, RFC 6716 §2.1.7).
pub(super) fn has_redundancy(payload: &[u8]) -> bool {
    let Ok(length) = i32::try_from(payload.len()) else { return false };
    // SAFETY: pointer and length describe `payload`; the function parses within them.
    length > 0 && unsafe { sys::opus_packet_has_lbrr(payload.as_ptr(), length) } == 1
}

/// Compresses the frames of one mix.
pub(super) struct Encoder {
    state: NonNull<sys::OpusEncoder>,
    channels: Channels,
}

// SAFETY: the state is plain memory owned by this value alone; libopus keeps nothing per thread.
unsafe impl Send for Encoder {}

impl Drop for Encoder {
    fn drop(&mut self) {
        // SAFETY: made by `opus_encoder_create`, destroyed once.
        unsafe { sys::opus_encoder_destroy(self.state.as_ptr()) }
    }
}

impl Encoder {
    pub(super) fn new(channels: Channels) -> Self {
        let encoder = Self::blank(channels);
        let bitrate = match channels {
            Channels::Mono => BITRATE,
            Channels::Stereo => BITRATE_STEREO,
        };
        encoder.set(sys::OPUS_SET_BITRATE_REQUEST, bitrate);
        encoder.set(sys::OPUS_SET_COMPLEXITY_REQUEST, COMPLEXITY);
        encoder.set(sys::OPUS_SET_INBAND_FEC_REQUEST, 1);
        encoder.expect_loss(EXPECTED_LOSS_PERCENT);
        encoder
    }

    fn blank(channels: Channels) -> Self {
        let mut error = 0;
        // SAFETY: constant valid arguments, one or two channels; `error` outlives the call.
        let state = unsafe {
            sys::opus_encoder_create(RATE, channels.as_c_int(), sys::OPUS_APPLICATION_VOIP, &raw mut error)
        };
        let state =
            NonNull::new(state).expect("libopus only refuses these constants when memory is exhausted");
        Self { state, channels }
    }

    /// A second encoder that goes on from exactly here.
    ///
    /// A decoder that followed this encoder can follow the other one from the next frame on without noticing.
    pub(super) fn fork(&self) -> Self {
        let copy = Self::blank(self.channels);
        // SAFETY: both states were made for the same channels, so both are `size` bytes, and they are distinct. libopus
        // promises that a state is continuous and that a shallow copy is a copy (opus.h, "Opus Encoder").
        unsafe {
            let size = usize::try_from(sys::opus_encoder_get_size(self.channels.as_c_int())).unwrap_or(0);
            let from = self.state.as_ptr().cast::<u8>();
            std::ptr::copy_nonoverlapping(from, copy.state.as_ptr().cast::<u8>(), size);
        }
        copy
    }

    /// The payload of one frame. An `independent` one does not lean on what was encoded before (no prediction of
    /// energies, pitch or filters), so that decoders can come over from another encoder.
    pub(super) fn encode(&mut self, mix: &Mix, independent: bool) -> Vec<u8> {
        self.set(sys::OPUS_SET_PREDICTION_DISABLED_REQUEST, i32::from(independent));
        let mut payload = vec![0; MAX_PAYLOAD];
        let mut woven = [0.0; 2 * FRAME];
        let pcm = match (mix.frames(), self.channels) {
            ([frame], Channels::Mono) => frame.as_slice(),
            ([left, right], Channels::Stereo) => {
                let samples = left.iter().zip(right).flat_map(|(left, right)| [*left, *right]);
                woven.iter_mut().zip(samples).for_each(|(to, from)| *to = from);
                woven.as_slice()
            }
            _ => return Vec::new(),
        };
        let (Ok(samples), Ok(room)) = (i32::try_from(FRAME), i32::try_from(payload.len())) else {
            return Vec::new();
        };
        // SAFETY: `pcm` holds the samples announced of each of the encoder's channels, as the match above has seen;
        // `payload` has room for the bytes announced.
        let length = unsafe {
            sys::opus_encode_float(self.state.as_ptr(), pcm.as_ptr(), samples, payload.as_mut_ptr(), room)
        };
        payload.truncate(usize::try_from(length).unwrap_or(0));
        payload
    }

    /// From the next frame on, redundancy for so much loss; none for none, which costs a quarter less.
    pub(super) fn expect_loss(&self, percent: u8) {
        self.set(sys::OPUS_SET_PACKET_LOSS_PERC_REQUEST, percent.into());
    }

    fn set(&self, request: i32, value: i32) {
        // SAFETY: every request used here takes one `opus_int32`.
        let refused = unsafe { sys::opus_encoder_ctl(self.state.as_ptr(), request, value) };
        debug_assert_eq!(refused, sys::OPUS_OK, "request {request}");
    }
}

/// Expands the packets of one source.
pub(super) struct Decoder {
    state: NonNull<sys::OpusDecoder>,
}

// SAFETY: as for `Encoder`.
unsafe impl Send for Decoder {}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: made by `opus_decoder_create`, destroyed once.
        unsafe { sys::opus_decoder_destroy(self.state.as_ptr()) }
    }
}

impl Decoder {
    pub(super) fn new() -> Self {
        let mut error = 0;
        // SAFETY: constant valid arguments; `error` outlives the call.
        let state = unsafe { sys::opus_decoder_create(RATE, DECODED, &raw mut error) };
        let state =
            NonNull::new(state).expect("libopus only refuses these constants when memory is exhausted");
        Self { state }
    }

    /// Forgets what came before: the next packet starts from silence.
    pub(super) fn reset(&mut self) {
        // SAFETY: this request takes no argument.
        unsafe { sys::opus_decoder_ctl(self.state.as_ptr(), sys::OPUS_RESET_STATE) };
    }

    /// Appends the samples of a packet; returns how many, none when the packet is damaged.
    pub(super) fn decode(&mut self, payload: &[u8], pcm: &mut Vec<f32>) -> usize {
        self.run(payload, LONGEST, false, pcm)
    }

    /// Appends `missing` samples for the packet before `next`, from the redundancy `next` may carry (RFC 6716 §2.1.7).
    pub(super) fn recover(&mut self, next: &[u8], missing: usize, pcm: &mut Vec<f32>) -> usize {
        self.run(next, missing, true, pcm)
    }

    /// Appends `missing` samples that continue what was heard.
    pub(super) fn conceal(&mut self, missing: usize, pcm: &mut Vec<f32>) -> usize {
        self.run(&[], missing, false, pcm)
    }

    fn run(&mut self, payload: &[u8], room: usize, fec: bool, pcm: &mut Vec<f32>) -> usize {
        let room = room.min(LONGEST);
        let heard = pcm.len();
        pcm.resize(heard + room, 0.0);
        let data = if payload.is_empty() { std::ptr::null() } else { payload.as_ptr() };
        let (Some(tail), Ok(length), Ok(samples)) =
            (pcm.get_mut(heard..), i32::try_from(payload.len()), i32::try_from(room))
        else {
            return 0;
        };
        // SAFETY: `tail` has room for the announced samples of one channel; `data` is null or `length` bytes long.
        let decoded = unsafe {
            sys::opus_decode_float(
                self.state.as_ptr(),
                data,
                length,
                tail.as_mut_ptr(),
                samples,
                i32::from(fec),
            )
        };
        let decoded = usize::try_from(decoded).unwrap_or(0);
        pcm.truncate(heard + decoded);
        decoded
    }
}

impl Channels {
    fn as_c_int(self) -> i32 {
        match self {
            Self::Mono => 1,
            Self::Stereo => 2,
        }
    }
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "numbers of the tests' own making")]
mod tests {
    use super::super::mix::Panner;
    use super::*;

    fn tone(index: usize) -> Frame {
        std::array::from_fn(|n| {
            let at = (index * FRAME + n) as f32 / RATE as f32;
            0.3 * (at * 440.0 * std::f32::consts::TAU).sin()
        })
    }

    #[test]
    fn a_forked_encoder_writes_the_same_bytes() {
        for channels in [Channels::Mono, Channels::Stereo] {
            let mix = |index: usize| {
                let mut mix = Mix::silent(channels);
                mix.add(&tone(index), &Panner::default());
                mix
            };
            let mut first = Encoder::new(channels);
            for index in 0..20 {
                first.encode(&mix(index), false);
            }
            let mut second = first.fork();
            for index in 20..40 {
                let (first, second) = (first.encode(&mix(index), false), second.encode(&mix(index), false));
                assert!(!first.is_empty());
                assert_eq!(first, second, "frame {index}");
            }
        }
    }

    /// A held vowel whose pitch jumps with every frame: what concealment cannot guess.
    fn vowel(index: usize) -> Frame {
        let hz = 110.0 + 25.0 * (index * 7 % 5) as f32;
        std::array::from_fn(|n| {
            let at = (index * FRAME + n) as f32 / RATE as f32 * hz * std::f32::consts::TAU;
            (1..10_u16).map(|k| 0.1 * (at * f32::from(k)).cos() / f32::from(k)).sum()
        })
    }

    #[test]
    fn a_lost_frame_comes_back_from_the_next_packet() {
        let mut encoder = Encoder::new(Channels::Mono);
        let mix = |index| {
            let mut mix = Mix::silent(Channels::Mono);
            mix.add(&vowel(index), &Panner::default());
            mix
        };
        let packets: Vec<_> = (0..30).map(|index| encoder.encode(&mix(index), false)).collect();
        assert!(has_redundancy(&packets[21]));
        let mut decoders = [Decoder::new(), Decoder::new(), Decoder::new()];
        let [mut whole, mut repaired, mut concealed] = [Vec::new(), Vec::new(), Vec::new()];
        for (index, packet) in packets.iter().enumerate().take(21) {
            let [first, second, third] = &mut decoders;
            first.decode(packet, &mut whole);
            if index < 20 {
                second.decode(packet, &mut repaired);
                third.decode(packet, &mut concealed);
            } else {
                assert_eq!(second.recover(&packets[21], FRAME, &mut repaired), FRAME);
                assert_eq!(third.conceal(FRAME, &mut concealed), FRAME);
            }
        }
        let error =
            |other: &[f32]| (20 * FRAME..21 * FRAME).map(|n| (whole[n] - other[n]).powi(2)).sum::<f32>();
        assert!(error(&repaired) < 0.3 * error(&concealed), "{} {}", error(&repaired), error(&concealed));
    }

    #[test]
    fn damaged_payloads_are_refused_or_decoded_within_bounds() {
        let mut decoder = Decoder::new();
        let mut seed = 1_u32;
        for length in 0..=64 {
            for _ in 0..200 {
                let payload: Vec<u8> = (0..length)
                    .map(|_| {
                        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        (seed >> 24) as u8
                    })
                    .collect();
                let mut pcm = Vec::new();
                let decoded = decoder.decode(&payload, &mut pcm);
                assert!(decoded <= LONGEST && pcm.len() == decoded);
                assert!(pcm.iter().all(|sample| sample.is_finite()));
                assert!(samples_of(&payload).is_none_or(|samples| samples <= LONGEST));
                has_redundancy(&payload);
            }
        }
    }
}
