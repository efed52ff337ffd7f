//! What a leg receives: a microphone and a camera.
//!
//! in:  RTP of both sections, sender reports
//! out: audio packets for the mix, packets of the camera for those who watch it, decode jobs, pictures in time; NACK, PLI
//!      and report blocks for the peer
//!
//! A camera is decoded only while a canvas is watched, one encoding of it. Between encodings the old one is decoded until
//! a key frame of the new one is there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::camera::{Camera, Shape};
use super::ceiling::Ceiling;
use super::links::{Link, Links};
use crate::codec::{CodecError, Picture, Rotation};
use crate::forward::{Arrival, MediaPacket, Pool};
use crate::mix::audio::AudioInput;
use crate::receive::{AudioReceiver, Format, ReceptionStats, SenderClock, Sound};
use crate::room::feed::Feed;
use crate::room::job::{DecoderSlot, FeedKey};
use crate::rtcp::{self, ReportBlock, SenderInfo};
use crate::rtp::{AudioLevel, ExtId, Onward, OnwardIds, RtpView};
use crate::sdp::{Codec, Negotiated, NegotiatedMedia, Payload};
use crate::shard::Reach;
use crate::units::{
    Bitrate, ClockRate, EncodingIndex, MediaKind, MediaTime, MemberKey, Pt, Rid, SeqNo, Ssrc, TransportKey,
};

/// About a second of sound.
const SOUND_CHUNK: usize = 4 << 10;

/// A camera without a place is decoded for so long: whoever changes the layout back finds it there.
const HIDDEN_FOR: Duration = Duration::from_secs(3);

/// The streams of a leg, as far as the peer sends them.
pub(crate) struct Receiving {
    key: FeedKey,
    member: MemberKey,
    own: Ssrc,
    /// The receivers begin with the first packet of a stream: SDP need not announce it.
    audio: Option<Section<Option<AudioReceiver>>>,
    video: Option<Section<Camera>>,
    /// As far as the sound has told; each encoding of the camera begins with it.
    clock: SenderClock,
    /// Payloads of the microphone, for the mix and for those who hear it by itself.
    sounds: Pool,
    feed: Feed,
    decode: Decode,
    /// The canvas has had no place for it since.
    hidden_since: Option<Instant>,
    ceiling: Ceiling,
    /// A key frame has come of a camera that was not decoded.
    seen: bool,
    microphone: Attention,
    camera: Attention,
    /// Lost in streams that are over.
    lost_before: u64,
}

/// What is made of a stream that comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attention {
    /// It is heard, or seen.
    Taken,
    /// It is received and dropped.
    Ignored,
}

/// Which encoding of the camera is decoded for the canvas.
#[derive(Clone, Copy, Debug, Default)]
struct Decode {
    current: Option<EncodingIndex>,
    wanted: Option<EncodingIndex>,
}

/// What a packet means to others than its own leg.
#[derive(Debug, Default)]
pub(crate) struct Ingest<'a> {
    /// For those who watch this encoding of the camera.
    pub(crate) video: Option<(EncodingIndex, Arrival<'a>)>,
    /// The camera has something to show for the first time.
    pub(crate) appeared: bool,
    /// For those who hear this member in a stream of its own.
    pub(crate) sound: Option<Heard>,
}

/// Sound of a microphone, on its way to others.
#[derive(Debug)]
pub(crate) struct Heard {
    /// How loud it is, when the packet says so.
    pub(crate) level: Option<AudioLevel>,
    /// Those of which the packet has brought a copy because they did not come themselves; the oldest first.
    pub(crate) repaired: Vec<MediaPacket>,
    /// Its own; `None` when it is nothing that we know.
    pub(crate) own: Option<MediaPacket>,
}

/// An m-section that the peer sends.
struct Section<R> {
    receiver: R,
    pts: Vec<Pt>,
    /// Under which payload type redundant packets come, and what they have inside.
    red: Option<(Pt, Pt)>,
    /// It can be told how much to send at the most.
    takes_remb: bool,
    transport_cc: Option<ExtId>,
    onward: OnwardIds,
}

impl<R> Section<R> {
    fn new(media: &NegotiatedMedia, receiver: R) -> Self {
        let numbers = |payload: &Payload| [Some(payload.pt), payload.rtx, payload.red.map(|red| red.pt)];
        Self {
            receiver,
            pts: media.receive.iter().flat_map(numbers).flatten().collect(),
            red: media.receive.iter().find_map(|payload| Some((payload.red?.pt, payload.pt))),
            takes_remb: media.receive.iter().any(|payload| payload.feedback.goog_remb),
            transport_cc: media.extensions.transport_cc.map(ExtId),
            onward: media.extensions.onward(),
        }
    }
}

impl Receiving {
    pub(crate) fn new(
        now: Instant,
        key: FeedKey,
        member: MemberKey,
        own: Ssrc,
        negotiated: &Negotiated,
    ) -> Self {
        let mut receiving = Self {
            key,
            member,
            own,
            audio: None,
            video: None,
            clock: SenderClock::new(now),
            sounds: Pool::of_chunks(SOUND_CHUNK),
            feed: Feed::new(key),
            decode: Decode::default(),
            hidden_since: None,
            ceiling: Ceiling::default(),
            seen: false,
            microphone: Attention::Taken,
            camera: Attention::Taken,
            lost_before: 0,
        };
        receiving.renew(negotiated);
        receiving
    }

    /// Takes what was negotiated anew. Streams that stay go on.
    pub(crate) fn renew(&mut self, negotiated: &Negotiated) {
        let receives = |media: &&NegotiatedMedia| media.direction.receives();
        let audio = negotiated.audio.as_ref().filter(receives);
        let video = negotiated.video.as_ref().filter(receives);
        let lost = self.lost();
        let heard = self.audio.take().and_then(|section| section.receiver);
        self.audio = audio.map(|media| Section::new(media, heard));
        let before = self.video.take().map(|section| section.receiver);
        self.video = video.map(|media| {
            let shape = shape(media);
            // A camera knows the formats and encodings it began with.
            let camera = before.filter(|camera| camera.has_shape(&shape));
            Section::new(media, camera.unwrap_or_else(|| Camera::new(shape)))
        });
        if self.video.is_none() {
            self.forget();
        }
        self.lost_before = 0;
        self.lost_before = lost.saturating_sub(self.lost());
    }

    pub(crate) fn on_rtp<'a>(
        &mut self,
        reach: &mut Reach<'_>,
        links: &mut Links,
        transport: TransportKey,
        packet: &'a [u8],
        size: usize,
    ) -> Ingest<'a> {
        let Ok(packet) = RtpView::parse(packet) else {
            reach.counters.count_dropped("rtp_malformed", 1);
            return Ingest::default();
        };
        let kind = links.by_transport(transport).and_then(|link| self.kind_of(link, packet.pt()));
        let Some(kind) = kind else {
            reach.counters.count_dropped("rtp_unknown_payload_type", 1);
            return Ingest::default();
        };
        let transport_cc = match kind {
            MediaKind::Audio => self.audio.as_ref().and_then(|section| section.transport_cc),
            MediaKind::Video => self.video.as_ref().and_then(|section| section.transport_cc),
        };
        if let Some(number) = transport_cc.and_then(|id| packet.transport_cc(id)) {
            links.arrived(reach.now, number, packet.ssrc());
        }
        match kind {
            MediaKind::Audio => {
                reach.counters.audio_in.count(size);
                Ingest { sound: self.on_audio(reach, &packet), ..Ingest::default() }
            }
            MediaKind::Video => {
                reach.counters.video_in.count(size);
                self.on_video(reach, &packet)
            }
        }
    }

    /// Sections of one transport have payload types of their own (RFC 9143 §9.1).
    fn kind_of(&self, link: &Link, pt: Pt) -> Option<MediaKind> {
        let audio = self.audio.as_ref().is_some_and(|section| section.pts.contains(&pt));
        let video = self.video.as_ref().is_some_and(|section| section.pts.contains(&pt));
        match (audio && link.carries(MediaKind::Audio), video && link.carries(MediaKind::Video)) {
            (true, _) => Some(MediaKind::Audio),
            (false, true) => Some(MediaKind::Video),
            (false, false) => None,
        }
    }

    /// Which leg of which room it is.
    pub(super) fn key(&self) -> FeedKey {
        self.key
    }

    fn on_audio(&mut self, reach: &mut Reach<'_>, packet: &RtpView<'_>) -> Option<Heard> {
        let section = self.audio.as_mut()?;
        let receiver = match &mut section.receiver {
            Some(receiver) if receiver.ssrc() == packet.ssrc() => receiver,
            // The first packet, or the peer has begun a new stream; the mix sees the leap in its numbers.
            other => {
                self.lost_before += other.as_ref().map_or(0, |receiver| lost(receiver.stats()));
                other.insert(AudioReceiver::new(packet.ssrc(), ClockRate::OPUS))
            }
        };
        let numbers = receiver.handle_rtp(reach.now, packet)?;
        let now = reach.now;
        self.each_clock(|clock| clock.handle_packet(now, MediaKind::Audio, numbers.1));
        if self.microphone == Attention::Ignored {
            return None;
        }
        Some(self.hear(reach, packet, numbers))
    }

    /// Gives the mix what is in a packet, and tells what it was.
    fn hear(
        &mut self,
        reach: &mut Reach<'_>,
        packet: &RtpView<'_>,
        (seq, timestamp): (SeqNo, MediaTime),
    ) -> Heard {
        let mut heard = Heard { level: None, repaired: Vec::new(), own: None };
        let Some(Section { receiver: Some(receiver), red, onward: ids, .. }) = &mut self.audio else {
            return heard;
        };
        heard.level = ids.audio_level.and_then(|id| packet.audio_level(id));
        let (own, _) = Onward::read(packet, ids);
        let (room, member, arrived) = (self.key.room, self.member, reach.now);
        let (clock, sounds) = (&self.clock, &mut self.sounds);
        let (announced, whose) = (heard.level.map(|level| level.minus_dbov), seq);
        let mut hear = |Sound { seq, timestamp, payload }: Sound<'_>, onward: Onward| {
            // The level is that of the packet's own sound, not of the copies in it.
            let level = announced.filter(|_| seq == whose);
            let payload = sounds.share(payload);
            let captured = clock.local(MediaKind::Audio, timestamp).unwrap_or(arrived);
            let packet =
                MediaPacket { onward, ..MediaPacket::audio(seq, timestamp, captured, payload.clone()) };
            reach.audio(AudioInput::Packet { room, member, seq, timestamp, payload, arrived, level });
            packet
        };
        let Some((_, of)) = red.filter(|(red, _)| *red == packet.pt()) else {
            heard.own = Some(hear(Sound { seq, timestamp, payload: packet.payload() }, own));
            return heard;
        };
        for sound in receiver.unfold((seq, timestamp), packet.payload(), of) {
            let is_own = sound.seq == seq;
            // Copies come without what was said of them.
            let packet = hear(sound, if is_own { own } else { Onward::default() });
            if is_own {
                heard.own = Some(packet);
            } else {
                heard.repaired.push(packet);
            }
        }
        reach.counters.repaired_in += heard.repaired.len() as u64;
        heard
    }

    fn on_video<'a>(&mut self, reach: &mut Reach<'_>, packet: &RtpView<'a>) -> Ingest<'a> {
        let Some(section) = &mut self.video else { return Ingest::default() };
        let camera = &mut section.receiver;
        let video = camera.on_rtp(reach.now, packet, &self.clock).unwrap_or_else(|reason| {
            reach.counters.count_dropped(reason, 1);
            None
        });
        let mut appeared = false;
        let is_taken = self.camera == Attention::Taken;
        while let Some((encoding, frame)) =
            camera.poll_frame(|encoding| is_taken && self.decode.concerns(encoding))
        {
            if self.camera == Attention::Ignored {
                continue;
            }
            if self.decode.takes(encoding, frame.keyframe) {
                // What is still to be shown of the former encoding is on another clock.
                self.feed.show_all();
            }
            if self.decode.current == Some(encoding) {
                if let Some(job) = self.feed.on_frame(frame) {
                    reach.job(job);
                }
            } else if self.decode.wanted.is_none() && frame.keyframe {
                appeared |= !std::mem::replace(&mut self.seen, true) && !self.feed.has_picture();
            }
        }
        if let Some((encoding, arrival)) = &video
            && self.decode.current == Some(*encoding)
            && let Some(orientation) = arrival.onward.orientation
        {
            self.feed.on_turn(arrival.timestamp, Rotation::of_orientation(orientation));
        }
        Ingest { video: video.filter(|_| self.camera == Attention::Taken), appeared, sound: None }
    }

    /// Each encoding of the camera has a clock, and all of them hear of the sound.
    fn each_clock(&mut self, mut tell: impl FnMut(&mut SenderClock)) {
        tell(&mut self.clock);
        if let Some(section) = &mut self.video {
            section.receiver.each_clock(tell);
        }
    }

    pub(crate) fn on_sender_report(&mut self, now: Instant, info: SenderInfo) {
        if let Some(receiver) = self.audio_receiver().filter(|receiver| receiver.ssrc() == info.ssrc) {
            let timestamp = receiver.handle_sender_report(now, &info);
            self.each_clock(|clock| clock.handle_report(MediaKind::Audio, info.ntp, timestamp));
        }
        if let Some(section) = &mut self.video {
            section.receiver.on_sender_report(now, &info);
        }
    }

    fn audio_receiver(&mut self) -> Option<&mut AudioReceiver> {
        self.audio.as_mut()?.receiver.as_mut()
    }

    /// True when the camera has something to show for the first time.
    pub(crate) fn on_decoded(
        &mut self,
        reach: &mut Reach<'_>,
        decoder: DecoderSlot,
        timestamp: MediaTime,
        result: Result<Option<Arc<Picture>>, CodecError>,
    ) -> bool {
        let before = self.has_picture();
        if matches!(result, Ok(Some(_))) {
            let (clock, feed) = self.clock_and_feed();
            if let Some((timestamp, until)) = feed.on_ready(clock, timestamp, reach.now) {
                let (room, member) = (self.key.room, self.member);
                reach.audio(AudioInput::HoldBack { room, member, timestamp, until });
            }
        }
        if let Some(job) = self.feed.on_decoded(decoder, timestamp, result) {
            reach.job(job);
        }
        if self.camera == Attention::Ignored || self.decode.wanted.is_none() {
            self.feed.clear();
        }
        if self.feed.has_picture() {
            self.seen = false;
        }
        before != self.has_picture()
    }

    pub(crate) fn on_playing(&mut self, timestamp: MediaTime, at: Instant) {
        let (clock, feed) = self.clock_and_feed();
        feed.on_playing(clock, timestamp, at);
    }

    /// The clock of what is shown: that of the encoding, which knows the sound as well.
    fn clock_and_feed(&mut self) -> (&SenderClock, &mut Feed) {
        let camera = self.video.as_ref().map(|section| &section.receiver);
        let clock = self.decode.current.and_then(|encoding| camera?.clock(encoding));
        (clock.unwrap_or(&self.clock), &mut self.feed)
    }

    /// Which encoding of the camera the canvas shows; `None` while nobody watches a canvas.
    pub(crate) fn set_decoded(&mut self, now: Instant, wanted: Option<EncodingIndex>) {
        self.hidden_since = None;
        if self.decode.wanted == wanted {
            return;
        }
        // A camera that was on the canvas until now is still there to be seen.
        self.seen |= wanted.is_none() && self.feed.has_picture();
        self.decode.wanted = wanted;
        match wanted {
            Some(encoding) => self.request_keyframe(now, encoding),
            None => {
                self.decode.current = None;
                self.feed.clear();
            }
        }
    }

    /// The canvas has no place for it. After a while it is not decoded any more; what it showed last stays until it has a
    /// place again, and then until the key frame that is asked for has come.
    pub(crate) fn hide(&mut self, now: Instant) {
        let since = *self.hidden_since.get_or_insert(now);
        if now.saturating_duration_since(since) >= HIDDEN_FOR && self.decode.wanted.is_some() {
            self.decode = Decode::default();
            self.feed.rest();
        }
    }

    /// What the camera need send at the most; `None`: whatever it can.
    pub(crate) fn set_ceiling(&mut self, now: Instant, enough: Option<Bitrate>) {
        self.ceiling.set(now, enough);
    }

    /// The encoding the canvas shows, and the one it is to show.
    pub(crate) fn is_decoded(&self, encoding: EncodingIndex) -> bool {
        self.decode.current == Some(encoding) || self.decode.wanted == Some(encoding)
    }

    /// How many encodings the camera may have; none when no camera is received.
    pub(crate) fn encodings(&self) -> u8 {
        self.video.as_ref().map_or(0, |section| section.receiver.encodings())
    }

    /// Their names, where there are several.
    pub(crate) fn rids(&self) -> &[Rid] {
        self.video.as_ref().map_or(&[], |section| section.receiver.rids())
    }

    /// Somebody needs a key frame of this encoding.
    pub(crate) fn request_keyframe(&mut self, now: Instant, encoding: EncodingIndex) {
        if let Some(section) = &mut self.video {
            section.receiver.request_keyframe(now, encoding);
        }
    }

    /// Somebody looks at this encoding, or nobody does any more.
    pub(crate) fn set_wanted(&mut self, encoding: EncodingIndex, wanted: bool) {
        let wanted = wanted || self.is_decoded(encoding);
        if let Some(section) = &mut self.video {
            section.receiver.set_wanted(encoding, wanted);
        }
    }

    pub(crate) fn set_microphone(&mut self, attention: Attention) {
        self.microphone = attention;
    }

    /// A camera that is ignored is not decoded; after that its first picture is a new one.
    pub(crate) fn set_camera(&mut self, now: Instant, attention: Attention) {
        if std::mem::replace(&mut self.camera, attention) == attention {
            return;
        }
        match attention {
            Attention::Ignored => self.forget(),
            Attention::Taken => {
                for encoding in 0..self.encodings() {
                    self.request_keyframe(now, EncodingIndex(encoding));
                }
            }
        }
    }

    /// What was shown is not to come back.
    fn forget(&mut self) {
        self.feed.clear();
        self.seen = false;
    }

    /// Sound has come.
    pub(crate) fn has_sound(&self) -> bool {
        self.audio.as_ref().is_some_and(|section| section.receiver.is_some())
    }

    /// A picture has been shown, or could have been.
    pub(crate) fn has_shown(&self) -> bool {
        self.feed.has_shown() || self.seen
    }

    /// The peer has gone silent: what it showed is not to come back when it does.
    pub(crate) fn forget_pictures(&mut self) {
        self.feed.forget_pictures();
        self.seen = false;
    }

    pub(crate) fn picture(&mut self, now: Instant) -> Option<(Arc<Picture>, Rotation)> {
        let (clock, feed) = self.clock_and_feed();
        feed.picture(now, clock)
    }

    pub(crate) fn is_frozen(&self, now: Instant) -> bool {
        self.feed.is_frozen(now)
    }

    pub(crate) fn has_picture(&self) -> bool {
        self.feed.has_picture() || self.seen
    }

    /// It is to be seen, and nothing to show has come of it (again).
    pub(crate) fn awaits_picture(&self) -> bool {
        self.camera == Attention::Taken && !self.has_picture()
    }

    /// What the sound of the member waits for: its pictures are as late.
    pub(crate) fn playout_delay(&self) -> Duration {
        self.feed.delay()
    }

    /// Asks for what is missing: packets, or a key frame. `rtt` of the transport, when it is known.
    pub(crate) fn send_feedback(&mut self, reach: &mut Reach<'_>, links: &Links, rtt: Option<Duration>) {
        let decoder_failed = self.feed.take_wants_key();
        let (own, decoded) = (self.own, self.decode.current);
        let Some(section) = &mut self.video else { return };
        if let Some(encoding) = decoded.filter(|_| decoder_failed) {
            section.receiver.on_decoder_failure(reach.now, encoding);
        }
        reach.scratch.clear();
        section.receiver.write_feedback(reach.now, own, rtt, reach.scratch);
        if let Some(media) = section.receiver.ssrc().filter(|_| section.takes_remb)
            && let Some(most) = self.ceiling.poll(reach.now)
        {
            rtcp::write_remb(reach.scratch, own, &[media], most);
        }
        if !reach.scratch.is_empty()
            && let Some(transport) = links.carrying(MediaKind::Video)
        {
            reach.send_rtcp(transport);
        }
    }

    /// How the streams of one transport arrive.
    pub(crate) fn report_blocks(&mut self, now: Instant, link: &Link) -> Vec<ReportBlock> {
        let audio = self.audio_receiver().filter(|_| link.carries(MediaKind::Audio));
        let audio = audio.and_then(|receiver| receiver.report_block(now));
        let camera = self.video.as_mut().filter(|_| link.carries(MediaKind::Video));
        let video = camera.into_iter().flat_map(|section| section.receiver.report_blocks(now));
        audio.into_iter().chain(video).collect()
    }

    /// Packets that never came.
    pub(crate) fn lost(&self) -> u64 {
        let audio = self.audio.as_ref().and_then(|section| section.receiver.as_ref());
        let audio = audio.map_or(0, |receiver| lost(receiver.stats()));
        let video = self.video.as_ref().map_or(0, |section| section.receiver.lost());
        self.lost_before + audio + video
    }
}

/// Duplicates count against losses, so the figure can be below zero.
fn lost(stats: ReceptionStats) -> u64 {
    u64::try_from(stats.lost).unwrap_or(0)
}

impl Decode {
    /// Frames of this encoding are decoded, or may be from one of them on.
    fn concerns(self, encoding: EncodingIndex) -> bool {
        self.current == Some(encoding) || self.wanted == Some(encoding)
    }

    /// A frame of this encoding is where decoding goes on from now, and did not until now.
    fn takes(&mut self, encoding: EncodingIndex, keyframe: bool) -> bool {
        let turns = keyframe && self.wanted == Some(encoding) && self.current != Some(encoding);
        if turns {
            self.current = Some(encoding);
        }
        turns
    }
}

fn shape(media: &NegotiatedMedia) -> Shape {
    let extensions = media.extensions;
    Shape {
        formats: formats(media),
        rids: media.rids.clone(),
        rid: extensions.rid.map(ExtId),
        repaired_rid: extensions.repaired_rid.map(ExtId),
        onward: extensions.onward(),
    }
}

fn formats(media: &NegotiatedMedia) -> Vec<(Pt, Format)> {
    let of_payload = |payload: &Payload| {
        let media = match payload.codec {
            Codec::Video(codec) => Some((payload.pt, Format::Codec(codec))),
            Codec::Opus => None,
        };
        [media, payload.rtx.map(|rtx| (rtx, Format::Rtx { of: payload.pt }))]
    };
    media.receive.iter().flat_map(of_payload).flatten().collect()
}
