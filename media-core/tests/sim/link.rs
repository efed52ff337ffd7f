//! A lossy, jittering, reordering and duplicating network; the same seed gives the same losses.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// How bad the network is, in each direction.
#[derive(Clone, Copy, Debug)]
pub struct Impairment {
    /// Every datagram takes this long …
    pub delay: Duration,
    /// … and up to this much longer, which reorders.
    pub jitter: Duration,
    /// Of a thousand datagrams, how many are lost.
    pub loss_permille: u64,
    /// Of a thousand datagrams, how many come twice.
    pub duplicate_permille: u64,
}

impl Impairment {
    /// A millisecond of delay and nothing else.
    pub const LOOPBACK: Self = Self {
        delay: Duration::from_millis(1),
        jitter: Duration::ZERO,
        loss_permille: 0,
        duplicate_permille: 0,
    };
}

/// Losses that come together (Gilbert–Elliott): while it is bad, everything is lost.
#[derive(Clone, Copy, Debug)]
pub struct Burst {
    /// Of a million datagrams, after how many good ones it turns bad, and after how many lost ones good again.
    turns_bad: u64,
    turns_good: u64,
    is_bad: bool,
}

impl Burst {
    /// Bursts of `mean` datagrams, which take `permille` of all.
    pub fn of(mean: u64, permille: u64) -> Self {
        let turns_good = 1_000_000 / mean;
        Self { turns_bad: turns_good * permille / (1000 - permille), turns_good, is_bad: false }
    }

    fn loses(&mut self, random: &mut Random) -> bool {
        let turns = if self.is_bad { self.turns_good } else { self.turns_bad };
        self.is_bad ^= random.below(1_000_000) < turns;
        self.is_bad
    }
}

/// A link of little capacity on the way to somebody, with a queue in front of it.
#[derive(Clone, Copy, Debug)]
pub struct Narrow {
    pub to: IpAddr,
    pub kbps: u64,
    /// What does not fit into the queue, in time at that rate, is lost.
    queue: Duration,
    free_at: Option<Instant>,
}

impl Narrow {
    pub fn new(to: IpAddr, kbps: u64, queue: Duration) -> Self {
        Self { to, kbps, queue, free_at: None }
    }

    /// When the link has passed it on; `None` when the queue is full.
    fn pass(&mut self, now: Instant, bytes: usize) -> Option<Instant> {
        let begins = self.free_at.map_or(now, |at| at.max(now));
        if begins - now > self.queue {
            return None;
        }
        // IP and UDP travel too.
        let passed = begins + Duration::from_micros((bytes as u64 + 28) * 8000 / self.kbps);
        self.free_at = Some(passed);
        Some(passed)
    }
}

/// Datagrams that overtake one which is held up.
const MAX_OVERTAKING: u64 = 8;
/// One that nothing overtakes is let go after this long.
const MAX_HELD: Duration = Duration::from_millis(60);

struct Held {
    overtaken_by: u64,
    until: Instant,
    datagram: Datagram,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Datagram {
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub bytes: Vec<u8>,
}

/// Carries datagrams between any addresses.
pub struct Link {
    pub impairment: Impairment,
    /// Nothing happens to what goes there.
    pub spared: Option<SocketAddr>,
    pub burst: Option<Burst>,
    /// Of a thousand datagrams, how many are overtaken by up to [`MAX_OVERTAKING`] of the same direction.
    pub reorder_permille: u64,
    pub narrow: Option<Narrow>,
    held: Vec<Held>,
    random: Random,
    /// Ordered by time of arrival; the number keeps those of one instant in order.
    on_the_way: BinaryHeap<Reverse<(Instant, u64, Datagram)>>,
    sent: u64,
}

impl Link {
    pub fn new(seed: u64, impairment: Impairment) -> Self {
        Self {
            impairment,
            spared: None,
            burst: None,
            reorder_permille: 0,
            narrow: None,
            held: Vec::new(),
            random: Random(seed),
            on_the_way: BinaryHeap::new(),
            sent: 0,
        }
    }

    pub fn send(&mut self, now: Instant, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        let Impairment { delay, jitter, loss_permille, duplicate_permille } = self.impairment;
        if self.spared == Some(to) {
            return self.push(now + delay, Datagram { from, to, bytes });
        }
        if let Some(narrow) = self.narrow.as_mut().filter(|narrow| narrow.to == to.ip()) {
            if let Some(passed) = narrow.pass(now, bytes.len()) {
                self.push(passed + delay, Datagram { from, to, bytes });
            }
            return;
        }
        if self.random.below(1000) < loss_permille {
            return;
        }
        if let Some(burst) = &mut self.burst
            && burst.loses(&mut self.random)
        {
            return;
        }
        if self.reorder_permille > 0 && self.random.below(1000) < self.reorder_permille {
            let overtaken_by = 1 + self.random.below(MAX_OVERTAKING);
            self.held.push(Held {
                overtaken_by,
                until: now + MAX_HELD,
                datagram: Datagram { from, to, bytes },
            });
            return;
        }
        let copies = if self.random.below(1000) < duplicate_permille { 2 } else { 1 };
        for _ in 0..copies {
            let jitter = u64::try_from(jitter.as_micros()).unwrap();
            let arrival = now + delay + Duration::from_micros(self.random.below(jitter + 1));
            self.push(arrival, Datagram { from, to, bytes: bytes.clone() });
        }
        self.release(now + delay, to);
    }

    fn push(&mut self, arrival: Instant, datagram: Datagram) {
        self.sent += 1;
        self.on_the_way.push(Reverse((arrival, self.sent, datagram)));
    }

    /// Lets go what enough others have overtaken by now.
    fn release(&mut self, arrival: Instant, to: SocketAddr) {
        for held in self.held.iter_mut().filter(|held| held.datagram.to == to) {
            held.overtaken_by -= 1;
        }
        for held in self.held.extract_if(.., |held| held.overtaken_by == 0).collect::<Vec<_>>() {
            self.push(arrival, held.datagram);
        }
    }

    /// When the next datagram arrives.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let arriving = self.on_the_way.peek().map(|Reverse((arrival, _, _))| *arrival);
        arriving.into_iter().chain(self.held.iter().map(|held| held.until)).min()
    }

    /// A copy of some datagram on its way to this address.
    pub fn any_to(&self, to: SocketAddr) -> Option<Vec<u8>> {
        let there = self.on_the_way.iter().map(|Reverse((_, _, datagram))| datagram);
        there.filter(|datagram| datagram.to == to).map(|datagram| datagram.bytes.clone()).next()
    }

    /// A datagram that has arrived by now.
    pub fn receive(&mut self, now: Instant) -> Option<Datagram> {
        for held in self.held.extract_if(.., |held| held.until <= now).collect::<Vec<_>>() {
            self.push(now, held.datagram);
        }
        if self.poll_timeout()? > now {
            return None;
        }
        self.on_the_way.pop().map(|Reverse((_, _, datagram))| datagram)
    }
}

/// SplitMix64: enough for a network, and the same on every machine.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number smaller than `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// A place in something of this length.
    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap()
    }

    pub fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }
}
