//! The values of single attribute lines.
//!
//! Each reader takes what follows the colon and gives `None` for what it cannot read. Unknown or broken optional
//! lines are then skipped, as RFC 8866 §5.13 asks; the caller decides which lines are not optional.

use crate::units::{Pt, Ssrc};

/// `a=rtpmap:<pt> <name>/<clock>[/<channels>]`
pub(super) struct RtpMap<'a> {
    pub(super) pt: Pt,
    pub(super) name: &'a str,
    pub(super) clock: u32,
    pub(super) channels: u32,
}

pub(super) fn rtpmap(value: &str) -> Option<RtpMap<'_>> {
    let (pt, encoding) = value.split_once(' ')?;
    let mut parts = encoding.trim().split('/');
    let name = parts.next()?;
    let clock = parts.next()?.parse().ok()?;
    let channels = parts.next().map_or(Some(1), |n| n.parse().ok())?;
    Some(RtpMap { pt: payload_type(pt)?, name, clock, channels })
}

/// A payload type that does not collide with RTCP when both share a port, RFC 5761 §4.
pub(super) fn payload_type(text: &str) -> Option<Pt> {
    let pt: u8 = text.trim().parse().ok()?;
    matches!(pt, 0..=63 | 96..=127).then_some(Pt(pt))
}

/// `a=fmtp:<pt> <parameters>`
pub(super) fn fmtp(value: &str) -> Option<(Pt, &str)> {
    let (pt, parameters) = value.split_once(' ')?;
    Some((payload_type(pt)?, parameters.trim()))
}

/// One parameter out of `key=value;key=value`; names are case-insensitive (RFC 6838 §4.3).
pub(super) fn parameter<'a>(fmtp: &'a str, key: &str) -> Option<&'a str> {
    fmtp.split(';')
        .filter_map(|pair| pair.split_once('='))
        .find_map(|(k, v)| k.trim().eq_ignore_ascii_case(key).then(|| v.trim()))
}

/// `a=rtcp-fb:<pt or *> <kind>`; `None` as payload type stands for all of the section.
pub(super) fn rtcp_fb(value: &str) -> Option<(Option<Pt>, &str)> {
    let (pt, kind) = value.split_once(' ')?;
    let pt = if pt == "*" { None } else { Some(payload_type(pt)?) };
    Some((pt, kind.trim()))
}

/// `a=extmap:<id>[/<direction>] <uri> [<attributes>]`, RFC 8285 §5.
pub(super) fn extmap(value: &str) -> Option<(u8, &str)> {
    let mut words = value.split_whitespace();
    let id = words.next()?;
    let id = id.split_once('/').map_or(id, |(id, _direction)| id);
    Some((id.parse().ok()?, words.next()?))
}

/// `a=ssrc:<ssrc> <attribute>`
pub(super) fn ssrc(value: &str) -> Option<Ssrc> {
    value.split_whitespace().next()?.parse().ok().map(Ssrc)
}

/// `a=ssrc-group:FID <media> <rtx>`, RFC 5576 §4.2.
pub(super) fn fid_group(value: &str) -> Option<(Ssrc, Ssrc)> {
    let mut words = value.split_whitespace();
    if words.next()? != "FID" {
        return None;
    }
    let media = words.next()?.parse().ok()?;
    let rtx = words.next()?.parse().ok()?;
    (words.next().is_none() && media != rtx).then_some((Ssrc(media), Ssrc(rtx)))
}

/// The longest id of an encoding that we take; browsers use one to three characters.
const MAX_RID: usize = 16;

/// `a=rid:<id> send [<restrictions>]`, RFC 8851 §10. What it restricts does not matter to us.
pub(super) fn rid_sent(value: &str) -> Option<&str> {
    let mut words = value.split_whitespace();
    let rid = words.next()?;
    let is_rid = (1..=MAX_RID).contains(&rid.len())
        && rid.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    (is_rid && words.next() == Some("send")).then_some(rid)
}

/// `a=simulcast:send <list> [recv <list>]`, in either order (RFC 8853 §5.1); gives the list that is sent.
pub(super) fn simulcast_sent(value: &str) -> Option<&str> {
    let mut words = value.split_whitespace();
    while let Some(direction) = words.next() {
        let list = words.next()?;
        if direction == "send" {
            return Some(list);
        }
    }
    None
}

/// The `token` of RFC 8866 §9: what may be copied into an answer as it came.
pub(super) fn is_token(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|b| matches!(b, 0x21 | 0x23..=0x27 | 0x2a..=0x2b | 0x2d..=0x2e | 0x30..=0x39 | 0x41..=0x5a | 0x5e..=0x7e))
}

/// `ice-char` of RFC 8839 §5.4, within the lengths given there.
pub(super) fn is_ice_text(text: &str, min: usize) -> bool {
    (min..=256).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rtpmap_needs_a_name_and_a_clock() {
        let map = rtpmap("111 opus/48000/2").unwrap();
        assert_eq!((map.pt, map.name, map.clock, map.channels), (Pt(111), "opus", 48_000, 2));
        assert_eq!(rtpmap("96 VP8/90000").map(|m| m.channels), Some(1));
        for bad in ["", "96", "96 ", "96 VP8", "96 VP8/x", "300 VP8/90000", "72 VP8/90000", "96 VP8/90000/x"]
        {
            assert!(rtpmap(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn parameters_are_found_by_name_whatever_their_case_and_spacing() {
        let line = "level-asymmetry-allowed=1; Packetization-Mode=1;profile-level-id=42e01f";
        assert_eq!(parameter(line, "packetization-mode"), Some("1"));
        assert_eq!(parameter(line, "profile-level-id"), Some("42e01f"));
        assert_eq!(parameter(line, "level-id"), None);
        assert_eq!(parameter("111/111", "apt"), None);
    }

    #[test]
    fn extmap_ids_may_carry_a_direction() {
        assert_eq!(extmap("3 urn:x"), Some((3, "urn:x")));
        assert_eq!(extmap("3/sendonly urn:x vad=on"), Some((3, "urn:x")));
        for bad in ["", "3", "x urn:x", "256 urn:x", "/ urn:x"] {
            assert_eq!(extmap(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_ssrc_group_is_a_pair_of_different_streams() {
        assert_eq!(fid_group("FID 1 2"), Some((Ssrc(1), Ssrc(2))));
        for bad in ["", "FID", "FID 1", "FID 1 1", "FID 1 2 3", "SIM 1 2", "FID 1 4294967296"] {
            assert_eq!(fid_group(bad), None, "{bad}");
        }
    }

    #[test]
    fn encodings_are_named_by_short_ids() {
        assert_eq!(rid_sent("q send"), Some("q"));
        assert_eq!(rid_sent("h-1_x send pt=96;max-width=640"), Some("h-1_x"));
        for bad in ["", "q", "q recv", "q sendx", " send", "a.b send", "ü send", "abcdefghijklmnopq send"] {
            assert_eq!(rid_sent(bad), None, "{bad}");
        }
        assert_eq!(simulcast_sent("send q;h;f"), Some("q;h;f"));
        assert_eq!(simulcast_sent("recv a;b send q;~h"), Some("q;~h"));
        for bad in ["", "send", "recv a;b", "q;h;f"] {
            assert_eq!(simulcast_sent(bad), None, "{bad}");
        }
    }

    #[test]
    fn only_tokens_are_copied_into_answers() {
        assert!(is_token("0") && is_token("{a-b_c}") && is_token("sdparta_0"));
        for bad in ["", "a b", "a\rb", "a\nb", "a:b", "a/b", "é", &"a".repeat(65)] {
            assert!(!is_token(bad), "{bad}");
        }
    }
}
