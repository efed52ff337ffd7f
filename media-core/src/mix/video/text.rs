//! A name set in one line.
//!
//! in:  cleaned text, a height, a width it may take
//! out: coverage of glyphs, clipped to the width
//!
//! ```text
//!  text ─► runs of one direction, in the order they are seen (UAX #9) ─► pieces of one font and script ─► shaped glyphs
//! ```
//!
//! So Hebrew and Arabic read from right to left, Arabic letters join, and what the first font lacks comes from another.
//! What none has is shown as a box.

use std::ops::Range;

use ab_glyph::{Font as _, Glyph, GlyphId, Point, PxScale};
use harfrust::unicode::script;
use harfrust::{Buffer, Direction, Script, ShapeOptions, ShaperFont, shape};
use unicode_bidi::BidiInfo;

use super::fonts::{Face, Fonts};
use super::name::{is_joiner, is_mark};

/// Stands for characters no font has.
const MISSING: char = '□';
const ELLIPSIS: char = '…';

/// Glyphs with their places, from x 0 at the top left.
#[derive(Debug, Default)]
pub(super) struct Line {
    glyphs: Vec<Placed>,
    /// Pixels from the first glyph to the end of the last.
    pub(super) width: f32,
    /// Pixels from the highest to the lowest any glyph of the first font may reach.
    pub(super) height: f32,
}

/// A glyph of one of the fonts.
#[derive(Debug)]
struct Placed {
    font: usize,
    glyph: Glyph,
}

/// Part of a run in one font and one script.
#[derive(Debug, PartialEq, Eq)]
struct Piece {
    font: usize,
    range: Range<usize>,
}

impl Fonts {
    /// Whether every character has a glyph of its own.
    pub(super) fn has_all(&self, text: &str) -> bool {
        text.chars().all(|character| self.has(character))
    }

    /// Something of it is seen.
    pub(super) fn shows(&self, text: &str) -> bool {
        text.chars().any(|character| character != ' ' && self.known(character).is_some())
    }

    /// Sets a line of `height` pixels; what passes `width` is cut and ends with an ellipsis.
    pub(super) fn line(&self, text: &str, height: f32, width: f32) -> Line {
        let text: String = text.chars().filter_map(|character| self.known(character)).collect();
        let whole = self.set(&text, height);
        if whole.width <= width {
            return whole;
        }
        // The longest beginning that fits with an ellipsis. Widths hardly ever shrink as letters are added, and what
        // is found is tried.
        let ends: Vec<usize> = letters(&text).collect();
        let shortened = |letters: usize| {
            let end = letters.checked_sub(1).and_then(|last| ends.get(last)).copied().unwrap_or(0);
            let kept = text.get(..end).unwrap_or_default().trim_end();
            self.set(&format!("{kept}{ELLIPSIS}"), height)
        };
        let (mut fits, mut too_long) = (0, ends.len());
        while too_long - fits > 1 {
            let middle = usize::midpoint(fits, too_long);
            if shortened(middle).width <= width { fits = middle } else { too_long = middle }
        }
        let line = shortened(fits);
        if line.width <= width { line } else { Line { height: line.height, ..Line::default() } }
    }

    /// What is drawn in the place of a character.
    fn known(&self, character: char) -> Option<char> {
        match character {
            known if self.has(known) || known == ' ' => Some(known),
            lost if is_mark(lost) || is_joiner(lost) => None,
            _ => self.has(MISSING).then_some(MISSING),
        }
    }

    fn set(&self, text: &str, height: f32) -> Line {
        let Some(first) = self.face(0) else { return Line { height, ..Line::default() } };
        let em = first.em_of(height);
        let mut pen = Pen { em, baseline: first.ascent_of(em), line: Line { height, ..Line::default() } };
        let bidi = BidiInfo::new(text, None);
        for paragraph in &bidi.paragraphs {
            let (levels, runs) = bidi.visual_runs(paragraph, paragraph.range.clone());
            for run in runs {
                let leftward = levels.get(run.start).is_some_and(unicode_bidi::Level::is_rtl);
                let mut pieces = self.pieces(text, run);
                if leftward {
                    pieces.reverse();
                }
                for piece in pieces {
                    if let (Some(face), Some(text)) = (self.face(piece.font), text.get(piece.range)) {
                        pen.shape(face, piece.font, text, leftward);
                    }
                }
            }
        }
        pen.line
    }

    /// Cuts a run where font or script change; marks, joiners and signs of no script stay with what is before them.
    fn pieces(&self, text: &str, run: Range<usize>) -> Vec<Piece> {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut writing = Script::COMMON;
        for (at, character) in text.get(run.clone()).unwrap_or_default().char_indices() {
            let (start, own) = (run.start + at, script(u32::from(character)));
            let end = start + character.len_utf8();
            let is_neutral = [Script::COMMON, Script::INHERITED, Script::UNKNOWN].contains(&own);
            let font = self.place_of(character);
            if let Some(last) = pieces.last_mut() {
                let stays = is_mark(character) || is_joiner(character);
                let goes_on = is_neutral || writing == Script::COMMON || writing == own;
                if stays || (goes_on && font.is_none_or(|font| font == last.font)) {
                    last.range.end = end;
                    if !is_neutral {
                        writing = own;
                    }
                    continue;
                }
            }
            writing = if is_neutral { Script::COMMON } else { own };
            pieces.push(Piece { font: font.unwrap_or(0), range: start..end });
        }
        pieces
    }

    /// Calls `paint` with column, row and coverage (0–1) of every pixel a line touches when its corner is at `at`.
    pub(super) fn draw(&self, line: &Line, at: (f32, f32), mut paint: impl FnMut(i32, i32, f32)) {
        for Placed { font, glyph } in &line.glyphs {
            let Some(face) = self.face(*font).and_then(Face::drawn) else { continue };
            let mut glyph = glyph.clone();
            glyph.position.x += at.0;
            glyph.position.y += at.1;
            let Some(outline) = face.outline_glyph(glyph) else { continue };
            let bounds = outline.px_bounds();
            let (left, top) = (whole(bounds.min.x), whole(bounds.min.y));
            outline.draw(|x, y, coverage| {
                let step = |pixels: u32| i32::try_from(pixels).unwrap_or(i32::MAX);
                paint(left.saturating_add(step(x)), top.saturating_add(step(y)), coverage.clamp(0.0, 1.0));
            });
        }
    }
}

/// Where the next glyph goes.
struct Pen {
    em: f32,
    baseline: f32,
    line: Line,
}

impl Pen {
    fn shape(&mut self, face: &Face, font: usize, text: &str, leftward: bool) {
        let mut buffer = Buffer::new();
        buffer.push_str(text);
        buffer.set_direction(if leftward { Direction::RightToLeft } else { Direction::LeftToRight });
        buffer.guess_segment_properties();
        let shaper = ShaperFont::new(&face.shaped);
        if shape(&shaper, &mut buffer, ShapeOptions::new()).is_err() {
            return;
        }
        let unit = self.em / f32::from(face.shaped.units_per_em().max(1));
        let scale = PxScale::from(face.scale_of(self.em));
        for (info, place) in buffer.glyph_infos().iter().zip(buffer.glyph_positions()) {
            let position = Point {
                x: self.line.width + pixels(place.x_offset, unit),
                y: self.baseline - pixels(place.y_offset, unit),
            };
            // Fonts have at most 65535 glyphs.
            let id = GlyphId(u16::try_from(info.glyph_id).unwrap_or(0));
            self.line.glyphs.push(Placed { font, glyph: id.with_scale_and_position(scale, position) });
            self.line.width += pixels(place.x_advance, unit);
        }
    }
}

/// Where each letter ends, marks included.
fn letters(text: &str) -> impl Iterator<Item = usize> {
    let starts = text.char_indices().filter(|(_, one)| !is_mark(*one) && !is_joiner(*one)).skip(1);
    starts.map(|(at, _)| at).chain(std::iter::once(text.len()))
}

#[allow(clippy::cast_precision_loss, reason = "a name is far below 2²⁴ units long")]
fn pixels(units: i32, unit: f32) -> f32 {
    units as f32 * unit
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "a float-to-int cast saturates, which is what clipping wants"
)]
fn whole(pixels: f32) -> i32 {
    pixels.floor() as i32
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::super::fonts::FontFile;
    use super::super::name::drawable;
    use super::*;

    /// WenQuanYi Micro Hei, three letters of it: see `tests/fonts/README.md`.
    const CHINESE: &[u8] = include_bytes!("../../../tests/fonts/wqy-microhei-three.ttf");

    fn with_chinese() -> Fonts {
        Fonts::with([FontFile { data: Arc::new(CHINESE), index: 0 }])
    }

    /// Glyphs as they are seen from left to right.
    fn glyphs(fonts: &Fonts, text: &str) -> Vec<(usize, u16)> {
        let line = fonts.line(text, 20.0, 1000.0);
        let mut placed: Vec<_> = line.glyphs.iter().collect();
        placed.sort_by(|a, b| a.glyph.position.x.total_cmp(&b.glyph.position.x));
        placed.into_iter().map(|placed| (placed.font, placed.glyph.id.0)).collect()
    }

    fn one(fonts: &Fonts, letter: char) -> (usize, u16) {
        let of_one = glyphs(fonts, &letter.to_string());
        assert_eq!(of_one.len(), 1, "{letter}");
        of_one[0]
    }

    #[test]
    fn hebrew_is_seen_from_right_to_left_and_numbers_in_it_from_left_to_right() {
        let fonts = Fonts::default();
        let check = |text: &str, seen: &str| {
            let expected: Vec<_> = seen.chars().map(|letter| one(&fonts, letter)).collect();
            assert_eq!(glyphs(&fonts, text), expected, "{text}");
        };
        check("abc", "abc");
        check("אבג", "גבא");
        check("אב גד", "דג בא");
        check("Dan אב גד 12", "Dan 12 דג בא");
        check("אב12גד", "דג12בא");
        check("אב Dan", "Dan בא");
    }

    #[test]
    fn arabic_letters_join_and_are_seen_from_right_to_left() {
        let fonts = Fonts::default();
        let joined = glyphs(&fonts, "محمد");
        assert_eq!(joined.len(), 4);
        // The first letter, rightmost, has its initial form, and so is not the glyph of the letter alone.
        assert_ne!(joined[3], one(&fonts, 'م'));
        assert_ne!(joined[0], one(&fonts, 'د'), "its final form");
        let reversed: Vec<_> = glyphs(&fonts, "دمحم").into_iter().rev().collect();
        assert_ne!(joined, reversed);
        // Lam and alef are one glyph.
        assert_eq!(glyphs(&fonts, "لا").len(), 1);
    }

    #[test]
    fn what_the_first_font_lacks_comes_from_another_and_else_is_a_box() {
        let (alone, both) = (Fonts::default(), with_chinese());
        assert!(!alone.has_all("王") && both.has_all("Ada 王小明 □…"));
        let the_box = one(&alone, MISSING);
        assert_eq!(glyphs(&alone, "王小"), [the_box, the_box]);
        let fonts: Vec<usize> = glyphs(&both, "Ada 王小明!").into_iter().map(|(font, _)| font).collect();
        assert_eq!(fonts, [0, 0, 0, 0, 1, 1, 1, 0]);
        let line = both.line("王", 40.0, 1000.0);
        assert!((line.width - both.face(0).unwrap().em_of(40.0)).abs() < 2.0, "an em wide: {}", line.width);
        let mut ink = 0.0;
        both.draw(&line, (0.0, 0.0), |_, _, coverage| ink += coverage);
        assert!(ink > 50.0, "{ink}");
    }

    #[test]
    fn a_long_line_is_cut_with_an_ellipsis_where_it_ends() {
        let fonts = Fonts::default();
        let dots = one(&fonts, ELLIPSIS);
        let whole = fonts.line("Ada Lovelace", 20.0, 500.0);
        assert_eq!(whole.glyphs.len(), 12);
        let cut = fonts.line("Ada Lovelace", 20.0, whole.width - 1.0);
        assert!(cut.glyphs.len() < 12 && cut.glyphs.len() > 8 && cut.width < whole.width);
        assert_eq!(cut.glyphs.last().map(|last| (last.font, last.glyph.id.0)), Some(dots));
        let hebrew = "שלום עולם שלום";
        let width = fonts.line(hebrew, 20.0, 500.0).width;
        let cut = fonts.line(hebrew, 20.0, width / 2.0);
        let leftmost = cut.glyphs.iter().min_by(|a, b| a.glyph.position.x.total_cmp(&b.glyph.position.x));
        assert_eq!(leftmost.map(|first| first.glyph.id.0), Some(dots.1), "it ends at the left");
        assert_eq!(fonts.line("Ada", 20.0, 0.0).glyphs.len(), 0);
    }

    #[test]
    fn without_any_font_there_is_no_text_and_no_harm() {
        let none = Fonts::only([]);
        let line = none.line("Ada 王 שלום 🙂", 20.0, 100.0);
        assert!(line.glyphs.is_empty() && line.width == 0.0);
        none.draw(&line, (0.0, 0.0), |_, _, _| panic!("nothing to draw"));
        assert!(!none.has_all("A"));
    }

    proptest! {
        #[test]
        fn any_name_is_set_within_its_width(text in any::<String>(), height in 10.0_f32..48.0, width in 0.0_f32..400.0) {
            let fonts = with_chinese();
            let line = fonts.line(&drawable(&text), height, width);
            prop_assert!(line.width <= width || line.glyphs.is_empty());
            fonts.draw(&line, (0.0, 0.0), |_, _, _| {});
        }

        #[test]
        fn any_mixture_of_scripts_is_set(text in "[a-zא-ת\u{591}-\u{5c7}ء-ي\u{64b}-\u{652}क-ह\u{93c}-\u{94d}王小明🙂👩\u{200d}\u{fe0f}\u{202e}\u{300}-\u{36f} 0-9]{0,80}") {
            let fonts = with_chinese();
            fonts.draw(&fonts.line(&drawable(&text), 20.0, 200.0), (0.0, 0.0), |_, _, _| {});
        }
    }
}
