//! Members who say that they are silent are not decoded.
//!
//! in:  packets with the levels their senders announce (RFC 6464), how quiet nobody is heard
//! out: the place in time that would be heard, and, as soon as a packet is louder, a decoder that has followed
//!
//! ```text
//!   quiet  quiet  quiet  quiet  LOUD
//!     │ forgotten │  └── kept ──┘ └─ decoded, after the kept ones have warmed the decoder up
//! ```
//!
//! A level is a claim. Whoever is heard is decoded anyway, and what is decoded is compared: a sender sleeps only after a
//! second of true levels, is woken every three seconds, and no more sleeps when it was louder than it said.

use std::collections::VecDeque;

use bytes::Bytes;

use super::AudioCounters;
use super::opus::{Decoder, FRAME};

/// Packets that warm the decoder up (60 ms); Opus forgets what came before in less (RFC 6716 §4.5.2 takes one).
const KEPT: usize = 3;

/// True levels in a row (a second of them) that are believed.
const BELIEVED: u32 = 50;

/// Of these, the ones asked for again when a sleeper is woken to be looked at.
const AGAIN: u32 = 3;

/// Ticks (3 s) after which it is.
const LOOKED_AT: u32 = 150;

/// Louder than announced by this (12 dB) is a lie.
const LIE: f32 = 4.0;

/// No sound below this (−60 dBFS) is worth a lie.
const WORTH: f32 = 0.001;

/// Lies, without five seconds of truth between them, after which nothing is believed any more.
const LIAR: u32 = 3;

/// Five seconds of truth.
const HONEST: u32 = 250;

/// Root mean square of a level by RFC 6464 §3: −dBov.
pub(super) fn amplitude(minus_dbov: u8) -> f32 {
    10_f32.powf(-f32::from(minus_dbov) / 20.0)
}

/// How far the levels of one sender are believed.
#[derive(Debug, Default)]
pub(super) struct Trust {
    /// True levels in a row.
    truths: u32,
    lies: u32,
    /// What the packet before announced; a decoder lags behind it by some milliseconds.
    before: f32,
}

impl Trust {
    /// Compares what was decoded with what was announced.
    pub(super) fn learn(&mut self, announced: Option<u8>, decoded: &[f32]) {
        let Some(announced) = announced.map(amplitude) else {
            self.truths = 0;
            return;
        };
        let power: f32 = decoded.iter().map(|sample| sample * sample).sum();
        let level = (power / decoded.len().max(1) as f32).sqrt();
        let most = announced.max(self.before) * LIE;
        self.before = announced;
        if level > most.max(WORTH) {
            (self.truths, self.lies) = (0, self.lies.saturating_add(1));
        } else {
            self.truths = self.truths.saturating_add(1);
            if self.truths >= HONEST && self.lies < LIAR {
                self.lies = 0;
            }
        }
    }

    /// Its levels stand for its sound.
    pub(super) fn is_earned(&self) -> bool {
        self.truths >= BELIEVED && self.lies < LIAR
    }

    /// It must be earned once more.
    fn look_again(&mut self) {
        self.truths = self.truths.min(BELIEVED - AGAIN);
    }
}

/// A packet not decoded.
pub(super) struct Undecoded {
    pub(super) seq: u64,
    pub(super) samples: usize,
    pub(super) level: Option<u8>,
    pub(super) payload: Bytes,
}

impl Undecoded {
    /// By its own account no louder than this. Below an infinite limit nothing is heard at all.
    pub(super) fn is_quiet(&self, limit: f32) -> bool {
        self.level.map_or(limit.is_infinite(), |level| amplitude(level) <= limit)
    }
}

/// A source that sleeps.
pub(super) struct Doze {
    decoder: Decoder,
    /// Timestamp that is heard, or would be.
    pub(super) heard: i64,
    /// Timestamp of what comes after the last packet taken.
    pub(super) end: i64,
    pub(super) seq: u64,
    kept: VecDeque<Undecoded>,
    /// The decoder has not followed all that was taken.
    lagging: bool,
    ticks: u32,
    /// Samples since a packet was taken.
    starved: usize,
}

/// Who woke up.
pub(super) struct Awake {
    pub(super) decoder: Decoder,
    /// Decoded and not heard yet.
    pub(super) pcm: Vec<f32>,
    pub(super) end: i64,
    pub(super) seq: u64,
}

impl Doze {
    pub(super) fn new(decoder: Decoder, heard: i64, end: i64, seq: u64) -> Self {
        let kept = VecDeque::with_capacity(KEPT);
        Self { decoder, heard, end, seq, kept, lagging: false, ticks: 0, starved: 0 }
    }

    /// One tick more; false when it has slept long enough for its levels to be looked at again.
    pub(super) fn sleeps_on(&mut self, trust: &mut Trust) -> bool {
        self.ticks += 1;
        if self.ticks > LOOKED_AT {
            trust.look_again();
            return false;
        }
        true
    }

    /// Takes a packet that nobody needs to hear.
    pub(super) fn take(&mut self, timestamp: i64, packet: Undecoded) {
        self.seq = packet.seq;
        self.end = timestamp + i64::try_from(packet.samples).unwrap_or(0);
        self.starved = 0;
        if self.kept.len() == KEPT {
            self.kept.pop_front();
            self.lagging = true;
        }
        self.kept.push_back(packet);
    }

    /// Samples for which nothing has come, one frame more.
    pub(super) fn starve(&mut self) -> usize {
        self.starved += FRAME;
        self.starved
    }

    /// Goes on as if it had been awake, with what is heard from the timestamp `at` on.
    pub(super) fn wake(mut self, at: i64, counters: &mut AudioCounters) -> Awake {
        if self.lagging {
            self.decoder.reset();
        }
        let mut pcm = Vec::new();
        for packet in &self.kept {
            counters.decodes += 1;
            self.decoder.decode(&packet.payload, &mut pcm);
        }
        // What has been taken and not been heard goes on from here.
        let ahead = usize::try_from(self.end - at).unwrap_or(0).min(pcm.len());
        pcm.drain(..pcm.len() - ahead);
        Awake { decoder: self.decoder, pcm, end: self.end, seq: self.seq }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trust_is_earned_and_lost() {
        let (quiet, loud) = ([0.0001; FRAME], [0.1; FRAME]);
        let mut trust = Trust::default();
        (0..49).for_each(|_| trust.learn(Some(80), &quiet));
        assert!(!trust.is_earned());
        trust.learn(Some(80), &quiet);
        assert!(trust.is_earned());
        trust.learn(Some(20), &loud);
        trust.learn(Some(80), &loud);
        assert!(trust.is_earned(), "the decoder lags behind");
        trust.learn(Some(80), &loud);
        assert!(!trust.is_earned());
        (0..2).for_each(|_| trust.learn(Some(127), &loud));
        (0..1000).for_each(|_| trust.learn(Some(80), &quiet));
        assert!(!trust.is_earned(), "three lies are enough");
        let mut silent = Trust::default();
        (0..100).for_each(|_| silent.learn(None, &quiet));
        assert!(!silent.is_earned(), "who announces nothing");
    }
}
