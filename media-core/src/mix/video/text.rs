//! Untrusted text, made drawable and set in one line.
//!
//! in:  any text, a height, a width it may take
//! out: coverage of glyphs, clipped to the width
//!
//! Names come from strangers: control and direction characters are dropped, length is bounded before anything else is
//! done. One embedded font (DejaVu Sans: Latin, Greek, Cyrillic, Armenian, Hebrew, Arabic …); what it lacks is shown
//! as a box. Glyphs are set one by one, without shaping: Arabic letters stand unjoined, but in reading order.

use ab_glyph::{Font, FontRef, Glyph, GlyphId, Point, PxScale, ScaleFont};

/// Characters of a name that are looked at, and of those that are kept.
const LOOKED_AT: usize = 256;
const KEPT: usize = 64;
/// Stands for characters the font lacks.
const MISSING: char = '□';
const ELLIPSIS: char = '…';

/// The text without what cannot or must not be drawn, spaces collapsed, at most [`KEPT`] characters.
pub(super) fn drawable(text: &str) -> String {
    let mut kept = String::new();
    let mut count = 0;
    for character in text.chars().take(LOOKED_AT) {
        if count == KEPT {
            break;
        }
        if character.is_whitespace() {
            if kept.is_empty() || kept.ends_with(' ') {
                continue;
            }
            kept.push(' ');
        } else if character.is_control() || is_invisible(character) {
            continue;
        } else {
            kept.push(character);
        }
        count += 1;
    }
    kept.truncate(kept.trim_end().len());
    kept
}

/// Joiners, direction marks and overrides, variation selectors, tags, byte order marks.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0000}'..='\u{e0fff}')
}

/// First letters of the first and the last word that begin with one, in capitals.
pub(super) fn initials(drawable: &str) -> String {
    let mut letters =
        drawable.split(' ').filter_map(|word| word.chars().next()).filter(|first| first.is_alphanumeric());
    let first = letters.next();
    let last = letters.next_back();
    first.into_iter().chain(last).filter_map(|letter| letter.to_uppercase().next()).collect()
}

/// The one font.
#[derive(Debug)]
pub(super) struct Typeface(FontRef<'static>);

/// Glyphs with their places, from x 0 at the top left.
#[derive(Debug)]
pub(super) struct Line {
    glyphs: Vec<Glyph>,
    /// Pixels from the first glyph to the end of the last.
    pub(super) width: f32,
    /// Pixels from the highest to the lowest any glyph may reach.
    pub(super) height: f32,
}

impl Typeface {
    pub(super) fn new() -> Self {
        const FILE: &[u8] = include_bytes!("../../../assets/DejaVuSans.ttf");
        Self(FontRef::try_from_slice(FILE).expect("the embedded font is whole"))
    }

    /// Whether every character has a glyph of its own.
    pub(super) fn has_all(&self, text: &str) -> bool {
        text.chars().all(|character| self.0.glyph_id(character) != GlyphId(0))
    }

    /// Sets a line of `height` pixels; what passes `width` is cut and ends with an ellipsis.
    pub(super) fn line(&self, text: &str, height: f32, width: f32) -> Line {
        let mut characters: Vec<char> = text.chars().map(|character| self.known(character)).collect();
        if self.width(&characters, height) > width {
            while !characters.is_empty() {
                characters.pop();
                characters
                    .truncate(characters.iter().rposition(|last| *last != ' ').map_or(0, |last| last + 1));
                characters.push(ELLIPSIS);
                if self.width(&characters, height) <= width {
                    break;
                }
                characters.pop();
            }
        }
        reorder(&mut characters);
        self.place(&characters, height)
    }

    fn known(&self, character: char) -> char {
        if self.0.glyph_id(character) == GlyphId(0) { MISSING } else { character }
    }

    fn width(&self, characters: &[char], height: f32) -> f32 {
        self.place(characters, height).width
    }

    fn place(&self, characters: &[char], height: f32) -> Line {
        let scale = PxScale::from(height);
        let font = self.0.as_scaled(scale);
        let mut x = 0.0;
        let mut last = None;
        let mut glyphs = Vec::with_capacity(characters.len());
        for character in characters {
            let id = font.glyph_id(*character);
            if let Some(last) = last.replace(id) {
                x += font.kern(last, id);
            }
            glyphs.push(id.with_scale_and_position(scale, Point { x, y: font.ascent() }));
            x += font.h_advance(id);
        }
        Line { glyphs, width: x, height: font.height() }
    }

    /// Calls `paint` with column, row and coverage (0–1) of every pixel a line touches when its corner is at `at`.
    pub(super) fn draw(&self, line: &Line, at: (f32, f32), mut paint: impl FnMut(i32, i32, f32)) {
        for glyph in &line.glyphs {
            let mut glyph = glyph.clone();
            glyph.position.x += at.0;
            glyph.position.y += at.1;
            let Some(outline) = self.0.outline_glyph(glyph) else { continue };
            let bounds = outline.px_bounds();
            let (left, top) = (whole(bounds.min.x), whole(bounds.min.y));
            outline.draw(|x, y, coverage| {
                let step = |pixels: u32| i32::try_from(pixels).unwrap_or(i32::MAX);
                paint(left.saturating_add(step(x)), top.saturating_add(step(y)), coverage.clamp(0.0, 1.0));
            });
        }
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "a float-to-int cast saturates, which is what clipping wants"
)]
fn whole(pixels: f32) -> i32 {
    pixels.floor() as i32
}

/// Turns runs written from right to left, so that they read right in a line set from left to right.
fn reorder(characters: &mut [char]) {
    let is_leftward = |character: &char| {
        matches!(character, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}')
            && !matches!(character, '\u{660}'..='\u{669}' | '\u{6f0}'..='\u{6f9}')
    };
    let is_neutral = |character: &char| !character.is_alphanumeric();
    let mut rest = characters;
    while let Some(start) = rest.iter().position(is_leftward) {
        let (_, from) = std::mem::take(&mut rest).split_at_mut(start);
        let reach = from.iter().position(|c| !is_leftward(c) && !is_neutral(c)).unwrap_or(from.len());
        let end = from.iter().take(reach).rposition(is_leftward).map_or(0, |last| last + 1);
        let (run, after) = from.split_at_mut(end);
        run.reverse();
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_cleaned() {
        let check = |text: &str, expected: &str| assert_eq!(drawable(text), expected, "{text:?}");
        check("Ada Lovelace", "Ada Lovelace");
        check("  Ada \t\n Lovelace ", "Ada Lovelace");
        check("A\u{0}d\u{7}a\u{1b}[31m", "Ada[31m");
        check("\u{202e}evil\u{202c}\u{200b}", "evil");
        check("", "");
        check("\u{200f} \u{200f}", "");
        check(&"x".repeat(10_000), &"x".repeat(KEPT));
        check(&" ".repeat(10_000), "");
    }

    #[test]
    fn initials_are_of_the_first_and_last_word() {
        let check = |text: &str, expected: &str| assert_eq!(initials(&drawable(text)), expected, "{text:?}");
        check("Ada Lovelace", "AL");
        check("ada", "A");
        check("Ada de la Lovelace", "AL");
        check("(guest) Ada", "A");
        check("ßeta", "S");
        check("王小明", "王");
        check("🙂", "");
        check("", "");
    }

    #[test]
    fn right_to_left_runs_are_turned() {
        let check = |text: &str, expected: &str| {
            let mut characters: Vec<char> = text.chars().collect();
            reorder(&mut characters);
            assert_eq!(characters.into_iter().collect::<String>(), expected);
        };
        check("abc", "abc");
        check("אבג", "גבא");
        check("אב גד", "דג בא");
        check("Dan אב גד 12", "Dan דג בא 12");
        check("אב12גד", "בא12דג");
    }

    #[test]
    fn a_long_line_is_cut_with_an_ellipsis() {
        let face = Typeface::new();
        let whole = face.line("Ada Lovelace", 20.0, 500.0);
        assert_eq!(whole.glyphs.len(), 12);
        let cut = face.line("Ada Lovelace", 20.0, whole.width - 1.0);
        assert!(cut.glyphs.len() < 12 && cut.width < whole.width);
        assert_eq!(cut.glyphs.last().map(|glyph| glyph.id), Some(face.0.glyph_id(ELLIPSIS)));
        assert_eq!(face.line("Ada", 20.0, 0.0).glyphs.len(), 0);
    }

    #[test]
    fn what_the_font_lacks_is_a_box() {
        let face = Typeface::new();
        assert!(face.has_all("Ada Żółć Ωμέγα Дмитрий □…"));
        assert!(!face.has_all("王"));
        let box_glyph = face.0.glyph_id(MISSING);
        assert!(face.line("王小明", 20.0, 500.0).glyphs.iter().all(|glyph| glyph.id == box_glyph));
    }

    proptest! {
        #[test]
        fn any_name_is_set_within_its_width(text in any::<String>(), height in 10.0_f32..48.0, width in 0.0_f32..400.0) {
            let face = Typeface::new();
            let line = face.line(&drawable(&text), height, width);
            prop_assert!(line.width <= width || line.glyphs.is_empty());
            face.draw(&line, (0.0, 0.0), |_, _, _| {});
        }
    }
}
