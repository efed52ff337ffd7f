//! A member's picture: from packets to complete frames in decoding order.
//!
//! in:  RTP of the stream and of its retransmissions; wishes for a key frame
//! out: frames; NACK and PLI
//!
//! ```text
//!             a gap is too long, packets do not fit together, the decoder failed
//!        ┌────────────────────────────────────────────────────────────────────────┐
//!     Intact ◄────────────────────────── a whole key frame ────────────── AwaitingKeyframe
//!     frames in order, missing packets asked for                          PLI, at most every 500 ms
//!     … missing for too long: PLI as well
//! ```
//!
//! A packet that is missing for long is still asked for beside the key frame: whichever comes first brings the picture
//! back. A whole key frame behind a gap is taken at once: what is before it would only be late.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::buffer::{Assembled, Extent, Front, Inserted, Meta, PacketBuffer};
use super::reception::{Reception, ReceptionStats};
use crate::rtcp::{ReportBlock, SenderInfo};
use crate::rtp::{RtpView, SeqExtender, TimestampExtender, av1, h264, original, vp8, vp9};
use crate::units::{ClockRate, MediaTime, Pt, SeqNo, Ssrc, VideoCodec};

/// A packet overtaken by its successor gets this long before it is asked for.
const REORDER_GRACE: Duration = Duration::from_millis(5);
/// At the very beginning nothing tells that a packet was overtaken; the stream gets this long to show its first one.
const START_GRACE: Duration = Duration::from_millis(20);
/// Round trip until it is known.
const DEFAULT_RTT: Duration = Duration::from_millis(100);
/// What a round trip may take longer before a packet is asked for again.
const RTT_MARGIN: Duration = Duration::from_millis(5);
/// Round trips outside of this are not waited for.
const RTT_RANGE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(300));
/// A missing packet holds up the picture for so long, whatever the round trip.
const PATIENCE_RANGE: (Duration, Duration) = (Duration::from_millis(250), Duration::from_millis(450));
/// Times a packet is asked for.
const MAX_ASKED: u8 = 10;
/// Packets named in one NACK: they fit a datagram even when no two share an entry.
const MAX_NACK: usize = 250;
/// Key frames cost a publisher's whole quality; ask no more often …
const PLI_INTERVAL: Duration = Duration::from_millis(500);
/// … and in the long run no more often than this: viewers who lose every key frame must not keep all others at key frames.
const PLI_REFILL: Duration = Duration::from_secs(2);
/// Requests that may come at the least distance: a room that fills.
const PLI_BURST: u32 = 8;
/// A key frame of which packets keep coming is not asked for again. On a slow link it takes a while.
const KEYFRAME_PAUSE: Duration = Duration::from_millis(200);
const KEYFRAME_DURATION: Duration = Duration::from_secs(3);
/// Payloads beyond any path's MTU are not video packets.
const MAX_PAYLOAD: usize = 2000;

/// How packets of a stream are recognised.
#[derive(Clone, Debug)]
pub struct VideoConfig {
    /// The stream; its retransmissions have another SSRC and come here too.
    pub ssrc: Ssrc,
    /// What each negotiated payload type carries.
    pub formats: Vec<(Pt, Format)>,
}

/// What a payload type carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A picture.
    Codec(VideoCodec),
    /// Repeated packets of another payload type, RFC 4588.
    Rtx {
        /// `apt`
        of: Pt,
    },
}

/// What became of a packet: one counter each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It came by itself and is stored.
    Stored(Numbered),
    /// It was repeated and fills a gap.
    Recovered(Numbered),
    /// It carries nothing: a probe for bandwidth. On the stream itself it takes a number.
    Padding(Option<SeqNo>),
    /// It was here before.
    Duplicate,
    /// Its picture was shown or given up.
    TooOld,
    /// Its number is far from all others, and nothing follows it (yet).
    Stray,
    /// Its payload type was not negotiated.
    UnknownPayloadType,
    /// The payload is not what its type says.
    Malformed,
}

/// A packet's numbers, extended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbered {
    /// Of the stream, also when it came on the retransmission stream.
    pub seq: SeqNo,
    /// On the sender's clock.
    pub timestamp: MediaTime,
}

impl Format {
    /// What a picture's payload is encoded with.
    #[must_use]
    pub fn codec(self) -> Option<VideoCodec> {
        match self {
            Self::Codec(codec) => Some(codec),
            Self::Rtx { .. } => None,
        }
    }
}

impl Verdict {
    /// The timestamp of a packet whose arrival tells of the path: it came by itself.
    #[must_use]
    pub fn on_time(self) -> Option<MediaTime> {
        match self {
            Self::Stored(numbered) => Some(numbered.timestamp),
            Self::Recovered(_)
            | Self::Padding(_)
            | Self::Duplicate
            | Self::TooOld
            | Self::Stray
            | Self::UnknownPayloadType
            | Self::Malformed => None,
        }
    }
}

/// A complete picture.
#[derive(Clone, Debug)]
pub struct ReceivedFrame {
    /// What it is encoded with; may change from frame to frame.
    pub codec: VideoCodec,
    /// Decodable by itself.
    pub keyframe: bool,
    /// On the sender's clock.
    pub timestamp: MediaTime,
    /// In the form [`crate::codec`] takes.
    pub data: Bytes,
    /// When its last packet came.
    pub arrived: Instant,
}

/// What the sender must be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Feedback {
    /// These packets are missing.
    Nack(Vec<u16>),
    /// A key frame is needed.
    Pli,
}

/// Counters since the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VideoStats {
    /// Of the path.
    pub reception: ReceptionStats,
    /// Frames given out.
    pub frames: u64,
    /// … of which key frames.
    pub keyframes: u64,
    /// Packets asked for, each time counted.
    pub nacked: u64,
    /// Packets recovered.
    pub recovered: u64,
    /// Key frame requests.
    pub plis: u64,
}

/// See the module.
#[derive(Debug)]
pub struct VideoReceiver {
    config: VideoConfig,
    seq: SeqExtender,
    timestamp: TimestampExtender,
    reception: Reception,
    buffer: PacketBuffer,
    continuity: Continuity,
    /// The first packet came.
    begun: Option<Instant>,
    keyframe_wanted: bool,
    last_pli: Option<Instant>,
    budget: KeyBudget,
    arriving: Option<ArrivingKeyframe>,
    rtt: Duration,
    /// When something may have to be said; kept so that a quiet stream costs nothing.
    deadline: Option<Instant>,
    stats: VideoStats,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Continuity {
    /// The next picture can be decoded when it is whole.
    Intact,
    /// Only a key frame can.
    AwaitingKeyframe,
}

/// Key frame requests that may still be made: a bucket that holds [`PLI_BURST`].
#[derive(Clone, Copy, Debug, Default)]
struct KeyBudget {
    /// When all that was spent will be there again; before now: all of it is.
    whole_at: Option<Instant>,
}

impl KeyBudget {
    fn spend(&mut self, now: Instant) {
        self.whole_at = Some(self.whole_at.map_or(now, |at| at.max(now)) + PLI_REFILL);
    }

    /// When there is one.
    fn next(&self) -> Option<Instant> {
        self.whole_at?.checked_sub(PLI_REFILL * (PLI_BURST - 1))
    }
}

/// A key frame of which the beginning is here.
#[derive(Clone, Copy, Debug)]
struct ArrivingKeyframe {
    timestamp: MediaTime,
    since: Instant,
    latest: Instant,
}

impl VideoReceiver {
    /// A stream of which nothing has come yet.
    #[must_use]
    pub fn new(config: VideoConfig) -> Self {
        Self {
            seq: SeqExtender::default(),
            timestamp: TimestampExtender::new(ClockRate::VIDEO),
            reception: Reception::new(config.ssrc),
            buffer: PacketBuffer::default(),
            continuity: Continuity::AwaitingKeyframe,
            begun: None,
            keyframe_wanted: false,
            last_pli: None,
            budget: KeyBudget::default(),
            arriving: None,
            rtt: DEFAULT_RTT,
            deadline: None,
            stats: VideoStats::default(),
            config,
        }
    }

    /// The stream.
    #[must_use]
    pub fn ssrc(&self) -> Ssrc {
        self.config.ssrc
    }

    /// Counters.
    #[must_use]
    pub fn stats(&self) -> VideoStats {
        VideoStats { reception: self.reception.stats(), ..self.stats }
    }

    /// Paces requests. The round trip is measured where the same transport sends ([`crate::forward::SenderStats::rtt`]).
    pub fn set_rtt(&mut self, rtt: Duration) {
        self.rtt = rtt.clamp(RTT_RANGE.0, RTT_RANGE.1);
    }

    /// Takes a packet of the stream or of its retransmissions. [`Self::poll_frame`] and [`Self::poll_feedback`] follow.
    pub fn handle_rtp(&mut self, now: Instant, packet: &RtpView<'_>) -> Verdict {
        let format =
            |pt| self.config.formats.iter().find(|(known, _)| *known == pt).map(|(_, format)| *format);
        match format(packet.pt()) {
            Some(Format::Codec(codec)) => self.on_media(now, packet, codec),
            Some(Format::Rtx { of }) => match format(of) {
                Some(Format::Codec(codec)) => self.on_repeated(now, packet, codec),
                Some(Format::Rtx { .. }) | None => Verdict::UnknownPayloadType,
            },
            None => Verdict::UnknownPayloadType,
        }
    }

    /// The sender's report on this stream; gives the report's timestamp extended, for [`super::SenderClock`].
    pub fn handle_sender_report(&mut self, now: Instant, info: &SenderInfo) -> MediaTime {
        self.reception.on_sender_report(now, info.ntp);
        self.timestamp.near(info.rtp)
    }

    /// A timestamp of the stream, extended near those received.
    #[must_use]
    pub fn extend_timestamp(&self, wire: u32) -> MediaTime {
        self.timestamp.near(wire)
    }

    /// Somebody needs a key frame who has seen none: it is asked for until one comes. Frames go on meanwhile.
    pub fn request_keyframe(&mut self, now: Instant) {
        self.keyframe_wanted = true;
        self.wake(now);
    }

    /// The decoder could not go on: no frames until a key frame has come.
    pub fn handle_decoder_failure(&mut self, now: Instant) {
        self.lose(now);
    }

    /// The next frame that can be decoded.
    pub fn poll_frame(&mut self) -> Option<ReceivedFrame> {
        self.next_frame(PacketBuffer::take)
    }

    /// The next frame, when nobody decodes the stream: it comes without its data, and nothing is allocated.
    pub fn pass_frame(&mut self) -> Option<ReceivedFrame> {
        self.next_frame(PacketBuffer::pass)
    }

    fn next_frame(
        &mut self,
        take: impl Fn(&mut PacketBuffer, Extent) -> Option<Assembled>,
    ) -> Option<ReceivedFrame> {
        loop {
            let extent = match (self.continuity, self.buffer.front()) {
                (Continuity::Intact, Front::Picture(extent)) => extent,
                (Continuity::AwaitingKeyframe, _) | (Continuity::Intact, Front::Blocked) => {
                    self.buffer.skip_to_keyframe()?
                }
            };
            match take(&mut self.buffer, extent) {
                Some(picture) => {
                    if extent.keyframe {
                        self.continuity = Continuity::Intact;
                        self.keyframe_wanted = false;
                        self.arriving = None;
                        self.stats.keyframes += 1;
                    }
                    self.stats.frames += 1;
                    return Some(ReceivedFrame {
                        codec: picture.codec,
                        keyframe: extent.keyframe,
                        timestamp: picture.timestamp,
                        data: picture.data,
                        arrived: picture.arrived,
                    });
                }
                // All packets came and do not fit together: nothing to wait for.
                None => self.continuity = Continuity::AwaitingKeyframe,
            }
        }
    }

    /// What to tell the sender now; call until `None`, after [`Self::poll_frame`].
    pub fn poll_feedback(&mut self, now: Instant) -> Option<Feedback> {
        if self.deadline.is_none_or(|at| now < at) {
            return None;
        }
        self.drop_useless(now);
        if self.pli_due(now).is_some_and(|at| now >= at) {
            self.last_pli = Some(now);
            self.budget.spend(now);
            self.stats.plis += 1;
            return Some(Feedback::Pli);
        }
        let lost = self.ask_for_missing(now);
        if !lost.is_empty() {
            self.stats.nacked += lost.len() as u64;
            return Some(Feedback::Nack(lost));
        }
        self.deadline = self.next_deadline(now);
        None
    }

    /// When [`Self::poll_feedback`] may have something to say.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    /// What to report on the stream; `None` before its first packet.
    pub fn report_block(&mut self, now: Instant) -> Option<ReportBlock> {
        self.reception.report_block(now)
    }

    fn on_media(&mut self, now: Instant, packet: &RtpView<'_>, codec: VideoCodec) -> Verdict {
        let Some(seq) = self.seq.extend(packet.seq()) else { return Verdict::Stray };
        let timestamp = self.timestamp.extend(packet.timestamp());
        self.reception.on_packet(now, seq, timestamp, packet.payload().len());
        if packet.payload().is_empty() {
            return match self.insert(now, seq, None) {
                Inserted::Stored | Inserted::Restarted => Verdict::Padding(Some(seq)),
                Inserted::Duplicate => Verdict::Duplicate,
                Inserted::TooOld => Verdict::TooOld,
            };
        }
        let Some(stored) = inspect(now, packet, packet.payload(), codec, timestamp) else {
            return Verdict::Malformed;
        };
        match self.insert(now, seq, Some(stored)) {
            Inserted::Stored | Inserted::Restarted => Verdict::Stored(Numbered { seq, timestamp }),
            Inserted::Duplicate => Verdict::Duplicate,
            Inserted::TooOld => Verdict::TooOld,
        }
    }

    fn on_repeated(&mut self, now: Instant, packet: &RtpView<'_>, codec: VideoCodec) -> Verdict {
        let Some((wire, payload)) = original(packet.payload()) else { return Verdict::Padding(None) };
        // Before the first packet of the stream itself there is no gap to fill.
        let Some(seq) = self.seq.near(wire) else { return Verdict::Stray };
        if payload.is_empty() && self.seq.highest().is_some_and(|highest| seq <= highest) {
            return match self.insert(now, seq, None) {
                Inserted::Stored | Inserted::Restarted => Verdict::Padding(Some(seq)),
                Inserted::Duplicate => Verdict::Duplicate,
                Inserted::TooOld => Verdict::TooOld,
            };
        }
        let timestamp = self.timestamp.near(packet.timestamp());
        let Some(stored) = inspect(now, packet, payload, codec, timestamp) else { return Verdict::Malformed };
        if self.seq.highest().is_some_and(|highest| seq > highest) {
            return Verdict::Stray;
        }
        match self.insert(now, seq, Some(stored)) {
            Inserted::Stored | Inserted::Restarted => {
                self.stats.recovered += 1;
                Verdict::Recovered(Numbered { seq, timestamp })
            }
            Inserted::Duplicate => Verdict::Duplicate,
            Inserted::TooOld => Verdict::TooOld,
        }
    }

    fn insert(&mut self, now: Instant, seq: SeqNo, packet: Option<(Meta, &[u8])>) -> Inserted {
        let inserted = self.buffer.insert(now, now + REORDER_GRACE, seq, packet);
        match inserted {
            Inserted::Duplicate | Inserted::TooOld => return inserted,
            Inserted::Restarted => self.lose(now),
            Inserted::Stored => {}
        }
        self.begun.get_or_insert(now);
        if let Some((meta, _)) = packet {
            self.note_keyframe(now, &meta);
        }
        match self.continuity {
            Continuity::Intact if self.buffer.first_missing().is_none() => {}
            Continuity::Intact | Continuity::AwaitingKeyframe => self.wake(now + REORDER_GRACE),
        }
        inserted
    }

    fn note_keyframe(&mut self, now: Instant, meta: &Meta) {
        match &mut self.arriving {
            Some(arriving) if arriving.timestamp == meta.timestamp => arriving.latest = now,
            Some(arriving) if arriving.timestamp.ticks > meta.timestamp.ticks => {}
            arriving if meta.keyframe => {
                *arriving = Some(ArrivingKeyframe { timestamp: meta.timestamp, since: now, latest: now });
            }
            Some(_) | None => {}
        }
    }

    /// Decoding cannot go on without a key frame.
    fn lose(&mut self, now: Instant) {
        self.continuity = Continuity::AwaitingKeyframe;
        self.wake(now);
    }

    /// Without hope for what is missing, it need not be kept.
    fn drop_useless(&mut self, now: Instant) {
        let patience = self.patience();
        let settled = self.begun.is_some_and(|at| now >= at + START_GRACE);
        if self.continuity == Continuity::AwaitingKeyframe && settled {
            self.buffer.drop_useless(|missing| now.saturating_duration_since(missing.since) >= patience);
        }
    }

    fn ask_for_missing(&mut self, now: Instant) -> Vec<u16> {
        let interval = self.rtt + RTT_MARGIN;
        let due =
            self.buffer.missing().filter(|(_, missing)| missing.asked < MAX_ASKED && missing.ask_at <= now);
        due.take(MAX_NACK)
            .map(|(seq, missing)| {
                // Backing off: on a path that is down for a moment, answers would be lost as well.
                missing.ask_at = now + interval + interval * u32::from(missing.asked.saturating_sub(3)) / 2;
                missing.asked += 1;
                seq.wire()
            })
            .collect()
    }

    /// When a PLI may be sent; `None` when none is needed.
    fn pli_due(&self, now: Instant) -> Option<Instant> {
        let needed = match self.continuity {
            _ if self.keyframe_wanted => now,
            Continuity::AwaitingKeyframe => self.begun.map_or(now, |at| at + START_GRACE),
            Continuity::Intact => self.buffer.first_missing()?.since + self.patience(),
        };
        let spaced = self.last_pli.map(|at| at + PLI_INTERVAL).max(self.budget.next());
        let arriving = self.arriving.map(|k| (k.latest + KEYFRAME_PAUSE).min(k.since + KEYFRAME_DURATION));
        Some(needed).max(spaced).max(arriving)
    }

    /// How long a missing packet holds up the picture until a key frame is asked for: four requests and their answers.
    fn patience(&self) -> Duration {
        (REORDER_GRACE + (self.rtt + RTT_MARGIN) * 4).clamp(PATIENCE_RANGE.0, PATIENCE_RANGE.1)
    }

    fn next_deadline(&mut self, now: Instant) -> Option<Instant> {
        let missing = self.buffer.missing().filter(|(_, missing)| missing.asked < MAX_ASKED);
        let ask = missing.map(|(_, missing)| missing.ask_at).min();
        [ask, self.pli_due(now)].into_iter().flatten().min()
    }

    fn wake(&mut self, at: Instant) {
        self.deadline = Some(self.deadline.map_or(at, |deadline| deadline.min(at)));
    }
}

/// What a payload says of its picture, and the bytes to keep of it.
fn inspect<'a>(
    now: Instant,
    packet: &RtpView<'_>,
    payload: &'a [u8],
    codec: VideoCodec,
    timestamp: MediaTime,
) -> Option<(Meta, &'a [u8])> {
    if payload.len() > MAX_PAYLOAD {
        return None;
    }
    let (begins, keyframe, kept) = match codec {
        VideoCodec::Vp8 => {
            let (descriptor, rest) = vp8::parse(payload)?;
            (descriptor.begins_picture, descriptor.keyframe, rest)
        }
        VideoCodec::H264 => {
            let summary = h264::summary(payload)?;
            (summary.begins_picture, summary.idr, payload)
        }
        // Where frames of a picture part is needed to put it together, so the payload stays whole.
        VideoCodec::Vp9 => {
            let (descriptor, _) = vp9::parse(payload)?;
            let begins = descriptor.begins_frame && descriptor.spatial_id() == 0;
            (begins, descriptor.keyframe, payload)
        }
        VideoCodec::Av1 => {
            let summary = av1::summary(payload)?;
            (summary.begins_sequence, summary.begins_sequence, payload)
        }
    };
    Some((Meta { codec, timestamp, marker: packet.marker(), begins, keyframe, arrived: now }, kept))
}

#[cfg(test)]
#[path = "video_tests.rs"]
mod tests;
