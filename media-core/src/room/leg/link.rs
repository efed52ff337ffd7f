//! One transport of a leg: what is counted per transport and not per stream.
//!
//! in:  transport-wide sequence numbers of what arrives
//! out: feedback on them; the numbers of what is sent

use std::time::Instant;

use crate::receive::TwccRecorder;
use crate::shard::Reach;
use crate::units::{MediaKind, Ssrc, TransportKey};

/// An ICE + DTLS + SRTP association.
pub(crate) struct Link {
    pub(crate) transport: TransportKey,
    /// The sections it carries.
    pub(crate) kinds: Vec<MediaKind>,
    pub(crate) keyed: bool,
    arrivals: TwccRecorder,
    next_out: u16,
}

impl Link {
    pub(crate) fn new(transport: TransportKey, kind: MediaKind) -> Self {
        Self { transport, kinds: vec![kind], keyed: false, arrivals: TwccRecorder::default(), next_out: 1 }
    }

    pub(crate) fn carries(&self, kind: MediaKind) -> bool {
        self.kinds.contains(&kind)
    }

    /// The transport-wide number of the next packet.
    pub(crate) fn next_out(&self) -> u16 {
        self.next_out
    }

    /// That packet has left; a number without a packet would look like a loss.
    pub(crate) fn sent(&mut self) {
        self.next_out = self.next_out.wrapping_add(1);
    }

    pub(crate) fn arrived(&mut self, now: Instant, number: u16, media: Ssrc) {
        self.arrivals.handle_packet(now, media, number);
    }

    /// Sends what is due of the feedback; without it a browser's estimate starves at 300 kbit/s.
    pub(crate) fn send_arrivals(&mut self, reach: &mut Reach<'_>, own: Ssrc) {
        reach.scratch.clear();
        while self.arrivals.poll_feedback(reach.now, own, reach.scratch) {
            reach.send_rtcp(self.transport);
            reach.scratch.clear();
        }
    }
}
