//! What the control plane asks of the media plane.

use std::sync::Arc;

use layouts::{LayoutId, Look, Position, Rules, Size, Tags};

use crate::mix::audio::{Sensitivity, Tone, Volume};
use crate::mix::video::{Grounds, Image};
use crate::sdp::Offer;
use crate::transport::{ChannelSetup, DataMessage};
use crate::units::{Bitrate, LegKey, MemberKey, RoomKey, VideoCodecs};

/// One instruction; every one names its room, which decides the shard that takes it.
#[derive(Debug)]
pub struct Command {
    /// The room it is for.
    pub room: RoomKey,
    /// What to do there.
    pub action: Action,
}

/// What to do in a room. Answers come as [`super::Event`]s.
#[allow(missing_docs, reason = "each variant's sentence speaks of its fields")]
#[derive(Debug)]
pub enum Action {
    /// Make the room. A second one for the same key is ignored.
    OpenRoom(RoomConfig),
    /// End all legs and forget the room.
    CloseRoom,
    /// A member joins; it is on the canvas as soon as it is showable.
    AddMember { member: MemberKey, config: MemberConfig },
    /// A member leaves; its legs are closed.
    RemoveMember { member: MemberKey },
    /// Answer an offer with a new leg: `LegAnswered` or `LegEnded` follows. The member's other legs go on. Of those that
    /// send, the newest whose sound, or picture, has come counts.
    OpenLeg { member: MemberKey, leg: LegKey, offer: Box<Offer>, bundle: bool, receive: Receive },
    /// The viewer behind a tile leg shows the whole picture in that many device pixels; `0x0` means that nobody looks.
    SetViewport { leg: LegKey, size: Size },
    /// Answer a new offer on a living leg (ICE restart, sections and directions that change): `LegAnswered` or `LegEnded`
    /// follows.
    ReofferLeg { leg: LegKey, offer: Box<Offer> },
    /// End one leg, silently.
    CloseLeg { leg: LegKey },
    /// Open a data channel to the leg's client; `Data` with `Opened` follows, or with `Refused`.
    OpenChannel { leg: LegKey, setup: ChannelSetup },
    /// Send a message on a data channel of the leg. `Data` with `Refused` follows where that cannot be.
    SendData { leg: LegKey, channel: String, message: DataMessage },
    /// End a data channel of the leg.
    CloseChannel { leg: LegKey, channel: String },
    /// The member's microphone is heard or not.
    SetAudioMuted { member: MemberKey, muted: bool },
    /// The member's camera, or the mute image in its place.
    SetVideoMuted { member: MemberKey, muted: bool },
    /// The member becomes audience, who is neither seen nor heard, or stops being it.
    SetAudience { member: MemberKey, audience: bool },
    /// The member's hand is up or down.
    SetHandRaised { member: MemberKey, raised: bool },
    /// Whether members with a muted camera leave the canvas.
    SetHideVideoMuted { hide: bool },
    /// Whether raised hands come first on the canvas.
    SetPrioritizeHandraise { on: bool },
    /// The member hears the room or silence.
    SetDeaf { member: MemberKey, deaf: bool },
    /// How loud the others hear the member.
    SetInputVolume { member: MemberKey, volume: Volume },
    /// How loud the member hears the others.
    SetOutputVolume { member: MemberKey, volume: Volume },
    /// How little sound of the member counts as speech.
    SetInputSensitivity { member: MemberKey, sensitivity: Sensitivity },
    /// The video codecs of the room's legs from now on; before, those of [`VideoCodecs::default`].
    SetVideoCodecs { codecs: VideoCodecs },
    /// `Preview` follows, a small picture of the canvas.
    TakePreview,
    /// What is done with the room's sound; stereo for legs that are opened from now on.
    SetSound { sound: SoundRules },
    /// All who are not deaf hear a short tone.
    PlayTone { tone: Tone },
    /// `Recorded` comes from now on, encoded at no less than this rate (for 720p; larger and smaller canvases in proportion
    /// to their own best rate), with a key frame first and every 2 s. A second one begins anew.
    StartRecording { least: Bitrate },
    /// No more of it.
    StopRecording,
    /// How the room departs from the usual placement.
    SetCanvasRules { rules: Rules },
    /// What is drawn besides pictures.
    SetLook { look: Look },
    /// Images of the canvas from now on.
    SetImages { images: CanvasImages },
    /// What stands for the member while its camera is muted; without, what the room has.
    SetMuteImage { member: MemberKey, image: Option<Arc<Image>> },
    /// Slots with these tags are the member's own.
    SetTags { member: MemberKey, tags: Tags },
    /// Another layout, with positions applied in the same step.
    SetLayout { layout: LayoutId, positions: Vec<(MemberKey, Position)> },
    /// Positions, applied in one step.
    SetPositions { positions: Vec<(MemberKey, Position)> },
}

/// Images that a room shows.
#[derive(Clone, Debug, Default)]
pub struct CanvasImages {
    /// Behind and over all layers.
    pub grounds: Grounds,
    /// In the place of muted cameras.
    pub mute_image: Option<Arc<Image>>,
}

/// What a leg receives of the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receive {
    /// The composed picture and the mix.
    Canvas,
    /// The streams of the layers, drawn by the client.
    Tiles(TileConfig),
    /// One member: its stream and its sound.
    Member(MemberKey),
}

/// What a tile leg asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TileConfig {
    /// Streams of pictures at a time, 1–25.
    pub video_slots: u8,
    /// What it hears.
    pub audio: TileAudio,
}

/// What a tile leg hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TileAudio {
    /// The mix of the room.
    Mix,
    /// So many of those who speak, 1–8, each as a stream of its own.
    Slots(u8),
}

/// What a room is made with.
#[derive(Clone, Debug)]
pub struct RoomConfig {
    /// Canvas in pixels.
    pub canvas: Size,
    /// Canvas frames per second, 1–60.
    pub fps: u32,
    /// First layout.
    pub layout: LayoutId,
}

/// What is done with the sound of a room. All off is as it comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SoundRules {
    /// Legs that ask for it hear everybody from where they are seen.
    pub stereo: bool,
    /// Microphones are made about equally loud; never screens, films or music.
    pub automatic_gain: bool,
    /// What is no voice is taken out of microphones; never of screens, films or music.
    pub noise_suppression: bool,
}

/// What a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberKind {
    /// A person: camera and microphone.
    Member,
    /// A screen share of a person.
    Screen,
    /// A further camera or microphone of a person.
    Device,
}

/// What a member joins with.
#[derive(Clone, Debug)]
pub struct MemberConfig {
    /// Shown in the banner.
    pub name: Arc<str>,
    /// A person, or something a person sends besides.
    pub kind: MemberKind,
    /// Whose screen or device it is. That one does not hear it.
    pub parent: Option<MemberKey>,
    /// Receives only: neither seen nor heard, whatever it sends.
    pub audience: bool,
    /// Microphone muted from the start.
    pub audio_muted: bool,
    /// Camera muted from the start.
    pub video_muted: bool,
    /// Where it asks to sit.
    pub position: Position,
}
