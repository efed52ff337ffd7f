//! What both ends will speak.
//!
//! in:  an [`Offer`], our [`Policy`]
//! out: per section: direction, payload types, feedback, header extension ids
//!
//! Nothing enters the result that was not offered.

use super::error::{SdpError, shortened};
use super::offer::{Codec, Direction, ExtensionUri, Feedback, Offer, OfferedMedia, OfferedSsrc, Rejected};
use crate::transport::{Fingerprint, RemoteIce};
use crate::units::{MediaKind, Mid, Pt, VideoCodec};

/// What we want of an answer.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Video codecs, the most wanted first; one that is not listed is not answered.
    pub video: Vec<VideoCodec>,
    /// All sections over one transport, when the offer allows it.
    pub bundle: bool,
}

/// The outcome for a whole offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// All accepted sections share one transport; else each has its own.
    pub bundled: bool,
    /// The accepted mids in the order of the offer's group: the first one names the section whose transport is used.
    pub group: Vec<Mid>,
    /// The audio section.
    pub audio: Option<NegotiatedMedia>,
    /// The video section.
    pub video: Option<NegotiatedMedia>,
    /// Sections answered with port 0.
    pub rejected: Vec<Rejected>,
}

impl Negotiated {
    /// The accepted sections in the order of the answer.
    pub fn sections(&self) -> impl Iterator<Item = &NegotiatedMedia> {
        self.audio.iter().chain(&self.video)
    }
}

/// The outcome for one section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NegotiatedMedia {
    /// Audio or video.
    pub kind: MediaKind,
    /// As in the offer.
    pub mid: Mid,
    /// As we see it.
    pub direction: Direction,
    /// The offerer's ICE credentials.
    pub ice: RemoteIce,
    /// The certificate that DTLS has to show.
    pub fingerprint: Fingerprint,
    /// As in the offer.
    pub protocol: String,
    /// What may come in, in the order we would like it.
    pub receive: Vec<Payload>,
    /// What we send, when the direction lets us.
    pub send: Payload,
    /// The ids under which extensions travel, both ways.
    pub extensions: Extensions,
    /// The offerer's announced streams.
    pub ssrcs: Vec<OfferedSsrc>,
    /// RTCP without leading SR or RR is understood, RFC 5506.
    pub rtcp_rsize: bool,
}

/// One payload type that both ends know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// Its number.
    pub pt: Pt,
    /// What it carries.
    pub codec: Codec,
    /// Retransmissions come under this number.
    pub rtx: Option<Pt>,
    /// Format parameters for the answer.
    pub fmtp: String,
    /// Feedback that both understand.
    pub feedback: Feedback,
}

/// Header extension ids, RFC 8285; an absent one was not offered or is of no use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    /// Names the section.
    pub mid: Option<u8>,
    /// Transport-wide sequence number.
    pub transport_cc: Option<u8>,
    /// Time of sending.
    pub abs_send_time: Option<u8>,
    /// Loudness; audio only.
    pub audio_level: Option<u8>,
}

impl Extensions {
    /// All that are in use, by id.
    pub fn iter(&self) -> impl Iterator<Item = (u8, ExtensionUri)> + use<> {
        let mut all = [
            (self.mid, ExtensionUri::Mid),
            (self.transport_cc, ExtensionUri::TransportCc),
            (self.abs_send_time, ExtensionUri::AbsSendTime),
            (self.audio_level, ExtensionUri::AudioLevel),
        ];
        all.sort_by_key(|(id, _)| *id);
        all.into_iter().filter_map(|(id, uri)| Some((id?, uri)))
    }
}

/// Decides the answer to an offer.
///
/// # Errors
/// [`SdpError`] when a section cannot be answered. A section is never silently dropped for want of a codec: its owner
/// would be unseen without knowing why.
pub fn negotiate(offer: &Offer, policy: &Policy) -> Result<Negotiated, SdpError> {
    let audio = offer.audio.as_ref().map(|m| section(MediaKind::Audio, m, policy)).transpose()?;
    let video = offer.video.as_ref().map(|m| section(MediaKind::Video, m, policy)).transpose()?;
    let accepted: Vec<&OfferedMedia> = [&offer.audio, &offer.video].into_iter().flatten().collect();
    if accepted.is_empty() {
        return Err(SdpError::NoMedia);
    }
    let groupable = accepted.iter().all(|m| offer.bundle.contains(&m.mid));
    let must_bundle = accepted.iter().find(|m| m.bundle_only);
    if let Some(lost) = must_bundle.filter(|_| !groupable) {
        return Err(SdpError::BundleBroken(lost.mid.0.clone()));
    }
    let is_accepted = |mid: &Mid| accepted.iter().any(|m| m.mid == *mid);
    Ok(Negotiated {
        bundled: groupable && (policy.bundle || must_bundle.is_some()),
        group: offer.bundle.iter().filter(|mid| is_accepted(mid)).cloned().collect(),
        audio,
        video,
        rejected: offer.rejected.clone(),
    })
}

fn section(kind: MediaKind, offered: &OfferedMedia, policy: &Policy) -> Result<NegotiatedMedia, SdpError> {
    let wanted: Vec<Codec> = match kind {
        MediaKind::Audio => vec![Codec::Opus],
        MediaKind::Video => policy.video.iter().copied().map(Codec::Video).collect(),
    };
    let receive: Vec<Payload> = wanted.into_iter().filter_map(|codec| payload(offered, codec)).collect();
    // What we send is encoded here; who only sends may send what is not.
    let direction = offered.direction.mirrored();
    let can_send = |payload: &&Payload| match payload.codec {
        Codec::Opus => true,
        Codec::Video(codec) => codec.is_encoded_here() || !direction.sends(),
    };
    let Some(send) = receive.iter().find(can_send).cloned() else {
        return Err(SdpError::NoCommonCodec { kind, offered: shortened(&offered.codec_names.join(", ")) });
    };
    let with_twcc = receive.iter().any(|p| p.feedback.transport_cc);
    Ok(NegotiatedMedia {
        kind,
        mid: offered.mid.clone(),
        direction,
        ice: offered.ice.clone(),
        fingerprint: offered.fingerprint,
        protocol: offered.protocol.clone(),
        receive,
        send,
        extensions: extensions(kind, offered, with_twcc),
        ssrcs: offered.ssrcs.clone(),
        rtcp_rsize: offered.rtcp_rsize,
    })
}

/// The offerer's most wanted payload type of this codec.
fn payload(offered: &OfferedMedia, codec: Codec) -> Option<Payload> {
    let found = offered.codecs.iter().find(|c| c.codec == codec)?;
    let fmtp = match codec {
        // Mono mixes with in-band FEC are what we encode, and frames of any length from 10 ms are decoded.
        Codec::Opus => "minptime=10;useinbandfec=1".to_owned(),
        Codec::Video(VideoCodec::Vp8) => String::new(),
        Codec::Video(VideoCodec::Vp9) => "profile-id=0".to_owned(),
        // The offered level is repeated here as well; without one it means 5, which is level 3.1.
        Codec::Video(VideoCodec::Av1) => {
            let level = super::attributes::parameter(&found.fmtp, "level-idx")
                .and_then(|level| level.parse::<u8>().ok())
                .unwrap_or(5);
            format!("level-idx={level};profile=0;tier=0")
        }
        // The offered level is repeated: a higher one of ours would invite larger pictures than the canvas shows.
        Codec::Video(VideoCodec::H264) => {
            let level = super::attributes::parameter(&found.fmtp, "profile-level-id").unwrap_or("42e01f");
            format!("level-asymmetry-allowed=1;packetization-mode=1;profile-level-id={level}")
        }
    };
    Some(Payload { pt: found.pt, codec, rtx: found.rtx, fmtp, feedback: found.feedback })
}

/// Transport-wide sequence numbers without the feedback that reports them would be ballast.
fn extensions(kind: MediaKind, offered: &OfferedMedia, with_twcc: bool) -> Extensions {
    let id = |uri| offered.extensions.iter().find(|(_, known)| *known == uri).map(|(id, _)| *id);
    Extensions {
        mid: id(ExtensionUri::Mid),
        transport_cc: id(ExtensionUri::TransportCc).filter(|_| with_twcc),
        abs_send_time: id(ExtensionUri::AbsSendTime),
        audio_level: id(ExtensionUri::AudioLevel).filter(|_| kind == MediaKind::Audio),
    }
}
