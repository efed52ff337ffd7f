//! Offers of a real Chromium, the answers to them word by word, and offers that nobody should send.

use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::transport::{Candidate, Fingerprint, LocalIce, Protocol};
use crate::units::{MediaKind, Mid, Pt, Ssrc, VideoCodec};

const SENDRECV: &str = include_str!("fixtures/offers/sendrecv.sdp");
const H264: &str = include_str!("fixtures/offers/h264.sdp");
const AUDIENCE: &str = include_str!("fixtures/offers/audience.sdp");
const SCREEN: &str = include_str!("fixtures/offers/screen.sdp");
const AUDIO_ONLY: &str = include_str!("fixtures/offers/audio-only.sdp");
const DATA_CHANNEL: &str = include_str!("fixtures/offers/datachannel.sdp");
const MAX_BUNDLE: &str = include_str!("fixtures/offers/max-bundle.sdp");
const ALL: [&str; 7] = [SENDRECV, H264, AUDIENCE, SCREEN, AUDIO_ONLY, DATA_CHANNEL, MAX_BUNDLE];

pub(super) fn policy(bundle: bool) -> Policy {
    Policy { video: vec![VideoCodec::H264, VideoCodec::Vp8], bundle, ..Policy::default() }
}

pub(super) fn negotiated(text: &str, bundle: bool) -> Negotiated {
    negotiate(&Offer::parse(text).unwrap(), &policy(bundle)).unwrap()
}

fn local(name: &str, ssrc: u32, rtx: Option<u32>) -> LocalMedia {
    let ice = LocalIce { ufrag: format!("{name}Ufrag"), pwd: format!("{name}PasswordOfTwentyFour") };
    LocalMedia { ice, ssrc: Ssrc(ssrc), rtx: rtx.map(Ssrc) }
}

pub(super) fn answered(negotiated: &Negotiated) -> String {
    let (audio, video) = (local("audio", 1111, None), local("video", 2222, Some(3333)));
    let slots = |slots: &[NegotiatedMedia], name: &str, first: u32| -> Vec<LocalMedia> {
        (first..).step_by(2).zip(slots).map(|(ssrc, _)| local(name, ssrc, Some(ssrc + 1))).collect()
    };
    let data = LocalData { ice: audio.ice.clone(), max_message_size: 65_536 };
    let candidates = ["192.0.2.7:40000", "[2001:db8::7]:40000"]
        .map(|address| Candidate { protocol: Protocol::Udp, address: address.parse().unwrap() });
    write_answer(&Answer {
        negotiated,
        origin: Origin { session_id: 77, version: 1 },
        fingerprint: Fingerprint([0xab; 32]),
        candidates: &candidates,
        audio: Some(&audio),
        video: Some(&video),
        video_slots: &slots(&negotiated.video_slots, "video", 4000),
        audio_slots: &slots(&negotiated.audio_slots, "audio", 5000),
        data: Some(&data),
        cname: "canvas",
        stream: "room",
        one_stream: false,
    })
}

#[test]
fn a_browser_offer_is_read_whole() {
    let offer = Offer::parse(SENDRECV).unwrap();
    assert_eq!(offer.origin, Origin { session_id: 3_963_654_804_904_433_071, version: 2 });
    assert_eq!(offer.bundle, [Mid("0".into()), Mid("1".into())]);
    assert_eq!(offer.media().count(), offer.sections.len());

    let audio = offer.audio().unwrap();
    assert_eq!((audio.mid.0.as_str(), audio.direction), ("0", Direction::SendRecv));
    assert_eq!(audio.ice.ufrag, "n2ka");
    assert_eq!(audio.ice.pwd, "G3HiacMQULXcU7QMgP/QVrGq");
    assert!(audio.fingerprint.to_string().starts_with("90:52:7C:4E"));
    assert_eq!(audio.codecs.len(), 1);
    assert_eq!((audio.codecs[0].pt, audio.codecs[0].codec), (Pt(111), Codec::Opus));
    assert_eq!(audio.extensions.len(), 4);
    assert_eq!(audio.ssrcs, [OfferedSsrc { media: Ssrc(1_325_699_095), rtx: None }]);

    let video = offer.video().unwrap();
    let codecs: Vec<_> = video.codecs.iter().map(|c| (c.pt.0, c.codec, c.rtx.map(|p| p.0))).collect();
    assert_eq!(
        codecs,
        [
            (96, Codec::Video(VideoCodec::Vp8), Some(97)),
            (108, Codec::Video(VideoCodec::H264), Some(109)),
            (45, Codec::Video(VideoCodec::Av1), Some(46)),
            (98, Codec::Video(VideoCodec::Vp9), Some(99)),
        ],
        "of six H.264 profiles only constrained baseline in packetization mode 1 counts, of VP9 only profile 0"
    );
    let all = Feedback { nack: true, nack_pli: true, ccm_fir: true, transport_cc: true, goog_remb: true };
    assert!(video.codecs.iter().all(|c| c.feedback == all));
    assert_eq!(video.ssrcs, [OfferedSsrc { media: Ssrc(1_239_363_207), rtx: Some(Ssrc(1_739_884_307)) }]);
    assert!(video.rtcp_rsize);
}

#[test]
fn one_peer_connection_keeps_its_session_id() {
    let first = Offer::parse(SENDRECV).unwrap();
    let restarted = SENDRECV.replace("ice-ufrag:n2ka", "ice-ufrag:new1").replacen("071 2 IN", "071 3 IN", 1);
    let restarted = Offer::parse(&restarted).unwrap();
    assert_eq!(first.origin.session_id, restarted.origin.session_id);
    assert_eq!(restarted.origin.version, 3);
    assert_eq!(restarted.audio().unwrap().ice.ufrag, "new1");
    assert_ne!(first.origin.session_id, Offer::parse(H264).unwrap().origin.session_id);
}

#[test]
fn the_policy_orders_the_codecs_and_forces_one() {
    let offer = Offer::parse(SENDRECV).unwrap();
    for (wanted, expected) in [
        (vec![VideoCodec::H264, VideoCodec::Vp8], vec![108, 96]),
        (vec![VideoCodec::Vp8, VideoCodec::H264], vec![96, 108]),
        (vec![VideoCodec::Vp8], vec![96]),
        (vec![VideoCodec::H264], vec![108]),
    ] {
        let video = negotiate(&offer, &Policy { video: wanted, ..Policy::default() }).unwrap().video.unwrap();
        assert_eq!(video.receive.iter().map(|p| p.pt.0).collect::<Vec<_>>(), expected);
        assert_eq!(video.send, video.receive[0]);
    }
}

#[test]
fn an_offer_without_our_codec_is_refused_with_the_reason() {
    let vp8_only = Policy { video: vec![VideoCodec::Vp8], ..Policy::default() };
    let refused = negotiate(&Offer::parse(H264).unwrap(), &vp8_only).unwrap_err();
    assert_eq!(refused.to_string(), "no common Video codec; offered were H264, rtx");
}

#[test]
fn directions_are_mirrored() {
    for (offered, ours) in [
        ("sendrecv", Direction::SendRecv),
        ("sendonly", Direction::RecvOnly),
        ("recvonly", Direction::SendOnly),
        ("inactive", Direction::Inactive),
    ] {
        let n = negotiated(&SENDRECV.replace("a=sendrecv", &format!("a={offered}")), false);
        let text = answered(&n);
        assert!(n.sections().all(|s| s.direction == ours), "{offered}");
        assert_eq!(text.matches(&format!("a={}\r\n", ours.name())).count(), 2, "{text}");
        assert_eq!(text.contains("a=msid:"), ours.sends(), "{text}");
    }
    let unsaid = negotiated(&SENDRECV.replace("a=sendrecv\r\n", ""), false);
    assert!(unsaid.sections().all(|s| s.direction == Direction::SendRecv));
}

#[test]
fn audio_stands_first_and_keeps_its_own_mid() {
    let text = answered(&negotiated(SCREEN, true));
    let lines: Vec<&str> = text.lines().filter(|l| l.starts_with("m=") || l.starts_with("a=mid")).collect();
    assert_eq!(
        lines,
        [
            "m=audio 40000 UDP/TLS/RTP/SAVPF 111",
            "a=mid:1",
            "m=video 40000 UDP/TLS/RTP/SAVPF 108 109 96 97",
            "a=mid:0"
        ]
    );
    assert!(text.contains("a=group:BUNDLE 0 1\r\n"), "the offerer's first mid names the shared transport");
    assert_eq!(text.matches("a=recvonly\r\n").count(), 2);
}

#[test]
fn bundle_is_answered_only_when_wanted_and_offered() {
    assert!(!answered(&negotiated(SENDRECV, false)).contains("a=group"));
    assert!(answered(&negotiated(SENDRECV, true)).contains("a=group:BUNDLE 0 1\r\n"));
    assert!(!negotiated(&SENDRECV.replace("a=group:BUNDLE 0 1\r\n", ""), true).bundled);
    assert!(!negotiated(&SENDRECV.replace("a=group:BUNDLE 0 1", "a=group:BUNDLE 0"), true).bundled);
    let with_data = negotiated(DATA_CHANNEL, true);
    assert!(answered(&with_data).contains("a=group:BUNDLE 0\r\n"), "a rejected section leaves the group");
}

#[test]
fn a_bundle_only_section_is_bundled_or_refused() {
    // RFC 9143 §7.2.1: port 0 with bundle-only is not a stopped section.
    let offer =
        SENDRECV.replacen("m=video 44029", "m=video 0", 1).replacen("a=mid:1", "a=mid:1\r\na=bundle-only", 1);
    assert!(negotiated(&offer, false).bundled);
    let alone = offer.replace("a=group:BUNDLE 0 1\r\n", "");
    let refused = negotiate(&Offer::parse(&alone).unwrap(), &policy(true)).unwrap_err();
    assert_eq!(refused, SdpError::BundleBroken("1".into()));
}

#[test]
fn sections_that_are_not_taken_are_answered_with_port_0() {
    let stopped = SENDRECV.replacen("m=video 44029", "m=video 0", 1);
    let twice =
        format!("{SENDRECV}{}", &AUDIO_ONLY[AUDIO_ONLY.find("m=audio").unwrap()..].replace("mid:0", "mid:2"));
    for (offer, expected) in [
        (
            DATA_CHANNEL,
            "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=inactive\r\n",
        ),
        (&stopped, "m=video 0 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=inactive\r\n"),
        (&twice, "m=audio 0 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:2\r\na=inactive\r\n"),
    ] {
        let text = answered(&negotiated(offer, false));
        assert!(text.ends_with(expected), "{text}");
    }
    let nothing = stopped.replacen("m=audio 38616", "m=audio 0", 1);
    assert_eq!(negotiate(&Offer::parse(&nothing).unwrap(), &policy(false)), Err(SdpError::NoMedia));
}

#[test]
fn session_level_lines_count_for_sections_without_their_own() {
    let print = SENDRECV.lines().find(|l| l.starts_with("a=fingerprint")).unwrap();
    let moved = SENDRECV.replace(&format!("{print}\r\n"), "").replace("a=setup:actpass\r\n", "").replacen(
        "t=0 0\r\n",
        &format!("t=0 0\r\n{print}\r\na=setup:active\r\n"),
        1,
    );
    assert_eq!(Offer::parse(&moved).unwrap().video(), Offer::parse(SENDRECV).unwrap().video());
}

#[test]
fn what_cannot_be_answered_is_named() {
    let change = |from: &str, to: &str| SENDRECV.replace(from, to);
    let long_line = change("a=setup:actpass", &format!("a=setup:actpass\r\na=x:{}", "x".repeat(5000)));
    for (offer, expected) in [
        (change("sha-256", "sha-1"), "section 0 has a bad fingerprint (sha-256 needed): sha-1 90:52:7C:4E"),
        (change("sha-256 90:", "sha-256 "), "section 0 has a bad fingerprint (sha-256 needed): sha-256 52"),
        (
            change("a=setup:actpass", "a=setup:passive"),
            "section 0 has a bad setup (actpass or active needed): passive",
        ),
        (change("a=rtcp-mux\r\n", ""), "section 0 has no rtcp-mux"),
        (change("a=mid:1\r\n", ""), "section 1 has no mid"),
        (change("a=mid:1", "a=mid:0"), "section 0 has a bad a=mid (used twice): 0"),
        (change("a=mid:1", "a=mid:a b"), "section 1 has a bad mid: a b"),
        (change("a=ice-ufrag:n2ka\r\n", ""), "section 0 has no ice-ufrag"),
        (change("ice-ufrag:n2ka", "ice-ufrag:n2"), "section 0 has a bad ice-ufrag: n2"),
        (change("ice-pwd:", "ice-pwd:\u{e9}"), "section 0 has a bad ice-pwd: \u{e9}G3Hi"),
        (change("UDP/TLS/RTP/SAVPF", "RTP/AVP"), "section 0 has a bad protocol: RTP/AVP"),
        (change("v=0", "v=x"), "not SDP: "),
        (String::new(), "not SDP: "),
        (format!("{SENDRECV}{}", "a=x\r\n".repeat(20_000)), "bytes over the limit of 65536"),
        (format!("{SENDRECV}{}", "a=x\r\n".repeat(3000)), "lines over the limit of 2000"),
        (long_line, "bytes in a line over the limit of 4096"),
        (format!("{SENDRECV}{}", "m=text 0 RTP/AVP 0\r\n".repeat(20)), "sections over the limit of 16"),
        (
            change("a=setup:actpass", &"a=extmap:1 urn:x\r\n".repeat(65)),
            "header extensions over the limit of 64",
        ),
    ] {
        let error = Offer::parse(&offer).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error:?} instead of {expected:?}");
    }
}

#[test]
fn extensions_are_answered_when_offered_and_used() {
    let audio_and_video = |offer: &str| {
        let n = negotiated(offer, false);
        (n.audio.unwrap().extensions, n.video.unwrap().extensions)
    };
    let (audio, video) = audio_and_video(SENDRECV);
    let common =
        Extensions { mid: Some(4), transport_cc: Some(3), abs_send_time: Some(2), ..Extensions::default() };
    assert_eq!(audio, Extensions { audio_level: Some(1), ..common });
    let common = Extensions { playout_delay: Some(5), ..common };
    assert_eq!(video, common);

    let (audio, video) = audio_and_video(&SENDRECV.replace("a=rtcp-fb:111 transport-cc\r\n", ""));
    assert_eq!(
        (audio.transport_cc, video.transport_cc),
        (None, Some(3)),
        "no sequence numbers without feedback"
    );

    let two_byte =
        SENDRECV.replace("a=extmap:4 ", "a=extmap:15 ").replace("a=extmap:2 ", "a=extmap:2/sendonly ");
    assert_eq!(audio_and_video(&two_byte).1, Extensions { mid: None, ..common });
}

/// `UPDATE_GOLDEN=1` writes them anew; then read the difference.
#[test]
fn answers_are_as_recorded() {
    for (name, offer, bundle) in [
        ("sendrecv", SENDRECV, false),
        ("sendrecv-bundled", SENDRECV, true),
        ("h264", H264, false),
        ("audience", AUDIENCE, false),
        ("screen", SCREEN, false),
        ("audio-only", AUDIO_ONLY, false),
        ("datachannel-bundled", DATA_CHANNEL, true),
        ("max-bundle", MAX_BUNDLE, true),
    ] {
        check_recorded(name, &answered(&negotiated(offer, bundle)));
    }
}

pub(super) fn check_recorded(name: &str, text: &str) {
    let path: PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "src/sdp/fixtures/answers", &format!("{name}.sdp")].iter().collect();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(&path).unwrap_or_default(), "{name}");
}

/// Rules that hold for every answer whatever the offer.
pub(super) fn check_answer(negotiated: &Negotiated, text: &str) {
    assert!(text.ends_with("\r\n"));
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
    assert_eq!(text.matches('\r').count(), text.matches("\r\n").count(), "{text:?}");
    assert!(text.lines().all(|l| l.as_bytes().get(1) == Some(&b'=')), "{text}");
    let parsed = rtc_sdp::SessionDescription::unmarshal(&mut std::io::Cursor::new(text.as_bytes())).unwrap();
    // A slot that was stopped is still known, but not answered.
    let is_answered = |section: &&NegotiatedMedia| !section.is_stopped;
    let taken = negotiated.sections().filter(is_answered).count();
    let all = taken + usize::from(negotiated.data.is_some()) + negotiated.rejected.len();
    assert_eq!(parsed.media_descriptions.len(), all);
    let answered = || parsed.media_descriptions.iter().filter(|media| media.media_name.port.value != 0);
    match negotiated.order {
        SectionOrder::AudioFirst => {
            assert!(answered().map(|media| &media.media_name.media).is_sorted(), "audio first");
        }
        SectionOrder::AsOffered => {
            let places =
                negotiated.sections().filter(is_answered).map(|section| (section.place, &section.mid));
            for (place, mid) in places.chain(negotiated.data.iter().map(|data| (data.place, &data.mid))) {
                let there = parsed.media_descriptions[place].attribute("mid").flatten();
                assert_eq!(there, Some(mid.0.as_str()), "{text}");
            }
        }
    }
    assert_eq!(answered().count(), taken + usize::from(negotiated.data.is_some()));
    for media in answered().filter(|media| media.media_name.media != "application") {
        for needed in ["mid", "ice-ufrag", "ice-pwd", "fingerprint", "rtcp-mux", "candidate", "rtpmap"] {
            assert!(media.has_attribute(needed), "{needed}: {text}");
        }
        assert_eq!(media.attribute("setup"), Some(Some("passive")));
        let directions = ["sendrecv", "sendonly", "recvonly", "inactive"];
        assert_eq!(directions.iter().filter(|d| media.has_attribute(d)).count(), 1);
    }
    assert!(text.contains("\r\na=ice-lite\r\n"));
}

#[test]
fn an_offer_cut_anywhere_is_answered_well_or_refused() {
    for offer in ALL {
        for end in 0..offer.len() {
            let Some(Ok(cut)) = offer.get(..end).map(Offer::parse) else { continue };
            for bundle in [false, true] {
                if let Ok(n) = negotiate(&cut, &policy(bundle)) {
                    check_answer(&n, &answered(&n));
                }
            }
        }
    }
}

/// A change to an offer's bytes or lines.
#[derive(Clone, Debug)]
pub(super) enum Mutation {
    Byte(prop::sample::Index, u8),
    Insert(prop::sample::Index, String),
    DropLine(prop::sample::Index),
    RepeatLine(prop::sample::Index, usize),
    SwapLines(prop::sample::Index, prop::sample::Index),
    Digits(prop::sample::Index, u64),
}

pub(super) fn mutation() -> impl Strategy<Value = Mutation> {
    use prop::sample::Index;
    let text = prop_oneof![
        "[\\PC\r\n]{0,12}",
        Just("\r".to_owned()),
        Just(":".to_owned()),
        Just("\u{0}".to_owned())
    ];
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(i, b)| Mutation::Byte(i, b)),
        (any::<Index>(), text).prop_map(|(i, t)| Mutation::Insert(i, t)),
        any::<Index>().prop_map(Mutation::DropLine),
        (any::<Index>(), 1_usize..200).prop_map(|(i, n)| Mutation::RepeatLine(i, n)),
        (any::<Index>(), any::<Index>()).prop_map(|(a, b)| Mutation::SwapLines(a, b)),
        (any::<Index>(), any::<u64>()).prop_map(|(i, n)| Mutation::Digits(i, n)),
    ]
}

pub(super) fn mutated(offer: &str, mutations: &[Mutation]) -> String {
    let mut lines: Vec<String> = offer.split("\r\n").map(str::to_owned).collect();
    for mutation in mutations {
        match mutation {
            Mutation::Byte(at, byte) => {
                let line = at.get_mut(&mut lines);
                let mut bytes = std::mem::take(line).into_bytes();
                if !bytes.is_empty() {
                    *at.get_mut(&mut bytes) = *byte;
                }
                *line = String::from_utf8_lossy(&bytes).into_owned();
            }
            Mutation::Insert(at, text) => {
                let line = at.get_mut(&mut lines);
                let ends: Vec<usize> = line.char_indices().map(|(i, _)| i).chain([line.len()]).collect();
                line.insert_str(*at.get(&ends), text);
            }
            Mutation::DropLine(at) if lines.len() > 1 => drop(lines.remove(at.index(lines.len()))),
            Mutation::DropLine(_) => {}
            Mutation::RepeatLine(at, times) => {
                let index = at.index(lines.len());
                let again = vec![lines[index].clone(); *times];
                lines.splice(index..index, again);
            }
            Mutation::SwapLines(a, b) => {
                let (a, b) = (a.index(lines.len()), b.index(lines.len()));
                lines.swap(a, b);
            }
            Mutation::Digits(at, number) => {
                let line = at.get_mut(&mut lines);
                let is_digit = |c: char| c.is_ascii_digit();
                if let Some(start) = line.find(is_digit) {
                    let end = line[start..].find(|c| !is_digit(c)).map_or(line.len(), |n| start + n);
                    line.replace_range(start..end, &number.to_string());
                }
            }
        }
    }
    lines.join("\r\n")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_mutated_offer_is_answered_well_or_refused(
        offer in prop::sample::select(ALL.to_vec()),
        mutations in prop::collection::vec(mutation(), 1..6),
        bundle: bool,
    ) {
        if let Ok(offer) = Offer::parse(&mutated(offer, &mutations))
            && let Ok(n) = negotiate(&offer, &policy(bundle))
        {
            check_answer(&n, &answered(&n));
        }
    }

    #[test]
    fn any_text_is_refused_without_harm(text in "(v=0\r\no=- 1 1 IN IP4 0\r\ns=-\r\nt=0 0\r\n)?([a-z]=\\PC{0,40}\r\n){0,20}") {
        if let Ok(offer) = Offer::parse(&text) {
            prop_assert!(negotiate(&offer, &policy(true)).is_err());
        }
    }
}

#[test]
fn what_an_offer_may_not_is_not_answered() {
    let mut offer = Offer::parse(SENDRECV).unwrap();
    offer.limit(MediaKind::Video, false, false);
    offer.limit(MediaKind::Audio, false, true);
    let text = answered(&negotiate(&offer, &policy(false)).unwrap());
    let directions: Vec<&str> = text
        .lines()
        .filter(|line| ["a=sendonly", "a=recvonly", "a=sendrecv", "a=inactive"].contains(line))
        .collect();
    assert_eq!(directions, ["a=sendonly", "a=inactive"]);
    // Nothing is given that was not offered.
    let mut screen = Offer::parse(SCREEN).unwrap();
    screen.limit(MediaKind::Video, true, true);
    assert_eq!(screen.video().unwrap().direction, Direction::SendOnly);
}

#[test]
fn what_is_not_encoded_here_is_received_and_not_sent() {
    let of_room = |codecs: &[VideoCodec]| Policy { video: codecs.to_vec(), ..policy(false) };
    let video = |text: &str, codecs: &[VideoCodec]| {
        let offer = Offer::parse(text).unwrap();
        negotiate(&offer, &of_room(codecs)).map(|negotiated| negotiated.video.unwrap())
    };
    let numbers = |media: &NegotiatedMedia| media.receive.iter().map(|p| p.pt.0).collect::<Vec<_>>();

    let all = video(SENDRECV, &[VideoCodec::Av1, VideoCodec::Vp9, VideoCodec::Vp8]).unwrap();
    assert_eq!((numbers(&all), all.send.pt), (vec![45, 98, 96], Pt(96)), "the canvas goes out in VP8");
    let fmtp: Vec<_> = all.receive.iter().map(|payload| payload.fmtp.as_str()).collect();
    assert_eq!(fmtp, ["level-idx=5;profile=0;tier=0", "profile-id=0", ""]);

    // A room that allows them, and an offer of nothing else.
    let only = SENDRECV.replace(" VP8/", " none/").replace(" H264/", " none/");
    let refused = video(&only, &VideoCodec::ALL).unwrap_err();
    assert!(refused.to_string().contains("no common Video codec; offered were"), "{refused}");
    let sending = video(&only.replace("a=sendrecv", "a=sendonly"), &VideoCodec::ALL).unwrap();
    assert_eq!(numbers(&sending), [98, 45], "a camera that is only sent needs nothing of ours");
}

// RFC 7587 §6.1: `stereo=1` says that the receiver prefers two channels; without it one is to be sent.
#[test]
fn stereo_is_sent_to_those_who_ask_for_it_where_the_room_has_it() {
    let plain = include_str!("fixtures/offers/sendrecv.sdp");
    let asking = plain.replace("minptime=10;useinbandfec=1", "minptime=10;useinbandfec=1;stereo=1");
    assert_ne!(plain, asking);
    for (offer, room, expected) in
        [(plain, true, false), (asking.as_str(), false, false), (asking.as_str(), true, true)]
    {
        let policy = Policy { stereo: room, ..policy(false) };
        let audio = negotiate(&Offer::parse(offer).unwrap(), &policy).unwrap().audio.unwrap();
        assert_eq!(audio.send.stereo, expected);
        assert_eq!(audio.send.fmtp.ends_with("stereo=1;sprop-stereo=1"), expected, "{}", audio.send.fmtp);
    }
}
