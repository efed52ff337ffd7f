//! One sheet for every layout, to be looked at: 1, 2, 3, 5, 9, 17 and 50 members, then three members of whom the second
//! shares its screen and the third speaks; and one picture of all layouts for the
//! documentation, with nine members; where screens have a place, the first of the nine is a screen.
//!
//! `UPDATE_GOLDEN=1 cargo nextest run --workspace --test stage golden` draws them anew.

use crate::room::Room;
use layouts::{Drawing, Layer, LayoutId, Position, Size, SourceKey, with_members};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

const CANVAS: Size = Size { width: 320, height: 180 };
const UPRIGHT: Size = Size { width: 180, height: 320 };
const GAP: u32 = 8;
const HEAD: u32 = 24;

#[test]
fn golden_sheets() {
    for layout in LayoutId::available() {
        check(&layout, CANVAS, layout.name());
    }
    let mobile = LayoutId::by_name("grid-responsive-mobile").unwrap();
    check(&mobile, UPRIGHT, "grid-responsive-mobile-portrait");
}

#[test]
fn golden_overview() {
    let mut sheet = Sheet::new("All layouts, with nine sources", 5);
    for layout in LayoutId::available() {
        let mut layers = with_members(&layout, CANVAS, 9);
        if layers.iter().any(|layer| layer.position == Position::Screen) {
            layers = screen_shared(&layout, CANVAS, 9);
        }
        sheet.add(layout.name(), CANVAS, &layers);
    }
    sheet.compare(&root().join("../docs/layouts.svg"));
}

fn check(layout: &LayoutId, canvas: Size, name: &str) {
    let mut sheet = Sheet::new(name, 4);
    for members in [1, 2, 3, 5, 9, 17, 50] {
        sheet.add(&members.to_string(), canvas, &with_members(layout, canvas, members));
    }
    sheet.add("screen 1 of 2, 3 speaks", canvas, &screen_shared(layout, canvas, 3));
    sheet.compare(&root().join(format!("tests/golden/{name}.svg")));
}

/// The first is a screen of the second, and the third speaks.
fn screen_shared(layout: &LayoutId, canvas: Size, sources: u32) -> Vec<Layer> {
    let mut room = Room::on(layout.name(), canvas);
    room.share(1, 2);
    for member in 2..=sources {
        room.join(member);
    }
    room.speak(3);
    room.rest();
    room.placed.layers
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Pictures side by side.
struct Sheet {
    title: String,
    columns: u32,
    count: u32,
    tile: Size,
    pictures: String,
}

impl Sheet {
    fn new(title: &str, columns: u32) -> Self {
        Self { title: title.to_owned(), columns, count: 0, tile: CANVAS, pictures: String::new() }
    }

    fn add(&mut self, caption: &str, canvas: Size, layers: &[Layer]) {
        self.tile = canvas;
        let x = GAP + self.count % self.columns * (canvas.width + GAP);
        let y = GAP + self.count / self.columns * (canvas.height + HEAD + GAP);
        let (middle, base) = (canvas.width / 2, canvas.height + 17);
        let _ = writeln!(
            self.pictures,
            "<g transform=\"translate({x} {y})\"><text x=\"{middle}\" y=\"{base}\" font-size=\"14\">{caption}</text>"
        );
        let drawing = Drawing { canvas, background: None, layers, with_positions: false };
        drawing.draw(&mut self.pictures, |source: SourceKey| source.0.to_string());
        self.pictures.push_str("</g>\n");
        self.count += 1;
    }

    fn compare(self, path: &Path) {
        let (columns, rows) = (self.columns.min(self.count), self.count.div_ceil(self.columns));
        let width = GAP + columns * (self.tile.width + GAP);
        let height = GAP + rows * (self.tile.height + HEAD + GAP);
        let drawn = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
             font-family=\"sans-serif\" text-anchor=\"middle\"><title>{}</title>\n\
             <path fill=\"#fff\" d=\"M0 0h{width}v{height}h-{width}z\"/>\n{}</svg>\n",
            self.title, self.pictures
        );
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, &drawn).unwrap();
        }
        let kept = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(kept == drawn, "{} does not look like {}", self.title, path.display());
    }
}
