//! One leg: a negotiated call of a member, over one transport or one per section.
//!
//! in:  RTP and RTCP of its transports, packets of the mix and of its rendition
//! out: audio packets for the mix, decode jobs, RTP and RTCP for the peer
//!
//! ```text
//!   Connecting ── all transports keyed ──► Connected
//!       └── not within CONNECT_WITHIN ──► overdue: the room ends it
//! ```

mod answer;
mod links;
mod liveness;
mod receiving;
mod sending;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use self::answer::Terms;
use self::links::Links;
use self::liveness::Watch;
pub(crate) use self::receiving::Attention;
use self::receiving::Receiving;
use self::sending::Sending;
use super::command::Receive;
use super::event::Liveness;
use super::job::{DecoderSlot, FeedKey};
use crate::codec::{CodecError, Picture};
use crate::forward::{MediaPacket, PacketCache};
use crate::rtcp::{self, Packet};
use crate::sdp::{Offer, SdpError};
use crate::shard::Reach;
use crate::units::{MediaKind, MediaTime, MemberKey, TransportKey, VideoCodec, VideoCodecs};

/// A browser that has our answer needs a fraction of a second; a lost one holds its place no longer than this.
const CONNECT_WITHIN: Duration = Duration::from_secs(15);
/// RFC 3550 §6.2 allows 5 s; lip sync and loss figures want it sooner.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// See the module.
pub(crate) struct Leg {
    member: MemberKey,
    terms: Terms,
    links: Links,
    state: State,
    watch: Watch,
    receiving: Receiving,
    sending: Sending,
    report_at: Instant,
}

/// What a leg receives of its room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tuning {
    /// The mix.
    pub(crate) hears: bool,
    /// The canvas, so encoded.
    pub(crate) watches: Option<VideoCodec>,
}

enum State {
    Connecting { since: Instant },
    Connected,
}

impl Leg {
    /// Answers the first offer of a leg; gives the SDP.
    pub(crate) fn open(
        reach: &mut Reach<'_>,
        key: FeedKey,
        member: MemberKey,
        offer: &Offer,
        bundle: bool,
        codecs: VideoCodecs,
        receive: Receive,
    ) -> Result<(Self, String), SdpError> {
        let (terms, links) = Terms::agree(reach, offer, bundle, codecs, receive)?;
        for link in links.iter() {
            reach.routes.insert(link.transport, (key.room, key.leg));
        }
        let sdp = terms.write(reach);
        let sending = Sending::new(reach.ids, &terms);
        let leg = Self {
            member,
            receiving: Receiving::new(reach.now, key, member, sending.own(), &terms.negotiated),
            sending,
            links,
            terms,
            state: State::Connecting { since: reach.now },
            watch: Watch::default(),
            report_at: reach.now + REPORT_EVERY,
        };
        Ok((leg, sdp))
    }

    /// Answers a later offer of the same peer connection: ICE restarts, sections and directions that change.
    pub(crate) fn reoffer(
        &mut self,
        reach: &mut Reach<'_>,
        key: FeedKey,
        offer: &Offer,
    ) -> Result<String, SdpError> {
        self.terms.renew(reach, offer, &mut self.links)?;
        for link in self.links.iter() {
            reach.routes.insert(link.transport, (key.room, key.leg));
        }
        self.receiving.renew(&self.terms.negotiated);
        self.sending.renew(reach.ids, &self.terms);
        Ok(self.terms.write(reach))
    }

    pub(crate) fn close(&mut self, reach: &mut Reach<'_>) {
        for link in self.links.iter() {
            reach.transports.close(reach.now, link.transport);
            reach.routes.remove(&link.transport);
        }
    }

    pub(crate) fn member(&self) -> MemberKey {
        self.member
    }

    /// Takes note of a transport's keys; gives the time since the offer when it was the last one missing.
    pub(crate) fn on_keyed(&mut self, now: Instant, transport: TransportKey) -> Option<Duration> {
        let all_keyed = self.links.on_keyed(transport);
        match self.state {
            State::Connecting { since } if all_keyed => {
                self.state = State::Connected;
                Some(now.saturating_duration_since(since))
            }
            State::Connecting { .. } | State::Connected => None,
        }
    }

    /// It has been given enough time to connect and has not.
    pub(crate) fn is_overdue(&self, now: Instant) -> bool {
        match self.state {
            State::Connecting { since } => now.saturating_duration_since(since) >= CONNECT_WITHIN,
            State::Connected => false,
        }
    }

    fn is_connected(&self) -> bool {
        matches!(self.state, State::Connected)
    }

    /// What it receives of the room now.
    pub(crate) fn tuning(&self) -> Tuning {
        Tuning { hears: self.hears(), watches: self.watches() }
    }

    /// It receives the mix. From the first keys on: to the SDKs two seconds without packets are a dead connection.
    fn hears(&self) -> bool {
        self.links.is_keyed(MediaKind::Audio) && self.sending.has_audio()
    }

    /// The rendition it receives.
    pub(crate) fn watches(&self) -> Option<VideoCodec> {
        self.sending.video_codec().filter(|_| self.links.is_keyed(MediaKind::Video))
    }

    pub(crate) fn on_rtp(
        &mut self,
        reach: &mut Reach<'_>,
        transport: TransportKey,
        packet: &[u8],
        size: usize,
    ) {
        self.receiving.on_rtp(reach, &mut self.links, transport, packet, size);
        self.send_feedback(reach);
    }

    /// True when the viewer cannot go on without a key frame. `cache` holds the packets it may miss.
    pub(crate) fn on_rtcp(
        &mut self,
        reach: &mut Reach<'_>,
        packet: &[u8],
        cache: Option<&PacketCache>,
    ) -> bool {
        let mut wants_key = false;
        for packet in rtcp::packets(packet) {
            match packet {
                Packet::SenderReport { info, blocks } => {
                    self.receiving.on_sender_report(reach.now, info);
                    blocks.for_each(|block| self.sending.on_report(reach, &block));
                }
                Packet::ReceiverReport { blocks, .. } => {
                    blocks.for_each(|block| self.sending.on_report(reach, &block));
                }
                Packet::Nack { media, lost, .. } => {
                    if let Some(cache) = cache {
                        self.sending.retransmit(reach, &mut self.links, media, lost, cache);
                    }
                }
                Packet::Pli { media, .. } => wants_key |= self.sending.is_video(media),
                Packet::Fir { mut entries, .. } => {
                    wants_key |= entries.any(|(media, _)| self.sending.is_video(media));
                }
                // Whoever sends it asks for nothing: silence and close_notify tell that a peer is gone, and the
                // bandwidth of a canvas leg is not estimated yet.
                Packet::Bye(_) | Packet::TransportCc(_) | Packet::Remb(_) => {}
            }
        }
        wants_key
    }

    pub(crate) fn on_decoded(
        &mut self,
        reach: &mut Reach<'_>,
        decoder: DecoderSlot,
        timestamp: MediaTime,
        result: Result<Option<Arc<Picture>>, CodecError>,
    ) -> bool {
        let first = self.receiving.on_decoded(reach, decoder, timestamp, result);
        self.send_feedback(reach);
        first
    }

    /// The member's own audio with `timestamp` is heard at `at`.
    pub(crate) fn on_playing(&mut self, timestamp: MediaTime, at: Instant) {
        self.receiving.on_playing(timestamp, at);
    }

    pub(crate) fn set_microphone(&mut self, attention: Attention) {
        self.receiving.set_microphone(attention);
    }

    pub(crate) fn set_camera(&mut self, reach: &mut Reach<'_>, attention: Attention) {
        self.receiving.set_camera(reach.now, attention);
        self.send_feedback(reach);
    }

    /// Sound has come of it.
    pub(crate) fn has_sound(&self) -> bool {
        self.receiving.has_sound()
    }

    /// Its camera has been shown, and still could be.
    pub(crate) fn has_shown(&self) -> bool {
        self.watch.now() == Liveness::Alive && self.receiving.has_shown()
    }

    /// The camera's picture due at `now`.
    pub(crate) fn picture(&mut self, now: Instant) -> Option<Arc<Picture>> {
        match self.watch.now() {
            Liveness::Alive => self.receiving.picture(now),
            Liveness::Stale | Liveness::Silent | Liveness::Gone => None,
        }
    }

    /// The camera has something to show.
    pub(crate) fn has_picture(&self) -> bool {
        self.watch.now() == Liveness::Alive && self.receiving.has_picture()
    }

    pub(crate) fn send_audio(
        &mut self,
        reach: &mut Reach<'_>,
        timestamp: MediaTime,
        at: Instant,
        payload: &Bytes,
    ) {
        self.sending.send_audio(reach, &mut self.links, timestamp, at, payload);
    }

    pub(crate) fn send_video(&mut self, reach: &mut Reach<'_>, packet: &MediaPacket) {
        self.sending.send_video(reach, &mut self.links, packet);
    }

    /// The periodic duties: feedback on what comes in, reports on what goes out.
    pub(crate) fn service(&mut self, reach: &mut Reach<'_>) {
        if !self.links.any_keyed() {
            return;
        }
        self.send_feedback(reach);
        self.links.send_arrivals(reach, self.sending.own());
        let due = self.report_at <= reach.now;
        if due {
            self.report_at = reach.now + REPORT_EVERY;
        }
        for link in self.links.iter() {
            let blocks = if due { self.receiving.report_blocks(reach.now, link) } else { Vec::new() };
            self.sending.report(reach, link, blocks);
        }
    }

    fn send_feedback(&mut self, reach: &mut Reach<'_>) {
        self.receiving.send_feedback(reach, &self.links, self.sending.rtt());
    }

    /// The new liveness when it is another than before.
    pub(crate) fn liveness_changed(&mut self, reach: &Reach<'_>) -> Option<Liveness> {
        if !self.is_connected() {
            return None;
        }
        let heard = self.links.iter().filter_map(|link| reach.transports.last_heard(link.transport)).max()?;
        let liveness = self.watch.update(reach.now, heard)?;
        if liveness != Liveness::Alive {
            self.receiving.forget_pictures();
        }
        Some(liveness)
    }

    /// Packets that never came.
    pub(crate) fn lost_in(&self) -> u64 {
        self.receiving.lost()
    }
}
