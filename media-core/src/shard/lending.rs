//! The way of loans between two shards, and back.
//!
//! in:  loans that one shard has filled
//! out: the same loans, in order, at another; empty ones back
//!
//! ```text
//!   Lender ──► ring of filled loans ──► Borrower
//!      ▲                                   │
//!      └───── ring of emptied loans ◄──────┘
//! ```
//!
//! Each ring has one thread at either end and room for all loans of the pair, so only whoever wants a loan can find none:
//! then [`LOANS`] wait at the helper, which is 2048 receivers' share of a picture. What the lender does then is said at
//! [`super::spread`]. No lock; a few atomics per loan, that is per some hundred packets.

use std::sync::Arc;

use crossbeam_queue::ArrayQueue;

use super::loan::Loan;

/// Loans between two shards.
const LOANS: usize = 32;

/// The end of the shard that has more packets than it can send.
#[derive(Debug)]
pub(crate) struct Lender {
    filled: Arc<ArrayQueue<Loan>>,
    emptied: Arc<ArrayQueue<Loan>>,
    spare: Vec<Loan>,
    made: usize,
    given: u64,
    done: u64,
}

/// The end of the shard that helps.
#[derive(Debug)]
pub(crate) struct Borrower {
    filled: Arc<ArrayQueue<Loan>>,
    emptied: Arc<ArrayQueue<Loan>>,
}

/// Both ends.
pub(crate) fn pair() -> (Lender, Borrower) {
    let (filled, emptied) = (Arc::new(ArrayQueue::new(LOANS)), Arc::new(ArrayQueue::new(LOANS)));
    let borrower = Borrower { filled: Arc::clone(&filled), emptied: Arc::clone(&emptied) };
    (Lender { filled, emptied, spare: Vec::new(), made: 0, given: 0, done: 0 }, borrower)
}

impl Lender {
    /// Takes back what has been done.
    pub(crate) fn collect(&mut self) {
        while let Some(loan) = self.emptied.pop() {
            self.done += 1;
            self.spare.push(loan);
        }
    }

    /// An empty loan; `None` when all are at the helper.
    pub(crate) fn take(&mut self) -> Option<Loan> {
        if let Some(loan) = self.spare.pop() {
            return Some(loan);
        }
        if self.made >= LOANS {
            return None;
        }
        self.made += 1;
        Some(Loan::default())
    }

    /// Hands a filled one over.
    pub(crate) fn give(&mut self, loan: Loan) {
        // There are no more loans than places.
        if self.filled.push(loan).is_ok() {
            self.given += 1;
        }
    }

    /// The number of the loan that is handed over next.
    pub(crate) fn next_number(&self) -> u64 {
        self.given + 1
    }

    /// All loans up to this one have been sent, as far as [`Self::collect`] has seen.
    pub(crate) fn has_done(&self, number: u64) -> bool {
        self.done >= number
    }

    /// Nothing is at the helper, likewise.
    pub(crate) fn is_settled(&self) -> bool {
        self.done == self.given
    }
}

impl Borrower {
    /// The next one to be sealed and sent, in the order they were handed over.
    pub(crate) fn next(&self) -> Option<Loan> {
        self.filled.pop()
    }

    /// It has been sent: its payloads are let go here, and it goes back.
    pub(crate) fn done(&self, mut loan: Loan) {
        loan.clear();
        // There are no more loans than places.
        let _ = self.emptied.push(loan);
    }

    /// Nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.filled.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::thread;

    use bytes::Bytes;

    use super::*;
    use crate::shard::Sealed;
    use crate::srtp::{Inbound, Outbound, Profile};

    const PROFILE: Profile = Profile::AeadAes128Gcm;
    const RECEIVERS: u16 = 7;
    const TURNS: u16 = 3000;
    const EACH: u16 = 3;

    fn head(seq: u16) -> [u8; 14] {
        let [high, low] = seq.to_be_bytes();
        [0x80, 96, high, low, 0, 0, 0, 1, 0, 0, 0, 7, high ^ 0x55, low]
    }

    fn key(receiver: u16) -> Vec<u8> {
        vec![u8::try_from(receiver).unwrap(); PROFILE.key_len()]
    }

    /// Turn after turn, three packets to each receiver; on another thread they are sealed. Every receiver then opens all of
    /// its own, in order: nothing is lost, nothing numbered twice (that would be a replay), nothing of another's key.
    #[test]
    fn what_is_lent_is_sealed_elsewhere_in_order_and_once() {
        let (mut lender, borrower) = pair();
        let salt = vec![9; PROFILE.salt_len()];
        let mut outbound: Vec<Outbound> =
            (0..RECEIVERS).map(|it| Outbound::new(PROFILE, &key(it), &salt).unwrap()).collect();
        let mut inbound: Vec<(Inbound, u16)> =
            (0..RECEIVERS).map(|it| (Inbound::new(PROFILE, &key(it), &salt).unwrap(), 0)).collect();
        let helper = thread::spawn(move || {
            let mut sealed = Sealed::batch();
            let mut opened = 0_u32;
            while opened < u32::from(RECEIVERS) * u32::from(TURNS) * u32::from(EACH) {
                let Some(mut loan) = borrower.next() else {
                    thread::yield_now();
                    continue;
                };
                loop {
                    sealed.clear();
                    let done = loan.seal(&mut sealed);
                    for (to, bytes) in sealed.datagrams() {
                        let (inbound, next) = &mut inbound[usize::from(to.port())];
                        let mut bytes = bytes.to_vec();
                        let packet = inbound.open_rtp(&mut bytes).unwrap();
                        assert_eq!(packet[..14], head(*next));
                        assert!(packet[14..].iter().all(|byte| *byte == next.to_be_bytes()[1]));
                        assert_eq!(packet.len(), 14 + 1000);
                        *next += 1;
                        opened += 1;
                    }
                    if done {
                        break;
                    }
                }
                borrower.done(loan);
            }
            assert!(borrower.is_empty());
            opened
        });
        let mut found_full = 0;
        for turn in 0..TURNS {
            lender.collect();
            let mut loan = loop {
                match lender.take() {
                    Some(loan) => break loan,
                    None => {
                        found_full += 1;
                        thread::yield_now();
                        lender.collect();
                    }
                }
            };
            let seqs = turn * EACH..(turn + 1) * EACH;
            let payloads: Vec<Bytes> =
                seqs.clone().map(|seq| vec![seq.to_be_bytes()[1]; 1004].into()).collect();
            loan.begin(payloads.len());
            for (port, outbound) in (0..RECEIVERS).zip(&mut outbound) {
                assert!(loan.begin_receiver(SocketAddr::from(([127, 0, 0, 1], port)), outbound));
                for ((of, payload), seq) in payloads.iter().enumerate().zip(seqs.clone()) {
                    assert!(loan.push(outbound, &head(seq), Some((of, payload, 4..payload.len()))));
                }
            }
            lender.give(loan);
        }
        assert_eq!(helper.join().unwrap(), u32::from(RECEIVERS) * u32::from(TURNS) * u32::from(EACH));
        lender.collect();
        assert!(lender.is_settled() && lender.has_done(u64::from(TURNS)));
        println!("found full {found_full} times");
    }

    #[test]
    fn there_are_so_many_loans_and_no_more() {
        let (mut lender, borrower) = pair();
        for _ in 0..LOANS {
            let loan = lender.take().unwrap();
            lender.give(loan);
        }
        assert!(lender.take().is_none());
        let loan = borrower.next().unwrap();
        assert!(lender.take().is_none(), "at the helper still");
        borrower.done(loan);
        lender.collect();
        assert!(lender.has_done(1) && !lender.has_done(2) && !lender.is_settled());
        assert!(lender.take().is_some());
    }

    #[test]
    fn a_loan_that_is_done_or_forgotten_holds_no_payload() {
        let mut chunk = bytes::BytesMut::zeroed(1000);
        let payload = chunk.split().freeze();
        let mut outbound = Outbound::new(PROFILE, &key(1), &vec![9; PROFILE.salt_len()]).unwrap();
        let (mut lender, borrower) = pair();
        let mut loan = lender.take().unwrap();
        loan.begin(1);
        assert!(loan.begin_receiver(SocketAddr::from(([127, 0, 0, 1], 1)), &mut outbound));
        assert!(loan.push(&mut outbound, &head(1), Some((0, &payload, 4..1000))));
        lender.give(loan);
        drop(payload);
        assert!(!chunk.try_reclaim(1000), "the loan holds it");
        let mut loan = borrower.next().unwrap();
        assert!(loan.seal(&mut Sealed::batch()));
        borrower.done(loan);
        assert!(chunk.try_reclaim(1000), "before home has looked");
        // A helper that ends takes with it what it was given.
        let payload = chunk.split().freeze();
        lender.collect();
        let mut loan = lender.take().unwrap();
        loan.begin(1);
        assert!(loan.begin_receiver(SocketAddr::from(([127, 0, 0, 1], 1)), &mut outbound));
        assert!(loan.push(&mut outbound, &head(2), Some((0, &payload, 4..1000))));
        lender.give(loan);
        drop((payload, lender, borrower));
        assert!(chunk.try_reclaim(1));
    }
}
