//! The legs of a room: offers answered, keys agreed on, what each receives.
//!
//! in:  offers, what transports say, decrypted packets
//! out: answers; listeners of the mix and viewers of the canvas, who come with their keys and go with their legs

use super::canvas::FirstPicture;
use super::job::FeedKey;
use super::leg::{Leg, Spoken, Tuning};
use super::watching::Gate;
use super::{Event, LegEnd, Receive, Room, SERVICE_EVERY};
use crate::forward::{MediaPacket, Source, SourceId};
use crate::mix::audio::AudioInput;
use crate::sdp::Offer;
use crate::shard::Reach;
use crate::transport::{DataEvent, SendRefusal, TransportEvent};
use crate::units::{LegKey, MemberKey, TransportKey};

impl Room {
    pub(super) fn open_leg(
        &mut self,
        reach: &mut Reach<'_>,
        member: MemberKey,
        key: LegKey,
        offer: &Offer,
        bundle: bool,
        receive: Receive,
    ) {
        let room = self.key;
        let Some(owner) = self.members.get_mut(&member) else {
            let why = LegEnd::Refused("the member has left".to_owned());
            return reach.event(Event::LegEnded { room, leg: key, why });
        };
        let spoken = Spoken { codecs: self.video_codecs, stereo: self.sound.stereo };
        match Leg::open(reach, FeedKey { room, leg: key }, member, offer, bundle, spoken, receive) {
            Ok((leg, sdp)) => {
                let too_many = owner.add_leg(key);
                if self.legs.is_empty() {
                    self.service_at = reach.next_multiple(SERVICE_EVERY);
                }
                self.legs.insert(key, leg);
                self.tiles.open(key, receive, self.canvas.size());
                if let Some(oldest) = too_many {
                    self.end_leg(reach, oldest, LegEnd::Superseded);
                }
                self.settle_succession(reach, member);
                reach.event(Event::LegAnswered { room, leg: key, sdp });
            }
            Err(error) => {
                let why = LegEnd::Refused(error.to_string());
                reach.event(Event::LegEnded { room, leg: key, why });
            }
        }
        self.arrangement.touch();
    }

    pub(super) fn reoffer_leg(&mut self, reach: &mut Reach<'_>, key: LegKey, offer: &Offer) {
        let room = self.key;
        let Some(leg) = self.legs.get_mut(&key) else {
            let why = LegEnd::Refused("the leg has ended".to_owned());
            return reach.event(Event::LegEnded { room, leg: key, why });
        };
        let (member, before) = (leg.member(), leg.tuning());
        match leg.reoffer(reach, FeedKey { room, leg: key }, offer) {
            Ok(sdp) => {
                reach.event(Event::LegAnswered { room, leg: key, sdp });
                self.retune(reach, key, before);
                self.settle_succession(reach, member);
                self.arrangement.touch();
            }
            Err(error) => {
                let why = LegEnd::Refused(error.to_string());
                self.close_leg(reach, key);
                reach.event(Event::LegEnded { room, leg: key, why });
            }
        }
    }

    pub(super) fn close_leg(&mut self, reach: &mut Reach<'_>, key: LegKey) {
        let Some(mut leg) = self.legs.remove(&key) else { return };
        leg.close(reach);
        reach.counters.lost_in += leg.lost_in();
        self.tiles.close(key);
        self.passing.forget(key);
        self.forget_sources(key);
        reach.audio(AudioInput::RemoveListener { room: self.key, leg: key });
        self.canvas.unwatch(key);
        if let Some(owner) = self.members.get_mut(&leg.member()) {
            owner.remove_leg(key);
        }
        self.settle_succession(reach, leg.member());
        self.arrangement.touch();
    }

    /// The leg is over, and not because somebody asked.
    pub(super) fn end_leg(&mut self, reach: &mut Reach<'_>, key: LegKey, why: LegEnd) {
        self.close_leg(reach, key);
        reach.event(Event::LegEnded { room: self.key, leg: key, why });
    }

    /// A decrypted RTP packet of one of our legs; `size` on the wire.
    pub(crate) fn on_rtp(
        &mut self,
        reach: &mut Reach<'_>,
        key: LegKey,
        transport: TransportKey,
        packet: &[u8],
        size: usize,
    ) {
        let Some(leg) = self.legs.get_mut(&key) else { return };
        let ingest = leg.on_rtp(reach, transport, packet, size);
        if let Some((encoding, arrival)) = &ingest.video {
            self.forward(reach, SourceId { leg: key, encoding: *encoding }, arrival);
        }
        if let Some(heard) = &ingest.sound {
            self.pass_on(reach, key, heard);
        }
        if ingest.appeared {
            self.on_camera_changed(reach, key);
        }
    }

    /// A decrypted compound RTCP packet of one of our legs.
    pub(crate) fn on_rtcp(&mut self, reach: &mut Reach<'_>, key: LegKey, packet: &[u8]) {
        let Some(leg) = self.legs.get_mut(&key) else { return };
        let passed = self.passing.passed_to(key);
        let cache = match passed {
            Some(id) => self.sources.get(&id).map(Source::cache),
            None => self.canvas.cache(key),
        };
        let mut wants = leg.on_rtcp(reach, packet, cache, &self.sources);
        if let Some(id) = passed.filter(|_| std::mem::take(&mut wants.canvas) && !wants.repaired) {
            wants.sources.push(id);
        }
        if wants.canvas {
            let rtt = leg.rtt();
            if let Some((_, packets)) = self.canvas.on_loss(reach.now, key, wants.repaired, rtt) {
                self.send_again(reach, key, &packets);
            }
        }
        for SourceId { leg, encoding } in wants.sources {
            if let Some(publisher) = self.legs.get_mut(&leg) {
                publisher.request_keyframe(reach, encoding);
            }
        }
    }

    /// Data channels are on the transport that carries everything; a refusal is told as it happens to a channel.
    pub(super) fn on_data_action(
        &mut self,
        reach: &mut Reach<'_>,
        leg: LegKey,
        label: &str,
        act: impl FnOnce(&mut Reach<'_>, TransportKey) -> Result<(), SendRefusal>,
    ) {
        let transport = self.legs.get(&leg).and_then(|leg| leg.links().iter().next());
        let acted = match transport.map(|link| link.transport) {
            Some(transport) => act(reach, transport),
            None => Err(SendRefusal::NoChannel),
        };
        if let Err(why) = acted {
            let data = DataEvent::Refused { label: label.to_owned(), why };
            reach.event(Event::Data { room: self.key, leg, data });
        }
    }

    /// Gives a viewer a young key frame and what came behind it.
    pub(super) fn send_again(&mut self, reach: &mut Reach<'_>, key: LegKey, packets: &[MediaPacket]) {
        let Some(leg) = self.legs.get_mut(&key) else { return };
        let Some(rendition) = self.canvas.awaited(key) else { return };
        for packet in packets {
            if !self.passing.gives_way(key, packet) {
                continue;
            }
            let sent = match self.canvas.gate(reach.now, key, rendition, packet) {
                Gate::Send => leg.send_video(reach, packet, false),
                Gate::Begin => {
                    self.passing.canvas_begun(key);
                    leg.send_video(reach, packet, true)
                }
                Gate::Drop => true,
            };
            if !sent {
                self.canvas.on_given_up(key);
            }
        }
    }

    pub(crate) fn on_transport(
        &mut self,
        reach: &mut Reach<'_>,
        key: LegKey,
        transport: TransportKey,
        event: TransportEvent,
    ) {
        match event {
            TransportEvent::PathOpen(_) | TransportEvent::PathMoved(_) => {}
            TransportEvent::Keyed(_) => {
                let Some(leg) = self.legs.get_mut(&key) else { return };
                let before = leg.tuning();
                if let Some(took) = leg.on_keyed(reach.now, transport) {
                    reach.event(Event::LegConnected { room: self.key, leg: key, took });
                }
                self.retune(reach, key, before);
            }
            TransportEvent::Closed => self.end_leg(reach, key, LegEnd::PeerClosed),
            TransportEvent::Failed(why) => self.end_leg(reach, key, LegEnd::HandshakeFailed(why)),
            TransportEvent::Data(data) => reach.event(Event::Data { room: self.key, leg: key, data }),
        }
        self.rearrange(reach);
    }

    /// Follows a change of what a leg receives: the mix, the canvas.
    fn retune(&mut self, reach: &mut Reach<'_>, key: LegKey, before: Tuning) {
        let room = self.key;
        let Some(leg) = self.legs.get_mut(&key) else { return };
        let after = leg.tuning();
        match (before.hears, after.hears) {
            (true, true) if before.stereo == after.stereo => {}
            (_, true) => {
                let (member, stereo) = (Some(leg.member()), after.stereo);
                reach.audio(AudioInput::AddListener { room, leg: key, member, stereo });
            }
            (true, false) => reach.audio(AudioInput::RemoveListener { room, leg: key }),
            (false, false) => {}
        }
        if before.watches == after.watches {
            return;
        }
        self.tiles_stale = true;
        self.canvas.unwatch(key);
        if let Some(codec) = after.watches
            && let FirstPicture::Cached(packets) = self.canvas.watch(reach.now, key, codec)
        {
            self.send_again(reach, key, &packets);
        }
    }
}
