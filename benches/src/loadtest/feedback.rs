//! What a receiver says to the server, as a browser would, or nothing.
//!
//! in:  headers of packets as they come, time
//! out: RTCP, not yet protected
//!
//! | profile | receiver reports | transport-wide feedback | PLI | NACK |
//! |---|---|---|---|---|
//! | none | – | – | – | – |
//! | browser | 1/s | 10/s | 1/min | – |
//! | lossy | 1/s | 10/s | 1/min | one for each packet thrown away |
//!
//! All profiles keep the connection alive by STUN. Peers are out of phase with each other.

use std::time::{Duration, Instant};

use super::rtcp::{self, Block};
use super::rtp::{Header, Stream};

const REPORT: Duration = Duration::from_secs(1);
const TRANSPORT: Duration = Duration::from_millis(100);
const PICTURE_LOSS: Duration = Duration::from_secs(60);
/// Transport-wide feedback about more is cut: a server that leaps in its numbers gets the newest.
const MOST_STATUSES: usize = 400;
/// NACKs in one packet.
const MOST_LOST: usize = 100;

/// What a receiver reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// Nothing.
    #[default]
    None,
    /// As Chromium on a good path.
    Browser,
    /// As Chromium where packets are lost, of which so many in a thousand.
    Lossy {
        /// Of a thousand packets.
        per_mille: u16,
    },
}

/// How much has been said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Receiver reports.
    pub reports: u64,
    /// Transport-wide feedback.
    pub transport: u64,
    /// Picture loss indications.
    pub picture_losses: u64,
    /// Packets with NACKs.
    pub nacks: u64,
    /// Sequence numbers in them.
    pub nacked: u64,
}

/// The state of one receiver.
#[derive(Debug)]
pub(super) struct Feedback {
    profile: Profile,
    own: u32,
    dice: u64,
    /// When what is due; `None` before media came.
    due: Option<Due>,
    base: Option<u16>,
    arrivals: Vec<Option<i64>>,
    count: u8,
    lost: Vec<(u32, u16)>,
    pub(super) said: Said,
}

#[derive(Debug)]
struct Due {
    report: Instant,
    transport: Instant,
    picture_loss: Instant,
}

impl Feedback {
    pub(super) fn new(profile: Profile, number: u32) -> Self {
        Self {
            profile,
            // Above what str0m picks at random often enough, and never 0.
            own: 0x5100_0000 | (number + 1),
            dice: u64::from(number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
            due: None,
            base: None,
            arrivals: Vec::new(),
            count: 0,
            lost: Vec::new(),
            said: Said::default(),
        }
    }

    /// Whether this packet shall not have come.
    pub(super) fn loses(&mut self) -> bool {
        let Profile::Lossy { per_mille } = self.profile else { return false };
        self.roll() % 1000 < u64::from(per_mille)
    }

    /// A packet came; `gap` are the numbers before it that did not.
    pub(super) fn on_packet(&mut self, header: &Header, arrived_ns: u64, gap: std::ops::Range<u64>) {
        if self.profile == Profile::None {
            return;
        }
        if let Some(seq) = header.transport_seq {
            self.note(seq, i64::try_from(arrived_ns / 250_000).unwrap_or(i64::MAX));
        }
        let is_lossy = matches!(self.profile, Profile::Lossy { .. });
        if is_lossy && gap.end - gap.start < MOST_LOST as u64 {
            let wire = |seq: u64| u16::try_from(seq & 0xffff).unwrap_or(0);
            self.lost.extend(gap.map(|seq| (header.ssrc, wire(seq))));
        }
    }

    fn note(&mut self, seq: u16, at: i64) {
        let base = *self.base.get_or_insert(seq);
        let place = usize::from(seq.wrapping_sub(base));
        if place >= MOST_STATUSES {
            // Behind the base it has been reported as lost; far before it everything begins anew.
            if place < 0x8000 {
                self.arrivals.clear();
                self.arrivals.push(Some(at));
                self.base = Some(seq);
            }
            return;
        }
        if self.arrivals.len() <= place {
            self.arrivals.resize(place + 1, None);
        }
        if let Some(arrival) = self.arrivals.get_mut(place) {
            *arrival = Some(at);
        }
    }

    /// What is to be said now about these streams; a compound packet in each element.
    pub(super) fn poll(&mut self, now: Instant, streams: &[Stream], video_pt: u8) -> Vec<Vec<u8>> {
        let video = |stream: &&Stream| stream.pt == video_pt;
        let (false, Some(media)) =
            (self.profile == Profile::None, streams.iter().rfind(video).map(|stream| stream.ssrc))
        else {
            return Vec::new();
        };
        let mut out = Vec::new();
        let mut due = match self.due.take() {
            Some(due) => due,
            None => self.begin(now),
        };
        if now >= due.report {
            due.report += REPORT;
            out.push(self.report(streams, video_pt));
        }
        if now >= due.transport {
            due.transport += TRANSPORT;
            out.extend(self.transport(media));
        }
        if now >= due.picture_loss {
            due.picture_loss += PICTURE_LOSS;
            let mut packet = Vec::new();
            rtcp::picture_loss(&mut packet, self.own, media);
            self.said.picture_losses += 1;
            out.push(packet);
        }
        self.due = Some(due);
        out.extend(self.nacks());
        out
    }

    fn begin(&mut self, now: Instant) -> Due {
        let mut within = |period: Duration| now + period.mul_f64((self.roll() % 1000) as f64 / 1000.0);
        Due { report: within(REPORT), transport: within(TRANSPORT), picture_loss: within(PICTURE_LOSS) }
    }

    fn report(&mut self, streams: &[Stream], video_pt: u8) -> Vec<u8> {
        let block = |stream: &Stream| Block {
            ssrc: stream.ssrc,
            lost: u32::try_from(stream.lost()).unwrap_or(u32::MAX),
            highest: u32::try_from(stream.highest - (1 << 16)).unwrap_or(u32::MAX),
            ..Block::default()
        };
        let blocks: Vec<_> = streams.iter().filter(|stream| stream.pt == video_pt).map(block).collect();
        let mut packet = Vec::new();
        rtcp::receiver_report(&mut packet, self.own, &blocks);
        self.said.reports += 1;
        packet
    }

    fn transport(&mut self, media: u32) -> Option<Vec<u8>> {
        let base = self.base?;
        let mut packet = Vec::new();
        rtcp::transport_feedback(&mut packet, self.own, media, self.count, base, &self.arrivals);
        let next = base.wrapping_add(u16::try_from(self.arrivals.len()).unwrap_or(0));
        self.base = Some(next);
        self.arrivals.clear();
        if packet.is_empty() {
            return None;
        }
        self.count = self.count.wrapping_add(1);
        self.said.transport += 1;
        Some(packet)
    }

    fn nacks(&mut self) -> Option<Vec<u8>> {
        let lost = std::mem::take(&mut self.lost);
        let &(media, _) = lost.first()?;
        let mut packet = Vec::new();
        let (of_this, others): (Vec<_>, Vec<_>) = lost.into_iter().partition(|&(ssrc, _)| ssrc == media);
        self.lost = others;
        let numbers: Vec<u16> = of_this.into_iter().map(|(_, seq)| seq).take(MOST_LOST).collect();
        rtcp::nack(&mut packet, self.own, media, &numbers);
        self.said.nacks += 1;
        self.said.nacked += numbers.len() as u64;
        Some(packet)
    }

    fn roll(&mut self) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        self.dice >> 11
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use media_core::rtcp::{Packet, packets};

    const MS: Duration = Duration::from_millis(1);

    fn header(seq: u16) -> Header {
        Header { pt: 96, marker: false, seq, timestamp: 0, ssrc: 9, transport_seq: Some(seq) }
    }

    /// Ten seconds of 100 packets a second, every tenth of them missing.
    fn run(profile: Profile) -> (Said, [usize; 4]) {
        let begin = Instant::now();
        let mut feedback = Feedback::new(profile, 3);
        let mut stream: Option<Stream> = None;
        let mut seen = [0; 4];
        for n in 0..1000_u16 {
            if n % 10 != 5 {
                let gap = match &mut stream {
                    Some(stream) => stream.count(&header(n)),
                    None => {
                        stream = Some(Stream::new(&header(n)));
                        0..0
                    }
                };
                feedback.on_packet(&header(n), u64::from(n) * 10_000_000, gap);
            }
            for packet in feedback.poll(begin + MS * 10 * u32::from(n), stream.as_slice(), 96) {
                for packet in packets(&packet) {
                    match packet {
                        Packet::ReceiverReport { .. } => seen[0] += 1,
                        Packet::TransportCc(_) => seen[1] += 1,
                        Packet::Pli { .. } => seen[2] += 1,
                        Packet::Nack { lost, .. } => seen[3] += lost.count(),
                        other @ (Packet::SenderReport { .. }
                        | Packet::Fir { .. }
                        | Packet::Bye(_)
                        | Packet::Remb(_)) => {
                            panic!("{other:?}")
                        }
                    }
                }
            }
        }
        (feedback.said, seen)
    }

    #[test]
    fn nothing_is_said_by_none() {
        assert_eq!(run(Profile::None), (Said::default(), [0; 4]));
    }

    #[test]
    fn a_browser_reports_once_and_tells_arrivals_ten_times_a_second() {
        let (said, seen) = run(Profile::Browser);
        assert_eq!(seen[0], 10);
        assert!((98..=100).contains(&seen[1]), "{seen:?}");
        assert!(seen[2] <= 1);
        assert_eq!(seen[3], 0);
        assert_eq!([said.reports, said.transport].map(|n| usize::try_from(n).unwrap()), seen[..2]);
    }

    #[test]
    fn what_is_missing_is_asked_for_once() {
        let (said, seen) = run(Profile::Lossy { per_mille: 100 });
        assert_eq!((seen[3], said.nacked), (100, 100));
        let mut feedback = Feedback::new(Profile::Lossy { per_mille: 100 }, 1);
        let lost = (0..10_000).filter(|_| feedback.loses()).count();
        assert!((800..1200).contains(&lost), "{lost}");
    }
}
