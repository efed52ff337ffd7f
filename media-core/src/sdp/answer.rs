//! The answer as text.
//!
//! in:  [`Negotiated`] and what is ours: credentials, certificate, candidates, streams
//! out: SDP with CRLF
//!
//! The audio section stands first whatever the order of the offer: the SDKs move the sections of an answer to the
//! places of a video-first offer themselves and take for granted that they came audio first. Every section says its
//! direction and all candidates, bundled or not.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};

use super::negotiate::{Negotiated, NegotiatedMedia, Payload};
use super::offer::{Codec, Origin, Rejected};
use crate::transport::{Candidate, Fingerprint, LocalIce};
use crate::units::{MediaKind, Pt, Ssrc, VideoCodec};

/// All that an answer is made of.
#[derive(Clone, Debug)]
pub struct Answer<'a> {
    /// The outcome of the negotiation.
    pub negotiated: &'a Negotiated,
    /// Our session id, the same for the life of the leg, and a version that grows with each answer.
    pub origin: Origin,
    /// Our certificate.
    pub fingerprint: Fingerprint,
    /// Where we can be reached, the best one first; the same for each transport.
    pub candidates: &'a [Candidate],
    /// Ours in the audio section; must be there when it was negotiated.
    pub audio: Option<&'a LocalMedia>,
    /// Ours in the video section; must be there when it was negotiated. Bundled sections have the same credentials.
    pub video: Option<&'a LocalMedia>,
    /// RTCP canonical name, common to both streams.
    pub cname: &'a str,
    /// Media stream id, common to both tracks.
    pub stream: &'a str,
}

/// What is ours in one section.
#[derive(Clone, Debug)]
pub struct LocalMedia {
    /// Credentials of the section's transport.
    pub ice: LocalIce,
    /// The stream we send.
    pub ssrc: Ssrc,
    /// Its retransmissions; used when the payload we send has them.
    pub rtx: Option<Ssrc>,
}

/// Writes the answer. A negotiated section without its [`LocalMedia`] is left out.
#[must_use]
pub fn write_answer(answer: &Answer<'_>) -> String {
    let mut sdp = Text(String::with_capacity(4096));
    let Origin { session_id, version } = answer.origin;
    sdp.line(format_args!("v=0"));
    sdp.line(format_args!("o=- {session_id} {version} IN IP4 127.0.0.1"));
    sdp.line(format_args!("s=-"));
    sdp.line(format_args!("t=0 0"));
    if answer.negotiated.bundled {
        let mids: Vec<&str> = answer.negotiated.group.iter().map(|m| m.0.as_str()).collect();
        sdp.line(format_args!("a=group:BUNDLE {}", mids.join(" ")));
    }
    sdp.line(format_args!("a=ice-lite"));
    sdp.line(format_args!("a=msid-semantic: WMS {}", answer.stream));
    for (media, local) in [(&answer.negotiated.audio, answer.audio), (&answer.negotiated.video, answer.video)]
    {
        if let (Some(media), Some(local)) = (media, local) {
            section(&mut sdp, answer, media, local);
        }
    }
    for rejected in &answer.negotiated.rejected {
        rejection(&mut sdp, rejected);
    }
    sdp.0
}

/// SDP lines end with CRLF, the last one too (RFC 8866 §5).
struct Text(String);

impl Text {
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = write!(self.0, "{line}\r\n");
    }
}

fn section(sdp: &mut Text, answer: &Answer<'_>, media: &NegotiatedMedia, local: &LocalMedia) {
    let kind = match media.kind {
        MediaKind::Audio => "audio",
        MediaKind::Video => "video",
    };
    let address = Candidate::default_of(answer.candidates);
    // Port 9 is "discard": no address known yet, RFC 8840 §4.1.1. Port 0 would reject the section.
    let (ip, port) = address.map_or((IpAddr::V4(Ipv4Addr::UNSPECIFIED), 9), |a| (a.ip(), a.port()));
    let formats: Vec<String> =
        media.receive.iter().flat_map(payload_types).map(|pt| pt.0.to_string()).collect();
    sdp.line(format_args!("m={kind} {port} {} {}", media.protocol, formats.join(" ")));
    sdp.line(format_args!("c=IN {} {ip}", if ip.is_ipv4() { "IP4" } else { "IP6" }));
    sdp.line(format_args!("a=mid:{}", media.mid));
    transport(sdp, answer, local);
    for (id, extension) in media.extensions.iter() {
        sdp.line(format_args!("a=extmap:{id} {}", extension.uri()));
    }
    sdp.line(format_args!("a={}", media.direction.name()));
    sdp.line(format_args!("a=rtcp-mux"));
    if media.rtcp_rsize {
        sdp.line(format_args!("a=rtcp-rsize"));
    }
    for payload in &media.receive {
        codec(sdp, payload);
    }
    if media.direction.sends() {
        streams(sdp, answer, media, local, kind);
    }
}

fn transport(sdp: &mut Text, answer: &Answer<'_>, local: &LocalMedia) {
    sdp.line(format_args!("a=ice-ufrag:{}", local.ice.ufrag));
    sdp.line(format_args!("a=ice-pwd:{}", local.ice.pwd));
    sdp.line(format_args!("a=fingerprint:sha-256 {}", answer.fingerprint));
    sdp.line(format_args!("a=setup:passive"));
    for (rank, candidate) in (1_u32..).zip(answer.candidates) {
        sdp.line(format_args!("a=candidate:{}", candidate.line(rank)));
    }
    sdp.line(format_args!("a=end-of-candidates"));
}

fn payload_types(payload: &Payload) -> impl Iterator<Item = Pt> + use<> {
    std::iter::once(payload.pt).chain(payload.rtx)
}

fn codec(sdp: &mut Text, payload: &Payload) {
    let pt = payload.pt.0;
    let (encoding, clock) = match payload.codec {
        Codec::Opus => ("opus/48000/2", 48_000),
        Codec::Video(VideoCodec::Vp8) => ("VP8/90000", 90_000),
        Codec::Video(VideoCodec::H264) => ("H264/90000", 90_000),
        Codec::Video(VideoCodec::Vp9) => ("VP9/90000", 90_000),
        Codec::Video(VideoCodec::Av1) => ("AV1/90000", 90_000),
    };
    sdp.line(format_args!("a=rtpmap:{pt} {encoding}"));
    let feedback = payload.feedback;
    for (both, kind) in [
        (feedback.transport_cc, "transport-cc"),
        (feedback.ccm_fir, "ccm fir"),
        (feedback.nack, "nack"),
        (feedback.nack_pli, "nack pli"),
    ] {
        if both {
            sdp.line(format_args!("a=rtcp-fb:{pt} {kind}"));
        }
    }
    if !payload.fmtp.is_empty() {
        sdp.line(format_args!("a=fmtp:{pt} {}", payload.fmtp));
    }
    if let Some(Pt(rtx)) = payload.rtx {
        sdp.line(format_args!("a=rtpmap:{rtx} rtx/{clock}"));
        sdp.line(format_args!("a=fmtp:{rtx} apt={pt}"));
    }
}

fn streams(sdp: &mut Text, answer: &Answer<'_>, media: &NegotiatedMedia, local: &LocalMedia, track: &str) {
    let (stream, cname) = (answer.stream, answer.cname);
    sdp.line(format_args!("a=msid:{stream} {track}"));
    let rtx = local.rtx.filter(|_| media.receive.iter().any(|p| p.rtx.is_some()));
    if let Some(rtx) = rtx {
        sdp.line(format_args!("a=ssrc-group:FID {} {}", local.ssrc.0, rtx.0));
    }
    for ssrc in std::iter::once(local.ssrc).chain(rtx) {
        sdp.line(format_args!("a=ssrc:{} cname:{cname}", ssrc.0));
        sdp.line(format_args!("a=ssrc:{} msid:{stream} {track}", ssrc.0));
    }
}

/// RFC 3264 §6: a refused section keeps its place with port 0.
fn rejection(sdp: &mut Text, rejected: &Rejected) {
    sdp.line(format_args!("m={} 0 {} {}", rejected.media, rejected.protocol, rejected.format));
    sdp.line(format_args!("c=IN IP4 0.0.0.0"));
    if let Some(mid) = &rejected.mid {
        sdp.line(format_args!("a=mid:{mid}"));
    }
    sdp.line(format_args!("a=inactive"));
}
