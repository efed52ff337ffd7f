//! Bytes of all lengths, and valid packets with bits turned over, through everything that reads RTP and RTCP: no panic, no
//! endless loop, no memory that grows with what a packet claims.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test may panic; numbers wrap on purpose"
)]

use std::time::{Duration, Instant};

use media_core::forward::{EncodedPicture, MediaPacket, PacketCache, Packetizer, PayloadTypes, RtpSender};
use media_core::forward::{SenderConfig, Start};
use media_core::receive::{AudioReceiver, Format, SenderClock, TwccRecorder, VideoConfig, VideoReceiver};
use media_core::rtcp::{self, NtpClock, NtpTime, Packet, ReportBlock, SenderInfo};
use media_core::rtp::{ExtId, RtpHeader, RtpView, h264, original, vp8, write_packet};
use media_core::units::{ClockRate, MediaKind, MediaTime, Pt, SeqNo, Ssrc, VideoCodec};
use proptest::prelude::*;

const MEDIA: Ssrc = Ssrc(1);

/// All readers, fed with whatever comes.
struct Victim {
    now: Instant,
    video: VideoReceiver,
    audio: AudioReceiver,
    clock: SenderClock,
    twcc: TwccRecorder,
    sender: RtpSender,
    cache: PacketCache,
    ntp: NtpClock,
}

impl Victim {
    fn new() -> Self {
        let now = Instant::now();
        let formats = vec![
            (Pt(96), Format::Codec(VideoCodec::Vp8)),
            (Pt(97), Format::Rtx { of: Pt(96) }),
            (Pt(98), Format::Codec(VideoCodec::H264)),
            (Pt(99), Format::Rtx { of: Pt(98) }),
        ];
        let mut cache = PacketCache::default();
        let mut sender = RtpSender::new(SenderConfig {
            kind: MediaKind::Audio,
            rate: ClockRate::OPUS,
            ssrc: MEDIA,
            rtx_ssrc: Some(Ssrc(2)),
            payload: PayloadTypes { pt: Pt(111), rtx: Some(Pt(112)) },
            transport_cc: Some(ExtId(3)),
            abs_send_time: None,
            onward: media_core::rtp::OnwardIds::default(),
            mid: None,
            cname: "x".into(),
            start: Start { seq: 65_500, rtx_seq: 0, timestamp: 0, picture_id: 0 },
        });
        for i in 0..100 {
            let time = MediaTime { ticks: i * 960, rate: ClockRate::OPUS };
            let packet = std::sync::Arc::new(MediaPacket::audio(SeqNo(i), time, now, vec![0; 100].into()));
            cache.insert(now, packet.as_ref().clone());
            sender.write(now, &packet, None, &mut Vec::new());
        }
        Self {
            now,
            video: VideoReceiver::new(VideoConfig { ssrc: MEDIA, formats }),
            audio: AudioReceiver::new(MEDIA, ClockRate::OPUS),
            clock: SenderClock::new(now),
            twcc: TwccRecorder::default(),
            sender,
            cache,
            ntp: NtpClock::new(now, Duration::from_secs(1)),
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.now += Duration::from_millis(7);
        self.take_rtp(bytes);
        self.take_rtcp(bytes);
        let mut out = Vec::new();
        while self.twcc.poll_feedback(self.now, Ssrc(9), &mut out) {}
        while self.video.poll_frame().is_some() {}
        while self.video.poll_feedback(self.now).is_some() {}
        let block = self.video.report_block(self.now);
        rtcp::write_receiver_report(&mut out, Ssrc(9), block.as_slice());
    }

    fn take_rtp(&mut self, bytes: &[u8]) {
        // Payload formats on their own, without a header that fits.
        let _ = (vp8::parse(bytes), h264::summary(bytes), original(bytes));
        let mut assembler = h264::Assembler::default();
        let _ = assembler.push(bytes);
        let _ = assembler.finish();
        let Ok(packet) = RtpView::parse(bytes) else { return };
        for id in 0..=255 {
            let id = ExtId(id);
            let _ = (
                packet.mid(id),
                packet.abs_send_time(id),
                packet.audio_level(id),
                packet.abs_capture_time(id),
            );
            if let Some(seq) = packet.transport_cc(id) {
                self.twcc.handle_packet(self.now, packet.ssrc(), seq);
            }
        }
        if let Some((_, time)) = self.audio.handle_rtp(self.now, &packet) {
            self.clock.handle_packet(self.now, MediaKind::Audio, time);
            let _ = self.clock.local(MediaKind::Audio, time);
        }
        if let Some(time) = self.video.handle_rtp(self.now, &packet).on_time() {
            self.clock.handle_packet(self.now, MediaKind::Video, time);
            let _ = self.clock.local(MediaKind::Video, time);
        }
    }

    fn take_rtcp(&mut self, bytes: &[u8]) {
        for packet in rtcp::packets(bytes) {
            match packet {
                Packet::SenderReport { info, blocks } => {
                    let time = self.video.handle_sender_report(self.now, &info);
                    self.clock.handle_report(MediaKind::Video, info.ntp, time);
                    let time = self.audio.handle_sender_report(self.now, &info);
                    self.clock.handle_report(MediaKind::Audio, info.ntp, time);
                    blocks.for_each(|block| self.sender.handle_report(self.ntp.at(self.now), &block));
                }
                Packet::ReceiverReport { blocks, .. } => {
                    blocks.for_each(|block| self.sender.handle_report(self.ntp.at(self.now), &block));
                }
                Packet::Nack { lost, .. } => {
                    for wire in lost {
                        self.sender.retransmit(self.now, wire, &self.cache, None, &mut Vec::new());
                    }
                }
                Packet::TransportCc(feedback) => {
                    assert!(feedback.count() <= 4096 && feedback.arrivals().count() <= 4096);
                }
                Packet::Fir { entries, .. } => assert!(entries.count() <= bytes.len()),
                Packet::Bye(ssrcs) => assert!(ssrcs.count() <= 31),
                Packet::Pli { .. } | Packet::Remb(_) => {}
            }
        }
    }
}

/// One of each kind that we understand.
fn valid_packets() -> Vec<Vec<u8>> {
    let now = Instant::now();
    let mut all = Vec::new();
    let mut seq = 65_530u16;
    for (pt, codec) in [(96, VideoCodec::Vp8), (98, VideoCodec::H264)] {
        let mut packetizer = Packetizer::new(codec);
        for keyframe in [true, false] {
            let data =
                [&[0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x68, 1, 0, 0, 0, 1, 0x65][..], &[7; 1500]].concat();
            let timestamp = MediaTime { ticks: u64::from(seq) * 100, rate: ClockRate::VIDEO };
            let picture = EncodedPicture { keyframe, data: data.into(), timestamp, captured: now };
            for packet in packetizer.packetize(&picture) {
                let transport_cc = seq.to_be_bytes();
                let exts: [(ExtId, &[u8]); 3] =
                    [(ExtId(1), &[0x85]), (ExtId(3), &transport_cc), (ExtId(4), b"0")];
                let header = RtpHeader {
                    marker: packet.marker,
                    pt: Pt(pt),
                    seq,
                    timestamp: packet.timestamp.wire(),
                    ssrc: MEDIA,
                };
                let mut bytes = Vec::new();
                write_packet(&mut bytes, &header, &exts, &[&packet.payload]);
                all.push(bytes);
                let mut repeat = Vec::new();
                let header = RtpHeader { pt: Pt(pt + 1), ..header };
                write_packet(&mut repeat, &header, &exts, &[&seq.to_be_bytes(), &packet.payload]);
                all.push(repeat);
                seq = seq.wrapping_add(1);
            }
        }
    }
    let block = ReportBlock {
        ssrc: MEDIA,
        fraction_lost: 1,
        cumulative_lost: -1,
        highest_seq: 2,
        jitter: 3,
        last_sr: 4,
        delay_since_sr: 5,
    };
    let info = SenderInfo { ssrc: MEDIA, ntp: NtpTime(1 << 40), rtp: 7, packets: 1, octets: 1 };
    let mut compound = Vec::new();
    rtcp::write_sender_report(&mut compound, &info, &[block]);
    rtcp::write_sdes(&mut compound, MEDIA, "name");
    rtcp::write_nack(&mut compound, Ssrc(9), MEDIA, &[65_510, 65_511, 3]);
    rtcp::write_pli(&mut compound, Ssrc(9), MEDIA);
    compound.extend_from_slice(&[0x84, 206, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 5, 0, 0, 0]);
    compound.extend_from_slice(&[0x81, 203, 0, 1, 0, 0, 0, 1]);
    all.push(compound);
    let mut reduced = Vec::new();
    rtcp::write_receiver_report(&mut reduced, Ssrc(9), &[block; 3]);
    all.push(reduced);
    let mut recorder = TwccRecorder::default();
    for i in 0..100u16 {
        if i % 7 != 0 {
            recorder.handle_packet(now + Duration::from_millis(u64::from(i) * u64::from(i)), MEDIA, i);
        }
    }
    let mut feedback = Vec::new();
    recorder.poll_feedback(now + Duration::from_secs(20), Ssrc(9), &mut feedback);
    all.push(feedback);
    all
}

#[test]
fn all_lengths_with_all_beginnings() {
    let mut victim = Victim::new();
    for length in 0..=64 {
        for first in 0..=255u8 {
            for second in [0, 31, 96, 97, 98, 99, 200, 201, 202, 203, 204, 205, 206, 207, 224, 226, 255] {
                for fill in [0x00, 0x01, 0x7f, 0x80, 0xff] {
                    let mut bytes = vec![fill; length];
                    bytes.iter_mut().zip([first, second]).for_each(|(byte, value)| *byte = value);
                    victim.take(&bytes);
                    // RTCP with a length that is right.
                    if length >= 4 && length % 4 == 0 {
                        bytes[2..4].copy_from_slice(&(length as u16 / 4 - 1).to_be_bytes());
                        victim.take(&bytes);
                    }
                }
            }
        }
    }
}

#[test]
fn valid_packets_cut_short_or_with_a_bit_turned_over() {
    let mut victim = Victim::new();
    for packet in valid_packets() {
        victim.take(&packet);
        for length in 0..packet.len() {
            victim.take(&packet[..length]);
        }
        for bit in 0..packet.len().min(80) * 8 {
            let mut bytes = packet.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            victim.take(&bytes);
        }
    }
}

#[test]
fn the_valid_packets_are_understood() {
    let (mut rtp, mut rtcp_packets) = (0, 0);
    for bytes in valid_packets() {
        if (200..=206).contains(&bytes[1]) {
            rtcp_packets += rtcp::packets(&bytes).count();
        } else {
            let view = RtpView::parse(&bytes).unwrap();
            assert!(view.transport_cc(ExtId(3)).is_some());
            rtp += 1;
        }
    }
    assert_eq!((rtp, rtcp_packets), (20, 7));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Several faults at once, in sequences that leave state behind.
    #[test]
    fn storms(
        storm in prop::collection::vec(
            (any::<prop::sample::Index>(), prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6)),
            1..300,
        ),
    ) {
        let valid = valid_packets();
        let mut victim = Victim::new();
        for (which, faults) in storm {
            let mut bytes = valid[which.index(valid.len())].clone();
            let reach = bytes.len().min(48);
            for (at, value) in faults {
                bytes[at.index(reach)] = value;
            }
            victim.take(&bytes);
        }
    }

    #[test]
    fn noise(packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..100)) {
        let mut victim = Victim::new();
        packets.iter().for_each(|bytes| victim.take(bytes));
    }
}
