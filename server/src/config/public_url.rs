//! The address this server is known by.

use std::net::{IpAddr, SocketAddr};

/// What a public URL begins with; `http`/`ws` or `https`/`wss` by one switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// `http://`, `ws://`
    Plain,
    /// `https://`, `wss://`
    Secure,
}

impl Scheme {
    /// Of a server that speaks TLS, or does not.
    pub(crate) fn with_tls(tls: bool) -> Self {
        if tls { Self::Secure } else { Self::Plain }
    }

    /// For pages and REST.
    pub(crate) fn http(self) -> &'static str {
        match self {
            Self::Plain => "http",
            Self::Secure => "https",
        }
    }

    fn ws(self) -> &'static str {
        match self {
            Self::Plain => "ws",
            Self::Secure => "wss",
        }
    }
}

/// The address browsers and SDKs reach us at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublicUrl {
    scheme: Scheme,
    /// Host, port and path, without a slash at the end.
    rest: String,
}

impl PublicUrl {
    /// Reads `https://host:port/path`; without a scheme it is that of the server's own port.
    pub(crate) fn parse(text: &str, own: Scheme) -> Result<Self, String> {
        let (scheme, rest) = match text.split_once("://") {
            Some(("http" | "ws", rest)) => (Scheme::Plain, rest),
            Some(("https" | "wss", rest)) => (Scheme::Secure, rest),
            Some(_) => return Err(format!("{text:?} is not http://… or https://…")),
            None => (own, text),
        };
        let rest = rest.trim_end_matches('/');
        let url = Self { scheme, rest: rest.to_owned() };
        let is_plain = !rest.chars().any(|c| c.is_whitespace() || c.is_control() || "?#@\\".contains(c));
        match url::Url::parse(&url.http()) {
            Ok(parsed) if is_plain && parsed.has_host() => Ok(url),
            Ok(_) | Err(_) => Err(format!("{text:?} has no plain host and path")),
        }
    }

    /// Where the port is bound, for want of something better.
    pub(crate) fn of_listener(scheme: Scheme, address: SocketAddr) -> Self {
        Self { scheme, rest: address.to_string() }
    }

    pub(crate) fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// For pages: `http://…`.
    pub(crate) fn http(&self) -> String {
        format!("{}://{}", self.scheme.http(), self.rest)
    }

    /// For SDKs, and `ch` of tokens: `ws://…`.
    pub(crate) fn ws(&self) -> String {
        format!("{}://{}", self.scheme.ws(), self.rest)
    }

    /// Host name or address, without port and brackets: what a certificate must be for.
    pub(crate) fn host(&self) -> String {
        let host = url::Url::parse(&self.http()).ok().and_then(|url| url.host_str().map(str::to_owned));
        host.unwrap_or_default().trim_matches(['[', ']']).to_owned()
    }

    /// The host, when it is an address and no name.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.host().parse().ok()
    }

    /// Whether only this machine finds a server there.
    pub(crate) fn is_loopback(&self) -> bool {
        let host = self.host();
        host == "localhost"
            || host.ends_with(".localhost")
            || self.address().is_some_and(|address| address.to_canonical().is_loopback())
    }

    /// What browsers send as `Origin` from our own pages: RFC 6454 §6.2.
    pub(crate) fn origin(&self) -> String {
        url::Url::parse(&self.http()).map(|url| url.origin().ascii_serialization()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_for_pages_sdks_and_origins() {
        let cases = [
            ("https://video.example/", "https://video.example", "wss://video.example", "video.example"),
            (
                "wss://video.example:8443/a/",
                "https://video.example:8443/a",
                "wss://video.example:8443/a",
                "video.example",
            ),
            ("http://192.0.2.1:80", "http://192.0.2.1:80", "ws://192.0.2.1:80", "192.0.2.1"),
            ("video.example", "https://video.example", "wss://video.example", "video.example"),
            ("[2001:db8::1]:8443", "https://[2001:db8::1]:8443", "wss://[2001:db8::1]:8443", "2001:db8::1"),
        ];
        for (text, http, ws, host) in cases {
            let url = PublicUrl::parse(text, Scheme::Secure).expect(text);
            assert_eq!((url.http(), url.ws(), url.host()), (http.into(), ws.into(), host.into()), "{text}");
        }
        let origin = |text| PublicUrl::parse(text, Scheme::Plain).unwrap().origin();
        assert_eq!(origin("https://Video.example:443/path"), "https://video.example");
        assert_eq!(origin("127.0.0.1:8080"), "http://127.0.0.1:8080");
    }

    #[test]
    fn loopback_is_known_by_name_and_address() {
        let own = |text| PublicUrl::parse(text, Scheme::Plain).unwrap().is_loopback();
        for text in
            ["localhost:80", "a.localhost", "LOCALHOST", "127.0.0.2", "[::1]:80", "[::ffff:127.0.0.1]"]
        {
            assert!(own(text), "{text}");
        }
        for text in ["video.example", "192.0.2.1", "localhost.example", "[2001:db8::1]"] {
            assert!(!own(text), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "https://",
            "ftp://x",
            "https://a b",
            "https://a?b",
            "https://me@a",
            "https://a:99999",
            "a\u{0}",
        ] {
            assert!(PublicUrl::parse(text, Scheme::Secure).is_err(), "{text}");
        }
    }
}
