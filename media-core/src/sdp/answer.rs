//! The answer as text.
//!
//! in:  [`Negotiated`] and what is ours: credentials, certificate, candidates, streams
//! out: SDP with CRLF
//!
//! For SDKs the audio section stands first whatever the order of the offer ([`SectionOrder`]). Every section says its
//! direction and all candidates, bundled or not. Each slot is a stream of its own, so that a browser gives each of them
//! to the page by itself and does not hold one back for another.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};

use super::negotiate::{Negotiated, NegotiatedData, NegotiatedMedia, Payload};
use super::offer::{Codec, DATA_FORMAT, Origin, Rejected, SectionOrder};
use crate::transport::{Candidate, Fingerprint, LocalIce};
use crate::units::{Pt, Ssrc, VideoCodec};

/// The SCTP port on our side of an association: there is one per transport, so all may have the same (RFC 8841 §5.1).
const SCTP_PORT: u16 = 5000;

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
    /// Ours in each slot for pictures.
    pub video_slots: &'a [LocalMedia],
    /// Ours in each slot for sound.
    pub audio_slots: &'a [LocalMedia],
    /// Ours in the section of data channels.
    pub data: Option<&'a LocalData>,
    /// RTCP canonical name, common to all streams.
    pub cname: &'a str,
    /// Media stream id of the audio and the video section.
    pub stream: &'a str,
    /// Slots belong to that stream too, because they show one member: players take one stream.
    pub one_stream: bool,
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

/// What is ours in the section of data channels.
#[derive(Clone, Debug)]
pub struct LocalData {
    /// Credentials of the section's transport.
    pub ice: LocalIce,
    /// The longest message that we take, in bytes.
    pub max_message_size: u32,
}

/// A section of the answer on its way into the text.
enum Part<'a> {
    Media { media: &'a NegotiatedMedia, local: &'a LocalMedia, stream: String, track: String },
    Data(&'a NegotiatedData, &'a LocalData),
    Rejected(&'a Rejected),
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
    for part in parts(answer) {
        match part {
            Part::Media { media, local, stream, track } => {
                section(&mut sdp, answer, media, local);
                if media.direction.sends() {
                    streams(&mut sdp, answer.cname, media, local, (&stream, &track));
                }
            }
            Part::Data(data, local) => data_section(&mut sdp, answer, data, local),
            Part::Rejected(rejected) => rejection(&mut sdp, rejected),
        }
    }
    sdp.0
}

/// The sections in the order of the answer.
fn parts<'a>(answer: &'a Answer<'a>) -> Vec<Part<'a>> {
    let negotiated = answer.negotiated;
    let own = |media: &'a Option<NegotiatedMedia>, local: Option<&'a LocalMedia>| {
        let (media, local) = (media.as_ref()?, local?);
        let (stream, track) = (answer.stream.to_owned(), media.kind.sdp_name().to_owned());
        Some((media.place, Part::Media { media, local, stream, track }))
    };
    let slots = |media: &'a [NegotiatedMedia], locals: &'a [LocalMedia], name: &'static str| {
        let numbered = (0_u8..).zip(media.iter().zip(locals));
        // A slot whose section has been stopped is still there: what is in its place now says what it is.
        numbered.filter(|(_, (media, _))| !media.is_stopped).map(move |(slot, (media, local))| {
            let of_slot = format!("{name}-{slot}");
            let track = format!("{of_slot}-{}", media.kind.sdp_name());
            let stream = if answer.one_stream { answer.stream.to_owned() } else { of_slot };
            (media.place, Part::Media { media, local, stream, track })
        })
    };
    let data = negotiated.data.as_ref().zip(answer.data);
    let mut parts: Vec<(usize, Part<'a>)> = own(&negotiated.audio, answer.audio)
        .into_iter()
        .chain(own(&negotiated.video, answer.video))
        .chain(slots(&negotiated.audio_slots, answer.audio_slots, "audio-slot"))
        .chain(slots(&negotiated.video_slots, answer.video_slots, "slot"))
        .chain(data.map(|(data, local)| (data.place, Part::Data(data, local))))
        .collect();
    parts.extend(negotiated.rejected.iter().map(|(place, rejected)| (*place, Part::Rejected(rejected))));
    match negotiated.order {
        SectionOrder::AudioFirst => {}
        SectionOrder::AsOffered => parts.sort_by_key(|(place, _)| *place),
    }
    parts.into_iter().map(|(_, part)| part).collect()
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
    let formats: Vec<String> =
        media.receive.iter().flat_map(payload_types).map(|pt| pt.0.to_string()).collect();
    head(sdp, answer, media.kind.sdp_name(), &media.protocol, &formats.join(" "));
    sdp.line(format_args!("a=mid:{}", media.mid));
    transport(sdp, answer, &local.ice);
    if media.extensions.is_mixed {
        sdp.line(format_args!("a=extmap-allow-mixed"));
    }
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
    encodings(sdp, media);
}

fn head(sdp: &mut Text, answer: &Answer<'_>, media: &str, protocol: &str, formats: &str) {
    let address = Candidate::default_of(answer.candidates);
    // Port 9 is "discard": no address known yet, RFC 8840 §4.1.1. Port 0 would reject the section.
    let (ip, port) = address.map_or((IpAddr::V4(Ipv4Addr::UNSPECIFIED), 9), |a| (a.ip(), a.port()));
    sdp.line(format_args!("m={media} {port} {protocol} {formats}"));
    sdp.line(format_args!("c=IN {} {ip}", if ip.is_ipv4() { "IP4" } else { "IP6" }));
}

/// RFC 8853 §5.3: the same encodings seen from the other end.
fn encodings(sdp: &mut Text, media: &NegotiatedMedia) {
    if media.rids.is_empty() {
        return;
    }
    for rid in &media.rids {
        sdp.line(format_args!("a=rid:{rid} recv"));
    }
    let rids: Vec<&str> = media.rids.iter().map(|rid| rid.0.as_str()).collect();
    sdp.line(format_args!("a=simulcast:recv {}", rids.join(";")));
}

fn data_section(sdp: &mut Text, answer: &Answer<'_>, data: &NegotiatedData, local: &LocalData) {
    head(sdp, answer, "application", &data.protocol, DATA_FORMAT);
    sdp.line(format_args!("a=mid:{}", data.mid));
    transport(sdp, answer, &local.ice);
    sdp.line(format_args!("a=sctp-port:{SCTP_PORT}"));
    sdp.line(format_args!("a=max-message-size:{}", local.max_message_size));
}

fn transport(sdp: &mut Text, answer: &Answer<'_>, ice: &LocalIce) {
    sdp.line(format_args!("a=ice-ufrag:{}", ice.ufrag));
    sdp.line(format_args!("a=ice-pwd:{}", ice.pwd));
    sdp.line(format_args!("a=fingerprint:sha-256 {}", answer.fingerprint));
    sdp.line(format_args!("a=setup:passive"));
    for (rank, candidate) in (1_u32..).zip(answer.candidates) {
        sdp.line(format_args!("a=candidate:{}", candidate.line(rank)));
    }
    sdp.line(format_args!("a=end-of-candidates"));
}

/// The numbers of a payload, the most wanted first.
fn payload_types(payload: &Payload) -> impl Iterator<Item = Pt> + use<> {
    let red = |preferred| payload.red.filter(|red| red.preferred == preferred).map(|red| red.pt);
    [red(true), Some(payload.pt), red(false), payload.rtx].into_iter().flatten()
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
        (feedback.goog_remb, "goog-remb"),
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
    if let Some(Pt(red)) = payload.red.map(|red| red.pt) {
        sdp.line(format_args!("a=rtpmap:{red} red/48000/2"));
        sdp.line(format_args!("a=fmtp:{red} {pt}/{pt}"));
    }
    if let Some(Pt(rtx)) = payload.rtx {
        sdp.line(format_args!("a=rtpmap:{rtx} rtx/{clock}"));
        sdp.line(format_args!("a=fmtp:{rtx} apt={pt}"));
    }
}

fn streams(
    sdp: &mut Text,
    cname: &str,
    media: &NegotiatedMedia,
    local: &LocalMedia,
    (stream, track): (&str, &str),
) {
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
