//! One str0m session on a socket of its own.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use media_core::units::VideoCodec;
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::format::Codec;
use str0m::media::{Direction, KeyframeRequestKind, MediaKind, MediaTime, Mid};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};
use tokio::net::UdpSocket;

use super::{PeerConfig, PeerError, Protection, aes_cm};

/// Largest datagram a path carries.
const MTU: usize = 2_000;

/// One str0m session on a socket of its own, with one section of audio, of video, or one of each.
#[derive(Debug)]
pub(super) struct Transport {
    rtc: Rtc,
    socket: UdpSocket,
    local: SocketAddr,
    pending: Option<SdpPendingOffer>,
    pub(super) audio: Option<Mid>,
    pub(super) video: Option<Mid>,
    /// When it must be driven again without a datagram.
    pub(super) wakes: Instant,
}

impl Transport {
    /// Binds a socket and makes the transport's own offer.
    pub(super) async fn offer(
        peer: &PeerConfig,
        address: IpAddr,
        kinds: &[MediaKind],
    ) -> Result<(Self, String), PeerError> {
        let socket = UdpSocket::bind((address, 0)).await?;
        let local = socket.local_addr()?;
        let config = RtcConfig::new().clear_codecs().enable_opus(true, false);
        let config = match peer.camera.codec {
            VideoCodec::Vp8 => config.enable_vp8(true),
            VideoCodec::H264 => config.enable_h264(true),
            VideoCodec::Vp9 => config.enable_vp9(true),
            VideoCodec::Av1 => config.enable_av1(true),
        };
        let config = match peer.protection {
            Protection::All => config,
            Protection::AesCm => config.set_crypto_provider(Arc::new(aes_cm::provider())),
        };
        let now = Instant::now();
        let mut rtc = config.build(now);
        let host = Candidate::host(local, Protocol::Udp).map_err(|why| PeerError::Answer(why.to_string()))?;
        rtc.add_local_candidate(host);
        let mut changes = rtc.sdp_api();
        let mut add = |kind| {
            let wanted = kinds.contains(&kind);
            wanted.then(|| changes.add_media(kind, Direction::SendRecv, Some("peer".to_owned()), None, None))
        };
        let (audio, video) = (add(MediaKind::Audio), add(MediaKind::Video));
        let (offer, pending) =
            changes.apply().ok_or_else(|| PeerError::Answer("nothing to offer".to_owned()))?;
        let transport = Self { rtc, socket, local, pending: Some(pending), audio, video, wakes: now };
        Ok((transport, offer.to_sdp_string()))
    }

    /// The `mid` that names it in an answer.
    pub(super) fn name(&self) -> Option<Mid> {
        self.audio.or(self.video)
    }

    pub(super) fn accept(&mut self, answer: &str) -> Result<(), PeerError> {
        let answer = SdpAnswer::from_sdp_string(answer).map_err(|why| PeerError::Answer(why.to_string()))?;
        let pending = self.pending.take().ok_or_else(|| PeerError::Answer("a second answer".to_owned()))?;
        Ok(self.rtc.sdp_api().accept_answer(pending, answer)?)
    }

    /// Until a datagram may be there.
    pub(super) async fn readable(&self) {
        // An error shows again when the datagram is read.
        let _ = self.socket.readable().await;
    }

    /// Takes in what has arrived and the time; what happened goes to `happened`.
    pub(super) fn turn(&mut self, happened: &mut Vec<Event>) -> Result<(), PeerError> {
        let mut buffer = [0; MTU];
        loop {
            match self.socket.try_recv_from(&mut buffer) {
                Ok((length, from)) => {
                    let bytes = buffer.get(..length).unwrap_or_default();
                    if let Ok(datagram) = Receive::new(Protocol::Udp, from, self.local, bytes) {
                        self.rtc.handle_input(Input::Receive(Instant::now(), datagram))?;
                        self.drain(happened)?;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // A port of ours that nobody listens to any more, told by ICMP: ICE notices by itself.
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.rtc.handle_input(Input::Timeout(Instant::now()))?;
        self.drain(happened)
    }

    /// Sends what str0m wants to send.
    pub(super) fn drain(&mut self, happened: &mut Vec<Event>) -> Result<(), PeerError> {
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(at) => {
                    self.wakes = at;
                    return Ok(());
                }
                // A full socket buffer loses the datagram, as a network would.
                Output::Transmit(out) => drop(self.socket.try_send_to(&out.contents, out.destination)),
                Output::Event(event) => happened.push(event),
            }
        }
    }

    /// Writes a frame; one that comes before the connection is dropped by str0m.
    pub(super) fn write(
        &mut self,
        mid: Mid,
        codec: Codec,
        time: MediaTime,
        frame: &Arc<[u8]>,
    ) -> Result<(), PeerError> {
        let Some(writer) = self.rtc.writer(mid) else { return Ok(()) };
        let negotiated = writer.payload_params().find(|params| params.spec().codec == codec).map(|p| p.pt());
        let Some(pt) = negotiated else {
            return Err(PeerError::Answer(format!("{codec} was not accepted")));
        };
        Ok(writer.write(pt, Instant::now(), time, Arc::clone(frame))?)
    }

    pub(super) fn ask_for_key_frame(&mut self, mid: Mid) -> Result<(), PeerError> {
        match self.rtc.writer(mid) {
            Some(mut writer) if writer.is_request_keyframe_possible(KeyframeRequestKind::Pli) => {
                Ok(writer.request_keyframe(None, KeyframeRequestKind::Pli)?)
            }
            Some(_) | None => Ok(()),
        }
    }
}
