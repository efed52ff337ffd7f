//! The fonts that names are written in.
//!
//! in:  font files, the preferred one first
//! out: which of them has a character
//!
//! One is in the program (DejaVu Sans: Latin, Greek, Cyrillic, Armenian, Hebrew, Arabic …); those the system has for other
//! scripts come from whoever reads files, once at start, and are shared by all canvases. What cannot be read is left out,
//! and without any font there is no text, which nobody depends on.

use std::fmt;
use std::sync::Arc;

use ab_glyph::{Font as _, FontRef, GlyphId};
use harfrust::Font;

const EMBEDDED: &[u8] = include_bytes!("../../../assets/DejaVuSans.ttf");

/// Scripts a name may be in, each by a letter of it: what a system is asked to have a font for.
pub(crate) const SCRIPTS: [char; 26] = [
    'A', 'א', 'ع', 'अ', 'অ', 'ਅ', 'અ', 'ଅ', 'அ', 'అ', 'ಅ', 'അ', 'අ', 'ก', 'ກ', 'ក', 'က', 'ა', 'አ', 'ཀ', 'ᠠ',
    '王', 'あ', '한', 'Ա', '☺',
];

/// A font file, and which of the fonts in it.
#[derive(Clone)]
pub struct FontFile {
    /// The whole file.
    pub data: Arc<dyn AsRef<[u8]> + Send + Sync>,
    /// Of a collection; 0 where there is one.
    pub index: u32,
}

/// Fonts, the preferred one first.
#[derive(Clone)]
pub struct Fonts(Arc<[Face]>);

/// One font that can be read.
pub(super) struct Face {
    file: FontFile,
    pub(super) shaped: Font,
    /// Pixels of an em are so many pixels of ascent and descent.
    height_per_em: f32,
    ascent_per_em: f32,
}

impl fmt::Debug for Fonts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fonts({})", self.0.len())
    }
}

impl Default for Fonts {
    /// The one in the program.
    fn default() -> Self {
        Self::with([])
    }
}

impl Fonts {
    /// The one in the program, then these.
    pub fn with(files: impl IntoIterator<Item = FontFile>) -> Self {
        let own = FontFile { data: Arc::new(EMBEDDED), index: 0 };
        Self::only([own].into_iter().chain(files))
    }

    /// These and no others.
    pub fn only(files: impl IntoIterator<Item = FontFile>) -> Self {
        Self(files.into_iter().filter_map(Face::read).collect())
    }

    /// Whether one of them has the character.
    #[must_use]
    pub fn has(&self, character: char) -> bool {
        self.place_of(character).is_some()
    }

    /// The first that has it.
    pub(super) fn place_of(&self, character: char) -> Option<usize> {
        self.0.iter().position(|face| face.has(character))
    }

    pub(super) fn face(&self, place: usize) -> Option<&Face> {
        self.0.get(place)
    }
}

impl Face {
    fn read(file: FontFile) -> Option<Self> {
        let shaped = Font::new(Arc::clone(&file.data), file.index)?;
        let drawn = FontRef::try_from_slice_and_index((*file.data).as_ref(), file.index).ok()?;
        let em = drawn.units_per_em().filter(|em| *em > 0.0)?;
        let (height, ascent) = (drawn.height_unscaled() / em, drawn.ascent_unscaled() / em);
        // What a font says of itself may be nonsense.
        let is_sane = (0.2..8.0).contains(&height) && (0.0..8.0).contains(&ascent);
        is_sane.then_some(Self { file, shaped, height_per_em: height, ascent_per_em: ascent })
    }

    fn has(&self, character: char) -> bool {
        self.shaped.charmap().map_unicode(character).is_some_and(|glyph| glyph.to_u32() != 0)
    }

    /// For outlines; reading its head again costs less than a glyph.
    pub(super) fn drawn(&self) -> Option<FontRef<'_>> {
        FontRef::try_from_slice_and_index((*self.file.data).as_ref(), self.file.index).ok()
    }

    /// Pixels of its em in a line of that height, when it is the preferred one.
    pub(super) fn em_of(&self, height: f32) -> f32 {
        height / self.height_per_em
    }

    /// The scale of its outlines at that em.
    pub(super) fn scale_of(&self, em: f32) -> f32 {
        em * self.height_per_em
    }

    pub(super) fn ascent_of(&self, em: f32) -> f32 {
        em * self.ascent_per_em
    }

    /// It has an outline of the character: fonts of coloured bitmaps have none.
    fn draws(&self, character: char) -> bool {
        let outline = |font: FontRef<'_>| {
            let glyph = font.glyph_id(character);
            (glyph != GlyphId(0)).then(|| font.outline(glyph)).flatten()
        };
        self.drawn().and_then(outline).is_some()
    }
}

/// Which of [`SCRIPTS`] a font can write; nothing when it cannot be read.
#[must_use]
pub(crate) fn scripts_of(file: &FontFile) -> Vec<char> {
    let face = Face::read(file.clone());
    face.map(|face| SCRIPTS.into_iter().filter(|letter| face.has(*letter) && face.draws(*letter)).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_font_is_left_out() {
        let bad: [&[u8]; 3] = [b"", b"not a font at all", &EMBEDDED[..1000]];
        let files = bad.map(|bytes| FontFile { data: Arc::new(bytes.to_vec()), index: 0 });
        let beyond = FontFile { data: Arc::new(EMBEDDED), index: 7 };
        let fonts = Fonts::only(files.into_iter().chain([beyond]));
        assert!(!fonts.has('A') && fonts.face(0).is_none(), "{fonts:?}");
    }

    #[test]
    fn the_one_in_the_program_has_the_scripts_it_is_there_for() {
        let fonts = Fonts::default();
        assert!(['A', 'ż', 'Д', 'Ω', 'א', 'ع', 'Ա'].into_iter().all(|letter| fonts.has(letter)));
        assert!(!fonts.has('王'));
        let own = FontFile { data: Arc::new(EMBEDDED), index: 0 };
        let scripts = scripts_of(&own);
        assert!(scripts.contains(&'א') && !scripts.contains(&'王'), "{scripts:?}");
    }
}
