//! Viewers of one canvas whose links differ.

use layouts::{LayoutId, Size};
use media_core::room::RoomConfig;

use crate::conference::{Conference, alike};
use crate::meeting::{BLUE, RED, page};
use crate::page::Setup;

const HD: Size = Size { width: 1280, height: 720 };
const SMALL: Size = Size { width: 640, height: 360 };

fn conference(seed: u64) -> Conference {
    Conference::with(seed, RoomConfig { canvas: HD, fps: 15, layout: LayoutId::GRID_RESPONSIVE })
}

/// A link of so many kbit/s.
fn on(kbps: impl Fn(f64) -> u64 + 'static) -> Option<Box<dyn Fn(f64) -> u64>> {
    Some(Box::new(kbps))
}

#[test]
fn a_narrow_viewer_gets_a_small_canvas_until_its_link_widens_and_nobody_else_notices() {
    let mut it = conference(1);
    let ann = it.join(Setup { downlink: on(|_| 20_000), ..page(RED, 440.0) });
    let bob = it.join(Setup { downlink: on(|at| if at < 8.0 { 500 } else { 20_000 }), ..page(BLUE, 880.0) });
    it.warm_up();
    let size = |it: &Conference, member: usize| it.pages[member].page.seen.last().unwrap().size();
    it.run_until(5.0, |it| size(it, bob) == SMALL);
    assert_eq!(it.counters().renditions, 2);
    assert_eq!(size(&it, ann), HD);
    assert!(alike(it.sees(ann, bob), BLUE));

    it.run(8.0 - it.seconds());
    assert_eq!(size(&it, bob), SMALL);
    let before: Vec<_> = it.pages.iter().map(|member| member.page.seen.len()).collect();
    let took = it.run_until(8.0, |it| size(it, bob) == HD);
    // Fifteen pictures a second at both, through the move.
    for (member, before) in it.pages.iter().zip(before) {
        let pictures = (member.page.seen.len() - before) as f64;
        assert!(pictures >= took.as_secs_f64() * 15.0 - 3.0, "{pictures} in {took:?}");
    }
    it.run(5.0);
    assert_eq!(it.counters().renditions, 1, "nobody needs the small one any more");
    assert!(it.pages[ann].page.seen.iter().all(|seen| seen.size() == HD), "Ann never saw another");
    assert!(it.counters().probes > 0 && it.counters().padding_out.packets > 0);
}

#[test]
fn on_the_narrowest_link_the_sound_goes_on() {
    let mut it = conference(2);
    it.join(Setup { downlink: on(|_| 20_000), ..page(RED, 440.0) });
    let bob = it.join(Setup { downlink: on(|_| 110), ..page(BLUE, 880.0) });
    it.warm_up();
    it.run(10.0 - it.seconds());
    let from = it.seconds();
    it.run(5.0);
    let loud = it.hears(bob, 440.0, from, from + 4.0);
    assert!(loud > -20.0, "{loud} dB");
    let sounds = it.pages[bob].page.noticed.sounds.len();
    it.run(2.0);
    let came = it.pages[bob].page.noticed.sounds.len() - sounds;
    assert!(came >= 95, "{came} of 100 packets of sound");
}
