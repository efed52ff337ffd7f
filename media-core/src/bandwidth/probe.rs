//! Measures what the path could carry beyond what is sent.
//!
//! in:  the estimate, what could be used, what became of the packets of a probe
//! out: how many bytes to send now for measurement; a proven rate
//!
//! A probe sends for some milliseconds at a higher rate, with repeats or padding beside the media. One is on its way at a
//! time; when what was aimed at arrives, the next aims at twice of it. When it does not, the next one waits longer.
//!
//! ```text
//!  Idle ── wanted, not too soon ──► Sending ── enough ──► Waiting ── all or time out ──► Idle, or Sending again
//! ```

use std::num::NonZeroU8;

use super::history::Outcome;

/// Length of a probe. At low rates five packets take longer; where the network is restless it is so many times its noise, for
/// what is measured is when the first and the last packet come.
const LENGTH_US: (i64, i64) = (15_000, 120_000);
const NOISES: f64 = 5.0;
const LEAST_PACKETS: u32 = 5;
/// It is looked after so often.
const TURN_US: i64 = 5_000;
/// A probe that could not be sent by then, for want of turns, is given up.
const SENDING_MAX_US: i64 = 250_000;
/// Reports are waited for this long beyond the round trip.
const REPORT_US: i64 = 300_000;
/// Part of a probe that must arrive for it to count.
const ARRIVED: f64 = 0.7;
/// Arriving at less than this part of the rate it was sent at, it met the limit of the path …
const STRETCHED: f64 = 0.9;
/// … and then a little less than that limit is used.
const BELOW_LIMIT: f64 = 0.95;
/// A probe that reached this part of its aim is followed by the next.
const GO_ON: f64 = 0.7;
/// Aims relative to the estimate: where little is at stake, and else.
const BOLD: f64 = 3.0;
const LATER: f64 = 2.0;
/// Up to this estimate a probe of three times as much is no more than some packets; the first one, too.
const BOLD_UP_TO: f64 = 500_000.0;
/// Between a probe that proved nothing and the next: grows from the first to the second.
const PAUSE_US: (i64, i64) = (1_000_000, 3_500_000);
/// After one whose packets were lost.
const AFTER_LOSS_US: i64 = 700_000;
/// After the path has forced the rate down a probe would only make its queue longer.
const AFTER_DECREASE_US: i64 = 1_500_000;
/// Arrivals at once would prove an infinite rate.
const LEAST_SPAN_US: i64 = 1_000;

/// See the module.
#[derive(Debug)]
pub(super) struct Prober {
    state: State,
    numbered: NonZeroU8,
    begun: bool,
    answered: bool,
    pause_us: i64,
    not_before_us: i64,
    sent: u64,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Idle,
    Sending(Cluster),
    Waiting(Cluster),
}

/// One probe.
#[derive(Clone, Copy, Debug)]
struct Cluster {
    id: NonZeroU8,
    rate: f64,
    begun_us: i64,
    ended_us: i64,
    length_us: i64,
    bytes: usize,
    packets: u32,
    came: Came,
}

#[derive(Clone, Copy, Debug, Default)]
struct Came {
    bytes: usize,
    packets: u32,
    reported: u32,
    first_sent: i64,
    last_sent: i64,
    last_sent_size: usize,
    first_arrived: i64,
    first_arrived_size: usize,
    last_arrived: i64,
}

/// Whether and how far to probe.
#[derive(Clone, Copy, Debug)]
pub(super) struct Need {
    /// The estimate now.
    pub(super) estimate: f64,
    /// More would not be used.
    pub(super) useful: f64,
    /// What the allocator waits for, if anything.
    pub(super) next: Option<f64>,
    /// A queue grows, or drains.
    pub(super) congested: bool,
    pub(super) decreased_us: Option<i64>,
    /// How restless the network is.
    pub(super) noise_us: f64,
}

impl Prober {
    pub(super) fn new() -> Self {
        Self {
            state: State::Idle,
            numbered: NonZeroU8::MIN,
            begun: false,
            answered: false,
            pause_us: PAUSE_US.0,
            not_before_us: 0,
            sent: 0,
        }
    }

    /// Probes begun.
    pub(super) fn count(&self) -> u64 {
        self.sent
    }

    /// One of them has ended.
    pub(super) fn is_answered(&self) -> bool {
        self.answered
    }

    /// The probe that packets sent now belong to.
    pub(super) fn cluster(&self) -> Option<NonZeroU8> {
        match self.state {
            State::Sending(cluster) => Some(cluster.id),
            State::Idle | State::Waiting(_) => None,
        }
    }

    pub(super) fn is_sending(&self) -> bool {
        self.cluster().is_some()
    }

    /// Begins a probe when one is needed and allowed.
    pub(super) fn consider(&mut self, now_us: i64, need: &Need) {
        match self.state {
            State::Sending(cluster) if now_us - cluster.begun_us > SENDING_MAX_US => {
                // Nobody sends it: there is no stream for padding.
                self.state = State::Idle;
                self.answered = true;
                self.not_before_us = now_us + PAUSE_US.1;
            }
            State::Idle => {}
            State::Sending(_) | State::Waiting(_) => return,
        }
        let too_soon = now_us < self.not_before_us
            || need.decreased_us.is_some_and(|before| now_us - before < AFTER_DECREASE_US);
        if too_soon || need.congested || need.estimate >= need.useful {
            return;
        }
        let bold = !self.begun || need.estimate < BOLD_UP_TO;
        let aim = need.next.map_or(0.0, |next| next.min(need.estimate * BOLD)).max(aim(need.estimate, bold));
        self.begin(now_us, aim.min(need.useful), need.noise_us);
    }

    fn begin(&mut self, now_us: i64, rate: f64, noise_us: f64) {
        #[allow(clippy::cast_possible_truncation, reason = "a mean of delays")]
        let length_us = ((noise_us * NOISES) as i64).clamp(LENGTH_US.0, LENGTH_US.1);
        self.begun = true;
        self.sent += 1;
        self.numbered = NonZeroU8::new(self.numbered.get().wrapping_add(1)).unwrap_or(NonZeroU8::MIN);
        self.state = State::Sending(Cluster {
            id: self.numbered,
            rate,
            begun_us: now_us,
            ended_us: now_us,
            length_us,
            bytes: 0,
            packets: 0,
            came: Came::default(),
        });
    }

    /// Bytes to send now so that the probe keeps its rate.
    pub(super) fn due(&self, now_us: i64) -> usize {
        match self.state {
            State::Sending(cluster) => cluster.due(now_us),
            State::Idle | State::Waiting(_) => 0,
        }
    }

    /// A packet was sent, of whatever kind.
    pub(super) fn on_sent(&mut self, now_us: i64, size: usize) {
        let State::Sending(cluster) = &mut self.state else { return };
        cluster.bytes += size;
        cluster.packets += 1;
        cluster.ended_us = now_us;
        if cluster.is_whole(now_us) {
            self.state = State::Waiting(*cluster);
        }
    }

    /// What became of a packet of a probe.
    pub(super) fn on_outcome(&mut self, outcome: &Outcome) {
        let (State::Waiting(cluster) | State::Sending(cluster)) = &mut self.state else { return };
        if outcome.cluster == Some(cluster.id) {
            cluster.came.add(outcome);
        }
    }

    /// Gives the rate a probe has proven, once; `next` is begun at once when it went well.
    pub(super) fn take_proof(&mut self, now_us: i64, rtt_us: i64, need: &Need) -> Option<f64> {
        let State::Waiting(cluster) = self.state else { return None };
        let all = cluster.came.reported >= cluster.packets;
        if !all && now_us - cluster.ended_us < rtt_us + REPORT_US {
            return None;
        }
        self.state = State::Idle;
        self.answered = true;
        let proven = cluster.proven();
        if proven.is_none() && cluster.came.packets < cluster.packets {
            self.not_before_us = now_us + AFTER_LOSS_US; // losses spoilt it: nothing was learnt
            return None;
        }
        if proven.is_none_or(|rate| rate < need.estimate * 1.05) || need.congested {
            self.not_before_us = now_us + self.pause_us;
            self.pause_us = (self.pause_us * 3 / 2).min(PAUSE_US.1);
            return None;
        }
        self.pause_us = PAUSE_US.0;
        let rate = proven?;
        if rate > cluster.rate * GO_ON && rate < need.useful {
            self.begin(now_us, aim(rate, rate < BOLD_UP_TO).min(need.useful), need.noise_us);
        } else {
            self.not_before_us = now_us + self.pause_us;
        }
        Some(rate)
    }
}

fn aim(rate: f64, bold: bool) -> f64 {
    rate * if bold { BOLD } else { LATER }
}

impl Cluster {
    fn is_whole(&self, now_us: i64) -> bool {
        self.packets >= LEAST_PACKETS
            && now_us - self.begun_us >= self.length_us
            && self.bytes >= self.target()
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded by the useful rate")]
    fn target(&self) -> usize {
        (self.rate / 8.0 * self.length_us as f64 / 1e6) as usize
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded by the useful rate")]
    fn due(&self, now_us: i64) -> usize {
        // What is due until the next turn goes now.
        let by_then = self.rate / 8.0 * (now_us - self.begun_us + TURN_US) as f64 / 1e6;
        (by_then as usize).saturating_sub(self.bytes)
    }

    fn proven(&self) -> Option<f64> {
        let came = &self.came;
        if f64::from(came.packets) < f64::from(self.packets) * ARRIVED || came.packets < LEAST_PACKETS - 1 {
            return None;
        }
        let sending = came.last_sent - came.first_sent;
        let arriving = came.last_arrived - came.first_arrived;
        if sending < LEAST_SPAN_US || arriving < LEAST_SPAN_US {
            return None;
        }
        // The last turn's packets, and the first one that came, only mark the ends.
        let sent = came.bytes.saturating_sub(came.last_sent_size) as f64 * 8e6 / sending as f64;
        let arrived = came.bytes.saturating_sub(came.first_arrived_size) as f64 * 8e6 / arriving as f64;
        if arrived > sent * 2.0 {
            return None; // the network held them back and let them go together
        }
        Some(if arrived < sent * STRETCHED { arrived * BELOW_LIMIT } else { sent.min(arrived) })
    }
}

impl Came {
    fn add(&mut self, outcome: &Outcome) {
        self.reported += u32::from(!outcome.was_lost);
        let Some(arrived) = outcome.arrived_us else { return };
        if self.packets == 0 || outcome.sent_us < self.first_sent {
            self.first_sent = outcome.sent_us;
        }
        if self.packets > 0 && outcome.sent_us == self.last_sent {
            self.last_sent_size += outcome.size; // all that one turn sent
        } else if self.packets == 0 || outcome.sent_us > self.last_sent {
            (self.last_sent, self.last_sent_size) = (outcome.sent_us, outcome.size);
        }
        if self.packets == 0 || arrived < self.first_arrived {
            (self.first_arrived, self.first_arrived_size) = (arrived, outcome.size);
        }
        if self.packets == 0 || arrived > self.last_arrived {
            self.last_arrived = arrived;
        }
        self.packets += 1;
        self.bytes += outcome.size;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEED: Need =
        Need { estimate: 3e5, useful: 5e6, next: None, congested: false, decreased_us: None, noise_us: 0.0 };

    #[allow(clippy::cast_possible_truncation, reason = "microseconds of a test")]
    fn passing_us(size: usize, capacity: f64) -> i64 {
        (size as f64 * 8e6 / capacity) as i64
    }

    /// Sends a probe that is under way, over a link of this capacity, and reports on it 50 ms later. Gives the proof.
    fn probe(prober: &mut Prober, now: &mut i64, capacity: f64, need: &Need) -> Option<f64> {
        let (mut free_at, mut outcomes) = (0, Vec::new());
        while let Some(id) = prober.cluster() {
            while prober.due(*now) > 0 && prober.is_sending() {
                let size = prober.due(*now).clamp(200, 1200);
                prober.on_sent(*now, size);
                free_at = (*now).max(free_at) + passing_us(size, capacity);
                let arrived_us = Some(free_at);
                outcomes.push(Outcome {
                    sent_us: *now,
                    size,
                    arrived_us,
                    was_lost: false,
                    cluster: Some(id),
                });
            }
            *now += 5000;
        }
        *now += 50_000;
        outcomes.iter().for_each(|outcome| prober.on_outcome(outcome));
        prober.take_proof(*now, 50_000, need)
    }

    #[test]
    fn climbs_while_what_is_aimed_at_arrives() {
        let (mut prober, mut now, mut need) = (Prober::new(), 0, NEED);
        let mut proofs = Vec::new();
        prober.consider(now, &need);
        while let Some(rate) = probe(&mut prober, &mut now, 2e6, &need) {
            need.estimate = rate;
            proofs.push(rate);
        }
        assert!((8e5..1.2e6).contains(&proofs[0]), "{proofs:?}");
        let last = *proofs.last().unwrap();
        assert!((1.7e6..2.05e6).contains(&last), "{proofs:?}");
        // It met the limit: no more for a while.
        prober.consider(now + 900_000, &need);
        assert!(matches!(prober.state, State::Idle));
        prober.consider(now + 3_500_000, &need);
        assert!(prober.is_sending());
        assert!(prober.count() <= proofs.len() as u64 + 2);
    }

    #[test]
    fn not_while_a_queue_is_there_nor_for_what_nobody_could_use() {
        for need in [
            Need { congested: true, ..NEED },
            Need { useful: 3e5, ..NEED },
            Need { decreased_us: Some(-1_000_000), ..NEED },
        ] {
            let mut prober = Prober::new();
            prober.consider(0, &need);
            assert!(matches!(prober.state, State::Idle), "{need:?}");
        }
        let mut prober = Prober::new();
        prober.consider(0, &Need { useful: 4e5, ..NEED });
        assert!(matches!(prober.state, State::Sending(cluster) if cluster.rate == 4e5));
    }

    #[test]
    fn a_probe_nobody_sends_or_reports_ends() {
        let mut prober = Prober::new();
        prober.consider(0, &NEED);
        prober.consider(300_000, &NEED);
        assert!(matches!(prober.state, State::Idle) && prober.is_answered());
        let mut now = 4_000_000;
        prober.consider(now, &NEED);
        assert_eq!(prober.count(), 2, "begun anew, later");
        while prober.is_sending() {
            prober.on_sent(now, 250);
            now += 5000;
        }
        assert_eq!(prober.take_proof(now + 100_000, 50_000, &NEED), None);
        assert!(matches!(prober.state, State::Waiting(_)));
        assert_eq!(prober.take_proof(now + 400_000, 50_000, &NEED), None);
        assert!(matches!(prober.state, State::Idle));
    }
}
