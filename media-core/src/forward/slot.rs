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

use super::cut::{Cut, Cutter, Passing};
use super::outcomes::{Outcome, Outcomes};
use super::{Layers, MediaPacket, PacketCache, PayloadTypes, RtpSender, SourceId};
use crate::rtp::Layering;
use crate::units::{SeqNo, VideoCodec};

/// See the module.
#[derive(Debug)]
pub struct Slot {
    sender: RtpSender,
    state: State,
    cutter: Cutter,
    /// Of a stream of which something is or was left out.
    outcomes: Outcomes,
    notes: bool,
    /// Of a stream without spatial layers: pictures of higher temporal ids are left out until a picture allows more.
    temporal_max: u8,
}

/// A packet of an encoding, for those who watch it.
#[derive(Clone, Copy, Debug)]
pub struct Offered<'a> {
    /// Which encoding.
    pub from: SourceId,
    /// What it is encoded with.
    pub codec: VideoCodec,
    /// The packet.
    pub packet: &'a MediaPacket,
    /// What it tells of its layers.
    pub layering: &'a Layering,
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
    /// It is not for this viewer, who will ask for its number: that was written with nothing in it.
    Filled,
    /// It is not for this viewer.
    Dropped,
}

/// Every temporal id.
pub const ALL_TEMPORAL: u8 = Layers::ALL.temporal;

impl Slot {
    /// Shows nothing yet.
    #[must_use]
    pub fn new(sender: RtpSender) -> Self {
        let cutter = Cutter::new(sender.is_described());
        Self {
            sender,
            state: State::Idle,
            cutter,
            outcomes: Outcomes::default(),
            notes: false,
            temporal_max: Layers::ALL.temporal,
        }
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

    /// What it showed cannot go on: a key frame of what it is to show is awaited.
    pub fn begin_anew(&mut self) {
        if let Some(target) = self.chosen() {
            self.state = State::Awaiting { target };
        }
    }

    /// Leaves out pictures of higher temporal ids, and spatial layers above: fewer pictures, or smaller ones.
    pub fn limit(&mut self, most: Layers) {
        self.cutter.want(most);
    }

    /// What is let through at most.
    #[must_use]
    pub fn limits(&self) -> Layers {
        self.cutter.wanted()
    }

    /// What flows of a stream that is cut here.
    #[must_use]
    pub fn layers(&self) -> Option<Layers> {
        self.cutter.current().filter(|_| self.current().is_some())
    }

    /// Takes a packet of an encoding it watches; appends what of it is the viewer's own, or nothing: the header, and the
    /// beginning of the payload. The rest is the same for all viewers.
    pub fn take(
        &mut self,
        now: Instant,
        offered: &Offered<'_>,
        payload: PayloadTypes,
        transport_cc: Option<u16>,
        out: &mut Vec<u8>,
    ) -> Gate {
        let &Offered { from, packet, layering, .. } = offered;
        let begins = self.target() == Some(from) && packet.begins && packet.keyframe;
        if begins {
            self.state = State::Showing { current: from };
            self.temporal_max = self.cutter.wanted().temporal;
            self.sender.switch_to(payload);
            self.begin(layering);
        } else if self.current() != Some(from) {
            return Gate::Dropped;
        } else if payload != self.sender.payload() {
            // The publisher has changed its codec: it begins with a key frame, and the stream goes on under another type.
            self.sender.switch_to(payload);
            self.begin(layering);
        }
        let passing = match layering {
            Layering::Plain if self.cutter.is_whole() => {
                if self.passes(packet) {
                    Cut::Passes(Passing::whole(packet))
                } else {
                    Cut::LeftOut
                }
            }
            Layering::Plain | Layering::Vp9(_) | Layering::Av1(..) => self.cutter.pass(packet, layering),
        };
        let passing = match passing {
            Cut::Passes(passing) => passing,
            Cut::Unknown => return Gate::Dropped,
            Cut::LeftOut => return self.leave_out(now, packet, transport_cc, out),
        };
        if self.notes {
            self.outcomes.note(packet.seq, Outcome::Sent { marker: passing.marker });
        }
        match (self.sender.write_head_as(now, packet, passing, transport_cc, out), begins) {
            (false, _) => Gate::Dropped,
            (true, true) => Gate::Began,
            (true, false) => Gate::Sent,
        }
    }

    fn begin(&mut self, layering: &Layering) {
        self.cutter.begin(layering);
        self.outcomes.clear();
        self.notes = !self.cutter.is_whole();
    }

    /// A packet is not for this viewer.
    fn leave_out(
        &mut self,
        now: Instant,
        packet: &MediaPacket,
        transport_cc: Option<u16>,
        out: &mut Vec<u8>,
    ) -> Gate {
        // Of what came before nothing was left out, and nothing is noted.
        self.notes = true;
        self.outcomes.note(packet.seq, Outcome::LeftOut);
        let closing = packet.numbers.and_then(|numbers| numbers.closing_id());
        if self.sender.leave_out(packet.seq, closing) {
            return Gate::Dropped;
        }
        // It was lost on its way here, and nobody knew then that it is not for this viewer.
        let filled = self.sender.write_head_as(now, &packet.hollow(), Passing::default(), transport_cc, out);
        if filled { Gate::Filled } else { Gate::Dropped }
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
        let Some((packet, place)) = self.sender.sent(wire, cache) else { return false };
        let passing = match self.outcomes.of(packet.seq) {
            Outcome::Sent { marker } => self.cutter.again(packet, Some(marker)),
            // Of a stream of which nothing was left out nothing is noted.
            Outcome::Unknown => self.cutter.again(packet, None),
            Outcome::LeftOut => None,
        };
        match passing {
            Some(passing) => self.sender.repeat(now, (packet, place), passing, transport_cc, out),
            None => {
                let (hollow, passing) = (packet.hollow(), Passing::default());
                self.sender.repeat(now, (&hollow, place), passing, transport_cc, out)
            }
        }
    }

    /// Whether the packet's temporal id is let through. More of them begin with a picture that refers to lower ones only.
    fn passes(&mut self, packet: &MediaPacket) -> bool {
        let wanted = self.cutter.wanted().temporal;
        if packet.begins {
            // Between pictures, so that each passes whole or not at all.
            let may_rise = packet.sync || packet.keyframe;
            let most = if may_rise { wanted } else { self.temporal_max };
            self.temporal_max = most.min(wanted);
        }
        packet.temporal <= self.temporal_max
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::forward::{SenderConfig, Start};
    use crate::rtp::{OnwardIds, PictureNumbers, RtpView, vp8};
    use crate::units::{ClockRate, EncodingIndex, LegKey, MediaKind, MediaTime, Pt, Ssrc};

    const VP8: PayloadTypes = PayloadTypes { pt: Pt(96), rtx: Some(Pt(97)) };
    const LOW: SourceId = SourceId { leg: LegKey(1), encoding: EncodingIndex(0) };
    const HIGH: SourceId = SourceId { leg: LegKey(1), encoding: EncodingIndex(1) };
    const OTHER: SourceId = SourceId { leg: LegKey(2), encoding: EncodingIndex(0) };

    fn slot() -> Slot {
        Slot::new(RtpSender::new(SenderConfig {
            kind: MediaKind::Video,
            rate: ClockRate::VIDEO,
            ssrc: Ssrc(1),
            rtx_ssrc: Some(Ssrc(2)),
            payload: VP8,
            transport_cc: None,
            abs_send_time: None,
            onward: OnwardIds::default(),
            mid: None,
            cname: "signalbox".into(),
            start: Start { seq: 65_534, rtx_seq: 9, timestamp: 7, picture_id: 0x7ffe },
        }))
    }

    /// Pictures of one packet each; `temporal` as a browser orders them: 0 2 1 2.
    fn picture(now: Instant, number: u16, keyframe: bool, temporal: u8) -> MediaPacket {
        let timestamp = MediaTime { ticks: u64::from(number) * 3000, rate: ClockRate::VIDEO };
        let [high, low] = (0x8000 | number).to_be_bytes();
        let payload = vec![0x90, 0xe0, high, low, 7, temporal << 6 | 0x20, u8::from(!keyframe), 0, 0];
        let (descriptor, _) = vp8::parse(&payload).unwrap();
        MediaPacket {
            keyframe,
            marker: true,
            temporal,
            sync: descriptor.layer_sync,
            numbers: PictureNumbers::of_vp8(&descriptor),
            ..MediaPacket::audio(SeqNo(70_000 + u64::from(number)), timestamp, now, Bytes::from(payload))
        }
    }

    /// Takes a picture; gives its number and picture id at the viewer.
    fn take(slot: &mut Slot, from: SourceId, packet: &MediaPacket) -> Option<(u16, u16)> {
        let mut out = Vec::new();
        let offered = Offered { from, codec: VideoCodec::Vp8, packet, layering: &Layering::Plain };
        let gate = slot.take(packet.captured, &offered, VP8, None, &mut out);
        assert_eq!(gate == Gate::Dropped, out.is_empty());
        let view = RtpView::parse(&out).ok()?;
        Some((view.seq(), vp8::parse(view.payload())?.0.picture_id?))
    }

    #[test]
    fn the_old_picture_goes_on_until_the_key_frame_of_the_new_one() {
        let now = Instant::now();
        let mut slot = slot();
        assert_eq!(take(&mut slot, LOW, &picture(now, 0, true, 0)), None, "nothing is to be shown");
        slot.select(Some(LOW));
        assert_eq!((slot.current(), slot.target()), (None, Some(LOW)));
        assert_eq!(take(&mut slot, LOW, &picture(now, 1, false, 0)), None);
        assert_eq!(take(&mut slot, LOW, &picture(now, 2, true, 0)), Some((65_534, 0x7ffe)));
        slot.select(Some(HIGH));
        assert_eq!((slot.current(), slot.target()), (Some(LOW), Some(HIGH)));
        assert_eq!(take(&mut slot, HIGH, &picture(now, 9, false, 0)), None);
        assert_eq!(take(&mut slot, LOW, &picture(now, 3, false, 0)), Some((65_535, 0x7fff)));
        let later = now + Duration::from_millis(33);
        assert_eq!(take(&mut slot, HIGH, &picture(later, 10, true, 0)), Some((0, 0)));
        assert_eq!(take(&mut slot, LOW, &picture(later, 4, false, 0)), None);
        assert_eq!((slot.current(), slot.target()), (Some(HIGH), None));
        // Changed its mind before the key frame came: nothing happens.
        slot.select(Some(LOW));
        slot.select(Some(HIGH));
        assert_eq!(take(&mut slot, HIGH, &picture(later, 11, false, 0)), Some((1, 1)));
    }

    #[test]
    fn another_member_is_never_seen_under_the_name_of_the_next() {
        let now = Instant::now();
        let mut slot = slot();
        slot.select(Some(LOW));
        assert!(take(&mut slot, LOW, &picture(now, 0, true, 0)).is_some());
        slot.select(Some(OTHER));
        assert_eq!(slot.current(), None);
        assert_eq!(take(&mut slot, LOW, &picture(now, 1, false, 0)), None);
        assert!(take(&mut slot, OTHER, &picture(now, 50, true, 0)).is_some());
        slot.select(None);
        assert_eq!(take(&mut slot, OTHER, &picture(now, 51, true, 0)), None);
    }

    #[test]
    fn fewer_pictures_of_the_same_size_without_a_gap() {
        let now = Instant::now();
        let mut slot = slot();
        slot.select(Some(LOW));
        let mut seen = Vec::new();
        for (number, (temporal, max)) in
            [(0, 7), (2, 7), (1, 7), (2, 0), (0, 0), (2, 0), (1, 0), (2, 0), (0, 1), (2, 1), (1, 1), (2, 1)]
                .into_iter()
                .enumerate()
        {
            slot.limit(Layers { temporal: max, ..Layers::ALL });
            let number = u16::try_from(number).unwrap();
            let packet = picture(now, number, number == 0, temporal);
            seen.extend(take(&mut slot, LOW, &packet).map(|(seq, id)| (number, seq, id)));
        }
        let numbers: Vec<u16> = seen.iter().map(|(number, ..)| *number).collect();
        assert_eq!(numbers, [0, 1, 2, 4, 8, 10]);
        for pair in seen.windows(2) {
            assert_eq!(pair[1].1, pair[0].1.wrapping_add(1), "sequence numbers close up");
            assert_eq!(pair[1].2, (pair[0].2 + 1) & 0x7fff, "picture ids close up");
        }
    }
}
