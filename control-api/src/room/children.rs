//! Screens and further devices that a member sends besides: each a member of its own, of type `screen` or `device`.
//!
//! They come by an invite of the member's page, are announced by `video.member.joined` alone, and end with their member.
//! They take no place among `max_members`; each member may have [`MAX_CHILDREN`]. Whoever may share a screen may also
//! arrange the canvas with it: the layout and positions of the share need no further permission.

use super::RoomSession;
use super::leg::Purpose;
use super::media::LegMedia;
use super::methods::read_position;
use super::participant::Wishes;
use crate::clock::Now;
use crate::ids::MemberId;
use crate::permission::MemberAction;
use crate::receive::LegReceive;
use crate::session::{ChildKind, ExtraLeg, Invite, Reply, Sender};

/// A screen, and a camera or two: what one page can reasonably encode.
const MAX_CHILDREN: usize = 4;

impl RoomSession {
    pub(super) fn on_child(&mut self, now: Now, from: &Sender, invite: &Invite, extra: &ExtraLeg) -> Reply {
        let action = match extra.kind {
            ChildKind::Screen => MemberAction::ScreenShare,
            ChildKind::Device => MemberAction::AdditionalSource,
        };
        let parent = self.member_of(from.session).map(|parent| parent.id.clone());
        let Some(parent) = parent.filter(|_| self.allows(from, action, true)) else {
            return Reply::unauthorized();
        };
        if invite.receive.as_ref().is_some_and(|receive| *receive != LegReceive::Canvas) {
            return Reply::invalid("receive.mode must be \"canvas\": a screen or device receives nothing");
        }
        if self.children_of(&parent).len() >= MAX_CHILDREN {
            return Reply::invalid(format!("a member has at most {MAX_CHILDREN} screens and devices"));
        }
        let id = self.new_member_id();
        let wishes = match self.read_wishes(&id, extra) {
            Ok(wishes) => wishes,
            Err(refusal) => return refusal,
        };
        let (opened, leg) = self.new_call(now, invite, Purpose::Join);
        let Some(parent) = self.participant(&parent) else { return Reply::unauthorized() };
        let child = parent.child(id.clone(), extra.kind, wishes, opened);
        self.enter(child, leg, invite.sdp.clone(), LegMedia::of(&from.authority));
        super::join::created(invite.call.clone(), id)
    }

    /// `self` is the newcomer. Who has left in the meantime does not matter; what cannot be read does.
    fn read_wishes(&self, child: &MemberId, extra: &ExtraLeg) -> Result<Wishes, Reply> {
        let layout = extra.layout.as_ref().map(|name| self.read_layout(name)).transpose()?;
        let mut positions = Vec::new();
        for (id, position) in &extra.positions {
            let position = read_position(position)?;
            let member = match id.as_str() {
                "self" => Some(child),
                id => self.participants.iter().map(|known| &known.id).find(|known| known.as_str() == id),
            };
            positions.extend(member.map(|member| (member.clone(), position)));
        }
        Ok(Wishes { layout, positions })
    }

    pub(super) fn children_of(&self, parent: &MemberId) -> Vec<MemberId> {
        let children = self.participants.iter().filter(|child| child.parent() == Some(parent));
        children.map(|child| child.id.clone()).collect()
    }
}
