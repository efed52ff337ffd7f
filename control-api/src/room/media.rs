//! What passes between a room session and the media plane, in words of the wire.

use std::sync::Arc;
use std::time::Duration;

use layouts::{Fit, GridRect, LayoutId, Look, Position, Rules, Size, Tag, Tags};

use crate::grant::Authority;
use crate::ids::{LegId, MemberId};
use crate::level::{Sensitivity, Volume};
use crate::receive::LegReceive;
use crate::session::Via;
use crate::wire::connect::{Allowed, allowed};
use crate::wire::member::MemberKind;

/// What the media plane is to do for this room. It has made the room before the first of these.
#[derive(Clone, Debug, PartialEq)]
pub enum MediaInstruction {
    /// A member comes.
    AddMember {
        /// Who.
        member: MemberId,
        /// With what.
        setup: MemberSetup,
    },
    /// A member leaves; its legs are closed.
    RemoveMember {
        /// Who.
        member: MemberId,
    },
    /// Answer an offer with a new leg: [`MediaEvent::LegAnswered`] or [`MediaEvent::LegEnded`] must follow. The member's
    /// other legs go on; of those that send, the newest whose media has come counts.
    OpenLeg {
        /// Of whom.
        member: MemberId,
        /// Its number.
        leg: LegId,
        /// As it came, not checked.
        offer: String,
        /// What it may carry, whatever the offer says.
        allowed: LegMedia,
        /// What it is sent.
        receive: LegReceive,
        /// How it came.
        via: Via,
    },
    /// Answer a new offer on a living leg: [`MediaEvent::LegAnswered`] or [`MediaEvent::LegEnded`] must follow.
    ReofferLeg {
        /// Which.
        leg: LegId,
        /// As it came, not checked.
        offer: String,
        /// What it may carry from now on.
        allowed: LegMedia,
    },
    /// How large a leg's viewer sees the whole picture.
    SetViewport {
        /// Which.
        leg: LegId,
        /// In device pixels; 0×0 when nobody looks.
        size: Size,
    },
    /// End one leg, silently.
    CloseLeg {
        /// Which.
        leg: LegId,
    },
    /// The member is heard or not.
    SetAudioMuted {
        /// Who.
        member: MemberId,
        /// Not heard.
        muted: bool,
    },
    /// The member's camera, or the mute image in its place.
    SetVideoMuted {
        /// Who.
        member: MemberId,
        /// The mute image.
        muted: bool,
    },
    /// The member becomes audience, who is neither seen nor heard, or stops being it.
    SetAudience {
        /// Who.
        member: MemberId,
        /// Receives only.
        audience: bool,
    },
    /// The member's hand is up or down.
    SetHandRaised {
        /// Who.
        member: MemberId,
        /// Up.
        raised: bool,
    },
    /// Whether members with a muted camera leave the canvas.
    SetHideVideoMuted {
        /// They leave it.
        hide: bool,
    },
    /// Whether raised hands come first on the canvas.
    SetPrioritizeHandraise {
        /// They come first.
        on: bool,
    },
    /// The member hears the room or silence.
    SetDeaf {
        /// Who.
        member: MemberId,
        /// Silence.
        deaf: bool,
    },
    /// How loud the others hear the member.
    SetInputVolume {
        /// Who.
        member: MemberId,
        /// How loud.
        volume: Volume,
    },
    /// How loud the member hears the others.
    SetOutputVolume {
        /// Who.
        member: MemberId,
        /// How loud.
        volume: Volume,
    },
    /// How much sound of the member counts as speech; at 0 nothing does, and it is not heard.
    SetInputSensitivity {
        /// Who.
        member: MemberId,
        /// How little it takes.
        value: Sensitivity,
    },
    /// All who are not deaf hear a short tone.
    PlayTone {
        /// Which.
        tone: Tone,
    },
    /// How the room departs from the usual placement.
    SetCanvasRules {
        /// All of it.
        rules: Rules,
    },
    /// What the canvas shows besides pictures.
    SetLook {
        /// All of it.
        look: Look,
    },
    /// What stands for the member while its camera is muted.
    SetMuteImage {
        /// For whom.
        member: MemberId,
        /// Name of an image of this server.
        image: Arc<str>,
    },
    /// Slots with these tags are the member's own.
    SetTags {
        /// Whose.
        member: MemberId,
        /// Which.
        tags: Tags,
    },
    /// Another layout, with positions applied in the same step.
    SetLayout {
        /// Which.
        layout: LayoutId,
        /// Who asks to sit where.
        positions: Vec<(MemberId, Position)>,
    },
    /// Positions, applied in one step.
    SetPositions {
        /// Who asks to sit where.
        positions: Vec<(MemberId, Position)>,
    },
    /// Everything of this room ends.
    CloseRoom,
}

/// What a leg may carry, by kind of media.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LegMedia {
    /// Sound.
    pub audio: Allowed,
    /// Pictures.
    pub video: Allowed,
}

impl LegMedia {
    /// The same as the `authorization` block tells the client.
    #[must_use]
    pub fn of(authority: &Authority) -> Self {
        let (audio, video) = match authority {
            Authority::Room(grant) => allowed(grant.join_as, grant.media_allowed),
            Authority::Project(_) => (Allowed::Both, Allowed::Both),
        };
        Self { audio, video }
    }

    /// The same for a leg that came so.
    #[must_use]
    pub fn by(self, via: Via) -> Self {
        let (sends, receives) = match via {
            Via::Verto => (true, true),
            Via::Whip => (true, false),
            Via::Whep => (false, true),
        };
        Self { audio: self.audio.limited(sends, receives), video: self.video.limited(sends, receives) }
    }
}

/// A short tone in the mix of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Somebody came.
    Entry,
    /// Somebody left.
    Exit,
}

/// What a member comes with.
#[derive(Clone, Debug, PartialEq)]
pub struct MemberSetup {
    /// Shown in the banner.
    pub name: Arc<str>,
    /// A person, or something a person sends besides.
    pub kind: MemberKind,
    /// Whose screen or device it is. That one does not hear it.
    pub parent: Option<MemberId>,
    /// Receives only: neither seen nor heard.
    pub audience: bool,
    /// Microphone muted from the start.
    pub audio_muted: bool,
    /// Camera muted from the start.
    pub video_muted: bool,
    /// Where it asks to sit.
    pub position: Position,
}

/// What the media plane says.
#[derive(Clone, Debug, PartialEq)]
pub enum MediaEvent {
    /// The answer to an offer.
    LegAnswered {
        /// Which.
        leg: LegId,
        /// The answer.
        sdp: String,
    },
    /// Media can flow.
    LegConnected {
        /// Which.
        leg: LegId,
    },
    /// It is heard from again, or not for a while.
    LegLiveness {
        /// Which.
        leg: LegId,
        /// How long.
        liveness: Liveness,
    },
    /// It is over, not by an instruction.
    LegEnded {
        /// Which.
        leg: LegId,
        /// Why.
        why: LegEnd,
    },
    /// The canvas has a new arrangement.
    Placed(Placement),
    /// What a tile leg is sent now.
    Tiles {
        /// Which.
        leg: LegId,
        /// All of it.
        tiles: TilePlan,
    },
    /// Which encodings of a leg's camera anybody watches now.
    Wanted {
        /// Which.
        leg: LegId,
        /// All of them.
        encodings: Vec<WantedEncoding>,
    },
    /// Speech began or ended.
    Talking {
        /// Whose.
        member: MemberId,
        /// Began.
        talking: bool,
    },
}

/// Whether a leg is heard from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// Packets come.
    Alive,
    /// None for 5 s.
    Stale,
    /// None for 15 s.
    Silent,
    /// None for 30 s.
    Gone,
}

impl Liveness {
    /// How long nothing has been heard, at least.
    pub(super) fn silence(self) -> Option<Duration> {
        match self {
            Self::Alive => None,
            Self::Stale => Some(Duration::from_secs(5)),
            Self::Silent => Some(Duration::from_secs(15)),
            Self::Gone => Some(Duration::from_secs(30)),
        }
    }
}

/// Why a leg ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegEnd {
    /// The browser closed its peer connection.
    PeerClosed,
    /// Keys could not be agreed on, or nobody came.
    NeverConnected,
    /// The offer cannot be answered.
    Refused,
}

/// An arrangement of the canvas.
#[derive(Clone, Debug, PartialEq)]
pub struct Placement {
    /// Grows; an older one is ignored.
    pub version: u64,
    /// Layout as it was set.
    pub layout: LayoutId,
    /// Slots in order, then `playback`, then `full-screen`.
    pub layers: Vec<PlacedLayer>,
}

/// One slot of it.
#[derive(Clone, Debug, PartialEq)]
pub struct PlacedLayer {
    /// Slot order, from 0.
    pub index: u16,
    /// Drawing order.
    pub z: i16,
    /// Where.
    pub rect: GridRect,
    /// Name of the slot.
    pub position: Position,
    /// Who.
    pub member: Option<MemberId>,
    /// How its picture fills it.
    pub fit: Fit,
    /// Tag that owns it.
    pub reservation: Option<Tag>,
    /// Holds a playback.
    pub playing_file: bool,
    /// Not fully covered.
    pub visible: bool,
}

/// What a tile leg is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct TilePlan {
    /// Of the placement it follows.
    pub version: u64,
    /// Every layer that holds a member.
    pub video: Vec<PlannedVideo>,
    /// Every sound slot; none when the leg hears the mix.
    pub audio: Vec<PlannedAudio>,
}

/// One layer of the picture, for one leg.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedVideo {
    /// Which, as in the placement.
    pub layer: u16,
    /// Who is on it.
    pub member: MemberId,
    /// In which of the leg's video slots, if in any.
    pub slot: Option<u8>,
    /// Which encoding of the camera, 0 the smallest, if any flows.
    pub encoding: Option<u8>,
    /// Where.
    pub rect: GridRect,
    /// Drawing order.
    pub z: i16,
}

/// One sound slot of one leg.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedAudio {
    /// Which.
    pub slot: u8,
    /// Who is in it.
    pub member: Option<MemberId>,
}

/// One encoding of a camera.
#[derive(Clone, Debug, PartialEq)]
pub struct WantedEncoding {
    /// As its offer names it.
    pub rid: String,
    /// Somebody watches it.
    pub active: bool,
}
