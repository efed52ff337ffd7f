//! What both ends will speak.
//!
//! in:  an [`Offer`], our [`Policy`]
//! out: per section: direction, payload types, feedback, header extension ids
//!
//! Nothing enters the result that was not offered.

use super::error::{SdpError, shortened};
use super::offer::{
    Codec, Direction, ExtensionUri, Feedback, Offer, OfferedData, OfferedMedia, OfferedSection, OfferedSsrc,
    Red, Rejected, SectionOrder,
};
use super::roles::{Role, roles};
use crate::rtp::{ExtId, OnwardIds};
use crate::transport::{Fingerprint, RemoteIce};
use crate::units::{MediaKind, Mid, Pt, Rid, VideoCodec};

/// What we want of an answer.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Video codecs, the most wanted first; one that is not listed is not answered.
    pub video: Vec<VideoCodec>,
    /// All sections over one transport, when the offer allows it.
    pub bundle: bool,
    /// Sections for streams of others; without, one audio and one video section are all that is answered. With them the
    /// sections share one transport whatever `bundle` says.
    pub slots: Option<SlotPolicy>,
    /// Encodings side by side, when the offer has them.
    pub simulcast: bool,
    /// Data channels, on a transport that is shared.
    pub data: bool,
    /// Sound in two channels to those who ask for it (`stereo=1`, RFC 7587 §6.1).
    pub stereo: bool,
}

/// How many sections that only receive are taken; more are answered with port 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotPolicy {
    /// Of pictures.
    pub video: u8,
    /// Of sound. With none, the first audio section of the offer is for the mix.
    pub audio: u8,
}

/// The outcome for a whole offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// All accepted sections share one transport; else each has its own.
    pub bundled: bool,
    /// The accepted mids in the order of the offer's group: the first one names the section whose transport is used.
    pub group: Vec<Mid>,
    /// The audio section. With audio slots we only receive in it.
    pub audio: Option<NegotiatedMedia>,
    /// The video section. With slots we only receive in it.
    pub video: Option<NegotiatedMedia>,
    /// Sections for pictures of others by their slot numbers. Numbers stay: a slot that the offerer has stopped is
    /// inactive until a section in its place takes it over.
    pub video_slots: Vec<NegotiatedMedia>,
    /// The same for sound.
    pub audio_slots: Vec<NegotiatedMedia>,
    /// The section of data channels.
    pub data: Option<NegotiatedData>,
    /// Sections answered with port 0, by their places.
    pub rejected: Vec<(usize, Rejected)>,
    /// Of the sections in the answer.
    pub order: SectionOrder,
}

impl Negotiated {
    /// The sections of sound and pictures: what both ends may send first, then the slots.
    pub fn sections(&self) -> impl Iterator<Item = &NegotiatedMedia> {
        self.audio.iter().chain(&self.video).chain(&self.audio_slots).chain(&self.video_slots)
    }

    /// Decides the answer to a later offer of the same peer connection. Sections keep what they were for.
    ///
    /// # Errors
    /// As [`negotiate`].
    pub fn renew(&self, offer: &Offer, policy: &Policy) -> Result<Self, SdpError> {
        decide(offer, policy, Some(self))
    }

    /// The offerer's end of the transport of this section.
    #[must_use]
    pub fn peer(&self, mid: &Mid) -> Option<(&RemoteIce, Fingerprint)> {
        let media = self.sections().find(|section| section.mid == *mid);
        let data = || self.data.as_ref().filter(|data| data.mid == *mid);
        media.map(|m| (&m.ice, m.fingerprint)).or_else(|| data().map(|d| (&d.ice, d.fingerprint)))
    }
}

/// The outcome for one section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NegotiatedMedia {
    /// Audio or video.
    pub kind: MediaKind,
    /// Among the sections of the offer, from 0; it never changes (RFC 3264 §8).
    pub place: usize,
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
    /// Encodings that come side by side, in the offerer's order; empty when there is one.
    pub rids: Vec<Rid>,
    /// RTCP without leading SR or RR is understood, RFC 5506.
    pub rtcp_rsize: bool,
    /// Its section is no more: it keeps its number, and something else may be in its place.
    pub is_stopped: bool,
}

impl NegotiatedMedia {
    /// Under which payload type this codec travels.
    #[must_use]
    pub fn payload(&self, codec: Codec) -> Option<&Payload> {
        self.receive.iter().find(|payload| payload.codec == codec)
    }
}

/// The outcome for data channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NegotiatedData {
    /// As in the offer.
    pub mid: Mid,
    /// Among the sections of the offer, from 0.
    pub place: usize,
    /// The offerer's ICE credentials.
    pub ice: RemoteIce,
    /// The certificate that DTLS has to show.
    pub fingerprint: Fingerprint,
    /// As in the offer.
    pub protocol: String,
    /// The offerer's SCTP port.
    pub sctp_port: u16,
    /// The longest message that the offerer takes, in bytes; 0 means of any length.
    pub max_message_size: u64,
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
    /// Packets with copies of earlier ones.
    pub red: Option<Red>,
    /// Format parameters for the answer.
    pub fmtp: String,
    /// We send two channels.
    pub stereo: bool,
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
    /// Names the encoding; only where encodings come side by side.
    pub rid: Option<u8>,
    /// Names the encoding that a repeated packet belongs to; as `rid`.
    pub repaired_rid: Option<u8>,
    /// How long pictures may be held back.
    pub playout_delay: Option<u8>,
    /// Time of capture.
    pub abs_capture_time: Option<u8>,
    /// How the camera is turned; only of and to those who draw cameras themselves.
    pub orientation: Option<u8>,
    /// Which pictures need which others; only with codecs that need it.
    pub dependency_descriptor: Option<u8>,
    /// Both forms of extensions may stand in one stream: a descriptor with its structure does not fit the one-byte form.
    pub is_mixed: bool,
}

impl Extensions {
    /// All that are in use, by id.
    pub fn iter(&self) -> impl Iterator<Item = (u8, ExtensionUri)> + use<> {
        let mut all = [
            (self.mid, ExtensionUri::Mid),
            (self.transport_cc, ExtensionUri::TransportCc),
            (self.abs_send_time, ExtensionUri::AbsSendTime),
            (self.audio_level, ExtensionUri::AudioLevel),
            (self.rid, ExtensionUri::Rid),
            (self.repaired_rid, ExtensionUri::RepairedRid),
            (self.playout_delay, ExtensionUri::PlayoutDelay),
            (self.abs_capture_time, ExtensionUri::AbsCaptureTime),
            (self.orientation, ExtensionUri::Orientation),
            (self.dependency_descriptor, ExtensionUri::DependencyDescriptor),
        ];
        all.sort_by_key(|(id, _)| *id);
        all.into_iter().filter_map(|(id, uri)| Some((id?, uri)))
    }

    /// Those that a forwarder passes on.
    #[must_use]
    pub fn onward(&self) -> OnwardIds {
        OnwardIds {
            audio_level: self.audio_level.map(ExtId),
            orientation: self.orientation.map(ExtId),
            playout_delay: self.playout_delay.map(ExtId),
            abs_capture_time: self.abs_capture_time.map(ExtId),
            dependency: self.dependency_descriptor.map(ExtId),
        }
    }
}

/// Decides the answer to an offer.
///
/// # Errors
/// [`SdpError`] when a section cannot be answered. A section is never silently dropped for want of a codec: its owner
/// would be unseen without knowing why.
pub fn negotiate(offer: &Offer, policy: &Policy) -> Result<Negotiated, SdpError> {
    decide(offer, policy, None)
}

fn decide(offer: &Offer, policy: &Policy, former: Option<&Negotiated>) -> Result<Negotiated, SdpError> {
    let slots_of = |which: fn(&Negotiated) -> &[NegotiatedMedia]| former.map(which).unwrap_or_default();
    let mut outcome = Negotiated {
        bundled: false,
        group: Vec::new(),
        audio: None,
        video: None,
        video_slots: slots_of(|former| &former.video_slots).iter().map(NegotiatedMedia::stopped).collect(),
        audio_slots: slots_of(|former| &former.audio_slots).iter().map(NegotiatedMedia::stopped).collect(),
        data: None,
        rejected: Vec::new(),
        order: offer.order,
    };
    let mut data = None;
    let mut accepted: Vec<&OfferedMedia> = Vec::new();
    for ((place, section), role) in offer.sections.iter().enumerate().zip(roles(offer, policy, former)) {
        match (section, role) {
            (OfferedSection::Media(media), Some(role)) => {
                accepted.push(media);
                outcome.take(role, self::section(place, media, policy, role)?);
            }
            (OfferedSection::Data(offered), _) if policy.data && data.is_none() => {
                data = Some((place, offered))
            }
            (OfferedSection::Media(_) | OfferedSection::Data(_) | OfferedSection::Other(_), _) => {
                outcome.rejected.push((place, section.rejected()));
            }
        }
    }
    if accepted.is_empty() {
        return Err(SdpError::NoMedia);
    }
    let alone = accepted.iter().find(|media| !offer.bundle.contains(&media.mid));
    let must_bundle = accepted.iter().find(|media| media.bundle_only);
    match (alone, must_bundle) {
        (Some(alone), _) if policy.slots.is_some() => {
            return Err(SdpError::BundleNeeded(alone.mid.0.clone()));
        }
        (Some(_), Some(lost)) => return Err(SdpError::BundleBroken(lost.mid.0.clone())),
        (Some(_), None) | (None, _) => {}
    }
    outcome.bundled = alone.is_none() && (policy.bundle || policy.slots.is_some() || must_bundle.is_some());
    if let Some((place, offered)) = data {
        if outcome.bundled && offer.bundle.contains(&offered.mid) {
            outcome.data = Some(NegotiatedData::of(place, offered));
        } else {
            outcome.rejected.push((place, OfferedSection::Data(offered.clone()).rejected()));
            outcome.rejected.sort_by_key(|(place, _)| *place);
        }
    }
    let is_taken = |mid: &&Mid| {
        accepted.iter().any(|media| media.mid == **mid)
            || outcome.data.as_ref().is_some_and(|data| data.mid == **mid)
    };
    outcome.group = offer.bundle.iter().filter(is_taken).cloned().collect();
    Ok(outcome)
}

impl Negotiated {
    fn take(&mut self, role: Role, media: NegotiatedMedia) {
        let (slots, slot) = match role {
            Role::Audio => return self.audio = Some(media),
            Role::Video => return self.video = Some(media),
            Role::AudioSlot(slot) => (&mut self.audio_slots, slot),
            Role::VideoSlot(slot) => (&mut self.video_slots, slot),
        };
        match slots.get_mut(slot) {
            Some(taken) => *taken = media,
            // Roles number new slots from the end.
            None => slots.push(media),
        }
    }
}

impl NegotiatedMedia {
    /// What is left of a slot whose section is no more.
    fn stopped(&self) -> Self {
        Self { direction: Direction::Inactive, is_stopped: true, ..self.clone() }
    }
}

impl NegotiatedData {
    fn of(place: usize, offered: &OfferedData) -> Self {
        Self {
            mid: offered.mid.clone(),
            place,
            ice: offered.ice.clone(),
            fingerprint: offered.fingerprint,
            protocol: offered.protocol.clone(),
            sctp_port: offered.sctp_port,
            max_message_size: offered.max_message_size,
        }
    }
}

fn section(
    place: usize,
    offered: &OfferedMedia,
    policy: &Policy,
    role: Role,
) -> Result<NegotiatedMedia, SdpError> {
    let kind = offered.kind;
    let wanted: Vec<Codec> = match kind {
        MediaKind::Audio => vec![Codec::Opus],
        MediaKind::Video => policy.video.iter().copied().map(Codec::Video).collect(),
    };
    let receive: Vec<Payload> =
        wanted.into_iter().filter_map(|codec| payload(offered, codec, role, policy.stereo)).collect();
    let direction = offered.direction.mirrored().limited(role.we_send(policy), role.we_receive());
    // What we make is encoded here; in a slot we pass on what others made, and who only sends may send what is not.
    let can_send = |payload: &&Payload| match payload.codec {
        Codec::Opus => true,
        Codec::Video(codec) => codec.is_encoded_here() || role.is_slot() || !direction.sends(),
    };
    let Some(send) = receive.iter().find(can_send).cloned() else {
        return Err(SdpError::NoCommonCodec { kind, offered: shortened(&offered.codec_names.join(", ")) });
    };
    let rids = if policy.simulcast && direction.receives() { offered.rids.clone() } else { Vec::new() };
    // Slots show cameras as they are held, and so does the canvas; SDK legs send upright pictures, which suit everybody.
    let turns = role.is_slot() || policy.slots.is_some();
    let extensions = extensions(offered, &receive, &rids, turns);
    Ok(NegotiatedMedia {
        kind,
        is_stopped: false,
        place,
        mid: offered.mid.clone(),
        direction,
        ice: offered.ice.clone(),
        fingerprint: offered.fingerprint,
        protocol: offered.protocol.clone(),
        receive,
        send,
        extensions,
        ssrcs: offered.ssrcs.clone(),
        rids,
        rtcp_rsize: offered.rtcp_rsize,
    })
}

/// The offerer's most wanted payload type of this codec.
fn payload(offered: &OfferedMedia, codec: Codec, role: Role, stereo: bool) -> Option<Payload> {
    let found = offered.codecs.iter().find(|c| c.codec == codec)?;
    // What passes through a slot is as its publisher made it.
    let asks = super::attributes::parameter(&found.fmtp, "stereo") == Some("1");
    let stereo = stereo && codec == Codec::Opus && asks && !role.is_slot();
    let fmtp = match codec {
        Codec::Opus if stereo => "minptime=10;useinbandfec=1;stereo=1;sprop-stereo=1".to_owned(),
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
    // Of use where the offerer wants to send it most. To others its copies go as packets of their own.
    let red = found.red.filter(|red| red.preferred && !role.is_slot());
    Some(Payload { pt: found.pt, codec, rtx: found.rtx, red, fmtp, stereo, feedback: found.feedback })
}

/// What would be ballast is left out: transport-wide numbers without the feedback that reports them, names of encodings
/// where there is one. Without `turns` browsers turn pictures before they encode them.
fn extensions(offered: &OfferedMedia, receive: &[Payload], rids: &[Rid], turns: bool) -> Extensions {
    let id = |uri, is_used: bool| {
        let known = offered.extensions.iter().find(|(_, known)| *known == uri && is_used);
        known.map(|(id, _)| *id)
    };
    let is_video = offered.kind == MediaKind::Video;
    let dependency_descriptor = id(
        ExtensionUri::DependencyDescriptor,
        receive.iter().any(|payload| payload.codec.needs_descriptor()),
    );
    Extensions {
        is_mixed: offered.extmap_allow_mixed && dependency_descriptor.is_some(),
        mid: id(ExtensionUri::Mid, true),
        transport_cc: id(ExtensionUri::TransportCc, receive.iter().any(|p| p.feedback.transport_cc)),
        abs_send_time: id(ExtensionUri::AbsSendTime, true),
        audio_level: id(ExtensionUri::AudioLevel, !is_video),
        rid: id(ExtensionUri::Rid, !rids.is_empty()),
        repaired_rid: id(ExtensionUri::RepairedRid, !rids.is_empty()),
        playout_delay: id(ExtensionUri::PlayoutDelay, is_video),
        abs_capture_time: id(ExtensionUri::AbsCaptureTime, true),
        orientation: id(ExtensionUri::Orientation, is_video && turns),
        dependency_descriptor,
    }
}
