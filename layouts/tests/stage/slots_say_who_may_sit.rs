//! What defined layouts and rooms may ask of placement beyond the usual: tags, roles, roles alone, overlays, gaps.

use crate::room::{CANVAS, Room};
use layouts::{
    Layer, LayoutId, Options, PixelRect, SourceKey, SourceKind, define, fills_the_canvas, largest,
};
use serde_json::{Value, json};

fn layout(more: &Value, slots: &[Value]) -> LayoutId {
    let mut definition = json!({"name": "mine", "slots": slots});
    for (name, value) in more.as_object().unwrap() {
        definition[name] = value.clone();
    }
    define(&definition, &[]).unwrap()
}

/// A slot 60 wide, the n-th of its row.
fn slot(position: &str, n: u32, more: &Value) -> Value {
    let mut slot = json!({"position": position, "x": n * 60, "y": 0, "w": 60, "h": 60});
    for (name, value) in more.as_object().unwrap() {
        slot[name] = value.clone();
    }
    slot
}

fn room(layout: LayoutId, members: u32) -> Room {
    let mut room = Room::of(layout, CANVAS);
    for key in 1..=members {
        room.join(key);
    }
    room.rest();
    room
}

#[test]
fn a_slot_with_a_tag_is_for_whom_it_names_and_else_for_nobody() {
    let mut room = Room::with_members("2up_top+8", 4);
    assert_eq!(room.slots()[..4], [1, 0, 2, 3]);
    room.source(3).reservation = Some("secondary".parse().unwrap());
    room.rest();
    assert_eq!(room.slots()[..4], [1, 3, 2, 0], "nobody else moves");
    room.speak(3);
    room.rest();
    assert_eq!(room.slots()[..4], [1, 3, 2, 0], "it keeps its slot and does not take the floor's");
    room.ask(2, "reserved-2");
    room.rest();
    assert_eq!(room.slots()[1], 2, "who asks for the slot itself comes first");
    room.ask(2, "auto");
    room.leave(3);
    room.rest();
    assert_eq!(room.slots()[1], 0);
}

#[test]
fn a_role_comes_first_and_without_it_the_slot_is_like_any() {
    let slots = [
        slot("reserved-1", 0, &json!({"follow": "floor"})),
        slot("standard-1", 1, &json!({"role": "host"})),
        slot("standard-2", 2, &json!({})),
    ];
    let mut room = room(layout(&json!({}), &slots), 3);
    assert_eq!(room.slots(), [1, 2, 3]);
    room.join(4);
    room.source(4).role = Some("host".parse().unwrap());
    room.rest();
    assert_eq!(room.slots(), [1, 4, 3], "the first in the row gives way");
    room.speak(4);
    room.rest();
    assert_eq!(room.slots(), [1, 4, 3], "a host is not followed");
    room.speak(2);
    room.rest();
    assert_eq!(room.slots(), [2, 4, 1]);
}

#[test]
fn a_slot_that_takes_only_its_role_stays_empty_without_it() {
    let slots = [
        slot("reserved-1", 0, &json!({"follow": "playback", "only": true})),
        slot("reserved-2", 1, &json!({"follow": "screen", "only": true})),
        slot("standard-1", 2, &json!({})),
        slot("standard-2", 3, &json!({})),
    ];
    let mut room = room(layout(&json!({"screen_fallback": "empty"}), &slots), 2);
    assert_eq!(room.slots(), [0, 0, 1, 2]);
    room.add(8, SourceKind::Playback);
    room.share(9, 1);
    room.rest();
    assert_eq!((room.slots(), room.playback()), (vec![8, 9, 1, 2], 0));
    room.leave(9);
    room.rest();
    assert_eq!(room.slots(), [8, 0, 1, 2]);
}

#[test]
fn a_slot_that_follows_playbacks_is_anybodys_while_nothing_is_played() {
    let slots = [slot("standard-1", 0, &json!({})), slot("standard-2", 1, &json!({"follow": "playback"}))];
    let mut room = room(layout(&json!({}), &slots), 2);
    assert_eq!(room.slots(), [1, 2]);
    room.add(9, SourceKind::Playback);
    room.rest();
    assert_eq!(room.slots(), [1, 9]);
    room.leave(9);
    room.rest();
    assert_eq!(room.slots(), [1, 2]);
}

#[test]
fn the_place_of_screens_may_stay_empty() {
    for (alone, slots) in [(false, [1, 2]), (true, [0, 1])] {
        let mut room = Room::new("presenter-dual-horizontal");
        room.options = Options { screen_alone: alone, ..Options::default() };
        room.join(1);
        room.join(2);
        room.rest();
        assert_eq!(room.slots(), slots);
    }
}

#[test]
fn the_floor_may_keep_its_ordinary_slot() {
    let slots: Vec<_> = std::iter::once(slot("reserved-1", 0, &json!({"follow": "floor"})))
        .chain((1..=3).map(|n| slot(&format!("standard-{n}"), n, &json!({}))))
        .collect();
    let mut room = room(layout(&json!({"duplicate_floor": true}), &slots), 3);
    assert_eq!(room.slots(), [1, 1, 2, 3]);
    room.speak(3);
    assert_eq!(room.pass(5_000), [1_100]);
    assert_eq!(room.slots(), [3, 1, 2, 3], "nobody moves but in the large slot");
    room.leave(1);
    room.rest();
    assert_eq!(room.slots(), [3, 0, 2, 3]);
}

#[test]
fn gaps_close_where_the_room_wants_that() {
    let mut room = Room::with_members("3x3", 5);
    room.options = Options { compact: true, ..Options::default() };
    room.leave(2);
    room.rest();
    assert_eq!(room.slots()[..5], [1, 3, 4, 5, 0]);
    room.ask(4, "standard-9");
    room.join(6);
    room.rest();
    assert_eq!(room.slots(), [1, 3, 5, 6, 0, 0, 0, 0, 4]);
}

#[test]
fn one_alone_may_stay_in_the_large_slot() {
    let mut room = Room::new("highlight-1-responsive");
    room.options = Options { solo_stays: true, ..Options::default() };
    room.join(1);
    room.rest();
    assert_eq!((room.slots().len(), room.slots()[0]), (6, 1));
}

#[test]
fn the_large_slot_is_chosen_by_hand_where_it_has_another_name() {
    let slots = [slot("standard-1", 0, &json!({"follow": "floor"})), slot("standard-2", 1, &json!({}))];
    let mut room = room(layout(&json!({}), &slots), 2);
    room.ask(2, "reserved-1");
    room.rest();
    assert_eq!(room.slots(), [2, 1]);
    room.speak(1);
    room.rest();
    assert_eq!(room.slots(), [2, 1], "no speaker takes it away");
    room.ask(2, "auto");
    room.rest();
    assert_eq!(room.slots(), [1, 2]);
}

#[test]
fn layers_carry_what_a_definition_says() {
    let slots = [
        slot("standard-1", 0, &json!({"border": 4, "audio_pan": "auto", "z": 7, "fit": "auto"})),
        slot("standard-2", 5, &json!({"audio_pan": 0.25})),
    ];
    let playback = json!({"x": 0, "y": "1/2", "w": "1/2", "h": "1/2"});
    let room = room(layout(&json!({"playback": playback}), &slots), 2);
    let [first, second, playback, full_screen] = &room.placed.layers[..] else { panic!() };
    assert_eq!((first.border, first.pan, first.z, first.fit), (Some(4), Some(-833), 7, layouts::Fit::Auto));
    assert_eq!((second.border, second.pan, second.z), (None, Some(250), 0));
    assert_eq!((playback.z, playback.percent()), (8, (0.0, 50.0, 50.0, 50.0)));
    assert_eq!((full_screen.z, full_screen.percent()), (9, (0.0, 0.0, 100.0, 100.0)));
}

#[test]
fn a_group_of_ones_own_grows_and_shrinks_like_any() {
    let small = define(
        &json!({"name": "pair", "slots": [slot("standard-1", 0, &json!({})), slot("standard-2", 1, &json!({}))]}),
        &[],
    )
    .unwrap();
    let group = define(&json!({"name": "mine", "layouts": ["1x1", "pair", "3x3"]}), &[small]).unwrap();
    let mut room = room(group, 2);
    assert_eq!(room.slots(), [1, 2]);
    room.join(3);
    assert_eq!(room.pass(5_000), [100]);
    assert_eq!(room.slots().len(), 9);
    room.leave(3);
    assert_eq!(room.pass(5_000), [100, 2_000]);
    assert_eq!(room.slots(), [1, 2]);
    assert_eq!(room.placed.layout.name(), "mine");
}

#[test]
fn decoders_are_told_the_largest_place_of_each_and_encoders_who_is_alone() {
    let check = |layers: &[Layer], expected: &[(u32, u32, u32)], alone: Option<u32>| {
        let seen = largest(layers, CANVAS);
        let seen: Vec<_> =
            seen.iter().map(|(key, PixelRect { width, height, .. })| (key.0, *width, *height)).collect();
        assert_eq!(seen, expected);
        assert_eq!(fills_the_canvas(layers), alone.map(SourceKey));
    };
    let mut room = Room::with_members("1up-top-left-5", 2);
    check(&room.placed.layers, &[(1, 212, 120), (2, 108, 60)], None);
    room.ask(2, "full-screen");
    room.rest();
    check(&room.placed.layers, &[(2, 320, 180)], Some(2));
    room.set_layout("1x1");
    room.leave(2);
    room.rest();
    check(&room.placed.layers, &[(1, 320, 180)], Some(1));
    room.ask(1, "off-canvas");
    room.rest();
    check(&room.placed.layers, &[], None);
    // Shown twice, it is decoded for the larger place.
    let floor = json!({"position": "reserved-1", "x": 0, "y": 0, "w": 180, "h": 180, "follow": "floor"});
    let slots = [slot("standard-1", 5, &json!({})), floor];
    let twice = self::room(layout(&json!({"duplicate_floor": true}), &slots), 1);
    assert_eq!(twice.slots(), [1, 1]);
    check(&twice.placed.layers, &[(1, 160, 90)], None);
    // A border belongs to the picture that is encoded.
    for (border, alone) in [(json!(0), Some(1)), (json!(2), None)] {
        let whole = json!({"position": "standard-1", "x": 0, "y": 0, "w": 360, "h": 360, "border": border});
        let room = self::room(layout(&json!({}), &[whole]), 1);
        check(&room.placed.layers, &[(1, 320, 180)], alone);
    }
}
