//! Whatever happened: requests are honoured meanwhile, and nothing of it remains afterwards.

use crate::room::Room;
use layouts::{Layer, LayoutId, Millis, Options, Position, Showing, Source, SourceKind};
use proptest::prelude::*;
use std::collections::BTreeSet;

#[derive(Clone, Debug)]
enum Step {
    Join,
    Share,
    Play,
    Leave(usize),
    Show(usize, Showing),
    Hold(usize, bool),
    Ask(usize, Position),
    Raise(usize, bool),
    Speak(usize),
    SetLayout(usize),
    Tag(usize, Option<&'static str>),
    Options { compact: bool, screen_alone: bool },
    Rules { hide_video_muted: bool, video_required: bool, prioritize_handraise: bool },
    Pass(u64),
}

fn position() -> impl Strategy<Value = Position> {
    prop_oneof![
        (1_u16..12).prop_map(Position::Standard),
        (1_u16..9).prop_map(Position::Reserved),
        Just(Position::Screen),
        Just(Position::Auto),
        Just(Position::OffCanvas),
        Just(Position::Playback),
        Just(Position::FullScreen),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let who = any::<usize>;
    let showing = prop_oneof![Just(Showing::Video), Just(Showing::MuteImage), Just(Showing::Avatar)];
    prop_oneof![
        4 => Just(Step::Join),
        1 => Just(Step::Share),
        1 => Just(Step::Play),
        2 => who().prop_map(Step::Leave),
        2 => (who(), showing).prop_map(|(who, showing)| Step::Show(who, showing)),
        1 => (who(), any::<bool>()).prop_map(|(who, on)| Step::Hold(who, on)),
        3 => (who(), position()).prop_map(|(who, position)| Step::Ask(who, position)),
        1 => (who(), any::<bool>()).prop_map(|(who, up)| Step::Raise(who, up)),
        3 => who().prop_map(Step::Speak),
        1 => who().prop_map(Step::SetLayout),
        1 => (who(), prop_oneof![Just(None), Just(Some("secondary")), Just(Some("presenter"))])
            .prop_map(|(who, tag)| Step::Tag(who, tag)),
        1 => any::<[bool; 2]>().prop_map(|[compact, screen_alone]| Step::Options { compact, screen_alone }),
        1 => any::<[bool; 3]>().prop_map(|[a, b, c]| Step::Rules {
            hide_video_muted: a,
            video_required: b,
            prioritize_handraise: c,
        }),
        3 => (0_u64..3_000).prop_map(Step::Pass),
        1 => (10_000_u64..20_000).prop_map(Step::Pass),
    ]
}

fn take(room: &mut Room, step: Step, next_key: &mut u32) {
    let who = |room: &Room, n: usize| room.sources.get(n % room.sources.len().max(1)).map(|s| s.key.0);
    let mut add = |room: &mut Room, kind| {
        *next_key += 1;
        room.add(*next_key, kind);
    };
    match step {
        Step::Join => add(room, SourceKind::Member),
        Step::Share => {
            let sharer = room.sources.iter().find(|source| source.kind == SourceKind::Member).map(|s| s.key);
            add(room, SourceKind::Screen);
            room.sources.last_mut().unwrap().parent = sharer;
        }
        Step::Play => add(room, SourceKind::Playback),
        Step::Leave(n) => {
            if let Some(key) = who(room, n) {
                room.leave(key);
                room.floor = room.floor.filter(|floor| floor.0 != key);
            }
        }
        Step::Show(n, showing) => {
            if let Some(key) = who(room, n) {
                room.source(key).showing = showing;
            }
        }
        Step::Hold(n, on) => {
            if let Some(key) = who(room, n) {
                room.source(key).on_hold = on;
            }
        }
        Step::Ask(n, position) => {
            if let Some(key) = who(room, n) {
                room.ask(key, &position.to_string());
            }
        }
        Step::Raise(n, up) => {
            let now = Millis(room.now);
            if let Some(key) = who(room, n) {
                room.source(key).hand_raised = up.then_some(now);
            }
        }
        Step::Speak(n) => {
            if let Some(key) = who(room, n) {
                room.speak(key);
            }
        }
        Step::SetLayout(n) => {
            let layouts: Vec<_> = LayoutId::available().collect();
            room.set_layout(layouts[n % layouts.len()].name());
        }
        Step::Tag(n, tag) => {
            if let Some(key) = who(room, n) {
                room.source(key).reservation = tag.map(|tag| tag.parse().unwrap());
            }
        }
        Step::Options { compact, screen_alone } => {
            room.options = Options { compact, screen_alone, ..Options::default() };
        }
        Step::Rules { hide_video_muted, video_required, prioritize_handraise } => {
            room.hide_video_muted = hide_video_muted;
            room.video_required = video_required;
            room.prioritize_handraise = prioritize_handraise;
        }
        Step::Pass(millis) => drop(room.pass(millis)),
    }
}

fn is_showable(room: &Room, source: &Source) -> bool {
    let hidden = match source.showing {
        Showing::Video => false,
        Showing::MuteImage => room.hide_video_muted,
        Showing::Avatar => room.video_required,
    };
    !hidden && !source.on_hold && source.requested != Position::OffCanvas
}

/// A screen that asks for `reserved-1` means the place of screens, and nobody else gets that one.
fn wanted_by(room: &Room, source: &Source) -> Position {
    let has_screen = room.placed.layers.iter().any(|layer| layer.position == Position::Screen);
    match (source.kind, source.requested) {
        (SourceKind::Screen, Position::Reserved(1)) if has_screen => Position::Screen,
        (SourceKind::Member | SourceKind::Playback, Position::Screen) => Position::Auto,
        (_, requested) => requested,
    }
}

fn check_settled(room: &Room) -> Result<(), TestCaseError> {
    let shown = room.shown();
    let distinct: BTreeSet<_> = shown.iter().copied().collect();
    prop_assert_eq!(distinct.len(), shown.len(), "somebody is shown twice");

    let showable: Vec<_> = room.sources.iter().filter(|s| is_showable(room, s)).collect();
    prop_assert!(shown.iter().all(|key| showable.iter().any(|s| s.key == *key)), "a hidden source is shown");

    let members: Vec<_> = showable.iter().filter(|s| s.kind != SourceKind::Playback).collect();
    let is_free = |layer: &&Layer| layer.source.is_none() && matches!(layer.position, Position::Standard(_));
    let free = room.placed.layers.iter().filter(is_free).count();
    let waiting = members.iter().filter(|s| !shown.contains(&s.key)).count();
    prop_assert!(free == 0 || waiting == 0, "{} wait beside {} free slots", waiting, free);
    if room.layout == LayoutId::GRID_RESPONSIVE {
        prop_assert_eq!(waiting, 0, "there is room in a responsive grid");
    }

    // Requests: a slot that the layout has goes to the latest who asks, a playback before members;
    // the whole screen to the latest of all.
    for layer in &room.placed.layers {
        let asking = showable.iter().filter(|s| wanted_by(room, s) == layer.position);
        let rank = |s: &&&Source| {
            let is_playback = s.kind == SourceKind::Playback && layer.position != Position::FullScreen;
            (is_playback, s.asked)
        };
        if let Some(winner) = asking.max_by_key(rank) {
            let taken_by_unasked_playback = layer.position == Position::Playback && layer.playing_file;
            prop_assert!(layer.source == Some(winner.key) || taken_by_unasked_playback);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn any_history(steps in proptest::collection::vec(step(), 1..60)) {
        let mut room = Room::new("grid-responsive");
        let mut next_key = 0;
        for step in steps {
            take(&mut room, step, &mut next_key);
            room.update();
        }
        room.rest();
        check_settled(&room)?;

        room.sources.retain(|source| source.kind == SourceKind::Member);
        room.floor = room.floor.filter(|floor| room.sources.iter().any(|s| s.key == *floor));
        for source in &mut room.sources {
            source.requested = Position::Auto;
            source.hand_raised = None;
        }
        // Who spoke a moment ago is part of a room's present, not of its history.
        room.pass(60_000);
        let name = room.layout.name().to_owned();
        room.set_layout(&name);
        room.rest();

        let mut fresh = Room::new(&name);
        fresh.now = room.now;
        fresh.sources = room.sources.clone();
        fresh.floor = room.floor;
        fresh.hide_video_muted = room.hide_video_muted;
        fresh.video_required = room.video_required;
        fresh.options = room.options;
        fresh.update();
        prop_assert_eq!(&room.placed.layers, &fresh.placed.layers);
    }
}
