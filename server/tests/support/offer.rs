//! Offers of a browser.

/// What Chromium offers for microphone and camera.
pub(crate) const OFFER: &str = include_str!("../../../media-core/src/sdp/fixtures/offers/sendrecv.sdp");

/// A page's own session id in the offer, so that no two pages look like one peer connection.
pub(crate) fn offer(page: &str) -> String {
    let origin = OFFER.lines().find(|line| line.starts_with("o=")).unwrap();
    let mut words: Vec<&str> = origin.split(' ').collect();
    words[1] = page;
    OFFER.replace(origin, &words.join(" "))
}
