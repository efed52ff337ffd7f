//! More sources than slots: who is shown.

use crate::room::Room;
use layouts::{Millis, Showing, SourceKind};

#[test]
fn the_first_to_join_are_shown() {
    assert_eq!(Room::with_members("2x2", 6).slots(), [1, 2, 3, 4]);
}

#[test]
fn stand_ins_give_way_to_real_video() {
    let mut room = Room::new("2x2");
    for (key, showing) in
        [(1, Showing::MuteImage), (2, Showing::Avatar), (3, Showing::Video), (4, Showing::Avatar)]
    {
        room.join(key);
        room.source(key).showing = showing;
    }
    room.rest();
    assert_eq!(room.slots(), [3, 1, 2, 4]);
    room.join(5);
    room.rest();
    assert_eq!(room.slots(), [3, 1, 2, 5], "the avatar that joined last");
    room.join(6);
    room.rest();
    assert_eq!(room.slots(), [3, 1, 6, 5], "then the other avatar");
    room.join(7);
    room.rest();
    assert_eq!(room.slots(), [3, 7, 6, 5], "then the mute image");
    room.join(8);
    room.rest();
    assert_eq!(room.slots(), [3, 7, 6, 5], "real video stays");
}

#[test]
fn the_floor_holder_never_gives_way() {
    let mut room = Room::with_members("1x1", 1);
    room.source(1).showing = Showing::Avatar;
    room.speak(1);
    room.join(2);
    room.rest();
    assert_eq!(room.slots(), [1]);
    room.speak(2);
    room.rest();
    assert_eq!(room.slots(), [2]);
}

#[test]
fn the_floor_takes_the_slot_of_the_one_silent_longest_after_two_seconds() {
    let mut room = Room::with_members("2x2", 5);
    for key in [1, 3, 4, 2] {
        room.speak(key);
        room.pass(15_000);
    }
    room.speak(5);
    assert_eq!(room.pass(10_000), [2_000]);
    assert_eq!(room.slots(), [5, 2, 3, 4]);
}

#[test]
fn who_was_never_heard_leaves_first_and_pins_stay() {
    let mut room = Room::with_members("2x2", 5);
    room.ask(4, "standard-4");
    room.speak(1);
    room.pass(20_000);
    room.speak(5);
    room.pass(5_000);
    assert_eq!(room.slots(), [1, 2, 5, 4]);
}

#[test]
fn nobody_leaves_who_was_shown_for_less_than_ten_seconds() {
    let mut room = Room::new("2x1");
    room.join(1);
    room.join(2);
    room.join(3);
    room.update();
    room.speak(3);
    assert_eq!(room.pass(30_000), [10_000]);
    assert_eq!(room.slots(), [1, 3]);
}

#[test]
fn speakers_who_alternate_quickly_move_nobody() {
    let mut room = Room::with_members("2x1", 4);
    for turn in 0..60 {
        room.speak(if turn % 2 == 0 { 3 } else { 4 });
        assert!(room.pass(500).is_empty());
    }
}

#[test]
fn a_freed_slot_goes_to_who_was_heard_lately() {
    let mut room = Room::with_members("2x1", 5);
    room.speak(4);
    room.speak(1);
    room.pass(1_000);
    room.leave(2);
    room.rest();
    assert_eq!(room.slots(), [1, 4]);
}

#[test]
fn a_screen_is_shown_before_members() {
    let mut room = Room::with_members("2x1", 2);
    room.add(9, SourceKind::Screen);
    room.rest();
    assert_eq!(room.slots(), [1, 9]);
    room.speak(2);
    room.pass(30_000);
    assert_eq!(room.slots(), [2, 9], "the floor does not take a screen's slot");
}

#[test]
fn rules_of_the_room_take_stand_ins_off_the_canvas() {
    let mut room = Room::with_members("grid-responsive", 4);
    room.source(2).showing = Showing::MuteImage;
    room.source(3).showing = Showing::Avatar;
    room.rest();
    assert_eq!(room.slots(), [1, 2, 3, 4]);
    room.hide_video_muted = true;
    room.rest();
    assert_eq!(room.slots(), [1, 3, 4]);
    room.video_required = true;
    room.rest();
    assert_eq!(room.slots(), [1, 4]);
    room.hide_video_muted = false;
    room.rest();
    assert_eq!(room.slots(), [1, 4, 2]);
}

#[test]
fn raised_hands_are_shown_first_where_the_room_says_so() {
    let mut room = Room::with_members("2x1", 4);
    room.source(4).hand_raised = Some(Millis(1));
    room.rest();
    assert_eq!(room.slots(), [1, 2]);
    room.prioritize_handraise = true;
    room.rest();
    assert_eq!(room.slots(), [1, 4]);
    room.speak(3);
    room.rest();
    assert_eq!(room.slots(), [3, 4], "a speaker does not displace a raised hand");
}

#[test]
fn lowering_a_hand_moves_nobody_until_the_next_change() {
    let mut room = Room::with_members("1x1", 3);
    room.prioritize_handraise = true;
    room.source(2).hand_raised = Some(Millis(1));
    room.rest();
    room.source(3).hand_raised = Some(Millis(2));
    room.rest();
    assert_eq!(room.slots(), [2]);
    room.source(2).hand_raised = None;
    room.rest();
    assert_eq!(room.slots(), [2]);
    room.ask(1, "full-screen");
    room.rest();
    assert_eq!((room.slots(), room.full_screen()), (vec![3], 1));
}

#[test]
fn who_leaves_for_the_floor_gets_the_slot_of_a_stand_in_in_the_same_step() {
    let mut room = Room::with_members("2x1", 3);
    room.source(1).showing = Showing::MuteImage;
    room.source(3).showing = Showing::MuteImage;
    room.speak(1);
    room.rest();
    assert_eq!(room.slots(), [1, 2]);
    room.speak(3);
    assert_eq!(room.pass(10_000), [2_000]);
    assert_eq!(room.slots(), [2, 3]);
}
