//! The form of URLs in params. Whether one may be opened is decided where it is opened.

use url::Url;

use crate::session::Reply;

/// Longest URL taken.
const MAX_URL: usize = 2048;

/// What a URL may begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
    Rtmp,
    Rtmps,
}

impl Scheme {
    fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Rtmp => "rtmp",
            Self::Rtmps => "rtmps",
        }
    }
}

/// Refuses what is no URL of one of these schemes with a host.
pub(super) fn check(text: &str, schemes: &[Scheme]) -> Result<(), Reply> {
    if text.len() > MAX_URL {
        return Err(Reply::invalid(format!("url is longer than {MAX_URL} bytes")));
    }
    let url = Url::parse(text).map_err(|e| Reply::invalid(format!("url: {e}")))?;
    if !schemes.iter().any(|scheme| scheme.name() == url.scheme()) {
        let names: Vec<&str> = schemes.iter().map(|scheme| scheme.name()).collect();
        return Err(Reply::invalid(format!("url must begin with one of {}", names.join(", "))));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(Reply::invalid("url has no host"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_urls_of_the_schemes() {
        let long = format!("https://a/{}", "x".repeat(MAX_URL));
        for (text, expected) in [
            ("https://example.org/a.mp4", true),
            ("HTTP://example.org", true),
            ("rtmp://user:pass@[::1]:1935/live/key?x=1", true),
            ("rtmps://example.org/live", false),
            ("", false),
            ("example.org/a.mp4", false),
            ("https://", false),
            ("rtmp:///live", false),
            ("rtmp:live", false),
            ("file:///etc/passwd", false),
            ("javascript:alert(1)", false),
            ("data:,x", false),
            ("https://exa mple.org", false),
            (&long, false),
        ] {
            let checked = check(text, &[Scheme::Http, Scheme::Https, Scheme::Rtmp]);
            assert_eq!(checked.is_ok(), expected, "{text}");
            assert!(checked.is_ok() || matches!(checked, Err(Reply::Refused { code: "422", .. })));
        }
    }
}
