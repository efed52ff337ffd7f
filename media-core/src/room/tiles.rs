//! What tile legs show: which member in which slot, which encoding of its camera, and what the client is told.
//!
//! in:  the layers in force, cameras and their encodings, the viewer's size of the picture
//! out: encodings selected for slots, [`Tiles`] for the client
//!
//! ```text
//!   layers, largest first ──► seats: who keeps a slot, who gets a free one ──► encoding for the size at the viewer
//!                                                                                        │
//!                 Sources::show ◄── the one that flows, until the wished one does ◄──────┘
//! ```
//!
//! A member that has a slot keeps it, so that no stream changes hands without need. The client shows its own camera
//! itself: its own layer takes no slot.

mod budget;
mod choice;
mod dynacast;
mod seats;
mod streams;

use std::time::{Duration, Instant};

use layouts::{Layer, Size};
use rustc_hash::FxHashSet;

use self::budget::{Budget, Most, Offered, Want};
use self::choice::choose;
pub(super) use self::dynacast::Dynacast;
use self::seats::settle;
use self::streams::Stream;
use super::command::{Receive, TileAudio, TileConfig};
use super::event::{AudioTile, Tiles, VideoTile};
use super::leg::Leg;
use super::voices::Hearers;
use super::{Event, Room};
use crate::forward::{ALL_TEMPORAL, Layers, SourceId, SpeakerSlots, Watcher};
use crate::shard::Reach;
use crate::units::{EncodingIndex, LegKey, MemberKey, Rid};

/// How often encodings are looked at when nothing has changed: they begin and stop to flow by themselves.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A leg that receives streams.
pub(super) struct View {
    shows: Shows,
    hears: Hears,
    /// The whole picture at the viewer, in its pixels.
    viewport: Size,
    /// Who is in which slot.
    seats: Vec<Option<MemberKey>>,
    budget: Budget,
    told: Option<Tiles>,
}

enum Shows {
    /// The layers of the canvas.
    Layers,
    /// One member, as large as it comes.
    Member(MemberKey),
}

/// What a leg hears.
pub(super) enum Hears {
    /// The mix of the room.
    Mix,
    /// Those who speak, each in a stream of its own.
    Speakers(SpeakerSlots),
    /// One member.
    Member(MemberKey),
}

/// All of them, and what publishers know of them.
#[derive(Default)]
pub(super) struct TileViews {
    views: std::collections::BTreeMap<LegKey, View>,
    /// Who has the sound of each member in which slot.
    pub(super) hearers: Hearers,
    dynacast: Dynacast,
    look_at: Option<Instant>,
}

impl TileViews {
    pub(super) fn open(&mut self, leg: LegKey, receive: Receive, canvas: Size) {
        let (shows, slots, hears) = match receive {
            Receive::Canvas => return,
            Receive::Tiles(TileConfig { video_slots, audio: TileAudio::Mix }) => {
                (Shows::Layers, usize::from(video_slots), Hears::Mix)
            }
            Receive::Tiles(TileConfig { video_slots, audio: TileAudio::Slots(count) }) => {
                (Shows::Layers, usize::from(video_slots), Hears::Speakers(SpeakerSlots::new(count)))
            }
            Receive::Member(member) => (Shows::Member(member), 1, Hears::Member(member)),
        };
        let view = View {
            shows,
            hears,
            viewport: canvas,
            seats: vec![None; slots],
            budget: Budget::default(),
            told: None,
        };
        self.views.insert(leg, view);
    }

    pub(super) fn close(&mut self, leg: LegKey) {
        self.views.remove(&leg);
        self.hearers.forget(leg);
        self.dynacast.forget(leg);
    }

    pub(super) fn set_viewport(&mut self, leg: LegKey, size: Size) {
        if let Some(view) = self.views.get_mut(&leg) {
            view.viewport = size;
        }
    }
}

/// What a slot may be sent.
#[derive(Clone, Debug, Default)]
struct Allowed {
    /// From the smallest on.
    encodings: Vec<EncodingIndex>,
    /// The largest of them, and how many of its pictures.
    most: Option<Most>,
}

impl Allowed {
    /// Up to which temporal id it may be sent of this one.
    fn temporal(&self, shown: Option<SourceId>) -> u8 {
        let most = self.most.filter(|most| shown.is_some_and(|shown| shown.encoding == most.encoding));
        most.map_or(ALL_TEMPORAL, |most| most.temporal)
    }
}

/// An occupied layer, as tile legs see it.
#[derive(Clone, Copy)]
struct Spot<'a> {
    layer: &'a Layer,
    member: MemberKey,
}

impl Room {
    /// Looks after slots and encodings when something has changed, and now and then.
    pub(super) fn settle_tiles(&mut self, reach: &mut Reach<'_>) {
        let due = self.tiles.look_at.is_none_or(|at| at <= reach.now);
        if !self.tiles_stale && !due {
            return;
        }
        self.tiles.look_at = Some(reach.now + LOOK_EVERY);
        self.tiles_stale = false;
        self.unwatch_replaced();
        let mut wished = FxHashSet::default();
        let mut views = std::mem::take(&mut self.tiles.views);
        for (&leg, view) in &mut views {
            self.settle_view(reach, leg, view, &mut wished);
        }
        self.tiles.views = views;
        let places = self.places();
        self.settle_decoding(reach, places.as_ref());
        self.settle_wanted(reach, &wished);
        self.settle_ceilings(reach.now, places.as_ref(), &wished);
    }

    fn settle_view(
        &mut self,
        reach: &mut Reach<'_>,
        leg: LegKey,
        view: &mut View,
        wished: &mut FxHashSet<SourceId>,
    ) {
        let Some(viewer) = self.legs.get(&leg) else { return };
        let own = viewer.member();
        let slots = usize::from(viewer.slot_count()).min(view.seats.len());
        let seatable: Vec<MemberKey> = match view.shows {
            Shows::Layers => self.spots().map(|spot| spot.member).filter(|member| *member != own).collect(),
            Shows::Member(member) => vec![member],
        };
        let seatable: Vec<MemberKey> =
            seatable.into_iter().filter(|member| self.camera_of(*member).is_some()).collect();
        view.seats.truncate(slots);
        settle(&mut view.seats, &seatable);
        let allowed = self.share(reach.now, leg, view, &seatable);
        for ((slot, seat), allowed) in (0_u8..).zip(&view.seats).zip(&allowed) {
            let encodings = Some(&allowed.encodings[..]);
            let wish = seat.and_then(|member| self.wish(reach.now, leg, view, member, encodings));
            wished.extend(wish.map(|(wished, _)| self.stream_of(wished.leg, wished.encoding).id));
            let temporal = allowed.temporal(wish.map(|(_, best)| best));
            let best = wish.map(|(_, best)| self.stream_of(best.leg, best.encoding));
            self.show(reach, Watcher { leg, slot }, best.map(|best| best.id));
            if let Some(best) = best {
                self.limit(reach, Watcher { leg, slot }, best, temporal);
            }
            match view.hears {
                Hears::Mix => self.keep_with_the_mix(leg, slot, best.map(|best| best.id)),
                Hears::Speakers(_) | Hears::Member(_) => {}
            }
        }
        self.settle_voices(reach.now, leg, &mut view.hears);
        self.tell(reach, leg, view);
    }

    /// Divides what the viewer may be sent among its slots: which encodings each may have.
    fn share(&mut self, now: Instant, leg: LegKey, view: &mut View, seatable: &[MemberKey]) -> Vec<Allowed> {
        let mut wants = Vec::new();
        let mut slots = Vec::new();
        // The most important first.
        for member in seatable {
            let Some(slot) = view.seats.iter().position(|seat| seat.as_ref() == Some(member)) else {
                continue;
            };
            let Some((wished, _)) = self.wish(now, leg, view, *member, None) else { continue };
            let Ok(number) = u8::try_from(slot) else { continue };
            let viewer = self.legs.get(&leg);
            let shown = viewer.and_then(|viewer| {
                let slot = viewer.slot(number)?;
                Some((self.chosen(slot)?, slot.limits().temporal))
            });
            let mut offered: Vec<(u32, Offered)> = self
                .candidates(now, wished.leg, viewer)
                .into_iter()
                .map(|it| {
                    let measured = self.rates_of(wished.leg, it.encoding);
                    (it.height.unwrap_or(0), Offered::new(it.encoding, it.height, measured))
                })
                .collect();
            offered.sort_by_key(|(rows, it)| (*rows, it.encoding));
            let end =
                offered.iter().position(|(_, it)| it.encoding == wished.encoding).map_or(0, |at| at + 1);
            let encodings = offered.into_iter().take(end).map(|(_, it)| it).collect();
            let current = shown
                .filter(|((leg, _), _)| *leg == wished.leg)
                .map(|((_, encoding), temporal)| Most { encoding, temporal });
            wants.push(Want { encodings, current });
            slots.push(slot);
        }
        let budget = self.legs.get(&leg).and_then(Leg::budget);
        let estimate = self.legs.get(&leg).and_then(Leg::estimate);
        view.budget.set_draining(budget < estimate);
        let share = view.budget.share(now, budget, &wants);
        if let Some(viewer) = self.legs.get_mut(&leg) {
            viewer.set_demand(share.wished, share.next);
        }
        let mut allowed = vec![Allowed::default(); view.seats.len()];
        for ((slot, want), most) in slots.into_iter().zip(wants).zip(share.most) {
            let encoding = most.map(|most| most.encoding);
            let Some(at) = want.encodings.iter().position(|it| Some(it.encoding) == encoding) else {
                continue;
            };
            if let Some(allowed) = allowed.get_mut(slot) {
                allowed.encodings.extend(want.encodings.iter().take(at + 1).map(|it| it.encoding));
                allowed.most = most;
            }
        }
        allowed
    }

    /// Sends a slot so many layers of a stream. More of them need a key frame, unless the stream allows it by itself.
    fn limit(&mut self, reach: &mut Reach<'_>, watcher: Watcher, stream: Stream, temporal: u8) {
        if let Some(viewer) = self.legs.get_mut(&watcher.leg) {
            let spatial = stream.spatial.unwrap_or(Layers::ALL.spatial);
            viewer.limit(watcher.slot, Layers { spatial, temporal });
        }
        let slot = self.legs.get(&watcher.leg).and_then(|viewer| viewer.slot(watcher.slot));
        let flowing = slot.and_then(|slot| self.flowing(slot));
        let rises = stream.spatial.zip(flowing).is_some_and(|(wanted, flowing)| flowing.0 < wanted);
        if rises && let Some(publisher) = self.legs.get_mut(&stream.id.leg) {
            publisher.request_keyframe(reach, stream.id.encoding);
        }
    }

    /// The mix waits for late sound; the picture of who is heard in it comes as much later.
    fn keep_with_the_mix(&mut self, leg: LegKey, slot: u8, shown: Option<SourceId>) {
        let publisher = shown.and_then(|id| self.legs.get(&id.leg));
        let Some(delay) = publisher.map(|publisher| publisher.camera().playout_delay()) else { return };
        if let Some(viewer) = self.legs.get_mut(&leg) {
            viewer.set_slot_delay(slot, delay);
        }
    }

    /// The encoding that suits the viewer, and the one to show until that one flows.
    fn wish(
        &self,
        now: Instant,
        viewer: LegKey,
        view: &View,
        member: MemberKey,
        allowed: Option<&[EncodingIndex]>,
    ) -> Option<(SourceId, SourceId)> {
        let height = match view.shows {
            Shows::Layers => {
                let layer = self.spots().find(|spot| spot.member == member)?.layer;
                let rect = layer.pixels(view.viewport);
                (rect.height > 0 && rect.width > 0).then_some(rect.height)?
            }
            Shows::Member(_) => u32::MAX,
        };
        self.encoding_for(now, member, height, self.legs.get(&viewer), allowed)
    }

    /// The encoding of a member's camera that suits so many rows, and the one that flows meanwhile; of the allowed ones,
    /// when not all are.
    pub(super) fn encoding_for(
        &self,
        now: Instant,
        member: MemberKey,
        height: u32,
        viewer: Option<&Leg>,
        allowed: Option<&[EncodingIndex]>,
    ) -> Option<(SourceId, SourceId)> {
        let leg = self.camera_of(member)?;
        let mut candidates = self.candidates(now, leg, viewer);
        if let Some(allowed) = allowed {
            candidates.retain(|it| allowed.contains(&it.encoding));
        }
        let (wished, best) = choose(candidates, height)?;
        Some((SourceId { leg, encoding: wished }, SourceId { leg, encoding: best }))
    }

    /// The leg whose camera shows a member, while it may be shown.
    pub(super) fn camera_of(&self, member: MemberKey) -> Option<LegKey> {
        let member = self.members.get(&member).filter(|member| !member.is_unseen())?;
        let has_picture = |leg: &&LegKey| self.legs.get(leg).is_some_and(Leg::has_picture);
        member.legs().iter().rev().find(has_picture).copied()
    }

    /// Occupied layers that are seen, the largest first.
    fn spots(&self) -> impl Iterator<Item = Spot<'_>> {
        self.arrangement
            .largest_first()
            .filter_map(|layer| Some(Spot { layer, member: MemberKey(layer.source?.0) }))
    }

    /// Tells publishers which encodings somebody looks at.
    fn settle_wanted(&mut self, reach: &mut Reach<'_>, wished: &FxHashSet<SourceId>) {
        let room = self.key;
        for (&key, leg) in &mut self.legs {
            let count = leg.camera().encodings();
            let wanted = |leg: &Leg, index| {
                let id = SourceId { leg: key, encoding: EncodingIndex(index) };
                // Of a camera that has shown nothing yet nobody knows that it could be looked at.
                let unknown = leg.camera().awaits_picture();
                let watched =
                    unknown || self.sources.get(&id).is_some_and(|source| !source.watchers().is_empty());
                watched || wished.contains(&id) || leg.camera().is_decoded(id.encoding)
            };
            let flags: Vec<bool> = (0..count).map(|index| wanted(leg, index)).collect();
            for (index, wanted) in (0..count).zip(&flags) {
                leg.set_wanted(EncodingIndex(index), *wanted);
            }
            let only = [Rid(String::new())];
            // A camera of one stream rests as well when nobody looks; it has no name.
            let rids = match leg.camera().rids() {
                [] if count == 1 => &only[..],
                rids => rids,
            };
            if let Some(encodings) = self.tiles.dynacast.update(reach.now, key, rids, &flags) {
                reach.event(Event::Wanted { room, leg: key, encodings });
            }
        }
    }

    fn tell(&self, reach: &mut Reach<'_>, leg: LegKey, view: &mut View) {
        match view.shows {
            Shows::Layers => {}
            Shows::Member(_) => return,
        }
        let Some(viewer) = self.legs.get(&leg) else { return };
        let shown = |slot: u8| self.flowing(viewer.slot(slot)?);
        let tile = |spot: Spot<'_>| {
            let seat = view.seats.iter().position(|seat| *seat == Some(spot.member));
            let slot = seat.and_then(|seat| u8::try_from(seat).ok());
            VideoTile {
                layer: spot.layer.index,
                member: spot.member,
                slot,
                encoding: slot.and_then(shown),
                rect: spot.layer.rect,
                z: spot.layer.z,
            }
        };
        let mut video: Vec<VideoTile> = self.spots().map(tile).collect();
        video.sort_by_key(|tile| tile.layer);
        let audio = match &view.hears {
            Hears::Mix | Hears::Member(_) => Vec::new(),
            Hears::Speakers(slots) => {
                (0_u8..).zip(slots.members()).map(|(slot, member)| AudioTile { slot, member }).collect()
            }
        };
        let tiles = Tiles { version: self.arrangement.version(), video, audio };
        if view.told.as_ref() != Some(&tiles) {
            view.told = Some(tiles.clone());
            reach.event(Event::Tiles { room: self.key, leg, tiles });
        }
    }
}
