//! What a page offers, and what it reads of the answer.

use media_core::transport::{Fingerprint, LocalIce};
use media_core::units::{Pt, VideoCodec};

use crate::page::Setup;
use crate::sim::browser::Browser;

/// Ids under which a page knows header extensions, as Chromium numbers them.
pub const TRANSPORT_CC: u8 = 3;
pub const MID: u8 = 4;
/// Payload types, as Chromium numbers them.
pub const OPUS: Pt = Pt(111);

pub fn payload_type(codec: VideoCodec) -> Pt {
    match codec {
        VideoCodec::Vp8 => Pt(96),
        VideoCodec::H264 => Pt(108),
        VideoCodec::Vp9 => Pt(98),
        VideoCodec::Av1 => Pt(45),
    }
}

/// Retransmissions have the next number.
pub fn rtx(pt: Pt) -> Pt {
    Pt(pt.0 + 1)
}

/// An offer of sound, or of sound and picture; `transports` has one for all sections or one for each.
pub fn offer(
    session: u64,
    version: u64,
    transports: &[Browser],
    setup: &Setup,
    video_direction: &str,
) -> String {
    let video = &setup.video;
    let (audio, picture) = (transports.first().unwrap(), transports.last().unwrap());
    let mut sdp = format!("v=0\r\no=- {session} {version} IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n");
    // Browsers always offer it, and take either answer.
    let mut sound = format!("m=audio 9 UDP/TLS/RTP/SAVPF {}\r\n", OPUS.0);
    section(&mut sound, "0", audio, setup.direction);
    sound += "a=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n";
    if video.is_empty() {
        return sdp + "a=group:BUNDLE 0\r\n" + &sound;
    }
    let pts = video.iter().flat_map(|codec| [payload_type(*codec), rtx(payload_type(*codec))]);
    let pts: Vec<String> = pts.map(|pt| pt.0.to_string()).collect();
    let mut pictures = format!("m=video 9 UDP/TLS/RTP/SAVPF {}\r\n", pts.join(" "));
    section(&mut pictures, "1", picture, video_direction);
    for codec in video {
        let (pt, rtx) = (payload_type(*codec).0, rtx(payload_type(*codec)).0);
        pictures += &match codec {
            VideoCodec::Vp8 => format!("a=rtpmap:{pt} VP8/90000\r\n"),
            VideoCodec::Vp9 => format!("a=rtpmap:{pt} VP9/90000\r\na=fmtp:{pt} profile-id=0\r\n"),
            VideoCodec::Av1 => {
                format!("a=rtpmap:{pt} AV1/90000\r\na=fmtp:{pt} level-idx=5;profile=0;tier=0\r\n")
            }
            VideoCodec::H264 => format!(
                "a=rtpmap:{pt} H264/90000\r\na=fmtp:{pt} level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n"
            ),
        };
        for feedback in ["goog-remb", "transport-cc", "ccm fir", "nack", "nack pli"] {
            pictures += &format!("a=rtcp-fb:{pt} {feedback}\r\n");
        }
        pictures += &format!("a=rtpmap:{rtx} rtx/90000\r\na=fmtp:{rtx} apt={pt}\r\n");
    }
    // Browsers always offer it, and take either answer.
    sdp += if setup.video_first { "a=group:BUNDLE 1 0\r\n" } else { "a=group:BUNDLE 0 1\r\n" };
    if setup.video_first { sdp + &pictures + &sound } else { sdp + &sound + &pictures }
}

fn section(sdp: &mut String, mid: &str, transport: &Browser, direction: &str) {
    let ice = transport.remote_ice();
    *sdp += &format!("c=IN IP4 0.0.0.0\r\na=ice-ufrag:{}\r\na=ice-pwd:{}\r\n", ice.ufrag, ice.pwd);
    *sdp += &format!("a=fingerprint:sha-256 {}\r\na=setup:actpass\r\n", transport.fingerprint());
    *sdp += &format!("a=mid:{mid}\r\na={direction}\r\na=rtcp-mux\r\na=rtcp-rsize\r\n");
    *sdp += &format!("a=extmap:{MID} urn:ietf:params:rtp-hdrext:sdes:mid\r\n");
    *sdp += &format!(
        "a=extmap:{TRANSPORT_CC} http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n"
    );
}

/// One section of an answer.
#[derive(Debug)]
pub struct Answered {
    pub ice: LocalIce,
    pub fingerprint: Fingerprint,
}

/// The sections of an answer that were accepted.
pub fn sections(sdp: &str) -> Vec<Answered> {
    let sections = sdp.split("\r\nm=").skip(1).filter(|text| !text.contains(" 0 UDP"));
    let read = |text: &str| {
        let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
        Answered {
            ice: LocalIce { ufrag: value("a=ice-ufrag:"), pwd: value("a=ice-pwd:") },
            fingerprint: Fingerprint::parse(&value("a=fingerprint:sha-256 ")).unwrap(),
        }
    };
    sections.map(read).collect()
}
