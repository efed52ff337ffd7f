//! Sender reports of what a peer publishes.
//!
//! in:  packets as they are sent, time
//! out: RTCP, not yet protected: one report of each stream a second
//!
//! All RTCP of a peer is written here and in `feedback`. str0m's own would share their key and count the same
//! indices, and a server drops the second packet of an index (RFC 3711 §3.3.2).

use std::time::{Duration, Instant};

use super::rtcp::{self, SenderInfo};

const PERIOD: Duration = Duration::from_secs(1);
/// Seconds between the epochs of NTP and of Unix.
const NTP_EPOCH: u64 = 2_208_988_800;

/// The streams of one peer.
#[derive(Debug, Default)]
pub(super) struct Sent {
    streams: Vec<(u32, SenderInfo)>,
    due: Option<Instant>,
}

impl Sent {
    /// A packet of a stream goes out.
    pub(super) fn note(&mut self, ssrc: u32, timestamp: u32, octets: usize, now_ns: u64) {
        let at = match self.streams.iter().position(|(of, _)| *of == ssrc) {
            Some(at) => at,
            None => {
                self.streams.push((ssrc, SenderInfo::default()));
                self.streams.len() - 1
            }
        };
        let Some((_, info)) = self.streams.get_mut(at) else { return };
        info.packets = info.packets.wrapping_add(1);
        info.octets = info.octets.wrapping_add(u32::try_from(octets).unwrap_or(0));
        // The moment of a picture is that of its first packet.
        if info.packets == 1 || info.timestamp != timestamp {
            (info.timestamp, info.ntp) = (timestamp, ntp(now_ns));
        }
    }

    /// Reports that are due.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Vec<u8>> {
        if self.streams.is_empty() || self.due.is_some_and(|due| now < due) {
            return None;
        }
        self.due = Some(now + PERIOD);
        let mut packet = Vec::new();
        for (ssrc, info) in &self.streams {
            rtcp::sender_report(&mut packet, *ssrc, info);
        }
        Some(packet)
    }
}

/// Seconds since 1900 and their fraction, RFC 3550 §4.
fn ntp(unix_ns: u64) -> u64 {
    let (seconds, rest) = (unix_ns / 1_000_000_000, unix_ns % 1_000_000_000);
    ((seconds + NTP_EPOCH) << 32) | ((rest << 32) / 1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use media_core::rtcp::{Packet, packets};

    #[test]
    fn every_stream_is_reported_once_a_second() {
        let begin = Instant::now();
        let mut sent = Sent::default();
        assert_eq!(sent.poll(begin), None, "nothing was sent");
        let mut reports = 0;
        for n in 0..40_u32 {
            sent.note(7, n * 9_000, 100, 500_000_000);
            sent.note(8, n * 9_000, 10, 500_000_000);
            let Some(bytes) = sent.poll(begin + Duration::from_millis(100) * n) else { continue };
            for packet in packets(&bytes) {
                reports += usize::from(matches!(packet, Packet::SenderReport { .. }));
            }
        }
        assert_eq!(reports, 2 * 4);
        assert_eq!(ntp(500_000_000), (NTP_EPOCH << 32) | (1 << 31));
    }
}
