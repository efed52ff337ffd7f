//! What the canvas needs of each camera: which encoding is decoded, and how much of it need be sent at the most.
//!
//! in:  the layers in force, cameras and their encodings, who watches them as they are
//! out: decoders that turn to another encoding or rest; ceilings for publishers
//!
//! A camera without a place on the canvas is not decoded. A camera of one stream that only the canvas shows is asked for no
//! more than its place deserves: decoding costs by the pixels that come, and its sender's uplink is not ours to waste.

use std::collections::BTreeMap;
use std::time::Instant;

use layouts::{PixelRect, SourceKey};
use rustc_hash::FxHashSet;

use super::Room;
use super::watching::AUDIO;
use crate::forward::SourceId;
use crate::shard::Reach;
use crate::units::{Bitrate, EncodingIndex, LegKey, MemberKey};

/// What a camera of 1280×720 deserves, in kbit/s, as browsers have it; smaller ones need more for each pixel.
const KBPS_720P: f64 = 2500.0;
const PIXELS_720P: f64 = 1280.0 * 720.0;
const BY_PIXELS: f64 = 0.75;
/// The least: what is too small to be seen well, and what is hidden and may be shown at any time.
const KBPS_LEAST: f64 = 250.0;

pub(super) type Places = BTreeMap<SourceKey, PixelRect>;

impl Room {
    /// The canvas shows the encoding that suits a member's layer; nothing is decoded while nobody watches a canvas.
    pub(super) fn settle_decoding(&mut self, reach: &mut Reach<'_>, places: Option<&Places>) {
        let members: Vec<MemberKey> = self.members.keys().copied().collect();
        for member in members {
            let place = places.map(|all| all.get(&SourceKey(member.0)));
            let height = place.map(|place| place.map_or(0, |place| place.height));
            let best = height.and_then(|height| self.encoding_for(reach.now, member, height, None, None));
            for leg in self.legs_of(member) {
                let of_camera = best.filter(|(_, best)| best.leg == leg);
                let of_camera = of_camera.map(|(_, best)| self.stream_with(leg, best.encoding));
                let Some(leg) = self.legs.get_mut(&leg) else { continue };
                if place == Some(None) && leg.has_picture() {
                    leg.hide(reach.now);
                    continue;
                }
                // A camera that has shown nothing yet is decoded so that it can.
                let decoded = height.map(|_| of_camera.unwrap_or(EncodingIndex(0)));
                leg.set_decoded(reach, decoded);
            }
        }
    }

    /// Cameras of one stream that nobody watches as they are need send no more than the canvas shows.
    pub(super) fn settle_ceilings(
        &mut self,
        now: Instant,
        places: Option<&Places>,
        wished: &FxHashSet<SourceId>,
    ) {
        for (&key, leg) in &mut self.legs {
            let id = SourceId { leg: key, encoding: EncodingIndex(0) };
            let is_watched = wished.contains(&id)
                || self.sources.get(&id).is_some_and(|source| !source.watchers().is_empty());
            let is_free = is_watched || !leg.camera().rids().is_empty() || leg.camera().awaits_picture();
            let place = places.and_then(|all| all.get(&SourceKey(leg.member().0))).copied();
            leg.set_ceiling(now, (!is_free).then(|| deserved(place)));
        }
    }

    /// The largest place of everybody on the canvas, while somebody watches it.
    pub(super) fn places(&self) -> Option<Places> {
        let is_drawn = self.canvas.is_watched() || self.passing.wakes_the_canvas();
        is_drawn.then(|| self.arrangement.largest(self.canvas.size()))
    }

    fn legs_of(&self, member: MemberKey) -> Vec<LegKey> {
        self.members.get(&member).map(|member| member.legs().to_vec()).unwrap_or_default()
    }
}

/// What a camera need send at the most for this place, with its sound.
fn deserved(place: Option<PixelRect>) -> Bitrate {
    let pixels = place.map_or(0.0, |place| f64::from(place.width) * f64::from(place.height));
    let kbps = KBPS_720P * (pixels / PIXELS_720P).powf(BY_PIXELS);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a canvas has its limits")]
    let kbps = kbps.max(KBPS_LEAST) as u64;
    Bitrate(Bitrate::kbps(kbps).0 + AUDIO.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_deserves_what_fits_into_it() {
        let kbps = |width, height| deserved(Some(PixelRect { x: 0, y: 0, width, height })).0 / 1000;
        let places = [(1920, 1080), (1280, 720), (640, 360), (426, 240), (320, 180), (128, 72)];
        assert_eq!(places.map(|(width, height)| kbps(width, height)), [4642, 2550, 933, 530, 362, 300]);
        assert_eq!(deserved(None), Bitrate::kbps(300));
    }
}
