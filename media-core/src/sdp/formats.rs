//! The payload types of a section, put together from their `rtpmap`, `fmtp` and `rtcp-fb` lines.
//!
//! in:  the lines of one section
//! out: the codecs that we know, in the order of the `m=` line

use rtc_sdp::description::media::MediaDescription;

use super::attributes::{self, RtpMap};
use super::error::{SdpError, limit};
use super::offer::{Codec, Feedback, OfferedCodec, Red};
use crate::units::{MediaKind, Pt, VideoCodec};

const MAX_CODECS: usize = 96;

/// All payload types of a section in the offerer's order of preference, RFC 8866 §5.14.
pub(super) struct Formats<'a>(Vec<Format<'a>>);

struct Format<'a> {
    map: RtpMap<'a>,
    fmtp: &'a str,
    feedback: Feedback,
}

impl<'a> Formats<'a> {
    /// Lines about payload types that the `m=` line does not list are passed over.
    pub(super) fn of(media: &'a MediaDescription) -> Result<Self, SdpError> {
        let mut order: Vec<Pt> = Vec::new();
        for pt in media.media_name.formats.iter().filter_map(|f| attributes::payload_type(f)) {
            if !order.contains(&pt) {
                order.push(pt);
            }
        }
        limit("payload types", order.len(), MAX_CODECS)?;
        let values = |key: &'static str| {
            media.attributes.iter().filter(move |a| a.key == key).filter_map(|a| a.value.as_deref())
        };
        let mut formats: Vec<Format<'a>> = values("rtpmap")
            .filter_map(attributes::rtpmap)
            .filter(|map| order.contains(&map.pt))
            .take(MAX_CODECS)
            .map(|map| Format { map, fmtp: "", feedback: Feedback::default() })
            .collect();
        formats.sort_by_key(|f| order.iter().position(|pt| *pt == f.map.pt));
        formats.dedup_by_key(|f| f.map.pt);

        for (pt, parameters) in values("fmtp").filter_map(attributes::fmtp) {
            if let Some(format) = formats.iter_mut().find(|f| f.map.pt == pt) {
                format.fmtp = parameters;
            }
        }
        for (pt, kind) in values("rtcp-fb").filter_map(attributes::rtcp_fb) {
            for format in formats.iter_mut().filter(|f| pt.is_none_or(|pt| f.map.pt == pt)) {
                format.feedback.add(kind);
            }
        }
        Ok(Self(formats))
    }

    pub(super) fn known(&self, kind: MediaKind) -> Vec<OfferedCodec> {
        let known = |f: &Format<'_>| {
            let codec = f.codec(kind)?;
            Some(OfferedCodec {
                pt: f.map.pt,
                codec,
                red: (codec == Codec::Opus).then(|| self.red_of(f.map.pt)).flatten(),
                rtx: self.rtx_of(f.map.pt),
                fmtp: f.fmtp.to_owned(),
                feedback: f.feedback,
            })
        };
        self.0.iter().filter_map(known).collect()
    }

    /// Every name once.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for name in self.0.iter().map(|f| f.map.name).filter(|n| attributes::is_token(n)) {
            if !names.iter().any(|n| n == name) {
                names.push(name.to_owned());
            }
        }
        names
    }

    /// RFC 4588 §8.6: `apt` names the payload type whose packets are repeated.
    fn rtx_of(&self, pt: Pt) -> Option<Pt> {
        let is_rtx = |f: &&Format<'_>| {
            f.map.name.eq_ignore_ascii_case("rtx")
                && attributes::parameter(f.fmtp, "apt").and_then(attributes::payload_type) == Some(pt)
        };
        self.0.iter().find(is_rtx).map(|f| f.map.pt)
    }
}

impl Formats<'_> {
    /// RFC 2198 §5: the parameters name the payload type of the sound itself, then those of the copies.
    fn red_of(&self, pt: Pt) -> Option<Red> {
        let is_red = |f: &Format<'_>| {
            f.map.name.eq_ignore_ascii_case("red")
                && (f.map.clock, f.map.channels) == (48_000, 2)
                && f.fmtp.split('/').all(|block| attributes::payload_type(block) == Some(pt))
        };
        let place = |pt: Pt| self.0.iter().position(|f| f.map.pt == pt);
        let red = self.0.iter().find(|f| is_red(f))?.map.pt;
        Some(Red { pt: red, preferred: place(red) < place(pt) })
    }
}

impl Format<'_> {
    fn codec(&self, kind: MediaKind) -> Option<Codec> {
        let is = |name: &str, clock: u32| self.map.name.eq_ignore_ascii_case(name) && self.map.clock == clock;
        match kind {
            MediaKind::Audio if is("opus", 48_000) && self.map.channels == 2 => Some(Codec::Opus),
            MediaKind::Video if is("VP8", 90_000) => Some(Codec::Video(VideoCodec::Vp8)),
            MediaKind::Video if is("H264", 90_000) && is_constrained_baseline(self.fmtp) => {
                Some(Codec::Video(VideoCodec::H264))
            }
            // Profile 0 of both, 8 bits and 4:2:0, which is also what no profile means: RFC 9628 §6.1; AV1 §7.2.
            MediaKind::Video if is("VP9", 90_000) && is_zero(self.fmtp, "profile-id") => {
                Some(Codec::Video(VideoCodec::Vp9))
            }
            MediaKind::Video if is("AV1", 90_000) && is_zero(self.fmtp, "profile") => {
                Some(Codec::Video(VideoCodec::Av1))
            }
            MediaKind::Audio | MediaKind::Video => None,
        }
    }
}

fn is_zero(fmtp: &str, key: &str) -> bool {
    attributes::parameter(fmtp, key).is_none_or(|value| value == "0")
}

impl Feedback {
    fn add(&mut self, kind: &str) {
        match kind {
            "nack" => self.nack = true,
            "nack pli" => self.nack_pli = true,
            "ccm fir" => self.ccm_fir = true,
            "transport-cc" => self.transport_cc = true,
            "goog-remb" => self.goog_remb = true,
            _ => {}
        }
    }
}

/// Constrained baseline in packetization mode 1: the form that every browser offers and that both the decoder and the
/// encoder here speak. RFC 6184 §8.1: profile_idc 0x42 with constraint_set1, the only one needed.
fn is_constrained_baseline(fmtp: &str) -> bool {
    let mode_1 = attributes::parameter(fmtp, "packetization-mode") == Some("1");
    let profile = attributes::parameter(fmtp, "profile-level-id")
        .filter(|p| p.len() == 6)
        .and_then(|p| u32::from_str_radix(p, 16).ok());
    mode_1 && profile.is_some_and(|p| p >> 16 == 0x42 && p & 0x4000 != 0)
}
