//! What a leg sends: its two streams, and those of its slots.
//!
//! in:  packets of the mix, of its rendition and of the encodings its slots show; reports and requests of the peer
//! out: RTP, retransmissions, sender reports

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::answer::Terms;
use super::links::{Link, Links};
use super::outflow::{Outflow, Waiting};
use crate::bandwidth::{Kind, Offered};
use crate::forward::{
    Gate, MediaPacket, PacketCache, PayloadTypes, RtpSender, SenderConfig, Slot, SourceId, Start,
};
use crate::rtcp::{self, Lost, ReportBlock};
use crate::rtp::ExtId;
use crate::sdp::{Codec, LocalMedia, Negotiated, NegotiatedMedia, Payload};
use crate::shard::{Ids, Reach};
use crate::units::{ClockRate, LegKey, MediaKind, MediaTime, SeqNo, Ssrc, VideoCodec};

/// The streams of a leg, as far as the peer receives them.
pub(crate) struct Sending {
    audio: Option<Stream>,
    video: Option<Stream>,
    slots: Vec<VideoSlot>,
    voices: Vec<VoiceSlot>,
    own: Ssrc,
    cname: Arc<str>,
    /// Numbers the audio packets: each leg hears a mix of its own choice, without gaps.
    audio_seq: SeqNo,
    /// The next picture's packet that goes out is the first of another rendition.
    begins: bool,
    /// What the viewer missed lately, and when it said so.
    missed: VecDeque<(Instant, u16)>,
}

/// Numbers remembered as missed; a viewer who misses more is helped by a key frame only.
const MISSED: usize = 64;
/// … and for so long.
const MISSED_FOR: Duration = Duration::from_secs(1);
/// A probe sends no more packets than this in one turn.
const PADDING_PACKETS: usize = 32;

/// A stream that has been agreed on. It stays when the peer wants nothing of it for a while: begun anew under the same
/// SSRC, its numbers would leap, and its SRTP index with them.
struct Stream {
    codec: Codec,
    payload: PayloadTypes,
    sender: RtpSender,
    /// The peer wants it now.
    active: bool,
}

/// A slot for pictures, and the codecs its viewer knows.
struct VideoSlot {
    slot: Slot,
    payloads: Vec<(VideoCodec, PayloadTypes)>,
    active: bool,
}

/// A slot for the sound of one member at a time.
struct VoiceSlot {
    sender: RtpSender,
    /// Whose packets its numbers follow.
    from: Option<LegKey>,
    active: bool,
}

/// What a report or request of the peer is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The stream of the canvas.
    Canvas,
    /// A slot, and the encoding that it shows or waits for.
    Slot(Option<SourceId>),
}

impl Sending {
    pub(crate) fn new(ids: &mut Ids, terms: &Terms) -> Self {
        let own = terms.locals().map(|local| local.ssrc).next();
        let mut sending = Self {
            audio: None,
            video: None,
            slots: Vec::new(),
            voices: Vec::new(),
            own: own.unwrap_or(Ssrc(1)),
            cname: terms.cname(),
            audio_seq: SeqNo(0),
            begins: false,
            missed: VecDeque::new(),
        };
        sending.renew(ids, terms);
        sending
    }

    /// Takes what was negotiated anew. Streams that stay go on.
    pub(crate) fn renew(&mut self, ids: &mut Ids, terms: &Terms) {
        let Negotiated { audio, video, .. } = &terms.negotiated;
        let mut stream = |former: Option<Stream>, section: &Option<NegotiatedMedia>, local, rate| {
            let (section, local): (_, &LocalMedia) = section.as_ref().zip(local)?;
            let active = section.direction.sends();
            match former.filter(|stream| stream.sender.ssrc() == local.ssrc) {
                Some(stream) => Some(stream.renewed(section, active)),
                None => active.then(|| {
                    let sender = sender(ids, section, local, rate, terms.cname());
                    Stream { codec: section.send.codec, payload: payload(section), sender, active }
                }),
            }
        };
        self.audio = stream(self.audio.take(), audio, terms.audio.as_ref(), ClockRate::OPUS);
        self.video = stream(self.video.take(), video, terms.video.as_ref(), ClockRate::VIDEO);
        self.renew_slots(ids, terms);
        self.renew_voices(ids, terms);
    }

    /// Slots that are there go on; a section that no longer receives keeps its number, and shows nothing.
    fn renew_slots(&mut self, ids: &mut Ids, terms: &Terms) {
        for (at, section) in terms.negotiated.video_slots.iter().enumerate() {
            let Some(local) = terms.video_slots.get(at) else { break };
            let (active, payloads) = (section.direction.sends(), payloads(section));
            match self.slots.get_mut(at) {
                Some(slot) => {
                    slot.payloads = payloads;
                    slot.active = active;
                }
                None => {
                    let sender = sender(ids, section, local, ClockRate::VIDEO, terms.cname());
                    self.slots.push(VideoSlot { slot: Slot::new(sender), payloads, active });
                }
            }
        }
    }

    /// The same for slots of sound.
    fn renew_voices(&mut self, ids: &mut Ids, terms: &Terms) {
        for (at, section) in terms.negotiated.audio_slots.iter().enumerate() {
            let Some(local) = terms.audio_slots.get(at) else { break };
            let active = section.direction.sends();
            match self.voices.get_mut(at) {
                Some(voice) => voice.active = active,
                None => {
                    let sender = sender(ids, section, local, ClockRate::OPUS, terms.cname());
                    self.voices.push(VoiceSlot { sender, from: None, active });
                }
            }
        }
    }

    /// A packet of a member that a slot has the sound of. Numbers go on when it is another's than before.
    pub(crate) fn send_voice(
        &mut self,
        reach: &mut Reach<'_>,
        links: &mut Links,
        number: u8,
        from: LegKey,
        packet: &MediaPacket,
    ) {
        let Some(transport) = links.slots().filter(|link| link.is_keyed()).map(|link| link.transport) else {
            return;
        };
        let voice = self.voices.get_mut(usize::from(number)).filter(|voice| voice.active);
        let Some(VoiceSlot { sender, from: before, .. }) = voice else { return };
        let begins = *before != Some(from);
        if begins {
            *before = Some(from);
            sender.switch_to(sender.payload());
        }
        // RFC 3551 §4.1: a buffer may adapt where a talkspurt begins.
        let packet = MediaPacket { marker: begins, ..packet.clone() };
        reach.scratch.clear();
        let transport_cc = links.next_out(sender);
        if sender.write(reach.now, &packet, transport_cc, reach.scratch)
            && let Some(size) = reach.send_rtp(transport)
        {
            links.sent(transport_cc);
            reach.counters.audio_out.count(size);
        }
    }

    /// A slot of sound has somebody else from now on, or nobody.
    pub(crate) fn release_voice(&mut self, number: u8) {
        if let Some(voice) = self.voices.get_mut(usize::from(number)) {
            voice.from = None;
        }
    }

    /// How many slots for sound it has.
    pub(crate) fn voice_count(&self) -> u8 {
        u8::try_from(self.voices.len()).unwrap_or(u8::MAX)
    }

    /// How many slots for pictures it has.
    pub(crate) fn slot_count(&self) -> u8 {
        u8::try_from(self.slots.len()).unwrap_or(u8::MAX)
    }

    /// The slot, when its viewer wants it.
    pub(crate) fn slot_mut(&mut self, number: u8) -> Option<&mut Slot> {
        self.slots.get_mut(usize::from(number)).filter(|slot| slot.active).map(|slot| &mut slot.slot)
    }

    /// What a slot shows now, and what it waits for.
    pub(crate) fn slot(&self, number: u8) -> Option<&Slot> {
        self.slots.get(usize::from(number)).filter(|slot| slot.active).map(|slot| &slot.slot)
    }

    /// The viewer can decode it in a slot.
    pub(crate) fn knows(&self, codec: VideoCodec) -> bool {
        self.slots.iter().any(|slot| slot.payloads.iter().any(|(known, _)| *known == codec))
    }

    /// A packet of an encoding that a slot watches.
    pub(crate) fn send_slot(
        &mut self,
        reach: &mut Reach<'_>,
        links: &mut Links,
        outflow: &mut Outflow,
        number: u8,
        (from, codec): (SourceId, VideoCodec),
        packet: &MediaPacket,
    ) -> Gate {
        let Some(transport) = links.slots().filter(|link| link.is_keyed()).map(|link| link.transport) else {
            return Gate::Dropped;
        };
        let slot = self.slots.get_mut(usize::from(number)).filter(|slot| slot.active);
        let Some(VideoSlot { slot, payloads, .. }) = slot else { return Gate::Dropped };
        let payload = payloads.iter().find(|(known, _)| *known == codec).map(|(_, payload)| *payload);
        let Some(payload) = payload else { return Gate::Dropped };
        reach.scratch.clear();
        let transport_cc = links.next_out(slot.sender());
        let gate = slot.take(reach.now, from, packet, payload, transport_cc, reach.scratch);
        if gate != Gate::Dropped
            && let Some(size) = reach.send_shared_rtp(transport, &packet.payload)
        {
            links.sent(transport_cc);
            outflow.admits(reach.now, Kind::Video, size);
            outflow.on_sent(reach.now, transport_cc, size, Kind::Video);
            reach.counters.video_out.count(size);
        }
        gate
    }

    /// Whom a request for `media` is about.
    pub(crate) fn subject(&self, media: Ssrc) -> Option<Subject> {
        if self.is_video(media) {
            return Some(Subject::Canvas);
        }
        let slot = self.slots.iter().find(|slot| slot.active && slot.slot.sender().ssrc() == media)?;
        Some(Subject::Slot(slot.slot.chosen()))
    }

    /// The encoding out of whose packets a slot repeats what its viewer misses of `media`.
    pub(crate) fn shown_in(&self, media: Ssrc) -> Option<SourceId> {
        let slot = self.slots.iter().find(|slot| slot.active && slot.slot.sender().ssrc() == media)?;
        slot.slot.current()
    }

    /// Repeats what a slot's viewer misses.
    pub(crate) fn retransmit_slot(
        &mut self,
        reach: &mut Reach<'_>,
        links: &mut Links,
        outflow: &mut Outflow,
        media: Ssrc,
        lost: Lost<'_>,
        cache: &PacketCache,
    ) {
        let Some(transport) = links.slots().map(|link| link.transport) else { return };
        let slot = self.slots.iter_mut().find(|slot| slot.slot.sender().ssrc() == media);
        let Some(slot) = slot.map(|slot| &mut slot.slot) else { return };
        for seq in lost {
            reach.counters.nacked_out += 1;
            if !outflow.admits(reach.now, Kind::Repeat, 0) {
                continue;
            }
            reach.scratch.clear();
            let number = links.next_out(slot.sender());
            if slot.retransmit(reach.now, seq, cache, number, reach.scratch)
                && let Some(size) = reach.send_rtp(transport)
            {
                links.sent(number);
                outflow.admits(reach.now, Kind::Video, size);
                outflow.on_sent(reach.now, number, size, Kind::Repeat);
                reach.counters.video_out.count(size);
                reach.counters.retransmitted_out += 1;
            }
        }
    }

    pub(crate) fn has_audio(&self) -> bool {
        self.audio.as_ref().is_some_and(|stream| stream.active)
    }

    pub(crate) fn video_codec(&self) -> Option<VideoCodec> {
        match self.video.as_ref().filter(|stream| stream.active)?.codec {
            Codec::Video(codec) => Some(codec),
            Codec::Opus => None,
        }
    }

    /// In whose name feedback is sent that belongs to no stream.
    pub(crate) fn own(&self) -> Ssrc {
        self.own
    }

    /// Round trip to the peer, from its reports.
    pub(crate) fn rtt(&self) -> Option<Duration> {
        let streams = [&self.video, &self.audio].into_iter().flatten().map(|stream| &stream.sender);
        let slots = self.slots.iter().map(|slot| slot.slot.sender());
        let voices = self.voices.iter().map(|voice| &voice.sender);
        streams.chain(slots).chain(voices).find_map(|sender| sender.stats().rtt)
    }

    fn sender(&mut self, kind: MediaKind) -> Option<&mut RtpSender> {
        let stream = match kind {
            MediaKind::Audio => self.audio.as_mut(),
            MediaKind::Video => self.video.as_mut(),
        };
        stream.filter(|stream| stream.active).map(|stream| &mut stream.sender)
    }

    pub(crate) fn is_video(&self, ssrc: Ssrc) -> bool {
        self.video.as_ref().is_some_and(|stream| stream.active && stream.sender.ssrc() == ssrc)
    }

    /// The mix's packet for this leg; `timestamp` on the mix's clock, mixed for `at`.
    pub(crate) fn send_audio(
        &mut self,
        reach: &mut Reach<'_>,
        links: &mut Links,
        outflow: &mut Outflow,
        timestamp: MediaTime,
        at: Instant,
        payload: &Bytes,
    ) {
        self.audio_seq.0 += 1;
        outflow.admits(reach.now, Kind::Audio, payload.len());
        let packet = MediaPacket::audio(self.audio_seq, timestamp, at, payload.clone());
        self.put(reach, links, outflow, MediaKind::Audio, &packet);
    }

    /// A packet of the canvas; `begins`: it is the first of another rendition. `false` when it was given up, and all that
    /// waited with it.
    pub(crate) fn send_video(
        &mut self,
        reach: &mut Reach<'_>,
        links: &mut Links,
        outflow: &mut Outflow,
        packet: &MediaPacket,
        begins: bool,
    ) -> bool {
        let begins = begins || self.begins;
        match outflow.offer(reach.now, packet, begins) {
            Offered::Now => self.put_video(reach, links, outflow, packet, begins),
            Offered::Waits => {}
            Offered::Dropped => {
                self.begins = true;
                return false;
            }
        }
        self.begins = false;
        true
    }

    /// Sends what has waited long enough.
    pub(crate) fn flush(&mut self, reach: &mut Reach<'_>, links: &mut Links, outflow: &mut Outflow) {
        while let Some(Waiting { packet, begins }) = outflow.poll(reach.now) {
            self.put_video(reach, links, outflow, &packet, begins);
        }
        self.pad(reach, links, outflow);
    }

    fn put_video(
        &mut self,
        reach: &mut Reach<'_>,
        links: &mut Links,
        outflow: &mut Outflow,
        packet: &MediaPacket,
        begins: bool,
    ) {
        if begins && let Some(stream) = &mut self.video {
            stream.sender.switch_to(stream.payload);
        }
        self.put(reach, links, outflow, MediaKind::Video, packet);
    }

    fn put(
        &mut self,
        reach: &mut Reach<'_>,
        links: &mut Links,
        outflow: &mut Outflow,
        kind: MediaKind,
        packet: &MediaPacket,
    ) {
        let Some(transport) = links.carrying(kind) else { return };
        let Some(sender) = self.sender(kind) else { return };
        reach.scratch.clear();
        let number = links.next_out(sender);
        if sender.write(reach.now, packet, number, reach.scratch)
            && let Some(size) = reach.send_shared_rtp(transport, &packet.payload)
        {
            links.sent(number);
            match kind {
                MediaKind::Audio => {
                    outflow.on_sent(reach.now, number, size, Kind::Audio);
                    reach.counters.audio_out.count(size);
                }
                MediaKind::Video => {
                    outflow.on_sent(reach.now, number, size, Kind::Video);
                    reach.counters.video_out.count(size);
                }
            }
        }
    }

    /// Sends the padding that a probe wants now.
    fn pad(&mut self, reach: &mut Reach<'_>, links: &mut Links, outflow: &mut Outflow) {
        let slots = links.slots().map(|link| link.transport);
        let Some(transport) = links.carrying(MediaKind::Video).or(slots) else { return };
        let video = self.video.as_mut().filter(|stream| stream.active).map(|stream| &mut stream.sender);
        let slots = self.slots.iter_mut().filter(|slot| slot.active).map(|slot| slot.slot.sender_mut());
        // The first one that has sent something, and has a stream for it.
        let Some(sender) = video.into_iter().chain(slots).find(|sender| sender.can_pad()) else { return };
        for _ in 0..PADDING_PACKETS {
            let due = outflow.padding_due(reach.now);
            if due == 0 || !outflow.admits(reach.now, Kind::Padding, due.min(255)) {
                return;
            }
            reach.scratch.clear();
            let number = links.next_out(sender);
            if !sender.pad(reach.now, due, number, reach.scratch) {
                return;
            }
            let Some(size) = reach.send_rtp(transport) else { return };
            links.sent(number);
            outflow.on_sent(reach.now, number, size, Kind::Padding);
            reach.counters.padding_out.count(size);
        }
    }

    pub(crate) fn retransmit(
        &mut self,
        reach: &mut Reach<'_>,
        links: &mut Links,
        outflow: &mut Outflow,
        media: Ssrc,
        lost: Lost<'_>,
        cache: &PacketCache,
    ) {
        if !self.is_video(media) {
            return;
        }
        for seq in lost {
            reach.counters.nacked_out += 1;
            if self.missed.len() >= MISSED {
                self.missed.pop_front();
            }
            self.missed.push_back((reach.now, seq));
            self.repeat(reach, links, outflow, seq, cache);
        }
    }

    /// Sends again what the viewer said lately that it misses; gives whether there was anything.
    pub(crate) fn repair(
        &mut self,
        reach: &mut Reach<'_>,
        links: &mut Links,
        outflow: &mut Outflow,
        cache: &PacketCache,
    ) -> bool {
        let mut repaired = false;
        for (at, seq) in std::mem::take(&mut self.missed) {
            if reach.now.saturating_duration_since(at) < MISSED_FOR {
                repaired |= self.repeat(reach, links, outflow, seq, cache);
            }
        }
        repaired
    }

    fn repeat(
        &mut self,
        reach: &mut Reach<'_>,
        links: &mut Links,
        outflow: &mut Outflow,
        seq: u16,
        cache: &PacketCache,
    ) -> bool {
        let Some(transport) = links.carrying(MediaKind::Video) else { return false };
        let Some(sender) = self.sender(MediaKind::Video) else { return false };
        if !outflow.admits(reach.now, Kind::Repeat, 0) {
            return false;
        }
        reach.scratch.clear();
        let number = links.next_out(sender);
        if !sender.retransmit(reach.now, seq, cache, number, reach.scratch) {
            return false;
        }
        let Some(size) = reach.send_rtp(transport) else { return false };
        links.sent(number);
        outflow.admits(reach.now, Kind::Video, size);
        outflow.on_sent(reach.now, number, size, Kind::Repeat);
        reach.counters.video_out.count(size);
        reach.counters.retransmitted_out += 1;
        true
    }

    pub(crate) fn on_report(&mut self, reach: &Reach<'_>, block: &ReportBlock) {
        for kind in [MediaKind::Audio, MediaKind::Video] {
            if let Some(sender) = self.sender(kind) {
                sender.handle_report(reach.ntp(), block);
            }
        }
        for slot in &mut self.slots {
            slot.slot.sender_mut().handle_report(reach.ntp(), block);
        }
        for voice in &mut self.voices {
            voice.sender.handle_report(reach.ntp(), block);
        }
    }

    /// Sends what is due on one transport: sender reports, and `blocks` about what it receives.
    pub(crate) fn report(&mut self, reach: &mut Reach<'_>, link: &Link, mut blocks: Vec<ReportBlock>) {
        reach.scratch.clear();
        let ntp = reach.ntp();
        for &kind in link.kinds() {
            if let Some(sender) = self.sender(kind)
                && sender.poll_report(reach.now, ntp, &blocks, reach.scratch)
            {
                blocks.clear();
            }
        }
        if link.carries_slots() {
            self.report_slots(reach, &mut blocks);
        }
        if !blocks.is_empty() {
            // RFC 3550 §6.1: a compound carries the canonical name.
            rtcp::write_receiver_report(reach.scratch, self.own, &blocks);
            rtcp::write_sdes(reach.scratch, self.own, &self.cname);
        }
        if !reach.scratch.is_empty() {
            reach.send_rtcp(link.transport);
        }
    }
}

impl Sending {
    /// Appends the sender reports of the slots that are due. Those of pictures say when they are heard, not when they came:
    /// the mix waits for late packets, and lips with it.
    fn report_slots(&mut self, reach: &mut Reach<'_>, blocks: &mut Vec<ReportBlock>) {
        let ntp = reach.ntp();
        for slot in &mut self.slots {
            if slot.slot.sender_mut().poll_report(reach.now, ntp, blocks, reach.scratch) {
                blocks.clear();
            }
        }
        for voice in &mut self.voices {
            if voice.sender.poll_report(reach.now, ntp, blocks, reach.scratch) {
                blocks.clear();
            }
        }
    }
}

impl Stream {
    fn renewed(mut self, section: &NegotiatedMedia, active: bool) -> Self {
        if active && (!self.active || self.codec != section.send.codec) {
            self.sender.switch_to(payload(section));
            self.codec = section.send.codec;
            self.payload = payload(section);
        }
        self.active = active;
        self
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

fn payload(section: &NegotiatedMedia) -> PayloadTypes {
    PayloadTypes { pt: section.send.pt, rtx: section.send.rtx }
}

fn sender(
    ids: &mut Ids,
    section: &NegotiatedMedia,
    local: &LocalMedia,
    rate: ClockRate,
    cname: Arc<str>,
) -> RtpSender {
    let extensions = section.extensions;
    RtpSender::new(SenderConfig {
        kind: section.kind,
        rate,
        ssrc: local.ssrc,
        rtx_ssrc: local.rtx,
        payload: payload(section),
        transport_cc: extensions.transport_cc.map(ExtId),
        mid: extensions.mid.map(|id| (ExtId(id), section.mid.clone())),
        cname,
        start: Start {
            seq: ids.first_number(),
            rtx_seq: ids.first_number(),
            timestamp: ids.ssrc().0,
            picture_id: ids.first_number(),
        },
    })
}
