//! Cameras of one layered stream: each viewer gets the layers that suit it, in one unbroken stream.

use std::time::{Duration, Instant};

use media_core::room::Action;
use media_core::units::{VideoCodec, VideoCodecs};

use crate::camera::Coding;
use crate::hall::Hall;
use crate::page::Setup;
use crate::viewer::SlotView;

const MS: Duration = Duration::from_millis(1);
const SINGLE: Setup = Setup { encodings: 1, slots: 3 };
const LAYERED: [Coding; 2] = [Coding::Vp9, Coding::Av1];

fn hall(seed: u64, coding: Coding) -> Hall {
    let mut hall = Hall::new(seed);
    let codecs = [VideoCodec::Vp8, VideoCodec::H264, VideoCodec::Vp9, VideoCodec::Av1];
    hall.act(Action::SetVideoCodecs { codecs: codecs.into_iter().collect::<VideoCodecs>() });
    hall.coding = coding;
    hall
}

fn view(hall: &Hall, viewer: usize, member: usize) -> &SlotView {
    &hall.seats[viewer].page.slots[usize::from(hall.slot_of(viewer, member).unwrap())].2
}

/// Highest layers of the pictures since a moment.
fn tops_since(view: &SlotView, from: Instant) -> Vec<u8> {
    let mut tops: Vec<u8> =
        view.shown.iter().filter(|shown| shown.at >= from).map(|shown| shown.value.encoding).collect();
    tops.dedup();
    tops
}

/// Each picture refers to one that was shown with at least as many layers.
fn assert_decodable(view: &SlotView) {
    for (at, shown) in view.shown.iter().enumerate() {
        let value = shown.value;
        if value.keyframe {
            continue;
        }
        let before = view.shown[..at].iter().rev().find(|before| {
            before.value.member == value.member && before.value.frame == value.frame - u32::from(value.back)
        });
        let before = before.unwrap_or_else(|| panic!("{value:?} refers to nothing that came"));
        assert!(before.value.encoding >= value.encoding, "{value:?} refers to {:?}", before.value);
    }
}

#[test]
fn layers_follow_the_viewport() {
    for coding in LAYERED {
        let mut hall = hall(50, coding);
        let (alice, bob, carol) = (hall.join(SINGLE), hall.join(SINGLE), hall.join(SINGLE));
        hall.connect_all();
        hall.set_viewport(carol, 2560, 1440);
        for (width, height, expected) in [(1280, 720, 1), (2560, 1440, 2), (400, 224, 0), (2560, 1440, 2)] {
            hall.set_viewport(bob, width, height);
            hall.run(4.0);
            let from = hall.now - 2000 * MS;
            assert_eq!(tops_since(view(&hall, bob, alice), from), [expected], "{coding:?} {width}x{height}");
            let tile =
                hall.tiles(bob).video.iter().find(|tile| tile.member == hall.seats[alice].key).unwrap();
            assert_eq!(tile.encoding.unwrap().0, expected, "the client is told");
            assert_eq!(tops_since(view(&hall, carol, alice), from), [2], "others have what they want");
        }
        for viewer in [bob, carol] {
            let view = view(&hall, viewer, alice);
            assert_decodable(view);
            view.assert_described();
            let gap = view.longest_gap(hall.started + 2000 * MS, hall.now);
            assert!(gap <= 100 * MS, "{coding:?}: {gap:?}");
            assert!(view.layered_ids_are_closed(), "{coding:?}");
        }
        assert_eq!(hall.shard.counters().decoded, 0);
        assert_eq!(hall.shard.counters().dropped, []);
        // Nobody asks without end: a key frame for each way up, and the beginning.
        let plis = hall.seats[alice].page.plis_got;
        assert!(plis <= 8, "{coding:?}: {plis}");
    }
}

#[test]
fn losses_on_both_sides_cost_no_layer() {
    for (coding, seed) in LAYERED.into_iter().zip([51, 52]) {
        let mut hall = hall(seed, coding);
        let (alice, bob) = (hall.join(SINGLE), hall.join(SINGLE));
        hall.connect_all();
        hall.run(2.0);
        hall.link.impairment.delay = 15 * MS;
        hall.link.impairment.jitter = 10 * MS;
        hall.link.impairment.loss_permille = 50;
        let from = hall.now;
        for (width, height) in [(1280, 720), (400, 224), (2560, 1440), (1280, 720), (2560, 1440)] {
            hall.set_viewport(bob, width, height);
            hall.run(4.0);
        }
        let view = view(&hall, bob, alice);
        assert_decodable(view);
        let whole = view.described_share();
        assert!(whole > 0.99, "{coding:?}: {whole}");
        let shown = view.shown.iter().filter(|shown| shown.at >= from).count();
        assert!(shown >= 585, "{coding:?}: {shown} of 600");
        let gap = view.longest_gap(from, hall.now);
        assert!(gap < 500 * MS, "{coding:?}: {gap:?}");
    }
}

#[test]
fn one_stream_whoever_is_in_the_slot_and_whatever_it_encodes_with() {
    for coding in LAYERED {
        let mut hall = hall(53, coding);
        let bob = hall.join(Setup { encodings: 1, slots: 1 });
        let first = hall.join(SINGLE);
        hall.connect_all();
        hall.run(2.0);
        let mut gone = first;
        for next in [coding, Coding::Vp8, coding, coding] {
            let key = hall.seats[gone].key;
            hall.act(Action::RemoveMember { member: key });
            hall.coding = next;
            gone = hall.join(SINGLE);
            hall.connect_all();
            // Also the one who knows VP8 and the layered codec alone is seen in the same slot.
            hall.run(3.0);
            assert_eq!(hall.slot_of(bob, gone), Some(0));
            let last = hall.seats[bob].page.slots[0].2.shown.last().unwrap();
            assert_eq!(usize::from(last.value.member), gone + 1, "{next:?}");
        }
        let view = &hall.seats[bob].page.slots[0].2;
        view.assert_described();
        assert!(view.layered_ids_are_closed());
        let mut members: Vec<u8> = view.shown.iter().map(|shown| shown.value.member).collect();
        members.dedup();
        assert_eq!(members.len(), 5, "each came once");
    }
}

#[test]
fn who_cannot_read_descriptors_gets_the_whole() {
    let mut hall = hall(54, Coding::Av1);
    let alice = hall.join(SINGLE);
    hall.undescribed = true;
    let bob = hall.join(SINGLE);
    hall.connect_all();
    hall.set_viewport(bob, 400, 224);
    hall.run(4.0);
    let view = view(&hall, bob, alice);
    assert_eq!(tops_since(view, hall.now - 2000 * MS), [2]);
    assert_decodable(view);
    let tile = hall.tiles(bob).video.iter().find(|tile| tile.member == hall.seats[alice].key).unwrap();
    assert_eq!(tile.encoding.unwrap().0, 2, "and the client is told so");
    assert!(hall.seats[alice].page.plis_got <= 3, "{}", hall.seats[alice].page.plis_got);
}
