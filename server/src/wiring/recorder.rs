//! Between a room, its recorder and the engine.
//!
//! in:  what the room wants recorded, what the recorder says
//! out: pieces on their way from the engine to the recorder, from the moment it has begun until it ends
//!
//! The engine makes nothing for a recorder that is not there: it is asked when the recorder has begun.

use std::time::Duration;

use control_api::{RecordingEvent, RecordingId, RecordingInstruction};
use media_core::room::{Action, Command};
use media_core::units::RoomKey;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::app::App;
use crate::recording::{Control, NEWS, Subject};

/// How long a busy engine is asked again.
const ENGINE_TIME: Duration = Duration::from_secs(1);

/// Pause between asking.
const ENGINE_PAUSE: Duration = Duration::from_millis(5);

/// The recordings of one room, at most one at a time.
pub(super) struct RoomRecorder {
    room: RoomKey,
    subject: Subject,
    current: Option<(RecordingId, Control)>,
    sender: mpsc::Sender<RecordingEvent>,
    news: mpsc::Receiver<RecordingEvent>,
}

impl RoomRecorder {
    pub(super) fn new(room: RoomKey, subject: Subject) -> Self {
        let (sender, news) = mpsc::channel(NEWS);
        Self { room, subject, current: None, sender, news }
    }

    /// What the recorder says next.
    pub(super) async fn news(&mut self) -> Option<RecordingEvent> {
        self.news.recv().await
    }

    pub(super) async fn instruct(&mut self, app: &App, instruction: &RecordingInstruction) {
        match instruction {
            RecordingInstruction::Start { id } => {
                let (feed, control) = app.recordings.begin(id, self.subject.clone(), self.sender.clone());
                app.media_routes.record(self.room, feed);
                self.current = Some((id.clone(), control));
            }
            RecordingInstruction::Pause { id } => {
                if let Some(control) = self.control(id) {
                    control.pause();
                }
            }
            RecordingInstruction::Resume { id } => {
                if let Some(control) = self.control(id) {
                    control.resume();
                    // Anew, because it begins with a key frame.
                    self.ask(app, true).await;
                }
            }
            RecordingInstruction::Stop { id } => {
                if self.current.take_if(|(current, _)| current == id).is_some() {
                    app.media_routes.unrecord(self.room);
                    self.ask(app, false).await;
                }
            }
        }
    }

    /// Before the room hears of it.
    pub(super) async fn on_news(&mut self, app: &App, news: &RecordingEvent) {
        match news {
            RecordingEvent::Started { id } if self.control(id).is_some() => self.ask(app, true).await,
            RecordingEvent::Failed { id, .. } => {
                if self.current.take_if(|(current, _)| current == id).is_some() {
                    app.media_routes.unrecord(self.room);
                }
            }
            RecordingEvent::Started { .. } | RecordingEvent::Gap { .. } | RecordingEvent::Ended { .. } => {}
        }
    }

    fn control(&self, id: &RecordingId) -> Option<&Control> {
        self.current.as_ref().filter(|(current, _)| current == id).map(|(_, control)| control)
    }

    /// Asks the engine to give what is recorded, or no more of it. An engine that is busy for so long has other troubles.
    async fn ask(&self, app: &App, wanted: bool) {
        let least = app.recordings.min_bitrate();
        let patience = Instant::now() + ENGINE_TIME;
        loop {
            let action = if wanted { Action::StartRecording { least } } else { Action::StopRecording };
            match app.engine.command(Command { room: self.room, action }) {
                Ok(()) => return,
                Err(_) if Instant::now() < patience => sleep(ENGINE_PAUSE).await,
                Err(error) => {
                    return tracing::error!(%error, key = self.room.0, "the engine was not told of a recording");
                }
            }
        }
    }
}
