//! Who is still there. A member has two signs of life: its page's socket, and authenticated packets on its leg.
//!
//! | socket | leg | then |
//! |---|---|---|
//! | any | alive | stays: a lost socket ends no call |
//! | lost | silent for 15 s | leaves |
//! | up | silent for 30 s | `verto.bye`, leaves |
//! | any | closed by the page | leaves after 15 s, unless the page comes back with another |
//! | any | never answered or connected | given up |
//! | forgotten (60 s after the loss) | any | leaves |
//!
//! The picture of a silent member is the media plane's affair: it shows a stand-in after 5 s.

use std::time::Duration;

use super::media::{LegEnd, Liveness};
use super::member::{Leg, Member, Socket};
use super::{Phase, RoomSession};
use crate::clock::Now;
use crate::ids::{LegId, MemberId, SessionKey};
use crate::session::Notice;
use crate::wire::verto::Cause;

/// How long a member without a leg is kept: a reload takes 1–5 s.
const LEAVE_AFTER: Duration = Duration::from_secs(15);

impl RoomSession {
    pub(super) fn on_notice(&mut self, now: Now, session: SessionKey, notice: Notice) {
        let member = self.members.iter_mut().find(|member| member.session == session);
        match (notice, member) {
            (Notice::SocketLost, Some(member)) => {
                member.socket = Socket::Lost;
                member.leg.hasten(now.at + LEAVE_AFTER);
            }
            (Notice::SocketBack, Some(member)) => member.socket = Socket::Up,
            (Notice::Gone, Some(member)) => {
                let id = member.id.clone();
                self.take_out(now, &id, None);
            }
            (Notice::Gone, None) => {
                self.watchers.remove(&session);
            }
            (Notice::SocketLost | Notice::SocketBack, None) => {}
        }
    }

    pub(super) fn on_leg_connected(&mut self, leg: LegId) {
        let Some(member) = self.member_by_leg(leg) else { return };
        if let Leg::Connecting { asked, .. } = &mut member.leg {
            member.leg = Leg::Live { id: leg, liveness: Liveness::Alive, asked: std::mem::take(asked) };
        }
    }

    pub(super) fn on_liveness(&mut self, leg: LegId, heard: Liveness) {
        let Some(member) = self.member_by_leg(leg) else { return };
        if let Leg::Live { liveness, .. } = &mut member.leg {
            *liveness = heard;
        }
    }

    pub(super) fn on_leg_ended(&mut self, now: Now, leg: LegId, why: LegEnd) {
        let Some(member) = self.member_by_leg(leg) else { return };
        let (id, session) = (member.id.clone(), member.session);
        match why {
            LegEnd::PeerClosed if member.is_in() => {
                let former = std::mem::replace(&mut member.leg, Leg::Lost { until: now.at + LEAVE_AFTER });
                self.refuse_updates(session, former);
            }
            LegEnd::PeerClosed | LegEnd::NeverConnected => self.take_out(now, &id, Some(Cause::TIMED_OUT)),
            LegEnd::Refused => self.take_out(now, &id, Some(Cause::INCOMPATIBLE)),
        }
    }

    /// Everything that time alone decides.
    pub(super) fn on_time(&mut self, now: Now) {
        let overdue: Vec<(MemberId, Cause)> = self
            .members
            .iter()
            .filter_map(|member| Some((member.id.clone(), overstayed(member, now)?)))
            .collect();
        for (id, cause) in overdue {
            self.take_out(now, &id, Some(cause));
        }
        match self.phase {
            Phase::Waiting { until } if self.members.is_empty() && until <= now.at => self.remove_all(now),
            Phase::Waiting { .. } | Phase::Running => self.on_canvas_time(now),
            Phase::Over => {}
        }
    }
}

/// Why a member must go now, if it must.
fn overstayed(member: &Member, now: Now) -> Option<Cause> {
    let too_late = member.leg.deadline().is_some_and(|until| until <= now.at);
    let end_of_stay = member.remove_at.is_some_and(|end| end <= now.at);
    let unheard = match (&member.leg, member.socket) {
        (Leg::Live { liveness, .. }, Socket::Lost) => matches!(liveness, Liveness::Silent | Liveness::Gone),
        (Leg::Live { liveness, .. }, Socket::Up) => *liveness == Liveness::Gone,
        (Leg::Opening { .. } | Leg::Connecting { .. } | Leg::Lost { .. }, _) => false,
    };
    if end_of_stay { Some(Cause::NORMAL) } else { (too_late || unheard).then_some(Cause::TIMED_OUT) }
}
