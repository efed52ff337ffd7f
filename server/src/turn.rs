//! Credentials for a TURN server beside us, for clients whose network lets nothing else through.
//!
//! in:  the secret shared with the TURN server, who asks, the time
//! out: RTCIceServer objects (connect result), `Link` headers (WHIP and WHEP)
//!
//! ```text
//!   username   = <seconds since 1970 at which it ends> ":" <who>
//!   credential = base64( HMAC-SHA1( secret, username ) )
//! ```
//!
//! So the TURN server checks them without asking us, and none lasts: coturn's `use-auth-secret`, after
//! draft-uberti-behave-turn-rest-00. HMAC does not depend on what is broken of SHA-1.
//!
//! Never a STUN server alone: with any server in the list the SDKs insist on a reflexive or relayed candidate in every
//! section, and a browser on a public address has none but from a relay.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use control_api::IceServer;

/// A shared secret shorter than this can be guessed from one pair of credentials.
const SECRET_MIN: usize = 16;
/// More servers only make clients gather longer.
const URLS_MAX: usize = 8;

/// The TURN servers of this deployment.
#[derive(Clone)]
pub(crate) struct Turn {
    urls: Vec<String>,
    secret: hmac::Key,
    ttl: Duration,
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").field("urls", &self.urls).field("ttl", &self.ttl).finish_non_exhaustive()
    }
}

impl Turn {
    /// Checks the secret; each URL has been through [`check_url`].
    pub(crate) fn new(urls: Vec<String>, secret: &str, ttl: Duration) -> Result<Self, String> {
        if secret.len() < SECRET_MIN {
            return Err(format!("has fewer than {SECRET_MIN} characters"));
        }
        let secret = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
        Ok(Self { urls, secret, ttl })
    }

    /// New credentials for one session; `who` is what the TURN server's log will show.
    pub(crate) fn mint(&self, who: &str, now: SystemTime) -> IceServer {
        let ends = now.duration_since(UNIX_EPOCH).unwrap_or_default() + self.ttl;
        let username = format!("{}:{who}", ends.as_secs());
        let credential = STANDARD.encode(hmac::sign(&self.secret, username.as_bytes()).as_ref());
        IceServer { urls: self.urls.clone(), username, credential }
    }

    /// The same as values of `Link` headers, one for each URL (RFC 9725 §4.6).
    pub(crate) fn links(&self, who: &str, now: SystemTime) -> Vec<String> {
        let IceServer { urls, username, credential } = self.mint(who, now);
        let link = |url: &String| {
            format!(
                "<{url}>; rel=\"ice-server\"; username=\"{username}\"; credential=\"{credential}\"; \
                 credential-type=\"password\""
            )
        };
        urls.iter().map(link).collect()
    }
}

/// Reads the list of URLs: each `turn:` or `turns:` as in RFC 7065.
pub(crate) fn check_urls(urls: &[String]) -> Result<(), String> {
    if urls.len() > URLS_MAX {
        return Err(format!("{} are more than {URLS_MAX}", urls.len()));
    }
    urls.iter().try_for_each(|url| check_url(url).map_err(|reason| format!("{url:?} {reason}")))
}

fn check_url(url: &str) -> Result<(), &'static str> {
    let (scheme, rest) = url.split_once(':').ok_or("is not turn:… or turns:…")?;
    match scheme {
        "turn" | "turns" => {}
        "stun" | "stuns" => {
            return Err("is of no use: clients need no STUN, and with one alone many cannot join");
        }
        _ => return Err("is not turn:… or turns:…"),
    }
    let (address, query) =
        rest.split_once('?').map_or((rest, None), |(address, query)| (address, Some(query)));
    if !matches!(query, None | Some("transport=udp" | "transport=tcp")) {
        return Err("may end with ?transport=udp or ?transport=tcp only");
    }
    let (host, port) = match address.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((v6, rest)) => {
            v6.parse::<std::net::Ipv6Addr>().map_err(|_| "has no IPv6 address within its brackets")?;
            ("v6", rest)
        }
        None => address.split_at(address.find(':').unwrap_or(address.len())),
    };
    let is_host = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    if host.is_empty() || !host.chars().all(is_host) {
        return Err("names no host");
    }
    let is_port = |digits: &str| digits.parse::<u16>().is_ok_and(|port| port != 0);
    if port.is_empty() || port.strip_prefix(':').is_some_and(is_port) {
        Ok(())
    } else {
        Err("has no valid port")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(secret: &str) -> Turn {
        let urls = ["turn:turn.example?transport=udp", "turns:turn.example:5349?transport=tcp"];
        Turn::new(urls.map(str::to_owned).to_vec(), secret, Duration::from_secs(7200)).unwrap()
    }

    #[test]
    fn the_hash_is_that_of_rfc_2202() {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"Jefe");
        let tag = hmac::sign(&key, b"what do ya want for nothing?");
        assert_eq!(crate::random::hex(tag.as_ref()), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    }

    #[test]
    fn credentials_are_those_that_coturn_computes() {
        // printf 1790007200:4d2b6f1c | openssl dgst -sha1 -hmac 'a secret of at least 16 characters' -binary | base64
        let now = UNIX_EPOCH + Duration::from_secs(1_790_000_000);
        let server = turn("a secret of at least 16 characters").mint("4d2b6f1c", now);
        assert_eq!(server.username, "1790007200:4d2b6f1c");
        assert_eq!(server.credential, "1K9fKDKp2fUQQ+2Fxe5q5BMbTME=");
        assert_eq!(server.urls.len(), 2);
    }

    #[test]
    fn links_say_the_same_to_whip_clients() {
        let links = turn("a secret of at least 16 characters").links("x", UNIX_EPOCH);
        let credential = turn("a secret of at least 16 characters").mint("x", UNIX_EPOCH).credential;
        assert_eq!(
            links[1],
            format!(
                "<turns:turn.example:5349?transport=tcp>; rel=\"ice-server\"; username=\"7200:x\"; \
                 credential=\"{credential}\"; credential-type=\"password\""
            )
        );
    }

    #[test]
    fn only_turn_urls_are_taken_and_secrets_are_not_shown() {
        let check = |url: &str, expected: Option<&str>| {
            let refused = check_urls(&[url.to_owned()]).err();
            assert_eq!(refused.is_some(), expected.is_some(), "{url}: {refused:?}");
            assert!(expected.is_none_or(|part| refused.is_some_and(|text| text.contains(part))), "{url}");
        };
        check("turn:turn.example", None);
        check("turn:192.0.2.1:3478?transport=tcp", None);
        check("turns:[2001:db8::1]:443?transport=tcp", None);
        check("turn:[2001:db8::1]", None);
        check("stun:stun.example", Some("many cannot join"));
        check("turn.example", Some("turn:"));
        check("https://turn.example", Some("turn:"));
        check("turn:", Some("host"));
        check("turn://turn.example", Some("host"));
        check("turn:turn.example:0", Some("port"));
        check("turn:turn.example:3478x", Some("port"));
        check("turn:[2001:db8::zz]", Some("IPv6"));
        check("turn:a b", Some("host"));
        check("turn:turn.example?transport=sctp", Some("transport"));
        assert!(Turn::new(Vec::new(), "short", Duration::ZERO).is_err());
        assert!(!format!("{:?}", turn("a very secret secret")).contains("very secret"));
    }
}
