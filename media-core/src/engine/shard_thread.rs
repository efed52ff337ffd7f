//! The thread of a shard: its socket, its inbox, its deadlines, and nothing else.
//!
//! in:  datagrams of the port, over UDP and over connections, mail of other threads, loans of other shards, time
//! out: datagrams, events to the sink, jobs to the codec workers, audio to the audio thread, loans to other shards

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use super::audio_thread::AudioAddress;
use super::codec_workers::JobQueue;
use super::connections::Connections;
use super::mail::{Mail, ShardAddress};
use super::neighbours::Neighbours;
use super::sys::{self, ReceiveBatch, SendBatch};
use crate::room::{Counters, Event};
use crate::shard::{Input, Output, Sealed, Shard};
use crate::transport::ConnectionId;

/// Batches of datagrams taken before mail and deadlines have their turn.
const BATCHES_PER_TURN: usize = 8;
/// Mail taken before datagrams have their turn.
const MAIL_PER_TURN: usize = 256;
/// Longest sleep; a bound against a lost deadline, not a clock.
const SLEEP_MAX: Duration = Duration::from_secs(1);
/// How often the counters are published.
const PUBLISH_EVERY: Duration = Duration::from_millis(500);

/// What a shard thread is made of.
pub(super) struct ShardThread<S> {
    pub(super) shard: Shard,
    pub(super) neighbours: Neighbours,
    pub(super) connections: Option<Connections>,
    /// To be closed at the end of this turn.
    pub(super) unused: Vec<ConnectionId>,
    pub(super) inbox: Receiver<Mail>,
    pub(super) address: ShardAddress,
    pub(super) jobs: JobQueue,
    pub(super) audio: AudioAddress,
    pub(super) published: Arc<Mutex<Counters>>,
    pub(super) sink: Arc<S>,
}

/// Where a turn's packets are sealed, and sent from.
struct WayOut {
    batch: SendBatch,
    sealed: Sealed,
}

enum Turn {
    Go,
    Stop,
}

impl<S: Fn(Event) + Send + Sync + 'static> ShardThread<S> {
    pub(super) fn run(mut self) {
        let mut received = ReceiveBatch::default();
        let mut way_out = WayOut { batch: SendBatch::new(self.neighbours.socket()), sealed: Sealed::batch() };
        let gro = ReceiveBatch::enable_gro(self.neighbours.socket());
        tracing::debug!(gso = way_out.batch.has_gso(), gro, "media socket");
        self.shard.set_levels(way_out.batch.has_gso());
        let mut publish_at = Instant::now();
        loop {
            let began = Instant::now();
            if let Turn::Stop = self.take_mail(&mut way_out) {
                return;
            }
            self.take_datagrams(&mut received, &mut way_out);
            if let Some(connections) = &mut self.connections {
                connections.receive(Instant::now(), &mut self.shard);
            }
            let now = Instant::now();
            let until = self.drain(now);
            self.transmit(now, &mut way_out);
            self.neighbours.help(&mut self.shard, &mut way_out.batch, &mut way_out.sealed);
            if now >= publish_at {
                publish_at = now + PUBLISH_EVERY;
                self.publish();
            }
            let ended = Instant::now();
            self.neighbours.after_turn(began, ended);
            let sleep = until.saturating_duration_since(ended).min(SLEEP_MAX);
            if self.inbox.is_empty() && self.neighbours.falls_asleep() {
                let connections = self.connections.as_ref().map(Connections::fd);
                sys::wait(self.neighbours.socket(), connections, self.neighbours.waker(), sleep);
                self.neighbours.wakes_up();
            }
        }
    }

    /// A counter that fell would read as a restart: losses that late packets took back stay counted.
    fn publish(&mut self) {
        self.shard.set_busy_time(self.neighbours.busy_time());
        let mut counters = self.shard.counters();
        let mut published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        counters.lost_in = counters.lost_in.max(published.lost_in);
        *published = counters;
    }

    fn take_mail(&mut self, way_out: &mut WayOut) -> Turn {
        for _ in 0..MAIL_PER_TURN {
            let Ok(mail) = self.inbox.try_recv() else { return Turn::Go };
            let now = Instant::now();
            match mail {
                Mail::Command(command) => self.shard.handle(now, Input::Command(command)),
                Mail::JobDone { done, spent } => self.shard.handle(now, Input::JobDone { done, spent }),
                Mail::Audio(outputs) => {
                    for output in outputs {
                        self.shard.handle(now, Input::Audio(output));
                        if self.shard.is_full() {
                            self.transmit(now, way_out);
                        }
                    }
                }
                Mail::AudioReport { time, dropped, counters, levels } => {
                    self.shard.set_mix_time(time);
                    self.shard.set_sound(counters, levels);
                    self.shard.count_dropped("shard_thread_full", dropped);
                }
                Mail::Stop => return Turn::Stop,
            }
            if self.shard.is_full() {
                self.transmit(now, way_out);
            }
        }
        Turn::Go
    }

    fn take_datagrams(&mut self, batch: &mut ReceiveBatch, way_out: &mut WayOut) {
        for _ in 0..BATCHES_PER_TURN {
            let filled = match batch.receive(self.neighbours.socket()) {
                Ok(filled) => filled,
                Err(error) => {
                    tracing::error!(%error, "media socket");
                    return;
                }
            };
            let now = Instant::now();
            for (from, bytes) in batch.datagrams() {
                self.shard.handle(now, Input::Datagram { from: from.into(), bytes });
                if self.shard.is_full() {
                    self.transmit(now, way_out);
                }
            }
            // While something waits to be sent it is worth another look: the rest of a picture may have come, and packets
            // of one turn leave together.
            if filled == 0 || (filled < sys::BUFFERS && self.shard.has_nothing_to_send()) {
                return;
            }
        }
    }

    /// Hands out all that is ready; gives the next deadline.
    fn drain(&mut self, now: Instant) -> Instant {
        if let Some(connections) = &mut self.connections {
            connections.handle_timeout(now, &mut self.shard);
        }
        self.shard.set_shed(self.jobs.shed());
        self.shard.handle(now, Input::Timeout);
        loop {
            match self.shard.poll() {
                Output::Event(event) => (self.sink)(event),
                Output::Job(job) => {
                    self.jobs.send(self.address.clone(), job);
                }
                Output::Audio(input) => {
                    if !self.audio.send(input) {
                        self.shard.count_dropped("audio_thread_full", 1);
                    }
                }
                Output::Disconnect(connection) => self.unused.push(connection),
                Output::Idle { until } => {
                    let connections = self.connections.as_ref().and_then(Connections::poll_timeout);
                    return [until, connections].into_iter().flatten().min().unwrap_or(now + SLEEP_MAX);
                }
            }
        }
    }

    fn transmit(&mut self, now: Instant, way_out: &mut WayOut) {
        let WayOut { batch, sealed } = way_out;
        self.neighbours.lend(&mut self.shard);
        while !self.shard.has_nothing_to_send() {
            sealed.clear();
            self.shard.seal(sealed);
            if let Some(connections) = &mut self.connections {
                connections.transmit(now, &mut self.shard, sealed);
            }
            let sent = batch.send(self.neighbours.socket(), sealed);
            self.shard.count_dropped("socket_refused", sealed.len().saturating_sub(sent) as u64);
        }
        if let Some(connections) = &mut self.connections {
            self.unused.drain(..).for_each(|connection| connections.close(connection));
        }
    }
}
