//! Fonts of the system, for names in scripts that the font in the program lacks.
//!
//! in:  the folders where systems keep fonts, read once at start
//! out: for each script the first font that can write it
//!
//! They stay in memory, some 20 MB where there is one for Chinese; none at all where the system has none.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fontdb::{Database, FaceInfo, Source, Stretch, Style};

use crate::mix::video::{FontFile, Fonts, SCRIPTS, scripts_of};

/// A start is not held up longer, however many fonts there are.
const SEARCH_TIME: Duration = Duration::from_secs(2);
/// Larger files are not for names.
const FILE_MAX: u64 = 40 << 20;
/// Of all that is kept.
const KEPT_MAX: usize = 96 << 20;

/// What the system has.
pub(super) fn of_system() -> Fonts {
    let mut system = Database::new();
    system.load_system_fonts();
    chosen(&system)
}

fn chosen(system: &Database) -> Fonts {
    let until = Instant::now() + SEARCH_TIME;
    let own = Fonts::default();
    let mut missing: Vec<char> = SCRIPTS.into_iter().filter(|letter| !own.has(*letter)).collect();
    let mut kept: Vec<FontFile> = Vec::new();
    let mut bytes = 0;
    let mut latest: Option<(PathBuf, Arc<Vec<u8>>)> = None;
    for face in in_order(system) {
        if missing.is_empty() || Instant::now() > until {
            break;
        }
        let Some(path) = path_of(&face.source) else { continue };
        let data = match latest.take().filter(|(last, _)| *last == path) {
            Some((_, data)) => data,
            None => match read(&path) {
                Some(data) => data,
                None => continue,
            },
        };
        let file = FontFile { data: data.clone(), index: face.index };
        latest = Some((path, Arc::clone(&data)));
        let scripts = scripts_of(&file);
        if missing.iter().any(|letter| scripts.contains(letter)) && bytes + data.len() <= KEPT_MAX {
            missing.retain(|letter| !scripts.contains(letter));
            bytes += data.len();
            kept.push(file);
        }
    }
    tracing::info!(fonts = kept.len(), bytes, ?missing, "fonts of the system for names");
    Fonts::with(kept)
}

/// Upright ones of usual weight, plain ones first, in the same order at every start.
fn in_order(system: &Database) -> Vec<&FaceInfo> {
    let is_usual = |face: &&FaceInfo| {
        face.style == Style::Normal && face.stretch == Stretch::Normal && (350..=550).contains(&face.weight.0)
    };
    let mut faces: Vec<&FaceInfo> = system.faces().filter(is_usual).collect();
    let family = |face: &FaceInfo| face.families.first().map(|(name, _)| name.clone()).unwrap_or_default();
    faces.sort_by_cached_key(|face| {
        let name = family(face);
        let is_plain = name.contains("Sans") || name.contains("Gothic") || name.contains("Hei");
        (!is_plain, face.monospaced, name, face.index)
    });
    faces
}

fn path_of(source: &Source) -> Option<PathBuf> {
    match source {
        Source::File(path) | Source::SharedFile(path, _) => Some(path.clone()),
        Source::Binary(_) => None,
    }
}

fn read(path: &PathBuf) -> Option<Arc<Vec<u8>>> {
    let size = std::fs::metadata(path).ok()?.len();
    if size > FILE_MAX {
        return None;
    }
    std::fs::read(path).ok().map(Arc::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_fonts_the_one_in_the_program_is_left_and_others_are_found_by_what_they_write() {
        assert!(!chosen(&Database::new()).has('王'));
        let mut system = Database::new();
        system.load_fonts_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fonts"));
        assert_eq!(system.len(), 1);
        let fonts = chosen(&system);
        assert!(fonts.has('王') && fonts.has('A') && !fonts.has('あ'));
    }

    #[test]
    fn a_system_can_be_searched() {
        assert!(of_system().has('A'));
    }
}
