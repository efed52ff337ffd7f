//! Screens and further devices of a member: legs that only send.

use layouts::{LayoutId, Position};
use media_core::codec::Rgb;
use media_core::room::{Action, MemberConfig, MemberKind, RoomConfig};
use media_core::units::MediaKind;

use crate::conference::{CANVAS, Conference, alike, person};
use crate::meeting::{BLUE, RED, page};
use crate::page::Setup;

const GREEN: Rgb = Rgb(40, 170, 60);

/// Ann and Bob, where a screen has the whole canvas.
fn two(seed: u64) -> (Conference, usize, usize) {
    let layout = LayoutId::by_name("screen-share").unwrap();
    let mut it = Conference::with(seed, RoomConfig { canvas: CANVAS, fps: 15, layout });
    let ann = it.join(page(RED, 440.0));
    let bob = it.join(page(BLUE, 880.0));
    it.warm_up();
    (it, ann, bob)
}

/// As the SDKs offer it: both sections, the pictures first, whatever tracks there are.
fn sender(bundled: bool, tracks: Vec<MediaKind>) -> Setup {
    Setup { bundled, tracks, direction: "sendonly", video_first: true, ..page(GREEN, 1320.0) }
}

fn child(it: &Conference, kind: MemberKind, parent: usize) -> MemberConfig {
    MemberConfig { kind, parent: Some(it.pages[parent].key), ..person() }
}

fn position_of(it: &Conference, member: usize) -> Option<Position> {
    let key = it.pages[member].key.0;
    let layer = it.placed().layers.iter().find(|layer| layer.source.is_some_and(|source| source.0 == key));
    layer.map(|layer| layer.position)
}

#[test]
fn a_screen_is_seen_by_all_and_heard_by_all_but_its_sharer() {
    for bundled in [true, false] {
        let (mut it, ann, bob) = two(41);
        let config = child(&it, MemberKind::Screen, ann);
        let screen = it.join_as(config, sender(bundled, vec![MediaKind::Audio, MediaKind::Video]));
        it.warm_up();
        let from = it.seconds();
        it.run(1.5);
        assert_eq!(position_of(&it, screen), Some(Position::Screen));
        assert_eq!(position_of(&it, ann), Some(Position::Reserved(1)), "the sharer is in the corner");
        for viewer in [ann, bob] {
            assert!(alike(it.sees(viewer, screen), GREEN) && alike(it.sees(viewer, ann), RED));
        }
        assert!(
            it.hears(bob, 1320.0, from, from + 1.0) > -20.0 && it.hears(bob, 440.0, from, from + 1.0) > -20.0
        );
        assert!(it.hears(ann, 880.0, from, from + 1.0) > -20.0);
        for own in [440.0, 1320.0] {
            assert!(it.hears(ann, own, from, from + 1.0) < -40.0, "no echo of {own}");
        }
        let page = &it.pages[screen].page;
        assert!(page.seen.is_empty() && page.noticed.sounds.is_empty(), "it receives nothing");
        assert!(page.noticed.transport_ccs > 20 && page.noticed.report_blocks > 2, "{:?}", page.noticed);

        let key = it.pages[screen].key;
        it.act(Action::RemoveMember { member: key });
        it.run(0.5);
        assert_eq!(position_of(&it, screen), None);
        assert!(it.pages[screen].page.transports.iter().all(|transport| transport.closed));
        let counters = it.counters();
        assert_eq!((counters.members, counters.legs), (2, 2));
    }
}

#[test]
fn a_section_without_a_track_holds_up_nothing() {
    for bundled in [true, false] {
        let (mut it, ann, bob) = two(42);
        let config = child(&it, MemberKind::Screen, ann);
        let screen = it.join_as(config, sender(bundled, vec![MediaKind::Video]));
        let config = child(&it, MemberKind::Device, ann);
        let microphone = it.join_as(config, sender(bundled, vec![MediaKind::Audio]));
        it.warm_up();
        let from = it.seconds();
        it.run(1.0);
        assert!(alike(it.sees(bob, screen), GREEN));
        assert_eq!(position_of(&it, microphone), None, "a microphone takes no place");
        assert!(it.hears(bob, 1320.0, from, from + 0.8) > -20.0);
        assert!(it.hears(ann, 1320.0, from, from + 0.8) < -40.0, "nor is it an echo for its owner");
    }
}

#[test]
fn a_screen_has_its_place_from_its_first_picture_on() {
    let (mut it, ann, bob) = two(43);
    let config = child(&it, MemberKind::Screen, ann);
    let begun = it.pages[bob].page.seen.len();
    let screen = it.join_as(config, Setup { bundled: true, ..sender(true, vec![MediaKind::Video]) });
    assert_eq!(position_of(&it, screen), None);
    it.warm_up();
    assert_eq!(position_of(&it, screen), Some(Position::Screen));
    let seen = &it.pages[bob].page.seen[begun..];
    let middle = |seen: &crate::page::Seen| seen.colour(160, 90);
    let shown = seen.iter().position(|seen| alike(middle(seen), GREEN)).unwrap();
    let between = seen[..shown].iter().filter(|seen| !alike(middle(seen), RED) && !alike(middle(seen), BLUE));
    assert!(between.count() <= 3, "hardly a stand-in between");
}

#[test]
fn a_further_camera_is_a_picture_among_the_others() {
    let mut it = Conference::new(44);
    let ann = it.join(page(RED, 440.0));
    let bob = it.join(page(BLUE, 880.0));
    let config = child(&it, MemberKind::Device, ann);
    let camera = it.join_as(config, sender(false, vec![MediaKind::Video]));
    it.warm_up();
    assert_eq!(position_of(&it, camera), Some(Position::Standard(3)));
    assert!(alike(it.sees(bob, camera), GREEN) && alike(it.sees(bob, ann), RED));
    let key = it.pages[camera].key;
    it.act(Action::SetVideoMuted { member: key, muted: true });
    it.run(0.5);
    assert!(!alike(it.sees(bob, camera), GREEN), "its mute image has its place");
}
