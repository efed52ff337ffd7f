//! Promotion and demotion: a person changes its role, keeps its `member_id`, and comes again by a new call.
//!
//! ```text
//!              promote                    the page's new call is answered
//!   audience ───────────► may be member ────────────────────────────────► member   joined
//!       ▲                                                                    │
//!       └────────────────────────────── demote ──────────────────────────────┘      left
//! ```
//!
//! A promotion is a leave to come, not a summons: the page may have to ask its user for the camera first, or be loaded
//! anew in between. It stands until it is used, taken back by a demotion, or its session ends; until then its holder is
//! audience like before, and takes no member's place before its new call is on the way. A demotion acts at once, whatever the page does: nobody sees or
//! hears the demoted one from then on, and the call it has goes on receiving. Whoever may promote may give any
//! permission.
//!
//! The former call plays until the page ends it, at most [`FORMER_FOR`](super::join::FORMER_FOR) after the new one is
//! answered.

use layouts::Position;

use super::RoomSession;
use super::join::created;
use super::leg::Purpose;
use super::media::{LegMedia, MediaInstruction, Tone};
use super::participant::{Entry, Participant, Role, Seat, Turn};
use crate::clock::Now;
use crate::event::EventKind;
use crate::grant::{JoinAs, MediaAllowed, Standing};
use crate::ids::MemberId;
use crate::level::{Sensitivity, Volume};
use crate::session::{Invite, Reply, RoleChange, RoomMessage, Sender};
use crate::wire::room::MemberBody;
use crate::wire::verto::Cause;

impl RoomSession {
    /// Lets audience come as a member.
    pub(super) fn promote(&mut self, id: &MemberId, standing: Standing) -> Result<(), Reply> {
        if self.is_full(JoinAs::Member, Some(id)) {
            return Err(Reply::unauthorized());
        }
        let person = self.participant_mut(id).ok_or_else(Reply::member_not_found)?;
        person.turn = Some(Turn::ToMember(Entry {
            media_allowed: standing.media_allowed,
            audio_muted: standing.join_audio_muted,
            video_muted: standing.join_video_muted,
            meta: standing.meta.clone(),
        }));
        self.tell_role(id, standing);
        Ok(())
    }

    /// Makes a member audience, or takes a promotion back.
    pub(super) fn demote(&mut self, now: Now, id: &MemberId, standing: Standing) {
        self.tell_role(id, standing.clone());
        for child in self.children_of(id) {
            self.drop_participant(now, &child, Some(Cause::NORMAL));
        }
        let Some(person) = self.participant(id) else { return };
        let was_member = person.role == Role::Member;
        let body = MemberBody { member: self.wire_member(person, None) };
        let Some(person) = self.participant_mut(id) else { return };
        person.turn = Some(Turn::ToAudience);
        person.become_audience(standing.media_allowed);
        if was_member {
            // Nothing of what it was as a member outlives that: it could not undo it.
            let member = || id.clone();
            self.instruct(MediaInstruction::SetAudience { member: member(), audience: true });
            self.instruct(MediaInstruction::SetHandRaised { member: member(), raised: false });
            self.instruct(MediaInstruction::SetDeaf { member: member(), deaf: false });
            self.instruct(MediaInstruction::SetOutputVolume { member: member(), volume: Volume::default() });
            self.instruct(MediaInstruction::SetInputVolume { member: member(), volume: Volume::default() });
            let value = Sensitivity::default();
            self.instruct(MediaInstruction::SetInputSensitivity { member: member(), value });
            self.instruct(MediaInstruction::SetPositions { positions: vec![(member(), Position::Auto)] });
            let to = self.all();
            self.emit(now, to, EventKind::MemberLeft, Some(id), body);
            self.want_layout_without(now);
            self.play(Tone::Exit);
            self.audience_changed(now);
        }
    }

    /// To the person's session alone, which passes it on whatever it is subscribed to.
    fn tell_role(&mut self, id: &MemberId, standing: Standing) {
        let Some(session) = self.participant(id).map(|person| person.session) else { return };
        let change = RoleChange {
            member: id.clone(),
            room: self.config.room_id.clone(),
            room_session: self.config.room_session_id.clone(),
            channel: self.channel().into(),
            standing,
        };
        self.send(session, RoomMessage::RoleChanged(Box::new(change)));
    }

    /// The call by which somebody comes in its new role, beside the one it has.
    pub(super) fn on_turn(&mut self, now: Now, id: &MemberId, from: &Sender, invite: Invite) -> Reply {
        let purpose = self.purpose_of_return(id, from);
        if purpose == Purpose::Turn && self.is_full(JoinAs::Member, Some(id)) {
            return Reply::unauthorized();
        }
        // A client that does not say again what it receives means what it has.
        let before = self.participant(id).and_then(|person| person.calls.in_use().receive.clone());
        let invite = Invite { receive: invite.receive.or(before), ..invite };
        let (call, leg) = self.new_call(now, &invite, purpose);
        let receive = call.receives();
        let Some(person) = self.participant_mut(id) else { return Reply::no_such_call() };
        let session = person.session;
        if let Some(surplus) = person.calls.begin(call) {
            self.close_leg(session, surplus.leg);
        }
        let (member, offer, via) = (id.clone(), invite.sdp, invite.via);
        let allowed = LegMedia::of(&from.authority).by(via);
        self.instruct(MediaInstruction::OpenLeg { member, leg, offer, allowed, receive, via });
        created(invite.call, id.clone())
    }

    /// The promoted one is there; false when nobody was promoted.
    pub(super) fn finish_turn(&mut self, now: Now, id: &MemberId, purpose: Purpose) -> bool {
        let join_video_off = self.config.settings.join_video_off;
        let Some(person) = self.participant_mut(id) else { return false };
        let entry = match (person.turn.take(), purpose) {
            (Some(Turn::ToMember(entry)), Purpose::Turn) => entry,
            // That call is from before the promotion, and the promotion stands.
            (promoted @ Some(Turn::ToMember(_)), _) => {
                person.turn = promoted;
                return false;
            }
            (Some(Turn::ToAudience) | None, _) => return false,
        };
        person.become_member(entry);
        person.video_muted |= join_video_off;
        let (audio, video) = (person.is_silenced(), person.is_hidden());
        let positions = vec![(id.clone(), person.asks_to_sit())];
        self.instruct(MediaInstruction::SetAudioMuted { member: id.clone(), muted: audio });
        self.instruct(MediaInstruction::SetVideoMuted { member: id.clone(), muted: video });
        self.instruct(MediaInstruction::SetPositions { positions });
        self.instruct(MediaInstruction::SetAudience { member: id.clone(), audience: false });
        self.audience_changed(now);
        true
    }
}

impl Participant {
    fn become_audience(&mut self, media_allowed: MediaAllowed) {
        self.role = Role::Audience;
        self.media_allowed = media_allowed;
        (self.deaf, self.handraised, self.talking) = (false, false, false);
        (self.input_volume, self.output_volume) = (Volume::default(), Volume::default());
        self.input_sensitivity = Sensitivity::default();
        (self.requested, self.seat) = (Position::Auto, Seat::NOWHERE);
    }

    fn become_member(&mut self, entry: Entry) {
        self.role = Role::Member;
        self.media_allowed = entry.media_allowed;
        (self.audio_muted, self.video_muted) = (entry.audio_muted, entry.video_muted);
        self.on_hold = false; // that was the call before
        self.meta = entry.meta.unwrap_or_else(|| std::mem::take(&mut self.meta));
    }
}
