//! Slots that follow the floor, and screens.

use crate::room::Room;
use layouts::{Fit, Millis, Position, Showing, SourceKey};

fn check(room: &Room, seats: &[(&str, u32)]) {
    let found = room.seats();
    let found: Vec<(&str, u32)> = found.iter().map(|(position, key)| (position.as_str(), *key)).collect();
    assert_eq!(found, seats);
}

#[test]
fn a_steady_speaker_gets_the_large_slot_after_a_second_and_swaps() {
    let mut room = Room::with_members("highlight-1-responsive", 4);
    check(&room, &[("reserved-1", 1), ("standard-1", 2), ("standard-2", 3), ("standard-3", 4)]);
    room.speak(3);
    assert_eq!(room.pass(5_000), [1_100]);
    check(&room, &[("reserved-1", 3), ("standard-1", 2), ("standard-2", 1), ("standard-3", 4)]);
    room.speak(4);
    assert_eq!(room.pass(5_000), [1_100]);
    check(&room, &[("reserved-1", 4), ("standard-1", 2), ("standard-2", 1), ("standard-3", 3)]);
}

#[test]
fn who_is_pushed_out_of_the_large_slot_in_a_crowd_stays_in_the_picture() {
    let mut room = Room::with_members("1up-top-left-5", 8);
    room.speak(1);
    room.rest();
    assert_eq!(room.slots(), [1, 2, 3, 4, 5, 6]);
    room.speak(8);
    assert_eq!(room.pass(30_000), [1_100]);
    assert_eq!(room.slots(), [8, 2, 3, 4, 5, 1], "in the place of the one who joined last of the silent");
}

#[test]
fn nobody_is_in_the_large_slot_for_less_than_two_seconds() {
    let mut room = Room::with_members("highlight-1-responsive", 3);
    room.speak(2);
    room.pass(1_200);
    room.speak(3);
    // The slot was taken 1.0 s after the word, and shown 0.1 s later.
    assert_eq!(room.pass(5_000), [1_900]);
    assert_eq!(room.slots()[0], 3);
}

#[test]
fn speakers_who_alternate_at_half_a_second_move_nothing() {
    let mut room = Room::with_members("1up-top-left-5", 4);
    for turn in 0..60 {
        room.speak(if turn % 2 == 0 { 3 } else { 4 });
        assert!(room.pass(500).is_empty());
    }
}

#[test]
fn the_floor_passes_at_once_when_its_holder_goes() {
    let mut room = Room::with_members("1up-top-left-5", 4);
    room.speak(2);
    room.pass(9_000);
    room.speak(4);
    room.pass(9_000);
    room.leave(4);
    room.floor = None;
    assert_eq!(room.pass(5_000), [100]);
    assert_eq!(room.slots()[0], 2, "the last speaker who is still here");
    room.source(2).on_hold = true;
    room.rest();
    assert_eq!(room.slots()[0], 1, "the first to join");
    room.source(1).showing = Showing::MuteImage;
    room.hide_video_muted = true;
    room.rest();
    assert_eq!(room.slots()[0], 3);
}

#[test]
fn it_makes_no_difference_when_the_layout_was_set() {
    let mut early = Room::with_members("highlight-1-responsive", 4);
    let mut late = Room::with_members("grid-responsive", 4);
    for room in [&mut early, &mut late] {
        room.speak(4);
        room.rest();
    }
    late.set_layout("highlight-1-responsive");
    late.rest();
    assert_eq!((early.slots()[0], late.slots()[0]), (4, 4));
    for room in [&mut early, &mut late] {
        room.speak(2);
        assert_eq!(room.pass(5_000), [1_100]);
        assert_eq!(room.slots()[0], 2);
    }
}

#[test]
fn the_highlight_grows_with_the_room() {
    let mut room = Room::new("highlight-1-responsive");
    for n in 1..=60 {
        room.join(n);
        room.pass(100);
        let slots = match n {
            1 => 1,
            2..=6 => 6,
            7..=8 => 8,
            9..=10 => 10,
            11..=17 => 17,
            18..=28 => 28,
            _ => 49,
        };
        assert_eq!((room.slots().len(), room.shown().len()), (slots, slots.min(n as usize)), "{n} members");
        assert_eq!(room.placed.layers[0].position, Position::Reserved(1));
    }
}

#[test]
fn a_raised_hand_comes_into_the_large_slot_and_speakers_do_not_displace_it() {
    let mut room = Room::with_members("highlight-1-responsive", 4);
    room.prioritize_handraise = true;
    let now = Millis(room.now);
    room.source(3).hand_raised = Some(now);
    assert_eq!(room.pass(5_000), [1_100]);
    assert_eq!(room.slots()[0], 3);
    room.speak(2);
    room.rest();
    assert_eq!(room.slots()[0], 3);
    room.source(3).hand_raised = None;
    room.rest();
    assert_eq!(room.slots()[0], 2, "who began to speak afterwards is next");
}

#[test]
fn a_hand_that_is_lowered_keeps_the_large_slot_until_somebody_begins_to_speak() {
    let mut room = Room::with_members("highlight-1-responsive", 4);
    room.prioritize_handraise = true;
    room.speak(2);
    room.pass(10_000);
    let now = Millis(room.now);
    room.source(3).hand_raised = Some(now);
    room.rest();
    room.source(3).hand_raised = None;
    room.rest();
    assert_eq!(room.slots()[0], 3);
    room.speak(4);
    room.rest();
    assert_eq!(room.slots()[0], 4);
}

#[test]
fn who_asks_for_the_large_slot_holds_it() {
    let mut room = Room::with_members("highlight-1-responsive", 3);
    room.ask(3, "reserved-1");
    room.rest();
    room.speak(2);
    room.rest();
    check(&room, &[("reserved-1", 3), ("standard-1", 2), ("standard-2", 1)]);
    room.ask(3, "standard-5");
    room.speak(3);
    room.rest();
    check(&room, &[("reserved-1", 1), ("standard-2", 2), ("standard-5", 3)]);
}

#[test]
fn a_screen_is_the_large_picture_with_sharer_and_speaker_in_corners() {
    let mut room = Room::with_members("screen-share", 4);
    check(&room, &[("screen", 1)]);
    room.share(9, 2);
    room.rest();
    check(&room, &[("screen", 9), ("reserved-1", 2)]);
    room.speak(3);
    room.rest();
    check(&room, &[("screen", 9), ("reserved-1", 2), ("reserved-3", 3)]);
    room.speak(2);
    room.rest();
    check(&room, &[("screen", 9), ("reserved-1", 2)]);
    room.ask(4, "reserved-6");
    room.rest();
    check(&room, &[("screen", 9), ("reserved-6", 4), ("reserved-1", 2)]);
    // The newest of several is shown; the others do not take corners.
    room.share(10, 3);
    room.rest();
    check(&room, &[("screen", 10), ("reserved-6", 4), ("reserved-1", 3), ("reserved-3", 2)]);
    room.leave(10);
    room.leave(9);
    room.rest();
    check(&room, &[("screen", 2), ("reserved-6", 4)]);
}

#[test]
fn corners_lie_over_the_screen_and_the_two_layers_over_all() {
    let mut room = Room::with_members("screen-share", 2);
    room.share(9, 1);
    room.rest();
    let z: Vec<_> = room.placed.layers.iter().map(|layer| layer.z).collect();
    assert_eq!(z, [0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 4]);
    assert!(room.placed.layers.iter().all(|layer| layer.visible));
}

#[test]
fn a_screen_that_asks_for_the_first_reserved_slot_means_the_place_of_screens() {
    for position in ["reserved-1", "screen", "auto"] {
        let mut room = Room::with_members("screen-share", 2);
        room.share(9, 2);
        room.ask(9, position);
        // The place of screens is for nobody else.
        room.ask(1, "screen");
        room.rest();
        check(&room, &[("screen", 9), ("reserved-1", 2)]);
    }
}

#[test]
fn a_screen_beside_its_presenter() {
    let mut room = Room::with_members("presenter-dual-horizontal", 3);
    check(&room, &[("screen", 1), ("reserved-1", 2)]);
    room.share(9, 3);
    room.rest();
    check(&room, &[("screen", 9), ("reserved-1", 3)]);
    // Without a camera of its own the other place is not left empty.
    room.ask(3, "off-canvas");
    room.rest();
    check(&room, &[("screen", 9), ("reserved-1", 1)]);
}

#[test]
fn where_screens_have_no_place_they_lead_as_long_as_they_last() {
    let mut room = Room::with_members("highlight-1-responsive", 3);
    room.speak(3);
    room.rest();
    room.share(9, 1);
    room.rest();
    assert_eq!(room.slots()[0], 9);
    room.speak(2);
    room.rest();
    assert_eq!(room.slots()[0], 9, "no speaker takes it away");
    room.leave(9);
    room.rest();
    assert_eq!(room.slots()[0], 2);
}

#[test]
fn slots_with_a_tag_stay_empty_unless_asked_for() {
    let mut room = Room::with_members("3up+4", 9);
    assert_eq!(room.slots(), [1, 0, 0, 2, 3, 4, 5]);
    let tags: Vec<_> = room.placed.layers.iter().filter_map(|layer| layer.reservation).collect();
    assert_eq!(tags, ["secondary", "third"].map(|tag| tag.parse().unwrap()));
    room.ask(7, "reserved-2");
    room.rest();
    assert_eq!(room.slots(), [1, 7, 0, 2, 3, 4, 5]);
}

#[test]
fn pictures_are_cropped_where_the_layout_says_so_and_screens_never() {
    for (layout, fit) in [
        ("grid-responsive", Fit::Contain),
        ("grid-responsive-mobile", Fit::Cover),
        ("2x1-zoom", Fit::Cover),
        ("2x1-presenter-zoom", Fit::Cover),
    ] {
        let mut room = Room::with_members(layout, 1);
        room.share(9, 1);
        room.ask(9, "full-screen");
        room.rest();
        for layer in room.placed.layers.iter().filter(|layer| layer.source.is_some()) {
            let expected = if layer.source == Some(SourceKey(9)) { Fit::Contain } else { fit };
            assert_eq!(layer.fit, expected, "{layout}");
        }
    }
}

#[test]
fn the_mobile_grid_has_the_slots_of_the_grid() {
    for n in [1, 2, 3, 5, 17] {
        let rects = |layout| -> Vec<_> {
            Room::with_members(layout, n).placed.layers.iter().map(|layer| layer.rect).collect()
        };
        assert_eq!(rects("grid-responsive"), rects("grid-responsive-mobile"), "{n} members");
    }
}
