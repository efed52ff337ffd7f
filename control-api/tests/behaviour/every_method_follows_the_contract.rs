//! Every method × what the caller may do × whom the call is about: the reply, and exactly the events that follow.
//!
//! What is expected comes from [`crate::contract`], never from the product.

use std::collections::BTreeSet;

use control_api::{Authority, EventKind, JoinAs, MediaInstruction, MemberId, ProjectId, RoomGrant};
use serde_json::{Value, json};

use crate::contract::{CALL, OTHER, Outcome, RECORDING, Row, Rule, rows};
use crate::world::{Client, PROJECT, World, all_scopes, secs};

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Role {
    /// A member without any permission.
    Nothing,
    /// A member with the method's permission for itself.
    Own,
    /// A member with the method's permission for others, or for the room.
    Given(usize),
    /// A member with every permission but the method's.
    AllElse,
    /// Audience, whatever its token lists.
    Audience,
    /// A server of the project.
    Project,
    /// Somebody with every permission who is not in the room.
    Outside,
}

/// Whom the call is about.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Target {
    /// For a server, one member like another.
    Oneself,
    /// A screen that one shares.
    OwnChild,
    Other,
    OthersChild,
    Unknown,
    /// No `member_id`, or one that is no text.
    Missing,
}

struct Scene {
    world: World,
    caller: Client,
    /// Of the project; sets the scene, and looks at it.
    bot: Client,
    other: MemberId,
    /// Whom the call is about.
    about: Option<MemberId>,
}

/// Of a member in that role.
fn scopes(role: Role, rule: Rule) -> Vec<String> {
    let own: Vec<String> = match rule {
        Rule::Member(action) => vec![format!("room.self.{action}")],
        Rule::Anybody
        | Rule::AnybodyAboutMember
        | Rule::Caller
        | Rule::Project
        | Rule::Room(_)
        | Rule::Others(_) => vec![],
    };
    let given: Vec<String> = match rule {
        Rule::Member(action) | Rule::Others(action) => vec![format!("room.member.{action}")],
        Rule::Room(names) => names.iter().map(ToString::to_string).collect(),
        Rule::Anybody | Rule::AnybodyAboutMember | Rule::Caller | Rule::Project => vec![],
    };
    match role {
        Role::Nothing | Role::Audience | Role::Project | Role::Outside => vec![],
        Role::Own => own,
        Role::Given(which) => given.into_iter().skip(which).take(1).collect(),
        Role::AllElse => {
            all_scopes().into_iter().filter(|name| !own.contains(name) && !given.contains(name)).collect()
        }
    }
}

/// Bob is there, and Alice, who calls unless it is somebody else's role.
fn scene(role: Role, row: &Row, target: Target) -> Scene {
    let mut world = World::new();
    let bob = world.browser("Bob", &["room.self.screenshare"]);
    let other = world.join(bob);
    let bot = world.realtime();
    let mut scopes = match role {
        Role::Nothing | Role::Own | Role::Given(_) | Role::AllElse => scopes(role, row.rule),
        Role::Audience | Role::Project | Role::Outside => vec![],
    };
    scopes.push("room.self.screenshare".to_owned());
    let alice = world.browser("Alice", &all(&scopes));
    let alice_id = world.join_as(alice, row.rule);
    let (caller, own) = match role {
        Role::Nothing | Role::Own | Role::Given(_) | Role::AllElse => (alice, alice_id),
        Role::Project => (bot, alice_id),
        Role::Outside => (world.browser("Eve", &all(&all_scopes())), alice_id),
        Role::Audience => {
            let grant = RoomGrant::new(ProjectId::new(PROJECT), "my-room", "Listener");
            let grant = RoomGrant { join_as: JoinAs::Audience, scopes: all_scopes(), ..grant };
            let listener = world.connect(Authority::Room(grant), true);
            (listener, world.join_as(listener, row.rule))
        }
    };
    let screen = |world: &mut World, of| {
        let reply = world.share(of, "screen", "screenShare", json!({}));
        MemberId::new(reply["result"]["result"]["memberID"].as_str().unwrap())
    };
    let about = match target {
        Target::Oneself => Some(own),
        Target::Other => Some(other.clone()),
        Target::OwnChild => Some(screen(&mut world, alice)),
        Target::OthersChild => Some(screen(&mut world, bob)),
        Target::Unknown => Some(MemberId::new("nobody")),
        Target::Missing => None,
    };
    Scene { world, caller, bot, other, about }
}

impl World {
    /// Whom a rule about calls lets say something has one that draws itself.
    fn join_as(&mut self, client: Client, rule: Rule) -> MemberId {
        match rule {
            Rule::Caller => self.join_with(client, &json!({"mode": "tiles"})),
            Rule::Anybody
            | Rule::AnybodyAboutMember
            | Rule::Project
            | Rule::Room(_)
            | Rule::Member(_)
            | Rule::Others(_) => self.join(client),
        }
    }
}

fn all(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

impl Scene {
    fn params(&self, params: &Value, rule: Rule) -> Value {
        let call = format!("call-{}", self.caller.session.0);
        let text = params.to_string().replace(OTHER, self.other.as_str()).replace(CALL, &call);
        let text = text.replace(RECORDING, self.world.recording());
        let mut params: Value = serde_json::from_str(&text).unwrap();
        if let Some(about) = self.about.as_ref().filter(|_| is_about_member(rule)) {
            params["member_id"] = json!(about.as_str());
        }
        params
    }

    /// The room as a server sees it.
    fn state(&mut self) -> Value {
        self.world.method(self.bot, "video.room.get", json!({}))["room"].take()
    }
}

fn is_about_member(rule: Rule) -> bool {
    match rule {
        Rule::Member(_) | Rule::Others(_) | Rule::AnybodyAboutMember => true,
        Rule::Anybody | Rule::Caller | Rule::Project | Rule::Room(_) => false,
    }
}

/// The rule of permissions: one's own for oneself, the other for everybody, a server always.
fn is_allowed(rule: Rule, role: Role, target: Target) -> bool {
    match (rule, role) {
        (_, Role::Project) => true,
        (_, Role::Outside) | (Rule::Project, _) => false,
        (Rule::Anybody | Rule::AnybodyAboutMember | Rule::Caller, _) => true,
        (_, Role::Given(_)) => true,
        // Without a name it could only be oneself.
        (Rule::Member(_), Role::Own) => {
            matches!(target, Target::Oneself | Target::OwnChild | Target::Missing)
        }
        (_, Role::Nothing | Role::AllElse | Role::Audience | Role::Own) => false,
    }
}

/// Code, message unless it is free, and whether it is done.
fn expected(row: &Row, role: Role, target: Target) -> (&'static str, Option<&'static str>) {
    // Who has become audience may do nothing, least of all promote itself.
    let is_lost = row.method == "video.member.promote" && target == Target::Oneself && role != Role::Project;
    let has_no_call = matches!(row.rule, Rule::Caller) && role == Role::Project;
    let is_screen = matches!(target, Target::OwnChild | Target::OthersChild);
    match (is_allowed(row.rule, role, target) && !is_lost, target, &row.outcome) {
        (false, ..) => ("403", Some("Unauthorized")),
        // A screen is of a member already, and can be no audience.
        (true, ..) if is_screen && row.method == "video.member.promote" => ("403", Some("Unauthorized")),
        (true, ..) if is_screen && row.method == "video.member.demote" => ("404", Some("Member not found")),
        (true, ..) if has_no_call => ("404", Some("Call not found")),
        (true, Target::Missing, _) => ("422", None),
        (true, Target::Unknown, _) => ("404", Some("Member not found")),
        (true, _, Outcome::Done(..)) => ("200", Some("OK")),
        (true, _, Outcome::Refused(code, message)) => (code, Some(message)),
    }
}

fn roles(rule: Rule) -> Vec<Role> {
    let mut roles = vec![Role::Nothing, Role::AllElse, Role::Audience, Role::Project, Role::Outside];
    match rule {
        Rule::Member(_) => roles.extend([Role::Own, Role::Given(0)]),
        Rule::Others(_) => roles.push(Role::Given(0)),
        Rule::Room(names) => roles.extend((0..names.len()).map(Role::Given)),
        Rule::Anybody | Rule::AnybodyAboutMember | Rule::Caller | Rule::Project => {}
    }
    roles
}

fn targets(rule: Rule) -> &'static [Target] {
    if is_about_member(rule) {
        &[
            Target::Oneself,
            Target::OwnChild,
            Target::Other,
            Target::OthersChild,
            Target::Unknown,
            Target::Missing,
        ]
    } else {
        &[Target::Other]
    }
}

/// Each event with what it says has changed, and about whom.
fn told(world: &World) -> Vec<(String, Vec<String>, Option<String>)> {
    let read = |event: &std::sync::Arc<control_api::Event>| {
        let params: Value = serde_json::from_str(&event.params).unwrap();
        let updated = match event.kind {
            EventKind::RoomUpdated => {
                let (room, twin) = (&params["params"]["room_session"], &params["params"]["room"]);
                assert_eq!(room, twin, "both objects say the same");
                room["updated"].clone()
            }
            EventKind::MemberUpdated => params["params"]["member"]["updated"].clone(),
            _ => json!([]),
        };
        let updated = updated.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned());
        let about = params["params"]["member"]["id"].as_str().map(str::to_owned);
        (event.kind.name().to_owned(), updated.collect(), about)
    };
    world.events.iter().map(read).collect()
}

fn check(row: &Row, role: Role, target: Target) {
    let what = format!("{} as {role:?} about {target:?}", row.method);
    let mut scene = scene(role, row, target);
    for (method, params) in &row.before {
        let params = scene.params(params, row.rule);
        scene.world.method(scene.bot, method, params);
    }
    scene.world.pass(secs(1));
    scene.world.forget_frames();
    scene.world.events.clear();
    let before = scene.state();
    let params = scene.params(&row.params, row.rule);
    let result = scene.world.method(scene.caller, row.method, params.clone());

    let (code, message) = expected(row, role, target);
    assert_eq!(result["code"], code, "{what}: {result}");
    match message {
        Some(message) => assert_eq!(result["message"], message, "{what}"),
        None => assert!(result["message"].as_str().is_some_and(|text| !text.is_empty()), "{what}"),
    }
    scene.world.pass(secs(1));
    let (fields, events): (&[&str], &[_]) = match &row.outcome {
        Outcome::Done(fields, events) if code == "200" => (fields, events),
        Outcome::Done(..) | Outcome::Refused(..) => (&[], &[]),
    };
    let given: BTreeSet<&str> = result.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(given, fields.iter().chain(&["code", "message"]).copied().collect(), "{what}");
    let about = scene.about.as_ref().filter(|_| is_about_member(row.rule)).unwrap_or(&scene.other);
    let wanted: Vec<_> = events
        .iter()
        .map(|(name, updated)| {
            let about = name.starts_with("video.member.").then(|| about.to_string());
            ((*name).to_owned(), updated.iter().map(ToString::to_string).collect::<Vec<_>>(), about)
        })
        .collect();
    let mut heard = told(&scene.world);
    // When somebody leaves, the others move up.
    heard.retain(|(_, updated, who)| {
        *updated != ["current_position"] || who.as_deref() == Some(about.as_str())
    });
    assert_eq!(heard, wanted, "{what}");
    if events.is_empty() {
        // What a viewer says about its own picture is for the media plane alone.
        let is_said = matches!(row.rule, Rule::Caller) && code == "200";
        let is_viewport =
            |known: &MediaInstruction| is_said && matches!(known, MediaInstruction::SetViewport { .. });
        assert_eq!(
            scene.world.instructions.iter().filter(|known| is_viewport(known)).count(),
            usize::from(is_said),
            "{what}"
        );
        scene.world.instructions.retain(|known| !is_viewport(known));
        assert_eq!(scene.world.instructions, [], "{what}");
        assert_eq!(scene.state(), before, "{what}");
    } else if !["video.member.remove", "video.member.demote"].contains(&row.method) {
        // Once more: it is so already, nobody hears of it again. (The media plane of these tests places anew each time.)
        scene.world.events.clear();
        let again = scene.world.method(scene.caller, row.method, params);
        scene.world.pass(secs(1));
        let mut heard = told(&scene.world);
        heard.retain(|(name, ..)| name != "video.layout.changed");
        // A server is told of the recording that runs already, alone: it may wait for the event instead of the reply.
        heard.retain(|(name, ..)| role != Role::Project || name != "video.recording.started");
        assert_eq!((&again["code"], heard), (&json!("200"), vec![]), "{what}, again");
    }
}

#[test]
fn every_method_as_everybody_about_everybody() {
    for row in rows() {
        for role in roles(row.rule) {
            for target in targets(row.rule) {
                check(&row, role, *target);
            }
        }
    }
}

#[test]
fn the_contract_and_the_product_have_the_same_methods() {
    let declared: Vec<&str> = rows().iter().map(|row| row.method).collect();
    let unique: BTreeSet<&str> = declared.iter().copied().collect();
    assert_eq!(declared.len(), unique.len(), "a method is declared once");
    assert_eq!(unique, control_api::methods().collect());
}

#[test]
fn every_permission_is_of_some_use() {
    let mut used: BTreeSet<String> = BTreeSet::new();
    for row in rows() {
        match row.rule {
            Rule::Member(action) => {
                used.extend([format!("room.self.{action}"), format!("room.member.{action}")]);
            }
            Rule::Others(action) => {
                used.insert(format!("room.member.{action}"));
            }
            Rule::Room(names) => {
                used.extend(names.iter().filter(|name| name.starts_with("room.")).map(ToString::to_string))
            }
            Rule::Anybody | Rule::AnybodyAboutMember | Rule::Caller | Rule::Project => {}
        }
    }
    // These two are asked for by invites.
    used.extend(["room.self.screenshare".to_owned(), "room.self.additional_source".to_owned()]);
    assert_eq!(used, all_scopes().into_iter().collect());
}
