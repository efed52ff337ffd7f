//! Tells a page that comes back from a page that was loaded anew.
//!
//! A peer connection keeps its `o=` session id and its DTLS fingerprint through every renegotiation and ICE restart
//! (RFC 8829 §5.2.2); a new page has a new peer connection and so new ones. Nothing else in the offer matters here.

/// What stays the same for the life of a peer connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PeerIdentity {
    session_id: String,
    fingerprint: String,
}

impl PeerIdentity {
    /// Of an offer; `None` when a line is missing: then it equals no other.
    pub(super) fn of_offer(sdp: &str) -> Option<Self> {
        let origin = sdp.lines().find_map(|line| line.strip_prefix("o="))?;
        let session_id = origin.split_ascii_whitespace().nth(1)?.to_owned();
        // One certificate serves all sections, wherever the first line stands.
        let fingerprint = sdp.lines().find_map(|line| line.strip_prefix("a=fingerprint:"))?;
        Some(Self { session_id, fingerprint: fingerprint.trim().to_ascii_uppercase() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(session: &str, fingerprint: &str, ufrag: &str) -> String {
        format!(
            "v=0\r\no=- {session} 2 IN IP4 127.0.0.1\r\ns=-\r\nm=audio 9 RTP/SAVPF 111\r\na=ice-ufrag:{ufrag}\r\na=fingerprint:sha-256 {fingerprint}\r\n"
        )
    }

    #[test]
    fn ice_restart_is_the_same_peer_and_a_new_certificate_is_not() {
        let first = PeerIdentity::of_offer(&offer("1", "AA:BB", "u1"));
        assert!(first.is_some());
        assert_eq!(first, PeerIdentity::of_offer(&offer("1", "aa:bb", "u2")));
        assert_ne!(first, PeerIdentity::of_offer(&offer("2", "AA:BB", "u1")));
        assert_ne!(first, PeerIdentity::of_offer(&offer("1", "AA:CC", "u1")));
    }

    #[test]
    fn text_that_is_no_offer_has_no_identity() {
        for text in ["", "o=", "o=-", "o=- 1", "a=fingerprint:sha-256 AA", "\u{0}\r\r\n\n"] {
            assert_eq!(PeerIdentity::of_offer(text), None, "{text:?}");
        }
    }
}
