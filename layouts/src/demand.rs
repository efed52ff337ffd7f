//! What a placement asks of those who decode and encode.
//!
//! in:  layers
//! out: how large each source is seen, and whether one alone is the whole picture

use std::collections::BTreeMap;

use crate::grid::{PixelRect, Size};
use crate::layer::Layer;
use crate::source::SourceKey;

/// The largest rectangle of each source that is seen on a canvas; who is not in it is not seen.
#[must_use]
pub fn largest(layers: &[Layer], canvas: Size) -> BTreeMap<SourceKey, PixelRect> {
    let mut seen: BTreeMap<SourceKey, PixelRect> = BTreeMap::new();
    for layer in layers.iter().filter(|layer| layer.visible) {
        let Some(source) = layer.source else { continue };
        let rect = layer.pixels(canvas);
        let kept = seen.entry(source).or_insert(rect);
        if area(rect) > area(*kept) {
            *kept = rect;
        }
    }
    seen
}

fn area(rect: PixelRect) -> u64 {
    u64::from(rect.width) * u64::from(rect.height)
}

/// The source that is the whole picture: the only one that is seen, from edge to edge, without a border of its layout.
/// Its stream may then be forwarded in place of the encoded canvas, where nothing else is drawn and codec and size suit.
#[must_use]
pub fn fills_the_canvas(layers: &[Layer]) -> Option<SourceKey> {
    let mut seen = layers.iter().filter(|layer| layer.visible && layer.source.is_some());
    let (first, None) = (seen.next()?, seen.next()) else { return None };
    let fills = first.rect.is_whole() && first.border.is_none_or(|border| border == 0);
    first.source.filter(|_| fills)
}
