//! The picture itself, blurred, where it leaves bars in its slot.
//!
//! in:  a picture, how it is turned, the slot
//! out: every pixel of the slot: the picture covers it, as if through ground glass
//!
//! A picture made very small and large again is blurred, by what scales pictures anyway: two passes over few pixels.

use layouts::{Fit, Size};

use super::fit::fit;
use crate::codec::yuv::ViewMut;
use crate::codec::{Picture, Rotation, Yuv};

/// Pixels of the slot to one of the small picture.
const COARSE: u32 = 24;

pub(super) fn fill(slot: &mut ViewMut<'_>, picture: &Picture, rotation: Rotation) {
    // Fitted before the turn, in the slot turned back.
    let turned = rotation.turned(slot.size());
    let crop = fit(picture.size(), turned, Fit::Cover).crop;
    let side = |side: u32| (side / COARSE).max(2).next_multiple_of(2);
    let small = Size { width: side(turned.width), height: side(turned.height) };
    let mut upright = Picture::filled(small, Yuv::BLACK);
    if let Some(source) = picture.view().crop(crop) {
        upright.view_mut().scale_from(&source);
    }
    match rotation {
        Rotation::None => slot.scale_from(&upright.view()),
        Rotation::Quarter | Rotation::Half | Rotation::ThreeQuarters => {
            let mut round = Picture::filled(rotation.turned(small), Yuv::BLACK);
            round.view_mut().rotate_from(&upright.view(), rotation);
            slot.scale_from(&round.view());
        }
    }
}
