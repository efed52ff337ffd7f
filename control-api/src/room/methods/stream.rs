//! Streams of the room to elsewhere. None can be yet: what would begin one says so, everything else finds none.

use super::url::{self, Scheme};
use super::{Call, Method, Needs};
use crate::permission::RoomAction;
use crate::room::RoomSession;
use crate::session::Reply;
use crate::wire::method::{Done, NoParams, StreamParams, StreamStartParams, StreamsResult};

const START: Needs = Needs::Room(&[RoomAction::Stream, RoomAction::StreamStart]);
const CONTROL: Needs = Needs::Room(&[RoomAction::Stream]);

const SCHEMES: &[Scheme] = &[Scheme::Rtmp, Scheme::Rtmps];

pub(super) struct StreamList;
impl Method for StreamList {
    const NAME: &'static str = "video.stream.list";
    const NEEDS: Needs = START;
    type Params = NoParams;
    type Result = StreamsResult;
    fn run(_: &mut RoomSession, _: &Call<'_>, _: NoParams) -> Result<StreamsResult, Reply> {
        Ok(StreamsResult { streams: Vec::new() })
    }
}

pub(super) struct StreamStart;
impl Method for StreamStart {
    const NAME: &'static str = "video.stream.start";
    const NEEDS: Needs = START;
    type Params = StreamStartParams;
    type Result = Done;
    fn run(_: &mut RoomSession, _: &Call<'_>, params: StreamStartParams) -> Result<Done, Reply> {
        url::check(&params.url, SCHEMES)?;
        Err(Reply::failed("Streaming is not available"))
    }
}

pub(super) struct StreamStop;
impl Method for StreamStop {
    const NAME: &'static str = "video.stream.stop";
    const NEEDS: Needs = CONTROL;
    type Params = StreamParams;
    type Result = Done;
    fn run(_: &mut RoomSession, _: &Call<'_>, _: StreamParams) -> Result<Done, Reply> {
        Err(Reply::not_found("Stream"))
    }
}
