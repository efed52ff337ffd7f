//! Takes out of a microphone what is no voice.
//!
//! in:  frames of one microphone
//! out: the same without noise, 10 ms later
//!
//! RNNoise (Valin, 2018) as the crate `nnnoiseless` has it: a small recurrent network that says how much of each band of
//! hearing is speech. It costs some hundredths of a core, so it runs only while the microphone is heard.

use nnnoiseless::DenoiseState;

use super::opus::Frame;

/// Samples that the network takes at a time, and by which it is late.
pub(super) const LATE: usize = DenoiseState::FRAME_SIZE;

/// It counts as 16 bits do.
const SCALE: f32 = 32_768.0;

/// The suppressor of one microphone.
pub(super) struct Suppressor(Box<DenoiseState<'static>>);

impl Default for Suppressor {
    fn default() -> Self {
        Self(DenoiseState::new())
    }
}

impl Suppressor {
    pub(super) fn apply(&mut self, frame: &mut Frame) {
        let (pieces, _) = frame.as_chunks_mut::<LATE>();
        for piece in pieces {
            let loud = piece.map(|sample| sample * SCALE);
            self.0.process_frame(piece, &loud);
            for sample in piece {
                let quiet = *sample / SCALE;
                *sample = if quiet.is_finite() { quiet.clamp(-1.0, 1.0) } else { 0.0 };
            }
        }
    }
}
