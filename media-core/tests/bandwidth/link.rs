//! A narrow link: a queue in front of it, loss, delay and jitter behind it.

use std::collections::VecDeque;

/// A receiver that stands still does so this often, on average.
const STALLS_EVERY_MS: u64 = 500;

/// xorshift64*: enough for links.
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % n.max(1)
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    /// Both ways together, milliseconds.
    pub(crate) rtt_ms: u64,
    /// Each packet by itself.
    pub(crate) loss_percent: u64,
    /// Up to this much more, without reordering.
    pub(crate) jitter_ms: u64,
    /// The receiver's process stands still now and then, for up to this long.
    pub(crate) stall_ms: u64,
    /// What the queue holds, in time at the capacity of the moment.
    pub(crate) queue_ms: u64,
    pub(crate) seed: u64,
}

pub(crate) struct Link {
    path: Path,
    rng: Rng,
    /// Bytes that may pass now.
    credit: f64,
    queue: VecDeque<(usize, u16)>,
    queued: usize,
    kbps: u64,
    stalled_until: u64,
    /// On the way behind the queue: (arrival in ms, number).
    flying: VecDeque<(u64, u16)>,
    pub(crate) passed: usize,
}

impl Link {
    pub(crate) fn new(path: Path) -> Self {
        let rng = Rng::new(path.seed);
        let (queue, flying) = (VecDeque::new(), VecDeque::new());
        Self { path, rng, credit: 0.0, queue, queued: 0, kbps: 1, stalled_until: 0, flying, passed: 0 }
    }

    pub(crate) fn send(&mut self, size: usize, number: u16) {
        // IP and UDP travel too.
        let size = size + 28;
        if self.rng.below(100) < self.path.loss_percent {
            return;
        }
        // A queue holds some packets, however narrow the link is.
        if self.delay_ms() > self.path.queue_ms as f64 && self.queue.len() > 5 {
            return;
        }
        self.queued += size;
        self.queue.push_back((size, number));
    }

    pub(crate) fn delay_ms(&self) -> f64 {
        self.queued as f64 * 8.0 / self.kbps as f64
    }

    /// Whoever receives stands still from now on no more.
    pub(crate) fn wake(&mut self) {
        self.path.stall_ms = 0;
    }

    fn is_stalled(&mut self, ms: u64) -> bool {
        let begins =
            self.path.stall_ms > 0 && ms > self.stalled_until && self.rng.below(STALLS_EVERY_MS) == 0;
        if begins {
            self.stalled_until = ms + 1 + self.rng.below(self.path.stall_ms);
        }
        ms <= self.stalled_until
    }

    /// A millisecond passes; gives what arrives.
    pub(crate) fn tick(&mut self, ms: u64, kbps: u64) -> Vec<u16> {
        self.kbps = kbps;
        self.credit += kbps as f64 / 8.0;
        while let Some((size, number)) = self.queue.front().copied() {
            if self.credit < size as f64 {
                break;
            }
            self.credit -= size as f64;
            self.queue.pop_front();
            self.queued -= size;
            self.passed += size;
            let jitter = self.rng.below(self.path.jitter_ms + 1);
            let at = ms + self.path.rtt_ms / 2 + jitter;
            let at = self.flying.back().map_or(at, |(before, _)| at.max(*before));
            self.flying.push_back((at, number));
        }
        if self.queue.is_empty() {
            self.credit = self.credit.min(kbps as f64 / 8.0);
        }
        let mut arrived = Vec::new();
        if self.is_stalled(ms) {
            return arrived;
        }
        while self.flying.front().is_some_and(|(at, _)| *at <= ms) {
            arrived.extend(self.flying.pop_front().map(|(_, number)| number));
        }
        arrived
    }
}
