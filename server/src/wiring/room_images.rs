//! The images of one room on their way to the engine.
//!
//! in:  what the room's look and its layouts name
//! out: decoded images for the canvas, some milliseconds later
//!
//! Reading and decoding waits for the disk, so it is done aside, and what was asked for meanwhile takes its place. A name
//! that has no image shows nothing: it may be given later.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use layouts::LayoutId;
use media_core::mix::video::{Grounds, Image};
use media_core::room::{Action, CanvasImages, Command};
use media_core::units::{MemberKey, RoomKey};
use tokio::time::{Instant, sleep};

use crate::app::App;
use crate::catalogue::Look;

/// How long a busy engine is asked again.
const ENGINE_TIME: Duration = Duration::from_secs(1);
const ENGINE_PAUSE: Duration = Duration::from_millis(5);

/// See the module.
pub(super) struct RoomImages {
    room: RoomKey,
    own: Names,
    shown: Names,
    /// Number of the latest wish.
    latest: Arc<AtomicU64>,
}

#[derive(Clone, Default, PartialEq, Eq)]
struct Names {
    background: Option<String>,
    foreground: Option<String>,
    mute_image: Option<String>,
}

impl RoomImages {
    pub(super) fn new(room: RoomKey, look: &Look) -> Self {
        let name = |image: &Option<crate::catalogue::ImageName>| image.as_ref().map(ToString::to_string);
        let own = Names {
            background: name(&look.background),
            foreground: name(&look.foreground),
            mute_image: name(&look.mute_image),
        };
        Self { room, own, shown: Names::default(), latest: Arc::default() }
    }

    /// The room has this layout: what it names comes before what the room has.
    pub(super) fn follow(&mut self, app: &Arc<App>, layout: &LayoutId) {
        let of_layout = layout.images();
        let text = |name: Option<Arc<str>>| name.map(|name| name.to_string());
        // A layout that says a colour means it.
        let own_background = self.own.background.clone().filter(|_| layout.background().is_none());
        let names = Names {
            background: text(of_layout.background).or(own_background),
            foreground: text(of_layout.foreground).or_else(|| self.own.foreground.clone()),
            mute_image: self.own.mute_image.clone(),
        };
        if names == self.shown {
            return;
        }
        self.shown = names.clone();
        let number = self.latest.fetch_add(1, Ordering::Relaxed) + 1;
        let (app, latest, room) = (Arc::clone(app), Arc::clone(&self.latest), self.room);
        tokio::spawn(async move {
            let images = CanvasImages {
                grounds: Grounds {
                    background: read(&app, names.background).await,
                    foreground: read(&app, names.foreground).await,
                },
                mute_image: read(&app, names.mute_image).await,
            };
            let is_latest = || latest.load(Ordering::Relaxed) == number;
            tell(&app, room, is_latest, || Action::SetImages { images: images.clone() }).await;
        });
    }

    /// What stands for a member whose camera is muted.
    pub(super) fn give(&self, app: &Arc<App>, member: MemberKey, name: &str) {
        let (app, room, name) = (Arc::clone(app), self.room, name.to_owned());
        tokio::spawn(async move {
            let image = read(&app, Some(name)).await;
            tell(&app, room, || true, || Action::SetMuteImage { member, image: image.clone() }).await;
        });
    }
}

async fn read(app: &Arc<App>, name: Option<String>) -> Option<Arc<Image>> {
    let (app, name) = (Arc::clone(app), name?);
    let wanted = name.clone();
    let read = tokio::task::spawn_blocking(move || app.images.shown(&name)).await;
    let image = read.ok().flatten();
    if image.is_none() {
        tracing::warn!(name = wanted, "a room names an image that is not there");
    }
    image
}

async fn tell(app: &App, room: RoomKey, is_wanted: impl Fn() -> bool, action: impl Fn() -> Action) {
    let patience = Instant::now() + ENGINE_TIME;
    while is_wanted() {
        match app.engine.command(Command { room, action: action() }) {
            Ok(()) => return,
            Err(_) if Instant::now() < patience => sleep(ENGINE_PAUSE).await,
            Err(error) => return tracing::error!(%error, key = room.0, "the engine was not told of images"),
        }
    }
}
