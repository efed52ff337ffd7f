//! Members see and hear each other, whatever they offered.

use media_core::codec::Rgb;
use media_core::units::VideoCodec::{H264, Vp8};

use crate::conference::{Conference, alike};
use crate::page::Setup;
use crate::sound::tone;

pub const RED: Rgb = Rgb(200, 40, 40);
pub const BLUE: Rgb = Rgb(40, 60, 200);

/// A page with a colour and a tone.
pub fn page(colour: Rgb, hz: f64) -> Setup {
    Setup { camera: Box::new(move |_| colour), microphone: tone(hz, 0.3), ..Setup::default() }
}

/// Ann and Bob, who see each other.
pub fn two(seed: u64) -> (Conference, usize, usize) {
    let mut it = Conference::new(seed);
    let ann = it.join(page(RED, 440.0));
    let bob = it.join(page(BLUE, 880.0));
    it.warm_up();
    (it, ann, bob)
}

#[test]
fn two_members_see_and_hear_each_other() {
    for (bundled, ours, theirs) in [
        (true, vec![H264], vec![H264]),
        (false, vec![H264], vec![H264]),
        (false, vec![Vp8], vec![Vp8]),
        (true, vec![Vp8], vec![H264]),
    ] {
        let case = format!("bundled {bundled}, {ours:?} and {theirs:?}");
        let mut it = Conference::new(1);
        let ann = it.join(Setup { bundled, video: ours, ..page(RED, 440.0) });
        let bob = it.join(Setup { bundled: !bundled, video: theirs, ..page(BLUE, 880.0) });
        it.warm_up();
        let from = it.seconds();
        it.run(1.5);
        for viewer in [ann, bob] {
            assert!(alike(it.sees(viewer, ann), RED), "{case}: {:?}", it.sees(viewer, ann));
            assert!(alike(it.sees(viewer, bob), BLUE), "{case}: {:?}", it.sees(viewer, bob));
        }
        for (listener, own, other) in [(ann, 440.0, 880.0), (bob, 880.0, 440.0)] {
            let louder =
                it.hears(listener, other, from, from + 1.0) - it.hears(listener, own, from, from + 1.0);
            assert!(louder > 20.0, "{case}: {louder} dB");
        }
        for member in &it.pages {
            let noticed = &member.page.noticed;
            // Feedback every 100 ms at the latest, a report on each stream every second.
            assert!(noticed.transport_ccs >= 20 && noticed.report_blocks >= 4, "{case}: {noticed:?}");
            assert_eq!((noticed.nacks, noticed.plis), (0, 0), "{case}: nothing was lost");
        }
        let dropped = it.counters().dropped;
        assert!(dropped.is_empty(), "{case}: {dropped:?}");
    }
}
