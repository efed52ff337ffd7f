//! Recordings of the room. There are none yet: what would begin one says so, everything else finds none.

use super::{Call, Method, Needs};
use crate::permission::RoomAction;
use crate::room::RoomSession;
use crate::session::Reply;
use crate::wire::method::{Done, NoParams, RecordingParams, RecordingsResult};

const CONTROL: Needs = Needs::Room(&[RoomAction::Recording]);

pub(super) struct RecordingList;
impl Method for RecordingList {
    const NAME: &'static str = "video.recording.list";
    const NEEDS: Needs = CONTROL;
    type Params = NoParams;
    type Result = RecordingsResult;
    fn run(_: &mut RoomSession, _: &Call<'_>, _: NoParams) -> Result<RecordingsResult, Reply> {
        Ok(RecordingsResult { recordings: Vec::new() })
    }
}

pub(super) struct RecordingStart;
impl Method for RecordingStart {
    const NAME: &'static str = "video.recording.start";
    const NEEDS: Needs = CONTROL;
    type Params = NoParams;
    type Result = Done;
    fn run(_: &mut RoomSession, _: &Call<'_>, _: NoParams) -> Result<Done, Reply> {
        Err(Reply::failed("Recording is not available"))
    }
}

pub(super) struct RecordingPause;
impl Method for RecordingPause {
    const NAME: &'static str = "video.recording.pause";
    const NEEDS: Needs = CONTROL;
    type Params = RecordingParams;
    type Result = Done;
    fn run(_: &mut RoomSession, _: &Call<'_>, _: RecordingParams) -> Result<Done, Reply> {
        Err(Reply::not_found("Recording"))
    }
}

pub(super) struct RecordingResume;
impl Method for RecordingResume {
    const NAME: &'static str = "video.recording.resume";
    const NEEDS: Needs = CONTROL;
    type Params = RecordingParams;
    type Result = Done;
    fn run(_: &mut RoomSession, _: &Call<'_>, _: RecordingParams) -> Result<Done, Reply> {
        Err(Reply::not_found("Recording"))
    }
}

pub(super) struct RecordingStop;
impl Method for RecordingStop {
    const NAME: &'static str = "video.recording.stop";
    const NEEDS: Needs = CONTROL;
    type Params = RecordingParams;
    type Result = Done;
    fn run(_: &mut RoomSession, _: &Call<'_>, _: RecordingParams) -> Result<Done, Reply> {
        Err(Reply::not_found("Recording"))
    }
}
