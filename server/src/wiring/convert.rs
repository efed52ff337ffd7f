//! Between the words of the wire and the numbers of the media core.
//!
//! in:  media instructions of a room session; events of the engine
//! out: actions of the engine; media events of the room session
//!
//! The wire has `MemberId("6f1c…")`, the core a dense `MemberKey(7)`: only this map knows both, one per room.

use std::collections::HashMap;

use control_api::{
    LegEnd, LegId, LegMedia, LegReceive, Liveness, MediaEvent, MediaInstruction, MemberId, MemberSetup,
    PlacedLayer, Placement, Tone, Via, Volume, wire,
};
use layouts::{Layer, Placed, Position};
use media_core::mix::audio;
use media_core::room::{Action, Event, MemberConfig, MemberKind};
use media_core::sdp::{Offer, SdpError};
use media_core::units::{LegKey, MediaKind, MemberKey};

use super::registry::Registry;
use super::tiles;

/// Why an instruction has no action.
pub(super) enum Unconvertible {
    /// The offer cannot be read.
    Offer(LegId, SdpError),
    /// The one member that a leg is to receive is gone.
    Watched(LegId),
    /// It names a member or a leg that is not there (any more).
    Unknown,
}

/// The members and legs of one room under both names.
#[derive(Default)]
pub(super) struct Keys {
    members: HashMap<MemberId, MemberKey>,
    member_ids: HashMap<MemberKey, MemberId>,
    legs: HashMap<LegId, KnownLeg>,
    leg_ids: HashMap<LegKey, LegId>,
}

struct KnownLeg {
    key: LegKey,
    member: MemberId,
    sections: Sections,
}

/// How the offers of a leg are to be read.
#[derive(Clone, Copy)]
enum Sections {
    /// One of sound and one of pictures, as the SDKs have them.
    Pair,
    /// As many as the client has.
    Many,
}

impl Sections {
    fn of(receive: &LegReceive, via: Via) -> Self {
        match (receive, via) {
            (LegReceive::Canvas, Via::Verto) => Self::Pair,
            (LegReceive::Canvas, Via::Whip | Via::Whep)
            | (LegReceive::Tiles { .. } | LegReceive::Member(_), _) => Self::Many,
        }
    }
}

impl Keys {
    /// What the engine is to do. Asked twice for the same instruction, it says the same.
    pub(super) fn action(
        &mut self,
        registry: &Registry,
        instruction: &MediaInstruction,
        bundle: bool,
    ) -> Result<Action, Unconvertible> {
        Ok(match instruction {
            MediaInstruction::AddMember { member, setup } => {
                Action::AddMember { member: self.add_member(registry, member), config: self.config(setup) }
            }
            MediaInstruction::RemoveMember { member } => {
                Action::RemoveMember { member: self.member(member)? }
            }
            MediaInstruction::OpenLeg { member, leg, offer, allowed, receive, via } => {
                let sections = Sections::of(receive, *via);
                Action::OpenLeg {
                    member: self.member(member)?,
                    offer: parsed(*leg, sections, offer, *allowed)?,
                    receive: tiles::received(receive, &self.members).ok_or(Unconvertible::Watched(*leg))?,
                    leg: self.add_leg(registry, *leg, member, sections),
                    // WHIP and WHEP know one transport, RFC 9725 §4.4.1.
                    bundle: tiles::is_bundled(receive, bundle) || *via != Via::Verto,
                }
            }
            MediaInstruction::ReofferLeg { leg, offer, allowed } => {
                let known = self.legs.get(leg).ok_or(Unconvertible::Unknown)?;
                Action::ReofferLeg { leg: known.key, offer: parsed(*leg, known.sections, offer, *allowed)? }
            }
            MediaInstruction::SetViewport { leg, size } => {
                Action::SetViewport { leg: self.leg(*leg)?, size: *size }
            }
            MediaInstruction::CloseLeg { leg } => Action::CloseLeg { leg: self.leg(*leg)? },
            MediaInstruction::SetAudioMuted { member, muted } => {
                Action::SetAudioMuted { member: self.member(member)?, muted: *muted }
            }
            MediaInstruction::SetVideoMuted { member, muted } => {
                Action::SetVideoMuted { member: self.member(member)?, muted: *muted }
            }
            MediaInstruction::SetAudience { member, audience } => {
                Action::SetAudience { member: self.member(member)?, audience: *audience }
            }
            MediaInstruction::SetHandRaised { member, raised } => {
                Action::SetHandRaised { member: self.member(member)?, raised: *raised }
            }
            MediaInstruction::SetHideVideoMuted { hide } => Action::SetHideVideoMuted { hide: *hide },
            MediaInstruction::SetPrioritizeHandraise { on } => Action::SetPrioritizeHandraise { on: *on },
            MediaInstruction::SetDeaf { member, deaf } => {
                Action::SetDeaf { member: self.member(member)?, deaf: *deaf }
            }
            MediaInstruction::SetInputVolume { member, volume } => {
                Action::SetInputVolume { member: self.member(member)?, volume: loudness(*volume) }
            }
            MediaInstruction::SetOutputVolume { member, volume } => {
                Action::SetOutputVolume { member: self.member(member)?, volume: loudness(*volume) }
            }
            MediaInstruction::SetInputSensitivity { member, value } => Action::SetInputSensitivity {
                member: self.member(member)?,
                sensitivity: audio::Sensitivity::saturating(value.value()),
            },
            MediaInstruction::PlayTone { tone } => Action::PlayTone { tone: sounded(*tone) },
            MediaInstruction::SetCanvasRules { rules } => Action::SetCanvasRules { rules: *rules },
            MediaInstruction::SetLook { look } => Action::SetLook { look: *look },
            // The image is to be read first: the room's task sees to it.
            MediaInstruction::SetMuteImage { .. } => return Err(Unconvertible::Unknown),
            MediaInstruction::SetTags { member, tags } => {
                Action::SetTags { member: self.member(member)?, tags: *tags }
            }
            MediaInstruction::SetLayout { layout, positions } => {
                Action::SetLayout { layout: layout.clone(), positions: self.positions(positions) }
            }
            MediaInstruction::SetPositions { positions } => {
                Action::SetPositions { positions: self.positions(positions) }
            }
            MediaInstruction::CloseRoom => Action::CloseRoom,
        })
    }

    /// Forgets what the engine has been told to end.
    pub(super) fn forget(&mut self, instruction: &MediaInstruction) {
        match instruction {
            MediaInstruction::RemoveMember { member } => {
                if let Some(key) = self.members.remove(member) {
                    self.member_ids.remove(&key);
                }
                self.legs.retain(|_, leg| leg.member != *member);
                self.leg_ids.retain(|_, id| self.legs.contains_key(id));
            }
            MediaInstruction::CloseLeg { leg } => {
                if let Some(known) = self.legs.remove(leg) {
                    self.leg_ids.remove(&known.key);
                }
            }
            MediaInstruction::AddMember { .. }
            | MediaInstruction::OpenLeg { .. }
            | MediaInstruction::ReofferLeg { .. }
            | MediaInstruction::SetViewport { .. }
            | MediaInstruction::SetCanvasRules { .. }
            | MediaInstruction::SetLook { .. }
            | MediaInstruction::SetMuteImage { .. }
            | MediaInstruction::SetTags { .. }
            | MediaInstruction::SetAudioMuted { .. }
            | MediaInstruction::SetVideoMuted { .. }
            | MediaInstruction::SetAudience { .. }
            | MediaInstruction::SetHandRaised { .. }
            | MediaInstruction::SetHideVideoMuted { .. }
            | MediaInstruction::SetPrioritizeHandraise { .. }
            | MediaInstruction::SetDeaf { .. }
            | MediaInstruction::SetInputVolume { .. }
            | MediaInstruction::SetOutputVolume { .. }
            | MediaInstruction::SetInputSensitivity { .. }
            | MediaInstruction::PlayTone { .. }
            | MediaInstruction::SetLayout { .. }
            | MediaInstruction::SetPositions { .. }
            | MediaInstruction::CloseRoom => {}
        }
    }

    /// What the room session hears of it; `None` for news of somebody who is gone.
    pub(super) fn event(&mut self, event: Event) -> Option<MediaEvent> {
        Some(match event {
            Event::LegAnswered { leg, sdp, .. } => {
                MediaEvent::LegAnswered { leg: *self.leg_ids.get(&leg)?, sdp }
            }
            Event::LegConnected { leg, .. } => MediaEvent::LegConnected { leg: *self.leg_ids.get(&leg)? },
            Event::LegLiveness { leg, liveness, .. } => {
                MediaEvent::LegLiveness { leg: *self.leg_ids.get(&leg)?, liveness: alive(liveness) }
            }
            Event::LegEnded { leg, why, .. } => {
                // The engine has none of that key any more.
                let leg = self.leg_ids.remove(&leg)?;
                self.legs.remove(&leg);
                tracing::info!(?why, "leg ended");
                MediaEvent::LegEnded { leg, why: ended(&why) }
            }
            // Nothing of the control plane travels by data channel yet.
            Event::Data { .. } => return None,
            // A recorder, or who asked, has taken it before it came here.
            Event::Recorded { .. } | Event::Preview { .. } => return None,
            Event::Tiles { leg, tiles, .. } => MediaEvent::Tiles {
                leg: *self.leg_ids.get(&leg)?,
                tiles: tiles::plan(tiles, &self.member_ids),
            },
            Event::Wanted { leg, encodings, .. } => {
                MediaEvent::Wanted { leg: *self.leg_ids.get(&leg)?, encodings: tiles::wanted(encodings) }
            }
            Event::Placed { placed, .. } => MediaEvent::Placed(self.placement(placed)),
            Event::Talking { member, talking, .. } => {
                MediaEvent::Talking { member: self.member_ids.get(&member)?.clone(), talking }
            }
        })
    }

    fn add_member(&mut self, registry: &Registry, member: &MemberId) -> MemberKey {
        let key = *self.members.entry(member.clone()).or_insert_with(|| registry.next_member());
        self.member_ids.insert(key, member.clone());
        key
    }

    fn add_leg(&mut self, registry: &Registry, leg: LegId, member: &MemberId, sections: Sections) -> LegKey {
        let known = || KnownLeg { key: registry.next_leg(), member: member.clone(), sections };
        let key = self.legs.entry(leg).or_insert_with(known).key;
        self.leg_ids.insert(key, leg);
        key
    }

    fn config(&self, setup: &MemberSetup) -> MemberConfig {
        MemberConfig {
            name: setup.name.clone(),
            kind: kind(setup.kind),
            parent: setup.parent.as_ref().and_then(|parent| self.members.get(parent)).copied(),
            audience: setup.audience,
            audio_muted: setup.audio_muted,
            video_muted: setup.video_muted,
            position: setup.position,
        }
    }

    pub(super) fn member(&self, member: &MemberId) -> Result<MemberKey, Unconvertible> {
        self.members.get(member).copied().ok_or(Unconvertible::Unknown)
    }

    fn leg(&self, leg: LegId) -> Result<LegKey, Unconvertible> {
        self.legs.get(&leg).map(|known| known.key).ok_or(Unconvertible::Unknown)
    }

    fn positions(&self, positions: &[(MemberId, Position)]) -> Vec<(MemberKey, Position)> {
        positions
            .iter()
            .filter_map(|(member, position)| Some((*self.members.get(member)?, *position)))
            .collect()
    }

    fn placement(&self, placed: Placed) -> Placement {
        let layer = |layer: Layer| PlacedLayer {
            index: layer.index,
            z: layer.z,
            rect: layer.rect,
            position: layer.position,
            member: layer.source.and_then(|source| self.member_ids.get(&MemberKey(source.0)).cloned()),
            fit: layer.fit,
            reservation: layer.reservation,
            playing_file: layer.playing_file,
            visible: layer.visible,
        };
        Placement {
            version: placed.version,
            layout: placed.layout,
            layers: placed.layers.into_iter().map(layer).collect(),
        }
    }
}

fn parsed(
    leg: LegId,
    sections: Sections,
    offer: &str,
    allowed: LegMedia,
) -> Result<Box<Offer>, Unconvertible> {
    let offer = match sections {
        Sections::Pair => Offer::parse(offer),
        Sections::Many => Offer::parse_many(offer),
    };
    let mut offer = offer.map_err(|error| Unconvertible::Offer(leg, error))?;
    for (kind, allowed) in [(MediaKind::Audio, allowed.audio), (MediaKind::Video, allowed.video)] {
        offer.limit(kind, allowed.sends(), allowed.receives());
    }
    Ok(Box::new(offer))
}

fn kind(kind: wire::member::MemberKind) -> MemberKind {
    match kind {
        wire::member::MemberKind::Member => MemberKind::Member,
        wire::member::MemberKind::Screen => MemberKind::Screen,
        wire::member::MemberKind::Device => MemberKind::Device,
    }
}

fn loudness(volume: Volume) -> audio::Volume {
    audio::Volume::saturating(volume.steps())
}

fn sounded(tone: Tone) -> audio::Tone {
    match tone {
        Tone::Entry => audio::Tone::Entry,
        Tone::Exit => audio::Tone::Exit,
    }
}

fn alive(liveness: media_core::room::Liveness) -> Liveness {
    match liveness {
        media_core::room::Liveness::Alive => Liveness::Alive,
        media_core::room::Liveness::Stale => Liveness::Stale,
        media_core::room::Liveness::Silent => Liveness::Silent,
        media_core::room::Liveness::Gone => Liveness::Gone,
    }
}

fn ended(why: &media_core::room::LegEnd) -> LegEnd {
    match why {
        media_core::room::LegEnd::PeerClosed | media_core::room::LegEnd::Superseded => LegEnd::PeerClosed,
        media_core::room::LegEnd::HandshakeFailed(_) | media_core::room::LegEnd::NeverConnected => {
            LegEnd::NeverConnected
        }
        media_core::room::LegEnd::Refused(_) => LegEnd::Refused,
    }
}

#[cfg(test)]
mod tests {
    use control_api::wire::connect::Allowed;
    use layouts::{Fit, GridRect, LayoutId, SourceKey};
    use media_core::sdp::Direction;
    use media_core::units::RoomKey;

    use super::*;
    use crate::config::{Config, Overrides};

    const OFFER: &str = include_str!("../../../media-core/src/sdp/fixtures/offers/sendrecv.sdp");
    const ROOM: RoomKey = RoomKey(1);

    fn registry() -> Registry {
        Registry::new(&Config::dev(&Overrides::default()).unwrap())
    }

    fn add(member: &MemberId) -> MediaInstruction {
        let setup = MemberSetup {
            name: "Alice".into(),
            kind: wire::member::MemberKind::Member,
            parent: None,
            audience: false,
            audio_muted: false,
            video_muted: true,
            position: Position::Auto,
        };
        MediaInstruction::AddMember { member: member.clone(), setup }
    }

    fn key_of(action: Action) -> MemberKey {
        let Action::AddMember { member, config } = action else { panic!("{action:?}") };
        assert!(config.video_muted);
        member
    }

    const ALL: LegMedia = LegMedia { audio: Allowed::Both, video: Allowed::Both };

    fn opening(member: &MemberId, leg: LegId, allowed: LegMedia) -> MediaInstruction {
        let (member, offer) = (member.clone(), OFFER.to_owned());
        let (receive, via) = (LegReceive::Canvas, Via::Verto);
        MediaInstruction::OpenLeg { member, leg, offer, allowed, receive, via }
    }

    /// A room with one member and one leg.
    fn room(registry: &Registry) -> (Keys, MemberId, MemberKey, LegId, LegKey) {
        let (mut keys, member, leg) = (Keys::default(), MemberId::new("alice"), LegId(7));
        let key = key_of(keys.action(registry, &add(&member), false).ok().unwrap());
        let open = opening(&member, leg, ALL);
        let opened = keys.action(registry, &open, true).ok().unwrap();
        let Action::OpenLeg { member: of, leg: leg_key, bundle, .. } = opened else { panic!("{opened:?}") };
        assert_eq!((of, bundle), (key, true));
        (keys, member, key, leg, leg_key)
    }

    #[test]
    fn whip_and_whep_have_one_transport_whatever_is_set() {
        let registry = registry();
        let (mut keys, member, ..) = room(&registry);
        for (via, expected) in [(Via::Verto, false), (Via::Whip, true), (Via::Whep, true)] {
            let MediaInstruction::OpenLeg { offer, allowed, receive, .. } = opening(&member, LegId(8), ALL)
            else {
                panic!("a leg")
            };
            let open = MediaInstruction::OpenLeg {
                member: member.clone(),
                leg: LegId(8),
                offer,
                allowed,
                receive,
                via,
            };
            let opened = keys.action(&registry, &open, false);
            assert!(matches!(opened, Ok(Action::OpenLeg { bundle, .. }) if bundle == expected), "{via:?}");
        }
    }

    #[test]
    fn an_instruction_that_is_repeated_means_the_same_member() {
        let registry = registry();
        let (mut keys, member, key, ..) = room(&registry);
        assert_eq!(key_of(keys.action(&registry, &add(&member), false).ok().unwrap()), key);
    }

    #[test]
    fn a_screen_is_that_of_its_sharer() {
        let registry = registry();
        let (mut keys, alice, key, ..) = room(&registry);
        for (kind, expected) in [
            (wire::member::MemberKind::Screen, MemberKind::Screen),
            (wire::member::MemberKind::Device, MemberKind::Device),
        ] {
            let MediaInstruction::AddMember { setup, .. } = add(&alice) else { panic!("a member") };
            let setup = MemberSetup { kind, parent: Some(alice.clone()), audience: true, ..setup };
            let member = MemberId::new(format!("{kind:?}"));
            let add = MediaInstruction::AddMember { member, setup };
            let Ok(Action::AddMember { config, .. }) = keys.action(&registry, &add, false) else {
                panic!("a member");
            };
            assert_eq!((config.kind, config.parent, config.audience), (expected, Some(key), true));
        }
    }

    #[test]
    fn rooms_never_share_keys() {
        let registry = registry();
        let (_, _, one, _, one_leg) = room(&registry);
        let (_, _, other, _, other_leg) = room(&registry);
        assert!(one != other && one_leg != other_leg);
    }

    #[test]
    fn events_come_back_under_the_name_of_the_wire() {
        let (mut keys, member, key, leg, leg_key) = room(&registry());
        let talking = keys.event(Event::Talking { room: ROOM, member: key, talking: true });
        assert_eq!(talking, Some(MediaEvent::Talking { member: member.clone(), talking: true }));
        let why = media_core::room::LegEnd::HandshakeFailed("certificate".into());
        let ended = keys.event(Event::LegEnded { room: ROOM, leg: leg_key, why });
        assert_eq!(ended, Some(MediaEvent::LegEnded { leg, why: LegEnd::NeverConnected }));
        assert!(keys.legs.is_empty() && keys.leg_ids.is_empty(), "a leg that ended by itself is forgotten");
        let layer = |source| Layer {
            index: 0,
            z: 0,
            rect: GridRect { x: 0, y: 0, w: 5040, h: 5040 },
            position: Position::Standard(1),
            source,
            fit: Fit::Cover,
            reservation: None,
            border: None,
            pan: None,
            playing_file: false,
            visible: true,
        };
        let layers = vec![layer(Some(SourceKey(key.0))), layer(None), layer(Some(SourceKey(key.0 + 1)))];
        let placed = Placed { version: 3, layout: LayoutId::GRID_RESPONSIVE, layers };
        let Some(MediaEvent::Placed(placement)) = keys.event(Event::Placed { room: ROOM, placed }) else {
            panic!("an arrangement is for everybody");
        };
        let members: Vec<_> = placement.layers.into_iter().map(|layer| layer.member).collect();
        assert_eq!((placement.version, members), (3, vec![Some(member), None, None]));
    }

    #[test]
    fn loudness_is_the_same_number_on_both_sides() {
        let registry = registry();
        let (mut keys, alice, key, ..) = room(&registry);
        let mut action = |instruction| keys.action(&registry, &instruction, false).ok().unwrap();
        for steps in [-50, -1, 0, 50] {
            let volume = Volume::new(steps).unwrap();
            let input = action(MediaInstruction::SetInputVolume { member: alice.clone(), volume });
            let output = action(MediaInstruction::SetOutputVolume { member: alice.clone(), volume });
            let loud = audio::Volume::saturating(steps);
            assert!(
                matches!(input, Action::SetInputVolume { member, volume } if (member, volume) == (key, loud))
            );
            assert!(
                matches!(output, Action::SetOutputVolume { member, volume } if (member, volume) == (key, loud))
            );
        }
        for value in [0, 30, 100] {
            let instruction = MediaInstruction::SetInputSensitivity {
                member: alice.clone(),
                value: control_api::Sensitivity::new(value).unwrap(),
            };
            let keen = audio::Sensitivity::saturating(value);
            assert!(matches!(
                action(instruction),
                Action::SetInputSensitivity { member, sensitivity } if (member, sensitivity) == (key, keen)
            ));
        }
        let deaf = action(MediaInstruction::SetDeaf { member: alice, deaf: true });
        assert!(matches!(deaf, Action::SetDeaf { member, deaf: true } if member == key));
        let exit = action(MediaInstruction::PlayTone { tone: Tone::Exit });
        assert!(matches!(exit, Action::PlayTone { tone: audio::Tone::Exit }));
    }

    #[test]
    fn who_has_left_is_neither_commanded_nor_heard() {
        let registry = registry();
        let (mut keys, member, key, leg, leg_key) = room(&registry);
        keys.forget(&MediaInstruction::RemoveMember { member: member.clone() });
        assert_eq!(keys.event(Event::Talking { room: ROOM, member: key, talking: true }), None);
        let answered = Event::LegAnswered { room: ROOM, leg: leg_key, sdp: String::new() };
        assert_eq!(keys.event(answered), None);
        for instruction in [
            MediaInstruction::CloseLeg { leg },
            MediaInstruction::SetAudioMuted { member: member.clone(), muted: true },
            MediaInstruction::RemoveMember { member },
        ] {
            let refused = keys.action(&registry, &instruction, false);
            assert!(matches!(refused, Err(Unconvertible::Unknown)), "{instruction:?}");
        }
    }

    #[test]
    fn an_offer_gets_no_more_than_its_token_allows() {
        let registry = registry();
        let (mut keys, member, ..) = room(&registry);
        for (number, (audio, video, expected)) in [
            (Allowed::Both, Allowed::Both, [Direction::SendRecv; 2]),
            (Allowed::Both, Allowed::None, [Direction::SendRecv, Direction::Inactive]),
            (Allowed::None, Allowed::Both, [Direction::Inactive, Direction::SendRecv]),
            (Allowed::Receive, Allowed::Receive, [Direction::RecvOnly; 2]),
            (Allowed::None, Allowed::Receive, [Direction::Inactive, Direction::RecvOnly]),
        ]
        .into_iter()
        .enumerate()
        {
            let (leg, allowed) = (LegId(100 + number as u64), LegMedia { audio, video });
            let open = opening(&member, leg, allowed);
            let reoffer = MediaInstruction::ReofferLeg { leg, offer: OFFER.to_owned(), allowed };
            for instruction in [open, reoffer] {
                let action = keys.action(&registry, &instruction, false).ok().unwrap();
                let (Action::OpenLeg { offer, .. } | Action::ReofferLeg { offer, .. }) = action else {
                    panic!("{action:?}")
                };
                assert_eq!([offer.audio().unwrap().direction, offer.video().unwrap().direction], expected);
            }
        }
    }

    #[test]
    fn tiles_and_viewports_are_of_their_leg() {
        let registry = registry();
        let (mut keys, member, key, leg, leg_key) = room(&registry);
        let size = layouts::Size { width: 1280, height: 720 };
        let viewport = keys.action(&registry, &MediaInstruction::SetViewport { leg, size }, false);
        assert!(
            matches!(viewport, Ok(Action::SetViewport { leg, size: said }) if (leg, said) == (leg_key, size))
        );
        let tiles = media_core::room::Tiles { version: 3, ..Default::default() };
        let known = keys.event(Event::Tiles { room: ROOM, leg: leg_key, tiles: tiles.clone() });
        assert!(matches!(known, Some(MediaEvent::Tiles { leg: of, .. }) if of == leg));
        let wanted = keys.event(Event::Wanted { room: ROOM, leg: leg_key, encodings: vec![] });
        assert_eq!(wanted, Some(MediaEvent::Wanted { leg, encodings: vec![] }));
        let watching = |watched: &str| MediaInstruction::OpenLeg {
            member: member.clone(),
            leg: LegId(8),
            offer: OFFER.to_owned(),
            allowed: ALL,
            receive: LegReceive::Member(MemberId::new(watched)),
            via: Via::Verto,
        };
        let gone = keys.action(&registry, &watching("nobody"), false);
        assert!(matches!(gone, Err(Unconvertible::Watched(LegId(8)))));
        let opened = keys.action(&registry, &watching("alice"), false);
        let expected = media_core::room::Receive::Member(key);
        assert!(matches!(opened, Ok(Action::OpenLeg { receive, bundle: true, .. }) if receive == expected));
        keys.forget(&MediaInstruction::CloseLeg { leg });
        assert_eq!(keys.event(Event::Tiles { room: ROOM, leg: leg_key, tiles }), None);
    }

    #[test]
    fn an_offer_that_cannot_be_read_names_its_leg() {
        let registry = registry();
        let (mut keys, _, _, leg, _) = room(&registry);
        let reoffer = MediaInstruction::ReofferLeg { leg, offer: OFFER[..200].to_owned(), allowed: ALL };
        let refused = keys.action(&registry, &reoffer, false);
        assert!(matches!(refused, Err(Unconvertible::Offer(of, _)) if of == leg));
    }
}
