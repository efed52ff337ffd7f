//! What a room is set to before anybody is in: limits, join times, and what it begins with.

use layouts::{LayoutId, Look, Rules, Size};
use serde_json::{Map, Value};

use crate::clock::Now;
use crate::grant::RoomGrant;
use std::time::Instant;

/// Set when the room session is made; changing the stored room acts on its next session.
#[derive(Clone, Debug, PartialEq)]
pub struct RoomSettings {
    /// Layout to begin with.
    pub layout: LayoutId,
    /// Layouts beside those of this build: the room's own first, then its project's.
    pub layouts: Vec<LayoutId>,
    /// Size of the composed picture.
    pub canvas: Size,
    /// The next one is refused.
    pub max_members: usize,
    /// The application's data of the room.
    pub meta: Map<String, Value>,
    /// No join before, unix seconds.
    pub join_from: Option<f64>,
    /// No join from then on, unix seconds; who is in may stay.
    pub join_until: Option<f64>,
    /// Everybody is put out at that time, unix seconds.
    pub remove_at: Option<f64>,
    /// Everybody is put out so many seconds after joining.
    pub remove_after_s: Option<f64>,
    /// Everybody joins with a muted camera, whatever the token says.
    pub join_video_off: bool,
    /// Everybody hears when a member comes or goes.
    pub tone_on_entry_and_exit: bool,
    /// Raised hands come first from the beginning.
    pub prioritize_handraise: bool,
    /// The session is recorded from its beginning.
    pub record_on_start: bool,
    /// How placement departs from its usual ways.
    pub rules: Rules,
    /// What its canvas shows besides pictures.
    pub look: Look,
}

impl Default for RoomSettings {
    fn default() -> Self {
        Self {
            layout: LayoutId::GRID_RESPONSIVE,
            layouts: Vec::new(),
            canvas: Size { width: 1280, height: 720 },
            max_members: 20,
            meta: Map::new(),
            join_from: None,
            join_until: None,
            remove_at: None,
            remove_after_s: None,
            join_video_off: false,
            tone_on_entry_and_exit: false,
            prioritize_handraise: false,
            record_on_start: false,
            rules: Rules::default(),
            look: Look::default(),
        }
    }
}

impl RoomSettings {
    /// Whether a newcomer may come in at that time.
    #[must_use]
    pub fn admit_at(&self, unix_s: f64) -> bool {
        self.join_from.is_none_or(|from| unix_s >= from)
            && self.join_until.is_none_or(|until| unix_s < until)
            && self.remove_at.is_none_or(|end| unix_s < end)
    }

    /// When one who comes in now is put out: the earliest of what the room and the token say.
    pub(super) fn stay(&self, now: Now, grant: &RoomGrant) -> Option<Instant> {
        let elapsed = [self.remove_after_s, grant.remove_after_s].into_iter().flatten();
        let ends = [self.remove_at, grant.remove_at].into_iter().flatten();
        elapsed.map(|stay_s| now.unix_s + stay_s).chain(ends).map(|unix_s| now.when_unix(unix_s)).min()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ids::ProjectId;

    #[test]
    fn the_window_is_closed_at_its_end() {
        let settings = |join_from, join_until, remove_at| RoomSettings {
            join_from,
            join_until,
            remove_at,
            ..RoomSettings::default()
        };
        let cases = [
            (settings(None, None, None), [true, true, true]),
            (settings(Some(10.0), None, None), [false, true, true]),
            (settings(None, Some(10.0), None), [true, false, false]),
            (settings(None, None, Some(10.0)), [true, false, false]),
            (settings(Some(10.0), Some(11.0), None), [false, true, false]),
        ];
        for (settings, expected) in cases {
            assert_eq!([9.0, 10.0, 11.0].map(|unix_s| settings.admit_at(unix_s)), expected, "{settings:?}");
        }
    }

    #[test]
    fn the_shortest_stay_counts() {
        let now = Now { at: Instant::now(), unix_s: 100.0 };
        let check = |room: [Option<f64>; 2], token: [Option<f64>; 2], expected: Option<u64>| {
            let settings =
                RoomSettings { remove_at: room[0], remove_after_s: room[1], ..RoomSettings::default() };
            let grant = RoomGrant {
                remove_at: token[0],
                remove_after_s: token[1],
                ..RoomGrant::new(ProjectId::new("dev"), "lounge", "Alice")
            };
            let stay = settings.stay(now, &grant);
            assert_eq!(stay, expected.map(|s| now.at + Duration::from_secs(s)), "{room:?} {token:?}");
        };
        check([None, None], [None, None], None);
        check([Some(130.0), None], [None, None], Some(30));
        check([None, Some(20.0)], [Some(130.0), None], Some(20));
        check([None, Some(20.0)], [None, Some(10.0)], Some(10));
        check([Some(101.0), Some(20.0)], [Some(130.0), Some(10.0)], Some(1));
    }
}
