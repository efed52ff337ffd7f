use std::time::Duration;

use control_api::{MediaEvent, PlacedLayer, Placement};
use layouts::{GridRect, LayoutId, Position};
use serde_json::{Value, json};

use crate::world::{Client, World, secs};

fn placement(version: u64) -> MediaEvent {
    // Each is another one: a slot more or less.
    let layers = if version.is_multiple_of(2) { Vec::new() } else { vec![empty_slot()] };
    MediaEvent::Placed(Placement { version, layout: LayoutId::GRID_RESPONSIVE, layers })
}

fn empty_slot() -> PlacedLayer {
    PlacedLayer {
        index: 0,
        z: 0,
        rect: GridRect { x: 0, y: 0, w: 5040, h: 5040 },
        position: Position::Standard(1),
        member: None,
        fit: layouts::Fit::Auto,
        reservation: None,
        playing_file: false,
        visible: true,
    }
}

/// Alice, with whatever her arrival caused behind us.
fn one() -> (World, Client) {
    let mut world = World::new();
    let alice = world.browser("Alice", &[]);
    world.join(alice);
    world.stay_awake(&[alice], secs(1));
    world.forget_frames();
    (world, alice)
}

fn layouts(world: &mut World, client: Client) -> Vec<Value> {
    let events = world.events_of(client).into_iter();
    events.filter(|event| event["event_type"] == "video.layout.changed").collect()
}

#[test]
fn at_most_one_layout_per_50_ms_and_the_last_one_always() {
    let (mut world, alice) = one();
    for version in 100..200 {
        world.media(placement(version));
        world.pass(Duration::from_millis(7));
    }
    world.pass(secs(1));
    let times: Vec<f64> =
        layouts(&mut world, alice).iter().map(|event| event["timestamp"].as_f64().unwrap()).collect();
    assert!((13..=15).contains(&times.len()), "{}", times.len());
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] > 0.0499));
    // 99 steps of 7 ms after the first, then at most 50 ms.
    let took = times.last().unwrap() - times.first().unwrap();
    assert!((0.693..0.75).contains(&took), "{took}");
}

#[test]
fn an_older_arrangement_is_ignored() {
    let (mut world, alice) = one();
    world.media(placement(100));
    world.pass(secs(1));
    world.media(placement(100));
    world.media(placement(99));
    world.pass(secs(1));
    assert_eq!(layouts(&mut world, alice).len(), 1);
}

#[test]
fn an_arrangement_that_looks_the_same_is_no_news() {
    let (mut world, alice) = one();
    for version in [100, 102, 104] {
        world.media(placement(version));
        world.pass(secs(1));
    }
    assert_eq!(layouts(&mut world, alice).len(), 1);
}

#[test]
fn who_loses_its_seat_is_told_as_well() {
    let (mut world, alice) = one();
    world.media(placement(100));
    world.pass(secs(1));
    let events = world.events_of(alice);
    let member = &events[0]["params"]["member"];
    assert_eq!(events[0]["event_type"], "video.member.updated");
    assert_eq!(member["updated"], json!(["visible", "current_position"]));
    assert_eq!((&member["current_position"], &member["visible"]), (&json!("off-canvas"), &json!(false)));
    assert_eq!(events[1]["event_type"], "video.layout.changed");
}

#[test]
fn a_newcomer_gets_a_layout_even_if_nothing_moves() {
    let (mut world, _) = one();
    world.places = false;
    let bob = world.browser("Bob", &[]);
    world.join(bob);
    assert_eq!(layouts(&mut world, bob).len(), 0);
    world.pass(Duration::from_millis(50));
    assert_eq!(layouts(&mut world, bob).len(), 1);
}

#[test]
fn rectangles_are_percent_of_the_canvas() {
    let (mut world, _) = one();
    let bob = world.browser("Bob", &[]);
    world.join(bob);
    world.pass(secs(1));
    let layers = layouts(&mut world, bob).pop().unwrap()["params"]["layout"]["layers"].take();
    let rectangle = |n: usize| json!([layers[n]["x"], layers[n]["y"], layers[n]["width"]]).to_string();
    assert_eq!((rectangle(0), rectangle(1)), ("[0,0,50]".to_owned(), "[50,0,50]".to_owned()));
    assert!((layers[0]["height"].as_f64().unwrap() - 33.333_333).abs() < 0.001);
}

#[test]
fn speech_is_told_when_it_changes() {
    let (mut world, alice) = one();
    let member = world.rooms.values().next().unwrap().machine.snapshot().unwrap().members[0].id.clone();
    for talking in [true, true, false, false] {
        world.media(MediaEvent::Talking { member: member.clone(), talking });
    }
    let events = world.events_of(alice);
    let seen: Vec<_> =
        events.iter().map(|event| event["params"]["member"]["talking"].as_bool().unwrap()).collect();
    assert_eq!(seen, [true, false]);
    assert_eq!(events[0]["params"]["member"]["id"], member.as_str());
}
