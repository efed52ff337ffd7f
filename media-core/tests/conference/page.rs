//! What a page in a browser does above SRTP: a camera and a microphone, a picture and a loudspeaker.
//!
//! It has a clock of its own, which may run fast or slow: capture times, timestamps and sender reports are of it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use layouts::Size;
use media_core::codec::{EncoderConfig, Picture, Rgb, VideoDecoder, VideoEncoder, Yuv};
use media_core::forward::{
    EncodedPicture, MediaPacket, PacketCache, Packetizer, PayloadTypes, RtpSender, SenderConfig, Start,
};
use media_core::receive::{AudioReceiver, Feedback, Format, TwccRecorder, VideoConfig, VideoReceiver};
use media_core::rtcp::{self, NtpClock, NtpTime, Packet};
use media_core::rtp::{ExtId, RtpView};
use media_core::units::{
    Bitrate, ClockRate, MediaKind, MediaTime, Mid, Pt, SeqNo, Ssrc, TransportKey, VideoCodec,
};

use crate::conference::alike;
use crate::offer::{self, MID, OPUS, TRANSPORT_CC, payload_type, rtx};
use crate::sim::browser::Browser;
use crate::sound::{FRAME, Sound, silence};
use crate::values::{Chain, Value};

const CAMERA: Size = Size { width: 160, height: 90 };
const AUDIO_EVERY: Duration = Duration::from_millis(20);
/// How often a page looks after feedback.
const SERVICE_EVERY: Duration = Duration::from_millis(10);
/// Sound is decoded so long after it came, so that packets which were overtaken are there.
const LISTEN_AFTER: Duration = Duration::from_millis(150);
/// 20 ms of CELT without anything in them.
const OPUS_SILENCE: [u8; 3] = [0xf8, 0xff, 0xfe];
/// Between the points at which a picture is remembered.
const POINTS_EVERY: u32 = 10;

/// Who joins, and how.
pub struct Setup {
    pub bundled: bool,
    /// What it offers; it sends the first one that is answered. Without any, no video.
    pub video: Vec<VideoCodec>,
    pub fps: u32,
    /// Of the camera's pictures at a moment of the page's clock, seconds.
    pub size: Box<dyn Fn(f64) -> Size>,
    /// The camera's picture at a moment of the page's clock, seconds.
    pub camera: Box<dyn Fn(f64) -> Rgb>,
    pub microphone: Sound,
    /// How much faster than ours its clock runs.
    pub clock_ppm: i64,
    /// First RTP timestamp of the sound; else some number.
    pub audio_timestamp: Option<u32>,
    /// Of both sections.
    pub direction: &'static str,
    /// The kinds it has a track of; an offer may have a section without one.
    pub tracks: Vec<MediaKind>,
    /// The order of its sections.
    pub video_first: bool,
    /// Its camera sends values in place of pictures, of this number, and values are what it expects to see.
    pub value: Option<u32>,
    /// Nothing moves before its camera.
    pub still: bool,
    /// It sends sound of which there is nothing to hear, without the work of coding it.
    pub quiet: bool,
    /// It decodes what it hears.
    pub listens: bool,
    /// Its link down, in kbit/s, at a moment of the conference, seconds. With one it tells when packets come.
    pub downlink: Option<Box<dyn Fn(f64) -> u64>>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            bundled: true,
            video: vec![VideoCodec::H264],
            fps: 15,
            size: Box::new(|_| CAMERA),
            camera: Box::new(|_| Rgb(128, 128, 128)),
            microphone: silence(),
            clock_ppm: 0,
            audio_timestamp: None,
            direction: "sendrecv",
            tracks: vec![MediaKind::Audio, MediaKind::Video],
            video_first: false,
            value: None,
            still: false,
            quiet: false,
            listens: true,
            downlink: None,
        }
    }
}

impl Setup {
    fn sends(&self) -> bool {
        ["sendrecv", "sendonly"].contains(&self.direction)
    }

    fn films(&self) -> bool {
        self.sends() && self.tracks.contains(&MediaKind::Video)
    }

    fn speaks(&self) -> bool {
        self.sends() && self.tracks.contains(&MediaKind::Audio)
    }
}

/// A composed picture as the page has seen it.
pub struct Seen {
    pub at: Instant,
    pub timestamp: u32,
    points: Vec<Yuv>,
    size: Size,
    /// What it shows where values stand for pictures.
    pub value: u32,
}

impl Seen {
    fn of_value(at: Instant, timestamp: u32, value: u32) -> Self {
        Self { at, timestamp, points: Vec::new(), size: Size { width: 0, height: 0 }, value }
    }

    /// Whether the colour is anywhere in the picture.
    pub fn has(&self, colour: Rgb) -> bool {
        self.points.iter().any(|point| alike(Rgb::from(*point), colour))
    }

    pub fn size(&self) -> Size {
        self.size
    }

    /// The colour near a pixel.
    pub fn colour(&self, x: u32, y: u32) -> Rgb {
        let at = y / POINTS_EVERY * (self.size.width / POINTS_EVERY) + x / POINTS_EVERY;
        Rgb::from(self.points[at as usize])
    }
}

/// What came in besides media.
#[derive(Debug, Default, Clone)]
pub struct Noticed {
    pub nacks: usize,
    pub plis: usize,
    pub transport_ccs: usize,
    /// What it was asked to send at the most, in turn.
    pub ceilings: Vec<Bitrate>,
    pub report_blocks: usize,
    pub plis_sent: usize,
    pub nacked: usize,
    pub recovered: u64,
    /// When packets of sound came.
    pub sounds: Vec<Instant>,
}

pub struct Page {
    pub setup: Setup,
    pub transports: Vec<Browser>,
    number: u32,
    session: u64,
    version: u64,
    started: Instant,
    ntp: NtpClock,
    camera: Option<Camera>,
    microphone: Microphone,
    service_at: Instant,
    report_at: Instant,
    viewer: Option<Viewer>,
    pub seen: Vec<Seen>,
    listener: Listener,
    /// Moment on the server's clock and RTP timestamp, of the latest sender report of each kind.
    reports: BTreeMap<MediaKind, (NtpTime, u32)>,
    pub noticed: Noticed,
    /// SSRC and number of packets that are key frames of its camera, on their way.
    pub keys_sent: Vec<(u32, u16)>,
    /// When such a packet reached the server.
    pub keys_arrived: Vec<Instant>,
    /// Nothing of it arrives and nothing reaches it: the cable was pulled.
    pub cut_off: bool,
    closed: bool,
    /// As it offers it.
    video_direction: &'static str,
    restarting: bool,
    own: Ssrc,
    /// Browsers have one count for all transports of a page.
    transport_wide: u16,
    arrivals: TwccRecorder,
    /// When the queue in front of its link down is empty.
    link_free_at: Instant,
}

/// What the queue in front of a narrow link holds.
const LINK_QUEUE: Duration = Duration::from_millis(500);

/// What stands behind the lens.
enum Film {
    Pictures(VideoEncoder),
    Values(u32),
}

struct Camera {
    config: EncoderConfig,
    film: Film,
    packetizer: Packetizer,
    cache: PacketCache,
    sender: RtpSender,
    frame: u64,
    force_key: bool,
}

struct Microphone {
    encoder: opus::Encoder,
    sender: RtpSender,
    frame: u64,
}

struct Viewer {
    receiver: VideoReceiver,
    decoder: Option<(VideoCodec, VideoDecoder)>,
    chain: Chain,
}

struct Listener {
    receiver: Option<AudioReceiver>,
    decoder: opus::Decoder,
    waiting: BTreeMap<SeqNo, (Instant, u32, Vec<u8>)>,
    heard: Vec<(u32, Vec<f32>)>,
}

impl Page {
    pub fn new(now: Instant, number: u32, setup: Setup) -> Self {
        let count = if setup.bundled || setup.video.is_empty() { 1 } else { 2 };
        let ssrc = number * 10 + 1000;
        let mut encoder = opus::Encoder::new(48_000, opus::Channels::Mono, opus::Application::Voip).unwrap();
        encoder.set_bitrate(opus::Bitrate::Bits(40_000)).unwrap();
        encoder.set_complexity(1).unwrap();
        let audio_timestamp = setup.audio_timestamp.unwrap_or(number.wrapping_mul(0x9e37_79b9));
        let audio = SenderConfig {
            kind: MediaKind::Audio,
            rate: ClockRate::OPUS,
            ssrc: Ssrc(ssrc),
            rtx_ssrc: None,
            payload: PayloadTypes { pt: OPUS, rtx: None },
            transport_cc: Some(ExtId(TRANSPORT_CC)),
            abs_send_time: None,
            onward: media_core::rtp::OnwardIds::default(),
            mid: Some((ExtId(MID), Mid("0".into()))),
            cname: "page".into(),
            start: Start { seq: 11, rtx_seq: 12, timestamp: audio_timestamp, picture_id: 0 },
        };
        Self {
            transports: (0..count).map(|n| transport(number, n)).collect(),
            number,
            session: u64::from(number) + 1,
            version: 1,
            started: now,
            // A page's wall clock is its own affair.
            ntp: NtpClock::new(now, Duration::from_secs(1_700_000_000 + u64::from(number) * 977)),
            camera: None,
            microphone: Microphone { encoder, sender: RtpSender::new(audio), frame: 0 },
            service_at: now,
            report_at: now,
            viewer: None,
            seen: Vec::new(),
            listener: Listener {
                receiver: None,
                decoder: opus::Decoder::new(48_000, opus::Channels::Mono).unwrap(),
                waiting: BTreeMap::new(),
                heard: Vec::new(),
            },
            reports: BTreeMap::new(),
            noticed: Noticed::default(),
            keys_sent: Vec::new(),
            keys_arrived: Vec::new(),
            cut_off: false,
            closed: false,
            video_direction: setup.direction,
            restarting: false,
            own: Ssrc(ssrc),
            transport_wide: 0,
            arrivals: TwccRecorder::default(),
            link_free_at: now,
            setup,
        }
    }

    pub fn offer(&self) -> String {
        offer::offer(self.session, self.version, &self.transports, &self.setup, self.video_direction)
    }

    /// The same offer with new ICE credentials.
    pub fn restart_offer(&mut self) -> String {
        self.version += 1;
        self.restarting = true;
        let mut text = self.offer();
        for transport in &self.transports {
            let ufrag = transport.remote_ice().ufrag;
            text = text.replace(&format!("ufrag:{ufrag}\r\n"), &format!("ufrag:{ufrag}x\r\n"));
        }
        text
    }

    /// An offer with a camera that was not there before.
    pub fn camera_offer(&mut self, codec: VideoCodec) -> String {
        self.version += 1;
        self.setup.video = vec![codec];
        if !self.setup.bundled {
            self.transports.push(transport(self.number, 1));
        }
        self.offer()
    }

    /// An offer with another direction of both sections.
    pub fn direction_offer(&mut self, direction: &'static str) -> String {
        self.setup.direction = direction;
        self.video_direction_offer(direction)
    }

    /// An offer with another direction of its video.
    pub fn video_direction_offer(&mut self, direction: &'static str) -> String {
        self.version += 1;
        self.video_direction = direction;
        self.offer()
    }

    pub fn answered(&mut self, now: Instant, sdp: &str) {
        let sections = offer::sections(sdp);
        let wanted = 1 + usize::from(!self.setup.video.is_empty());
        assert_eq!(sections.len(), wanted, "an answer has the sections of its offer: {sdp}");
        assert_eq!(self.setup.bundled, sdp.contains("a=group:BUNDLE"), "{sdp}");
        for (transport, section) in self.transports.iter_mut().zip(sections) {
            if transport.is_connected() && !self.restarting {
                assert_eq!(transport.answered_ice(), Some(&section.ice), "nobody asked for a restart");
            } else if transport.is_connected() {
                let ufrag = format!("{}x", transport.remote_ice().ufrag);
                transport.restarted(now, &ufrag, section.ice);
            } else {
                transport.answered(now, TransportKey(0), section.ice, section.fingerprint);
            }
        }
        self.restarting = false;
        if self.camera.is_none() {
            let codec = self.setup.video.first().filter(|_| self.setup.films());
            self.camera = codec.map(|codec| Camera::new(*codec, &self.setup, self.own));
        }
    }

    /// When a datagram to it leaves the queue in front of its link; `None` when the queue is full.
    pub fn passes_at(&mut self, now: Instant, bytes: usize) -> Option<Instant> {
        let Some(kbps) = &self.setup.downlink else { return Some(now) };
        let kbps = kbps((now - self.started).as_secs_f64());
        let free_at = self.link_free_at.max(now);
        if free_at - now > LINK_QUEUE {
            return None;
        }
        self.link_free_at = free_at + Duration::from_micros(bytes as u64 * 8000 / kbps);
        Some(self.link_free_at)
    }

    fn arrived(&mut self, now: Instant, packet: &RtpView<'_>) {
        let number = packet.transport_cc(ExtId(TRANSPORT_CC));
        if let Some(number) = number.filter(|_| self.setup.downlink.is_some()) {
            self.arrivals.handle_packet(now, packet.ssrc(), number);
        }
    }

    pub fn is_connected(&self) -> bool {
        self.transports.iter().all(Browser::is_connected)
    }

    pub fn close(&mut self, now: Instant) {
        self.transports.iter_mut().for_each(|transport| transport.close(now));
        self.closed = true;
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.closed {
            return None;
        }
        let transports = self.transports.iter().filter_map(Browser::poll_timeout).min();
        if !self.is_connected() {
            return transports;
        }
        let camera = self.camera.as_ref().map(|camera| self.ours(camera.due(self.setup.fps)));
        let microphone = self.setup.speaks().then(|| self.ours(self.microphone.due()));
        [transports, camera, microphone, Some(self.service_at)].into_iter().flatten().min()
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        if self.closed {
            return;
        }
        self.transports.iter_mut().for_each(|transport| transport.handle_timeout(now));
        if !self.is_connected() {
            return;
        }
        if self.microphone.frame == 0 || !self.setup.speaks() {
            // Capture began before the call: nothing of before is sent.
            let since = self.own_time(now);
            self.microphone.frame = (since.as_millis() / AUDIO_EVERY.as_millis()) as u64;
        }
        if let Some(camera) = self.camera.as_mut().filter(|camera| camera.frame == 0) {
            let since = scaled(now - self.started, self.setup.clock_ppm);
            camera.frame = (since.as_secs_f64() * f64::from(self.setup.fps)) as u64 + 1;
        }
        while self.setup.speaks() && self.ours(self.microphone.due()) <= now {
            self.speak(now);
        }
        while self.camera.as_ref().is_some_and(|camera| self.ours(camera.due(self.setup.fps)) <= now) {
            self.film(now);
        }
        if self.service_at <= now {
            self.service_at = now + SERVICE_EVERY;
            self.service(now);
        }
    }

    /// Takes what its transports have received.
    pub fn take_received(&mut self, now: Instant) {
        for index in 0..self.transports.len() {
            for (_, packet) in std::mem::take(&mut self.transports[index].rtp) {
                let view = RtpView::parse(&packet).unwrap();
                if view.pt() == OPUS { self.listen(now, &view) } else { self.watch(now, &view) }
            }
            for packet in std::mem::take(&mut self.transports[index].rtcp) {
                self.on_rtcp(now, &packet);
            }
        }
    }

    /// A moment of its clock, as time since the beginning.
    fn own_time(&self, now: Instant) -> Duration {
        scaled(now - self.started, self.setup.clock_ppm)
    }

    /// When its clock shows this.
    fn ours(&self, own: Duration) -> Instant {
        self.started + scaled(own, -self.setup.clock_ppm)
    }

    fn own_instant(&self, now: Instant) -> Instant {
        self.started + self.own_time(now)
    }

    fn transport(&mut self, kind: MediaKind) -> &mut Browser {
        match kind {
            MediaKind::Audio => self.transports.first_mut().unwrap(),
            MediaKind::Video => self.transports.last_mut().unwrap(),
        }
    }

    fn speak(&mut self, now: Instant) {
        let own = self.own_instant(now);
        let Microphone { encoder, sender, frame } = &mut self.microphone;
        let first = *frame * FRAME as u64;
        let payload = if self.setup.quiet {
            OPUS_SILENCE.to_vec()
        } else {
            let pcm: Vec<f32> = (first..first + FRAME as u64).map(&mut self.setup.microphone).collect();
            encoder.encode_vec_float(&pcm, 1275).unwrap()
        };
        let timestamp = MediaTime { ticks: first, rate: ClockRate::OPUS };
        let captured = self.started + AUDIO_EVERY * (*frame as u32);
        let packet = MediaPacket::audio(SeqNo(*frame), timestamp, captured, payload.into());
        *frame += 1;
        let mut out = Vec::new();
        if sender.write(own, &packet, Some(self.transport_wide), &mut out) {
            self.transport_wide = self.transport_wide.wrapping_add(1);
            self.transport(MediaKind::Audio).sends(&out);
        }
    }

    fn film(&mut self, now: Instant) {
        let own = self.own_instant(now);
        let started = self.started;
        let Some(camera) = &mut self.camera else { return };
        let since = camera.due(self.setup.fps);
        let ticks = (since.as_nanos() * 90 / 1_000_000) as u64;
        let force_key = std::mem::take(&mut camera.force_key);
        let encoded = match &mut camera.film {
            Film::Pictures(encoder) => {
                let (at, config) = (since.as_secs_f64(), &mut camera.config);
                let size = (self.setup.size)(at);
                if config.size != size {
                    config.size = size;
                    *encoder = VideoEncoder::new(*config).unwrap();
                }
                let moves = !self.setup.still && camera.frame % 2 == 1;
                let picture = filmed(size, (self.setup.camera)(at), moves);
                encoder.encode(&picture, ticks, force_key).unwrap()
            }
            Film::Values(shows) => {
                Some(Value { stream: self.own.0, frame: camera.frame, shows: *shows }.encoded(force_key))
            }
        };
        camera.frame += 1;
        let Some(encoded) = encoded else { return };
        let is_value_key = self.setup.value.is_some() && encoded.keyframe;
        let picture = EncodedPicture {
            keyframe: encoded.keyframe,
            data: encoded.data,
            timestamp: MediaTime { ticks, rate: ClockRate::VIDEO },
            captured: started + since,
        };
        let mut packets = Vec::new();
        for packet in camera.packetizer.packetize(&picture) {
            let mut out = Vec::new();
            camera.cache.insert(own, packet.clone());
            if camera.sender.write(own, &packet, Some(self.transport_wide), &mut out) {
                self.transport_wide = self.transport_wide.wrapping_add(1);
                if is_value_key {
                    let view = RtpView::parse(&out).unwrap();
                    self.keys_sent.push((view.ssrc().0, view.seq()));
                }
                packets.push(out);
            }
        }
        packets.iter().for_each(|packet| self.transport(MediaKind::Video).sends(packet));
    }

    fn service(&mut self, now: Instant) {
        let own = self.own_instant(now);
        let ntp = self.ntp.at(own);
        let mut out = Vec::new();
        if self.microphone.sender.poll_report(own, ntp, &[], &mut out) {
            self.transport(MediaKind::Audio).sends_rtcp(&out);
        }
        out.clear();
        if self.camera.as_mut().is_some_and(|camera| camera.sender.poll_report(own, ntp, &[], &mut out)) {
            self.transport(MediaKind::Video).sends_rtcp(&out);
        }
        out.clear();
        while self.arrivals.poll_feedback(now, self.own, &mut out) {
            self.transport(MediaKind::Video).sends_rtcp(&out);
            out.clear();
        }
        if let Some(viewer) = &mut self.viewer {
            let media = viewer.receiver.ssrc();
            while let Some(feedback) = viewer.receiver.poll_feedback(now) {
                match feedback {
                    Feedback::Nack(lost) => {
                        self.noticed.nacked += lost.len();
                        rtcp::write_nack(&mut out, self.own, media, &lost);
                    }
                    Feedback::Pli => {
                        self.noticed.plis_sent += 1;
                        rtcp::write_pli(&mut out, self.own, media);
                    }
                }
            }
            self.noticed.recovered = viewer.receiver.stats().recovered;
        }
        if self.report_at <= now {
            self.report_at = now + Duration::from_secs(1);
            let audio = self.listener.receiver.as_mut().and_then(|receiver| receiver.report_block(now));
            let video = self.viewer.as_mut().and_then(|viewer| viewer.receiver.report_block(now));
            let blocks: Vec<_> = audio.into_iter().chain(video).collect();
            rtcp::write_receiver_report(&mut out, self.own, &blocks);
        }
        if !out.is_empty() {
            self.transport(MediaKind::Video).sends_rtcp(&out);
        }
        self.decode_sound(now);
    }

    /// Asks for a key frame whether it needs one or not.
    pub fn demand_keyframe(&mut self) {
        let mut out = Vec::new();
        let media = self.viewer.as_ref().unwrap().receiver.ssrc();
        rtcp::write_pli(&mut out, self.own, media);
        self.transport(MediaKind::Video).sends_rtcp(&out);
    }

    fn listen(&mut self, now: Instant, packet: &RtpView<'_>) {
        self.arrived(now, packet);
        self.noticed.sounds.push(now);
        let receiver = &mut self.listener.receiver;
        let receiver = receiver.get_or_insert_with(|| AudioReceiver::new(packet.ssrc(), ClockRate::OPUS));
        assert_eq!(receiver.ssrc(), packet.ssrc(), "one stream for the life of the leg");
        if let Some((seq, timestamp)) = receiver.handle_rtp(now, packet) {
            let payload = packet.payload().to_vec();
            self.listener.waiting.insert(seq, (now, timestamp.wire(), payload));
        }
    }

    fn decode_sound(&mut self, now: Instant) {
        let Listener { waiting, decoder, heard, .. } = &mut self.listener;
        while waiting.first_key_value().is_some_and(|(_, (at, ..))| *at + LISTEN_AFTER <= now) {
            let (_, (_, timestamp, payload)) = waiting.pop_first().unwrap();
            if !self.setup.listens {
                continue;
            }
            let mut pcm = vec![0.0; FRAME];
            assert_eq!(decoder.decode_float(&payload, &mut pcm, false).unwrap(), FRAME);
            heard.push((timestamp, pcm));
        }
    }

    fn watch(&mut self, now: Instant, packet: &RtpView<'_>) {
        self.arrived(now, packet);
        let format = |codec| {
            let pt = payload_type(codec);
            [(pt, Format::Codec(codec)), (rtx(pt), Format::Rtx { of: pt })]
        };
        let is_media = |pt: Pt| [VideoCodec::Vp8, VideoCodec::H264].map(payload_type).contains(&pt);
        if self.viewer.is_none() && !is_media(packet.pt()) {
            return;
        }
        let viewer = self.viewer.get_or_insert_with(|| {
            let formats = [format(VideoCodec::Vp8), format(VideoCodec::H264)].concat();
            let receiver = VideoReceiver::new(VideoConfig { ssrc: packet.ssrc(), formats });
            Viewer { receiver, decoder: None, chain: Chain::default() }
        });
        assert!(
            !is_media(packet.pt()) || viewer.receiver.ssrc() == packet.ssrc(),
            "one stream for the life of the leg"
        );
        viewer.receiver.handle_rtp(now, packet);
        while let Some(frame) = viewer.receiver.poll_frame() {
            if self.setup.value.is_some() {
                let value = viewer.chain.follow(&frame.data, frame.keyframe);
                self.seen.push(Seen::of_value(now, frame.timestamp.wire(), value.shows));
                continue;
            }
            let (codec, decoder) =
                viewer.decoder.get_or_insert_with(|| (frame.codec, VideoDecoder::new(frame.codec).unwrap()));
            assert_eq!(*codec, frame.codec, "one codec for the life of the leg");
            let picture = decoder.decode(&frame.data).unwrap().expect("every frame is shown");
            self.seen.push(Seen::new(now, frame.timestamp.wire(), &picture));
        }
    }

    fn on_rtcp(&mut self, now: Instant, packet: &[u8]) {
        let own = self.own_instant(now);
        let own_ntp = self.ntp.at(own);
        let mut repeats = Vec::new();
        for packet in rtcp::packets(packet) {
            match packet {
                Packet::SenderReport { info, blocks } => {
                    let kind = match &mut self.viewer {
                        Some(viewer) if viewer.receiver.ssrc() == info.ssrc => {
                            viewer.receiver.handle_sender_report(now, &info);
                            MediaKind::Video
                        }
                        _ => MediaKind::Audio,
                    };
                    if let Some(listener) = &mut self.listener.receiver
                        && listener.ssrc() == info.ssrc
                    {
                        listener.handle_sender_report(now, &info);
                    }
                    self.reports.insert(kind, (info.ntp, info.rtp));
                    blocks.for_each(|block| self.on_block(own_ntp, &block));
                }
                Packet::ReceiverReport { blocks, .. } => {
                    blocks.for_each(|block| self.on_block(own_ntp, &block));
                }
                Packet::Nack { lost, .. } => {
                    self.noticed.nacks += 1;
                    let Some(camera) = &mut self.camera else { continue };
                    for seq in lost {
                        let mut out = Vec::new();
                        if camera.sender.retransmit(
                            own,
                            seq,
                            &camera.cache,
                            Some(self.transport_wide),
                            &mut out,
                        ) {
                            self.transport_wide = self.transport_wide.wrapping_add(1);
                            repeats.push(out);
                        }
                    }
                }
                Packet::Pli { .. } | Packet::Fir { .. } => {
                    self.noticed.plis += 1;
                    if let Some(camera) = &mut self.camera {
                        camera.force_key = true;
                    }
                }
                Packet::TransportCc(_) => self.noticed.transport_ccs += 1,
                Packet::Remb(most) => self.noticed.ceilings.push(most),
                Packet::Bye(_) => {}
            }
        }
        repeats.iter().for_each(|packet| self.transport(MediaKind::Video).sends(packet));
    }

    fn on_block(&mut self, ntp: NtpTime, block: &rtcp::ReportBlock) {
        self.noticed.report_blocks += 1;
        self.microphone.sender.handle_report(ntp, block);
        if let Some(camera) = &mut self.camera {
            camera.sender.handle_report(ntp, block);
        }
    }

    /// The longest time without a packet of sound, and without a picture, from one moment to another.
    pub fn longest_stalls(&self, from: Instant, to: Instant) -> [Duration; 2] {
        let longest = |came: Vec<Instant>| {
            let came: Vec<Instant> = came.into_iter().filter(|at| (from..to).contains(at)).collect();
            let marks: Vec<Instant> = [vec![from], came, vec![to]].concat();
            marks.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap()
        };
        [longest(self.noticed.sounds.clone()), longest(self.seen.iter().map(|seen| seen.at).collect())]
    }

    /// A timestamp of what was received, on the server's clock by its latest sender report: seconds since `origin`.
    pub fn when(&self, kind: MediaKind, timestamp: u32, origin: NtpTime) -> f64 {
        let rate = match kind {
            MediaKind::Audio => 48_000.0,
            MediaKind::Video => 90_000.0,
        };
        let (ntp, rtp) = self.reports[&kind];
        let reported = (ntp.0 as i64 - origin.0 as i64) as f64 / 4_294_967_296.0;
        reported + f64::from(timestamp.wrapping_sub(rtp).cast_signed()) / rate
    }

    /// What it heard, with the moment of each 20 ms on the server's clock.
    pub fn heard(&self, origin: NtpTime) -> impl Iterator<Item = (f64, &[f32])> {
        let heard = self.listener.heard.iter();
        heard.map(move |(timestamp, pcm)| (self.when(MediaKind::Audio, *timestamp, origin), &pcm[..]))
    }
}

/// One colour, in which a shadow comes and goes with every second picture.
fn filmed(size: Size, colour: Rgb, shadow: bool) -> Picture {
    let (Yuv { y, u, v }, width) = (colour.into(), size.width as usize);
    let mut luma = vec![y; width * size.height as usize];
    if shadow {
        luma.iter_mut().take(width * 16).for_each(|pixel| *pixel = pixel.saturating_sub(10));
    }
    let chroma = width.div_ceil(2) * size.height.div_ceil(2) as usize;
    Picture::from_planes(size, &luma, &vec![u; chroma], &vec![v; chroma]).unwrap()
}

impl Camera {
    fn new(codec: VideoCodec, setup: &Setup, audio: Ssrc) -> Self {
        let pt = payload_type(codec);
        let config = SenderConfig {
            kind: MediaKind::Video,
            rate: ClockRate::VIDEO,
            ssrc: Ssrc(audio.0 + 1),
            rtx_ssrc: Some(Ssrc(audio.0 + 2)),
            payload: PayloadTypes { pt, rtx: Some(rtx(pt)) },
            transport_cc: Some(ExtId(TRANSPORT_CC)),
            abs_send_time: None,
            onward: media_core::rtp::OnwardIds::default(),
            mid: Some((ExtId(MID), Mid("1".into()))),
            cname: "page".into(),
            start: Start { seq: 21, rtx_seq: 22, timestamp: 3_000_000_000, picture_id: 9 },
        };
        let coded =
            EncoderConfig { codec, size: (setup.size)(0.0), fps: setup.fps, bitrate: Bitrate::kbps(300) };
        Self {
            config: coded,
            film: match setup.value {
                Some(shows) => Film::Values(shows),
                None => Film::Pictures(VideoEncoder::new(coded).unwrap()),
            },
            packetizer: Packetizer::new(codec),
            cache: PacketCache::default(),
            sender: RtpSender::new(config),
            frame: 0,
            // The first one is a key frame in any case; of values it has to be said.
            force_key: setup.value.is_some(),
        }
    }

    fn due(&self, fps: u32) -> Duration {
        Duration::from_nanos(self.frame * 1_000_000_000 / u64::from(fps))
    }
}

impl Microphone {
    /// When the last sample of the frame has been taken.
    fn due(&self) -> Duration {
        AUDIO_EVERY * (self.frame as u32 + 1)
    }
}

impl Seen {
    fn new(at: Instant, timestamp: u32, picture: &Picture) -> Self {
        let Size { width, height } = picture.size();
        let points = |y| {
            (0..width / POINTS_EVERY)
                .map(move |x| (x * POINTS_EVERY + POINTS_EVERY / 2, y * POINTS_EVERY + POINTS_EVERY / 2))
        };
        let points = (0..height / POINTS_EVERY).flat_map(points);
        let points = points.map(|(x, y)| picture.pixel(x, y).unwrap()).collect();
        Self { at, timestamp, points, size: picture.size(), value: 0 }
    }
}

fn transport(page: u32, number: u32) -> Browser {
    let address = format!("198.51.{}.{}:{}", 100 + page / 250, page % 250 + 1, 5000 + number);
    Browser::chromium(&format!("uf{page:03}{number}"), &[&address])
}

fn scaled(time: Duration, ppm: i64) -> Duration {
    let ns = time.as_nanos() as i64;
    Duration::from_nanos((ns + ns / 1_000 * ppm / 1_000) as u64)
}
