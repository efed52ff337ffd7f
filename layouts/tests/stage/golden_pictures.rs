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

#[test]
fn highlights() {
    for n in [1, 2, 6, 7, 9, 11, 18, 29, 49] {
        check("highlight-1-responsive", n);
    }
}

#[test]
fn two_or_three_large() {
    for layout in
        ["2up_top+8", "2up_middle+8", "2up_bottom+8", "3up+4", "3up+9", "2x1-presenter-zoom", "overlaps"]
    {
        check(layout, 8);
    }
}

#[test]
fn zooms() {
    for n in 1..=9 {
        check("grid-zoom", n);
    }
}

/// The screen is red, its sharer blue, the speaker green.
#[test]
fn screens() {
    for layout in [
        "screen-share",
        "presenter-dual-horizontal",
        "presenter-dual-vertical",
        "presenter-overlap-small-top-right",
        "presenter-overlap-small-bot-right",
        "presenter-overlap-large-top-right",
        "presenter-overlap-large-bot-right",
        "highlight-1-responsive",
        "grid-responsive",
    ] {
        let mut room = Room::new(layout);
        room.share(1, 2);
        room.join(2);
        room.join(3);
        room.speak(3);
        room.rest();
        check_room(&room, layout, "screen");
    }
}

fn check(layout: &str, n: u32) {
    check_room(&Room::with_members(layout, n), layout, &n.to_string());
}

fn check_room(room: &Room, layout: &str, case: &str) {
    let pixels = paint(&room.placed.layers);
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{layout}/{case}.png"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        record(&path, &pixels);
    }
    assert!(read(&path) == pixels, "{layout}, {case}, does not look like {}", path.display());
}

/// In drawing order. What lies over others is not drawn when empty.
fn paint(layers: &[Layer]) -> Vec<u8> {
    let mut pixels = BACKGROUND.repeat((CANVAS.width * CANVAS.height) as usize);
    let (slots, above) = layers.split_at(layers.len() - 2);
    let lowest = layers.iter().map(|layer| layer.z).min().unwrap();
    let lies_flat = slots.iter().all(|layer| layer.z == i16::try_from(layer.index).unwrap());
    let shows = |layer: &&Layer| layer.source.is_some() || lies_flat || layer.z == lowest;
    let mut slots: Vec<&Layer> = slots.iter().filter(shows).collect();
    slots.sort_by_key(|layer| layer.z);
    for layer in slots.into_iter().chain(above.iter().filter(|layer| layer.source.is_some())) {
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
