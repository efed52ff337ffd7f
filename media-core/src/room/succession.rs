//! Which of a member's legs is heard and seen while one takes over from another.
//!
//! in:  legs that come and go, what has come of each
//! out: whose sound goes into the mix, whose cameras are decoded
//!
//! A promoted member, or a page that is loaded anew, has a new leg before the old one ends. Until sound comes of the new
//! one the old one is heard, and never both: the mix would take two streams in turn for a clock that leaps. Cameras are
//! both decoded until the new one has been shown, so that no stand-in comes between. What the old leg still sends after
//! that, and how it ends, changes nothing.

use super::Room;
use super::leg::{Attention, Leg};
use crate::shard::Reach;
use crate::units::MemberKey;

impl Room {
    /// Looks after the members who have more than one leg.
    pub(super) fn settle_successions(&mut self, reach: &mut Reach<'_>) {
        let changing =
            |(key, member): (&MemberKey, &super::Member)| member.is_changing_legs().then_some(*key);
        // Hardly ever anybody; an empty vector allocates nothing.
        let changing: Vec<MemberKey> = self.members.iter().filter_map(changing).collect();
        for member in changing {
            self.settle_succession(reach, member);
        }
    }

    /// Attends to the newest leg of a member of which there is something to attend to.
    pub(super) fn settle_succession(&mut self, reach: &mut Reach<'_>, key: MemberKey) {
        let Some(member) = self.members.get_mut(&key) else { return };
        let newest = |which: fn(&Leg) -> bool| {
            member.legs().iter().rposition(|leg| self.legs.get(leg).is_some_and(which))
        };
        let voice = if member.is_changing_legs() { newest(Leg::has_sound) } else { Some(0) };
        let shown = newest(Leg::has_shown).unwrap_or(0);
        let unseen = member.is_unseen();
        for (age, leg) in member.legs().iter().enumerate() {
            let Some(leg) = self.legs.get_mut(leg) else { continue };
            let attention = |taken| if taken { Attention::Taken } else { Attention::Ignored };
            leg.set_microphone(attention(voice == Some(age)));
            leg.set_camera(reach, attention(!unseen && age >= shown));
        }
        member.voice = voice.and_then(|age| member.legs().get(age)).copied();
    }
}
