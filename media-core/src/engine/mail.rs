//! Mailboxes between the threads, and what happens when one is full.
//!
//! A shard's inbox takes commands, finished jobs and mixed audio through one queue, so that one wake-up serves all.
//! Commands answer *busy* beyond [`COMMANDS_MAX`]; mixed audio beyond [`AUDIO_MAX`] is dropped and counted (a shard that
//! far behind cannot send it in time), but never who talks: a lost end of speech would stand for ever; finished jobs are bounded by construction: a decoder or encoder is in one place only.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::sys::Waker;
use crate::mix::audio::{AudioCounters, AudioLevels, AudioOutput};
use crate::room::{Command, JobDone};

/// Mail waiting at a shard beyond which commands are refused.
const COMMANDS_MAX: usize = 4096;
/// Mail waiting at a shard beyond which audio is dropped: it is some ten seconds behind, or flooded with commands.
const AUDIO_MAX: usize = 2048;

/// What other threads tell a shard.
pub(super) enum Mail {
    Command(Command),
    JobDone {
        done: JobDone,
        spent: Duration,
    },
    /// All that the ticks of one moment gave.
    Audio(Vec<AudioOutput>),
    /// The audio thread's CPU time since its start, what it could not deliver since the last report, what it has counted.
    AudioReport {
        time: Duration,
        dropped: u64,
        counters: AudioCounters,
        levels: AudioLevels,
    },
    Stop,
}

/// The way to a shard, for all other threads.
#[derive(Clone)]
pub(super) struct ShardAddress {
    queue: Sender<Mail>,
    waker: Arc<Waker>,
}

impl ShardAddress {
    pub(super) fn new(waker: Arc<Waker>) -> (Self, Receiver<Mail>) {
        let (queue, inbox) = unbounded();
        (Self { queue, waker }, inbox)
    }

    /// False when the shard is too far behind to take a command, or gone.
    pub(super) fn command(&self, command: Command) -> bool {
        self.queue.len() < COMMANDS_MAX && self.deliver(Mail::Command(command))
    }

    /// Gives how much was dropped.
    pub(super) fn audio(&self, mut outputs: Vec<AudioOutput>) -> u64 {
        let all = outputs.len();
        if self.queue.len() >= AUDIO_MAX {
            outputs
                .retain(|output| matches!(output, AudioOutput::Talking { .. } | AudioOutput::Floor { .. }));
        }
        let kept = outputs.len();
        let delivered = kept == 0 || self.deliver(Mail::Audio(outputs));
        (all - if delivered { kept } else { 0 }) as u64
    }

    pub(super) fn deliver(&self, mail: Mail) -> bool {
        let delivered = self.queue.send(mail).is_ok();
        if delivered {
            self.waker.wake();
        }
        delivered
    }
}
