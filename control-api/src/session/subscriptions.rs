//! Which events a session has asked for. They belong to the session, not to the socket: clients do not ask again.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::event::{Event, EventKind, EventSet};
use crate::ids::RoomSessionId;

/// Room sessions one session may follow at a time.
const MAX_CHANNELS: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    /// Of the page's leg, by the invite.
    page: EventSet,
    /// `video.rooms`.
    project: EventSet,
    /// By `event_channel` of a room session.
    channels: BTreeMap<Arc<str>, EventSet>,
}

/// What a subscribe adds to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Channel {
    /// All room sessions of the project.
    Project,
    /// One of them.
    Room(RoomSessionId),
    /// Nothing of ours.
    Unknown,
}

impl Channel {
    pub(super) fn of_name(name: &str) -> Self {
        match (name, name.strip_prefix("EC_")) {
            ("video.rooms", _) => Self::Project,
            (_, Some(id)) if !id.is_empty() && id.len() <= 64 => Self::Room(RoomSessionId::new(id)),
            _ => Self::Unknown,
        }
    }
}

/// Too many room sessions at a time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooMany;

impl Subscriptions {
    /// The events a leg's invite lists. SDKs cannot do without who joined and where everybody sits, whether or not they
    /// say so.
    pub(super) fn add_page(&mut self, names: &[String]) {
        self.page.union(EventSet::from_names(names.iter().map(String::as_str)));
        self.page.insert(EventKind::MemberJoined);
        self.page.insert(EventKind::LayoutChanged);
    }

    pub(super) fn add_project(&mut self, names: &[String]) {
        self.project.union(EventSet::from_names(names.iter().map(String::as_str)));
    }

    /// Adds to what is asked of a room session; true the first time.
    pub(super) fn add_room(&mut self, channel: &str, names: &[String]) -> Result<bool, TooMany> {
        let added = EventSet::from_names(names.iter().map(String::as_str));
        if let Some(known) = self.channels.get_mut(channel) {
            known.union(added);
            return Ok(false);
        }
        if self.channels.len() >= MAX_CHANNELS {
            return Err(TooMany);
        }
        self.channels.insert(channel.into(), added);
        Ok(true)
    }

    pub(super) fn forget_room(&mut self, channel: &str) {
        self.channels.remove(channel);
    }

    /// The room sessions followed.
    pub(super) fn rooms(&self) -> impl Iterator<Item = RoomSessionId> + '_ {
        self.channels.keys().filter_map(|channel| channel.strip_prefix("EC_")).map(RoomSessionId::new)
    }

    pub(super) fn wants(&self, event: &Event) -> bool {
        let by_room = self.channels.get(&event.channel).is_some_and(|set| set.has(event.kind));
        let of_project = matches!(event.kind, EventKind::RoomStarted | EventKind::RoomEnded);
        // Addressed to one connection, because it must have it; likewise what servers wait for that control a recording, and
        // subscribe to nothing by themselves.
        let is_needed = matches!(
            event.kind,
            EventKind::RoomSubscribed
                | EventKind::RecordingStarted
                | EventKind::RecordingUpdated
                | EventKind::RecordingEnded
        );
        is_needed || by_room || self.page.has(event.kind) || (of_project && self.project.has(event.kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: EventKind, channel: &str) -> Event {
        Event { number: 1, kind, channel: channel.into(), member: None, params: "{}".into() }
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn lists_add_up_per_channel() {
        let mut subscriptions = Subscriptions::default();
        assert_eq!(subscriptions.add_room("EC_1", &names(&["video.member.left"])), Ok(true));
        assert_eq!(subscriptions.add_room("EC_1", &names(&["video.room.updated"])), Ok(false));
        for (kind, channel, expected) in [
            (EventKind::MemberLeft, "EC_1", true),
            (EventKind::RoomUpdated, "EC_1", true),
            (EventKind::MemberTalking, "EC_1", false),
            (EventKind::MemberLeft, "EC_2", false),
            (EventKind::RoomSubscribed, "EC_2", true),
        ] {
            assert_eq!(subscriptions.wants(&event(kind, channel)), expected, "{kind:?} {channel}");
        }
        subscriptions.forget_room("EC_1");
        assert!(!subscriptions.wants(&event(EventKind::MemberLeft, "EC_1")));
    }

    #[test]
    fn names_of_the_clients_own_making_are_understood_or_ignored() {
        for (name, kinds) in [
            ("video.member.updated.audioMuted", &[EventKind::MemberUpdated, EventKind::LayoutChanged][..]),
            (
                "video.member.updated",
                &[EventKind::MemberJoined, EventKind::MemberLeft, EventKind::LayoutChanged],
            ),
            ("video.member.talking.started", &[EventKind::MemberTalking]),
            ("video.member.talking", &[EventKind::MemberTalking]),
            ("video.memberList.updated", &[]),
            ("video.room.audienceCount", &[EventKind::AudienceCount]),
            ("video.member.updatedx", &[]),
            ("member.joined", &[]),
            ("", &[]),
        ] {
            let set = EventSet::from_names([name]);
            for kind in kinds {
                assert!(set.has(*kind), "{name} {kind:?}");
            }
            assert_eq!(set == EventSet::default(), kinds.is_empty(), "{name}");
        }
    }

    #[test]
    fn the_project_channel_tells_of_beginnings_and_ends_only() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.add_project(&names(&["video.room.started", "video.member.joined"]));
        assert!(subscriptions.wants(&event(EventKind::RoomStarted, "EC_9")));
        assert!(!subscriptions.wants(&event(EventKind::RoomEnded, "EC_9")));
        assert!(!subscriptions.wants(&event(EventKind::MemberJoined, "EC_9")));
    }

    #[test]
    fn channels_are_bounded() {
        let mut subscriptions = Subscriptions::default();
        for n in 0..MAX_CHANNELS {
            assert_eq!(subscriptions.add_room(&format!("EC_{n}"), &[]), Ok(true));
        }
        assert_eq!(subscriptions.add_room("EC_more", &[]), Err(TooMany));
        assert_eq!(subscriptions.add_room("EC_1", &[]), Ok(false));
    }

    #[test]
    fn channel_names() {
        assert_eq!(Channel::of_name("video.rooms"), Channel::Project);
        assert_eq!(Channel::of_name("EC_1"), Channel::Room(RoomSessionId::new("1")));
        for name in ["", "EC_", "video", &format!("EC_{}", "1".repeat(65))] {
            assert_eq!(Channel::of_name(name), Channel::Unknown, "{name}");
        }
    }
}
