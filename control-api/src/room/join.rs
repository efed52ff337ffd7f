//! Coming in, and coming again.
//!
//! An invite whose `callID` is known is either the same page after losing its socket or path (same peer connection: the
//! leg gets a new offer, nobody else notices) or the page loaded anew (new peer connection: new leg, and the page is
//! told the whole state again; nobody else notices either).

use std::time::Duration;

use super::media::MediaInstruction;
use super::member::{Arrival, Asked, Leg, MAX_ASKED, Member, Purpose};
use super::offer::PeerIdentity;
use super::{Phase, RoomSession};
use crate::clock::Now;
use crate::event::{EventKind, Recipients};
use crate::grant::{Authority, JoinAs, RoomGrant};
use crate::ids::{CallId, LegId, MemberId};
use crate::permission::MemberAction;
use crate::session::{Invite, LegRole, Reply, Sender};
use crate::wire::{self, verto};

/// The media plane answers within this, or the leg is given up. SDKs wait 20 s.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// ICE and DTLS are done within this after the answer, or the leg is given up. SDKs retry by relay after 3 s.
const CONNECT_WITHIN: Duration = Duration::from_secs(30);

impl RoomSession {
    pub(super) fn on_invite(&mut self, now: Now, from: &Sender, invite: Invite) -> Reply {
        let Authority::Room(grant) = &*from.authority else { return Reply::unauthorized() };
        if grant.project != self.config.project || grant.room_name != self.config.name {
            return Reply::unauthorized();
        }
        match invite.role {
            LegRole::Member => {}
            LegRole::Screen => return self.refuse_child(from, MemberAction::ScreenShare),
            LegRole::Device => return self.refuse_child(from, MemberAction::AdditionalSource),
        }
        let known = self.members.iter().find(|m| m.session == from.session && m.call == invite.call);
        match known.map(|member| member.id.clone()) {
            Some(member) => self.on_known_call(now, &member, invite),
            None => self.on_newcomer(now, grant, from, invite),
        }
    }

    fn refuse_child(&self, from: &Sender, action: MemberAction) -> Reply {
        if self.member_of(from.session).is_none() || !from.authority.allows(action, true) {
            return Reply::unauthorized();
        }
        Reply::invalid("screens and extra devices are not supported")
    }

    fn on_newcomer(&mut self, now: Now, grant: &RoomGrant, from: &Sender, invite: Invite) -> Reply {
        let settings = &self.config.settings;
        if !grant.may_join_at(now.unix_s) || !settings.admit_at(now.unix_s) {
            return Reply::unauthorized();
        }
        if grant.join_as == JoinAs::Audience {
            return Reply::invalid("joining as audience is not supported");
        }
        // A page that lost its socket while it waited for the answer asks again under another callID: one session is
        // one member, so the newcomer takes the place of the former.
        let former = self.members.iter().find(|m| m.session == from.session).map(|m| m.id.clone());
        if former.is_none() && (self.locked || self.members.len() >= settings.max_members) {
            return Reply::unauthorized();
        }
        let id = MemberId::new(self.config.ids.uuid().to_string());
        let leg = self.new_leg();
        let opening =
            Leg::Opening { id: leg, until: now.at + ANSWER_WITHIN, asked: Asked::from([Purpose::Join]) };
        let peer = PeerIdentity::of_offer(&invite.sdp);
        let mut member = Member::new(id.clone(), grant, from.session, invite.call.clone(), peer, opening);
        member.remove_at = self.config.settings.stay(now, grant);
        member.video_muted |= self.config.settings.join_video_off;
        self.instruct(MediaInstruction::AddMember { member: id.clone(), setup: member.setup() });
        self.instruct(MediaInstruction::OpenLeg { member: id.clone(), leg, offer: invite.sdp });
        self.members.push(member);
        if let Some(former) = former {
            self.drop_member(now, &former, Some(verto::Cause::NORMAL));
        }
        created(invite.call, id)
    }

    fn on_known_call(&mut self, now: Now, id: &MemberId, invite: Invite) -> Reply {
        let peer = PeerIdentity::of_offer(&invite.sdp);
        let Some(member) = self.member(id) else { return Reply::no_such_call() };
        let is_same_page = peer.is_some() && peer == member.peer;
        let living = if is_same_page { member.leg.id() } else { None };
        match living {
            Some(leg) => self.resume(id, leg, invite),
            None => self.reopen(
                now,
                id,
                if is_same_page { Purpose::Resume } else { Purpose::Reload },
                peer,
                invite,
            ),
        }
    }

    fn resume(&mut self, id: &MemberId, leg: LegId, invite: Invite) -> Reply {
        if !self.ask(id, Purpose::Resume) {
            return Reply::too_many_offers();
        }
        self.instruct(MediaInstruction::ReofferLeg { leg, offer: invite.sdp });
        created(invite.call, id.clone())
    }

    /// Notes that an offer goes to the media plane; false when too many are on their way.
    pub(super) fn ask(&mut self, id: &MemberId, purpose: Purpose) -> bool {
        let asked = self.member_mut(id).and_then(|member| member.leg.asked_mut());
        let Some(asked) = asked.filter(|asked| asked.len() < MAX_ASKED) else { return false };
        asked.push_back(purpose);
        true
    }

    fn reopen(
        &mut self,
        now: Now,
        id: &MemberId,
        purpose: Purpose,
        peer: Option<PeerIdentity>,
        invite: Invite,
    ) -> Reply {
        let leg = self.new_leg();
        let Some(member) = self.member_mut(id) else { return Reply::no_such_call() };
        // Loaded anew before the first answer: for everybody else it is still the first time.
        let purpose = if member.is_in() { purpose } else { Purpose::Join };
        let opening = Leg::Opening { id: leg, until: now.at + ANSWER_WITHIN, asked: Asked::from([purpose]) };
        let former = std::mem::replace(&mut member.leg, opening);
        let session = member.session;
        member.peer = peer;
        if let Some(former) = former.id() {
            self.instruct(MediaInstruction::CloseLeg { leg: former });
        }
        self.refuse_updates(session, former);
        self.instruct(MediaInstruction::OpenLeg { member: id.clone(), leg, offer: invite.sdp });
        created(invite.call, id.clone())
    }

    pub(super) fn on_leg_answered(&mut self, now: Now, leg: LegId, sdp: &str) {
        let Some(member) = self.member_by_leg(leg) else { return };
        let Some(purpose) = member.leg.asked_mut().and_then(Asked::pop_front) else { return };
        let (id, session, call) = (member.id.clone(), member.session, member.call.clone());
        if let Leg::Opening { asked, .. } = &mut member.leg {
            let asked = std::mem::take(asked);
            member.leg = Leg::Connecting { id: leg, until: now.at + CONNECT_WITHIN, asked };
        }
        match purpose {
            Purpose::Join => {
                self.send_answer(session, &call, sdp);
                self.announce(now, &id, &call);
            }
            Purpose::Reload => {
                self.send_answer(session, &call, sdp);
                self.send_subscribed(now, session, Some((&call, &id)));
                self.send_layout(now, Self::only(session));
            }
            Purpose::Resume => self.send_answer(session, &call, sdp),
            Purpose::Update(request) => {
                let reply = self.updated_media(call, sdp);
                self.reply(session, request, reply);
            }
        }
    }

    /// Tells everybody, in the order SDKs need: the joiner has its answer, then it gets the state, then all hear of it.
    fn announce(&mut self, now: Now, id: &MemberId, call: &CallId) {
        let Some(member) = self.member_mut(id) else { return };
        member.arrival = Arrival::In;
        let session = member.session;
        if self.phase != Phase::Running {
            self.phase = Phase::Running;
            let to = Recipients { sessions: Vec::new(), project: true };
            self.emit_room(now, to, EventKind::RoomStarted, None);
        }
        self.send_subscribed(now, session, Some((call, id)));
        self.emit_member(now, EventKind::MemberJoined, id, None);
        self.want_layout_for(now, id);
    }
}

fn created(call_id: CallId, member_id: MemberId) -> Reply {
    Reply::Done(wire::value(&verto::CallCreated { message: "CALL CREATED", call_id, member_id }))
}
