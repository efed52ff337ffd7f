//! Which codec job comes next, and whether there are too many.
//!
//! in:  jobs with their classes, workers that are free, time
//! out: the next job; how long jobs waited; what is to be left out
//!
//! Each class may wait for some time; whose time is over first is next. So a canvas comes before the cameras it shows, those
//! before small renditions and these before previews, and yet nobody waits for ever. The queue needs no bound of its own: a
//! decoder, compositor or encoder travels inside its job, so there are never more jobs than codecs.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::overload::{Overload, Window};
use crate::room::{JobClass, Shed};

/// Over which waits are averaged.
const WINDOW: Duration = Duration::from_millis(500);

/// What the workers have done since their start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CodecLoad {
    /// How many there are.
    pub workers: usize,
    /// Time that they were at work, together.
    pub busy: Duration,
    /// Jobs begun, in the order of [`JobClass::ALL`] …
    pub begun: [u64; JobClass::ALL.len()],
    /// … and how long these had waited, together.
    pub waited: [Duration; JobClass::ALL.len()],
    /// What is left out now.
    pub shed: Shed,
}

/// See the module.
#[derive(Debug)]
pub struct Dispatch<T> {
    waiting: [VecDeque<(Instant, T)>; JobClass::ALL.len()],
    load: CodecLoad,
    overload: Overload,
    /// When the window began, and the load then.
    since: (Instant, CodecLoad),
}

impl<T> Dispatch<T> {
    /// For so many workers.
    #[must_use]
    pub fn new(now: Instant, workers: usize) -> Self {
        let load = CodecLoad { workers, ..CodecLoad::default() };
        let waiting = std::array::from_fn(|_| VecDeque::new());
        Self { waiting, load, overload: Overload::default(), since: (now, load) }
    }

    /// A job is to be done.
    pub fn push(&mut self, now: Instant, class: JobClass, job: T) {
        if let Some(queue) = self.waiting.get_mut(class.index()) {
            queue.push_back((now, job));
        }
    }

    /// A worker is free.
    pub fn pop(&mut self, now: Instant) -> Option<T> {
        let due = |class: &JobClass| {
            let (since, _) = self.waiting.get(class.index())?.front()?;
            Some((*since + may_wait(*class), *class))
        };
        let (_, class) = JobClass::ALL.iter().filter_map(due).min_by_key(|(due, _)| *due)?;
        let (since, job) = self.waiting.get_mut(class.index())?.pop_front()?;
        let waited = now.saturating_duration_since(since);
        if let (Some(begun), Some(total)) =
            (self.load.begun.get_mut(class.index()), self.load.waited.get_mut(class.index()))
        {
            *begun += 1;
            *total += waited;
        }
        self.observe(now);
        Some(job)
    }

    /// A worker has finished a job that took so long.
    pub fn finished(&mut self, now: Instant, took: Duration) {
        self.load.busy += took;
        self.observe(now);
    }

    /// Jobs that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.iter().map(VecDeque::len).sum()
    }

    /// None does.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the workers have done.
    #[must_use]
    pub fn load(&self) -> CodecLoad {
        self.load
    }

    fn observe(&mut self, now: Instant) {
        let (began, before) = self.since;
        let length = now.saturating_duration_since(began);
        if length < WINDOW {
            return;
        }
        let classes = [JobClass::Canvas, JobClass::Decode].map(JobClass::index);
        let begun = |load: &CodecLoad| classes.iter().filter_map(|at| load.begun.get(*at)).sum::<u64>();
        let waited =
            |load: &CodecLoad| classes.iter().filter_map(|at| load.waited.get(*at)).sum::<Duration>();
        let jobs = u32::try_from(begun(&self.load) - begun(&before)).unwrap_or(u32::MAX).max(1);
        let time = length.as_nanos() * self.load.workers.max(1) as u128;
        let busy = (self.load.busy - before.busy).as_nanos() * 100 / time.max(1);
        let window = Window {
            waited: (waited(&self.load) - waited(&before)) / jobs,
            busy_percent: u8::try_from(busy).unwrap_or(100).min(100),
        };
        self.overload.observe(now, window);
        self.load.shed = self.overload.shed();
        self.since = (now, self.load);
    }
}

/// How long a job of this class may let others go first.
fn may_wait(class: JobClass) -> Duration {
    match class {
        JobClass::Canvas => Duration::ZERO,
        // Half of what a picture waits for its sound.
        JobClass::Decode => Duration::from_millis(10),
        JobClass::Small => Duration::from_millis(40),
        JobClass::Preview => Duration::from_millis(500),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_canvas_comes_before_cameras_these_before_small_ones_and_nobody_waits_for_ever() {
        let start = Instant::now();
        let mut it = Dispatch::new(start, 1);
        it.push(start, JobClass::Preview, "preview");
        it.push(start, JobClass::Small, "small");
        it.push(start, JobClass::Decode, "camera 1");
        it.push(start, JobClass::Decode, "camera 2");
        it.push(start + 5 * MS, JobClass::Canvas, "canvas");
        let order: Vec<_> = std::iter::from_fn(|| it.pop(start + 6 * MS)).collect();
        assert_eq!(order, ["canvas", "camera 1", "camera 2", "small", "preview"]);
        // One that has waited long goes before those that have just come.
        it.push(start, JobClass::Small, "small");
        it.push(start + 41 * MS, JobClass::Canvas, "canvas");
        assert_eq!(it.pop(start + 42 * MS), Some("small"));
        let load = it.load();
        assert_eq!(load.begun, [1, 2, 2, 1]);
        assert_eq!(load.waited, [MS, 12 * MS, 48 * MS, 6 * MS]);
        assert_eq!((it.len(), it.is_empty()), (1, false));
    }

    /// A worker of which more is asked than there is time for, then half of it.
    #[test]
    fn a_worker_that_cannot_keep_up_says_so_and_takes_it_back() {
        let start = Instant::now();
        let mut it = Dispatch::new(start, 1);
        let (mut now, mut levels) = (start, Vec::new());
        for ms in 0..40_000_u32 {
            now = start + MS * ms;
            // 20 cameras, 10 ms apart; each takes 60 ms at first, later 4.
            if ms % 10 == 0 && it.len() < 20 {
                it.push(now, JobClass::Decode, ());
            }
            let takes = if ms < 10_000 { 60 } else { 4 };
            if ms % takes == 0 && it.pop(now).is_some() {
                it.finished(now, MS * takes);
            }
            if levels.last() != Some(&it.load().shed) {
                levels.push(it.load().shed);
            }
        }
        let up_and_down: Vec<Shed> =
            Shed::ALL.into_iter().chain(Shed::ALL.into_iter().rev().skip(1)).collect();
        assert_eq!(levels, up_and_down);
        assert!(it.load().busy > Duration::from_secs(20) && now > start);
    }
}
