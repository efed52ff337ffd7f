//! The canvas of a room and its renditions.
//!
//! in:  the clock's tick with a scene, finished compositions and encodes, viewers that come, go, move and miss packets
//! out: compose and encode jobs, packets of each rendition, and for each viewer which of them it gets
//!
//! A rendition, a codec in a size, exists while somebody watches or records it and a little longer, and is encoded once
//! for all of them. A tick that finds the compositor or an encoder still busy leaves that frame out: a late encoder drops
//! canvas frames, never packets. What stands still is encoded until its viewers have it well, then seldom; a recorder gets
//! every frame. On a machine that is too small frames are left out in the order of [`Shed`].
//!
//! Here is the clock; `rendition` is one encoding, `viewing` who watches which, `recorder` what a recorder asks of one.

mod change;
mod recorder;
mod rendition;
mod viewing;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use layouts::Size;

use self::change::Change;
use self::recorder::Recorder;
use self::rendition::{Place, Rendition};
pub(crate) use self::viewing::FirstPicture;
use self::viewing::viewers;
use super::counters::Counters;
use super::job::{EncoderSlot, Job};
use super::preview::Previews;
use super::recorded::Recorded;
use super::shedding::Shed;
use super::watching::{RenditionKey, SizeClass, Viewer};
use crate::codec::{Encoded, Picture};
use crate::forward::{EncodedPicture, MediaPacket};
use crate::mix::video::{Compositor, Fonts, Scene};
use crate::units::{ClockRate, LegKey, MediaTime, RoomKey};

/// The composed picture of a room.
pub(crate) struct Canvas {
    room: RoomKey,
    size: Size,
    fps: u32,
    started: Instant,
    /// Number of the next frame.
    frame: u64,
    compositor: Place<Box<Compositor>>,
    renditions: BTreeMap<RenditionKey, Rendition>,
    viewers: BTreeMap<LegKey, Viewer>,
    recorder: Option<Recorder>,
    previews: Previews,
    change: Change,
    /// How many renditions there have been.
    numbered: u64,
    settle_at: Instant,
    /// What the machine is too small for.
    shed: Shed,
}

/// Packets of a rendition, fresh from its encoder.
pub(crate) struct Fresh {
    pub(crate) rendition: RenditionKey,
    pub(crate) packets: Vec<MediaPacket>,
    /// The same for a recorder, if there is one that reads this rendition.
    pub(crate) recorded: Option<Recorded>,
}

impl Canvas {
    pub(crate) fn new(now: Instant, room: RoomKey, size: Size, fps: u32, fonts: Fonts) -> Self {
        Self {
            room,
            size,
            fps: fps.clamp(1, 60),
            started: now,
            frame: 0,
            compositor: Place::Home(Box::new(Compositor::with_fonts(size, fonts))),
            renditions: BTreeMap::new(),
            viewers: BTreeMap::new(),
            recorder: None,
            previews: Previews::default(),
            change: Change::default(),
            numbered: 0,
            settle_at: now,
            shed: Shed::Nothing,
        }
    }

    /// What is to be left out from now on.
    pub(crate) fn set_shed(&mut self, shed: Shed) {
        self.shed = shed;
    }

    pub(crate) fn size(&self) -> Size {
        self.size
    }

    /// Somebody watches or records a rendition of it, or asks for small pictures of it.
    pub(crate) fn is_watched(&self) -> bool {
        !self.renditions.is_empty() || self.previews.keeps_composing()
    }

    /// A new arrangement comes over the old one in that time.
    pub(crate) fn set_fade(&mut self, takes: Duration) {
        self.change.set(takes);
    }

    /// The scene has another arrangement from here on.
    pub(crate) fn on_arranged(&mut self, now: Instant) {
        if self.recorder.is_some() {
            self.change.stop();
        } else {
            self.change.begin(now);
        }
    }

    /// A small picture is to be made of it.
    pub(crate) fn take_preview(&mut self, now: Instant) {
        if !self.is_watched() {
            self.skip_idle_frames(now);
        }
        self.previews.ask(now, !self.renditions.is_empty());
    }

    /// The small picture is made, or cannot be.
    pub(crate) fn on_previewed(&mut self) {
        self.previews.on_made();
    }

    /// Renditions that are encoded now.
    pub(crate) fn rendition_count(&self) -> usize {
        self.renditions.len()
    }

    /// When the next frame is taken; `None` while nobody watches.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.is_watched().then(|| self.started + self.offset(self.frame))
    }

    fn offset(&self, frame: u64) -> Duration {
        Duration::from_nanos(frame.saturating_mul(1_000_000_000) / u64::from(self.fps))
    }

    /// Between two frames.
    pub(crate) fn interval(&self) -> Duration {
        Duration::from_secs(1) / self.fps.max(1)
    }

    /// Takes a frame when its time has come. `scene` is asked only if there is a compositor to draw it.
    pub(crate) fn tick(
        &mut self,
        now: Instant,
        counters: &mut Counters,
        scene: impl FnOnce() -> Scene,
    ) -> Option<Job> {
        if self.deadline().is_none_or(|deadline| deadline > now) {
            return None;
        }
        let (frame, time) = (self.frame, self.frame_time(self.frame));
        let elapsed = now.saturating_duration_since(self.started).as_nanos();
        let next = u64::try_from(elapsed * u128::from(self.fps) / 1_000_000_000).unwrap_or(u64::MAX) + 1;
        counters.canvas_frames_late += next.saturating_sub(self.frame + 1);
        self.frame = next.max(self.frame + 1);
        self.previews.settle(now);
        if self.renditions.is_empty() {
            // For small pictures alone one in a second will do.
            self.frame += u64::from(self.fps.saturating_sub(1));
        } else if !frame.is_multiple_of(self.shed.frames_per_drawn()) {
            counters.shed_frames += 1;
            return None;
        }
        match self.compositor.take() {
            Some(compositor) => {
                let fade = self.change.fade(now);
                Some(Job::Compose { room: self.room, compositor, scene: scene(), fade, time })
            }
            None => {
                counters.canvas_frames_late += 1;
                None
            }
        }
    }

    fn frame_time(&self, frame: u64) -> MediaTime {
        let ticks = frame.saturating_mul(u64::from(ClockRate::VIDEO.0)) / u64::from(self.fps);
        MediaTime { ticks, rate: ClockRate::VIDEO }
    }

    /// The moment that the frame of this time shows.
    fn captured(&self, time: MediaTime) -> Instant {
        self.started + Duration::from_nanos(time.ticks.saturating_mul(100_000) / 9)
    }

    /// Takes the composition back; gives one encode job for each rendition whose encoder is free.
    pub(crate) fn on_composed(
        &mut self,
        now: Instant,
        compositor: Box<Compositor>,
        picture: &Arc<Picture>,
        time: MediaTime,
        counters: &mut Counters,
    ) -> Vec<Job> {
        let changed = compositor.work().changed;
        self.compositor = Place::Home(compositor);
        self.change.on_composed(picture);
        counters.canvas_frames += 1;
        let captured = self.captured(time);
        let mut jobs = Vec::with_capacity(self.renditions.len() + 1);
        if self.shed < Shed::Previews {
            jobs.extend(self.previews.on_composed(now, self.room, picture));
        }
        for (key, rendition) in &mut self.renditions {
            if changed {
                rendition.on_changed();
            }
            let legs = viewers(&self.viewers, *key);
            let key_due = rendition.demand.is_due(now, legs);
            let recorder = self.recorder.as_ref().filter(|_| *key == Recorder::READS);
            if recorder.is_none() && !key_due && rendition.is_settled(captured) {
                continue;
            }
            if key.size == SizeClass::Small && !key_due && rendition.rests(self.shed) {
                counters.shed_small += 1;
                continue;
            }
            let Some(mut encoder) = rendition.encoder.take() else {
                counters.canvas_frames_late += 1;
                continue;
            };
            rendition.on_encode(captured);
            let for_recorder = recorder.is_some_and(|recorder| recorder.wants_key(captured));
            encoder.set_bitrate(rendition.rate);
            jobs.push(Job::Encode {
                room: self.room,
                codec: key.codec,
                encoder,
                picture: Arc::clone(picture),
                time,
                force_key: for_recorder || key_due,
            });
        }
        jobs
    }

    /// Takes an encode back; gives the packets for those who watch it.
    pub(crate) fn on_encoded(
        &mut self,
        now: Instant,
        encoder: EncoderSlot,
        time: MediaTime,
        encoded: Option<Encoded>,
        counters: &mut Counters,
    ) -> Option<Fresh> {
        // When the rendition has ended, and maybe begun anew, this frame belongs to a stream nobody watches.
        let number = encoder.rendition;
        let captured = self.captured(time);
        let (key, rendition) = self.renditions.iter_mut().find(|(_, it)| it.number == number)?;
        rendition.on_encoded(encoder, encoded.is_some());
        let encoded = encoded?;
        counters.encoded += 1;
        if encoded.keyframe {
            counters.key_frames += 1;
            rendition.demand.made(now);
        }
        let recorder = self.recorder.as_mut().filter(|_| *key == Recorder::READS);
        let recorded = recorder.and_then(|recorder| recorder.take(captured, &encoded));
        let picture =
            EncodedPicture { keyframe: encoded.keyframe, data: encoded.data, timestamp: time, captured };
        let packets = rendition.packetizer.packetize(&picture);
        for packet in &packets {
            rendition.cache.insert(now, packet.clone());
        }
        Some(Fresh { rendition: *key, packets, recorded })
    }

    /// While nobody watched no frame was due; none of them is late now.
    fn skip_idle_frames(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.started).as_nanos();
        let frame = u64::try_from(elapsed * u128::from(self.fps) / 1_000_000_000).unwrap_or(u64::MAX);
        // For small pictures alone it has run ahead.
        let next = if self.previews.keeps_composing() { frame + 1 } else { self.frame.max(frame) };
        self.frame = next;
    }
}
