//! What a bad network does to a conference, from seeds.

use std::time::Duration;

use media_core::codec::Rgb;

use crate::conference::{Conference, alike};
use crate::meeting::{BLUE, RED, page};
use crate::page::Setup;
use crate::sim::link::Impairment;

const GREEN: Rgb = Rgb(40, 170, 60);

#[test]
fn a_conference_goes_on_through_loss_jitter_reordering_and_duplicates() {
    let bad = Impairment {
        delay: Duration::from_millis(25),
        jitter: Duration::from_millis(30),
        loss_permille: 50,
        duplicate_permille: 30,
    };
    for seed in 0..4 {
        let mut it = Conference::new(seed);
        it.link.impairment = bad;
        let colours = [RED, BLUE, GREEN];
        let tones = [440.0, 880.0, 1320.0];
        for (n, (colour, hz)) in colours.into_iter().zip(tones).enumerate() {
            it.join(Setup { bundled: n % 2 == 0, ..page(colour, hz) });
        }
        it.run_until(10.0, |it| it.pages.iter().all(|member| member.page.is_connected()));
        it.run(3.0);
        let before: Vec<usize> = it.pages.iter().map(|member| member.page.seen.len()).collect();
        let from = it.seconds();
        it.run(4.0);
        for (viewer, before) in before.into_iter().enumerate() {
            let shown = it.pages[viewer].page.seen.len() - before;
            assert!(shown >= 45, "seed {seed}: {shown} of 60 pictures");
            for (member, colour) in colours.into_iter().enumerate() {
                assert!(alike(it.sees(viewer, member), colour), "seed {seed}: {viewer} of {member}");
                if member != viewer {
                    let loud = it.hears(viewer, tones[member], from, from + 3.0);
                    assert!(loud > -25.0, "seed {seed}: {viewer} hears {member} with {loud} dB");
                }
            }
        }
    }
}

#[test]
fn after_a_burst_of_loss_the_picture_is_back_soon() {
    for seed in 0..6 {
        let mut it = Conference::new(seed);
        it.link.impairment.delay = Duration::from_millis(25);
        // Green shows that a picture is of after the burst.
        let camera = |at: f64| if at < 4.0 { RED } else { GREEN };
        let ann = it.join(Setup { camera: Box::new(camera), ..page(RED, 440.0) });
        let bob = it.join(page(BLUE, 880.0));
        it.warm_up();
        it.run(3.5 - it.seconds());
        it.link.impairment.loss_permille = 200;
        it.run(0.5);
        it.link.impairment.loss_permille = 0;
        let took = it.run_until(3.0, |it| alike(it.sees(bob, ann), GREEN));
        assert!(took <= Duration::from_millis(700), "seed {seed}: {took:?}");
    }
}
