//! Room methods. A method is a type, the table is the list of those that exist: one more is a type and a row.
//!
//! Each is checked in this order: may the sender ask anything here, may it call the method at all (403), are the
//! params right (422), may it do that to this member (403), is the member there (404).

mod layout;
mod member;
mod room;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use self::layout::{ListAvailableLayouts, MemberSetPosition, SetLayout, SetPosition};
use self::member::{AudioMute, AudioUnmute, MemberRemove, VideoMute, VideoUnmute};
use self::room::{MembersGet, RoomGet};
use super::RoomSession;
use crate::clock::Now;
use crate::grant::Authority;
use crate::ids::MemberId;
use crate::permission::{MemberAction, RoomAction};
use crate::session::{Reply, Sender};
use crate::wire;

/// One method of the wire.
trait Method {
    const NAME: &'static str;
    /// Without which there is no use in asking.
    const NEEDS: Needs;
    type Params: DeserializeOwned;
    type Result: Serialize;
    fn run(room: &mut RoomSession, call: &Call<'_>, params: Self::Params) -> Result<Self::Result, Reply>;
}

/// What a method demands of its caller, whatever the params.
#[derive(Clone, Copy)]
enum Needs {
    /// To be in the room, or of the project.
    Presence,
    /// To be of the project.
    Project,
    /// This permission for the room.
    Room(RoomAction),
    /// This permission for oneself at least.
    Member(MemberAction),
}

/// Who calls, and when.
struct Call<'a> {
    now: Now,
    from: &'a Sender,
}

struct Row {
    name: &'static str,
    run: fn(&mut RoomSession, &Call<'_>, Value) -> Result<Value, Reply>,
}

const fn row<M: Method>() -> Row {
    Row { name: M::NAME, run: checked::<M> }
}

const TABLE: &[Row] = &[
    row::<RoomGet>(),
    row::<MembersGet>(),
    row::<ListAvailableLayouts>(),
    row::<SetLayout>(),
    row::<SetPosition>(),
    row::<MemberSetPosition>(),
    row::<AudioMute>(),
    row::<AudioUnmute>(),
    row::<VideoMute>(),
    row::<VideoUnmute>(),
    row::<MemberRemove>(),
];

/// The table's own spelling of a method's name, if it exists.
pub(crate) fn known(name: &str) -> Option<&'static str> {
    TABLE.iter().find(|row| row.name == name).map(|row| row.name)
}

pub(super) fn call(room: &mut RoomSession, now: Now, from: &Sender, name: &str, params: Value) -> Reply {
    let Some(row) = TABLE.iter().find(|row| row.name == name) else { return Reply::UnknownMethod };
    (row.run)(room, &Call { now, from }, params).map_or_else(|refusal| refusal, Reply::Done)
}

fn checked<M: Method>(room: &mut RoomSession, call: &Call<'_>, params: Value) -> Result<Value, Reply> {
    room.admit(call.from)?;
    let authority = &call.from.authority;
    let allowed = match M::NEEDS {
        Needs::Presence => true,
        Needs::Project => matches!(**authority, Authority::Project(_)),
        Needs::Room(action) => authority.allows_room(action),
        Needs::Member(action) => authority.allows(action, true),
    };
    if !allowed {
        return Err(Reply::unauthorized());
    }
    let params = serde_json::from_value(params).map_err(|e| Reply::invalid(e.to_string()))?;
    M::run(room, call, params).map(|result| wire::value(&result))
}

impl RoomSession {
    /// The member a method is about, if the caller may do `action` to it.
    fn target(&self, from: &Sender, action: MemberAction, id: &str) -> Result<MemberId, Reply> {
        let own = self.member_of(from.session).is_some_and(|member| member.id.as_str() == id);
        if !from.authority.allows(action, own) {
            return Err(Reply::unauthorized());
        }
        self.known_member(id)
    }

    fn known_member(&self, id: &str) -> Result<MemberId, Reply> {
        let member = self.members.iter().find(|member| member.is_in() && member.id.as_str() == id);
        member.map(|member| member.id.clone()).ok_or_else(Reply::member_not_found)
    }
}
