//! How much a leg may be sent: its estimate, its pacer, and the probes between the media.
//!
//! in:  what is sent, what the peer reports, what the leg could use
//! out: a budget; packets when their time has come; how much padding is due

use std::time::{Duration, Instant};

use crate::bandwidth::{Bandwidth, Demand, Kind, Offered, Pacer, TICK};
use crate::forward::{MediaPacket, SourceId};
use crate::rtcp::TransportCc;
use crate::units::{Bitrate, VideoCodec};

/// Headers of RTP and SRTP around a payload.
const HEADERS: usize = 40;
/// Until the first probe has told more, bursts are spread as for this: what nearly every path carries.
const BELIEVED: Bitrate = Bitrate::kbps(1500);

/// A packet that waits.
#[derive(Debug)]
pub(crate) enum Waiting {
    /// Of the canvas; `begins`: it is the first of another rendition.
    Canvas { packet: MediaPacket, begins: bool },
    /// Of an encoding that a slot watches.
    Slot { slot: u8, from: SourceId, codec: VideoCodec, packet: MediaPacket },
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Outflow {
    bandwidth: Bandwidth,
    pacer: Pacer<Waiting>,
    wanted: Bitrate,
    counted: Counted,
}

/// What the shard's counters know already.
#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    probes: u64,
    dropped: u64,
}

impl Outflow {
    pub(crate) fn new(now: Instant) -> Self {
        let (pacer, counted) = (Pacer::default(), Counted::default());
        Self { bandwidth: Bandwidth::new(now), pacer, wanted: Bitrate(0), counted }
    }

    /// What may be sent; `None` while nothing is known of the path: the first picture is never held back.
    pub(crate) fn budget(&self) -> Option<Bitrate> {
        self.bandwidth.target().filter(|_| self.bandwidth.is_settled())
    }

    /// What the path carries.
    pub(crate) fn estimate(&self) -> Option<Bitrate> {
        self.bandwidth.estimate()
    }

    /// What the leg could use at its best.
    pub(crate) fn set_demand(&mut self, most: Bitrate, next: Option<Bitrate>) {
        self.wanted = most;
        self.bandwidth.set_demand(Demand { most, next });
    }

    pub(crate) fn on_feedback(&mut self, now: Instant, feedback: &TransportCc<'_>) {
        self.bandwidth.on_feedback(now, feedback);
        self.follow();
    }

    pub(crate) fn on_remb(&mut self, limit: Bitrate) {
        self.bandwidth.on_remb(limit);
        self.follow();
    }

    /// Losses of its picture, and the round trip, as receiver reports have them.
    pub(crate) fn on_report(&mut self, now: Instant, fraction_lost: u8, rtt: Option<Duration>) {
        if let Some(rtt) = rtt {
            self.bandwidth.set_rtt(rtt);
        }
        self.bandwidth.on_report(now, fraction_lost);
        self.follow();
    }

    fn follow(&mut self) {
        let target = self.bandwidth.target();
        let spread = if self.bandwidth.is_settled() { target } else { target.map(|it| it.max(BELIEVED)) };
        self.pacer.set_estimate(spread, self.wanted);
    }

    /// A packet of the canvas wants to go out; `begins`: it is the first of another rendition. Gives with its fate whether the
    /// stream begins anew with it, which it also does after what was given up: the beginning may have been among that.
    pub(crate) fn offer(&mut self, now: Instant, packet: &MediaPacket, begins: bool) -> (Offered, bool) {
        let begins_key = packet.begins && packet.keyframe;
        let size = packet.payload.len() + HEADERS;
        let begins = (begins_key && self.pacer.begin_key(size)) || begins;
        let waiting = || Waiting::Canvas { packet: packet.clone(), begins };
        (self.pacer.offer(now, size, begins_key, waiting), begins)
    }

    /// A packet of a slot wants to go out. When it, and all that waited, is given up, each slot is to begin anew.
    pub(crate) fn offer_slot(
        &mut self,
        now: Instant,
        (slot, from, codec): (u8, SourceId, VideoCodec),
        packet: &MediaPacket,
    ) -> Offered {
        let waiting = || Waiting::Slot { slot, from, codec, packet: packet.clone() };
        self.pacer.offer_one_of_many(now, packet.payload.len() + HEADERS, waiting)
    }

    /// Something waits.
    pub(crate) fn holds_back(&self) -> bool {
        !self.pacer.is_empty()
    }

    /// Whether something else may go out now.
    pub(crate) fn admits(&mut self, now: Instant, kind: Kind) -> bool {
        self.pacer.admits(now, kind)
    }

    /// A waiting packet whose time has come.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<Waiting> {
        self.pacer.poll(now)
    }

    pub(crate) fn on_sent(&mut self, now: Instant, number: Option<u16>, size: usize, kind: Kind) {
        self.pacer.on_sent(now, size);
        self.bandwidth.on_sent(now, number, size, kind);
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, now: Instant) {
        self.bandwidth.on_tick(now);
        self.follow();
    }

    /// Bytes of padding that a probe wants now.
    pub(crate) fn padding_due(&self, now: Instant) -> usize {
        self.bandwidth.padding_due(now)
    }

    /// When it has something to do; `None` when nothing waits.
    pub(crate) fn deadline(&self, now: Instant) -> Option<Instant> {
        (!self.pacer.is_empty() || self.bandwidth.is_probing()).then(|| now + TICK)
    }

    /// Probes begun and packets given up since this was asked last.
    pub(crate) fn take_counts(&mut self) -> (u64, u64) {
        let before = self.counted;
        self.counted = Counted { probes: self.bandwidth.probes(), dropped: self.pacer.dropped() };
        (self.counted.probes - before.probes, self.counted.dropped - before.dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forward::{EncodedPicture, Packetizer};
    use crate::units::{ClockRate, MediaTime};

    /// Offers a picture of so many bytes; gives what became of its packets.
    fn offer(
        outflow: &mut Outflow,
        now: Instant,
        keyframe: bool,
        bytes: usize,
        begins: bool,
    ) -> Vec<Offered> {
        let timestamp = MediaTime { ticks: 0, rate: ClockRate::VIDEO };
        let picture = EncodedPicture { keyframe, data: vec![1; bytes].into(), timestamp, captured: now };
        let packets = Packetizer::new(VideoCodec::Vp8).packetize(&picture);
        let mut one = |(n, packet): (usize, &MediaPacket)| {
            let (offered, _) = outflow.offer(now, packet, begins && n == 0);
            if offered == Offered::Now {
                outflow.on_sent(now, None, packet.payload.len() + HEADERS, Kind::Video);
            }
            offered
        };
        packets.iter().enumerate().map(&mut one).collect()
    }

    /// Whether each packet that waits begins the stream anew, in order.
    fn waiting(outflow: &mut Outflow, from: Instant) -> Vec<bool> {
        let mut begins = Vec::new();
        for tick in 0..400 {
            let now = from + TICK * tick;
            while let Some(waiting) = outflow.poll(now) {
                let Waiting::Canvas { packet, begins: it } = waiting else { panic!("of no slot") };
                begins.push(it);
                outflow.on_sent(now, None, packet.payload.len(), Kind::Video);
            }
        }
        begins
    }

    #[test]
    fn what_is_given_up_for_a_key_frame_takes_no_beginning_along() {
        let now = Instant::now();
        let mut outflow = Outflow::new(now);
        outflow.on_remb(Bitrate::kbps(150));
        let all = |offered: Vec<Offered>, what: Offered| offered.iter().all(|it| *it == what);
        // Something is on its way; then the viewer is moved to another rendition, which waits.
        offer(&mut outflow, now, false, 5_000, false);
        assert!(all(offer(&mut outflow, now, true, 18_000, true), Offered::Waits));
        // Its next key frame finds no place behind it: what waits is given up, the first one with it.
        assert!(all(offer(&mut outflow, now, true, 12_000, false), Offered::Waits));
        let begins = waiting(&mut outflow, now);
        assert!(begins.len() > 8 && begins.iter().enumerate().all(|(n, it)| *it == (n == 0)), "{begins:?}");
    }

    #[test]
    fn after_what_was_dropped_the_stream_begins_anew() {
        let now = Instant::now();
        let mut outflow = Outflow::new(now);
        outflow.on_remb(Bitrate::kbps(150));
        assert_eq!(offer(&mut outflow, now, true, 50_000, true).last(), Some(&Offered::Dropped));
        assert!(offer(&mut outflow, now, false, 500, false).iter().all(|it| *it == Offered::Dropped));
        offer(&mut outflow, now, true, 5_000, false);
        assert_eq!(waiting(&mut outflow, now).first(), Some(&true));
    }
}
