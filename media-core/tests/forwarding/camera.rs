//! A simulcast camera whose pictures are values.
//!
//! in:  time, which encodings are wanted, requests for key frames and repeats
//! out: RTP of each encoding, VP8 with three temporal ids

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use media_core::rtp::{ExtId, RtpHeader, write_packet};
use media_core::units::{Pt, Ssrc};

use crate::extensions::Ids;
use crate::page::{MID, REPAIRED_RID, RID, TRANSPORT_CC};

pub const VP8: Pt = Pt(96);
pub const RTX: Pt = Pt(97);
pub const RIDS: [&str; 3] = ["q", "h", "f"];
/// Size of the pictures of each encoding, and packets that one takes.
const SHAPES: [(u16, u16, usize); 3] = [(320, 180, 1), (640, 360, 2), (1280, 720, 4)];
const FRAME: Duration = Duration::from_nanos(33_333_333);
/// T0 T2 T1 T2, as browsers do with three temporal ids.
const PATTERN: [u8; 4] = [0, 2, 1, 2];

/// What is in a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value {
    pub member: u8,
    pub encoding: u8,
    pub frame: u32,
    pub keyframe: bool,
    pub temporal: u8,
}

impl Value {
    /// Out of a VP8 frame.
    pub fn read(frame: &[u8]) -> Self {
        let keyframe = frame[0] & 1 == 0;
        let body = if keyframe { &frame[10..] } else { &frame[3..] };
        let number = u32::from_be_bytes(body[3..7].try_into().unwrap());
        Self { member: body[0], encoding: body[1], temporal: body[2], frame: number, keyframe }
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
    pub fn new(now: Instant, member: u8, ssrc: u32, encodings: u8, ids: Ids) -> Self {
        let encoding = |index: u8| Encoding::new(Ssrc(ssrc + u32::from(index) * 2), index);
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
            pt: RTX,
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
        }
    }

    /// Says beside a picture what browsers say: how it is turned, at the end of key frames and when it has turned; how long
    /// it may wait, and when it was captured, with its first packet.
    fn say(&mut self, packets: &mut [Outgoing], number: u32, orientation: Option<u8>, ids: &Ids) {
        let keyframe = packets[0].payload.get(6).is_some_and(|first| first & 1 == 0);
        if keyframe {
            packets[0].more.push((ids.playout_delay, vec![0, 0x10, 0x20]));
            let time = [u64::from(number).to_be_bytes(), [9; 8]].concat();
            packets[0].more.push((ids.capture_time, time));
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
        self.step = if keyframe { 0 } else { (self.step + 1) % PATTERN.len() };
        let temporal = PATTERN[self.step];
        self.picture_id = (self.picture_id + 1) & 0x7fff;
        if temporal == 0 {
            self.tl0 = self.tl0.wrapping_add(1);
        }
        self.keyframes += usize::from(keyframe);
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
            self.sent.push_back((self.seq, timestamp, header.marker, payload.clone(), Vec::new()));
            if self.sent.len() > 600 {
                self.sent.pop_front();
            }
            self.seq = self.seq.wrapping_add(1);
            let rid = (several && !self.known).then_some((RID, RIDS[usize::from(self.index)]));
            out.push(Outgoing { header, rid, more: Vec::new(), payload });
        }
        out
    }
}
