//! Offers with many sections: tiles, WHIP and WHEP, as Chromium makes them.

use proptest::prelude::*;

use super::tests::{Mutation, answered, check_answer, check_recorded, mutated, mutation};
use super::*;
use crate::units::{MediaKind, Pt, VideoCodec};

const TILES: &str = include_str!("fixtures/offers/tiles.sdp");
const AUDIO_SLOTS: &str = include_str!("fixtures/offers/tiles-audio-slots.sdp");
const VIEWER: &str = include_str!("fixtures/offers/tiles-viewer.sdp");
const DATA: &str = include_str!("fixtures/offers/tiles-data.sdp");
const WHIP: &str = include_str!("fixtures/offers/whip.sdp");
const WHEP: &str = include_str!("fixtures/offers/whep.sdp");

fn tiles(video: u8, audio: u8) -> Policy {
    Policy { slots: Some(SlotPolicy { video, audio }), ..plain() }
}

/// For WHIP and WHEP: one section of each kind.
fn plain() -> Policy {
    let video = vec![VideoCodec::Vp8, VideoCodec::H264];
    Policy { video, bundle: true, slots: None, simulcast: true, data: false, stereo: false }
}

fn many(text: &str, policy: &Policy) -> Negotiated {
    let negotiated = negotiate(&Offer::parse_many(text).unwrap(), policy).unwrap();
    check_answer(&negotiated, &answered(&negotiated));
    negotiated
}

/// The text of a fixture with its sections changed.
fn with_sections(text: &str, change: impl FnOnce(&mut Vec<String>)) -> String {
    let mut parts: Vec<String> = text.split("m=").map(str::to_owned).collect();
    change(&mut parts);
    parts.join("m=")
}

fn rids(media: &NegotiatedMedia) -> Vec<&str> {
    media.rids.iter().map(|rid| rid.0.as_str()).collect()
}

/// Kind and direction of each section of the answer, and what its stream is called.
fn outline(text: &str) -> Vec<String> {
    let sections = text.split("\r\nm=").skip(1);
    let line = |section: &str| {
        let stopped = section.split(' ').nth(1) == Some("0");
        let direction =
            section.lines().find(|l| l.ends_with("only") || l.ends_with("recv") || l.ends_with("inactive"));
        let msid = section.lines().find_map(|l| l.strip_prefix("a=msid:")).unwrap_or("-");
        let kind = section.split(' ').next().unwrap();
        let how = if stopped { "port 0" } else { direction.map_or("", |d| d.trim_start_matches("a=")) };
        format!("{kind} {how} {msid}")
    };
    sections.map(line).collect()
}

#[test]
fn sections_that_only_receive_are_slots() {
    let n = many(TILES, &tiles(9, 0));
    assert!(n.bundled);
    assert_eq!((n.video_slots.len(), n.audio_slots.len(), n.rejected.len()), (9, 0, 0));
    let (audio, video) = (n.audio.as_ref().unwrap(), n.video.as_ref().unwrap());
    assert_eq!((audio.direction, video.direction), (Direction::SendRecv, Direction::RecvOnly));
    assert_eq!(rids(video), ["q", "h", "f"]);
    assert!(n.video_slots.iter().all(|slot| slot.direction == Direction::SendOnly && slot.rids.is_empty()));
    assert_eq!(n.group.len(), 11);
    let text = answered(&n);
    assert_eq!(
        outline(&text)[..4],
        [
            "audio sendrecv room audio",
            "video recvonly -",
            "video sendonly slot-0 slot-0-video",
            "video sendonly slot-1 slot-1-video"
        ]
    );
    assert!(text.contains("a=rid:q recv\r\na=rid:h recv\r\na=rid:f recv\r\na=simulcast:recv q;h;f\r\n"));
    assert!(
        text.contains("a=ssrc-group:FID 4000 4001\r\n") && text.contains("a=ssrc-group:FID 4016 4017\r\n")
    );
}

#[test]
fn sections_for_speakers_are_slots_too() {
    let n = many(AUDIO_SLOTS, &tiles(9, 3));
    assert_eq!((n.video_slots.len(), n.audio_slots.len()), (9, 3));
    let text = answered(&n);
    assert_eq!(
        outline(&text)[..6],
        [
            "audio recvonly -",
            "video recvonly -",
            "audio sendonly audio-slot-0 audio-slot-0-audio",
            "audio sendonly audio-slot-1 audio-slot-1-audio",
            "audio sendonly audio-slot-2 audio-slot-2-audio",
            "video sendonly slot-0 slot-0-video"
        ]
    );
}

#[test]
fn the_mix_is_not_sent_beside_speakers() {
    // A microphone in a section that could do both ways.
    let n = many(TILES, &tiles(9, 3));
    assert_eq!(n.audio.unwrap().direction, Direction::RecvOnly);
}

#[test]
fn one_who_only_watches_has_slots_and_the_mix() {
    let n = many(VIEWER, &tiles(25, 0));
    assert_eq!((n.video_slots.len(), n.video.is_none(), n.rejected.len()), (25, true, 0));
    assert_eq!(n.audio.as_ref().unwrap().direction, Direction::SendOnly);
    assert_eq!(outline(&answered(&n))[0], "audio sendonly room audio");
}

#[test]
fn slots_beyond_the_allowed_number_are_answered_with_port_0() {
    let n = many(AUDIO_SLOTS, &tiles(2, 1));
    assert_eq!((n.video_slots.len(), n.audio_slots.len(), n.rejected.len()), (2, 1, 9));
    let text = answered(&n);
    assert_eq!(
        outline(&text),
        [
            "audio recvonly -",
            "video recvonly -",
            "audio sendonly audio-slot-0 audio-slot-0-audio",
            "audio port 0 -",
            "audio port 0 -",
            "video sendonly slot-0 slot-0-video",
            "video sendonly slot-1 slot-1-video",
            "video port 0 -",
            "video port 0 -",
            "video port 0 -",
            "video port 0 -",
            "video port 0 -",
            "video port 0 -",
            "video port 0 -",
        ]
    );
    assert!(text.contains("a=group:BUNDLE 0 1 2 5 6\r\n"), "refused sections are in no group: {text}");
}

#[test]
fn a_leg_of_the_canvas_takes_one_of_each() {
    for text in [TILES, AUDIO_SLOTS, VIEWER] {
        let n = many(text, &plain());
        assert!(n.video_slots.is_empty() && n.audio_slots.is_empty());
        assert_eq!(n.rejected.len(), text.matches("m=").count() - 2);
    }
}

#[test]
fn whip_and_whep_are_answered_in_their_order() {
    let whip = many(WHIP, &plain());
    assert_eq!(rids(whip.video.as_ref().unwrap()), ["q", "h", "f"]);
    assert_eq!(outline(&answered(&whip)), ["audio recvonly -", "video recvonly -"]);
    let whep = many(WHEP, &plain());
    assert_eq!(outline(&answered(&whep)), ["audio sendonly room audio", "video sendonly room video"]);

    let turned = with_sections(WHEP, |parts| parts.swap(1, 2));
    assert_eq!(
        outline(&answered(&many(&turned, &plain()))),
        ["video sendonly room video", "audio sendonly room audio"]
    );
}

#[test]
fn encodings_are_taken_as_listed() {
    let check = |listed: &str, expected: &[&str]| {
        let text = WHIP.replace("a=simulcast:send q;h;f", listed);
        let n = many(&text, &plain());
        assert_eq!(rids(n.video.as_ref().unwrap()), expected, "{listed}");
        let extensions = n.video.unwrap().extensions;
        assert_eq!(extensions.rid.is_some(), !expected.is_empty(), "{listed}");
        assert_eq!(extensions.repaired_rid.is_some(), !expected.is_empty(), "{listed}");
    };
    check("a=simulcast:send f;h;q", &["f", "h", "q"]);
    check("a=simulcast:send q;~h;f", &["q", "h", "f"]);
    check("a=simulcast:send q,h;~f,q", &["q", "f"]);
    check("a=simulcast:recv x send q;h", &["q", "h"]);
    check("a=simulcast:send q;q;h", &["q", "h"]);
    check("a=simulcast:send q;unknown;h", &["q", "h"]);
    for one in [
        "a=simulcast:send q",
        "a=simulcast:send q;unknown",
        "a=simulcast:recv q;h;f",
        "a=x",
        "a=simulcast:send ;;,",
    ] {
        check(one, &[]);
    }
    let five: String = (0..5).map(|n| format!("a=rid:r{n} send\r\n")).collect();
    check(&format!("{five}a=simulcast:send r0;r1;r2;r3;r4"), &["r0", "r1", "r2", "r3"]);

    let single = Policy { simulcast: false, ..plain() };
    let n = many(WHIP, &single);
    assert!(n.video.as_ref().unwrap().rids.is_empty());
    assert!(!answered(&n).contains("simulcast"));
}

#[test]
fn extensions_of_forwarding_are_answered_and_orientation_where_cameras_are_drawn() {
    let n = many(TILES, &tiles(9, 0));
    let camera = n.video.as_ref().unwrap().extensions;
    assert_eq!((camera.rid, camera.repaired_rid, camera.playout_delay), (Some(10), Some(11), Some(5)));
    assert_eq!((n.video_slots[0].extensions.rid, n.video_slots[0].extensions.playout_delay), (None, Some(5)));
    assert_eq!(camera.dependency_descriptor, None, "of no use with VP8 and H.264");
    assert!(!answered(&n).contains("extmap-allow-mixed"));
    let with_av1 = Policy { video: vec![VideoCodec::Vp8, VideoCodec::Av1], ..tiles(9, 0) };
    let n = many(TILES, &with_av1);
    assert_eq!(n.video.as_ref().unwrap().extensions.dependency_descriptor, Some(12));
    assert_eq!(n.video_slots[8].extensions.dependency_descriptor, Some(12));
    let text = answered(&n);
    let turns =
        n.video_slots.iter().chain(&n.video).filter(|section| section.extensions.orientation.is_some());
    assert_eq!((turns.count(), text.matches("video-orientation").count()), (10, 10));
    let canvas = many(TILES, &plain());
    assert_eq!(canvas.video.as_ref().unwrap().extensions.orientation, None, "pictures come upright");
    assert!(!answered(&canvas).contains("video-orientation"));
    let timed = TILES.replace(
        "a=extmap:14 urn:ietf:params:rtp-hdrext:toffset",
        &format!("a=extmap:14 {}", ExtensionUri::AbsCaptureTime.uri()),
    );
    assert_eq!(many(&timed, &tiles(9, 0)).video_slots[8].extensions.abs_capture_time, Some(14));
}

#[test]
fn redundant_sound_is_answered_where_it_would_be_sent() {
    let payload_types = |media: &NegotiatedMedia, text: &str| {
        let mid = format!("a=mid:{}\r\n", media.mid);
        let section = text.split("\r\nm=").find(|section| section.contains(&mid)).unwrap();
        section.lines().next().unwrap().split_whitespace().skip(3).collect::<Vec<_>>().join(" ")
    };
    // The fixture's microphone has it first, its slots last.
    let n = many(AUDIO_SLOTS, &tiles(9, 3));
    let text = answered(&n);
    let microphone = n.audio.as_ref().unwrap();
    assert_eq!(microphone.receive[0].red, Some(Red { pt: Pt(63), preferred: true }));
    assert_eq!(payload_types(microphone, &text), "63 111");
    assert_eq!(payload_types(&n.audio_slots[0], &text), "111");
    assert!(text.contains("a=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\n"));
    for indifferent in [TILES, WHIP, WHEP] {
        assert!(!answered(&many(indifferent, &plain())).contains("red/48000"));
    }
    for (from, to) in [
        ("a=fmtp:63 111/111\r\n", ""),
        ("a=fmtp:63 111/111", "a=fmtp:63 111/9"),
        ("red/48000/2", "red/48000"),
    ] {
        let n = many(&AUDIO_SLOTS.replace(from, to), &tiles(9, 3));
        assert!(n.sections().all(|media| media.receive[0].red.is_none()), "{to}");
    }
}

#[test]
fn data_channels_are_answered_when_allowed_and_shared() {
    let with_data = Policy { data: true, ..tiles(9, 0) };
    let n = many(DATA, &with_data);
    let data = n.data.as_ref().unwrap();
    assert_eq!((data.sctp_port, data.max_message_size, data.place), (5000, 262_144, 4));
    let text = answered(&n);
    assert!(text.contains("m=application 40000 UDP/DTLS/SCTP webrtc-datachannel\r\n"), "{text}");
    assert!(text.ends_with("a=sctp-port:5000\r\na=max-message-size:65536\r\n"), "{text}");
    assert!(text.contains("a=group:BUNDLE 0 1 2 3 4\r\n"));

    let refused =
        "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:4\r\na=inactive\r\n";
    assert!(answered(&many(DATA, &tiles(9, 0))).ends_with(refused));
    let apart = DATA.replace("BUNDLE 0 1 2 3 4", "BUNDLE 0 1 2 3");
    assert!(answered(&many(&apart, &with_data)).ends_with(refused), "it has no transport of its own");
    for (from, to) in [
        ("a=sctp-port:5000", "a=sctp-port:0"),
        ("a=sctp-port:5000", "a=x"),
        ("max-message-size:262144", "max-message-size:-1"),
        ("UDP/DTLS/SCTP webrtc-datachannel", "UDP/DTLS/SCTP 5000"),
    ] {
        let n = many(&DATA.replace(from, to), &with_data);
        assert!(n.data.is_none() && n.rejected.len() == 1, "{to}");
    }
    let unsaid = many(&DATA.replace("a=max-message-size:262144\r\n", ""), &with_data);
    assert_eq!(unsaid.data.unwrap().max_message_size, 65_536, "RFC 8841 §6.1");
}

/// `UPDATE_GOLDEN=1` writes them anew; then read the difference.
#[test]
fn answers_of_many_sections_are_as_recorded() {
    let with_data = Policy { data: true, ..tiles(9, 0) };
    for (name, offer, policy) in [
        ("whip", WHIP, plain()),
        ("whep", WHEP, plain()),
        ("tiles-data", DATA, with_data),
        ("tiles-audio-slots", AUDIO_SLOTS, tiles(2, 3)),
    ] {
        check_recorded(name, &answered(&many(offer, &policy)));
    }
}

#[test]
fn tiles_need_one_transport() {
    let apart = TILES.replace("BUNDLE 0 1 2", "BUNDLE 0 1");
    let refused = negotiate(&Offer::parse_many(&apart).unwrap(), &tiles(9, 0)).unwrap_err();
    assert_eq!(refused, SdpError::BundleNeeded("2".into()));
}

#[test]
fn sections_may_lean_on_the_first_of_their_group() {
    // RFC 9143 §7.1.3; RFC 9429 §5.2.2 asks later offers to be so.
    let transport = ["a=ice-ufrag", "a=ice-pwd", "a=fingerprint", "a=setup", "a=rtcp-mux"];
    let is_kept = |line: &&str| !transport.iter().any(|name| line.starts_with(name));
    let lean = with_sections(DATA, |parts| {
        for part in parts.iter_mut().skip(2) {
            *part = part.split_inclusive("\r\n").filter(is_kept).collect();
        }
    });
    assert_eq!(lean.matches("a=ice-ufrag").count(), 1);
    let policy = Policy { data: true, ..tiles(9, 0) };
    let (n, whole) = (many(&lean, &policy), many(DATA, &policy));
    assert_eq!((&n.video_slots, &n.data), (&whole.video_slots, &whole.data));
    let unbundled = Policy { bundle: false, ..plain() };
    assert!(many(&lean, &unbundled).bundled, "they cannot travel alone");
    let alone = lean.replace("a=group:BUNDLE 0 1 2 3 4\r\n", "");
    assert_eq!(Offer::parse_many(&alone).unwrap_err().to_string(), "section 1 has no rtcp-mux");
}

/// Changes the n-th section of an offer, counted from 0.
fn edited(text: &str, section: usize, from: &str, to: &str) -> String {
    with_sections(text, |parts| {
        assert!(parts[section + 1].contains(from));
        parts[section + 1] = parts[section + 1].replace(from, to);
    })
}

#[test]
fn slots_keep_their_numbers_for_life() {
    let policy = tiles(3, 0);
    let first = many(DATA, &policy);
    assert_eq!(first.video_slots.len(), 2);
    let renew = |former: &Negotiated, text: &str| {
        let next = former.renew(&Offer::parse_many(text).unwrap(), &policy).unwrap();
        check_answer(&next, &answered(&next));
        next
    };
    assert_eq!(renew(&first, DATA), first);

    // The camera is taken away: its section is still the camera's.
    let dark = renew(&first, &edited(DATA, 1, "a=sendonly", "a=inactive"));
    assert_eq!(dark.video.as_ref().unwrap().direction, Direction::Inactive);
    assert_eq!(dark.video_slots.len(), 2);

    // The first slot rests, and is no free place.
    let resting = renew(&first, &edited(DATA, 2, "a=recvonly", "a=inactive"));
    let directions: Vec<Direction> = resting.video_slots.iter().map(|slot| slot.direction).collect();
    assert_eq!(directions, [Direction::Inactive, Direction::SendOnly]);
    assert_eq!(renew(&resting, DATA), first);

    // The first slot is stopped; the second one keeps its number, and a section in the old place takes the first.
    let stopped = edited(DATA, 2, "video 9 ", "video 0 ");
    let gone = renew(&first, &stopped);
    assert_eq!(gone.video_slots[0].direction, Direction::Inactive);
    assert_eq!(gone.video_slots[1], first.video_slots[1]);
    assert_eq!(gone.rejected.iter().map(|(place, _)| *place).collect::<Vec<_>>(), [2, 4]);
    assert!(answered(&gone).contains("a=group:BUNDLE 0 1 3\r\n"));
    let again = edited(DATA, 2, "a=mid:2", "a=mid:9").replace("BUNDLE 0 1 2 3 4", "BUNDLE 0 1 9 3 4");
    let reused = renew(&gone, &again);
    assert_eq!(reused.video_slots[0].mid.0, "9");
    assert_eq!(reused.video_slots[0].direction, Direction::SendOnly);
    assert_eq!(reused.video_slots[1], first.video_slots[1]);

    // A section that comes later is the next slot; one more is too many.
    let more = |mid: &str| {
        let slot = &DATA[DATA.rfind("m=video").unwrap()..DATA.rfind("m=application").unwrap()];
        slot.replace("a=mid:3", &format!("a=mid:{mid}"))
    };
    let longer =
        format!("{DATA}{}{}", more("5"), more("6")).replace("BUNDLE 0 1 2 3 4", "BUNDLE 0 1 2 3 4 5 6");
    let grown = renew(&first, &longer);
    assert_eq!((grown.video_slots.len(), grown.video_slots[2].mid.0.as_str()), (3, "5"));
    assert_eq!(grown.rejected.iter().map(|(place, _)| *place).collect::<Vec<_>>(), [4, 6]);
}

#[test]
fn a_camera_may_come_later() {
    let policy = tiles(25, 0);
    let viewer = many(VIEWER, &policy);
    let camera = &WHIP[WHIP.find("m=video").unwrap()..];
    let with_camera = format!("{VIEWER}{}", camera.replace("a=mid:1", "a=mid:camera"));
    let with_camera = with_camera.replacen(" 25\r\n", " 25 camera\r\n", 1);
    let next = viewer.renew(&Offer::parse_many(&with_camera).unwrap(), &policy).unwrap();
    assert_eq!(rids(next.video.as_ref().unwrap()), ["q", "h", "f"]);
    assert_eq!(next.video_slots, viewer.video_slots);
    assert_eq!(outline(&answered(&next)).last().unwrap(), "video recvonly -");
}

#[test]
fn what_an_offer_may_not_has_no_slots() {
    let mut offer = Offer::parse_many(AUDIO_SLOTS).unwrap();
    offer.limit(MediaKind::Video, true, false);
    let n = negotiate(&offer, &tiles(9, 3)).unwrap();
    assert_eq!((n.video_slots.len(), n.audio_slots.len(), n.rejected.len()), (0, 3, 9));
    assert!(n.video.is_some());
}

#[test]
fn an_offer_of_an_sdk_has_its_own_limits() {
    assert!(Offer::parse_many(VIEWER).is_ok());
    assert_eq!(Offer::parse(VIEWER).unwrap_err().to_string(), "bytes over the limit of 65536");
    let sections = |n: usize| format!("{WHEP}{}", "m=text 0 RTP/AVP 0\r\n".repeat(n));
    assert!(Offer::parse_many(&sections(62)).is_ok());
    let refused = Offer::parse_many(&sections(63)).unwrap_err().to_string();
    assert_eq!(refused, "sections over the limit of 64");
    let long = format!("{WHEP}{}", "a=x\r\n".repeat(10_000));
    assert_eq!(Offer::parse_many(&long).unwrap_err().to_string(), "lines over the limit of 10000");
}

#[test]
fn an_offer_cut_at_any_line_is_answered_well_or_refused() {
    for (offer, policy) in
        [(DATA, Policy { data: true, ..tiles(2, 0) }), (WHIP, plain()), (AUDIO_SLOTS, tiles(9, 3))]
    {
        let step = if offer.len() > 20_000 { 7 } else { 1 };
        for (end, _) in offer.match_indices("\r\n").step_by(step) {
            let Ok(cut) = Offer::parse_many(&offer[..end + 2]) else { continue };
            if let Ok(n) = negotiate(&cut, &policy) {
                check_answer(&n, &answered(&n));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_mutated_offer_of_many_sections_is_answered_well_or_refused(
        offer in prop::sample::select(vec![DATA, WHIP, WHEP]),
        mutations in prop::collection::vec(mutation(), 1..6),
        later in prop::collection::vec(mutation(), 0..4),
        slots: bool,
        audio in 0..3_u8,
    ) {
        let policy = if slots { Policy { data: true, ..tiles(2, audio) } } else { plain() };
        let offer_of = |mutations: &[Mutation]| Offer::parse_many(&mutated(offer, mutations));
        if let Ok(first) = offer_of(&mutations)
            && let Ok(n) = negotiate(&first, &policy)
        {
            check_answer(&n, &answered(&n));
            // Whatever follows keeps the numbers of the slots.
            if let Ok(second) = offer_of(&later)
                && let Ok(next) = n.renew(&second, &policy)
            {
                check_answer(&next, &answered(&next));
                prop_assert!(next.video_slots.len() >= n.video_slots.len());
                prop_assert!(next.video_slots.len() <= 2 && next.audio_slots.len() <= usize::from(audio));
            }
        }
    }
}
