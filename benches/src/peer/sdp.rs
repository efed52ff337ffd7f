//! One offer of several transports, and each transport's share of the answer.
//!
//! in:  offers of single transports; an answer
//! out: one offer with all their sections; the answer as each transport would have got it alone
//!
//! str0m knows one transport for everything. A server that answers without BUNDLE is met with a transport for each
//! section, each of them sure that its section is all there is.

/// Joins offers into one whose sections are not bundled.
pub(super) fn join_offers(offers: &[String]) -> String {
    let header = offers.first().map_or("", |offer| split(offer).0);
    let header: String = lines(header).filter(|line| !line.starts_with("a=group:")).collect();
    offers.iter().fold(header, |joined, offer| joined + split(offer).1)
}

/// The answer reduced to the section of that `mid`.
pub(super) fn section_of(answer: &str, mid: &str) -> Option<String> {
    let (header, sections) = split(answer);
    let header: String = lines(header).filter(|line| !line.starts_with("a=group:")).collect();
    let section = sections_of(sections).find(|section| {
        lines(section).any(|line| line.strip_prefix("a=mid:").is_some_and(|found| found.trim_end() == mid))
    })?;
    Some(format!("{header}a=group:BUNDLE {mid}\r\n{section}"))
}

fn split(sdp: &str) -> (&str, &str) {
    sdp.find("\r\nm=").map_or((sdp, ""), |end| sdp.split_at(end + 2))
}

fn sections_of(sections: &str) -> impl Iterator<Item = &str> {
    let starts: Vec<usize> =
        lines_at(sections).filter(|(_, l)| l.starts_with("m=")).map(|(at, _)| at).collect();
    let ends: Vec<usize> = starts.iter().skip(1).copied().chain([sections.len()]).collect();
    starts.into_iter().zip(ends).filter_map(|(start, end)| sections.get(start..end))
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive('\n')
}

fn lines_at(text: &str) -> impl Iterator<Item = (usize, &str)> {
    lines(text).scan(0, |at, line| {
        let start = *at;
        *at += line.len();
        Some((start, line))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUDIO: &str = "v=0\r\ns=-\r\na=group:BUNDLE aaa\r\nm=audio 9 X 111\r\na=mid:aaa\r\n";
    const VIDEO: &str = "v=0\r\ns=-\r\na=group:BUNDLE vvv\r\nm=video 9 X 96\r\na=mid:vvv\r\n";

    #[test]
    fn offers_are_joined_without_a_group() {
        let joined = join_offers(&[AUDIO.to_owned(), VIDEO.to_owned()]);
        let expected = "v=0\r\ns=-\r\nm=audio 9 X 111\r\na=mid:aaa\r\nm=video 9 X 96\r\na=mid:vvv\r\n";
        assert_eq!(joined, expected);
    }

    #[test]
    fn each_transport_gets_its_section() {
        let answer = join_offers(&[AUDIO.to_owned(), VIDEO.to_owned()]);
        assert_eq!(section_of(&answer, "aaa").as_deref(), Some(AUDIO));
        assert_eq!(section_of(&answer, "vvv").as_deref(), Some(VIDEO));
        assert_eq!(section_of(&answer, "v"), None);
    }
}
