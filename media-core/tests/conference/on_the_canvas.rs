//! What the room says about who is on the canvas, and how large that is.

use layouts::{LayoutId, Look, Overlays, Position, Size};
use media_core::codec::Rgb;
use media_core::room::{Action, RoomConfig};
use media_core::units::MediaKind;
use media_core::units::VideoCodec::{H264, Vp8};

use crate::conference::{CANVAS, Conference, alike};
use crate::meeting::{BLUE, RED, page, two};
use crate::page::Setup;

#[test]
fn who_is_on_hold_is_neither_seen_nor_heard_and_comes_back() {
    let (mut it, ann, bob) = two(16);
    let key = it.pages[bob].key;
    it.act(Action::SetPositions { positions: vec![(key, Position::OffCanvas)] });
    it.act(Action::SetAudioMuted { member: key, muted: true });
    it.run(3.0);
    let from = it.seconds();
    it.run(0.8);
    assert!(
        !it.pages[ann].page.seen.last().unwrap().has(BLUE) && it.hears(ann, 880.0, from, from + 0.6) < -60.0
    );
    assert!(it.hears(bob, 440.0, from, from + 0.6) > -20.0, "it goes on receiving");
    it.act(Action::SetPositions { positions: vec![(key, Position::Auto)] });
    it.act(Action::SetAudioMuted { member: key, muted: false });
    it.run(0.5);
    let from = it.seconds();
    it.run(0.8);
    assert!(alike(it.sees(ann, bob), BLUE) && it.hears(ann, 880.0, from, from + 0.6) > -20.0);
}

#[test]
fn muted_cameras_leave_the_canvas_where_the_room_hides_them() {
    let (mut it, ann, bob) = two(17);
    let key = it.pages[bob].key;
    it.act(Action::SetHideVideoMuted { hide: true });
    it.act(Action::SetVideoMuted { member: key, muted: true });
    it.run(3.0);
    let shown = |it: &Conference| it.placed().layers.iter().filter(|layer| layer.source.is_some()).count();
    assert_eq!((shown(&it), it.placed().layers.len()), (1, 3), "Ann has the canvas for herself");
    it.act(Action::SetHideVideoMuted { hide: false });
    it.run(0.5);
    assert_eq!(shown(&it), 2, "the mute image");
    it.act(Action::SetHideVideoMuted { hide: true });
    it.act(Action::SetVideoMuted { member: key, muted: false });
    it.run(1.0);
    assert!(alike(it.sees(ann, bob), BLUE));
}

#[test]
fn a_raised_hand_comes_first_where_the_room_says_so() {
    let layout = LayoutId::by_name("highlight-1-responsive").unwrap();
    let mut it = Conference::with(18, RoomConfig { canvas: CANVAS, fps: 15, layout });
    let ann = it.join(page(RED, 440.0));
    let bob = it.join(Setup { tracks: vec![MediaKind::Video], ..page(BLUE, 880.0) });
    it.warm_up();
    assert_eq!(it.layer_of(ann).position, Position::Reserved(1));
    let key = it.pages[bob].key;
    it.act(Action::SetPrioritizeHandraise { on: true });
    it.act(Action::SetHandRaised { member: key, raised: true });
    it.run(2.5);
    assert_eq!(it.layer_of(bob).position, Position::Reserved(1));
    assert!(alike(it.sees(ann, bob), BLUE) && alike(it.sees(ann, ann), RED));
}

#[test]
fn canvases_of_full_size_keep_their_clock() {
    for (fps, codec) in [(20, H264), (30, Vp8)] {
        let canvas = Size { width: 1920, height: 1080 };
        let mut it = Conference::with(19, RoomConfig { canvas, fps, layout: LayoutId::GRID_RESPONSIVE });
        let ann = it.join(Setup { video: vec![codec], ..page(RED, 440.0) });
        let bob = it.join(Setup { video: vec![codec], ..page(BLUE, 880.0) });
        it.warm_up();
        let begun = it.pages[ann].page.seen.len();
        it.run(1.0);
        let seen = &it.pages[ann].page.seen[begun..];
        assert!(seen.len().abs_diff(fps as usize) <= 1, "{} pictures at {fps}", seen.len());
        assert!(seen.iter().all(|seen| seen.size() == canvas));
        assert!(alike(it.sees(ann, bob), BLUE) && alike(it.sees(bob, ann), RED));
    }
}

#[test]
fn a_border_and_a_raised_hand_are_seen_where_the_room_shows_them() {
    let (mut it, ann, bob) = two(21);
    let key = it.pages[ann].key;
    let border_color = layouts::Rgb(220, 60, 220);
    let look = Look { border: 12, border_color, ..Look::default() };
    it.act(Action::SetLook { look });
    it.act(Action::SetHandRaised { member: key, raised: true });
    it.run(1.0);
    let place = it.layer_of(ann).pixels(CANVAS);
    // The mark is 16 pixels wide, and 4 from the corner inside the border.
    let (x, y) = (place.x + place.width - 24, place.y + 24);
    let seen = |it: &Conference, x, y| it.pages[bob].page.seen.last().unwrap().colour(x, y);
    assert!(alike(seen(&it, place.x + 4, place.y + 40), Rgb(220, 60, 220)), "the border");
    assert!(!alike(seen(&it, x, y), RED), "the hand");
    assert!(alike(it.sees(bob, ann), RED));
    let overlays = Overlays { hand: false, ..Overlays::default() };
    it.act(Action::SetLook { look: Look { overlays, ..look } });
    it.run(0.5);
    assert!(alike(seen(&it, x, y), RED), "{:?}", seen(&it, x, y));
}

#[test]
fn a_camera_without_a_place_is_not_decoded_and_is_back_at_once() {
    let (mut it, ann, bob) = two(19);
    let key = it.pages[bob].key;
    it.act(Action::SetPositions { positions: vec![(key, Position::OffCanvas)] });
    it.run(4.0);
    let before = it.counters().decoded;
    it.run(2.0);
    let decoded = it.counters().decoded - before;
    assert!((25..=32).contains(&decoded), "{decoded} pictures of Ann alone");
    let from = it.pages[ann].page.seen.len();
    it.act(Action::SetPositions { positions: vec![(key, Position::Auto)] });
    it.run(1.0);
    // Its last picture stands there until the first new one comes: nothing else is ever seen in its place.
    let (x, y) = it.centre_of(bob);
    let seen = &it.pages[ann].page.seen[from..];
    let late = seen.iter().filter(|seen| !alike(seen.colour(x, y), BLUE)).count();
    assert!(late <= 4, "{late} of {} pictures", seen.len());
    assert!(it.counters().decoded - before > decoded + 25);
}

#[test]
fn a_camera_is_asked_for_what_its_place_deserves() {
    let (mut it, ann, bob) = two(20);
    let latest =
        |it: &Conference, member: usize| it.pages[member].page.noticed.ceilings.last().map(|it| it.0 / 1000);
    it.run(5.0);
    // Two of half the width and height of a small canvas.
    assert_eq!((latest(&it, ann), latest(&it, bob)), (Some(300), Some(300)));
    let name = LayoutId::by_name("1x1").unwrap();
    let key = it.pages[bob].key;
    let positions = vec![(key, Position::FullScreen)];
    it.act(Action::SetLayout { layout: name, positions });
    it.run(1.0);
    assert_eq!((latest(&it, ann), latest(&it, bob)), (Some(300), Some(362)));
}

#[test]
fn still_cameras_cost_no_encodes_and_who_joins_sees_them_at_once() {
    let still = |colour, hz| Setup { still: true, video: vec![Vp8], ..page(colour, hz) };
    let mut it = Conference::new(23);
    let ann = it.join(still(RED, 440.0));
    let bob = it.join(still(BLUE, 880.0));
    it.warm_up();
    it.run(2.0);
    let (frames, encoded) = (it.counters().canvas_frames, it.counters().encoded);
    it.run(2.0);
    let (frames, encoded) = (it.counters().canvas_frames - frames, it.counters().encoded - encoded);
    assert!(frames >= 28, "the clock goes on: {frames}");
    assert!((12..=21).contains(&encoded), "ten a second at most: {encoded}");
    let cat = it.join(Setup { still: true, tracks: vec![MediaKind::Video], ..still(BLUE, 660.0) });
    it.run_until(3.0, |it| it.pages[cat].page.is_connected());
    it.run(0.5);
    assert!(!it.pages[cat].page.seen.is_empty(), "a picture of a canvas that stands still");
    assert!(alike(it.sees(ann, bob), BLUE) && alike(it.sees(ann, ann), RED));
}
