//! The application's data of the room and of its members: `set` replaces, `update` adds and overwrites key by key,
//! `delete` takes keys away.

use serde_json::{Map, Value};

use super::{Call, MemberMethod, Method, Needs};
use crate::clock::Now;
use crate::event::EventKind;
use crate::ids::MemberId;
use crate::permission::{MemberAction, RoomAction};
use crate::room::RoomSession;
use crate::session::Reply;
use crate::wire;
use crate::wire::method::{DeleteMetaParams, Done, MetaParams, MetaResult, NoParams};

type Meta = Map<String, Value>;

/// Most bytes of a room's meta as JSON text. It travels with every event about the room.
const MAX_ROOM_META: usize = 16 * 1024;
/// Most bytes of a member's meta as JSON text. It travels with every event about the member and once per member in every
/// event about the room.
pub(in crate::room) const MAX_MEMBER_META: usize = 4 * 1024;

const SET_ROOM: Needs = Needs::Room(&[RoomAction::SetMeta]);
const SET_MEMBER: Option<MemberAction> = Some(MemberAction::SetMeta);

pub(super) struct RoomMetaGet;
impl Method for RoomMetaGet {
    const NAME: &'static str = "video.get_meta";
    const NEEDS: Needs = Needs::Presence;
    type Params = NoParams;
    type Result = MetaResult;
    fn run(room: &mut RoomSession, _: &Call<'_>, _: NoParams) -> Result<MetaResult, Reply> {
        Ok(MetaResult { meta: room.meta.clone() })
    }
}

pub(super) struct RoomMetaSet;
impl Method for RoomMetaSet {
    const NAME: &'static str = "video.set_meta";
    const NEEDS: Needs = SET_ROOM;
    type Params = MetaParams;
    type Result = Done;
    fn run(room: &mut RoomSession, call: &Call<'_>, params: MetaParams) -> Result<Done, Reply> {
        room.change_meta(call.now, params.meta)
    }
}

pub(super) struct RoomMetaUpdate;
impl Method for RoomMetaUpdate {
    const NAME: &'static str = "video.update_meta";
    const NEEDS: Needs = SET_ROOM;
    type Params = MetaParams;
    type Result = Done;
    fn run(room: &mut RoomSession, call: &Call<'_>, params: MetaParams) -> Result<Done, Reply> {
        let meta = merged(&room.meta, params.meta);
        room.change_meta(call.now, meta)
    }
}

pub(super) struct RoomMetaDelete;
impl Method for RoomMetaDelete {
    const NAME: &'static str = "video.delete_meta";
    const NEEDS: Needs = SET_ROOM;
    type Params = DeleteMetaParams;
    type Result = Done;
    fn run(room: &mut RoomSession, call: &Call<'_>, params: DeleteMetaParams) -> Result<Done, Reply> {
        let meta = without(&room.meta, &params.keys);
        room.change_meta(call.now, meta)
    }
}

pub(super) struct MemberMetaGet;
impl MemberMethod for MemberMetaGet {
    const NAME: &'static str = "video.member.get_meta";
    const ACTION: Option<MemberAction> = None;
    type Params = NoParams;
    type Result = MetaResult;
    fn run(room: &mut RoomSession, _: &Call<'_>, id: &MemberId, _: NoParams) -> Result<MetaResult, Reply> {
        Ok(MetaResult { meta: room.member_meta(id)?.clone() })
    }
}

pub(super) struct MemberMetaSet;
impl MemberMethod for MemberMetaSet {
    const NAME: &'static str = "video.member.set_meta";
    const ACTION: Option<MemberAction> = SET_MEMBER;
    type Params = MetaParams;
    type Result = Done;
    fn run(
        room: &mut RoomSession,
        call: &Call<'_>,
        id: &MemberId,
        params: MetaParams,
    ) -> Result<Done, Reply> {
        room.change_member_meta(call.now, id, params.meta)
    }
}

pub(super) struct MemberMetaUpdate;
impl MemberMethod for MemberMetaUpdate {
    const NAME: &'static str = "video.member.update_meta";
    const ACTION: Option<MemberAction> = SET_MEMBER;
    type Params = MetaParams;
    type Result = Done;
    fn run(
        room: &mut RoomSession,
        call: &Call<'_>,
        id: &MemberId,
        params: MetaParams,
    ) -> Result<Done, Reply> {
        let meta = merged(room.member_meta(id)?, params.meta);
        room.change_member_meta(call.now, id, meta)
    }
}

pub(super) struct MemberMetaDelete;
impl MemberMethod for MemberMetaDelete {
    const NAME: &'static str = "video.member.delete_meta";
    const ACTION: Option<MemberAction> = SET_MEMBER;
    type Params = DeleteMetaParams;
    type Result = Done;
    fn run(
        room: &mut RoomSession,
        call: &Call<'_>,
        id: &MemberId,
        params: DeleteMetaParams,
    ) -> Result<Done, Reply> {
        let meta = without(room.member_meta(id)?, &params.keys);
        room.change_member_meta(call.now, id, meta)
    }
}

impl RoomSession {
    fn change_meta(&mut self, now: Now, meta: Meta) -> Result<Done, Reply> {
        check_size(&meta, MAX_ROOM_META)?;
        if self.meta != meta {
            self.meta = meta;
            self.emit_room_updated(now, "meta");
        }
        Ok(Done {})
    }

    fn member_meta(&self, id: &MemberId) -> Result<&Meta, Reply> {
        self.participant(id).map(|who| &who.meta).ok_or_else(Reply::member_not_found)
    }

    fn change_member_meta(&mut self, now: Now, id: &MemberId, meta: Meta) -> Result<Done, Reply> {
        check_size(&meta, MAX_MEMBER_META)?;
        let member = self.member_mut(id).ok_or_else(Reply::member_not_found)?;
        if member.meta != meta {
            member.meta = meta;
            self.emit_member(now, EventKind::MemberUpdated, id, Some(vec!["meta"]));
        }
        Ok(Done {})
    }
}

/// Refuses what would make every event too long.
pub(in crate::room) fn check_size(meta: &Meta, most: usize) -> Result<(), Reply> {
    let size = wire::text(meta).len();
    if size > most {
        return Err(Reply::invalid(format!("meta has {size} bytes of JSON text, {most} are allowed")));
    }
    Ok(())
}

fn merged(meta: &Meta, more: Meta) -> Meta {
    let mut merged = meta.clone();
    merged.extend(more);
    merged
}

fn without(meta: &Meta, keys: &[String]) -> Meta {
    let mut rest = meta.clone();
    for key in keys {
        rest.remove(key);
    }
    rest
}
