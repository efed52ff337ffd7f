use control_api::wire::connect::Allowed;
use control_api::{
    Authority, CallId, Command, Invite, JoinAs, LegMedia, LegRole, MediaAllowed, MediaInstruction, MemberId,
    RequestKey, RoomGrant, RoomInput, RoomRequest, Route, Sender, Via,
};
use serde_json::json;

use crate::world::{Client, PROJECT, World, offer};

fn media(audio: Allowed, video: Allowed) -> LegMedia {
    LegMedia { audio, video }
}

/// What the last offer to the media plane may become.
fn last(world: &World) -> LegMedia {
    let allowed = world.instructions.iter().rev().find_map(|instruction| match instruction {
        MediaInstruction::OpenLeg { allowed, .. } | MediaInstruction::ReofferLeg { allowed, .. } => {
            Some(*allowed)
        }
        _ => None,
    });
    allowed.expect("an offer was handed on")
}

/// A browser in the room.
fn joined(
    world: &mut World,
    name: &str,
    join_as: JoinAs,
    media_allowed: MediaAllowed,
    scopes: &[&str],
) -> (Client, MemberId) {
    let grant = RoomGrant {
        join_as,
        media_allowed,
        scopes: scopes.iter().map(ToString::to_string).collect(),
        ..RoomGrant::new(control_api::ProjectId::new(PROJECT), "my-room", name)
    };
    let client = world.connect(Authority::Room(grant), true);
    let member = world.join(client);
    (client, member)
}

#[test]
fn an_invite_gets_what_its_token_says() {
    use Allowed::{Both, None, Receive};
    for (join_as, media_allowed, expected) in [
        (JoinAs::Member, MediaAllowed::All, media(Both, Both)),
        (JoinAs::Member, MediaAllowed::AudioOnly, media(Both, None)),
        (JoinAs::Member, MediaAllowed::VideoOnly, media(None, Both)),
        (JoinAs::Audience, MediaAllowed::All, media(Receive, Receive)),
        (JoinAs::Audience, MediaAllowed::AudioOnly, media(Receive, None)),
        (JoinAs::Audience, MediaAllowed::VideoOnly, media(None, Receive)),
    ] {
        let mut world = World::new();
        joined(&mut world, "Alice", join_as, media_allowed, &[]);
        assert_eq!(last(&world), expected, "{join_as:?} {media_allowed:?}");
    }
}

#[test]
fn later_offers_and_further_legs_get_no_more() {
    let expected = media(Allowed::Both, Allowed::None);
    let mut world = World::new();
    let (alice, _) =
        joined(&mut world, "Alice", JoinAs::Member, MediaAllowed::AudioOnly, &["room.self.screenshare"]);
    let call = format!("call-{}", alice.session.0);
    type Step<'a> = (&'a str, &'a dyn Fn(&mut World));
    let steps: [Step<'_>; 3] = [
        ("update", &|world| {
            let params =
                json!({"dialogParams": {"callID": call}, "action": "updateMedia", "sdp": offer(&call)});
            let sent = json!({"callID": call, "message":
                {"jsonrpc": "2.0", "id": "m", "method": "verto.modify", "params": params}});
            world.request(alice, "video.message", &sent);
        }),
        ("reload", &|world| {
            world.invite_from(alice, &call, "another page");
        }),
        ("screen", &|world| {
            world.share(alice, "screen", "screenShare", json!({}));
        }),
    ];
    for (what, step) in steps {
        world.instructions.clear();
        step(&mut world);
        assert_eq!(last(&world), expected, "{what}");
    }
}

#[test]
fn whip_sends_and_whep_receives_whatever_the_token_says() {
    use Allowed::{None, Receive, Send};
    for (via, join_as, media_allowed, expected) in [
        (Via::Whip, JoinAs::Member, MediaAllowed::All, media(Send, Send)),
        (Via::Whip, JoinAs::Member, MediaAllowed::AudioOnly, media(Send, None)),
        (Via::Whip, JoinAs::Audience, MediaAllowed::All, media(None, None)),
        (Via::Whep, JoinAs::Member, MediaAllowed::All, media(Receive, Receive)),
        (Via::Whep, JoinAs::Audience, MediaAllowed::VideoOnly, media(None, Receive)),
    ] {
        let mut world = World::new();
        joined(&mut world, "Alice", JoinAs::Member, MediaAllowed::All, &[]);
        let name = "Bob";
        let grant = RoomGrant {
            join_as,
            media_allowed,
            ..RoomGrant::new(control_api::ProjectId::new(PROJECT), "my-room", name)
        };
        let bob = world.connect(Authority::Room(grant), true);
        let from =
            Sender { session: bob.session, authority: world.sessions[&bob.session].authority().clone() };
        let (call, sdp) = (CallId::new("call-b"), offer("b"));
        let role = LegRole::Person;
        let invite = Invite {
            call: call.clone(),
            sdp: sdp.clone(),
            role,
            may_resume: false,
            receive: Option::None,
            via,
        };
        let update = Command::UpdateMedia { call, sdp, receive: Option::None };
        for (number, command) in [Command::Invite(invite), update].into_iter().enumerate() {
            world.instructions.clear();
            let room = world.room_id();
            let key = RequestKey(number as u64);
            let request = RoomRequest { route: Route::Id(room.clone()), from: from.clone(), key, command };
            world.tell_room(&room, RoomInput::Request(request));
            assert_eq!(last(&world), expected, "{via:?} {join_as:?} {media_allowed:?}");
        }
    }
}

#[test]
fn a_promotion_gives_and_a_demotion_takes() {
    let mut world = World::new();
    let powers = ["room.member.promote", "room.member.demote"];
    let (host, _) = joined(&mut world, "Host", JoinAs::Member, MediaAllowed::All, &powers);
    let (larry, id) = joined(&mut world, "Larry", JoinAs::Audience, MediaAllowed::All, &[]);
    let promote = json!({"member_id": id.as_str(), "media_allowed": "audio-only"});
    assert_eq!(world.method(host, "video.member.promote", promote)["code"], "200");
    world.invite(larry, "as-member");
    assert_eq!(last(&world), media(Allowed::Both, Allowed::None));
    let demote = json!({"member_id": id.as_str()});
    assert_eq!(world.method(host, "video.member.demote", demote)["code"], "200");
    world.invite(larry, "as-audience");
    assert_eq!(last(&world), media(Allowed::Receive, Allowed::Receive));
}
