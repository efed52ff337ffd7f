//! Going, being put out, and the end of the room.

use super::media::{MediaInstruction, Tone};
use super::participant::Role;
use super::{Phase, RoomOutput, RoomSession};
use crate::clock::Now;
use crate::event::{EventKind, Recipients};
use crate::ids::{CallId, MemberId};
use crate::wire::recording::RecordingEnd;
use crate::wire::room::MemberBody;
use crate::wire::verto;

impl RoomSession {
    /// One of somebody's calls is over; `bye` when its page does not know yet. With the last one, its participant leaves.
    pub(super) fn end_call(&mut self, now: Now, id: &MemberId, call: &CallId, bye: Option<verto::Cause>) {
        let Some(participant) = self.participant_mut(id) else { return };
        let session = participant.session;
        let Some(ended) = participant.calls.remove(call) else { return self.take_out(now, id, bye) };
        // The page has forgotten a call that another one has replaced.
        if let Some(cause) = bye.filter(|_| ended.replaced.is_none()) {
            self.send_bye(session, call, cause);
        }
        self.close_leg(session, ended.leg);
    }

    /// Somebody leaves; `bye` when its page does not know yet. The last person's leaving ends the room, and so does that
    /// of a member whose token says so.
    pub(super) fn take_out(&mut self, now: Now, id: &MemberId, bye: Option<verto::Cause>) {
        let ends_room = self.member(id).is_some_and(|member| member.ends_room);
        self.drop_participant(now, id, bye);
        if ends_room {
            self.remove_all(now);
        } else if self.participants.is_empty() {
            self.end(now);
        }
    }

    /// Everybody is put out, and the room ends.
    pub(super) fn remove_all(&mut self, now: Now) {
        while let Some(id) = self.participants.first().map(|participant| participant.id.clone()) {
            self.drop_participant(now, &id, Some(verto::Cause::NORMAL));
        }
        self.end(now);
    }

    /// Somebody is no longer there, and its screens and devices before it, without consequences for the room.
    pub(super) fn drop_participant(&mut self, now: Now, id: &MemberId, bye: Option<verto::Cause>) {
        for child in self.children_of(id) {
            self.drop_participant(now, &child, Some(verto::Cause::NORMAL));
        }
        let Some(index) = self.participants.iter().position(|participant| participant.id == *id) else {
            return;
        };
        let participant = self.participants.remove(index);
        for call in participant.calls.iter().filter(|call| call.replaced.is_none()) {
            if let Some(cause) = bye {
                self.send_bye(participant.session, &call.id, cause);
            }
        }
        self.instruct(MediaInstruction::RemoveMember { member: id.clone() });
        if participant.is_listed() {
            let body = MemberBody { member: self.wire_member(&participant, None) };
            let to = self.all();
            self.emit(now, to, EventKind::MemberLeft, Some(id), body);
            self.want_layout_without(now);
            if participant.is_person() {
                self.play(Tone::Exit);
            }
        } else if participant.is_in() && participant.role == Role::Audience {
            self.audience_changed(now);
        }
        for leg in participant.calls.into_legs() {
            self.refuse_updates(participant.session, leg);
        }
    }

    /// If the room is set to tell by ear who comes and goes. The media plane keeps crowds bearable.
    pub(super) fn play(&mut self, tone: Tone) {
        if self.config.settings.tone_on_entry_and_exit {
            self.instruct(MediaInstruction::PlayTone { tone });
        }
    }

    fn end(&mut self, now: Now) {
        match self.phase {
            Phase::Over => return,
            Phase::Waiting { .. } => {}
            Phase::Running => {
                self.end_recording(now, RecordingEnd::Stopped);
                let to = Recipients { project: true, ..self.all() };
                self.emit_room(now, to, EventKind::RoomEnded, None);
            }
        }
        self.phase = Phase::Over;
        self.instruct(MediaInstruction::CloseRoom);
        self.outputs.push_back(RoomOutput::Ended);
    }
}
