//! The codec workers: a bounded pool that decodes, composes and encodes by value.
//!
//! in:  jobs of all shards; out: each finished job to its shard, with the CPU time it took
//!
//! The queue needs no bound of its own: a decoder, compositor or encoder travels inside its job, so there are
//! never more jobs than codecs.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{Builder, JoinHandle};

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::EndsTheProcess;
use super::mail::{Mail, ShardAddress};
use super::sys;
use crate::room::{Job, JobDone};

/// How much lower than packets and audio; a late picture is dropped, a late packet is a fault.
const NICE: i32 = 5;

pub(super) type JobQueue = Sender<(ShardAddress, Job)>;

/// Starts `count` workers; they end when the last sender of the queue is gone.
pub(super) fn start(count: usize) -> io::Result<(JobQueue, Vec<JoinHandle<()>>)> {
    let (queue, jobs) = unbounded();
    let workers = (0..count.max(1))
        .map(|n| {
            let jobs = jobs.clone();
            Builder::new().name(format!("codec-{n}")).spawn(move || {
                let _guard = EndsTheProcess;
                work(&jobs);
            })
        })
        .collect::<io::Result<_>>()?;
    Ok((queue, workers))
}

fn work(jobs: &Receiver<(ShardAddress, Job)>) {
    sys::lower_priority(NICE);
    for (shard, job) in jobs {
        let before = sys::thread_time();
        let done = contained(job, Job::run);
        let spent = sys::thread_time().saturating_sub(before);
        shard.deliver(Mail::JobDone { done, spent });
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
    use crate::mix::video::{Compositor, Scene};
    use crate::units::{ClockRate, MediaTime, RoomKey};

    #[test]
    fn a_panic_costs_one_picture_and_the_work_goes_on() {
        let size = Size { width: 32, height: 32 };
        let job = |compositor| Job::Compose {
            room: RoomKey(1),
            compositor,
            scene: Scene { background: Rgb(9, 9, 9), layers: Vec::new() },
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
