//! An offer, read for what an answer needs.
//!
//! in:  SDP text from the network
//! out: [`Offer`], or what is wrong with it
//!
//! One audio and one video section are taken; every other section is kept only to be rejected by name. Candidates
//! are not read: an ICE-lite agent learns the peer's address from its checks.

use std::io::Cursor;

use rtc_sdp::description::common::Attribute;
use rtc_sdp::description::session::SessionDescription;

use super::error::{SdpError, limit, shortened};
use super::section::Section;
use crate::transport::{Fingerprint, RemoteIce};
use crate::units::{MediaKind, Mid, Pt, Ssrc, VideoCodec};

/// Real offers of browsers have 2–12 kB; the limits below leave room for many candidates, not for mischief.
const MAX_BYTES: usize = 64 * 1024;
const MAX_LINE: usize = 4096;
const MAX_SECTIONS: usize = 16;
const MAX_LINES: usize = 2000;

/// A parsed offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Who made it: tells a resumed call from a reloaded page.
    pub origin: Origin,
    /// The members of the (first) BUNDLE group.
    pub bundle: Vec<Mid>,
    /// The audio section.
    pub audio: Option<OfferedMedia>,
    /// The video section.
    pub video: Option<OfferedMedia>,
    /// All other sections; the answer names them with port 0.
    pub rejected: Vec<Rejected>,
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
    /// The codecs that we know, in the offerer's order.
    pub codecs: Vec<OfferedCodec>,
    /// Names of all codecs offered, for the error text when none is known.
    pub codec_names: Vec<String>,
    /// Known header extensions.
    pub extensions: Vec<(u8, ExtensionUri)>,
    /// Announced streams; empty when the offerer sends nothing yet or does not announce.
    pub ssrcs: Vec<OfferedSsrc>,
    /// Reduced-size RTCP, RFC 5506.
    pub rtcp_rsize: bool,
    /// Only together with another section, RFC 9143 §6.
    pub bundle_only: bool,
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

/// One payload type of the offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedCodec {
    /// Its number on the wire, both ways.
    pub pt: Pt,
    /// What it is.
    pub codec: Codec,
    /// The payload type of its retransmissions, RFC 4588.
    pub rtx: Option<Pt>,
    /// Its format parameters as they came.
    pub fmtp: String,
    /// The feedback that the offerer understands for it.
    pub feedback: Feedback,
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
}

impl ExtensionUri {
    pub(super) const ALL: [Self; 4] = [Self::Mid, Self::TransportCc, Self::AbsSendTime, Self::AudioLevel];

    /// As written in SDP.
    #[must_use]
    pub const fn uri(self) -> &'static str {
        match self {
            Self::Mid => "urn:ietf:params:rtp-hdrext:sdes:mid",
            Self::TransportCc => "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
            Self::AbsSendTime => "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
            Self::AudioLevel => "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
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
    /// Reads an offer.
    ///
    /// # Errors
    /// [`SdpError`] names what was wrong and where.
    pub fn parse(text: &str) -> Result<Self, SdpError> {
        limit("bytes", text.len(), MAX_BYTES)?;
        limit("lines", text.lines().count(), MAX_LINES)?;
        limit("bytes in a line", text.lines().map(str::len).max().unwrap_or(0), MAX_LINE)?;
        let session = SessionDescription::unmarshal(&mut Cursor::new(text.as_bytes()))
            .map_err(|e| SdpError::Syntax(shortened(&e.to_string())))?;
        limit("sections", session.media_descriptions.len(), MAX_SECTIONS)?;

        let mut offer = Self {
            origin: Origin { session_id: session.origin.session_id, version: session.origin.session_version },
            bundle: bundle_group(&session.attributes),
            audio: None,
            video: None,
            rejected: Vec::new(),
        };
        for (index, media) in session.media_descriptions.iter().enumerate() {
            let section = Section { index, media, session: &session };
            let place = match media.media_name.media.as_str() {
                "audio" if offer.audio.is_none() => (MediaKind::Audio, &mut offer.audio),
                "video" if offer.video.is_none() => (MediaKind::Video, &mut offer.video),
                _ => {
                    offer.rejected.push(section.rejected());
                    continue;
                }
            };
            if section.is_stopped() {
                offer.rejected.push(section.rejected());
            } else {
                *place.1 = Some(section.media(place.0)?);
            }
        }
        offer.refuse_twins()?;
        Ok(offer)
    }

    /// Takes directions away from a section, as seen by the offerer: the answer will not have them either.
    pub fn limit(&mut self, kind: MediaKind, sends: bool, receives: bool) {
        let section = match kind {
            MediaKind::Audio => self.audio.as_mut(),
            MediaKind::Video => self.video.as_mut(),
        };
        if let Some(section) = section {
            section.direction = section.direction.limited(sends, receives);
        }
    }

    /// A mid names one section; two with the same name cannot be told apart in groups and packets.
    fn refuse_twins(&self) -> Result<(), SdpError> {
        let taken = [&self.audio, &self.video].into_iter().flatten().map(|m| &m.mid);
        let mut mids: Vec<&Mid> = taken.chain(self.rejected.iter().filter_map(|r| r.mid.as_ref())).collect();
        mids.sort();
        match mids.windows(2).find_map(|pair| (pair.first() == pair.last()).then(|| pair.first()).flatten()) {
            Some(twice) => Err(SdpError::bad(0, "a=mid (used twice)", &twice.0)),
            None => Ok(()),
        }
    }
}

fn bundle_group(attributes: &[Attribute]) -> Vec<Mid> {
    attributes
        .iter()
        .filter(|a| a.key == "group")
        .filter_map(|a| a.value.as_deref()?.strip_prefix("BUNDLE"))
        .next()
        .map(|mids| mids.split_whitespace().take(MAX_SECTIONS).map(|m| Mid(m.to_owned())).collect())
        .unwrap_or_default()
}
