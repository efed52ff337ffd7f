//! What a room can reach of its shard while it handles one input.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use super::Output;
use super::ids::Ids;
use super::outbox::Outbox;
use crate::forward::MediaPacket;
use crate::mix::audio::AudioInput;
use crate::room::{Counters, Event, Job, Shed};
use crate::rtcp::{NtpClock, NtpTime};
use crate::transport::{Candidate, Transports};
use crate::units::{LegKey, RoomKey, TransportKey};

/// Borrowed for the time of one input.
pub(crate) struct Reach<'a> {
    pub(crate) now: Instant,
    /// When the shard was made.
    pub(crate) epoch: Instant,
    /// One for all streams, so that their reports agree.
    pub(crate) clock: NtpClock,
    pub(crate) transports: &'a mut Transports,
    pub(crate) routes: &'a mut FxHashMap<TransportKey, (RoomKey, LegKey)>,
    pub(crate) candidates: &'a [Candidate],
    pub(crate) outbox: &'a mut Outbox,
    pub(crate) outputs: &'a mut VecDeque<Output>,
    pub(crate) counters: &'a mut Counters,
    /// What the machine is too small for.
    pub(crate) shed: Shed,
    /// One plaintext packet at a time is written here, or its head, for the outbox.
    pub(crate) scratch: &'a mut Vec<u8>,
    pub(crate) ids: &'a mut Ids,
}

impl Reach<'_> {
    /// `now` on the clock of sender reports.
    pub(crate) fn ntp(&self) -> NtpTime {
        self.clock.at(self.now)
    }

    /// The next multiple of `every`: what all rooms do at such times costs the shard one wake-up.
    pub(crate) fn next_multiple(&self, every: Duration) -> Instant {
        let since = self.now.saturating_duration_since(self.epoch).as_nanos();
        let past = u64::try_from(since % every.as_nanos().max(1)).unwrap_or(0);
        self.now + every.saturating_sub(Duration::from_nanos(past))
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    pub(crate) fn job(&mut self, job: Job) {
        self.outputs.push_back(Output::Job(job));
    }

    pub(crate) fn audio(&mut self, input: AudioInput) {
        self.outputs.push_back(Output::Audio(input));
    }

    /// Sends the RTP packet in `scratch`; gives its size on the wire, or `None` when the transport has no keys or path.
    pub(crate) fn send_rtp(&mut self, transport: TransportKey) -> Option<usize> {
        let (_, outbound) = self.transports.way_out(transport)?;
        let size = self.scratch.len() + outbound.rtp_overhead();
        self.outbox.push_whole_rtp(transport, self.scratch);
        Some(size)
    }

    /// Sends the RTP packet whose head is in `scratch`: the header, and what the receiver has of its own of the payload.
    /// Until it is sealed the rest waits where it lies, once for all receivers. Likewise.
    pub(crate) fn send_shared_rtp(&mut self, transport: TransportKey, packet: &MediaPacket) -> Option<usize> {
        let (_, outbound) = self.transports.way_out(transport)?;
        let own = packet.own_len();
        let size = self.scratch.len() + packet.payload.len() - own + outbound.rtp_overhead();
        self.outbox.push_rtp(transport, self.scratch, &packet.payload, own);
        Some(size)
    }

    /// Sends the compound RTCP packet in `scratch`, likewise.
    pub(crate) fn send_rtcp(&mut self, transport: TransportKey) -> Option<usize> {
        let (_, outbound) = self.transports.way_out(transport)?;
        let size = self.scratch.len() + outbound.rtcp_overhead();
        self.outbox.push_rtcp(transport, self.scratch);
        self.counters.rtcp_out.count(size);
        Some(size)
    }
}
