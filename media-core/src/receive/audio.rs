//! A member's sound: numbers and statistics. Order, loss and time are the business of the mix.
//!
//! in:  RTP of one stream
//! out: extended numbers for each packet, report blocks

use std::time::Instant;

use super::reception::{Reception, ReceptionStats};
use crate::rtcp::{ReportBlock, SenderInfo};
use crate::rtp::{RtpView, SeqExtender, TimestampExtender};
use crate::units::{ClockRate, MediaTime, SeqNo, Ssrc};

/// Receives one stream of sound.
#[derive(Debug)]
pub struct AudioReceiver {
    ssrc: Ssrc,
    seq: SeqExtender,
    timestamp: TimestampExtender,
    reception: Reception,
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
        (!packet.payload().is_empty()).then_some((seq, timestamp))
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
}
