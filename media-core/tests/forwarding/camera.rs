//! A simulcast camera whose pictures are values.
//!
//! in:  time, which encodings are wanted, requests for key frames and repeats
//! out: RTP of each encoding, VP8 with three temporal ids

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use media_core::rtp::dependency::Structure;
use media_core::rtp::{ExtId, RtpHeader, write_packet};
use media_core::units::{Pt, Ssrc, VideoCodec};

use crate::extensions::Ids;
use crate::layered::{self, At};
use crate::page::{MID, REPAIRED_RID, RID, TRANSPORT_CC};

pub const VP8: Pt = Pt(96);
pub const RTX: Pt = Pt(97);
pub const RIDS: [&str; 3] = ["q", "h", "f"];
/// Size of the pictures of each encoding, and packets that one takes.
const SHAPES: [(u16, u16, usize); 3] = [(320, 180, 1), (640, 360, 2), (1280, 720, 4)];
const FRAME: Duration = Duration::from_nanos(33_333_333);
/// T0 T2 T1 T2, as browsers do with three temporal ids.
const PATTERN: [u8; 4] = [0, 2, 1, 2];

/// In the place of the id that the page has for descriptors.
const DEPENDENCY: u8 = 0;
/// Stands before the value in a picture of the codecs other than VP8.
const MAGIC: [u8; 4] = [0xfe, 0xed, 0xfa, 0xce];

/// What a camera encodes with, and under which payload types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    Vp8,
    H264,
    /// Three spatial and three temporal layers in one stream.
    Vp9,
    Av1,
}

impl Coding {
    pub const ALL: [Self; 4] = [Self::Vp8, Self::H264, Self::Vp9, Self::Av1];

    pub const fn pt(self) -> Pt {
        match self {
            Self::Vp8 => VP8,
            Self::H264 => Pt(102),
            Self::Vp9 => Pt(98),
            Self::Av1 => Pt(100),
        }
    }

    pub const fn rtx(self) -> Pt {
        Pt(self.pt().0 + 1)
    }

    pub const fn codec(self) -> VideoCodec {
        match self {
            Self::Vp8 => VideoCodec::Vp8,
            Self::H264 => VideoCodec::H264,
            Self::Vp9 => VideoCodec::Vp9,
            Self::Av1 => VideoCodec::Av1,
        }
    }

    /// Lines of an offer.
    pub fn lines(self) -> String {
        let (pt, rtx) = (self.pt().0, self.rtx().0);
        let (name, format) = match self {
            Self::Vp8 => ("VP8", None),
            Self::H264 => {
                ("H264", Some("level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"))
            }
            Self::Vp9 => ("VP9", Some("profile-id=0")),
            Self::Av1 => ("AV1", Some("level-idx=5;profile=0;tier=0")),
        };
        let mut sdp = format!("a=rtpmap:{pt} {name}/90000\r\n");
        for feedback in ["transport-cc", "ccm fir", "nack", "nack pli"] {
            sdp += &format!("a=rtcp-fb:{pt} {feedback}\r\n");
        }
        if let Some(format) = format {
            sdp += &format!("a=fmtp:{pt} {format}\r\n");
        }
        sdp + &format!("a=rtpmap:{rtx} rtx/90000\r\na=fmtp:{rtx} apt={pt}\r\n")
    }
}

/// What is in a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value {
    pub member: u8,
    pub encoding: u8,
    pub frame: u32,
    pub keyframe: bool,
    pub temporal: u8,
    /// How far before is the picture that it refers to; 0 for none. Of layered streams.
    pub back: u8,
}

impl Value {
    /// Out of a frame; of its layers the highest counts.
    pub fn read(coding: Coding, frame: &[u8]) -> Self {
        match coding {
            Coding::Vp8 => Self::of_vp8(frame),
            Coding::H264 | Coding::Vp9 | Coding::Av1 => {
                let at = frame.windows(4).rposition(|window| window == MAGIC).expect("a value");
                let body = &frame[at + 4..];
                let frame = u32::from_be_bytes(body[3..7].try_into().unwrap());
                let [member, encoding, temporal] = body[..3].try_into().unwrap();
                Self { member, encoding, temporal, frame, keyframe: body[7] == 1, back: body[8] }
            }
        }
    }

    fn write(&self) -> Vec<u8> {
        let Self { member, encoding, temporal, frame, keyframe, back } = *self;
        let mut out = MAGIC.to_vec();
        out.extend([member, encoding, temporal]);
        out.extend(frame.to_be_bytes());
        out.extend([u8::from(keyframe), back]);
        out
    }

    fn of_vp8(frame: &[u8]) -> Self {
        let keyframe = frame[0] & 1 == 0;
        let body = if keyframe { &frame[10..] } else { &frame[3..] };
        let number = u32::from_be_bytes(body[3..7].try_into().unwrap());
        Self { member: body[0], encoding: body[1], temporal: body[2], frame: number, keyframe, back: 0 }
    }
}

pub struct Camera {
    member: u8,
    ids: Ids,
    started: Instant,
    /// Quarter turns, when the camera says so.
    pub orientation: Option<u8>,
    pub encodings: Vec<Encoding>,
}

pub struct Encoding {
    index: u8,
    coding: Coding,
    /// Numbers frames, and the structure that their descriptors lean on.
    frame_number: u16,
    structure: Arc<Structure>,
    pub ssrc: Ssrc,
    pub rtx_ssrc: Ssrc,
    seq: u16,
    rtx_seq: u16,
    timestamp_base: u32,
    picture_id: u16,
    tl0: u8,
    step: usize,
    next: u32,
    pub active: bool,
    force_key: bool,
    /// The peer has reported on it: names are needed no more.
    known: bool,
    sent: VecDeque<Sent>,
    /// What it said last of how it is turned.
    turn: Option<u8>,
    pub keyframes: usize,
    keyframe_now: bool,
}

/// Number, timestamp, marker, payload and extensions of a packet that may be repeated.
type Sent = (u16, u32, bool, Vec<u8>, Vec<(u8, Vec<u8>)>);

/// A packet that waits for its transport-wide number.
pub struct Outgoing {
    header: RtpHeader,
    rid: Option<(u8, &'static str)>,
    more: Vec<(u8, Vec<u8>)>,
    payload: Vec<u8>,
}

impl Outgoing {
    pub fn write(&self, transport_cc: u16) -> Vec<u8> {
        let number = transport_cc.to_be_bytes();
        let mut extensions: Vec<(ExtId, &[u8])> = vec![(ExtId(TRANSPORT_CC), &number[..])];
        if let Some((id, rid)) = self.rid {
            extensions.push((ExtId(MID), b"1"));
            extensions.push((ExtId(id), rid.as_bytes()));
        }
        extensions.extend(self.more.iter().map(|(id, value)| (ExtId(*id), &value[..])));
        let mut out = Vec::new();
        write_packet(&mut out, &self.header, &extensions, &[&self.payload]);
        out
    }
}

impl Camera {
    pub fn new(now: Instant, member: u8, ssrc: u32, encodings: u8, coding: Coding, ids: Ids) -> Self {
        let encoding =
            |index: u8| Encoding { coding, ..Encoding::new(Ssrc(ssrc + u32::from(index) * 2), index) };
        let orientation = Some(0);
        Self { member, ids, started: now, orientation, encodings: (0..encodings).map(encoding).collect() }
    }

    pub fn due(&self) -> Instant {
        self.started + FRAME * self.encodings.iter().map(|encoding| encoding.next).min().unwrap_or(0)
    }

    pub fn film(&mut self, now: Instant) -> Vec<Outgoing> {
        let number = self.encodings[0].next;
        let (member, several) = (self.member, self.encodings.len() > 1);
        let mut out = Vec::new();
        if self.due() > now {
            return out;
        }
        for encoding in &mut self.encodings {
            encoding.next = number + 1;
            if encoding.active {
                let mut packets = encoding.picture(member, number, several);
                encoding.say(&mut packets, number, self.orientation, &self.ids);
                out.extend(packets);
            }
        }
        out
    }

    pub fn want_key(&mut self, media: Ssrc) {
        for encoding in self.encodings.iter_mut().filter(|encoding| encoding.ssrc == media) {
            encoding.force_key = true;
        }
    }

    pub fn reported(&mut self, media: Ssrc) {
        for encoding in self.encodings.iter_mut().filter(|encoding| encoding.ssrc == media) {
            encoding.known = true;
        }
    }

    pub fn set_active(&mut self, rid: &str, active: bool) {
        for encoding in &mut self.encodings {
            if RIDS[usize::from(encoding.index)] == rid {
                // A browser begins an encoding anew with a key frame.
                encoding.force_key |= active && !encoding.active;
                encoding.active = active;
            }
        }
    }

    pub fn repeat(&mut self, media: Ssrc, seq: u16) -> Option<Outgoing> {
        let several = self.encodings.len() > 1;
        let encoding = self.encodings.iter_mut().find(|encoding| encoding.ssrc == media)?;
        let (_, timestamp, marker, payload, more) =
            encoding.sent.iter().find(|(number, ..)| *number == seq)?;
        let payload = [&seq.to_be_bytes()[..], payload].concat();
        let header = RtpHeader {
            marker: *marker,
            pt: encoding.coding.rtx(),
            seq: encoding.rtx_seq,
            timestamp: *timestamp,
            ssrc: encoding.rtx_ssrc,
        };
        encoding.rtx_seq += 1;
        let rid = several.then_some((REPAIRED_RID, RIDS[usize::from(encoding.index)]));
        Some(Outgoing { header, rid, more: more.clone(), payload })
    }
}

impl Encoding {
    pub fn new(ssrc: Ssrc, index: u8) -> Self {
        Self {
            index,
            coding: Coding::Vp8,
            frame_number: 65_530,
            structure: Arc::new(layered::structure(60)),
            ssrc,
            rtx_ssrc: Ssrc(ssrc.0 + 1),
            seq: 65_000 + u16::from(index) * 100,
            rtx_seq: 1,
            timestamp_base: u32::MAX - u32::from(index) * 1_000_000,
            picture_id: 32_700,
            tl0: 250,
            step: 0,
            next: 0,
            active: true,
            force_key: true,
            known: false,
            sent: VecDeque::new(),
            turn: None,
            keyframes: 0,
            keyframe_now: false,
        }
    }

    /// Says beside a picture what browsers say: how it is turned, at the end of key frames and when it has turned; how long
    /// it may wait, and when it was captured, with its first packet.
    fn say(&mut self, packets: &mut [Outgoing], number: u32, orientation: Option<u8>, ids: &Ids) {
        let keyframe = self.step == 0 && self.keyframe_now;
        if keyframe {
            packets[0].more.push((ids.playout_delay, vec![0, 0x10, 0x20]));
            let time = [u64::from(number).to_be_bytes(), [9; 8]].concat();
            packets[0].more.push((ids.capture_time, time));
        }
        for (id, _) in packets.iter_mut().flat_map(|packet| &mut packet.more) {
            if *id == DEPENDENCY {
                *id = ids.dependency;
            }
        }
        let last = packets.last_mut().unwrap();
        if let Some(turn) = orientation.filter(|_| keyframe || self.turn != orientation) {
            last.more.push((ids.orientation, vec![turn]));
        }
        self.turn = orientation;
        let count = packets.len();
        for (sent, packet) in self.sent.iter_mut().rev().take(count).zip(packets.iter().rev()) {
            sent.4.clone_from(&packet.more);
        }
    }

    /// The next picture is a key frame.
    pub fn want_key(&mut self) {
        self.force_key = true;
    }

    /// The packets of a picture, without extensions, at a time of the caller's choice.
    pub fn picture_at(&mut self, member: u8, number: u32, ticks: u32) -> Vec<Vec<u8>> {
        let timestamp = self.timestamp_base.wrapping_add(ticks);
        let written = |mut packet: Outgoing| {
            packet.header.timestamp = timestamp;
            let mut out = Vec::new();
            write_packet(&mut out, &packet.header, &[], &[&packet.payload]);
            out
        };
        let packets = self.picture(member, number, false);
        packets.into_iter().map(written).collect()
    }

    fn picture(&mut self, member: u8, number: u32, several: bool) -> Vec<Outgoing> {
        let keyframe = std::mem::take(&mut self.force_key);
        self.keyframe_now = keyframe;
        self.step = if keyframe { 0 } else { (self.step + 1) % PATTERN.len() };
        let temporal = PATTERN[self.step];
        self.picture_id = (self.picture_id + 1) & 0x7fff;
        if temporal == 0 {
            self.tl0 = self.tl0.wrapping_add(1);
        }
        self.keyframes += usize::from(keyframe);
        match self.coding {
            Coding::Vp8 => {}
            Coding::H264 => return self.picture_of_h264(member, number, keyframe, several),
            Coding::Vp9 | Coding::Av1 => return self.layered_picture(member, number, keyframe),
        }
        let (width, height, packets) = SHAPES[usize::from(self.index)];
        let packets = if keyframe { packets * 2 } else { packets };
        let timestamp = self.timestamp_base.wrapping_add(number.wrapping_mul(3000));
        let sync = u8::from(temporal > 0 && self.step < 3);
        let mut out = Vec::new();
        for n in 0..packets {
            let [high, low] = (0x8000 | self.picture_id).to_be_bytes();
            let first = if n == 0 { 0x90 } else { 0x80 };
            let mut payload = vec![first, 0xe0, high, low, self.tl0, temporal << 6 | sync << 5];
            if n == 0 {
                payload.extend([u8::from(!keyframe), 0, 0]);
                if keyframe {
                    let ([w1, w0], [h1, h0]) = (width.to_be_bytes(), height.to_be_bytes());
                    payload.extend([0x9d, 0x01, 0x2a, w0, w1, h0, h1]);
                }
                payload.extend([member, self.index, temporal]);
                payload.extend(number.to_be_bytes());
            }
            payload.resize(700, 7);
            let header =
                RtpHeader { marker: n + 1 == packets, pt: VP8, seq: self.seq, timestamp, ssrc: self.ssrc };
            out.push(self.outgoing(header, several, payload));
        }
        out
    }

    fn outgoing(&mut self, header: RtpHeader, several: bool, payload: Vec<u8>) -> Outgoing {
        self.sent.push_back((self.seq, header.timestamp, header.marker, payload.clone(), Vec::new()));
        if self.sent.len() > 600 {
            self.sent.pop_front();
        }
        self.seq = self.seq.wrapping_add(1);
        let rid = (several && !self.known).then_some((RID, RIDS[usize::from(self.index)]));
        Outgoing { header, rid, more: Vec::new(), payload }
    }

    /// Parameter sets before each IDR picture, slices in fragments; no layers.
    fn picture_of_h264(&mut self, member: u8, number: u32, keyframe: bool, several: bool) -> Vec<Outgoing> {
        let value = Value { member, encoding: self.index, frame: number, keyframe, temporal: 0, back: 0 };
        let timestamp = self.timestamp_base.wrapping_add(number.wrapping_mul(3000));
        let mut payloads = Vec::new();
        if keyframe {
            // STAP-A: an SPS, which tells the size, and a PPS.
            let (width, height, _) = SHAPES[usize::from(self.index)];
            let sps = sps(width, height);
            payloads.push([&[0x78, 0, sps.len() as u8][..], &sps, &[0, 2, 0x68, 0xce]].concat());
        }
        let kind = if keyframe { 0x65 } else { 0x41 };
        let (_, _, pieces) = SHAPES[usize::from(self.index)];
        for n in 0..=pieces {
            let ends = u8::from(n == 0) << 7 | u8::from(n == pieces) << 6;
            let mut payload = vec![kind & 0xe0 | 28, ends | kind & 0x1f];
            // first_mb_in_slice is 0: a picture begins.
            payload.extend(if n == 0 {
                [0x88].iter().copied().chain(value.write()).collect()
            } else {
                vec![0x55]
            });
            payload.resize(700, 0x55);
            payloads.push(payload);
        }
        let count = payloads.len();
        let header = |n: usize, seq| RtpHeader {
            marker: n + 1 == count,
            pt: Coding::H264.pt(),
            seq,
            timestamp,
            ssrc: self.ssrc,
        };
        let headers: Vec<RtpHeader> =
            (0..count).map(|n| header(n, self.seq.wrapping_add(n as u16))).collect();
        let packets = headers.into_iter().zip(payloads);
        packets.map(|(header, payload)| self.outgoing(header, several, payload)).collect()
    }

    /// A frame of each layer.
    fn layered_picture(&mut self, member: u8, number: u32, keyframe: bool) -> Vec<Outgoing> {
        let timestamp = self.timestamp_base.wrapping_add(number.wrapping_mul(3000));
        let back = if keyframe { 0 } else { layered::BACK[self.step] };
        let mut out = Vec::new();
        for spatial in 0..layered::LAYERS {
            let at = At { spatial, step: self.step, keyframe };
            let temporal = layered::temporal(self.step);
            let value = Value { member, encoding: spatial, frame: number, keyframe, temporal, back };
            let packets = usize::from(spatial) + 1;
            for n in 0..packets {
                let ends = (n == 0, n + 1 == packets);
                let mut payload = match self.coding {
                    Coding::Vp9 => layered::vp9(at, ends, self.picture_id, self.tl0),
                    // One whole OBU of a frame in each packet; N begins a sequence.
                    _ => vec![0x10 | u8::from(keyframe && spatial == 0 && n == 0) << 3, 0x30],
                };
                payload.extend(value.write());
                payload.resize(400, 7);
                let header = RtpHeader {
                    marker: spatial + 1 == layered::LAYERS && ends.1,
                    pt: self.coding.pt(),
                    seq: self.seq,
                    timestamp,
                    ssrc: self.ssrc,
                };
                let mut packet = self.outgoing(header, false, payload);
                if self.coding == Coding::Av1 {
                    let descriptor = layered::described(&self.structure, at, self.frame_number, ends);
                    packet.more.push((DEPENDENCY, descriptor));
                }
                out.push(packet);
            }
            self.frame_number = self.frame_number.wrapping_add(1);
        }
        out
    }
}

/// A sequence parameter set of the baseline profile, ITU-T H.264 §7.3.2.1.
fn sps(width: u16, height: u16) -> Vec<u8> {
    let mut bits: Vec<bool> = Vec::new();
    let ue = |bits: &mut Vec<bool>, value: u32| {
        let len = 32 - (value + 1).leading_zeros();
        bits.extend((1..len).map(|_| false));
        bits.extend((0..len).rev().map(|at| (value + 1) >> at & 1 == 1));
    };
    let (columns, rows) = (u32::from(width.div_ceil(16)), u32::from(height.div_ceil(16)));
    let below = (rows * 16 - u32::from(height)) / 2;
    // sps id, frame numbers of 4 bits, no order of its own, one reference, no gaps
    [0, 0, 2, 1].into_iter().for_each(|value| ue(&mut bits, value));
    bits.push(false);
    [columns - 1, rows - 1].into_iter().for_each(|value| ue(&mut bits, value));
    // frames only, direct_8x8_inference, cropping below
    bits.extend([true, true, below > 0]);
    if below > 0 {
        [0, 0, 0, below].into_iter().for_each(|value| ue(&mut bits, value));
    }
    bits.extend([false, true]);
    let bytes = bits
        .chunks(8)
        .map(|byte| byte.iter().fold(0, |all, bit| all << 1 | u8::from(*bit)) << (8 - byte.len()));
    [0x67, 0x42, 0xe0, 0x1f].into_iter().chain(bytes).collect()
}
