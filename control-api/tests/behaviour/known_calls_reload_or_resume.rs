use control_api::{
    Authority, JoinAs, LegEnd, LegId, Liveness, MediaAllowed, MediaEvent, MediaInstruction, ProjectId,
    RoomGrant,
};
use serde_json::json;

use crate::world::{Client, World, secs};

fn two() -> (World, Client, Client) {
    let mut world = World::new();
    let alice = world.browser("Alice", &[]);
    let bob = world.browser("Bob", &[]);
    world.invite_from(alice, "a", "page-1");
    world.invite_from(bob, "b", "page-b");
    world.pass(secs(1));
    world.forget_frames();
    (world, alice, bob)
}

#[test]
fn the_same_page_gets_only_an_answer() {
    let (mut world, alice, bob) = two();
    world.lose_socket(alice);
    let alice = world.reconnect(alice);
    world.frames(alice);
    let reply = world.invite_from(alice, "a", "page-1");
    world.pass(secs(1));
    assert_eq!(reply["result"]["result"]["message"], "CALL CREATED");
    assert_eq!(world.event_names(alice), ["verto.answer"]);
    assert_eq!(world.event_names(bob), Vec::<String>::new());
    assert!(matches!(world.instructions[..], [MediaInstruction::ReofferLeg { leg: LegId(1), .. }]));
}

#[test]
fn a_new_page_gets_the_state_and_nobody_else_notices() {
    let (mut world, alice, bob) = two();
    let before = world.rooms.values().next().unwrap().machine.snapshot().unwrap().members.clone();
    world.lose_socket(alice);
    let alice = world.reconnect(alice);
    world.frames(alice);
    world.invite_from(alice, "a", "page-2");
    world.pass(secs(1));
    let events = world.events_of(alice);
    let names: Vec<_> = events.iter().map(crate::world::event_name).collect();
    assert_eq!(names, ["verto.answer", "video.room.subscribed", "video.layout.changed"]);
    assert_eq!(events[1]["params"]["call_id"], "a");
    assert_eq!(events[1]["params"]["member_id"], before[0].id.as_str());
    assert_eq!(world.event_names(bob), Vec::<String>::new());
    assert!(matches!(
        world.instructions[..],
        [MediaInstruction::CloseLeg { leg: LegId(1) }, MediaInstruction::OpenLeg { leg: LegId(3), .. }]
    ));
    let after = world.rooms.values().next().unwrap().machine.snapshot().unwrap().members.clone();
    assert_eq!(before, after);
    // The leg of the old page is no longer of interest.
    world.media(MediaEvent::LegEnded { leg: LegId(1), why: LegEnd::PeerClosed });
    world.stay_awake(&[alice, bob], secs(20));
    assert_eq!(world.members(), ["Alice", "Bob"]);
}

#[test]
fn a_page_that_closed_its_connection_first_may_still_come_back() {
    let (mut world, alice, _) = two();
    world.media(MediaEvent::LegEnded { leg: LegId(1), why: LegEnd::PeerClosed });
    world.lose_socket(alice);
    world.pass(secs(5));
    let alice = world.reconnect(alice);
    world.frames(alice);
    world.invite_from(alice, "a", "page-2");
    world.stay_awake(&[alice], secs(20));
    assert_eq!(world.members()[0], "Alice");
    assert_eq!(world.event_names(alice)[..2], ["verto.answer", "video.room.subscribed"]);
}

#[test]
fn a_call_of_another_session_is_another_call() {
    let (mut world, _, bob) = two();
    let reply = world.invite_from(bob, "a", "page-1");
    // Bob has a new call; Alice keeps hers.
    assert_eq!(reply["result"]["result"]["message"], "CALL CREATED");
    assert_eq!(world.members(), ["Alice", "Bob"]);
    world.heard(LegId(1), Liveness::Alive);
    assert_eq!(world.members(), ["Alice", "Bob"]);
}

#[test]
fn update_media_is_answered_in_its_reply() {
    let (mut world, alice, _) = two();
    let params = json!({"dialogParams": {"callID": "a"}, "action": "updateMedia", "sdp": "v=0 new"});
    let reply = world.verto(alice, "verto.modify", params.clone());
    assert_eq!(
        reply["result"]["result"],
        json!({"action": "updateMedia", "callID": "a", "holdState": "active", "node_id": "node-1", "sdp": "v=0 again"})
    );
    assert_eq!(world.event_names(alice), Vec::<String>::new());
    // The leg ends instead: the reply says so, and so does a goodbye.
    world.answers = false;
    let message = json!({"jsonrpc": "2.0", "id": 7, "method": "verto.modify", "params": params});
    let frame =
        json!({"jsonrpc": "2.0", "id": "late", "method": "video.message", "params": {"message": message}});
    world.text(alice, &frame.to_string());
    assert_eq!(world.take_reply(alice, "late"), None);
    world.media(MediaEvent::LegEnded { leg: LegId(1), why: LegEnd::Refused });
    let reply = world.take_reply(alice, "late").unwrap();
    assert_eq!(reply["result"]["result"]["error"]["message"], "CALL ERROR");
    assert_eq!(world.event_names(alice), ["verto.bye"]);
    assert_eq!(world.members(), ["Bob"]);
}

#[test]
fn offers_without_end_are_refused() {
    let (mut world, alice, _) = two();
    world.answers = false;
    let mut refused = 0;
    for _ in 0..10 {
        let reply = world.invite_from(alice, "a", "page-1");
        refused += u32::from(reply["result"]["error"]["message"] == "CALL ERROR");
    }
    assert_eq!(refused, 6);
}

#[test]
fn hold_leaves_the_canvas_and_comes_back() {
    let (mut world, alice, bob) = two();
    let hold = |action: &str| json!({"dialogParams": {"callID": "a"}, "action": action});
    let reply = world.verto(alice, "verto.modify", hold("hold"));
    assert_eq!(reply["result"]["result"], json!({"action": "hold", "callID": "a", "holdState": "held"}));
    let silence = |world: &World, wanted: bool| {
        let last = world.instructions.iter().rev().find_map(|instruction| match instruction {
            MediaInstruction::SetAudioMuted { muted, .. } => Some(*muted),
            _ => None,
        });
        assert_eq!(last, Some(wanted));
    };
    silence(&world, true);
    world.pass(secs(1));
    let events = world.events_of(bob);
    assert_eq!(events[0]["params"]["member"]["updated"], json!(["on_hold"]));
    assert_eq!(events[0]["params"]["member"]["on_hold"], true);
    let layout = events.last().unwrap();
    assert_eq!(layout["params"]["layout"]["layers"].as_array().unwrap().len(), 1);
    let reply = world.verto(alice, "verto.modify", hold("unhold"));
    assert_eq!(reply["result"]["result"]["holdState"], "active");
    silence(&world, false);
    world.pass(secs(1));
    let layout = world.events_of(bob).pop().unwrap();
    assert_eq!(layout["params"]["layout"]["layers"].as_array().unwrap().len(), 2);
}

#[test]
fn goodbye_is_said_once_and_accepted_always() {
    let (mut world, alice, bob) = two();
    let bye = json!({"dialogParams": {"callID": "a"}, "cause": "NORMAL_CLEARING", "causeCode": "16"});
    for _ in 0..2 {
        let reply = world.verto(alice, "verto.bye", bye.clone());
        assert_eq!(
            reply["result"]["result"],
            json!({"message": "CALL ENDED", "callID": "a", "causeCode": "16", "cause": "NORMAL_CLEARING"})
        );
    }
    world.pass(secs(1));
    assert_eq!(world.event_names(bob)[..1], ["video.member.left"]);
    assert_eq!(world.event_names(alice), Vec::<String>::new());
    assert_eq!(world.members(), ["Bob"]);
}

#[test]
fn dtmf_and_pong_and_acknowledgements_are_answered() {
    let (mut world, alice, _) = two();
    let reply = world.verto(alice, "verto.info", json!({"dialogParams": {"callID": "a"}, "dtmf": "1"}));
    assert_eq!(reply["result"]["result"], json!({"message": "SENT", "callID": "a"}));
    let reply = world.verto(alice, "verto.pong", json!({"callID": "a"}));
    assert_eq!(reply["result"], json!({"jsonrpc": "2.0", "id": "inner", "result": {}}));
    let message = json!({"jsonrpc": "2.0", "id": 18819, "result": {"method": "verto.answer"}});
    let reply = world.request(alice, "webrtc.verto", &json!({"message": message})).unwrap();
    assert_eq!(reply["result"], json!({"code": "200", "node_id": "node-1", "result": {}}));
    // A leg nobody knows.
    let reply = world.verto(alice, "verto.info", json!({"dialogParams": {"callID": "zz"}, "dtmf": "1"}));
    assert_eq!(
        reply["result"]["error"],
        json!({"code": -32002, "message": "CALL ERROR", "data": {"reason": "no such call"}})
    );
}

#[test]
fn a_page_with_the_state_of_another_session_may_only_begin_anew() {
    let (mut world, alice, bob) = two();
    world.lose_socket(alice);
    world.shows_right_state = false;
    let alice = world.reconnect(alice);
    world.frames(alice);
    let reply = world.invite_from(alice, "a", "page-2");
    assert_eq!(reply["result"]["error"]["message"], "CALL ERROR");
    assert_eq!(world.members(), ["Alice", "Bob"]);
    let reply = world.invite_from(alice, "a new call", "page-2");
    assert_eq!(reply["result"]["result"]["message"], "CALL CREATED");
    assert_eq!(world.members(), ["Bob", "Alice"]);
    // With its own state it is itself again.
    world.shows_right_state = true;
    let alice = world.reconnect(alice);
    assert_eq!(
        world.invite_from(alice, "a new call", "page-3")["result"]["result"]["message"],
        "CALL CREATED"
    );
    world.stay_awake(&[alice, bob], secs(1));
    assert_eq!(world.members(), ["Bob", "Alice"]);
}

#[test]
fn a_page_loaded_anew_holds_nothing() {
    let (mut world, alice, bob) = two();
    let hold = json!({"dialogParams": {"callID": "a"}, "action": "hold"});
    world.verto(alice, "verto.modify", hold);
    world.pass(secs(1));
    world.forget_frames();
    // The same page stays on hold through a restart of its path.
    world.invite_from(alice, "a", "page-1");
    assert_eq!(world.event_names(bob), Vec::<String>::new());
    world.invite_from(alice, "a", "page-2");
    world.pass(secs(1));
    let events = world.events_of(bob);
    assert_eq!(events[0]["params"]["member"]["updated"], json!(["on_hold"]));
    assert_eq!(events[0]["params"]["member"]["on_hold"], false);
    let layers = events.last().unwrap()["params"]["layout"]["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 2);
}

fn token(name: &str, join_as: JoinAs, media_allowed: MediaAllowed) -> Authority {
    let grant = RoomGrant::new(ProjectId::new(crate::world::PROJECT), "my-room", name);
    Authority::Room(RoomGrant { join_as, media_allowed, ..grant })
}

#[test]
fn a_page_with_a_token_of_another_role_is_somebody_else() {
    let (mut world, _, bob) = two();
    let larry = world.listener("Larry");
    let former = world.invite_from(larry, "l", "page-1")["result"]["result"]["memberID"].take();
    for (join_as, page, members) in [
        (JoinAs::Member, "page-2", vec!["Alice", "Bob", "Larry"]),
        (JoinAs::Audience, "page-3", vec!["Alice", "Bob"]),
    ] {
        world.lose_socket(larry);
        let larry = world.reconnect_with(larry, token("Larry", join_as, MediaAllowed::All));
        world.forget_frames();
        let reply = world.invite_from(larry, "l", page);
        assert_eq!(reply["code"], "200");
        assert_ne!(reply["result"]["result"]["memberID"], former);
        world.stay_awake(&[bob], secs(1));
        assert_eq!(world.members(), members);
        let events = world.event_names(larry);
        assert_eq!(events[..2], ["verto.answer", "video.room.subscribed"]);
        assert!(!events.contains(&"verto.bye".to_owned()), "that is the call it has just begun");
        let may = world.method(larry, "video.members.get", json!({}))["code"].take();
        assert_eq!(may, "200");
    }
}

#[test]
fn a_page_with_a_token_for_other_media_is_somebody_else() {
    let (mut world, alice, _) = two();
    world.lose_socket(alice);
    let alice = world.reconnect_with(alice, token("Alice", JoinAs::Member, MediaAllowed::VideoOnly));
    world.forget_frames();
    world.invite_from(alice, "a", "page-2");
    assert_eq!(world.members(), ["Bob", "Alice"]);
    let silent = world.instructions.iter().any(
        |instruction| matches!(instruction, MediaInstruction::AddMember { setup, .. } if setup.audio_muted),
    );
    assert!(silent);
}

#[test]
fn another_role_needs_a_place_of_its_own() {
    let (mut world, _, _) = two();
    let larry = world.listener("Larry");
    world.invite_from(larry, "l", "page-1");
    for name in ["Carol", "Dave"] {
        let other = world.browser(name, &[]);
        world.join(other);
    }
    let larry = world.reconnect_with(larry, token("Larry", JoinAs::Member, MediaAllowed::All));
    for call in ["l", "another"] {
        assert_eq!(world.invite_from(larry, call, "page-2")["code"], "403", "{call}");
    }
    assert_eq!(world.members().len(), 4);
}
