//! A dry run: the layers that would result, without a room.

use crate::catalogue::LayoutId;
use crate::grid::Size;
use crate::layer::Layer;
use crate::position::Position;
use crate::source::{Millis, Showing, Source, SourceKey, SourceKind};
use crate::stage::{Stage, StageInput};

/// Most members of a dry run that only counts them.
pub const MAX_PREVIEWED: u32 = 300;

/// The layers `input` would have if it were in force long enough for everything to settle. Who is among `seated` keeps
/// that order, as after a change of layout.
#[must_use]
pub fn preview(input: &StageInput<'_>, seated: &[SourceKey]) -> Vec<Layer> {
    Stage::after_another_layout(seated).update(Millis(0), input).map_or_else(Vec::new, |placed| placed.layers)
}

/// The layers that so many members would have, 1 to at most [`MAX_PREVIEWED`], who joined in that order and all send
/// pictures.
#[must_use]
pub fn with_members(layout: &LayoutId, canvas: Size, members: u32) -> Vec<Layer> {
    let sources: Vec<Source> = (1..=members.min(MAX_PREVIEWED)).map(member).collect();
    let input = StageInput {
        layout: layout.clone(),
        canvas,
        sources: &sources,
        floor: None,
        hide_video_muted: false,
        video_required: false,
        prioritize_handraise: false,
        options: crate::plan::Options::default(),
    };
    preview(&input, &[])
}

fn member(number: u32) -> Source {
    Source {
        key: SourceKey(number),
        kind: SourceKind::Member,
        parent: None,
        joined: u64::from(number),
        asked: 0,
        requested: Position::Auto,
        showing: Showing::Video,
        on_hold: false,
        hand_raised: None,
        last_spoke: None,
        reservation: None,
        role: None,
    }
}
