//! Recordings of this room session, at most one at a time.
//!
//! in:  what methods ask, what the recorder says
//! out: instructions for the recorder, late replies, `video.recording.*`, `recording` of the room
//!
//! ```text
//!            started                 pause
//!  Starting ─────────► Recording ◄──────────► Paused
//!     │ failed             └────── stop, end ────┘
//!     ▼                              ▼
//!   500 to who asked         recording.ended, once
//! ```
//!
//! Who asks to start waits for the recorder, the room does not. The recorder's file is finished after the end: that is
//! told by REST.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{Phase, RoomOutput, RoomSession};
use crate::clock::Now;
use crate::event::EventKind;
use crate::grant::Authority;
use crate::ids::{RecordingId, RequestKey, SessionKey};
use crate::session::{Reply, Sender};
use crate::wire;
use crate::wire::recording::{Recording, RecordingBody, RecordingEnd, RecordingResult, RecordingState};

/// Recordings that have ended and are still listed.
const ENDED_LISTED: usize = 32;

/// What the recorder is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordingInstruction {
    /// Begin: [`RecordingEvent::Started`] or [`RecordingEvent::Failed`] must follow, within seconds.
    Start {
        /// The recording's name.
        id: RecordingId,
    },
    /// Leave out what happens from now on.
    Pause {
        /// Which.
        id: RecordingId,
    },
    /// Go on.
    Resume {
        /// Which.
        id: RecordingId,
    },
    /// End, and finish the file.
    Stop {
        /// Which.
        id: RecordingId,
    },
}

/// What the recorder says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordingEvent {
    /// It takes what happens.
    Started {
        /// Which.
        id: RecordingId,
    },
    /// It cannot.
    Failed {
        /// Which.
        id: RecordingId,
        /// For people.
        why: String,
    },
    /// So much is missing.
    Gap {
        /// Which.
        id: RecordingId,
        /// How much.
        missing: Duration,
    },
    /// It has ended by itself.
    Ended {
        /// Which.
        id: RecordingId,
        /// Why.
        why: RecordingEnd,
    },
}

#[derive(Debug, Default)]
pub(super) struct Recordings {
    current: Option<Current>,
    ended: VecDeque<Recording>,
}

#[derive(Debug)]
struct Current {
    id: RecordingId,
    stage: Stage,
    /// Unix seconds.
    started_at: Option<f64>,
    /// In it, but for the stretch that runs.
    recorded: Duration,
    missing: Duration,
    /// `recording` of the room is true for it.
    is_shown: bool,
}

#[derive(Debug)]
enum Stage {
    /// These wait for it.
    Starting(Vec<(SessionKey, RequestKey)>),
    Recording {
        since: Instant,
    },
    Paused,
}

impl Current {
    fn wire(&self) -> Recording {
        let state = match self.stage {
            Stage::Starting(_) | Stage::Recording { .. } => RecordingState::Recording,
            Stage::Paused => RecordingState::Paused,
        };
        Recording {
            id: self.id.clone(),
            state,
            duration: None,
            started_at: self.started_at,
            ended_at: None,
            reason: None,
            gap: seconds_of_some(self.missing),
        }
    }

    /// Ends the stretch that runs.
    fn hold(&mut self, now: Instant) {
        if let Stage::Recording { since } = self.stage {
            self.recorded += now.saturating_duration_since(since);
            self.stage = Stage::Paused;
        }
    }
}

/// Milliseconds are exact enough, and read better.
fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}

fn seconds_of_some(time: Duration) -> Option<f64> {
    (!time.is_zero()).then(|| seconds(time))
}

impl Recordings {
    /// `recording` of the room.
    pub(super) fn is_on(&self) -> bool {
        self.current.as_ref().is_some_and(|current| current.is_shown)
    }

    /// The one that runs.
    pub(super) fn running(&self) -> Vec<Recording> {
        self.current.iter().filter(|current| current.is_shown).map(Current::wire).collect()
    }

    fn current(&mut self, id: &str) -> Option<&mut Current> {
        self.current.as_mut().filter(|current| current.is_shown && current.id.as_str() == id)
    }

    fn starting(&mut self, id: &RecordingId) -> Option<&mut Current> {
        self.current
            .as_mut()
            .filter(|current| current.id == *id && matches!(current.stage, Stage::Starting(_)))
    }

    fn has_ended(&self, id: &str) -> bool {
        self.ended.iter().any(|ended| ended.id.as_str() == id)
    }
}

/// What is to be done to a recording that is there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Pause,
    Resume,
}

impl RoomSession {
    /// The room is recorded from its beginning, if it is set so.
    pub(super) fn record_from_start(&mut self) {
        if self.config.settings.record_on_start {
            self.begin_recording(Vec::new(), true);
        }
    }

    fn begin_recording(&mut self, asked: Vec<(SessionKey, RequestKey)>, is_shown: bool) {
        let id = RecordingId::new(self.config.ids.uuid().to_string());
        self.recordings.current = Some(Current {
            id: id.clone(),
            stage: Stage::Starting(asked),
            started_at: None,
            recorded: Duration::ZERO,
            missing: Duration::ZERO,
            is_shown,
        });
        self.outputs.push_back(RoomOutput::Recording(RecordingInstruction::Start { id }));
    }

    /// Servers that have to do with recordings hear of them, whatever they subscribed to: some versions of the SDK wait for
    /// the events.
    pub(super) fn follow_recordings(&mut self, from: &Sender) {
        if matches!(*from.authority, Authority::Project(_)) {
            self.watchers.insert(from.session);
        }
    }

    /// Of this room session: those that ended, then the one that runs.
    pub(super) fn all_recordings(&self) -> Vec<Recording> {
        self.recordings.ended.iter().cloned().chain(self.recordings.running()).collect()
    }

    /// Somebody wants a recording, and gets the one that runs if there is one. `None`: the reply comes when it has started.
    pub(super) fn start_recording(
        &mut self,
        now: Now,
        from: &Sender,
        request: RequestKey,
    ) -> Option<RecordingResult> {
        match &mut self.recordings.current {
            None => {
                self.begin_recording(vec![(from.session, request)], false);
                None
            }
            Some(Current { stage: Stage::Starting(asked), .. }) => {
                asked.push((from.session, request));
                None
            }
            Some(current) => {
                let recording = current.wire();
                if matches!(*from.authority, Authority::Project(_)) {
                    // It may wait for this rather than for the reply.
                    let body = RecordingBody { recording: recording.clone() };
                    self.emit(now, Self::only(from.session), EventKind::RecordingStarted, None, body);
                }
                Some(RecordingResult { recording_id: recording.id.clone(), recording })
            }
        }
    }

    pub(super) fn change_recording(&mut self, now: Now, id: &str, change: Change) -> Result<(), Reply> {
        let has_ended = self.recordings.has_ended(id);
        let Some(current) = self.recordings.current(id) else {
            return Err(match has_ended {
                true => Reply::invalid("the recording has ended"),
                false => Reply::not_found("Recording"),
            });
        };
        let name = current.id.clone();
        let instruction = match (change, &current.stage) {
            (_, Stage::Starting(_)) => return Err(Reply::invalid("the recording has not begun")),
            (Change::Pause, Stage::Paused) | (Change::Resume, Stage::Recording { .. }) => return Ok(()),
            (Change::Pause, Stage::Recording { .. }) => {
                current.hold(now.at);
                RecordingInstruction::Pause { id: name }
            }
            (Change::Resume, Stage::Paused) => {
                current.stage = Stage::Recording { since: now.at };
                RecordingInstruction::Resume { id: name }
            }
        };
        let body = RecordingBody { recording: current.wire() };
        self.outputs.push_back(RoomOutput::Recording(instruction));
        let to = self.all();
        self.emit(now, to, EventKind::RecordingUpdated, None, body);
        Ok(())
    }

    /// One that has ended stays so.
    pub(super) fn stop_recording(&mut self, now: Now, id: &str) -> Result<(), Reply> {
        if self.recordings.current(id).is_some() {
            self.end_recording(now, RecordingEnd::Stopped);
            return Ok(());
        }
        if self.recordings.has_ended(id) { Ok(()) } else { Err(Reply::not_found("Recording")) }
    }

    /// Ends the recording, if there is one, and tells so.
    pub(super) fn end_recording(&mut self, now: Now, why: RecordingEnd) {
        let Some(mut current) = self.recordings.current.take() else { return };
        self.outputs.push_back(RoomOutput::Recording(RecordingInstruction::Stop { id: current.id.clone() }));
        current.hold(now.at);
        if let Stage::Starting(asked) = &mut current.stage {
            for (session, request) in std::mem::take(asked) {
                self.reply(session, request, Reply::failed("The recording was ended before it began"));
            }
        }
        if current.started_at.is_some() {
            let recording = Recording {
                state: RecordingState::Completed,
                duration: Some(seconds(current.recorded.saturating_sub(current.missing))),
                ended_at: Some(now.unix_s),
                reason: Some(why),
                ..current.wire()
            };
            self.recordings.ended.push_back(recording.clone());
            if self.recordings.ended.len() > ENDED_LISTED {
                self.recordings.ended.pop_front();
            }
            let to = self.all();
            self.emit(now, to, EventKind::RecordingEnded, None, RecordingBody { recording });
        }
        self.tell_recording_flag(now, current.is_shown);
    }

    pub(super) fn on_recording(&mut self, now: Now, event: RecordingEvent) {
        match event {
            RecordingEvent::Started { id } => self.recording_started(now, &id),
            RecordingEvent::Failed { id, why } => self.recording_failed(now, &id, &why),
            RecordingEvent::Gap { id, missing } => {
                if let Some(current) = self.recordings.current(id.as_str()) {
                    current.missing += missing;
                }
            }
            RecordingEvent::Ended { id, why } => {
                if self.recordings.current(id.as_str()).is_some() {
                    self.end_recording(now, why);
                }
            }
        }
    }

    fn recording_started(&mut self, now: Now, id: &RecordingId) {
        let Some(current) = self.recordings.starting(id) else { return };
        let stage = std::mem::replace(&mut current.stage, Stage::Recording { since: now.at });
        current.started_at = Some(now.unix_s);
        let was_shown = std::mem::replace(&mut current.is_shown, true);
        let recording = current.wire();
        if let Stage::Starting(asked) = stage {
            for (session, request) in asked {
                let result = RecordingResult { recording_id: id.clone(), recording: recording.clone() };
                self.reply(session, request, Reply::Done(wire::value(&result)));
            }
        }
        let to = self.all();
        self.emit(now, to, EventKind::RecordingStarted, None, RecordingBody { recording });
        self.tell_recording_flag(now, !was_shown);
    }

    fn recording_failed(&mut self, now: Now, id: &RecordingId, why: &str) {
        if self.recordings.starting(id).is_none() {
            return;
        }
        let Some(failed) = self.recordings.current.take() else { return };
        if let Stage::Starting(asked) = failed.stage {
            for (session, request) in asked {
                self.reply(session, request, Reply::failed(why));
            }
        }
        self.tell_recording_flag(now, failed.is_shown);
    }

    fn tell_recording_flag(&mut self, now: Now, changed: bool) {
        if changed && self.phase == Phase::Running {
            let to = self.all();
            self.emit_room(now, to, EventKind::RoomUpdated, Some(vec!["recording"]));
        }
    }
}
