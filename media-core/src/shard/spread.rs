//! Which thread sends to whom, when one is not enough.
//!
//! in:  the packets that wait at the end of a turn, and who helps now
//! out: loans for the helpers; what is left is sealed at home
//!
//! Home alone knows the room: it rewrites, counts and numbers every packet. What it hands over is the rest of the work,
//! encryption and the kernel's part, by receiver: of `n` helpers each has the receivers of every `n + 1`th place.
//!
//! All packets of a receiver go the same way, in order. It changes its way (a helper more or less, a turn too small to
//! share) only when all that it was sent the old way has left.
//!
//! **When a helper's ring is full**, home sends to receivers that have nothing there itself. Packets of the others would
//! overtake what waits, and that is some ten milliseconds old already: they are dropped and counted, as when a socket is
//! full; receivers ask again for what is worth it. To wait would hold up everybody else.

use std::collections::VecDeque;

use super::lending::Lender;
use super::loan::Loan;

/// A turn with fewer packets is over before a helper has woken up: 80 µs of work.
const WORTH: usize = 64;
/// Was never lent to anybody.
const NOBODY: usize = usize::MAX;

/// See the module.
#[derive(Debug)]
pub(crate) struct Spread {
    helpers: Vec<Helper>,
    /// Those who help now.
    active: Vec<usize>,
    /// By place of a transport.
    by_place: Vec<Last>,
    /// To whom something was given since this was asked last.
    given: VecDeque<usize>,
    counted: Lent,
}

#[derive(Debug)]
struct Helper {
    lender: Lender,
    open: Option<Loan>,
    was_given: bool,
}

/// The latest loan with packets for a receiver.
#[derive(Clone, Copy, Debug)]
struct Last {
    helper: usize,
    number: u64,
}

/// Packets by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lent {
    /// Handed over.
    pub(crate) lent: u64,
    /// Found a full ring; sent at home or dropped.
    pub(crate) ring_full: u64,
    /// Dropped of these.
    pub(crate) dropped: u64,
}

/// Who is to send to a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Home,
    /// `bound`: what it was sent before is still there.
    Helper {
        helper: usize,
        bound: bool,
    },
}

impl Spread {
    /// Nobody helps yet; helpers are known by their place among `lenders`.
    pub(crate) fn new(lenders: Vec<Lender>) -> Self {
        let helper = |lender| Helper { lender, open: None, was_given: false };
        Self {
            helpers: lenders.into_iter().map(helper).collect(),
            active: Vec::new(),
            by_place: Vec::new(),
            given: VecDeque::new(),
            counted: Lent::default(),
        }
    }

    /// This one helps, too.
    pub(crate) fn begin(&mut self, helper: usize) {
        if helper < self.helpers.len() && !self.active.contains(&helper) {
            self.active.push(helper);
        }
    }

    /// This one helps no more.
    pub(crate) fn end(&mut self, helper: usize) {
        self.active.retain(|active| *active != helper);
    }

    /// Those who help now.
    pub(crate) fn active(&self) -> &[usize] {
        &self.active
    }

    /// A helper to be woken: something was given to it since.
    pub(crate) fn poll_given(&mut self) -> Option<usize> {
        let helper = self.given.pop_front()?;
        if let Some(it) = self.helpers.get_mut(helper) {
            it.was_given = false;
        }
        Some(helper)
    }

    /// What was counted since this was asked last.
    pub(crate) fn take_counted(&mut self) -> Lent {
        std::mem::take(&mut self.counted)
    }

    /// Prepares for a turn of so many packets; false when all of them stay at home.
    pub(super) fn begin_turn(&mut self, packets: usize) -> bool {
        let mut settled = true;
        for helper in &mut self.helpers {
            helper.lender.collect();
            settled &= helper.lender.is_settled();
        }
        !settled || (packets >= WORTH && !self.active.is_empty())
    }

    /// Who sends to the receiver at this place, in a turn of so many packets.
    pub(super) fn way(&self, place: usize, packets: usize) -> Way {
        if let Some(&Last { helper, number }) = self.by_place.get(place)
            && self.helpers.get(helper).is_some_and(|it| !it.lender.has_done(number))
        {
            return Way::Helper { helper, bound: true };
        }
        if packets < WORTH {
            return Way::Home;
        }
        // The first share is home's.
        let share = (place % (self.active.len() + 1)).checked_sub(1);
        match share.and_then(|share| self.active.get(share)) {
            Some(&helper) => Way::Helper { helper, bound: false },
            None => Way::Home,
        }
    }

    /// The loan that takes a receiver's packets, in a turn with so many payloads; `None` when the ring is full.
    pub(super) fn loan(&mut self, helper: usize, payloads: usize) -> Option<&mut Loan> {
        let it = self.helpers.get_mut(helper)?;
        if it.open.as_ref().is_some_and(Loan::is_full) {
            self.give(helper);
        }
        let it = self.helpers.get_mut(helper)?;
        if it.open.is_none() {
            let mut loan = it.lender.take()?;
            loan.begin(payloads);
            it.open = Some(loan);
        }
        it.open.as_mut()
    }

    /// The receiver at this place had so many packets put into the loan.
    pub(super) fn lent(&mut self, place: usize, helper: usize, packets: u64) {
        let Some(it) = self.helpers.get(helper) else { return };
        if self.by_place.len() <= place {
            self.by_place.resize(place + 1, Last { helper: NOBODY, number: 0 });
        }
        if let Some(last) = self.by_place.get_mut(place) {
            *last = Last { helper, number: it.lender.next_number() };
        }
        self.counted.lent += packets;
    }

    /// The ring was full for so many packets.
    pub(super) fn found_full(&mut self, packets: u64, dropped: bool) {
        self.counted.ring_full += packets;
        self.counted.dropped += if dropped { packets } else { 0 };
    }

    /// Hands over what is open.
    pub(super) fn end_turn(&mut self) {
        (0..self.helpers.len()).for_each(|helper| self.give(helper));
    }

    fn give(&mut self, number: usize) {
        let Some(helper) = self.helpers.get_mut(number) else { return };
        let Some(loan) = helper.open.take() else { return };
        helper.lender.give(loan);
        if !std::mem::replace(&mut helper.was_given, true) {
            self.given.push_back(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shard::lending::{Borrower, pair};
    use crate::srtp::{Outbound, Profile};

    const MANY: usize = WORTH;

    fn spread(helpers: usize) -> (Spread, Vec<Borrower>) {
        let (lenders, borrowers): (Vec<_>, Vec<_>) = (0..helpers).map(|_| pair()).unzip();
        (Spread::new(lenders), borrowers)
    }

    /// A turn in which the receivers at these places have a packet each; gives who sends it, `None` for home.
    fn turn(spread: &mut Spread, places: &[usize], packets: usize) -> Vec<Option<usize>> {
        let mut outbound = Outbound::new(Profile::AeadAes128Gcm, &[1; 16], &[2; 12]).unwrap();
        spread.begin_turn(packets);
        let mut ways = Vec::new();
        for &place in places {
            ways.push(match spread.way(place, packets) {
                Way::Home => None,
                Way::Helper { helper, bound } => match spread.loan(helper, 0) {
                    Some(loan) => {
                        assert!(loan.begin_receiver(([127, 0, 0, 1], 1).into(), &mut outbound));
                        assert!(loan.push(&mut outbound, &[0x80, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7], None));
                        spread.lent(place, helper, 1);
                        Some(helper)
                    }
                    None => {
                        spread.found_full(1, bound);
                        None
                    }
                },
            });
        }
        spread.end_turn();
        ways
    }

    fn work(borrower: &Borrower) {
        while let Some(loan) = borrower.next() {
            borrower.done(loan);
        }
    }

    #[test]
    fn receivers_are_shared_out_by_place() {
        let (mut spread, borrowers) = spread(2);
        assert!(!spread.begin_turn(MANY), "nobody helps");
        assert_eq!(turn(&mut spread, &[0, 1, 2], MANY), [None; 3]);
        spread.begin(1);
        spread.begin(1);
        assert_eq!(turn(&mut spread, &[0, 1, 2, 3], MANY), [None, Some(1), None, Some(1)]);
        assert_eq!((spread.poll_given(), spread.poll_given()), (Some(1), None), "woken once a turn");
        work(&borrowers[1]);
        spread.begin(0);
        assert_eq!(turn(&mut spread, &[0, 1, 2, 3], MANY), [None, Some(1), Some(0), None]);
        assert_eq!(spread.take_counted(), Lent { lent: 4, ring_full: 0, dropped: 0 });
    }

    #[test]
    fn a_receiver_changes_its_way_when_all_it_was_sent_has_left() {
        let (mut spread, borrowers) = spread(1);
        spread.begin(0);
        assert_eq!(turn(&mut spread, &[1, 3], MANY), [Some(0); 2]);
        // A small turn, and then nobody helps any more: what waits goes first.
        assert_eq!(turn(&mut spread, &[1], 1), [Some(0)]);
        spread.end(0);
        assert_eq!(turn(&mut spread, &[1, 3], MANY), [Some(0); 2]);
        work(&borrowers[0]);
        assert_eq!(turn(&mut spread, &[1, 3], MANY), [None; 2]);
        assert!(!spread.begin_turn(MANY));
    }

    #[test]
    fn a_turn_that_is_over_before_anybody_wakes_stays_at_home() {
        let (mut spread, _borrowers) = spread(1);
        spread.begin(0);
        assert!(!spread.begin_turn(WORTH - 1));
        assert_eq!(turn(&mut spread, &[1], WORTH - 1), [None]);
    }

    #[test]
    fn a_full_ring_sends_newcomers_home_and_drops_what_would_overtake() {
        let (mut spread, borrowers) = spread(1);
        spread.begin(0);
        let mut turns = 0;
        while turn(&mut spread, &[1], MANY) == [Some(0)] {
            turns += 1;
            assert!(turns < 1000, "a ring without a bound");
        }
        assert_eq!(turn(&mut spread, &[3], MANY), [None]);
        let counted = spread.take_counted();
        assert_eq!(counted, Lent { lent: turns, ring_full: 2, dropped: 1 });
        work(&borrowers[0]);
        assert_eq!(turn(&mut spread, &[1, 3], MANY), [Some(0); 2]);
    }
}
