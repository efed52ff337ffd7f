//! One stream of one leg, towards the viewer.
//!
//! in:  packets of the rendition it watches; NACKs and receiver reports
//! out: RTP, retransmissions (RFC 4588) and sender reports (RFC 3550 §6.4.1)
//!
//! A packet is repeated on the retransmission stream or not at all: on its own stream it would be protected under the
//! same SRTP index with other header extensions, which AES-GCM must never do.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::retransmit::Repeats;
use super::timeline::{Place, Timeline};
use super::{MediaPacket, PacketCache, Start};
use crate::rtcp::{self, NtpTime, ReportBlock, SenderInfo};
use crate::rtp::{ExtId, RtpHeader, write_packet};
use crate::units::{ClockRate, MediaKind, Mid, Pt, SeqNo, Ssrc};

/// Sender reports are this far apart on average: a viewer needs two for lip sync, and round trips come from them.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// What a stream is sent as.
#[derive(Clone, Debug)]
pub struct SenderConfig {
    /// Video waits for a key frame after each switch; sound does not.
    pub kind: MediaKind,
    /// Clock of the timestamps.
    pub rate: ClockRate,
    /// The stream.
    pub ssrc: Ssrc,
    /// Its retransmission stream, when negotiated.
    pub rtx_ssrc: Option<Ssrc>,
    /// Payload types of the first rendition.
    pub payload: PayloadTypes,
    /// Extension for the transport-wide sequence number.
    pub transport_cc: Option<ExtId>,
    /// Extension and value of the m-section's name, sent until the viewer reports on the stream (RFC 8843 §9.2).
    pub mid: Option<(ExtId, Mid)>,
    /// Canonical name; the same for sound and picture of a leg.
    pub cname: Arc<str>,
    /// First numbers.
    pub start: Start,
}

/// Payload types a rendition is sent under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayloadTypes {
    /// Of the media.
    pub pt: Pt,
    /// Of its retransmission.
    pub rtx: Option<Pt>,
}

/// Counters and what the viewer says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderStats {
    /// Media packets.
    pub packets: u64,
    /// Payload bytes of them.
    pub octets: u64,
    /// Retransmissions.
    pub repeats: u64,
    /// Payload bytes of them.
    pub repeat_octets: u64,
    /// Round trip, smoothed.
    pub rtt: Option<Duration>,
    /// Loss in the viewer's latest report, in 1/256.
    pub fraction_lost: u8,
    /// Loss since the beginning, as the viewer counts.
    pub cumulative_lost: i32,
    /// Interarrival jitter at the viewer, in ticks.
    pub jitter: u32,
}

/// See the module.
#[derive(Debug)]
pub struct RtpSender {
    config: SenderConfig,
    timeline: Timeline,
    rtx_seq: u16,
    repeats: Option<Repeats>,
    next_report: Option<Instant>,
    /// For the spread of reports.
    spread: u32,
    /// The viewer has reported on the stream, so it knows which m-section it belongs to.
    known: bool,
    stats: SenderStats,
}

impl RtpSender {
    /// A stream that has sent nothing yet.
    #[must_use]
    pub fn new(config: SenderConfig) -> Self {
        Self {
            timeline: Timeline::new(config.rate, config.start),
            rtx_seq: config.start.rtx_seq,
            repeats: None,
            next_report: None,
            spread: config.ssrc.0,
            known: false,
            stats: SenderStats::default(),
            config,
        }
    }

    /// The stream.
    #[must_use]
    pub fn ssrc(&self) -> Ssrc {
        self.config.ssrc
    }

    /// Counters and what the viewer says.
    #[must_use]
    pub fn stats(&self) -> SenderStats {
        self.stats
    }

    /// Another rendition comes from now on, or the same one after a pause. Numbers go on without a gap; video waits for
    /// a key frame.
    pub fn switch_to(&mut self, payload: PayloadTypes) {
        self.config.payload = payload;
        self.timeline.switch();
    }

    /// Video that waits for the first packet of a key frame: who sees this asks for one.
    #[must_use]
    pub fn awaits_keyframe(&self) -> bool {
        self.config.kind == MediaKind::Video && self.timeline.is_switching()
    }

    /// Appends the packet as this viewer gets it. `false`, and nothing appended, while a key frame is awaited.
    pub fn write(
        &mut self,
        now: Instant,
        packet: &MediaPacket,
        transport_cc: Option<u16>,
        out: &mut Vec<u8>,
    ) -> bool {
        if self.awaits_keyframe() && !(packet.begins && packet.keyframe) {
            return false;
        }
        let place = self.timeline.advance(packet);
        let header = RtpHeader {
            marker: packet.marker,
            pt: self.config.payload.pt,
            seq: place.seq.wire(),
            timestamp: place.timestamp.wire(),
            ssrc: self.config.ssrc,
        };
        self.append(out, &header, transport_cc, None, packet, place);
        self.stats.packets += 1;
        self.stats.octets += packet.payload.len() as u64;
        self.repeats.get_or_insert_with(|| Repeats::new(now)).on_media(packet.payload.len());
        self.next_report.get_or_insert(now);
        true
    }

    /// Appends a retransmission of the packet the viewer calls `wire`. `false`, and nothing appended, when it is not in
    /// the cache, was repeated enough, or no retransmission stream was negotiated.
    pub fn retransmit(
        &mut self,
        now: Instant,
        wire: u16,
        cache: &PacketCache,
        transport_cc: Option<u16>,
        out: &mut Vec<u8>,
    ) -> bool {
        let Some((ssrc, pt)) = self.config.rtx_ssrc.zip(self.config.payload.rtx) else { return false };
        let Some((packet, place)) = self.sent(wire, cache) else { return false };
        let rtt = self.stats.rtt;
        let allowed = |r: &mut Repeats| r.allow(now, place.seq, packet.payload.len(), rtt);
        if !self.repeats.as_mut().is_some_and(allowed) {
            return false;
        }
        let header = RtpHeader {
            marker: packet.marker,
            pt,
            seq: self.rtx_seq,
            timestamp: place.timestamp.wire(),
            ssrc,
        };
        self.rtx_seq = self.rtx_seq.wrapping_add(1);
        self.append(out, &header, transport_cc, Some(place.seq), packet, place);
        self.stats.repeats += 1;
        self.stats.repeat_octets += packet.payload.len() as u64;
        true
    }

    /// The viewer reports on the stream.
    pub fn handle_report(&mut self, now_ntp: NtpTime, block: &ReportBlock) {
        if block.ssrc != self.config.ssrc {
            return;
        }
        self.known = true;
        self.stats.fraction_lost = block.fraction_lost;
        self.stats.cumulative_lost = block.cumulative_lost;
        self.stats.jitter = block.jitter;
        if let Some(rtt) = round_trip(now_ntp, block) {
            self.stats.rtt = Some(self.stats.rtt.map_or(rtt, |smooth| (smooth * 7 + rtt) / 8));
        }
    }

    /// When [`Self::poll_report`] has something to say; `None` before the first packet.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.next_report
    }

    /// Appends sender report and CNAME when due, with `blocks` about what the leg itself sends to us.
    pub fn poll_report(
        &mut self,
        now: Instant,
        now_ntp: NtpTime,
        blocks: &[ReportBlock],
        out: &mut Vec<u8>,
    ) -> bool {
        if self.next_report.is_none_or(|at| now < at) {
            return false;
        }
        let Some(timestamp) = self.timeline.timestamp_at(now) else { return false };
        self.next_report = Some(now + self.next_interval());
        let info = SenderInfo {
            ssrc: self.config.ssrc,
            ntp: now_ntp,
            rtp: timestamp.wire(),
            packets: wrapped(self.stats.packets),
            octets: wrapped(self.stats.octets),
        };
        rtcp::write_sender_report(out, &info, blocks);
        rtcp::write_sdes(out, self.config.ssrc, &self.config.cname);
        true
    }

    /// The packet the viewer calls `wire`, with the place it had.
    fn sent<'a>(&self, wire: u16, cache: &'a PacketCache) -> Option<(&'a MediaPacket, Place)> {
        let packet = cache.find(self.timeline.origin(wire)?)?;
        Some((packet, self.timeline.place(packet)?))
    }

    /// `original` makes it a retransmission: its number goes before the payload.
    fn append(
        &self,
        out: &mut Vec<u8>,
        header: &RtpHeader,
        transport_cc: Option<u16>,
        original: Option<SeqNo>,
        packet: &MediaPacket,
        place: Place,
    ) {
        let transport_cc = transport_cc.map(u16::to_be_bytes);
        let feedback = self.config.transport_cc.zip(transport_cc.as_ref());
        let mid = self.config.mid.as_ref().filter(|_| !self.known);
        let exts: &[(ExtId, &[u8])] = match (feedback, mid) {
            (Some((id, seq)), Some((mid_id, mid))) => &[(id, seq), (*mid_id, mid.0.as_bytes())],
            (Some((id, seq)), None) => &[(id, seq)],
            (None, Some((mid_id, mid))) => &[(*mid_id, mid.0.as_bytes())],
            (None, None) => &[],
        };
        let original = original.map(|seq| seq.wire().to_be_bytes());
        let prefix = original.as_ref().map_or(&[][..], |bytes| &bytes[..]);
        write_packet(out, header, exts, &[prefix, &packet.payload]);
        if let Some(id) = place.picture_id {
            rewrite_picture_id(out, packet.payload.len(), id);
        }
    }

    /// Between half and one and a half of the interval, so that reports of many streams spread. RFC 3550 §6.2.
    fn next_interval(&mut self) -> Duration {
        // Knuth's multiplicative generator is random enough for this.
        self.spread = self.spread.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        REPORT_INTERVAL / 2 + REPORT_INTERVAL * (self.spread >> 16) / 0xffff
    }
}

/// The id is the last two bytes of our own descriptor, at a known place from the end.
fn rewrite_picture_id(out: &mut [u8], payload_len: usize, id: u16) {
    let payload_at = out.len().saturating_sub(payload_len);
    if let Some(field) = out.get_mut(payload_at + 2..payload_at + 4) {
        field.copy_from_slice(&(id | 0x8000).to_be_bytes());
    }
}

/// RFC 3550 §6.4.1: now, less the time the report was sent, less how long the viewer held it.
fn round_trip(now: NtpTime, block: &ReportBlock) -> Option<Duration> {
    if block.last_sr == 0 {
        return None;
    }
    let units = now.middle().wrapping_sub(block.last_sr).wrapping_sub(block.delay_since_sr);
    // Above half the range it is negative: clocks that round differently on a fast path.
    let rtt = if units < 1 << 31 { rtcp::from_short(units) } else { Duration::ZERO };
    (rtt <= Duration::from_secs(10)).then_some(rtt)
}

#[allow(clippy::cast_possible_truncation, reason = "the counters of a report wrap, RFC 3550 §6.4.1")]
fn wrapped(counter: u64) -> u32 {
    counter as u32
}
