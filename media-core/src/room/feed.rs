//! From received frames to the picture a canvas shows: decoding in order, showing in time.
//!
//! in:  complete frames of one camera, finished decodes, the playout point of the same member's audio
//! out: decode jobs (one at a time), the picture due at a moment, a wish for a key frame
//!
//! A picture is due at its capture moment on the local timeline plus the playout delay of the member's audio, so that
//! lips and voice stay together. Full queues: waiting frames are given up to the next key frame, which is then asked
//! for; waiting pictures give up the oldest.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::job::{DecoderSlot, FeedKey, Job};
use crate::codec::{CodecError, Picture};
use crate::receive::{ReceivedFrame, SenderClock};
use crate::units::{MediaKind, MediaTime};

/// Frames waiting for the decoder: one second of camera; more means that no worker is free.
const FRAMES_MAX: usize = 30;
/// Pictures waiting to be due: a playout delay of 500 ms at 30 frames per second.
const PICTURES_MAX: usize = 16;
/// Playout delay before the audio has told its own, and the least there is.
const DELAY_MIN: Duration = Duration::from_millis(20);
/// A browser's audio jitter buffer rarely holds more; beyond it the picture must not wait for the sound.
const DELAY_MAX: Duration = Duration::from_millis(500);
/// Share of the difference by which the delay follows the audio at each report.
const FOLLOW: f64 = 0.2;
/// Audio that has not been played for this long does not hold the picture back.
const AUDIO_FORGOTTEN: Duration = Duration::from_secs(2);

/// The pictures of one leg's camera.
pub(crate) struct Feed {
    key: FeedKey,
    decoder: Decoder,
    frames: VecDeque<ReceivedFrame>,
    /// Until a key frame comes nothing is decoded.
    broken: bool,
    wants_key: bool,
    pictures: VecDeque<(MediaTime, Arc<Picture>)>,
    current: Option<Arc<Picture>>,
    delay: Duration,
    audio_seen: Option<Instant>,
}

enum Decoder {
    Home(DecoderSlot),
    Away,
}

impl Feed {
    pub(crate) fn new(key: FeedKey) -> Self {
        Self {
            key,
            decoder: Decoder::Home(DecoderSlot::default()),
            frames: VecDeque::new(),
            broken: true,
            wants_key: false,
            pictures: VecDeque::new(),
            current: None,
            delay: DELAY_MIN,
            audio_seen: None,
        }
    }

    /// Takes the next complete frame; gives a job when the decoder is free.
    pub(crate) fn on_frame(&mut self, frame: ReceivedFrame) -> Option<Job> {
        if self.frames.len() >= FRAMES_MAX {
            self.frames.clear();
            self.give_up();
        }
        if self.broken && !frame.keyframe {
            self.wants_key = true;
            return None;
        }
        self.broken = false;
        self.frames.push_back(frame);
        self.next_job()
    }

    /// Takes a decode back; gives the next job.
    pub(crate) fn on_decoded(
        &mut self,
        decoder: DecoderSlot,
        timestamp: MediaTime,
        result: Result<Option<Arc<Picture>>, CodecError>,
    ) -> Option<Job> {
        self.decoder = Decoder::Home(decoder);
        match result {
            Ok(Some(picture)) => {
                if self.pictures.len() >= PICTURES_MAX {
                    self.current = self.pictures.pop_front().map(|(_, picture)| picture);
                }
                self.pictures.push_back((timestamp, picture));
            }
            Ok(None) => {}
            Err(_) => {
                self.frames.retain(|frame| frame.keyframe);
                if self.frames.is_empty() {
                    self.give_up();
                }
            }
        }
        self.next_job()
    }

    fn give_up(&mut self) {
        self.broken = true;
        self.wants_key = true;
    }

    fn next_job(&mut self) -> Option<Job> {
        if self.frames.is_empty() || matches!(self.decoder, Decoder::Away) {
            return None;
        }
        let frame = self.frames.pop_front()?;
        match std::mem::replace(&mut self.decoder, Decoder::Away) {
            Decoder::Home(decoder) => Some(Job::Decode { feed: self.key, decoder, frame }),
            Decoder::Away => None,
        }
    }

    /// True once after decoding broke: the publisher is to be asked.
    pub(crate) fn take_wants_key(&mut self) -> bool {
        std::mem::take(&mut self.wants_key)
    }

    /// The audio with `timestamp` is heard at `at`.
    pub(crate) fn on_playing(&mut self, clock: &SenderClock, timestamp: MediaTime, at: Instant) {
        let Some(local) = clock.local(MediaKind::Audio, timestamp) else { return };
        self.audio_seen = Some(at);
        self.follow(at.saturating_duration_since(local));
    }

    fn follow(&mut self, target: Duration) {
        let target = target.clamp(DELAY_MIN, DELAY_MAX).as_secs_f64();
        let delay = self.delay.as_secs_f64();
        self.delay = Duration::from_secs_f64(delay + (target - delay) * FOLLOW);
    }

    /// The picture due at `now`; the last one stays when none has come.
    pub(crate) fn picture(&mut self, now: Instant, clock: &SenderClock) -> Option<Arc<Picture>> {
        if self.audio_seen.is_some_and(|seen| now.saturating_duration_since(seen) > AUDIO_FORGOTTEN) {
            self.follow(DELAY_MIN);
        }
        while let Some((timestamp, _)) = self.pictures.front() {
            let due = clock.local(MediaKind::Video, *timestamp).map(|local| local + self.delay);
            if due.is_some_and(|due| due > now) {
                break;
            }
            self.current = self.pictures.pop_front().map(|(_, picture)| picture);
        }
        self.current.clone()
    }

    /// Something can be shown.
    pub(crate) fn has_picture(&self) -> bool {
        self.current.is_some() || !self.pictures.is_empty()
    }

    /// Forgets every picture: after a mute the old one must not come back.
    pub(crate) fn clear(&mut self) {
        self.frames.clear();
        self.pictures.clear();
        self.current = None;
        self.broken = true;
    }
}
