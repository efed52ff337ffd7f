//! The room as a whole.

use super::{Call, Method, Needs};
use crate::clock::Now;
use crate::event::EventKind;
use crate::permission::RoomAction;
use crate::room::RoomSession;
use crate::room::media::MediaInstruction;
use crate::session::Reply;
use crate::wire::method::{
    Done, MembersResult, NoParams, PrioritizeHandraiseParams, PrioritizeHandraiseResult, RoomResult,
};

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

pub(super) struct SetLocked<const LOCKED: bool>;
impl<const LOCKED: bool> Method for SetLocked<LOCKED> {
    const NAME: &'static str = if LOCKED { "video.lock" } else { "video.unlock" };
    const NEEDS: Needs = Needs::Room(if LOCKED { &[RoomAction::Lock] } else { &[RoomAction::Unlock] });
    type Params = NoParams;
    type Result = Done;
    fn run(room: &mut RoomSession, call: &Call<'_>, _: NoParams) -> Result<Done, Reply> {
        if room.locked != LOCKED {
            room.locked = LOCKED;
            room.emit_room_updated(call.now, "locked");
        }
        Ok(Done {})
    }
}

pub(super) struct SetHideVideoMuted<const HIDE: bool>;
impl<const HIDE: bool> Method for SetHideVideoMuted<HIDE> {
    const NAME: &'static str = if HIDE { "video.hide_video_muted" } else { "video.show_video_muted" };
    const NEEDS: Needs =
        Needs::Room(if HIDE { &[RoomAction::HideVideoMuted] } else { &[RoomAction::ShowVideoMuted] });
    type Params = NoParams;
    type Result = Done;
    fn run(room: &mut RoomSession, call: &Call<'_>, _: NoParams) -> Result<Done, Reply> {
        if room.hide_video_muted != HIDE {
            room.hide_video_muted = HIDE;
            room.instruct(MediaInstruction::SetHideVideoMuted { hide: HIDE });
            room.emit_room_updated(call.now, "hide_video_muted");
        }
        Ok(Done {})
    }
}

pub(super) struct PrioritizeHandraise;
impl Method for PrioritizeHandraise {
    const NAME: &'static str = "video.prioritize_handraise";
    const NEEDS: Needs = Needs::Room(&[RoomAction::PrioritizeHandraise]);
    type Params = PrioritizeHandraiseParams;
    type Result = PrioritizeHandraiseResult;
    fn run(
        room: &mut RoomSession,
        call: &Call<'_>,
        params: PrioritizeHandraiseParams,
    ) -> Result<PrioritizeHandraiseResult, Reply> {
        let on = params.enable.unwrap_or(!room.prioritize_handraise);
        if room.prioritize_handraise != on {
            room.prioritize_handraise = on;
            room.instruct(MediaInstruction::SetPrioritizeHandraise { on });
            room.emit_room_updated(call.now, "prioritize_handraise");
        }
        Ok(PrioritizeHandraiseResult { prioritize_handraise: on })
    }
}

impl RoomSession {
    /// One property of the room has changed.
    pub(super) fn emit_room_updated(&mut self, now: Now, property: &'static str) {
        let to = self.all();
        self.emit_room(now, to, EventKind::RoomUpdated, Some(vec![property]));
    }
}
