//! Files and streams played into the room. None can be yet: what would begin one says so, everything else finds none.

use super::layout::read_position;
use super::url::{self, Scheme};
use super::{Call, Method, Needs};
use crate::permission::RoomAction;
use crate::room::RoomSession;
use crate::session::Reply;
use crate::wire::method::{
    Done, NoParams, PlaybackParams, PlaybackSeekParams, PlaybackStartParams, PlaybackVolumeParams,
    PlaybacksResult,
};

const CONTROL: Needs = Needs::Room(&[RoomAction::Playback]);
const SEEK: Needs = Needs::Room(&[RoomAction::PlaybackSeek]);

/// What can be played: files over HTTP, live streams over RTMP.
const SCHEMES: &[Scheme] = &[Scheme::Http, Scheme::Https, Scheme::Rtmp, Scheme::Rtmps];

pub(super) struct PlaybackList;
impl Method for PlaybackList {
    const NAME: &'static str = "video.playback.list";
    const NEEDS: Needs = CONTROL;
    type Params = NoParams;
    type Result = PlaybacksResult;
    fn run(_: &mut RoomSession, _: &Call<'_>, _: NoParams) -> Result<PlaybacksResult, Reply> {
        Ok(PlaybacksResult { playbacks: Vec::new() })
    }
}

pub(super) struct PlaybackStart;
impl Method for PlaybackStart {
    const NAME: &'static str = "video.playback.start";
    const NEEDS: Needs = CONTROL;
    type Params = PlaybackStartParams;
    type Result = Done;
    fn run(room: &mut RoomSession, _: &Call<'_>, params: PlaybackStartParams) -> Result<Done, Reply> {
        url::check(&params.url, SCHEMES)?;
        if let Some(layout) = &params.layout {
            room.read_layout(layout)?;
        }
        for (id, position) in params.positions.iter().flatten() {
            read_position(position)?;
            if id != "self" {
                room.known_member(id)?;
            }
        }
        if params.seek_position.is_some_and(|position| position.get() < 0.0) {
            return Err(Reply::invalid("seek_position is negative"));
        }
        Err(Reply::failed("Playback is not available"))
    }
}

pub(super) struct PlaybackPause;
impl Method for PlaybackPause {
    const NAME: &'static str = "video.playback.pause";
    const NEEDS: Needs = CONTROL;
    type Params = PlaybackParams;
    type Result = Done;
    fn run(_: &mut RoomSession, _: &Call<'_>, _: PlaybackParams) -> Result<Done, Reply> {
        Err(Reply::not_found("Playback"))
    }
}

pub(super) struct PlaybackResume;
impl Method for PlaybackResume {
    const NAME: &'static str = "video.playback.resume";
    const NEEDS: Needs = CONTROL;
    type Params = PlaybackParams;
    type Result = Done;
    fn run(_: &mut RoomSession, _: &Call<'_>, _: PlaybackParams) -> Result<Done, Reply> {
        Err(Reply::not_found("Playback"))
    }
}

pub(super) struct PlaybackStop;
impl Method for PlaybackStop {
    const NAME: &'static str = "video.playback.stop";
    const NEEDS: Needs = CONTROL;
    type Params = PlaybackParams;
    type Result = Done;
    fn run(_: &mut RoomSession, _: &Call<'_>, _: PlaybackParams) -> Result<Done, Reply> {
        Err(Reply::not_found("Playback"))
    }
}

pub(super) struct PlaybackSetVolume;
impl Method for PlaybackSetVolume {
    const NAME: &'static str = "video.playback.set_volume";
    const NEEDS: Needs = CONTROL;
    type Params = PlaybackVolumeParams;
    type Result = Done;
    fn run(_: &mut RoomSession, _: &Call<'_>, _: PlaybackVolumeParams) -> Result<Done, Reply> {
        Err(Reply::not_found("Playback"))
    }
}

pub(super) struct PlaybackSeekAbsolute;
impl Method for PlaybackSeekAbsolute {
    const NAME: &'static str = "video.playback.seek_absolute";
    const NEEDS: Needs = SEEK;
    type Params = PlaybackSeekParams;
    type Result = Done;
    fn run(_: &mut RoomSession, _: &Call<'_>, params: PlaybackSeekParams) -> Result<Done, Reply> {
        if params.position.get() < 0.0 {
            return Err(Reply::invalid("position is negative"));
        }
        Err(Reply::not_found("Playback"))
    }
}

pub(super) struct PlaybackSeekRelative;
impl Method for PlaybackSeekRelative {
    const NAME: &'static str = "video.playback.seek_relative";
    const NEEDS: Needs = SEEK;
    type Params = PlaybackSeekParams;
    type Result = Done;
    fn run(_: &mut RoomSession, _: &Call<'_>, _: PlaybackSeekParams) -> Result<Done, Reply> {
        Err(Reply::not_found("Playback"))
    }
}
