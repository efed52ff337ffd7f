//! The audio thread of a shard: drives [`AudioPlane`] on its 20 ms clock.
//!
//! in:  audio packets and changes of members and listeners, from the shard
//! out: mixed and encoded packets, speech activity, playout points, to the shard
//!
//! While there are rooms it sleeps from tick to tick: packets wait in the inbox until their tick, as they would in the
//! jitter buffer, and wake nobody. All that a tick gives is one mail to the shard, which then sends it in one turn.

use std::io;
use std::thread::{self, Builder, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, unbounded};

use super::EndsTheProcess;
use super::mail::{Mail, ShardAddress};
use super::sys;
use crate::mix::audio::{AudioInput, AudioOutput, AudioPlane};

/// Inputs waiting at the audio thread beyond which packets are dropped: more than a second of a full shard.
const PACKETS_MAX: usize = 65_536;
/// How often the thread reports the CPU time it used.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// The way to the audio thread, owned by its shard.
pub(super) struct AudioAddress(Sender<AudioInput>);

impl AudioAddress {
    /// False when the thread is so far behind that a packet was dropped. Changes are never dropped; their rate is
    /// that of commands.
    pub(super) fn send(&self, input: AudioInput) -> bool {
        let droppable = matches!(input, AudioInput::Packet { .. });
        if droppable && self.0.len() >= PACKETS_MAX {
            return false;
        }
        self.0.send(input).is_ok()
    }
}

/// Starts the thread; it ends when its address is dropped.
pub(super) fn start(name: String, shard: ShardAddress) -> io::Result<(AudioAddress, JoinHandle<()>)> {
    let (queue, inbox) = unbounded();
    let thread = Builder::new().name(name).spawn(move || {
        let _guard = EndsTheProcess;
        run(&inbox, &shard);
    })?;
    Ok((AudioAddress(queue), thread))
}

fn run(inbox: &Receiver<AudioInput>, shard: &ShardAddress) {
    let mut plane = AudioPlane::new(Instant::now());
    let mut reported = Instant::now();
    let mut dropped = 0;
    loop {
        let until = drain(&mut plane, shard, &mut dropped).min(reported + REPORT_EVERY);
        let Some(first) = rest(inbox, until, plane.has_rooms()) else { return };
        let now = Instant::now();
        first.into_iter().chain(inbox.try_iter()).for_each(|input| plane.handle(now, input));
        if reported.elapsed() >= REPORT_EVERY {
            reported = Instant::now();
            shard.deliver(Mail::AudioReport {
                time: sys::thread_time(),
                dropped: std::mem::take(&mut dropped),
                counters: plane.counters(),
                levels: plane.levels(reported),
            });
        }
    }
}

/// Sleeps, without rooms only until something comes: the first input, if any, or `None` when the shard has gone.
fn rest(inbox: &Receiver<AudioInput>, until: Instant, has_rooms: bool) -> Option<Option<AudioInput>> {
    if has_rooms {
        thread::sleep(until.saturating_duration_since(Instant::now()));
        return match inbox.try_recv() {
            Ok(input) => Some(Some(input)),
            Err(TryRecvError::Empty) => Some(None),
            Err(TryRecvError::Disconnected) => None,
        };
    }
    match inbox.recv_deadline(until) {
        Ok(input) => Some(Some(input)),
        Err(RecvTimeoutError::Timeout) => Some(None),
        Err(RecvTimeoutError::Disconnected) => None,
    }
}

/// Hands all that is ready to the shard; gives when the plane wants to be polled again.
fn drain(plane: &mut AudioPlane, shard: &ShardAddress, dropped: &mut u64) -> Instant {
    let mut outputs = Vec::new();
    loop {
        match plane.poll(Instant::now()) {
            AudioOutput::Idle { until } => {
                *dropped += shard.audio(outputs);
                return until;
            }
            output @ (AudioOutput::Packet { .. }
            | AudioOutput::Talking { .. }
            | AudioOutput::Floor { .. }
            | AudioOutput::Playing { .. }
            | AudioOutput::Recorded { .. }) => outputs.push(output),
        }
    }
}
