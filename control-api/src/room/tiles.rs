//! What only the page of one leg hears: where its streams are on the picture, and which of its encodings anybody watches.
//!
//! in:  `MediaEvent::Tiles` and `MediaEvent::Wanted`
//! out: `video.tiles.changed`, `video.encodings.wanted`
//!
//! Both are states and not happenings: the latest says everything. So they have no number in the order of the room, are in
//! no history, and the newer takes the place of the older wherever one waits. What comes before the leg is answered is told
//! right after the answer, and again when a page resumes. Pages that have not said `receive` know nothing of either and
//! are told nothing.

use layouts::Fit;

use super::RoomSession;
use super::leg::Leg;
use super::media::{TilePlan, WantedEncoding};
use crate::clock::Now;
use crate::ids::{CallId, LegId, MemberId, SessionKey};
use crate::session::{LegEvent, LegEventKind, RoomMessage};
use crate::wire;
use crate::wire::layout::Percent;
use crate::wire::room::{EventParams, RoomEvent};
use crate::wire::tiles::{AudioTile, TilesBody, VideoTile, Wanted, WantedBody};

/// The latest of either for one leg.
#[derive(Debug, Default)]
pub(super) struct LegNews {
    tiles: Option<TilePlan>,
    wanted: Option<Vec<WantedEncoding>>,
}

/// Clients of the canvas never need it: the server fits for them.
fn named(fit: Fit) -> &'static str {
    match fit {
        Fit::Contain => "contain",
        Fit::Cover => "cover",
        Fit::Auto => "auto",
    }
}

/// Whom a leg's news go to.
struct Page {
    session: SessionKey,
    call: CallId,
    member: MemberId,
    /// Its page has the answer.
    is_answered: bool,
}

impl RoomSession {
    pub(super) fn on_tiles(&mut self, now: Now, leg: LegId, tiles: TilePlan) {
        let Some(call) = self.call_of_leg_mut(leg) else { return };
        let draws_itself = call.receive.as_ref().is_some_and(crate::LegReceive::is_tiles);
        if draws_itself && call.news.tiles.as_ref() != Some(&tiles) {
            call.news.tiles = Some(tiles);
            self.send_tiles(now, leg);
        }
    }

    pub(super) fn on_wanted(&mut self, now: Now, leg: LegId, wanted: Vec<WantedEncoding>) {
        let Some(call) = self.call_of_leg_mut(leg) else { return };
        if call.receive.is_some() && call.news.wanted.as_ref() != Some(&wanted) {
            call.news.wanted = Some(wanted);
            self.send_wanted(now, leg);
        }
    }

    /// To a page that has just got an answer.
    pub(super) fn send_leg_news(&mut self, now: Now, leg: LegId) {
        self.send_tiles(now, leg);
        self.send_wanted(now, leg);
    }

    fn send_tiles(&mut self, now: Now, leg: LegId) {
        let Some(page) = self.page_of(leg) else { return };
        let Some(plan) = self.call_of_leg_mut(leg).and_then(|call| call.news.tiles.clone()) else { return };
        let body = TilesBody {
            call_id: page.call.clone(),
            member_id: page.member.clone(),
            version: self.canvas.version_told(plan.version),
            video: plan
                .video
                .into_iter()
                .map(|tile| VideoTile {
                    fit: named(self.canvas.fit(tile.layer)),
                    layer_index: tile.layer,
                    z_index: tile.z,
                    x: Percent::of_grid(tile.rect.x),
                    y: Percent::of_grid(tile.rect.y),
                    width: Percent::of_grid(tile.rect.w),
                    height: Percent::of_grid(tile.rect.h),
                    member_id: tile.member,
                    slot: tile.slot,
                    encoding: tile.encoding,
                })
                .collect(),
            audio: plan
                .audio
                .into_iter()
                .map(|tile| AudioTile { slot: tile.slot, member_id: tile.member })
                .collect(),
        };
        self.send_leg_event(now, page, LegEventKind::TilesChanged, body);
    }

    fn send_wanted(&mut self, now: Now, leg: LegId) {
        let Some(page) = self.page_of(leg) else { return };
        let Some(wanted) = self.call_of_leg_mut(leg).and_then(|call| call.news.wanted.clone()) else {
            return;
        };
        let encodings = wanted.into_iter().map(|one| Wanted { rid: one.rid, active: one.active }).collect();
        let body = WantedBody { call_id: page.call.clone(), member_id: page.member.clone(), encodings };
        self.send_leg_event(now, page, LegEventKind::EncodingsWanted, body);
    }

    fn page_of(&self, leg: LegId) -> Option<Page> {
        let participant = self.by_leg(leg)?;
        let call = participant.calls.by_leg(leg)?;
        Some(Page {
            session: participant.session,
            call: call.id.clone(),
            member: participant.id.clone(),
            is_answered: !matches!(call.leg, Leg::Opening { .. }),
        })
    }

    fn send_leg_event<B: serde::Serialize>(&mut self, now: Now, page: Page, kind: LegEventKind, body: B) {
        if !page.is_answered {
            return; // it is told right after the answer
        }
        let channel = self.channel();
        let params = wire::text(&EventParams {
            event_type: kind.name(),
            event_channel: &channel,
            timestamp: now.unix_s,
            project_id: &self.config.project,
            node_id: &self.config.node_id,
            params: RoomEvent {
                room_id: &self.config.room_id,
                room_session_id: &self.config.room_session_id,
                body,
            },
        });
        let event = LegEvent { kind, call: page.call, params: params.into() };
        self.send(page.session, RoomMessage::Leg(event));
    }
}
