//! A publisher, a receiver and a bad link between them, in virtual time and from a seed.
//!
//! in:  a codec, a round trip, a rule of loss
//! out: what the receiver gave out and asked for, with times

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use media_core::forward::{
    EncodedPicture, MAX_PAYLOAD, PacketCache, Packetizer, PayloadTypes, RtpSender, SenderConfig, Start,
};
use media_core::receive::{Feedback, Format, VideoConfig, VideoReceiver};
use media_core::rtcp::{self, NtpClock, Packet};
use media_core::rtp::RtpView;
use media_core::units::{ClockRate, MediaKind, MediaTime, Pt, Ssrc, VideoCodec};

pub(crate) const MS: Duration = Duration::from_millis(1);
const FRAME_MS: u64 = 33;
const MEDIA: Ssrc = Ssrc(0x1111);
const RTX: Ssrc = Ssrc(0x2222);
const VIEWER: Ssrc = Ssrc(0x3333);

/// xorshift64*: enough for links.
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % n
    }

    pub(crate) fn chance(&mut self, percent: f64) -> bool {
        (self.below(1_000_000) as f64) < percent * 10_000.0
    }
}

/// When a packet is lost.
#[derive(Clone, Copy)]
pub(crate) enum Loss {
    None,
    /// Each by itself, in percent.
    Random(f64),
    /// Gilbert–Elliott in time: nothing passes during bursts of this mean length, which fill this part of the time.
    Bursts {
        percent: f64,
        mean_ms: f64,
    },
    /// All packets in the first `for_ms` of every `every_ms`.
    Outages {
        for_ms: u64,
        every_ms: u64,
    },
}

#[derive(Clone, Copy)]
pub(crate) struct Conditions {
    pub(crate) codec: VideoCodec,
    pub(crate) one_way: Duration,
    pub(crate) jitter_ms: u64,
    pub(crate) duplicates: f64,
    /// In both directions, within `loss_ms`.
    pub(crate) loss: Loss,
    pub(crate) loss_ms: (u64, u64),
    pub(crate) length_ms: u64,
}

struct Link {
    rng: Rng,
    in_burst: bool,
    /// Until when `in_burst` is known.
    burst_ms: u64,
    queue: BinaryHeap<Reverse<(u64, u64, Vec<u8>)>>,
    sent: u64,
    dropped: u64,
    queued: u64,
}

impl Link {
    fn new(seed: u64) -> Self {
        Self {
            rng: Rng::new(seed),
            in_burst: false,
            burst_ms: 0,
            queue: BinaryHeap::new(),
            sent: 0,
            dropped: 0,
            queued: 0,
        }
    }

    fn send(&mut self, now_us: u64, conditions: &Conditions, bytes: &[u8]) {
        self.sent += 1;
        if self.loses(now_us / 1000, conditions) {
            self.dropped += 1;
            return;
        }
        let copies = if self.rng.chance(conditions.duplicates) { 2 } else { 1 };
        for _ in 0..copies {
            let jitter = self.rng.below(conditions.jitter_ms * 1000 + 1);
            let at = now_us + u64::try_from(conditions.one_way.as_micros()).unwrap() + jitter;
            self.queued += 1;
            self.queue.push(Reverse((at, self.queued, bytes.to_vec())));
        }
    }

    fn loses(&mut self, now_ms: u64, conditions: &Conditions) -> bool {
        let (from, to) = conditions.loss_ms;
        if !(from..to).contains(&now_ms) {
            return false;
        }
        match conditions.loss {
            Loss::None => false,
            Loss::Random(percent) => self.rng.chance(percent),
            Loss::Bursts { percent, mean_ms } => {
                let leave = 100.0 / mean_ms;
                let enter = leave * percent / (100.0 - percent);
                for _ in self.burst_ms.max(from)..now_ms {
                    let flip = if self.in_burst { leave } else { enter };
                    self.in_burst ^= self.rng.chance(flip);
                }
                self.burst_ms = now_ms.max(self.burst_ms);
                self.in_burst
            }
            Loss::Outages { for_ms, every_ms } => (now_ms - from) % every_ms < for_ms,
        }
    }

    fn receive(&mut self, now_us: u64) -> Option<Vec<u8>> {
        if self.queue.peek()?.0.0 > now_us {
            return None;
        }
        self.queue.pop().map(|Reverse((_, _, bytes))| bytes)
    }
}

/// A frame as the receiver gave it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown {
    pub(crate) at_ms: u64,
    pub(crate) sent_ms: u64,
    pub(crate) number: u64,
    pub(crate) keyframe: bool,
}

pub(crate) struct Outcome {
    pub(crate) shown: Vec<Shown>,
    pub(crate) pli_ms: Vec<u64>,
    pub(crate) frames_sent: u64,
    pub(crate) nacked: u64,
    pub(crate) media_octets: u64,
    pub(crate) repeat_octets: u64,
    pub(crate) loss_percent: f64,
    pub(crate) rtt: Option<Duration>,
    pub(crate) report: rtcp::ReportBlock,
}

struct Publisher {
    codec: VideoCodec,
    packetizer: Packetizer,
    cache: PacketCache,
    sender: RtpSender,
    frames: u64,
    keyframe_asked: bool,
    rng: Rng,
}

impl Publisher {
    fn new(codec: VideoCodec, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let start = Start {
            seq: rng.below(1 << 16) as u16,
            rtx_seq: rng.below(1 << 16) as u16,
            timestamp: rng.below(1 << 32) as u32,
            picture_id: rng.below(1 << 15) as u16,
        };
        let sender = RtpSender::new(SenderConfig {
            kind: MediaKind::Video,
            rate: ClockRate::VIDEO,
            ssrc: MEDIA,
            rtx_ssrc: Some(RTX),
            payload: PayloadTypes { pt: Pt(96), rtx: Some(Pt(97)) },
            transport_cc: None,
            abs_send_time: None,
            onward: media_core::rtp::OnwardIds::default(),
            mid: None,
            cname: "publisher".into(),
            start,
        });
        let packetizer = Packetizer::new(codec);
        let cache = PacketCache::default();
        Self { codec, packetizer, cache, sender, frames: 0, keyframe_asked: true, rng }
    }

    /// A frame that tells its number, and of which the last byte tells whether all is there: 2 Mbit/s at 30 fps, key
    /// frames seven times as large.
    fn frame(&mut self, now: Instant, at_ms: u64) -> EncodedPicture {
        let keyframe = std::mem::take(&mut self.keyframe_asked);
        let len = if keyframe { 50_000 + self.rng.below(20_000) } else { 4_000 + self.rng.below(8_000) };
        let mut body = vec![0x55; usize::try_from(len).unwrap()];
        body[..8].copy_from_slice(&[0x80; 8]);
        for (i, byte) in body[..8].iter_mut().enumerate() {
            *byte |= u8::try_from(self.frames >> (7 * i) & 0x7f).unwrap();
        }
        let data = match self.codec {
            VideoCodec::Vp8 => [&[u8::from(!keyframe)], &body[..]].concat(),
            VideoCodec::H264 if keyframe => {
                [&[0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x68, 2, 0, 0, 0, 1, 0x65][..], &body].concat()
            }
            VideoCodec::H264 => [&[0, 0, 0, 1, 0x41][..], &body].concat(),
            VideoCodec::Vp9 | VideoCodec::Av1 => panic!("the packetizer makes no {:?}", self.codec),
        };
        self.frames += 1;
        let timestamp = MediaTime { ticks: at_ms * 90, rate: ClockRate::VIDEO };
        EncodedPicture { keyframe, data: data.into(), timestamp, captured: now }
    }
}

/// Number and kind of a received frame, whose bytes must be those that were sent.
fn open(codec: VideoCodec, data: &[u8]) -> (u64, bool) {
    let (keyframe, body) = match codec {
        VideoCodec::Vp8 => (data[0] == 0, &data[1..]),
        VideoCodec::H264 if data[4] == 0x67 => (true, &data[17..]),
        VideoCodec::H264 => (false, &data[5..]),
        VideoCodec::Vp9 | VideoCodec::Av1 => panic!("the packetizer makes no {codec:?}"),
    };
    assert!(body[8..].iter().all(|b| *b == 0x55), "a frame is whole");
    assert!(body.len() >= 4_000);
    let number = body[..8].iter().enumerate().map(|(i, b)| u64::from(b & 0x7f) << (7 * i)).sum();
    (number, keyframe)
}

pub(crate) fn run(conditions: Conditions, seed: u64) -> Outcome {
    let start = Instant::now();
    let mut publisher = Publisher::new(conditions.codec, seed ^ 0xabcd);
    let mut receiver = VideoReceiver::new(VideoConfig {
        ssrc: MEDIA,
        formats: vec![(Pt(96), Format::Codec(conditions.codec)), (Pt(97), Format::Rtx { of: Pt(96) })],
    });
    receiver.set_rtt(conditions.one_way * 2);
    let (mut there, mut back) = (Link::new(seed), Link::new(seed ^ 0x5555));
    let (mut shown, mut pli_ms) = (Vec::new(), Vec::new());
    let mut bytes = Vec::new();
    let ntp = NtpClock::new(start, Duration::from_secs(1_800_000_000));

    for at_ms in 0..conditions.length_ms {
        let now = start + Duration::from_millis(at_ms);
        let now_us = at_ms * 1000;

        while let Some(compound) = back.receive(now_us) {
            for packet in rtcp::packets(&compound) {
                match packet {
                    Packet::Pli { media: MEDIA, .. } => publisher.keyframe_asked = true,
                    Packet::Nack { media: MEDIA, lost, .. } => {
                        for wire in lost {
                            bytes.clear();
                            if publisher.sender.retransmit(now, wire, &publisher.cache, None, &mut bytes) {
                                assert!(bytes.len() <= MAX_PAYLOAD + 14);
                                there.send(now_us, &conditions, &bytes);
                            }
                        }
                    }
                    Packet::ReceiverReport { blocks, .. } => {
                        blocks.for_each(|block| publisher.sender.handle_report(ntp.at(now), &block));
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        if at_ms % FRAME_MS == 0 {
            let picture = publisher.frame(now, at_ms);
            for (i, packet) in publisher.packetizer.packetize(&picture).into_iter().enumerate() {
                publisher.cache.insert(now, packet.clone());
                bytes.clear();
                assert!(publisher.sender.write(now, &packet, None, &mut bytes));
                // A browser paces: some packets each millisecond.
                there.send(now_us + i as u64 * 250, &conditions, &bytes);
            }
        }

        bytes.clear();
        if publisher.sender.poll_report(now, ntp.at(now), &[], &mut bytes) {
            there.send(now_us, &conditions, &bytes);
        }

        while let Some(packet) = there.receive(now_us) {
            // RFC 5761 §4: payload types 72–79 are RTCP's.
            if (200..=206).contains(&packet[1]) {
                for report in rtcp::packets(&packet) {
                    let Packet::SenderReport { info, .. } = report else { panic!("{report:?}") };
                    receiver.handle_sender_report(now, &info);
                }
                continue;
            }
            receiver.handle_rtp(now, &RtpView::parse(&packet).unwrap());
            while let Some(frame) = receiver.poll_frame() {
                let (number, keyframe) = open(conditions.codec, &frame.data);
                assert_eq!((frame.codec, frame.keyframe), (conditions.codec, keyframe));
                shown.push(Shown { at_ms, sent_ms: number * FRAME_MS, number, keyframe });
            }
        }
        if receiver.poll_timeout().is_some_and(|at| at <= now) {
            while let Some(feedback) = receiver.poll_feedback(now) {
                bytes.clear();
                match feedback {
                    Feedback::Nack(lost) => rtcp::write_nack(&mut bytes, VIEWER, MEDIA, &lost),
                    Feedback::Pli => {
                        pli_ms.push(at_ms);
                        rtcp::write_pli(&mut bytes, VIEWER, MEDIA);
                    }
                }
                back.send(now_us, &conditions, &bytes);
            }
            assert!(receiver.poll_timeout().is_none_or(|at| at > now), "what was due is done");
        }
        if at_ms % 1000 == 999 {
            bytes.clear();
            let block = receiver.report_block(now);
            rtcp::write_receiver_report(&mut bytes, VIEWER, block.as_slice());
            back.send(now_us, &conditions, &bytes);
        }
    }
    let sent = publisher.sender.stats();
    let end = start + Duration::from_millis(conditions.length_ms);
    Outcome {
        shown,
        pli_ms,
        frames_sent: publisher.frames,
        nacked: receiver.stats().nacked,
        media_octets: sent.octets,
        repeat_octets: sent.repeat_octets,
        rtt: sent.rtt,
        loss_percent: there.dropped as f64 * 100.0 / there.sent as f64,
        report: receiver.report_block(end).unwrap(),
    }
}

impl Outcome {
    /// What holds on every link: frames in order, each decodable after the one before, PLIs apart.
    pub(crate) fn check_order_and_plis(&self) {
        for pair in self.shown.windows(2) {
            assert!(
                pair[1].number == pair[0].number + 1 || pair[1].keyframe && pair[1].number > pair[0].number
            );
        }
        assert!(self.shown.first().is_none_or(|first| first.keyframe));
        assert!(self.pli_ms.windows(2).all(|pair| pair[1] - pair[0] >= 500), "{:?}", self.pli_ms);
    }

    /// Time from `at_ms` until a frame is shown that was sent after it.
    pub(crate) fn back_after(&self, at_ms: u64) -> Option<u64> {
        self.shown.iter().find(|f| f.sent_ms >= at_ms).map(|f| f.at_ms - at_ms)
    }

    /// Longest time without a new frame.
    pub(crate) fn longest_freeze_ms(&self, from: u64, to: u64) -> u64 {
        let times = self.shown.iter().map(|f| f.at_ms).filter(|at| (from..to).contains(at));
        let times: Vec<_> = std::iter::once(from).chain(times).chain([to]).collect();
        times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0)
    }
}
