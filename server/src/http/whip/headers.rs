//! What the headers of a request say.

use axum::http::{HeaderMap, HeaderName, header};

use super::SDP;
use crate::wiring::Condition;

/// The token of `Authorization: Bearer`, RFC 6750 §2.1.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = text(headers, &header::AUTHORIZATION)?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// Whether the body is of that type; its parameters do not matter.
pub(super) fn is_of_type(headers: &HeaderMap, wanted: &str) -> bool {
    let essence = text(headers, &header::CONTENT_TYPE).and_then(|value| value.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case(wanted))
}

/// Whether an answer as SDP is welcome, RFC 9110 §12.5.1. The most specific range decides.
pub(super) fn takes_sdp(headers: &HeaderMap) -> bool {
    let mut ranges: Vec<(usize, bool)> = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let rank = [SDP, "application/*", "*/*"].iter().position(|known| {
                parts.clone().next().is_some_and(|range| range.eq_ignore_ascii_case(known))
            })?;
            let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
            Some((rank, quality.and_then(|q| q.parse::<f32>().ok()).is_none_or(|q| q > 0.0)))
        })
        .collect();
    ranges.sort_by_key(|(rank, _)| *rank);
    let says_nothing = headers.get_all(header::ACCEPT).iter().all(|value| value.is_empty());
    ranges.first().map_or(says_nothing, |(_, welcome)| *welcome)
}

/// `If-Match`; weak tags never match, RFC 9110 §13.1.1.
pub(super) fn condition(headers: &HeaderMap) -> Option<Condition> {
    let values = headers.get_all(header::IF_MATCH).iter().filter_map(|value| value.to_str().ok());
    let tags: Vec<String> =
        values.flat_map(|value| value.split(',')).map(|tag| tag.trim().to_owned()).collect();
    match tags.as_slice() {
        [] => None,
        [any] if any == "*" => Some(Condition::Any),
        _ => Some(Condition::Tags(tags)),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(name: HeaderName, values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name.clone(), HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn only_a_bearer_token_is_one() {
        for (value, expected) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("Bearer ", None),
            ("Bearer", None),
            ("Basic abc", None),
            ("abc", None),
        ] {
            assert_eq!(bearer(&headers(header::AUTHORIZATION, &[value])), expected, "{value:?}");
        }
        assert_eq!(bearer(&HeaderMap::new()), None);
    }

    #[test]
    fn the_type_is_what_is_before_its_parameters() {
        for (value, expected) in [
            ("application/sdp", true),
            ("Application/SDP; charset=utf-8", true),
            ("application/sdpx", false),
            ("text/plain", false),
            ("", false),
        ] {
            assert_eq!(is_of_type(&headers(header::CONTENT_TYPE, &[value]), SDP), expected, "{value:?}");
        }
        assert!(!is_of_type(&HeaderMap::new(), SDP));
    }

    #[test]
    fn sdp_is_welcome_unless_it_is_left_out() {
        for (values, expected) in [
            (&[][..], true),
            (&[""], true),
            (&["*/*"], true),
            (&["application/*;q=0.5"], true),
            (&["text/html, application/sdp"], true),
            (&["text/html", "application/sdp;q=0.1"], true),
            (&["application/json"], false),
            (&["application/sdp;q=0, */*"], false),
            (&["*/*;q=0"], false),
        ] {
            assert_eq!(takes_sdp(&headers(header::ACCEPT, values)), expected, "{values:?}");
        }
    }

    #[test]
    fn a_condition_is_a_star_or_tags() {
        let tags = |values| match condition(&headers(header::IF_MATCH, values)) {
            None => "none".to_owned(),
            Some(Condition::Any) => "any".to_owned(),
            Some(Condition::Tags(tags)) => tags.join(" "),
        };
        assert_eq!(tags(&[]), "none");
        assert_eq!(tags(&["*"]), "any");
        assert_eq!(tags(&["\"a\""]), "\"a\"");
        assert_eq!(tags(&["\"a\", W/\"b\"", "\"c\""]), "\"a\" W/\"b\" \"c\"");
    }
}
