//! Who is still there.

use media_core::room::{LegEnd, Liveness};

use crate::conference::{Conference, alike};
use crate::meeting::{BLUE, RED, page};
use crate::page::Setup;

#[test]
fn silence_is_told_step_by_step_and_a_stand_in_takes_the_place_of_the_picture() {
    let mut it = Conference::new(1);
    let ann = it.join(page(RED, 440.0));
    let bob = it.join(page(BLUE, 880.0));
    it.warm_up();
    it.pages[ann].page.cut_off = true;
    let cut = (it.now - it.started).as_secs();
    it.run(4.5);
    assert!(alike(it.sees(bob, ann), RED), "five seconds are not over");
    it.run(1.5);
    assert!(!alike(it.sees(bob, ann), RED), "a stand-in");
    it.run(27.0);
    let told = it.liveness_of(ann);
    let expected = [(cut + 5, Liveness::Stale), (cut + 15, Liveness::Silent), (cut + 30, Liveness::Gone)];
    assert_eq!(told, expected);
    assert_eq!(it.liveness_of(bob), []);

    it.pages[ann].page.cut_off = false;
    it.run(1.0);
    assert_eq!(it.liveness_of(ann).last().unwrap().1, Liveness::Alive);
    it.run(1.0);
    assert!(alike(it.sees(bob, ann), RED) && alike(it.sees(ann, bob), BLUE), "both are back");
}

#[test]
fn who_never_connects_is_given_up() {
    let mut it = Conference::new(2);
    let ann = it.join(page(RED, 440.0));
    it.pages[ann].page.cut_off = true;
    it.run(14.9);
    let leg = it.pages[ann].leg;
    assert_eq!(it.ended(leg), None);
    it.run(0.2);
    assert_eq!(it.ended(leg), Some(&LegEnd::NeverConnected));
    assert_eq!(it.counters().legs, 0);
}

#[test]
fn a_closed_page_ends_its_leg() {
    let mut it = Conference::new(3);
    let ann = it.join(page(RED, 440.0));
    let bob = it.join(page(BLUE, 880.0));
    it.warm_up();
    let now = it.now;
    it.pages[ann].page.close(now);
    it.run(0.1);
    let leg = it.pages[ann].leg;
    assert_eq!(it.ended(leg), Some(&LegEnd::PeerClosed));
    it.run(0.3);
    assert!(
        !alike(it.sees(bob, ann), RED),
        "its place is kept for a page that comes back, without its picture"
    );
}

#[test]
fn the_picture_from_before_a_silence_does_not_come_back_after_it() {
    let mut it = Conference::new(4);
    let camera = |at: f64| if at < 5.0 { RED } else { BLUE };
    let ann = it.join(Setup { camera: Box::new(camera), ..page(RED, 440.0) });
    let bob = it.join(page(BLUE, 880.0));
    it.warm_up();
    it.pages[ann].page.cut_off = true;
    it.run(6.0);
    let (seen, (x, y)) = (it.pages[bob].page.seen.len(), it.centre_of(ann));
    it.pages[ann].page.cut_off = false;
    it.run_until(3.0, |it| alike(it.sees(bob, ann), BLUE));
    assert!(it.pages[bob].page.seen[seen..].iter().all(|seen| !alike(seen.colour(x, y), RED)));
}
