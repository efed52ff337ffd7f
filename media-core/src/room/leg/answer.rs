//! Answers an offer: negotiates, opens the transports, writes the SDP.
//!
//! in:  an offer, whether sections may share a transport
//! out: what was negotiated, one transport for the leg or one per section, our streams, the answer

use std::sync::Arc;

use super::links::Links;
use crate::sdp::{
    Answer, LocalMedia, Negotiated, NegotiatedMedia, Offer, Origin, Policy, SdpError, negotiate, write_answer,
};
use crate::shard::Reach;
use crate::transport::PeerSetup;
use crate::units::{MediaKind, VideoCodecs};

/// What stays the same over all answers of a leg.
pub(crate) struct Terms {
    pub(crate) negotiated: Negotiated,
    pub(crate) audio: Option<LocalMedia>,
    pub(crate) video: Option<LocalMedia>,
    codecs: VideoCodecs,
    origin: Origin,
    name: Arc<str>,
}

impl Terms {
    /// Agrees on the first offer. The links come in the order of the sections; one serves all when bundled.
    pub(crate) fn agree(
        reach: &mut Reach<'_>,
        offer: &Offer,
        bundle: bool,
        codecs: VideoCodecs,
    ) -> Result<(Self, Links), SdpError> {
        let negotiated = negotiate(offer, &Policy { video: codecs.iter().collect(), bundle })?;
        // A session id is at most 63 bits and read as a signed number by some (RFC 9429 §5.2.1).
        let origin = Origin { session_id: reach.ids.next() >> 2, version: 1 };
        let name = format!("signalbox-{}", origin.session_id).into();
        let mut terms = Self { negotiated, audio: None, video: None, codecs, origin, name };
        let mut links = Links::new();
        terms.open_new_sections(reach, &mut links);
        Ok((terms, links))
    }

    /// Agrees on a later offer of the same peer connection. Sections that stay keep their transports, with DTLS and SRTP
    /// as they are; new ones get theirs, ended ones lose theirs.
    pub(crate) fn renew(
        &mut self,
        reach: &mut Reach<'_>,
        offer: &Offer,
        links: &mut Links,
    ) -> Result<(), SdpError> {
        let policy = Policy { video: self.codecs.iter().collect(), bundle: self.negotiated.bundled };
        let next = negotiate(offer, &policy)?;
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
        for kind in [MediaKind::Audio, MediaKind::Video] {
            if self.local(kind).is_some() {
                continue;
            }
            let Some(section) = section(&self.negotiated, kind) else { continue };
            let shared = [&self.audio, &self.video].into_iter().flatten().next();
            let ice = match shared.filter(|_| self.negotiated.bundled) {
                Some(shared) => {
                    links.share_first(kind);
                    shared.ice.clone()
                }
                None => {
                    let peer = speaker(&self.negotiated, kind).unwrap_or(section);
                    let setup = PeerSetup { remote: peer.ice.clone(), fingerprint: peer.fingerprint };
                    let (transport, local) = reach.transports.open(setup);
                    links.add(transport, kind);
                    local
                }
            };
            let rtx = section.send.rtx.map(|_| reach.ids.ssrc());
            *self.local(kind) = Some(LocalMedia { ice, ssrc: reach.ids.ssrc(), rtx });
        }
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
            let Some(&kind) = link.kinds().first() else { continue };
            let before = speaker(former, kind).map(|section| &section.ice);
            let Some(after) = speaker(&self.negotiated, kind).map(|section| section.ice.clone()) else {
                continue;
            };
            if before == Some(&after) {
                continue;
            }
            let Some(local) = reach.transports.restart_ice(link.transport, after) else { continue };
            for &kind in link.kinds() {
                if let Some(own) = self.local(kind) {
                    own.ice = local.clone();
                }
            }
        }
    }

    fn local(&mut self, kind: MediaKind) -> &mut Option<LocalMedia> {
        match kind {
            MediaKind::Audio => &mut self.audio,
            MediaKind::Video => &mut self.video,
        }
    }

    /// RTCP canonical name, common to both streams.
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
            cname: &self.name,
            stream: &self.name,
        })
    }
}

fn section(negotiated: &Negotiated, kind: MediaKind) -> Option<&NegotiatedMedia> {
    negotiated.sections().find(|section| section.kind == kind)
}

/// The section whose transport attributes hold for the transport of this one: itself, or, bundled, the one named first
/// in the group (RFC 9143 §7.3.1).
fn speaker(negotiated: &Negotiated, kind: MediaKind) -> Option<&NegotiatedMedia> {
    let own = section(negotiated, kind);
    if !negotiated.bundled {
        return own;
    }
    let first = negotiated.group.first();
    negotiated.sections().find(|section| first == Some(&section.mid)).or(own)
}
