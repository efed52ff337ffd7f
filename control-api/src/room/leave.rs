//! Going, being put out, and the end of the room.

use super::media::MediaInstruction;
use super::{Phase, RoomOutput, RoomSession};
use crate::clock::Now;
use crate::event::{EventKind, Recipients};
use crate::ids::MemberId;
use crate::wire::room::MemberBody;
use crate::wire::verto;

impl RoomSession {
    /// A member leaves; `bye` when its page does not know yet. The last one's leaving ends the room, and so does that of
    /// one whose token says so.
    pub(super) fn take_out(&mut self, now: Now, id: &MemberId, bye: Option<verto::Cause>) {
        let ends_room = self.member(id).is_some_and(|member| member.ends_room && member.is_in());
        self.drop_member(now, id, bye);
        if ends_room {
            self.remove_all(now);
        } else if self.members.is_empty() {
            self.end(now);
        }
    }

    /// Everybody is put out, and the room ends.
    pub(super) fn remove_all(&mut self, now: Now) {
        while let Some(id) = self.members.first().map(|member| member.id.clone()) {
            self.drop_member(now, &id, Some(verto::Cause::NORMAL));
        }
        self.end(now);
    }

    /// A member is no longer there, without consequences for the room.
    pub(super) fn drop_member(&mut self, now: Now, id: &MemberId, bye: Option<verto::Cause>) {
        let Some(index) = self.members.iter().position(|member| member.id == *id) else { return };
        let member = self.members.remove(index);
        if let Some(cause) = bye {
            self.send_bye(member.session, &member.call, cause);
        }
        self.instruct(MediaInstruction::RemoveMember { member: id.clone() });
        if member.is_in() {
            let body = MemberBody { member: self.wire_member(&member, None) };
            let to = self.all();
            self.emit(now, to, EventKind::MemberLeft, Some(id), body);
        }
        self.refuse_updates(member.session, member.leg);
    }

    fn end(&mut self, now: Now) {
        match self.phase {
            Phase::Over => return,
            Phase::Waiting { .. } => {}
            Phase::Running => {
                let to = Recipients { project: true, ..self.all() };
                self.emit_room(now, to, EventKind::RoomEnded, None);
            }
        }
        self.phase = Phase::Over;
        self.instruct(MediaInstruction::CloseRoom);
        self.outputs.push_back(RoomOutput::Ended);
    }
}
