//! Answers an offer: negotiates, opens the transports, writes the SDP.
//!
//! in:  an offer, whether sections may share a transport, what the leg receives
//! out: what was negotiated, one transport for the leg or one per section, our streams, the answer

use std::sync::Arc;

use super::links::{Link, Links};
use crate::room::{Receive, TileAudio, TileConfig};
use crate::sdp::{
    Answer, LocalData, LocalMedia, Negotiated, NegotiatedMedia, Offer, Origin, Policy, SdpError,
    SectionOrder, SlotPolicy, negotiate, write_answer,
};
use crate::shard::{Ids, Reach};
use crate::transport::{LocalIce, MESSAGE_MAX, PeerSetup, RemoteIce};
use crate::units::{MediaKind, VideoCodec, VideoCodecs};

/// Whether a leg on one transport could answer this offer in a room that takes every codec there is, and else why not:
/// asked before there is a leg, or a member.
///
/// # Errors
/// What the answer would fail with.
pub fn check_offer(offer: &Offer) -> Result<(), SdpError> {
    let spoken = Spoken { codecs: VideoCodec::ALL.into_iter().collect(), stereo: false };
    negotiate(offer, &policy(offer, true, spoken, Receive::Canvas)).map(drop)
}

/// In `a=max-message-size`.
#[allow(clippy::cast_possible_truncation, reason = "65536")]
const MESSAGE_SIZE: u32 = MESSAGE_MAX as u32;

/// What the legs of a room may speak.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spoken {
    pub(crate) codecs: VideoCodecs,
    /// The mix comes in two channels to those who ask for it.
    pub(crate) stereo: bool,
}

/// What stays the same over all answers of a leg.
pub(crate) struct Terms {
    pub(crate) negotiated: Negotiated,
    pub(crate) audio: Option<LocalMedia>,
    pub(crate) video: Option<LocalMedia>,
    /// By the numbers of the slots.
    pub(crate) video_slots: Vec<LocalMedia>,
    pub(crate) audio_slots: Vec<LocalMedia>,
    data: Option<LocalData>,
    policy: Policy,
    /// It receives one member only.
    one_stream: bool,
    origin: Origin,
    name: Arc<str>,
}

impl Terms {
    /// Agrees on the first offer. The links come in the order of the sections; one serves all when bundled.
    pub(crate) fn agree(
        reach: &mut Reach<'_>,
        offer: &Offer,
        bundle: bool,
        spoken: Spoken,
        receive: Receive,
    ) -> Result<(Self, Links), SdpError> {
        let policy = policy(offer, bundle, spoken, receive);
        let negotiated = negotiate(offer, &policy)?;
        // A session id is at most 63 bits and read as a signed number by some (RFC 9429 §5.2.1).
        let origin = Origin { session_id: reach.ids.next() >> 2, version: 1 };
        let name = format!("signalbox-{}", origin.session_id).into();
        let mut terms = Self {
            policy: Policy { bundle: negotiated.bundled, ..policy },
            negotiated,
            audio: None,
            video: None,
            video_slots: Vec::new(),
            audio_slots: Vec::new(),
            one_stream: matches!(receive, Receive::Member(_)),
            data: None,
            origin,
            name,
        };
        let mut links = Links::new();
        terms.open_new_sections(reach, &mut links);
        Ok((terms, links))
    }

    /// Agrees on a later offer of the same peer connection. Sections that stay keep their transports, with DTLS and SRTP
    /// as they are, and slots their streams; new ones get theirs, ended ones lose theirs.
    pub(crate) fn renew(
        &mut self,
        reach: &mut Reach<'_>,
        offer: &Offer,
        links: &mut Links,
    ) -> Result<(), SdpError> {
        let next = self.negotiated.renew(offer, &self.policy)?;
        if next.bundled != self.negotiated.bundled {
            return Err(SdpError::BundleChanged);
        }
        let former = std::mem::replace(&mut self.negotiated, next);
        self.close_ended_sections(reach, links);
        self.restart_ice(reach, links, &former);
        self.open_new_sections(reach, links);
        self.origin.version += 1;
        Ok(())
    }

    fn open_new_sections(&mut self, reach: &mut Reach<'_>, links: &mut Links) {
        let shared = self.negotiated.bundled.then(|| self.shared_transport(reach, links)).flatten();
        for kind in [MediaKind::Audio, MediaKind::Video] {
            if self.local(kind).is_some() {
                continue;
            }
            let Some(section) = section(&self.negotiated, kind) else { continue };
            let ice = match &shared {
                Some(ice) => {
                    links.share_first(kind);
                    ice.clone()
                }
                None => {
                    let setup = PeerSetup { remote: section.ice.clone(), fingerprint: section.fingerprint };
                    let (transport, local) = reach.transports.open(setup);
                    links.add(transport, kind);
                    local
                }
            };
            let local = streams(reach.ids, section, ice);
            *self.local(kind) = Some(local);
        }
        let Some(ice) = shared else { return };
        let Negotiated { video_slots, audio_slots, .. } = &self.negotiated;
        for (slots, locals) in [(video_slots, &mut self.video_slots), (audio_slots, &mut self.audio_slots)] {
            for section in slots.iter().skip(locals.len()) {
                locals.push(streams(reach.ids, section, ice.clone()));
                links.share_first_with_slots();
            }
        }
        let first = links.iter().next().map(|link| link.transport);
        if let (Some(theirs), None, Some(transport)) = (&self.negotiated.data, &self.data, first) {
            let peer_takes = match theirs.max_message_size {
                0 => MESSAGE_MAX,
                most => usize::try_from(most).unwrap_or(MESSAGE_MAX),
            };
            reach.transports.expect_data(transport, peer_takes);
            links.share_first_with_slots();
            self.data = Some(LocalData { ice, max_message_size: MESSAGE_SIZE });
        }
    }

    /// Our end of the transport of all sections; opens it for the first of them.
    fn shared_transport(&self, reach: &mut Reach<'_>, links: &mut Links) -> Option<LocalIce> {
        if let Some(local) = self.locals().next() {
            return Some(local.ice.clone());
        }
        let (remote, fingerprint) = self.negotiated.peer(self.negotiated.group.first()?)?;
        let (transport, local) = reach.transports.open(PeerSetup { remote: remote.clone(), fingerprint });
        links.add_shared(transport);
        Some(local)
    }

    fn close_ended_sections(&mut self, reach: &mut Reach<'_>, links: &mut Links) {
        for kind in [MediaKind::Audio, MediaKind::Video] {
            if section(&self.negotiated, kind).is_some() || self.local(kind).take().is_none() {
                continue;
            }
            if let Some(transport) = links.end_section(kind) {
                reach.transports.close(reach.now, transport);
                reach.routes.remove(&transport);
            }
        }
    }

    /// New credentials for transports whose peer has new ones. Where it has the same as before it wants no restart, and
    /// an answer with others of ours would look like one (RFC 8839 §4.4.1.1.1).
    fn restart_ice(&mut self, reach: &mut Reach<'_>, links: &Links, former: &Negotiated) {
        for link in links.iter() {
            let before = speaker(former, link);
            let Some(after) = speaker(&self.negotiated, link).cloned() else { continue };
            if before == Some(&after) {
                continue;
            }
            let Some(local) = reach.transports.restart_ice(link.transport, after) else { continue };
            if self.negotiated.bundled {
                self.locals_mut().for_each(|own| own.ice = local.clone());
                if let Some(own) = &mut self.data {
                    own.ice = local;
                }
                continue;
            }
            for &kind in link.kinds() {
                if let Some(own) = self.local(kind) {
                    own.ice = local.clone();
                }
            }
        }
    }

    /// What is ours in all sections.
    pub(crate) fn locals(&self) -> impl Iterator<Item = &LocalMedia> {
        self.audio.iter().chain(&self.video).chain(&self.video_slots).chain(&self.audio_slots)
    }

    fn locals_mut(&mut self) -> impl Iterator<Item = &mut LocalMedia> {
        let own = self.audio.iter_mut().chain(&mut self.video);
        own.chain(&mut self.video_slots).chain(&mut self.audio_slots)
    }

    fn local(&mut self, kind: MediaKind) -> &mut Option<LocalMedia> {
        match kind {
            MediaKind::Audio => &mut self.audio,
            MediaKind::Video => &mut self.video,
        }
    }

    /// RTCP canonical name, common to all streams.
    pub(crate) fn cname(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    /// The answer as it stands.
    pub(crate) fn write(&self, reach: &Reach<'_>) -> String {
        write_answer(&Answer {
            negotiated: &self.negotiated,
            origin: self.origin,
            fingerprint: *reach.transports.fingerprint(),
            candidates: reach.candidates,
            audio: self.audio.as_ref(),
            video: self.video.as_ref(),
            video_slots: &self.video_slots,
            audio_slots: &self.audio_slots,
            data: self.data.as_ref(),
            cname: &self.name,
            stream: &self.name,
            one_stream: self.one_stream,
        })
    }
}

/// Only clients that draw themselves talk by data channels.
fn takes_data(receive: Receive) -> bool {
    match receive {
        Receive::Tiles(_) => true,
        Receive::Canvas | Receive::Member(_) => false,
    }
}

/// A canvas leg, and one of a single member, have one section of each kind; the one who draws tiles has many.
fn policy(offer: &Offer, bundle: bool, spoken: Spoken, receive: Receive) -> Policy {
    let slots = match receive {
        Receive::Canvas => None,
        Receive::Member(_) => Some(SlotPolicy { video: 1, audio: 1 }),
        Receive::Tiles(TileConfig { video_slots: video, audio: TileAudio::Mix }) => {
            Some(SlotPolicy { video, audio: 0 })
        }
        Receive::Tiles(TileConfig { video_slots: video, audio: TileAudio::Slots(audio) }) => {
            Some(SlotPolicy { video, audio })
        }
    };
    let mut video: Vec<VideoCodec> = spoken.codecs.iter().collect();
    if slots.is_some() {
        // The others have temporal ids, by which a viewer's stream becomes smaller without another encoding.
        video.sort_by_key(|codec| *codec == VideoCodec::H264);
    }
    Policy {
        video,
        bundle,
        slots,
        // The SDKs never offer it.
        simulcast: offer.order == SectionOrder::AsOffered,
        // SDK legs have several transports, and no use for it.
        data: takes_data(receive),
        stereo: spoken.stereo,
    }
}

/// New streams of ours for a section.
fn streams(ids: &mut Ids, section: &NegotiatedMedia, ice: LocalIce) -> LocalMedia {
    let rtx = section.receive.iter().any(|payload| payload.rtx.is_some()).then(|| ids.ssrc());
    LocalMedia { ice, ssrc: ids.ssrc(), rtx }
}

fn section(negotiated: &Negotiated, kind: MediaKind) -> Option<&NegotiatedMedia> {
    match kind {
        MediaKind::Audio => negotiated.audio.as_ref(),
        MediaKind::Video => negotiated.video.as_ref(),
    }
}

/// The offerer's credentials for a link: those of its section, or, bundled, of the one named first in the group (RFC 9143
/// §7.3.1).
fn speaker<'a>(negotiated: &'a Negotiated, link: &Link) -> Option<&'a RemoteIce> {
    if negotiated.bundled {
        return negotiated.peer(negotiated.group.first()?).map(|(ice, _)| ice);
    }
    link.kinds().first().and_then(|kind| section(negotiated, *kind)).map(|section| &section.ice)
}
