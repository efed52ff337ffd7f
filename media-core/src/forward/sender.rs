//! One stream of one leg, towards the viewer.
//!
//! in:  packets of the rendition it watches; NACKs and receiver reports
//! out: RTP, retransmissions (RFC 4588) and sender reports (RFC 3550 §6.4.1)
//!
//! A packet is repeated on the retransmission stream or not at all: on its own stream it would be protected under the
//! same SRTP index with other header extensions, which AES-GCM must never do.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cut::Passing;
use super::reports::Reports;
use super::retransmit::Repeats;
use super::timeline::{Place, Timeline};
use super::{MediaPacket, PacketCache, Start};
use crate::rtcp::{self, NtpTime, ReportBlock, SenderInfo};
use crate::rtp::{Elements, ExtId, Onward, OnwardIds, RtpHeader, write_packet};
use crate::units::{ClockRate, MediaKind, Mid, Pt, SeqNo, Ssrc};

/// The P bit, RFC 3550 §5.1.
const PADDED: u8 = 0x20;
/// No turn, 3GPP TS 26.114 §7.4.5.
const UPRIGHT: u8 = 0;

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
    /// Extension for the time of sending, and the moment that it counts from: one for all streams of a transport.
    pub abs_send_time: Option<(ExtId, Instant)>,
    /// Extensions that are passed on.
    pub onward: OnwardIds,
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
    reports: Reports,
    /// How much later than captured it is heard, or seen.
    delay: Duration,
    /// How the picture is turned, as the viewer was told last.
    orientation: Option<u8>,
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
            reports: Reports::new(config.ssrc),
            delay: Duration::ZERO,
            orientation: None,
            stats: SenderStats::default(),
            config,
        }
    }

    /// The stream.
    #[must_use]
    pub fn ssrc(&self) -> Ssrc {
        self.config.ssrc
    }

    /// What it is sent as now.
    #[must_use]
    pub fn payload(&self) -> PayloadTypes {
        self.config.payload
    }

    /// The viewer reads dependency descriptors.
    #[must_use]
    pub fn is_described(&self) -> bool {
        self.config.onward.dependency.is_some()
    }

    /// Its packets carry a transport-wide sequence number.
    #[must_use]
    pub fn is_numbered(&self) -> bool {
        self.config.transport_cc.is_some()
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
        // Whoever comes next stands upright until it says otherwise, and the viewer has to be told.
        self.orientation = self.orientation.map(|_| UPRIGHT);
    }

    /// The stream belongs to sound that is held back for so long: reports say so, and the viewer holds it back as well.
    pub fn set_delay(&mut self, delay: Duration) {
        self.delay = delay;
    }

    /// Video that waits for the first packet of a key frame: who sees this asks for one.
    #[must_use]
    pub fn awaits_keyframe(&self) -> bool {
        self.config.kind == MediaKind::Video && self.timeline.is_switching()
    }

    /// A packet of the current rendition is not for this viewer: numbers close up over it. `picture_id` when it carries a
    /// part of a VP8 picture. `false`: later packets have already passed, so the viewer will ask for it.
    pub fn leave_out(&mut self, seq: SeqNo, picture_id: Option<u16>) -> bool {
        self.timeline.leave_out(seq, picture_id)
    }

    /// Appends the packet as this viewer gets it. `false`, and nothing appended, while a key frame is awaited, and for
    /// what comes from before it.
    pub fn write(
        &mut self,
        now: Instant,
        packet: &MediaPacket,
        transport_cc: Option<u16>,
        out: &mut Vec<u8>,
    ) -> bool {
        self.write_until(now, packet, (Passing::whole(packet), packet.payload.len()), transport_cc, out)
    }

    /// Appends what of the packet is this viewer's own, likewise: the header, and the first
    /// [`MediaPacket::own_len`] bytes of the payload. What follows is the same for all and is read where it lies.
    pub(crate) fn write_head(
        &mut self,
        now: Instant,
        packet: &MediaPacket,
        transport_cc: Option<u16>,
        out: &mut Vec<u8>,
    ) -> bool {
        self.write_head_as(now, packet, Passing::whole(packet), transport_cc, out)
    }

    /// The same for a packet that goes on in another way than it came.
    pub(super) fn write_head_as(
        &mut self,
        now: Instant,
        packet: &MediaPacket,
        passing: Passing<'_>,
        transport_cc: Option<u16>,
        out: &mut Vec<u8>,
    ) -> bool {
        self.write_until(now, packet, (passing, packet.own_len()), transport_cc, out)
    }

    fn write_until(
        &mut self,
        now: Instant,
        packet: &MediaPacket,
        (passing, end): (Passing<'_>, usize),
        transport_cc: Option<u16>,
        out: &mut Vec<u8>,
    ) -> bool {
        if self.awaits_keyframe() && !(packet.begins && packet.keyframe) {
            return false;
        }
        let Some(place) = self.timeline.advance(packet) else { return false };
        let header = RtpHeader {
            marker: passing.marker,
            pt: self.config.payload.pt,
            seq: place.seq.wire(),
            timestamp: place.timestamp.wire(),
            ssrc: self.config.ssrc,
        };
        self.orientation = packet.onward.orientation.or(self.orientation);
        let departure = self.departure(now, transport_cc);
        self.append(out, &header, &departure, None, (packet, end), passing.dependency, place);
        self.stats.packets += 1;
        self.stats.octets += packet.payload.len() as u64;
        self.repeats.get_or_insert_with(|| Repeats::new(now)).on_media(packet.payload.len());
        self.reports.on_packet(now);
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
        let Some((packet, place)) = self.sent(wire, cache) else { return false };
        self.repeat(now, (packet, place), Passing::whole(packet), transport_cc, out)
    }

    /// The same for a packet that [`Self::sent`] has found.
    pub(super) fn repeat(
        &mut self,
        now: Instant,
        (packet, place): (&MediaPacket, Place),
        passing: Passing<'_>,
        transport_cc: Option<u16>,
        out: &mut Vec<u8>,
    ) -> bool {
        let Some((ssrc, pt)) = self.config.rtx_ssrc.zip(self.config.payload.rtx) else { return false };
        let rtt = self.stats.rtt;
        let allowed = |r: &mut Repeats| r.allow(now, place.seq, packet.payload.len(), rtt);
        if !self.repeats.as_mut().is_some_and(allowed) {
            return false;
        }
        let header = self.rtx_header((ssrc, pt), passing.marker, place);
        let departure = self.departure(now, transport_cc);
        let whole = (packet, packet.payload.len());
        self.append(out, &header, &departure, Some(place.seq), whole, passing.dependency, place);
        self.stats.repeats += 1;
        self.stats.repeat_octets += packet.payload.len() as u64;
        true
    }

    fn rtx_header(&mut self, (ssrc, pt): (Ssrc, Pt), marker: bool, place: Place) -> RtpHeader {
        let seq = self.rtx_seq;
        self.rtx_seq = seq.wrapping_add(1);
        RtpHeader { marker, pt, seq, timestamp: place.timestamp.wire(), ssrc }
    }

    /// It has a stream for what is only sent to be measured.
    #[must_use]
    pub fn can_pad(&self) -> bool {
        self.config.rtx_ssrc.is_some() && self.config.payload.rtx.is_some()
    }

    /// Appends a retransmission of one of the latest packets, the `nth` from the end, to be measured. `false`, and nothing
    /// appended, when it is not at hand.
    pub fn repeat_latest(
        &mut self,
        now: Instant,
        nth: u16,
        cache: &PacketCache,
        transport_cc: Option<u16>,
        out: &mut Vec<u8>,
    ) -> bool {
        let wire = self.timeline.latest().wrapping_sub(nth);
        let Some((ssrc, pt)) = self.config.rtx_ssrc.zip(self.config.payload.rtx) else { return false };
        let Some((packet, place)) = self.sent(wire, cache) else { return false };
        if packet.dependency.is_some() {
            // How it was described is not known here.
            return false;
        }
        let header = self.rtx_header((ssrc, pt), packet.marker, place);
        let departure = self.departure(now, transport_cc);
        let whole = (packet, packet.payload.len());
        self.append(out, &header, &departure, Some(place.seq), whole, None, place);
        true
    }

    /// Appends a packet of padding alone on the retransmission stream, to be measured, as browsers do: at most 255 bytes of
    /// it (RFC 3550 §5.1). `false`, and nothing appended, without such a stream.
    pub fn pad(&mut self, now: Instant, bytes: usize, transport_cc: Option<u16>, out: &mut Vec<u8>) -> bool {
        let Some((ssrc, pt)) = self.config.rtx_ssrc.zip(self.config.payload.rtx) else { return false };
        let timestamp = self.timeline.timestamp_at(now).unwrap_or_else(|| self.timeline.first_timestamp());
        let seq = self.rtx_seq;
        self.rtx_seq = seq.wrapping_add(1);
        let count = u8::try_from(bytes.max(1)).unwrap_or(u8::MAX);
        let header = RtpHeader { marker: false, pt, seq, timestamp: timestamp.wire(), ssrc };
        let departure = self.departure(now, transport_cc);
        let mut elements = Elements::default();
        departure.write(&self.config, &mut elements);
        let start = out.len();
        write_packet(out, &header, elements.as_slice(), &[]);
        out.resize(out.len() + usize::from(count) - 1, 0);
        out.push(count);
        if let Some(first) = out.get_mut(start) {
            *first |= PADDED;
        }
        true
    }

    /// The viewer reports on the stream.
    pub fn handle_report(&mut self, now_ntp: NtpTime, block: &ReportBlock) {
        if block.ssrc == self.config.ssrc {
            self.reports.on_block(now_ntp, block, &mut self.stats);
        }
    }

    /// When [`Self::poll_report`] has something to say; `None` before the first packet.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.reports.due_at()
    }

    /// Appends sender report and CNAME when due, with `blocks` about what the leg itself sends to us.
    pub fn poll_report(
        &mut self,
        now: Instant,
        now_ntp: NtpTime,
        blocks: &[ReportBlock],
        out: &mut Vec<u8>,
    ) -> bool {
        if !self.reports.take_due(now) {
            return false;
        }
        let shown = now.checked_sub(self.delay).unwrap_or(now);
        let Some(timestamp) = self.timeline.timestamp_at(shown) else { return false };
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
    pub(super) fn sent<'a>(&self, wire: u16, cache: &'a PacketCache) -> Option<(&'a MediaPacket, Place)> {
        let packet = cache.find(self.timeline.origin(wire)?)?;
        Some((packet, self.timeline.place(packet)?))
    }

    fn departure(&self, now: Instant, transport_cc: Option<u16>) -> Departure {
        let since = self.config.abs_send_time.map(|(_, epoch)| now.saturating_duration_since(epoch));
        Departure { number: transport_cc.map(u16::to_be_bytes), time: since.map(abs_send_time) }
    }

    /// The packet up to `end` of its payload. `original` makes it a retransmission: its number goes before the payload.
    #[allow(clippy::too_many_arguments, reason = "the parts of one packet")]
    fn append(
        &self,
        out: &mut Vec<u8>,
        header: &RtpHeader,
        departure: &Departure,
        original: Option<SeqNo>,
        (packet, end): (&MediaPacket, usize),
        dependency: Option<&[u8]>,
        place: Place,
    ) {
        let own = packet.payload.get(..end).unwrap_or_default();
        let onward = Onward {
            // Once told it is told with every picture: the packet that turned it back may have been lost.
            orientation: packet.onward.orientation.or(self.orientation.filter(|_| header.marker)),
            ..packet.onward
        };
        let mut elements = Elements::default();
        departure.write(&self.config, &mut elements);
        onward.write(&self.config.onward, dependency, &mut elements);
        let mid = self.config.mid.as_ref().filter(|_| !self.reports.is_known());
        elements.push(mid.map(|(id, _)| *id), mid.map(|(_, mid)| mid.0.as_bytes()));
        let original = original.map(|seq| seq.wire().to_be_bytes());
        let prefix = original.as_ref().map_or(&[][..], |bytes| &bytes[..]);
        write_packet(out, header, elements.as_slice(), &[prefix, own]);
        if let Some(numbers) = &packet.numbers {
            let payload_at = out.len().saturating_sub(own.len());
            if let Some(payload) = out.get_mut(payload_at..) {
                numbers.rewrite(payload, place.picture_id, place.tl0);
            }
        }
    }
}

/// What is said of a packet at the moment it leaves.
struct Departure {
    number: Option<[u8; 2]>,
    time: Option<[u8; 3]>,
}

impl Departure {
    fn write<'a>(&'a self, config: &SenderConfig, out: &mut Elements<'a>) {
        out.push(config.transport_cc, self.number.as_ref().map(<[u8; 2]>::as_slice));
        let id = config.abs_send_time.map(|(id, _)| id);
        out.push(id, self.time.as_ref().map(<[u8; 3]>::as_slice));
    }
}

/// Seconds in 6.18 fixed point: comes round every 64 s.
fn abs_send_time(since: Duration) -> [u8; 3] {
    let [.., a, b, c] = ((since.as_nanos() << 18) / 1_000_000_000).to_be_bytes();
    [a, b, c]
}

#[allow(clippy::cast_possible_truncation, reason = "the counters of a report wrap, RFC 3550 §6.4.1")]
fn wrapped(counter: u64) -> u32 {
    counter as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forward::{EncodedPicture, Packetizer};
    use crate::rtcp::{NtpClock, Packet};
    use crate::rtp::{RtpView, original, vp8};
    use crate::units::{MediaTime, VideoCodec};

    const MS: Duration = Duration::from_millis(1);
    const VP8: PayloadTypes = PayloadTypes { pt: Pt(96), rtx: Some(Pt(97)) };
    const H264: PayloadTypes = PayloadTypes { pt: Pt(102), rtx: Some(Pt(103)) };

    fn config() -> SenderConfig {
        SenderConfig {
            kind: MediaKind::Video,
            rate: ClockRate::VIDEO,
            ssrc: Ssrc(1),
            rtx_ssrc: Some(Ssrc(2)),
            payload: VP8,
            transport_cc: Some(ExtId(3)),
            abs_send_time: None,
            onward: OnwardIds::default(),
            mid: Some((ExtId(4), Mid("1".into()))),
            cname: "signalbox".into(),
            start: Start { seq: 65_534, rtx_seq: 9, timestamp: u32::MAX, picture_id: 0x7fff },
        }
    }

    /// A rendition's pictures, 20 ms apart.
    struct Rendition {
        packetizer: Packetizer,
        cache: PacketCache,
        first: u64,
    }

    impl Rendition {
        fn new(codec: VideoCodec, first: u64) -> Self {
            Self { packetizer: Packetizer::new(codec), cache: PacketCache::default(), first }
        }

        fn picture(&mut self, now: Instant, keyframe: bool, len: usize) -> Vec<MediaPacket> {
            let timestamp = MediaTime { ticks: self.first, rate: ClockRate::VIDEO };
            self.first += 1800;
            let picture = EncodedPicture { keyframe, data: vec![1; len].into(), timestamp, captured: now };
            let packets = self.packetizer.packetize(&picture);
            packets.iter().for_each(|p| self.cache.insert(now, p.clone()));
            packets
        }
    }

    fn written(sender: &mut RtpSender, now: Instant, packet: &MediaPacket) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let was_written = sender.write(now, packet, Some(7), &mut out);
        assert_eq!(was_written, !out.is_empty());
        was_written.then_some(out)
    }

    #[test]
    fn waits_for_a_key_frame_and_goes_on_without_a_gap() {
        let start = Instant::now();
        let mut sender = RtpSender::new(config());
        let mut vp8 = Rendition::new(VideoCodec::Vp8, 500);
        let mut h264 = Rendition::new(VideoCodec::H264, 9_000_000);
        assert!(sender.awaits_keyframe());
        for packet in vp8.picture(start, false, 2000) {
            assert_eq!(written(&mut sender, start, &packet), None);
        }
        let mut seen = Vec::new();
        let mut watch = |sender: &mut RtpSender, now, packets: Vec<MediaPacket>| {
            for packet in packets {
                let bytes = written(sender, now, &packet).expect("flowing");
                let view = RtpView::parse(&bytes).unwrap();
                assert_eq!((view.ssrc(), view.transport_cc(ExtId(3))), (Ssrc(1), Some(7)));
                seen.push((view.seq(), view.timestamp(), view.pt(), view.marker()));
                if let (Pt(96), Some((d, _))) = (view.pt(), vp8::parse(view.payload())) {
                    assert_eq!(d.picture_id, Some(0x7fff), "the first picture of all");
                }
            }
        };
        watch(&mut sender, start + 20 * MS, vp8.picture(start + 20 * MS, true, 2000));
        sender.switch_to(H264);
        assert!(sender.awaits_keyframe());
        for packet in h264.picture(start + 40 * MS, false, 10) {
            assert_eq!(written(&mut sender, start + 40 * MS, &packet), None);
        }
        watch(&mut sender, start + 60 * MS, h264.picture(start + 60 * MS, true, 10));
        watch(&mut sender, start + 80 * MS, h264.picture(start + 80 * MS, false, 10));
        let expected = [
            (65_534, u32::MAX, Pt(96), false),
            (65_535, u32::MAX, Pt(96), true),
            (0, 3599, Pt(102), true), // 40 ms later
            (1, 5399, Pt(102), true),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_head_is_the_beginning_of_the_packet() {
        let now = Instant::now();
        let (mut whole, mut parts) = (RtpSender::new(config()), RtpSender::new(config()));
        let mut vp8 = Rendition::new(VideoCodec::Vp8, 500);
        for len in [2000, 5, 900] {
            for packet in vp8.picture(now, true, len) {
                let bytes = written(&mut whole, now, &packet).unwrap();
                let mut head = Vec::new();
                assert!(parts.write_head(now, &packet, Some(7), &mut head));
                assert!(len > 1000 || head.len() <= 12 + 16 + 16, "{}", head.len());
                let shared = packet.payload.get(packet.own_len()..).unwrap();
                assert_eq!([&head, shared].concat(), bytes);
            }
        }
        assert_eq!(parts.stats(), whole.stats());
    }

    #[test]
    fn sound_flows_at_once() {
        let now = Instant::now();
        let mut sender =
            RtpSender::new(SenderConfig { kind: MediaKind::Audio, rate: ClockRate::OPUS, ..config() });
        let time = |ticks| MediaTime { ticks, rate: ClockRate::OPUS };
        let first = MediaPacket::audio(SeqNo(70_000), time(5), now, vec![1].into());
        let other = MediaPacket::audio(SeqNo(5), time(77), now + 20 * MS, vec![1].into());
        assert!(!sender.awaits_keyframe());
        let bytes = written(&mut sender, now, &first).unwrap();
        assert_eq!(RtpView::parse(&bytes).unwrap().timestamp(), u32::MAX);
        sender.switch_to(VP8);
        let bytes = written(&mut sender, now, &other).unwrap();
        let view = RtpView::parse(&bytes).unwrap();
        assert_eq!((view.seq(), view.timestamp(), view.payload()), (65_535, 959, &[1][..]));
    }

    #[test]
    fn repeats_what_was_sent_under_the_number_it_had() {
        let start = Instant::now();
        let mut sender = RtpSender::new(config());
        let mut vp8 = Rendition::new(VideoCodec::Vp8, 500);
        let sent: Vec<_> =
            vp8.picture(start, true, 3000).iter().filter_map(|p| written(&mut sender, start, p)).collect();
        let mut out = Vec::new();
        let later = start + 50 * MS;
        for (n, bytes) in sent.iter().enumerate() {
            let media = RtpView::parse(bytes).unwrap();
            out.clear();
            assert!(sender.retransmit(later, media.seq(), &vp8.cache, Some(8), &mut out));
            let repeat = RtpView::parse(&out).unwrap();
            assert_eq!((repeat.ssrc(), repeat.pt(), usize::from(repeat.seq())), (Ssrc(2), Pt(97), 9 + n));
            assert_eq!((repeat.timestamp(), repeat.marker()), (media.timestamp(), media.marker()));
            assert_eq!(repeat.transport_cc(ExtId(3)), Some(8));
            assert_eq!(original(repeat.payload()), Some((media.seq(), media.payload())));
        }
        out.clear();
        assert!(!sender.retransmit(later, 65_534, &vp8.cache, None, &mut out), "just repeated");
        assert!(!sender.retransmit(later, 65_533, &vp8.cache, None, &mut out), "before the beginning");
        assert!(!sender.retransmit(later, 9_999, &vp8.cache, None, &mut out), "never sent");
        assert!(out.is_empty());
        assert_eq!((sender.stats().packets, sender.stats().repeats), (3, 3));

        // After a switch the old numbers are gone, whatever the new rendition's cache holds.
        let mut h264 = Rendition::new(VideoCodec::H264, 1);
        sender.switch_to(H264);
        let packets = h264.picture(later, true, 10);
        written(&mut sender, later, &packets[0]).unwrap();
        assert!(!sender.retransmit(later + 500 * MS, 65_534, &h264.cache, None, &mut out));
        assert!(sender.retransmit(later + 500 * MS, 1, &h264.cache, None, &mut out));
    }

    #[test]
    fn without_a_retransmission_stream_nothing_is_repeated() {
        let start = Instant::now();
        let mut sender = RtpSender::new(SenderConfig { rtx_ssrc: None, ..config() });
        let mut vp8 = Rendition::new(VideoCodec::Vp8, 500);
        written(&mut sender, start, &vp8.picture(start, true, 10)[0]).unwrap();
        assert!(!sender.retransmit(start + 500 * MS, 65_534, &vp8.cache, None, &mut Vec::new()));
    }

    #[test]
    fn reports_and_learns_from_reports() {
        let start = Instant::now();
        let ntp = NtpClock::new(start, Duration::from_secs(1_000_000));
        let mut sender = RtpSender::new(config());
        let mut vp8 = Rendition::new(VideoCodec::Vp8, 500);
        let mut out = Vec::new();
        assert_eq!(sender.poll_timeout(), None);
        assert!(!sender.poll_report(start, ntp.at(start), &[], &mut out), "nothing to report on");

        // Encoding took 10 ms: the report is about the moment that the picture shows.
        let now = start + 10 * MS;
        let bytes = written(&mut sender, now, &vp8.picture(start, true, 10)[0]).unwrap();
        assert_eq!(RtpView::parse(&bytes).unwrap().mid(ExtId(4)), Some("1"));
        assert!(sender.poll_report(now, ntp.at(now), &[], &mut out));
        let packets: Vec<_> = rtcp::packets(&out).collect();
        let &[Packet::SenderReport { info, .. }] = &packets[..] else { panic!("{packets:?}") };
        assert_eq!((info.ssrc, info.ntp, info.rtp), (Ssrc(1), ntp.at(now), 899));
        assert_eq!((info.packets, info.octets), (1, 14));
        assert!(out.windows(9).any(|w| w == b"signalbox"));
        let next = sender.poll_timeout().unwrap() - now;
        assert!((500 * MS..=1500 * MS).contains(&next), "{next:?}");
        assert!(!sender.poll_report(now + 499 * MS, ntp.at(now), &[], &mut Vec::new()));

        let block = ReportBlock {
            ssrc: Ssrc(1),
            fraction_lost: 25,
            cumulative_lost: 3,
            highest_seq: 0,
            jitter: 90,
            last_sr: info.ntp.middle(),
            delay_since_sr: 65536 / 10,
        };
        sender.handle_report(ntp.at(now + 500 * MS), &ReportBlock { ssrc: Ssrc(5), ..block });
        assert_eq!(sender.stats().rtt, None, "another stream");
        sender.handle_report(ntp.at(now + 130 * MS), &block);
        let rtt = sender.stats().rtt.unwrap();
        assert!(rtt.abs_diff(30 * MS) < MS, "{rtt:?}");
        assert_eq!((sender.stats().fraction_lost, sender.stats().cumulative_lost), (25, 3));
        // The viewer's clock runs a little fast: no time at all, not 18 hours.
        sender.handle_report(ntp.at(now + 99 * MS), &block);
        assert!(sender.stats().rtt.unwrap() < 30 * MS);
        // Nonsense is not believed.
        let before = sender.stats().rtt;
        sender.handle_report(ntp.at(now), &ReportBlock { last_sr: 1, ..block });
        sender.handle_report(ntp.at(now), &ReportBlock { last_sr: 0, ..block });
        assert_eq!(sender.stats().rtt, before);

        let bytes = written(&mut sender, now, &vp8.picture(now, false, 10)[0]).unwrap();
        assert_eq!(RtpView::parse(&bytes).unwrap().mid(ExtId(4)), None, "the viewer knows the stream now");
    }
}
