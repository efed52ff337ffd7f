//! The task of a peer: drives its transports, sends its clips, looks at what it gets.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use media_core::codec::{CodecError, Picture, Rgb, VideoDecoder};
use media_core::units::VideoCodec;
use opus::Channels;
use str0m::format::Codec;
use str0m::media::{Frequency, MediaData, MediaKind, MediaTime};
use str0m::{Event, IceConnectionState};
use tokio::sync::watch;
use tokio::time::sleep_until;

use super::clip::{FPS, SAMPLES};
use super::observed::Observed;
use super::sdp::{join_offers, section_of};
use super::transport::Transport;
use super::{Decode, PeerConfig, PeerError};

/// Between two requests for a key frame.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// Ticks of 1/90000 s from one picture to the next.
const PICTURE_TICKS: u64 = 90_000 / FPS as u64;

/// Everything a peer's task owns.
#[derive(Debug)]
pub(super) struct Drive {
    config: PeerConfig,
    transports: Vec<Link>,
    observed: watch::Sender<Observed>,
    video: Option<(VideoCodec, VideoDecoder)>,
    sound: opus::Decoder,
    /// When a key frame was asked for last.
    asked: Option<Instant>,
    sending: Sending,
}

#[derive(Debug)]
struct Link {
    transport: Transport,
    has_ice: bool,
    is_connected: bool,
}

/// Where the clips are: numbers of the next packet and picture, and the moment number 0 was due.
#[derive(Debug)]
struct Sending {
    begin: Instant,
    packet: u64,
    picture: u64,
    /// The picture of the clip that comes next; back to the key frame when one is asked for.
    frame: usize,
}

impl Drive {
    pub(super) async fn offer(config: PeerConfig, address: IpAddr) -> Result<(Self, String), PeerError> {
        let kinds: &[&[MediaKind]] = match config.bundle {
            true => &[&[MediaKind::Audio, MediaKind::Video]],
            false => &[&[MediaKind::Audio], &[MediaKind::Video]],
        };
        let mut transports = Vec::new();
        let mut offers = Vec::new();
        for kinds in kinds {
            let (transport, offer) = Transport::offer(&config, address, kinds).await?;
            transports.push(Link { transport, has_ice: false, is_connected: false });
            offers.push(offer);
        }
        let offer = match offers.as_slice() {
            [one] => one.clone(),
            several => join_offers(several),
        };
        let drive = Self {
            config,
            transports,
            observed: watch::Sender::new(Observed::default()),
            video: None,
            sound: opus::Decoder::new(48_000, Channels::Mono)?,
            asked: None,
            sending: Sending { begin: Instant::now(), packet: 0, picture: 0, frame: 0 },
        };
        Ok((drive, offer))
    }

    pub(super) fn accept(&mut self, answer: &str) -> Result<(), PeerError> {
        if let [all] = self.transports.as_mut_slice() {
            return all.transport.accept(answer);
        }
        for link in &mut self.transports {
            let mid = link.transport.name().map(|mid| mid.to_string()).unwrap_or_default();
            let section = section_of(answer, &mid);
            let section =
                section.ok_or_else(|| PeerError::Answer(format!("no section {mid} in {answer}")))?;
            link.transport.accept(&section)?;
        }
        Ok(())
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Observed> {
        self.observed.subscribe()
    }

    /// Until an error ends it, or nobody looks any more.
    pub(super) async fn run(mut self) {
        while !self.observed.is_closed() {
            if let Err(error) = self.turn() {
                self.observed.send_modify(|o| o.ended = Some(error.to_string()));
                return;
            }
            let wakes = self.transports.iter().map(|link| link.transport.wakes);
            let next = wakes.chain(self.next_clip()).min().unwrap_or_else(Instant::now);
            let readable = self.transports.iter().map(|link| Box::pin(link.transport.readable()));
            tokio::select! {
                () = sleep_until(next.into()) => {}
                _ = futures_util::future::select_all(readable) => {}
            }
        }
    }

    fn turn(&mut self) -> Result<(), PeerError> {
        for n in 0..self.transports.len() {
            let Some(link) = self.transports.get_mut(n) else { break };
            let mut happened = Vec::new();
            link.transport.turn(&mut happened)?;
            for event in happened {
                self.on_event(n, event)?;
            }
        }
        self.send_clips(Instant::now())
    }

    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "str0m tells more than is looked at, and more with each version"
    )]
    fn on_event(&mut self, n: usize, event: Event) -> Result<(), PeerError> {
        let now = Instant::now();
        match event {
            Event::IceConnectionStateChange(state) => self.on_ice(n, now, state),
            Event::Connected => {
                if let Some(link) = self.transports.get_mut(n) {
                    link.is_connected = true;
                }
                if self.is_connected() {
                    self.sending = Sending { begin: now, packet: 0, picture: 0, frame: 0 };
                    self.observed.send_modify(|o| Observed::note(&mut o.first.connected, now));
                }
                Ok(())
            }
            Event::KeyframeRequest(_) => {
                self.sending.frame = 0;
                Ok(())
            }
            Event::MediaData(data) => self.on_media(n, now, &data),
            _ => Ok(()),
        }
    }

    fn on_ice(&mut self, n: usize, now: Instant, state: IceConnectionState) -> Result<(), PeerError> {
        match state {
            IceConnectionState::Connected | IceConnectionState::Completed => {
                if let Some(link) = self.transports.get_mut(n) {
                    link.has_ice = true;
                }
                if self.transports.iter().all(|link| link.has_ice) {
                    self.observed.send_modify(|o| Observed::note(&mut o.first.ice, now));
                }
                Ok(())
            }
            IceConnectionState::Disconnected => Err(PeerError::Ended("ICE disconnected".to_owned())),
            IceConnectionState::New | IceConnectionState::Checking => Ok(()),
        }
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "codecs that were not offered")]
    fn on_media(&mut self, n: usize, now: Instant, data: &MediaData) -> Result<(), PeerError> {
        let codec = match data.params.spec().codec {
            Codec::Opus => return self.on_sound(now, &data.data),
            Codec::Vp8 => VideoCodec::Vp8,
            Codec::H264 => VideoCodec::H264,
            _ => return Ok(()),
        };
        self.observed.send_modify(|o| {
            Observed::note(&mut o.first.media, now);
            o.video_frames += 1;
        });
        if !self.is_looking() {
            return Ok(());
        }
        match self.decode(codec, data) {
            Ok(Some(picture)) => {
                self.on_picture(now, picture);
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(CodecError::Damaged(_) | CodecError::NeedsKeyFrame) => self.ask_for_key_frame(n, now),
            Err(error) => Err(error.into()),
        }
    }

    fn is_looking(&self) -> bool {
        match self.config.decode {
            Decode::Nothing => false,
            Decode::UntilOneself => self.observed.borrow().first.oneself.is_none(),
            Decode::Everything => true,
        }
    }

    /// A frame after a gap is not decodable before a key frame: the decoder is thrown away.
    fn decode(
        &mut self,
        codec: VideoCodec,
        data: &MediaData,
    ) -> Result<Option<std::sync::Arc<Picture>>, CodecError> {
        let is_usable = data.contiguous || data.is_keyframe();
        let decoder = match self.video.take() {
            Some((of, decoder)) if of == codec && is_usable => decoder,
            Some(_) | None => VideoDecoder::new(codec)?,
        };
        let (_, decoder) = self.video.insert((codec, decoder));
        decoder.decode(&data.data)
    }

    fn on_picture(&mut self, now: Instant, picture: std::sync::Arc<Picture>) {
        let colour = self.config.camera.colour;
        self.observed.send_modify(|o| {
            Observed::note(&mut o.first.picture, now);
            o.pictures += 1;
            o.picture = Some(picture);
            if o.colour_at(500, 500).is_some_and(|seen| is_about(seen, colour)) {
                Observed::note(&mut o.first.oneself, now);
            }
        });
    }

    fn on_sound(&mut self, now: Instant, packet: &[u8]) -> Result<(), PeerError> {
        // 120 ms is the longest that RFC 6716 §3.2 lets a packet be.
        let mut samples = [0; 6 * SAMPLES];
        let count = match self.config.decode {
            Decode::Everything => self.sound.decode(packet, &mut samples, false)?,
            Decode::Nothing | Decode::UntilOneself => 0,
        };
        self.observed.send_modify(|o| {
            Observed::note(&mut o.first.media, now);
            o.audio_packets += 1;
            o.hear(samples.get(..count).unwrap_or_default());
        });
        Ok(())
    }

    fn ask_for_key_frame(&mut self, n: usize, now: Instant) -> Result<(), PeerError> {
        if self.asked.is_some_and(|then| now < then + ASK_AGAIN) {
            return Ok(());
        }
        self.asked = Some(now);
        let Some(Link { transport, .. }) = self.transports.get_mut(n) else { return Ok(()) };
        transport.video.map_or(Ok(()), |mid| transport.ask_for_key_frame(mid))
    }

    fn is_connected(&self) -> bool {
        self.transports.iter().all(|link| link.is_connected)
    }

    /// When the next packet or picture of the clips is due.
    fn next_clip(&self) -> Option<Instant> {
        self.is_connected().then(|| self.sending.packet_due().min(self.sending.picture_due()))
    }

    fn send_clips(&mut self, now: Instant) -> Result<(), PeerError> {
        if !self.is_connected() {
            return Ok(());
        }
        while self.sending.packet_due() <= now {
            let n = self.sending.packet;
            self.sending.packet += 1;
            let time = MediaTime::new(n * SAMPLES as u64, Frequency::FORTY_EIGHT_KHZ);
            let packets = &self.config.microphone.packets;
            let packet = usize::try_from(n).ok().and_then(|n| packets.get(n % packets.len()));
            for Link { transport, .. } in &mut self.transports {
                if let (Some(mid), Some(packet)) = (transport.audio, packet) {
                    transport.write(mid, Codec::Opus, time, packet)?;
                }
            }
        }
        while self.sending.picture_due() <= now {
            let time = MediaTime::new(self.sending.picture * PICTURE_TICKS, Frequency::NINETY_KHZ);
            self.sending.picture += 1;
            let frames = &self.config.camera.frames;
            let frame = frames.get(self.sending.frame % frames.len().max(1));
            self.sending.frame += 1;
            let codec = match self.config.camera.codec {
                VideoCodec::Vp8 => Codec::Vp8,
                VideoCodec::H264 => Codec::H264,
                VideoCodec::Vp9 => Codec::Vp9,
                VideoCodec::Av1 => Codec::Av1,
            };
            for Link { transport, .. } in &mut self.transports {
                if let (Some(mid), Some(frame)) = (transport.video, frame) {
                    transport.write(mid, codec, time, frame)?;
                }
            }
        }
        self.flush()
    }

    /// What was written goes out now and not with the next timeout.
    fn flush(&mut self) -> Result<(), PeerError> {
        for n in 0..self.transports.len() {
            let mut happened = Vec::new();
            if let Some(link) = self.transports.get_mut(n) {
                link.transport.drain(&mut happened)?;
            }
            for event in happened {
                self.on_event(n, event)?;
            }
        }
        Ok(())
    }
}

impl Sending {
    fn packet_due(&self) -> Instant {
        self.begin + Duration::from_millis(20 * self.packet)
    }

    fn picture_due(&self) -> Instant {
        self.begin + Duration::from_nanos(1_000_000_000 / u64::from(FPS) * self.picture)
    }
}

/// Whether two colours look alike after two lossy codings.
fn is_about(Rgb(r, g, b): Rgb, Rgb(r2, g2, b2): Rgb) -> bool {
    [(r, r2), (g, g2), (b, b2)].iter().all(|(a, b)| a.abs_diff(*b) < 30)
}
