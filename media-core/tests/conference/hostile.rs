//! A member whose packets are authentic and nonsense.

use media_core::room::{Action, Counters};
use media_core::rtcp::{self, NtpTime, SenderInfo};
use media_core::rtp::{RtpHeader, write_packet};
use media_core::units::{Pt, Ssrc};

use crate::conference::{Conference, alike};
use crate::meeting::{BLUE, RED, page};
use crate::page::Setup;
use crate::sim::link::Random;

/// RTP as nobody should send it: any time and content, and one number after the other for a few streams at once.
fn nonsense(random: &mut Random, seq: u16, pts: &[u8]) -> Vec<u8> {
    let pt = if random.below(8) == 0 { random.byte() & 0x7f } else { pts[random.index(pts.len())] };
    let header = RtpHeader {
        marker: random.below(2) == 0,
        pt: Pt(pt),
        seq,
        timestamp: if random.below(2) == 0 { random.next() as u32 } else { u32::from(seq) * 960 },
        ssrc: Ssrc(1 + random.below(3) as u32),
    };
    let payload: Vec<u8> = (0..random.below(1200)).map(|_| random.byte()).collect();
    let mut packet = Vec::new();
    write_packet(&mut packet, &header, &[], &[&payload]);
    packet
}

/// RTCP of any claims, and of no sense at all.
fn claims(random: &mut Random) -> Vec<u8> {
    let mut out = Vec::new();
    let ssrc = Ssrc(1 + random.below(3) as u32);
    match random.below(4) {
        0 => {
            let (ntp, rtp) = (NtpTime(random.next()), random.next() as u32);
            rtcp::write_sender_report(&mut out, &SenderInfo { ssrc, ntp, rtp, packets: 0, octets: 0 }, &[]);
        }
        1 => {
            let media = Ssrc(random.next() as u32);
            let lost: Vec<u16> = (0..300).map(|_| random.next() as u16).collect();
            rtcp::write_nack(&mut out, ssrc, media, &lost);
        }
        2 => rtcp::write_pli(&mut out, ssrc, Ssrc(random.next() as u32)),
        _ => {
            out = (0..4 * (3 + random.index(100))).map(|_| random.byte()).collect();
            out[0] = 0x80 | out[0] & 0x1f;
            out[1] = 200 + out[1] % 8;
        }
    }
    out
}

#[test]
fn nonsense_from_a_member_harms_nobody() {
    for seed in 0..3 {
        let mut it = Conference::new(seed);
        let ann = it.join(page(RED, 440.0));
        let bob = it.join(page(BLUE, 880.0));
        let eve = it.join(Setup { bundled: seed % 2 == 0, ..page(BLUE, 1320.0) });
        it.warm_up();
        let key = it.pages[eve].key;
        let mut random = Random(seed);
        let (from, before) = (it.seconds(), it.counters());
        let mut seq = 0_u16;
        for step in 0..2000 {
            // Mostly in order, so that it is believed; now and then a leap that SRTP still follows.
            let leap = if random.below(50) == 0 { random.below(5000) as u16 } else { 1 };
            seq = seq.wrapping_add(leap);
            let transports = &mut it.pages[eve].page.transports;
            let index = random.index(transports.len());
            let pts: &[u8] = match (transports.len(), index) {
                (1, _) => &[111, 96, 97, 108, 109],
                (_, 0) => &[111],
                _ => &[96, 97, 108, 109],
            };
            transports[index].tries_rtp(&nonsense(&mut random, seq, pts));
            transports[index].tries_rtcp(&claims(&mut random));
            if step % 100 == 50 {
                it.act(Action::SetVideoMuted { member: key, muted: step % 200 == 50 });
            }
            it.run(0.001);
        }
        it.run(1.0);
        for viewer in [ann, bob] {
            assert!(alike(it.sees(viewer, ann), RED) && alike(it.sees(viewer, bob), BLUE), "seed {seed}");
        }
        assert!(it.hears(bob, 440.0, from, from + 2.5) > -20.0, "seed {seed}");
        let after = it.counters();
        let taken = |c: &Counters| c.audio_in.packets + c.video_in.packets;
        assert!(taken(&after) - taken(&before) > 1500, "seed {seed}: {after:?}");
        let (sent, asked) = (after.video_out.bytes - before.video_out.bytes, before.key_frames + 8);
        assert!(sent < 3 * 200_000, "seed {seed}: {sent} bytes of canvas for three viewers");
        assert!(after.key_frames < asked, "seed {seed}");
    }
}
