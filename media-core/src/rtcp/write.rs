//! Appends RTCP packets to a buffer. Several calls make a compound; it begins with a report and, unless reduced-size
//! RTCP (RFC 5506) is negotiated, carries the CNAME (RFC 3550 §6.1).
//!
//! in:  values
//! out: bytes appended

use ::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use ::rtcp::payload_feedbacks::receiver_estimated_maximum_bitrate::ReceiverEstimatedMaximumBitrate;
use ::rtcp::receiver_report::ReceiverReport;
use ::rtcp::reception_report::ReceptionReport;
use ::rtcp::sender_report::SenderReport;
use ::rtcp::source_description::{
    SdesType, SourceDescription, SourceDescriptionChunk, SourceDescriptionItem,
};
use ::rtcp::transport_feedbacks::transport_layer_nack::{
    TransportLayerNack, nack_pairs_from_sequence_numbers,
};
use bytes::Bytes;
use rtc_shared::marshal::Marshal;

use super::{ReportBlock, SenderInfo};
use crate::units::{Bitrate, Ssrc};

/// Blocks in one report, RFC 3550 §6.4.1; more are left for the next one.
const MAX_BLOCKS: usize = 31;
/// What the eight bits of their count allow.
const MAX_REMB_STREAMS: usize = 255;

/// Sender report, RFC 3550 §6.4.1.
pub fn write_sender_report(out: &mut Vec<u8>, info: &SenderInfo, blocks: &[ReportBlock]) {
    append(
        out,
        &SenderReport {
            ssrc: info.ssrc.0,
            ntp_time: info.ntp.0,
            rtp_time: info.rtp,
            packet_count: info.packets,
            octet_count: info.octets,
            reports: reception_reports(blocks),
            profile_extensions: Bytes::new(),
        },
    );
}

/// Receiver report, RFC 3550 §6.4.2; without blocks when nothing is received yet.
pub fn write_receiver_report(out: &mut Vec<u8>, from: Ssrc, blocks: &[ReportBlock]) {
    let reports = reception_reports(blocks);
    append(out, &ReceiverReport { ssrc: from.0, reports, profile_extensions: Bytes::new() });
}

/// Source description with the canonical name that binds audio and video of one sender. RFC 3550 §6.5.1.
pub fn write_sdes(out: &mut Vec<u8>, ssrc: Ssrc, cname: &str) {
    let text = Bytes::copy_from_slice(cname.as_bytes());
    let items = vec![SourceDescriptionItem { sdes_type: SdesType::SdesCname, text }];
    append(out, &SourceDescription { chunks: vec![SourceDescriptionChunk { source: ssrc.0, items }] });
}

/// Generic NACK, RFC 4585 §6.2.1. `lost` in order.
pub fn write_nack(out: &mut Vec<u8>, from: Ssrc, media: Ssrc, lost: &[u16]) {
    if lost.is_empty() {
        return;
    }
    let nacks = nack_pairs_from_sequence_numbers(lost);
    append(out, &TransportLayerNack { sender_ssrc: from.0, media_ssrc: media.0, nacks });
}

/// Picture loss indication, RFC 4585 §6.3.1.
pub fn write_pli(out: &mut Vec<u8>, from: Ssrc, media: Ssrc) {
    append(out, &PictureLossIndication { sender_ssrc: from.0, media_ssrc: media.0 });
}

/// The most that is to be sent to us, all streams together; `media` are the streams it is about.
/// draft-alvestrand-rmcat-remb-03 §2.2.
pub fn write_remb(out: &mut Vec<u8>, from: Ssrc, media: &[Ssrc], most: Bitrate) {
    #[allow(clippy::cast_precision_loss, reason = "written with 18 bits of it")]
    let bitrate = most.0 as f32;
    let ssrcs = media.iter().take(MAX_REMB_STREAMS).map(|media| media.0).collect();
    append(out, &ReceiverEstimatedMaximumBitrate { sender_ssrc: from.0, bitrate, ssrcs });
}

fn reception_reports(blocks: &[ReportBlock]) -> Vec<ReceptionReport> {
    let blocks = blocks.iter().take(MAX_BLOCKS);
    blocks
        .map(|block| ReceptionReport {
            ssrc: block.ssrc.0,
            fraction_lost: block.fraction_lost,
            total_lost: block.cumulative_lost.cast_unsigned() & 0x00ff_ffff,
            last_sequence_number: block.highest_seq,
            jitter: block.jitter,
            last_sender_report: block.last_sr,
            delay: block.delay_since_sr,
        })
        .collect()
}

/// Nothing is left behind when a value cannot be written (a CNAME over 255 bytes).
fn append(out: &mut Vec<u8>, packet: &impl Marshal) {
    let at = out.len();
    out.resize(at + packet.marshal_size(), 0);
    let written = out.get_mut(at..).is_some_and(|room| packet.marshal_to(room).is_ok());
    if !written {
        out.truncate(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtcp::{NtpTime, Packet, packets};

    const BLOCK: ReportBlock = ReportBlock {
        ssrc: Ssrc(7),
        fraction_lost: 51,
        cumulative_lost: -2,
        highest_seq: 0x0001_0203,
        jitter: 99,
        last_sr: 0x1234_5678,
        delay_since_sr: 65536,
    };

    fn compound() -> Vec<u8> {
        let mut out = Vec::new();
        let info =
            SenderInfo { ssrc: Ssrc(1), ntp: NtpTime(0x1122_3344_5566_7788), rtp: 9, packets: 2, octets: 3 };
        write_sender_report(&mut out, &info, &[BLOCK]);
        write_sdes(&mut out, Ssrc(1), "signalbox");
        write_receiver_report(&mut out, Ssrc(1), &[BLOCK, BLOCK]);
        write_nack(&mut out, Ssrc(1), Ssrc(2), &[65535, 0, 3, 16, 17, 40]);
        write_pli(&mut out, Ssrc(1), Ssrc(2));
        write_remb(&mut out, Ssrc(1), &[Ssrc(2), Ssrc(3)], Bitrate::kbps(650));
        out
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = compound();
        let mut seen = Vec::new();
        for packet in packets(&bytes) {
            seen.push(match packet {
                Packet::SenderReport { info, blocks } => {
                    assert_eq!((info.ssrc, info.ntp.0, info.rtp), (Ssrc(1), 0x1122_3344_5566_7788, 9));
                    assert_eq!((info.packets, info.octets), (2, 3));
                    assert_eq!(blocks.collect::<Vec<_>>(), [BLOCK]);
                    "sr"
                }
                Packet::ReceiverReport { from, blocks } => {
                    assert_eq!((from, blocks.collect::<Vec<_>>()), (Ssrc(1), vec![BLOCK, BLOCK]));
                    "rr"
                }
                Packet::Nack { from, media, lost } => {
                    assert_eq!((from, media), (Ssrc(1), Ssrc(2)));
                    assert_eq!(lost.collect::<Vec<_>>(), [65535, 0, 3, 16, 17, 40]);
                    "nack"
                }
                Packet::Pli { from, media } => {
                    assert_eq!((from, media), (Ssrc(1), Ssrc(2)));
                    "pli"
                }
                Packet::Remb(most) => {
                    assert!((649_000..=650_000).contains(&most.0), "{most:?}");
                    "remb"
                }
                other @ (Packet::Fir { .. } | Packet::TransportCc(_) | Packet::Bye(_)) => {
                    panic!("{other:?}")
                }
            });
        }
        assert_eq!(seen, ["sr", "rr", "nack", "pli", "remb"]);
    }

    #[test]
    fn fir_and_bye_are_read() {
        let fir = [0x84, 206, 0, 6, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 5, 0, 0, 0, 0, 0, 0, 8, 6, 0, 0, 0];
        let bye = [0x82, 203, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2];
        let bytes = [&fir[..], &bye[..]].concat();
        let got: Vec<_> = packets(&bytes).collect();
        let [Packet::Fir { from: Ssrc(1), entries }, Packet::Bye(ssrcs)] = &got[..] else {
            panic!("{got:?}")
        };
        assert_eq!(entries.clone().collect::<Vec<_>>(), [(Ssrc(9), 5), (Ssrc(8), 6)]);
        assert_eq!(ssrcs.clone().collect::<Vec<_>>(), [Ssrc(1), Ssrc(2)]);
    }

    #[test]
    fn lengths_that_lie_end_the_walk() {
        let count = |bytes: &[u8]| packets(bytes).count();
        let pli = [0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2];
        assert_eq!(count(&pli), 1);
        assert_eq!(count(&pli[..11]), 0);
        assert_eq!(count(&[0x81, 206, 0, 1, 0, 0, 0, 1]), 0, "too short for its type");
        assert_eq!(count(&[&[0x41, 206, 0, 0], &pli[..]].concat()), 0, "version 1");
        assert_eq!(count(&[&[0x80, 242, 0, 0], &pli[..]].concat()), 1, "an unknown type is passed over");
        assert_eq!(count(&[0xa1, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 200]), 0, "padding larger than the packet");
        assert_eq!(count(&[0x9f, 201, 0, 1, 0, 0, 0, 1]), 0, "blocks that are not there");
        assert_eq!(count(&pli.repeat(100)), 32, "bounded");
        // 8191 statuses claimed by one chunk, five times over.
        let flood = [0x8f, 205, 0, 6, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0xff, 0xff, 0, 0, 0, 0];
        assert_eq!(count(&[&flood[..], &[0x1f; 8]].concat()), 0);
    }

    #[test]
    fn a_name_too_long_leaves_nothing() {
        let mut out = vec![1];
        write_sdes(&mut out, Ssrc(1), &"x".repeat(256));
        assert_eq!(out, [1]);
    }
}
