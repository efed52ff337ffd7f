//! A recording begins when the recorder says so, ends once, and tells its length.

use std::time::Duration;

use control_api::{RecordingEnd, RecordingEvent, RecordingId, RecordingInstruction, RoomSettings};
use serde_json::{Value, json};

use crate::world::{Client, World, secs};

fn room() -> (World, Client) {
    let mut world = World::new();
    let alice = world.browser("Alice", &["room.recording"]);
    world.join(alice);
    world.forget_frames();
    world.events.clear();
    (world, alice)
}

fn recordings(events: &[Value]) -> Vec<(String, Value)> {
    let names = events.iter().filter(|event| event["params"]["recording"].is_object());
    names
        .map(|event| (event["event_type"].as_str().unwrap().to_owned(), event["params"]["recording"].clone()))
        .collect()
}

fn flags(events: &[Value]) -> Vec<bool> {
    let updates =
        events.iter().filter(|event| event["params"]["room_session"]["updated"] == json!(["recording"]));
    updates.map(|event| event["params"]["room_session"]["recording"].as_bool().unwrap()).collect()
}

fn id(world: &World) -> RecordingId {
    RecordingId::new(world.recording())
}

#[test]
fn its_length_is_the_time_without_pauses() {
    let (mut world, alice) = room();
    let started = world.method(alice, "video.recording.start", json!({}));
    let recording = started["recording_id"].clone();
    assert_eq!(
        (&started["recording"]["id"], &started["recording"]["state"]),
        (&recording, &json!("recording"))
    );
    let which = json!({"recording_id": recording});
    for (wait, method) in [
        (3, "video.recording.pause"),
        (10, "video.recording.resume"),
        (2, "video.recording.pause"),
        (7, "video.recording.stop"),
    ] {
        world.stay_awake(&[alice], secs(wait));
        assert_eq!(world.method(alice, method, which.clone())["code"], "200");
    }
    let events = world.events_of(alice);
    let told = recordings(&events);
    let names: Vec<(&str, &str)> =
        told.iter().map(|(name, it)| (name.as_str(), it["state"].as_str().unwrap())).collect();
    assert_eq!(
        names,
        [
            ("video.recording.started", "recording"),
            ("video.recording.updated", "paused"),
            ("video.recording.updated", "recording"),
            ("video.recording.updated", "paused"),
            ("video.recording.ended", "completed"),
        ]
    );
    let ended = &told[4].1;
    assert!((ended["duration"].as_f64().unwrap() - 5.0).abs() < 0.1, "{ended}");
    assert_eq!(ended["reason"], "stopped");
    assert!(ended["ended_at"].as_f64() > ended["started_at"].as_f64());
    assert_eq!(flags(&events), [true, false]);
    let listed = world.method(alice, "video.recording.list", json!({}))["recordings"].take();
    assert_eq!(listed, json!([ended]));
    let late = world.method(alice, "video.recording.resume", which);
    assert_eq!((&late["code"], &late["message"]), (&json!("422"), &json!("the recording has ended")));
}

#[test]
fn who_asks_waits_for_the_recorder_and_the_room_does_not() {
    let (mut world, alice) = room();
    world.records = false;
    let params = json!({"room_session_id": world.room_id().as_str()});
    assert_eq!(world.request(alice, "video.recording.start", &params), None);
    assert_eq!(world.method(alice, "video.recording.list", json!({}))["recordings"], json!([]));
    assert_eq!(world.request(alice, "video.recording.start", &params), None, "both wait for the same one");
    let replies = |world: &mut World| -> Vec<Value> {
        let frames = world.frames(alice).into_iter();
        frames.filter(|frame| frame.get("result").is_some()).map(|mut frame| frame["result"].take()).collect()
    };
    let why = "recording needs the program ffmpeg".to_owned();
    world.recorder_says(RecordingEvent::Failed { id: id(&world), why: why.clone() });
    let refused = json!({"code": "500", "message": why});
    assert_eq!(replies(&mut world), [refused.clone(), refused]);
    assert!(world.events.is_empty(), "nobody else hears of it");

    assert_eq!(world.request(alice, "video.recording.start", &params), None);
    let name = id(&world);
    world.recorder_says(RecordingEvent::Started { id: name.clone() });
    world.recorder_says(RecordingEvent::Failed { id: name.clone(), why: String::new() });
    let reply = replies(&mut world);
    assert_eq!((reply.len(), &reply[0]["recording_id"]), (1, &json!(name)));
    assert_eq!(world.method(alice, "video.recording.start", json!({}))["recording_id"], json!(name));
}

#[test]
fn a_recorder_that_ends_by_itself_says_why_and_what_is_missing() {
    let (mut world, alice) = room();
    world.method(alice, "video.recording.start", json!({}));
    let name = id(&world);
    world.stay_awake(&[alice], secs(10));
    world.recorder_says(RecordingEvent::Gap { id: name.clone(), missing: Duration::from_millis(1500) });
    world.recorder_says(RecordingEvent::Ended { id: name.clone(), why: RecordingEnd::DiskFull });
    world.recorder_says(RecordingEvent::Ended { id: name.clone(), why: RecordingEnd::Crash });
    let told = recordings(&world.events_of(alice));
    let (event, ended) = told.last().unwrap();
    assert_eq!((event.as_str(), told.len()), ("video.recording.ended", 2), "it ends once");
    assert_eq!((&ended["reason"], &ended["gap"]), (&json!("disk_full"), &json!(1.5)));
    assert!((ended["duration"].as_f64().unwrap() - 8.5).abs() < 0.1, "{ended}");
    assert_eq!(world.recorder.last(), Some(&RecordingInstruction::Stop { id: name }));
}

#[test]
fn a_room_that_is_recorded_on_start_shows_it_from_the_first_moment_to_its_end() {
    let mut world = World::new();
    world.settings = RoomSettings { record_on_start: true, ..RoomSettings::default() };
    world.records = false;
    let bot = world.realtime();
    let alice = world.browser("Alice", &["room.recording"]);
    world.join(alice);
    let events = world.events_of(alice);
    let subscribed = events.iter().find(|event| event["event_type"] == "video.room.subscribed").unwrap();
    assert_eq!(subscribed["params"]["room_session"]["recording"], true);
    let channel =
        json!({"event_channel": format!("EC_{}", world.room_id()), "events": ["video.recording.ended"]});
    world.request(bot, "signalwire.subscribe", &channel);
    world.recorder_says(RecordingEvent::Started { id: id(&world) });
    world.stay_awake(&[alice, bot], secs(4));
    world.verto(alice, "verto.bye", json!({"dialogParams": {"callID": format!("call-{}", alice.session.0)}}));
    let told = recordings(&world.events_of(bot));
    let (event, ended) = told.last().unwrap();
    assert_eq!((event.as_str(), &ended["reason"]), ("video.recording.ended", &json!("stopped")));
    assert!((ended["duration"].as_f64().unwrap() - 4.0).abs() < 0.1, "{ended}");
    assert!(matches!(world.recorder.last(), Some(RecordingInstruction::Stop { .. })));
}

#[test]
fn a_recording_on_start_that_fails_is_taken_back() {
    let mut world = World::new();
    world.settings = RoomSettings { record_on_start: true, ..RoomSettings::default() };
    world.records = false;
    let alice = world.browser("Alice", &[]);
    world.join(alice);
    world.forget_frames();
    world.recorder_says(RecordingEvent::Failed { id: id(&world), why: "no ffmpeg".into() });
    assert_eq!(flags(&world.events_of(alice)), [false]);
}

/// Some versions of the SDK subscribe to nothing, and wait for the events.
#[test]
fn a_server_that_records_hears_of_it_without_a_subscription() {
    let (mut world, alice) = room();
    let (bot, other) = (world.realtime(), world.realtime());
    world.method(bot, "video.recording.start", json!({}));
    let which = json!({"recording_id": world.recording()});
    world.method(alice, "video.recording.stop", which);
    let names = |world: &mut World, client| -> Vec<String> {
        recordings(&world.events_of(client)).into_iter().map(|told| told.0).collect()
    };
    assert_eq!(names(&mut world, bot), ["video.recording.started", "video.recording.ended"]);
    assert_eq!(names(&mut world, other), [""; 0]);
}
