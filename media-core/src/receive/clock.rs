//! When was it? Maps the timestamps of a member's sound and picture to one local timeline.
//!
//! in:  arrival times of packets of both streams, sender reports of both
//! out: the moment a sample would have arrived over the fastest path seen
//!
//! ```text
//! per stream   arrival − ts/rate   ── least in a sliding window ──►  A   (path and encoder, without jitter)
//!              ntp − ts/rate       ── from sender reports ────────►  M   (the sender's own clock)
//! both streams D = least of A − M                                        (the sender's clock on ours)
//!              local(ts) = ts/rate + M + D
//! ```
//!
//! Before a stream's first sender report `local(ts) = ts/rate + A`: right for each stream alone. A picture is due at
//! `local(ts) + playout delay`; as sound is on the same timeline, lips fit. The window lets a drifting sender clock
//! through (100 ppm are 1 ms in ten seconds) and forgets a path that has become slower.

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
    least: Option<Least>,
    /// ntp − ts/rate.
    report: Option<i128>,
}

/// Least value of the current and of the previous window.
#[derive(Clone, Debug)]
struct Least {
    since: Instant,
    current: i128,
    previous: i128,
}

impl SenderClock {
    /// A clock that knows nothing yet; `now` is any moment near.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { epoch: now, audio: Stream::default(), video: Stream::default() }
    }

    /// A packet has come. Retransmitted ones do not count, they come late.
    pub fn handle_packet(&mut self, now: Instant, kind: MediaKind, timestamp: MediaTime) {
        let offset = self.local_ns(now) - media_ns(timestamp);
        let stream = self.stream_mut(kind);
        let leapt = stream.least.as_ref().is_some_and(|least| (offset - least.value()).abs() > LEAP_NS);
        if leapt {
            *stream = Stream::default();
        }
        match &mut stream.least {
            Some(least) => least.add(now, offset),
            None => stream.least = Some(Least { since: now, current: offset, previous: offset }),
        }
    }

    /// A sender report pairs the sender's clock with a stream's timestamp (extended near those received).
    pub fn handle_report(&mut self, kind: MediaKind, ntp: NtpTime, timestamp: MediaTime) {
        let said = ntp_ns(ntp) - media_ns(timestamp);
        let report = &mut self.stream_mut(kind).report;
        *report = match *report {
            Some(before) if (said - before).abs() < SMOOTH_NS => Some(before + (said - before) / SMOOTHING),
            Some(_) | None => Some(said),
        };
    }

    /// The moment this sample would have arrived over the fastest path. `None` before the stream's first packet.
    #[must_use]
    pub fn local(&self, kind: MediaKind, timestamp: MediaTime) -> Option<Instant> {
        let own = self.stream(kind);
        let other = self.stream(match kind {
            MediaKind::Audio => MediaKind::Video,
            MediaKind::Video => MediaKind::Audio,
        });
        let arrival = own.least.as_ref()?.value();
        let offset = match (own.report, other.report.zip(other.least.as_ref())) {
            (Some(own_report), Some((other_report, other_least))) => {
                let by_other = own_report + other_least.value() - other_report;
                if (by_other - arrival).abs() <= MAX_SKEW_NS { arrival.min(by_other) } else { arrival }
            }
            (Some(_), None) | (None, _) => arrival,
        };
        let ns = media_ns(timestamp) + offset;
        let distance = Duration::from_nanos(u64::try_from(ns.unsigned_abs()).ok()?);
        if ns < 0 { self.epoch.checked_sub(distance) } else { self.epoch.checked_add(distance) }
    }

    fn stream(&self, kind: MediaKind) -> &Stream {
        match kind {
            MediaKind::Audio => &self.audio,
            MediaKind::Video => &self.video,
        }
    }

    fn stream_mut(&mut self, kind: MediaKind) -> &mut Stream {
        match kind {
            MediaKind::Audio => &mut self.audio,
            MediaKind::Video => &mut self.video,
        }
    }

    fn local_ns(&self, at: Instant) -> i128 {
        let after = at.saturating_duration_since(self.epoch).as_nanos().cast_signed();
        after - self.epoch.saturating_duration_since(at).as_nanos().cast_signed()
    }
}

impl Least {
    fn add(&mut self, now: Instant, offset: i128) {
        if now.saturating_duration_since(self.since) >= WINDOW {
            self.since = now;
            self.previous = self.current;
            self.current = offset;
        }
        self.current = self.current.min(offset);
    }

    fn value(&self) -> i128 {
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
}
