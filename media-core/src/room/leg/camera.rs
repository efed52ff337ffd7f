//! A camera as it comes: one stream, or one for each encoding of a simulcast.
//!
//! in:  RTP of a video section, sender reports
//! out: each packet with its encoding and its numbers; complete frames; NACK, PLI and report blocks
//!
//! ```text
//!   SSRC known ──────────────────────────────► its stream
//!   SSRC new ── rid in the packet ──► encoding ──► a stream that begins (RFC 8852 §3.1)
//!            └─ repaired rid ───────► encoding ──► the retransmissions of its stream (RFC 8852 §3.2)
//! ```
//!
//! Without simulcast whatever SSRC comes is the camera, and a new one takes the place of the one before.

use std::time::{Duration, Instant};

use crate::forward::Arrival;
use crate::receive::{
    Feedback, Format, Numbered, ReceivedFrame, SenderClock, Verdict, VideoConfig, VideoReceiver,
};
use crate::rtcp::{self, ReportBlock, SenderInfo};
use crate::rtp::{ExtId, Onward, OnwardIds, RtpView, original};
use crate::units::{EncodingIndex, MediaKind, Pt, Rid, Ssrc, VideoCodec};

/// See the module.
pub(super) struct Camera {
    formats: Vec<(Pt, Format)>,
    rids: Vec<Rid>,
    rid: Option<ExtId>,
    repaired_rid: Option<ExtId>,
    onward: OnwardIds,
    streams: Vec<Stream>,
    /// Lost in streams that are over.
    lost_before: u64,
}

/// One encoding.
struct Stream {
    encoding: EncodingIndex,
    receiver: VideoReceiver,
    /// SSRC of its retransmissions, once a packet told.
    repaired_by: Option<Ssrc>,
    clock: SenderClock,
    /// Somebody looks at it: what it misses is asked for.
    wanted: bool,
}

/// What a video section says of the camera behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) formats: Vec<(Pt, Format)>,
    pub(super) rids: Vec<Rid>,
    pub(super) rid: Option<ExtId>,
    pub(super) repaired_rid: Option<ExtId>,
    /// Extensions that go on to those who watch.
    pub(super) onward: OnwardIds,
}

/// Why a packet is for no stream.
pub(super) const UNKNOWN_STREAM: &str = "rtp_unknown_ssrc";

impl Camera {
    pub(super) fn new(shape: Shape) -> Self {
        let Shape { formats, rids, rid, repaired_rid, onward } = shape;
        Self { formats, rids, rid, repaired_rid, onward, streams: Vec::new(), lost_before: 0 }
    }

    /// It is still what it was.
    pub(super) fn has_shape(&self, shape: &Shape) -> bool {
        self.formats == shape.formats
            && self.rids == shape.rids
            && self.rid == shape.rid
            && self.repaired_rid == shape.repaired_rid
            && self.onward == shape.onward
    }

    /// How many encodings it may have.
    pub(super) fn encodings(&self) -> u8 {
        u8::try_from(self.rids.len().max(1)).unwrap_or(u8::MAX)
    }

    /// Its latest stream.
    pub(super) fn ssrc(&self) -> Option<Ssrc> {
        self.streams.last().map(|stream| stream.receiver.ssrc())
    }

    /// The names of its encodings; none where it has one only.
    pub(super) fn rids(&self) -> &[Rid] {
        &self.rids
    }

    /// Takes a packet; `clock` is the member's, as far as its sound has told. Gives what others than the decoder may use
    /// of it, or why it is dropped.
    pub(super) fn on_rtp<'a>(
        &mut self,
        now: Instant,
        packet: &RtpView<'a>,
        clock: &SenderClock,
    ) -> Result<Option<(EncodingIndex, Arrival<'a>)>, &'static str> {
        let Some(format) = self.format(packet.pt()) else { return Ok(None) };
        let index = match format {
            Format::Codec(_) => self.stream_of_media(packet, clock),
            Format::Rtx { .. } => self.stream_of_repeats(packet),
        };
        let codec = match format {
            Format::Codec(codec) => Some(codec),
            Format::Rtx { of } => self.format(of).and_then(Format::codec),
        };
        let Some(stream) = index.and_then(|index| self.streams.get_mut(index)) else {
            return Err(UNKNOWN_STREAM);
        };
        let verdict = stream.receiver.handle_rtp(now, packet);
        let arrival = stream.arrival(now, packet, verdict, codec, &self.onward);
        Ok(arrival.map(|arrival| (stream.encoding, arrival)))
    }

    /// The next whole frame of any encoding; without its data when that is not `decoded`.
    pub(super) fn poll_frame(
        &mut self,
        decoded: impl Fn(EncodingIndex) -> bool,
    ) -> Option<(EncodingIndex, ReceivedFrame)> {
        self.streams.iter_mut().find_map(|Stream { encoding, receiver, .. }| {
            let frame = if decoded(*encoding) { receiver.poll_frame() } else { receiver.pass_frame() };
            Some((*encoding, frame?))
        })
    }

    fn format(&self, pt: Pt) -> Option<Format> {
        self.formats.iter().find(|(known, _)| *known == pt).map(|(_, format)| *format)
    }

    fn stream_of_media(&mut self, packet: &RtpView<'_>, clock: &SenderClock) -> Option<usize> {
        let known = self.streams.iter().position(|stream| stream.receiver.ssrc() == packet.ssrc());
        if known.is_some() {
            return known;
        }
        let encoding = if self.rids.is_empty() { EncodingIndex(0) } else { self.encoding(packet, self.rid)? };
        Some(self.begin(encoding, packet.ssrc(), clock))
    }

    fn stream_of_repeats(&mut self, packet: &RtpView<'_>) -> Option<usize> {
        if self.rids.is_empty() {
            // Repeated packets have an SSRC of their own and belong to the stream that is there.
            return (!self.streams.is_empty()).then_some(0);
        }
        let known = self.streams.iter().position(|stream| stream.repaired_by == Some(packet.ssrc()));
        if known.is_some() {
            return known;
        }
        let encoding = self.encoding(packet, self.repaired_rid)?;
        let index = self.streams.iter().position(|stream| stream.encoding == encoding)?;
        self.streams.get_mut(index)?.repaired_by = Some(packet.ssrc());
        Some(index)
    }

    fn encoding(&self, packet: &RtpView<'_>, id: Option<ExtId>) -> Option<EncodingIndex> {
        let name = packet.ext(id?)?;
        let index = self.rids.iter().position(|rid| rid.0.as_bytes() == name)?;
        u8::try_from(index).ok().map(EncodingIndex)
    }

    /// The first packet, or the peer has begun a new stream.
    fn begin(&mut self, encoding: EncodingIndex, ssrc: Ssrc, clock: &SenderClock) -> usize {
        let config = VideoConfig { ssrc, formats: self.formats.clone() };
        let (wanted, receiver) = (false, VideoReceiver::new(config));
        let mut stream = Stream { encoding, receiver, repaired_by: None, clock: clock.clone(), wanted };
        match self.streams.iter_mut().position(|stream| stream.encoding == encoding) {
            Some(index) => {
                if let Some(before) = self.streams.get_mut(index) {
                    stream.wanted = before.wanted;
                    self.lost_before += before.lost();
                    *before = stream;
                }
                index
            }
            None => {
                self.streams.push(stream);
                self.streams.len() - 1
            }
        }
    }

    /// Sound of the same member has come: it tells of the sender's clock too.
    pub(super) fn each_clock(&mut self, mut tell: impl FnMut(&mut SenderClock)) {
        self.streams.iter_mut().for_each(|stream| tell(&mut stream.clock));
    }

    /// The clock of an encoding: each has timestamps of its own.
    pub(super) fn clock(&self, encoding: EncodingIndex) -> Option<&SenderClock> {
        self.streams.iter().find(|stream| stream.encoding == encoding).map(|stream| &stream.clock)
    }

    pub(super) fn on_sender_report(&mut self, now: Instant, info: &SenderInfo) {
        let of = |stream: &&mut Stream| stream.receiver.ssrc() == info.ssrc;
        if let Some(stream) = self.streams.iter_mut().find(of) {
            let timestamp = stream.receiver.handle_sender_report(now, info);
            stream.clock.handle_report(MediaKind::Video, info.ntp, timestamp);
        }
    }

    /// Somebody looks at this encoding, or nobody does any more.
    pub(super) fn set_wanted(&mut self, encoding: EncodingIndex, wanted: bool) {
        let of = |stream: &&mut Stream| stream.encoding == encoding;
        if let Some(stream) = self.streams.iter_mut().find(of) {
            stream.wanted = wanted;
        }
    }

    pub(super) fn request_keyframe(&mut self, now: Instant, encoding: EncodingIndex) {
        let of = |stream: &&mut Stream| stream.encoding == encoding;
        if let Some(stream) = self.streams.iter_mut().find(of) {
            stream.receiver.request_keyframe(now);
        }
    }

    pub(super) fn on_decoder_failure(&mut self, now: Instant, encoding: EncodingIndex) {
        let of = |stream: &&mut Stream| stream.encoding == encoding;
        if let Some(stream) = self.streams.iter_mut().find(of) {
            stream.receiver.handle_decoder_failure(now);
        }
    }

    /// Appends what is to be asked of the peer: packets, key frames. Of encodings at which nobody looks nothing is asked.
    pub(super) fn write_feedback(
        &mut self,
        now: Instant,
        own: Ssrc,
        rtt: Option<Duration>,
        out: &mut Vec<u8>,
    ) {
        let is_simulcast = !self.rids.is_empty();
        for stream in self.streams.iter_mut().filter(|stream| stream.wanted || !is_simulcast) {
            if let Some(rtt) = rtt {
                stream.receiver.set_rtt(rtt);
            }
            let media = stream.receiver.ssrc();
            while let Some(feedback) = stream.receiver.poll_feedback(now) {
                match feedback {
                    Feedback::Nack(lost) => rtcp::write_nack(out, own, media, &lost),
                    Feedback::Pli => rtcp::write_pli(out, own, media),
                }
            }
        }
    }

    pub(super) fn report_blocks(&mut self, now: Instant) -> impl Iterator<Item = ReportBlock> {
        self.streams.iter_mut().filter_map(move |stream| stream.receiver.report_block(now))
    }

    /// Packets that never came.
    pub(super) fn lost(&self) -> u64 {
        self.lost_before + self.streams.iter().map(Stream::lost).sum::<u64>()
    }
}

impl Stream {
    fn arrival<'a>(
        &mut self,
        now: Instant,
        packet: &RtpView<'a>,
        verdict: Verdict,
        codec: Option<VideoCodec>,
        ids: &OnwardIds,
    ) -> Option<Arrival<'a>> {
        if let Some(timestamp) = verdict.on_time() {
            self.clock.handle_packet(now, MediaKind::Video, timestamp);
        }
        let (numbered, codec, payload) = match verdict {
            Verdict::Stored(numbered) => (numbered, codec, packet.payload()),
            Verdict::Recovered(numbered) => (numbered, codec, original(packet.payload())?.1),
            Verdict::Padding(seq) => {
                let timestamp = self.receiver.extend_timestamp(packet.timestamp());
                (Numbered { seq: seq?, timestamp }, None, &[][..])
            }
            Verdict::Duplicate
            | Verdict::TooOld
            | Verdict::Stray
            | Verdict::UnknownPayloadType
            | Verdict::Malformed => return None,
        };
        let captured = self.clock.local(MediaKind::Video, numbered.timestamp).unwrap_or(now);
        let Numbered { seq, timestamp } = numbered;
        let (onward, dependency) = Onward::read(packet, ids);
        Some(Arrival {
            seq,
            timestamp,
            captured,
            marker: packet.marker(),
            codec,
            onward,
            dependency,
            payload,
        })
    }

    /// Duplicates count against losses, so the figure can be below zero.
    fn lost(&self) -> u64 {
        u64::try_from(self.receiver.stats().reception.lost).unwrap_or(0)
    }
}
