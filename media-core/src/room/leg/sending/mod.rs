//! What a leg sends: its two streams, and those of its slots.
//!
//! in:  packets of the mix, of its rendition and of the encodings its slots show; reports and requests of the peer
//! out: RTP, retransmissions, sender reports
//!
//! ```text
//!   mix, canvas ───────────► Streams ────┐
//!   encodings of cameras ──► VideoSlots ─┼─► RTP, SR      NACKs go back to whose stream it is,
//!   sound of members ──────► VoiceSlots ─┘                reports to all of them
//! ```

mod slots;
mod streams;
mod voices;

use std::sync::Arc;
use std::time::{Duration, Instant};

use self::slots::VideoSlots;
use self::streams::Streams;
use self::voices::VoiceSlots;
use super::answer::Terms;
use super::links::{Link, Links};
use super::outflow::{Outflow, Waiting};
use crate::bandwidth::Kind;
use crate::forward::{Gate, Offered, PayloadTypes, RtpSender, SenderConfig, Source, SourceId, Start};
use crate::room::sources::Sources;
use crate::rtcp::{self, ReportBlock};
use crate::rtp::ExtId;
use crate::sdp::{LocalMedia, NegotiatedMedia};
use crate::shard::{Ids, Reach};
use crate::units::{ClockRate, MediaKind, Ssrc};

/// A probe sends no more packets than this in one turn.
const PROBE_PACKETS: u16 = 32;
/// For less than this padding will do, which comes in packets of up to 255 bytes.
const WORTH_REPEATING: usize = 400;

/// The streams of a leg, as far as the peer receives them.
pub(crate) struct Sending {
    /// As everybody has them.
    pub(super) streams: Streams,
    /// Of a tile leg: for pictures …
    pub(super) slots: VideoSlots,
    /// … and for sound.
    pub(super) voices: VoiceSlots,
    own: Ssrc,
    cname: Arc<str>,
    epoch: Instant,
}

/// What a report or request of the peer is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The stream of the canvas.
    Canvas,
    /// A slot, and the encoding that it shows or waits for.
    Slot(Option<SourceId>),
}

impl Sending {
    /// `epoch`: the moment that times of sending count from.
    pub(crate) fn new(ids: &mut Ids, epoch: Instant, terms: &Terms) -> Self {
        let own = terms.locals().map(|local| local.ssrc).next();
        let mut sending = Self {
            streams: Streams::default(),
            slots: VideoSlots::default(),
            voices: VoiceSlots::default(),
            own: own.unwrap_or(Ssrc(1)),
            cname: terms.cname(),
            epoch,
        };
        sending.renew(ids, terms);
        sending
    }

    /// Takes what was negotiated anew. Streams that stay go on.
    pub(crate) fn renew(&mut self, ids: &mut Ids, terms: &Terms) {
        let mut birth = Birth { ids, epoch: self.epoch, cname: terms.cname() };
        self.streams.renew(&mut birth, terms);
        self.slots.renew(&mut birth, terms);
        self.voices.renew(&mut birth, terms);
    }

    /// Whom a request for `media` is about.
    pub(crate) fn subject(&self, media: Ssrc) -> Option<Subject> {
        if self.streams.is_video(media) {
            return Some(Subject::Canvas);
        }
        self.slots.chosen_in(media).map(Subject::Slot)
    }

    /// In whose name feedback is sent that belongs to no stream.
    pub(crate) fn own(&self) -> Ssrc {
        self.own
    }

    /// Round trip to the peer, from its reports.
    pub(crate) fn rtt(&self) -> Option<Duration> {
        let senders = self.streams.senders().chain(self.slots.senders()).chain(self.voices.senders());
        senders.into_iter().find_map(|sender| sender.stats().rtt)
    }

    /// Sends what has waited long enough, and what a probe wants. Gives whether a slot began to show another encoding.
    pub(crate) fn flush(
        &mut self,
        reach: &mut Reach<'_>,
        links: &mut Links,
        outflow: &mut Outflow,
        sources: &Sources,
    ) -> bool {
        let mut began = false;
        while let Some(waiting) = outflow.poll(reach.now) {
            match waiting {
                Waiting::Canvas { packet, begins } => {
                    self.streams.put_video(reach, links, outflow, &packet, begins);
                }
                Waiting::Slot { slot, from, codec, packet } => {
                    let layering = packet.layering(codec);
                    let offered = Offered { from, codec, packet: &packet, layering: &layering };
                    let gate = self.slots.put(reach, links, outflow, slot, &offered);
                    began |= gate == Gate::Began;
                }
            }
        }
        self.probe(reach, links, outflow, sources);
        began
    }

    /// Sends what a probe wants now: the latest packets of a slot again where they are at hand, else padding.
    fn probe(&mut self, reach: &mut Reach<'_>, links: &mut Links, outflow: &mut Outflow, sources: &Sources) {
        if outflow.padding_due(reach.now) == 0 {
            return;
        }
        let slots = links.slots().filter(|link| link.is_keyed()).map(|link| link.transport);
        let Some(transport) = links.carrying(MediaKind::Video).or(slots) else { return };
        let video = self.streams.sender(MediaKind::Video).map(|sender| (None, sender));
        // The first one that has a stream for it.
        let mut senders = video.into_iter().chain(self.slots.active_senders_mut());
        let Some((shown, sender)) = senders.find(|(_, sender)| sender.can_pad()) else { return };
        let cache = shown.and_then(|id| sources.get(&id)).map(Source::cache);
        for nth in 0..PROBE_PACKETS {
            let due = outflow.padding_due(reach.now);
            if due == 0 || !outflow.admits(reach.now, Kind::Padding) {
                return;
            }
            reach.scratch.clear();
            let number = links.next_out(sender);
            let again = cache.filter(|_| due >= WORTH_REPEATING);
            let repeated =
                again.is_some_and(|cache| sender.repeat_latest(reach.now, nth, cache, number, reach.scratch));
            if !repeated && !sender.pad(reach.now, due, number, reach.scratch) {
                return;
            }
            let Some(size) = reach.send_rtp(transport) else { return };
            links.sent(number);
            outflow.on_sent(reach.now, number, size, Kind::Padding);
            reach.counters.padding_out.count(size);
        }
    }

    pub(crate) fn on_report(&mut self, reach: &Reach<'_>, block: &ReportBlock) {
        for kind in [MediaKind::Audio, MediaKind::Video] {
            if let Some(sender) = self.streams.sender(kind) {
                sender.handle_report(reach.ntp(), block);
            }
        }
        for sender in self.slots.senders_mut().chain(self.voices.senders_mut()) {
            sender.handle_report(reach.ntp(), block);
        }
    }

    /// Sends what is due on one transport: sender reports, and `blocks` about what it receives.
    pub(crate) fn report(&mut self, reach: &mut Reach<'_>, link: &Link, mut blocks: Vec<ReportBlock>) {
        reach.scratch.clear();
        let ntp = reach.ntp();
        for &kind in link.kinds() {
            if let Some(sender) = self.streams.sender(kind)
                && sender.poll_report(reach.now, ntp, &blocks, reach.scratch)
            {
                blocks.clear();
            }
        }
        if link.carries_slots() {
            self.report_slots(reach, &mut blocks);
        }
        if !blocks.is_empty() {
            // RFC 3550 §6.1: a compound carries the canonical name.
            rtcp::write_receiver_report(reach.scratch, self.own, &blocks);
            rtcp::write_sdes(reach.scratch, self.own, &self.cname);
        }
        if !reach.scratch.is_empty() {
            reach.send_rtcp(link.transport);
        }
    }

    /// Appends the sender reports of the slots that are due. Those of pictures say when they are heard, not when they came:
    /// the mix waits for late packets, and lips with it.
    fn report_slots(&mut self, reach: &mut Reach<'_>, blocks: &mut Vec<ReportBlock>) {
        let ntp = reach.ntp();
        for sender in self.slots.senders_mut().chain(self.voices.senders_mut()) {
            if sender.poll_report(reach.now, ntp, blocks, reach.scratch) {
                blocks.clear();
            }
        }
    }
}

fn payload(section: &NegotiatedMedia) -> PayloadTypes {
    PayloadTypes { pt: section.send.pt, rtx: section.send.rtx }
}

/// What a stream begins with besides what was negotiated of it.
struct Birth<'a> {
    ids: &'a mut Ids,
    /// Times of sending count from here.
    epoch: Instant,
    cname: Arc<str>,
}

impl Birth<'_> {
    fn sender(&mut self, section: &NegotiatedMedia, local: &LocalMedia, rate: ClockRate) -> RtpSender {
        let extensions = section.extensions;
        RtpSender::new(SenderConfig {
            kind: section.kind,
            rate,
            ssrc: local.ssrc,
            rtx_ssrc: local.rtx,
            payload: payload(section),
            transport_cc: extensions.transport_cc.map(ExtId),
            abs_send_time: extensions.abs_send_time.map(|id| (ExtId(id), self.epoch)),
            onward: extensions.onward(),
            mid: extensions.mid.map(|id| (ExtId(id), section.mid.clone())),
            cname: Arc::clone(&self.cname),
            start: Start {
                seq: self.ids.first_number(),
                rtx_seq: self.ids.first_number(),
                timestamp: self.ids.ssrc().0,
                picture_id: self.ids.first_number(),
            },
        })
    }
}
