//! A member of a media room, and what placement sees of it.

use std::sync::Arc;
use std::time::Instant;

use layouts::{Millis, Position, Showing, Source, SourceKey, SourceKind, Tags};

use super::command::{MemberConfig, MemberKind};
use crate::codec::{Picture, Rotation};
use crate::forward::Loudness;
use crate::mix::audio::SoundKind;
use crate::mix::video::Image;
use crate::rtp::AudioLevel;
use crate::units::{LegKey, MemberKey};

/// Legs a member may have at a time: the one that plays, the one that takes over from it, and as many again for a client
/// that tries once more. The oldest gives way.
const LEGS_MAX: usize = 4;

/// One member; its camera and microphone come through its legs.
pub(crate) struct Member {
    pub(crate) config: MemberConfig,
    /// Order of joining.
    joined: u64,
    /// Order of the last position request.
    asked: u64,
    legs: Vec<LegKey>,
    /// The leg whose sound is in the mix.
    pub(crate) voice: Option<LegKey>,
    /// How loud it is; `None` before its first packet or word.
    loudness: Option<Loudness>,
    /// Its packets say how loud they are, so that nobody has to tell when it speaks.
    has_levels: bool,
    /// Hears nothing.
    pub(crate) deaf: bool,
    last_spoke: Option<Millis>,
    /// Since when its hand is up.
    hand_raised: Option<Millis>,
    /// A picture has come of it.
    has_camera: bool,
    /// Which slots are its own.
    pub(crate) tags: Tags,
    /// In the place of its camera while that is muted.
    pub(crate) mute_image: Option<Arc<Image>>,
    /// The last picture before its camera was muted, where the room shows that.
    pub(crate) snapshot: Option<(Arc<Picture>, Rotation)>,
}

impl Member {
    pub(crate) fn new(config: MemberConfig, order: u64) -> Self {
        let asked = if config.position == Position::Auto { 0 } else { order };
        Self {
            config,
            joined: order,
            asked,
            legs: Vec::new(),
            voice: None,
            loudness: None,
            has_levels: false,
            deaf: false,
            last_spoke: None,
            hand_raised: None,
            has_camera: false,
            tags: Tags::default(),
            mute_image: None,
            snapshot: None,
        }
    }

    /// Its legs, the oldest first.
    pub(crate) fn legs(&self) -> &[LegKey] {
        &self.legs
    }

    /// A new leg; gives the one that is too many.
    pub(crate) fn add_leg(&mut self, leg: LegKey) -> Option<LegKey> {
        self.legs.push(leg);
        (self.legs.len() > LEGS_MAX).then(|| self.legs.remove(0))
    }

    pub(crate) fn remove_leg(&mut self, leg: LegKey) {
        self.legs.retain(|other| *other != leg);
    }

    /// One leg is taking over from another.
    pub(crate) fn is_changing_legs(&self) -> bool {
        self.legs.len() > 1
    }

    /// Nobody is to see its camera.
    pub(crate) fn is_unseen(&self) -> bool {
        self.config.video_muted || self.config.audience
    }

    pub(crate) fn request(&mut self, position: Position, order: u64) {
        self.config.position = position;
        self.asked = order;
    }

    pub(crate) fn spoke(&mut self, at: Millis) {
        self.last_spoke = Some(at);
    }

    /// Raised again, a hand that is up keeps its turn.
    pub(crate) fn raise_hand(&mut self, since: Option<Millis>) {
        self.hand_raised = since.map(|now| self.hand_raised.unwrap_or(now));
    }

    pub(crate) fn has_hand_raised(&self) -> bool {
        self.hand_raised.is_some()
    }

    /// A packet of it is so loud.
    pub(crate) fn heard(&mut self, now: Instant, level: AudioLevel) {
        self.has_levels = true;
        self.loudness.get_or_insert_with(|| Loudness::new(now)).hear(now, level);
    }

    /// The mix says that it speaks, or has ended.
    pub(crate) fn talks(&mut self, now: Instant, talking: bool) {
        if !self.has_levels {
            self.loudness.get_or_insert_with(|| Loudness::new(now)).set_speaking(now, talking);
        }
    }

    /// How loud it is, smoothed.
    pub(crate) fn dbov(&self, now: Instant) -> f32 {
        self.loudness.unwrap_or_else(|| Loudness::new(now)).dbov(now)
    }

    /// What it says is for nobody.
    pub(crate) fn is_silenced(&self) -> bool {
        self.config.audio_muted || self.config.audience
    }

    /// What comes through its microphone, or with its screen.
    pub(crate) fn sound(&self) -> SoundKind {
        match self.config.kind {
            MemberKind::Member | MemberKind::Device => SoundKind::Voice,
            MemberKind::Screen => SoundKind::Program,
        }
    }

    /// What stands in its layer.
    pub(crate) fn showing(&self, has_picture: bool) -> Showing {
        match (self.config.video_muted, has_picture) {
            (true, _) => Showing::MuteImage,
            (false, true) => Showing::Video,
            (false, false) => Showing::Avatar,
        }
    }

    /// Its camera has something to show.
    pub(crate) fn has_shown(&mut self) {
        self.has_camera = true;
    }

    /// Who speaks when this one does: a microphone without a camera is that of its owner, and a screen is nobody.
    pub(crate) fn speaker(&self, key: MemberKey) -> Option<MemberKey> {
        match self.config.kind {
            MemberKind::Member => Some(key),
            MemberKind::Device if self.has_camera => Some(key),
            MemberKind::Device => self.config.parent,
            MemberKind::Screen => None,
        }
    }

    /// What placement is told. `has_picture`: its camera has something to show.
    pub(crate) fn source(&self, key: MemberKey, has_picture: bool) -> Option<Source> {
        let is_seen = match self.config.kind {
            MemberKind::Member => true,
            // A stand-in for a screen that is still to come, or for a second microphone, would only take room.
            MemberKind::Screen | MemberKind::Device => self.has_camera,
        };
        if self.config.audience || !is_seen {
            return None;
        }
        let showing = self.showing(has_picture);
        Some(Source {
            key: SourceKey(key.0),
            kind: match self.config.kind {
                MemberKind::Member | MemberKind::Device => SourceKind::Member,
                MemberKind::Screen => SourceKind::Screen,
            },
            parent: self.config.parent.map(|parent| SourceKey(parent.0)),
            joined: self.joined,
            asked: self.asked,
            requested: self.config.position,
            showing,
            on_hold: false,
            hand_raised: self.hand_raised,
            last_spoke: self.last_spoke,
            reservation: self.tags.reservation,
            role: self.tags.role,
        })
    }
}
