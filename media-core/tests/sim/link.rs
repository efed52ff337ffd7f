//! A lossy, jittering, reordering and duplicating network; the same seed gives the same losses.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
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

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Datagram {
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub bytes: Vec<u8>,
}

/// Carries datagrams between any addresses.
pub struct Link {
    pub impairment: Impairment,
    random: Random,
    /// Ordered by time of arrival; the number keeps those of one instant in order.
    on_the_way: BinaryHeap<Reverse<(Instant, u64, Datagram)>>,
    sent: u64,
}

impl Link {
    pub fn new(seed: u64, impairment: Impairment) -> Self {
        Self { impairment, random: Random(seed), on_the_way: BinaryHeap::new(), sent: 0 }
    }

    pub fn send(&mut self, now: Instant, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        let Impairment { delay, jitter, loss_permille, duplicate_permille } = self.impairment;
        if self.random.below(1000) < loss_permille {
            return;
        }
        let copies = if self.random.below(1000) < duplicate_permille { 2 } else { 1 };
        for _ in 0..copies {
            let jitter = u64::try_from(jitter.as_micros()).unwrap();
            let arrival = now + delay + Duration::from_micros(self.random.below(jitter + 1));
            self.sent += 1;
            self.on_the_way.push(Reverse((arrival, self.sent, Datagram { from, to, bytes: bytes.clone() })));
        }
    }

    /// When the next datagram arrives.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.on_the_way.peek().map(|Reverse((arrival, _, _))| *arrival)
    }

    /// A copy of some datagram on its way to this address.
    pub fn any_to(&self, to: SocketAddr) -> Option<Vec<u8>> {
        let there = self.on_the_way.iter().map(|Reverse((_, _, datagram))| datagram);
        there.filter(|datagram| datagram.to == to).map(|datagram| datagram.bytes.clone()).next()
    }

    /// A datagram that has arrived by now.
    pub fn receive(&mut self, now: Instant) -> Option<Datagram> {
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
