//! A recording as clients see it.

use serde::Serialize;

use crate::ids::RecordingId;

/// In results, events and `room_session.recordings`. Times are unix seconds, durations seconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recording {
    /// Its name, also in REST.
    pub id: RecordingId,
    /// How it goes.
    pub state: RecordingState,
    /// How much there is in it; from its end on.
    pub duration: Option<f64>,
    /// When it began.
    pub started_at: Option<f64>,
    /// When it ended.
    pub ended_at: Option<f64>,
    /// Why it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<RecordingEnd>,
    /// How much is missing in the middle, if something is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gap: Option<f64>,
}

/// `state` of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingState {
    /// It grows.
    Recording,
    /// Nothing is written until it is resumed.
    Paused,
    /// It has ended.
    Completed,
}

/// `reason` of a recording that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingEnd {
    /// Somebody stopped it, or the room ended.
    Stopped,
    /// There is no place for more.
    DiskFull,
    /// What writes it ended again and again.
    Crash,
    /// It could not go on for another reason.
    Error,
}

/// `video.recording.start`.
#[derive(Clone, Debug, Serialize)]
pub struct RecordingResult {
    /// The same as in the object.
    pub recording_id: RecordingId,
    /// The recording.
    pub recording: Recording,
}

/// `video.recording.list`.
#[derive(Clone, Debug, Serialize)]
pub struct RecordingsResult {
    /// Of this room session: the last ones that ended, then the one that runs.
    pub recordings: Vec<Recording>,
}

/// `video.recording.started`, `updated`, `ended`.
#[derive(Clone, Debug, Serialize)]
pub struct RecordingBody {
    /// The recording.
    pub recording: Recording,
}
