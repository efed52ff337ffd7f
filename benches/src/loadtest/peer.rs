//! One peer: a socket, an str0m session, counters.
//!
//! in:  offers and answers, datagrams, time
//! out: SDP, datagrams, [`View`]
//!
//! str0m does ICE and DTLS, and protects what is published. Received media it sees only when the peer verifies; else
//! packets are counted by their clear headers. RTCP that peers send is ours alone, in `feedback` and `sent`.

use std::collections::VecDeque;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Instant;

use media_core::srtp::Outbound;
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::media::{Direction, MediaKind, Mid, Pt, Rid, Simulcast, SimulcastLayer};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{ExtensionValues, RtpWrite};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};

use super::LoadError;
use super::feedback::{Feedback, Profile, Said};
use super::keys::{self, Tap};
use super::net::{self, Datagram, Receiver};
use super::rtp::{self, Kind, Stream};
use super::sent::Sent;
use super::source::{Camera, Microphone, Outgoing, Video, What};
use super::speech::Speech;
use super::verify::Verified;

/// Streams that one peer counts; a server that makes up more is not counted right and says so by losses.
const MOST_STREAMS: usize = 256;

/// Two seconds of sound.
const MOST_HEARD: usize = 100;

/// What a peer does.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Its camera.
    pub video: Option<Video>,
    /// Its microphone.
    pub audio: Option<Speech>,
    /// Video sections it receives in, when it makes the offer.
    pub video_slots: u8,
    /// Whether it receives sound, when it makes the offer.
    pub hears: bool,
    /// Whether it decrypts and compares what it gets.
    pub verifies: bool,
    /// What it reports.
    pub feedback: Profile,
    /// Whether pictures are H.264; else they are VP8.
    pub h264: bool,
}

/// A peer as it is now.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Packets of pictures.
    pub video: u64,
    /// Packets of sound.
    pub audio: u64,
    /// Other RTP: repeated packets, padding.
    pub other: u64,
    /// Numbers that never came, of pictures and sound.
    pub lost: u64,
    /// Packets behind a later one.
    pub out_of_order: u64,
    /// Video streams.
    pub streams: usize,
    /// RTCP that came.
    pub rtcp: u64,
    /// What was decrypted.
    pub verified: Verified,
    /// What was reported.
    pub said: Said,
    /// Packets of pictures that it published, of the largest encoding.
    pub published: u64,
    /// Key frames that it was asked for.
    pub key_frame_requests: u64,
    /// When DTLS was done.
    pub connected: Option<Instant>,
    /// When the first packet of pictures was seen.
    pub first_media: Option<Instant>,
    /// Why it ended.
    pub error: Option<String>,
}

#[derive(Debug)]
pub(super) struct Peer {
    plan: Plan,
    socket: UdpSocket,
    local: SocketAddr,
    /// `None`: a bare socket that counts.
    session: Option<Session>,
    streams: Vec<Stream>,
    feedback: Feedback,
    view: View,
    pts: Pts,
    camera: Option<Camera>,
    microphone: Option<Microphone>,
    /// The newest packets of sound, of one who verifies.
    heard: VecDeque<Arc<[u8]>>,
}

#[derive(Debug)]
struct Session {
    rtc: Rtc,
    pending: Option<SdpPendingOffer>,
    tap: Tap,
    outbound: Option<Outbound>,
    sent: Sent,
    /// Where the server is.
    remote: Option<SocketAddr>,
    /// When str0m wants to be woken.
    wakes: Instant,
    video: Option<Mid>,
    audio: Option<Mid>,
}

/// Numbers that were negotiated; 0 is none of them.
#[derive(Clone, Copy, Debug, Default)]
struct Pts {
    video: u8,
    audio: u8,
    transport_cc: u8,
}

impl Peer {
    /// Counts video of this payload type, without ICE and DTLS.
    pub(super) fn bare(video_pt: u8, number: u32) -> Result<(Self, SocketAddr), LoadError> {
        let socket = net::bind()?;
        let local = socket.local_addr()?;
        let mut peer = Self::with(Plan::default(), socket, local, None, number);
        peer.pts.video = video_pt;
        Ok((peer, local))
    }

    /// Makes an offer.
    pub(super) fn offer(plan: Plan, number: u32) -> Result<(Self, String), LoadError> {
        let (socket, local, mut session) = Session::new(plan.h264)?;
        let mut changes = session.rtc.sdp_api();
        let direction = |sends, receives| match (sends, receives) {
            (true, true) => Some(Direction::SendRecv),
            (true, false) => Some(Direction::SendOnly),
            (false, true) => Some(Direction::RecvOnly),
            (false, false) => None,
        };
        let stream = || Some("load".to_owned());
        if let Some(direction) = direction(plan.audio.is_some(), plan.hears) {
            session.audio = Some(changes.add_media(MediaKind::Audio, direction, stream(), None, None));
        }
        if let Some(video) = &plan.video {
            let simulcast = simulcast(video);
            let mid = changes.add_media(MediaKind::Video, Direction::SendOnly, stream(), None, simulcast);
            session.video = Some(mid);
        }
        for _ in 0..plan.video_slots {
            changes.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
        }
        let (offer, pending) = changes.apply().ok_or_else(|| unusable("nothing to offer"))?;
        session.pending = Some(pending);
        Ok((Self::with(plan, socket, local, Some(session), number), offer.to_sdp_string()))
    }

    /// Answers an offer.
    pub(super) fn answer(plan: Plan, number: u32, offer: &str) -> Result<(Self, String), LoadError> {
        let (socket, local, mut session) = Session::new(plan.h264)?;
        let parsed = SdpOffer::from_sdp_string(offer).map_err(unusable)?;
        let answer = session.rtc.sdp_api().accept_offer(parsed)?;
        let mut peer = Self::with(plan, socket, local, Some(session), number);
        peer.pts = Pts::of(offer);
        Ok((peer, answer.to_sdp_string()))
    }

    fn with(plan: Plan, socket: UdpSocket, local: SocketAddr, session: Option<Session>, number: u32) -> Self {
        let feedback = Feedback::new(plan.feedback, number);
        Self {
            plan,
            socket,
            local,
            session,
            streams: Vec::new(),
            feedback,
            view: View::default(),
            pts: Pts::default(),
            camera: None,
            microphone: None,
            heard: VecDeque::new(),
        }
    }

    /// Takes the answer to its offer.
    pub(super) fn accept(&mut self, answer: &str) -> Result<(), LoadError> {
        self.pts = Pts::of(answer);
        let session = self.session.as_mut().ok_or_else(|| unusable("a bare socket"))?;
        let parsed = SdpAnswer::from_sdp_string(answer).map_err(unusable)?;
        let pending = session.pending.take().ok_or_else(|| unusable("a second answer"))?;
        session.rtc.sdp_api().accept_answer(pending, parsed)?;
        session.wakes = Instant::now();
        Ok(())
    }

    /// Whether it must be looked at often, for the times of its join to be exact.
    pub(super) fn is_joining(&self) -> bool {
        let is_waiting = self.view.connected.is_none() || self.view.first_media.is_none() && self.receives();
        self.session.is_some() && self.view.error.is_none() && is_waiting
    }

    fn receives(&self) -> bool {
        self.plan.video_slots > 0 || self.plan.video.is_none()
    }

    /// When something is to be sent, or str0m is to be woken.
    pub(super) fn wakes(&self) -> Option<Instant> {
        if self.view.error.is_some() {
            return None;
        }
        let camera = self.camera.as_ref().map(Camera::due);
        let microphone = self.microphone.as_ref().map(Microphone::due);
        let session = self.session.as_ref().map(|session| session.wakes);
        camera.into_iter().chain(microphone).chain(session).min()
    }

    /// Takes in what has arrived, and reports on it.
    #[allow(clippy::wildcard_enum_match_arm, reason = "what is not a packet is for later")]
    pub(super) fn drain(&mut self, receiver: &mut Receiver, now: Instant) {
        let Self { socket, session, streams, feedback, view, pts, plan, local, heard, .. } = self;
        let mut happened = Vec::new();
        let mut failed = None;
        let done = receiver.drain(socket, |datagram| {
            let kind = rtp::kind(datagram.bytes);
            let is_for_session = match kind {
                Kind::Other => true,
                Kind::Rtcp => {
                    view.rtcp += 1;
                    plan.video.is_some() || plan.verifies
                }
                Kind::Rtp if feedback.loses() => false,
                Kind::Rtp => {
                    count(streams, feedback, pts, &datagram);
                    plan.verifies
                }
            };
            if let (true, Some(session)) = (is_for_session, session.as_mut()) {
                let before = happened.len();
                if let Err(error) = session.take(&datagram, *local, socket, &mut happened) {
                    failed = Some(error.to_string());
                }
                for event in happened.drain(before..).collect::<Vec<_>>() {
                    match event {
                        Event::RtpPacket(packet) => {
                            if *packet.header.payload_type == pts.video {
                                view.verified.take(&packet.payload, datagram.arrived_ns);
                            } else if *packet.header.payload_type == pts.audio {
                                if heard.len() == MOST_HEARD {
                                    heard.pop_front();
                                }
                                heard.push_back(Arc::from(&*packet.payload));
                            }
                        }
                        other => happened.push(other),
                    }
                }
            }
        });
        if let Err(error) = done {
            failed = Some(error.to_string());
        }
        self.note_first_media(now);
        self.happened(happened, now);
        self.report(now);
        if failed.is_some() {
            self.view.error = failed;
        }
    }

    fn note_first_media(&mut self, now: Instant) {
        let is_by_sound = self.plan.video.is_none() && self.plan.audio.is_some();
        let pt = if is_by_sound { self.pts.audio } else { self.pts.video };
        if self.view.first_media.is_none() && self.streams.iter().any(|stream| stream.pt == pt) {
            self.view.first_media = Some(now);
        }
    }

    fn report(&mut self, now: Instant) {
        let Some(session) = &mut self.session else { return };
        let Some(outbound) = &mut session.outbound else { return };
        let Some(to) = session.remote else { return };
        let said = self.feedback.poll(now, &self.streams, self.pts.video);
        for mut packet in said.into_iter().chain(session.sent.poll(now)) {
            if outbound.seal_rtcp(&mut packet).is_ok() {
                let _ = self.socket.send_to(&packet, to);
            }
        }
    }

    /// Sends what is due and wakes str0m.
    pub(super) fn turn(&mut self, now: Instant) {
        if let Err(error) = self.try_turn(now) {
            self.view.error = Some(error.to_string());
        }
    }

    fn try_turn(&mut self, now: Instant) -> Result<(), LoadError> {
        let mut out = Vec::new();
        if let Some(camera) = &mut self.camera {
            while camera.due() <= now {
                camera.poll(net::now_ns(), &mut out);
            }
        }
        if let Some(microphone) = &mut self.microphone {
            while microphone.due() <= now {
                microphone.poll(&mut out);
            }
        }
        let largest = self.plan.video.as_ref().and_then(|video| video.encodings.last()?.0);
        let of_largest = |packet: &&Outgoing| packet.what == What::Video { rid: largest };
        self.view.published += out.iter().filter(of_largest).count() as u64;
        let pts = self.pts;
        let Some(session) = &mut self.session else { return Ok(()) };
        let mut happened = Vec::new();
        let is_due = session.wakes <= now || !out.is_empty();
        for packet in out {
            session.write(packet, pts, now)?;
        }
        if is_due {
            session.rtc.handle_input(Input::Timeout(now))?;
            session.flush(&self.socket, &mut happened)?;
        }
        self.happened(happened, now);
        Ok(())
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "str0m tells more than is looked at")]
    fn happened(&mut self, events: Vec<Event>, now: Instant) {
        for event in events {
            match event {
                Event::Connected => {
                    self.view.connected.get_or_insert(now);
                    let outbound = self.session.as_mut().and_then(|session| {
                        session.outbound = session.tap.take_outbound();
                        session.outbound.as_ref()
                    });
                    if outbound.is_none() {
                        self.view.error = Some("no SRTP keys came out of DTLS".to_owned());
                    }
                    self.camera = self.plan.video.clone().map(|video| Camera::new(video, now));
                    self.microphone = self.plan.audio.clone().map(|speech| Microphone::new(speech, now));
                }
                Event::KeyframeRequest(request) => {
                    self.view.key_frame_requests += 1;
                    if let Some(camera) = &mut self.camera {
                        camera.request_key_frame(request.rid.as_deref());
                    }
                }
                Event::IceConnectionStateChange(str0m::IceConnectionState::Disconnected) => {
                    self.view.error = Some("ICE disconnected".to_owned());
                }
                _ => {}
            }
        }
    }

    /// As it is now; delays are taken away.
    pub(super) fn look(&mut self) -> View {
        let delays = std::mem::take(&mut self.view.verified.delays_ms);
        let mut view = self.glance();
        view.verified.delays_ms = delays;
        view
    }

    /// The newest packets of sound, oldest first.
    pub(super) fn heard(&self) -> Vec<Arc<[u8]>> {
        self.heard.iter().cloned().collect()
    }

    /// As it is now.
    pub(super) fn glance(&self) -> View {
        let mut view = View { said: self.feedback.said, ..self.view.clone() };
        for stream in &self.streams {
            match stream.pt {
                pt if pt == self.pts.video => {
                    view.video += stream.packets;
                    view.streams += 1;
                }
                pt if pt == self.pts.audio => view.audio += stream.packets,
                _ => {
                    view.other += stream.packets;
                    continue;
                }
            }
            view.lost += stream.lost();
            view.out_of_order += stream.out_of_order;
        }
        view
    }
}

fn count(streams: &mut Vec<Stream>, feedback: &mut Feedback, pts: &Pts, datagram: &Datagram<'_>) {
    let Some(header) = rtp::header(datagram.bytes, pts.transport_cc) else { return };
    let is_full = streams.len() >= MOST_STREAMS;
    let gap = match streams.iter_mut().find(|stream| stream.ssrc == header.ssrc && stream.pt == header.pt) {
        Some(stream) => stream.count(&header),
        None if is_full => return,
        None => {
            streams.push(Stream::new(&header));
            0..0
        }
    };
    let gap = if header.pt == pts.video { gap } else { 0..0 };
    feedback.on_packet(&header, datagram.arrived_ns, gap);
}

fn simulcast(video: &Video) -> Option<Simulcast> {
    if video.encodings.len() < 2 {
        return None;
    }
    let send = video.encodings.iter().filter_map(|(rid, _)| Some(SimulcastLayer::new((*rid)?))).collect();
    Some(Simulcast { send, recv: Vec::new() })
}

fn unusable(what: impl ToString) -> LoadError {
    LoadError::Signalling(what.to_string())
}

impl Session {
    fn new(h264: bool) -> Result<(UdpSocket, SocketAddr, Self), LoadError> {
        let socket = net::bind()?;
        let local = socket.local_addr()?;
        let now = Instant::now();
        let mut rtc = RtcConfig::new()
            .clear_codecs()
            .enable_opus(true, false)
            .enable_vp8(!h264)
            .enable_h264(h264)
            .set_rtp_mode(true)
            .set_crypto_provider(Arc::new(keys::provider()))
            .build(now);
        let tap = Tap::latest();
        rtc.add_local_candidate(Candidate::host(local, Protocol::Udp).map_err(unusable)?);
        let session = Self {
            rtc,
            pending: None,
            tap,
            outbound: None,
            sent: Sent::default(),
            remote: None,
            wakes: now,
            video: None,
            audio: None,
        };
        Ok((socket, local, session))
    }

    fn take(
        &mut self,
        datagram: &Datagram<'_>,
        local: SocketAddr,
        socket: &UdpSocket,
        happened: &mut Vec<Event>,
    ) -> Result<(), LoadError> {
        let Ok(received) = Receive::new(Protocol::Udp, datagram.from, local, datagram.bytes) else {
            return Ok(());
        };
        self.rtc.handle_input(Input::Receive(Instant::now(), received))?;
        self.flush(socket, happened)
    }

    fn flush(&mut self, socket: &UdpSocket, happened: &mut Vec<Event>) -> Result<(), LoadError> {
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(at) => {
                    self.wakes = at;
                    return Ok(());
                }
                Output::Event(event) => happened.push(event),
                Output::Transmit(out) => {
                    // A server may offer candidates on other interfaces; load never leaves this machine.
                    if !out.destination.ip().is_loopback() {
                        continue;
                    }
                    match rtp::kind(&out.contents) {
                        Kind::Rtcp => continue,
                        Kind::Rtp => {}
                        // Where DTLS goes is where everything goes.
                        Kind::Other if matches!(out.contents.first(), Some(20..=63)) => {
                            self.remote = Some(out.destination);
                        }
                        Kind::Other => {}
                    }
                    // A full socket buffer loses the datagram, as a network would.
                    let _ = socket.send_to(&out.contents, out.destination);
                }
            }
        }
    }

    fn write(&mut self, packet: Outgoing, pts: Pts, now: Instant) -> Result<(), LoadError> {
        let (mid, rid, pt) = match packet.what {
            What::Video { rid } => (self.video, rid.map(Rid::from), pts.video),
            What::Audio { .. } => (self.audio, None, pts.audio),
        };
        let Some(mid) = mid.filter(|_| pt != 0) else { return Ok(()) };
        let mut extensions = ExtensionValues::default();
        if let What::Audio { level, is_voice } = packet.what {
            extensions.audio_level = Some(level);
            extensions.voice_activity = Some(is_voice);
        }
        let (timestamp, octets) = (packet.timestamp, packet.payload.len());
        let write =
            RtpWrite::new(Pt::new_with_value(pt), packet.seq.into(), packet.timestamp, now, packet.payload)
                .marker(packet.marker)
                .ext_vals(extensions)
                .nackable(true);
        let mut direct = self.rtc.direct_api();
        let stream = direct.stream_tx_by_mid(mid, rid).ok_or_else(|| unusable("a stream was refused"))?;
        stream.write_rtp(write);
        self.sent.note(*stream.ssrc(), timestamp, octets, net::now_ns());
        Ok(())
    }
}

impl Pts {
    /// Reads them out of what the server wrote.
    fn of(sdp: &str) -> Self {
        let mut pts = Self::default();
        for line in sdp.lines() {
            let number = |rest: &str| rest.split([' ', '/']).next().and_then(|n| n.parse().ok()).unwrap_or(0);
            if let Some(rest) = line.strip_prefix("a=rtpmap:") {
                let is = |codec: &str| rest.to_ascii_lowercase().contains(codec);
                if pts.video == 0 && (is(" vp8/") || is(" h264/")) {
                    pts.video = number(rest);
                } else if pts.audio == 0 && is(" opus/") {
                    pts.audio = number(rest);
                }
            } else if let Some(rest) = line.strip_prefix("a=extmap:")
                && rest.contains("transport-wide-cc")
            {
                pts.transport_cc = number(rest);
            }
        }
        pts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_from_sdp() {
        let sdp = "m=audio 9 X 111\r\na=rtpmap:111 opus/48000/2\r\nm=video 9 X 102 97\r\n\
                   a=extmap:3/sendonly http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n\
                   a=rtpmap:102 rtx/90000\r\na=rtpmap:97 VP8/90000\r\na=rtpmap:98 VP8/90000\r\n";
        let pts = Pts::of(sdp);
        assert_eq!((pts.video, pts.audio, pts.transport_cc), (97, 111, 3));
    }
}
