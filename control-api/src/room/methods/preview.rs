//! A dry run of a layout: the layers that would result, and nothing changes. An extension of ours.
//!
//! in:  a layout by name, or a definition; how many members, else those who are here
//! out: `layout`, as `video.layout.changed` tells it

use layouts::{
    Layer, LayoutId, MAX_PREVIEWED, Position, Showing, Source, SourceKey, SourceKind, StageInput, define,
    preview, with_members,
};

use super::{Call, Method, Needs};
use crate::ids::MemberId;
use crate::permission::RoomAction;
use crate::room::RoomSession;
use crate::room::participant::{Participant, Role};
use crate::session::Reply;
use crate::wire::layout::{self as wire, Percent};
use crate::wire::method::{LayoutPreviewParams, LayoutPreviewResult, Previewed};

pub(super) struct LayoutPreview;
impl Method for LayoutPreview {
    const NAME: &'static str = "video.layout.preview";
    const NEEDS: Needs = Needs::Room(&[RoomAction::ListAvailableLayouts, RoomAction::SetLayout]);
    type Params = LayoutPreviewParams;
    type Result = LayoutPreviewResult;
    fn run(
        room: &mut RoomSession,
        _: &Call<'_>,
        params: LayoutPreviewParams,
    ) -> Result<LayoutPreviewResult, Reply> {
        let layout = match (&params.name, &params.definition) {
            (Some(name), None) => room.read_layout(name)?,
            (None, Some(definition)) => define(definition, &room.config.settings.layouts)
                .map_err(|refusal| Reply::invalid(format!("definition: {refusal}")))?,
            (Some(_), Some(_)) | (None, None) => {
                return Err(Reply::invalid("needs either name or definition"));
            }
        };
        let layers = match params.members {
            Some(members) if members > MAX_PREVIEWED => {
                return Err(Reply::invalid(format!(
                    "members must be a whole number from 0 to {MAX_PREVIEWED}"
                )));
            }
            Some(members) => {
                let layers = with_members(&layout, room.config.settings.canvas, members);
                layers
                    .iter()
                    .map(|layer| wire_layer(layer, |key| Some(MemberId::new(key.0.to_string()))))
                    .collect()
            }
            None => room.preview(&layout),
        };
        let name = layout.name().to_owned();
        Ok(LayoutPreviewResult { layout: Previewed { id: name.clone(), name, layers } })
    }
}

impl RoomSession {
    /// With those who are here, in the order in which they are shown now. Who talks has the floor, else who is in the
    /// large picture.
    fn preview(&self, layout: &LayoutId) -> Vec<wire::Layer> {
        let here: Vec<&Participant> = self.participants.iter().filter(|member| member.is_listed()).collect();
        let key = |id: &MemberId| {
            let at = here.iter().position(|member| member.id == *id)?;
            u32::try_from(at).ok().map(SourceKey)
        };
        let source = |member: &&Participant| {
            Some(Source {
                key: key(&member.id)?,
                kind: match &member.role {
                    Role::Child { .. } if member.is_screen() => SourceKind::Screen,
                    Role::Member | Role::Audience | Role::Child { .. } => SourceKind::Member,
                },
                parent: member.parent().and_then(&key),
                joined: u64::from(key(&member.id)?.0),
                // A position has one asker, so that their order does not matter.
                asked: u64::from(member.requested != Position::Auto),
                requested: member.asks_to_sit(),
                showing: if member.is_hidden() { Showing::MuteImage } else { Showing::Video },
                on_hold: member.on_hold,
                hand_raised: member.handraised.then_some(layouts::Millis(0)),
                last_spoke: None,
                reservation: member.tags.reservation,
                role: member.tags.role,
            })
        };
        let sources: Vec<Source> = here.iter().filter_map(source).collect();
        let seated: Vec<SourceKey> = self.canvas.seated().filter_map(&key).collect();
        let talking = here.iter().find(|member| member.talking).map(|member| &member.id);
        let input = StageInput {
            layout: layout.clone(),
            canvas: self.config.settings.canvas,
            sources: &sources,
            floor: talking.or_else(|| self.canvas.in_large_picture()).and_then(&key),
            hide_video_muted: self.hide_video_muted,
            video_required: self.config.settings.rules.video_required,
            prioritize_handraise: self.prioritize_handraise,
            options: self.config.settings.rules.options,
        };
        let who = |key: SourceKey| {
            let at = usize::try_from(key.0).ok()?;
            here.get(at).map(|member| member.id.clone())
        };
        preview(&input, &seated).iter().map(|layer| wire_layer(layer, who)).collect()
    }
}

fn wire_layer(layer: &Layer, who: impl Fn(SourceKey) -> Option<MemberId>) -> wire::Layer {
    wire::Layer {
        layer_index: layer.index,
        z_index: layer.z,
        x: Percent::of_grid(layer.rect.x),
        y: Percent::of_grid(layer.rect.y),
        width: Percent::of_grid(layer.rect.w),
        height: Percent::of_grid(layer.rect.h),
        member_id: layer.source.and_then(who),
        position: layer.position.to_string(),
        reservation: layer.reservation.map(|tag| tag.to_string()),
        playing_file: layer.playing_file,
        visible: layer.visible,
    }
}
