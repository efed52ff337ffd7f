//! A leg's slots for sound: each has one member's packets at a time.
//!
//! in:  packets of those who are heard, who has which slot
//! out: RTP of one unbroken stream per slot

use crate::bandwidth::Kind;
use crate::forward::{MediaPacket, RtpSender};
use crate::room::leg::answer::Terms;
use crate::room::leg::links::Links;
use crate::room::leg::outflow::Outflow;
use crate::shard::Reach;
use crate::units::{ClockRate, LegKey};

use super::Birth;

/// The slots, by number.
#[derive(Default)]
pub(crate) struct VoiceSlots(Vec<VoiceSlot>);

/// A slot for the sound of one member at a time.
struct VoiceSlot {
    sender: RtpSender,
    /// Whose packets its numbers follow.
    from: Option<LegKey>,
    active: bool,
}

impl VoiceSlots {
    /// Slots that are there go on; a section that no longer receives keeps its number, and carries nothing.
    pub(super) fn renew(&mut self, birth: &mut Birth<'_>, terms: &Terms) {
        for (at, section) in terms.negotiated.audio_slots.iter().enumerate() {
            let Some(local) = terms.audio_slots.get(at) else { break };
            let active = section.direction.sends();
            match self.0.get_mut(at) {
                Some(voice) => voice.active = active,
                None => {
                    let sender = birth.sender(section, local, ClockRate::OPUS);
                    self.0.push(VoiceSlot { sender, from: None, active });
                }
            }
        }
    }

    /// A packet of a member that a slot has the sound of. Numbers go on when it is another's than before.
    pub(crate) fn send(
        &mut self,
        reach: &mut Reach<'_>,
        links: &mut Links,
        outflow: &mut Outflow,
        number: u8,
        from: LegKey,
        packet: &MediaPacket,
    ) {
        let Some(transport) = links.slots().filter(|link| link.is_keyed()).map(|link| link.transport) else {
            return;
        };
        let voice = self.0.get_mut(usize::from(number)).filter(|voice| voice.active);
        let Some(VoiceSlot { sender, from: before, .. }) = voice else { return };
        let begins = *before != Some(from);
        if begins {
            *before = Some(from);
            sender.switch_to(sender.payload());
        }
        // RFC 3551 §4.1: a buffer may adapt where a talkspurt begins.
        let marked;
        let packet = if packet.marker == begins {
            packet
        } else {
            marked = MediaPacket { marker: begins, ..packet.clone() };
            &marked
        };
        reach.scratch.clear();
        let transport_cc = links.next_out(sender);
        if sender.write_head(reach.now, packet, transport_cc, reach.scratch)
            && let Some(size) = reach.send_shared_rtp(transport, packet)
        {
            links.sent(transport_cc);
            outflow.on_sent(reach.now, transport_cc, size, Kind::Audio);
            reach.counters.audio_out.count(size);
        }
    }

    /// A slot of sound has somebody else from now on, or nobody.
    pub(crate) fn release(&mut self, number: u8) {
        if let Some(voice) = self.0.get_mut(usize::from(number)) {
            voice.from = None;
        }
    }

    /// How many slots for sound it has.
    pub(crate) fn count(&self) -> u8 {
        u8::try_from(self.0.len()).unwrap_or(u8::MAX)
    }

    /// Their streams.
    pub(super) fn senders(&self) -> impl Iterator<Item = &RtpSender> {
        self.0.iter().map(|voice| &voice.sender)
    }

    /// Their streams, for reports.
    pub(super) fn senders_mut(&mut self) -> impl Iterator<Item = &mut RtpSender> {
        self.0.iter_mut().map(|voice| &mut voice.sender)
    }
}
