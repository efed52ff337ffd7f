//! What one member shows in its layer at a moment.
//!
//! in:  the layer, its member with its legs, the room's look
//! out: the layer of a scene

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use layouts::{Layer, Look, Rgb, Showing, Size};

use super::command::CanvasImages;
use super::leg::Leg;
use super::member::Member;
use crate::codec;
use crate::mix::video::{Border, Content, LayerStyle, SceneLayer};
use crate::units::LegKey;

/// What the layers of a frame have in common.
pub(super) struct Frame<'a> {
    pub(super) now: Instant,
    pub(super) canvas: Size,
    pub(super) look: &'a Look,
    pub(super) images: &'a CanvasImages,
}

/// `is_talking`: the member speaks now.
pub(super) fn layer(
    frame: &Frame<'_>,
    member: &Member,
    legs: &mut BTreeMap<LegKey, Leg>,
    layer: &Layer,
    is_talking: bool,
) -> SceneLayer {
    let (now, overlays) = (frame.now, frame.look.overlays);
    let name = Arc::clone(&member.config.name);
    // A newer leg is seen as soon as it has something to show, and the older one until then.
    let shown = member.legs().iter().rev().find_map(|leg| {
        let leg = legs.get_mut(leg)?;
        let (picture, rotation) = leg.picture(now)?;
        Some((picture, rotation, leg.is_frozen(now)))
    });
    let mut style = LayerStyle {
        border: border(frame.look, layer),
        talking: overlays.talking && is_talking,
        hand: overlays.hand && member.has_hand_raised(),
        frozen: false,
        muted: false,
        blur_bars: frame.look.blur_bars,
        dimmed: false,
        nameless: !overlays.name,
    };
    let mute_image = || member.mute_image.clone().or_else(|| frame.images.mute_image.clone());
    let (content, banner) = match (member.showing(shown.is_some()), shown) {
        (Showing::Video, Some((picture, rotation, frozen))) => {
            style.frozen = overlays.frozen && frozen;
            (Content::Picture { picture, rotation }, Some(name).filter(|_| overlays.name))
        }
        (Showing::MuteImage, _) => {
            let (image, banner) = (mute_image(), Some(Arc::clone(&name)).filter(|_| overlays.name));
            style.muted = image.is_some() || member.snapshot.is_some();
            match (image, member.snapshot.clone()) {
                (Some(image), _) => (Content::Still { image }, banner),
                (None, Some((picture, rotation))) => {
                    style.dimmed = true;
                    (Content::Picture { picture, rotation }, banner)
                }
                (None, None) => (Content::MuteImage { name }, None),
            }
        }
        (Showing::Video | Showing::Avatar, _) => (Content::Avatar { name }, None),
    };
    SceneLayer { rect: layer.pixels(frame.canvas), fit: layer.fit, content, banner, style }
}

fn border(look: &Look, layer: &Layer) -> Option<Border> {
    let width = look.border_of(layer.border);
    let Rgb(red, green, blue) = look.border_color;
    (width > 0).then_some(Border { width, color: codec::Rgb(red, green, blue) })
}

#[cfg(test)]
mod tests {
    use layouts::{Fit, GridRect, Overlays, Position};

    use super::*;
    use crate::room::command::{MemberConfig, MemberKind};

    fn member() -> Member {
        let config = MemberConfig {
            name: "Ann".into(),
            kind: MemberKind::Member,
            parent: None,
            audience: false,
            audio_muted: false,
            video_muted: false,
            position: Position::Auto,
        };
        Member::new(config, 1)
    }

    fn slot(border: Option<u8>) -> Layer {
        Layer {
            index: 0,
            z: 0,
            rect: GridRect::WHOLE,
            position: Position::Standard(1),
            source: None,
            fit: Fit::Contain,
            reservation: None,
            border,
            pan: None,
            playing_file: false,
            visible: true,
        }
    }

    #[test]
    fn a_room_says_what_is_drawn_and_a_slot_what_its_border_is() {
        let mut ann = member();
        ann.raise_hand(Some(layouts::Millis(1)));
        let style = |look: Look, border: Option<u8>, is_talking: bool| {
            let canvas = Size { width: 320, height: 180 };
            let frame = Frame { now: Instant::now(), canvas, look: &look, images: &CanvasImages::default() };
            layer(&frame, &ann, &mut BTreeMap::new(), &slot(border), is_talking).style
        };
        let plain = style(Look::default(), None, false);
        assert_eq!(plain, LayerStyle { hand: true, ..LayerStyle::default() });
        assert!(style(Look::default(), None, true).talking);
        let off = Overlays { name: false, talking: false, hand: false, frozen: false };
        let bare = Look { overlays: off, border: 3, ..Look::default() };
        let width = |border| style(bare, border, true).border.map(|border| border.width);
        assert_eq!([None, Some(0), Some(9), Some(200)].map(width), [Some(3), None, Some(9), Some(50)]);
        let style = LayerStyle { border: None, ..style(bare, None, true) };
        assert_eq!(style, LayerStyle { nameless: true, ..LayerStyle::default() });
    }
}
