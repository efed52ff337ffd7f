//! What may be shown, as the caller describes it.

use crate::position::Position;
use crate::tag::Tag;

/// Milliseconds since any fixed moment; only differences count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis(pub u64);

impl Millis {
    pub(crate) fn plus(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }
}

/// A source of pictures; the caller numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceKey(pub u32);

/// What a source can show now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Showing {
    /// Real pictures (also when starved: the last one stays).
    Video,
    /// Video muted: the mute image.
    MuteImage,
    /// Sends no video: the avatar or initials.
    Avatar,
}

/// What kind of source it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SourceKind {
    /// Camera of a member.
    Member,
    /// Screen share.
    Screen,
    /// Played file or stream.
    Playback,
}

/// One source and its attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Who.
    pub key: SourceKey,
    /// What.
    pub kind: SourceKind,
    /// The member whose screen or further camera it is.
    pub parent: Option<SourceKey>,
    /// Order of joining, smaller first.
    pub joined: u64,
    /// Order of the last position request, larger is later; 0 when never asked.
    pub asked: u64,
    /// Where it asks to sit.
    pub requested: Position,
    /// What it can show.
    pub showing: Showing,
    /// On hold: not shown.
    pub on_hold: bool,
    /// When the hand was raised, if it is up.
    pub hand_raised: Option<Millis>,
    /// When it was last heard speaking.
    pub last_spoke: Option<Millis>,
    /// Slots with this tag are its own.
    pub reservation: Option<Tag>,
    /// Slots for this role are its own.
    pub role: Option<Tag>,
}
