//! Who is in which slot, how large, and that nobody sees a change of streams.

use std::time::Duration;

use media_core::room::{Action, Receive};

use crate::hall::Hall;
use crate::page::Setup;
use crate::sim::link::Impairment;

const MS: Duration = Duration::from_millis(1);
const SIMULCAST: Setup = Setup { encodings: 3, slots: 4 };

/// The pictures in a slot since a moment, seconds from the beginning.
fn encodings_since(hall: &Hall, viewer: usize, slot: u8, seconds: f64) -> Vec<u8> {
    let from = hall.started + Duration::from_secs_f64(seconds);
    let view = &hall.seats[viewer].page.slots[usize::from(slot)].2;
    let mut all: Vec<u8> =
        view.shown.iter().filter(|shown| shown.at >= from).map(|shown| shown.value.encoding).collect();
    all.dedup();
    all
}

fn seconds(hall: &Hall) -> f64 {
    (hall.now - hall.started).as_secs_f64()
}

#[test]
fn everybody_sees_everybody_else_in_a_slot() {
    let mut hall = Hall::new(1);
    for _ in 0..3 {
        hall.join(SIMULCAST);
    }
    hall.connect_all();
    hall.run(3.0);
    for viewer in 0..3 {
        assert_eq!(hall.slot_of(viewer, viewer), None, "one's own camera takes no slot");
        assert_eq!(hall.tiles(viewer).video.len(), 3);
        for member in (0..3).filter(|member| *member != viewer) {
            let slot = hall.slot_of(viewer, member).expect("a slot");
            let view = &hall.seats[viewer].page.slots[usize::from(slot)].2;
            assert!(view.shown.len() > 60, "{viewer} {member}: {}", view.shown.len());
            assert!(view.shown.iter().all(|shown| usize::from(shown.value.member) == member + 1));
            assert!(view.ids_are_closed() && view.bases_are_closed());
            // 2x2 of 720p: 360 rows.
            assert_eq!(view.shown.last().unwrap().value.encoding, 1);
        }
    }
    let counters = hall.shard.counters();
    assert_eq!(counters.decoded, 0);
    assert_eq!(counters.dropped, []);
}

#[test]
fn encodings_follow_the_viewport_and_rest_when_nobody_looks() {
    encodings_follow_the_viewport(false);
}

/// An encoding that rests is not held back because its link has never been seen to carry it: probes find out.
#[test]
fn encodings_follow_the_viewport_also_where_the_link_is_estimated() {
    encodings_follow_the_viewport(true);
}

fn encodings_follow_the_viewport(estimated: bool) {
    let mut hall = Hall::new(2);
    hall.estimated = estimated;
    let (alice, bob) = (hall.join(SIMULCAST), hall.join(SIMULCAST));
    hall.connect_all();
    for (width, height, expected) in [(1280, 720, 1), (2560, 1440, 2), (400, 224, 0), (1280, 720, 1)] {
        hall.set_viewport(bob, width, height);
        hall.run(6.0);
        let slot = hall.slot_of(bob, alice).unwrap();
        assert_eq!(encodings_since(&hall, bob, slot, seconds(&hall) - 2.0), [expected], "{width}x{height}");
        let camera = hall.seats[alice].page.camera.as_ref().unwrap();
        let active: Vec<bool> = camera.encodings.iter().map(|encoding| encoding.active).collect();
        assert_eq!(active, [0, 1, 2].map(|index| index == expected), "unseen ones rest");
        let tile = hall.tiles(bob).video.iter().find(|tile| tile.member == hall.seats[alice].key).unwrap();
        assert_eq!(tile.encoding.unwrap().0, expected);
    }
    let view = &hall.seats[bob].page.slots[usize::from(hall.slot_of(bob, alice).unwrap())].2;
    assert!(view.ids_are_closed() && view.bases_are_closed(), "one stream across all switches");
    let gap = view.longest_gap(hall.started + Duration::from_secs(2), hall.now);
    assert!(gap <= 100 * MS, "the old picture goes on until the new one is there: {gap:?}");

    hall.set_viewport(bob, 0, 0);
    hall.run(4.0);
    let camera = hall.seats[alice].page.camera.as_ref().unwrap();
    assert!(camera.encodings.iter().all(|encoding| !encoding.active), "a hidden page looks at nothing");
    hall.set_viewport(bob, 1280, 720);
    hall.run(1.0);
    let view = &hall.seats[bob].page.slots[usize::from(hall.slot_of(bob, alice).unwrap())].2;
    assert!(hall.now - view.shown.last().unwrap().at < 100 * MS, "and has the picture back");
}

#[test]
fn who_is_muted_is_in_no_slot_and_comes_back_new() {
    let mut hall = Hall::new(3);
    let (alice, bob) = (hall.join(SIMULCAST), hall.join(SIMULCAST));
    hall.connect_all();
    hall.run(2.0);
    let slot = hall.slot_of(bob, alice).unwrap();
    let member = hall.seats[alice].key;
    hall.act(Action::SetVideoMuted { member, muted: true });
    hall.run(0.1);
    assert_eq!(hall.slot_of(bob, alice), None);
    let muted_at = hall.now;
    hall.run(2.0);
    let view = &hall.seats[bob].page.slots[usize::from(slot)].2;
    assert!(view.shown.iter().all(|shown| shown.at < muted_at), "nothing of a muted camera is sent");
    hall.act(Action::SetVideoMuted { member, muted: false });
    hall.run(1.0);
    let slot = hall.slot_of(bob, alice).expect("back in a slot");
    let view = &hall.seats[bob].page.slots[usize::from(slot)].2;
    let first = view.shown.iter().find(|shown| shown.at > muted_at).expect("and in the picture");
    assert!(first.value.keyframe);
}

#[test]
fn more_layers_than_slots_are_named_without_one() {
    let mut hall = Hall::new(4);
    let viewer = hall.join(Setup { encodings: 0, slots: 2 });
    for _ in 0..4 {
        hall.join(Setup { encodings: 1, slots: 1 });
    }
    hall.connect_all();
    hall.run(3.0);
    let tiles = &hall.tiles(viewer).video;
    assert_eq!(tiles.len(), 4);
    let mut slots: Vec<u8> = tiles.iter().filter_map(|tile| tile.slot).collect();
    slots.sort_unstable();
    assert_eq!(slots, [0, 1]);
    // Somebody in a slot leaves: the next one gets it, and who stays keeps its own.
    let gone = tiles.iter().find(|tile| tile.slot == Some(0)).unwrap().member;
    let kept = tiles.iter().find(|tile| tile.slot == Some(1)).unwrap().member;
    hall.act(Action::RemoveMember { member: gone });
    hall.run(1.0);
    let tiles = &hall.tiles(viewer).video;
    assert_eq!(tiles.iter().find(|tile| tile.slot == Some(1)).unwrap().member, kept);
    let next = tiles.iter().find(|tile| tile.slot == Some(0)).unwrap().member;
    assert_ne!(next, gone);
    let view = &hall.seats[viewer].page.slots[0].2;
    assert_eq!(u32::from(view.shown.last().unwrap().value.member), next.0);
    assert!(view.ids_are_closed(), "one stream, whoever is in it");
}

#[test]
fn one_member_alone_as_large_as_it_comes() {
    let mut hall = Hall::new(5);
    let alice = hall.join(SIMULCAST);
    hall.join(SIMULCAST);
    let key = hall.seats[alice].key;
    let player = hall.join_to(Setup { encodings: 0, slots: 1 }, Receive::Member(key));
    hall.connect_all();
    hall.run(3.0);
    let view = &hall.seats[player].page.slots[0].2;
    assert!(view.shown.iter().all(|shown| u32::from(shown.value.member) == key.0));
    assert_eq!(view.shown.last().unwrap().value.encoding, 2);
}

#[test]
fn losses_are_repaired_on_both_sides() {
    for (loss_permille, seed) in [(10, 6), (50, 7), (100, 8)] {
        let mut hall = Hall::new(seed);
        let (alice, bob) = (hall.join(SIMULCAST), hall.join(SIMULCAST));
        hall.connect_all();
        hall.run(2.0);
        let jitter = 10 * MS;
        hall.link.impairment = Impairment { delay: 15 * MS, jitter, loss_permille, duplicate_permille: 10 };
        let from = hall.now;
        hall.run(20.0);
        let view = &hall.seats[bob].page.slots[usize::from(hall.slot_of(bob, alice).unwrap())].2;
        let shown = view.shown.iter().filter(|shown| shown.at >= from).count();
        assert!(shown >= 590, "{loss_permille}: {shown} of 600");
        let gap = view.longest_gap(from, hall.now);
        assert!(gap < 500 * MS, "{loss_permille}: {gap:?}");
    }
}
