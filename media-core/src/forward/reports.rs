//! What one stream and its viewer report on each other.
//!
//! in:  that the stream flows, the viewer's reports, time
//! out: when a sender report is due; round trip, loss and jitter; whether the viewer knows the stream

use std::time::{Duration, Instant};

use super::SenderStats;
use crate::rtcp::{self, NtpTime, ReportBlock};
use crate::units::Ssrc;

/// Sender reports are this far apart on average: a viewer needs two for lip sync, and round trips come from them.
const INTERVAL: Duration = Duration::from_secs(1);
/// A longer round trip (10 s, in 1/65536 s) is not one.
const MAX_RTT: i32 = 10 << 16;

/// See the module.
#[derive(Debug)]
pub(super) struct Reports {
    next: Option<Instant>,
    /// Spreads the reports of many streams.
    spread: u32,
    known: bool,
}

impl Reports {
    pub(super) fn new(ssrc: Ssrc) -> Self {
        Self { next: None, spread: ssrc.0, known: false }
    }

    /// A packet goes out: from the first on there is something to report.
    pub(super) fn on_packet(&mut self, now: Instant) {
        self.next.get_or_insert(now);
    }

    /// When the next sender report is due; `None` before the first packet.
    pub(super) fn due_at(&self) -> Option<Instant> {
        self.next
    }

    /// Whether one is due; the next one is then put off.
    pub(super) fn take_due(&mut self, now: Instant) -> bool {
        let is_due = self.next.is_some_and(|at| at <= now);
        if is_due {
            self.next = Some(now + self.interval());
        }
        is_due
    }

    /// The viewer has reported on the stream, so it knows which m-section it belongs to.
    pub(super) fn is_known(&self) -> bool {
        self.known
    }

    /// The viewer reports on the stream.
    pub(super) fn on_block(&mut self, now: NtpTime, block: &ReportBlock, stats: &mut SenderStats) {
        self.known = true;
        stats.fraction_lost = block.fraction_lost;
        stats.cumulative_lost = block.cumulative_lost;
        stats.jitter = block.jitter;
        if let Some(rtt) = round_trip(now, block) {
            stats.rtt = Some(stats.rtt.map_or(rtt, |smooth| (smooth * 7 + rtt) / 8));
        }
    }

    /// Between half and one and a half of the interval. RFC 3550 §6.2.
    fn interval(&mut self) -> Duration {
        // Knuth's multiplicative generator is random enough for this.
        self.spread = self.spread.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        INTERVAL / 2 + INTERVAL * (self.spread >> 16) / 0xffff
    }
}

/// RFC 3550 §6.4.1: now, less the time the report was sent, less how long the viewer held it.
fn round_trip(now: NtpTime, block: &ReportBlock) -> Option<Duration> {
    if block.last_sr == 0 {
        return None;
    }
    let units = now.middle().wrapping_sub(block.last_sr).wrapping_sub(block.delay_since_sr).cast_signed();
    match units {
        // Clocks that round differently on a fast path.
        -65_536..0 => Some(Duration::ZERO),
        0..MAX_RTT => Some(rtcp::from_short(units.cast_unsigned())),
        _ => None,
    }
}
