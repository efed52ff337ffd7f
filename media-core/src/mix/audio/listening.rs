//! Who hears which encode.
//!
//! in:  legs, what each is to hear, the mixes
//! out: one payload per mix, with the legs that get it
//!
//! Who hears in stereo and who does not never share.
//!
//! ```text
//!   all who hear the same ────► one rendition ──────────────────► one encode
//!   somebody's volume changes ─► fork, 120 ms on its own ─► the rendition of all who hear that
//! ```
//!
//! A listener who leaves a rendition that stays as it is forks it: the new encoder goes on from the very state the
//! listener's decoder follows. One who comes to a rendition others follow finds an encoder that has been fed the same
//! for 100 ms, and one frame without prediction.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::AudioCounters;
use super::fader::Volume;
use super::loss::Loss;
use super::member::SAME_INPUT;
use super::mix::{Channels, Mix};
use super::rendition::Rendition;
use crate::units::{LegKey, MemberKey};

/// The listeners of one room.
#[derive(Default)]
pub(super) struct Listening {
    listeners: BTreeMap<LegKey, Listener>,
    renditions: BTreeMap<Hears, Rendition>,
    /// Somebody's loss has changed.
    losses_stale: bool,
}

struct Listener {
    /// Whose sound is left out.
    member: Option<MemberKey>,
    channels: Channels,
    hears: Option<Hears>,
    loss: Loss,
}

/// What a listener is to hear.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// All but this member's sound, when it makes a difference.
    pub(super) without: Option<MemberKey>,
    /// How loud.
    pub(super) volume: Volume,
}

/// A rendition, by what is heard in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Hears {
    /// Nothing. Whoever is deaf, or at the lowest volume, hears the same.
    Silence {
        channels: Channels,
    },
    Mix {
        channels: Channels,
        without: Option<MemberKey>,
        volume: Volume,
    },
    /// Of those whose volume changes in one tick in the same way.
    Change {
        channels: Channels,
        without: Option<MemberKey>,
        from: Volume,
        to: Volume,
        since: u64,
    },
}

/// A listener who changes rendition.
#[derive(Clone, Copy, Debug)]
struct Move {
    to: Hears,
    from: Option<Hears>,
}

/// A rendition made for listeners who have followed `origin` until now.
struct Made {
    origin: Option<Hears>,
    rendition: Rendition,
}

impl Wanted {
    /// What it comes to at `tick` for a listener who has heard `hears` until now.
    fn after(self, hears: Option<Hears>, channels: Channels, tick: u64) -> Hears {
        let Self { without, volume } = self;
        match hears {
            Some(hears) if hears.volume() != volume => {
                Hears::Change { channels, without, from: hears.volume(), to: volume, since: tick }
            }
            Some(Hears::Change { from, to, since, .. }) if tick - since < u64::from(SAME_INPUT) => {
                Hears::Change { channels, without, from, to, since }
            }
            Some(_) | None if volume.is_silent() => Hears::Silence { channels },
            Some(_) | None => Hears::Mix { channels, without, volume },
        }
    }
}

impl Hears {
    fn volume(self) -> Volume {
        match self {
            Self::Silence { .. } => Volume::SILENT,
            Self::Mix { volume, .. } => volume,
            Self::Change { to, .. } => to,
        }
    }

    /// It is for the listeners of one member alone, or of few for a moment.
    fn is_private(self) -> bool {
        match self {
            Self::Silence { .. } | Self::Mix { without: None, .. } => false,
            Self::Mix { without: Some(_), .. } | Self::Change { .. } => true,
        }
    }

    fn channels(self) -> Channels {
        match self {
            Self::Silence { channels } | Self::Mix { channels, .. } | Self::Change { channels, .. } => {
                channels
            }
        }
    }

    /// For somebody who has followed `origin`, if anything.
    fn rendition(self, origin: Option<&Rendition>) -> Rendition {
        let new = || Rendition::new(self.channels(), self.volume());
        let mut rendition = origin.map_or_else(new, Rendition::fork);
        rendition.set_volume(self.volume());
        rendition
    }
}

impl Listening {
    pub(super) fn is_empty(&self) -> bool {
        self.listeners.is_empty()
    }

    /// A leg that is there already goes on from what it heard.
    pub(super) fn add(&mut self, leg: LegKey, member: Option<MemberKey>, channels: Channels) {
        // One that decodes otherwise from now on has followed nothing of what comes.
        let known = self.listeners.get(&leg).filter(|listener| listener.channels == channels);
        let hears = known.and_then(|listener| listener.hears);
        let loss = known.map_or_else(Loss::unknown, |listener| listener.loss);
        self.listeners.insert(leg, Listener { member, channels, hears, loss });
    }

    pub(super) fn remove(&mut self, leg: LegKey) {
        if self.listeners.remove(&leg).is_some() {
            self.seat();
        }
    }

    /// A listener has reported what it loses.
    pub(super) fn report_loss(&mut self, leg: LegKey, percent: u8, tick: u64) {
        if let Some(listener) = self.listeners.get_mut(&leg) {
            let before = listener.loss.expected();
            listener.loss.report(percent, tick);
            self.losses_stale |= listener.loss.expected() != before;
        }
    }

    /// Brings every listener to the rendition it must hear from this tick on.
    pub(super) fn follow(&mut self, tick: u64, wanted: impl Fn(Option<MemberKey>) -> Wanted) {
        let mut moves = Vec::new();
        for listener in self.listeners.values_mut() {
            let to = wanted(listener.member).after(listener.hears, listener.channels, tick);
            if listener.hears != Some(to) {
                moves.push(Move { to, from: listener.hears.replace(to) });
            }
        }
        if !moves.is_empty() {
            self.make(&moves);
            self.seat();
        }
        if std::mem::take(&mut self.losses_stale) {
            self.protect();
        }
    }

    /// Redundancy of each rendition for the worst of its listeners.
    fn protect(&mut self) {
        for rendition in self.renditions.values_mut() {
            let losses = rendition.legs().iter().filter_map(|leg| self.listeners.get(leg));
            if let Some(worst) = losses.map(|listener| listener.loss.expected()).max() {
                rendition.expect_loss(worst);
            }
        }
    }

    /// Makes the renditions that are moved to and nobody follows yet. All forks are taken before one of them takes the
    /// place of a rendition that has been left.
    fn make(&mut self, moves: &[Move]) {
        let mut made: BTreeMap<Hears, Made> = BTreeMap::new();
        for &Move { to, from } in moves {
            match made.get_mut(&to) {
                // Its decoder has followed the very encoder that was forked.
                Some(made) if made.origin == from => {}
                Some(made) => made.rendition.join(),
                None if self.is_followed(to) => {
                    self.renditions.get_mut(&to).into_iter().for_each(Rendition::join);
                }
                None => {
                    let origin = from.and_then(|from| self.renditions.get(&from));
                    made.insert(to, Made { origin: from, rendition: to.rendition(origin) });
                }
            }
        }
        self.renditions.extend(made.into_iter().map(|(hears, made)| (hears, made.rendition)));
    }

    /// Whether somebody hears this rendition and stays.
    fn is_followed(&self, which: Hears) -> bool {
        let stays =
            |leg: &LegKey| self.listeners.get(leg).is_some_and(|listener| listener.hears == Some(which));
        self.renditions.get(&which).is_some_and(|rendition| rendition.legs().iter().any(stays))
    }

    /// Tells each rendition who hears it, and drops those nobody hears.
    fn seat(&mut self) {
        self.losses_stale = true;
        let listeners = &self.listeners;
        self.renditions.retain(|which, rendition| {
            let hears =
                |(leg, listener): (&LegKey, &Listener)| (listener.hears == Some(*which)).then_some(*leg);
            let legs: Vec<LegKey> = listeners.iter().filter_map(hears).collect();
            rendition.set_legs(&legs);
            !legs.is_empty()
        });
    }

    /// Somebody hears in stereo.
    pub(super) fn has_stereo(&self) -> bool {
        self.renditions.keys().any(|hears| hears.channels() == Channels::Stereo)
    }

    /// Encodes each mix that is heard; `mix` makes the one without somebody.
    pub(super) fn encode(
        &mut self,
        counters: &mut AudioCounters,
        mut mix: impl FnMut(Channels, Option<MemberKey>) -> Mix,
        mut packet: impl FnMut(Arc<[LegKey]>, Bytes),
    ) {
        for (which, rendition) in &mut self.renditions {
            let frame = match *which {
                Hears::Silence { channels } => Mix::silent(channels),
                Hears::Mix { channels, without, .. } | Hears::Change { channels, without, .. } => {
                    mix(channels, without)
                }
            };
            let before = counters.encodes;
            packet(rendition.legs().clone(), rendition.encode(frame, counters));
            if which.is_private() {
                counters.private_encodes += counters.encodes - before;
            }
        }
    }
}
