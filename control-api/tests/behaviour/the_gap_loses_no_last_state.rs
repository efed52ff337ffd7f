//! Whatever happens while a client has no socket: when it is back, what it knows is what is so.

use std::collections::BTreeMap;

use control_api::{MediaEvent, MemberId};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::world::{Client, World, event_name, secs};

#[derive(Clone, Debug)]
enum Change {
    Comes,
    Goes(usize),
    Member(usize, &'static str, Value),
    Room(&'static str, Value),
    Talks(usize, bool),
}

fn any_change() -> impl Strategy<Value = Change> {
    let who = 0..12_usize;
    let method = prop_oneof![
        Just(("video.member.audio_mute", json!({}))),
        Just(("video.member.audio_unmute", json!({}))),
        Just(("video.member.video_mute", json!({}))),
        Just(("video.member.video_unmute", json!({}))),
        Just(("video.member.raisehand", json!({}))),
        Just(("video.member.lowerhand", json!({}))),
        (-50..=50_i32).prop_map(|volume| ("video.member.set_input_volume", json!({"volume": volume}))),
        (1..9_u8).prop_map(|n| ("video.member.set_position", json!({"position": format!("standard-{n}")}))),
        any::<u8>().prop_map(|n| ("video.member.set_meta", json!({"meta": {"n": n}}))),
    ];
    let room = prop_oneof![
        Just(("video.lock", json!({}))),
        Just(("video.unlock", json!({}))),
        Just(("video.set_layout", json!({"name": "2x1"}))),
        Just(("video.set_layout", json!({"name": "3x3"}))),
        any::<u8>().prop_map(|n| ("video.set_meta", json!({"meta": {"n": n}}))),
    ];
    prop_oneof![
        1 => Just(Change::Comes),
        1 => who.clone().prop_map(Change::Goes),
        12 => (who.clone(), method).prop_map(|(who, (name, params))| Change::Member(who, name, params)),
        2 => room.prop_map(|(name, params)| Change::Room(name, params)),
        2 => (who, any::<bool>()).prop_map(|(who, talking)| Change::Talks(who, talking)),
    ]
}

/// What somebody who only reads events knows.
#[derive(Debug, Default, PartialEq)]
struct Knowledge {
    room: Map<String, Value>,
    members: BTreeMap<String, Value>,
}

impl Knowledge {
    fn learn(&mut self, event: &Value) {
        let params = &event["params"];
        let id = params["member"]["id"].as_str().unwrap_or_default().to_owned();
        match event_name(event).as_str() {
            "video.room.subscribed" | "video.room.updated" => self.look(&params["room_session"]),
            "video.member.joined" | "video.member.updated" => {
                self.members.insert(id, plain(&params["member"]));
            }
            "video.member.left" => {
                self.members.remove(&id);
            }
            "video.member.talking" => {
                if let Some(member) = self.members.get_mut(&id) {
                    member["talking"] = params["member"]["talking"].clone();
                }
            }
            _ => {}
        }
    }

    fn look(&mut self, room: &Value) {
        self.room = plain(room).as_object().unwrap().clone();
        let members = self.room.remove("members").unwrap();
        let members = members.as_array().unwrap().iter();
        self.members =
            members.map(|member| (member["id"].as_str().unwrap().to_owned(), plain(member))).collect();
    }
}

fn plain(object: &Value) -> Value {
    let mut object = object.clone();
    object.as_object_mut().unwrap().remove("updated");
    object
}

struct Play {
    world: World,
    bot: Client,
    browsers: Vec<Client>,
    members: Vec<MemberId>,
}

impl Play {
    fn new() -> Self {
        let mut world = World::new();
        world.settings.max_members = 20;
        let bot = world.realtime();
        Self { world, bot, browsers: Vec::new(), members: Vec::new() }
    }

    fn comes(&mut self) -> Client {
        let client = self.world.browser(&format!("M{}", self.members.len()), &[]);
        let id = self.world.join(client);
        self.browsers.push(client);
        self.members.push(id);
        client
    }

    /// The watched one is number 0 and stays.
    fn change(&mut self, change: Change) {
        let member = |who: usize| self.members[who.min(self.members.len() - 1)].clone();
        match change {
            Change::Comes if self.members.len() < 12 => {
                self.comes();
            }
            Change::Comes => {}
            Change::Goes(who) => {
                let place = who.min(self.members.len() - 1);
                if place != 0 {
                    let id = self.members.remove(place);
                    self.browsers.remove(place);
                    self.world.method(self.bot, "video.member.remove", json!({"member_id": id.as_str()}));
                }
            }
            Change::Member(who, name, mut params) => {
                params["member_id"] = json!(member(who).as_str());
                self.world.method(self.bot, name, params);
            }
            Change::Room(name, params) => {
                self.world.method(self.bot, name, params);
            }
            Change::Talks(who, talking) => {
                let member = member(who);
                self.world.media(MediaEvent::Talking { member, talking });
            }
        }
        self.world.method(self.bot, "video.unlock", json!({}));
        let mut awake = self.browsers[1..].to_vec();
        awake.push(self.bot);
        self.world.stay_awake(&awake, std::time::Duration::from_millis(40));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    #[test]
    fn the_client_knows_what_is_so(
        before in prop::collection::vec(any_change(), 0..40),
        gap in prop::collection::vec(any_change(), 0..600),
    ) {
        let mut play = Play::new();
        let alice = play.comes();
        for change in before {
            play.change(change);
        }
        let mut known = Knowledge::default();
        for event in play.world.events_of(alice) {
            known.learn(&event);
        }
        play.world.lose_socket(alice);
        for change in gap {
            play.change(change);
        }
        play.world.stay_awake(&[play.bot], secs(1));
        let alice = play.world.reconnect(alice);
        for event in play.world.events_of(alice) {
            known.learn(&event);
        }
        let room = play.world.rooms.values().next().unwrap().machine.snapshot().unwrap();
        let mut real = Knowledge::default();
        real.look(&serde_json::to_value(&*room).unwrap());
        prop_assert_eq!(known, real);
    }
}
