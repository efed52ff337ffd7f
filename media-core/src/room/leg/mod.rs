//! One leg: a negotiated call of a member, over one transport or one per section.
//!
//! in:  RTP and RTCP of its transports, packets of the mix and of its rendition
//! out: audio packets for the mix, decode jobs, RTP and RTCP for the peer
//!
//! ```text
//!   Connecting ── all transports keyed ──► Connected
//!       └── not within CONNECT_WITHIN ──► overdue: the room ends it
//! ```

mod answer;
mod camera;
mod ceiling;
mod links;
mod liveness;
mod outflow;
mod receiving;
mod sending;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

pub(crate) use self::answer::Spoken;
use self::answer::Terms;
pub use self::answer::check_offer;
use self::links::Links;
use self::liveness::Watch;
use self::outflow::Outflow;
pub(crate) use self::receiving::Attention;
pub(crate) use self::receiving::{Heard, Ingest, Receiving};
use self::sending::{Sending, Subject};
use super::command::Receive;
use super::event::Liveness;
use super::job::{DecoderSlot, FeedKey};
use super::sources::Sources;
use crate::codec::{CodecError, Picture, Rotation};
use crate::forward::{Gate, Layers, MediaPacket, Offered, PacketCache, Slot, SourceId};
use crate::mix::audio::AudioInput;
use crate::rtcp::{self, Packet, ReportBlock};
use crate::sdp::{Offer, SdpError};
use crate::shard::Reach;
use crate::units::{
    Bitrate, EncodingIndex, LegKey, MediaKind, MediaTime, MemberKey, SeqNo, TransportKey, VideoCodec,
};

/// A browser that has our answer needs a fraction of a second; a lost one holds its place no longer than this.
const CONNECT_WITHIN: Duration = Duration::from_secs(15);
/// RFC 3550 §6.2 allows 5 s; lip sync and loss figures want it sooner.
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// Round trip until one is known.
const DEFAULT_RTT: Duration = Duration::from_millis(100);

/// See the module.
pub(crate) struct Leg {
    member: MemberKey,
    terms: Terms,
    links: Links,
    state: State,
    watch: Watch,
    receiving: Receiving,
    sending: Sending,
    outflow: Outflow,
    report_at: Instant,
}

/// What a leg receives of its room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tuning {
    /// The mix.
    pub(crate) hears: bool,
    /// In two channels.
    pub(crate) stereo: bool,
    /// The canvas, so encoded.
    pub(crate) watches: Option<VideoCodec>,
}

/// Key frames that a viewer cannot go on without.
#[derive(Debug, Default)]
pub(crate) struct Wants {
    /// Of its rendition of the canvas …
    pub(crate) canvas: bool,
    /// … unless what was just sent again mends it.
    pub(crate) repaired: bool,
    /// Of encodings in its slots.
    pub(crate) sources: Vec<SourceId>,
}

impl Wants {
    fn add(&mut self, subject: Option<Subject>) {
        match subject {
            Some(Subject::Canvas) => self.canvas = true,
            Some(Subject::Slot(Some(id))) if !self.sources.contains(&id) => self.sources.push(id),
            Some(Subject::Slot(_)) | None => {}
        }
    }
}

enum State {
    Connecting { since: Instant },
    Connected,
}

impl Leg {
    /// Answers the first offer of a leg; gives the SDP.
    pub(crate) fn open(
        reach: &mut Reach<'_>,
        key: FeedKey,
        member: MemberKey,
        offer: &Offer,
        bundle: bool,
        spoken: Spoken,
        receive: Receive,
    ) -> Result<(Self, String), SdpError> {
        let (terms, links) = Terms::agree(reach, offer, bundle, spoken, receive)?;
        for link in links.iter() {
            reach.routes.insert(link.transport, (key.room, key.leg));
        }
        let sdp = terms.write(reach);
        let sending = Sending::new(reach.ids, reach.epoch, &terms);
        let leg = Self {
            member,
            receiving: Receiving::new(reach.now, key, member, sending.own(), &terms.negotiated),
            sending,
            outflow: Outflow::new(reach.now),
            links,
            terms,
            state: State::Connecting { since: reach.now },
            watch: Watch::default(),
            report_at: reach.now + REPORT_EVERY,
        };
        Ok((leg, sdp))
    }

    /// Answers a later offer of the same peer connection: ICE restarts, sections and directions that change.
    pub(crate) fn reoffer(
        &mut self,
        reach: &mut Reach<'_>,
        key: FeedKey,
        offer: &Offer,
    ) -> Result<String, SdpError> {
        self.terms.renew(reach, offer, &mut self.links)?;
        for link in self.links.iter() {
            reach.routes.insert(link.transport, (key.room, key.leg));
        }
        self.receiving.renew(&self.terms.negotiated);
        self.sending.renew(reach.ids, &self.terms);
        Ok(self.terms.write(reach))
    }

    pub(crate) fn close(&mut self, reach: &mut Reach<'_>) {
        for link in self.links.iter() {
            reach.transports.close(reach.now, link.transport);
            reach.routes.remove(&link.transport);
        }
    }

    /// Its transports.
    pub(crate) fn links(&self) -> &Links {
        &self.links
    }

    pub(crate) fn member(&self) -> MemberKey {
        self.member
    }

    /// Takes note of a transport's keys; gives the time since the offer when it was the last one missing.
    pub(crate) fn on_keyed(&mut self, now: Instant, transport: TransportKey) -> Option<Duration> {
        let all_keyed = self.links.on_keyed(transport);
        match self.state {
            State::Connecting { since } if all_keyed => {
                self.state = State::Connected;
                Some(now.saturating_duration_since(since))
            }
            State::Connecting { .. } | State::Connected => None,
        }
    }

    /// It has been given enough time to connect and has not.
    pub(crate) fn is_overdue(&self, now: Instant) -> bool {
        match self.state {
            State::Connecting { since } => now.saturating_duration_since(since) >= CONNECT_WITHIN,
            State::Connected => false,
        }
    }

    fn is_connected(&self) -> bool {
        matches!(self.state, State::Connected)
    }

    /// What it receives of the room now.
    pub(crate) fn tuning(&self) -> Tuning {
        Tuning { hears: self.hears(), stereo: self.hears_stereo(), watches: self.watches() }
    }

    /// It receives the mix. From the first keys on: to the SDKs two seconds without packets are a dead connection.
    fn hears(&self) -> bool {
        self.links.is_keyed(MediaKind::Audio) && self.sending.streams.has_audio()
    }

    fn hears_stereo(&self) -> bool {
        self.terms.negotiated.audio.as_ref().is_some_and(|section| section.send.stereo)
    }

    /// The rendition it receives.
    pub(crate) fn watches(&self) -> Option<VideoCodec> {
        self.sending.streams.video_codec().filter(|_| self.links.is_keyed(MediaKind::Video))
    }

    pub(crate) fn on_rtp<'a>(
        &mut self,
        reach: &mut Reach<'_>,
        transport: TransportKey,
        packet: &'a [u8],
        size: usize,
    ) -> Ingest<'a> {
        let ingest = self.receiving.on_rtp(reach, &mut self.links, transport, packet, size);
        self.send_feedback(reach);
        ingest
    }

    /// Gives what the viewer cannot go on without. `canvas` holds the packets it may miss of its rendition, `sources`
    /// those of its slots.
    pub(crate) fn on_rtcp(
        &mut self,
        reach: &mut Reach<'_>,
        packet: &[u8],
        canvas: Option<&PacketCache>,
        sources: &Sources,
    ) -> Wants {
        let mut wants = Wants::default();
        for packet in rtcp::packets(packet) {
            match packet {
                Packet::SenderReport { info, blocks } => {
                    self.receiving.on_sender_report(reach.now, info);
                    blocks.for_each(|block| self.on_report(reach, &block));
                }
                Packet::ReceiverReport { blocks, .. } => {
                    blocks.for_each(|block| self.on_report(reach, &block));
                }
                Packet::Nack { media, lost, .. } => {
                    let shown = self.sending.slots.shown_in(media).and_then(|id| sources.get(&id));
                    let (sending, links) = (&mut self.sending, &mut self.links);
                    if let Some(source) = shown {
                        sending.slots.retransmit(
                            reach,
                            links,
                            &mut self.outflow,
                            media,
                            lost,
                            source.cache(),
                        );
                    } else if let Some(cache) = canvas {
                        sending.streams.retransmit(reach, links, &mut self.outflow, media, lost, cache);
                    }
                }
                Packet::Pli { media, .. } => wants.add(self.sending.subject(media)),
                Packet::Fir { entries, .. } => {
                    entries.for_each(|(media, _)| wants.add(self.sending.subject(media)));
                }
                Packet::TransportCc(feedback) => self.outflow.on_feedback(reach.now, &feedback),
                Packet::Remb(limit) => self.outflow.on_remb(limit),
                // Whoever sends it asks for nothing: silence and close_notify tell that a peer is gone.
                Packet::Bye(_) => {}
            }
        }
        if let Some(cache) = canvas.filter(|_| wants.canvas) {
            wants.repaired = self.sending.streams.repair(reach, &mut self.links, &mut self.outflow, cache);
        }
        wants
    }

    fn on_report(&mut self, reach: &mut Reach<'_>, block: &ReportBlock) {
        self.sending.on_report(reach, block);
        if self.sending.streams.is_audio(block.ssrc) {
            let percent = u8::try_from(u32::from(block.fraction_lost) * 100 / 256).unwrap_or(100);
            let FeedKey { room, leg } = self.receiving.key();
            reach.audio(AudioInput::Loss { room, leg, percent });
        }
        if self.sending.subject(block.ssrc).is_some() {
            self.outflow.on_report(reach.now, block.fraction_lost, self.sending.rtt());
        }
    }

    /// Round trip to its peer, as far as known.
    pub(crate) fn rtt(&self) -> Duration {
        self.sending.rtt().unwrap_or(DEFAULT_RTT)
    }

    /// What it may be sent, when that is known.
    pub(crate) fn budget(&self) -> Option<Bitrate> {
        self.outflow.budget()
    }

    /// What its path carries, when that is known.
    pub(crate) fn estimate(&self) -> Option<Bitrate> {
        self.outflow.estimate()
    }

    /// What it could make use of at best.
    pub(crate) fn set_demand(&mut self, most: Bitrate, next: Option<Bitrate>) {
        self.outflow.set_demand(most, next);
    }

    /// When [`Self::flush`] has something to do.
    pub(crate) fn flush_at(&self, now: Instant) -> Option<Instant> {
        self.outflow.deadline(now)
    }

    /// Sends what the pacer held back, and what a probe wants. Gives whether a slot began to show another encoding.
    pub(crate) fn flush(&mut self, reach: &mut Reach<'_>, sources: &Sources) -> bool {
        self.sending.flush(reach, &mut self.links, &mut self.outflow, sources)
    }

    /// Packets wait for their turn.
    pub(crate) fn holds_back(&self) -> bool {
        self.outflow.holds_back()
    }

    pub(crate) fn on_decoded(
        &mut self,
        reach: &mut Reach<'_>,
        decoder: DecoderSlot,
        timestamp: MediaTime,
        result: Result<Option<Arc<Picture>>, CodecError>,
    ) -> bool {
        let first = self.receiving.on_decoded(reach, decoder, timestamp, result);
        self.send_feedback(reach);
        first
    }

    /// The member's own audio with `timestamp` is heard at `at`.
    pub(crate) fn on_playing(&mut self, timestamp: MediaTime, at: Instant) {
        self.receiving.on_playing(timestamp, at);
    }

    pub(crate) fn set_microphone(&mut self, attention: Attention) {
        self.receiving.set_microphone(attention);
    }

    pub(crate) fn set_camera(&mut self, reach: &mut Reach<'_>, attention: Attention) {
        self.receiving.set_camera(reach.now, attention);
        self.send_feedback(reach);
    }

    /// Sound has come of it.
    pub(crate) fn has_sound(&self) -> bool {
        self.receiving.has_sound()
    }

    /// Its camera has been shown, and still could be.
    pub(crate) fn has_shown(&self) -> bool {
        self.watch.now() == Liveness::Alive && self.receiving.has_shown()
    }

    /// The camera's picture due at `now`, and how it is to be turned.
    pub(crate) fn picture(&mut self, now: Instant) -> Option<(Arc<Picture>, Rotation)> {
        match self.watch.now() {
            Liveness::Alive => self.receiving.picture(now),
            Liveness::Stale | Liveness::Silent | Liveness::Gone => None,
        }
    }

    /// No new picture has come for a while, although they are looked at.
    pub(crate) fn is_frozen(&self, now: Instant) -> bool {
        self.receiving.is_frozen(now)
    }

    /// The camera has something to show.
    pub(crate) fn has_picture(&self) -> bool {
        self.watch.now() == Liveness::Alive && self.receiving.has_picture()
    }

    pub(crate) fn send_audio(
        &mut self,
        reach: &mut Reach<'_>,
        timestamp: MediaTime,
        at: Instant,
        payload: &Bytes,
    ) {
        self.sending.streams.send_audio(reach, &mut self.links, &mut self.outflow, timestamp, at, payload);
    }

    /// A packet of the canvas; `begins`: it is the first of another rendition. `false` when it was given up.
    pub(crate) fn send_video(&mut self, reach: &mut Reach<'_>, packet: &MediaPacket, begins: bool) -> bool {
        self.sending.streams.send_video(reach, &mut self.links, &mut self.outflow, packet, begins)
    }

    /// A number of what it is passed in place of the canvas that carries nothing.
    pub(crate) fn skip_video(&mut self, seq: SeqNo) {
        if let Some(sender) = self.sending.streams.sender(MediaKind::Video) {
            sender.leave_out(seq, None);
        }
    }

    /// A packet of an encoding that one of its slots watches.
    pub(crate) fn send_slot(&mut self, reach: &mut Reach<'_>, slot: u8, offered: &Offered<'_>) -> Gate {
        self.sending.slots.send(reach, &mut self.links, &mut self.outflow, slot, offered)
    }

    /// A packet of a member whose sound one of its slots has.
    pub(crate) fn send_voice(&mut self, reach: &mut Reach<'_>, slot: u8, from: LegKey, packet: &MediaPacket) {
        self.sending.voices.send(reach, &mut self.links, &mut self.outflow, slot, from, packet);
    }

    /// A slot of sound has somebody else from now on, or nobody.
    pub(crate) fn release_voice(&mut self, slot: u8) {
        self.sending.voices.release(slot);
    }

    /// How many slots for sound it has.
    pub(crate) fn voice_count(&self) -> u8 {
        self.sending.voices.count()
    }

    /// A number of such an encoding that carries nothing.
    pub(crate) fn skip_slot(&mut self, slot: u8, from: SourceId, seq: SeqNo) {
        if let Some(slot) = self.sending.slots.active_mut(slot) {
            slot.skip(from, seq);
        }
    }

    /// Shows another encoding in a slot as soon as a key frame of it comes, or nothing any more.
    pub(crate) fn select(&mut self, slot: u8, wanted: Option<SourceId>) {
        if let Some(slot) = self.sending.slots.active_mut(slot) {
            slot.select(wanted);
        }
    }

    /// Leaves out what is above these layers in a slot.
    pub(crate) fn limit(&mut self, slot: u8, most: Layers) {
        if let Some(slot) = self.sending.slots.active_mut(slot) {
            slot.limit(most);
        }
    }

    /// A slot that its viewer wants filled.
    pub(crate) fn slot(&self, slot: u8) -> Option<&Slot> {
        self.sending.slots.active(slot)
    }

    /// The sound of who is shown in a slot is held back for so long.
    pub(crate) fn set_slot_delay(&mut self, slot: u8, delay: Duration) {
        if let Some(slot) = self.sending.slots.active_mut(slot) {
            slot.sender_mut().set_delay(delay);
        }
    }

    /// How many slots for pictures it has.
    pub(crate) fn slot_count(&self) -> u8 {
        self.sending.slots.count()
    }

    /// Its slots can show pictures in this codec.
    pub(crate) fn knows(&self, codec: VideoCodec) -> bool {
        self.sending.slots.knows(codec)
    }

    /// What its camera may have, and what of it the canvas shows.
    pub(crate) fn camera(&self) -> &Receiving {
        &self.receiving
    }

    /// Which encoding of its camera the canvas shows.
    pub(crate) fn set_decoded(&mut self, reach: &mut Reach<'_>, wanted: Option<EncodingIndex>) {
        self.receiving.set_decoded(reach.now, wanted);
        self.send_feedback(reach);
    }

    /// The canvas has no place for its camera now.
    pub(crate) fn hide(&mut self, now: Instant) {
        self.receiving.hide(now);
    }

    /// What its camera need send at the most; `None`: whatever it can.
    pub(crate) fn set_ceiling(&mut self, now: Instant, enough: Option<Bitrate>) {
        self.receiving.set_ceiling(now, enough);
    }

    /// Somebody looks at this encoding of its camera, or nobody does any more.
    pub(crate) fn set_wanted(&mut self, encoding: EncodingIndex, wanted: bool) {
        self.receiving.set_wanted(encoding, wanted);
    }

    /// Somebody needs a key frame of an encoding of its camera.
    pub(crate) fn request_keyframe(&mut self, reach: &mut Reach<'_>, encoding: EncodingIndex) {
        self.receiving.request_keyframe(reach.now, encoding);
        self.send_feedback(reach);
    }

    /// The periodic duties: feedback on what comes in, reports on what goes out. Gives what [`Self::flush`] gives.
    pub(crate) fn service(&mut self, reach: &mut Reach<'_>, sources: &Sources) -> bool {
        if !self.links.any_keyed() {
            return false;
        }
        self.send_feedback(reach);
        self.links.send_arrivals(reach, self.sending.own());
        self.outflow.tick(reach.now);
        let began = self.flush(reach, sources);
        let (probes, dropped) = self.outflow.take_counts();
        reach.counters.probes += probes;
        reach.counters.paced_dropped += dropped;
        let due = self.report_at <= reach.now;
        if due {
            self.report_at = reach.now + REPORT_EVERY;
        }
        for link in self.links.iter() {
            let blocks = if due { self.receiving.report_blocks(reach.now, link) } else { Vec::new() };
            self.sending.report(reach, link, blocks);
        }
        began
    }

    fn send_feedback(&mut self, reach: &mut Reach<'_>) {
        self.receiving.send_feedback(reach, &self.links, self.sending.rtt());
    }

    /// The new liveness when it is another than before.
    pub(crate) fn liveness_changed(&mut self, reach: &Reach<'_>) -> Option<Liveness> {
        if !self.is_connected() {
            return None;
        }
        let heard = self.links.iter().filter_map(|link| reach.transports.last_heard(link.transport)).max()?;
        let liveness = self.watch.update(reach.now, heard)?;
        if liveness != Liveness::Alive {
            self.receiving.forget_pictures();
        }
        Some(liveness)
    }

    /// Packets that never came.
    pub(crate) fn lost_in(&self) -> u64 {
        self.receiving.lost()
    }
}
