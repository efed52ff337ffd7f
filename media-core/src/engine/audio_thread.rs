//! The audio thread of a shard: drives [`AudioPlane`] on its 20 ms clock.
//!
//! in:  audio packets and changes of members and listeners, from the shard
//! out: mixed and encoded packets, speech activity, playout points, to the shard

use std::io;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};

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
        match inbox.recv_deadline(until) {
            Ok(input) => {
                let now = Instant::now();
                plane.handle(now, input);
                inbox.try_iter().for_each(|input| plane.handle(now, input));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if reported.elapsed() >= REPORT_EVERY {
            reported = Instant::now();
            let report =
                Mail::AudioReport { time: sys::thread_time(), dropped: std::mem::take(&mut dropped) };
            shard.deliver(report);
        }
    }
}

/// Hands all that is ready to the shard; gives when the plane wants to be polled again.
fn drain(plane: &mut AudioPlane, shard: &ShardAddress, dropped: &mut u64) -> Instant {
    loop {
        match plane.poll(Instant::now()) {
            AudioOutput::Idle { until } => return until,
            output @ (AudioOutput::Packet { .. }
            | AudioOutput::Talking { .. }
            | AudioOutput::Playing { .. }
            | AudioOutput::Recorded { .. }) => {
                *dropped += u64::from(!shard.audio(output));
            }
        }
    }
}
