//! Cuts encoded pictures into packets, once per rendition.
//!
//! in:  pictures in order
//! out: packets numbered without gaps
//!
//! RFC 7741 §4.4 (VP8), RFC 6184 §5.6–5.8 (H.264, packetization-mode 1).

use bytes::Bytes;

use super::{EncodedPicture, MediaPacket};
use crate::rtp::h264::nal;
use crate::rtp::{Onward, PictureNumbers, vp8};
use crate::units::{SeqNo, VideoCodec};

/// Largest payload: a datagram of 1280 bytes, which every IPv6 path passes, less IP and UDP (48), RTP header (12),
/// extensions (up to 24), SRTP tag (16) and the two bytes a retransmission adds; some to spare for tunnels.
pub const MAX_PAYLOAD: usize = 1160;

/// Header of a STAP-A, RFC 6184 §5.7.1 …
const STAP_OVERHEAD: usize = 1;
/// … and the length before each of its units.
const STAP_UNIT_OVERHEAD: usize = 2;
/// FU indicator and FU header, RFC 6184 §5.8.
const FU_OVERHEAD: usize = 2;

/// Packetizes one rendition.
#[derive(Debug)]
pub struct Packetizer {
    codec: VideoCodec,
    next: SeqNo,
    picture_id: u16,
}

impl Packetizer {
    /// For a rendition of this codec.
    #[must_use]
    pub fn new(codec: VideoCodec) -> Self {
        // A cycle above zero, like received streams, so that differences never go below.
        Self { codec, next: SeqNo(1 << 16), picture_id: 0 }
    }

    /// The packets of a picture; none for one without data.
    pub fn packetize(&mut self, picture: &EncodedPicture) -> Vec<MediaPacket> {
        let (payloads, picture_id) = match self.codec {
            VideoCodec::Vp8 => {
                let id = self.picture_id;
                self.picture_id = (id + 1) & 0x7fff;
                (vp8_payloads(&picture.data, id), Some(id))
            }
            VideoCodec::H264 => (h264_payloads(&picture.data), None),
            // No encoder here makes them.
            VideoCodec::Vp9 | VideoCodec::Av1 => (Vec::new(), None),
        };
        let count = payloads.len();
        let packets = payloads.into_iter().enumerate().map(|(i, payload)| {
            let seq = self.next;
            self.next = SeqNo(seq.0 + 1);
            MediaPacket {
                seq,
                timestamp: picture.timestamp,
                captured: picture.captured,
                marker: i + 1 == count,
                begins: i == 0,
                keyframe: picture.keyframe,
                temporal: 0,
                sync: false,
                numbers: picture_id.map(PictureNumbers::own),
                dependency: None,
                onward: Onward::default(),
                payload,
            }
        });
        packets.collect()
    }
}

/// Pieces of equal size: no tiny last packet that costs as much as a full one.
fn vp8_payloads(frame: &[u8], picture_id: u16) -> Vec<Bytes> {
    even_chunks(frame, MAX_PAYLOAD - vp8::DESCRIPTOR_LEN)
        .enumerate()
        .map(|(i, piece)| [&vp8::descriptor(i == 0, picture_id)[..], piece].concat().into())
        .collect()
}

fn h264_payloads(access_unit: &[u8]) -> Vec<Bytes> {
    let mut payloads = Vec::new();
    let mut waiting: Vec<&[u8]> = Vec::new();
    let mut waiting_len = STAP_OVERHEAD;
    for unit in nal_units(access_unit) {
        let len = unit.len() + STAP_UNIT_OVERHEAD;
        if waiting_len + len > MAX_PAYLOAD {
            flush(&mut payloads, &mut waiting);
            waiting_len = STAP_OVERHEAD;
        }
        if unit.len() > MAX_PAYLOAD {
            fragment(&mut payloads, unit);
        } else {
            waiting.push(unit);
            waiting_len += len;
        }
    }
    flush(&mut payloads, &mut waiting);
    payloads
}

/// One waiting unit goes alone, several as an aggregate.
fn flush(payloads: &mut Vec<Bytes>, waiting: &mut Vec<&[u8]>) {
    match &waiting[..] {
        [] => {}
        [unit] => payloads.push(Bytes::copy_from_slice(unit)),
        units => {
            // The aggregate's header carries the highest importance of its units, RFC 6184 §5.7.
            let importance = units.iter().filter_map(|u| u.first()).map(|h| h & 0x60).max().unwrap_or(0);
            let mut payload = vec![importance | nal::STAP_A];
            for unit in units {
                let len = u16::try_from(unit.len()).expect("units that fit a payload are short");
                payload.extend_from_slice(&len.to_be_bytes());
                payload.extend_from_slice(unit);
            }
            payloads.push(payload.into());
        }
    }
    waiting.clear();
}

fn fragment(payloads: &mut Vec<Bytes>, unit: &[u8]) {
    let Some((&header, body)) = unit.split_first() else { return };
    let mut pieces = even_chunks(body, MAX_PAYLOAD - FU_OVERHEAD).peekable();
    let mut start = 0x80;
    while let Some(piece) = pieces.next() {
        let end = if pieces.peek().is_none() { 0x40 } else { 0 };
        let head = [header & 0xe0 | nal::FU_A, start | end | nal::kind(header)];
        payloads.push([&head[..], piece].concat().into());
        start = 0;
    }
}

/// NAL units of an Annex B stream that are worth sending: delimiters and filler are not.
fn nal_units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(stream);
    let units = std::iter::from_fn(move || {
        let (unit, next) = split_at_start_code(rest?);
        rest = next;
        // Zeros before a start code belong to it, not to the unit (H.264 §B.1.1).
        let len = unit.iter().rposition(|&b| b != 0).map_or(0, |last| last + 1);
        unit.get(..len)
    });
    units.filter(|unit| unit.first().is_some_and(|&h| !matches!(nal::kind(h), nal::AUD | nal::FILLER)))
}

fn split_at_start_code(stream: &[u8]) -> (&[u8], Option<&[u8]>) {
    let Some(at) = stream.windows(3).position(|w| w == [0, 0, 1]) else { return (stream, None) };
    let (unit, rest) = stream.split_at(at);
    (unit, rest.get(3..))
}

fn even_chunks(data: &[u8], max: usize) -> std::slice::Chunks<'_, u8> {
    let count = data.len().div_ceil(max).max(1);
    data.chunks(data.len().div_ceil(count).max(1))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use ::rtp::packetizer::Depacketizer;
    use proptest::prelude::*;

    use super::*;
    use crate::rtp::h264;
    use crate::units::{ClockRate, MediaTime};

    fn picture(data: Vec<u8>) -> EncodedPicture {
        let timestamp = MediaTime { ticks: 1, rate: ClockRate::VIDEO };
        EncodedPicture { keyframe: false, data: data.into(), timestamp, captured: Instant::now() }
    }

    fn annex_b(units: &[Vec<u8>]) -> Vec<u8> {
        units.iter().flat_map(|u| [&h264::START_CODE[..], u].concat()).collect()
    }

    /// A NAL unit: never empty, no start code inside, no trailing zero.
    fn unit() -> impl Strategy<Value = Vec<u8>> {
        let kinds = prop::sample::select(vec![0x41u8, 0x65, 0x67, 0x68, 0x06]);
        let len = prop_oneof![0usize..30, 1100usize..1200, 2000usize..9000];
        let body = len.prop_flat_map(|len| prop::collection::vec(1u8.., len));
        (kinds, body).prop_map(|(kind, body)| [vec![kind], body].concat())
    }

    proptest! {
        #[test]
        fn h264_comes_back(units in prop::collection::vec(unit(), 1..8)) {
            let packets = Packetizer::new(VideoCodec::H264).packetize(&picture(annex_b(&units)));
            let mut ours = h264::Assembler::default();
            let mut theirs = ::rtp::codec::h264::H264Packet::default();
            let mut theirs_out = Vec::new();
            for (i, p) in packets.iter().enumerate() {
                prop_assert!(p.payload.len() <= MAX_PAYLOAD);
                prop_assert_eq!((p.begins, p.marker), (i == 0, i + 1 == packets.len()));
                prop_assert!(ours.push(&p.payload).is_some());
                // It refuses NAL units shorter than three bytes, wrongly.
                if p.payload.len() > 2 {
                    theirs_out.extend_from_slice(&theirs.depacketize(&p.payload).unwrap());
                } else {
                    theirs_out.extend_from_slice(&annex_b(&[p.payload.to_vec()]));
                }
            }
            let expected = annex_b(&units);
            prop_assert_eq!(ours.finish(), Some(expected.clone()));
            prop_assert_eq!(theirs_out, expected);
        }

        #[test]
        fn vp8_comes_back(frame in prop::collection::vec(any::<u8>(), 1..9000)) {
            let mut packetizer = Packetizer::new(VideoCodec::Vp8);
            for id in [0, 1] {
                let (mut ours, mut theirs) = (Vec::new(), Vec::new());
                let packets = packetizer.packetize(&picture(frame.clone()));
                for (i, p) in packets.iter().enumerate() {
                    prop_assert!(p.payload.len() <= MAX_PAYLOAD);
                    prop_assert_eq!(p.marker, i + 1 == packets.len());
                    let (descriptor, piece) = vp8::parse(&p.payload).unwrap();
                    prop_assert_eq!(descriptor.picture_id, Some(id));
                    prop_assert_eq!(descriptor.begins_picture, i == 0);
                    ours.extend_from_slice(piece);
                    if p.payload.len() >= 4 {
                        let mut depacketizer = ::rtp::codec::vp8::Vp8Packet::default();
                        theirs.extend_from_slice(&depacketizer.depacketize(&p.payload).unwrap());
                        prop_assert_eq!(depacketizer.picture_id, id);
                    }
                }
                prop_assert_eq!(&ours, &frame);
                prop_assert_eq!(&theirs, &frame);
            }
        }
    }

    #[test]
    fn parameter_sets_travel_together_and_delimiters_stay() {
        let units = [vec![0x09, 0xf0], vec![0x67, 1, 2], vec![0x68, 3], vec![0x0c, 0xff], vec![0x65, 4]];
        // A three-byte start code and trailing zeros, as encoders write them.
        let stream = [annex_b(&units), vec![0, 0, 0, 1, 0x65, 5, 0, 0]].concat();
        let packets = Packetizer::new(VideoCodec::H264).packetize(&picture(stream));
        let payloads: Vec<_> = packets.iter().map(|p| p.payload.to_vec()).collect();
        assert_eq!(payloads, [[0x78, 0, 3, 0x67, 1, 2, 0, 2, 0x68, 3, 0, 2, 0x65, 4, 0, 2, 0x65, 5]]);
    }

    #[test]
    fn nothing_makes_nothing_and_numbers_go_on() {
        let mut packetizer = Packetizer::new(VideoCodec::H264);
        assert!(packetizer.packetize(&picture(vec![])).is_empty());
        assert!(packetizer.packetize(&picture(vec![0, 0, 0, 1])).is_empty());
        let first = packetizer.packetize(&picture(annex_b(&[vec![0x65; 3000]])));
        let second = packetizer.packetize(&picture(annex_b(&[vec![0x41, 1]])));
        assert_eq!(first.len(), 3);
        assert_eq!(second[0].seq.0, first[2].seq.0 + 1);
    }
}
