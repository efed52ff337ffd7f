//! The codec workers: a bounded pool that decodes, composes and encodes by value.
//!
//! in:  jobs of all shards; out: each finished job to its shard, with the CPU time it took
//!
//! Which job is next, and what is left out when there are too many, is [`Dispatch`]'s to say.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use super::EndsTheProcess;
use super::dispatch::{CodecLoad, Dispatch};
use super::mail::{Mail, ShardAddress};
use super::sys;
use crate::room::{Job, JobDone, Shed};

/// How much lower than packets and audio; a late picture is dropped, a late packet is a fault.
const NICE: i32 = 5;

/// What the workers share.
struct Pool {
    state: Mutex<State>,
    ready: Condvar,
    /// Level of [`Shed`]: the shards look at it in every turn.
    shed: AtomicU8,
}

struct State {
    dispatch: Dispatch<(ShardAddress, Job)>,
    closed: bool,
}

/// The way to the workers, of each shard; they end when the last one is gone.
#[derive(Clone)]
pub(super) struct JobQueue(Arc<Closes>);

/// Looks at the workers from outside.
#[derive(Clone)]
pub(super) struct CodecGauge(Arc<Pool>);

struct Closes(Arc<Pool>);

impl JobQueue {
    pub(super) fn send(&self, shard: ShardAddress, job: Job) {
        let pool = &self.0.0;
        pool.state().dispatch.push(Instant::now(), job.class(), (shard, job));
        pool.ready.notify_one();
    }

    /// What is to be left out now.
    pub(super) fn shed(&self) -> Shed {
        Shed::at(self.0.0.shed.load(Ordering::Relaxed))
    }
}

impl CodecGauge {
    pub(super) fn load(&self) -> CodecLoad {
        self.0.state().dispatch.load()
    }
}

impl Drop for Closes {
    fn drop(&mut self) {
        self.0.state().closed = true;
        self.0.ready.notify_all();
    }
}

impl Pool {
    /// A worker that panics ends the process, so nobody meets a state that is half changed.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a job; none when all shards are gone and nothing is left.
    fn next(&self, took: Option<Duration>) -> Option<(ShardAddress, Job)> {
        let mut state = self.state();
        if let Some(took) = took {
            state.dispatch.finished(Instant::now(), took);
        }
        loop {
            if let Some(job) = state.dispatch.pop(Instant::now()) {
                self.shed.store(state.dispatch.load().shed.level(), Ordering::Relaxed);
                return Some(job);
            }
            if state.closed {
                return None;
            }
            state = self.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Starts `count` workers.
pub(super) fn start(count: usize) -> io::Result<(JobQueue, CodecGauge, Vec<JoinHandle<()>>)> {
    let count = count.max(1);
    let state = State { dispatch: Dispatch::new(Instant::now(), count), closed: false };
    let pool = Arc::new(Pool { state: Mutex::new(state), ready: Condvar::new(), shed: AtomicU8::new(0) });
    // Made before the workers: when one of them cannot be started the others end.
    let queue = JobQueue(Arc::new(Closes(Arc::clone(&pool))));
    let workers = (0..count)
        .map(|n| {
            let pool = Arc::clone(&pool);
            Builder::new().name(format!("codec-{n}")).spawn(move || {
                let _guard = EndsTheProcess;
                work(&pool);
            })
        })
        .collect::<io::Result<_>>()?;
    Ok((queue, CodecGauge(pool), workers))
}

fn work(pool: &Pool) {
    sys::lower_priority(NICE);
    let mut took = None;
    while let Some((shard, job)) = pool.next(took) {
        let (began, before) = (Instant::now(), sys::thread_time());
        let done = contained(job, Job::run);
        let spent = sys::thread_time().saturating_sub(before);
        shard.deliver(Mail::JobDone { done, spent });
        took = Some(began.elapsed());
    }
}

/// Runs a job; a panic in it costs its codec, not the worker and not the room. Nothing of the job is seen afterwards,
/// so nothing half done is either.
fn contained(job: Job, run: impl FnOnce(Job) -> JobDone) -> JobDone {
    let substitute = job.substitute();
    catch_unwind(AssertUnwindSafe(|| run(job))).unwrap_or_else(|_| {
        tracing::error!("a codec job panicked");
        substitute.done()
    })
}

#[cfg(test)]
mod tests {
    use layouts::Size;

    use super::*;
    use crate::codec::Rgb;
    use crate::mix::video::{Compositor, Grounds, Scene};
    use crate::units::{ClockRate, MediaTime, RoomKey};

    #[test]
    fn a_panic_costs_one_picture_and_the_work_goes_on() {
        let size = Size { width: 32, height: 32 };
        let job = |compositor| Job::Compose {
            room: RoomKey(1),
            compositor,
            scene: Scene { background: Rgb(9, 9, 9), grounds: Grounds::default(), layers: Vec::new() },
            fade: None,
            time: MediaTime { ticks: 1, rate: ClockRate::VIDEO },
        };
        let first = job(Box::new(Compositor::new(size)));
        let done = contained(first, |_| panic!("on purpose"));
        let JobDone::Composed { compositor, picture, .. } = done else { panic!("a composition") };
        assert_eq!(picture.size(), size);
        let done = contained(job(compositor), Job::run);
        assert!(matches!(done, JobDone::Composed { .. }));
    }
}
