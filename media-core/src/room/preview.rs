//! Small still pictures of the canvas, for lists of rooms.
//!
//! in:  somebody asks; the canvas that was composed
//! out: a job that makes a JPEG of it; while somebody asks, a reason to compose at all
//!
//! A canvas that somebody watches is composed anyway, and the next one is taken. One that nobody watches is composed once
//! a second for as long as previews are asked for and a little longer; its cameras are decoded meanwhile, as for a viewer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use layouts::Size;

use super::job::Job;
use crate::codec::Picture;
use crate::units::RoomKey;

/// How long one question keeps a canvas composed that nobody watches.
const INTEREST: Duration = Duration::from_secs(10);
/// Cameras that were not decoded need so long to be sent a key frame.
const WARM_UP: Duration = Duration::from_millis(800);
/// Longer side in pixels.
const LONGER_SIDE: u32 = 320;

/// Whether a picture is wanted, and whether one is being made.
#[derive(Debug, Default)]
pub(super) struct Previews {
    /// From then on the next canvas is taken.
    wanted_from: Option<Instant>,
    interest_until: Option<Instant>,
    is_away: bool,
}

impl Previews {
    /// Somebody asks; `composed` says whether the canvas is composed for others.
    pub(super) fn ask(&mut self, now: Instant, composed: bool) {
        let warm = composed || self.is_of_interest(now);
        let from = if warm { now } else { now + WARM_UP };
        self.wanted_from.get_or_insert(from);
        self.interest_until = Some(now + INTEREST);
    }

    /// Somebody has asked lately.
    pub(super) fn is_of_interest(&self, now: Instant) -> bool {
        self.interest_until.is_some_and(|until| now < until)
    }

    /// As far as is known without looking at the time.
    pub(super) fn keeps_composing(&self) -> bool {
        self.interest_until.is_some()
    }

    /// Forgets interest that has ended.
    pub(super) fn settle(&mut self, now: Instant) {
        if !self.is_of_interest(now) {
            self.interest_until = None;
        }
    }

    /// The canvas was composed.
    pub(super) fn on_composed(&mut self, now: Instant, room: RoomKey, picture: &Arc<Picture>) -> Option<Job> {
        if self.is_away || self.wanted_from.is_none_or(|from| from > now) {
            return None;
        }
        self.wanted_from = None;
        self.is_away = true;
        Some(Job::Preview { room, picture: Arc::clone(picture) })
    }

    /// The job is back.
    pub(super) fn on_made(&mut self) {
        self.is_away = false;
    }
}

/// The size of a preview of a canvas: the same shape, never larger, even.
pub(super) fn size_of(canvas: Size) -> Size {
    let longer = canvas.width.max(canvas.height).max(1);
    let side = |side: u32| {
        let scaled = u64::from(side) * u64::from(LONGER_SIDE.min(longer)) / u64::from(longer);
        u32::try_from(scaled / 2 * 2).unwrap_or(2).max(2)
    };
    Size { width: side(canvas.width), height: side(canvas.height) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Rgb;

    #[test]
    fn a_preview_has_the_shape_of_its_canvas() {
        let check = |canvas: (u32, u32), expected: (u32, u32)| {
            let size = size_of(Size { width: canvas.0, height: canvas.1 });
            assert_eq!((size.width, size.height), expected, "{canvas:?}");
        };
        check((1280, 720), (320, 180));
        check((1080, 1920), (180, 320));
        check((96, 54), (96, 54));
        check((1920, 64), (320, 10));
    }

    #[test]
    fn one_picture_is_made_for_all_who_ask_meanwhile() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let picture = Arc::new(Picture::filled(Size { width: 16, height: 16 }, Rgb(1, 2, 3)));
        let mut it = Previews::default();
        let composed = |it: &mut Previews, ms: u64| it.on_composed(at(ms), RoomKey(1), &picture).is_some();
        assert!(!composed(&mut it, 0), "nobody asked");
        it.ask(at(0), true);
        it.ask(at(10), true);
        assert!(composed(&mut it, 20) && !composed(&mut it, 30));
        it.ask(at(40), true);
        assert!(!composed(&mut it, 50), "one at a time");
        it.on_made();
        assert!(composed(&mut it, 60));
        it.on_made();
        it.settle(at(9_000));
        assert!(it.keeps_composing());
        it.settle(at(20_000));
        assert!(!it.keeps_composing());
        // Nobody watches: cameras need their key frames first.
        it.ask(at(30_000), false);
        assert!(!composed(&mut it, 30_700) && composed(&mut it, 30_800));
    }
}
