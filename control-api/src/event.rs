//! Events of a room session, and sets of their names.

use std::sync::Arc;

use crate::ids::{MemberId, SessionKey};

/// Names of room events. One row per event; a name that is not here is ignored in subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EventKind {
    /// The first member has come.
    RoomStarted,
    /// A property of the room changed.
    RoomUpdated,
    /// Over; the last event.
    RoomEnded,
    /// The whole state, to one connection.
    RoomSubscribed,
    /// Somebody came.
    MemberJoined,
    /// A property of a member changed.
    MemberUpdated,
    /// Somebody left.
    MemberLeft,
    /// Somebody began or stopped speaking.
    MemberTalking,
    /// The canvas is arranged anew.
    LayoutChanged,
    /// More or fewer listen.
    AudienceCount,
    /// A recording has begun.
    RecordingStarted,
    /// It was paused, or goes on.
    RecordingUpdated,
    /// It has ended.
    RecordingEnded,
}

const KINDS: &[(EventKind, &str)] = &[
    (EventKind::RoomStarted, "video.room.started"),
    (EventKind::RoomUpdated, "video.room.updated"),
    (EventKind::RoomEnded, "video.room.ended"),
    (EventKind::RoomSubscribed, "video.room.subscribed"),
    (EventKind::MemberJoined, "video.member.joined"),
    (EventKind::MemberUpdated, "video.member.updated"),
    (EventKind::MemberLeft, "video.member.left"),
    (EventKind::MemberTalking, "video.member.talking"),
    (EventKind::LayoutChanged, "video.layout.changed"),
    (EventKind::AudienceCount, "video.room.audience_count"),
    (EventKind::RecordingStarted, "video.recording.started"),
    (EventKind::RecordingUpdated, "video.recording.updated"),
    (EventKind::RecordingEnded, "video.recording.ended"),
];

/// What SDKs call an event before they rename it.
const ALIASES: &[(EventKind, &str)] = &[(EventKind::AudienceCount, "video.room.audienceCount")];

impl EventKind {
    /// Every event there is.
    pub fn all() -> impl Iterator<Item = Self> {
        KINDS.iter().map(|row| row.0)
    }

    /// As in `event_type`.
    #[must_use]
    pub fn name(self) -> &'static str {
        KINDS.iter().find(|row| row.0 == self).map_or("", |row| row.1)
    }

    /// It changes what a client knows already, so that losing it leaves the client out of date and not lost, and
    /// getting it twice does no harm.
    pub(crate) fn is_change_of_state(self) -> bool {
        match self {
            // Servers wait for these: a recording's start and stop are done with them.
            Self::RecordingStarted | Self::RecordingUpdated | Self::RecordingEnded => false,
            Self::RoomStarted | Self::RoomEnded | Self::RoomSubscribed => false,
            Self::RoomUpdated
            | Self::MemberJoined
            | Self::MemberUpdated
            | Self::MemberLeft
            | Self::MemberTalking
            | Self::LayoutChanged
            | Self::AudienceCount => true,
        }
    }
}

/// Which events a connection wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventSet {
    bits: u32,
}

impl EventSet {
    /// The set a list of names means. SDKs also send names of their own making (`video.room.audienceCount`,
    /// `video.memberList.updated`, `video.member.updated.audioMuted`): they mean the event they are derived from, or nothing.
    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut set = Self::default();
        for name in names {
            // `member.updated.<property>` and `member.talking.started` are derived by the client.
            let derived = |kind: &str| name.strip_prefix(kind).is_some_and(|rest| rest.starts_with('.'));
            for (kind, full) in KINDS.iter().chain(ALIASES) {
                if name == *full || derived(full) {
                    set.insert(*kind);
                }
            }
        }
        set
    }

    /// Adds an event, and those from which SDKs compute what they report under its name: `current_position` of a
    /// member comes from the layout, the list from joined and left.
    pub fn insert(&mut self, kind: EventKind) {
        self.bits |= bit(kind);
        if kind == EventKind::MemberUpdated {
            self.bits |=
                bit(EventKind::LayoutChanged) | bit(EventKind::MemberJoined) | bit(EventKind::MemberLeft);
        }
    }

    /// Adds all of the other.
    pub fn union(&mut self, other: Self) {
        self.bits |= other.bits;
    }

    /// Whether it holds that event.
    #[must_use]
    pub fn has(self, kind: EventKind) -> bool {
        self.bits & bit(kind) != 0
    }
}

fn bit(kind: EventKind) -> u32 {
    1 << (kind as u32)
}

/// One event of a room session, written once for all who receive it.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its place in the room session's one order: 1, 2, 3 …
    pub number: u64,
    /// What happened.
    pub kind: EventKind,
    /// `event_channel` of the room session.
    pub channel: Arc<str>,
    /// Whom it is about, if one member.
    pub member: Option<MemberId>,
    /// The `params` of `signalwire.event`, as JSON text.
    pub params: Arc<str>,
}

/// Who gets an event. Each session then passes on what it is subscribed to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipients {
    /// These sessions.
    pub sessions: Vec<SessionKey>,
    /// And every project-authenticated session of the project (each session once): `video.rooms`.
    pub project: bool,
}
