//! How well a stream arrives: the numbers of a report block.
//!
//! in:  packets as they come, sender reports
//! out: loss, jitter and the echo that lets the sender measure its round trip
//!
//! RFC 3550 §6.4.1, §A.3 (loss), §A.8 (jitter). Repeated packets (RTX) do not count: the loss of the path is meant.

use std::time::Instant;

use crate::rtcp::{NtpTime, ReportBlock, short};
use crate::units::{MediaTime, SeqNo, Ssrc};

/// A step forward larger than this is a new beginning, not loss: see [`crate::rtp::SeqExtender`].
const LEAP: u64 = 3000;
/// `cumulative number of packets lost` is a signed number of 24 bits.
const MAX_LOST: i64 = 0x7f_ffff;

/// Totals since the beginning, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceptionStats {
    /// Packets that came, duplicates included.
    pub packets: u64,
    /// Their payload bytes.
    pub octets: u64,
    /// Expected less received, as reported.
    pub lost: i32,
    /// Interarrival jitter in ticks.
    pub jitter: u32,
}

/// The running account of one stream.
#[derive(Debug)]
pub(super) struct Reception {
    ssrc: Ssrc,
    totals: ReceptionStats,
    run: Option<Run>,
    last_sr: Option<(u32, Instant)>,
}

/// Since the beginning or the last leap.
#[derive(Debug)]
struct Run {
    base: SeqNo,
    highest: SeqNo,
    received: u64,
    expected_before: u64,
    received_before: u64,
    last: (Instant, MediaTime),
    /// Jitter times 16, as in §A.8.
    jitter: u64,
}

impl Reception {
    pub(super) fn new(ssrc: Ssrc) -> Self {
        Self { ssrc, totals: ReceptionStats::default(), run: None, last_sr: None }
    }

    pub(super) fn stats(&self) -> ReceptionStats {
        self.totals
    }

    pub(super) fn on_packet(&mut self, now: Instant, seq: SeqNo, timestamp: MediaTime, octets: usize) {
        self.totals.packets += 1;
        self.totals.octets += octets as u64;
        match &mut self.run {
            Some(run) if seq.0 <= run.highest.0.saturating_add(LEAP) => run.add(now, seq, timestamp),
            run => *run = Some(Run::begin(now, seq, timestamp)),
        }
    }

    pub(super) fn on_sender_report(&mut self, now: Instant, ntp: NtpTime) {
        self.last_sr = Some((ntp.middle(), now));
    }

    /// `None` before the first packet. Each call closes an interval of `fraction lost`.
    pub(super) fn report_block(&mut self, now: Instant) -> Option<ReportBlock> {
        let run = self.run.as_mut()?;
        let expected = run.highest.0 - run.base.0 + 1;
        let lost = expected.cast_signed() - run.received.cast_signed();
        let expected_now = expected - run.expected_before;
        let lost_now = expected_now.saturating_sub(run.received - run.received_before);
        run.expected_before = expected;
        run.received_before = run.received;
        let fraction = (lost_now << 8).checked_div(expected_now).unwrap_or(0);
        let clamped = lost.clamp(-MAX_LOST - 1, MAX_LOST);
        self.totals.lost = i32::try_from(clamped).unwrap_or(i32::MAX);
        self.totals.jitter = u32::try_from(run.jitter >> 4).unwrap_or(u32::MAX);
        let (last_sr, since) = self.last_sr.map_or((0, None), |(sr, at)| (sr, Some(at)));
        Some(ReportBlock {
            ssrc: self.ssrc,
            fraction_lost: u8::try_from(fraction).unwrap_or(u8::MAX),
            cumulative_lost: self.totals.lost,
            highest_seq: cycles_and_seq(run.highest),
            jitter: self.totals.jitter,
            last_sr,
            delay_since_sr: since.map_or(0, |at| short(now.saturating_duration_since(at))),
        })
    }
}

impl Run {
    fn begin(now: Instant, seq: SeqNo, timestamp: MediaTime) -> Self {
        Self {
            base: seq,
            highest: seq,
            received: 1,
            expected_before: 0,
            received_before: 0,
            last: (now, timestamp),
            jitter: 0,
        }
    }

    fn add(&mut self, now: Instant, seq: SeqNo, timestamp: MediaTime) {
        self.received += 1;
        // Overtaken by the first packet: the account begins earlier.
        self.base = self.base.min(seq);
        if seq <= self.highest {
            return;
        }
        self.highest = seq;
        let (before, last_timestamp) = self.last;
        // Packets of one picture leave over some time on purpose (pacing); only the first one of each tells of the path.
        if timestamp.ticks == last_timestamp.ticks {
            return;
        }
        self.last = (now, timestamp);
        let arrived =
            now.saturating_duration_since(before).as_nanos() * u128::from(timestamp.rate.0) / 1_000_000_000;
        let sent = i128::from(timestamp.ticks) - i128::from(last_timestamp.ticks);
        let difference = i128::try_from(arrived).unwrap_or(i128::MAX).saturating_sub(sent).unsigned_abs();
        let difference = u64::try_from(difference).unwrap_or(u64::MAX).min(u64::from(u32::MAX));
        self.jitter = self.jitter + difference - ((self.jitter + 8) >> 4);
    }
}

/// Our numbers begin one cycle above zero; the report's begin at zero.
#[allow(clippy::cast_possible_truncation, reason = "sixteen bits of cycles, which wrap")]
fn cycles_and_seq(seq: SeqNo) -> u32 {
    seq.0.wrapping_sub(1 << 16) as u32
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::units::ClockRate;

    const MS: Duration = Duration::from_millis(1);

    fn time(ticks: u64) -> MediaTime {
        MediaTime { ticks, rate: ClockRate::OPUS }
    }

    #[test]
    fn loss_per_interval_and_in_all() {
        let now = Instant::now();
        let mut reception = Reception::new(Ssrc(9));
        assert_eq!(reception.report_block(now), None);
        let feed = |r: &mut Reception, seqs: &[u64]| {
            seqs.iter().for_each(|s| r.on_packet(now, SeqNo(65536 + s), time(s * 960), 10));
        };
        feed(&mut reception, &[10, 11, 13, 14]);
        let block = reception.report_block(now).unwrap();
        assert_eq!((block.fraction_lost, block.cumulative_lost, block.highest_seq), (51, 1, 14));
        // It came late; and one twice: now more than expected.
        feed(&mut reception, &[12, 15, 15, 15]);
        let block = reception.report_block(now).unwrap();
        assert_eq!((block.fraction_lost, block.cumulative_lost, block.highest_seq), (0, -2, 15));
        assert_eq!(reception.report_block(now).unwrap().fraction_lost, 0, "nothing expected, nothing lost");
        // A leap is not 60000 packets of loss.
        feed(&mut reception, &[60_000, 60_001]);
        let block = reception.report_block(now).unwrap();
        assert_eq!((block.fraction_lost, block.cumulative_lost, block.highest_seq), (0, 0, 60_001));
        assert_eq!(reception.stats().packets, 10);
    }

    #[test]
    fn jitter_settles_at_the_mean_deviation() {
        let start = Instant::now();
        let mut reception = Reception::new(Ssrc(9));
        for i in 0..400 {
            // Every other packet 5 ms late: neighbours differ by 240 ticks.
            let late = if i % 2 == 0 { 0 } else { 5 };
            let now = start + MS * (u32::try_from(i).unwrap() * 20 + late);
            reception.on_packet(now, SeqNo(65536 + i), time(i * 960), 10);
        }
        let jitter = reception.report_block(start).unwrap().jitter;
        assert!((230..=240).contains(&jitter), "{jitter}");
    }

    #[test]
    fn echoes_the_sender_report() {
        let start = Instant::now();
        let mut reception = Reception::new(Ssrc(9));
        reception.on_packet(start, SeqNo(65536), time(0), 10);
        assert_eq!(reception.report_block(start).unwrap().last_sr, 0);
        reception.on_sender_report(start, NtpTime(0x1111_2222_3333_4444));
        let block = reception.report_block(start + 500 * MS).unwrap();
        assert_eq!((block.last_sr, block.delay_since_sr), (0x2222_3333, 0x8000));
    }

    #[test]
    fn timestamps_that_leap_do_not_overflow() {
        let start = Instant::now();
        let mut reception = Reception::new(Ssrc(9));
        for i in 0..100 {
            reception.on_packet(start, SeqNo(i), time(if i % 2 == 0 { u64::MAX } else { 0 }), 10);
        }
        assert!(reception.report_block(start).unwrap().jitter > 0);
    }
}
