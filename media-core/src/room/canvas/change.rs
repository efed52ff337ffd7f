//! From one arrangement to the next, seen as one picture over another.
//!
//! in:  the room has another arrangement; canvases as they were composed; time
//! out: for each frame of the change how much of the old canvas is seen
//!
//! A recording shows what the canvas shows, and is not to have such changes: while there is one, none begins.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::codec::Picture;
use crate::mix::video::Fade;

/// What is kept for the next change, and the one that goes on.
#[derive(Debug, Default)]
pub(super) struct Change {
    /// How long changes take; none when zero.
    takes: Duration,
    latest: Option<Arc<Picture>>,
    running: Option<(Arc<Picture>, Instant)>,
}

impl Change {
    /// From now on changes take so long.
    pub(super) fn set(&mut self, takes: Duration) {
        if self.takes != takes {
            *self = Self { takes, ..Self::default() };
        }
    }

    /// There is another arrangement.
    pub(super) fn begin(&mut self, now: Instant) {
        if let Some(latest) = &self.latest {
            self.running = Some((Arc::clone(latest), now));
        }
    }

    /// No change from here on, until one begins.
    pub(super) fn stop(&mut self) {
        self.running = None;
    }

    /// What is left of the old canvas in a frame at `now`.
    pub(super) fn fade(&mut self, now: Instant) -> Option<Fade> {
        let (from, began) = self.running.as_ref()?;
        let done = now.saturating_duration_since(*began);
        if done >= self.takes {
            self.running = None;
            return None;
        }
        let left = (self.takes - done).as_micros() * 255 / self.takes.as_micros().max(1);
        Some(Fade { from: Arc::clone(from), opacity: u8::try_from(left).unwrap_or(255) })
    }

    /// What viewers see now: where changes are shown, the next one begins with it.
    pub(super) fn on_composed(&mut self, picture: &Arc<Picture>) {
        self.latest = (!self.takes.is_zero()).then(|| Arc::clone(picture));
    }
}

#[cfg(test)]
mod tests {
    use layouts::Size;

    use super::*;
    use crate::codec::Rgb;

    #[test]
    fn the_old_canvas_goes_in_the_time_that_was_said() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let picture = Arc::new(Picture::filled(Size { width: 16, height: 16 }, Rgb(1, 2, 3)));
        let mut it = Change::default();
        it.on_composed(&picture);
        it.begin(at(0));
        assert!(it.fade(at(0)).is_none(), "nobody wants it");
        it.set(Duration::from_millis(200));
        it.begin(at(0));
        assert!(it.fade(at(0)).is_none(), "there is nothing to begin with");
        it.on_composed(&picture);
        it.begin(at(1_000));
        let mut left = |ms: u64| it.fade(at(ms)).map(|fade| fade.opacity);
        assert_eq!(
            [1_000, 1_100, 1_199, 1_200, 1_100].map(&mut left),
            [Some(255), Some(127), Some(1), None, None]
        );
        it.begin(at(2_000));
        it.stop();
        assert!(it.fade(at(2_050)).is_none());
    }
}
