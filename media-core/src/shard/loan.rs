//! Packets of some receivers that another thread seals and sends.
//!
//! in:  from the shard that counts: heads, payloads by reference, each packet with its SRTP index
//! out: [`Sealed`] datagrams, those of one receiver together and in order
//!
//! ```text
//!   receivers  A            B                   address and key
//!   packets    a1 a2 a3     b1 b2 b3            index, place of the head, which payload
//!   payloads   1 2 3                            one reference each, however many receivers there are
//! ```
//!
//! A loan goes round: filled at home, emptied by a helper, filled again. Once it has grown nothing is allocated.

use std::net::SocketAddr;
use std::ops::Range;

use bytes::Bytes;

use super::Sealed;
use crate::srtp::{Numbered, Outbound, Sealer};

/// Receivers of a loan: as many as have a run each in one batch.
const RECEIVERS: usize = super::BATCH_RUNS;
/// Packets beyond which no further receiver is taken: about a batch of full ones.
const PACKETS: usize = 384;
/// Not among the payloads yet.
const NONE: usize = usize::MAX;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Loan {
    heads: Vec<u8>,
    payloads: Vec<Bytes>,
    /// By number of a payload in the turn: its place here.
    known: Vec<usize>,
    packets: Vec<Packet>,
    receivers: Vec<Receiver>,
    /// The packet that is sealed next.
    next: usize,
}

#[derive(Debug)]
struct Packet {
    /// Taken when it is sealed: no number serves twice.
    number: Option<Numbered>,
    receiver: usize,
    head: (usize, usize),
    /// Which payload follows, and what of it.
    payload: Option<(usize, Range<usize>)>,
}

#[derive(Debug)]
struct Receiver {
    to: SocketAddr,
    sealer: Sealer,
}

impl Loan {
    /// Begins to take packets of a turn with so many payloads.
    pub(crate) fn begin(&mut self, payloads: usize) {
        self.known.clear();
        self.known.resize(payloads, NONE);
    }

    /// The packets that follow are this receiver's. False when they must be sealed at home.
    pub(crate) fn begin_receiver(&mut self, to: SocketAddr, outbound: &mut Outbound) -> bool {
        let sealer = outbound.sealer();
        let begun = sealer.is_some();
        self.receivers.extend(sealer.map(|sealer| Receiver { to, sealer }));
        begun
    }

    /// An RTP packet of the latest receiver; `rest`: number of its payload in the turn, the payload, and what of it follows
    /// the head. False when the association has no number for it.
    pub(crate) fn push(
        &mut self,
        outbound: &mut Outbound,
        head: &[u8],
        rest: Option<(usize, &Bytes, Range<usize>)>,
    ) -> bool {
        let Ok(number) = outbound.number(head) else { return false };
        let start = self.heads.len();
        self.heads.extend_from_slice(head);
        let payload = rest.map(|(of, payload, what)| (self.payload(of, payload), what));
        self.packets.push(Packet {
            number: Some(number),
            receiver: self.receivers.len().saturating_sub(1),
            head: (start, self.heads.len()),
            payload,
        });
        true
    }

    /// No further receiver should be taken.
    pub(crate) fn is_full(&self) -> bool {
        self.receivers.len() >= RECEIVERS || self.packets.len() >= PACKETS
    }

    /// How many packets are in it.
    pub(crate) fn len(&self) -> usize {
        self.packets.len()
    }

    /// Seals what fits; false when some still waits.
    pub(crate) fn seal(&mut self, sealed: &mut Sealed) -> bool {
        while let Some(packet) = self.packets.get_mut(self.next) {
            let head = self.heads.get(packet.head.0..packet.head.1).unwrap_or_default();
            let rest = packet.payload.as_ref();
            let rest = rest.and_then(|(of, what)| self.payloads.get(*of)?.get(what.clone()));
            let rest = rest.unwrap_or_default();
            if let Some(Receiver { to, sealer }) = self.receivers.get(packet.receiver) {
                let to = (*to).into();
                let len = head.len() + rest.len() + sealer.rtp_overhead();
                let is_empty = sealed.is_empty();
                match sealed.room(to, len) {
                    Some(out) => {
                        let number = packet.number.take();
                        let done = number.map(|number| sealer.seal_rtp_into(number, head, rest, out));
                        if matches!(done, Some(Ok(_))) {
                            sealed.push(to, len);
                        }
                    }
                    None if !is_empty => return false,
                    // What an empty batch does not take never leaves; home has no packets of that size.
                    None => {}
                }
            }
            self.next += 1;
        }
        true
    }

    /// Lets go of everything; the memory is kept.
    pub(crate) fn clear(&mut self) {
        self.heads.clear();
        self.payloads.clear();
        self.packets.clear();
        self.receivers.clear();
        self.next = 0;
    }

    /// Place here of a payload that has this number in the turn. With padding and without, it is two.
    fn payload(&mut self, of: usize, payload: &Bytes) -> usize {
        let new = self.payloads.len();
        if let Some(known) = self.known.get_mut(of) {
            if self.payloads.get(*known).is_some_and(|known| known.as_ptr() == payload.as_ptr()) {
                return *known;
            }
            *known = new;
        }
        self.payloads.push(payload.clone());
        new
    }
}
