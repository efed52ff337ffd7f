//! How much a leg may send, and when: one [`Bandwidth`] and one [`Pacer`] per leg, one [`allocate`] over its streams.
//!
//! in:  packets as they are sent; transport-wide feedback, REMB, receiver reports; what the leg could use
//! out: an estimate; bytes of padding to be sent for a probe; packets when their time has come
//!
//! ```text
//!  sent ─► History ─┐                        ┌─► DelayDetector ─► RateControl ─┐
//!  feedback ────────┴─► what came, and when ─┼─► Acknowledged ─────────────────┤─► least ─► estimate ─► allocate
//!                                            ├─► LossControl ──────────────────┤               │
//!                                            └─► Prober ─── proven rates ──────┘               └─► Pacer
//! ```
//!
//! Time comes in as an argument; after warm-up nothing is allocated per packet or report. Without feedback nothing is
//! known and nothing is limited: [`Bandwidth::estimate`] is `None`.

mod acknowledged;
mod aimd;
pub mod allocate;
mod delay;
mod history;
mod loss;
mod pacer;
mod probe;

use std::time::{Duration, Instant};

use self::acknowledged::Acknowledged;
use self::aimd::{RateControl, Signals};
use self::delay::{DelayDetector, Usage};
use self::history::History;
pub use self::history::Kind;
use self::loss::{LossControl, Seen};
pub use self::pacer::{Offered, Pacer, TICK};
use self::probe::{Need, Prober};
use crate::rtcp::TransportCc;
use crate::units::Bitrate;

/// Where the estimate begins. The first probe, three times this, is measured within a round trip.
const START: Bitrate = Bitrate::kbps(600);
/// Losses in receiver reports begin to lower the rate from here, or from more when more is sent.
const REPORTS_LEAST: Bitrate = Bitrate::kbps(1200);
/// Below this only sound is left.
const LEAST: f64 = 30_000.0;
const MOST: f64 = 100_000_000.0;
/// Round trip until one is known.
const DEFAULT_RTT: Duration = Duration::from_millis(100);
/// More than this above what the leg could use is of no use: reserve for a picture larger than usual, and for the step
/// that the allocator wants to be sure of.
const USEFUL: f64 = 1.3;
/// A queue longer than this is drained: less than the estimate is sent until it is short again …
const QUEUE_MS: f64 = 50.0;
/// … the less the longer it is; with this much only the least part.
const QUEUE_FULL_MS: f64 = 500.0;
/// A queue this long, or losses this far above the link's own, are no single burst.
const SEVERE_MS: f64 = 80.0;
const SEVERE_LOSS: f64 = 0.1;
const DRAIN_LEAST: f64 = 0.5;
/// A queue is ours to drain this long after the path forced the rate down.
const DRAIN_US: i64 = 5_000_000;
/// Less than this part of the rate, for so long, makes no queue.
const QUIET: f64 = 0.75;
const QUIET_US: i64 = 1_000_000;
/// Packets sent and no report for this long beyond two round trips: the path is down, or too narrow for anything.
const SILENCE_US: i64 = 600_000;
const SILENCE_PACKETS: u32 = 10;
const SILENCE_FACTOR: f64 = 0.7;
/// The 24 bits of the reference time wrap after this many microseconds.
const CLOCK_WRAP_US: i64 = 64_000 << 24;

/// What a leg could make use of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// Everything it wants at its best.
    pub most: Bitrate,
    /// What the next step up needs, when the allocator waits for it.
    pub next: Option<Bitrate>,
}

/// See the module.
#[derive(Debug)]
pub struct Bandwidth {
    epoch: Instant,
    history: History,
    delay: DelayDetector,
    acknowledged: Acknowledged,
    control: RateControl,
    loss: LossControl,
    prober: Prober,
    demand: Demand,
    source: Source,
    remb: Option<f64>,
    rtt: Option<Duration>,
    /// Rate of what is sent, for peers that do not say what arrives.
    sent: SentRate,
    clock_us: Option<i64>,
    reported_us: i64,
    quiet_since_us: Option<i64>,
    unanswered: u32,
}

/// What is known of the path comes from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Nothing,
    Reports,
    TransportCc,
}

impl Bandwidth {
    /// A leg that has sent nothing yet.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            epoch: now,
            history: History::new(),
            delay: DelayDetector::new(),
            acknowledged: Acknowledged::default(),
            control: RateControl::new(to_f64(START)),
            loss: LossControl::new(),
            prober: Prober::new(),
            demand: Demand::default(),
            source: Source::Nothing,
            remb: None,
            rtt: None,
            sent: SentRate::default(),
            clock_us: None,
            reported_us: 0,
            quiet_since_us: None,
            unanswered: 0,
        }
    }

    /// What the leg could use from now on.
    pub fn set_demand(&mut self, demand: Demand) {
        self.demand = demand;
    }

    /// A packet of `size` bytes, as on the wire without IP and UDP, has left under this transport-wide number.
    pub fn on_sent(&mut self, now: Instant, number: Option<u16>, size: usize, kind: Kind) {
        let now_us = self.micros(now);
        if kind != Kind::Padding {
            self.sent.add(now_us, size);
        }
        let Some(number) = number else { return };
        self.unanswered = self.unanswered.saturating_add(1);
        self.history.on_sent(now_us, number, size, self.prober.cluster());
        self.prober.on_sent(now_us, size);
    }

    /// The peer tells when packets came.
    pub fn on_feedback(&mut self, now: Instant, feedback: &TransportCc<'_>) {
        let now_us = self.micros(now);
        let mut newest_sent = None;
        let mut clock = None;
        for arrival in feedback.arrivals() {
            let at_us = arrival.at_us.map(|at| *clock.get_or_insert_with(|| self.turns(at)) + at);
            let Some(outcome) = self.history.on_report(arrival.number, at_us) else { continue };
            self.prober.on_outcome(&outcome);
            self.loss.on_packet(outcome.arrived_us.is_some(), outcome.was_lost);
            let Some(arrived) = outcome.arrived_us else { continue };
            newest_sent = newest_sent.max(Some(outcome.sent_us));
            self.acknowledged.on_arrival(outcome.sent_us, arrived, outcome.size);
            // A probe makes a queue of its own, which says nothing of the media.
            // What was overtaken is not what the queue held up.
            if outcome.cluster.is_none() && !outcome.was_lost {
                self.delay.on_arrival(outcome.sent_us, arrived);
            }
        }
        self.loss.on_report_end();
        let Some(newest_sent) = newest_sent else { return };
        self.source = Source::TransportCc;
        self.reported_us = now_us;
        self.unanswered = 0;
        if self.rtt.is_none() {
            // Until a receiver report tells it: with the time that the report was held.
            self.rtt = u64::try_from(now_us - newest_sent).ok().map(Duration::from_micros);
        }
        self.decide(now_us);
    }

    /// Whole turns of the peer's clock to be added to a time of 24 bits and some.
    fn turns(&mut self, at_us: i64) -> i64 {
        let last = *self.clock_us.get_or_insert(at_us);
        let turns = (last - at_us + CLOCK_WRAP_US / 2).div_euclid(CLOCK_WRAP_US) * CLOCK_WRAP_US;
        self.clock_us = Some(at_us + turns);
        turns
    }

    fn decide(&mut self, now_us: i64) {
        let acknowledged = self.acknowledged.rate();
        let rtt_us = self.rtt_us();
        let queue = self.delay.queue_ms() > QUEUE_MS / 2.0 + self.delay.noise_us() / 500.0;
        let arriving = acknowledged.unwrap_or(self.rate());
        let is_quiet = arriving < self.rate() * QUIET;
        self.quiet_since_us = self.quiet_since_us.filter(|_| is_quiet).or(is_quiet.then_some(now_us));
        let quiet = self.quiet_since_us.is_some_and(|since| now_us - since > QUIET_US);
        self.delay.set_quiet(quiet);
        // What little an idle leg sends is not what its path carries.
        let sending = self.rate().min((arriving * 1.5).max(self.rate() / 2.0));
        self.loss.update(now_us, &Seen { sending, arriving, rtt_us, queue });
        let signals = Signals {
            usage: self.delay.usage(),
            acknowledged,
            saturated: self.acknowledged.is_saturated(),
            severe: self.delay.queue_ms() > SEVERE_MS || self.loss.excess() > SEVERE_LOSS,
            rtt_us,
            quiet,
            cautious: self.loss.is_cautious(),
        };
        self.control.update(now_us, &signals);
        self.take_proof(now_us);
        let clamped = self.control.rate().clamp(LEAST, MOST);
        if clamped != self.control.rate() {
            self.control.set(now_us, clamped);
        }
    }

    fn need(&self) -> Need {
        Need {
            estimate: self.rate(),
            useful: to_f64(self.demand.most) * USEFUL,
            next: self.demand.next.map(to_f64),
            congested: self.delay.usage() != Usage::Normal || self.is_draining(),
            decreased_us: self.control.decreased_us(),
            noise_us: self.delay.noise_us(),
        }
    }

    /// The most the peer wants to be sent, as it estimates itself.
    pub fn on_remb(&mut self, limit: Bitrate) {
        self.remb = Some(to_f64(limit).max(LEAST));
        if self.source == Source::Nothing {
            self.source = Source::Reports;
        }
    }

    /// A receiver report: all that is known of peers without transport-wide feedback.
    pub fn on_report(&mut self, now: Instant, fraction_lost: u8) {
        if self.source == Source::TransportCc {
            return;
        }
        self.source = Source::Reports;
        let now_us = self.micros(now);
        self.loss.on_report(fraction_lost);
        let rate = self.sent.rate(now_us);
        let sending = (rate * 1.5).max(to_f64(REPORTS_LEAST));
        let seen = Seen { sending, arriving: rate, rtt_us: self.rtt_us(), queue: false };
        self.loss.update(now_us, &seen);
    }

    /// The round trip, from receiver reports.
    pub fn set_rtt(&mut self, rtt: Duration) {
        self.rtt = Some(rtt);
    }

    /// Time has passed: begins a probe when one is called for, and lowers the estimate when nobody answers.
    pub fn on_tick(&mut self, now: Instant) {
        if self.source != Source::TransportCc {
            return;
        }
        let now_us = self.micros(now);
        let patience = SILENCE_US + 2 * self.rtt_us();
        if self.unanswered >= SILENCE_PACKETS && now_us - self.reported_us > patience {
            self.reported_us = now_us - patience / 2;
            self.control.set(now_us, (self.control.rate() * SILENCE_FACTOR).max(LEAST));
            return;
        }
        self.take_proof(now_us);
        self.prober.consider(now_us, &self.need());
    }

    fn take_proof(&mut self, now_us: i64) {
        let need = self.need();
        if let Some(proven) = self.prober.take_proof(now_us, self.rtt_us(), &need) {
            self.control.set(now_us, proven);
            self.loss.on_proof(proven);
        }
    }

    /// Bytes to send now, with repeats or padding, so that a probe goes on; 0 when there is none.
    #[must_use]
    pub fn padding_due(&self, now: Instant) -> usize {
        self.prober.due(self.micros(now))
    }

    /// A probe is being sent: [`Self::padding_due`] is to be asked every [`TICK`].
    #[must_use]
    pub fn is_probing(&self) -> bool {
        self.prober.is_sending()
    }

    /// Probes begun so far.
    #[must_use]
    pub fn probes(&self) -> u64 {
        self.prober.count()
    }

    /// More is known of the path than where the estimate began: a probe was answered, or something forced the estimate down.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        match self.source {
            Source::Nothing => false,
            Source::Reports => true,
            Source::TransportCc => {
                let forced = self.control.decreased_us().is_some() || self.loss.limit().is_some();
                forced || self.prober.is_answered()
            }
        }
    }

    /// What the path carries, in the long run. `None` when nothing is known of it.
    #[must_use]
    pub fn estimate(&self) -> Option<Bitrate> {
        (self.source != Source::Nothing).then(|| bits(self.rate()))
    }

    /// What is to be sent now: the estimate, and less while a queue that we made drains.
    #[must_use]
    pub fn target(&self) -> Option<Bitrate> {
        let part = if self.is_draining() {
            (1.0 - (self.delay.queue_ms() - QUEUE_MS) / QUEUE_FULL_MS).max(DRAIN_LEAST)
        } else {
            1.0
        };
        (self.source != Source::Nothing).then(|| bits((self.rate() * part).max(LEAST)))
    }

    /// Part of the packets that do not arrive.
    #[must_use]
    pub fn loss(&self) -> f64 {
        self.loss.average()
    }

    /// Bytes that fly.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.history.in_flight()
    }

    fn is_draining(&self) -> bool {
        let recently = |at: i64| self.reported_us - at < DRAIN_US;
        self.delay.queue_ms() > QUEUE_MS && self.control.decreased_us().is_some_and(recently)
    }

    fn rate(&self) -> f64 {
        let delay = match self.source {
            Source::TransportCc => self.control.rate(),
            Source::Nothing | Source::Reports => MOST,
        };
        [self.loss.limit(), self.remb].into_iter().flatten().fold(delay, f64::min).max(LEAST)
    }

    fn rtt_us(&self) -> i64 {
        i64::try_from(self.rtt.unwrap_or(DEFAULT_RTT).as_micros()).unwrap_or(i64::MAX)
    }

    fn micros(&self, now: Instant) -> i64 {
        i64::try_from(now.saturating_duration_since(self.epoch).as_micros()).unwrap_or(i64::MAX)
    }
}

/// What was sent, averaged over about a second.
#[derive(Debug, Default)]
struct SentRate {
    bits: f64,
    at_us: i64,
}

impl SentRate {
    fn add(&mut self, now_us: i64, size: usize) {
        self.fade(now_us);
        self.bits += size as f64 * 8.0;
    }

    fn rate(&mut self, now_us: i64) -> f64 {
        self.fade(now_us);
        self.bits
    }

    fn fade(&mut self, now_us: i64) {
        self.bits *= (-((now_us - self.at_us) as f64) / 1e6).exp();
        self.at_us = now_us;
    }
}

fn to_f64(rate: Bitrate) -> f64 {
    rate.0 as f64
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between LEAST and MOST")]
fn bits(rate: f64) -> Bitrate {
    Bitrate(rate as u64)
}
