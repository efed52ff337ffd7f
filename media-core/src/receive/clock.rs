//! When was it? Maps the timestamps of a member's sound and picture to one local timeline.
//!
//! in:  arrival times of packets of both streams, sender reports of both
//! out: the moment a sample would have arrived over the fastest path seen
//!
//! ```text
//! per stream   arrival − ts/rate   ── least in a sliding window ──►  A   (path and encoder, without jitter)
//!              ntp − ts/rate       ── from sender reports ────────►  M   (the sender's own clock, with its drift)
//! both streams D = least of A − M                                        (the sender's clock on ours)
//!              local(ts) = ts/rate + M + D
//! ```
//!
//! Before a stream's first sender report `local(ts) = ts/rate + A`: right for each stream alone. A picture is due as
//! long after `local(ts)` as the sound is heard; as both are on the same timeline, lips fit. The window lets a drifting
//! sender clock through (100 ppm are 1 ms in ten seconds) and forgets a path that has become slower.
//!
//! A sound card drifts against the clock of the reports, 0.36 s in an hour at 100 ppm. M follows, and goes on at the
//! pace found while a stream is silent. When the sender's clock is set, the reports of both streams leap one after the
//! other; what the first one says waits for the other.

use std::time::{Duration, Instant};

use crate::rtcp::NtpTime;
use crate::units::{MediaKind, MediaTime};

/// Half of the sliding window.
const WINDOW: Duration = Duration::from_secs(5);
/// Sound and picture of one camera do not differ by more. Reports that say so are not believed.
const MAX_SKEW_NS: i128 = 3_000_000_000;
/// A packet this far from where it belongs means that the sender's timestamps have leapt.
const LEAP_NS: i128 = 10_000_000_000;
/// A new report that differs by less corrects the mapping bit by bit (browsers' reports scatter by some milliseconds),
/// one that differs by more replaces it.
const SMOOTH_NS: i128 = 50_000_000;
const SMOOTHING: i128 = 8;
/// Share of what is left over after each report that counts as drift: as slow as [`SMOOTHING`] allows without swinging.
const DRIFTING: i128 = 128;
/// After a pause of more than this, one report tells more of the drift than its own scatter hides.
const PAUSE_NS: i128 = 30_000_000_000;
/// No two quartzes differ by more (500 ppm), in parts of a billion.
const DRIFT_MAX: i128 = 500_000;
/// The drift is taken to go on for so long.
const DRIFTS_NS: i128 = 3_600_000_000_000;
/// A leap that one stream tells of for so long is its own, whether the other reports or not.
const DOUBT_NS: i128 = 15_000_000_000;

/// One member's clock.
#[derive(Clone, Debug)]
pub struct SenderClock {
    /// Local time is counted from here.
    epoch: Instant,
    audio: Stream,
    video: Stream,
}

#[derive(Clone, Debug, Default)]
struct Stream {
    path: Option<Path>,
    report: Option<Report>,
    doubt: Option<Doubt>,
}

/// Least value of arrival − ts/rate in the current and in the previous window.
#[derive(Clone, Debug)]
struct Path {
    since: Instant,
    current: i128,
    previous: i128,
    /// Arrival and timestamp of the latest packet.
    latest: (Instant, MediaTime),
}

/// ntp − ts/rate at one moment of the stream, and how it changes.
#[derive(Clone, Copy, Debug)]
struct Report {
    media: i128,
    said: i128,
    /// Parts of a billion.
    drift: i128,
}

/// A report that leaps by so much.
#[derive(Clone, Copy, Debug)]
struct Doubt {
    by: i128,
    since: i128,
}

impl SenderClock {
    /// A clock that knows nothing yet; `now` is any moment near.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { epoch: now, audio: Stream::default(), video: Stream::default() }
    }

    /// A packet has come. Retransmitted ones do not count, they come late.
    pub fn handle_packet(&mut self, now: Instant, kind: MediaKind, timestamp: MediaTime) {
        let media = media_ns(timestamp);
        let offset = self.local_ns(now) - media;
        let (stream, _) = self.streams_mut(kind);
        let leapt = stream.path.as_ref().is_some_and(|path| (offset - path.least()).abs() > LEAP_NS);
        if leapt {
            *stream = Stream::default();
        }
        match &mut stream.path {
            Some(path) => path.add(now, timestamp, offset),
            None => {
                let latest = (now, timestamp);
                stream.path = Some(Path { since: now, current: offset, previous: offset, latest });
            }
        }
    }

    /// A sender report pairs the sender's clock with a stream's timestamp (extended near those received).
    pub fn handle_report(&mut self, kind: MediaKind, ntp: NtpTime, timestamp: MediaTime) {
        let media = media_ns(timestamp);
        let said = ntp_ns(ntp) - media;
        let is_believed = self.are_believed();
        let (stream, other) = self.streams_mut(kind);
        let Some(report) = &mut stream.report else {
            stream.report = Some(Report { media, said, drift: 0 });
            return;
        };
        let off = said - report.at(media);
        let is_same = |doubt: Option<Doubt>| doubt.filter(|doubt| (doubt.by - off).abs() < SMOOTH_NS);
        if off.abs() < SMOOTH_NS {
            report.correct(media, off);
            stream.doubt = None;
            // The sender's clock is as it was: it was the other stream alone that leapt.
            other.settle();
        } else if !is_believed || other.report.is_none() {
            *report = Report { media, said, drift: 0 };
            stream.doubt = None;
        } else if is_same(other.doubt).is_some() {
            report.said += off;
            stream.doubt = None;
            other.settle();
        } else {
            let doubt = is_same(stream.doubt).unwrap_or(Doubt { by: off, since: media });
            stream.doubt = Some(doubt);
            if media - doubt.since > DOUBT_NS {
                stream.settle();
            }
        }
    }

    /// The moment this sample would have arrived over the fastest path. `None` before the stream's first packet.
    #[must_use]
    pub fn local(&self, kind: MediaKind, timestamp: MediaTime) -> Option<Instant> {
        let (own, other) = self.streams(kind);
        let path = own.path.as_ref()?;
        let media = media_ns(timestamp);
        let offset = match (own.report, own.lead(), other.lead_beside(path)) {
            (Some(report), Some(own), Some(other)) if (own - other).abs() <= MAX_SKEW_NS => {
                report.at(media) + own.min(other)
            }
            _ => path.least(),
        };
        self.instant(media + offset)
    }

    /// Nanoseconds from the moment this sample was taken, by the sender's clock, to `at`, by ours. Only differences mean
    /// something. `None` unless both streams are on the sender's clock.
    pub(crate) fn lag(&self, kind: MediaKind, timestamp: MediaTime, at: Instant) -> Option<i128> {
        let (own, _) = self.streams(kind);
        let media = media_ns(timestamp);
        let report = own.report.filter(|_| self.are_believed())?;
        Some(self.local_ns(at) - media - report.at(media))
    }

    /// The latest sample of a stream, and when it is so many nanoseconds old: the reverse of [`Self::lag`].
    pub(crate) fn lagging(&self, kind: MediaKind, lag: i128) -> Option<(MediaTime, Instant)> {
        let (own, _) = self.streams(kind);
        let (_, timestamp) = own.path.as_ref()?.latest;
        let media = media_ns(timestamp);
        let report = own.report.filter(|_| self.are_believed())?;
        Some((timestamp, self.instant(media + report.at(media) + lag)?))
    }

    /// Both streams have reported, and can be of one sender.
    fn are_believed(&self) -> bool {
        let leads = self.audio.lead().zip(self.video.lead());
        leads.is_some_and(|(audio, video)| (audio - video).abs() <= MAX_SKEW_NS)
    }

    /// The stream of a kind, and the other one.
    fn streams(&self, kind: MediaKind) -> (&Stream, &Stream) {
        match kind {
            MediaKind::Audio => (&self.audio, &self.video),
            MediaKind::Video => (&self.video, &self.audio),
        }
    }

    fn streams_mut(&mut self, kind: MediaKind) -> (&mut Stream, &mut Stream) {
        match kind {
            MediaKind::Audio => (&mut self.audio, &mut self.video),
            MediaKind::Video => (&mut self.video, &mut self.audio),
        }
    }

    fn instant(&self, ns: i128) -> Option<Instant> {
        let distance = Duration::from_nanos(u64::try_from(ns.unsigned_abs()).ok()?);
        if ns < 0 { self.epoch.checked_sub(distance) } else { self.epoch.checked_add(distance) }
    }

    fn local_ns(&self, at: Instant) -> i128 {
        let after = at.saturating_duration_since(self.epoch).as_nanos().cast_signed();
        after - self.epoch.saturating_duration_since(at).as_nanos().cast_signed()
    }
}

impl Stream {
    /// A − M: the sender's clock on ours, as this stream alone tells it.
    fn lead(&self) -> Option<i128> {
        let path = self.path.as_ref()?;
        Some(path.least() - self.report?.at(media_ns(path.latest.1)))
    }

    /// The same, unless it is old beside what another stream brings: clocks drift.
    fn lead_beside(&self, other: &Path) -> Option<i128> {
        let latest = self.path.as_ref()?.latest.0;
        let is_fresh = other.latest.0.saturating_duration_since(latest) <= 2 * WINDOW;
        self.lead().filter(|_| is_fresh)
    }

    /// Believes what was doubted.
    fn settle(&mut self) {
        if let Some((report, doubt)) = self.report.as_mut().zip(self.doubt.take()) {
            report.said += doubt.by;
        }
    }
}

impl Report {
    /// Where the sender's clock is at this moment of the stream.
    fn at(self, media: i128) -> i128 {
        let since = (media - self.media).clamp(-DRIFTS_NS, DRIFTS_NS);
        self.said + since * self.drift / 1_000_000_000
    }

    /// Follows a report that differs by `off`.
    fn correct(&mut self, media: i128, off: i128) {
        let since = media - self.media;
        if since <= 0 {
            // Two of one moment, or one that was overtaken.
            self.said += off / SMOOTHING;
            return;
        }
        let (smoothing, drifting) = if since > PAUSE_NS { (2, 2) } else { (SMOOTHING, DRIFTING) };
        self.said = self.at(media) + off / smoothing;
        self.media = media;
        // Reports in quick succession tell nothing of a drift.
        let drift = off * 1_000_000_000 / since.max(1_000_000_000) / drifting;
        self.drift = (self.drift + drift).clamp(-DRIFT_MAX, DRIFT_MAX);
    }
}

impl Path {
    fn add(&mut self, now: Instant, timestamp: MediaTime, offset: i128) {
        self.latest = (now, timestamp);
        let open = now.saturating_duration_since(self.since);
        if open >= WINDOW {
            self.since = now;
            // After a pause what was before it says nothing any more.
            self.previous = if open >= 2 * WINDOW { offset } else { self.current };
            self.current = offset;
        }
        self.current = self.current.min(offset);
    }

    fn least(&self) -> i128 {
        self.current.min(self.previous)
    }
}

/// Fits: 2^64 ticks of one hertz are 2^94 nanoseconds.
fn media_ns(time: MediaTime) -> i128 {
    i128::from(time.ticks) * 1_000_000_000 / i128::from(time.rate.0.max(1))
}

fn ntp_ns(ntp: NtpTime) -> i128 {
    (i128::from(ntp.0) * 1_000_000_000) >> 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::ClockRate;

    const MS: Duration = Duration::from_millis(1);

    fn video(ms: u64) -> MediaTime {
        MediaTime { ticks: (1 << 32) + ms * 90, rate: ClockRate::VIDEO }
    }

    fn audio(ms: u64) -> MediaTime {
        MediaTime { ticks: (1 << 32) + 12_345 + ms * 48, rate: ClockRate::OPUS }
    }

    fn ntp(ms: u64) -> NtpTime {
        NtpTime((3_900_000_000 << 32) + (ms << 32) / 1000)
    }

    fn near(got: Option<Instant>, expected: Instant, within: Duration) {
        let got = got.expect("a mapping");
        let off = got.saturating_duration_since(expected).max(expected.saturating_duration_since(got));
        assert!(off <= within, "off by {off:?}");
    }

    /// Sound takes 40 ms, the picture 90 ms plus up to 30 ms of jitter.
    fn run(clock: &mut SenderClock, start: Instant, ms: std::ops::Range<u64>, slow: u32) {
        for at in ms.step_by(20) {
            let sent = start + MS * u32::try_from(at).unwrap();
            clock.handle_packet(sent + MS * (40 + slow), MediaKind::Audio, audio(at));
            clock.handle_packet(
                sent + MS * (90 + slow + u32::try_from(at * 7 % 31).unwrap()),
                MediaKind::Video,
                video(at),
            );
        }
    }

    #[test]
    fn each_stream_alone_before_reports_and_together_after() {
        let start = Instant::now();
        let mut clock = SenderClock::new(start);
        assert_eq!(clock.local(MediaKind::Video, video(0)), None);
        run(&mut clock, start, 0..2000, 0);
        near(clock.local(MediaKind::Audio, audio(1000)), start + 1040 * MS, MS);
        near(clock.local(MediaKind::Video, video(1000)), start + 1090 * MS, MS);
        clock.handle_report(MediaKind::Audio, ntp(1500), audio(1500));
        near(clock.local(MediaKind::Video, video(1000)), start + 1090 * MS, MS);
        clock.handle_report(MediaKind::Video, ntp(1700), video(1700));
        near(clock.local(MediaKind::Audio, audio(1000)), start + 1040 * MS, MS);
        near(clock.local(MediaKind::Video, video(1000)), start + 1040 * MS, MS);
    }

    #[test]
    fn a_path_that_becomes_slower_is_followed_and_so_is_drift() {
        let start = Instant::now();
        let mut clock = SenderClock::new(start);
        run(&mut clock, start, 0..6000, 0);
        run(&mut clock, start, 6000..20_000, 200);
        near(clock.local(MediaKind::Audio, audio(20_000)), start + 20_240 * MS, MS);

        // 200 ppm slow for ten minutes: 120 ms.
        let mut clock = SenderClock::new(start);
        for i in 0..30_000u32 {
            let arrival = start + Duration::from_micros(u64::from(i) * 20_004);
            clock.handle_packet(arrival, MediaKind::Audio, audio(u64::from(i) * 20));
        }
        near(clock.local(MediaKind::Audio, audio(600_000)), start + 600_120 * MS, 3 * MS);
    }

    #[test]
    fn reports_that_cannot_be_are_not_believed() {
        let start = Instant::now();
        let mut clock = SenderClock::new(start);
        run(&mut clock, start, 0..2000, 0);
        clock.handle_report(MediaKind::Audio, ntp(1500), audio(1500));
        clock.handle_report(MediaKind::Video, NtpTime(7), video(1700));
        near(clock.local(MediaKind::Video, video(1000)), start + 1090 * MS, MS);
        clock.handle_report(MediaKind::Video, NtpTime(u64::MAX), MediaTime { ticks: 0, rate: ClockRate(1) });
        near(clock.local(MediaKind::Video, video(1000)), start + 1090 * MS, MS);
        // An honest one takes over.
        clock.handle_report(MediaKind::Video, ntp(1800), video(1800));
        near(clock.local(MediaKind::Video, video(1000)), start + 1040 * MS, MS);
    }

    #[test]
    fn scattered_reports_move_the_picture_little() {
        let start = Instant::now();
        let mut clock = SenderClock::new(start);
        run(&mut clock, start, 0..2000, 0);
        clock.handle_report(MediaKind::Audio, ntp(1000), audio(1000));
        clock.handle_report(MediaKind::Video, ntp(1000), video(1000));
        for i in 0..20 {
            let scatter = if i % 2 == 0 { 12 } else { 0 };
            clock.handle_report(MediaKind::Video, ntp(1994 + scatter), video(2000));
            near(clock.local(MediaKind::Video, video(1000)), start + 1040 * MS, 2 * MS);
        }
    }

    #[test]
    fn timestamps_that_leap_begin_anew() {
        let start = Instant::now();
        let mut clock = SenderClock::new(start);
        run(&mut clock, start, 0..2000, 0);
        let leapt = MediaTime { ticks: 1 << 40, rate: ClockRate::VIDEO };
        clock.handle_packet(start + 3000 * MS, MediaKind::Video, leapt);
        near(clock.local(MediaKind::Video, leapt), start + 3000 * MS, MS);
        let extreme = MediaTime { ticks: u64::MAX, rate: ClockRate(0) };
        clock.handle_packet(start + 3020 * MS, MediaKind::Video, extreme);
        near(clock.local(MediaKind::Video, extreme), start + 3020 * MS, MS);
        assert_eq!(clock.local(MediaKind::Audio, extreme), None, "beyond all time");
    }

    #[test]
    fn a_clock_that_is_set_moves_both_streams_at_once() {
        let start = Instant::now();
        let mut clock = SenderClock::new(start);
        run(&mut clock, start, 0..12_000, 0);
        for second in (0..10).map(|n| n * 1000) {
            clock.handle_report(MediaKind::Audio, ntp(second), audio(second));
            clock.handle_report(MediaKind::Video, ntp(second), video(second));
        }
        let both = |clock: &SenderClock| {
            near(clock.local(MediaKind::Audio, audio(11_000)), start + 11_040 * MS, MS);
            near(clock.local(MediaKind::Video, video(11_000)), start + 11_040 * MS, MS);
        };
        both(&clock);
        // The picture reports every second, the sound every five.
        for second in (10..13).map(|n| n * 1000) {
            clock.handle_report(MediaKind::Video, ntp(second + 700), video(second));
            both(&clock);
        }
        clock.handle_report(MediaKind::Audio, ntp(13_700), audio(13_000));
        both(&clock);
        clock.handle_report(MediaKind::Video, ntp(13_700), video(13_000));
        both(&clock);
        // A camera that begins anew leaps alone: its reports are believed once the sound's say that no clock was set.
        clock.handle_report(MediaKind::Video, ntp(14_700 + 200), video(14_000));
        both(&clock);
        clock.handle_report(MediaKind::Audio, ntp(14_700), audio(14_000));
        // They come 110 ms before they could by the sound's path: it is the picture's that is the quicker one.
        near(clock.local(MediaKind::Video, video(11_000)), start + 11_090 * MS, MS);
        near(clock.local(MediaKind::Audio, audio(11_000)), start + 10_890 * MS, MS);
    }

    #[test]
    fn the_drift_of_a_sound_card_goes_on_in_a_pause() {
        let start = Instant::now();
        let mut clock = SenderClock::new(start);
        // Its 48 000 samples take 1.0001 s; reports every five seconds scatter by 4 ms.
        let at = |second: u64| (second * 1000, audio(second * 1000 - second / 10));
        let path = |clock: &mut SenderClock, second: u64| {
            let now = start + Duration::from_secs(second);
            clock.handle_packet(now, MediaKind::Audio, at(second).1);
            clock.handle_packet(now, MediaKind::Video, video(second * 1000));
        };
        for second in (0..1200).step_by(5) {
            path(&mut clock, second);
            let (ms, timestamp) = at(second);
            clock.handle_report(MediaKind::Audio, ntp(ms + second * 7 % 5), timestamp);
            clock.handle_report(MediaKind::Video, ntp(ms), video(ms));
        }
        (2390..2400).for_each(|second| path(&mut clock, second));
        let lag = |kind, timestamp| clock.lag(kind, timestamp, start + Duration::from_secs(2400)).unwrap();
        let apart = lag(MediaKind::Audio, at(2400).1) - lag(MediaKind::Video, video(2_400_000));
        // Without the drift it would be 120 ms.
        assert!(apart.abs() < 30_000_000, "{apart} ns");
    }
}
