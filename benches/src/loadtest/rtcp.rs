//! What peers say, written by hand: reports, transport-wide feedback, requests.
//!
//! in:  values
//! out: bytes appended to a buffer
//!
//! Written here and not with the server's own functions, which read it. RFC 3550 §6.4, RFC 4585 §6, RFC 5506,
//! draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1.

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const TRANSPORT_FEEDBACK: u8 = 205;
const PAYLOAD_FEEDBACK: u8 = 206;

/// One block of a receiver report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// About whom.
    pub ssrc: u32,
    /// Since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Since the beginning.
    pub lost: u32,
    /// Cycles and highest sequence number.
    pub highest: u32,
    /// In ticks.
    pub jitter: u32,
}

/// What a sender report says of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderInfo {
    /// 32.32 seconds since 1900, the moment of `timestamp`.
    pub ntp: u64,
    /// In ticks.
    pub timestamp: u32,
    /// Packets so far.
    pub packets: u32,
    /// Payload bytes so far.
    pub octets: u32,
}

/// A sender report without blocks.
pub fn sender_report(out: &mut Vec<u8>, from: u32, info: &SenderInfo) {
    packet(out, 0, SENDER_REPORT, |body| {
        word(body, from);
        body.extend_from_slice(&info.ntp.to_be_bytes());
        word(body, info.timestamp);
        word(body, info.packets);
        word(body, info.octets);
    });
}

/// A receiver report; at most 31 blocks.
pub fn receiver_report(out: &mut Vec<u8>, from: u32, blocks: &[Block]) {
    let blocks = blocks.get(..31).unwrap_or(blocks);
    let count = u8::try_from(blocks.len()).unwrap_or(31);
    packet(out, count, RECEIVER_REPORT, |body| {
        word(body, from);
        for block in blocks {
            word(body, block.ssrc);
            word(body, u32::from(block.fraction_lost) << 24 | block.lost & 0x00ff_ffff);
            word(body, block.highest);
            word(body, block.jitter);
            // Sender reports are not read: no round trip is told.
            body.extend_from_slice(&[0; 8]);
        }
    });
}

/// A picture loss indication.
pub fn picture_loss(out: &mut Vec<u8>, from: u32, media: u32) {
    packet(out, 1, PAYLOAD_FEEDBACK, |body| {
        word(body, from);
        word(body, media);
    });
}

/// A generic NACK; numbers in order.
pub fn nack(out: &mut Vec<u8>, from: u32, media: u32, lost: &[u16]) {
    if lost.is_empty() {
        return;
    }
    packet(out, 1, TRANSPORT_FEEDBACK, |body| {
        word(body, from);
        word(body, media);
        let mut rest = lost;
        while let Some((&first, after)) = rest.split_first() {
            let near = after.iter().take_while(|seq| (1..=16).contains(&seq.wrapping_sub(first))).count();
            let (covered, after) = after.split_at(near);
            let mask = covered.iter().fold(0_u16, |mask, seq| mask | 1 << (seq.wrapping_sub(first) - 1));
            word(body, u32::from(first) << 16 | u32::from(mask));
            rest = after;
        }
    });
}

/// Transport-wide feedback about consecutive packets from `base` on; arrivals in units of 250 µs of one clock, `None` for
/// a packet that did not come. Nothing is written when none came, or when the first and another are too far apart.
pub fn transport_feedback(
    out: &mut Vec<u8>,
    from: u32,
    media: u32,
    count: u8,
    base: u16,
    arrivals: &[Option<i64>],
) {
    let (Some(first), Ok(statuses)) =
        (arrivals.iter().flatten().next().copied(), u16::try_from(arrivals.len()))
    else {
        return;
    };
    // 64 ms units, and the sender sees only differences.
    let reference = first.div_euclid(256);
    let mut last = reference * 256;
    let mut symbols = Vec::with_capacity(arrivals.len());
    let mut deltas = Vec::with_capacity(2 * arrivals.len());
    for arrival in arrivals {
        let Some(arrival) = arrival else {
            symbols.push(0_u16);
            continue;
        };
        let delta = arrival - last;
        last = *arrival;
        match (u8::try_from(delta), i16::try_from(delta)) {
            (Ok(small), _) => {
                symbols.push(1);
                deltas.push(small);
            }
            (Err(_), Ok(large)) => {
                symbols.push(2);
                deltas.extend_from_slice(&large.to_be_bytes());
            }
            (Err(_), Err(_)) => return,
        }
    }
    packet(out, 15, TRANSPORT_FEEDBACK, |body| {
        word(body, from);
        word(body, media);
        word(body, u32::from(base) << 16 | u32::from(statuses));
        let [_, .., r0, r1, r2] = reference.to_be_bytes();
        body.extend_from_slice(&[r0, r1, r2, count]);
        // Vectors of seven two-bit symbols.
        for seven in symbols.chunks(7) {
            let bits = (0..7).fold(0, |bits, n| bits << 2 | seven.get(n).copied().unwrap_or(0));
            body.extend_from_slice(&(0xc000 | bits).to_be_bytes());
        }
        body.extend_from_slice(&deltas);
    });
}

/// A header, what `body` writes, and zeros up to a whole word.
fn packet(out: &mut Vec<u8>, count: u8, kind: u8, body: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend_from_slice(&[0x80 | count, kind, 0, 0]);
    body(out);
    let padded = at + (out.len() - at).next_multiple_of(4);
    out.resize(padded, 0);
    let words = u16::try_from((padded - at) / 4 - 1).unwrap_or(u16::MAX);
    if let Some(length) = out.get_mut(at + 2..at + 4) {
        length.copy_from_slice(&words.to_be_bytes());
    }
}

fn word(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use media_core::rtcp::{Packet, packets};
    use media_core::units::Ssrc;

    #[test]
    fn the_server_reads_reports_and_requests() {
        let mut out = Vec::new();
        let block = Block { ssrc: 7, fraction_lost: 3, lost: 5, highest: 0x1_0002, jitter: 9 };
        receiver_report(&mut out, 1, &[block, block]);
        nack(&mut out, 1, 7, &[65535, 0, 15, 16, 40]);
        nack(&mut out, 1, 7, &[]);
        picture_loss(&mut out, 1, 7);
        let got: Vec<_> = packets(&out).collect();
        let [
            Packet::ReceiverReport { from: Ssrc(1), blocks },
            Packet::Nack { from: Ssrc(1), media: Ssrc(7), lost },
            Packet::Pli { from: Ssrc(1), media: Ssrc(7) },
        ] = &got[..]
        else {
            panic!("{got:?}")
        };
        let blocks: Vec<_> = blocks.clone().map(|b| (b.ssrc, b.fraction_lost, b.cumulative_lost)).collect();
        assert_eq!(blocks, [(Ssrc(7), 3, 5), (Ssrc(7), 3, 5)]);
        assert_eq!(lost.clone().collect::<Vec<_>>(), [65535, 0, 15, 16, 40]);
    }

    #[test]
    fn the_server_reads_transport_wide_feedback() {
        let mut out = Vec::new();
        let arrivals = [Some(1000), Some(1001), None, Some(1401), Some(1400), None, None, Some(1500), None];
        transport_feedback(&mut out, 1, 7, 4, 65534, &arrivals);
        assert!(matches!(packets(&out).next(), Some(Packet::TransportCc(_))));
        let mut bytes = &out[..];
        let read: rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc =
            rtc_shared::marshal::Unmarshal::unmarshal(&mut bytes).unwrap();
        assert_eq!((read.base_sequence_number, read.packet_status_count, read.fb_pkt_count), (65534, 9, 4));
        assert_eq!(read.reference_time, 3);
        let deltas: Vec<_> = read.recv_deltas.iter().map(|delta| delta.delta / 250).collect();
        assert_eq!(deltas, [1000 - 768, 1, 400, -1, 100]);
    }

    #[test]
    fn feedback_about_nothing_is_not_written() {
        let mut out = Vec::new();
        transport_feedback(&mut out, 1, 7, 0, 0, &[None, None]);
        transport_feedback(&mut out, 1, 7, 0, 0, &[Some(0), Some(1 << 20)]);
        assert_eq!(out, [0_u8; 0]);
    }
}
