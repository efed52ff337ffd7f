//! The queue between a session and its socket.
//!
//! in:  frames of a session, which never waits
//! out: the same in order, for a socket that waits for its peer
//!
//! It holds [`FRAMES`] frames and [`BYTES`] bytes, and whatever comes first is the bound; one frame of any length finds
//! place in an empty queue. When full the socket is cut: what is queued is given up, and the client resumes by its
//! `protocol`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, mpsc};

/// Some seconds of a busy room.
const FRAMES: usize = 1024;

/// With a thousand peers that stop reading this is what they cost.
const BYTES: usize = 1 << 20;

/// The session's end.
#[derive(Clone)]
pub(crate) struct Outbox {
    frames: mpsc::Sender<String>,
    bytes: Arc<AtomicUsize>,
    cut: Arc<Notify>,
}

/// The socket's end.
pub(crate) struct Outgoing {
    frames: mpsc::Receiver<String>,
    bytes: Arc<AtomicUsize>,
    cut: Arc<Notify>,
}

/// Why a frame was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Untaken {
    /// The socket is over.
    Closed,
    /// Its peer does not read; the socket has been told to end.
    Full,
}

/// An empty queue.
pub(crate) fn outbox() -> (Outbox, Outgoing) {
    let (sender, frames) = mpsc::channel(FRAMES);
    let (bytes, cut) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let outgoing = Outgoing { frames, bytes: Arc::clone(&bytes), cut: Arc::clone(&cut) };
    (Outbox { frames: sender, bytes, cut }, outgoing)
}

impl Outbox {
    pub(super) fn push(&self, frame: String) -> Result<(), Untaken> {
        let length = frame.len();
        let waiting = self.bytes.fetch_add(length, Ordering::Relaxed);
        let taken = if waiting > 0 && waiting + length > BYTES {
            Err(Untaken::Full)
        } else {
            self.frames.try_send(frame).map_err(|error| match error {
                mpsc::error::TrySendError::Closed(_) => Untaken::Closed,
                mpsc::error::TrySendError::Full(_) => Untaken::Full,
            })
        };
        if let Err(untaken) = &taken {
            self.bytes.fetch_sub(length, Ordering::Relaxed);
            if *untaken == Untaken::Full {
                self.cut.notify_one();
            }
        }
        taken
    }
}

impl Outgoing {
    /// The next frame; `None` once the session has let go of the socket.
    pub(crate) async fn next(&mut self) -> Option<String> {
        let frame = self.frames.recv().await?;
        self.bytes.fetch_sub(frame.len(), Ordering::Relaxed);
        Some(frame)
    }

    /// Told when the queue was full.
    pub(crate) fn cut(&self) -> Arc<Notify> {
        Arc::clone(&self.cut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many frames of that length are taken.
    fn taken(length: usize) -> usize {
        let (outbox, _outgoing) = outbox();
        (0..10_000).take_while(|_| outbox.push("x".repeat(length)).is_ok()).count()
    }

    #[test]
    fn frames_and_bytes_are_bounded() {
        for (length, expected) in
            [(0, FRAMES), (1, FRAMES), (1024, 1024), (2048, 512), (700_000, 1), (4 << 20, 1)]
        {
            assert_eq!(taken(length), expected, "frames of {length}");
        }
    }

    #[tokio::test]
    async fn what_was_taken_out_makes_place() {
        let (outbox, mut outgoing) = outbox();
        for round in 0..1000 {
            for part in 0..4 {
                assert_eq!(outbox.push(format!("{round} {part}{}", " ".repeat(250_000))), Ok(()));
            }
            assert_eq!(outbox.push("x".repeat(100_000)), Err(Untaken::Full));
            for part in 0..4 {
                let frame = outgoing.next().await.unwrap();
                assert_eq!(frame.trim_end(), format!("{round} {part}"), "in order");
            }
        }
    }

    #[tokio::test]
    async fn a_full_queue_cuts_the_socket_and_a_closed_one_tells_so() {
        let (outbox, outgoing) = outbox();
        let cut = outgoing.cut();
        while outbox.push(String::new()).is_ok() {}
        cut.notified().await;
        drop(outgoing);
        assert_eq!(outbox.push(String::new()), Err(Untaken::Closed));
    }
}
