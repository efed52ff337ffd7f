//! What really arrives, and whether it arrives slower than it was sent.
//!
//! in:  packets that came
//! out: their bit rate over the last [`WINDOW_US`]; whether the path was saturated meanwhile
//!
//! A ring of buckets by arrival; late ones fall into the latest.

/// Long enough to hold some pictures, short enough to see a fall within a third of a second.
const WINDOW_US: i64 = 300_000;
const BUCKET_US: i64 = 20_000;
const BUCKETS: usize = 16;
/// A rate over less than this says nothing.
const LEAST_US: i64 = 150_000;
/// The path is saturated when what was sent in a time needs this much longer to come.
const STRETCHED: f64 = 1.08;
const STRETCH_LEAST_US: i64 = 10_000;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Acknowledged {
    buckets: [Bucket; BUCKETS],
    /// Number of the latest bucket.
    latest: i64,
    first_us: Option<i64>,
    last_us: i64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    number: i64,
    bytes: u32,
    first_arrived: i64,
    last_arrived: i64,
    first_sent: i64,
    last_sent: i64,
}

impl Acknowledged {
    pub(super) fn on_arrival(&mut self, sent: i64, arrived: i64, size: usize) {
        if self.first_us.is_none_or(|_| (arrived - self.last_us).abs() > 10 * WINDOW_US) {
            // The first one, or the first after a silence, which the rate is not about.
            *self = Self { first_us: Some(arrived), last_us: arrived, latest: i64::MIN, ..Self::default() };
        }
        let number = arrived.div_euclid(BUCKET_US).max(self.latest);
        self.latest = number;
        self.last_us = self.last_us.max(arrived);
        let Some(bucket) = self.buckets.get_mut(place(number)) else { return };
        if bucket.number != number || bucket.bytes == 0 {
            *bucket = Bucket {
                number,
                bytes: 0,
                first_arrived: arrived,
                last_arrived: arrived,
                first_sent: sent,
                last_sent: sent,
            };
        }
        bucket.bytes = bucket.bytes.saturating_add(u32::try_from(size).unwrap_or(u32::MAX));
        bucket.last_arrived = bucket.last_arrived.max(arrived);
        bucket.last_sent = bucket.last_sent.max(sent);
    }

    /// Bits per second.
    pub(super) fn rate(&self) -> Option<f64> {
        let span = (self.last_us - self.first_us?).min(WINDOW_US);
        if span < LEAST_US {
            return None;
        }
        let bytes: u64 = self.recent().map(|bucket| u64::from(bucket.bytes)).sum();
        Some(bytes as f64 * 8e6 / span as f64)
    }

    /// What was sent in a time needed longer than that to come: all along, not by one leap, which is another path's delay.
    pub(super) fn is_saturated(&self) -> bool {
        let from = self.latest.saturating_sub(WINDOW_US / BUCKET_US);
        let mut ends: Option<(Bucket, Bucket)> = None;
        let mut leap = 0;
        for number in from.saturating_add(1)..=self.latest {
            let bucket = self.buckets.get(place(number)).filter(|it| it.number == number && it.bytes > 0);
            let Some(bucket) = bucket.copied() else { continue };
            let before = ends.map_or(bucket, |(_, before)| before);
            let later = (bucket.first_arrived - before.last_arrived) - (bucket.first_sent - before.last_sent);
            leap = leap.max(later);
            ends = Some((ends.map_or(bucket, |(oldest, _)| oldest), bucket));
        }
        let Some((oldest, newest)) = ends else { return false };
        let arriving = newest.last_arrived - oldest.first_arrived - leap;
        let sending = newest.last_sent - oldest.first_sent;
        arriving as f64 > sending as f64 * STRETCHED && arriving - sending > STRETCH_LEAST_US
    }

    fn recent(&self) -> impl Iterator<Item = &Bucket> {
        let from = self.latest.saturating_sub(WINDOW_US / BUCKET_US);
        self.buckets.iter().filter(move |bucket| bucket.bytes > 0 && bucket.number > from)
    }
}

fn place(number: i64) -> usize {
    usize::try_from(number.rem_euclid(i64::try_from(BUCKETS).unwrap_or(1))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_rate_and_tells_saturation() {
        let mut acknowledged = Acknowledged::default();
        assert_eq!(acknowledged.rate(), None);
        for n in 0..100 {
            acknowledged.on_arrival(n * 10_000, -5_000_000 + n * 10_000, 1000);
        }
        let rate = acknowledged.rate().unwrap();
        assert!((rate - 800_000.0).abs() < 60_000.0, "{rate}");
        assert!(!acknowledged.is_saturated());
        // The same, and each one takes twice the time.
        for n in 0..100 {
            acknowledged.on_arrival(1_000_000 + n * 10_000, -4_000_000 + n * 20_000, 1000);
        }
        let rate = acknowledged.rate().unwrap();
        assert!((rate - 400_000.0).abs() < 40_000.0, "{rate}");
        assert!(acknowledged.is_saturated());
        // One leap of the delay is not what a narrow path does.
        let mut leapt = Acknowledged::default();
        for n in 0..40 {
            let delay = if n < 30 { 0 } else { 120_000 };
            leapt.on_arrival(n * 10_000, n * 10_000 + delay, 1000);
            assert!(!leapt.is_saturated(), "{n}");
        }
        // A silence is not a low rate.
        acknowledged.on_arrival(60_000_000, 60_000_000, 1000);
        assert_eq!(acknowledged.rate(), None);
    }
}
