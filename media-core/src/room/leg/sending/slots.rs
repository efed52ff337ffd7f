//! A leg's slots for pictures: each shows one encoding of one camera at a time.
//!
//! in:  packets of the encodings they show, what the viewer misses
//! out: RTP of one unbroken stream per slot, retransmissions

use crate::bandwidth::{Kind, Offered as Turn};
use crate::forward::{Gate, MediaPacket, Offered, PacketCache, PayloadTypes, RtpSender, Slot, SourceId};
use crate::room::leg::answer::Terms;
use crate::room::leg::links::Links;
use crate::room::leg::outflow::Outflow;
use crate::rtcp::Lost;
use crate::sdp::{Codec, NegotiatedMedia, Payload};
use crate::shard::Reach;
use crate::units::{ClockRate, Ssrc, VideoCodec};

use super::Birth;

/// The slots, by number.
#[derive(Default)]
pub(crate) struct VideoSlots(Vec<VideoSlot>);

/// A slot for pictures, and the codecs its viewer knows.
struct VideoSlot {
    slot: Slot,
    payloads: Vec<(VideoCodec, PayloadTypes)>,
    active: bool,
    /// A key frame of it waits at the pacer: what follows waits behind it.
    key_waits: Option<SourceId>,
}

impl VideoSlots {
    /// Slots that are there go on; a section that no longer receives keeps its number, and shows nothing.
    pub(super) fn renew(&mut self, birth: &mut Birth<'_>, terms: &Terms) {
        for (at, section) in terms.negotiated.video_slots.iter().enumerate() {
            let Some(local) = terms.video_slots.get(at) else { break };
            let (active, payloads) = (section.direction.sends(), payloads(section));
            match self.0.get_mut(at) {
                Some(slot) => {
                    slot.payloads = payloads;
                    slot.active = active;
                }
                None => {
                    let sender = birth.sender(section, local, ClockRate::VIDEO);
                    self.0.push(VideoSlot { slot: Slot::new(sender), payloads, active, key_waits: None });
                }
            }
        }
    }

    /// How many slots for pictures it has.
    pub(crate) fn count(&self) -> u8 {
        u8::try_from(self.0.len()).unwrap_or(u8::MAX)
    }

    /// The slot, when its viewer wants it.
    pub(crate) fn active_mut(&mut self, number: u8) -> Option<&mut Slot> {
        self.0.get_mut(usize::from(number)).filter(|slot| slot.active).map(|slot| &mut slot.slot)
    }

    /// What a slot shows now, and what it waits for.
    pub(crate) fn active(&self, number: u8) -> Option<&Slot> {
        self.0.get(usize::from(number)).filter(|slot| slot.active).map(|slot| &slot.slot)
    }

    /// The viewer can decode it in a slot.
    pub(crate) fn knows(&self, codec: VideoCodec) -> bool {
        self.0.iter().any(|slot| slot.payloads.iter().any(|(known, _)| *known == codec))
    }

    /// A packet of an encoding that a slot watches: it goes out, or waits its turn.
    pub(crate) fn send(
        &mut self,
        reach: &mut Reach<'_>,
        links: &mut Links,
        outflow: &mut Outflow,
        number: u8,
        offered: &Offered<'_>,
    ) -> Gate {
        let Some(slot) = self.0.get_mut(usize::from(number)) else { return Gate::Dropped };
        let &Offered { from, codec, packet, .. } = offered;
        if !slot.is_for_viewer(from, packet) {
            return Gate::Dropped;
        }
        match outflow.offer_slot(reach.now, (number, from, codec), packet) {
            Turn::Now => self.put(reach, links, outflow, number, offered),
            Turn::Waits => {
                if packet.begins && packet.keyframe {
                    slot.key_waits = Some(from);
                }
                Gate::Sent
            }
            Turn::Dropped => {
                self.begin_anew();
                Gate::Dropped
            }
        }
    }

    /// What waited was given up: each slot goes on with a key frame, and asks for it as for any that it awaits.
    fn begin_anew(&mut self) {
        for slot in &mut self.0 {
            slot.key_waits = None;
            slot.slot.begin_anew();
        }
    }

    /// A packet whose turn it is.
    pub(super) fn put(
        &mut self,
        reach: &mut Reach<'_>,
        links: &mut Links,
        outflow: &mut Outflow,
        number: u8,
        offered: &Offered<'_>,
    ) -> Gate {
        let Some(transport) = links.slots().filter(|link| link.is_keyed()).map(|link| link.transport) else {
            return Gate::Dropped;
        };
        let slot = self.0.get_mut(usize::from(number)).filter(|slot| slot.active);
        let Some(VideoSlot { slot, payloads, key_waits, .. }) = slot else { return Gate::Dropped };
        let &Offered { from, codec, packet, .. } = offered;
        if *key_waits == Some(from) && packet.begins && packet.keyframe {
            *key_waits = None;
        }
        let payload = payloads.iter().find(|(known, _)| *known == codec).map(|(_, payload)| *payload);
        let Some(payload) = payload else { return Gate::Dropped };
        reach.scratch.clear();
        let transport_cc = links.next_out(slot.sender());
        let gate = slot.take(reach.now, offered, payload, transport_cc, reach.scratch);
        let size = match gate {
            Gate::Sent | Gate::Began => reach.send_shared_rtp(transport, offered.packet),
            Gate::Filled => reach.send_rtp(transport),
            Gate::Dropped => None,
        };
        if let Some(size) = size {
            links.sent(transport_cc);
            outflow.on_sent(reach.now, transport_cc, size, Kind::Video);
            reach.counters.video_out.count(size);
        }
        gate
    }

    /// The encoding out of whose packets a slot repeats what its viewer misses of `media`.
    pub(crate) fn shown_in(&self, media: Ssrc) -> Option<SourceId> {
        let slot = self.0.iter().find(|slot| slot.active && slot.slot.sender().ssrc() == media)?;
        slot.slot.current()
    }

    /// Repeats what a slot's viewer misses.
    pub(crate) fn retransmit(
        &mut self,
        reach: &mut Reach<'_>,
        links: &mut Links,
        outflow: &mut Outflow,
        media: Ssrc,
        lost: Lost<'_>,
        cache: &PacketCache,
    ) {
        let Some(transport) = links.slots().map(|link| link.transport) else { return };
        let slot = self.0.iter_mut().find(|slot| slot.slot.sender().ssrc() == media);
        let Some(slot) = slot.map(|slot| &mut slot.slot) else { return };
        for seq in lost {
            reach.counters.nacked_out += 1;
            if !outflow.admits(reach.now, Kind::Repeat) {
                continue;
            }
            reach.scratch.clear();
            let number = links.next_out(slot.sender());
            if slot.retransmit(reach.now, seq, cache, number, reach.scratch)
                && let Some(size) = reach.send_rtp(transport)
            {
                links.sent(number);
                outflow.on_sent(reach.now, number, size, Kind::Repeat);
                reach.counters.video_out.count(size);
                reach.counters.retransmitted_out += 1;
            }
        }
    }

    /// What the slot of a stream shows, or waits for. `None`: the stream is no slot's.
    pub(super) fn chosen_in(&self, media: Ssrc) -> Option<Option<SourceId>> {
        let slot = self.0.iter().find(|slot| slot.active && slot.slot.sender().ssrc() == media)?;
        Some(slot.slot.chosen())
    }

    /// Their streams.
    pub(super) fn senders(&self) -> impl Iterator<Item = &RtpSender> {
        self.0.iter().map(|slot| slot.slot.sender())
    }

    /// Their streams, for reports.
    pub(super) fn senders_mut(&mut self) -> impl Iterator<Item = &mut RtpSender> {
        self.0.iter_mut().map(|slot| slot.slot.sender_mut())
    }

    /// The streams of those the viewer wants, and what they show.
    pub(super) fn active_senders_mut(&mut self) -> impl Iterator<Item = (Option<SourceId>, &mut RtpSender)> {
        let active = self.0.iter_mut().filter(|slot| slot.active);
        active.map(|slot| (slot.slot.current(), slot.slot.sender_mut()))
    }
}

impl VideoSlot {
    /// What it shows, or a key frame that it awaits, with what follows that.
    fn is_for_viewer(&self, from: SourceId, packet: &MediaPacket) -> bool {
        let begins = packet.begins && packet.keyframe || self.key_waits == Some(from);
        self.slot.current() == Some(from) || (self.slot.target() == Some(from) && begins)
    }
}

/// What the viewer of a slot can decode.
fn payloads(section: &NegotiatedMedia) -> Vec<(VideoCodec, PayloadTypes)> {
    let of = |payload: &Payload| match payload.codec {
        Codec::Video(codec) => Some((codec, PayloadTypes { pt: payload.pt, rtx: payload.rtx })),
        Codec::Opus => None,
    };
    section.receive.iter().filter_map(of).collect()
}
