//! A member's sound: numbers and statistics. Order, loss and time are the business of the mix.
//!
//! in:  RTP of one stream
//! out: extended numbers for each packet and for copies of packets that did not come; report blocks

use std::time::Instant;

use super::reception::{Reception, ReceptionStats};
use crate::rtcp::{ReportBlock, SenderInfo};
use crate::rtp::{RtpView, SeqExtender, TimestampExtender, red};
use crate::units::{ClockRate, MediaTime, Pt, SeqNo, Ssrc};

/// Receives one stream of sound.
#[derive(Debug)]
pub struct AudioReceiver {
    ssrc: Ssrc,
    seq: SeqExtender,
    timestamp: TimestampExtender,
    reception: Reception,
    came: Came,
    repaired: u64,
}

/// One packet's worth of sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sound<'a> {
    /// The number it was sent under.
    pub seq: SeqNo,
    /// Its place in time.
    pub timestamp: MediaTime,
    /// As the codec made it; never empty.
    pub payload: &'a [u8],
}

/// Which of the latest packets came, themselves or as a copy.
#[derive(Debug, Default)]
struct Came {
    highest: Option<SeqNo>,
    /// Bit n stands for the packet n before the highest.
    bits: u64,
}

impl AudioReceiver {
    /// For the stream `ssrc`.
    #[must_use]
    pub fn new(ssrc: Ssrc, rate: ClockRate) -> Self {
        Self {
            ssrc,
            seq: SeqExtender::default(),
            timestamp: TimestampExtender::new(rate),
            reception: Reception::new(ssrc),
            came: Came::default(),
            repaired: 0,
        }
    }

    /// The stream.
    #[must_use]
    pub fn ssrc(&self) -> Ssrc {
        self.ssrc
    }

    /// The packet's numbers, duplicates and reordered ones included. `None` for a stray after which nothing follows, and
    /// for one without payload.
    pub fn handle_rtp(&mut self, now: Instant, packet: &RtpView<'_>) -> Option<(SeqNo, MediaTime)> {
        let seq = self.seq.extend(packet.seq())?;
        let timestamp = self.timestamp.extend(packet.timestamp());
        self.reception.on_packet(now, seq, timestamp, packet.payload().len());
        self.came.note(seq);
        (!packet.payload().is_empty()).then_some((seq, timestamp))
    }

    /// What is in a redundant packet, whose numbers [`Self::handle_rtp`] has given: copies of packets that did not come,
    /// then its own sound. Blocks of another payload type than `pt` are left out.
    pub fn unfold<'a>(
        &mut self,
        (seq, timestamp): (SeqNo, MediaTime),
        payload: &'a [u8],
        pt: Pt,
    ) -> impl Iterator<Item = Sound<'a>> {
        let blocks = red::blocks(payload).into_iter().flatten();
        blocks.filter(move |block| block.pt == pt && !block.payload.is_empty()).filter_map(move |block| {
            let sound = Sound {
                // A sender copies its last packets one by one, so that the n-th copy was the n-th packet before.
                seq: SeqNo(seq.0.checked_sub(u64::from(block.age))?),
                timestamp: MediaTime {
                    ticks: timestamp.ticks.checked_sub(u64::from(block.earlier))?,
                    ..timestamp
                },
                payload: block.payload,
            };
            if block.age > 0 {
                if block.earlier == 0 || !self.came.note(sound.seq) {
                    return None;
                }
                self.repaired += 1;
            }
            Some(sound)
        })
    }

    /// The sender's report on this stream; gives the report's timestamp extended, for [`super::SenderClock`].
    pub fn handle_sender_report(&mut self, now: Instant, info: &SenderInfo) -> MediaTime {
        self.reception.on_sender_report(now, info.ntp);
        self.timestamp.near(info.rtp)
    }

    /// What to report on the stream; `None` before its first packet.
    pub fn report_block(&mut self, now: Instant) -> Option<ReportBlock> {
        self.reception.report_block(now)
    }

    /// Totals.
    #[must_use]
    pub fn stats(&self) -> ReceptionStats {
        self.reception.stats()
    }

    /// Packets that did not come, but a copy of them did.
    #[must_use]
    pub fn repaired(&self) -> u64 {
        self.repaired
    }
}

impl Came {
    /// Takes note of a packet; true when it is new. What was before the first packet, or is long past, is never new.
    fn note(&mut self, seq: SeqNo) -> bool {
        let Some(highest) = self.highest else {
            (self.highest, self.bits) = (Some(seq), u64::MAX);
            return true;
        };
        if let Some(ahead) = seq.0.checked_sub(highest.0).filter(|ahead| *ahead > 0) {
            let shift = u32::try_from(ahead).unwrap_or(u32::MAX);
            // After a gap longer than this record, what is before it can no longer be of use.
            self.bits = self.bits.checked_shl(shift).map_or(u64::MAX, |bits| bits | 1);
            self.highest = Some(seq);
            return true;
        }
        let bit = u32::try_from(highest.0 - seq.0).ok().and_then(|behind| 1_u64.checked_shl(behind));
        let is_new = bit.is_some_and(|bit| self.bits & bit == 0);
        self.bits |= bit.unwrap_or(0);
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::{RtpHeader, write_packet};

    const OPUS: Pt = Pt(111);
    const RED: Pt = Pt(63);

    struct Stream {
        now: Instant,
        receiver: AudioReceiver,
    }

    impl Stream {
        fn new() -> Self {
            Self { now: Instant::now(), receiver: AudioReceiver::new(Ssrc(1), ClockRate::OPUS) }
        }

        /// Packet n carries the byte n, and copies of the ones before it.
        fn hear(&mut self, n: u16, copies: u16) -> Vec<(u64, u64, u8)> {
            let mut payload = Vec::new();
            for age in (1..=copies).rev() {
                payload.push(0x80 | OPUS.0);
                payload.extend_from_slice(&(((u32::from(age) * 960) << 10) | 1).to_be_bytes()[1..]);
            }
            payload.push(OPUS.0);
            payload.extend((0..=copies).rev().map(|age| n.wrapping_sub(age).to_be_bytes()[1]));
            let header = RtpHeader {
                marker: false,
                pt: RED,
                seq: n,
                timestamp: u32::from(n).wrapping_mul(960),
                ssrc: Ssrc(1),
            };
            let mut packet = Vec::new();
            write_packet(&mut packet, &header, &[], &[&payload]);
            let view = RtpView::parse(&packet).unwrap();
            let numbers = self.receiver.handle_rtp(self.now, &view).unwrap();
            let base = (numbers.0.0 - u64::from(n), numbers.1.ticks - u64::from(n) * 960);
            let sounds = self.receiver.unfold(numbers, view.payload(), OPUS);
            sounds.map(|s| (s.seq.0 - base.0, s.timestamp.ticks - base.1, s.payload[0])).collect()
        }
    }

    fn sound(n: u8) -> (u64, u64, u8) {
        (u64::from(n), u64::from(n) * 960, n)
    }

    #[test]
    fn a_copy_stands_in_for_a_packet_that_did_not_come() {
        let mut stream = Stream::new();
        assert_eq!(stream.hear(10, 1), [sound(10)], "nothing before the first packet is missing");
        assert_eq!(stream.hear(11, 1), [sound(11)]);
        assert_eq!(stream.hear(13, 1), [sound(12), sound(13)]);
        assert_eq!(stream.hear(16, 2), [sound(14), sound(15), sound(16)]);
        assert_eq!(stream.hear(17, 2), [sound(17)], "copies of copies are not needed");
        assert_eq!(stream.receiver.repaired(), 3);
    }

    #[test]
    fn what_is_lost_with_all_its_copies_stays_lost() {
        let mut stream = Stream::new();
        stream.hear(10, 1);
        assert_eq!(stream.hear(14, 1), [sound(13), sound(14)]);
        assert_eq!(stream.hear(12, 1), [sound(11), sound(12)], "late packets bring copies too");
        assert_eq!(stream.receiver.repaired(), 2);
    }

    #[test]
    fn blocks_of_another_kind_are_left_out() {
        let mut stream = Stream::new();
        let header = RtpHeader { marker: false, pt: RED, seq: 9, timestamp: 0, ssrc: Ssrc(1) };
        let mut packet = Vec::new();
        // Comfort noise as the copy, and sound of no length.
        write_packet(&mut packet, &header, &[], &[&[0x80 | 13, 0x0f, 0, 1, OPUS.0, 5]]);
        let view = RtpView::parse(&packet).unwrap();
        let numbers = stream.receiver.handle_rtp(stream.now, &view).unwrap();
        assert_eq!(stream.receiver.unfold(numbers, view.payload(), OPUS).count(), 0);
        assert_eq!(stream.receiver.unfold(numbers, b"\xff", OPUS).count(), 0);
    }

    #[test]
    fn the_record_of_what_came_is_short() {
        let mut came = Came::default();
        assert!(came.note(SeqNo(1000)) && !came.note(SeqNo(1000)) && !came.note(SeqNo(999)));
        assert!(came.note(SeqNo(1002)) && came.note(SeqNo(1001)) && !came.note(SeqNo(1001)));
        assert!(came.note(SeqNo(5000)));
        assert!(!came.note(SeqNo(4999)), "after a leap the past is no loss");
        assert!(came.note(SeqNo(5063)) && came.note(SeqNo(5001)) && !came.note(SeqNo(4998)));
    }
}
