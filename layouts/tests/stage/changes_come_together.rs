//! Changes of 100 ms come together, smaller layouts wait, nothing is reported twice.

use crate::room::Room;
use layouts::Showing;

#[test]
fn an_empty_room_shows_a_background_and_its_layers() {
    let room = Room::new("grid-responsive");
    assert_eq!(room.slots(), [0]);
    assert_eq!((room.playback(), room.full_screen()), (0, 0));
    assert_eq!(room.placed.version, 1);
}

#[test]
fn the_first_member_is_shown_at_once() {
    let mut room = Room::new("grid-responsive");
    room.pass(5_000);
    room.join(1);
    assert_eq!(room.pass(1_000), [0]);
    assert_eq!(room.slots(), [1]);
}

#[test]
fn changes_of_a_tenth_of_a_second_are_one() {
    let mut room = Room::with_members("grid-responsive", 1);
    room.join(2);
    assert!(room.pass(40).is_empty());
    room.join(3);
    room.ask(3, "standard-1");
    assert!(room.pass(59).is_empty());
    assert_eq!(room.slots(), [1]);
    assert_eq!(room.pass(1), [1]);
    assert_eq!(room.slots(), [3, 1, 2]);
}

#[test]
fn what_is_taken_back_in_time_was_nothing() {
    let mut room = Room::with_members("grid-responsive", 4);
    room.join(5);
    room.pass(60);
    room.leave(5);
    assert!(room.pass(5_000).is_empty());
    assert_eq!(room.slots(), [1, 2, 3, 4]);
}

#[test]
fn a_smaller_layout_waits_two_seconds() {
    let mut room = Room::with_members("grid-responsive", 4);
    room.leave(2);
    assert_eq!(room.pass(5_000), [100, 2_000]);
    assert_eq!(room.slots(), [1, 3, 4]);
}

#[test]
fn a_connection_that_flaps_does_not_move_the_others() {
    let mut room = Room::with_members("grid-responsive", 5);
    for _ in 0..10 {
        room.source(5).on_hold = true;
        room.pass(1_500);
        assert_eq!(room.slots(), [1, 2, 3, 4, 0, 0, 0, 0, 0]);
        room.source(5).on_hold = false;
        room.pass(1_500);
        assert_eq!(room.slots(), [1, 2, 3, 4, 5, 0, 0, 0, 0]);
    }
}

#[test]
fn a_layout_that_is_asked_for_does_not_wait() {
    let mut room = Room::with_members("grid-responsive", 5);
    room.set_layout("2x1");
    assert_eq!(room.pass(5_000), [100]);
    assert_eq!(room.slots(), [1, 2]);
    room.set_layout("grid-responsive");
    assert_eq!(room.pass(5_000), [100]);
    assert_eq!(room.slots(), [1, 2, 3, 4, 5, 0, 0, 0, 0]);
}

#[test]
fn a_new_name_for_the_same_picture_is_reported() {
    let mut room = Room::with_members("grid-responsive", 4);
    let layers = room.placed.layers.clone();
    room.set_layout("2x2");
    assert_eq!(room.pass(5_000), [100]);
    assert_eq!(room.placed.layers, layers);
    assert_eq!(room.placed.layout.name(), "2x2");
}

#[test]
fn what_does_not_change_the_picture_is_not_reported() {
    let mut room = Room::with_members("grid-responsive", 3);
    room.source(2).showing = Showing::MuteImage;
    room.speak(3);
    assert!(room.pass(60_000).is_empty());
}
