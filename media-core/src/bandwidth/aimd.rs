//! The rate that the path's delay allows: up while no queue grows, down to what arrives when one does.
//!
//! in:  [`Usage`], the acknowledged rate, the round trip
//! out: a rate
//!
//! ```text
//!              over: × 0.85 of what arrives                 under: hold, the queue drains
//!   Increase ────────────────────────────► Hold ◄──────────────────────────── any
//!      ▲  near the capacity: a packet per round trip;  │ normal
//!      │  else 8 % per second                          │
//!      └───────────────────────────────────────────────┘
//! ```
//!
//! draft-ietf-rmcat-gcc-02 §5.5. Near the rate of the latest overuse the increase is additive, so the rate settles there
//! instead of swinging around it. Without proof nothing rises: at most a fifth more than what arrives.

use super::delay::Usage;

const DECREASE: f64 = 0.85;
/// One step does not go further down than to this part, as long as the queue is short.
const MILD: f64 = 0.6;
/// Less than this part of the rate is next to nothing.
const IDLE: f64 = 0.35;
/// Growth per second far from the capacity.
const GROWTH: f64 = 1.08;
/// The rate may be this much above what arrives: room for a picture larger than usual. More has to be proven by a probe.
const AHEAD: f64 = 1.2;
const AHEAD_BPS: f64 = 5_000.0;
/// Growth per second near the capacity is at least this.
const LEAST_GROWTH_BPS: f64 = 4_000.0;
/// A packet of a picture, in bits.
const PACKET_BITS: f64 = 9_600.0;
/// Between two decreases: a round trip, within these bounds, for the first one to be seen.
const SPACING_US: (i64, i64) = (100_000, 300_000);
/// Time after a decrease is seen at the detector, beyond the round trip.
const REACTION_US: i64 = 100_000;

/// See the module.
#[derive(Debug)]
pub(super) struct RateControl {
    rate: f64,
    state: State,
    capacity: Option<Capacity>,
    decreased_us: Option<i64>,
    updated_us: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Hold,
    Increase,
}

/// Where overuse began, smoothed, and how much that varies, relative to it.
#[derive(Clone, Copy, Debug)]
struct Capacity {
    rate: f64,
    variance: f64,
}

/// What the rate follows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signals {
    pub(super) usage: Usage,
    /// What arrives, bits per second, when known.
    pub(super) acknowledged: Option<f64>,
    /// The path passes no more than what arrives now.
    pub(super) saturated: bool,
    /// The queue is long, or overflows.
    pub(super) severe: bool,
    pub(super) rtt_us: i64,
    /// For a while less has been sent than the path carries.
    pub(super) quiet: bool,
    /// Losses forbid more than small steps.
    pub(super) cautious: bool,
}

impl Signals {
    /// So little is sent that what looks like a queue is none of ours.
    fn is_idle(&self, rate: f64) -> bool {
        let little = self.acknowledged.is_some_and(|arriving| arriving < rate * IDLE);
        little && self.quiet && !self.saturated && !self.severe && !self.cautious
    }
}

impl RateControl {
    pub(super) fn new(rate: f64) -> Self {
        Self { rate, state: State::Increase, capacity: None, decreased_us: None, updated_us: None }
    }

    pub(super) fn rate(&self) -> f64 {
        self.rate
    }

    /// When the path last forced the rate down.
    pub(super) fn decreased_us(&self) -> Option<i64> {
        self.decreased_us
    }

    /// A probe, or another judge, has shown this rate.
    pub(super) fn set(&mut self, now_us: i64, rate: f64) {
        if self.capacity.is_some_and(|capacity| rate > capacity.upper()) {
            self.capacity = None;
        }
        self.rate = rate;
        self.updated_us = Some(now_us);
    }

    /// Gives true when the path forced the rate down.
    pub(super) fn update(&mut self, now_us: i64, signals: &Signals) -> bool {
        let elapsed = self.updated_us.map_or(0, |before| now_us - before).clamp(0, 1_000_000);
        self.updated_us = Some(now_us);
        match signals.usage {
            // Who sends that little made no queue; unless the path has become so narrow that even this fills it.
            Usage::Over if signals.is_idle(self.rate) => self.state = State::Hold,
            Usage::Over => {
                self.state = State::Hold;
                return self.decrease(now_us, signals);
            }
            Usage::Under => self.state = State::Hold,
            Usage::Normal if self.state == State::Hold => self.state = State::Increase,
            Usage::Normal => self.increase(elapsed, signals),
        }
        false
    }

    fn decrease(&mut self, now_us: i64, signals: &Signals) -> bool {
        let spacing = signals.rtt_us.clamp(SPACING_US.0, SPACING_US.1);
        if self.decreased_us.is_some_and(|before| now_us - before < spacing) {
            return false;
        }
        let Some(arriving) = signals.acknowledged else {
            self.decreased_us = Some(now_us);
            self.rate *= DECREASE;
            return true;
        };
        // An idle leg sends less than the path could take. Only when the path is seen to be full is what arrives its
        // capacity; else some jitter looked like a queue, and the leg's rate is lowered, not forgotten.
        let capacity = if signals.saturated { arriving } else { arriving.max(self.rate) };
        if signals.saturated {
            self.learn(arriving);
        }
        // A short queue may be a single burst, and what arrives then an average of it and of the calm before.
        let least = if signals.severe { 0.0 } else { self.rate * MILD };
        // … and what an idle leg gets through without filling it, it carries.
        let idle = !signals.saturated && arriving < self.rate * DECREASE;
        let carried = if idle { arriving } else { 0.0 };
        let lowered = (capacity * DECREASE).max(least).max(carried);
        self.decreased_us = Some(now_us);
        if lowered < self.rate {
            self.rate = lowered;
            return true;
        }
        false
    }

    fn learn(&mut self, sample: f64) {
        let capacity = match self.capacity {
            Some(known) if sample >= known.lower() && sample <= known.upper() => {
                let off = (sample - known.rate) / known.rate.max(1.0);
                Capacity {
                    rate: known.rate + 0.05 * (sample - known.rate),
                    variance: (0.95 * known.variance + 0.05 * off * off).clamp(0.0004, 0.01),
                }
            }
            Some(_) | None => Capacity { rate: sample, variance: 0.0025 },
        };
        self.capacity = Some(capacity);
    }

    fn increase(&mut self, elapsed_us: i64, signals: &Signals) {
        let (elapsed, response) =
            (elapsed_us as f64 / 1e6, (signals.rtt_us + REACTION_US).clamp(0, 2_000_000) as f64 / 1e6);
        if let Some((capacity, arriving)) = self.capacity.zip(signals.acknowledged)
            && arriving > capacity.upper()
        {
            self.capacity = None; // the path has become wider
        }
        let near = self.capacity.is_some();
        let raised = if near || signals.cautious {
            self.rate + (PACKET_BITS / response).max(LEAST_GROWTH_BPS) * elapsed
        } else {
            self.rate * GROWTH.powf(elapsed)
        };
        let proven = signals.acknowledged.map_or(self.rate, |arriving| arriving * AHEAD + AHEAD_BPS);
        self.rate = self.rate.max(raised.min(proven));
    }
}

impl Capacity {
    /// Three deviations.
    fn upper(self) -> f64 {
        self.rate * (1.0 + 3.0 * self.variance.sqrt())
    }

    fn lower(self) -> f64 {
        self.rate * (1.0 - 3.0 * self.variance.sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NORMAL: Signals = Signals {
        usage: Usage::Normal,
        acknowledged: Some(1e6),
        saturated: false,
        severe: false,
        rtt_us: 50_000,
        quiet: false,
        cautious: false,
    };

    fn seconds(control: &mut RateControl, from: i64, seconds: i64, signals: &Signals) {
        for n in 0..seconds * 20 {
            control.update(from + n * 50_000, signals);
        }
    }

    #[test]
    fn rises_by_what_is_proven_and_no_further() {
        let mut control = RateControl::new(1e6);
        seconds(&mut control, 0, 3, &NORMAL);
        assert!((1.2e6..1.21e6).contains(&control.rate()), "{}", control.rate());
        seconds(&mut control, 3_000_000, 60, &NORMAL);
        assert!((control.rate() - 1.205e6).abs() < 1.0, "{}", control.rate());
        // Idle: what arrives proves nothing, and nothing is taken back.
        seconds(&mut control, 63_000_000, 60, &Signals { acknowledged: Some(30_000.0), ..NORMAL });
        assert!((control.rate() - 1.205e6).abs() < 1.0, "{}", control.rate());
    }

    #[test]
    fn falls_to_what_arrives_when_the_path_is_full_and_settles_there() {
        let mut control = RateControl::new(5e6);
        let full =
            Signals { usage: Usage::Over, acknowledged: Some(5e5), saturated: true, severe: true, ..NORMAL };
        assert!(control.update(0, &full));
        assert!((control.rate() - 4.25e5).abs() < 1.0);
        assert!(!control.update(50_000, &full), "the first decrease is not seen yet");
        seconds(&mut control, 1_000_000, 2, &Signals { acknowledged: Some(4.25e5), ..NORMAL });
        let settled = control.rate();
        assert!((4.9e5..5.8e5).contains(&settled), "a packet per response: {settled}");
        // Jitter on an idle leg lowers the rate, but not to the trickle that is sent.
        let idle = Signals { acknowledged: Some(3e4), saturated: false, ..full };
        assert!(control.update(4_000_000, &idle));
        assert!((control.rate() - settled * 0.85).abs() < 1.0);
    }
}
