//! Layouts beside those of this build, and dry runs of any.

use control_api::{MediaInstruction, RoomSettings};
use layouts::define;
use serde_json::{Value, json};

use crate::world::{Client, World};

fn news() -> Value {
    json!({"name": "news", "slots": [
        {"position": "reserved-1", "x": "0", "y": "0", "w": "2/3", "h": "2/3", "follow": "floor"},
        {"position": "standard-1", "x": "2/3", "y": "0", "w": "1/3", "h": "1/3", "reservation": "guest"},
    ]})
}

/// Alice and Bob in a room that has `news`.
fn scene() -> (World, Client) {
    let mut world = World::new();
    world.settings = RoomSettings { layouts: vec![define(&news(), &[]).unwrap()], ..RoomSettings::default() };
    let scopes = ["room.list_available_layouts", "room.set_layout", "room.set_position"];
    let alice = world.browser("Alice", &scopes);
    world.join(alice);
    let bob = world.browser("Bob", &[]);
    world.join(bob);
    world.forget_frames();
    (world, alice)
}

#[test]
fn a_layout_of_the_room_is_offered_last_and_can_be_set() {
    let (mut world, alice) = scene();
    let offered = world.method(alice, "video.list_available_layouts", json!({}));
    let names = offered["layouts"].as_array().unwrap();
    assert_eq!((&names[0], names.last().unwrap()), (&json!("grid-responsive"), &json!("news")));
    assert_eq!(world.method(alice, "video.set_layout", json!({"name": "news"}))["code"], "200");
    let set = world
        .instructions
        .iter()
        .any(|known| matches!(known, MediaInstruction::SetLayout { layout, .. } if layout.name() == "news"));
    assert!(set);
    for name in ["News", "group:news", "olds"] {
        assert_eq!(world.method(alice, "video.set_layout", json!({"name": name}))["code"], "422", "{name}");
    }
}

#[test]
fn a_dry_run_tells_what_would_be_and_changes_nothing() {
    let (mut world, alice) = scene();
    let before = world.instructions.len();
    let of = |layout: &Value| -> Vec<(String, Option<String>)> {
        let layers = layout["layout"]["layers"].as_array().unwrap();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        layers.iter().map(|layer| (text(&layer["position"]).unwrap(), text(&layer["member_id"]))).collect()
    };
    let here: Vec<String> = {
        let members = world.method(alice, "video.members.get", json!({}));
        members["members"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap().to_owned()).collect()
    };
    let tried = world.method(alice, "video.layout.preview", json!({"name": "2x1"}));
    let named = |position: &str, who: Option<&str>| (position.to_owned(), who.map(str::to_owned));
    let above = [named("playback", None), named("full-screen", None)];
    let expected = [named("standard-1", Some(&here[0])), named("standard-2", Some(&here[1]))];
    assert_eq!(of(&tried), [&expected[..], &above].concat());

    // Not kept anywhere; the slot with a tag is nobody's.
    let mut definition = news();
    definition["name"] = json!("tried");
    let tried = world.method(alice, "video.layout.preview", json!({"definition": definition, "members": 9}));
    assert_eq!(tried["layout"]["name"], "tried");
    let first = &tried["layout"]["layers"][0];
    assert_eq!((&first["width"], &first["member_id"]), (&json!(66.6667), &json!("1")));
    assert_eq!(tried["layout"]["layers"][1]["reservation"], "guest");
    assert_eq!(tried["layout"]["layers"][1]["member_id"], Value::Null);

    assert_eq!(world.instructions.len(), before);
    assert!(world.event_names(alice).is_empty());
    assert_eq!(world.method(alice, "video.set_layout", json!({"name": "tried"}))["code"], "422");
}

#[test]
fn what_cannot_be_tried_says_why() {
    let (mut world, alice) = scene();
    let mut overlapping = news();
    overlapping["slots"][1]["x"] = json!("1/3");
    for (params, reason) in [
        (json!({}), "either name or definition"),
        (json!({"name": "2x1", "definition": news()}), "either name or definition"),
        (json!({"name": "round"}), "unknown layout"),
        (json!({"name": "2x1", "members": 301}), "0 to 300"),
        (json!({"definition": overlapping}), "slot 2 (\"standard-1\"): overlaps slot 1"),
        (json!({"definition": {"name": "2x2", "slots": []}}), "2x2 is a built-in layout"),
    ] {
        let reply = world.method(alice, "video.layout.preview", params.clone());
        assert_eq!(reply["code"], "422", "{params}");
        assert!(reply["message"].as_str().unwrap().contains(reason), "{params}: {reply}");
    }
}
