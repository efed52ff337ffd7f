//! What each section of an offer is for.
//!
//! in:  the sections of an offer, our [`Policy`], what was agreed on before
//! out: a role for each section, or none for one that is refused
//!
//! ```text
//!   without slots   first audio ── Audio        first video ── Video
//!   with slots      first that the client sends ── Audio, Video (we receive)
//!                   those that only receive, in their order ── slots 0, 1, 2 … (we send)
//! ```
//!
//! A section keeps its role for life. It is known by its place, which never changes while mids do: a section that was
//! stopped may come again under another mid (RFC 9429 §5.2.2).

use super::negotiate::{Negotiated, NegotiatedMedia, Policy, SlotPolicy};
use super::offer::{Direction, Offer, OfferedMedia, OfferedSection};
use crate::units::MediaKind;

/// What a section is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The offerer's sound; without audio slots, also the mix for it.
    Audio,
    /// The offerer's pictures; without slots, also the canvas for it.
    Video,
    /// The sound of somebody else.
    AudioSlot(usize),
    /// Pictures of somebody else.
    VideoSlot(usize),
}

impl Role {
    /// Whether anything goes to the offerer in such a section.
    pub(super) fn we_send(self, policy: &Policy) -> bool {
        match self {
            Self::Audio => policy.slots.is_none_or(|slots| slots.audio == 0),
            Self::Video => policy.slots.is_none(),
            Self::AudioSlot(_) | Self::VideoSlot(_) => true,
        }
    }

    /// Whether anything comes of the offerer in such a section.
    pub(super) const fn we_receive(self) -> bool {
        !self.is_slot()
    }

    /// It is for streams of others.
    pub(super) const fn is_slot(self) -> bool {
        match self {
            Self::Audio | Self::Video => false,
            Self::AudioSlot(_) | Self::VideoSlot(_) => true,
        }
    }
}

/// A role for each section, in their order. New slots are numbered after those that are there.
pub(super) fn roles(offer: &Offer, policy: &Policy, former: Option<&Negotiated>) -> Vec<Option<Role>> {
    let mut roles = Roles::new(offer, former.filter(|_| policy.slots.is_some()));
    let role = |(place, section): (usize, &OfferedSection)| match (section, policy.slots) {
        (OfferedSection::Media(media), None) => roles.of_pair(media.kind),
        (OfferedSection::Media(media), Some(slots)) => {
            roles.kept(place, media.kind).or_else(|| roles.among_slots(media, slots))
        }
        (OfferedSection::Data(_) | OfferedSection::Other(_), _) => None,
    };
    offer.sections.iter().enumerate().map(role).collect()
}

struct Roles<'a> {
    former: Option<&'a Negotiated>,
    has_audio: bool,
    has_video: bool,
    audio_slots: usize,
    video_slots: usize,
}

impl<'a> Roles<'a> {
    fn new(offer: &Offer, former: Option<&'a Negotiated>) -> Self {
        // A role whose section has been stopped can be taken by another one.
        let lives = |section: &NegotiatedMedia| match offer.sections.get(section.place) {
            Some(OfferedSection::Media(media)) => media.kind == section.kind,
            Some(OfferedSection::Data(_) | OfferedSection::Other(_)) | None => false,
        };
        Self {
            former,
            has_audio: former.and_then(|f| f.audio.as_ref()).is_some_and(lives),
            has_video: former.and_then(|f| f.video.as_ref()).is_some_and(lives),
            audio_slots: former.map_or(0, |f| f.audio_slots.len()),
            video_slots: former.map_or(0, |f| f.video_slots.len()),
        }
    }

    fn of_pair(&mut self, kind: MediaKind) -> Option<Role> {
        match kind {
            MediaKind::Audio => (!std::mem::replace(&mut self.has_audio, true)).then_some(Role::Audio),
            MediaKind::Video => (!std::mem::replace(&mut self.has_video, true)).then_some(Role::Video),
        }
    }

    fn kept(&self, place: usize, kind: MediaKind) -> Option<Role> {
        let former = self.former?;
        let is_here = |section: &NegotiatedMedia| section.place == place && section.kind == kind;
        if former.audio.as_ref().is_some_and(is_here) {
            return Some(Role::Audio);
        }
        if former.video.as_ref().is_some_and(is_here) {
            return Some(Role::Video);
        }
        let audio = former.audio_slots.iter().position(is_here).map(Role::AudioSlot);
        audio.or_else(|| former.video_slots.iter().position(is_here).map(Role::VideoSlot))
    }

    fn among_slots(&mut self, media: &OfferedMedia, slots: SlotPolicy) -> Option<Role> {
        let is_slot = media.direction == Direction::RecvOnly;
        match media.kind {
            MediaKind::Audio if slots.audio == 0 || media.direction.sends() => self.of_pair(MediaKind::Audio),
            MediaKind::Video if media.direction.sends() => self.of_pair(MediaKind::Video),
            MediaKind::Audio if is_slot && self.audio_slots < usize::from(slots.audio) => {
                self.audio_slots += 1;
                Some(Role::AudioSlot(self.audio_slots - 1))
            }
            MediaKind::Video if is_slot && self.video_slots < usize::from(slots.video) => {
                self.video_slots += 1;
                Some(Role::VideoSlot(self.video_slots - 1))
            }
            MediaKind::Audio | MediaKind::Video => None,
        }
    }
}
