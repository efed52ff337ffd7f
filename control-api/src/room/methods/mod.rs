//! Room methods. A method is a type, the table is the list of those that exist: one more is a type and a row.
//!
//! Each is checked in this order: may the sender ask anything here, may it do that to the room or to this member (403),
//! are the params right (422), is everybody there whom it names (404). What is refused has changed nothing.

mod layout;
mod member;
mod meta;
mod playback;
mod preview;
mod promote;
mod recording;
mod room;
mod stream;
mod tiles;
mod url;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub(super) use self::layout::read_position;
use self::layout::{ListAvailableLayouts, MemberSetPosition, SetLayout, SetPosition};
use self::member::{
    MemberRemove, SetAudioMuted, SetDeaf, SetHandRaised, SetInputSensitivity, SetInputVolume,
    SetOutputVolume, SetVideoMuted,
};
use self::meta::{
    MemberMetaDelete, MemberMetaGet, MemberMetaSet, MemberMetaUpdate, RoomMetaDelete, RoomMetaGet,
    RoomMetaSet, RoomMetaUpdate,
};
use self::playback::{
    PlaybackList, PlaybackPause, PlaybackResume, PlaybackSeekAbsolute, PlaybackSeekRelative,
    PlaybackSetVolume, PlaybackStart, PlaybackStop,
};
use self::preview::LayoutPreview;
use self::promote::{Demote, Promote};
use self::recording::{RecordingList, RecordingPause, RecordingResume, RecordingStart, RecordingStop};
use self::room::{MembersGet, PrioritizeHandraise, RoomGet, SetHideVideoMuted, SetLocked};
use self::stream::{StreamList, StreamStart, StreamStop};
use self::tiles::SetViewport;
use super::RoomSession;
use super::participant::Participant;
use crate::clock::Now;
use crate::grant::Authority;
use crate::ids::{MemberId, RequestKey, SessionKey};
use crate::permission::{MemberAction, RoomAction};
use crate::session::{Reply, Sender};
use crate::wire;

/// A method about the room.
trait Method {
    const NAME: &'static str;
    /// Without which there is no use in asking.
    const NEEDS: Needs;
    type Params: DeserializeOwned;
    type Result: Serialize;
    fn run(room: &mut RoomSession, call: &Call<'_>, params: Self::Params) -> Result<Self::Result, Reply>;
}

/// A method about the room whose answer may have to wait.
trait LateMethod {
    const NAME: &'static str;
    /// Without which there is no use in asking.
    const NEEDS: Needs;
    type Params: DeserializeOwned;
    type Result: Serialize;
    /// `None`: the room replies to [`Call::request`] later.
    fn run(room: &mut RoomSession, call: &Call<'_>, params: Self::Params) -> Option<Self::Result>;
}

/// A method about one member, named by `member_id`.
trait MemberMethod {
    const NAME: &'static str;
    /// What is done to the member; nothing, if it is only looked at.
    const ACTION: Option<MemberAction>;
    type Params: DeserializeOwned;
    type Result: Serialize;
    fn run(
        room: &mut RoomSession,
        call: &Call<'_>,
        id: &MemberId,
        params: Self::Params,
    ) -> Result<Self::Result, Reply>;
}

/// What a method demands of its caller, whatever the params.
#[derive(Clone, Copy)]
enum Needs {
    /// To be in the room, or of the project.
    Presence,
    /// To be of the project.
    Project,
    /// One of these permissions for the room.
    Room(&'static [RoomAction]),
    /// This permission for others.
    Others(MemberAction),
}

/// Who calls, and when.
struct Call<'a> {
    now: Now,
    from: &'a Sender,
    request: RequestKey,
}

struct Row {
    name: &'static str,
    run: fn(&mut RoomSession, &Call<'_>, Value) -> Result<Option<Value>, Reply>,
}

const fn row<M: Method>() -> Row {
    Row { name: M::NAME, run: checked::<M> }
}

const fn late_row<M: LateMethod>() -> Row {
    Row { name: M::NAME, run: checked_late::<M> }
}

const fn member_row<M: MemberMethod>() -> Row {
    Row { name: M::NAME, run: checked_member::<M> }
}

const TABLE: &[Row] = &[
    row::<RoomGet>(),
    row::<MembersGet>(),
    row::<SetLocked<true>>(),
    row::<SetLocked<false>>(),
    row::<RoomMetaGet>(),
    row::<RoomMetaSet>(),
    row::<RoomMetaUpdate>(),
    row::<RoomMetaDelete>(),
    row::<ListAvailableLayouts>(),
    row::<SetLayout>(),
    row::<LayoutPreview>(),
    row::<SetPosition>(),
    row::<SetHideVideoMuted<true>>(),
    row::<SetHideVideoMuted<false>>(),
    row::<PrioritizeHandraise>(),
    row::<RecordingList>(),
    late_row::<RecordingStart>(),
    row::<RecordingPause>(),
    row::<RecordingResume>(),
    row::<RecordingStop>(),
    row::<PlaybackList>(),
    row::<PlaybackStart>(),
    row::<PlaybackPause>(),
    row::<PlaybackResume>(),
    row::<PlaybackStop>(),
    row::<PlaybackSetVolume>(),
    row::<PlaybackSeekAbsolute>(),
    row::<PlaybackSeekRelative>(),
    row::<StreamList>(),
    row::<StreamStart>(),
    row::<StreamStop>(),
    row::<SetViewport>(),
    row::<Promote>(),
    row::<Demote>(),
    row::<MemberRemove>(),
    member_row::<SetAudioMuted<true>>(),
    member_row::<SetAudioMuted<false>>(),
    member_row::<SetVideoMuted<true>>(),
    member_row::<SetVideoMuted<false>>(),
    member_row::<SetDeaf<true>>(),
    member_row::<SetDeaf<false>>(),
    member_row::<SetInputVolume>(),
    member_row::<SetOutputVolume>(),
    member_row::<SetInputSensitivity>(),
    member_row::<MemberSetPosition>(),
    member_row::<SetHandRaised<true>>(),
    member_row::<SetHandRaised<false>>(),
    member_row::<MemberMetaGet>(),
    member_row::<MemberMetaSet>(),
    member_row::<MemberMetaUpdate>(),
    member_row::<MemberMetaDelete>(),
];

/// The table's own spelling of a method's name, if it exists.
pub(crate) fn known(name: &str) -> Option<&'static str> {
    names().find(|known| *known == name)
}

/// Every method of a room session.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|row| row.name)
}

/// `None`: the reply comes later.
pub(super) fn call(
    room: &mut RoomSession,
    now: Now,
    from: &Sender,
    request: RequestKey,
    name: &str,
    params: Value,
) -> Option<Reply> {
    let Some(row) = TABLE.iter().find(|row| row.name == name) else { return Some(Reply::UnknownMethod) };
    match (row.run)(room, &Call { now, from, request }, params) {
        Ok(result) => result.map(Reply::Done),
        Err(refusal) => Some(refusal),
    }
}

fn checked<M: Method>(
    room: &mut RoomSession,
    call: &Call<'_>,
    params: Value,
) -> Result<Option<Value>, Reply> {
    check(room, call, M::NEEDS)?;
    M::run(room, call, read(params)?).map(|result| Some(wire::value(&result)))
}

fn checked_late<M: LateMethod>(
    room: &mut RoomSession,
    call: &Call<'_>,
    params: Value,
) -> Result<Option<Value>, Reply> {
    check(room, call, M::NEEDS)?;
    Ok(M::run(room, call, read(params)?).map(|result| wire::value(&result)))
}

/// Whether the sender may ask this.
fn check(room: &RoomSession, call: &Call<'_>, needs: Needs) -> Result<(), Reply> {
    room.admit(call.from)?;
    let allowed = match needs {
        Needs::Presence => true,
        Needs::Project => matches!(*call.from.authority, Authority::Project(_)),
        Needs::Room(actions) => actions.iter().any(|action| room.allows_room(call.from, *action)),
        Needs::Others(action) => room.allows(call.from, action, false),
    };
    if allowed { Ok(()) } else { Err(Reply::unauthorized()) }
}

fn checked_member<M: MemberMethod>(
    room: &mut RoomSession,
    call: &Call<'_>,
    params: Value,
) -> Result<Option<Value>, Reply> {
    room.admit(call.from)?;
    let id = params.get("member_id").and_then(Value::as_str).map(str::to_owned);
    // Without a member it is wrong anyway; whoever may not do it even to itself learns only that.
    let is_self = id.as_deref().is_none_or(|id| room.is_own(call.from.session, id));
    if M::ACTION.is_some_and(|action| !room.allows(call.from, action, is_self)) {
        return Err(Reply::unauthorized());
    }
    let id = id.ok_or_else(|| Reply::invalid("member_id is required"))?;
    let params = read(params)?;
    let id = match M::ACTION {
        Some(_) => room.known_member(&id)?,
        None => room.known_participant(&id)?, // audience may look at itself
    };
    M::run(room, call, &id, params).map(|result| Some(wire::value(&result)))
}

fn read<P: DeserializeOwned>(params: Value) -> Result<P, Reply> {
    serde_json::from_value(params).map_err(|e| Reply::invalid(e.to_string()))
}

impl RoomSession {
    /// Whether this is the session's member, or a screen or device of it.
    fn is_own(&self, session: SessionKey, id: &str) -> bool {
        let own = self.participants.iter().filter(|own| own.session == session);
        own.map(|own| &own.id).any(|own| own.as_str() == id)
    }

    /// Somebody who is in, member or audience.
    fn known_person(&self, id: &str) -> Result<MemberId, Reply> {
        self.known(id, |who| who.is_in() && who.is_person())
    }

    /// Somebody in `members`.
    fn known_member(&self, id: &str) -> Result<MemberId, Reply> {
        self.known(id, Participant::is_listed)
    }

    /// Anybody who is in.
    fn known_participant(&self, id: &str) -> Result<MemberId, Reply> {
        self.known(id, Participant::is_in)
    }

    fn known(&self, id: &str, fits: impl Fn(&Participant) -> bool) -> Result<MemberId, Reply> {
        let found = self.participants.iter().find(|who| who.id.as_str() == id && fits(who));
        found.map(|who| who.id.clone()).ok_or_else(Reply::member_not_found)
    }
}
