//! What is done to one member.

use super::{Call, Method, Needs};
use crate::clock::Now;
use crate::event::EventKind;
use crate::ids::MemberId;
use crate::permission::MemberAction;
use crate::room::RoomSession;
use crate::room::media::MediaInstruction;
use crate::session::Reply;
use crate::wire::room::{Done, MemberParams};
use crate::wire::verto::Cause;

pub(super) struct AudioMute;
impl Method for AudioMute {
    const NAME: &'static str = "video.member.audio_mute";
    const NEEDS: Needs = Needs::Member(MemberAction::AudioMute);
    type Params = MemberParams;
    type Result = Done;
    fn run(room: &mut RoomSession, call: &Call<'_>, params: MemberParams) -> Result<Done, Reply> {
        let member = room.target(call.from, MemberAction::AudioMute, &params.member_id)?;
        room.set_audio_muted(call.now, &member, true);
        Ok(Done {})
    }
}

pub(super) struct AudioUnmute;
impl Method for AudioUnmute {
    const NAME: &'static str = "video.member.audio_unmute";
    const NEEDS: Needs = Needs::Member(MemberAction::AudioUnmute);
    type Params = MemberParams;
    type Result = Done;
    fn run(room: &mut RoomSession, call: &Call<'_>, params: MemberParams) -> Result<Done, Reply> {
        let member = room.target(call.from, MemberAction::AudioUnmute, &params.member_id)?;
        room.set_audio_muted(call.now, &member, false);
        Ok(Done {})
    }
}

pub(super) struct VideoMute;
impl Method for VideoMute {
    const NAME: &'static str = "video.member.video_mute";
    const NEEDS: Needs = Needs::Member(MemberAction::VideoMute);
    type Params = MemberParams;
    type Result = Done;
    fn run(room: &mut RoomSession, call: &Call<'_>, params: MemberParams) -> Result<Done, Reply> {
        let member = room.target(call.from, MemberAction::VideoMute, &params.member_id)?;
        room.set_video_muted(call.now, &member, true);
        Ok(Done {})
    }
}

pub(super) struct VideoUnmute;
impl Method for VideoUnmute {
    const NAME: &'static str = "video.member.video_unmute";
    const NEEDS: Needs = Needs::Member(MemberAction::VideoUnmute);
    type Params = MemberParams;
    type Result = Done;
    fn run(room: &mut RoomSession, call: &Call<'_>, params: MemberParams) -> Result<Done, Reply> {
        let member = room.target(call.from, MemberAction::VideoUnmute, &params.member_id)?;
        room.set_video_muted(call.now, &member, false);
        Ok(Done {})
    }
}

pub(super) struct MemberRemove;
impl Method for MemberRemove {
    const NAME: &'static str = "video.member.remove";
    const NEEDS: Needs = Needs::Member(MemberAction::Remove);
    type Params = MemberParams;
    type Result = Done;
    fn run(room: &mut RoomSession, call: &Call<'_>, params: MemberParams) -> Result<Done, Reply> {
        if params.member_id == "all" {
            room.remove_all(call.now);
        } else {
            let member = room.target(call.from, MemberAction::Remove, &params.member_id)?;
            room.take_out(call.now, &member, Some(Cause::NORMAL));
        }
        Ok(Done {})
    }
}

impl RoomSession {
    fn set_audio_muted(&mut self, now: Now, id: &MemberId, muted: bool) {
        let Some(member) = self.member_mut(id) else { return };
        if member.audio_muted != muted {
            member.audio_muted = muted;
            let silenced = member.is_silenced();
            self.instruct(MediaInstruction::SetAudioMuted { member: id.clone(), muted: silenced });
            self.emit_member(now, EventKind::MemberUpdated, id, Some(vec!["audio_muted"]));
        }
    }

    fn set_video_muted(&mut self, now: Now, id: &MemberId, muted: bool) {
        let Some(member) = self.member_mut(id) else { return };
        if member.video_muted != muted {
            member.video_muted = muted;
            self.instruct(MediaInstruction::SetVideoMuted { member: id.clone(), muted });
            self.emit_member(now, EventKind::MemberUpdated, id, Some(vec!["video_muted", "visible"]));
        }
    }
}
