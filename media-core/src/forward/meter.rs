//! What an encoding takes while it flows, by temporal id.
//!
//! in:  its packets as they come
//! out: its bit rates, also while it rests
//!
//! Who divides a budget has to know what an encoding will take once it flows: not what little of it has come in the moment
//! after it began, nor what is left in the window after it stopped. So the rates of the last whole second of flowing count,
//! smoothed over another, and stay while nothing flows.

use std::time::{Duration, Instant};

use super::source::FLOWS_FOR;
use crate::bandwidth::allocate::{EncodingRates, MAX_TEMPORAL};
use crate::units::Bitrate;

/// Bytes of the last second, in steps of a quarter.
#[derive(Debug, Default)]
pub(super) struct Meter {
    began: Option<Instant>,
    step: u64,
    bytes: [[u64; MAX_TEMPORAL]; STEPS],
    /// Packets have come since then without a break.
    flows_since: Option<Instant>,
    last: Option<Instant>,
    /// Per temporal id and those below, bits per second, smoothed.
    usual: [u64; MAX_TEMPORAL],
    temporal_count: usize,
}

const STEPS: usize = 4;
const STEP: Duration = Duration::from_millis(250);
/// What has flowed for less says nothing of what it takes …
const WHOLE: Duration = Duration::from_secs(1);
/// … except that at the very beginning, a little is more than nothing.
const FIRST: Duration = Duration::from_millis(500);

impl Meter {
    pub(super) fn count(&mut self, now: Instant, temporal: u8, bytes: usize) {
        let began = *self.began.get_or_insert(now);
        if self.last.is_none_or(|last| now.saturating_duration_since(last) >= FLOWS_FOR) {
            self.flows_since = Some(now);
        }
        self.last = Some(now);
        let step = step_of(began, now);
        if step > self.step {
            self.advance(step);
            let least = if self.temporal_count == 0 { FIRST } else { WHOLE };
            if self.flows_since.is_some_and(|since| now.saturating_duration_since(since) >= least) {
                self.learn(now);
            }
        }
        let place = self.bytes.get_mut(index(self.step));
        let temporal = usize::from(temporal).min(MAX_TEMPORAL - 1);
        if let Some(sum) = place.and_then(|step| step.get_mut(temporal)) {
            *sum += bytes as u64;
        }
    }

    /// Nothing before something has flowed for a while.
    pub(super) fn rates(&self) -> EncodingRates {
        let rates = self.usual.map(Bitrate);
        EncodingRates::new(rates.get(..self.temporal_count).unwrap_or_default())
    }

    fn advance(&mut self, to: u64) {
        let passed = to.saturating_sub(self.step).min(STEPS as u64);
        for n in 0..passed {
            if let Some(step) = self.bytes.get_mut(index(to - n)) {
                *step = [0; MAX_TEMPORAL];
            }
        }
        self.step = to;
    }

    fn learn(&mut self, now: Instant) {
        let Some(began) = self.began else { return };
        // The step under way is as long as the time that has passed of it.
        let oldest = self.step.saturating_sub(STEPS as u64 - 1);
        let since = STEP * u32::try_from(oldest).unwrap_or(u32::MAX);
        let span = now.saturating_duration_since(began).saturating_sub(since).max(STEP);
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        let (mut below, mut count) = (0, 0);
        let first = self.usual.iter().all(|rate| *rate == 0);
        for temporal in 0..MAX_TEMPORAL {
            let bytes: u64 = self.bytes.iter().filter_map(|step| step.get(temporal)).sum();
            below += bytes;
            if bytes > 0 {
                count = temporal + 1;
            }
            let rate = below.saturating_mul(8_000_000) / micros;
            if let Some(usual) = self.usual.get_mut(temporal) {
                *usual = if first { rate } else { (*usual * 3 + rate) / 4 };
            }
        }
        self.temporal_count = count;
    }
}

fn step_of(began: Instant, now: Instant) -> u64 {
    let passed = now.saturating_duration_since(began).as_millis() / STEP.as_millis();
    u64::try_from(passed).unwrap_or(u64::MAX)
}

fn index(step: u64) -> usize {
    usize::try_from(step % STEPS as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// 1000 bytes every 10 ms, every fourth of temporal id 0.
    fn flow(meter: &mut Meter, start: Instant, from: u32, to: u32) {
        for ms in (from..to).step_by(10) {
            let temporal = if (ms / 10).is_multiple_of(4) { 0 } else { 1 };
            meter.count(start + MS * ms, temporal, 1000);
        }
    }

    #[test]
    fn knows_what_flows_and_remembers_it() {
        let start = Instant::now();
        let mut meter = Meter::default();
        flow(&mut meter, start, 0, 490);
        assert_eq!(meter.rates(), EncodingRates::default(), "too early to tell");
        flow(&mut meter, start, 490, 3000);
        let whole = meter.rates().whole().0;
        assert!((760_000..840_000).contains(&whole), "{whole}");
        assert_eq!(meter.rates().top(), 1);
        // It rests, and its first packets after that change nothing.
        flow(&mut meter, start, 9000, 9900);
        assert_eq!(meter.rates().whole().0, whole);
        flow(&mut meter, start, 9900, 12_000);
        assert!(meter.rates().whole().0.abs_diff(whole) < 40_000);
    }
}
