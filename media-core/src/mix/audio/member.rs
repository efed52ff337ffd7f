//! A member's voice on its way into the mix.
//!
//! in:  its packets, muted or not
//! out: at each tick a frame, and whether anybody can hear it
//!
//! A gate opens within 5 ms when there is something to hear and closes over a whole frame, so nothing clicks when a
//! member is muted, leaves or falls silent; while it is closed the frame is exactly zero, so that all silent members
//! hear the same mix.

use super::activity::{Activity, Hearing};
use super::fader::{Fader, Volume};
use super::gain::AutomaticGain;
use super::noise::{self, Suppressor};
use super::opus::{FRAME, Frame};
use super::playout::{Arrival, Playout, Rendered};
use super::sensitivity::Sensitivity;
use super::{AudioCounters, AudioLevels, SoundKind};

/// Samples in which the gate opens: 5 ms, shorter than the onset of any consonant.
const OPENING: usize = 240;

/// Frames for which a member keeps its own encode after it has become inaudible: one in which its voice fades, then
/// 100 ms in which both encoders are fed the same, so that changing from one to the other is not heard.
pub(super) const SAME_INPUT: u32 = 6;

/// What is done with microphones before they are heard.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cleaning {
    pub(super) automatic_gain: bool,
    pub(super) noise_suppression: bool,
}

/// One member of a room.
pub(super) struct Member {
    sound: SoundKind,
    suppressor: Option<Suppressor>,
    gain: Option<AutomaticGain>,
    playout: Playout,
    fader: Fader,
    activity: Activity,
    microphone: Microphone,
    gate: Gate,
    frame: Box<Frame>,
    heard: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Microphone {
    Open,
    /// The gate still has to close.
    Muting,
    Muted,
    /// As muting, and then gone.
    Leaving,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    Open,
    Closed,
}

impl Member {
    pub(super) fn new(sound: SoundKind, muted: bool) -> Self {
        Self {
            sound,
            suppressor: None,
            gain: None,
            playout: Playout::default(),
            fader: Fader::at(Volume::default()),
            activity: Activity::new(sound),
            microphone: if muted { Microphone::Muted } else { Microphone::Open },
            gate: Gate::Closed,
            frame: Box::new([0.0; FRAME]),
            heard: None,
        }
    }

    pub(super) fn accept(&mut self, packet: Arrival, counters: &mut AudioCounters) {
        match self.microphone {
            Microphone::Open => self.playout.accept(packet, counters),
            Microphone::Muting | Microphone::Muted | Microphone::Leaving => counters.muted += 1,
        }
    }

    pub(super) fn set_muted(&mut self, muted: bool) {
        self.microphone = match (self.microphone, muted) {
            (Microphone::Leaving, _) => Microphone::Leaving,
            (Microphone::Open | Microphone::Muting, true) => Microphone::Muting,
            (Microphone::Muted, true) => Microphone::Muted,
            (_, false) => Microphone::Open,
        };
    }

    /// How loud it is heard. Who is made louder counts as so loud, with all noise; who is made quieter still speaks.
    pub(super) fn set_volume(&mut self, volume: Volume) {
        let before = self.fader.boost();
        self.fader.set(volume);
        self.activity.louder(self.fader.boost() / before);
    }

    pub(super) fn set_sensitivity(&mut self, sensitivity: Sensitivity) {
        self.activity.set_sensitivity(sensitivity);
    }

    /// Music and films are left as they are: neither has the level or the sound of a voice.
    pub(super) fn set_cleaning(&mut self, cleaning: Cleaning) {
        let Cleaning { automatic_gain, noise_suppression } = match self.sound {
            SoundKind::Voice => cleaning,
            SoundKind::Program => Cleaning::default(),
        };
        self.gain = automatic_gain.then(|| self.gain.take().unwrap_or_default());
        self.suppressor = noise_suppression.then(|| self.suppressor.take().unwrap_or_default());
    }

    /// What has this timestamp is to be heard no sooner than then.
    pub(super) fn hold_back(&mut self, timestamp: i64, until: i64, now: i64) {
        self.playout.hold_back(timestamp, until, now);
    }

    /// The member can be forgotten once [`Self::has_left`].
    pub(super) fn leave(&mut self) {
        self.microphone = Microphone::Leaving;
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.microphone == Microphone::Leaving
    }

    /// Its voice has been faded out, and its listeners can share the mix of all.
    pub(super) fn has_left(&self) -> bool {
        self.microphone == Microphone::Leaving && !self.needs_own_mix()
    }

    /// Adds how it is with this member.
    pub(super) fn look(&self, now: i64, levels: &mut AudioLevels) {
        self.playout.look(now, levels);
        levels.mixed += u64::from(self.is_heard());
        levels.left_out += u64::from(self.activity.is_left_out());
    }

    /// Makes the next frame, heard at `now`.
    pub(super) fn render(&mut self, now: i64, counters: &mut AudioCounters) {
        if self.microphone == Microphone::Muted {
            // A frame nobody heard is zero already: an audience of thousands must not cost its memory in every tick.
            if self.is_heard() {
                self.frame.fill(0.0);
            }
            self.activity.silence();
            self.fader.rest();
            self.heard = None;
            return;
        }
        match self.playout.render(now, self.unheard(), &mut self.frame, counters) {
            Rendered::Nothing | Rendered::MadeUp => self.heard = None,
            Rendered::Frame(heard) => self.heard = Some(heard),
            // The gate is closed, and the frame is zero since long.
            Rendered::Asleep(heard, level) => {
                self.heard = Some(heard);
                return self.sleep(level);
            }
        }
        match self.microphone {
            Microphone::Open if self.fader.volume().is_silent() => self.activity.silence(),
            Microphone::Open => self.activity.hear(&self.frame, self.fader.boost()),
            Microphone::Muting | Microphone::Muted | Microphone::Leaving => self.activity.silence(),
        }
        if self.is_heard() {
            self.clean(counters);
        }
        self.fader.apply(std::slice::from_mut(&mut *self.frame));
        self.turn_gate();
        if self.microphone == Microphone::Muting {
            self.microphone = Microphone::Muted;
            self.playout.clear();
        }
    }

    /// Whoever is not heard costs nothing. Who talks was judged before: by what came, whatever becomes of it.
    fn clean(&mut self, counters: &mut AudioCounters) {
        if let Some(suppressor) = &mut self.suppressor {
            suppressor.apply(&mut self.frame);
            self.heard = self.heard.map(|heard| heard - noise::LATE as i64);
            counters.denoised += 1;
        }
        let talks = self.activity.is_talking();
        if let Some(gain) = &mut self.gain {
            gain.apply(&mut self.frame, talks);
        }
    }

    /// Below this level the source need not be decoded: whatever it says, nobody hears it.
    fn unheard(&self) -> Option<f32> {
        match (self.microphone, self.gate) {
            (Microphone::Open, Gate::Closed) if self.fader.volume().is_silent() => Some(f32::INFINITY),
            (Microphone::Open, Gate::Closed) => {
                self.activity.unheard().map(|level| level / self.fader.boost())
            }
            (Microphone::Open, Gate::Open)
            | (Microphone::Muting | Microphone::Muted | Microphone::Leaving, _) => None,
        }
    }

    fn sleep(&mut self, level: f32) {
        self.fader.rest();
        match self.fader.volume().is_silent() {
            true => self.activity.silence(),
            false => self.activity.rest(level * self.fader.boost()),
        }
    }

    fn turn_gate(&mut self) {
        match (self.gate, self.activity.hearing()) {
            (Gate::Open, Hearing::Audible { .. }) => {}
            (Gate::Closed, Hearing::Inaudible { .. }) => self.frame.fill(0.0),
            (Gate::Closed, Hearing::Audible { .. }) => {
                ramp(self.frame.iter_mut().take(OPENING), 0.0, 1.0 / OPENING as f32);
                self.gate = Gate::Open;
            }
            (Gate::Open, Hearing::Inaudible { .. }) => {
                ramp(self.frame.iter_mut(), 1.0, -1.0 / FRAME as f32);
                self.gate = Gate::Closed;
            }
        }
    }

    /// The frame, exactly zero when the member is not in the mix.
    pub(super) fn frame(&self) -> &Frame {
        &self.frame
    }

    /// Whether the frame is anything but zero.
    pub(super) fn is_heard(&self) -> bool {
        matches!(self.activity.hearing(), Hearing::Audible { .. } | Hearing::Inaudible { frames: 0 })
    }

    /// How loud its voice is, if it could be heard.
    pub(super) fn voice(&self) -> Option<f32> {
        self.activity.voice()
    }

    /// How loud it claims the floor, if it may.
    pub(super) fn claim(&self) -> Option<f32> {
        self.activity.claim().filter(|_| !self.is_leaving())
    }

    /// Whether it is in the mix from the next frame on.
    pub(super) fn leave_out(&mut self, left_out: bool) {
        self.activity.leave_out(left_out);
    }

    /// The source's timestamp at the beginning of the frame.
    pub(super) fn heard(&self) -> Option<i64> {
        self.heard
    }

    pub(super) fn is_talking(&self) -> bool {
        self.activity.is_talking()
    }

    /// Whether the mix for this member differs from the mix for all, now or until a moment ago.
    pub(super) fn needs_own_mix(&self) -> bool {
        match self.activity.hearing() {
            Hearing::Audible { .. } => true,
            Hearing::Inaudible { frames } => frames < SAME_INPUT,
        }
    }
}

fn ramp<'a>(samples: impl Iterator<Item = &'a mut f32>, from: f32, step: f32) {
    let mut gain = from;
    for sample in samples {
        *sample *= gain;
        gain += step;
    }
}
