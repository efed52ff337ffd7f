//! One picture of every layout and number of members, to be looked at: flat colours in the order of joining.
//!
//! `UPDATE_GOLDEN=1` records them anew.

use crate::room::{CANVAS, Room};
use layouts::{Layer, PixelRect};
use std::fs;
use std::path::{Path, PathBuf};

const BACKGROUND: [u8; 3] = [24, 26, 32];
const EMPTY_SLOT: [u8; 3] = [48, 52, 62];
const COLOURS: [[u8; 3]; 10] = [
    [230, 60, 60],
    [60, 120, 230],
    [60, 180, 90],
    [240, 190, 50],
    [160, 80, 200],
    [240, 130, 50],
    [60, 190, 200],
    [230, 110, 170],
    [140, 100, 70],
    [180, 200, 90],
];

#[test]
fn grid_responsive() {
    for n in [0, 1, 2, 3, 4, 5, 9, 10, 17, 26, 37, 65, 101] {
        check("grid-responsive", n);
    }
}

#[test]
fn small_layouts() {
    for (layout, slots) in [("1x1", 1), ("2x1", 2), ("1x1+2x1", 3), ("2x2", 4), ("5up", 5)] {
        for n in 1..=slots {
            check(layout, n);
        }
    }
}

#[test]
fn large_grids() {
    for (layout, n) in
        [("3x3", 7), ("4x4", 13), ("5x5", 20), ("6x6", 30), ("8x8", 60), ("10x10", 90), ("15x15", 200)]
    {
        check(layout, n);
    }
}

fn check(layout: &str, n: u32) {
    let room = Room::with_members(layout, n);
    let pixels = paint(&room.placed.layers);
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{layout}/{n}.png"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        record(&path, &pixels);
    }
    assert!(read(&path) == pixels, "{layout} with {n} members does not look like {}", path.display());
}

/// Slots first, then whoever is on the two layers above; those are not drawn when empty.
fn paint(layers: &[Layer]) -> Vec<u8> {
    let mut pixels = BACKGROUND.repeat((CANVAS.width * CANVAS.height) as usize);
    let (slots, above) = layers.split_at(layers.len() - 2);
    for layer in slots.iter().chain(above.iter().filter(|layer| layer.source.is_some())) {
        let colour = layer.source.map_or(EMPTY_SLOT, |s| COLOURS[(s.0 as usize - 1) % COLOURS.len()]);
        fill(&mut pixels, layer.pixels(CANVAS), colour);
    }
    pixels
}

fn fill(pixels: &mut [u8], rect: PixelRect, colour: [u8; 3]) {
    for y in rect.y..rect.y + rect.height {
        let start = 3 * (y * CANVAS.width + rect.x) as usize;
        let row = &mut pixels[start..start + 3 * rect.width as usize];
        row.as_chunks_mut::<3>().0.fill(colour);
    }
}

fn record(path: &Path, pixels: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut encoder = png::Encoder::new(fs::File::create(path).unwrap(), CANVAS.width, CANVAS.height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header().unwrap().write_image_data(pixels).unwrap();
}

fn read(path: &Path) -> Vec<u8> {
    let file = fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut reader = png::Decoder::new(std::io::BufReader::new(file)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut pixels).unwrap();
    pixels
}
