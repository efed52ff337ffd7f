//! The two streams a leg has as everybody: the mix, and its rendition of the canvas.
//!
//! in:  packets of the mix and of the rendition, what the viewer misses
//! out: RTP, as the pacer lets it; retransmissions

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::bandwidth::{Kind, Offered};
use crate::forward::{MediaPacket, PacketCache, PayloadTypes, RtpSender};
use crate::room::leg::answer::Terms;
use crate::room::leg::links::Links;
use crate::room::leg::outflow::Outflow;
use crate::rtcp::Lost;
use crate::sdp::{Codec, LocalMedia, Negotiated, NegotiatedMedia};
use crate::shard::Reach;
use crate::units::{ClockRate, MediaKind, MediaTime, SeqNo, Ssrc, VideoCodec};

use super::{Birth, payload};

/// Numbers remembered as missed; a viewer who misses more is helped by a key frame only.
const MISSED: usize = 64;
/// … and for so long.
const MISSED_FOR: Duration = Duration::from_secs(1);

/// See the module.
pub(crate) struct Streams {
    audio: Option<Stream>,
    video: Option<Stream>,
    /// Numbers the audio packets: each leg hears a mix of its own choice, without gaps.
    audio_seq: SeqNo,
    /// What the viewer missed lately, and when it said so.
    missed: VecDeque<(Instant, u16)>,
}

/// A stream that has been agreed on. It stays when the peer wants nothing of it for a while: begun anew under the same
/// SSRC, its numbers would leap, and its SRTP index with them.
struct Stream {
    codec: Codec,
    payload: PayloadTypes,
    sender: RtpSender,
    /// The peer wants it now.
    active: bool,
}

impl Default for Streams {
    fn default() -> Self {
        Self { audio: None, video: None, audio_seq: SeqNo(0), missed: VecDeque::new() }
    }
}

impl Streams {
    /// Takes what was negotiated anew. Streams that stay go on.
    pub(super) fn renew(&mut self, birth: &mut Birth<'_>, terms: &Terms) {
        let Negotiated { audio, video, .. } = &terms.negotiated;
        let mut stream = |former: Option<Stream>, section: &Option<NegotiatedMedia>, local, rate| {
            let (section, local): (_, &LocalMedia) = section.as_ref().zip(local)?;
            let active = section.direction.sends();
            match former.filter(|stream| stream.sender.ssrc() == local.ssrc) {
                Some(stream) => Some(stream.renewed(section, active)),
                None => active.then(|| {
                    let sender = birth.sender(section, local, rate);
                    Stream { codec: section.send.codec, payload: payload(section), sender, active }
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

    /// Their streams.
    pub(super) fn senders(&self) -> impl Iterator<Item = &RtpSender> {
        [&self.video, &self.audio].into_iter().flatten().map(|stream| &stream.sender)
    }

    /// The stream of a kind, when the peer wants it.
    pub(in crate::room::leg) fn sender(&mut self, kind: MediaKind) -> Option<&mut RtpSender> {
        let stream = match kind {
            MediaKind::Audio => self.audio.as_mut(),
            MediaKind::Video => self.video.as_mut(),
        };
        stream.filter(|stream| stream.active).map(|stream| &mut stream.sender)
    }

    pub(crate) fn is_audio(&self, ssrc: Ssrc) -> bool {
        self.audio.as_ref().is_some_and(|stream| stream.active && stream.sender.ssrc() == ssrc)
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
        match outflow.offer(reach.now, packet, begins) {
            (Offered::Now, begins) => self.put_video(reach, links, outflow, packet, begins),
            (Offered::Waits, _) => {}
            (Offered::Dropped, _) => return false,
        }
        true
    }

    pub(super) fn put_video(
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
        if sender.write_head(reach.now, packet, number, reach.scratch)
            && let Some(size) = reach.send_shared_rtp(transport, packet)
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
        if !outflow.admits(reach.now, Kind::Repeat) {
            return false;
        }
        reach.scratch.clear();
        let number = links.next_out(sender);
        if !sender.retransmit(reach.now, seq, cache, number, reach.scratch) {
            return false;
        }
        let Some(size) = reach.send_rtp(transport) else { return false };
        links.sent(number);
        outflow.on_sent(reach.now, number, size, Kind::Repeat);
        reach.counters.video_out.count(size);
        reach.counters.retransmitted_out += 1;
        true
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
