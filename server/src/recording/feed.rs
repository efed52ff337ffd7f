//! The way from a room's shard thread to its recorder.
//!
//! in:  pieces of a recording, as they come; orders
//! out: the same in the recorder's mailbox
//!
//! The shard thread never waits here. When the recorder is behind by [`PIECES`] or [`BYTES`], pieces are dropped and
//! counted: the recorder is told, leaves pictures out up to the next key frame, and has silence in the place of sound. Orders
//! always find place; they are few.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, unbounded};
use media_core::room::{Recorded, RecordedMedia};

use crate::http::Metrics;

/// Some ten seconds.
const PIECES: usize = 1024;

/// Of pieces that wait.
const BYTES: usize = 8 << 20;

/// What a recorder is told.
#[derive(Debug)]
pub(super) enum Mail {
    Piece(Recorded),
    /// Pictures were dropped before the next piece.
    PicturesLost,
    Pause,
    Resume(Instant),
    Stop,
}

/// The end of those who tell.
#[derive(Clone)]
pub(super) struct Mailbox {
    sender: Sender<Mail>,
    bytes: Arc<AtomicUsize>,
}

/// The recorder's end.
pub(super) struct Inbox {
    receiver: Receiver<Mail>,
    bytes: Arc<AtomicUsize>,
}

pub(super) fn mailbox() -> (Mailbox, Inbox) {
    let (sender, receiver) = unbounded();
    let bytes = Arc::new(AtomicUsize::new(0));
    (Mailbox { sender, bytes: Arc::clone(&bytes) }, Inbox { receiver, bytes })
}

impl Mailbox {
    /// An order. A recorder that has ended needs none.
    pub(super) fn order(&self, mail: Mail) {
        let _ = self.sender.send(mail);
    }
}

impl Inbox {
    /// Waits; `None` when nobody can send any more.
    pub(super) fn next(&self) -> Option<Mail> {
        let mail = self.receiver.recv().ok()?;
        if let Mail::Piece(piece) = &mail {
            self.bytes.fetch_sub(size(piece), Ordering::Relaxed);
        }
        Some(mail)
    }
}

/// What the shard thread fills.
pub(crate) struct Feed {
    mailbox: Mailbox,
    /// Pictures are of no use before a key frame.
    awaits_key: bool,
    metrics: Arc<Metrics>,
}

impl Feed {
    pub(super) fn new(mailbox: Mailbox, metrics: Arc<Metrics>) -> Self {
        Self { mailbox, awaits_key: false, metrics }
    }

    pub(crate) fn push(&mut self, piece: Recorded) {
        let (kind, key) = match &piece.media {
            RecordedMedia::Picture { keyframe, .. } => ("picture", *keyframe),
            RecordedMedia::Sound { .. } => ("sound", false),
        };
        let is_picture = kind == "picture";
        let bytes = size(&piece);
        let waiting = self.mailbox.bytes.load(Ordering::Relaxed);
        let is_full = self.mailbox.sender.len() >= PIECES || waiting + bytes > BYTES;
        if is_full || (is_picture && self.awaits_key && !key) {
            if is_picture && !self.awaits_key {
                self.awaits_key = true;
                self.mailbox.order(Mail::PicturesLost);
            }
            self.metrics.recording_dropped.with_label_values(&[kind]).inc();
            return;
        }
        if is_picture {
            self.awaits_key = false;
        }
        self.mailbox.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.mailbox.order(Mail::Piece(piece));
    }
}

fn size(piece: &Recorded) -> usize {
    match &piece.media {
        RecordedMedia::Picture { data, .. } => data.len(),
        RecordedMedia::Sound { samples } => samples.len() * 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(keyframe: bool, size: usize) -> Recorded {
        let media = RecordedMedia::Picture { keyframe, data: vec![0; size].into() };
        Recorded { at: Instant::now(), media }
    }

    fn sound() -> Recorded {
        Recorded { at: Instant::now(), media: RecordedMedia::Sound { samples: vec![0; 960].into() } }
    }

    fn told(inbox: &Inbox) -> String {
        let mut told = String::new();
        while !inbox.receiver.is_empty() {
            told.push(match inbox.next().unwrap() {
                Mail::Piece(Recorded { media: RecordedMedia::Picture { keyframe: true, .. }, .. }) => 'K',
                Mail::Piece(Recorded { media: RecordedMedia::Picture { .. }, .. }) => 'p',
                Mail::Piece(_) => 's',
                Mail::PicturesLost => '!',
                Mail::Pause | Mail::Resume(_) | Mail::Stop => 'o',
            });
        }
        told
    }

    #[test]
    fn a_recorder_that_is_behind_loses_pictures_up_to_a_key_frame_and_takes_little_memory() {
        let metrics = Arc::new(Metrics::new().unwrap());
        let (mailbox, inbox) = mailbox();
        let mut feed = Feed::new(mailbox.clone(), Arc::clone(&metrics));
        feed.push(picture(true, 1000));
        for _ in 0..3 * PIECES {
            feed.push(sound());
            feed.push(picture(false, 1000));
        }
        assert!(inbox.receiver.len() <= PIECES + 1);
        mailbox.order(Mail::Pause);
        let before = told(&inbox);
        assert!(before.starts_with("Kspsp") && before.ends_with("!o"), "{before}");
        assert_eq!(before.matches('!').count(), 1, "told once");
        for key in [false, false, true, false] {
            feed.push(picture(key, 1000));
            feed.push(sound());
        }
        assert_eq!(told(&inbox), "ssKsps");
        let dropped = metrics.recording_dropped.with_label_values(&["picture"]).get();
        assert_eq!(usize::try_from(dropped).unwrap(), 3 * PIECES - before.matches('p').count() + 2);

        for _ in 0..100 {
            feed.push(picture(true, 1 << 20));
        }
        assert_eq!(told(&inbox), "KKKKKKKK!");
        assert_eq!(inbox.bytes.load(Ordering::Relaxed), 0);
    }
}
