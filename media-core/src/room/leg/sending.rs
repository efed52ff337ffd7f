//! What a leg sends: its two streams.
//!
//! in:  packets of the mix and of its rendition; reports and requests of the peer
//! out: RTP, retransmissions, sender reports

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::answer::Terms;
use super::links::{Link, Links};
use crate::forward::{MediaPacket, PacketCache, PayloadTypes, RtpSender, SenderConfig, Start};
use crate::rtcp::{self, Lost, ReportBlock};
use crate::rtp::ExtId;
use crate::sdp::{Codec, LocalMedia, Negotiated, NegotiatedMedia};
use crate::shard::{Ids, Reach};
use crate::units::{ClockRate, MediaKind, MediaTime, SeqNo, Ssrc, VideoCodec};

/// The streams of a leg, as far as the peer receives them.
pub(crate) struct Sending {
    audio: Option<Stream>,
    video: Option<Stream>,
    own: Ssrc,
    cname: Arc<str>,
    /// Numbers the audio packets: each leg hears a mix of its own choice, without gaps.
    audio_seq: SeqNo,
}

/// A stream that has been agreed on. It stays when the peer wants nothing of it for a while: begun anew under the same
/// SSRC, its numbers would leap, and its SRTP index with them.
struct Stream {
    codec: Codec,
    sender: RtpSender,
    /// The peer wants it now.
    active: bool,
}

impl Sending {
    pub(crate) fn new(ids: &mut Ids, terms: &Terms) -> Self {
        let own = terms.locals().map(|local| local.ssrc).next();
        let mut sending = Self {
            audio: None,
            video: None,
            own: own.unwrap_or(Ssrc(1)),
            cname: terms.cname(),
            audio_seq: SeqNo(0),
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
                    Stream { codec: section.send.codec, sender, active }
                }),
            }
        };
        self.audio = stream(self.audio.take(), audio, terms.audio.as_ref(), ClockRate::OPUS);
        self.video = stream(self.video.take(), video, terms.video.as_ref(), ClockRate::VIDEO);
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
        [&self.video, &self.audio].into_iter().flatten().find_map(|stream| stream.sender.stats().rtt)
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
        timestamp: MediaTime,
        at: Instant,
        payload: &Bytes,
    ) {
        self.audio_seq.0 += 1;
        let packet = MediaPacket::audio(self.audio_seq, timestamp, at, payload.clone());
        self.send(reach, links, MediaKind::Audio, &packet);
    }

    pub(crate) fn send_video(&mut self, reach: &mut Reach<'_>, links: &mut Links, packet: &MediaPacket) {
        self.send(reach, links, MediaKind::Video, packet);
    }

    fn send(&mut self, reach: &mut Reach<'_>, links: &mut Links, kind: MediaKind, packet: &MediaPacket) {
        let Some(transport) = links.carrying(kind) else { return };
        let Some(sender) = self.sender(kind) else { return };
        reach.scratch.clear();
        let number = links.next_out(sender);
        if sender.write(reach.now, packet, number, reach.scratch)
            && let Some(size) = reach.send_rtp(transport)
        {
            links.sent(number);
            match kind {
                MediaKind::Audio => reach.counters.audio_out.count(size),
                MediaKind::Video => reach.counters.video_out.count(size),
            }
        }
    }

    pub(crate) fn retransmit(
        &mut self,
        reach: &mut Reach<'_>,
        links: &mut Links,
        media: Ssrc,
        lost: Lost<'_>,
        cache: &PacketCache,
    ) {
        let Some(transport) = links.carrying(MediaKind::Video) else { return };
        let sender = self.sender(MediaKind::Video).filter(|sender| sender.ssrc() == media);
        let Some(sender) = sender else { return };
        for seq in lost {
            reach.counters.nacked_out += 1;
            reach.scratch.clear();
            let number = links.next_out(sender);
            if sender.retransmit(reach.now, seq, cache, number, reach.scratch)
                && let Some(size) = reach.send_rtp(transport)
            {
                links.sent(number);
                reach.counters.video_out.count(size);
                reach.counters.retransmitted_out += 1;
            }
        }
    }

    pub(crate) fn on_report(&mut self, reach: &Reach<'_>, block: &ReportBlock) {
        for kind in [MediaKind::Audio, MediaKind::Video] {
            if let Some(sender) = self.sender(kind) {
                sender.handle_report(reach.ntp(), block);
            }
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

impl Stream {
    fn renewed(mut self, section: &NegotiatedMedia, active: bool) -> Self {
        if active && (!self.active || self.codec != section.send.codec) {
            self.sender.switch_to(payload(section));
            self.codec = section.send.codec;
        }
        self.active = active;
        self
    }
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
