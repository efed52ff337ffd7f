//! The room's placement: feeds [`Stage`], keeps the layers in force, and turns them into a scene.
//!
//! in:  layout, members, time
//! out: `Placed` when it changed; the scene of a frame

use std::time::Instant;

use layouts::{Layer, LayoutId, Millis, Placed, Size, Source, SourceKey, Stage, StageInput};

use crate::codec::Rgb;
use crate::mix::video::{Scene, SceneLayer};
use crate::units::MemberKey;

/// What shows where no slot is: a dark grey that lets black letterboxes stand out.
const BACKGROUND: Rgb = Rgb(0x16, 0x18, 0x1d);

/// Which layer shows whom.
pub(crate) struct Arrangement {
    epoch: Instant,
    stage: Stage,
    layout: LayoutId,
    layers: Vec<Layer>,
    floor: Option<MemberKey>,
    /// Who speaks now, the longest first.
    talking: Vec<MemberKey>,
    stale: bool,
}

impl Arrangement {
    pub(crate) fn new(now: Instant, layout: LayoutId) -> Self {
        Self {
            epoch: now,
            stage: Stage::default(),
            layout,
            layers: Vec::new(),
            floor: None,
            talking: Vec::new(),
            stale: true,
        }
    }

    pub(crate) fn millis(&self, at: Instant) -> Millis {
        Millis(u64::try_from(at.saturating_duration_since(self.epoch).as_millis()).unwrap_or(u64::MAX))
    }

    /// Set anew although it is in force, a layout deals its seats out again.
    pub(crate) fn set_layout(&mut self, layout: LayoutId) {
        if self.layout == layout {
            self.stage.redeal();
        }
        self.layout = layout;
        self.stale = true;
    }

    /// The floor passes to a speaker when its holder is silent.
    pub(crate) fn on_talking(&mut self, member: MemberKey, talking: bool) {
        self.talking.retain(|other| *other != member);
        if talking {
            self.talking.push(member);
        }
        if self.floor.is_none_or(|holder| !self.talking.contains(&holder)) {
            self.floor = self.talking.first().copied().or(self.floor);
        }
        self.stale = true;
    }

    /// A member has left.
    pub(crate) fn drop_floor(&mut self, member: MemberKey) {
        self.talking.retain(|other| *other != member);
        if self.floor == Some(member) {
            self.floor = self.talking.first().copied();
        }
        self.stale = true;
    }

    /// Something that placement depends on has changed.
    pub(crate) fn touch(&mut self) {
        self.stale = true;
    }

    /// When placement wants to look again.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.stage.deadline().map(|at| self.epoch + std::time::Duration::from_millis(at.0))
    }

    /// Looks again if anything changed or its own time has come.
    pub(crate) fn update(
        &mut self,
        now: Instant,
        canvas: Size,
        sources: impl FnOnce() -> Vec<Source>,
    ) -> Option<Placed> {
        let timer = self.deadline().is_some_and(|deadline| deadline <= now);
        if !self.stale && !timer {
            return None;
        }
        self.stale = false;
        let sources = sources();
        let input = StageInput {
            layout: self.layout,
            canvas,
            sources: &sources,
            floor: self.floor.map(|key| SourceKey(key.0)),
            hide_video_muted: false,
            video_required: false,
            prioritize_handraise: false,
        };
        let placed = self.stage.update(self.millis(now), &input)?;
        self.layers.clone_from(&placed.layers);
        self.layers.sort_by_key(|layer| layer.z);
        Some(placed)
    }

    /// The layers to draw, lowest first; `draw` says what a member shows.
    pub(crate) fn scene(&self, mut draw: impl FnMut(MemberKey, &Layer) -> Option<SceneLayer>) -> Scene {
        let layers = self
            .layers
            .iter()
            .filter(|layer| layer.visible)
            .filter_map(|layer| draw(MemberKey(layer.source?.0), layer))
            .collect();
        Scene { background: BACKGROUND, layers }
    }
}
