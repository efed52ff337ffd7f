//! An offer, read for what an answer needs.
//!
//! in:  SDP text from the network
//! out: [`Offer`], or what is wrong with it
//!
//! Of an SDK one audio and one video section are taken; every other section is kept only to be rejected by name. Of
//! others every section is read. Candidates are not: an ICE-lite agent learns the peer's address from its checks.

use std::io::Cursor;

use rtc_sdp::description::common::Attribute;
use rtc_sdp::description::session::SessionDescription;

use super::error::{SdpError, limit, shortened};
use super::section::Section;
use crate::transport::{Fingerprint, RemoteIce};
use crate::units::{MediaKind, Mid, Pt, Rid, Ssrc, VideoCodec};

const MAX_LINE: usize = 4096;

/// How much an offer may be.
struct Limits {
    bytes: usize,
    lines: usize,
    sections: usize,
}

/// Real offers of one audio and one video section have 2–12 kB; there is room for many candidates, not for mischief.
const PAIR: Limits = Limits { bytes: 64 * 1024, lines: 2000, sections: 16 };
/// Chromium's offer with 25 sections that only receive has 126 kB in 4200 lines; a frame of the wire has 256 KiB.
const MANY: Limits = Limits { bytes: 256 * 1024, lines: 10_000, sections: 64 };

/// A parsed offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Who made it: tells a resumed call from a reloaded page.
    pub origin: Origin,
    /// The members of the (first) BUNDLE group.
    pub bundle: Vec<Mid>,
    /// All sections in their order.
    pub sections: Vec<OfferedSection>,
    /// The order in which the offerer expects them in the answer.
    pub order: SectionOrder,
}

/// One `m=` block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OfferedSection {
    /// Sound or pictures.
    Media(Box<OfferedMedia>),
    /// Data channels.
    Data(OfferedData),
    /// Nothing that can be answered, or stopped; the answer names it with port 0.
    Other(Rejected),
}

/// Order of the sections in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SectionOrder {
    /// As the SDKs need it: they move the sections of an answer to the places of a video-first offer themselves and take
    /// for granted that they came audio first.
    AudioFirst,
    /// RFC 3264 §6.
    AsOffered,
}

/// `o=`: one peer connection keeps its session id for life and counts its descriptions, RFC 9429 §5.2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Chosen once per peer connection.
    pub session_id: u64,
    /// Grows with every changed description.
    pub version: u64,
}

/// A section that can be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedMedia {
    /// Audio or video.
    pub kind: MediaKind,
    /// Its name in groups and in the mid header extension.
    pub mid: Mid,
    /// As the offerer sees it.
    pub direction: Direction,
    /// The offerer's ICE credentials.
    pub ice: RemoteIce,
    /// The certificate that DTLS has to show.
    pub fingerprint: Fingerprint,
    /// `m=` protocol, repeated in the answer.
    pub protocol: String,
    /// First of the `m=` formats, for an answer that refuses the section.
    pub format: String,
    /// The codecs that we know, in the offerer's order.
    pub codecs: Vec<OfferedCodec>,
    /// Names of all codecs offered, for the error text when none is known.
    pub codec_names: Vec<String>,
    /// Known header extensions.
    pub extensions: Vec<(u8, ExtensionUri)>,
    /// Extensions may come in the one-byte and in the two-byte form in one stream, RFC 8285 §4.1.2.
    pub extmap_allow_mixed: bool,
    /// Announced streams; empty when the offerer sends nothing yet or does not announce.
    pub ssrcs: Vec<OfferedSsrc>,
    /// Encodings that the offerer would send side by side, in its order (RFC 8853 §5.1); empty when it offers only one.
    pub rids: Vec<Rid>,
    /// Reduced-size RTCP, RFC 5506.
    pub rtcp_rsize: bool,
    /// Only together with another section, RFC 9143 §6.
    pub bundle_only: bool,
}

/// A section of data channels, RFC 8841.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedData {
    /// Its name in groups.
    pub mid: Mid,
    /// The offerer's ICE credentials.
    pub ice: RemoteIce,
    /// The certificate that DTLS has to show.
    pub fingerprint: Fingerprint,
    /// `m=` protocol, repeated in the answer.
    pub protocol: String,
    /// The offerer's SCTP port.
    pub sctp_port: u16,
    /// The longest message that the offerer takes, in bytes; 0 means of any length (RFC 8841 §6.1).
    pub max_message_size: u64,
}

/// Who sends, from the point of view of the one whose SDP it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Both.
    SendRecv,
    /// I send.
    SendOnly,
    /// The other sends.
    RecvOnly,
    /// Nobody.
    Inactive,
}

impl Direction {
    /// The same facts from the other end.
    #[must_use]
    pub const fn mirrored(self) -> Self {
        match self {
            Self::SendOnly => Self::RecvOnly,
            Self::RecvOnly => Self::SendOnly,
            Self::SendRecv | Self::Inactive => self,
        }
    }

    /// Whether the one whose SDP it is in sends.
    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether the one whose SDP it is in receives.
    #[must_use]
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// The same, with what is not allowed left out.
    #[must_use]
    pub const fn limited(self, sends: bool, receives: bool) -> Self {
        match (self.sends() && sends, self.receives() && receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }
}

/// A codec that we can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// RFC 7587.
    Opus,
    /// One of the video codecs.
    Video(VideoCodec),
}

impl Codec {
    /// Who forwards it needs the dependency descriptor: its payload does not say which pictures need which others.
    pub(super) const fn needs_descriptor(self) -> bool {
        match self {
            Self::Opus | Self::Video(VideoCodec::Vp8 | VideoCodec::H264 | VideoCodec::Vp9) => false,
            Self::Video(VideoCodec::Av1) => true,
        }
    }
}

/// One payload type of the offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedCodec {
    /// Its number on the wire, both ways.
    pub pt: Pt,
    /// What it is.
    pub codec: Codec,
    /// The payload type of its retransmissions, RFC 4588.
    pub rtx: Option<Pt>,
    /// Packets with copies of earlier ones, of Opus only.
    pub red: Option<Red>,
    /// Its format parameters as they came.
    pub fmtp: String,
    /// The feedback that the offerer understands for it.
    pub feedback: Feedback,
}

/// Redundant audio, RFC 2198.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Red {
    /// The number of the packets with copies.
    pub pt: Pt,
    /// It stands before the codec itself: browsers send what the answer has first.
    pub preferred: bool,
}

/// RTCP feedback of a codec, RFC 4585 §4.2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Feedback {
    /// Generic NACK.
    pub nack: bool,
    /// Picture loss indication.
    pub nack_pli: bool,
    /// Full intra request, RFC 5104.
    pub ccm_fir: bool,
    /// Transport-wide congestion control.
    pub transport_cc: bool,
    /// The receiver may say how much it wants at the most (REMB).
    pub goog_remb: bool,
}

/// The RTP header extensions that we use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExtensionUri {
    /// RFC 9143 §15: names the section in every packet.
    Mid,
    /// Transport-wide sequence number.
    TransportCc,
    /// Time of sending in 6.18 fixed point.
    AbsSendTime,
    /// RFC 6464: loudness of the packet's audio.
    AudioLevel,
    /// RFC 8852 §3.1: names the encoding in every packet.
    Rid,
    /// RFC 8852 §3.2: names in a repeated packet the encoding that it repeats.
    RepairedRid,
    /// How long the receiver may hold pictures back.
    PlayoutDelay,
    /// When it was captured, on the clock of the one who did.
    AbsCaptureTime,
    /// 3GPP TS 26.114 §7.4.5: how the camera is turned.
    Orientation,
    /// Which pictures need which others, for the codecs that do not say so in their payload.
    DependencyDescriptor,
}

impl ExtensionUri {
    pub(super) const ALL: [Self; 10] = [
        Self::Mid,
        Self::TransportCc,
        Self::AbsSendTime,
        Self::AudioLevel,
        Self::Rid,
        Self::RepairedRid,
        Self::PlayoutDelay,
        Self::AbsCaptureTime,
        Self::Orientation,
        Self::DependencyDescriptor,
    ];

    /// As written in SDP.
    #[must_use]
    pub const fn uri(self) -> &'static str {
        match self {
            Self::Mid => "urn:ietf:params:rtp-hdrext:sdes:mid",
            Self::TransportCc => "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
            Self::AbsSendTime => "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
            Self::AudioLevel => "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
            Self::Rid => "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
            Self::RepairedRid => "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
            Self::PlayoutDelay => "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
            Self::AbsCaptureTime => "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
            Self::Orientation => "urn:3gpp:video-orientation",
            Self::DependencyDescriptor => {
                "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
            }
        }
    }
}

/// A stream announced by `a=ssrc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfferedSsrc {
    /// The stream.
    pub media: Ssrc,
    /// Its retransmissions.
    pub rtx: Option<Ssrc>,
}

/// A section that we do not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Repeated in the answer, when it has one.
    pub mid: Option<Mid>,
    /// `m=` media.
    pub media: String,
    /// `m=` protocol.
    pub protocol: String,
    /// First of the `m=` formats.
    pub format: String,
}

impl Offer {
    /// Reads an offer of an SDK: of each kind the first section that is not stopped.
    ///
    /// # Errors
    /// [`SdpError`] names what was wrong and where.
    pub fn parse(text: &str) -> Result<Self, SdpError> {
        Self::read(text, &PAIR, SectionOrder::AudioFirst)
    }

    /// Reads an offer of any other client, with all its sections: tiles, WHIP, WHEP.
    ///
    /// # Errors
    /// [`SdpError`] names what was wrong and where.
    pub fn parse_many(text: &str) -> Result<Self, SdpError> {
        Self::read(text, &MANY, SectionOrder::AsOffered)
    }

    fn read(text: &str, limits: &Limits, order: SectionOrder) -> Result<Self, SdpError> {
        limit("bytes", text.len(), limits.bytes)?;
        limit("lines", text.lines().count(), limits.lines)?;
        limit("bytes in a line", text.lines().map(str::len).max().unwrap_or(0), MAX_LINE)?;
        let session = SessionDescription::unmarshal(&mut Cursor::new(text.as_bytes()))
            .map_err(|e| SdpError::Syntax(shortened(&e.to_string())))?;
        limit("sections", session.media_descriptions.len(), limits.sections)?;

        let bundle = bundle_group(&session.attributes, limits.sections);
        let mut offer = Self {
            origin: Origin { session_id: session.origin.session_id, version: session.origin.session_version },
            bundle,
            sections: Vec::with_capacity(session.media_descriptions.len()),
            order,
        };
        for (index, media) in session.media_descriptions.iter().enumerate() {
            let section = Section::new(index, media, &session, &offer.bundle);
            let read = offer.section(&section)?;
            offer.sections.push(read);
        }
        offer.refuse_twins()?;
        Ok(offer)
    }

    fn section(&self, section: &Section<'_>) -> Result<OfferedSection, SdpError> {
        let other = || Ok(OfferedSection::Other(section.rejected()));
        if section.is_stopped() {
            return other();
        }
        let kind = match section.media.media_name.media.as_str() {
            "audio" => MediaKind::Audio,
            "video" => MediaKind::Video,
            // One that cannot be read is refused like one that is not wanted: a call does not fail for its data.
            "application" => return section.data().map_or_else(other, |data| Ok(OfferedSection::Data(data))),
            _ => return other(),
        };
        match self.order {
            SectionOrder::AudioFirst if self.first(kind).is_some() => other(),
            SectionOrder::AudioFirst | SectionOrder::AsOffered => {
                Ok(OfferedSection::Media(Box::new(section.media(kind)?)))
            }
        }
    }

    /// The first section of sound that is not stopped.
    #[must_use]
    pub fn audio(&self) -> Option<&OfferedMedia> {
        self.first(MediaKind::Audio)
    }

    /// The first section of pictures that is not stopped.
    #[must_use]
    pub fn video(&self) -> Option<&OfferedMedia> {
        self.first(MediaKind::Video)
    }

    fn first(&self, kind: MediaKind) -> Option<&OfferedMedia> {
        self.media().find(|media| media.kind == kind)
    }

    /// The sections of sound and pictures.
    pub fn media(&self) -> impl Iterator<Item = &OfferedMedia> {
        self.sections.iter().filter_map(|section| match section {
            OfferedSection::Media(media) => Some(&**media),
            OfferedSection::Data(_) | OfferedSection::Other(_) => None,
        })
    }

    /// Takes directions away from all sections of a kind, as seen by the offerer: the answer will not have them either.
    pub fn limit(&mut self, kind: MediaKind, sends: bool, receives: bool) {
        for section in &mut self.sections {
            if let OfferedSection::Media(media) = section
                && media.kind == kind
            {
                media.direction = media.direction.limited(sends, receives);
            }
        }
    }

    /// A mid names one section; two with the same name cannot be told apart in groups and packets.
    fn refuse_twins(&self) -> Result<(), SdpError> {
        let mut mids: Vec<&Mid> = self.sections.iter().filter_map(OfferedSection::mid).collect();
        mids.sort();
        match mids.windows(2).find_map(|pair| (pair.first() == pair.last()).then(|| pair.first()).flatten()) {
            Some(twice) => Err(SdpError::bad(0, "a=mid (used twice)", &twice.0)),
            None => Ok(()),
        }
    }
}

impl OfferedSection {
    /// Its name, if it has one.
    #[must_use]
    pub fn mid(&self) -> Option<&Mid> {
        match self {
            Self::Media(media) => Some(&media.mid),
            Self::Data(data) => Some(&data.mid),
            Self::Other(other) => other.mid.as_ref(),
        }
    }

    /// As the answer names it when it is not taken.
    pub(super) fn rejected(&self) -> Rejected {
        match self {
            Self::Media(media) => Rejected {
                mid: Some(media.mid.clone()),
                media: media.kind.sdp_name().to_owned(),
                protocol: media.protocol.clone(),
                format: media.format.clone(),
            },
            Self::Data(data) => Rejected {
                mid: Some(data.mid.clone()),
                media: "application".to_owned(),
                protocol: data.protocol.clone(),
                format: DATA_FORMAT.to_owned(),
            },
            Self::Other(other) => other.clone(),
        }
    }
}

/// RFC 8841 §4.3.
pub(super) const DATA_FORMAT: &str = "webrtc-datachannel";

impl MediaKind {
    /// As in `m=`.
    pub(super) const fn sdp_name(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
        }
    }
}

fn bundle_group(attributes: &[Attribute], at_most: usize) -> Vec<Mid> {
    attributes
        .iter()
        .filter(|a| a.key == "group")
        .filter_map(|a| a.value.as_deref()?.strip_prefix("BUNDLE"))
        .next()
        .map(|mids| mids.split_whitespace().take(at_most).map(|m| Mid(m.to_owned())).collect())
        .unwrap_or_default()
}
