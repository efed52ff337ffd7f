//! Members come late, mute, leave, reload and change their network; pictures go on.

use std::time::Duration;

use media_core::codec::Rgb;
use media_core::mix::audio::{Sensitivity, Tone, Volume};
use media_core::room::{Action, LegEnd, Receive};
use media_core::sdp::Offer;
use media_core::units::LegKey;
use media_core::units::VideoCodec::{H264, Vp8};

use crate::conference::{Conference, alike};
use crate::meeting::{BLUE, RED, page, two};
use crate::page::Setup;
use crate::sim::server_address;

const GREEN: Rgb = Rgb(40, 170, 60);

/// How long after the keys a page had its first picture.
fn first_picture(it: &mut Conference, member: usize) -> Duration {
    it.run_until(2.0, |it| it.pages[member].page.is_connected());
    it.run_until(2.0, |it| !it.pages[member].page.seen.is_empty())
}

#[test]
fn a_late_joiner_sees_the_canvas_within_a_frame() {
    let frame = Duration::from_millis(1000 / 15 + 15);
    for video in [H264, Vp8] {
        let mut it = Conference::new(3);
        let setup = || Setup { video: vec![video], ..page(RED, 440.0) };
        let ann = it.join(setup());
        assert!(first_picture(&mut it, ann) <= frame);
        // The key frame that Ann got is young: Bob gets the same one.
        let bob = it.join(setup());
        let took = first_picture(&mut it, bob);
        assert!(took <= Duration::from_millis(15), "{video:?}: {took:?}");
        assert_eq!(it.counters().key_frames, 1);
        // Later there is a new one.
        it.run(3.0);
        let eve = it.join(setup());
        let took = first_picture(&mut it, eve);
        assert!(took <= frame, "{video:?}: {took:?}");
        assert_eq!(it.counters().key_frames, 2, "nobody else asked");
    }
}

#[test]
fn many_requests_make_few_key_frames() {
    let (mut it, _, bob) = two(4);
    let before = it.counters().key_frames;
    for _ in 0..300 {
        it.pages[bob].page.demand_keyframe();
        it.run(0.01);
    }
    let made = it.counters().key_frames - before;
    assert!((4..=6).contains(&made), "{made} key frames in 3 s");
}

#[test]
fn a_lost_packet_is_sent_again_and_needs_no_key_frame() {
    for codec in [H264, Vp8] {
        let mut it = Conference::new(5);
        let setup = |colour| Setup { video: vec![codec], ..page(colour, 440.0) };
        let _ann = it.join(setup(RED));
        let bob = it.join(setup(BLUE));
        it.warm_up();
        let (keys, pictures) = (it.counters().key_frames, it.pages[bob].page.seen.len());
        let plis = it.pages[bob].page.noticed.plis_sent;
        for _ in 0..5 {
            let mut left = 1;
            let pt = crate::offer::payload_type(codec).0;
            it.filter = Some(Box::new(move |from, to, bytes| {
                let is_video = from == server_address() && to.to_string().starts_with("198.51.100.3:");
                let lost = is_video && bytes[1] & 0x7f == pt && left > 0;
                left -= i32::from(lost);
                lost
            }));
            it.run(0.5);
        }
        it.run(0.5);
        let noticed = it.pages[bob].page.noticed.clone();
        assert_eq!(noticed.recovered, 5, "{codec:?}: {noticed:?}");
        assert_eq!(noticed.plis_sent, plis);
        assert_eq!(it.counters().key_frames, keys);
        let shown = it.pages[bob].page.seen.len() - pictures;
        assert!((43..=46).contains(&shown), "{codec:?}: {shown} of 45");
    }
}

#[test]
fn a_muted_camera_is_not_seen_and_its_old_picture_never_comes_back() {
    for jobs_take in [0, 25] {
        let mut it = Conference::new(6);
        it.codec_jobs_take(Duration::from_millis(jobs_take));
        let camera = |at: f64| if at < 3.0 { RED } else { GREEN };
        let ann = it.join(Setup { camera: Box::new(camera), ..page(RED, 440.0) });
        let bob = it.join(page(BLUE, 880.0));
        it.warm_up();
        it.run(3.0 - it.seconds() - 0.001);
        assert!(alike(it.sees(bob, ann), RED));
        let (x, y) = it.centre_of(ann);
        let key = it.pages[ann].key;
        it.act(Action::SetVideoMuted { member: key, muted: true });
        // What was drawn before may still be on its way.
        it.run(0.2);
        let muted_from = it.pages[bob].page.seen.len();
        it.run(0.3);
        it.act(Action::SetVideoMuted { member: key, muted: false });
        it.run(0.001);
        it.act(Action::SetVideoMuted { member: key, muted: true });
        it.run(0.3);
        let muted_to = it.pages[bob].page.seen.len();
        it.act(Action::SetVideoMuted { member: key, muted: false });
        let took = it.run_until(2.0, |it| alike(it.sees(bob, ann), GREEN));
        assert!(took < Duration::from_millis(400), "{took:?}");
        let seen = &it.pages[bob].page.seen;
        assert!(seen[muted_from..].iter().all(|seen| !alike(seen.colour(x, y), RED)));
        assert!(seen[muted_from..muted_to].iter().all(|seen| !alike(seen.colour(x, y), GREEN)));
    }
}

#[test]
fn a_muted_microphone_is_not_heard() {
    let (mut it, ann, bob) = two(7);
    let key = it.pages[ann].key;
    it.act(Action::SetAudioMuted { member: key, muted: true });
    it.run(0.2);
    let from = it.seconds();
    it.run(0.7);
    it.act(Action::SetAudioMuted { member: key, muted: false });
    it.run(0.3);
    let again = it.seconds();
    it.run(1.0);
    let (muted, loud) = (it.hears(bob, 440.0, from, from + 0.6), it.hears(bob, 440.0, again, again + 0.6));
    assert!(muted < -80.0 && loud > -20.0, "{muted} dB, then {loud} dB");
}

#[test]
fn volumes_deafness_and_tones_are_heard_where_they_belong() {
    let (mut it, ann, bob) = two(7);
    let hears = |it: &mut Conference, hz: f64, action: Action| {
        it.act(action);
        it.run(0.2);
        let from = it.seconds();
        it.run(0.6);
        it.hears(bob, hz, from, from + 0.4)
    };
    let (speaker, listener) = (it.pages[ann].key, it.pages[bob].key);
    let usual = hears(&mut it, 440.0, Action::SetDeaf { member: listener, deaf: false });
    let deaf = hears(&mut it, 440.0, Action::SetDeaf { member: listener, deaf: true });
    assert!(deaf < -80.0, "{deaf} dB");
    it.act(Action::SetDeaf { member: listener, deaf: false });
    for (steps, action) in [
        (-12.0, Action::SetOutputVolume { member: listener, volume: Volume::saturating(-12) }),
        (-18.0, Action::SetInputVolume { member: speaker, volume: Volume::saturating(-6) }),
    ] {
        let found = hears(&mut it, 440.0, action) - usual;
        assert!((found - steps).abs() < 1.0, "{found} dB instead of {steps}");
    }
    let nothing = Action::SetInputSensitivity { member: speaker, sensitivity: Sensitivity::saturating(0) };
    let closed = hears(&mut it, 440.0, nothing);
    assert!(closed < -80.0, "{closed} dB");
    it.act(Action::PlayTone { tone: Tone::Entry });
    let from = it.seconds();
    it.run(0.6);
    let note = it.hears(bob, 587.33, from + 0.02, from + 0.2);
    assert!((-45.0..-30.0).contains(&note), "{note} dB: −20, falling, at −12");
}

#[test]
fn who_leaves_is_gone_for_the_others() {
    let (mut it, ann, bob) = two(8);
    let key = it.pages[bob].key;
    it.act(Action::RemoveMember { member: key });
    it.run(0.3);
    assert!(
        it.pages[bob].page.transports.iter().all(|transport| transport.closed),
        "it is told by close_notify"
    );
    // The layout shrinks when the seat has been free for a while.
    it.run(3.0);
    assert!(it.placed().layers.iter().all(|layer| layer.source.is_none_or(|source| source.0 != key.0)));
    assert!(alike(it.sees(ann, ann), RED));
    let from = it.seconds();
    it.run(0.5);
    assert!(it.hears(ann, 880.0, from, from + 0.3) < -80.0);
    let counters = it.counters();
    assert_eq!((counters.members, counters.legs), (1, 1));
}

#[test]
fn a_page_that_is_loaded_anew_takes_its_own_seat() {
    let (mut it, ann, bob) = two(9);
    let seats = it.placed().layers.clone();
    it.reload(bob, page(GREEN, 660.0));
    it.warm_up();
    assert_eq!(it.placed().layers, seats, "nobody has moved");
    assert!(alike(it.sees(ann, bob), GREEN) && alike(it.sees(bob, ann), RED));
    let from = it.seconds();
    it.run(0.8);
    assert!(it.hears(ann, 660.0, from, from + 0.5) > -20.0);
    assert!(it.hears(bob, 440.0, from, from + 0.5) > -20.0);
    assert_eq!(it.counters().legs, 2);
}

#[test]
fn an_offer_for_a_room_that_has_ended_is_refused() {
    let (mut it, _, bob) = two(14);
    it.act(Action::CloseRoom);
    let offer = Offer::parse(&it.pages[bob].page.offer()).unwrap();
    let (member, leg) = (it.pages[bob].key, LegKey(99));
    it.act(Action::OpenLeg {
        member,
        leg,
        offer: Box::new(offer.clone()),
        bundle: true,
        receive: Receive::Canvas,
    });
    it.act(Action::ReofferLeg { leg: LegKey(98), offer: Box::new(offer) });
    for leg in [99, 98] {
        assert!(matches!(it.ended(LegKey(leg)), Some(LegEnd::Refused(_))), "{leg}");
    }
    it.run(1.0);
    assert_eq!((it.counters().rooms, it.counters().legs), (0, 0));
}
