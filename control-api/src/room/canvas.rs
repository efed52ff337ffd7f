//! Follows the media plane's placement: `layout.changed` for clients, seats for members.
//!
//! At most one `layout.changed` per 50 ms; the last arrangement is always delivered.

use std::time::{Duration, Instant};

use layouts::{Fit, Position};

use super::RoomSession;
use super::media::{PlacedLayer, Placement};
use super::participant::{Participant, Seat};
use crate::clock::Now;
use crate::event::{EventKind, Recipients};
use crate::ids::MemberId;
use crate::wire::layout::{Layer, Layout, Percent};
use crate::wire::room::LayoutBody;

/// Least time between two `layout.changed`.
const APART: Duration = Duration::from_millis(50);

/// What the media plane last placed, and what of it clients know.
#[derive(Debug, Default)]
pub(super) struct Canvas {
    placement: Option<Placement>,
    /// The version with which what is placed now began: the one clients hear.
    since: u64,
    sent_at: Option<Instant>,
    due: Option<Instant>,
}

impl Canvas {
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Clients are to hear of it, as early as the rate allows but not before `earliest`.
    fn want(&mut self, earliest: Instant) {
        let allowed = self.sent_at.map_or(earliest, |sent| earliest.max(sent + APART));
        self.due = Some(self.due.map_or(allowed, |due| due.min(allowed)));
    }

    /// The version by which clients know what the media plane calls `version`: one that changed nothing for them has the
    /// number of the one before.
    pub(super) fn version_told(&self, version: u64) -> u64 {
        let same =
            self.placement.as_ref().is_some_and(|placed| (self.since..=placed.version).contains(&version));
        if same { self.since } else { version }
    }

    /// How the picture on that layer fills it.
    pub(super) fn fit(&self, layer: u16) -> Fit {
        let layers = self.placement.iter().flat_map(|placement| &placement.layers);
        layers.into_iter().find(|known| known.index == layer).map_or(Fit::Auto, |known| known.fit)
    }

    /// Whom it shows, in slot order.
    pub(super) fn seated(&self) -> impl Iterator<Item = &MemberId> {
        self.placement
            .iter()
            .flat_map(|placement| &placement.layers)
            .filter_map(|layer| layer.member.as_ref())
    }

    pub(super) fn in_large_picture(&self) -> Option<&MemberId> {
        let mut layers = self.placement.iter().flat_map(|placement| &placement.layers);
        layers.find(|layer| layer.position == Position::Reserved(1))?.member.as_ref()
    }

    fn seat(&self, member: &MemberId) -> Seat {
        let layers = self.placement.iter().flat_map(|placement| &placement.layers);
        let layer = layers.into_iter().find(|layer| layer.member.as_ref() == Some(member));
        layer.map_or(Seat::NOWHERE, |layer| Seat { position: layer.position, visible: layer.visible })
    }
}

impl RoomSession {
    pub(super) fn on_placed(&mut self, now: Now, placement: Placement) {
        if let Some(known) = &mut self.canvas.placement {
            if known.version >= placement.version {
                return;
            }
            if known.layout == placement.layout && known.layers == placement.layers {
                known.version = placement.version; // nothing that clients could see
                return;
            }
        }
        // Somebody who is only coming will be in at any moment: better one layout then than two now.
        let is_coming = |layer: &PlacedLayer| {
            layer.member.as_ref().and_then(|id| self.participant(id)).is_some_and(|member| !member.is_in())
        };
        let earliest = if placement.layers.iter().any(is_coming) { now.at + APART } else { now.at };
        self.canvas.since = placement.version;
        self.canvas.placement = Some(placement);
        if self.participants.iter().any(Participant::is_in) {
            self.canvas.want(earliest);
        }
    }

    /// A newcomer needs a layout, whether or not the arrangement changes for it. If it is not placed yet, the media
    /// plane gets a moment to do so, to spare everybody a picture of the room without it.
    pub(super) fn want_layout_for(&mut self, now: Now, newcomer: &MemberId) {
        if self.canvas.placement.is_some() {
            let placed = self.canvas.seat(newcomer) != Seat::NOWHERE;
            self.canvas.want(if placed { now.at } else { now.at + APART });
        }
    }

    /// One is gone: clients that looked at its layer need a layout without it, even if it had none.
    pub(super) fn want_layout_without(&mut self, now: Now) {
        if self.canvas.placement.is_some() {
            self.canvas.want(now.at + APART);
        }
    }

    pub(super) fn on_canvas_time(&mut self, now: Now) {
        if self.canvas.due.is_some_and(|due| due <= now.at) {
            self.canvas.due = None;
            self.canvas.sent_at = Some(now.at);
            self.update_seats(now);
            let to = self.all();
            self.send_layout(now, to);
        }
    }

    /// `video.layout.changed` as of now, if anything has been placed yet.
    pub(super) fn send_layout(&mut self, now: Now, to: Recipients) {
        let Some(placement) = &self.canvas.placement else { return };
        let layout = Layout {
            id: placement.layout.name().to_owned(),
            name: placement.layout.name().to_owned(),
            version: self.canvas.since,
            room_id: self.config.room_id.clone(),
            room_session_id: self.config.room_session_id.clone(),
            layers: placement.layers.iter().map(|layer| self.wire_layer(layer)).collect(),
        };
        self.emit(now, to, EventKind::LayoutChanged, None, LayoutBody { layout });
    }

    fn update_seats(&mut self, now: Now) {
        let moved: Vec<(MemberId, Seat)> = self
            .participants
            .iter()
            .filter(|member| member.is_listed())
            .map(|member| (member.id.clone(), self.canvas.seat(&member.id)))
            .collect();
        for (id, seat) in moved {
            let Some(member) = self.member_mut(&id) else { continue };
            let before = (member.seat.position, member.is_visible());
            member.seat = seat;
            let mut updated = Vec::new();
            if member.is_visible() != before.1 {
                updated.push("visible");
            }
            if seat.position != before.0 {
                updated.push("current_position");
            }
            if !updated.is_empty() {
                self.emit_member(now, EventKind::MemberUpdated, &id, Some(updated));
            }
        }
    }

    /// Clients know nothing of a member that is only coming: its slot looks empty.
    fn wire_layer(&self, layer: &PlacedLayer) -> Layer {
        let known = layer.member.as_ref().filter(|id| self.member(id).is_some());
        Layer {
            layer_index: layer.index,
            z_index: layer.z,
            x: Percent::of_grid(layer.rect.x),
            y: Percent::of_grid(layer.rect.y),
            width: Percent::of_grid(layer.rect.w),
            height: Percent::of_grid(layer.rect.h),
            member_id: known.cloned(),
            position: layer.position.to_string(),
            reservation: layer.reservation.map(|tag| tag.to_string()),
            playing_file: layer.playing_file,
            visible: layer.visible,
        }
    }
}
