//! The codec workers: a bounded pool that decodes, composes and encodes by value.
//!
//! in:  jobs of all shards; out: each finished job to its shard, with the CPU time it took
//!
//! The queue needs no bound of its own: a decoder, compositor or encoder travels inside its job, so there are
//! never more jobs than codecs.

use std::io;
use std::thread::{Builder, JoinHandle};

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::mail::{Mail, ShardAddress};
use super::sys;
use crate::room::Job;

/// How much lower than packets and audio; a late picture is dropped, a late packet is a fault.
const NICE: i32 = 5;

pub(super) type JobQueue = Sender<(ShardAddress, Job)>;

/// Starts `count` workers; they end when the last sender of the queue is gone.
pub(super) fn start(count: usize) -> io::Result<(JobQueue, Vec<JoinHandle<()>>)> {
    let (queue, jobs) = unbounded();
    let workers = (0..count.max(1))
        .map(|n| {
            let jobs = jobs.clone();
            Builder::new().name(format!("codec-{n}")).spawn(move || work(&jobs))
        })
        .collect::<io::Result<_>>()?;
    Ok((queue, workers))
}

fn work(jobs: &Receiver<(ShardAddress, Job)>) {
    sys::lower_priority(NICE);
    for (shard, job) in jobs {
        let before = sys::thread_time();
        let done = job.run();
        let spent = sys::thread_time().saturating_sub(before);
        shard.deliver(Mail::JobDone { done, spent });
    }
}
