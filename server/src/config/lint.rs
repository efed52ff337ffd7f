//! What is allowed and probably not meant.
//!
//! in:  a checked configuration
//! out: sentences for the operator, each beginning with the key to look at

use std::net::IpAddr;

use super::{Config, Scheme};

impl Config {
    /// Told by `check-config` and at every start.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let mut warn = |key: &str, text: String| warnings.push(format!("{key}: {text}"));
        let listen = self.listen;
        // A public URL that is not of this machine alone tells of a proxy in front of a loopback port.
        let published = self.public_url.as_ref().is_some_and(|url| !url.is_loopback());
        if listen.ip().is_loopback() && !published {
            return warnings;
        }
        let behind_proxy = self.public_url.as_ref().is_some_and(|url| url.scheme() == Scheme::Secure);
        if self.tls.is_none() && !behind_proxy {
            let text = format!(
                "{listen} can be reached by others without TLS: secrets travel in clear, and browsers give camera and \
                 microphone only to https:// pages; set tls.certificate and tls.key, or a https:// public_url of the \
                 proxy in front"
            );
            warn("listen", text);
        }
        if self.media.bind.is_loopback() {
            warn(
                "media.bind",
                format!("is loopback while {listen} is not: no other machine's media arrives"),
            );
        } else if !self.media.advertise.is_empty() && self.media.advertise.iter().all(|a| a.is_loopback()) {
            warn("media.advertise", "is only loopback: no other machine's media arrives".to_owned());
        }
        let unheard = |address: &&IpAddr| self.media.bind.is_ipv4() && address.is_ipv6();
        if let Some(address) = self.media.advertise.iter().find(unheard) {
            let text = format!("{address} is IPv6, and media.bind is not; `::` takes both");
            warn("media.advertise", text);
        }
        if self.demo {
            warn("demo.enabled", format!("everybody who reaches {listen} can join every room"));
        }
        if self.metrics_listen.is_none() {
            warn("metrics.listen", format!("is not set: everybody who reaches {listen} can read /metrics"));
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::load;

    const PUBLIC: &str = r#"
        listen = "192.0.2.7:8080"
        public_url = "https://video.example"
        [auth]
        project = "acme"
        api_token = "0123456789abcdef"
        [media]
        advertise = ["192.0.2.7"]
        [metrics]
        listen = "127.0.0.1:9090"
    "#;

    #[test]
    fn what_is_probably_not_meant_is_told_by_its_key() {
        type Texts = &'static [&'static str];
        let cases: &[(&[(&str, &str)], Texts)] = &[
            (&[], &[]),
            (&[("SIGNALBOX__PUBLIC_URL", "http://video.example")], &["listen"]),
            (
                &[
                    ("SIGNALBOX__PUBLIC_URL", "video.example"),
                    ("SIGNALBOX__TLS__CERTIFICATE", "c"),
                    ("SIGNALBOX__TLS__KEY", "k"),
                ],
                &[],
            ),
            (&[("SIGNALBOX__MEDIA__ADVERTISE", "127.0.0.1")], &["media.advertise"]),
            (&[("SIGNALBOX__MEDIA__BIND", "127.0.0.1")], &["media.bind"]),
            (&[("SIGNALBOX__DEMO__ENABLED", "true")], &["demo.enabled"]),
            // A proxy passes on what comes to its public URL.
            (
                &[
                    ("SIGNALBOX__LISTEN", "127.0.0.1:80"),
                    ("SIGNALBOX__DEMO__ENABLED", "true"),
                    ("SIGNALBOX__MEDIA__BIND", "127.0.0.1"),
                ],
                &["media.bind", "demo.enabled"],
            ),
            // Nobody else reaches loopback.
            (
                &[
                    ("SIGNALBOX__LISTEN", "127.0.0.1:80"),
                    ("SIGNALBOX__PUBLIC_URL", "https://localhost"),
                    ("SIGNALBOX__DEMO__ENABLED", "true"),
                ],
                &[],
            ),
        ];
        for (variables, keys) in cases {
            let warnings = load(PUBLIC, variables).unwrap().warnings();
            let found: Vec<&str> = warnings.iter().filter_map(|text| Some(text.split_once(':')?.0)).collect();
            assert_eq!(found, *keys, "{variables:?}");
        }
        let metrics = PUBLIC.replace("[metrics]\n        listen = \"127.0.0.1:9090\"", "");
        assert!(load(&metrics, &[]).unwrap().warnings()[0].starts_with("metrics.listen: "));
    }
}
