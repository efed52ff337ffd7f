//! Golden pictures of the compositor. `UPDATE_GOLDEN=1` writes them anew; then look at them.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, helpers included"
)]

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::PathBuf;
use std::sync::Arc;

use layouts::{Fit, PixelRect, Size};
use media_core::codec::{Picture, Rgb, Rotation, Yuv};
use media_core::mix::video::{
    Border, Compositor, Content, FontFile, Fonts, Grounds, Image, LayerStyle, Scene, SceneLayer,
};

const CANVAS: Size = Size { width: 320, height: 180 };
const BACKGROUND: Rgb = Rgb(70, 75, 90);
const WHOLE: (u32, u32, u32, u32) = (0, 0, 320, 180);
const LEFT: (u32, u32, u32, u32) = (0, 0, 160, 180);
const RIGHT: (u32, u32, u32, u32) = (160, 0, 160, 180);

/// Red, green, blue and yellow quarters, clockwise from the upper left; a white dot in the upper left corner.
fn quarters(width: u32, height: u32) -> Arc<Picture> {
    let colors = [Rgb(200, 40, 40), Rgb(40, 160, 60), Rgb(50, 70, 200), Rgb(220, 200, 50)];
    let at = |x: u32, y: u32| -> Yuv {
        if x < width / 8 && y < height / 8 {
            return Rgb(255, 255, 255).into();
        }
        let quarter = match (x < width / 2, y < height / 2) {
            (true, true) => 0,
            (false, true) => 1,
            (false, false) => 2,
            (true, false) => 3,
        };
        colors[quarter].into()
    };
    let each = |width: u32, height: u32| (0..height).flat_map(move |y| (0..width).map(move |x| (x, y)));
    let y: Vec<u8> = each(width, height).map(|(x, y)| at(x, y).y).collect();
    let chroma: Vec<Yuv> =
        each(width.div_ceil(2), height.div_ceil(2)).map(|(x, y)| at(2 * x, 2 * y)).collect();
    let (u, v): (Vec<u8>, Vec<u8>) = chroma.iter().map(|color| (color.u, color.v)).unzip();
    Arc::new(Picture::from_planes(Size { width, height }, &y, &u, &v).unwrap())
}

fn flat(color: Rgb) -> Content {
    let picture = Arc::new(Picture::filled(Size { width: 640, height: 360 }, color));
    Content::Picture { picture, rotation: Rotation::None }
}

fn upright(picture: Arc<Picture>) -> Content {
    Content::Picture { picture, rotation: Rotation::None }
}

fn layer((x, y, width, height): (u32, u32, u32, u32), fit: Fit, content: Content) -> SceneLayer {
    let rect = PixelRect { x, y, width, height };
    SceneLayer { rect, fit, content, banner: None, style: LayerStyle::default() }
}

fn named(layer: SceneLayer, name: &str) -> SceneLayer {
    SceneLayer { banner: Some(name.into()), ..layer }
}

fn styled(layer: SceneLayer, style: LayerStyle) -> SceneLayer {
    SceneLayer { style, ..layer }
}

fn draw(layers: Vec<SceneLayer>) -> Arc<Picture> {
    Compositor::new(CANVAS).compose(&Scene { background: BACKGROUND, grounds: Grounds::default(), layers })
}

fn check(name: &str, layers: Vec<SceneLayer>) {
    compare(name, &draw(layers).to_rgb());
}

/// With what is kept of that name.
fn compare(name: &str, drawn: &[u8]) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.png"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let mut encoder =
            png::Encoder::new(BufWriter::new(File::create(&path).unwrap()), CANVAS.width, CANVAS.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.write_header().unwrap().write_image_data(drawn).unwrap();
        return;
    }
    let file = File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut reader = png::Decoder::new(BufReader::new(file)).read_info().unwrap();
    let mut golden = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut golden).unwrap();
    assert_eq!(golden.len(), drawn.len(), "{name}");
    // Scalers for different processors round differently, by one step of luma or chroma.
    let far = golden.iter().zip(drawn).filter(|(golden, drawn)| golden.abs_diff(**drawn) > 6).count();
    assert_eq!(far, 0, "{name}: {far} of {} samples differ from {}", drawn.len(), path.display());
}

#[test]
fn contain_shows_all_between_black_bars() {
    check("contain", vec![layer(WHOLE, Fit::Contain, upright(quarters(640, 480)))]);
}

#[test]
fn cover_fills_and_crops() {
    check("cover", vec![layer(WHOLE, Fit::Cover, upright(quarters(640, 480)))]);
}

#[test]
fn auto_covers_only_what_loses_little() {
    check(
        "auto",
        vec![
            layer((0, 0, 160, 90), Fit::Auto, upright(quarters(640, 400))),
            layer((160, 90, 160, 90), Fit::Auto, upright(quarters(640, 480))),
        ],
    );
}

#[test]
fn the_background_shows_where_nothing_is() {
    check(
        "empty",
        vec![
            layer((0, 0, 160, 90), Fit::Contain, Content::Empty),
            named(layer((160, 90, 160, 90), Fit::Contain, Content::Empty), "nobody"),
            layer((160, 0, 160, 90), Fit::Contain, flat(Rgb(200, 40, 40))),
        ],
    );
}

#[test]
fn names_are_written_on_strips() {
    let color = || flat(Rgb(60, 130, 160));
    check(
        "banner",
        vec![
            named(layer((0, 0, 160, 90), Fit::Contain, color()), "Ada Lovelace"),
            named(
                layer((160, 0, 160, 90), Fit::Contain, color()),
                "A name that is much too long for its slot",
            ),
            named(layer((0, 90, 160, 90), Fit::Contain, color()), "Żółć Дмитрий שלום 王"),
            named(layer((160, 90, 160, 90), Fit::Contain, color()), "\u{202e}\n\u{0}"),
        ],
    );
    check("banner-large", vec![named(layer(WHOLE, Fit::Contain, color()), "Ada Lovelace")]);
}

#[test]
fn names_are_written_in_their_script_and_direction() {
    let color = || flat(Rgb(60, 130, 160));
    let chinese: &[u8] = include_bytes!("fonts/wqy-microhei-three.ttf");
    let fonts = Fonts::with([FontFile { data: Arc::new(chinese), index: 0 }]);
    let layers = vec![
        named(layer((0, 0, 160, 90), Fit::Contain, color()), "שלום עולם (2)"),
        named(layer((160, 0, 160, 90), Fit::Contain, color()), "محمد لا Ada"),
        named(
            layer((0, 90, 160, 90), Fit::Contain, color()),
            "王小明 Wang 🙂 \u{301}a\u{301}\u{301}\u{301}\u{301}\u{301}",
        ),
        layer((160, 90, 160, 90), Fit::Contain, Content::Avatar { name: "王小明".into() }),
    ];
    let scene = Scene { background: BACKGROUND, grounds: Grounds::default(), layers };
    compare("names", &Compositor::with_fonts(CANVAS, fonts).compose(&scene).to_rgb());
    // Without any font all else is there.
    let bare = Compositor::with_fonts(CANVAS, Fonts::only([])).compose(&scene);
    let blue = Yuv::from(Rgb(60, 130, 160)).y;
    for place in [(20, 80), (180, 80), (20, 170)] {
        assert!(bare.pixel(place.0, place.1).is_some_and(|pixel| pixel.y.abs_diff(blue) <= 1), "{place:?}");
    }
    assert!(bare.pixel(240, 130).is_some_and(|pixel| pixel.y > 200), "a person in the place of initials");
}

#[test]
fn members_without_picture_have_a_tile() {
    let mute = |name: &str| Content::MuteImage { name: name.into() };
    let avatar = |name: &str| Content::Avatar { name: name.into() };
    check(
        "mute-image",
        vec![
            layer(LEFT, Fit::Contain, mute("Ada Lovelace")),
            named(layer((160, 0, 160, 90), Fit::Contain, mute("Grace")), "Grace"),
            layer((160, 90, 80, 90), Fit::Contain, avatar("王小明")),
            layer((240, 90, 80, 46), Fit::Contain, avatar("Blaise Pascal")),
            layer((240, 136, 40, 44), Fit::Contain, mute("")),
            layer((280, 136, 4, 44), Fit::Contain, mute("x")),
        ],
    );
    check("mute-image-large", vec![layer(WHOLE, Fit::Contain, mute("Ada Lovelace"))]);
}

#[test]
fn borders_frames_and_marks_lie_over_the_picture() {
    let border = |width| Some(Border { width, color: Rgb(230, 230, 235) });
    let plain = LayerStyle::default();
    let picture = || upright(quarters(640, 360));
    check(
        "marks",
        vec![
            styled(
                layer((0, 0, 160, 90), Fit::Contain, picture()),
                LayerStyle { border: border(5), ..plain },
            ),
            styled(
                named(layer((160, 0, 160, 90), Fit::Contain, picture()), "Ada"),
                LayerStyle { talking: true, hand: true, ..plain },
            ),
            styled(
                named(layer((0, 90, 160, 90), Fit::Contain, picture()), "Grace"),
                LayerStyle { border: border(8), talking: true, frozen: true, ..plain },
            ),
            styled(
                layer((160, 90, 160, 90), Fit::Contain, Content::Avatar { name: "Blaise Pascal".into() }),
                LayerStyle { border: border(8), hand: true, frozen: true, nameless: true, ..plain },
            ),
        ],
    );
    let all = LayerStyle { border: border(6), talking: true, hand: true, frozen: true, ..plain };
    check("marks-large", vec![styled(named(layer(WHOLE, Fit::Cover, picture()), "Ada Lovelace"), all)]);
}

/// A gradient, opaque below its diagonal.
fn gradient(opaque: bool) -> Arc<Image> {
    let pixel = |(x, y): (u8, u8)| {
        let is_opaque = opaque || u16::from(x) < 2 * u16::from(y);
        [x, 255 - 2 * y, 120, if is_opaque { 255 } else { 0 }]
    };
    let places = (0..100).flat_map(|y| (0..200).map(move |x| (x, y)));
    let rgba: Vec<u8> = places.flat_map(pixel).collect();
    Image::of_rgba(Size { width: 200, height: 100 }, &rgba).unwrap()
}

#[test]
fn images_lie_behind_and_over_all_layers_and_stand_for_members() {
    let corner = Image::of_rgba(
        Size { width: 4, height: 2 },
        &[[0; 12], [0; 12]]
            .concat()
            .into_iter()
            .chain([255, 255, 255, 200, 255, 40, 40, 255])
            .collect::<Vec<u8>>(),
    );
    let grounds = Grounds { background: Some(gradient(true)), foreground: corner };
    let muted = LayerStyle { muted: true, ..LayerStyle::default() };
    let still = Content::Still { image: gradient(false) };
    let layers = vec![
        layer((0, 0, 160, 90), Fit::Contain, upright(quarters(640, 360))),
        styled(named(layer((176, 10, 128, 72), Fit::Contain, still), "Ada"), muted),
        styled(
            named(layer((16, 100, 128, 72), Fit::Contain, upright(quarters(640, 360))), "Grace"),
            LayerStyle { dimmed: true, ..muted },
        ),
        layer((160, 90, 160, 90), Fit::Contain, Content::Empty),
    ];
    let scene = Scene { background: BACKGROUND, grounds, layers };
    let mut compositor = Compositor::new(CANVAS);
    compare("images", &compositor.compose(&scene).to_rgb());
}

#[test]
fn bars_may_be_the_picture_blurred() {
    let blurred = LayerStyle { blur_bars: true, ..LayerStyle::default() };
    let turned = Content::Picture { picture: quarters(320, 240), rotation: Rotation::Quarter };
    check(
        "blur-bars",
        vec![
            styled(layer(LEFT, Fit::Contain, upright(quarters(640, 360))), blurred),
            styled(layer((160, 0, 160, 90), Fit::Contain, upright(quarters(240, 320))), blurred),
            styled(layer((160, 90, 160, 90), Fit::Contain, turned), blurred),
        ],
    );
}

#[test]
fn an_empty_slot_has_no_border_and_no_mark() {
    let style = LayerStyle {
        border: Some(Border { width: 9, color: Rgb(255, 0, 0) }),
        talking: true,
        hand: true,
        ..LayerStyle::default()
    };
    let drawn = draw(vec![styled(layer(WHOLE, Fit::Contain, Content::Empty), style)]);
    let background = Yuv::from(BACKGROUND);
    for at in [(0, 0), (160, 1), (300, 20)] {
        assert_eq!(drawn.pixel(at.0, at.1), Some(background), "{at:?}");
    }
}

#[test]
fn later_layers_cover_earlier_ones() {
    check(
        "overlay",
        vec![
            named(layer(WHOLE, Fit::Contain, flat(Rgb(60, 130, 160))), "below"),
            layer((200, 20, 96, 54), Fit::Cover, upright(quarters(640, 360))),
        ],
    );
}

#[test]
fn pictures_are_turned_clockwise() {
    let turned = |rotation| Content::Picture { picture: quarters(320, 240), rotation };
    check(
        "rotation",
        vec![
            layer((0, 0, 80, 90), Fit::Contain, turned(Rotation::None)),
            layer((80, 0, 80, 90), Fit::Contain, turned(Rotation::Quarter)),
            layer((0, 90, 80, 90), Fit::Contain, turned(Rotation::Half)),
            layer((80, 90, 80, 90), Fit::Contain, turned(Rotation::ThreeQuarters)),
            layer(RIGHT, Fit::Cover, turned(Rotation::Quarter)),
        ],
    );
}

#[test]
fn the_dot_of_a_turned_picture_is_where_the_turn_puts_it() {
    let dot = |rotation| {
        let content = Content::Picture { picture: quarters(320, 240), rotation };
        let drawn = draw(vec![layer(WHOLE, Fit::Contain, content)]);
        let is_dot = |x, y| drawn.pixel(x, y).is_some_and(|pixel| pixel.y > 220);
        // Upright 4:3 is shown on 240x180 from 40; turned on 136x180 from 92.
        [(50, 8), (269, 8), (269, 171), (50, 171), (97, 8), (221, 8), (221, 171), (97, 171)]
            .into_iter()
            .position(|(x, y)| is_dot(x, y))
    };
    assert_eq!(dot(Rotation::None), Some(0));
    assert_eq!(dot(Rotation::Quarter), Some(5));
    assert_eq!(dot(Rotation::Half), Some(2));
    assert_eq!(dot(Rotation::ThreeQuarters), Some(7));
}

#[test]
fn odd_and_outside_rectangles_are_cut() {
    let drawn = draw(vec![
        layer((301, 161, 500, 500), Fit::Cover, flat(Rgb(255, 0, 0))),
        layer((1000, 1000, 10, 10), Fit::Cover, flat(Rgb(255, 0, 0))),
        layer((u32::MAX, 0, u32::MAX, 9), Fit::Cover, flat(Rgb(255, 0, 0))),
        layer((10, 10, 1, 1), Fit::Cover, flat(Rgb(255, 0, 0))),
    ]);
    // An area average may be one step darker than what it averages.
    let check = |(x, y): (u32, u32), color: Rgb| {
        let (pixel, color) = (drawn.pixel(x, y).unwrap(), Yuv::from(color));
        assert!(pixel.y.abs_diff(color.y) <= 1, "{pixel:?} at {x},{y}");
    };
    check((299, 170), BACKGROUND);
    check((300, 160), Rgb(255, 0, 0));
    check((319, 179), Rgb(255, 0, 0));
    check((10, 10), BACKGROUND);
}

#[test]
fn an_odd_canvas_keeps_its_last_lines_in_the_background() {
    let mut compositor = Compositor::new(Size { width: 321, height: 181 });
    let layers = vec![layer((0, 0, 321, 181), Fit::Cover, flat(Rgb(255, 255, 255)))];
    let drawn = compositor.compose(&Scene { background: BACKGROUND, grounds: Grounds::default(), layers });
    assert_ne!(drawn.pixel(319, 179).map(|pixel| pixel.y), Some(Yuv::from(BACKGROUND).y));
    assert_eq!(drawn.pixel(320, 0).map(|pixel| pixel.y), Some(Yuv::from(BACKGROUND).y));
    assert_eq!(drawn.pixel(0, 180).map(|pixel| pixel.y), Some(Yuv::from(BACKGROUND).y));
}
