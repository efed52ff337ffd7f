//! What must be drawn to turn one scene into another.
//!
//! in:  the scene that stands on a canvas, the scene that shall stand there
//! out: rectangles to fill with the background, and the layers to draw, in order
//!
//! A layer that changed is drawn; so is every layer above that it touches, because drawing covers them; and where a
//! layer went away, everything below that shows now. Nothing else.

use layouts::PixelRect;

use super::{Content, Scene, SceneLayer};

/// What to draw.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// First: fill these with the background.
    pub(super) background: Vec<PixelRect>,
    /// Then: draw these layers of the new scene, each whole.
    pub(super) layers: Vec<usize>,
}

/// A rectangle whose pixels are wrong for all layers from one on.
struct Dirty {
    rect: PixelRect,
    from: usize,
}

pub(super) fn plan(old: &Scene, new: &Scene, canvas: PixelRect) -> Plan {
    let mut plan = Plan::default();
    let mut dirty = Vec::new();
    if old.background != new.background || old.grounds != new.grounds {
        plan.background.push(canvas);
        dirty.push(Dirty { rect: canvas, from: 0 });
    }
    for index in 0..old.layers.len().max(new.layers.len()) {
        let (before, after) = (old.layers.get(index), new.layers.get(index));
        if before == after {
            continue;
        }
        let before = before.filter(|layer| is_opaque(layer)).map(|layer| layer.rect);
        let after = after.filter(|layer| is_opaque(layer)).map(|layer| layer.rect);
        if let Some(rect) = before
            && !after.is_some_and(|after| contains(after, rect))
        {
            plan.background.push(rect);
            dirty.push(Dirty { rect, from: 0 });
        }
        if let Some(rect) = after {
            dirty.push(Dirty { rect, from: index });
        }
    }
    for (index, layer) in new.layers.iter().enumerate() {
        let touched = |dirty: &Dirty| dirty.from <= index && overlap(dirty.rect, layer.rect);
        if is_opaque(layer) && dirty.iter().any(touched) {
            plan.layers.push(index);
            dirty.push(Dirty { rect: layer.rect, from: index + 1 });
        }
    }
    plan
}

/// Every content but `Empty` sets every pixel of its rectangle.
fn is_opaque(layer: &SceneLayer) -> bool {
    !matches!(layer.content, Content::Empty) && layer.rect.width > 0 && layer.rect.height > 0
}

fn contains(outer: PixelRect, inner: PixelRect) -> bool {
    outer.x <= inner.x
        && outer.y <= inner.y
        && inner.x + inner.width <= outer.x + outer.width
        && inner.y + inner.height <= outer.y + outer.height
}

fn overlap(a: PixelRect, b: PixelRect) -> bool {
    a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use layouts::{Fit, Size};

    use super::*;
    use crate::codec::{Picture, Rgb, Rotation, Yuv};
    use crate::mix::video::{Grounds, LayerStyle};

    const CANVAS: PixelRect = PixelRect { x: 0, y: 0, width: 100, height: 100 };

    fn picture() -> Content {
        let size = Size { width: 16, height: 16 };
        Content::Picture { picture: Arc::new(Picture::filled(size, Yuv::BLACK)), rotation: Rotation::None }
    }

    fn layer((x, y, width, height): (u32, u32, u32, u32), content: &Content) -> SceneLayer {
        let rect = PixelRect { x, y, width, height };
        SceneLayer {
            rect,
            fit: Fit::Contain,
            content: content.clone(),
            banner: None,
            style: LayerStyle::default(),
        }
    }

    #[test]
    fn only_what_differs_and_what_lies_on_it_is_drawn() {
        let (a, b, c) = (picture(), picture(), picture());
        let (left, right, whole) = ((0, 0, 50, 100), (50, 0, 50, 100), (0, 0, 100, 100));
        let corner = (80, 80, 20, 20);
        let check =
            |name: &str, old: &[SceneLayer], new: &[SceneLayer], background: usize, layers: &[usize]| {
                let scene = |layers: &[SceneLayer]| Scene {
                    background: Rgb(0, 0, 0),
                    grounds: Grounds::default(),
                    layers: layers.to_vec(),
                };
                let plan = plan(&scene(old), &scene(new), CANVAS);
                assert_eq!((plan.background.len(), plan.layers.as_slice()), (background, layers), "{name}");
            };
        let pair = [layer(left, &a), layer(right, &b)];
        check("first", &[], &pair, 0, &[0, 1]);
        check("same", &pair, &pair, 0, &[]);
        check("one moved on", &pair, &[layer(left, &a), layer(right, &c)], 0, &[1]);
        check("one left", &pair, &[layer(left, &a)], 1, &[]);
        check("one became empty", &pair, &[layer(left, &Content::Empty), layer(right, &b)], 1, &[]);
        check("one shrank", &pair, &[layer((0, 0, 40, 100), &a), layer(right, &b)], 1, &[0]);
        check("one grew over the other", &pair, &[layer(whole, &a), layer(right, &b)], 0, &[0, 1]);
        let overlaid = [layer(whole, &a), layer(corner, &b)];
        check("below an overlay", &overlaid, &[layer(whole, &c), layer(corner, &b)], 0, &[0, 1]);
        check("only the overlay", &overlaid, &[layer(whole, &a), layer(corner, &c)], 0, &[1]);
        check("overlay gone", &overlaid, &[layer(whole, &a)], 1, &[0]);
        check(
            "empty ones come and go",
            &pair,
            &[&pair[..], &[layer(whole, &Content::Empty)]].concat(),
            0,
            &[],
        );
    }

    #[test]
    fn another_background_is_drawn_everywhere() {
        let layers = vec![layer((0, 0, 50, 100), &picture())];
        let old = Scene { background: Rgb(0, 0, 0), grounds: Grounds::default(), layers: layers.clone() };
        let new = Scene { background: Rgb(1, 1, 1), grounds: Grounds::default(), layers };
        assert_eq!(plan(&old, &new, CANVAS), Plan { background: vec![CANVAS], layers: vec![0] });
    }
}
