//! Shards that send for each other.
//!
//! in:  what waits at the end of a turn; loans of other shards
//! out: loans to other shards, and one wake-up for each that sleeps; the datagrams of theirs, from *their* sockets, so
//!      that a receiver hears from one address whoever sends
//!
//! Every shard has a ring to and from every other; they stay empty, and take no memory, until one is loaded ([`Load`]).

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering, fence};
use std::time::{Duration, Instant};

use super::load::{Change, Load};
use super::sys::{SendBatch, Waker};
use crate::shard::{Borrower, Sealed, Shard, Spread, pair};

/// Loans of one shard that are sent before one's own datagrams have their turn: about a millisecond.
const LOANS_PER_TURN: usize = 2;

/// What others see of a shard.
#[derive(Debug)]
pub(super) struct Neighbour {
    socket: UdpSocket,
    waker: Arc<Waker>,
    asleep: AtomicBool,
    busy_percent: AtomicU8,
}

impl Neighbour {
    pub(super) fn new(socket: UdpSocket, waker: Arc<Waker>) -> Self {
        Self { socket, waker, asleep: AtomicBool::new(false), busy_percent: AtomicU8::new(0) }
    }

    /// What was given to it before is seen: either it has not looked yet, or it is woken.
    fn wake(&self) {
        fence(Ordering::SeqCst);
        if self.asleep.swap(false, Ordering::SeqCst) {
            self.waker.wake();
        }
    }
}

/// What a shard lends to others, and borrows.
#[derive(Debug)]
pub(super) struct Neighbours {
    own: Arc<Neighbour>,
    load: Load,
    spread: Spread,
    /// In the order `spread` knows them.
    helpers: Vec<Arc<Neighbour>>,
    lenders: Vec<(Arc<Neighbour>, Borrower)>,
}

impl Neighbours {
    /// Rings between all of them; whose turns take more than `above` percent of the time asks for help.
    pub(super) fn among(all: &[Arc<Neighbour>], now: Instant, above: u8) -> Vec<Self> {
        let mut lenders: Vec<Vec<_>> = all.iter().map(|_| Vec::new()).collect();
        let mut made = Vec::new();
        for (home, own) in all.iter().enumerate() {
            let (mut rings, mut helpers) = (Vec::new(), Vec::new());
            for (there, other) in all.iter().enumerate().filter(|(there, _)| *there != home) {
                let (lender, borrower) = pair();
                rings.push(lender);
                helpers.push(Arc::clone(other));
                if let Some(lenders) = lenders.get_mut(there) {
                    lenders.push((Arc::clone(own), borrower));
                }
            }
            made.push((Arc::clone(own), Spread::new(rings), helpers));
        }
        let made = made.into_iter().zip(lenders);
        made.map(|((own, spread, helpers), lenders)| Self {
            own,
            load: Load::new(now, above),
            spread,
            helpers,
            lenders,
        })
        .collect()
    }

    /// Its own socket.
    pub(super) fn socket(&self) -> &UdpSocket {
        &self.own.socket
    }

    pub(super) fn waker(&self) -> &Waker {
        &self.own.waker
    }

    /// For those who send it mail.
    pub(super) fn shared_waker(&self) -> Arc<Waker> {
        Arc::clone(&self.own.waker)
    }

    /// Hands over what others are to send, and wakes those who sleep.
    pub(super) fn lend(&mut self, shard: &mut Shard) {
        if self.helpers.is_empty() {
            return;
        }
        shard.lend(&mut self.spread);
        while let Some(helper) = self.spread.poll_given() {
            if let Some(helper) = self.helpers.get(helper) {
                helper.wake();
            }
        }
    }

    /// Sends for others.
    pub(super) fn help(&self, shard: &mut Shard, batch: &mut SendBatch, sealed: &mut Sealed) {
        for (lender, loans) in &self.lenders {
            for _ in 0..LOANS_PER_TURN {
                let Some(mut loan) = loans.next() else { break };
                shard.count_borrowed(loan.len() as u64);
                loop {
                    sealed.clear();
                    let done = loan.seal(sealed);
                    let sent = batch.send(&lender.socket, sealed);
                    shard.count_dropped("socket_refused", sealed.len().saturating_sub(sent) as u64);
                    if done {
                        break;
                    }
                }
                loans.done(loan);
            }
        }
    }

    /// A turn is over: looks at the load now and then.
    pub(super) fn after_turn(&mut self, began: Instant, ended: Instant) {
        let Some(mine) = self.load.after_turn(began, ended) else { return };
        self.own.busy_percent.store(mine, Ordering::Relaxed);
        let helpers = &self.helpers;
        let others = |helper: usize| {
            helpers.get(helper).map_or(100, |helper| helper.busy_percent.load(Ordering::Relaxed))
        };
        match self.load.advise(ended, mine, others, helpers.len(), self.spread.active()) {
            Some(Change::Begin(helper)) => {
                tracing::debug!(busy = mine, helper, "another shard helps");
                self.spread.begin(helper);
            }
            Some(Change::End(helper)) => {
                tracing::debug!(busy = mine, helper, "another shard helps no more");
                self.spread.end(helper);
            }
            None => {}
        }
    }

    /// Time that was not slept.
    pub(super) fn busy_time(&self) -> Duration {
        self.load.total()
    }

    /// Before sleeping: false when there is something to do for others instead. Whoever gives something later sees that
    /// this shard sleeps.
    pub(super) fn falls_asleep(&self) -> bool {
        if self.lenders.is_empty() {
            return true;
        }
        self.own.asleep.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        let nothing = self.lenders.iter().all(|(_, loans)| loans.is_empty());
        if !nothing {
            self.own.asleep.store(false, Ordering::SeqCst);
        }
        nothing
    }

    /// It sleeps no more.
    pub(super) fn wakes_up(&self) {
        self.own.asleep.store(false, Ordering::SeqCst);
    }
}
