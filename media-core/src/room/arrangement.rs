//! The room's placement: feeds [`Stage`], keeps the layers in force, and turns them into a scene.
//!
//! in:  layout, members, time
//! out: `Placed` when it changed; the scene of a frame

use std::collections::BTreeMap;
use std::time::Instant;

use layouts::{
    Layer, LayoutId, Look, Millis, PixelRect, Placed, Rules, Size, Source, SourceKey, Stage, StageInput,
};

use crate::codec::Rgb;
use crate::mix::video::{Grounds, Scene, SceneLayer};
use crate::units::MemberKey;

/// What shows where no slot is: a dark grey that lets black letterboxes stand out.
const BACKGROUND: Rgb = Rgb(0x16, 0x18, 0x1d);

/// Which layer shows whom.
pub(crate) struct Arrangement {
    epoch: Instant,
    stage: Stage,
    layout: LayoutId,
    layers: Vec<Layer>,
    /// Places of the occupied and seen ones among `layers`, the largest first: each tile leg asks ten times a second.
    by_size: Vec<usize>,
    background: Rgb,
    /// Of the layers in force.
    version: u64,
    floor: Option<MemberKey>,
    /// Who speaks now, the longest first.
    talking: Vec<MemberKey>,
    hide_video_muted: bool,
    prioritize_handraise: bool,
    rules: Rules,
    look: Look,
    stale: bool,
}

impl Arrangement {
    pub(crate) fn new(now: Instant, layout: LayoutId) -> Self {
        Self {
            epoch: now,
            stage: Stage::default(),
            layout,
            layers: Vec::new(),
            by_size: Vec::new(),
            background: BACKGROUND,
            version: 0,
            floor: None,
            talking: Vec::new(),
            hide_video_muted: false,
            prioritize_handraise: false,
            rules: Rules::default(),
            look: Look::default(),
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

    pub(crate) fn hide_video_muted(&mut self, hide: bool) {
        self.hide_video_muted = hide;
        self.stale = true;
    }

    pub(crate) fn prioritize_handraise(&mut self, on: bool) {
        self.prioritize_handraise = on;
        self.stale = true;
    }

    pub(crate) fn set_rules(&mut self, rules: Rules) {
        self.rules = rules;
        self.stale = true;
    }

    pub(crate) fn set_look(&mut self, look: Look) {
        self.look = look;
    }

    pub(crate) fn look(&self) -> &Look {
        &self.look
    }

    /// Speaks now.
    pub(crate) fn is_talking(&self, member: MemberKey) -> bool {
        self.talking.contains(&member)
    }

    /// Remembers who speaks. A floor that nobody has is taken.
    pub(crate) fn on_talking(&mut self, member: MemberKey, talking: bool) {
        self.talking.retain(|other| *other != member);
        if talking {
            self.talking.push(member);
        }
        self.floor = self.floor.or_else(|| self.talking.first().copied());
        self.stale = true;
    }

    /// The floor passes, by what is heard.
    pub(crate) fn on_floor(&mut self, member: MemberKey) {
        self.floor = Some(member);
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
            layout: self.layout.clone(),
            canvas,
            sources: &sources,
            floor: self.floor.map(|key| SourceKey(key.0)),
            hide_video_muted: self.hide_video_muted,
            video_required: self.rules.video_required,
            prioritize_handraise: self.prioritize_handraise,
            options: self.rules.options,
        };
        let placed = self.stage.update(self.millis(now), &input)?;
        self.version = placed.version;
        self.background = placed.layout.background().map_or(BACKGROUND, |of| Rgb(of.0, of.1, of.2));
        self.layers.clone_from(&placed.layers);
        self.layers.sort_by_key(|layer| layer.z);
        self.by_size = by_size(&self.layers);
        Some(placed)
    }

    /// Of the layers in force.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// The layers in force.
    pub(crate) fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The occupied layers that are seen, the largest first.
    pub(crate) fn largest_first(&self) -> impl Iterator<Item = &Layer> {
        self.by_size.iter().filter_map(|at| self.layers.get(*at))
    }

    /// The largest place of everybody who is seen on a canvas of that size.
    pub(crate) fn largest(&self, canvas: Size) -> BTreeMap<SourceKey, PixelRect> {
        layouts::largest(&self.layers, canvas)
    }

    /// The layers to draw, lowest first; `draw` says what a member shows.
    pub(crate) fn scene(
        &self,
        grounds: Grounds,
        mut draw: impl FnMut(MemberKey, &Layer) -> Option<SceneLayer>,
    ) -> Scene {
        let layers = self
            .layers
            .iter()
            .filter(|layer| layer.visible)
            .filter_map(|layer| draw(MemberKey(layer.source?.0), layer))
            .collect();
        Scene { background: self.background, grounds, layers }
    }
}

fn by_size(layers: &[Layer]) -> Vec<usize> {
    let seen = layers.iter().enumerate().filter(|(_, layer)| layer.visible && layer.source.is_some());
    let mut seen: Vec<(usize, &Layer)> = seen.collect();
    seen.sort_by_key(|(_, layer)| (std::cmp::Reverse(layer.rect.area()), layer.index));
    seen.into_iter().map(|(at, _)| at).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use layouts::{Position, Showing, SourceKind};

    use super::*;

    const CANVAS: Size = Size { width: 1280, height: 720 };
    const ANN: MemberKey = MemberKey(1);
    const BOB: MemberKey = MemberKey(2);
    const EVE: MemberKey = MemberKey(3);

    fn arrangement(layout: &str) -> (Arrangement, Instant) {
        let now = Instant::now();
        (Arrangement::new(now, LayoutId::by_name(layout).unwrap()), now)
    }

    fn sources(keys: &[MemberKey]) -> Vec<Source> {
        let source = |key: &MemberKey| Source {
            key: SourceKey(key.0),
            kind: SourceKind::Member,
            parent: None,
            joined: u64::from(key.0),
            asked: 0,
            requested: Position::Auto,
            showing: Showing::Video,
            on_hold: false,
            hand_raised: None,
            last_spoke: None,
            reservation: None,
            role: None,
        };
        keys.iter().map(source).collect()
    }

    /// Members by slot, `None` for a free one, up to the last one that is taken.
    fn seats(placed: &Placed) -> Vec<Option<MemberKey>> {
        let mut seats: Vec<_> =
            placed.layers.iter().map(|layer| layer.source.map(|key| MemberKey(key.0))).collect();
        while seats.last() == Some(&None) {
            seats.pop();
        }
        seats
    }

    #[test]
    fn the_floor_is_taken_passed_and_handed_on() {
        let (mut it, _) = arrangement("grid-responsive");
        it.on_talking(ANN, true);
        assert_eq!(it.floor, Some(ANN), "nobody had it");
        it.on_talking(BOB, true);
        it.on_talking(ANN, false);
        assert_eq!(it.floor, Some(ANN), "between two words she keeps it");
        it.on_floor(BOB);
        assert_eq!(it.floor, Some(BOB));
        it.on_talking(EVE, true);
        it.drop_floor(BOB);
        assert_eq!(it.floor, Some(EVE), "who leaves hands it on");
        it.drop_floor(ANN);
        it.drop_floor(EVE);
        assert_eq!(it.floor, None);
    }

    #[test]
    fn it_is_looked_at_again_when_something_changed_or_its_time_has_come() {
        let (mut it, start) = arrangement("3x3");
        let placed = it.update(start, CANVAS, || sources(&[ANN])).unwrap();
        assert_eq!(seats(&placed), [Some(ANN)]);
        assert!(it.update(start, CANVAS, || unreachable!("nothing has changed")).is_none());
        it.touch();
        assert!(it.update(start, CANVAS, || sources(&[ANN, BOB])).is_none(), "changes are collected");
        let due = it.deadline().unwrap();
        assert!(due > start && due <= start + Duration::from_millis(100));
        let placed = it.update(due, CANVAS, || sources(&[ANN, BOB])).unwrap();
        assert_eq!(seats(&placed), [Some(ANN), Some(BOB)]);
    }

    #[test]
    fn a_layout_that_is_set_anew_deals_the_seats_out_again() {
        let (mut it, start) = arrangement("3x3");
        it.update(start, CANVAS, || sources(&[ANN, BOB])).unwrap();
        it.touch();
        let later = start + Duration::from_secs(1);
        it.update(later, CANVAS, || sources(&[BOB]));
        let placed = it.update(it.deadline().unwrap(), CANVAS, || sources(&[BOB])).unwrap();
        assert_eq!(seats(&placed), [None, Some(BOB)], "nobody moves because somebody left");
        it.set_layout(LayoutId::by_name("3x3").unwrap());
        let later = later + Duration::from_secs(1);
        let placed = it
            .update(later, CANVAS, || sources(&[BOB]))
            .or_else(|| it.update(it.deadline().unwrap(), CANVAS, || sources(&[BOB])));
        assert_eq!(seats(&placed.unwrap()), [Some(BOB)]);
    }
}
