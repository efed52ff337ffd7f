//! ICE credentials as they travel alone: the SDP fragments of RFC 8840 §9.
//!
//! in:  the body of a PATCH; an offer or an answer
//! out: credentials; the offer with other credentials; the answer's ICE as a fragment
//!
//! Candidates are not read: an ICE-lite agent learns its peer's address from the peer's checks.

use std::fmt::Write as _;

const UFRAG: &str = "a=ice-ufrag:";
const PWD: &str = "a=ice-pwd:";

/// Lines of a fragment that mean something, or may stand there: RFC 8840 §9.1.
const KNOWN: [&str; 8] =
    ["a=ice-", "a=candidate:", "a=end-of-candidates", "a=group:", "a=mid:", "m=", "a=fingerprint:", "c="];

/// What the peer says of its side of ICE.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fragment {
    ufrag: Option<String>,
    pwd: Option<String>,
}

impl Fragment {
    /// Reads one; of several sections the first counts, as in a bundle.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).peekable();
        if lines.peek().is_none() {
            return Err("the fragment is empty");
        }
        let mut found = Self::default();
        for line in lines {
            if let Some(ufrag) = line.strip_prefix(UFRAG) {
                found.ufrag.get_or_insert_with(|| ufrag.to_owned());
            } else if let Some(pwd) = line.strip_prefix(PWD) {
                found.pwd.get_or_insert_with(|| pwd.to_owned());
            } else if !KNOWN.iter().any(|known| line.starts_with(known)) && !is_sdp(line) {
                return Err("that is no SDP fragment");
            }
        }
        match (&found.ufrag, &found.pwd) {
            (None, Some(_)) => Err("a=ice-ufrag is missing"),
            (Some(_), None) => Err("a=ice-pwd is missing"),
            (Some(_), Some(_)) | (None, None) => Ok(found),
        }
    }

    /// Whether these are other credentials than the offer's: the peer wants ICE to begin anew. RFC 8839 §4.4.1.1.1.
    pub(super) fn restarts(&self, offer: &str) -> bool {
        let says = |name: &str, value: &Option<String>| {
            value
                .as_ref()
                .is_none_or(|value| offer.lines().any(|line| line.strip_prefix(name) == Some(value)))
        };
        !(says(UFRAG, &self.ufrag) && says(PWD, &self.pwd))
    }

    /// The offer with these credentials in every section.
    pub(super) fn put_into(&self, offer: &str) -> String {
        let mut renewed = String::with_capacity(offer.len() + 64);
        for line in offer.lines() {
            let (name, value) = match (&self.ufrag, &self.pwd) {
                (Some(ufrag), _) if line.starts_with(UFRAG) => (UFRAG, ufrag.as_str()),
                (_, Some(pwd)) if line.starts_with(PWD) => (PWD, pwd.as_str()),
                _ => (line, ""),
            };
            renewed.extend([name, value, "\r\n"]);
        }
        renewed
    }
}

/// The ICE of an answer: the session's lines and those of the section that speaks for its bundle.
pub(super) fn of_answer(answer: &str) -> String {
    let mut fragment = String::new();
    let mut sections = 0;
    for line in answer.lines() {
        sections += usize::from(line.starts_with("m="));
        let is_ice = ["a=ice-", "a=group:BUNDLE", "m=", "a=mid:", "a=candidate:", "a=end-of-candidates"];
        if sections <= 1 && is_ice.iter().any(|known| line.starts_with(known)) {
            // Writing to a String cannot fail.
            let _ = write!(fragment, "{line}\r\n");
        }
    }
    fragment
}

/// A letter, an equals sign, something: a line that a later version of SDP may have.
fn is_sdp(line: &str) -> bool {
    matches!(line.as_bytes(), [b'a'..=b'z', b'=', _, ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "v=0\r\na=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n\
        a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\n\
        a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n";

    fn parsed(ufrag: &str, pwd: &str) -> Fragment {
        Fragment::parse(&format!("a=ice-options:trickle\n{UFRAG}{ufrag}\r\n{PWD}{pwd}\n")).unwrap()
    }

    #[test]
    fn candidates_alone_restart_nothing() {
        // RFC 9725 §4.3.2, without what is not read.
        let body = "a=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=ice-ufrag:EsAw\r\n\
            a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\na=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host \
            generation 0 ufrag EsAw network-id 1\r\na=end-of-candidates\r\n";
        assert!(!Fragment::parse(body).unwrap().restarts(OFFER));
        assert!(!Fragment::parse("a=end-of-candidates").unwrap().restarts(OFFER));
    }

    #[test]
    fn another_name_or_password_restarts() {
        for (ufrag, pwd, expected) in [
            ("EsAw", "P2uYro0UCOQ4zxjKXaWCBui1", false),
            ("ysXw", "P2uYro0UCOQ4zxjKXaWCBui1", true),
            ("EsAw", "vw5LmwG4y/e6dPP/zAP9Gp5k", true),
            ("EsA", "P2uYro0UCOQ4zxjKXaWCBui1", true),
        ] {
            assert_eq!(parsed(ufrag, pwd).restarts(OFFER), expected, "{ufrag} {pwd}");
        }
    }

    #[test]
    fn an_offer_gets_new_credentials_and_nothing_else() {
        let renewed = parsed("ysXw", "vw5LmwG4y/e6dPP/zAP9Gp5k").put_into(OFFER);
        let expected =
            OFFER.replace("EsAw", "ysXw").replace("P2uYro0UCOQ4zxjKXaWCBui1", "vw5LmwG4y/e6dPP/zAP9Gp5k");
        assert_eq!(renewed, expected);
    }

    #[test]
    fn an_answer_gives_the_ice_of_its_first_section() {
        let answer = "v=0\r\na=group:BUNDLE 0 1\r\na=ice-lite\r\na=msid-semantic: WMS x\r\n\
            m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=ice-ufrag:us\r\na=ice-pwd:secret\r\n\
            a=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\na=end-of-candidates\r\na=recvonly\r\n\
            m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\na=ice-ufrag:us\r\n";
        let expected = "a=group:BUNDLE 0 1\r\na=ice-lite\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n\
            a=ice-ufrag:us\r\na=ice-pwd:secret\r\na=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\na=end-of-candidates\r\n";
        assert_eq!(of_answer(answer), expected);
    }

    #[test]
    fn what_is_no_fragment_is_told() {
        for (text, expected) in [
            ("", "the fragment is empty"),
            ("\r\n\r\n", "the fragment is empty"),
            ("hello", "that is no SDP fragment"),
            ("{\"candidate\": 1}", "that is no SDP fragment"),
            ("a=ice-pwd:x", "a=ice-ufrag is missing"),
            ("a=ice-ufrag:x", "a=ice-pwd is missing"),
        ] {
            assert_eq!(Fragment::parse(text), Err(expected), "{text:?}");
        }
    }
}
