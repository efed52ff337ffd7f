//! A placement drawn for people.
//!
//! in:  layers, what their occupants are called
//! out: SVG; any text is escaped

use std::fmt::Write;

use crate::grid::{PixelRect, Size};
use crate::layer::{Layer, Rgb};
use crate::source::SourceKey;

const BACKGROUND: Rgb = Rgb(0x16, 0x18, 0x1d);
/// Of occupants, in turn.
const COLOURS: [&str; 10] =
    ["e63c3c", "3c78e6", "3cb45a", "f0be32", "a050c8", "f08232", "3cbec8", "e66eaa", "8c6446", "b4c85a"];

/// A placement to be drawn.
#[derive(Clone, Copy, Debug)]
pub struct Drawing<'a> {
    /// Size of the picture.
    pub canvas: Size,
    /// Where no slot is; without, that of rooms.
    pub background: Option<Rgb>,
    /// What is drawn.
    pub layers: &'a [Layer],
    /// Slots carry their positions.
    pub with_positions: bool,
}

impl Drawing<'_> {
    /// A document of its own.
    #[must_use]
    pub fn document(&self, title: &str, label: impl Fn(SourceKey) -> String) -> String {
        let Size { width, height } = self.canvas;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
             text-anchor=\"middle\"><title>{}</title>\n",
            escaped(title)
        );
        self.draw(&mut svg, label);
        svg.push_str("</svg>\n");
        svg
    }

    /// The elements alone, to be put into a document.
    pub fn draw(&self, svg: &mut String, label: impl Fn(SourceKey) -> String) {
        let Rgb(red, green, blue) = self.background.unwrap_or(BACKGROUND);
        let Size { width, height } = self.canvas;
        line(
            svg,
            format_args!(
                "<path fill=\"#{red:02x}{green:02x}{blue:02x}\" d=\"M0 0h{width}v{height}h-{width}z\"/>"
            ),
        );
        let mut visible: Vec<&Layer> = self.layers.iter().filter(|layer| layer.visible).collect();
        visible.sort_by_key(|layer| (layer.z, layer.index));
        self.draw_empty(svg, &visible);
        for layer in visible {
            if let Some(source) = layer.source {
                self.draw_occupied(svg, layer, source, &label(source));
            }
        }
    }

    /// Places nobody sits in. What lies over others is not drawn when empty.
    fn draw_empty(&self, svg: &mut String, visible: &[&Layer]) {
        let lies_over = |layer: &Layer| {
            visible.iter().any(|below| {
                below.index != layer.index && below.z < layer.z && below.rect.overlaps(layer.rect)
            })
        };
        let empty = visible.iter().filter(|layer| layer.source.is_none() && !lies_over(layer));
        let mut outlines = String::new();
        let mut names = String::new();
        for layer in empty {
            let PixelRect { x, y, width, height } = layer.pixels(self.canvas);
            let _ = write!(outlines, "M{x} {y}h{width}v{height}h-{width}z");
            if self.with_positions {
                self.name(&mut names, layer, "8a909c");
            }
        }
        if !outlines.is_empty() {
            line(svg, format_args!("<path fill=\"#30343e\" stroke=\"#16181d\" d=\"{outlines}\"/>"));
            svg.push_str(&names);
        }
    }

    fn draw_occupied(&self, svg: &mut String, layer: &Layer, source: SourceKey, label: &str) {
        let PixelRect { x, y, width, height } = layer.pixels(self.canvas);
        let colour =
            usize::try_from(source.0).ok().and_then(|n| COLOURS.get(n.wrapping_sub(1) % COLOURS.len()));
        line(
            svg,
            format_args!(
                "<path fill=\"#{}\" stroke=\"#16181d\" d=\"M{x} {y}h{width}v{height}h-{width}z\"/>",
                colour.unwrap_or(&"e63c3c")
            ),
        );
        let size = (height / 3).min(width / 2).max(4);
        let (middle, base) = (x + width / 2, y + height / 2 + size / 3);
        line(
            svg,
            format_args!("<text x=\"{middle}\" y=\"{base}\" font-size=\"{size}\">{}</text>", escaped(label)),
        );
        if self.with_positions {
            self.name(svg, layer, "16181d");
        }
    }

    fn name(&self, svg: &mut String, layer: &Layer, colour: &str) {
        let PixelRect { x, y, width, height } = layer.pixels(self.canvas);
        let size = (height / 8).min(width / 9).max(3);
        line(
            svg,
            format_args!(
                "<text x=\"{}\" y=\"{}\" font-size=\"{size}\" fill=\"#{colour}\">{}</text>",
                x + width / 2,
                y + height - size / 2,
                layer.position
            ),
        );
    }
}

fn line(svg: &mut String, element: std::fmt::Arguments<'_>) {
    let _ = writeln!(svg, "{element}");
}

/// Text that means itself between tags and in attributes. What XML 1.0 §2.2 allows nowhere is left out.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\t' | '\n' | '\r' => safe.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::LayoutId;
    use crate::preview::with_members;

    #[test]
    fn names_cannot_be_markup() {
        assert_eq!(
            escaped("a<script x=\"1\" y='2'>&\u{0}\u{1b}\u{ffff}\nä日"),
            "a&lt;script x=&quot;1&quot; y=&#39;2&#39;&gt;&amp; ä日"
        );
        let canvas = Size { width: 1280, height: 720 };
        let layers = with_members(&LayoutId::by_name("2x1").unwrap(), canvas, 1);
        let drawing = Drawing { canvas, background: None, layers: &layers, with_positions: true };
        let svg = drawing.document("</title><script>", |_| "\"><script>alert(1)</script>".to_owned());
        assert!(!svg.contains("<script"), "{svg}");
        assert!(svg.contains("standard-1") && svg.contains("standard-2"), "{svg}");
    }
}
