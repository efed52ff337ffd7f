//! Who is still there. A participant has two signs of life: its page's socket, and authenticated packets on its leg.
//!
//! | socket | leg | then |
//! |---|---|---|
//! | any | alive | stays: a lost socket ends no call |
//! | lost | silent for `leave_after` (15 s) | leaves |
//! | up | silent for 30 s | `verto.bye`, leaves |
//! | any | closed by the page | leaves after `leave_after`, unless the page comes back with another |
//! | any | never answered or connected | given up |
//! | forgotten (60 s after the loss) | any | leaves |
//!
//! Silence is noticed after 5 s, so a shorter `leave_after` acts then. The picture of a silent member is the media
//! plane's affair: it shows a stand-in after 5 s. Who has several calls leaves with the last of them.

use super::leg::{Leg, Silence};
use super::media::{LegEnd, Liveness};
use super::participant::{Participant, Socket};
use super::{Phase, RoomSession};
use crate::clock::Now;
use crate::ids::{CallId, LegId, MemberId, SessionKey};
use crate::session::Notice;
use crate::wire::verto::Cause;

impl RoomSession {
    pub(super) fn on_notice(&mut self, now: Now, session: SessionKey, notice: Notice) {
        let latest = now.at + self.config.leave_after;
        let of_session = self.participants.iter_mut().filter(|participant| participant.session == session);
        match notice {
            Notice::SocketLost => of_session.for_each(|participant| {
                participant.socket = Socket::Lost;
                participant.calls.iter_mut().for_each(|call| call.leg.hasten(latest));
            }),
            Notice::SocketBack => of_session.for_each(|participant| participant.socket = Socket::Up),
            Notice::Gone => {
                self.watchers.remove(&session);
                if let Some(person) = self.person_of(session).map(|person| person.id.clone()) {
                    self.take_out(now, &person, None);
                }
            }
        }
    }

    pub(super) fn on_leg_connected(&mut self, leg: LegId) {
        let Some(call) = self.call_of_leg_mut(leg) else { return };
        if let Leg::Connecting { asked, .. } = &mut call.leg {
            call.leg = Leg::Live { id: leg, silence: None, asked: std::mem::take(asked) };
        }
    }

    pub(super) fn on_liveness(&mut self, now: Now, leg: LegId, heard: Liveness) {
        let Some(call) = self.call_of_leg_mut(leg) else { return };
        if let Leg::Live { silence, .. } = &mut call.leg {
            *silence = Silence::of(now.at, heard);
        }
    }

    pub(super) fn on_leg_ended(&mut self, now: Now, leg: LegId, why: LegEnd) {
        let until = now.at + self.config.leave_after;
        let Some(participant) = self.by_leg(leg) else { return };
        let (id, session) = (participant.id.clone(), participant.session);
        let may_come_back = participant.is_in() && participant.calls.is_only();
        let Some(call) = self.call_of_leg_mut(leg) else { return };
        let (call_id, former) = (call.id.clone(), std::mem::replace(&mut call.leg, Leg::Lost { until }));
        self.refuse_updates(session, former);
        match why {
            LegEnd::PeerClosed if may_come_back => {}
            LegEnd::PeerClosed | LegEnd::NeverConnected => {
                self.end_call(now, &id, &call_id, Some(Cause::TIMED_OUT));
            }
            LegEnd::Refused => self.end_call(now, &id, &call_id, Some(Cause::INCOMPATIBLE)),
        }
    }

    /// Everything that time alone decides.
    pub(super) fn on_time(&mut self, now: Now) {
        while let Some((id, cause)) = self.overstayed(now) {
            self.take_out(now, &id, Some(cause));
        }
        while let Some((id, call)) = self.overdue_call(now) {
            self.end_call(now, &id, &call, Some(Cause::TIMED_OUT));
        }
        let is_abandoned = match self.phase {
            Phase::Waiting { until } => self.participants.is_empty() && until <= now.at,
            Phase::Running => self.is_without_members_for_long(now),
            Phase::Over => return,
        };
        if is_abandoned {
            self.remove_all(now);
        } else {
            self.on_canvas_time(now);
            self.on_audience_time(now);
        }
    }

    /// Somebody whose stay has ended.
    fn overstayed(&self, now: Now) -> Option<(MemberId, Cause)> {
        let is_over = |who: &&Participant| who.remove_at.is_some_and(|end| end <= now.at);
        self.participants.iter().find(is_over).map(|who| (who.id.clone(), Cause::NORMAL))
    }

    /// A call that has lasted too long in its state.
    fn overdue_call(&self, now: Now) -> Option<(MemberId, CallId)> {
        self.participants.iter().find_map(|who| {
            let without_socket = who.without_socket(self.config.leave_after);
            let overdue = |at| at <= now.at;
            let call = who.calls.iter().find(|call| call.deadline(without_socket).is_some_and(overdue))?;
            Some((who.id.clone(), call.id.clone()))
        })
    }
}
