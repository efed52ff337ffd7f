//! Too little time, and nothing to do.

use std::time::Duration;

use layouts::{LayoutId, Position};
use media_core::room::{Action, Counters, MemberConfig, MemberKind, Receive, RoomConfig};
use media_core::sdp::Offer;
use media_core::units::VideoCodec::Vp8;
use media_core::units::{LegKey, MemberKey, RoomKey};

use crate::conference::{CANVAS, Conference, alike};
use crate::meeting::{BLUE, RED, page};
use crate::page::{Page, Setup};

#[test]
fn slow_codecs_cost_canvas_frames_and_nothing_else() {
    let mut it = Conference::new(1);
    let ann = it.join(page(RED, 440.0));
    let bob = it.join(Setup { video: vec![Vp8], ..page(BLUE, 880.0) });
    it.warm_up();
    it.codec_jobs_take(Duration::from_millis(100));
    it.run(5.0);
    let (before, from) = (it.counters(), it.seconds());
    it.run(3.0);
    let after = it.counters();
    let left_out = |it: &Counters| it.canvas_frames_late + it.shed_frames;
    assert!(left_out(&after) > left_out(&before) + 10, "{after:?}");
    assert!(after.canvas_frames > before.canvas_frames + 3, "{after:?}");
    assert_eq!(after.audio_out.packets - before.audio_out.packets, 300, "two listeners, 50 packets a second");
    assert!(it.hears(bob, 440.0, from, from + 2.0) > -20.0);
    // Two decoders, one compositor, two encoders.
    assert!(it.most_jobs() <= 5, "{} jobs at a time", it.most_jobs());
    assert!(alike(it.sees(bob, ann), RED));

    it.codec_jobs_take(Duration::ZERO);
    // Step by step what was left out is taken back.
    it.run(14.0);
    let seen = it.pages[bob].page.seen.len();
    it.run(1.0);
    assert!(it.pages[bob].page.seen.len() >= seen + 14, "all is well again");
}

#[test]
fn rooms_without_legs_wake_nobody() {
    let mut it = Conference::new(2);
    for room in 100..150 {
        it.act_in(RoomKey(room), open());
        it.act_in(RoomKey(room), member(room));
    }
    it.run(0.5);
    it.wakes = 0;
    it.run(10.0);
    assert_eq!(it.wakes, 0);
}

#[test]
fn many_rooms_share_their_wakes() {
    let mut it = Conference::new(3);
    for room in 100..150 {
        it.run(0.0037);
        it.act_in(RoomKey(room), open());
        it.act_in(RoomKey(room), member(room));
        let page = Page::new(it.now, room, Setup::default());
        let offer = Box::new(Offer::parse(&page.offer()).unwrap());
        let leg = LegKey(room);
        it.act_in(
            RoomKey(room),
            Action::OpenLeg { member: MemberKey(room), leg, offer, bundle: true, receive: Receive::Canvas },
        );
    }
    it.run(0.5);
    it.wakes = 0;
    it.run(2.0);
    assert!(it.wakes <= 2 * 52, "{} wakes in two seconds", it.wakes);
}

#[test]
fn a_conference_wakes_for_its_frames_and_duties_only() {
    let mut it = Conference::new(4);
    it.join(page(RED, 440.0));
    it.join(page(BLUE, 880.0));
    it.warm_up();
    it.run(2.0);
    it.wakes = 0;
    it.run(4.0);
    // 50 looks at feedback and 15 frames a second.
    assert!((200..=4 * 70).contains(&it.wakes), "{} wakes in four seconds", it.wakes);
}

fn open() -> Action {
    Action::OpenRoom(RoomConfig { canvas: CANVAS, fps: 15, layout: LayoutId::GRID_RESPONSIVE })
}

fn member(room: u32) -> Action {
    let config = MemberConfig {
        name: "Member".into(),
        kind: MemberKind::Member,
        parent: None,
        audience: false,
        audio_muted: false,
        video_muted: false,
        position: Position::Auto,
    };
    Action::AddMember { member: MemberKey(room), config }
}
