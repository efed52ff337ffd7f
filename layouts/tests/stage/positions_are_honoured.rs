//! Requested positions: slots, the playback layer, full screen, off canvas.

use crate::room::Room;
use layouts::{Position, SourceKind};

/// Members 1 to `n` in `layout`, then the requests in their order; the slots, playback and full-screen that come of it.
fn check(layout: &str, n: u32, requests: &[(u32, &str)], slots: &[u32], above: (u32, u32)) {
    let mut room = Room::with_members(layout, n);
    for &(key, position) in requests {
        room.ask(key, position);
    }
    room.rest();
    assert_eq!(room.slots(), slots, "{layout} {requests:?}");
    assert_eq!((room.playback(), room.full_screen()), above, "{layout} {requests:?}");
}

#[test]
fn a_requested_slot_is_given() {
    check("2x2", 3, &[(3, "standard-4")], &[1, 2, 0, 3], (0, 0));
    check("2x2", 4, &[(1, "standard-4")], &[4, 2, 3, 1], (0, 0));
    check("2x2", 4, &[(1, "standard-2"), (2, "standard-1")], &[2, 1, 3, 4], (0, 0));
    check("2x1", 4, &[(4, "standard-1")], &[4, 2], (0, 0));
    check("5up", 2, &[(2, "standard-0")], &[2, 1, 0, 0, 0], (0, 0));
}

#[test]
fn the_later_request_wins() {
    check("2x2", 3, &[(2, "standard-4"), (3, "standard-4")], &[1, 2, 0, 3], (0, 0));
    check("2x2", 3, &[(3, "standard-1"), (2, "standard-1")], &[2, 1, 3, 0], (0, 0));
    check("2x2", 3, &[(3, "full-screen"), (2, "full-screen")], &[1, 0, 3, 0], (0, 2));
}

#[test]
fn layers_above_the_slots_are_given() {
    check("grid-responsive", 2, &[(1, "full-screen")], &[0, 2], (0, 1));
    check("grid-responsive", 2, &[(2, "playback")], &[1, 0], (2, 0));
    check("3x3", 3, &[(2, "off-canvas")], &[1, 0, 3, 0, 0, 0, 0, 0, 0], (0, 0));
    check("grid-responsive", 3, &[(2, "off-canvas")], &[1, 3], (0, 0));
}

#[test]
fn a_slot_that_the_layout_lacks_is_remembered() {
    check("grid-responsive", 2, &[(1, "standard-7")], &[1, 2], (0, 0));
    check("grid-responsive", 2, &[(1, "reserved-1")], &[1, 2], (0, 0));
    let mut room = Room::with_members("grid-responsive", 2);
    room.ask(1, "standard-3");
    room.rest();
    assert_eq!(room.slots(), [1, 2]);
    room.set_layout("2x2");
    room.rest();
    assert_eq!(room.slots(), [2, 0, 1, 0]);
    room.set_layout("grid-responsive");
    room.rest();
    assert_eq!(room.slots(), [2, 1]);
}

#[test]
fn full_screen_hides_what_is_below() {
    let mut room = Room::with_members("2x1", 2);
    assert!(room.placed.layers.iter().all(|layer| layer.visible));
    room.ask(1, "full-screen");
    room.rest();
    let visible = room.placed.layers.iter().filter(|layer| layer.visible);
    assert_eq!(visible.map(|layer| layer.position).collect::<Vec<_>>(), [Position::FullScreen]);
    room.ask(1, "auto");
    room.rest();
    assert_eq!(room.slots(), [1, 2]);
    assert!(room.placed.layers.iter().all(|layer| layer.visible));
}

#[test]
fn layers_are_numbered_and_drawn_in_slot_order() {
    let room = Room::with_members("1x1+2x1", 3);
    let order: Vec<_> = room.placed.layers.iter().map(|l| (l.index, l.z, l.position)).collect();
    let expected = [
        (0, 0, Position::Standard(1)),
        (1, 1, Position::Standard(2)),
        (2, 2, Position::Standard(3)),
        (3, 3, Position::Playback),
        (4, 4, Position::FullScreen),
    ];
    assert_eq!(order, expected);
    let whole = room.placed.layers.iter().filter(|l| l.percent() == (0.0, 0.0, 100.0, 100.0));
    assert_eq!(whole.count(), 2);
}

#[test]
fn a_playback_takes_its_layer_and_leaves_the_members_alone() {
    let mut room = Room::with_members("grid-responsive", 3);
    room.add(9, SourceKind::Playback);
    room.rest();
    assert_eq!(room.slots(), [1, 2, 3]);
    assert_eq!(room.playback(), 9);
    let playing: Vec<_> = room.placed.layers.iter().filter(|l| l.playing_file).map(|l| l.position).collect();
    assert_eq!(playing, [Position::Playback]);
    room.leave(9);
    room.rest();
    assert_eq!((room.slots(), room.playback()), (vec![1, 2, 3], 0));
}

#[test]
fn a_second_playback_gets_a_slot_and_the_grid_grows_for_it() {
    let mut room = Room::with_members("grid-responsive", 2);
    room.add(8, SourceKind::Playback);
    room.add(9, SourceKind::Playback);
    room.rest();
    assert_eq!((room.slots(), room.playback()), (vec![9, 1, 2], 8));
    room.join(3);
    room.rest();
    room.add(10, SourceKind::Playback);
    room.rest();
    assert_eq!(room.playback(), 8);
    assert_eq!(room.shown().len(), 6);
}

#[test]
fn a_playback_in_a_slot_evicts_a_member_who_returns() {
    let mut room = Room::with_members("2x1", 2);
    room.ask(2, "standard-2");
    room.add(9, SourceKind::Playback);
    room.ask(9, "standard-2");
    room.rest();
    assert_eq!(room.slots(), [1, 9]);
    room.leave(9);
    room.rest();
    assert_eq!(room.slots(), [1, 2]);
}
