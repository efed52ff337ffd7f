//! Packets on their way out: gathered in plaintext during a turn, sealed by destination at its end.
//!
//! in:  what is one receiver's own (heads) and what many share (payloads), in the order of writing
//! out: [`Sealed`] datagrams, those of one destination together
//!
//! ```text
//!   packet 1 ─► a b c       heads     a1 b1 c1 a2 b2 c2
//!   packet 2 ─► a b c       payloads  1 2              ──► sealed  [a1 a2] [b1 b2] [c1 c2]
//! ```
//!
//! A burst of one picture then leaves as one message per receiver, and what is sealed is handed to the kernel while
//! the cache still holds it, however many receivers there are: only heads wait for the end of the turn. A payload is
//! held once and read in place; it is copied by being encrypted.
//!
//! Nothing is allocated once the tables have grown to the busiest turn so far. The shell seals when
//! [`Outbox::is_full`], so a turn is longer than that by the packets of one input at most.

use bytes::Bytes;

use super::Sealed;
use super::level::{Group, PADDING};
use super::spread::{Spread, Way};
use crate::forward::Pool;
use crate::transport::{Path, Transports, place};
use crate::units::TransportKey;

/// Packets that may wait before they are sent within the turn: 80 pictures of five packets to 80 receivers.
const FULL: usize = 32_768;
/// How many of the latest payloads a new one is compared with: a fan-out sends one packet to all, or a picture's
/// packets to one after the other.
const RECENT: usize = 8;
/// Ends a chain.
const END: usize = usize::MAX;
/// The P bit, RFC 3550 §5.1.
const PADDED: u8 = 0x20;

/// Plaintext packets of one turn.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    heads: Vec<u8>,
    payloads: Vec<Bytes>,
    /// Whether packets are made equally long, for runs of them leave as one message.
    levels: bool,
    /// By number of a payload: the same with padding behind it, once somebody needed that.
    padded: Vec<Option<Bytes>>,
    pool: Pool,
    waiting: Vec<Waiting>,
    destinations: Vec<Destination>,
    /// By place of a transport: where in `destinations` it was last.
    by_place: Vec<usize>,
    /// The destination that is sealed next.
    next: usize,
    rtcp: Vec<u8>,
    refused: u64,
}

/// A packet that waits.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    head: (usize, usize),
    what: What,
    /// The next one to the same destination.
    next: usize,
}

#[derive(Clone, Copy, Debug)]
enum What {
    /// Goes on with `payloads[of]` from there on, and with so much padding.
    Rtp {
        of: usize,
        from: usize,
        padding: usize,
    },
    /// Wholly in its head.
    WholeRtp,
    Rtcp,
    /// Not to be sealed: STUN, DTLS.
    Ready,
}

#[derive(Clone, Copy, Debug)]
struct Destination {
    to: To,
    first: usize,
    last: usize,
    is_level: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum To {
    Transport(TransportKey),
    Path(Path),
}

impl Outbox {
    /// Runs of equal packets leave as one message: what differs by little is padded.
    pub(crate) fn set_levels(&mut self, levels: bool) {
        self.levels = levels;
    }

    /// A datagram as it is.
    pub(crate) fn push(&mut self, to: Path, bytes: &[u8]) {
        let at = self.destinations.len();
        self.destinations.push(Destination { to: To::Path(to), first: END, last: END, is_level: false });
        self.chain(at, bytes, What::Ready);
    }

    /// An RTP packet; `head` is all of it.
    pub(crate) fn push_whole_rtp(&mut self, to: TransportKey, head: &[u8]) {
        let at = self.destination(to);
        self.chain(at, head, What::WholeRtp);
    }

    /// An RTP packet: `head`, then `payload` from `from` on.
    pub(crate) fn push_rtp(&mut self, to: TransportKey, head: &[u8], payload: &Bytes, from: usize) {
        let of = self.payload(payload);
        let at = self.destination(to);
        self.chain(at, head, What::Rtp { of, from, padding: 0 });
    }

    /// A compound RTCP packet.
    pub(crate) fn push_rtcp(&mut self, to: TransportKey, packet: &[u8]) {
        let at = self.destination(to);
        self.chain(at, packet, What::Rtcp);
    }

    /// So much waits that it should not wait for the end of the turn.
    pub(crate) fn is_full(&self) -> bool {
        self.waiting.len() >= FULL
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Packets that could not be sealed since the last call: the transport closed in the same turn, or its numbers are
    /// used up.
    pub(crate) fn take_refused(&mut self) -> u64 {
        std::mem::take(&mut self.refused)
    }

    /// Hands over to those who help what they are to seal and send. Reports stay here, where they are numbered, and so does
    /// what goes over connections.
    pub(crate) fn lend(&mut self, transports: &mut Transports, spread: &mut Spread) {
        let packets = self.waiting.len();
        if !spread.begin_turn(packets) {
            return;
        }
        for at in self.next..self.destinations.len() {
            let Some(Destination { to: To::Transport(key), first, .. }) = self.destinations.get(at).copied()
            else {
                continue;
            };
            let Way::Helper { helper, bound } = spread.way(place(key), packets) else { continue };
            let Some((Path::Udp(to), outbound)) = transports.way_out(key) else { continue };
            let Some(loan) = spread.loan(helper, self.payloads.len()) else {
                let refused = self.chain_len(first);
                if bound {
                    self.keep_reports(at, |_, _| ());
                }
                spread.found_full(refused, bound);
                continue;
            };
            self.level(at);
            let (before, mut unnumbered) = (loan.len(), 0);
            if !loan.begin_receiver(to, outbound) {
                continue;
            }
            self.keep_reports(at, |outbox, waiting| {
                let rest = match waiting.what {
                    What::Rtp { of, from, padding } => {
                        outbox.rest(of, padding).map(|(payload, end)| (of, payload, from..end))
                    }
                    What::WholeRtp | What::Rtcp | What::Ready => None,
                };
                unnumbered += u64::from(!loan.push(outbound, outbox.head(waiting), rest));
            });
            let lent = loan.len() - before;
            spread.lent(place(key), helper, lent as u64);
            self.refused += unnumbered;
        }
        spread.end_turn();
    }

    /// Leaves only the reports in a destination's chain; gives all others to `take`, in order.
    fn keep_reports(&mut self, destination: usize, mut take: impl FnMut(&Self, &Waiting)) {
        let Some(first) = self.destinations.get(destination).map(|it| it.first) else { return };
        let (mut at, mut kept) = (first, (END, END));
        while let Some(&waiting) = self.waiting.get(at) {
            match waiting.what {
                What::Rtp { .. } | What::WholeRtp => take(self, &waiting),
                What::Rtcp | What::Ready => {
                    match self.waiting.get_mut(kept.1) {
                        Some(last) => last.next = at,
                        None => kept.0 = at,
                    }
                    kept.1 = at;
                }
            }
            at = waiting.next;
        }
        if let Some(last) = self.waiting.get_mut(kept.1) {
            last.next = END;
        }
        if let Some(destination) = self.destinations.get_mut(destination) {
            (destination.first, destination.last) = kept;
        }
    }

    /// Seals what fits; false when some still waits.
    pub(crate) fn seal(&mut self, transports: &mut Transports, sealed: &mut Sealed) -> bool {
        while self.next < self.destinations.len() {
            self.level(self.next);
            let Some(destination) = self.destinations.get(self.next).copied() else { break };
            let left = match destination.to {
                To::Path(to) => self.copy_chain(to, destination.first, sealed),
                To::Transport(key) => self.seal_chain(transports, key, destination.first, sealed),
            };
            if left != END {
                if let Some(destination) = self.destinations.get_mut(self.next) {
                    destination.first = left;
                }
                return false;
            }
            self.next += 1;
        }
        self.clear();
        true
    }

    /// Pads what of a destination's packets differs by so little that they are one run then.
    fn level(&mut self, destination: usize) {
        let levels = self.levels;
        let Some(it) = self.destinations.get_mut(destination) else { return };
        if !levels || std::mem::replace(&mut it.is_level, true) || it.first == it.last {
            return;
        }
        let mut first = it.first;
        while let Some(waiting) = self.waiting.get(first) {
            let (mut group, mut end) = (Group::default(), first);
            while let Some(size) = self.size(end)
                && group.takes(size)
            {
                end = self.waiting.get(end).map_or(END, |waiting| waiting.next);
            }
            if end == first {
                // Not of a group: a report.
                first = waiting.next;
                continue;
            }
            if let Some(size) = group.size() {
                self.pad(first, end, size);
            }
            first = end;
        }
    }

    /// The size of a packet that may be padded.
    fn size(&self, at: usize) -> Option<usize> {
        let waiting = self.waiting.get(at)?;
        match waiting.what {
            What::Rtp { of, from, padding } => {
                let payload = self.payloads.get(of)?.len().saturating_sub(from);
                Some(waiting.head.1 - waiting.head.0 + payload + padding)
            }
            What::WholeRtp | What::Rtcp | What::Ready => None,
        }
    }

    /// Pads packets of a chain up to `size`, but for the last one before `end`.
    fn pad(&mut self, mut at: usize, end: usize, size: usize) {
        while let Some(missing) = self.size(at).map(|it| size.saturating_sub(it)) {
            let Some(Waiting { head, what, next }) = self.waiting.get_mut(at) else { return };
            if *next == end {
                return;
            }
            at = *next;
            let What::Rtp { of, padding, .. } = what else { return };
            if missing == 0 {
                continue;
            }
            *padding = missing;
            if let Some(byte) = self.heads.get_mut(head.0) {
                *byte |= PADDED;
            }
            if self.padded.len() <= *of {
                self.padded.resize(*of + 1, None);
            }
            if let (Some(place), Some(payload)) = (self.padded.get_mut(*of), self.payloads.get(*of)) {
                place.get_or_insert_with(|| self.pool.join(payload, &PADDING));
            }
        }
    }

    /// A payload, and where it ends with so much padding.
    fn rest(&self, of: usize, padding: usize) -> Option<(&Bytes, usize)> {
        let payload = self.payloads.get(of)?;
        let padded = if padding == 0 { Some(payload) } else { self.padded.get(of)?.as_ref() };
        Some((padded?, payload.len() + padding))
    }

    fn copy_chain(&self, to: Path, mut at: usize, sealed: &mut Sealed) -> usize {
        while let Some(waiting) = self.waiting.get(at) {
            let bytes = self.head(waiting);
            if let Some(out) = sealed.room(to, bytes.len()) {
                out.copy_from_slice(bytes);
                sealed.push(to, bytes.len());
            } else if !sealed.is_empty() {
                return at;
            }
            at = waiting.next;
        }
        END
    }

    /// Gives the first packet that found no room.
    fn seal_chain(
        &mut self,
        transports: &mut Transports,
        key: TransportKey,
        mut at: usize,
        sealed: &mut Sealed,
    ) -> usize {
        if at == END {
            return END;
        }
        let Some((to, outbound)) = transports.way_out(key) else {
            self.refused += self.chain_len(at);
            return END;
        };
        while let Some(&waiting) = self.waiting.get(at) {
            let head = self.head(&waiting);
            let rest = match waiting.what {
                What::Rtp { of, from, padding } => {
                    let it = self.rest(of, padding);
                    it.and_then(|(payload, end)| payload.get(from..end))
                }
                What::WholeRtp | What::Rtcp | What::Ready => None,
            };
            let rest = rest.unwrap_or_default();
            let overhead = match waiting.what {
                What::Rtcp => outbound.rtcp_overhead(),
                What::Rtp { .. } | What::WholeRtp | What::Ready => outbound.rtp_overhead(),
            };
            let len = head.len() + rest.len() + overhead;
            let is_empty = sealed.is_empty();
            let done = match (sealed.room(to, len), waiting.what) {
                // What an empty batch does not take would wait for ever.
                (None, _) if is_empty => false,
                (None, _) => return at,
                (Some(out), What::Rtp { .. } | What::WholeRtp) => {
                    outbound.seal_rtp_into(head, rest, out).is_ok()
                }
                (Some(out), What::Rtcp | What::Ready) => {
                    self.rtcp.clear();
                    self.rtcp.extend_from_slice(self.heads.get(range(waiting.head)).unwrap_or_default());
                    let done = outbound.seal_rtcp(&mut self.rtcp).is_ok() && self.rtcp.len() == len;
                    if done {
                        out.copy_from_slice(&self.rtcp);
                    }
                    done
                }
            };
            if done {
                sealed.push(to, len);
            } else {
                self.refused += 1;
            }
            at = waiting.next;
        }
        END
    }

    fn chain_len(&self, first: usize) -> u64 {
        std::iter::successors(self.waiting.get(first), |waiting| self.waiting.get(waiting.next)).count()
            as u64
    }

    fn head(&self, waiting: &Waiting) -> &[u8] {
        self.heads.get(range(waiting.head)).unwrap_or_default()
    }

    /// The place of a payload among those of this turn.
    fn payload(&mut self, payload: &Bytes) -> usize {
        let same = |held: &Bytes| held.as_ptr() == payload.as_ptr() && held.len() == payload.len();
        let recent = self.payloads.len().saturating_sub(RECENT);
        let known = self.payloads.get(recent..).and_then(|held| held.iter().rposition(same));
        known.map_or_else(
            || {
                self.payloads.push(payload.clone());
                self.payloads.len() - 1
            },
            |at| recent + at,
        )
    }

    /// The destination of a transport in this turn. What the table says may be of an earlier turn, or sealed already.
    fn destination(&mut self, key: TransportKey) -> usize {
        let place = place(key);
        if self.by_place.len() <= place {
            self.by_place.resize(place + 1, END);
        }
        let new = self.destinations.len();
        let Some(at) = self.by_place.get_mut(place) else { return new };
        let is_of_this_turn = |it: &Destination| it.to == To::Transport(key);
        if *at < self.next || !self.destinations.get(*at).is_some_and(is_of_this_turn) {
            *at = new;
            self.destinations.push(Destination {
                to: To::Transport(key),
                first: END,
                last: END,
                is_level: false,
            });
        }
        *at
    }

    fn chain(&mut self, destination: usize, head: &[u8], what: What) {
        let at = self.waiting.len();
        let start = self.heads.len();
        self.heads.extend_from_slice(head);
        self.waiting.push(Waiting { head: (start, self.heads.len()), what, next: END });
        let Some(destination) = self.destinations.get_mut(destination) else { return };
        match self.waiting.get_mut(destination.last) {
            Some(last) => last.next = at,
            None => destination.first = at,
        }
        destination.last = at;
    }

    fn clear(&mut self) {
        self.heads.clear();
        self.payloads.clear();
        self.padded.clear();
        self.waiting.clear();
        self.destinations.clear();
        self.next = 0;
    }
}

fn range((start, end): (usize, usize)) -> std::ops::Range<usize> {
    start..end
}
