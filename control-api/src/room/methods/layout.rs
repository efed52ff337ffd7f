//! The canvas: which layout, and who asks to sit where.

use std::collections::BTreeMap;

use layouts::{LayoutId, Position};

use super::{Call, MemberMethod, Method, Needs};
use crate::clock::Now;
use crate::event::EventKind;
use crate::ids::{MemberId, SessionKey};
use crate::permission::{MemberAction, RoomAction};
use crate::room::RoomSession;
use crate::room::media::MediaInstruction;
use crate::session::Reply;
use crate::wire::method::{
    Done, LayoutsResult, MemberSetPositionParams, NoParams, SetLayoutParams, SetPositionParams,
};

pub(super) struct ListAvailableLayouts;
impl Method for ListAvailableLayouts {
    const NAME: &'static str = "video.list_available_layouts";
    const NEEDS: Needs = Needs::Room(&[RoomAction::ListAvailableLayouts]);
    type Params = NoParams;
    type Result = LayoutsResult;
    fn run(room: &mut RoomSession, _: &Call<'_>, _: NoParams) -> Result<LayoutsResult, Reply> {
        let offered = LayoutId::available().chain(room.config.settings.layouts.iter().cloned());
        Ok(LayoutsResult { layouts: offered.map(|layout| layout.name().to_owned()).collect() })
    }
}

pub(super) struct SetLayout;
impl Method for SetLayout {
    const NAME: &'static str = "video.set_layout";
    const NEEDS: Needs = Needs::Room(&[RoomAction::SetLayout]);
    type Params = SetLayoutParams;
    type Result = Done;
    fn run(room: &mut RoomSession, call: &Call<'_>, params: SetLayoutParams) -> Result<Done, Reply> {
        let wanted = params.positions.unwrap_or_default();
        if !wanted.is_empty() && !room.allows_room(call.from, RoomAction::SetPosition) {
            return Err(Reply::unauthorized());
        }
        let layout = room.read_layout(&params.name)?;
        let wanted = room.read_positions(call.from.session, &wanted)?;
        room.arrange(call.now, Some(layout), &wanted);
        Ok(Done {})
    }
}

pub(super) struct SetPosition;
impl Method for SetPosition {
    const NAME: &'static str = "video.set_position";
    const NEEDS: Needs = Needs::Room(&[RoomAction::SetPosition]);
    type Params = SetPositionParams;
    type Result = Done;
    fn run(room: &mut RoomSession, call: &Call<'_>, params: SetPositionParams) -> Result<Done, Reply> {
        let wanted = room.read_positions(call.from.session, &params.positions)?;
        room.arrange(call.now, None, &wanted);
        Ok(Done {})
    }
}

pub(super) struct MemberSetPosition;
impl MemberMethod for MemberSetPosition {
    const NAME: &'static str = "video.member.set_position";
    const ACTION: Option<MemberAction> = Some(MemberAction::SetPosition);
    type Params = MemberSetPositionParams;
    type Result = Done;
    fn run(
        room: &mut RoomSession,
        call: &Call<'_>,
        id: &MemberId,
        params: MemberSetPositionParams,
    ) -> Result<Done, Reply> {
        let position = read_position(&params.position)?;
        room.arrange(call.now, None, &[(id.clone(), position)]);
        Ok(Done {})
    }
}

impl RoomSession {
    /// Another layout, other positions, or both, in one step; those who are in hear of it.
    pub(in crate::room) fn arrange(
        &mut self,
        now: Now,
        layout: Option<LayoutId>,
        wanted: &[(MemberId, Position)],
    ) {
        let Requested { positions, changed } = self.request_positions(wanted);
        match layout {
            Some(ref layout) => {
                self.instruct(MediaInstruction::SetLayout { layout: layout.clone(), positions });
            }
            None if positions.is_empty() => {}
            None => self.instruct(MediaInstruction::SetPositions { positions }),
        }
        if let Some(layout) = layout.filter(|layout| *layout != self.layout) {
            self.layout = layout;
            self.emit_room_updated(now, "layout_name");
        }
        self.emit_requested(now, &changed);
    }

    /// One of this build, of the room or of its project.
    pub(in crate::room) fn read_layout(&self, name: &str) -> Result<LayoutId, Reply> {
        LayoutId::find(name, &self.config.settings.layouts).ok_or_else(|| Reply::invalid("unknown layout"))
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
            for member in &mut self.participants {
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
}

/// Outcome of a request for positions.
struct Requested {
    positions: Vec<(MemberId, Position)>,
    changed: Vec<MemberId>,
}

pub(in crate::room) fn read_position(text: &str) -> Result<Position, Reply> {
    text.parse::<Position>().map_err(|e| Reply::invalid(e.to_string()))
}
