//! The room as a whole.

use super::{Call, Method, Needs};
use crate::room::RoomSession;
use crate::session::Reply;
use crate::wire::room::{MembersResult, NoParams, RoomResult};

pub(super) struct RoomGet;
impl Method for RoomGet {
    const NAME: &'static str = "video.room.get";
    const NEEDS: Needs = Needs::Project;
    type Params = NoParams;
    type Result = RoomResult;
    fn run(room: &mut RoomSession, _: &Call<'_>, _: NoParams) -> Result<RoomResult, Reply> {
        let room = room.snapshot().ok_or_else(Reply::room_not_found)?;
        Ok(RoomResult { room })
    }
}

pub(super) struct MembersGet;
impl Method for MembersGet {
    const NAME: &'static str = "video.members.get";
    const NEEDS: Needs = Needs::Presence;
    type Params = NoParams;
    type Result = MembersResult;
    fn run(room: &mut RoomSession, _: &Call<'_>, _: NoParams) -> Result<MembersResult, Reply> {
        Ok(MembersResult { members: room.wire_members() })
    }
}
