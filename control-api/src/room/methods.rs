//! Room methods. A method is a type, the table is the list of those that exist: one more is a type and a row.
//!
//! Each is checked in this order: may the sender ask anything here, may it call the method at all (403), are the
//! params right (422), may it do that to this member (403), is the member there (404).

use std::collections::BTreeMap;

use layouts::{LayoutId, Position};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::RoomSession;
use super::media::MediaInstruction;
use crate::clock::Now;
use crate::event::EventKind;
use crate::grant::Authority;
use crate::ids::{MemberId, SessionKey};
use crate::permission::{MemberAction, RoomAction};
use crate::session::{Reply, Sender};
use crate::wire;
use crate::wire::room::{
    Done, LayoutsResult, MemberParams, MemberSetPositionParams, MembersResult, NoParams, RoomResult,
    SetLayoutParams, SetPositionParams,
};
use crate::wire::verto::Cause;

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

    /// Reads a map of positions; `self` is the caller. Nothing changes unless all of it is right.
    fn read_positions(
        &self,
        caller: SessionKey,
        positions: &BTreeMap<String, String>,
    ) -> Result<Vec<(MemberId, Position)>, Reply> {
        let read = |(id, position): (&String, &String)| {
            let position = read_position(position)?;
            let member = match (id.as_str(), self.member_of(caller)) {
                ("self", Some(member)) => member.id.clone(),
                (id, _) => self.known_member(id)?,
            };
            Ok((member, position))
        };
        positions.iter().map(read).collect()
    }

    /// Notes where members ask to sit; a slot has one asker, the later takes it from the earlier. Gives what the media
    /// plane must apply in one step.
    fn request_positions(&mut self, wanted: &[(MemberId, Position)]) -> Requested {
        let mut changed: Vec<MemberId> = Vec::new();
        for (id, position) in wanted {
            let shared = matches!(position, Position::Auto | Position::OffCanvas);
            for member in &mut self.members {
                let before = member.requested;
                if member.id == *id {
                    member.requested = *position;
                } else if !shared && member.requested == *position {
                    member.requested = Position::Auto;
                }
                if member.requested != before && !changed.contains(&member.id) {
                    changed.push(member.id.clone());
                }
            }
        }
        // Those who lose a slot come first, so that no slot is ever asked for twice. Who asked is told even when it
        // asked for the same again: its request is the latest one now.
        let losers = changed.iter().filter(|id| !wanted.iter().any(|(asker, _)| asker == *id));
        let told = losers.chain(wanted.iter().map(|(id, _)| id));
        let positions = told.filter_map(|id| Some((id.clone(), self.member(id)?.asks_to_sit()))).collect();
        Requested { positions, changed }
    }

    fn emit_requested(&mut self, now: Now, changed: &[MemberId]) {
        for id in changed {
            self.emit_member(now, EventKind::MemberUpdated, id, Some(vec!["requested_position"]));
        }
    }

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

/// Outcome of a request for positions.
struct Requested {
    positions: Vec<(MemberId, Position)>,
    changed: Vec<MemberId>,
}

fn read_position(text: &str) -> Result<Position, Reply> {
    text.parse::<Position>().map_err(|e| Reply::invalid(e.to_string()))
}

struct RoomGet;
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

struct MembersGet;
impl Method for MembersGet {
    const NAME: &'static str = "video.members.get";
    const NEEDS: Needs = Needs::Presence;
    type Params = NoParams;
    type Result = MembersResult;
    fn run(room: &mut RoomSession, _: &Call<'_>, _: NoParams) -> Result<MembersResult, Reply> {
        Ok(MembersResult { members: room.wire_members() })
    }
}

struct ListAvailableLayouts;
impl Method for ListAvailableLayouts {
    const NAME: &'static str = "video.list_available_layouts";
    const NEEDS: Needs = Needs::Room(RoomAction::ListAvailableLayouts);
    type Params = NoParams;
    type Result = LayoutsResult;
    fn run(_: &mut RoomSession, _: &Call<'_>, _: NoParams) -> Result<LayoutsResult, Reply> {
        Ok(LayoutsResult { layouts: LayoutId::available().map(LayoutId::name).collect() })
    }
}

struct SetLayout;
impl Method for SetLayout {
    const NAME: &'static str = "video.set_layout";
    const NEEDS: Needs = Needs::Room(RoomAction::SetLayout);
    type Params = SetLayoutParams;
    type Result = Done;
    fn run(room: &mut RoomSession, call: &Call<'_>, params: SetLayoutParams) -> Result<Done, Reply> {
        let wanted = params.positions.unwrap_or_default();
        if !wanted.is_empty() && !call.from.authority.allows_room(RoomAction::SetPosition) {
            return Err(Reply::unauthorized());
        }
        let layout = LayoutId::by_name(&params.name).ok_or_else(|| Reply::invalid("unknown layout"))?;
        let wanted = room.read_positions(call.from.session, &wanted)?;
        let Requested { positions, changed } = room.request_positions(&wanted);
        room.instruct(MediaInstruction::SetLayout { layout, positions });
        if room.layout != layout {
            room.layout = layout;
            let to = room.all();
            room.emit_room(call.now, to, EventKind::RoomUpdated, Some(vec!["layout_name"]));
        }
        room.emit_requested(call.now, &changed);
        Ok(Done {})
    }
}

struct SetPosition;
impl Method for SetPosition {
    const NAME: &'static str = "video.set_position";
    const NEEDS: Needs = Needs::Room(RoomAction::SetPosition);
    type Params = SetPositionParams;
    type Result = Done;
    fn run(room: &mut RoomSession, call: &Call<'_>, params: SetPositionParams) -> Result<Done, Reply> {
        let wanted = room.read_positions(call.from.session, &params.positions)?;
        apply_positions(room, call, &wanted);
        Ok(Done {})
    }
}

struct MemberSetPosition;
impl Method for MemberSetPosition {
    const NAME: &'static str = "video.member.set_position";
    const NEEDS: Needs = Needs::Member(MemberAction::SetPosition);
    type Params = MemberSetPositionParams;
    type Result = Done;
    fn run(room: &mut RoomSession, call: &Call<'_>, params: MemberSetPositionParams) -> Result<Done, Reply> {
        let member = room.target(call.from, MemberAction::SetPosition, &params.member_id)?;
        let position = read_position(&params.position)?;
        apply_positions(room, call, &[(member, position)]);
        Ok(Done {})
    }
}

fn apply_positions(room: &mut RoomSession, call: &Call<'_>, wanted: &[(MemberId, Position)]) {
    let Requested { positions, changed } = room.request_positions(wanted);
    if !positions.is_empty() {
        room.instruct(MediaInstruction::SetPositions { positions });
    }
    room.emit_requested(call.now, &changed);
}

struct AudioMute;
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

struct AudioUnmute;
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

struct VideoMute;
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

struct VideoUnmute;
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

struct MemberRemove;
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
