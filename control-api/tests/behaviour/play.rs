//! Operations in any order, and what must be true after each: the story the events tell is true and complete.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use control_api::{EventKind, LegEnd, LegId, Liveness, MediaEvent, MediaInstruction, RoomInput, SocketId};
use serde_json::{Value, json};

use crate::world::{Client, World, all_scopes, secs};

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Invite {
        who: usize,
        call: u8,
        page: u8,
    },
    Bye {
        who: usize,
        call: u8,
    },
    Update {
        who: usize,
        call: u8,
    },
    Hold {
        who: usize,
        call: u8,
        held: bool,
    },
    LoseSocket {
        who: usize,
    },
    Reconnect {
        who: usize,
    },
    Method {
        who: usize,
        name: usize,
        target: usize,
    },
    /// A screen, or a device.
    Share {
        who: usize,
        call: u8,
        screen: bool,
    },
    /// A promotion or demotion of somebody who was ever there.
    Turn {
        who: usize,
        target: usize,
        up: bool,
    },
    Answer {
        leg: u64,
    },
    Connect {
        leg: u64,
    },
    Heard {
        leg: u64,
        liveness: Liveness,
    },
    End {
        leg: u64,
        why: LegEnd,
    },
    Talk {
        target: usize,
        talking: bool,
    },
    Pass {
        ms: u64,
    },
    Close,
}

pub(crate) const METHODS: [&str; 24] = [
    "video.members.get",
    "video.list_available_layouts",
    "video.set_layout",
    "video.set_position",
    "video.member.set_position",
    "video.member.audio_mute",
    "video.member.video_mute",
    "video.member.video_unmute",
    "video.member.remove",
    "video.room.get",
    "video.lock",
    "video.unlock",
    "video.hide_video_muted",
    "video.prioritize_handraise",
    "video.update_meta",
    "video.delete_meta",
    "video.member.deaf",
    "video.member.undeaf",
    "video.member.raisehand",
    "video.member.set_input_volume",
    "video.member.set_output_volume",
    "video.member.set_input_sensitivity",
    "video.member.update_meta",
    "video.member.delete_meta",
];

/// Plays all of it, looks after each, and sees that nothing is left when everybody has gone silent.
pub(crate) fn run(answers: bool, ops: impl IntoIterator<Item = Op>) {
    let mut play = Play::new(answers);
    let mut story = Story::default();
    for op in ops {
        play.play(op);
        play.check(&mut story);
    }
    for client in play.clients.clone() {
        play.world.lose_socket(client);
    }
    play.world.pass(secs(120));
    play.check(&mut story);
    assert!(!play.world.has_room());
    assert!(play.world.sessions.is_empty());
}

/// Three browsers that may do everything, a server of the project, and one who may listen.
struct Play {
    world: World,
    clients: Vec<Client>,
    channel: Option<String>,
    lost: BTreeSet<SocketId>,
}

impl Play {
    fn new(answers: bool) -> Self {
        let mut world = World::new();
        world.answers = answers;
        let scopes = all_scopes();
        let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
        let mut clients: Vec<Client> =
            ["Alice", "Bob", "Carol"].map(|name| world.browser(name, &scopes)).into();
        clients.push(world.realtime());
        clients.push(world.listener("Larry"));
        Self { world, clients, channel: None, lost: BTreeSet::new() }
    }

    fn member(&self, target: usize) -> String {
        let snapshot = self.world.rooms.values().next_back().and_then(|room| room.machine.snapshot());
        let members = snapshot.map(|room| room.members.clone()).unwrap_or_default();
        members.get(target).map_or("all".to_owned(), |member| member.id.to_string())
    }

    /// A client whose session is forgotten starts anew, as its SDK would.
    fn client(&mut self, who: usize) -> Client {
        if !self.world.sessions.contains_key(&self.clients[who].session) {
            let scopes = all_scopes();
            let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
            self.clients[who] = match who {
                3 => self.world.realtime(),
                4 => self.world.listener("Larry"),
                _ => self.world.browser(["Alice", "Bob", "Carol"][who], &scopes),
            };
        }
        self.clients[who]
    }

    fn play(&mut self, op: Op) {
        match op {
            Op::Invite { who, call, page } => {
                let client = self.client(who);
                let params = json!({"dialogParams": {"callID": format!("call-{call}")},
                    "sdp": crate::world::offer(&format!("page-{page}"))});
                self.verto(client, "verto.invite", params);
            }
            Op::Bye { who, call } => {
                let client = self.client(who);
                self.verto(client, "verto.bye", json!({"dialogParams": {"callID": format!("call-{call}")}}));
            }
            Op::Update { who, call } => {
                let client = self.client(who);
                let dialog = json!({"callID": format!("call-{call}")});
                self.verto(
                    client,
                    "verto.modify",
                    json!({"dialogParams": dialog, "action": "updateMedia", "sdp": "v=0"}),
                );
            }
            Op::Hold { who, call, held } => {
                let client = self.client(who);
                let action = if held { "hold" } else { "unhold" };
                let dialog = json!({"callID": format!("call-{call}")});
                self.verto(client, "verto.modify", json!({"dialogParams": dialog, "action": action}));
            }
            Op::LoseSocket { who } => {
                let client = self.client(who);
                self.world.lose_socket(client);
                self.lost.insert(client.socket);
            }
            Op::Reconnect { who } => {
                let client = self.client(who);
                self.clients[who] = self.world.reconnect(client);
            }
            Op::Method { who, name, target } => {
                let client = self.client(who);
                let member = self.member(target);
                let params = json!({"room_session_id": self.world.room_id().as_str(), "member_id": member,
                    "name": "2x1", "position": "reserved-1", "positions": {member: "standard-2"},
                    "volume": 7, "value": 50, "meta": {"a": who}, "keys": ["a"]});
                self.request(client, METHODS[name], &params);
            }
            Op::Share { who, call, screen } => {
                let client = self.client(who);
                let kind = if screen { "screenShare" } else { "additionalDevice" };
                let dialog = json!({"callID": format!("extra-{call}"), kind: true});
                let params = json!({"dialogParams": dialog, "sdp": crate::world::offer("extra"),
                    "layout": "2x1", "positions": {"self": "reserved-1"}});
                self.verto(client, "verto.invite", params);
            }
            Op::Turn { who, target, up } => {
                let client = self.client(who);
                let added: Vec<String> = self
                    .world
                    .instructions
                    .iter()
                    .filter_map(|instruction| match instruction {
                        MediaInstruction::AddMember { member, .. } => Some(member.to_string()),
                        _ => None,
                    })
                    .collect();
                let member = added.iter().rev().nth(target).cloned().unwrap_or_default();
                let name = if up { "video.member.promote" } else { "video.member.demote" };
                let room = self.world.room_id();
                self.request(client, name, &json!({"room_session_id": room.as_str(), "member_id": member}));
            }
            Op::Answer { leg } => self.media(MediaEvent::LegAnswered { leg: LegId(leg), sdp: "v=0".into() }),
            Op::Connect { leg } => self.media(MediaEvent::LegConnected { leg: LegId(leg) }),
            Op::Heard { leg, liveness } => self.media(MediaEvent::LegLiveness { leg: LegId(leg), liveness }),
            Op::End { leg, why } => self.media(MediaEvent::LegEnded { leg: LegId(leg), why }),
            Op::Talk { target, talking } => {
                let member = control_api::MemberId::new(self.member(target));
                self.media(MediaEvent::Talking { member, talking });
            }
            Op::Pass { ms } => self.world.pass(Duration::from_millis(ms)),
            Op::Close => {
                let room = self.world.room_id();
                self.world.tell_room(&room, RoomInput::Close);
            }
        }
    }

    fn verto(&mut self, client: Client, method: &str, params: Value) {
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let waits = params["action"] == "updateMedia";
        let params = json!({"message": message});
        if waits {
            self.world.request(client, "video.message", &params);
        } else {
            self.request(client, "video.message", &params);
        }
    }

    /// Whoever has a socket has an answer at once.
    fn request(&mut self, client: Client, method: &str, params: &Value) {
        let is_up = !self.lost.contains(&client.socket) && !self.world.closed.contains(&client.socket);
        let reply = self.world.request(client, method, params);
        assert_eq!(reply.is_some(), is_up, "{method}");
    }

    fn media(&mut self, event: MediaEvent) {
        if self.world.has_room() {
            self.world.media(event);
        }
    }

    /// Reads the events since the last look as a story.
    fn check(&mut self, story: &mut Story) {
        for event in std::mem::take(&mut self.world.events) {
            let params: Value = serde_json::from_str(&event.params).unwrap();
            if self.channel.as_deref() != Some(&*event.channel) {
                assert!(self.channel.is_none() || story.ended, "a room begins only after the one before");
                assert_eq!(event.kind, EventKind::RoomStarted);
                self.channel = Some(event.channel.to_string());
                *story = Story::default();
            }
            story.tell(event.number, event.kind, &params["params"]);
        }
        let now = self.world.now().at;
        for deadline in self.world.deadlines() {
            assert!(deadline > now, "nobody wants to be woken for what is done");
        }
        let snapshot = self.world.rooms.values().next_back().and_then(|room| room.machine.snapshot());
        match snapshot {
            Some(room) => {
                let members: BTreeSet<String> =
                    room.members.iter().map(|member| member.id.to_string()).collect();
                assert_eq!(members, story.members.keys().cloned().collect());
                assert!(!members.is_empty() || self.is_somebody_coming());
            }
            None => assert!(story.ended || story.last == 0, "the end is told"),
        }
    }

    fn is_somebody_coming(&self) -> bool {
        self.world.rooms.values().next_back().is_some_and(|room| room.machine.deadline().is_some())
    }
}

/// What somebody who only reads events knows.
#[derive(Default)]
struct Story {
    last: u64,
    /// With the parent of each screen and device.
    members: BTreeMap<String, String>,
    ended: bool,
}

impl Story {
    fn tell(&mut self, number: u64, kind: EventKind, params: &Value) {
        assert_eq!(number, self.last + 1, "numbers have no gap");
        self.last = number;
        assert!(!self.ended, "nothing comes after the end");
        let member = params["member"]["id"].as_str().unwrap_or_default().to_owned();
        match kind {
            EventKind::RoomStarted => assert_eq!(number, 1),
            EventKind::RoomEnded => {
                assert!(self.members.is_empty(), "everybody left before the end");
                self.ended = true;
            }
            EventKind::MemberJoined => {
                let parent = params["member"]["parent_id"].as_str().unwrap().to_owned();
                assert!(parent.is_empty() || self.members.contains_key(&parent), "whose screen is it?");
                // A screen that comes by another peer connection is told to its own page again.
                let before = self.members.insert(member, parent.clone());
                assert!(before.is_none_or(|before| !before.is_empty() && before == parent), "joined twice");
            }
            EventKind::MemberLeft => {
                assert!(self.members.remove(&member).is_some(), "left without being there");
                assert!(self.members.values().all(|parent| *parent != member), "children go first");
            }
            EventKind::MemberUpdated | EventKind::MemberTalking => {
                assert!(self.members.contains_key(&member), "{kind:?} of somebody unknown");
            }
            EventKind::LayoutChanged => {
                for layer in params["layout"]["layers"].as_array().unwrap() {
                    if let Some(id) = layer["member_id"].as_str() {
                        assert!(self.members.contains_key(id), "a layer of somebody unknown");
                    }
                }
            }
            EventKind::RoomSubscribed => assert!(params["room_session"]["members"].is_array()),
            EventKind::RoomUpdated => assert!(params["room"]["updated"].is_array()),
            EventKind::AudienceCount => assert!(params["total"].is_u64()),
            EventKind::RecordingStarted | EventKind::RecordingUpdated | EventKind::RecordingEnded => {
                let is_over = kind == EventKind::RecordingEnded;
                let recording = &params["recording"];
                assert_eq!(recording["state"] == "completed", is_over, "{recording}");
                assert_eq!(recording["duration"].is_number(), is_over, "{recording}");
            }
        }
    }
}
