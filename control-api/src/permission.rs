//! What a token allows: permission names, and the rule of self and others.

use std::fmt;

/// What can be done to a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MemberAction {
    /// Mute the microphone.
    AudioMute,
    /// Unmute it.
    AudioUnmute,
    /// Mute the camera.
    VideoMute,
    /// Unmute it.
    VideoUnmute,
    /// Stop hearing the room.
    Deaf,
    /// Hear it again.
    Undeaf,
    /// How loud others hear the member.
    SetInputVolume,
    /// How loud the member hears the others.
    SetOutputVolume,
    /// The noise gate.
    SetInputSensitivity,
    /// The place on the canvas.
    SetPosition,
    /// The application's data.
    SetMeta,
    /// Ask for attention.
    RaiseHand,
    /// No longer.
    LowerHand,
    /// Put out of the room; only for others' permission.
    Remove,
    /// Audience to member; only for others' permission.
    Promote,
    /// Member to audience; only for others' permission.
    Demote,
    /// Share a screen; only for oneself.
    ScreenShare,
    /// Add a camera or microphone; only for oneself.
    AdditionalSource,
}

/// What can be done to the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RoomAction {
    /// Muted cameras leave the canvas.
    HideVideoMuted,
    /// They come back.
    ShowVideoMuted,
    /// See the names of layouts.
    ListAvailableLayouts,
    /// Choose one.
    SetLayout,
    /// Place many members.
    SetPosition,
    /// The application's data.
    SetMeta,
    /// Let nobody in.
    Lock,
    /// Let people in again.
    Unlock,
    /// Play files and streams.
    Playback,
    /// Move in them.
    PlaybackSeek,
    /// Record.
    Recording,
    /// Control outgoing streams.
    Stream,
    /// Start them.
    StreamStart,
    /// Raised hands come first.
    PrioritizeHandraise,
}

/// One permission of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Permission {
    /// `room.self.*`
    Own(MemberAction),
    /// `room.member.*`: others, and oneself too.
    Member(MemberAction),
    /// `room.*`
    Room(RoomAction),
}

/// Who an action may be allowed for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Both,
    MemberOnly,
    OwnOnly,
}

const MEMBER_ACTIONS: &[(MemberAction, &str, Scope)] = &[
    (MemberAction::AudioMute, "audio_mute", Scope::Both),
    (MemberAction::AudioUnmute, "audio_unmute", Scope::Both),
    (MemberAction::VideoMute, "video_mute", Scope::Both),
    (MemberAction::VideoUnmute, "video_unmute", Scope::Both),
    (MemberAction::Deaf, "deaf", Scope::Both),
    (MemberAction::Undeaf, "undeaf", Scope::Both),
    (MemberAction::SetInputVolume, "set_input_volume", Scope::Both),
    (MemberAction::SetOutputVolume, "set_output_volume", Scope::Both),
    (MemberAction::SetInputSensitivity, "set_input_sensitivity", Scope::Both),
    (MemberAction::SetPosition, "set_position", Scope::Both),
    (MemberAction::SetMeta, "set_meta", Scope::Both),
    (MemberAction::RaiseHand, "raisehand", Scope::Both),
    (MemberAction::LowerHand, "lowerhand", Scope::Both),
    (MemberAction::Remove, "remove", Scope::MemberOnly),
    (MemberAction::Promote, "promote", Scope::MemberOnly),
    (MemberAction::Demote, "demote", Scope::MemberOnly),
    (MemberAction::ScreenShare, "screenshare", Scope::OwnOnly),
    (MemberAction::AdditionalSource, "additional_source", Scope::OwnOnly),
];

const ROOM_ACTIONS: &[(RoomAction, &str)] = &[
    (RoomAction::HideVideoMuted, "hide_video_muted"),
    (RoomAction::ShowVideoMuted, "show_video_muted"),
    (RoomAction::ListAvailableLayouts, "list_available_layouts"),
    (RoomAction::SetLayout, "set_layout"),
    (RoomAction::SetPosition, "set_position"),
    (RoomAction::SetMeta, "set_meta"),
    (RoomAction::Lock, "lock"),
    (RoomAction::Unlock, "unlock"),
    (RoomAction::Playback, "playback"),
    (RoomAction::PlaybackSeek, "playback_seek"),
    (RoomAction::Recording, "recording"),
    (RoomAction::Stream, "stream"),
    (RoomAction::StreamStart, "stream.start"),
    (RoomAction::PrioritizeHandraise, "prioritize_handraise"),
];

/// Spellings that the comments of SDKs use.
const ALIASES: &[(&str, Permission)] = &[
    ("video.member.raisehand", Permission::Member(MemberAction::RaiseHand)),
    ("video.member.lowerhand", Permission::Member(MemberAction::LowerHand)),
    ("video.prioritize_handraise", Permission::Room(RoomAction::PrioritizeHandraise)),
];

impl Permission {
    /// What a token gets that asks for nothing in particular, in the order the wire shows.
    pub const DEFAULT: [Self; 11] = [
        Self::Own(MemberAction::AudioMute),
        Self::Own(MemberAction::AudioUnmute),
        Self::Own(MemberAction::VideoMute),
        Self::Own(MemberAction::VideoUnmute),
        Self::Own(MemberAction::Deaf),
        Self::Own(MemberAction::Undeaf),
        Self::Own(MemberAction::SetInputVolume),
        Self::Own(MemberAction::SetOutputVolume),
        Self::Own(MemberAction::SetInputSensitivity),
        Self::Own(MemberAction::ScreenShare),
        Self::Own(MemberAction::AdditionalSource),
    ];

    /// Every permission there is.
    pub fn all() -> impl Iterator<Item = Self> {
        let own = MEMBER_ACTIONS
            .iter()
            .filter(|(.., scope)| *scope != Scope::MemberOnly)
            .map(|row| Self::Own(row.0));
        let member = MEMBER_ACTIONS
            .iter()
            .filter(|(.., scope)| *scope != Scope::OwnOnly)
            .map(|row| Self::Member(row.0));
        own.chain(member).chain(ROOM_ACTIONS.iter().map(|row| Self::Room(row.0)))
    }

    /// The permission of that name, in any of its spellings.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        let alias = ALIASES.iter().find(|row| row.0 == name).map(|row| row.1);
        alias.or_else(|| Self::all().find(|permission| permission.is_named(name)))
    }

    fn is_named(self, name: &str) -> bool {
        let rest = |prefix| name.strip_prefix(prefix);
        match self {
            Self::Own(action) => rest("room.self.") == Some(action.name()),
            Self::Member(action) => rest("room.member.") == Some(action.name()),
            Self::Room(action) => rest("room.") == Some(action.name()),
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(action) => write!(f, "room.self.{}", action.name()),
            Self::Member(action) => write!(f, "room.member.{}", action.name()),
            Self::Room(action) => write!(f, "room.{}", action.name()),
        }
    }
}

impl MemberAction {
    fn name(self) -> &'static str {
        MEMBER_ACTIONS.iter().find(|row| row.0 == self).map_or("", |row| row.1)
    }
}

impl RoomAction {
    fn name(self) -> &'static str {
        ROOM_ACTIONS.iter().find(|row| row.0 == self).map_or("", |row| row.1)
    }
}

/// The permissions of one token: a bit per permission.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PermissionSet {
    bits: u64,
}

impl PermissionSet {
    /// Everything.
    #[must_use]
    pub fn everything() -> Self {
        Permission::all().collect()
    }

    /// Whether it holds that permission.
    #[must_use]
    pub fn has(self, permission: Permission) -> bool {
        self.bits & bit(permission) != 0
    }

    /// Whether `action` may be done to oneself (`is_self`) or to somebody else: `room.member.X` covers both.
    #[must_use]
    pub fn allows(self, action: MemberAction, is_self: bool) -> bool {
        self.has(Permission::Member(action)) || (is_self && self.has(Permission::Own(action)))
    }
}

impl FromIterator<Permission> for PermissionSet {
    fn from_iter<T: IntoIterator<Item = Permission>>(permissions: T) -> Self {
        Self { bits: permissions.into_iter().fold(0, |bits, permission| bits | bit(permission)) }
    }
}

/// Three fields of 20 bits: own, member, room.
fn bit(permission: Permission) -> u64 {
    let place = match permission {
        Permission::Own(action) => action as u32,
        Permission::Member(action) => 20 + action as u32,
        Permission::Room(action) => 40 + action as u32,
    };
    1 << place
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_again_and_has_its_own_bit() {
        let mut bits = 0;
        for permission in Permission::all() {
            assert_eq!(Permission::by_name(&permission.to_string()), Some(permission));
            assert_eq!(bits & bit(permission), 0, "{permission}");
            bits |= bit(permission);
        }
        assert_eq!(Permission::all().count(), 15 + 16 + 14);
    }

    #[test]
    fn names_that_do_not_exist_are_not_found() {
        for name in [
            "",
            "room.",
            "room.self.remove",
            "room.member.screenshare",
            "room.self.",
            "audio_mute",
            "room.self.own",
        ] {
            assert_eq!(Permission::by_name(name), None, "{name}");
        }
        assert_eq!(
            Permission::by_name("video.prioritize_handraise"),
            Some(Permission::Room(RoomAction::PrioritizeHandraise))
        );
    }

    #[test]
    fn member_permission_covers_oneself_and_own_covers_nobody_else() {
        let own = PermissionSet::from_iter([Permission::Own(MemberAction::AudioMute)]);
        let member = PermissionSet::from_iter([Permission::Member(MemberAction::AudioMute)]);
        for (set, is_self, expected) in [
            (own, true, true),
            (own, false, false),
            (member, true, true),
            (member, false, true),
            (PermissionSet::default(), true, false),
            (PermissionSet::everything(), false, true),
        ] {
            assert_eq!(set.allows(MemberAction::AudioMute, is_self), expected);
            assert!(!set.allows(MemberAction::VideoMute, is_self) || set == PermissionSet::everything());
        }
    }
}
