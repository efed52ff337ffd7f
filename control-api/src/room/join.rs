//! Coming in, and coming again.
//!
//! An invite whose `callID` is known is either the same page after losing its socket or path (same peer connection: the
//! leg gets a new offer, nobody else notices) or the page loaded anew (new peer connection: new leg, and the page is
//! told the whole state again; nobody else notices either).

use std::sync::Arc;
use std::time::Duration;

use layouts::{Tags, is_image_name};
use serde_json::{Map, Value};

use super::leg::{Asked, Call, Leg, MAX_ASKED, Purpose};
use super::media::{LegMedia, MediaInstruction, Tone};
use super::offer::PeerIdentity;
use super::participant::{Arrival, Participant, Role, Turn};
use super::tiles::LegNews;
use super::{Phase, RoomSession};
use crate::clock::Now;
use crate::event::{EventKind, Recipients};
use crate::grant::{Authority, JoinAs, RoomGrant};
use crate::ids::{CallId, LegId, MemberId};
use crate::receive::LegReceive;
use crate::session::{Invite, LegRole, Reply, Sender};
use crate::wire::{self, verto};

/// The media plane answers within this, or the leg is given up. SDKs wait 20 s.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// ICE and DTLS are done within this after the answer, or the leg is given up. SDKs retry by relay after 3 s.
const CONNECT_WITHIN: Duration = Duration::from_secs(30);
/// A page ends its former call as soon as it is in by the new one; what it forgot is ended after this.
pub(super) const FORMER_FOR: Duration = Duration::from_secs(15);

impl RoomSession {
    pub(super) fn on_invite(&mut self, now: Now, from: &Sender, invite: Invite) -> Reply {
        let Authority::Room(grant) = &*from.authority else { return Reply::unauthorized() };
        if grant.project != self.config.project || grant.room_name != self.config.name {
            return Reply::unauthorized();
        }
        if let Some(LegReceive::Member(watched)) = &invite.receive
            && self.member(watched).is_none()
        {
            return Reply::member_not_found();
        }
        if let Some(known) = self.by_call(from.session, &invite.call).map(|known| known.id.clone()) {
            if !invite.may_resume {
                return Reply::call_error("authorization_state is of another session");
            }
            if self.fits(&known, grant) {
                return self.on_known_call(now, &known, from, invite);
            }
            return self.on_newcomer(now, grant, from, invite);
        }
        match invite.role {
            LegRole::Person => match self.person_of(from.session).filter(|person| person.turn.is_some()) {
                Some(person) => self.on_turn(now, &person.id.clone(), from, invite),
                None => self.on_newcomer(now, grant, from, invite),
            },
            LegRole::Child(ref extra) => self.on_child(now, from, &invite, extra),
        }
    }

    /// Whether that one may go on under these credentials. A page that comes with a token of another kind is somebody
    /// else: what it may do follows from its token, so what it is must too. Whoever was demoted may have asked before it
    /// heard of that, and stays what it is.
    fn fits(&self, id: &MemberId, grant: &RoomGrant) -> bool {
        let Some(known) = self.participant(id).filter(|known| known.is_person()) else { return true };
        let is_as_before =
            known.role == Role::of(grant.join_as) && known.media_allowed == grant.media_allowed;
        let turned = match &known.turn {
            Some(Turn::ToMember(entry)) => {
                grant.join_as == JoinAs::Member && entry.media_allowed == grant.media_allowed
            }
            Some(Turn::ToAudience) => true,
            None => false,
        };
        is_as_before || turned
    }

    fn on_newcomer(&mut self, now: Now, grant: &RoomGrant, from: &Sender, invite: Invite) -> Reply {
        if !grant.may_join_at(now.unix_s) || !self.config.settings.admit_at(now.unix_s) {
            return Reply::unauthorized();
        }
        // A page that lost its socket while it waited for the answer asks again under another callID: one session is
        // one person, so the newcomer takes the place of the former.
        let former = self.person_of(from.session).map(|person| (person.id.clone(), person.role.clone()));
        let has_place = former.as_ref().is_some_and(|(_, role)| *role == Role::of(grant.join_as));
        let former = former.map(|(id, _)| id);
        if !has_place && (self.locked || self.is_full(grant.join_as, former.as_ref())) {
            return Reply::unauthorized();
        }
        let id = self.new_member_id();
        let (call, leg) = self.new_call(now, &invite, Purpose::Join);
        let mut person = Participant::new(id.clone(), grant, from.session, call);
        person.remove_at = self.config.settings.stay(now, grant);
        person.video_muted |= self.config.settings.join_video_off;
        self.enter(person, leg, invite.sdp, LegMedia::of(&from.authority).by(invite.via));
        if let Some(former) = former {
            // No goodbye to the call that the newcomer has just begun.
            let is_same_call =
                self.participant(&former).is_some_and(|former| former.calls.find(&invite.call).is_some());
            self.drop_participant(now, &former, (!is_same_call).then_some(verto::Cause::NORMAL));
        }
        created(invite.call, id)
    }

    /// Whether nobody more can come as that, `newcomer` itself not counted. Members and audience have a bound each; screens
    /// and devices take no member's place, and a promoted one does as soon as it is on its way.
    pub(super) fn is_full(&self, join_as: JoinAs, newcomer: Option<&MemberId>) -> bool {
        let others = self.participants.iter().filter(|person| Some(&person.id) != newcomer);
        match join_as {
            JoinAs::Member => {
                let is_counted =
                    |person: &&Participant| person.role == Role::Member || person.becomes_member();
                others.filter(is_counted).count() >= self.config.settings.max_members
            }
            JoinAs::Audience => {
                others.filter(|person| person.role == Role::Audience).count() >= self.config.max_audience
            }
        }
    }

    pub(super) fn new_member_id(&mut self) -> MemberId {
        MemberId::new(self.config.ids.uuid().to_string())
    }

    /// A call whose offer is on its way to the media plane.
    pub(super) fn new_call(&mut self, now: Now, invite: &Invite, purpose: Purpose) -> (Call, LegId) {
        let leg = self.new_leg();
        let opening = Leg::Opening { id: leg, until: now.at + ANSWER_WITHIN, asked: Asked::from([purpose]) };
        let call = Call {
            id: invite.call.clone(),
            via: invite.via,
            peer: PeerIdentity::of_offer(&invite.sdp),
            leg: opening,
            replaced: None,
            receive: invite.receive.clone(),
            news: LegNews::default(),
        };
        (call, leg)
    }

    /// Puts a newcomer on the way in.
    pub(super) fn enter(&mut self, newcomer: Participant, leg: LegId, offer: String, allowed: LegMedia) {
        let (member, setup) = (newcomer.id.clone(), newcomer.setup());
        let (receive, via) = (newcomer.calls.in_use().receives(), newcomer.calls.in_use().via);
        self.instruct(MediaInstruction::AddMember { member: member.clone(), setup });
        if newcomer.tags != Tags::default() {
            self.instruct(MediaInstruction::SetTags { member: member.clone(), tags: newcomer.tags });
        }
        if let Some(image) = mute_image(&newcomer.meta) {
            self.instruct(MediaInstruction::SetMuteImage { member: member.clone(), image });
        }
        self.instruct(MediaInstruction::OpenLeg { member, leg, offer, allowed, receive, via });
        self.participants.push(newcomer);
    }

    fn on_known_call(&mut self, now: Now, id: &MemberId, from: &Sender, invite: Invite) -> Reply {
        let peer = PeerIdentity::of_offer(&invite.sdp);
        let known = self.participant(id).and_then(|known| known.calls.find(&invite.call));
        let Some(call) = known else { return Reply::no_such_call() };
        let is_same_page = peer.is_some() && peer == call.peer;
        if is_same_page && call.contradicts(invite.receive.as_ref()) {
            return Reply::receives_as_before();
        }
        match call.leg.id().filter(|_| is_same_page) {
            Some(leg) => self.resume(id, leg, from, invite),
            None if is_same_page => {
                let receive = call.receive.clone();
                self.reopen(now, id, Purpose::Resume, from, Invite { receive, ..invite })
            }
            None => {
                let purpose = self.purpose_of_return(id, from);
                if purpose == Purpose::Turn && self.is_full(JoinAs::Member, Some(id)) {
                    return Reply::unauthorized();
                }
                // They were of the page before, which has forgotten them.
                for child in self.children_of(id) {
                    self.drop_participant(now, &child, None);
                }
                self.reopen(now, id, purpose, from, invite)
            }
        }
    }

    /// Only who asks as a member comes as one: a call from before the promotion may receive alone.
    pub(super) fn purpose_of_return(&self, id: &MemberId, from: &Sender) -> Purpose {
        let is_promoted = |person: &Participant| matches!(person.turn, Some(Turn::ToMember(_)));
        let asks_as_member =
            matches!(&*from.authority, Authority::Room(grant) if grant.join_as == JoinAs::Member);
        if asks_as_member && self.participant(id).is_some_and(is_promoted) {
            Purpose::Turn
        } else {
            Purpose::Rejoin
        }
    }

    fn resume(&mut self, id: &MemberId, leg: LegId, from: &Sender, invite: Invite) -> Reply {
        if !self.ask(leg, Purpose::Resume) {
            return Reply::too_many_offers();
        }
        let allowed = LegMedia::of(&from.authority);
        self.instruct(MediaInstruction::ReofferLeg { leg, offer: invite.sdp, allowed });
        created(invite.call, id.clone())
    }

    /// Notes that an offer goes to the media plane; false when too many are on their way.
    pub(super) fn ask(&mut self, leg: LegId, purpose: Purpose) -> bool {
        let asked = self.call_of_leg_mut(leg).and_then(|call| call.leg.asked_mut());
        let Some(asked) = asked.filter(|asked| asked.len() < MAX_ASKED) else { return false };
        asked.push_back(purpose);
        true
    }

    /// A new leg in place of all there were: their page is gone.
    fn reopen(&mut self, now: Now, id: &MemberId, purpose: Purpose, from: &Sender, invite: Invite) -> Reply {
        let is_in = self.participant(id).is_some_and(Participant::is_in);
        // Loaded anew before the first answer: for everybody else it is still the first time.
        let purpose = if is_in { purpose } else { Purpose::Join };
        let (call, leg) = self.new_call(now, &invite, purpose);
        let receive = call.receives();
        let Some(participant) = self.participant_mut(id) else { return Reply::no_such_call() };
        let session = participant.session;
        let ended = participant.calls.begin_anew(call);
        for call in ended {
            self.close_leg(session, call.leg);
        }
        let (member, offer, via) = (id.clone(), invite.sdp, invite.via);
        let allowed = LegMedia::of(&from.authority).by(via);
        self.instruct(MediaInstruction::OpenLeg { member, leg, offer, allowed, receive, via });
        created(invite.call, id.clone())
    }

    pub(super) fn on_leg_answered(&mut self, now: Now, leg: LegId, sdp: &str) {
        let Some(participant) = self.by_leg(leg) else { return };
        let (id, session) = (participant.id.clone(), participant.session);
        let Some(call) = self.call_of_leg_mut(leg) else { return };
        let Some(purpose) = call.leg.asked_mut().and_then(Asked::pop_front) else { return };
        if let Leg::Opening { asked, .. } = &mut call.leg {
            let asked = std::mem::take(asked);
            call.leg = Leg::Connecting { id: leg, until: now.at + CONNECT_WITHIN, asked };
        }
        let call = call.id.clone();
        match purpose {
            Purpose::Join => {
                self.send_answer(session, &call, sdp);
                self.announce(now, &id, &call);
            }
            Purpose::Rejoin | Purpose::Turn => {
                self.send_answer(session, &call, sdp);
                self.rejoined(now, &id, &call, purpose);
            }
            Purpose::Resume => self.send_answer(session, &call, sdp),
            Purpose::Update(request) => {
                let reply = self.updated_media(call, sdp);
                return self.reply(session, request, reply);
            }
        }
        self.send_leg_news(now, leg);
    }

    /// Tells those who need to know, in the order SDKs need: the newcomer has its answer, then it gets the state, then
    /// all hear of it.
    fn announce(&mut self, now: Now, id: &MemberId, call: &CallId) {
        let Some(newcomer) = self.participant_mut(id) else { return };
        let arrival = std::mem::replace(&mut newcomer.arrival, Arrival::In);
        let (role, session) = (newcomer.role.clone(), newcomer.session);
        self.start(now);
        match role {
            Role::Member => {
                self.send_subscribed(now, session, Some((call, id)));
                self.emit_member(now, EventKind::MemberJoined, id, None);
                self.want_layout_for(now, id);
                self.play(Tone::Entry);
            }
            Role::Audience => {
                self.send_subscribed(now, session, Some((call, id)));
                self.send_layout(now, Self::only(session));
                self.audience_changed(now);
            }
            // Its page waits for `member.joined` and knows the state.
            Role::Child { .. } => {
                self.emit_member(now, EventKind::MemberJoined, id, None);
                self.want_layout_for(now, id);
                if let Arrival::Coming(wishes) = arrival {
                    self.arrange(now, wishes.layout, &wishes.positions);
                }
            }
        }
    }

    /// The first one in begins the room session.
    fn start(&mut self, now: Now) {
        if self.phase != Phase::Running {
            self.phase = Phase::Running;
            self.record_from_start();
            let to = Recipients { sessions: Vec::new(), project: true };
            self.emit_room(now, to, EventKind::RoomStarted, None);
            self.audience.begin(now);
        }
    }

    /// A known one has an answer for another peer connection: its page gets the state; nobody else notices, unless it was
    /// promoted and is a member now.
    fn rejoined(&mut self, now: Now, id: &MemberId, call: &CallId, purpose: Purpose) {
        let Some(participant) = self.participant_mut(id) else { return };
        participant.calls.replace_former(now.at + FORMER_FOR);
        let (session, is_person) = (participant.session, participant.is_person());
        if self.finish_turn(now, id, purpose) {
            self.send_subscribed(now, session, Some((call, id)));
            self.emit_member(now, EventKind::MemberJoined, id, None);
            self.want_layout_for(now, id);
            self.play(Tone::Entry);
        } else if is_person {
            // It was the page before that held the call; this one does not know.
            self.set_hold(now, id, false);
            self.send_subscribed(now, session, Some((call, id)));
            self.send_layout(now, Self::only(session));
        } else {
            self.set_hold(now, id, false);
            self.emit_member_to(now, Self::only(session), EventKind::MemberJoined, id, None);
        }
    }
}

pub(super) fn created(call_id: CallId, member_id: MemberId) -> Reply {
    Reply::Done(wire::value(&verto::CallCreated { message: "CALL CREATED", call_id, member_id }))
}

/// What its token's meta names for the time of a muted camera.
fn mute_image(meta: &Map<String, Value>) -> Option<Arc<str>> {
    meta.get("mute_image").and_then(Value::as_str).filter(|name| is_image_name(name)).map(Into::into)
}
