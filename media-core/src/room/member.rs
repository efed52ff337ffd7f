//! A member of a media room, and what placement sees of it.

use layouts::{Millis, Position, Showing, Source, SourceKey, SourceKind};

use super::command::MemberConfig;
use crate::units::{LegKey, MemberKey};

/// One member; its camera and microphone come through `leg`.
pub(crate) struct Member {
    pub(crate) config: MemberConfig,
    /// Order of joining.
    joined: u64,
    /// Order of the last position request.
    asked: u64,
    /// The leg that speaks for it: the newest.
    pub(crate) leg: Option<LegKey>,
    last_spoke: Option<Millis>,
}

impl Member {
    pub(crate) fn new(config: MemberConfig, order: u64) -> Self {
        let asked = if config.position == Position::Auto { 0 } else { order };
        Self { config, joined: order, asked, leg: None, last_spoke: None }
    }

    pub(crate) fn request(&mut self, position: Position, order: u64) {
        self.config.position = position;
        self.asked = order;
    }

    pub(crate) fn spoke(&mut self, at: Millis) {
        self.last_spoke = Some(at);
    }

    /// What stands in its layer.
    pub(crate) fn showing(&self, has_picture: bool) -> Showing {
        match (self.config.video_muted, has_picture) {
            (true, _) => Showing::MuteImage,
            (false, true) => Showing::Video,
            (false, false) => Showing::Avatar,
        }
    }

    /// What placement is told. `has_picture`: its camera has something to show.
    pub(crate) fn source(&self, key: MemberKey, has_picture: bool) -> Source {
        let showing = self.showing(has_picture);
        Source {
            key: SourceKey(key.0),
            kind: SourceKind::Member,
            joined: self.joined,
            asked: self.asked,
            requested: self.config.position,
            showing,
            on_hold: false,
            hand_raised: None,
            last_spoke: self.last_spoke,
        }
    }
}
