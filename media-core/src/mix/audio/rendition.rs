//! One mix, encoded once for all who hear it.
//!
//! in:  the frames of the mix, how loud, who listens
//! out: payloads
//!
//! Silence costs nothing: when a mix has been silent long enough for the encoder to have come to rest, its last
//! payload is sent again instead of encoding. There is always a payload, never DTX: SDKs take two seconds without
//! packets for a dead connection.

use std::sync::Arc;

use bytes::Bytes;

use super::AudioCounters;
use super::fader::{Fader, Volume};
use super::limiter::Limiter;
use super::mix::{Channels, Mix};
use super::opus::{EXPECTED_LOSS_PERCENT, Encoder};
use crate::units::LegKey;

/// Silent frames after which the encoder has nothing left to say: its look-ahead and filters are empty.
const AT_REST: u32 = 10;

/// The encode of one mix.
pub(super) struct Rendition {
    encoder: Encoder,
    limiter: Limiter,
    fader: Fader,
    legs: Arc<[LegKey]>,
    /// What its redundancy is made for.
    loss: u8,
    silent_frames: u32,
    /// Of the last frame.
    payload: Bytes,
    /// The next frame must not lean on earlier ones: decoders come over from another encoder.
    independent: bool,
}

impl Rendition {
    /// For listeners who have heard nothing yet.
    pub(super) fn new(channels: Channels, volume: Volume) -> Self {
        Self {
            encoder: Encoder::new(channels),
            limiter: Limiter::default(),
            fader: Fader::at(volume),
            legs: Arc::default(),
            loss: EXPECTED_LOSS_PERCENT,
            silent_frames: 0,
            payload: Bytes::new(),
            independent: false,
        }
    }

    /// For listeners who leave this one: they can go on with the other without hearing a seam.
    pub(super) fn fork(&self) -> Self {
        Self {
            encoder: self.encoder.fork(),
            limiter: self.limiter.clone(),
            fader: self.fader.clone(),
            legs: Arc::default(),
            loss: self.loss,
            silent_frames: self.silent_frames,
            payload: self.payload.clone(),
            independent: self.independent,
        }
    }

    pub(super) fn legs(&self) -> &Arc<[LegKey]> {
        &self.legs
    }

    /// Who listens from the next frame on.
    pub(super) fn set_legs(&mut self, legs: &[LegKey]) {
        if *self.legs != *legs {
            self.legs = legs.into();
        }
    }

    /// The worst loss among them.
    pub(super) fn expect_loss(&mut self, percent: u8) {
        if self.loss != percent {
            self.loss = percent;
            self.encoder.expect_loss(percent);
        }
    }

    /// How loud it is from the next frame on.
    pub(super) fn set_volume(&mut self, volume: Volume) {
        self.fader.set(volume);
    }

    /// Somebody comes over whose decoder has followed another encoder, or none.
    pub(super) fn join(&mut self) {
        self.independent = true;
    }

    /// The payload of the next frame of the mix.
    pub(super) fn encode(&mut self, mut mix: Mix, counters: &mut AudioCounters) -> Bytes {
        let silent = mix.is_silent();
        // The last 2.5 ms of what was heard are still in the limiter when the first silent frame comes.
        if silent && self.silent_frames > 0 {
            self.fader.rest();
            self.limiter.rest();
        }
        if silent && self.silent_frames >= AT_REST && !self.independent {
            return self.payload.clone();
        }
        if self.silent_frames >= AT_REST {
            // Decoders have heard the last payload more often than the encoder has written it.
            self.independent = true;
        }
        self.silent_frames = if silent { self.silent_frames.saturating_add(1) } else { 0 };
        // What fits into full scale for all is then made as loud as it is wanted here, so that the first gain is the
        // same wherever the same is heard.
        self.limiter.apply(mix.frames_mut());
        self.fader.apply(mix.frames_mut());
        counters.encodes += 1;
        self.payload = self.encoder.encode(&mix, std::mem::take(&mut self.independent)).into();
        self.payload.clone()
    }
}
