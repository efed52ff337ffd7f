//! A room in virtual time around one `Stage`.

use layouts::{
    Layer, LayoutId, Millis, Options, Placed, Position, Showing, Size, Source, SourceKey, SourceKind, Stage,
    StageInput,
};

pub(crate) const CANVAS: Size = Size { width: 320, height: 180 };

pub(crate) struct Room {
    pub(crate) stage: Stage,
    pub(crate) now: u64,
    pub(crate) layout: LayoutId,
    pub(crate) sources: Vec<Source>,
    pub(crate) floor: Option<SourceKey>,
    pub(crate) hide_video_muted: bool,
    pub(crate) video_required: bool,
    pub(crate) prioritize_handraise: bool,
    pub(crate) options: Options,
    pub(crate) canvas: Size,
    pub(crate) placed: Placed,
    counter: u64,
}

impl Room {
    pub(crate) fn new(layout: &str) -> Self {
        Self::on(layout, CANVAS)
    }

    pub(crate) fn on(layout: &str, canvas: Size) -> Self {
        Self::of(LayoutId::by_name(layout).unwrap(), canvas)
    }

    pub(crate) fn of(layout: LayoutId, canvas: Size) -> Self {
        let mut room = Self {
            stage: Stage::default(),
            now: 1_000_000,
            layout: layout.clone(),
            sources: Vec::new(),
            floor: None,
            hide_video_muted: false,
            video_required: false,
            prioritize_handraise: false,
            options: Options::default(),
            canvas,
            placed: Placed { version: 0, layout, layers: Vec::new() },
            counter: 0,
        };
        room.update();
        room
    }

    /// A room in which members 1 to `n` have joined and everything is settled.
    pub(crate) fn with_members(layout: &str, n: u32) -> Self {
        let mut room = Self::new(layout);
        for key in 1..=n {
            room.join(key);
        }
        room.rest();
        room
    }

    pub(crate) fn join(&mut self, key: u32) {
        self.add(key, SourceKind::Member);
    }

    pub(crate) fn add(&mut self, key: u32, kind: SourceKind) {
        self.counter += 1;
        self.sources.push(Source {
            key: SourceKey(key),
            kind,
            parent: None,
            joined: self.counter,
            asked: 0,
            requested: Position::Auto,
            showing: Showing::Video,
            on_hold: false,
            hand_raised: None,
            last_spoke: None,
            reservation: None,
            role: None,
        });
    }

    /// Adds a screen of a member.
    pub(crate) fn share(&mut self, key: u32, sharer: u32) {
        self.add(key, SourceKind::Screen);
        self.source(key).parent = Some(SourceKey(sharer));
    }

    pub(crate) fn leave(&mut self, key: u32) {
        self.sources.retain(|source| source.key != SourceKey(key));
    }

    pub(crate) fn ask(&mut self, key: u32, position: &str) {
        self.counter += 1;
        let asked = self.counter;
        let source = self.source(key);
        source.requested = position.parse().unwrap();
        source.asked = asked;
    }

    pub(crate) fn set_layout(&mut self, name: &str) {
        let layout = LayoutId::by_name(name).unwrap();
        if layout == self.layout {
            self.stage.redeal();
        }
        self.layout = layout;
    }

    pub(crate) fn source(&mut self, key: u32) -> &mut Source {
        self.sources.iter_mut().find(|source| source.key == SourceKey(key)).unwrap()
    }

    /// Takes the floor and is heard, now.
    pub(crate) fn speak(&mut self, key: u32) {
        let now = Millis(self.now);
        self.source(key).last_spoke = Some(now);
        self.floor = Some(SourceKey(key));
    }

    /// Asks the stage once; whether the picture changed.
    pub(crate) fn update(&mut self) -> bool {
        let input = StageInput {
            layout: self.layout.clone(),
            canvas: self.canvas,
            sources: &self.sources,
            floor: self.floor,
            hide_video_muted: self.hide_video_muted,
            video_required: self.video_required,
            prioritize_handraise: self.prioritize_handraise,
            options: self.options,
        };
        let placed = self.stage.update(Millis(self.now), &input);
        assert!(self.stage.deadline().is_none_or(|then| then.0 > self.now), "a deadline lies ahead");
        let mut again = self.stage.clone();
        assert_eq!(again.update(Millis(self.now), &input), None, "the answer is final");
        assert_eq!(again.deadline(), self.stage.deadline(), "asking again brings nothing new");
        if let Some(placed) = placed {
            assert_eq!(placed.version, self.placed.version + 1);
            self.placed = placed;
            return true;
        }
        false
    }

    /// Lets time pass, asking the stage when it wants to be asked; the times of the changes, counted from now.
    pub(crate) fn pass(&mut self, millis: u64) -> Vec<u64> {
        let start = self.now;
        let mut changes = Vec::new();
        loop {
            if self.update() {
                changes.push(self.now - start);
            }
            match self.stage.deadline() {
                Some(Millis(then)) if then <= start + millis => self.now = then,
                Some(_) | None => break,
            }
        }
        self.now = start + millis;
        if self.update() {
            changes.push(millis);
        }
        changes
    }

    /// Until nothing waits any more.
    pub(crate) fn rest(&mut self) {
        self.pass(30_000);
        assert_eq!(self.stage.deadline(), None, "nothing is left to wait for");
    }

    /// Keys in the slots of the layout, 0 for an empty one.
    pub(crate) fn slots(&self) -> Vec<u32> {
        let (_, _, slots) = self.split();
        slots.iter().map(occupant).collect()
    }

    /// Who is where, empty slots left out.
    pub(crate) fn seats(&self) -> Vec<(String, u32)> {
        let taken = self.placed.layers.iter().filter(|layer| layer.source.is_some());
        taken.map(|layer| (layer.position.to_string(), occupant(layer))).collect()
    }

    pub(crate) fn playback(&self) -> u32 {
        occupant(self.split().1)
    }

    pub(crate) fn full_screen(&self) -> u32 {
        occupant(self.split().0)
    }

    pub(crate) fn shown(&self) -> Vec<SourceKey> {
        self.placed.layers.iter().filter_map(|layer| layer.source).collect()
    }

    fn split(&self) -> (&Layer, &Layer, &[Layer]) {
        let [slots @ .., playback, full_screen] = &self.placed.layers[..] else {
            panic!("every layout has two layers above its slots")
        };
        assert_eq!(playback.position, Position::Playback);
        assert_eq!(full_screen.position, Position::FullScreen);
        (full_screen, playback, slots)
    }
}

fn occupant(layer: &Layer) -> u32 {
    layer.source.map_or(0, |source| source.0)
}
