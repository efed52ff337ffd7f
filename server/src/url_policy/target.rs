//! One URL, read in one way: a canonical host and a port, whatever spelling they came in.
//!
//! in:  text and its purpose
//! out: [`Target`]
//!
//! The parser is that of browsers (WHATWG), which turns `0x7f.1`, `017700000001`, `2130706433` and full-width digits
//! into `127.0.0.1`. It does so for `http` alone; hosts of other schemes are put through the same door here.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use super::Refusal;

/// Longest URL: what browsers and proxies agree on.
const MAX_LENGTH: usize = 2048;

/// What a URL is for; each use has its schemes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Events are posted there.
    Webhook,
    /// A file or a live stream is shown in a room.
    #[cfg_attr(not(test), expect(dead_code, reason = "no room plays files yet"))]
    Playback,
    /// A room is sent there.
    Stream,
}

impl Purpose {
    /// For messages.
    fn schemes(self) -> &'static str {
        match self {
            Self::Webhook => "http, https",
            Self::Playback => "http, https, rtmp, rtmps",
            Self::Stream => "rtmp, rtmps",
        }
    }

    fn knows(self, scheme: &str) -> bool {
        self.schemes().split(", ").any(|known| known == scheme)
    }
}

/// A well-formed URL of a known scheme. Its `Debug` shows host and port alone: paths may be stream keys.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Target {
    url: Url,
    /// As URLs write it: IPv6 in brackets, names in ASCII without a dot at the end.
    host: String,
    /// Addresses that the host means by itself.
    literal: Vec<IpAddr>,
    port: u16,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({}://{}:{}/…)", self.url.scheme(), self.host, self.port)
    }
}

impl Target {
    pub(super) fn read(purpose: Purpose, text: &str) -> Result<Self, Refusal> {
        if text.len() > MAX_LENGTH {
            return Err(Refusal::Malformed("it is too long"));
        }
        // Parsers disagree about these: some drop them, some take them for a slash or an end.
        if text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\') {
            return Err(Refusal::Malformed("spaces, control characters and backslashes are not of a URL"));
        }
        let url = Url::parse(text).map_err(|_| Refusal::Malformed("its parts cannot be told"))?;
        if !purpose.knows(url.scheme()) {
            return Err(Refusal::Scheme(purpose.schemes()));
        }
        // `http:host` and `http:/host` are the same to a browser and something else to others.
        if !text.get(url.scheme().len()..).is_some_and(|rest| rest.starts_with("://")) {
            return Err(Refusal::Malformed("`://` is missing"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::UserInfo);
        }
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.and_then(canonical).ok_or(Refusal::Malformed("its host is not a host"))?;
        let port = url.port().unwrap_or_else(|| default_port(url.scheme()));
        if port == 0 || FOREIGN_PORTS.contains(&port) {
            return Err(Refusal::Port(port));
        }
        let literal = match &host {
            Host::Domain(name) if is_localhost(name) => {
                vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]
            }
            Host::Domain(_) => Vec::new(),
            Host::Ipv4(address) => vec![IpAddr::V4(*address)],
            Host::Ipv6(address) => vec![IpAddr::V6(*address)],
        };
        Ok(Self { host: host.to_string(), literal, port, url })
    }

    /// The name for `Host` headers and the resolver.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Whether TLS is spoken there.
    pub(crate) fn is_secure(&self) -> bool {
        matches!(self.url.scheme(), "https" | "rtmps")
    }

    /// The URL, for its path and query.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// Addresses that need no resolver; none when the host is a name.
    pub(super) fn literal(&self) -> &[IpAddr] {
        &self.literal
    }
}

/// RFC 6761 §6.3: always this machine, whatever a resolver says.
fn is_localhost(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

/// The host as browsers understand it. `None` when it is none.
fn canonical(host: &str) -> Option<Host> {
    match Host::parse(host).ok()? {
        Host::Domain(name) => name_of_labels(&name).map(Host::Domain),
        address @ (Host::Ipv4(_) | Host::Ipv6(_)) => Some(address),
    }
}

/// A configured name in the form that [`Target::host`] has. `None` for addresses and what is not a name.
pub(super) fn canonical_name(name: &str) -> Option<String> {
    match canonical(name)? {
        Host::Domain(name) => Some(name),
        Host::Ipv4(_) | Host::Ipv6(_) => None,
    }
}

/// RFC 1035 §2.3.4, with the underscore that people use; one dot at the end means the same name.
fn name_of_labels(name: &str) -> Option<String> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    (name.len() <= 253 && name.split('.').all(is_label)).then(|| name.to_owned())
}

fn default_port(scheme: &str) -> u16 {
    match scheme {
        "http" => 80,
        "rtmp" => 1935,
        // `https` and `rtmps`.
        _ => 443,
    }
}

/// Ports whose protocols might take our bytes for their own commands: the list of the Fetch Standard ("bad port").
const FOREIGN_PORTS: &[u16] = &[
    1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104,
    109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515,
    526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049,
    3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
];
