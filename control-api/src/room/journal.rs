//! What happened, in one order: every event gets the next number and is written once for all who receive it.

use std::sync::Arc;

use serde::Serialize;

use super::participant::Participant;
use super::{RoomOutput, RoomSession};
use crate::clock::Now;
use crate::event::{Event, EventKind, Recipients};
use crate::ids::{CallId, MemberId, SessionKey};
use crate::session::{RoomMessage, VertoMessage};
use crate::wire::member::Talking;
use crate::wire::room::{EventParams, MemberBody, RoomBody, RoomEvent, SubscribedBody};
use crate::wire::{self, verto};

/// Numbers the events of a room session.
#[derive(Debug, Default)]
pub(super) struct Journal {
    last: u64,
}

impl Journal {
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}

impl RoomSession {
    /// To everybody in the room and everybody who watches it.
    pub(super) fn all(&self) -> Recipients {
        let people = self.participants.iter().filter(|who| who.is_in() && who.is_person());
        let watchers = self.watchers.iter().copied();
        Recipients { sessions: people.map(|who| who.session).chain(watchers).collect(), project: false }
    }

    pub(super) fn only(session: SessionKey) -> Recipients {
        Recipients { sessions: vec![session], project: false }
    }

    /// Puts an event into the order.
    pub(super) fn emit<B: Serialize>(
        &mut self,
        now: Now,
        to: Recipients,
        kind: EventKind,
        about: Option<&MemberId>,
        body: B,
    ) {
        let channel = self.channel();
        let params = wire::text(&EventParams {
            event_type: kind.name(),
            event_channel: &channel,
            timestamp: now.unix_s,
            project_id: &self.config.project,
            node_id: &self.config.node_id,
            params: RoomEvent {
                room_id: &self.config.room_id,
                room_session_id: &self.config.room_session_id,
                body,
            },
        });
        let event = Event {
            number: self.journal.next(),
            kind,
            channel: channel.into(),
            member: about.cloned(),
            params: params.into(),
        };
        self.outputs.push_back(RoomOutput::Event { to, event: Arc::new(event) });
    }

    /// `video.room.started`, `updated` or `ended`.
    pub(super) fn emit_room(
        &mut self,
        now: Now,
        to: Recipients,
        kind: EventKind,
        updated: Option<Vec<&'static str>>,
    ) {
        let room = self.wire(updated);
        self.emit(now, to, kind, None, RoomBody { room_session: &room, room: &room });
    }

    /// `video.member.joined`, `left` or `updated`.
    pub(super) fn emit_member(
        &mut self,
        now: Now,
        kind: EventKind,
        id: &MemberId,
        updated: Option<Vec<&'static str>>,
    ) {
        let to = self.all();
        self.emit_member_to(now, to, kind, id, updated);
    }

    pub(super) fn emit_member_to(
        &mut self,
        now: Now,
        to: Recipients,
        kind: EventKind,
        id: &MemberId,
        updated: Option<Vec<&'static str>>,
    ) {
        let Some(member) = self.member(id) else { return };
        let body = MemberBody { member: self.wire_member(member, updated) };
        self.emit(now, to, kind, Some(id), body);
    }

    pub(super) fn emit_talking(&mut self, now: Now, id: &MemberId, talking: bool) {
        let body = MemberBody {
            member: Talking {
                id: id.clone(),
                room_session_id: self.config.room_session_id.clone(),
                room_id: self.config.room_id.clone(),
                talking,
            },
        };
        let to = self.all();
        self.emit(now, to, EventKind::MemberTalking, Some(id), body);
    }

    /// The whole state, to one connection; with its leg and member when it just came in.
    pub(super) fn send_subscribed(&mut self, now: Now, to: SessionKey, joiner: Option<(&CallId, &MemberId)>) {
        let room = self.wire(None);
        let body = SubscribedBody {
            room_session: &room,
            room: &room,
            call_id: joiner.map_or("", |(call, _)| call.as_str()),
            member_id: joiner.map_or("", |(_, member)| member.as_str()),
        };
        self.emit(now, Self::only(to), EventKind::RoomSubscribed, joiner.map(|(_, member)| member), body);
    }

    pub(super) fn send_answer(&mut self, to: SessionKey, call: &CallId, sdp: &str) {
        let params = wire::value(&verto::Answer { call_id: call, sdp });
        self.send(to, RoomMessage::Verto(VertoMessage { method: "verto.answer", params }));
    }

    pub(super) fn send_bye(&mut self, to: SessionKey, call: &CallId, cause: verto::Cause) {
        let params = wire::value(&verto::Bye { call_id: call, cause });
        self.send(to, RoomMessage::Verto(VertoMessage { method: "verto.bye", params }));
    }

    pub(super) fn channel(&self) -> String {
        format!("EC_{}", self.config.room_session_id)
    }

    pub(super) fn wire_member(
        &self,
        member: &Participant,
        updated: Option<Vec<&'static str>>,
    ) -> wire::member::Member {
        member.wire(&self.config.room_id, &self.config.room_session_id, updated)
    }

    /// Members that everybody knows of, in order of arrival.
    pub(super) fn wire_members(&self) -> Vec<wire::member::Member> {
        self.participants
            .iter()
            .filter(|member| member.is_listed())
            .map(|member| self.wire_member(member, None))
            .collect()
    }

    pub(super) fn wire(&self, updated: Option<Vec<&'static str>>) -> wire::room::RoomSession {
        wire::room::RoomSession {
            id: self.config.room_session_id.clone(),
            room_session_id: self.config.room_session_id.clone(),
            room_id: self.config.room_id.clone(),
            event_channel: self.channel(),
            name: self.config.name.to_string(),
            display_name: self.config.display_name.to_string(),
            layout_name: self.layout.name().to_owned(),
            recording: self.recordings.is_on(),
            streaming: false,
            locked: self.locked,
            hide_video_muted: self.hide_video_muted,
            prioritize_handraise: self.prioritize_handraise,
            preview_url: self.config.preview_url.clone(),
            meta: self.meta.clone(),
            audience_count: self.audience_count(),
            members: self.wire_members(),
            recordings: self.recordings.running(),
            playbacks: Vec::new(),
            streams: Vec::new(),
            updated,
        }
    }
}
