//! Recordings of the room.

use super::{Call, LateMethod, Method, Needs};
use crate::permission::RoomAction;
use crate::room::RoomSession;
use crate::room::recordings::Change;
use crate::session::Reply;
use crate::wire::method::{Done, NoParams, RecordingParams};
use crate::wire::recording::{RecordingResult, RecordingsResult};

const CONTROL: Needs = Needs::Room(&[RoomAction::Recording]);

pub(super) struct RecordingList;
impl Method for RecordingList {
    const NAME: &'static str = "video.recording.list";
    const NEEDS: Needs = CONTROL;
    type Params = NoParams;
    type Result = RecordingsResult;
    fn run(room: &mut RoomSession, _: &Call<'_>, _: NoParams) -> Result<RecordingsResult, Reply> {
        Ok(RecordingsResult { recordings: room.all_recordings() })
    }
}

pub(super) struct RecordingStart;
impl LateMethod for RecordingStart {
    const NAME: &'static str = "video.recording.start";
    const NEEDS: Needs = CONTROL;
    type Params = NoParams;
    type Result = RecordingResult;
    fn run(room: &mut RoomSession, call: &Call<'_>, _: NoParams) -> Option<RecordingResult> {
        room.follow_recordings(call.from);
        room.start_recording(call.now, call.from, call.request)
    }
}

pub(super) struct RecordingPause;
impl Method for RecordingPause {
    const NAME: &'static str = "video.recording.pause";
    const NEEDS: Needs = CONTROL;
    type Params = RecordingParams;
    type Result = Done;
    fn run(room: &mut RoomSession, call: &Call<'_>, params: RecordingParams) -> Result<Done, Reply> {
        room.follow_recordings(call.from);
        room.change_recording(call.now, &params.recording_id, Change::Pause).map(|()| Done {})
    }
}

pub(super) struct RecordingResume;
impl Method for RecordingResume {
    const NAME: &'static str = "video.recording.resume";
    const NEEDS: Needs = CONTROL;
    type Params = RecordingParams;
    type Result = Done;
    fn run(room: &mut RoomSession, call: &Call<'_>, params: RecordingParams) -> Result<Done, Reply> {
        room.follow_recordings(call.from);
        room.change_recording(call.now, &params.recording_id, Change::Resume).map(|()| Done {})
    }
}

pub(super) struct RecordingStop;
impl Method for RecordingStop {
    const NAME: &'static str = "video.recording.stop";
    const NEEDS: Needs = CONTROL;
    type Params = RecordingParams;
    type Result = Done;
    fn run(room: &mut RoomSession, call: &Call<'_>, params: RecordingParams) -> Result<Done, Reply> {
        room.follow_recordings(call.from);
        room.stop_recording(call.now, &params.recording_id).map(|()| Done {})
    }
}
