//! What two transports tell each other through SDP before the first packet.

use std::fmt;

/// The peer's ICE credentials, from its SDP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteIce {
    /// `a=ice-ufrag`.
    pub ufrag: String,
    /// `a=ice-pwd`.
    pub pwd: String,
}

/// Our ICE credentials, for our SDP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalIce {
    /// `a=ice-ufrag`.
    pub ufrag: String,
    /// `a=ice-pwd`.
    pub pwd: String,
}

/// SHA-256 of a DTLS certificate, RFC 8122 §5. No other hash is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// Reads the hexadecimal pairs with colons between them, as in `a=fingerprint:sha-256 <this>`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        let mut pairs = text.split(':');
        for byte in &mut bytes {
            let pair = pairs.next().filter(|p| p.len() == 2 && p.bytes().all(|b| b.is_ascii_hexdigit()))?;
            *byte = u8::from_str_radix(pair, 16).ok()?;
        }
        pairs.next().is_none().then_some(Self(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(":")?;
            }
            write!(f, "{byte:02X}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_reads_what_it_writes_and_nothing_else() {
        let print = Fingerprint(std::array::from_fn(|i| u8::try_from(i * 8).unwrap_or(255)));
        let text = print.to_string();
        assert!(text.starts_with("00:08:10:18:"));
        assert_eq!(Fingerprint::parse(&text), Some(print));
        assert_eq!(Fingerprint::parse(&text.to_lowercase()), Some(print));
        for bad in
            ["", "00", &text[3..], &format!("{text}:00"), &text.replace("08", "+8"), &text.replace(':', "")]
        {
            assert_eq!(Fingerprint::parse(bad), None, "{bad}");
        }
    }
}
