//! Whether a queue is growing on the way: from how much later each group of packets comes than the one before.
//!
//! in:  when packets were sent and when they came
//! out: [`Usage`] of the path, and how long its queue is now
//!
//! ```text
//! packets ─► groups sent within 5 ms ─► Δ of their least delay ─► smoothed sum ─► slope of a line ─► compared with a
//!                                                                                threshold that follows its noise
//! ```
//!
//! Of a group its quickest packet counts: one that others overtook on the way says nothing of a queue.
//!
//! draft-ietf-rmcat-gcc-02 §5, with a line fitted to the sum of gradients (as browsers do since 2016) where the draft has
//! a Kalman filter: it needs no model of the noise, and finds a slow growth as well as a sudden one.

use std::collections::VecDeque;

/// Packets sent within this time travel as one group; pacers send in such bursts.
const GROUP_US: i64 = 5_000;
/// A burst that the network made: packets that come closer than this, and faster than they were sent.
const BURST_US: i64 = 5_000;
const BURST_MAX_US: i64 = 100_000;
/// A gap beyond this is a leap of a clock, or a new path.
const LEAP_US: i64 = 3_000_000;
/// Points of the line.
const POINTS: usize = 20;
/// Weight of the past in the smoothed sum.
const SMOOTHING: f64 = 0.9;
/// Scale between a slope and the threshold: deltas seen, at most so many, times the gain.
const DELTAS_MAX: f64 = 60.0;
const GAIN: f64 = 4.0;
/// The threshold, milliseconds, and how fast it follows the noise up and down.
const THRESHOLD: f64 = 12.5;
const THRESHOLD_MIN: f64 = 6.0;
const THRESHOLD_MAX: f64 = 600.0;
const FOLLOW_UP: f64 = 0.0087;
const FOLLOW_DOWN: f64 = 0.039;
/// What exceeds the threshold by this much is a spike, not noise.
const SPIKE: f64 = 15.0;
/// Overuse must last this long, milliseconds, and over more than one group.
const OVERUSE_MS: f64 = 10.0;
/// The shortest delay is sought over so many seconds: enough to see an empty queue.
const BASE_SECONDS: usize = 10;
/// Who sends less than the path has shown to carry makes no queue: what delay stays then is the path's, which has changed.
const BASE_SECONDS_QUIET: usize = 2;

/// How the path is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Usage {
    /// A queue is draining.
    Under,
    /// No queue grows.
    Normal,
    /// A queue grows.
    Over,
}

/// See the module.
#[derive(Debug)]
pub(super) struct DelayDetector {
    group: Option<Group>,
    before: Option<Group>,
    trend: Trend,
    threshold: f64,
    threshold_at: Option<i64>,
    over_for: f64,
    over_groups: u32,
    last_slope: f64,
    usage: Usage,
    base: Base,
    is_quiet: bool,
    /// How much later than the quickest packets the latest ones came, smoothed, microseconds.
    queue_us: f64,
    /// Mean size of a gradient, microseconds.
    noise_us: f64,
}

#[derive(Clone, Copy, Debug)]
struct Group {
    first_sent: i64,
    last_sent: i64,
    first_arrived: i64,
    last_arrived: i64,
    /// Of its quickest packet; both clocks are in it.
    least_delay: i64,
}

impl DelayDetector {
    pub(super) fn new() -> Self {
        Self {
            group: None,
            before: None,
            trend: Trend::new(),
            threshold: THRESHOLD,
            threshold_at: None,
            over_for: 0.0,
            over_groups: 0,
            last_slope: 0.0,
            usage: Usage::Normal,
            base: Base::default(),
            is_quiet: false,
            queue_us: 0.0,
            noise_us: 0.0,
        }
    }

    pub(super) fn usage(&self) -> Usage {
        self.usage
    }

    /// Length of the queue, milliseconds: delay beyond the least seen lately.
    pub(super) fn queue_ms(&self) -> f64 {
        self.queue_us / 1000.0
    }

    /// How much later or earlier a group comes than it was sent, on average, microseconds.
    pub(super) fn noise_us(&self) -> f64 {
        self.noise_us
    }

    /// For a while less has been sent than the path carries.
    pub(super) fn set_quiet(&mut self, is_quiet: bool) {
        self.is_quiet = is_quiet;
    }

    /// One packet, in the order of sending.
    pub(super) fn on_arrival(&mut self, sent: i64, arrived: i64) {
        let Some(group) = &mut self.group else {
            self.group = Some(Group::of(sent, arrived));
            return;
        };
        if sent < group.first_sent {
            return; // reordered on the way: its group is over
        }
        if group.takes(sent, arrived) {
            group.last_sent = group.last_sent.max(sent);
            group.last_arrived = group.last_arrived.max(arrived);
            group.least_delay = group.least_delay.min(arrived - sent);
            return;
        }
        let whole = *group;
        *group = Group::of(sent, arrived);
        if let Some(before) = self.before.replace(whole) {
            self.on_groups(before, whole);
        }
    }

    fn on_groups(&mut self, before: Group, group: Group) {
        let sent = group.last_sent - before.last_sent;
        let later = group.least_delay - before.least_delay;
        if later.abs() > LEAP_US {
            *self = Self { is_quiet: self.is_quiet, ..Self::new() };
            return;
        }
        let seconds = if self.is_quiet { BASE_SECONDS_QUIET } else { BASE_SECONDS };
        let excess = group.least_delay - self.base.update(group.last_arrived, group.least_delay, seconds);
        self.queue_us += (to_f64(excess) - self.queue_us) * 0.4;
        self.noise_us += (to_f64(later.abs()) - self.noise_us) * 0.05;
        let slope = self.trend.update(to_f64(group.last_arrived) / 1000.0, to_f64(later) / 1000.0);
        self.detect(slope, to_f64(sent) / 1000.0, group.last_arrived);
    }

    fn detect(&mut self, slope: f64, sent_ms: f64, at: i64) {
        let scaled = slope * self.trend.deltas.min(DELTAS_MAX) * GAIN;
        if scaled > self.threshold {
            // As if it had begun in the middle of the first group.
            self.over_for += if self.over_groups == 0 { sent_ms / 2.0 } else { sent_ms };
            self.over_groups += 1;
            if self.over_for > OVERUSE_MS && self.over_groups > 1 && slope >= self.last_slope {
                self.over_for = 0.0;
                self.over_groups = 0;
                self.usage = Usage::Over;
            }
        } else {
            self.over_for = 0.0;
            self.over_groups = 0;
            self.usage = if scaled < -self.threshold { Usage::Under } else { Usage::Normal };
        }
        self.last_slope = slope;
        self.follow(scaled.abs(), at);
    }

    fn follow(&mut self, scaled: f64, at: i64) {
        let elapsed =
            self.threshold_at.map_or(0.0, |before| (to_f64(at - before) / 1000.0).clamp(0.0, 100.0));
        self.threshold_at = Some(at);
        if scaled > self.threshold + SPIKE {
            return;
        }
        let rate = if scaled < self.threshold { FOLLOW_DOWN } else { FOLLOW_UP };
        let moved = self.threshold + rate * (scaled - self.threshold) * elapsed;
        self.threshold = moved.clamp(THRESHOLD_MIN, THRESHOLD_MAX);
    }
}

impl Group {
    fn of(sent: i64, arrived: i64) -> Self {
        Self {
            first_sent: sent,
            last_sent: sent,
            first_arrived: arrived,
            last_arrived: arrived,
            least_delay: arrived - sent,
        }
    }

    fn takes(&self, sent: i64, arrived: i64) -> bool {
        if sent - self.first_sent <= GROUP_US {
            return true;
        }
        let after = arrived - self.last_arrived;
        // Packets that were overtaken make time run backwards a little; a leap does so for good.
        (-BURST_MAX_US..=BURST_US).contains(&after)
            && after < sent - self.last_sent
            && arrived - self.first_arrived < BURST_MAX_US
    }
}

/// The line through the latest smoothed sums of gradients.
#[derive(Debug)]
struct Trend {
    deltas: f64,
    sum: f64,
    smoothed: f64,
    first_ms: Option<f64>,
    points: VecDeque<(f64, f64)>,
    slope: f64,
}

impl Trend {
    fn new() -> Self {
        Self {
            deltas: 0.0,
            sum: 0.0,
            smoothed: 0.0,
            first_ms: None,
            points: VecDeque::with_capacity(POINTS + 1),
            slope: 0.0,
        }
    }

    /// Takes a gradient in; gives the slope, in milliseconds per millisecond.
    fn update(&mut self, arrived_ms: f64, gradient: f64) -> f64 {
        let first = *self.first_ms.get_or_insert(arrived_ms);
        self.deltas = (self.deltas + 1.0).min(1000.0);
        self.sum += gradient;
        self.smoothed = SMOOTHING * self.smoothed + (1.0 - SMOOTHING) * self.sum;
        self.points.push_back((arrived_ms - first, self.smoothed));
        if self.points.len() > POINTS {
            self.points.pop_front();
        }
        if self.points.len() == POINTS {
            self.slope = self.fit().unwrap_or(self.slope);
        }
        self.slope
    }

    /// Least squares.
    fn fit(&self) -> Option<f64> {
        let count = self.points.len() as f64;
        let (x_sum, y_sum) = self.points.iter().fold((0.0, 0.0), |(xs, ys), (x, y)| (xs + x, ys + y));
        let (x_mean, y_mean) = (x_sum / count, y_sum / count);
        let (mut over, mut under) = (0.0, 0.0);
        for (x, y) in &self.points {
            over += (x - x_mean) * (y - y_mean);
            under += (x - x_mean) * (x - x_mean);
        }
        (under > 0.0).then(|| over / under)
    }
}

/// The shortest one-way delay lately; both clocks are in it, so only differences count.
#[derive(Debug, Default)]
struct Base {
    /// Of each of the latest seconds, the newest first.
    least: [Option<i64>; BASE_SECONDS],
    /// Which second the newest is.
    second: i64,
}

impl Base {
    /// Takes a delay in; gives the least of so many seconds.
    fn update(&mut self, at: i64, delay: i64, seconds: usize) -> i64 {
        let second = at.div_euclid(1_000_000);
        let passed = usize::try_from(second - self.second).unwrap_or(0).min(BASE_SECONDS);
        if passed > 0 {
            self.least.rotate_right(passed);
            self.least.iter_mut().take(passed).for_each(|least| *least = None);
            self.second = second;
        }
        if let Some(newest) = self.least.first_mut() {
            *newest = Some(newest.map_or(delay, |least| least.min(delay)));
        }
        self.least.iter().take(seconds).flatten().copied().min().unwrap_or(delay)
    }
}

/// Microseconds of a call's length are exact in it.
fn to_f64(us: i64) -> f64 {
    us as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet of every 10 ms, each delayed as told; gives usages and the queue.
    fn run(detector: &mut DelayDetector, from: i64, count: i64, delay_us: impl Fn(i64) -> i64) -> Vec<Usage> {
        (from..from + count)
            .map(|n| {
                detector.on_arrival(n * 10_000, 77_000_000 + n * 10_000 + delay_us(n));
                detector.usage()
            })
            .collect()
    }

    #[test]
    fn a_growing_queue_is_overuse_and_a_draining_one_is_underuse() {
        let mut detector = DelayDetector::new();
        let calm = run(&mut detector, 0, 300, |n| (n * 7919 % 5) * 300);
        assert!(calm.iter().all(|usage| *usage == Usage::Normal));
        assert!(detector.queue_ms() < 2.0);
        let growing = run(&mut detector, 300, 60, |n| (n - 300) * 2000);
        assert!(growing.iter().position(|usage| *usage == Usage::Over).unwrap() < 30);
        assert!(detector.queue_ms() > 90.0);
        let draining = run(&mut detector, 360, 60, |n| (420 - n) * 2000);
        assert!(draining.contains(&Usage::Under));
    }

    #[test]
    fn jitter_alone_is_no_overuse_and_a_leap_begins_anew() {
        let mut detector = DelayDetector::new();
        // 0–15 ms at random, without a trend.
        let noisy = run(&mut detector, 0, 2000, |n| (n * 7919 + n * n * 31) % 15_000);
        let over = noisy.iter().filter(|usage| **usage == Usage::Over).count();
        assert!(over < 20, "{over} of 2000");
        run(&mut detector, 2000, 10, |_| -60_000_000);
        let after = run(&mut detector, 2010, 300, |_| -60_000_000);
        assert!(after.iter().all(|usage| *usage == Usage::Normal));
        assert!(detector.queue_ms() < 2.0, "the base is that of the new clock");
    }
}
