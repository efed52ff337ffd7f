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
use crate::transport::{LocalIce, PeerSetup, RemoteIce};
use crate::units::{MediaKind, Mid, VideoCodec};

/// H.264 first: a canvas costs less than half the CPU of VP8 to encode.
const VIDEO: [VideoCodec; 2] = [VideoCodec::H264, VideoCodec::Vp8];

/// What stays the same over all answers of a leg.
pub(crate) struct Terms {
    pub(crate) negotiated: Negotiated,
    pub(crate) audio: Option<LocalMedia>,
    pub(crate) video: Option<LocalMedia>,
    origin: Origin,
    name: Arc<str>,
}

impl Terms {
    /// Agrees on the first offer. The links come in the order of the sections; one serves all when bundled.
    pub(crate) fn agree(
        reach: &mut Reach<'_>,
        offer: &Offer,
        bundle: bool,
    ) -> Result<(Self, Links), SdpError> {
        let negotiated = negotiate(offer, &Policy { video: VIDEO.to_vec(), bundle })?;
        let mut links = Links::new();
        let mut ice: Option<LocalIce> = None;
        let mut own = |reach: &mut Reach<'_>, section: Option<&NegotiatedMedia>| {
            let section = section?;
            let ice = match &ice {
                Some(ice) if negotiated.bundled => {
                    links.share_first(section.kind);
                    ice.clone()
                }
                _ => {
                    // Bundled, the section named first in the group speaks for the transport (RFC 9143 §7.3.1).
                    let named = if negotiated.bundled { tagged(&negotiated) } else { None };
                    let peer = named.unwrap_or(section);
                    let setup = PeerSetup { remote: peer.ice.clone(), fingerprint: peer.fingerprint };
                    let (transport, local) = reach.transports.open(setup);
                    links.add(transport, section.kind);
                    ice = Some(local.clone());
                    local
                }
            };
            let rtx = section.send.rtx.map(|_| reach.ids.ssrc());
            Some(LocalMedia { ice, ssrc: reach.ids.ssrc(), rtx })
        };
        let audio = own(reach, negotiated.audio.as_ref());
        let video = own(reach, negotiated.video.as_ref());
        // A session id is at most 63 bits and read as a signed number by some (RFC 9429 §5.2.1).
        let origin = Origin { session_id: reach.ids.next() >> 2, version: 1 };
        let name = format!("signalbox-{}", origin.session_id).into();
        Ok((Self { negotiated, audio, video, origin, name }, links))
    }

    /// RTCP canonical name, common to both streams.
    pub(crate) fn cname(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    /// Takes new ICE credentials from a later offer of the same sections: restarts ICE, leaves DTLS and SRTP alone.
    pub(crate) fn restart(
        &mut self,
        reach: &mut Reach<'_>,
        offer: &Offer,
        links: &Links,
    ) -> Result<(), SdpError> {
        let policy = Policy { video: VIDEO.to_vec(), bundle: self.negotiated.bundled };
        let next = negotiate(offer, &policy)?;
        for link in links.iter() {
            let sections: Vec<&NegotiatedMedia> = next.sections().filter(|s| link.carries(s.kind)).collect();
            let named = if next.bundled { tagged(&next) } else { None };
            let Some(peer) = named.or(sections.first().copied()) else { continue };
            let remote: RemoteIce = peer.ice.clone();
            let Some(local) = reach.transports.restart_ice(link.transport, remote) else { continue };
            for kind in link.kinds() {
                let own = match kind {
                    MediaKind::Audio => &mut self.audio,
                    MediaKind::Video => &mut self.video,
                };
                if let Some(own) = own {
                    own.ice = local.clone();
                }
            }
        }
        self.negotiated = next;
        self.origin.version += 1;
        Ok(())
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

/// The section whose transport attributes hold for its whole group.
fn tagged(negotiated: &Negotiated) -> Option<&NegotiatedMedia> {
    let first: &Mid = negotiated.group.first()?;
    negotiated.sections().find(|section| section.mid == *first)
}
