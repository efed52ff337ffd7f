//! From received frames to the picture a canvas shows: decoding in order, showing in time.
//!
//! in:  complete frames of one camera, finished decodes, the playout point of the same member's audio
//! out: decode jobs (one at a time), the picture due at a moment, a wish for a key frame
//!
//! A picture is due when the sound of the same moment is heard, so that lips and voice stay together; where pictures come
//! later than the sound, the sound is asked to wait. Full queues: waiting frames are given up to the next key frame,
//! which is then asked for; waiting pictures give up the oldest.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::job::{DecoderSlot, FeedKey, Job};
use crate::codec::{CodecError, Picture, Rotation};
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
/// Share of the difference by which the delay becomes less with each picture of a canvas once there is no sound.
const FOLLOW: f64 = 0.2;
/// Shares of the difference by which a picture that is ready later, or earlier, than expected changes what is expected:
/// most of them are to be ready in time, the occasional key frame may be late.
const READY_LATER: i128 = 4;
const READY_EARLIER: i128 = 128;
/// A difference of more than this (1 s) is another clock.
const READY_LEAP_NS: i128 = 1_000_000_000;
/// They are to be ready so long (10 ms) before their sound is heard: who misses a frame of the canvas waits for the next.
const READY_AHEAD_NS: i128 = 10_000_000;
/// How often the sound is told.
const TELL_EVERY: Duration = Duration::from_millis(250);
/// A picture due later than this has a timestamp from before its sender's clock leapt: it is not waited for.
const WAIT_MAX: Duration = Duration::from_secs(1);
/// Turns of a camera that wait for their pictures: nobody turns faster than a hand.
const TURNS_MAX: usize = 8;
/// A picture that has been shown for so long without another one is marked as an old one.
const FROZEN_AFTER: Duration = Duration::from_secs(3);
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
    /// When it began to be shown.
    shown_at: Option<Instant>,
    /// When somebody last looked.
    looked_at: Option<Instant>,
    /// How the current picture is to be turned, and from which picture on another way.
    rotation: Rotation,
    turns: VecDeque<(MediaTime, Rotation)>,
    delay: Duration,
    /// A timestamp of the sound, and when it is heard.
    heard: Option<(MediaTime, Instant)>,
    ready: Option<Ready>,
}

/// How long after they were taken pictures are decoded, as [`SenderClock::lag`] counts.
#[derive(Clone, Copy, Debug)]
struct Ready {
    lag: i128,
    /// When the sound was told last.
    told: Instant,
}

enum Decoder {
    Home(DecoderSlot),
    /// Inside a job.
    Away {
        /// The frame was given up meanwhile: what comes of it is not shown.
        obsolete: bool,
    },
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
            shown_at: None,
            looked_at: None,
            rotation: Rotation::None,
            turns: VecDeque::new(),
            delay: DELAY_MIN,
            heard: None,
            ready: None,
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
        let before = std::mem::replace(&mut self.decoder, Decoder::Home(decoder));
        match result {
            _ if matches!(before, Decoder::Away { obsolete: true }) => {}
            Ok(Some(picture)) => {
                if self.pictures.len() >= PICTURES_MAX {
                    self.show_next();
                }
                self.pictures.push_back((timestamp, picture));
            }
            Ok(None) => {}
            Err(_) => self.skip_to_keyframe(),
        }
        self.next_job()
    }

    /// What waits is useless up to the next key frame, and whole from there on.
    fn skip_to_keyframe(&mut self) {
        match self.frames.iter().position(|frame| frame.keyframe) {
            Some(at) => drop(self.frames.drain(..at)),
            None => {
                self.frames.clear();
                self.give_up();
            }
        }
    }

    fn give_up(&mut self) {
        self.broken = true;
        self.wants_key = true;
    }

    fn next_job(&mut self) -> Option<Job> {
        if matches!(self.decoder, Decoder::Away { .. }) {
            return None;
        }
        let frame = self.frames.pop_front()?;
        match std::mem::replace(&mut self.decoder, Decoder::Away { obsolete: false }) {
            Decoder::Home(decoder) => Some(Job::Decode { feed: self.key, decoder, frame }),
            Decoder::Away { .. } => None,
        }
    }

    /// True once after decoding broke: the publisher is to be asked.
    pub(crate) fn take_wants_key(&mut self) -> bool {
        std::mem::take(&mut self.wants_key)
    }

    /// The audio with `timestamp` is heard at `at`.
    pub(crate) fn on_playing(&mut self, clock: &SenderClock, timestamp: MediaTime, at: Instant) {
        self.heard = Some((timestamp, at));
        self.delay = self.delay_of_sound(clock).unwrap_or(self.delay);
    }

    /// How long after `local` time the sound is heard: told anew by each clock, so that whatever is wrong with local time
    /// is wrong with sound and picture alike.
    fn delay_of_sound(&self, clock: &SenderClock) -> Option<Duration> {
        let (timestamp, at) = self.heard?;
        let local = clock.local(MediaKind::Audio, timestamp)?;
        Some(at.saturating_duration_since(local).clamp(DELAY_MIN, DELAY_MAX))
    }

    /// The picture with `timestamp` has been decoded. Now and then gives a timestamp of the sound and when it may be heard
    /// at the earliest, so that most pictures are there before their sound.
    pub(crate) fn on_ready(
        &mut self,
        clock: &SenderClock,
        timestamp: MediaTime,
        at: Instant,
    ) -> Option<(MediaTime, Instant)> {
        let lag = clock.lag(MediaKind::Video, timestamp, at)?;
        let before = self.ready.filter(|ready| (lag - ready.lag).abs() < READY_LEAP_NS);
        let lag = before.map_or(lag, |ready| {
            let more = lag - ready.lag;
            ready.lag + more / if more > 0 { READY_LATER } else { READY_EARLIER }
        });
        let told = before.map(|ready| ready.told).filter(|told| at < *told + TELL_EVERY);
        self.ready = Some(Ready { lag, told: told.unwrap_or(at) });
        if told.is_some() {
            return None;
        }
        clock.lagging(MediaKind::Audio, lag + READY_AHEAD_NS)
    }

    fn forget_sound(&mut self) {
        let (target, delay) = (DELAY_MIN.as_secs_f64(), self.delay.as_secs_f64());
        self.delay = Duration::from_secs_f64(delay + (target - delay) * FOLLOW);
    }

    /// The camera is held that way from the picture of this time on.
    pub(crate) fn on_turn(&mut self, timestamp: MediaTime, rotation: Rotation) {
        let latest = self.turns.back().map_or(self.rotation, |(_, rotation)| *rotation);
        if rotation == latest {
            return;
        }
        if self.turns.len() >= TURNS_MAX {
            self.turns.pop_front();
        }
        self.turns.push_back((timestamp, rotation));
    }

    /// The picture due at `now`, and how it is to be turned; the last one stays when none has come.
    pub(crate) fn picture(&mut self, now: Instant, clock: &SenderClock) -> Option<(Arc<Picture>, Rotation)> {
        match self.heard {
            Some((_, at)) if now.saturating_duration_since(at) > AUDIO_FORGOTTEN => self.forget_sound(),
            Some(_) => self.delay = self.delay_of_sound(clock).unwrap_or(self.delay),
            None => {}
        }
        self.look(now);
        while let Some((timestamp, _)) = self.pictures.front() {
            let due = clock.local(MediaKind::Video, *timestamp).map(|local| local + self.delay);
            if due.is_some_and(|due| due > now && due <= now + WAIT_MAX) {
                break;
            }
            self.show_next();
            self.shown_at = Some(now);
        }
        Some((self.current.clone()?, self.rotation))
    }

    /// What nobody looked at is not old when somebody looks again.
    fn look(&mut self, now: Instant) {
        let is_back =
            self.looked_at.is_none_or(|before| now.saturating_duration_since(before) > FROZEN_AFTER);
        if is_back {
            self.shown_at = Some(now);
        }
        self.looked_at = Some(now);
    }

    /// The picture that is shown has been there for long.
    pub(crate) fn is_frozen(&self, now: Instant) -> bool {
        self.shown_at.is_some_and(|shown| now.saturating_duration_since(shown) > FROZEN_AFTER)
    }

    fn show_next(&mut self) {
        let Some((timestamp, picture)) = self.pictures.pop_front() else { return };
        while let Some((_, rotation)) = self.turns.pop_front_if(|(from, _)| from.ticks <= timestamp.ticks) {
            self.rotation = rotation;
        }
        self.current = Some(picture);
    }

    /// What waits is shown now, the latest last: what comes next is on another clock.
    pub(crate) fn show_all(&mut self) {
        if let Some((_, picture)) = self.pictures.pop_back() {
            self.current = Some(picture);
        }
        self.pictures.clear();
        if let Some((_, rotation)) = self.turns.pop_back() {
            self.rotation = rotation;
        }
        self.turns.clear();
    }

    /// How much later than over the fastest path pictures are shown.
    pub(crate) fn delay(&self) -> Duration {
        self.delay
    }

    /// Something can be shown.
    pub(crate) fn has_picture(&self) -> bool {
        self.current.is_some() || !self.pictures.is_empty()
    }

    /// A picture has become due.
    pub(crate) fn has_shown(&self) -> bool {
        self.current.is_some()
    }

    /// Forgets what was to be shown: after a silence of the peer it is old. Decoding goes on where it was.
    pub(crate) fn forget_pictures(&mut self) {
        self.pictures.clear();
        self.current = None;
    }

    /// Nothing is decoded until it goes on with a key frame. The latest picture is shown until then.
    pub(crate) fn rest(&mut self) {
        self.show_all();
        self.stop_decoding();
    }

    /// Forgets every picture: after a mute the old one must not come back.
    pub(crate) fn clear(&mut self) {
        self.forget_pictures();
        self.stop_decoding();
    }

    fn stop_decoding(&mut self) {
        self.frames.clear();
        self.broken = true;
        if let Decoder::Away { obsolete } = &mut self.decoder {
            *obsolete = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use layouts::Size;

    use super::*;
    use crate::codec::Rgb;
    use crate::units::{ClockRate, LegKey, RoomKey, VideoCodec};

    const MS: Duration = Duration::from_millis(1);
    const FRAME: u64 = 3000;

    fn ticks(ticks: u64) -> MediaTime {
        MediaTime { ticks, rate: ClockRate::VIDEO }
    }

    fn frame(number: u64, keyframe: bool) -> ReceivedFrame {
        let timestamp = ticks((1 << 32) + number * FRAME);
        let arrived = Instant::now();
        ReceivedFrame { codec: VideoCodec::Vp8, keyframe, timestamp, data: Bytes::new(), arrived }
    }

    fn feed() -> Feed {
        Feed::new(FeedKey { room: RoomKey(1), leg: LegKey(1) })
    }

    fn picture() -> Arc<Picture> {
        Arc::new(Picture::filled(Size { width: 16, height: 16 }, Rgb(1, 2, 3)))
    }

    /// The number of the frame in a job.
    fn number(job: &Job) -> u64 {
        let Job::Decode { frame, .. } = job else { panic!("a decode") };
        (frame.timestamp.ticks - (1 << 32)) / FRAME
    }

    /// Ends a job with this result.
    fn finish(feed: &mut Feed, job: Job, result: Result<Option<Arc<Picture>>, CodecError>) -> Option<Job> {
        let Job::Decode { decoder, frame, .. } = job else { panic!("a decode") };
        feed.on_decoded(decoder, frame.timestamp, result)
    }

    /// A clock on which frame n comes 33 ms after frame n − 1, and frame 0 at `start`.
    fn clock(start: Instant) -> SenderClock {
        let mut clock = SenderClock::new(start);
        for number in 0..30 {
            let at = start + Duration::from_nanos(number * 100_000_000 / 3);
            clock.handle_packet(at, MediaKind::Video, ticks((1 << 32) + number * FRAME));
        }
        clock
    }

    #[test]
    fn a_picture_shows_when_it_is_due_and_stays() {
        let start = Instant::now();
        let (clock, mut feed) = (clock(start), feed());
        let pictures = [picture(), picture(), picture()];
        for (number, picture) in (0..).zip(&pictures) {
            let job = feed.on_frame(frame(number, number == 0)).unwrap();
            assert!(finish(&mut feed, job, Ok(Some(Arc::clone(picture)))).is_none());
        }
        let shows = |feed: &mut Feed, ms: u32| {
            let shown = feed.picture(start + MS * ms, &clock)?;
            pictures.iter().position(|picture| Arc::ptr_eq(picture, &shown.0))
        };
        // Frame n is due at n × 33.3 ms and 20 ms.
        assert_eq!([19, 21, 53, 54].map(|ms| shows(&mut feed, ms)), [None, Some(0), Some(0), Some(1)]);
        assert_eq!([1000, 5000].map(|ms| shows(&mut feed, ms)), [Some(2), Some(2)]);
    }

    #[test]
    fn a_picture_without_another_is_an_old_one_after_three_seconds_of_looking() {
        let start = Instant::now();
        let (clock, mut feed) = (clock(start), feed());
        let show = |feed: &mut Feed, number: u64| {
            let job = feed.on_frame(frame(number, true)).unwrap();
            assert!(finish(feed, job, Ok(Some(picture()))).is_none());
        };
        show(&mut feed, 0);
        let frozen = |feed: &mut Feed, ms: u32| {
            feed.picture(start + MS * ms, &clock);
            feed.is_frozen(start + MS * ms)
        };
        assert_eq!([100, 1500, 3100, 3101].map(|ms| frozen(&mut feed, ms)), [false, false, false, true]);
        show(&mut feed, 1);
        assert_eq!([3200, 6000, 6201].map(|ms| frozen(&mut feed, ms)), [false, false, true]);
        // Nobody looked for a minute: only then its age is counted.
        assert_eq!([66_000, 69_000, 69_001].map(|ms| frozen(&mut feed, ms)), [false, false, true]);
    }

    #[test]
    fn pictures_wait_for_the_sound_and_not_for_sound_that_has_ended() {
        let start = Instant::now();
        let mut clock = clock(start);
        let sound = |ms: u64| MediaTime { ticks: (1 << 32) + ms * 48, rate: ClockRate::OPUS };
        clock.handle_packet(start, MediaKind::Audio, sound(0));
        let mut feed = feed();
        for report in 0..40_u32 {
            let at = u64::from(report) * 100;
            feed.on_playing(&clock, sound(at), start + MS * 180 + Duration::from_millis(at));
        }
        assert!(feed.delay.abs_diff(MS * 180) < MS, "{:?}", feed.delay);
        // Sound that is heard minutes late does not hold the picture back for minutes.
        feed.on_playing(&clock, sound(0), start + Duration::from_secs(300));
        assert!(feed.delay <= DELAY_MAX);
        for frames in 0..60 {
            feed.picture(start + Duration::from_secs(303) + MS * 33 * frames, &clock);
        }
        assert!(feed.delay < DELAY_MIN + MS, "{:?}", feed.delay);
    }

    #[test]
    fn a_picture_from_before_a_leap_of_the_clock_holds_up_nothing() {
        let start = Instant::now();
        let (clock, mut feed) = (clock(start), feed());
        let job = feed.on_frame(frame(1_000_000, true)).unwrap();
        assert!(finish(&mut feed, job, Ok(Some(picture()))).is_none());
        assert!(feed.picture(start, &clock).is_some());
    }

    #[test]
    fn frames_are_decoded_one_at_a_time_and_too_many_are_given_up_to_the_next_key_frame() {
        let mut feed = feed();
        assert!(feed.on_frame(frame(0, false)).is_none(), "nothing to begin with");
        assert!(feed.take_wants_key());
        let first = feed.on_frame(frame(1, true)).unwrap();
        for n in 2..2 + FRAMES_MAX as u64 {
            assert!(feed.on_frame(frame(n, false)).is_none());
        }
        assert!(!feed.take_wants_key());
        assert!(feed.on_frame(frame(40, false)).is_none());
        assert!(feed.take_wants_key() && !feed.take_wants_key(), "asked for once");
        assert!(feed.on_frame(frame(41, true)).is_none());
        assert!(feed.on_frame(frame(42, false)).is_none());
        let next = finish(&mut feed, first, Ok(None)).unwrap();
        assert_eq!(number(&next), 41);
        assert_eq!(number(&finish(&mut feed, next, Ok(None)).unwrap()), 42);
    }

    #[test]
    fn pictures_nobody_takes_are_bounded() {
        let mut feed = feed();
        for n in 0..100 {
            let job = feed.on_frame(frame(n, n == 0)).unwrap();
            assert!(finish(&mut feed, job, Ok(Some(picture()))).is_none());
        }
        assert_eq!(feed.pictures.len(), PICTURES_MAX);
        assert!(feed.has_picture());
    }

    #[test]
    fn after_a_damaged_frame_decoding_goes_on_with_the_next_key_frame_and_all_behind_it() {
        let damaged = || Err(CodecError::Damaged("test"));
        let mut feed = feed();
        let first = feed.on_frame(frame(0, true)).unwrap();
        for (n, keyframe) in [(1, false), (2, true), (3, false), (4, false)] {
            assert!(feed.on_frame(frame(n, keyframe)).is_none());
        }
        let mut decoded = Vec::new();
        let mut job = finish(&mut feed, first, damaged());
        while let Some(next) = job {
            decoded.push(number(&next));
            job = finish(&mut feed, next, Ok(None));
        }
        assert_eq!(decoded, [2, 3, 4]);
        assert!(!feed.take_wants_key(), "a key frame was there");

        let job = feed.on_frame(frame(5, false)).unwrap();
        assert!(feed.on_frame(frame(6, false)).is_none());
        assert!(finish(&mut feed, job, damaged()).is_none());
        assert!(feed.take_wants_key());
        assert!(feed.on_frame(frame(7, false)).is_none());
        assert_eq!(number(&feed.on_frame(frame(8, true)).unwrap()), 8);
    }

    #[test]
    fn a_picture_that_was_being_decoded_when_all_was_forgotten_is_not_shown() {
        let start = Instant::now();
        let (clock, mut feed) = (clock(start), feed());
        let job = feed.on_frame(frame(0, true)).unwrap();
        feed.clear();
        assert!(feed.on_frame(frame(1, true)).is_none(), "the decoder is away");
        let next = finish(&mut feed, job, Ok(Some(picture()))).unwrap();
        assert!(!feed.has_picture());
        let new = picture();
        assert!(finish(&mut feed, next, Ok(Some(Arc::clone(&new)))).is_none());
        assert!(Arc::ptr_eq(&feed.picture(start + MS * 500, &clock).unwrap().0, &new));
    }
}
