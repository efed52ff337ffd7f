//! A participant's calls: each is a `callID` of its page with the media leg behind it.
//!
//! Usually there is one. While a page follows a promotion or demotion there are two: the new one is on its way, or
//! answered, and the one before plays until the page ends it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::media::Liveness;
use super::offer::PeerIdentity;
use super::tiles::LegNews;
use crate::ids::{CallId, LegId, RequestKey};
use crate::receive::LegReceive;
use crate::session::Via;

/// Calls that may still play beside the newest: pages end the one before as soon as they are in.
const MAX_FORMER: usize = 2;

/// A socket without a packet for this long is a page that hangs.
const SILENT_PAGE: Duration = Duration::from_secs(30);

/// One call of a participant.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) id: CallId,
    pub(super) via: Via,
    /// Of the page's peer connection.
    pub(super) peer: Option<PeerIdentity>,
    pub(super) leg: Leg,
    /// Another call has taken its place: the page ends this one, or the room does at that time.
    pub(super) replaced: Option<Instant>,
    /// What its client said it receives; one that said nothing knows only the canvas.
    pub(super) receive: Option<LegReceive>,
    /// What only its page is told.
    pub(super) news: LegNews,
}

/// The calls of one participant; never none.
#[derive(Debug)]
pub(super) struct Calls {
    newest: Call,
    /// Oldest first. At most [`MAX_FORMER`].
    former: Vec<Call>,
}

/// A participant's media.
///
/// ```text
///            answered             connected
///   Opening ──────────► Connecting ──────────► Live
///      │ ▲ until            │ until             │ ended by itself
///      ▼ │ invite           ▼                   ▼
///    (leaves) ◄───────────────────────────── Lost ── until ──► (leaves)
/// ```
#[derive(Debug)]
pub(super) enum Leg {
    /// The media plane has an offer.
    Opening { id: LegId, until: Instant, asked: Asked },
    /// The page has the answer.
    Connecting { id: LegId, until: Instant, asked: Asked },
    /// Media flows, or did.
    Live { id: LegId, silence: Option<Silence>, asked: Asked },
    /// The peer connection is gone; a reloaded page may bring another.
    Lost { until: Instant },
}

/// Nothing is heard of a leg.
#[derive(Clone, Copy, Debug)]
pub(super) struct Silence {
    noticed: Instant,
    lasted: Duration,
}

/// Offers under way in the media plane, which answers in order, and what each answer is for.
pub(super) type Asked = VecDeque<Purpose>;

/// More offers than that on their way and the next is refused: pages wait for an answer before they offer again.
pub(super) const MAX_ASKED: usize = 4;

/// What an answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A newcomer comes in.
    Join,
    /// Somebody known comes with another peer connection, after loading its page anew or being demoted: the page needs the
    /// state again.
    Rejoin,
    /// Somebody promoted comes as a member.
    Turn,
    /// The same page, after losing its socket or path.
    Resume,
    /// `updateMedia`: the answer goes into the reply.
    Update(RequestKey),
}

impl Silence {
    /// As the media plane tells it at that time; `None` when the leg is heard.
    pub(super) fn of(noticed: Instant, liveness: Liveness) -> Option<Self> {
        liveness.silence().map(|lasted| Self { noticed, lasted })
    }

    /// When it will have lasted that long.
    fn reaches(self, limit: Duration) -> Instant {
        self.noticed + limit.saturating_sub(self.lasted)
    }
}

impl Leg {
    pub(super) fn id(&self) -> Option<LegId> {
        match self {
            Self::Opening { id, .. } | Self::Connecting { id, .. } | Self::Live { id, .. } => Some(*id),
            Self::Lost { .. } => None,
        }
    }

    pub(super) fn asked_mut(&mut self) -> Option<&mut Asked> {
        match self {
            Self::Opening { asked, .. } | Self::Connecting { asked, .. } | Self::Live { asked, .. } => {
                Some(asked)
            }
            Self::Lost { .. } => None,
        }
    }

    /// The page is away: what has not connected by then will not.
    pub(super) fn hasten(&mut self, latest: Instant) {
        match self {
            Self::Opening { until, .. } | Self::Connecting { until, .. } => *until = latest.min(*until),
            Self::Live { .. } | Self::Lost { .. } => {}
        }
    }

    fn is_answered(&self) -> bool {
        !matches!(self, Self::Opening { .. })
    }
}

impl Call {
    /// What its leg is sent.
    pub(super) fn receives(&self) -> LegReceive {
        self.receive.clone().unwrap_or_default()
    }

    /// Whether an offer on its living leg asks for something else.
    pub(super) fn contradicts(&self, receive: Option<&LegReceive>) -> bool {
        receive.is_some_and(|receive| *receive != self.receives())
    }

    /// When it has lasted too long as it is. `without_socket` is how long a leg may be silent whose page is away.
    pub(super) fn deadline(&self, without_socket: Option<Duration>) -> Option<Instant> {
        let leg = match &self.leg {
            Leg::Opening { until, .. } | Leg::Connecting { until, .. } | Leg::Lost { until } => Some(*until),
            Leg::Live { silence, .. } => {
                silence.map(|silence| silence.reaches(without_socket.unwrap_or(SILENT_PAGE)))
            }
        };
        leg.into_iter().chain(self.replaced).min()
    }
}

impl Calls {
    pub(super) fn new(first: Call) -> Self {
        Self { newest: first, former: Vec::new() }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Call> {
        self.former.iter().chain([&self.newest])
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Call> {
        self.former.iter_mut().chain([&mut self.newest])
    }

    pub(super) fn find(&self, id: &CallId) -> Option<&Call> {
        self.iter().find(|call| call.id == *id)
    }

    pub(super) fn by_leg(&self, leg: LegId) -> Option<&Call> {
        self.iter().find(|call| call.leg.id() == Some(leg))
    }

    /// The one the page speaks by: the newest that has been answered.
    pub(super) fn in_use(&self) -> &Call {
        self.iter().filter(|call| call.leg.is_answered()).last().unwrap_or(&self.newest)
    }

    /// The page comes as a member, and has no answer yet.
    pub(super) fn newest_is_turn(&self) -> bool {
        matches!(&self.newest.leg, Leg::Opening { asked, .. } if asked.contains(&Purpose::Turn))
    }

    pub(super) fn is_only(&self) -> bool {
        self.former.is_empty()
    }

    /// Another call beside those there are; gives back the one it is too many with: one that nobody answered, because the
    /// page has given it up, or else the oldest.
    pub(super) fn begin(&mut self, call: Call) -> Option<Call> {
        let before = std::mem::replace(&mut self.newest, call);
        if !before.leg.is_answered() && !self.former.is_empty() {
            return Some(before);
        }
        self.former.push(before);
        (self.former.len() > MAX_FORMER).then(|| self.former.remove(0))
    }

    /// This call instead of all there were; gives those back.
    pub(super) fn begin_anew(&mut self, call: Call) -> Vec<Call> {
        let mut ended = std::mem::take(&mut self.former);
        ended.push(std::mem::replace(&mut self.newest, call));
        ended
    }

    /// The newest has taken the place of the others; they may last until then.
    pub(super) fn replace_former(&mut self, until: Instant) {
        for call in &mut self.former {
            call.replaced.get_or_insert(until);
        }
    }

    /// Takes one of several out; the last one stays with its participant.
    pub(super) fn remove(&mut self, id: &CallId) -> Option<Call> {
        if self.newest.id == *id {
            let mut before = self.former.pop()?;
            before.replaced = None;
            return Some(std::mem::replace(&mut self.newest, before));
        }
        let index = self.former.iter().position(|call| call.id == *id)?;
        Some(self.former.remove(index))
    }

    pub(super) fn into_legs(self) -> impl Iterator<Item = Leg> {
        self.former.into_iter().chain([self.newest]).map(|call| call.leg)
    }
}
