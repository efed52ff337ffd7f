//! What the control plane wants of members: heard or not, seen or not, and where.
//!
//! in:  actions on members
//! out: the mix told, the placement told

use std::time::Instant;

use layouts::Position;

use super::Room;
use crate::mix::audio::AudioInput;
use crate::shard::Reach;
use crate::units::MemberKey;

impl Room {
    pub(super) fn set_audio_muted(&mut self, reach: &mut Reach<'_>, key: MemberKey, muted: bool) {
        if let Some(member) = self.members.get_mut(&key) {
            member.config.audio_muted = muted;
            let muted = member.is_silenced();
            reach.audio(AudioInput::SetMuted { room: self.key, member: key, muted });
        }
    }

    pub(super) fn set_video_muted(&mut self, reach: &mut Reach<'_>, key: MemberKey, muted: bool) {
        let Some(member) = self.members.get_mut(&key) else { return };
        if !muted {
            member.snapshot = None;
        } else if self.arrangement.look().mute_snapshot && !member.config.video_muted {
            let (now, legs) = (reach.now, &mut self.legs);
            member.snapshot = member.legs().iter().rev().find_map(|leg| legs.get_mut(leg)?.picture(now));
        }
        member.config.video_muted = muted;
        self.settle_succession(reach, key);
        self.arrangement.touch();
    }

    pub(super) fn set_audience(&mut self, reach: &mut Reach<'_>, key: MemberKey, audience: bool) {
        let Some(member) = self.members.get_mut(&key) else { return };
        member.config.audience = audience;
        let muted = member.is_silenced();
        reach.audio(AudioInput::SetMuted { room: self.key, member: key, muted });
        if audience {
            self.arrangement.drop_floor(key);
        }
        self.settle_succession(reach, key);
        self.arrangement.touch();
    }

    pub(super) fn set_hand_raised(&mut self, now: Instant, key: MemberKey, raised: bool) {
        let at = self.arrangement.millis(now);
        if let Some(member) = self.members.get_mut(&key) {
            member.raise_hand(raised.then_some(at));
        }
        self.arrangement.touch();
    }

    pub(super) fn set_positions(&mut self, positions: Vec<(MemberKey, Position)>) {
        for (key, position) in positions {
            self.order += 1;
            if let Some(member) = self.members.get_mut(&key) {
                member.request(position, self.order);
            }
        }
        self.arrangement.touch();
    }
}
