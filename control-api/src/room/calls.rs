//! What a page does with its leg while it is in: renegotiate, hold, DTMF.

use super::RoomSession;
use super::media::MediaInstruction;
use super::member::{Leg, Member, Purpose};
use crate::clock::Now;
use crate::event::EventKind;
use crate::ids::{CallId, MemberId, RequestKey, SessionKey};
use crate::session::{Reply, Sender};
use crate::wire::{self, verto};

impl RoomSession {
    /// The reply waits for the media plane's answer, or for the leg's end.
    pub(super) fn on_update_media(
        &mut self,
        from: &Sender,
        request: RequestKey,
        call: &CallId,
        offer: String,
    ) -> Option<Reply> {
        let Some((id, leg)) =
            self.by_call(from.session, call).and_then(|m| Some((m.id.clone(), m.leg.id()?)))
        else {
            return Some(Reply::no_such_call());
        };
        if !self.ask(&id, Purpose::Update(request)) {
            return Some(Reply::too_many_offers());
        }
        self.instruct(MediaInstruction::ReofferLeg { leg, offer });
        None
    }

    pub(super) fn updated_media(&self, call_id: CallId, sdp: &str) -> Reply {
        Reply::Done(wire::value(&verto::Modified {
            action: "updateMedia",
            call_id,
            hold_state: "active",
            node_id: Some(self.config.node_id.to_string()),
            sdp: Some(sdp.to_owned()),
        }))
    }

    /// A leg is gone: nobody will answer what it was asked.
    pub(super) fn refuse_updates(&mut self, session: SessionKey, mut leg: Leg) {
        for purpose in leg.asked_mut().map(std::mem::take).unwrap_or_default() {
            if let Purpose::Update(request) = purpose {
                self.reply(session, request, Reply::call_error("the call has ended"));
            }
        }
    }

    /// A member on hold leaves the canvas and the mix, and comes back as it was.
    pub(super) fn on_hold(&mut self, now: Now, from: &Sender, call: &CallId, held: bool) -> Reply {
        let Some(id) = self.by_call(from.session, call).map(|member| member.id.clone()) else {
            return Reply::no_such_call();
        };
        let Some(member) = self.member_mut(&id) else { return Reply::no_such_call() };
        if member.on_hold != held {
            member.on_hold = held;
            let muted = member.is_silenced();
            let positions = vec![(id.clone(), member.asks_to_sit())];
            self.instruct(MediaInstruction::SetAudioMuted { member: id.clone(), muted });
            self.instruct(MediaInstruction::SetPositions { positions });
            self.emit_member(now, EventKind::MemberUpdated, &id, Some(vec!["on_hold"]));
        }
        let (action, hold_state) = if held { ("hold", "held") } else { ("unhold", "active") };
        let reply = verto::Modified { action, call_id: call.clone(), hold_state, node_id: None, sdp: None };
        Reply::Done(wire::value(&reply))
    }

    pub(super) fn on_info(&mut self, from: &Sender, call: &CallId) -> Reply {
        match self.by_call(from.session, call) {
            Some(_) => Reply::Done(wire::value(&verto::InfoSent { message: "SENT", call_id: call.clone() })),
            None => Reply::no_such_call(),
        }
    }

    /// A late or repeated goodbye is as good as the first.
    pub(super) fn on_bye(&mut self, now: Now, from: &Sender, call: CallId) -> Reply {
        if let Some(id) = self.any_by_call(from.session, &call).map(|member| member.id.clone()) {
            self.take_out(now, &id, None);
        }
        Reply::Done(verto::CallEnded::normal(call).into_value())
    }

    fn by_call(&self, session: SessionKey, call: &CallId) -> Option<&Member> {
        self.any_by_call(session, call).filter(|member| member.is_in())
    }

    fn any_by_call(&self, session: SessionKey, call: &CallId) -> Option<&Member> {
        self.members.iter().find(|member| member.session == session && member.call == *call)
    }

    pub(super) fn on_talking(&mut self, now: Now, id: &MemberId, talking: bool) {
        let Some(member) = self.member_mut(id) else { return };
        if member.talking != talking {
            member.talking = talking;
            if member.is_in() {
                self.emit_talking(now, id, talking);
            }
        }
    }
}
