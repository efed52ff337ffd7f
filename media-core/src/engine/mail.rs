//! Mailboxes between the threads, and what happens when one is full.
//!
//! A shard's inbox takes commands, finished jobs and mixed audio through one queue, so that one wake-up serves all.
//! Commands answer *busy* beyond [`COMMANDS_MAX`]; mixed audio beyond [`AUDIO_MAX`] is dropped and counted (a shard that
//! far behind cannot send it in time), but never who talks: a lost end of speech would stand for ever; finished jobs are bounded by construction: a decoder or encoder is in one place only.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::sys::Waker;
use crate::mix::audio::AudioOutput;
use crate::room::{Command, JobDone};

/// Mail waiting at a shard beyond which commands are refused.
const COMMANDS_MAX: usize = 4096;
/// Mail waiting at a shard beyond which audio is dropped.
const AUDIO_MAX: usize = 8192;

/// What other threads tell a shard.
pub(super) enum Mail {
    Command(Command),
    JobDone {
        done: JobDone,
        spent: Duration,
    },
    Audio(AudioOutput),
    /// The audio thread's CPU time since its start, and what it could not deliver since the last report.
    AudioReport {
        time: Duration,
        dropped: u64,
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

    /// False when the audio was dropped.
    pub(super) fn audio(&self, output: AudioOutput) -> bool {
        let is_state = matches!(output, AudioOutput::Talking { .. });
        (is_state || self.queue.len() < AUDIO_MAX) && self.deliver(Mail::Audio(output))
    }

    pub(super) fn deliver(&self, mail: Mail) -> bool {
        let delivered = self.queue.send(mail).is_ok();
        if delivered {
            self.waker.wake();
        }
        delivered
    }
}
