//! Why a room does not let somebody in, in words for the one who asks.
//!
//! in:  a grant that a room has just refused
//! out: the reason, as far as it still shows
//!
//! Rooms decide and tell SDKs only that they refuse; who publishes from an encoder sees nothing else of the room.

use control_api::wire::member::MemberKind;
use control_api::{JoinAs, MemberId, RoomGrant};

use super::Unjoined;
use crate::app::App;
use crate::catalogue::Settings;
use crate::wiring::now;
use crate::wiring::room_task::MAX_AUDIENCE;

/// Whether that member is in the grant's room.
pub(super) fn is_there(app: &App, grant: &RoomGrant, member: &MemberId) -> bool {
    let running = app.registry.running(grant.project.as_str(), &grant.room_name);
    running.is_some_and(|running| running.now.members.iter().any(|known| known.id == *member))
}

/// The most likely reason of a refusal.
pub(super) fn reason(app: &App, grant: &RoomGrant) -> Unjoined {
    let now = now().unix_s;
    if grant.join_from.is_some_and(|from| now < from) {
        return Unjoined::NotAllowed("the token lets nobody in yet: join_from");
    }
    if !grant.may_join_at(now) {
        return Unjoined::NotAllowed("the token lets nobody in any more: join_until, remove_at or its end");
    }
    let running = app.registry.running(grant.project.as_str(), &grant.room_name);
    let stored = app.catalogue.named(&grant.room_name);
    let act = |settings: &Settings| settings.act(settings.quality.canvas(), &app.catalogue.layouts());
    let settings = match (&running, &stored) {
        (Some(running), _) => Some(act(&running.begun.opening.settings)),
        (None, Some(stored)) => Some(act(stored.settings())),
        (None, None) if !grant.auto_create_room => return Unjoined::NoRoom,
        (None, None) => None,
    };
    if settings.as_ref().is_some_and(|settings| !settings.admit_at(now)) {
        return Unjoined::NotAllowed(
            "the room lets nobody in at this time: join_from, join_until or remove_at",
        );
    }
    let Some(room) = running.map(|running| running.now) else {
        return Unjoined::NotAllowed("the room does not let anybody in");
    };
    let people = room.members.iter().filter(|member| member.kind == MemberKind::Member).count();
    let is_full = match grant.join_as {
        JoinAs::Member => settings.is_some_and(|settings| people >= settings.max_members),
        JoinAs::Audience => room.audience_count >= MAX_AUDIENCE,
    };
    match (room.locked, is_full) {
        (true, _) => Unjoined::NotAllowed("the room is locked"),
        (false, true) => Unjoined::NotAllowed("the room is full"),
        (false, false) => Unjoined::NotAllowed("the room does not let anybody in"),
    }
}
