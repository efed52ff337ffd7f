//! A media room: members, their legs, the canvas and the mix.
//!
//! in:  actions of the control plane, packets of its legs, finished jobs, mixed audio, time
//! out: answers, placements and speech as events; packets to its legs; jobs; audio packets for the mix
//!
//! ```text
//!  leg: RTP ─► VideoReceiver ─► Feed ─► decode job ─► pictures by due time ─┐
//!       │                                                                   ▼
//!       └────► audio plane ─► mixed packets ─► legs      Arrangement ─► Canvas ─► compose, encode jobs
//!                                                                           │
//!  legs ◄── RtpSender (one per leg and kind) ◄── packets of a rendition ◄───┘
//! ```

mod arrangement;
mod canvas;
mod canvas_needs;
mod command;
mod counters;
mod drawn;
mod event;
mod feed;
mod job;
mod key_demand;
mod leg;
mod legs;
#[cfg(test)]
mod lip_sync_tests;
mod member;
mod panning;
mod pass_through;
mod preview;
mod recorded;
mod shedding;
mod sources;
mod succession;
mod tiles;
mod voices;
mod watching;
mod wishes;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use layouts::MAX_FADE_MS;

use self::arrangement::Arrangement;
use self::canvas::{Canvas, Fresh};
pub use self::command::{
    Action, CanvasImages, Command, MemberConfig, MemberKind, Receive, RoomConfig, SoundRules, TileAudio,
    TileConfig,
};
pub use self::counters::{Counters, Traffic};
pub use self::event::{AudioTile, Event, LegEnd, Liveness, Tiles, VideoTile, WantedEncoding};
pub use self::job::{DecoderSlot, EncoderSlot, FeedKey, Job, JobClass, JobDone};
use self::leg::Leg;
pub use self::leg::check_offer;
use self::member::Member;
use self::panning::Panning;
use self::pass_through::PassThrough;
pub use self::recorded::{Recorded, RecordedMedia};
pub use self::shedding::Shed;
use self::sources::Sources;
use self::tiles::TileViews;
use self::watching::Gate;
use crate::mix::audio::{AudioInput, AudioOutput};
use crate::mix::video::Fonts;
use crate::shard::Reach;
use crate::units::{Bitrate, LegKey, MemberKey, RoomKey, VideoCodecs};

/// How often a room looks after NACKs, TWCC feedback, RTCP reports and silent legs.
const SERVICE_EVERY: Duration = Duration::from_millis(20);

/// See the module.
pub(crate) struct Room {
    key: RoomKey,
    members: BTreeMap<MemberKey, Member>,
    legs: BTreeMap<LegKey, Leg>,
    canvas: Canvas,
    arrangement: Arrangement,
    images: CanvasImages,
    /// What its legs may speak.
    video_codecs: VideoCodecs,
    sound: SoundRules,
    panning: Panning,
    /// What publishers send, for those who watch it as it is.
    sources: Sources,
    tiles: TileViews,
    passing: PassThrough,
    /// Slots and encodings are to be looked at.
    tiles_stale: bool,
    held: sources::Held,
    /// Numbers joins and position requests.
    order: u64,
    service_at: Instant,
    /// When pacers and probes of its legs are to be looked after.
    flush_at: Option<Instant>,
}

impl Room {
    pub(crate) fn new(now: Instant, key: RoomKey, config: RoomConfig, fonts: Fonts) -> Self {
        Self {
            key,
            members: BTreeMap::new(),
            legs: BTreeMap::new(),
            canvas: Canvas::new(now, key, config.canvas, config.fps, fonts),
            arrangement: Arrangement::new(now, config.layout),
            images: CanvasImages::default(),
            video_codecs: VideoCodecs::default(),
            sound: SoundRules::default(),
            panning: Panning::default(),
            sources: Sources::default(),
            tiles: TileViews::default(),
            passing: PassThrough::default(),
            tiles_stale: true,
            held: sources::Held::default(),
            order: 0,
            service_at: now,
            flush_at: None,
        }
    }

    pub(crate) fn member_count(&self) -> usize {
        self.members.len()
    }

    /// Renditions of its canvas that are encoded now.
    pub(crate) fn rendition_count(&self) -> usize {
        self.canvas.rendition_count()
    }

    /// What the paths of its legs carry, as far as known.
    pub(crate) fn estimates(&self) -> impl Iterator<Item = Bitrate> {
        self.legs.values().filter_map(Leg::estimate)
    }

    /// Packets that never came, of the legs that are here.
    pub(crate) fn lost_in(&self) -> u64 {
        self.legs.values().map(Leg::lost_in).sum()
    }

    pub(crate) fn leg_count(&self) -> usize {
        self.legs.len()
    }

    /// When the room wants `on_timeout`.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let service = (!self.legs.is_empty()).then_some(self.service_at);
        let deadlines = [service, self.flush_at, self.canvas.deadline(), self.arrangement.deadline()];
        deadlines.into_iter().flatten().min()
    }

    pub(crate) fn open(&mut self, reach: &mut Reach<'_>) {
        reach.audio(AudioInput::OpenRoom { room: self.key });
        self.rearrange(reach);
    }

    /// Ends all legs.
    pub(crate) fn close(&mut self, reach: &mut Reach<'_>) {
        let legs: Vec<LegKey> = self.legs.keys().copied().collect();
        for leg in legs {
            self.close_leg(reach, leg);
        }
        reach.audio(AudioInput::CloseRoom { room: self.key });
    }

    pub(crate) fn on_action(&mut self, reach: &mut Reach<'_>, action: Action) {
        match action {
            // These two make and end the room itself: the shard has seen to them.
            Action::OpenRoom(_) | Action::CloseRoom => {}
            Action::AddMember { member, config } => self.add_member(reach, member, config),
            Action::RemoveMember { member } => self.remove_member(reach, member),
            Action::OpenLeg { member, leg, offer, bundle, receive } => {
                self.open_leg(reach, member, leg, &offer, bundle, receive);
            }
            Action::SetViewport { leg, size } => self.tiles.set_viewport(leg, size),
            Action::OpenChannel { leg, setup } => {
                self.on_data_action(reach, leg, &setup.label.clone(), |reach, transport| {
                    reach.transports.open_channel(reach.now, transport, setup)
                });
            }
            Action::SendData { leg, channel, message } => {
                self.on_data_action(reach, leg, &channel, |reach, transport| {
                    reach.transports.send_data(reach.now, transport, &channel, &message)
                });
            }
            Action::CloseChannel { leg, channel } => {
                self.on_data_action(reach, leg, &channel, |reach, transport| {
                    reach.transports.close_channel(reach.now, transport, &channel);
                    Ok(())
                });
            }
            Action::ReofferLeg { leg, offer } => self.reoffer_leg(reach, leg, &offer),
            Action::CloseLeg { leg } => self.close_leg(reach, leg),
            Action::SetAudioMuted { member, muted } => self.set_audio_muted(reach, member, muted),
            Action::SetVideoMuted { member, muted } => self.set_video_muted(reach, member, muted),
            Action::SetAudience { member, audience } => self.set_audience(reach, member, audience),
            Action::SetHandRaised { member, raised } => self.set_hand_raised(reach.now, member, raised),
            Action::SetHideVideoMuted { hide } => self.arrangement.hide_video_muted(hide),
            Action::SetPrioritizeHandraise { on } => self.arrangement.prioritize_handraise(on),
            Action::SetDeaf { member, deaf } => {
                if let Some(member) = self.members.get_mut(&member) {
                    member.deaf = deaf;
                }
                reach.audio(AudioInput::SetDeaf { room: self.key, member, deaf });
            }
            Action::SetInputVolume { member, volume } => {
                reach.audio(AudioInput::SetInputVolume { room: self.key, member, volume });
            }
            Action::SetOutputVolume { member, volume } => {
                reach.audio(AudioInput::SetOutputVolume { room: self.key, member, volume });
            }
            Action::SetInputSensitivity { member, sensitivity } => {
                reach.audio(AudioInput::SetInputSensitivity { room: self.key, member, sensitivity });
            }
            Action::SetVideoCodecs { codecs } => self.video_codecs = codecs,
            Action::SetSound { sound } => {
                self.sound = sound;
                let SoundRules { stereo: _, automatic_gain, noise_suppression } = sound;
                let room = self.key;
                reach.audio(AudioInput::SetCleaning { room, automatic_gain, noise_suppression });
            }
            Action::StartRecording { least } => {
                self.canvas.record(reach.now, least);
                reach.audio(AudioInput::SetRecorded { room: self.key, recorded: true });
            }
            Action::StopRecording => {
                self.canvas.unrecord();
                reach.audio(AudioInput::SetRecorded { room: self.key, recorded: false });
            }
            Action::TakePreview => self.canvas.take_preview(reach.now),
            Action::PlayTone { tone } => reach.audio(AudioInput::PlayTone { room: self.key, tone }),
            Action::SetCanvasRules { rules } => self.arrangement.set_rules(rules),
            Action::SetLook { look } => {
                let fade_ms = look.fade_ms.min(MAX_FADE_MS);
                self.canvas.set_fade(Duration::from_millis(fade_ms.into()));
                self.arrangement.set_look(look);
            }
            Action::SetImages { images } => self.images = images,
            Action::SetMuteImage { member, image } => {
                if let Some(member) = self.members.get_mut(&member) {
                    member.mute_image = image;
                }
            }
            Action::SetTags { member, tags } => {
                if let Some(member) = self.members.get_mut(&member) {
                    member.tags = tags;
                    self.arrangement.touch();
                }
            }
            Action::SetLayout { layout, positions } => {
                self.arrangement.set_layout(layout);
                self.set_positions(positions);
            }
            Action::SetPositions { positions } => self.set_positions(positions),
        }
        self.tiles_stale = true;
        self.rearrange(reach);
    }

    fn add_member(&mut self, reach: &mut Reach<'_>, key: MemberKey, config: MemberConfig) {
        self.order += 1;
        let member = Member::new(config, self.order);
        let (parent, muted) = (member.config.parent, member.is_silenced());
        let sound = member.sound();
        reach.audio(AudioInput::AddMember { room: self.key, member: key, parent, sound, muted });
        self.members.insert(key, member);
        self.arrangement.touch();
    }

    fn remove_member(&mut self, reach: &mut Reach<'_>, key: MemberKey) {
        let legs = self.members.get(&key).map(|member| member.legs().to_vec());
        for leg in legs.unwrap_or_default() {
            self.close_leg(reach, leg);
        }
        if self.members.remove(&key).is_some() {
            reach.audio(AudioInput::RemoveMember { room: self.key, member: key });
            self.arrangement.drop_floor(key);
        }
    }

    pub(crate) fn on_job_done(&mut self, reach: &mut Reach<'_>, done: JobDone, spent: Duration) {
        let spent = u64::try_from(spent.as_nanos()).unwrap_or(u64::MAX);
        match done {
            JobDone::Decoded { feed, decoder, timestamp, result } => {
                reach.counters.decode_ns += spent;
                reach.counters.decoded += u64::from(matches!(result, Ok(Some(_))));
                let Some(leg) = self.legs.get_mut(&feed.leg) else { return };
                if leg.on_decoded(reach, decoder, timestamp, result) {
                    self.on_camera_changed(reach, feed.leg);
                }
            }
            JobDone::Composed { room: _, compositor, picture, time } => {
                reach.counters.compose_ns += spent;
                let jobs = self.canvas.on_composed(reach.now, compositor, &picture, time, reach.counters);
                for job in jobs {
                    reach.job(job);
                }
            }
            JobDone::Previewed { room, jpeg } => {
                self.canvas.on_previewed();
                match jpeg {
                    Ok(jpeg) => reach.event(Event::Preview { room, jpeg }),
                    Err(error) => tracing::error!(%error, "preview"),
                }
            }
            JobDone::Encoded { room: _, codec, encoder, time, result } => {
                reach.counters.encode_ns += spent;
                let encoded = result.unwrap_or_else(|error| {
                    tracing::error!(%error, ?codec, "canvas encoder");
                    None
                });
                if let Some(fresh) = self.canvas.on_encoded(reach.now, encoder, time, encoded, reach.counters)
                {
                    self.fan_out(reach, &fresh);
                    if let Some(recorded) = fresh.recorded {
                        reach.event(Event::Recorded { room: self.key, recorded });
                    }
                }
            }
        }
    }

    /// A camera has something to show for the first time, or nothing any more.
    fn on_camera_changed(&mut self, reach: &mut Reach<'_>, leg: LegKey) {
        if let Some(leg) = self.legs.get(&leg).filter(|leg| leg.has_picture())
            && let Some(owner) = self.members.get_mut(&leg.member())
        {
            owner.has_shown();
        }
        self.arrangement.touch();
        self.tiles_stale = true;
        self.rearrange(reach);
    }

    fn fan_out(&mut self, reach: &mut Reach<'_>, fresh: &Fresh) {
        for (&key, leg) in &mut self.legs {
            for packet in &fresh.packets {
                if !self.passing.gives_way(key, packet) {
                    break;
                }
                let sent = match self.canvas.gate(reach.now, key, fresh.rendition, packet) {
                    Gate::Send => leg.send_video(reach, packet, false),
                    Gate::Begin => {
                        self.passing.canvas_begun(key);
                        leg.send_video(reach, packet, true)
                    }
                    Gate::Drop => break,
                };
                if !sent {
                    self.canvas.on_given_up(key);
                    break;
                }
            }
            self.flush_at = self.flush_at.into_iter().chain(leg.flush_at(reach.now)).min();
        }
    }

    /// What pacers hold back, and what probes want between the media.
    fn flush(&mut self, reach: &mut Reach<'_>) {
        self.flush_at = None;
        for leg in self.legs.values_mut() {
            if leg.flush_at(reach.now).is_some() {
                self.tiles_stale |= leg.flush(reach, &self.sources);
                self.flush_at = self.flush_at.into_iter().chain(leg.flush_at(reach.now)).min();
            }
        }
    }

    /// Follows what each viewer of the canvas may be sent.
    fn settle_viewers(&mut self, reach: &mut Reach<'_>) {
        let (legs, most) = (&mut self.legs, self.canvas.most());
        for leg in legs.values_mut().filter(|leg| leg.watches().is_some()) {
            leg.set_demand(most, None);
            self.flush_at = self.flush_at.into_iter().chain(leg.flush_at(reach.now)).min();
        }
        let young = self.canvas.settle(reach.now, |leg| legs.get(&leg).and_then(Leg::budget));
        for (leg, _, packets) in young {
            self.send_again(reach, leg, &packets);
        }
    }

    pub(crate) fn on_audio(&mut self, reach: &mut Reach<'_>, output: AudioOutput) {
        match output {
            AudioOutput::Packet { room: _, listeners, timestamp, payload, at } => {
                for key in listeners.iter() {
                    if let Some(leg) = self.legs.get_mut(key) {
                        leg.send_audio(reach, timestamp, at, &payload);
                    }
                }
            }
            AudioOutput::Talking { room, member, talking } => {
                if self.members.contains_key(&member) {
                    self.on_talking(reach.now, member, talking);
                    reach.event(Event::Talking { room, member, talking });
                    self.rearrange(reach);
                }
            }
            AudioOutput::Floor { room: _, member } => {
                let speaker = self.members.get(&member).and_then(|known| known.speaker(member));
                if let Some(speaker) = speaker {
                    self.arrangement.on_floor(speaker);
                    self.rearrange(reach);
                }
            }
            AudioOutput::Playing { room: _, member, timestamp, at } => {
                let leg = self.members.get(&member).and_then(|member| member.voice);
                if let Some(leg) = leg.and_then(|leg| self.legs.get_mut(&leg)) {
                    leg.on_playing(timestamp, at);
                }
            }
            AudioOutput::Recorded { room, samples, at } => {
                let recorded = Recorded { at, media: RecordedMedia::Sound { samples } };
                reach.event(Event::Recorded { room, recorded });
            }
            AudioOutput::Idle { .. } => {}
        }
    }

    fn on_talking(&mut self, now: Instant, key: MemberKey, talking: bool) {
        if let Some(member) = self.members.get_mut(&key) {
            member.talks(now, talking);
        }
        let at = self.arrangement.millis(now);
        let speaker = self.members.get(&key).and_then(|member| member.speaker(key));
        let Some(speaker) = speaker else { return };
        if let Some(member) = self.members.get_mut(&speaker) {
            member.spoke(at);
        }
        self.arrangement.on_talking(speaker, talking);
    }

    pub(crate) fn on_timeout(&mut self, reach: &mut Reach<'_>) {
        if self.service_at <= reach.now && !self.legs.is_empty() {
            self.service_at = reach.next_multiple(SERVICE_EVERY);
            self.service(reach);
        }
        if self.flush_at.is_some_and(|at| at <= reach.now) {
            self.flush(reach);
        }
        self.rearrange(reach);
        self.take_frame(reach);
    }

    fn service(&mut self, reach: &mut Reach<'_>) {
        let room = self.key;
        let mut over = Vec::new();
        for (&key, leg) in &mut self.legs {
            self.tiles_stale |= leg.service(reach, &self.sources);
            // A probe that has begun is sent in steps much shorter than ours, to be measured at all.
            self.flush_at = self.flush_at.into_iter().chain(leg.flush_at(reach.now)).min();
            if leg.is_overdue(reach.now) {
                over.push(key);
            } else if let Some(liveness) = leg.liveness_changed(reach) {
                reach.event(Event::LegLiveness { room, leg: key, liveness });
                self.arrangement.touch();
            }
        }
        for key in over {
            self.end_leg(reach, key, LegEnd::NeverConnected);
        }
        self.settle_successions(reach);
        self.settle_viewers(reach);
    }

    fn rearrange(&mut self, reach: &mut Reach<'_>) {
        let (members, legs) = (&self.members, &self.legs);
        let sources = || {
            members
                .iter()
                .filter_map(|(key, member)| {
                    let mut its_legs = member.legs().iter().filter_map(|leg| legs.get(leg));
                    member.source(*key, its_legs.any(Leg::has_picture))
                })
                .collect()
        };
        if let Some(placed) = self.arrangement.update(reach.now, self.canvas.size(), sources) {
            self.canvas.on_arranged(reach.now);
            self.settle_pans(reach, &placed.layers);
            reach.event(Event::Placed { room: self.key, placed });
            self.tiles_stale = true;
        }
        self.settle_tiles(reach);
        self.settle_pass_through(reach);
    }

    /// The canvas clock: when a frame is due, the picture of each layer is taken and drawn.
    fn take_frame(&mut self, reach: &mut Reach<'_>) {
        let now = reach.now;
        let (members, legs, arrangement) = (&self.members, &mut self.legs, &self.arrangement);
        let (canvas, images) = (self.canvas.size(), &self.images);
        self.canvas.set_shed(reach.shed);
        // A picture is shown in the frame nearest to its time, be it before or after.
        let until = now + self.canvas.interval() / 2;
        let frame = drawn::Frame { now: until, canvas, look: arrangement.look(), images };
        let job = self.canvas.tick(now, reach.counters, || {
            arrangement.scene(images.grounds.clone(), |key, layer| {
                let is_talking = arrangement.is_talking(key);
                Some(drawn::layer(&frame, members.get(&key)?, legs, layer, is_talking))
            })
        });
        if let Some(job) = job {
            reach.job(job);
        }
    }
}
