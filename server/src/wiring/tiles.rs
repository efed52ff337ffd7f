//! The part of [`convert`](super::convert) about legs that receive streams of their own.
//!
//! in:  what a leg receives, in words of the wire; what the core sends it, by keys
//! out: the same under the other names

use std::collections::HashMap;

use control_api::{LegReceive, MemberId, PlannedAudio, PlannedVideo, TileAudio, TilePlan, WantedEncoding};
use media_core::room::{self, AudioTile, Receive, TileConfig, Tiles, VideoTile};
use media_core::units::MemberKey;

/// What the core is to send; `None` when that is somebody who is gone.
pub(super) fn received(receive: &LegReceive, members: &HashMap<MemberId, MemberKey>) -> Option<Receive> {
    Some(match receive {
        LegReceive::Canvas => Receive::Canvas,
        LegReceive::Tiles { video_slots, audio } => {
            let audio = match audio {
                TileAudio::Mix => room::TileAudio::Mix,
                TileAudio::Slots(slots) => room::TileAudio::Slots(*slots),
            };
            Receive::Tiles(TileConfig { video_slots: *video_slots, audio })
        }
        LegReceive::Member(member) => Receive::Member(*members.get(member)?),
    })
}

/// Whether a leg has one transport whatever the configuration says: SDKs get what they bear, all others what is usual.
pub(super) fn is_bundled(receive: &LegReceive, configured: bool) -> bool {
    match receive {
        LegReceive::Canvas => configured,
        LegReceive::Tiles { .. } | LegReceive::Member(_) => true,
    }
}

/// What a tile leg is sent, without those who are gone.
pub(super) fn plan(tiles: Tiles, ids: &HashMap<MemberKey, MemberId>) -> TilePlan {
    let video = |tile: VideoTile| {
        Some(PlannedVideo {
            layer: tile.layer,
            member: ids.get(&tile.member)?.clone(),
            slot: tile.slot,
            encoding: tile.encoding.map(|encoding| encoding.0),
            rect: tile.rect,
            z: tile.z,
        })
    };
    let audio = |tile: AudioTile| PlannedAudio {
        slot: tile.slot,
        member: tile.member.and_then(|member| ids.get(&member).cloned()),
    };
    TilePlan {
        version: tiles.version,
        video: tiles.video.into_iter().filter_map(video).collect(),
        audio: tiles.audio.into_iter().map(audio).collect(),
    }
}

pub(super) fn wanted(encodings: Vec<room::WantedEncoding>) -> Vec<WantedEncoding> {
    encodings.into_iter().map(|one| WantedEncoding { rid: one.rid.0, active: one.active }).collect()
}

#[cfg(test)]
mod tests {
    use layouts::GridRect;
    use media_core::units::{EncodingIndex, Rid};

    use super::*;

    #[test]
    fn what_a_leg_receives_has_the_same_meaning_on_both_sides() {
        let members = HashMap::from([(MemberId::new("alice"), MemberKey(7))]);
        let tiles = |audio| LegReceive::Tiles { video_slots: 25, audio };
        let config = |audio| Receive::Tiles(TileConfig { video_slots: 25, audio });
        for (wire, core) in [
            (LegReceive::Canvas, Some(Receive::Canvas)),
            (tiles(TileAudio::Mix), Some(config(room::TileAudio::Mix))),
            (tiles(TileAudio::Slots(3)), Some(config(room::TileAudio::Slots(3)))),
            (LegReceive::Member(MemberId::new("alice")), Some(Receive::Member(MemberKey(7)))),
            (LegReceive::Member(MemberId::new("bob")), None),
        ] {
            assert_eq!(received(&wire, &members), core, "{wire:?}");
            for configured in [false, true] {
                let expected = configured || wire != LegReceive::Canvas;
                assert_eq!(is_bundled(&wire, configured), expected, "{wire:?}");
            }
        }
    }

    #[test]
    fn a_plan_names_members_and_leaves_out_who_is_gone() {
        let ids = HashMap::from([(MemberKey(7), MemberId::new("alice"))]);
        let rect = GridRect { x: 0, y: 2520, w: 2520, h: 2520 };
        let tile = |layer, member| VideoTile {
            layer,
            member: MemberKey(member),
            slot: Some(2),
            encoding: Some(EncodingIndex(1)),
            rect,
            z: -1,
        };
        let audio = |slot, member: Option<u32>| AudioTile { slot, member: member.map(MemberKey) };
        let tiles = Tiles {
            version: 9,
            video: vec![tile(0, 8), tile(1, 7)],
            audio: vec![audio(0, Some(7)), audio(1, Some(8)), audio(2, None)],
        };
        let alice = MemberId::new("alice");
        let kept =
            PlannedVideo { layer: 1, member: alice.clone(), slot: Some(2), encoding: Some(1), rect, z: -1 };
        let audio = |slot, member: Option<&MemberId>| PlannedAudio { slot, member: member.cloned() };
        let expected = TilePlan {
            version: 9,
            video: vec![kept],
            audio: vec![audio(0, Some(&alice)), audio(1, None), audio(2, None)],
        };
        assert_eq!(plan(tiles, &ids), expected);
        let one = |active| room::WantedEncoding { rid: Rid("q".into()), active };
        let named = |active| WantedEncoding { rid: "q".into(), active };
        assert_eq!(wanted(vec![one(true), one(false)]), [named(true), named(false)]);
    }
}
