//! What a link that becomes narrow leaves of the tiles, in which order, and what comes back.

use std::time::{Duration, Instant};

use layouts::LayoutId;
use media_core::room::{Action, Receive, TileAudio, TileConfig};

use crate::hall::Hall;
use crate::microphone::Sound;
use crate::page::Setup;
use crate::sim::link::Narrow;

const MS: Duration = Duration::from_millis(1);
const CAMERAS: usize = 3;
/// What a step itself may cost: until reports tell of it, from behind the 800 ms that its queue holds; until the key frame of a
/// smaller encoding has come; and until that queue has drained.
const STEP: Duration = Duration::from_secs(2);

struct World {
    hall: Hall,
    viewer: usize,
}

/// Simulcast cameras of 672, 336 and 168 kbit/s, one of them large and the one who speaks, and a viewer of all of them.
fn world(seed: u64) -> World {
    let mut hall = Hall::new(seed);
    hall.act(Action::SetLayout {
        layout: LayoutId::by_name("1up-top-left-5").unwrap(),
        positions: Vec::new(),
    });
    for _ in 0..CAMERAS {
        let receive = Receive::Tiles(TileConfig { video_slots: 1, audio: TileAudio::Mix });
        let speaks = Sound { speaks: true, ..Sound::default() };
        hall.join_with(Setup { encodings: 3, slots: 1 }, speaks, receive);
    }
    let slots = CAMERAS as u8;
    let receive = Receive::Tiles(TileConfig { video_slots: slots, audio: TileAudio::Slots(1) });
    let viewer = hall.join_with(
        Setup { encodings: 0, slots },
        Sound { first_is_slot: true, ..Sound::default() },
        receive,
    );
    hall.connect_all();
    for seat in &mut hall.seats {
        seat.page.microphone.iter_mut().for_each(|microphone| microphone.level = 25);
    }
    // Large enough that everybody is wanted large.
    hall.set_viewport(viewer, 3840, 2160);
    let to = crate::page::address(viewer as u32 + 1).ip();
    hall.link.impairment.delay = 20 * MS;
    hall.link.narrow = Some(Narrow::new(to, 5000, 800 * MS));
    hall.run(8.0);
    World { hall, viewer }
}

impl World {
    fn step(&mut self, kbps: u64, seconds: f64) -> Instant {
        let from = self.hall.now;
        self.hall.link.narrow.as_mut().unwrap().kbps = kbps;
        self.hall.run(seconds);
        from
    }

    /// Encodings of the slots now, the largest layer's first.
    fn shown(&self) -> Vec<u8> {
        let mut tiles: Vec<_> = self.hall.tiles(self.viewer).video.iter().collect();
        tiles.sort_by_key(|tile| std::cmp::Reverse(u32::from(tile.rect.w) * u32::from(tile.rect.h)));
        let slots = tiles.iter().filter_map(|tile| tile.slot);
        let last = |slot: u8| self.slot(usize::from(slot)).shown.last().unwrap().value.encoding;
        slots.map(last).collect()
    }

    fn slot(&self, slot: usize) -> &crate::viewer::SlotView {
        &self.hall.seats[self.viewer].page.slots[slot].2
    }

    /// The longest time a slot stood still in.
    fn longest_gap(&self, from: Instant) -> Duration {
        (0..CAMERAS).map(|slot| self.slot(slot).longest_gap(from, self.hall.now)).max().unwrap()
    }

    /// Packets of sound that never came since.
    fn sound_lost(&self, from: Instant) -> usize {
        let heard = &self.hall.seats[self.viewer].page.voices[0].1;
        let heard: Vec<_> = heard.iter().filter(|packet| packet.at >= from).collect();
        let expected = heard.last().unwrap().seq.wrapping_sub(heard[0].seq) + 1;
        usize::from(expected) - heard.len()
    }
}

#[test]
fn encodings_go_down_one_after_the_other_and_come_back() {
    for seed in [71, 72, 73] {
        let mut world = world(seed);
        assert_eq!(world.shown(), [2, 2, 2], "seed {seed}");

        let from = world.step(500, 20.0);
        let narrow = world.shown();
        println!("seed {seed}: 500 kbit/s {narrow:?}, gap {:?}", world.longest_gap(from + STEP));
        assert!(
            narrow.iter().all(|encoding| *encoding <= 1) && narrow.is_sorted_by(|a, b| a >= b),
            "{narrow:?}"
        );
        assert!(
            world.longest_gap(from + STEP) <= 500 * MS,
            "seed {seed}: {:?}",
            world.longest_gap(from + STEP)
        );
        assert!(world.longest_gap(from) <= STEP, "seed {seed}: {:?}", world.longest_gap(from));
        assert_eq!(world.sound_lost(from + STEP), 0, "seed {seed}");

        let from = world.step(150, 20.0);
        let first = world.hall.tiles(world.viewer).video.iter().find(|tile| tile.encoding.is_some());
        let slot = usize::from(first.expect("the most important one stays").slot.unwrap());
        let gap = world.slot(slot).longest_gap(from + STEP, world.hall.now);
        println!("seed {seed}: 150 kbit/s, gap {gap:?}, {} of sound lost", world.sound_lost(from + STEP));
        assert!(gap <= 500 * MS, "seed {seed}: {gap:?}");
        assert_eq!(world.sound_lost(from + STEP), 0, "seed {seed}");

        let widened = world.step(5000, 0.0);
        while world.shown() != [2, 2, 2] && world.hall.now - widened < Duration::from_secs(20) {
            world.hall.run(0.1);
        }
        let took = world.hall.now - widened;
        println!("seed {seed}: back after {took:?}");
        assert!(took <= Duration::from_secs(12), "seed {seed}: {took:?}");
    }
}
