//! The rate that the path's losses allow.
//!
//! in:  what came and what did not
//! out: a limit, or none; whether to grow in small steps only
//!
//! A full queue loses because of us, a radio link whatever we do. Losses up to a tenth while there is no queue are taken
//! for the link's; larger ones are told apart by trying: when they stay after the rate was lowered three times, they are the
//! link's too. Only what exceeds the link's own losses counts, and only as far as so few packets can tell: among a hundred,
//! 5 % may as well be 2 or 8.

/// Judged over at least this many packets, and this long.
const LEAST_PACKETS: u32 = 20;
const WINDOW_US: i64 = 250_000;
/// Packets that the average is about: a window has weight by how many it holds.
const MEMORY: f64 = 60.0;
/// Losses push no further: below it there is little but sound, and too few packets to judge by.
const FLOOR: f64 = 80_000.0;
/// Above the link's own losses: this much is nothing, more calls for caution, and, in all above a tenth, for less.
const CALM: f64 = 0.05;
const HIGH: f64 = 0.10;
/// With a queue in front of the link, this much more is its overflow.
const OVERFLOW: f64 = 0.03;
/// … and a little less than what passes is sent, so that it empties.
const BELOW_OVERFLOW: f64 = 0.9;
/// Without a queue the link's own losses are believed to be what is seen, up to a tenth, by this part per window.
const LEARN: f64 = 0.2;
/// Losses that stay at this part of what they were after three decreases are the link's.
const REMAINING: f64 = 0.7;
/// One fall for a queue goes no further down than to this part; more losses than [`HIGH`] leave no doubt.
const MILD: f64 = 0.7;
/// A packet that is reported missing may still come in one of so many reports: then it was only late.
const LATE_REPORTS: usize = 3;
/// Deviations that an excess must have beyond its limit, and packets that the average is worth in that: each window
/// leaves much of those before in it.
const SURE: f64 = 1.65;
const WORTH: f64 = 150.0;
/// Growth of the limit per calm window.
const RELEASE: f64 = 1.05;

/// What the losses are held against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// Bits per second that are sent at the most.
    pub(super) sending: f64,
    /// … and that come.
    pub(super) arriving: f64,
    pub(super) rtt_us: i64,
    /// The delay shows a queue.
    pub(super) queue: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct LossControl {
    window_from: Option<i64>,
    lost: u32,
    /// What the latest reports did not have.
    missing: [u32; LATE_REPORTS],
    total: u32,
    average: Option<f64>,
    /// Of the latest window.
    latest: f64,
    /// What the link loses by itself.
    own: f64,
    limit: Option<f64>,
    decreases: u32,
    /// Losses when the rate was lowered first.
    at_first: f64,
    decreased_us: Option<i64>,
}

impl LossControl {
    pub(super) fn new() -> Self {
        Self {
            window_from: None,
            lost: 0,
            missing: [0; LATE_REPORTS],
            total: 0,
            average: None,
            latest: 0.0,
            own: 0.0,
            limit: None,
            decreases: 0,
            at_first: 0.0,
            decreased_us: None,
        }
    }

    pub(super) fn limit(&self) -> Option<f64> {
        self.limit
    }

    /// Part of the packets that do not arrive.
    pub(super) fn average(&self) -> f64 {
        self.average.unwrap_or(0.0)
    }

    /// What is lost beyond the link's own losses.
    pub(super) fn excess(&self) -> f64 {
        self.average() - self.own
    }

    /// More is lost than the link's own losses explain.
    pub(super) fn is_cautious(&self) -> bool {
        self.excess() > CALM
    }

    /// A packet came, or did not; `late` when it was reported missing before.
    pub(super) fn on_packet(&mut self, came: bool, late: bool) {
        if late {
            if let Some(missing) = self.missing.iter_mut().find(|missing| **missing > 0) {
                *missing -= 1;
            } else {
                self.lost = self.lost.saturating_sub(1);
            }
            return;
        }
        self.total += 1;
        let [newest, ..] = &mut self.missing;
        *newest += u32::from(!came);
    }

    /// A report has ended: what was missing long enough is lost.
    pub(super) fn on_report_end(&mut self) {
        self.missing.rotate_right(1);
        let [newest, ..] = &mut self.missing;
        self.lost += std::mem::take(newest);
    }

    /// The losses of a whole report, for peers that tell no more: in 1/256.
    pub(super) fn on_report(&mut self, fraction_lost: u8) {
        self.total += 256;
        self.lost += u32::from(fraction_lost);
    }

    /// Judges the window when it is full.
    pub(super) fn update(&mut self, now_us: i64, seen: &Seen) {
        let Seen { sending, rtt_us, queue, .. } = *seen;
        let from = *self.window_from.get_or_insert(now_us);
        if self.total < LEAST_PACKETS || now_us - from < WINDOW_US.max(rtt_us) {
            return;
        }
        let loss = f64::from(self.lost) / f64::from(self.total);
        let weight = f64::from(self.total) / (f64::from(self.total) + MEMORY);
        (self.lost, self.total, self.window_from) = (0, 0, Some(now_us));
        let is_first = self.average.is_none();
        let average = self.average.map_or(loss, |before| before + weight * (loss - before));
        self.average = Some(average);
        self.latest = loss;
        if average < self.own {
            self.own += LEARN * (average - self.own);
        } else if !queue && self.own < HIGH {
            let believed = average.min(HIGH);
            self.own = if is_first { believed } else { self.own + LEARN * (believed - self.own) };
        }
        let excess = average - self.own;
        let unsure = SURE * (average * (1.0 - average) / WORTH).sqrt();
        if queue && excess > OVERFLOW + unsure {
            let before = self.limit.map_or(sending, |limit| limit.min(sending));
            let least = if excess > HIGH + unsure { 0.0 } else { before * MILD };
            self.decrease(now_us, seen, (seen.arriving.min(before) * BELOW_OVERFLOW).max(least));
        } else if average > HIGH && excess > CALM.max(unsure) {
            let from = self.limit.map_or(sending, |limit| limit.min(sending));
            self.decrease(now_us, seen, from * (1.0 - 0.5 * excess));
        } else if excess < CALM {
            self.decreases = 0;
            self.limit = self.limit.map(|limit| limit * RELEASE).filter(|limit| *limit < sending * 4.0);
        }
    }

    fn decrease(&mut self, now_us: i64, seen: &Seen, to: f64) {
        if self.decreased_us.is_some_and(|before| now_us - before < 300_000 + seen.rtt_us) {
            return;
        }
        // The average alone would still speak of before.
        let loss = self.average().midpoint(self.latest);
        if self.decreases == 0 {
            self.at_first = loss;
        } else if self.decreases >= 3 && loss > self.at_first * REMAINING {
            self.own = loss;
            self.decreases = 0;
            return;
        }
        self.decreases += 1;
        self.decreased_us = Some(now_us);
        self.limit = Some(to.max(FLOOR));
    }

    /// A probe has passed at this rate.
    pub(super) fn on_proof(&mut self, rate: f64) {
        self.limit = self.limit.filter(|limit| *limit > rate);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEEN: Seen = Seen { sending: 1e6, arriving: 1e6, rtt_us: 0, queue: false };

    /// Ten seconds of 100 packets each at the limit; `loses` says what part is lost at a rate.
    fn run(control: &mut LossControl, loses: impl Fn(f64) -> f64) -> f64 {
        let mut rate = 1e6;
        let mut owed = 0.0;
        for n in 0..1000 {
            owed += loses(rate);
            let lost = owed >= 1.0;
            owed -= f64::from(u8::from(lost));
            control.on_packet(!lost, false);
            control.on_report_end();
            let seen = Seen { sending: rate, arriving: rate, rtt_us: 50_000, queue: false };
            control.update(n * 10_000, &seen);
            rate = control.limit().map_or(1e6, |limit| limit.min(1e6));
        }
        rate
    }

    #[test]
    fn a_tenth_is_left_to_the_delay() {
        for percent in [0.0, 2.0, 5.0, 10.0] {
            let rate = run(&mut LossControl::new(), |_| percent / 100.0);
            assert!(rate > 9.9e5, "{percent} %: {rate}");
        }
    }

    #[test]
    fn losses_that_we_make_are_mended_and_those_of_the_link_are_borne() {
        // A link that passes 500 kbit/s and throws the rest away.
        let rate = run(&mut LossControl::new(), |rate| (1.0 - 5e5 / rate).max(0.0));
        assert!((3.5e5..6.0e5).contains(&rate), "{rate}");
        let rate = run(&mut LossControl::new(), |_| 0.3);
        assert!(rate > 6e5, "{rate}");
    }

    #[test]
    fn what_came_late_was_not_lost() {
        let mut control = LossControl::new();
        for n in 0..100 {
            control.on_packet(false, false);
            control.on_report_end();
            control.on_packet(true, true);
            control.update(n * 10_000, &SEEN);
        }
        assert!(control.average() < 0.05);
        control.on_report(128);
        control.update(10_000_000, &SEEN);
        assert!(control.average() > 0.15);
    }
}
