//! Between audience and member.

use super::meta::{MAX_MEMBER_META, check_size};
use super::{Call, Method, Needs};
use crate::grant::{JoinAs, Standing};
use crate::permission::{MemberAction, Permission};
use crate::room::RoomSession;
use crate::room::participant::{Role, Turn};
use crate::session::Reply;
use crate::wire::method::{DemoteParams, Done, PromoteParams};

pub(super) struct Promote;
impl Method for Promote {
    const NAME: &'static str = "video.member.promote";
    const NEEDS: Needs = Needs::Others(MemberAction::Promote);
    type Params = PromoteParams;
    type Result = Done;
    fn run(room: &mut RoomSession, _: &Call<'_>, params: PromoteParams) -> Result<Done, Reply> {
        let is_known = |name: &&String| Permission::by_name(name).is_none();
        if let Some(unknown) = params.permissions.iter().flatten().find(is_known) {
            return Err(Reply::invalid(format!("unknown permission {unknown:?}")));
        }
        if let Some(meta) = &params.meta {
            check_size(meta, MAX_MEMBER_META)?;
        }
        // Whoever is listed is a member already, or a screen or device of one.
        if room.known_member(&params.member_id).is_ok() {
            return Err(Reply::unauthorized());
        }
        let id = room.known_person(&params.member_id)?;
        room.promote(
            &id,
            Standing {
                join_as: JoinAs::Member,
                media_allowed: params.media_allowed.unwrap_or_default(),
                scopes: params.permissions,
                join_audio_muted: params.join_audio_muted.unwrap_or(false),
                join_video_muted: params.join_video_muted.unwrap_or(false),
                meta: params.meta,
            },
        )?;
        Ok(Done {})
    }
}

pub(super) struct Demote;
impl Method for Demote {
    const NAME: &'static str = "video.member.demote";
    const NEEDS: Needs = Needs::Others(MemberAction::Demote);
    type Params = DemoteParams;
    type Result = Done;
    fn run(room: &mut RoomSession, call: &Call<'_>, params: DemoteParams) -> Result<Done, Reply> {
        let id = room.known_person(&params.member_id)?;
        let may_be_demoted = room.participant(&id).is_some_and(|person| {
            person.role == Role::Member || matches!(person.turn, Some(Turn::ToMember(_)))
        });
        if !may_be_demoted {
            return Err(Reply::member_not_found());
        }
        room.demote(
            call.now,
            &id,
            Standing {
                join_as: JoinAs::Audience,
                media_allowed: params.media_allowed.unwrap_or_default(),
                scopes: None,
                join_audio_muted: false,
                join_video_muted: false,
                meta: None,
            },
        );
        Ok(Done {})
    }
}
