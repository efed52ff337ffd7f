//! However scenes follow each other and whoever still holds earlier canvases, the picture is that of a fresh canvas;
//! and what did not change is not drawn.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, helpers included"
)]

use std::collections::VecDeque;
use std::sync::Arc;

use layouts::{Fit, PixelRect, Size};
use media_core::codec::{Picture, Rgb, Rotation, Yuv};
use media_core::mix::video::{
    Border, Compositor, Content, Fade, Grounds, Image, LayerStyle, Scene, SceneLayer, Work,
};
use proptest::prelude::*;

const CANVAS: Size = Size { width: 96, height: 54 };

/// A few pictures of different shapes and colours, made once.
fn pictures() -> Vec<Arc<Picture>> {
    let sizes = [(32, 18), (24, 32), (64, 48), (96, 54), (33, 17)];
    let picture = |(index, (width, height)): (usize, (u32, u32))| {
        let step = u8::try_from(index).unwrap();
        let y: Vec<u8> =
            (0..width * height).map(|pixel| 30 + step * 20 + u8::try_from(pixel % 90).unwrap()).collect();
        let chroma = vec![90 + step * 15; (width.div_ceil(2) * height.div_ceil(2)) as usize];
        Arc::new(Picture::from_planes(Size { width, height }, &y, &chroma, &chroma).unwrap())
    };
    sizes.into_iter().enumerate().map(picture).collect()
}

fn content(pictures: Vec<Arc<Picture>>) -> impl Strategy<Value = Content> {
    let rotation = prop_oneof![
        Just(Rotation::None),
        Just(Rotation::Quarter),
        Just(Rotation::Half),
        Just(Rotation::ThreeQuarters)
    ];
    let name = prop_oneof![Just("Ada Lovelace"), Just("王"), Just("")];
    let shown = (proptest::sample::select(pictures), rotation)
        .prop_map(|(picture, rotation)| Content::Picture { picture, rotation });
    prop_oneof![
        4 => shown,
        1 => name.clone().prop_map(|name| Content::MuteImage { name: name.into() }),
        1 => name.prop_map(|name| Content::Avatar { name: name.into() }),
        2 => Just(Content::Empty),
    ]
}

fn style() -> impl Strategy<Value = LayerStyle> {
    let border = prop_oneof![3 => Just(None), 1 => (0_u8..60).prop_map(|width| Some(Border { width, color: Rgb(200, 10, 10) }))];
    (border, any::<[bool; 7]>()).prop_map(
        |(border, [talking, hand, frozen, nameless, muted, dimmed, blur_bars])| LayerStyle {
            border,
            talking,
            hand,
            frozen,
            nameless,
            muted,
            dimmed,
            blur_bars,
        },
    )
}

fn layer(pictures: Vec<Arc<Picture>>) -> impl Strategy<Value = SceneLayer> {
    let edge = prop_oneof![Just(0_u32), Just(24), Just(31), Just(48), 0_u32..110];
    let len = prop_oneof![Just(24_u32), Just(48), Just(96), 0_u32..110];
    let rect = (edge.clone(), edge, len.clone(), len).prop_map(|(x, y, width, height)| PixelRect {
        x,
        y,
        width,
        height,
    });
    let fit = prop_oneof![Just(Fit::Contain), Just(Fit::Cover), Just(Fit::Auto)];
    let banner = prop_oneof![2 => Just(None), 1 => Just(Some(Arc::from("Ada")))];
    (rect, fit, content(pictures), banner, style())
        .prop_map(|(rect, fit, content, banner, style)| SceneLayer { rect, fit, content, banner, style })
}

#[derive(Clone, Debug)]
enum Step {
    Same,
    Replace(usize, SceneLayer),
    Swap(usize, usize),
    Push(SceneLayer),
    Pop,
    Background(Rgb),
    Grounds(Grounds),
}

/// A few images, some of which let through what is below.
fn grounds() -> impl Strategy<Value = Grounds> {
    let image = |step: u8| {
        let pixel =
            |at: u32| [30 + step, 90, 200 - step, if at % 7 < u32::from(step) / 10 { 120 } else { 0 }];
        let rgba: Vec<u8> = (0..40 * 20).flat_map(pixel).collect();
        Image::of_rgba(Size { width: 40, height: 20 }, &rgba).unwrap()
    };
    let some = prop_oneof![
        Just(None),
        proptest::sample::select(vec![image(0), image(20), image(60)]).prop_map(Some)
    ];
    (some.clone(), some).prop_map(|(background, foreground)| Grounds { background, foreground })
}

fn step(pictures: Vec<Arc<Picture>>) -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => Just(Step::Same),
        5 => (0_usize..6, layer(pictures.clone())).prop_map(|(at, layer)| Step::Replace(at, layer)),
        2 => (0_usize..6, 0_usize..6).prop_map(|(a, b)| Step::Swap(a, b)),
        2 => layer(pictures).prop_map(Step::Push),
        1 => Just(Step::Pop),
        1 => any::<u8>().prop_map(|shade| Step::Background(Rgb(shade, 40, 90))),
        1 => grounds().prop_map(Step::Grounds),
    ]
}

fn apply(scene: &mut Scene, step: Step) {
    let count = scene.layers.len();
    match step {
        Step::Same => {}
        Step::Replace(at, layer) => {
            if let Some(old) = scene.layers.get_mut(at) {
                *old = layer;
            }
        }
        Step::Swap(a, b) if a < count && b < count => scene.layers.swap(a, b),
        Step::Swap(..) => {}
        Step::Push(layer) => scene.layers.push(layer),
        Step::Pop => drop(scene.layers.pop()),
        Step::Background(color) => scene.background = color,
        Step::Grounds(grounds) => scene.grounds = grounds,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn incremental_is_full(
        steps in proptest::collection::vec((step(pictures()), 0_usize..7), 1..24),
    ) {
        let mut compositor = Compositor::new(CANVAS);
        let mut scene = Scene { background: Rgb(20, 30, 40), grounds: Grounds::default(), layers: Vec::new() };
        // Encoders that are late: each holds its canvas for up to six more frames.
        let mut held: VecDeque<(Arc<Picture>, Vec<u8>)> = VecDeque::new();
        for (step, hold) in steps {
            let before = scene.clone();
            apply(&mut scene, step);
            let drawn = compositor.compose(&scene);
            let fresh = Compositor::new(CANVAS).compose(&scene);
            prop_assert!(drawn.to_rgb() == fresh.to_rgb(), "{before:?}\n  became\n{scene:?}");
            for (picture, pixels) in &held {
                prop_assert!(&picture.to_rgb() == pixels, "a held canvas was drawn on");
            }
            held.push_back((Arc::clone(&drawn), drawn.to_rgb()));
            held.truncate(7);
            while held.len() > hold {
                held.pop_front();
            }
        }
    }
}

fn grid(contents: [Content; 4]) -> Scene {
    let corners = [(0, 0), (48, 0), (0, 26), (48, 26)];
    let layers = corners.into_iter().zip(contents).map(|((x, y), content)| SceneLayer {
        rect: PixelRect { x, y, width: 48, height: 26 },
        fit: Fit::Contain,
        content,
        banner: Some("Ada".into()),
        style: LayerStyle::default(),
    });
    Scene { background: Rgb(0, 0, 0), grounds: Grounds::default(), layers: layers.collect() }
}

fn still(value: u8) -> Content {
    let picture = Picture::filled(Size { width: 32, height: 18 }, Yuv { y: value, u: 128, v: 128 });
    Content::Picture { picture: Arc::new(picture), rotation: Rotation::None }
}

#[test]
fn one_moving_layer_costs_one_layer() {
    let mut compositor = Compositor::new(CANVAS);
    let mut contents = [still(50), still(60), still(70), still(80)];
    compositor.compose(&grid(contents.clone()));
    assert_eq!(compositor.work(), Work { layers_drawn: 4, changed: true });
    for value in 90..100 {
        contents[2] = still(value);
        let picture = compositor.compose(&grid(contents.clone()));
        assert_eq!(compositor.work(), Work { layers_drawn: 1, changed: true });
        assert_eq!(picture.pixel(20, 36).map(|pixel| pixel.y), Some(value));
    }
}

#[test]
fn a_frame_that_comes_and_goes_costs_the_layer_of_who_talks() {
    let mut compositor = Compositor::new(CANVAS);
    let mut scene = grid([still(50), still(60), still(70), still(80)]);
    let quiet = compositor.compose(&scene).to_rgb();
    for talking in [true, false, true, false] {
        scene.layers[1].style.talking = talking;
        let picture = compositor.compose(&scene);
        assert_eq!(compositor.work(), Work { layers_drawn: 1, changed: true });
        assert_eq!(picture.to_rgb() != quiet, talking);
    }
    scene.layers[3].style = LayerStyle { hand: true, frozen: true, ..LayerStyle::default() };
    compositor.compose(&scene);
    assert_eq!(compositor.work(), Work { layers_drawn: 1, changed: true });
}

#[test]
fn a_second_canvas_catches_up_once_while_the_first_is_encoded() {
    let mut compositor = Compositor::new(CANVAS);
    let mut contents = [still(50), still(60), still(70), still(80)];
    let mut encoding = compositor.compose(&grid(contents.clone()));
    let drawn: Vec<usize> = (90..96)
        .map(|value| {
            contents[2] = still(value);
            encoding = compositor.compose(&grid(contents.clone()));
            compositor.work().layers_drawn
        })
        .collect();
    assert_eq!(drawn, [4, 1, 1, 1, 1, 1]);
    drop(encoding);
}

#[test]
fn the_same_scene_is_the_same_picture() {
    let mut compositor = Compositor::new(CANVAS);
    let scene = grid([still(50), still(60), Content::Empty, Content::MuteImage { name: "Ada".into() }]);
    let first = compositor.compose(&scene);
    let second = compositor.compose(&scene.clone());
    assert!(Arc::ptr_eq(&first, &second));
    assert_eq!(compositor.work(), Work { layers_drawn: 0, changed: false });
}

#[test]
fn a_fade_is_another_picture_with_every_frame_and_so_is_the_canvas_behind_it() {
    let mut compositor = Compositor::new(CANVAS);
    let old = compositor.compose(&grid([still(50), still(60), still(70), still(80)]));
    let scene = grid([still(90), still(100), still(110), still(120)]);
    let mut changed = |opacity: Option<u8>| {
        let canvas = compositor.compose(&scene);
        if let Some(opacity) = opacity {
            compositor.fade(&canvas, &Fade { from: Arc::clone(&old), opacity });
        }
        compositor.work().changed
    };
    assert_eq!([Some(200), Some(100), None, None].map(&mut changed), [true, true, true, false]);
}
