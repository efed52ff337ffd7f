//! Data channels of one peer: SCTP over its DTLS association (RFC 8831), named by DCEP (RFC 8832).
//!
//! in:  SCTP packets out of DTLS, messages to send, time
//! out: SCTP packets for DTLS, channels and messages of the peer, the next deadline
//!
//! ```text
//!   packet ─► gate ─► rtc-sctp ─► message ─┬ DCEP ─► channel opens
//!              ▲          │                └ text, binary ─► DataEvent
//!              └─ sent ◄──┴─► packets
//! ```
//!
//! The browser makes the association; we open channels on odd stream numbers, it on even ones (RFC 8832 §6: it is the
//! DTLS client). Everything is bounded: channels, the size of a message, what waits to be sent (then the sender is told
//! *full*, and later that there is room), what waits to be read, and what the library is given at all (`gate`).

mod dcep;
mod gate;
mod packet;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use rtc_sctp::{
    Association, DatagramEvent, Endpoint, EndpointConfig, Event, Payload, PayloadProtocolIdentifier as Ppid,
    ReliabilityType, ServerConfig, StreamEvent, TransportConfig,
};
use rtc_shared::TransportProtocol;

pub use self::dcep::ChannelSetup;

use self::dcep::Dcep;
use self::gate::Gate;
use super::DropReason;

/// Longest message in either direction; said in `a=max-message-size`.
pub const MESSAGE_MAX: usize = 64 * 1024;
/// Bytes of messages that wait to be sent or acknowledged; beyond it sending is refused …
pub const SEND_MAX: usize = 256 * 1024;
/// … and told to be possible again from here on.
pub const SEND_LOW: usize = 64 * 1024;
/// What the peer may send before it is read: two messages of full length.
const WINDOW: u32 = 2 * 64 * 1024;
/// Channels of one association, both sides' together.
const MAX_CHANNELS: usize = 64;
/// Streams of one direction: 64 even numbers, 64 odd ones.
const MAX_STREAMS: u16 = 128;
/// Longest SCTP packet that is taken; senders keep below the path MTU.
const PACKET_MAX: usize = 2048;
/// Beginnings of an association that fail. A browser makes one.
const MAX_ATTEMPTS: u32 = 16;

/// The address under which the library knows both sides.
const SOMEWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 5000);
/// Where in a packet the first chunk is.
const FIRST_CHUNK: usize = 12;

/// What becomes of the messages of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// In the order they were sent.
    pub ordered: bool,
    /// Until they arrive, or not for ever.
    pub reliability: Reliability,
}

/// How long a message is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reliability {
    /// Until it arrives.
    Reliable,
    /// W3C `maxRetransmits`.
    MaxRetransmits(u16),
    /// W3C `maxPacketLifeTime`.
    MaxLifetime {
        /// Milliseconds since it was sent.
        ms: u16,
    },
}

/// One message of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataMessage {
    /// Text is UTF-8.
    pub is_text: bool,
    /// At most [`MESSAGE_MAX`].
    pub bytes: Bytes,
}

/// What happens on the data channels of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataEvent {
    /// A channel can be used, whoever opened it.
    Opened(ChannelSetup),
    /// From the peer, on the channel of this label.
    Message {
        /// Of the channel.
        label: String,
        /// What it said.
        message: DataMessage,
    },
    /// A channel is no more.
    Closed {
        /// Of the channel.
        label: String,
    },
    /// Something was asked for that cannot be; made by whoever passes requests on.
    Refused {
        /// Of the channel.
        label: String,
        /// Why not.
        why: SendRefusal,
    },
    /// After a refusal for want of room: there is room again.
    Drained,
    /// All channels are gone.
    Lost,
}

/// Why something is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendRefusal {
    /// There is no open channel of this label, or no data channels at all.
    #[error("there is no such channel")]
    NoChannel,
    /// Longer than [`MESSAGE_MAX`] or than the peer takes.
    #[error("the message is too long")]
    TooLong,
    /// [`DataEvent::Drained`] follows.
    #[error("too much waits to be sent")]
    Full,
    /// More than a leg may have, or a label that is too long.
    #[error("no further channel can be opened")]
    TooManyChannels,
}

/// See the module.
pub struct DataChannels {
    gate: Gate,
    endpoint: Endpoint,
    association: Option<Association>,
    /// The INIT of the association and our answer to it, for when the answer is lost: the library would begin anew.
    init: Option<(Bytes, Option<Bytes>)>,
    attempts: u32,
    state: State,
    channels: BTreeMap<u16, Channel>,
    /// The longest message the peer takes.
    peer_takes: usize,
    /// Somebody was refused and waits for room.
    is_awaited: bool,
    events: VecDeque<DataEvent>,
    packets: VecDeque<Bytes>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    AwaitingPeer,
    Connected,
    Over,
}

struct Channel {
    setup: ChannelSetup,
    state: ChannelState,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ChannelState {
    /// Ours; the association is not there yet, or the peer has not answered.
    Opening,
    Open,
    /// Ended by us; the peer has not answered.
    Closing,
}

impl fmt::Debug for DataChannels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataChannels").field("channels", &self.channels.len()).finish_non_exhaustive()
    }
}

impl DataChannels {
    /// Waits for the association of a peer who takes messages of this length.
    pub fn new(peer_takes: usize) -> Self {
        Self {
            gate: Gate::default(),
            endpoint: endpoint(),
            association: None,
            init: None,
            attempts: 0,
            state: State::AwaitingPeer,
            channels: BTreeMap::new(),
            peer_takes: peer_takes.min(MESSAGE_MAX),
            is_awaited: false,
            events: VecDeque::new(),
            packets: VecDeque::new(),
        }
    }

    /// Takes a packet out of DTLS.
    pub fn receive(&mut self, now: Instant, packet: Bytes) -> Result<(), DropReason> {
        if self.state == State::Over {
            return Err(DropReason::DtlsOver);
        }
        let is_init = packet.get(FIRST_CHUNK) == Some(&packet::INIT);
        if is_init && !self.begins_anew(&packet)? {
            return Ok(());
        }
        self.gate.admit(&packet)?;
        if is_init {
            (self.endpoint, self.association) = (endpoint(), None);
            self.init = Some((packet.clone(), None));
        }
        match (self.endpoint.handle(now, SOMEWHERE, None, packet), &mut self.association) {
            (Some((_, DatagramEvent::NewAssociation(association))), _) => {
                // One peer has one association.
                self.endpoint.reject_new_associations();
                self.association = Some(association);
            }
            (Some((_, DatagramEvent::AssociationEvent(event))), Some(association)) => {
                association.handle_event(event);
            }
            (Some(_) | None, _) => return Err(DropReason::DataMalformed),
        }
        self.pump(now);
        if is_init && let Some((_, answer)) = &mut self.init {
            *answer = self.packets.back().cloned();
        }
        Ok(())
    }

    /// Opens a channel; [`DataEvent::Opened`] follows when the peer knows of it.
    pub fn open(&mut self, now: Instant, setup: ChannelSetup) -> Result<(), SendRefusal> {
        let free = (1..MAX_STREAMS).step_by(2).find(|stream| !self.channels.contains_key(stream));
        let room = self.channels.len() < MAX_CHANNELS && setup.fits() && self.state != State::Over;
        let stream = free.filter(|_| room).ok_or(SendRefusal::TooManyChannels)?;
        self.channels.insert(stream, Channel { setup, state: ChannelState::Opening });
        if self.state == State::Connected {
            self.ask_for(now, stream);
            self.pump(now);
        }
        Ok(())
    }

    /// Sends on the channel of this label.
    pub fn send(&mut self, now: Instant, label: &str, message: &DataMessage) -> Result<(), SendRefusal> {
        let stream = self.named(label).ok_or(SendRefusal::NoChannel)?;
        let size = message.bytes.len();
        if size > self.peer_takes {
            return Err(SendRefusal::TooLong);
        }
        if self.waiting() + size > SEND_MAX {
            self.is_awaited = true;
            return Err(SendRefusal::Full);
        }
        // SCTP has no empty messages: a byte stands for one, and the identifier says so (RFC 8831 §6.6).
        let (ppid, bytes) = match (message.is_text, size) {
            (true, 0) => (Ppid::StringEmpty, Bytes::from_static(&[0])),
            (false, 0) => (Ppid::BinaryEmpty, Bytes::from_static(&[0])),
            (true, _) => (Ppid::String, message.bytes.clone()),
            (false, _) => (Ppid::Binary, message.bytes.clone()),
        };
        let sent = self.write(now, stream, &bytes, ppid);
        self.pump(now);
        if sent { Ok(()) } else { Err(SendRefusal::NoChannel) }
    }

    /// Ends the channel of this label; [`DataEvent::Closed`] follows.
    pub fn close(&mut self, now: Instant, label: &str) {
        if let Some(stream) = self.named(label) {
            self.end_stream(now, stream);
            self.pump(now);
        }
    }

    /// Next packet for DTLS.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        self.packets.pop_front()
    }

    /// Next event.
    pub fn poll_event(&mut self) -> Option<DataEvent> {
        self.events.pop_front()
    }

    /// When [`Self::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.association.as_ref()?.poll_timeout()
    }

    /// Acknowledges, repeats, gives up.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_some_and(|due| due <= now)
            && let Some(association) = &mut self.association
        {
            association.handle_timeout(now);
            self.pump(now);
        }
    }

    /// False when the INIT is one that was answered already: then it is answered the same again.
    fn begins_anew(&mut self, packet: &Bytes) -> Result<bool, DropReason> {
        if self.state == State::Connected {
            return Err(DropReason::DataMalformed);
        }
        if let Some((init, answer)) = &self.init
            && init == packet
        {
            self.packets.extend(answer.clone());
            return Ok(false);
        }
        self.attempts += 1;
        if self.attempts > MAX_ATTEMPTS { Err(DropReason::DataTooMuch) } else { Ok(true) }
    }

    /// Takes out of the library what it has.
    fn pump(&mut self, now: Instant) {
        while let Some(event) = self.association.as_mut().and_then(Association::poll) {
            match event {
                Event::Connected => self.on_connected(now),
                Event::Stream(StreamEvent::Opened { .. }) => {
                    // Taken out of a queue that would grow; what it is called follows.
                    self.association.as_mut().and_then(Association::accept_stream);
                }
                Event::Stream(StreamEvent::Readable { id }) => self.read(now, id),
                Event::AssociationLost { id, .. } => self.on_stream_ended(id),
                Event::HandshakeFailed { .. } => self.end(),
                Event::Stream(_) | Event::DatagramReceived | _ => {}
            }
        }
        if self.association.as_ref().is_some_and(Association::is_closed) && self.state == State::Connected {
            self.end();
        }
        self.collect(now);
        if self.is_awaited && self.waiting() <= SEND_LOW {
            self.is_awaited = false;
            self.events.push_back(DataEvent::Drained);
        }
    }

    /// Bounded by the congestion window, and by the answers to one packet.
    fn collect(&mut self, now: Instant) {
        let Some(association) = &mut self.association else { return };
        while let Some(transmit) = association.poll_transmit(now) {
            if let Payload::RawEncode(packets) = transmit.message {
                packets.iter().for_each(|packet| self.gate.sent(packet));
                self.packets.extend(packets);
            }
        }
    }

    fn on_connected(&mut self, now: Instant) {
        self.state = State::Connected;
        let ours: Vec<u16> = self.channels.keys().copied().collect();
        ours.into_iter().for_each(|stream| self.ask_for(now, stream));
    }

    /// Sends DATA_CHANNEL_OPEN for one of ours.
    fn ask_for(&mut self, now: Instant, stream: u16) {
        let Some(channel) = self.channels.get(&stream) else { return };
        let (open, delivery) = (Dcep::Open(channel.setup.clone()).write(), channel.setup.delivery);
        if let Some(association) = &mut self.association {
            // It fails when the stream is there already, which is as good.
            drop(association.open_stream(stream, Ppid::Binary));
        }
        self.set_delivery(stream, delivery);
        self.write(now, stream, &open.into(), Ppid::Dcep);
    }

    fn read(&mut self, now: Instant, stream: u16) {
        while let Some(association) = &mut self.association {
            let Ok(Some(message)) = association.stream(stream).and_then(|mut stream| stream.read_sctp())
            else {
                return;
            };
            self.gate.read(stream, message.ssn, message.chunks.len());
            match message.to_payload(MESSAGE_MAX) {
                Ok(bytes) => self.on_message(now, stream, message.ppi, bytes.freeze()),
                // It was told the longest that is taken.
                Err(_) => return self.end(),
            }
        }
    }

    fn on_message(&mut self, now: Instant, stream: u16, ppid: Ppid, bytes: Bytes) {
        let (is_text, bytes) = match ppid {
            Ppid::Dcep => return self.on_dcep(now, stream, &bytes),
            Ppid::String => (true, bytes),
            Ppid::StringEmpty => (true, Bytes::new()),
            Ppid::Binary => (false, bytes),
            Ppid::BinaryEmpty => (false, Bytes::new()),
            Ppid::Unknown | _ => return,
        };
        let is_valid = !is_text || std::str::from_utf8(&bytes).is_ok();
        if let Some(channel) = self.channels.get(&stream).filter(|_| is_valid) {
            let label = channel.setup.label.clone();
            self.events.push_back(DataEvent::Message { label, message: DataMessage { is_text, bytes } });
        }
    }

    fn on_dcep(&mut self, now: Instant, stream: u16, message: &[u8]) {
        match Dcep::read(message) {
            Some(Dcep::Open(setup)) => {
                let is_its = stream.is_multiple_of(2) && !self.channels.contains_key(&stream);
                if !is_its || self.channels.len() >= MAX_CHANNELS {
                    return self.reset(now, stream);
                }
                self.set_delivery(stream, setup.delivery);
                self.write(now, stream, &Dcep::Ack.write().into(), Ppid::Dcep);
                self.channels.insert(stream, Channel { setup: setup.clone(), state: ChannelState::Open });
                self.events.push_back(DataEvent::Opened(setup));
            }
            Some(Dcep::Ack) => {
                let channel = self.channels.get_mut(&stream).filter(|c| c.state == ChannelState::Opening);
                if let Some(channel) = channel {
                    channel.state = ChannelState::Open;
                    self.events.push_back(DataEvent::Opened(channel.setup.clone()));
                }
            }
            None => self.reset(now, stream),
        }
    }

    fn on_stream_ended(&mut self, stream: u16) {
        self.gate.ended(stream);
        if let Some(channel) = self.channels.remove(&stream) {
            self.events.push_back(DataEvent::Closed { label: channel.setup.label });
        }
    }

    fn end_stream(&mut self, now: Instant, stream: u16) {
        if let Some(channel) = self.channels.get_mut(&stream) {
            channel.state = ChannelState::Closing;
            self.reset(now, stream);
        }
    }

    fn reset(&mut self, now: Instant, stream: u16) {
        if let Some(association) = &mut self.association {
            // A stream that is not there needs no end.
            let _ = association.stream(stream).and_then(|mut stream| stream.close(now));
        }
    }

    fn set_delivery(&mut self, stream: u16, delivery: Delivery) {
        let (kind, value) = match delivery.reliability {
            Reliability::Reliable => (ReliabilityType::Reliable, 0),
            Reliability::MaxRetransmits(times) => (ReliabilityType::Rexmit, u32::from(times)),
            Reliability::MaxLifetime { ms } => (ReliabilityType::Timed, u32::from(ms)),
        };
        if let Some(association) = &mut self.association {
            let set = |mut stream: rtc_sctp::Stream<'_>| {
                stream.set_reliability_params(!delivery.ordered, kind, value)
            };
            let _ = association.stream(stream).and_then(set);
        }
    }

    fn write(&mut self, now: Instant, stream: u16, bytes: &Bytes, ppid: Ppid) -> bool {
        let Some(association) = &mut self.association else { return false };
        let written = association.stream(stream).and_then(|mut s| s.write_chunk_with_ppi(now, bytes, ppid));
        written.is_ok()
    }

    /// The stream of an open channel. RFC 8832 §6: messages may follow our own DATA_CHANNEL_OPEN at once, but a peer
    /// may refuse it.
    fn named(&self, label: &str) -> Option<u16> {
        let open = self
            .channels
            .iter()
            .find(|(_, channel)| channel.state == ChannelState::Open && channel.setup.label == label);
        open.map(|(stream, _)| *stream)
    }

    /// Bytes that wait to be sent or acknowledged.
    fn waiting(&mut self) -> usize {
        let Some(association) = &mut self.association else { return 0 };
        let mut of = |stream: u16| association.stream(stream).and_then(|stream| stream.buffered_amount());
        self.channels.keys().map(|stream| of(*stream).unwrap_or(0)).sum()
    }

    fn end(&mut self) {
        self.state = State::Over;
        self.association = None;
        self.channels.clear();
        self.gate = Gate::default();
        self.events.push_back(DataEvent::Lost);
    }
}

fn endpoint() -> Endpoint {
    let transport = TransportConfig::default()
        .with_max_receive_buffer_size(WINDOW)
        .with_max_message_size(MESSAGE_MAX_U32)
        .with_max_num_outbound_streams(MAX_STREAMS)
        .with_max_num_inbound_streams(MAX_STREAMS);
    let server = Arc::new(ServerConfig::new(transport));
    Endpoint::new(SOMEWHERE, TransportProtocol::UDP, Arc::new(EndpointConfig::new()), Some(server))
}

#[allow(clippy::cast_possible_truncation, reason = "65536")]
const MESSAGE_MAX_U32: u32 = MESSAGE_MAX as u32;
