//! What a page does with its leg while it is in: renegotiate, hold, DTMF.

use super::RoomSession;
use super::leg::{Leg, Purpose};
use super::media::{LegMedia, MediaInstruction};
use crate::clock::Now;
use crate::event::EventKind;
use crate::ids::{CallId, MemberId, RequestKey, SessionKey};
use crate::receive::LegReceive;
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
        receive: Option<&LegReceive>,
    ) -> Option<Reply> {
        let known = self.by_call(from.session, call).filter(|who| who.is_in());
        let known = known.and_then(|who| who.calls.find(call));
        let Some((known, leg, via)) = known.and_then(|call| Some((call, call.leg.id()?, call.via))) else {
            return Some(Reply::no_such_call());
        };
        if known.contradicts(receive) {
            return Some(Reply::receives_as_before());
        }
        if !self.ask(leg, Purpose::Update(request)) {
            return Some(Reply::too_many_offers());
        }
        let allowed = LegMedia::of(&from.authority).by(via);
        self.instruct(MediaInstruction::ReofferLeg { leg, offer, allowed });
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
        let known = self.by_call(from.session, call).filter(|who| who.is_in());
        let Some(id) = known.map(|who| who.id.clone()) else { return Reply::no_such_call() };
        self.set_hold(now, &id, held);
        let (action, hold_state) = if held { ("hold", "held") } else { ("unhold", "active") };
        let reply = verto::Modified { action, call_id: call.clone(), hold_state, node_id: None, sdp: None };
        Reply::Done(wire::value(&reply))
    }

    pub(super) fn set_hold(&mut self, now: Now, id: &MemberId, held: bool) {
        let Some(participant) = self.participant_mut(id) else { return };
        if participant.on_hold != held {
            participant.on_hold = held;
            let muted = participant.is_silenced();
            let positions = vec![(id.clone(), participant.asks_to_sit())];
            self.instruct(MediaInstruction::SetAudioMuted { member: id.clone(), muted });
            self.instruct(MediaInstruction::SetPositions { positions });
            self.emit_member(now, EventKind::MemberUpdated, id, Some(vec!["on_hold"]));
        }
    }

    pub(super) fn on_info(&mut self, from: &Sender, call: &CallId) -> Reply {
        match self.by_call(from.session, call).filter(|who| who.is_in()) {
            Some(_) => Reply::Done(wire::value(&verto::InfoSent { message: "SENT", call_id: call.clone() })),
            None => Reply::no_such_call(),
        }
    }

    /// The page hangs up. Goodbye to the call it speaks by is goodbye to the room; to any other, that one ends and nobody
    /// notices. A late or repeated goodbye is as good as the first.
    pub(super) fn on_bye(&mut self, now: Now, from: &Sender, call: CallId) -> Reply {
        if let Some(known) = self.by_call(from.session, &call) {
            let (id, leaves) = (known.id.clone(), known.calls.in_use().id == call);
            if leaves {
                self.take_out(now, &id, None);
            } else {
                self.end_call(now, &id, &call, None);
            }
        }
        Reply::Done(verto::CallEnded::normal(call).into_value())
    }

    pub(super) fn on_talking(&mut self, now: Now, id: &MemberId, talking: bool) {
        let Some(participant) = self.participant_mut(id) else { return };
        if participant.talking != talking {
            participant.talking = talking;
            if participant.is_listed() {
                self.emit_talking(now, id, talking);
            }
        }
    }
}
