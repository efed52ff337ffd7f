//! A microphone whose sound is values, and what is heard in a slot.
//!
//! The payloads say who speaks and which packet it is; they are no Opus, so the mix leaves them out.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use media_core::rtp::{ExtId, RtpHeader, RtpView, write_packet};
use media_core::units::{Pt, Ssrc};

pub const OPUS: Pt = Pt(111);
pub const RED: Pt = Pt(63);
const FRAME: Duration = Duration::from_millis(20);

/// What a page does with sound.
#[derive(Clone, Copy, Default)]
pub struct Sound {
    pub speaks: bool,
    /// Each packet brings a copy of the one before.
    pub redundant: bool,
    pub slots: u8,
    /// Its first section is a slot too.
    pub first_is_slot: bool,
}

pub struct Microphone {
    member: u8,
    ssrc: Ssrc,
    next: Instant,
    number: u16,
    redundant: bool,
    /// −dBov.
    pub level: u8,
    /// Id under which it says so.
    level_id: u8,
    /// Numbers of packets that the network loses.
    pub lost: BTreeSet<u16>,
}

/// A packet as a listener has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    pub at: Instant,
    pub seq: u16,
    pub timestamp: u32,
    pub member: u8,
    /// Which of the member's packets it is.
    pub number: u16,
    /// What it says of its loudness.
    pub level: Option<u8>,
}

impl Microphone {
    pub fn new(now: Instant, member: u8, number: u32, redundant: bool, level_id: u8) -> Self {
        let (ssrc, lost) = (Ssrc(number + 500_000), BTreeSet::new());
        Self { member, ssrc, next: now, number: 0, redundant, level: 90, level_id, lost }
    }

    pub fn due(&self) -> Instant {
        self.next
    }

    /// Nobody can hear it yet.
    pub fn wait(&mut self, now: Instant) {
        self.next = self.next.max(now);
    }

    /// The next packet, unless it is lost.
    pub fn speak(&mut self) -> Option<Vec<u8>> {
        self.next += FRAME;
        self.number += 1;
        let mut payload = self.value(self.number);
        if self.redundant {
            let copy = self.value(self.number - 1);
            let header = (960_u32 << 10) | copy.len() as u32;
            let mut red = vec![0x80 | OPUS.0];
            red.extend_from_slice(&header.to_be_bytes()[1..]);
            red.push(OPUS.0);
            red.extend_from_slice(&copy);
            red.append(&mut payload);
            payload = red;
        }
        let header = RtpHeader {
            marker: false,
            pt: if self.redundant { RED } else { OPUS },
            // Far from those of the others, and about to wrap.
            seq: self.number.wrapping_add(65_000).wrapping_sub(u16::from(self.member) * 1000),
            timestamp: (u32::from(self.number) * 960).wrapping_sub(u32::from(self.member) * 77_777),
            ssrc: self.ssrc,
        };
        let mut packet = Vec::new();
        write_packet(&mut packet, &header, &[(ExtId(self.level_id), &[0x80 | self.level])], &[&payload]);
        (!self.lost.contains(&self.number)).then_some(packet)
    }

    /// A packet of no frames is none of Opus (RFC 6716 §3.2.5).
    fn value(&self, number: u16) -> Vec<u8> {
        let [high, low] = number.to_be_bytes();
        vec![0x03, 0x00, self.member, high, low]
    }
}

impl Heard {
    pub fn read(now: Instant, packet: &RtpView<'_>, level_id: u8) -> Self {
        let value = packet.payload();
        assert_eq!((packet.pt(), &value[..2]), (OPUS, &[0x03, 0x00][..]));
        Self {
            at: now,
            seq: packet.seq(),
            timestamp: packet.timestamp(),
            member: value[2],
            number: u16::from_be_bytes([value[3], value[4]]),
            level: packet.ext(ExtId(level_id)).map(|value| value[0]),
        }
    }
}
