use serde_json::{Value, json};

use crate::world::{Client, World, secs};

struct Scene {
    world: World,
    alice: Client,
    bot: Client,
    channel: String,
}

fn scene() -> Scene {
    let mut world = World::new();
    let alice = world.browser("Alice", &["room.self.audio_mute", "room.self.audio_unmute"]);
    world.join(alice);
    let bot = world.realtime();
    world.pass(secs(1));
    world.forget_frames();
    let channel = format!("EC_{}", world.room_id());
    Scene { world, alice, bot, channel }
}

impl Scene {
    fn subscribe(&mut self, events: &[&str], initial: bool) -> Vec<String> {
        let params = json!({"event_channel": self.channel, "events": events, "get_initial_state": initial});
        let frame = json!({"jsonrpc": "2.0", "id": "s", "method": "signalwire.subscribe", "params": params});
        self.world.text(self.bot, &frame.to_string());
        let frames = self.world.frames(self.bot);
        assert_eq!(
            frames[0],
            json!({"jsonrpc": "2.0", "id": "s", "result": {"code": "200", "message": "OK"}})
        );
        frames[1..].iter().map(|frame| crate::world::event_name(&frame["params"])).collect()
    }

    fn mute(&mut self) -> Vec<String> {
        let member = self.world.rooms.values().next().unwrap().machine.snapshot().unwrap().members[0].clone();
        let method = if member.audio_muted { "video.member.audio_unmute" } else { "video.member.audio_mute" };
        assert_eq!(
            self.world.method(self.alice, method, json!({"member_id": member.id.as_str()}))["code"],
            "200"
        );
        self.world.event_names(self.bot)
    }
}

const STATE: [&str; 1] = ["video.room.subscribed"];
const NOTHING: [&str; 0] = [];

#[test]
fn the_first_subscribe_brings_the_state_and_later_ones_only_when_they_ask() {
    let mut scene = scene();
    assert_eq!(scene.subscribe(&["video.member.talking"], true), STATE);
    assert_eq!(scene.subscribe(&["video.member.updated"], true), NOTHING);
    assert_eq!(scene.subscribe(&["video.member.updated", "video.room.subscribed"], true), STATE);
    assert_eq!(scene.subscribe(&["video.room.subscribed"], false), NOTHING);
}

#[test]
fn without_asking_for_the_state_there_is_none() {
    assert_eq!(scene().subscribe(&["video.member.updated"], false), NOTHING);
}

#[test]
fn lists_add_up() {
    let mut scene = scene();
    assert_eq!(scene.mute(), NOTHING);
    scene.subscribe(&["video.room.updated"], true);
    assert_eq!(scene.mute(), NOTHING);
    scene.subscribe(&["video.member.updated.audioMuted"], true);
    assert_eq!(scene.mute(), ["video.member.updated"]);
    scene.subscribe(&["video.member.talking", "video.room.audienceCount", "anything"], true);
    assert_eq!(scene.mute(), ["video.member.updated"]);
}

#[test]
fn a_realtime_state_names_no_call() {
    let mut scene = scene();
    let params = json!({"event_channel": scene.channel, "events": [], "get_initial_state": true});
    scene.world.request(scene.bot, "signalwire.subscribe", &params);
    let event = scene.world.events_of(scene.bot).remove(0);
    assert_eq!((&event["params"]["call_id"], &event["params"]["member_id"]), (&json!(""), &json!("")));
    assert_eq!(event["params"]["room"]["room_session_id"], event["params"]["room_session"]["id"]);
    assert_eq!(event["event_channel"], scene.channel);
}

#[test]
fn subscriptions_survive_the_socket() {
    let mut scene = scene();
    scene.subscribe(&["video.member.updated"], true);
    scene.world.lose_socket(scene.bot);
    scene.bot = scene.world.reconnect(scene.bot);
    scene.world.frames(scene.bot);
    assert_eq!(scene.mute(), ["video.member.updated"]);
    // The client does not subscribe again; if it does, it is not the first time.
    assert_eq!(scene.subscribe(&["video.member.updated"], true), NOTHING);
}

#[test]
fn who_may_not_watch_hears_nothing() {
    let mut scene = scene();
    let eve = scene.world.browser("Eve", &[]);
    let code = |scene: &mut Scene, client, channel: &str| {
        let params =
            json!({"event_channel": channel, "events": ["video.member.updated"], "get_initial_state": true});
        let result = scene.world.request(client, "signalwire.subscribe", &params).unwrap()["result"].take();
        result["code"].as_str().unwrap().to_owned()
    };
    let (bot, channel) = (scene.bot, scene.channel.clone());
    scene.world.frames(eve);
    assert_eq!(code(&mut scene, eve, &channel), "403");
    assert_eq!(code(&mut scene, eve, "video.rooms"), "403");
    assert_eq!(code(&mut scene, bot, "EC_gone"), "404");
    assert_eq!(code(&mut scene, bot, "anything"), "404");
    scene.mute();
    assert_eq!(scene.world.event_names(eve), NOTHING);
}

#[test]
fn an_ended_room_is_forgotten() {
    let mut scene = scene();
    scene.subscribe(&["video.room.ended", "video.member.left"], true);
    scene.world.method(scene.bot, "video.member.remove", json!({"member_id": "all"}));
    assert_eq!(scene.world.event_names(scene.bot), ["video.member.left", "video.room.ended"]);
    let params = json!({"event_channel": scene.channel, "events": []});
    let reply: Value = scene.world.request(scene.bot, "signalwire.subscribe", &params).unwrap();
    assert_eq!(reply["result"]["code"], "404");
}

#[test]
fn a_browser_hears_what_its_invite_listed() {
    let mut world = World::new();
    let alice = world.browser("Alice", &[]);
    let params = json!({"callID": "a", "subscribe": ["video.room.updated"], "message": {
        "jsonrpc": "2.0", "id": "i", "method": "verto.invite",
        "params": {"dialogParams": {"callID": "a"}, "sdp": crate::world::offer("a")}}});
    world.request(alice, "video.message", &params).unwrap();
    world.pass(secs(1));
    let mut names = world.event_names(alice);
    names.drain(..2);
    // Always in: joined and layout; the updates of members were not listed.
    assert_eq!(names, ["video.room.subscribed", "video.member.joined", "video.layout.changed"]);
}
