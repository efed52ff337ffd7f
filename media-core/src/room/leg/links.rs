//! The transports of a leg, and what is numbered over all of them.
//!
//! in:  transport-wide sequence numbers of what arrives
//! out: feedback on them; the numbers of what is sent
//!
//! "Transport-wide" is wider than a transport: browsers keep one counter, and one record of arrivals, for a whole peer
//! connection, however many transports its sections have. Records kept per transport would report every packet of the
//! other one as lost, and the browser would send its camera at the least rate it has.

use std::time::Instant;

use crate::forward::RtpSender;
use crate::receive::TwccRecorder;
use crate::shard::Reach;
use crate::units::{MediaKind, Ssrc, TransportKey};

/// An ICE + DTLS + SRTP association.
pub(crate) struct Link {
    pub(crate) transport: TransportKey,
    /// The sections it carries.
    kinds: Vec<MediaKind>,
    /// It also carries slots, or data channels: these stay as long as the leg.
    slots: bool,
    keyed: bool,
}

impl Link {
    pub(crate) fn kinds(&self) -> &[MediaKind] {
        &self.kinds
    }

    pub(crate) fn carries(&self, kind: MediaKind) -> bool {
        self.kinds.contains(&kind)
    }

    /// It carries the slots.
    pub(crate) fn carries_slots(&self) -> bool {
        self.slots
    }

    /// It can be sent on.
    pub(crate) fn is_keyed(&self) -> bool {
        self.keyed
    }
}

/// All of them: one when bundled, else one per section.
pub(crate) struct Links {
    links: Vec<Link>,
    arrivals: TwccRecorder,
    next_out: u16,
}

impl Links {
    pub(crate) fn new() -> Self {
        Self { links: Vec::new(), arrivals: TwccRecorder::default(), next_out: 1 }
    }

    pub(crate) fn add(&mut self, transport: TransportKey, kind: MediaKind) {
        self.links.push(Link { transport, kinds: vec![kind], slots: false, keyed: false });
    }

    /// One for sections that are still to be named.
    pub(crate) fn add_shared(&mut self, transport: TransportKey) {
        self.links.push(Link { transport, kinds: Vec::new(), slots: false, keyed: false });
    }

    /// Bundled sections share the first transport.
    pub(crate) fn share_first(&mut self, kind: MediaKind) {
        if let Some(first) = self.links.first_mut() {
            first.kinds.push(kind);
        }
    }

    /// Slots share it too.
    pub(crate) fn share_first_with_slots(&mut self) {
        if let Some(first) = self.links.first_mut() {
            first.slots = true;
        }
    }

    /// The link that carries the slots.
    pub(crate) fn slots(&self) -> Option<&Link> {
        self.iter().find(|link| link.slots)
    }

    /// A section is no more; gives its transport when no other section uses it.
    pub(crate) fn end_section(&mut self, kind: MediaKind) -> Option<TransportKey> {
        let at = self.links.iter().position(|link| link.carries(kind))?;
        let link = self.links.get_mut(at)?;
        link.kinds.retain(|other| *other != kind);
        (link.kinds.is_empty() && !link.slots).then(|| self.links.remove(at).transport)
    }

    /// The transport of a section has keys.
    pub(crate) fn is_keyed(&self, kind: MediaKind) -> bool {
        self.iter().any(|link| link.keyed && link.carries(kind))
    }

    /// Something can be sent.
    pub(crate) fn any_keyed(&self) -> bool {
        self.iter().any(|link| link.keyed)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Link> {
        self.links.iter()
    }

    pub(crate) fn by_transport(&self, transport: TransportKey) -> Option<&Link> {
        self.iter().find(|link| link.transport == transport)
    }

    /// The transport of a section.
    pub(crate) fn carrying(&self, kind: MediaKind) -> Option<TransportKey> {
        self.iter().find(|link| link.carries(kind)).map(|link| link.transport)
    }

    /// Takes note that a transport has keys; true when all have.
    pub(crate) fn on_keyed(&mut self, transport: TransportKey) -> bool {
        if let Some(link) = self.links.iter_mut().find(|link| link.transport == transport) {
            link.keyed = true;
        }
        self.links.iter().all(|link| link.keyed)
    }

    /// The transport-wide number of the next packet, if its stream is numbered.
    pub(crate) fn next_out(&self, sender: &RtpSender) -> Option<u16> {
        sender.is_numbered().then_some(self.next_out)
    }

    /// A packet has left. A number without a packet would look like a loss.
    pub(crate) fn sent(&mut self, number: Option<u16>) {
        if number.is_some() {
            self.next_out = self.next_out.wrapping_add(1);
        }
    }

    pub(crate) fn arrived(&mut self, now: Instant, number: u16, media: Ssrc) {
        self.arrivals.handle_packet(now, media, number);
    }

    /// Sends what is due of the feedback; without it a browser's estimate starves at 300 kbit/s.
    pub(crate) fn send_arrivals(&mut self, reach: &mut Reach<'_>, own: Ssrc) {
        let Some(last) = self.links.last() else { return };
        reach.scratch.clear();
        while self.arrivals.poll_feedback(reach.now, own, reach.scratch) {
            reach.send_rtcp(last.transport);
            reach.scratch.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::rtcp::{Packet, packets};

    #[test]
    fn a_transport_lives_as_long_as_a_section_uses_it() {
        let (audio, video) = (MediaKind::Audio, MediaKind::Video);
        let mut bundled = Links::new();
        bundled.add(TransportKey(1), audio);
        bundled.share_first(video);
        assert!(!bundled.is_keyed(video));
        assert!(bundled.on_keyed(TransportKey(1)) && bundled.is_keyed(video));
        assert_eq!(bundled.end_section(video), None);
        assert_eq!((bundled.carrying(video), bundled.carrying(audio)), (None, Some(TransportKey(1))));
        assert_eq!(bundled.end_section(audio), Some(TransportKey(1)));

        let mut viewer = Links::new();
        viewer.add_shared(TransportKey(1));
        viewer.share_first_with_slots();
        viewer.share_first(video);
        assert_eq!(viewer.end_section(video), None, "slots stay");
        assert!(viewer.by_transport(TransportKey(1)).is_some());

        let mut apart = Links::new();
        apart.add(TransportKey(1), audio);
        assert!(apart.on_keyed(TransportKey(1)));
        apart.add(TransportKey(2), video);
        assert!(apart.is_keyed(audio) && !apart.is_keyed(video), "one that was added later has none yet");
        assert!(apart.on_keyed(TransportKey(2)) && apart.is_keyed(video));
        assert_eq!(apart.end_section(video), Some(TransportKey(2)));
        assert_eq!(apart.end_section(video), None);
    }

    #[test]
    fn sections_with_transports_of_their_own_are_recorded_as_one() {
        let start = Instant::now();
        let mut links = Links::new();
        links.add(TransportKey(1), MediaKind::Audio);
        links.add(TransportKey(2), MediaKind::Video);
        // Sound comes on one transport, pictures on the other; the browser counts them together.
        for number in 100..120_u16 {
            let media = if number % 5 == 0 { Ssrc(1) } else { Ssrc(2) };
            links.arrived(start + Duration::from_millis(u64::from(number - 100)), number, media);
        }
        let mut feedback = Vec::new();
        assert!(links.arrivals.poll_feedback(start + Duration::from_millis(100), Ssrc(9), &mut feedback));
        let Some(Packet::TransportCc(report)) = packets(&feedback).next() else { panic!("feedback") };
        assert_eq!((report.base(), report.count()), (100, 20));
        assert!(report.arrivals().all(|packet| packet.at_us.is_some()), "none is lost");
    }
}
