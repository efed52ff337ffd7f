//! The stages of a forwarded packet, each by itself, with the allocations that one pass costs.
#![allow(missing_docs, reason = "the functions criterion makes have none")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::wildcard_enum_match_arm,
    clippy::cast_possible_truncation,
    reason = "a bench fails by panic, prints, and computes with numbers of its own making"
)]
#![allow(unreachable_pub, reason = "the helpers are modules of this program")]

#[path = "../tests/allocations/mod.rs"]
mod allocations;
#[path = "../tests/sim/mod.rs"]
mod sim;

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use media_core::forward::{
    EncodedPicture, MediaPacket, Offered, PacketCache, Packetizer, PayloadTypes, RtpSender, SenderConfig,
    Slot, SourceId, Start,
};
use media_core::receive::TwccRecorder;
use media_core::rtp::{ExtId, Layering, OnwardIds, RtpView};
use media_core::srtp::{Inbound, Outbound, Profile};
use media_core::transport::Received;
use media_core::units::{
    ClockRate, EncodingIndex, LegKey, MediaKind, MediaTime, Mid, Pt, SeqNo, Ssrc, VideoCodec,
};

use allocations::allocations;
use sim::World;
use sim::browser::Browser;
use sim::link::Impairment;

const SIZES: [usize; 3] = [100, 600, 1200];
const PROFILES: [(&str, Profile); 2] =
    [("gcm", Profile::AeadAes128Gcm), ("cm-sha1", Profile::Aes128CmHmacSha1_80)];

/// Says what a pass allocates after a thousand others, then measures it.
fn bench(c: &mut Criterion, stage: &str, size: &str, bytes: usize, mut pass: impl FnMut()) {
    for _ in 0..1000 {
        pass();
    }
    let before = allocations();
    for _ in 0..1000 {
        pass();
    }
    let each = (allocations() - before) as f64 / 1000.0;
    println!("media-core/{stage}/{size}: {each} allocations");
    let mut group = c.benchmark_group(format!("media-core/{stage}"));
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function(BenchmarkId::from_parameter(size), |b| b.iter(&mut pass));
    group.finish();
}

fn ends(profile: Profile) -> (Outbound, Inbound) {
    let (key, salt) = (vec![7; profile.key_len()], vec![9; profile.salt_len()]);
    (Outbound::new(profile, &key, &salt).unwrap(), Inbound::new(profile, &key, &salt).unwrap())
}

/// From the bytes of a datagram to authentic RTP: RFC 7983, the sender's address, SRTP.
fn demux(c: &mut Criterion) {
    let mut world = World::new(1, Impairment::LOOPBACK);
    let browsers: Vec<usize> = (1..=100)
        .map(|n| world.join(Browser::chromium(&format!("b{n}"), &[&format!("10.0.0.{n}:5000")])))
        .collect();
    assert!(world.run_until(Duration::from_secs(10), |it| browsers.iter().all(|b| it.is_connected(*b))));
    let (address, now): (SocketAddr, _) = ("10.0.0.50:5000".parse().unwrap(), world.now);
    for size in SIZES {
        // An SSRC for each size.
        world.browsers[49].sends(&sim::rtp(size as u32, 1, &vec![5; size]));
        let (_, packet) = world.browsers[49].poll_transmit().unwrap();
        let mut buffer = packet.clone();
        assert!(matches!(world.server.receive(now, address, &mut buffer), Received::Rtp { .. }));
        // The same once more is found, looked at, and refused as a replay before anything is decrypted.
        bench(c, "demux", &format!("replayed-{size}-bytes"), size, || {
            buffer.copy_from_slice(&packet);
            let got = world.server.receive(now, address, &mut buffer);
            black_box(matches!(got, Received::Refused(_)));
        });
    }
}

fn open(c: &mut Criterion) {
    for (name, profile) in PROFILES {
        for size in SIZES {
            let (mut sender, mut receiver) = ends(profile);
            // A packet opens once for a receiver; when all have been opened, another receiver begins.
            let packets: Vec<Vec<u8>> = (0..8192)
                .map(|seq| {
                    let mut packet = Vec::new();
                    write(&mut packet, seq, size);
                    sender.seal_rtp(&mut packet).unwrap();
                    packet
                })
                .collect();
            let mut buffer = packets[0].clone();
            let mut at = 0;
            bench(c, "open", &format!("{name}-{size}-bytes"), size, || {
                buffer.copy_from_slice(&packets[at]);
                black_box(receiver.open_rtp(&mut buffer).unwrap());
                at += 1;
                if at == packets.len() {
                    (at, receiver) = (0, ends(profile).1);
                }
            });
        }
    }
}

fn write(packet: &mut Vec<u8>, seq: u16, size: usize) {
    packet.clear();
    packet.extend_from_slice(&[0x80, 96]);
    packet.extend_from_slice(&seq.to_be_bytes());
    packet.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 7]);
    packet.resize(12 + size, 0x55);
}

fn seal(c: &mut Criterion) {
    for (name, profile) in PROFILES {
        for size in SIZES {
            let (mut sender, _) = ends(profile);
            let payload = vec![0x55; size];
            let mut seq = 0u16;
            let mut packet = Vec::with_capacity(size + 64);
            bench(c, "seal-in-place", &format!("{name}-{size}-bytes"), size, || {
                packet.clear();
                packet.extend_from_slice(&[0x80, 96]);
                packet.extend_from_slice(&seq.to_be_bytes());
                packet.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 7]);
                packet.extend_from_slice(&payload);
                sender.seal_rtp(&mut packet).unwrap();
                seq = seq.wrapping_add(1);
            });
            let (mut sender, _) = ends(profile);
            let mut head = [0x80, 96, 0, 0, 0, 0, 0, 1, 0, 0, 0, 7, 0x90, 0x80, 0x80, 1];
            let mut out = vec![0; size + 64];
            bench(c, "seal-out-of-place", &format!("{name}-{size}-bytes"), size, || {
                head[2..4].copy_from_slice(&seq.to_be_bytes());
                black_box(sender.seal_rtp_into(&head, &payload[4..], &mut out).unwrap());
                seq = seq.wrapping_add(1);
            });
        }
    }
}

fn sender() -> RtpSender {
    RtpSender::new(SenderConfig {
        kind: MediaKind::Video,
        rate: ClockRate::VIDEO,
        ssrc: Ssrc(1),
        rtx_ssrc: Some(Ssrc(2)),
        payload: PayloadTypes { pt: Pt(96), rtx: Some(Pt(97)) },
        transport_cc: Some(ExtId(3)),
        abs_send_time: None,
        onward: OnwardIds::default(),
        mid: Some((ExtId(4), Mid("1".into()))),
        cname: "signalbox".into(),
        start: Start { seq: 1000, rtx_seq: 5, timestamp: 77, picture_id: 3 },
    })
}

fn rewrite(c: &mut Criterion) {
    let now = Instant::now();
    let timestamp = MediaTime { ticks: 90_000, rate: ClockRate::VIDEO };
    let picture = EncodedPicture { keyframe: true, data: vec![0; 1156].into(), timestamp, captured: now };
    let packet = Packetizer::new(VideoCodec::Vp8).packetize(&picture).remove(0);
    let mut whole = sender();
    let mut out = Vec::with_capacity(2048);
    let mut number = 0u16;
    bench(c, "rewrite", "whole-1156-bytes", 1156, || {
        out.clear();
        number = number.wrapping_add(1);
        black_box(whole.write(now, &packet, Some(number), &mut out));
    });
    // What a slot writes: the header and the viewer's own beginning of the payload.
    let mut slot = Slot::new(sender());
    let from = SourceId { leg: LegKey(1), encoding: EncodingIndex(0) };
    let payload = slot.sender().payload();
    slot.select(Some(from));
    bench(c, "rewrite", "slot-head-of-1156-bytes", 1156, || {
        out.clear();
        number = number.wrapping_add(1);
        let offered = Offered { from, codec: VideoCodec::Vp8, packet: &packet, layering: &Layering::Plain };
        black_box(slot.take(now, &offered, payload, Some(number), &mut out));
    });
}

fn cache(c: &mut Criterion) {
    let now = Instant::now();
    let mut cache = PacketCache::default();
    // Each number once and in order, as a publisher sends them.
    let packets: Vec<_> = (0..200_000u64)
        .map(|seq| {
            let timestamp = MediaTime { ticks: seq, rate: ClockRate::VIDEO };
            MediaPacket::audio(SeqNo(seq), timestamp, now, vec![0; 100].into())
        })
        .collect();
    let mut at = 0;
    bench(c, "cache", "insert-1024-packets", 1, || {
        cache.insert(now, packets[at].clone());
        at = (at + 1) % packets.len();
    });
    let highest = at.saturating_sub(1) as u64;
    let mut back = 0;
    bench(c, "cache", "find-1024-packets", 1, || {
        black_box(cache.find(SeqNo(highest.saturating_sub(back))));
        back = (back + 7) % 1000;
    });
}

fn twcc(c: &mut Criterion) {
    let start = Instant::now();
    let mut recorder = TwccRecorder::default();
    let (mut number, mut now) = (0u16, start);
    let mut out = Vec::with_capacity(2048);
    bench(c, "twcc-recorder", "packet", 1, || {
        now += Duration::from_micros(300);
        number = number.wrapping_add(1);
        recorder.handle_packet(now, Ssrc(1), number);
        out.clear();
        black_box(recorder.poll_feedback(now, Ssrc(2), &mut out));
    });
    let mut bytes = Vec::new();
    write(&mut bytes, 7, 1200);
    bench(c, "parse", "1200-bytes", 1200, || {
        black_box(RtpView::parse(black_box(&bytes)).unwrap().payload());
    });
}

criterion_group!(stages, demux, open, seal, rewrite, cache, twcc);
criterion_main!(stages);
