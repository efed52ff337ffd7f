//! What a leg receives: a microphone and a camera.
//!
//! in:  RTP of both sections, sender reports
//! out: audio packets for the mix, decode jobs, pictures in time; NACK, PLI and report blocks for the peer

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::links::{Link, Links};
use crate::codec::{CodecError, Picture};
use crate::mix::audio::AudioInput;
use crate::receive::{
    AudioReceiver, Feedback, Format, ReceptionStats, SenderClock, VideoConfig, VideoReceiver,
};
use crate::room::feed::Feed;
use crate::room::job::{DecoderSlot, FeedKey};
use crate::rtcp::{self, ReportBlock, SenderInfo};
use crate::rtp::{ExtId, RtpView};
use crate::sdp::{Codec, Negotiated, NegotiatedMedia, Payload};
use crate::shard::Reach;
use crate::units::{ClockRate, MediaKind, MediaTime, MemberKey, Pt, Ssrc, TransportKey};

/// The streams of a leg, as far as the peer sends them.
pub(crate) struct Receiving {
    key: FeedKey,
    member: MemberKey,
    own: Ssrc,
    /// The receivers begin with the first packet of a stream: SDP need not announce it.
    audio: Option<Section<Option<AudioReceiver>>>,
    video: Option<Section<Option<VideoReceiver>>>,
    formats: Vec<(Pt, Format)>,
    clock: SenderClock,
    feed: Feed,
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

/// An m-section that the peer sends.
struct Section<R> {
    receiver: R,
    pts: Vec<Pt>,
    transport_cc: Option<ExtId>,
}

impl<R> Section<R> {
    fn new(media: &NegotiatedMedia, receiver: R) -> Self {
        let pts =
            media.receive.iter().flat_map(|payload| [Some(payload.pt), payload.rtx]).flatten().collect();
        Self { receiver, pts, transport_cc: media.extensions.transport_cc.map(ExtId) }
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
            formats: Vec::new(),
            clock: SenderClock::new(now),
            feed: Feed::new(key),
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
        let formats = video.map(formats).unwrap_or_default();
        let lost = self.lost();
        let streams = (self.audio.take(), self.video.take());
        let heard = streams.0.and_then(|section| section.receiver);
        // A stream's receiver knows the formats it began with.
        let seen = streams.1.and_then(|section| section.receiver).filter(|_| self.formats == formats);
        self.audio = audio.map(|media| Section::new(media, heard));
        self.video = video.map(|media| Section::new(media, seen));
        self.formats = formats;
        if self.video.is_none() {
            self.feed.clear();
        }
        self.lost_before = 0;
        self.lost_before = lost.saturating_sub(self.lost());
    }

    pub(crate) fn on_rtp(
        &mut self,
        reach: &mut Reach<'_>,
        links: &mut Links,
        transport: TransportKey,
        packet: &[u8],
        size: usize,
    ) {
        let packet = match RtpView::parse(packet) {
            Ok(packet) => packet,
            Err(_) => return reach.counters.count_dropped("rtp_malformed", 1),
        };
        let kind = links.by_transport(transport).and_then(|link| self.kind_of(link, packet.pt()));
        let Some(kind) = kind else {
            return reach.counters.count_dropped("rtp_unknown_payload_type", 1);
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
                self.on_audio(reach, &packet);
            }
            MediaKind::Video => {
                reach.counters.video_in.count(size);
                self.on_video(reach, &packet);
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

    fn on_audio(&mut self, reach: &mut Reach<'_>, packet: &RtpView<'_>) {
        let Some(section) = &mut self.audio else { return };
        let receiver = match &mut section.receiver {
            Some(receiver) if receiver.ssrc() == packet.ssrc() => receiver,
            // The first packet, or the peer has begun a new stream; the mix sees the leap in its numbers.
            other => {
                self.lost_before += other.as_ref().map_or(0, |receiver| lost(receiver.stats()));
                other.insert(AudioReceiver::new(packet.ssrc(), ClockRate::OPUS))
            }
        };
        let Some((seq, timestamp)) = receiver.handle_rtp(reach.now, packet) else { return };
        self.clock.handle_packet(reach.now, MediaKind::Audio, timestamp);
        if self.microphone == Attention::Ignored {
            return;
        }
        reach.audio(AudioInput::Packet {
            room: self.key.room,
            member: self.member,
            seq,
            timestamp,
            payload: Bytes::copy_from_slice(packet.payload()),
            arrived: reach.now,
        });
    }

    fn on_video(&mut self, reach: &mut Reach<'_>, packet: &RtpView<'_>) {
        let Some(section) = &mut self.video else { return };
        let is_rtx = self
            .formats
            .iter()
            .any(|(pt, format)| *pt == packet.pt() && matches!(format, Format::Rtx { .. }));
        let receiver = match &mut section.receiver {
            Some(receiver) if is_rtx || receiver.ssrc() == packet.ssrc() => receiver,
            // Repeated packets have an SSRC of their own and belong to the stream that is there.
            None if is_rtx => return,
            other => {
                self.lost_before += other.as_ref().map_or(0, |receiver| lost(receiver.stats().reception));
                other.insert(VideoReceiver::new(VideoConfig {
                    ssrc: packet.ssrc(),
                    formats: self.formats.clone(),
                }))
            }
        };
        if let Some(timestamp) = receiver.handle_rtp(reach.now, packet).on_time() {
            self.clock.handle_packet(reach.now, MediaKind::Video, timestamp);
        }
        while let Some(frame) = receiver.poll_frame() {
            if self.camera == Attention::Ignored {
                continue;
            }
            if let Some(job) = self.feed.on_frame(frame) {
                reach.job(job);
            }
        }
    }

    pub(crate) fn on_sender_report(&mut self, now: Instant, info: SenderInfo) {
        if let Some(receiver) = self.audio_receiver().filter(|receiver| receiver.ssrc() == info.ssrc) {
            let timestamp = receiver.handle_sender_report(now, &info);
            self.clock.handle_report(MediaKind::Audio, info.ntp, timestamp);
        }
        if let Some(receiver) = self.video_receiver().filter(|receiver| receiver.ssrc() == info.ssrc) {
            let timestamp = receiver.handle_sender_report(now, &info);
            self.clock.handle_report(MediaKind::Video, info.ntp, timestamp);
        }
    }

    fn audio_receiver(&mut self) -> Option<&mut AudioReceiver> {
        self.audio.as_mut()?.receiver.as_mut()
    }

    fn video_receiver(&mut self) -> Option<&mut VideoReceiver> {
        self.video.as_mut()?.receiver.as_mut()
    }

    /// True when the camera has something to show for the first time.
    pub(crate) fn on_decoded(
        &mut self,
        reach: &mut Reach<'_>,
        decoder: DecoderSlot,
        timestamp: MediaTime,
        result: Result<Option<Arc<Picture>>, CodecError>,
    ) -> bool {
        let before = self.feed.has_picture();
        if let Some(job) = self.feed.on_decoded(decoder, timestamp, result) {
            reach.job(job);
        }
        if self.camera == Attention::Ignored {
            self.feed.clear();
        }
        before != self.feed.has_picture()
    }

    pub(crate) fn on_playing(&mut self, timestamp: MediaTime, at: Instant) {
        self.feed.on_playing(&self.clock, timestamp, at);
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
            Attention::Ignored => self.feed.clear(),
            Attention::Taken => {
                self.video_receiver().into_iter().for_each(|receiver| receiver.request_keyframe(now));
            }
        }
    }

    /// Sound has come.
    pub(crate) fn has_sound(&self) -> bool {
        self.audio.as_ref().is_some_and(|section| section.receiver.is_some())
    }

    /// A picture has been shown, or could have been.
    pub(crate) fn has_shown(&self) -> bool {
        self.feed.has_shown()
    }

    /// The peer has gone silent: what it showed is not to come back when it does.
    pub(crate) fn forget_pictures(&mut self) {
        self.feed.forget_pictures();
    }

    pub(crate) fn picture(&mut self, now: Instant) -> Option<Arc<Picture>> {
        self.feed.picture(now, &self.clock)
    }

    pub(crate) fn has_picture(&self) -> bool {
        self.feed.has_picture()
    }

    /// Asks for what is missing: packets, or a key frame. `rtt` of the transport, when it is known.
    pub(crate) fn send_feedback(&mut self, reach: &mut Reach<'_>, links: &Links, rtt: Option<Duration>) {
        let decoder_failed = self.feed.take_wants_key();
        let own = self.own;
        let Some(receiver) = self.video_receiver() else { return };
        if decoder_failed {
            receiver.handle_decoder_failure(reach.now);
        }
        if let Some(rtt) = rtt {
            receiver.set_rtt(rtt);
        }
        let media = receiver.ssrc();
        reach.scratch.clear();
        while let Some(feedback) = receiver.poll_feedback(reach.now) {
            match feedback {
                Feedback::Nack(lost) => rtcp::write_nack(reach.scratch, own, media, &lost),
                Feedback::Pli => rtcp::write_pli(reach.scratch, own, media),
            }
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
        let video = self.video_receiver().filter(|_| link.carries(MediaKind::Video));
        let video = video.and_then(|receiver| receiver.report_block(now));
        audio.into_iter().chain(video).collect()
    }

    /// Packets that never came.
    pub(crate) fn lost(&self) -> u64 {
        let audio = self.audio.as_ref().and_then(|section| section.receiver.as_ref());
        let video = self.video.as_ref().and_then(|section| section.receiver.as_ref());
        let audio = audio.map_or(0, |receiver| lost(receiver.stats()));
        let video = video.map_or(0, |receiver| lost(receiver.stats().reception));
        self.lost_before + audio + video
    }
}

/// Duplicates count against losses, so the figure can be below zero.
fn lost(stats: ReceptionStats) -> u64 {
    u64::try_from(stats.lost).unwrap_or(0)
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
