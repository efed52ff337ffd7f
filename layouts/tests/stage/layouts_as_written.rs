//! Every layout, value by value, in the units of the tables: 360 to the canvas.

use layouts::{Fit, Layer, LayoutId, PixelRect, Size, define, with_members};
use proptest::prelude::*;

const HD: Size = Size { width: 1280, height: 720 };
const UPRIGHT: Size = Size { width: 720, height: 1280 };
const UNIT: u16 = 14;

type Row<'a> = (&'a str, u16, u16, u16, u16);

fn rows(layers: &[Layer]) -> Vec<(String, u16, u16, u16, u16)> {
    let row = |layer: &Layer| {
        let r = layer.rect;
        let exact = [r.x, r.y, r.w, r.h].iter().all(|side| side % UNIT == 0);
        assert!(exact, "{r:?} is in the units of the tables");
        (layer.position.to_string(), r.x / UNIT, r.y / UNIT, r.w / UNIT, r.h / UNIT)
    };
    layers.iter().map(row).collect()
}

fn layers(name: &str, members: u32, canvas: Size) -> Vec<Layer> {
    with_members(&LayoutId::by_name(name).unwrap(), canvas, members)
}

/// The slots as written, then the two layers that every layout has.
fn check(name: &str, members: u32, canvas: Size, expected: &[Row<'_>]) {
    let above = [("playback", 0, 0, 360, 360), ("full-screen", 0, 0, 360, 360)];
    let expected: Vec<_> =
        expected.iter().chain(&above).map(|(p, x, y, w, h)| ((*p).to_owned(), *x, *y, *w, *h)).collect();
    assert_eq!(rows(&layers(name, members, canvas)), expected, "{name} with {members}");
}

fn standard(rects: &[(u16, u16, u16, u16)]) -> Vec<(String, u16, u16, u16, u16)> {
    (1..).zip(rects).map(|(n, (x, y, w, h))| (format!("standard-{n}"), *x, *y, *w, *h)).collect()
}

fn check_standard(name: &str, members: u32, canvas: Size, rects: &[(u16, u16, u16, u16)]) {
    let all = rows(&layers(name, members, canvas));
    assert_eq!(all[..all.len() - 2], standard(rects), "{name} with {members}");
}

#[test]
fn uniform_grids() {
    for (name, side, width, height) in [
        ("1x1", 1, 1280, 720),
        ("2x2", 2, 640, 360),
        ("3x3", 3, 426, 240),
        ("4x4", 4, 320, 180),
        ("5x5", 5, 256, 144),
        ("6x6", 6, 212, 120),
        ("8x8", 8, 160, 90),
        ("10x10", 10, 128, 72),
        ("15x15", 15, 84, 48),
    ] {
        let step = 360 / side;
        let rects: Vec<_> =
            (0..side * side).map(|k| (k % side * step, k / side * step, step, step)).collect();
        check_standard(name, 1, HD, &rects);
        let PixelRect { width: w, height: h, .. } = layers(name, 1, HD)[0].pixels(HD);
        assert_eq!((w, h), (width, height), "{name}");
    }
    assert_eq!(rows(&layers("5x5", 1, HD))[12], ("standard-13".to_owned(), 144, 144, 72, 72));
}

#[test]
fn small_layouts() {
    check("2x1", 2, HD, &[("standard-1", 0, 90, 180, 180), ("standard-2", 180, 90, 180, 180)]);
    check("1x2", 2, HD, &[("standard-1", 90, 0, 180, 180), ("standard-2", 90, 180, 180, 180)]);
    check(
        "1x1+2x1",
        3,
        HD,
        &[
            ("standard-1", 90, 0, 180, 180),
            ("standard-2", 0, 180, 180, 180),
            ("standard-3", 180, 180, 180, 180),
        ],
    );
    check(
        "5up",
        5,
        HD,
        &[
            ("standard-1", 0, 0, 120, 120),
            ("standard-2", 240, 0, 120, 120),
            ("standard-3", 120, 120, 120, 120),
            ("standard-4", 0, 240, 120, 120),
            ("standard-5", 240, 240, 120, 120),
        ],
    );
    check("full-screen", 1, HD, &[("reserved-1", 0, 0, 360, 360)]);
}

#[test]
fn one_large_the_rest_small() {
    check(
        "1up-top-left-5",
        6,
        HD,
        &[
            ("reserved-1", 0, 0, 240, 240),
            ("standard-1", 240, 0, 120, 120),
            ("standard-2", 240, 120, 120, 120),
            ("standard-3", 0, 240, 120, 120),
            ("standard-4", 120, 240, 120, 120),
            ("standard-5", 240, 240, 120, 120),
        ],
    );
    for (names, side, large, large_side, small_side, count) in [
        (&["1up-top-left-5", "1up_top_left+5"][..], 3, 2, 240, 120, 5),
        (&["1up-top-left-7", "1up_top_left+7"], 4, 3, 270, 90, 7),
        (&["1up-top-left-9", "1up_top_left+9"], 5, 4, 288, 72, 9),
        (&["1up-top-left-16"], 5, 3, 216, 72, 16),
        (&["1up-top-left-27", "1up-top-left24"], 6, 3, 180, 60, 27),
        (&["1up-top-left-48", "1up-top-left32"], 8, 4, 180, 45, 48),
    ] {
        let cells = (0..side * side).map(|k| (k % side, k / side));
        let beside = cells.filter(|(x, y)| *x >= large || *y >= large);
        let rects: Vec<_> =
            beside.map(|(x, y)| (x * small_side, y * small_side, small_side, small_side)).collect();
        assert_eq!(rects.len(), count);
        for name in names {
            let all = rows(&layers(name, 1, HD));
            assert_eq!(all[0], ("reserved-1".to_owned(), 0, 0, large_side, large_side), "{name}");
            assert_eq!(all[1..=count], standard(&rects), "{name}");
            assert_eq!(all.len(), count + 3, "{name}");
        }
    }
}

#[test]
fn two_or_three_large() {
    let quarter = [0, 90, 180, 270];
    for (name, large, first, second) in
        [("2up_top+8", 0, 180, 270), ("2up_middle+8", 90, 0, 270), ("2up_bottom+8", 180, 0, 90)]
    {
        let all = rows(&layers(name, 1, HD));
        assert_eq!(all[0], ("reserved-1".to_owned(), 0, large, 180, 180), "{name}");
        assert_eq!(all[1], ("reserved-2".to_owned(), 180, large, 180, 180), "{name}");
        let small: Vec<_> = [first, second].iter().flat_map(|y| quarter.map(|x| (x, *y, 90, 90))).collect();
        assert_eq!(all[2..10], standard(&small), "{name}");
        assert_eq!(all.len(), 12);
    }
    for (name, lines, side) in [("3up+4", &[180, 270][..], 90), ("3up+9", &[180, 240, 300], 60)] {
        let all = rows(&layers(name, 1, HD));
        let large = [("reserved-1", 0, 0), ("reserved-2", 180, 0), ("reserved-3", 0, 180)];
        let large: Vec<_> = large.iter().map(|(p, x, y)| ((*p).to_owned(), *x, *y, 180, 180)).collect();
        assert_eq!(all[..3], large, "{name}");
        let small: Vec<_> = lines.iter().flat_map(|y| lines.iter().map(|x| (*x, *y, side, side))).collect();
        assert_eq!(all[3..all.len() - 2], standard(&small), "{name}");
    }
    let tags = |name| -> Vec<_> {
        layers(name, 1, HD).iter().map(|l| l.reservation.map(|tag| tag.as_str().to_owned())).collect()
    };
    assert_eq!(tags("2up_top+8")[..3], [None, Some("secondary".to_owned()), None]);
    assert_eq!(tags("3up+9")[..4], [None, Some("secondary".to_owned()), Some("third".to_owned()), None]);
    assert_eq!(tags("2x1-presenter-zoom")[..2], [None, Some("presenter".to_owned())]);
}

#[test]
fn screens_and_presenters() {
    let screen = ("screen", 0, 0, 360, 360);
    check(
        "screen-share",
        1,
        HD,
        &[
            screen,
            ("reserved-5", 240, 0, 120, 120),
            ("reserved-6", 0, 0, 120, 120),
            ("reserved-7", 240, 240, 120, 120),
            ("reserved-8", 0, 240, 120, 120),
            ("reserved-1", 300, 0, 60, 60),
            ("reserved-2", 0, 0, 60, 60),
            ("reserved-3", 300, 300, 60, 60),
            ("reserved-4", 0, 300, 60, 60),
        ],
    );
    let z = |name| layers(name, 1, HD).iter().map(|layer| layer.z).collect::<Vec<_>>();
    assert_eq!(z("screen-share"), [0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 4]);
    let dual = |name, first: (u16, u16), second: (u16, u16)| {
        let slots = [("screen", first.0, first.1, 180, 180), ("reserved-1", second.0, second.1, 180, 180)];
        check(name, 1, HD, &slots);
    };
    dual("presenter-dual-horizontal", (0, 90), (180, 90));
    dual("presenter-dual-vertical", (90, 0), (90, 180));
    for (name, at, side) in [
        ("presenter-overlap-small-top-right", (300, 0), 60),
        ("presenter-overlap-small-bot-right", (300, 300), 60),
        ("presenter-overlap-large-top-right", (180, 0), 180),
        ("presenter-overlap-large-bot-right", (180, 180), 180),
    ] {
        check(name, 1, HD, &[screen, ("reserved-1", at.0, at.1, side, side)]);
        assert_eq!(z(name), [0, 1, 2, 3]);
    }
    check(
        "overlaps",
        1,
        HD,
        &[
            screen,
            ("standard-1", 300, 300, 60, 60),
            ("standard-2", 240, 300, 60, 60),
            ("standard-3", 180, 300, 60, 60),
            ("standard-4", 120, 300, 60, 60),
            ("standard-5", 60, 300, 60, 60),
            ("standard-6", 0, 300, 60, 60),
        ],
    );
    assert_eq!(z("overlaps"), [0, 1, 1, 1, 1, 1, 1, 2, 3]);
}

#[test]
fn filled_layouts() {
    let row = |count: u16, y, height| {
        let width = 360 / count;
        (0..count).map(move |n| (n * width, y, width, height))
    };
    check_standard("2x1-zoom", 2, HD, &row(2, 0, 360).collect::<Vec<_>>());
    check_standard("3x1-zoom", 3, HD, &row(3, 0, 360).collect::<Vec<_>>());
    for (name, upper, lower) in
        [("5-grid-zoom", 2, 3), ("3x2-zoom", 3, 3), ("7-grid-zoom", 3, 4), ("4x2-zoom", 4, 4)]
    {
        check_standard(name, 1, HD, &row(upper, 0, 180).chain(row(lower, 180, 180)).collect::<Vec<_>>());
    }
    check("2x1-presenter-zoom", 1, HD, &[("reserved-1", 0, 0, 180, 360), ("reserved-2", 180, 0, 180, 360)]);
    for name in
        ["2x1-zoom", "3x1-zoom", "5-grid-zoom", "3x2-zoom", "7-grid-zoom", "4x2-zoom", "2x1-presenter-zoom"]
    {
        let all = layers(name, 1, HD);
        assert!(all[..all.len() - 2].iter().all(|layer| layer.fit == Fit::Cover), "{name}");
    }
}

/// Which layout a group uses for how many.
fn check_group(group: &str, expected: &[(u32, &str)]) {
    let mut from = 0;
    for (until, layout) in expected {
        for n in from..=*until {
            let rects = |name| layers(name, n, HD).iter().map(|layer| layer.rect).collect::<Vec<_>>();
            assert_eq!(rects(group), rects(layout), "{group} with {n}");
        }
        from = until + 1;
    }
}

#[test]
fn responsive_groups() {
    let grid = [
        (1, "1x1"),
        (2, "2x1"),
        (3, "1x1+2x1"),
        (4, "2x2"),
        (9, "3x3"),
        (16, "4x4"),
        (25, "5x5"),
        (36, "6x6"),
        (64, "8x8"),
        (100, "10x10"),
        (300, "15x15"),
    ];
    check_group("grid-responsive", &grid);
    check_group("grid-responsive-mobile", &grid);
    check_group("group:grid", &[&grid[..8], &[(300, "8x8")]].concat());
    check_group(
        "highlight-1-responsive",
        &[
            (1, "1x1"),
            (6, "1up-top-left-5"),
            (8, "1up-top-left-7"),
            (10, "1up-top-left-9"),
            (17, "1up-top-left-16"),
            (28, "1up-top-left-27"),
            (300, "1up-top-left-48"),
        ],
    );
    check_group(
        "grid-zoom",
        &[
            (1, "1x1"),
            (2, "2x1-zoom"),
            (3, "3x1-zoom"),
            (4, "2x2"),
            (5, "5-grid-zoom"),
            (6, "3x2-zoom"),
            (7, "7-grid-zoom"),
            (8, "4x2-zoom"),
            (300, "3x3"),
        ],
    );
    check_group(
        "1up_top_left_plus",
        &[(6, "1up-top-left-5"), (8, "1up-top-left-7"), (300, "1up-top-left-9")],
    );
    // The slots with a tag are kept free: 3up+4 has five for anybody.
    check_group("3up_plus", &[(5, "3up+4"), (300, "3up+9")]);
    let alone = rows(&layers("highlight-1-responsive", 1, HD));
    assert_eq!(alone[0], ("reserved-1".to_owned(), 0, 0, 360, 360));
}

#[test]
fn the_tight_grid() {
    check_standard("grid-tight", 0, HD, &[(0, 0, 360, 360)]);
    check_standard("grid-tight", 2, HD, &[(0, 90, 180, 180), (180, 90, 180, 180)]);
    check_standard(
        "grid-tight",
        5,
        HD,
        &[
            (0, 60, 120, 120),
            (120, 60, 120, 120),
            (240, 60, 120, 120),
            (60, 180, 120, 120),
            (180, 180, 120, 120),
        ],
    );
    let last = |n: u32| rows(&layers("grid-tight", n, HD))[n as usize - 1].clone();
    let first = |n: u32| rows(&layers("grid-tight", n, HD))[0].clone();
    let at = |n: u32, x, y, side| (format!("standard-{n}"), x, y, side, side);
    assert_eq!((first(6), last(6)), (at(1, 0, 60, 120), at(6, 240, 180, 120)));
    assert_eq!((first(7), last(7)), (at(1, 0, 0, 120), at(7, 120, 240, 120)));
    assert_eq!((first(10), last(10)), (at(1, 0, 45, 90), at(10, 180, 225, 90)));
    assert_eq!((first(17), last(17)), (at(1, 0, 36, 72), at(17, 180, 252, 72)));
    assert_eq!((first(30), last(30)), (at(1, 0, 30, 60), at(30, 300, 270, 60)));
    for (n, columns) in
        [(100, 10), (101, 12), (121, 12), (144, 12), (145, 14), (169, 14), (196, 14), (197, 15), (225, 15)]
    {
        let all = layers("grid-tight", n, HD);
        assert_eq!(all[0].rect.w, 5040 / columns, "{n}");
        assert_eq!(all.len(), n as usize + 2);
    }
    assert_eq!(layers("grid-tight", 300, HD).len(), 227, "no more than 225 are shown");
    // Slots are never smaller than in the other grid.
    for n in 1..=225 {
        assert!(layers("grid-tight", n, HD)[0].rect.w >= layers("grid-responsive", n, HD)[0].rect.w, "{n}");
    }
}

#[test]
fn the_grid_of_a_canvas_higher_than_wide() {
    let cells = |n| rows_by_height(&layers("grid-responsive-mobile", n, UPRIGHT));
    for (least, most, columns, rows) in [
        (1, 1, 1, 1),
        (2, 2, 1, 2),
        (3, 3, 1, 3),
        (4, 4, 2, 2),
        (5, 6, 2, 3),
        (7, 8, 2, 4),
        (9, 12, 3, 4),
        (13, 15, 3, 5),
        (16, 18, 3, 6),
        (19, 24, 4, 6),
        (25, 28, 4, 7),
        (29, 32, 4, 8),
    ] {
        for n in least..=most {
            let cells = cells(n);
            assert_eq!(cells.len(), rows, "{n}");
            assert_eq!(cells[0], columns, "{n}");
            assert_eq!(cells.iter().sum::<usize>(), n as usize, "{n}");
        }
    }
    assert_eq!(cells(5), [2, 2, 1]);
    assert_eq!(cells(9), [3, 3, 2, 1]);
    assert_eq!(cells(20), [4, 4, 4, 4, 3, 1]);
    assert_eq!(cells(100).iter().sum::<usize>(), 32, "no more than 32 are shown");
    check_standard(
        "grid-responsive-mobile",
        5,
        UPRIGHT,
        &[(0, 0, 180, 120), (180, 0, 180, 120), (0, 120, 180, 120), (180, 120, 180, 120), (0, 240, 360, 120)],
    );
    for canvas in [UPRIGHT, HD] {
        let all = layers("grid-responsive-mobile", 5, canvas);
        assert!(all[..all.len() - 2].iter().all(|layer| layer.fit == Fit::Cover));
    }
}

/// How many slots each row has; each row fills the width and all of them the height.
fn rows_by_height(layers: &[Layer]) -> Vec<usize> {
    let slots = &layers[..layers.len() - 2];
    let mut rows: Vec<(u16, u16, usize)> = Vec::new();
    for layer in slots {
        match rows.last_mut() {
            Some((y, width, count)) if *y == layer.rect.y => {
                *width += layer.rect.w;
                *count += 1;
            }
            Some(_) | None => rows.push((layer.rect.y, layer.rect.w, 1)),
        }
    }
    assert!(rows.iter().all(|(_, width, _)| *width == 5040));
    let last = slots.last().unwrap().rect;
    assert_eq!(last.y + last.h, 5040);
    rows.into_iter().map(|(_, _, count)| count).collect()
}

#[test]
fn slots_are_inside_and_apart() {
    for layout in LayoutId::available() {
        for (n, canvas) in (0..=60).flat_map(|n| [(n, HD), (n, UPRIGHT)]) {
            let layers = with_members(&layout, canvas, n);
            let slots = &layers[..layers.len() - 2];
            let has_overlays = ["screen-share", "presenter-overlap", "overlaps"]
                .iter()
                .any(|family| layout.name().starts_with(family));
            for (at, layer) in slots.iter().enumerate() {
                let a = layer.rect;
                assert!(a.w > 0 && a.h > 0 && a.x + a.w <= 5040 && a.y + a.h <= 5040, "{}", layout.name());
                for other in slots[at + 1..].iter().filter(|other| !has_overlays || other.z == layer.z) {
                    let b = other.rect;
                    let apart = a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y;
                    assert!(apart, "{}: {a:?} and {b:?}", layout.name());
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn on_any_canvas_edges_are_even_shared_and_inside(
        width in 320_u32..=3840,
        height in 180_u32..=3840,
        n in 0_u32..=60,
    ) {
        let canvas = Size { width, height };
        for layout in LayoutId::available() {
            let layers = with_members(&layout, canvas, n);
            for layer in &layers {
                let (a, p) = (layer.rect, layer.pixels(canvas));
                prop_assert!((p.x | p.y | p.width | p.height) % 2 == 0);
                prop_assert!(p.width > 0 && p.height > 0);
                prop_assert!(p.x + p.width <= width && p.y + p.height <= height);
                if a.x + a.w == 5040 {
                    prop_assert_eq!(p.x + p.width, width - width % 2);
                }
                if a.y + a.h == 5040 {
                    prop_assert_eq!(p.y + p.height, height - height % 2);
                }
                for other in &layers {
                    let (b, q) = (other.rect, other.pixels(canvas));
                    if a.x + a.w == b.x {
                        prop_assert_eq!(p.x + p.width, q.x);
                    }
                    if a.y + a.h == b.y {
                        prop_assert_eq!(p.y + p.height, q.y);
                    }
                }
            }
        }
    }

    #[test]
    fn no_definition_breaks_the_geometry(
        slots in proptest::collection::vec((0_u64..=720, 0_u64..=720, 0_u64..=720, 0_u64..=720, 1_u64..=720), 1..12),
        width in 320_u32..=3840,
        height in 180_u32..=3840,
    ) {
        let slots: Vec<_> = (1..).zip(slots).map(|(n, (x, y, w, h, of))| serde_json::json!({
            "position": format!("standard-{n}"), "x": format!("{x}/{of}"), "y": format!("{y}/{of}"),
            "w": format!("{w}/{of}"), "h": format!("{h}/{of}"), "overlay": true,
        })).collect();
        if let Ok(layout) = define(&serde_json::json!({"name": "any", "slots": slots}), &[]) {
            let canvas = Size { width, height };
            for layer in with_members(&layout, canvas, 5) {
                let p = layer.pixels(canvas);
                prop_assert!(layer.rect.w > 0 && layer.rect.h > 0);
                prop_assert!(p.x + p.width <= width && p.y + p.height <= height);
            }
        }
    }
}
