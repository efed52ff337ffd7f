//! What is done to one member.

use super::{Call, MemberMethod, Method, Needs};
use crate::clock::Now;
use crate::event::EventKind;
use crate::ids::MemberId;
use crate::permission::MemberAction;
use crate::room::RoomSession;
use crate::room::media::MediaInstruction;
use crate::room::participant::Participant;
use crate::session::Reply;
use crate::wire::method::{Done, MemberParams, NoParams, SensitivityParams, VolumeParams};
use crate::wire::verto::Cause;

pub(super) struct SetAudioMuted<const MUTED: bool>;
impl<const MUTED: bool> MemberMethod for SetAudioMuted<MUTED> {
    const NAME: &'static str = if MUTED { "video.member.audio_mute" } else { "video.member.audio_unmute" };
    const ACTION: Option<MemberAction> =
        Some(if MUTED { MemberAction::AudioMute } else { MemberAction::AudioUnmute });
    type Params = NoParams;
    type Result = Done;
    fn run(room: &mut RoomSession, call: &Call<'_>, id: &MemberId, _: NoParams) -> Result<Done, Reply> {
        if room.set_audio_muted(id, MUTED)? {
            room.emit_member_updated(call.now, id, vec!["audio_muted"]);
        }
        Ok(Done {})
    }
}

pub(super) struct SetVideoMuted<const MUTED: bool>;
impl<const MUTED: bool> MemberMethod for SetVideoMuted<MUTED> {
    const NAME: &'static str = if MUTED { "video.member.video_mute" } else { "video.member.video_unmute" };
    const ACTION: Option<MemberAction> =
        Some(if MUTED { MemberAction::VideoMute } else { MemberAction::VideoUnmute });
    type Params = NoParams;
    type Result = Done;
    fn run(room: &mut RoomSession, call: &Call<'_>, id: &MemberId, _: NoParams) -> Result<Done, Reply> {
        if room.change(id, |member| replaced(&mut member.video_muted, MUTED))? {
            let muted = room.member(id).is_none_or(Participant::is_hidden);
            room.instruct(MediaInstruction::SetVideoMuted { member: id.clone(), muted });
            room.emit_member_updated(call.now, id, vec!["video_muted", "visible"]);
        }
        Ok(Done {})
    }
}

/// As SDKs document it: who is made deaf is muted too, and who hears again is unmuted too, without leave to mute or unmute.
/// Only a change does so: undeafening somebody who hears anyway must not open a microphone.
pub(super) struct SetDeaf<const DEAF: bool>;
impl<const DEAF: bool> MemberMethod for SetDeaf<DEAF> {
    const NAME: &'static str = if DEAF { "video.member.deaf" } else { "video.member.undeaf" };
    const ACTION: Option<MemberAction> = Some(if DEAF { MemberAction::Deaf } else { MemberAction::Undeaf });
    type Params = NoParams;
    type Result = Done;
    fn run(room: &mut RoomSession, call: &Call<'_>, id: &MemberId, _: NoParams) -> Result<Done, Reply> {
        if room.change(id, |member| replaced(&mut member.deaf, DEAF))? {
            room.instruct(MediaInstruction::SetDeaf { member: id.clone(), deaf: DEAF });
            let mut updated = vec!["deaf"];
            if room.set_audio_muted(id, DEAF)? {
                updated.push("audio_muted");
            }
            room.emit_member_updated(call.now, id, updated);
        }
        Ok(Done {})
    }
}

pub(super) struct SetHandRaised<const RAISED: bool>;
impl<const RAISED: bool> MemberMethod for SetHandRaised<RAISED> {
    const NAME: &'static str = if RAISED { "video.member.raisehand" } else { "video.member.lowerhand" };
    const ACTION: Option<MemberAction> =
        Some(if RAISED { MemberAction::RaiseHand } else { MemberAction::LowerHand });
    type Params = NoParams;
    type Result = Done;
    fn run(room: &mut RoomSession, call: &Call<'_>, id: &MemberId, _: NoParams) -> Result<Done, Reply> {
        if room.change(id, |member| replaced(&mut member.handraised, RAISED))? {
            room.instruct(MediaInstruction::SetHandRaised { member: id.clone(), raised: RAISED });
            room.emit_member_updated(call.now, id, vec!["handraised"]);
        }
        Ok(Done {})
    }
}

pub(super) struct SetInputVolume;
impl MemberMethod for SetInputVolume {
    const NAME: &'static str = "video.member.set_input_volume";
    const ACTION: Option<MemberAction> = Some(MemberAction::SetInputVolume);
    type Params = VolumeParams;
    type Result = Done;
    fn run(
        room: &mut RoomSession,
        call: &Call<'_>,
        id: &MemberId,
        params: VolumeParams,
    ) -> Result<Done, Reply> {
        let value = params.volume;
        let changed = room.change(id, |member| replaced(&mut member.input_volume, value))?;
        if changed {
            room.instruct(MediaInstruction::SetInputVolume { member: id.clone(), volume: value });
            room.emit_member_updated(call.now, id, vec!["input_volume"]);
        }
        Ok(Done {})
    }
}

pub(super) struct SetOutputVolume;
impl MemberMethod for SetOutputVolume {
    const NAME: &'static str = "video.member.set_output_volume";
    const ACTION: Option<MemberAction> = Some(MemberAction::SetOutputVolume);
    type Params = VolumeParams;
    type Result = Done;
    fn run(
        room: &mut RoomSession,
        call: &Call<'_>,
        id: &MemberId,
        params: VolumeParams,
    ) -> Result<Done, Reply> {
        let value = params.volume;
        let changed = room.change(id, |member| replaced(&mut member.output_volume, value))?;
        if changed {
            room.instruct(MediaInstruction::SetOutputVolume { member: id.clone(), volume: value });
            room.emit_member_updated(call.now, id, vec!["output_volume"]);
        }
        Ok(Done {})
    }
}

pub(super) struct SetInputSensitivity;
impl MemberMethod for SetInputSensitivity {
    const NAME: &'static str = "video.member.set_input_sensitivity";
    const ACTION: Option<MemberAction> = Some(MemberAction::SetInputSensitivity);
    type Params = SensitivityParams;
    type Result = Done;
    fn run(
        room: &mut RoomSession,
        call: &Call<'_>,
        id: &MemberId,
        params: SensitivityParams,
    ) -> Result<Done, Reply> {
        let value = params.value;
        let changed = room.change(id, |member| replaced(&mut member.input_sensitivity, value))?;
        if changed {
            room.instruct(MediaInstruction::SetInputSensitivity { member: id.clone(), value });
            room.emit_member_updated(call.now, id, vec!["input_sensitivity"]);
        }
        Ok(Done {})
    }
}

pub(super) struct MemberRemove;
impl Method for MemberRemove {
    const NAME: &'static str = "video.member.remove";
    const NEEDS: Needs = Needs::Others(MemberAction::Remove);
    type Params = MemberParams;
    type Result = Done;
    fn run(room: &mut RoomSession, call: &Call<'_>, params: MemberParams) -> Result<Done, Reply> {
        if params.member_id == "all" {
            room.remove_all(call.now);
        } else {
            let id = room.known_participant(&params.member_id)?;
            room.take_out(call.now, &id, Some(Cause::NORMAL));
        }
        Ok(Done {})
    }
}

impl RoomSession {
    /// Changes a member; `change` says whether anything is different now.
    fn change(
        &mut self,
        id: &MemberId,
        change: impl FnOnce(&mut Participant) -> bool,
    ) -> Result<bool, Reply> {
        self.member_mut(id).map(change).ok_or_else(Reply::member_not_found)
    }

    /// Whether that is a change.
    fn set_audio_muted(&mut self, id: &MemberId, muted: bool) -> Result<bool, Reply> {
        let member = self.member_mut(id).ok_or_else(Reply::member_not_found)?;
        let changed = replaced(&mut member.audio_muted, muted);
        let silenced = member.is_silenced();
        if changed {
            self.instruct(MediaInstruction::SetAudioMuted { member: id.clone(), muted: silenced });
        }
        Ok(changed)
    }

    pub(super) fn emit_member_updated(&mut self, now: Now, id: &MemberId, updated: Vec<&'static str>) {
        self.emit_member(now, EventKind::MemberUpdated, id, Some(updated));
    }
}

/// Puts the value there; whether it is another one.
fn replaced<T: PartialEq>(place: &mut T, value: T) -> bool {
    let before = std::mem::replace(place, value);
    before != *place
}
