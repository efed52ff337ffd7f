//! One picture stream of a tile leg, whatever encoding of whichever camera is behind it.
//!
//! in:  which encoding to show, packets of it and of the one before, what the viewer misses
//! out: RTP of one unbroken stream
//!
//! ```text
//!                    select                key frame                select
//!        Idle ───────────────► Awaiting ──────────────► Showing ─────────────► Switching
//!         ▲                                                ▲      key frame of     │
//!         └────────────────── select(None) ────────────────┴───── the new one ◄───┘
//! ```
//!
//! While it switches the old picture goes on; the new one begins with its key frame. When the camera itself changes the
//! old member's picture must not be seen under the new one's name, so the old one ends at once.

use std::time::Instant;

use super::{MediaPacket, PacketCache, PayloadTypes, RtpSender, SourceId};
use crate::units::SeqNo;

/// See the module.
#[derive(Debug)]
pub struct Slot {
    sender: RtpSender,
    state: State,
    /// Pictures of higher temporal ids are left out …
    temporal_max: u8,
    /// … or are let through as soon as a picture allows it.
    temporal_wanted: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing to show.
    Idle,
    /// Nothing is shown until a key frame comes.
    Awaiting { target: SourceId },
    /// It flows.
    Showing { current: SourceId },
    /// It flows until a key frame of the other comes.
    Switching { current: SourceId, target: SourceId },
}

/// What a slot says to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// It was written.
    Sent,
    /// It is the first of another encoding, and was written: the one before is needed no more.
    Began,
    /// It is not for this viewer.
    Dropped,
}

/// Every temporal id.
pub const ALL_TEMPORAL: u8 = 7;

impl Slot {
    /// Shows nothing yet.
    #[must_use]
    pub fn new(sender: RtpSender) -> Self {
        Self { sender, state: State::Idle, temporal_max: ALL_TEMPORAL, temporal_wanted: ALL_TEMPORAL }
    }

    /// Its stream.
    #[must_use]
    pub fn sender(&self) -> &RtpSender {
        &self.sender
    }

    /// Its stream, for reports and repeats.
    pub fn sender_mut(&mut self) -> &mut RtpSender {
        &mut self.sender
    }

    /// What flows now.
    #[must_use]
    pub fn current(&self) -> Option<SourceId> {
        match self.state {
            State::Idle | State::Awaiting { .. } => None,
            State::Showing { current } | State::Switching { current, .. } => Some(current),
        }
    }

    /// What a key frame is awaited of.
    #[must_use]
    pub fn target(&self) -> Option<SourceId> {
        match self.state {
            State::Idle | State::Showing { .. } => None,
            State::Awaiting { target } | State::Switching { target, .. } => Some(target),
        }
    }

    /// What it is to show in the end.
    #[must_use]
    pub fn chosen(&self) -> Option<SourceId> {
        self.target().or(self.current())
    }

    /// Shows another encoding as soon as a key frame of it comes, or nothing any more.
    pub fn select(&mut self, wanted: Option<SourceId>) {
        self.state = match (wanted, self.state) {
            (None, _) => State::Idle,
            (Some(wanted), State::Showing { current } | State::Switching { current, .. })
                if wanted == current =>
            {
                State::Showing { current }
            }
            (Some(target), State::Showing { current } | State::Switching { current, .. })
                if target.leg == current.leg =>
            {
                State::Switching { current, target }
            }
            (
                Some(target),
                State::Idle | State::Awaiting { .. } | State::Showing { .. } | State::Switching { .. },
            ) => State::Awaiting { target },
        };
    }

    /// Leaves out pictures of higher temporal ids: fewer pictures of the same size.
    pub fn limit_temporal(&mut self, max: u8) {
        self.temporal_wanted = max;
        self.temporal_max = self.temporal_max.min(max);
    }

    /// Takes a packet of an encoding it watches; appends it as the viewer gets it, or nothing.
    pub fn take(
        &mut self,
        now: Instant,
        from: SourceId,
        packet: &MediaPacket,
        payload: PayloadTypes,
        transport_cc: Option<u16>,
        out: &mut Vec<u8>,
    ) -> Gate {
        if self.target() == Some(from) && packet.begins && packet.keyframe {
            self.state = State::Showing { current: from };
            self.temporal_max = self.temporal_wanted;
            self.sender.switch_to(payload);
            return if self.sender.write(now, packet, transport_cc, out) {
                Gate::Began
            } else {
                Gate::Dropped
            };
        }
        if self.current() != Some(from) {
            return Gate::Dropped;
        }
        if payload != self.sender.payload() {
            // The publisher has changed its codec: it begins with a key frame, and the stream goes on under another type.
            self.sender.switch_to(payload);
        }
        if !self.passes(packet) {
            self.sender.leave_out(packet.seq, packet.vp8.map(|vp8| vp8.picture_id));
            return Gate::Dropped;
        }
        if self.sender.write(now, packet, transport_cc, out) { Gate::Sent } else { Gate::Dropped }
    }

    /// A number of an encoding that carries nothing.
    pub fn skip(&mut self, from: SourceId, seq: SeqNo) {
        if self.current() == Some(from) {
            self.sender.leave_out(seq, None);
        }
    }

    /// Appends a repetition of the packet the viewer calls `wire`, out of what is kept of the encoding that flows.
    pub fn retransmit(
        &mut self,
        now: Instant,
        wire: u16,
        cache: &PacketCache,
        transport_cc: Option<u16>,
        out: &mut Vec<u8>,
    ) -> bool {
        self.sender.retransmit(now, wire, cache, transport_cc, out)
    }

    /// Whether the packet's temporal id is let through. More of them begin with a picture that refers to lower ones only.
    fn passes(&mut self, packet: &MediaPacket) -> bool {
        let rises = self.temporal_wanted > self.temporal_max && packet.begins;
        if rises && (packet.sync || packet.keyframe) {
            self.temporal_max = self.temporal_wanted;
        }
        packet.temporal <= self.temporal_max
    }
}
