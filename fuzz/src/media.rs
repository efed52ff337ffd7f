//! Targets below the media plane's socket.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use media_core::codec::VideoDecoder;
use media_core::forward::av1::Rewriter;
use media_core::forward::{self, Layers};
use media_core::receive::{Format, TwccRecorder, VideoConfig, VideoReceiver};
use media_core::rtcp::{self, Packet};
use media_core::rtp::dependency::Tracker;
use media_core::rtp::{self, ExtId, PayloadInfo, RtpHeader, RtpView, write_packet};
use media_core::sdp::{
    Answer, LocalData, LocalMedia, Negotiated, Offer, Origin, Policy, SlotPolicy, negotiate, write_answer,
};
use media_core::transport::{
    Candidate, ChannelSetup, DataChannels, DataMessage, Delivery, Fingerprint, Identity, LocalIce,
    MESSAGE_MAX, PeerSetup, Received, Reliability, RemoteIce, TransportEvent, Transports,
};
use media_core::units::{Pt, Ssrc, VideoCodec};
use rtc_crypto::RTCCryptoProvider as _;
use rtc_crypto::providers::AwsLcRsProvider;
use rtc_stun::attributes::{ATTR_USERNAME, AttrType, RawAttribute};
use rtc_stun::fingerprint::FINGERPRINT;
use rtc_stun::integrity::MessageIntegrity;
use rtc_stun::message::{BINDING_REQUEST, Message, Setter, TransactionId};

/// By the names of their corpora.
pub const TARGETS: [(&str, fn(&[u8])); 13] = [
    ("rtp_header", rtp_header),
    ("rtcp", rtcp),
    ("twcc", twcc),
    ("vp8", vp8),
    ("h264", h264),
    ("vp9", vp9),
    ("av1", av1),
    ("payload_info", payload_info),
    ("dependency_descriptor", dependency_descriptor),
    ("sdp", sdp),
    ("stun_datagram", stun_datagram),
    ("dtls_datagram", dtls_datagram),
    ("sctp", sctp),
];

/// The input as a story: `what`, a length in two bytes, so many bytes; and again.
fn steps(mut bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (&[what, high, low], rest) = bytes.split_first_chunk()?;
        let (step, rest) = rest.split_at(rest.len().min(usize::from(u16::from_be_bytes([high, low]))));
        bytes = rest;
        Some((what, step))
    })
}

/// One packet, as it is after decryption.
pub fn rtp_header(bytes: &[u8]) {
    let Ok(packet) = RtpView::parse(bytes) else { return };
    assert!(packet.header_len() + packet.payload().len() <= bytes.len());
    for id in (0..=255).map(ExtId) {
        assert!(packet.ext(id).is_none_or(|value| value.len() < bytes.len()));
        let _ = (packet.mid(id), packet.transport_cc(id), packet.abs_send_time(id));
        let _ = (packet.audio_level(id), packet.abs_capture_time(id));
    }
}

/// One compound packet, as it is after decryption.
pub fn rtcp(bytes: &[u8]) {
    for packet in rtcp::packets(bytes) {
        match packet {
            Packet::SenderReport { blocks, .. } | Packet::ReceiverReport { blocks, .. } => {
                assert!(blocks.count() <= 31);
            }
            Packet::Nack { lost, .. } => assert!(lost.count() <= bytes.len() / 4 * 17),
            Packet::Fir { entries, .. } => assert!(entries.count() <= bytes.len() / 8),
            Packet::Bye(sources) => assert!(sources.count() <= 31),
            Packet::TransportCc(feedback) => assert!(feedback.arrivals().count() <= 4096),
            Packet::Pli { .. } | Packet::Remb(_) => {}
        }
    }
}

/// Arrivals of packets: the feedback about them is one that is understood. Two bytes of sequence number, one of ms.
pub fn twcc(bytes: &[u8]) {
    let mut now = Instant::now();
    let mut recorder = TwccRecorder::default();
    let mut out = Vec::new();
    for arrival in bytes.chunks_exact(3) {
        let &[high, low, ms] = arrival else { return };
        // Now and then a long silence, which does not fit into a delta.
        now += Duration::from_millis(u64::from(ms) * if ms > 250 { 100 } else { 1 });
        recorder.handle_packet(now, Ssrc(1), u16::from_be_bytes([high, low]));
        while recorder.poll_timeout().is_some_and(|due| due <= now) {
            out.clear();
            assert!(recorder.poll_feedback(now, Ssrc(9), &mut out), "due, and nothing to say");
            assert!(out.len() <= 1200, "{} bytes do not fit into a datagram", out.len());
            let mut packets = rtcp::packets(&out);
            assert!(matches!(packets.next(), Some(Packet::TransportCc(_))));
            assert!(packets.next().is_none());
        }
    }
}

/// Payloads, through reassembly and decoder.
pub fn vp8(bytes: &[u8]) {
    video(bytes, VideoCodec::Vp8);
}

/// The same.
pub fn h264(bytes: &[u8]) {
    video(bytes, VideoCodec::H264);
}

/// The same.
pub fn vp9(bytes: &[u8]) {
    video(bytes, VideoCodec::Vp9);
}

/// The same.
pub fn av1(bytes: &[u8]) {
    video(bytes, VideoCodec::Av1);
}

/// One payload, as each codec would have it: what a forwarder looks at, and the numbers it writes over.
pub fn payload_info(bytes: &[u8]) {
    for codec in [VideoCodec::Vp8, VideoCodec::H264, VideoCodec::Vp9, VideoCodec::Av1] {
        for marker in [false, true] {
            let _ = PayloadInfo::of(codec, bytes, marker, None);
        }
    }
    let mut rewritten = bytes.to_vec();
    if let Some((descriptor, rest)) = rtp::vp8::parse(bytes) {
        descriptor.rewrite(&mut rewritten, 0x7abc, 0x55);
        let (again, _) = rtp::vp8::parse(&rewritten).expect("no length was changed");
        assert_eq!(again.len + rest.len(), bytes.len());
        assert_eq!(again.keyframe, descriptor.keyframe);
    }
    rewritten.copy_from_slice(bytes);
    let mut selector = forward::vp9::Selector::new(Layers { spatial: 1, temporal: 1 });
    if let Some((descriptor, rest)) = rtp::vp9::parse(bytes) {
        descriptor.rewrite(&mut rewritten, 0x7abc, 0x55);
        let (again, _) = rtp::vp9::parse(&rewritten).expect("no length was changed");
        assert_eq!(again.len + rest.len(), bytes.len());
        let _ = selector.decide(1, false, &descriptor);
    }
}

/// Extensions of one stream's packets, a length before each: what is understood can be told again, to a viewer who gets
/// less and had another stream before.
pub fn dependency_descriptor(bytes: &[u8]) {
    let mut tracker = Tracker::default();
    let mut selector = forward::av1::Selector::new(Layers { spatial: 1, temporal: 1 });
    let mut rewriter = Rewriter::default();
    let mut seen = Tracker::default();
    let mut rest = bytes;
    while let Some((&len, after)) = rest.split_first() {
        let (extension, after) = after.split_at(after.len().min(len.into()));
        rest = after;
        let Ok((descriptor, structure)) = tracker.read(extension) else { continue };
        let mut again = Vec::new();
        assert!(descriptor.write(Some(&structure), &mut again) || extension.len() > 200);
        let _ = PayloadInfo::of(VideoCodec::Av1, &[0x10, 0x30], false, Some(&descriptor));
        let decision = selector.decide(&structure, &descriptor, len & 1 == 1);
        let forward::av1::Decision::Forward { active, .. } = decision else { continue };
        if descriptor.structure.is_some() {
            rewriter.begin(&structure, descriptor.frame_number, len & 2 == 2);
        }
        let mut out = Vec::new();
        if rewriter.write(&descriptor, active, &mut out) && descriptor.structure.is_some() {
            let (told, _) = seen.read(&out).expect("it was written");
            assert_eq!(told.frame, descriptor.frame);
        }
    }
}

fn video(bytes: &[u8], codec: VideoCodec) {
    let mut now = Instant::now();
    let (media, pt, rtx) = (Ssrc(1), Pt(96), Pt(97));
    let formats = vec![(pt, Format::Codec(codec)), (rtx, Format::Rtx { of: pt })];
    let mut receiver = VideoReceiver::new(VideoConfig { ssrc: media, formats });
    let mut decoder = VideoDecoder::new(codec).expect("there is memory");
    let (mut seq, mut timestamp) = (u16::MAX - 3, u32::MAX - 9000);
    let mut packet = Vec::new();
    for (what, payload) in steps(bytes) {
        // Bits: marker, repeated on the other stream, next picture; the rest moves the sequence number.
        let (marker, repeated, next) = (what & 1 != 0, what & 2 != 0, what & 4 != 0);
        seq = seq.wrapping_add(1).wrapping_add(u16::from(what >> 3)).wrapping_sub(if what >> 3 > 24 {
            40
        } else {
            0
        });
        timestamp = timestamp.wrapping_add(if next { 3000 } else { 0 });
        now += Duration::from_millis(if next { 33 } else { 1 });
        let original = seq.to_be_bytes();
        let header = RtpHeader { marker, pt: if repeated { rtx } else { pt }, seq, timestamp, ssrc: media };
        packet.clear();
        write_packet(&mut packet, &header, &[], &[if repeated { &original } else { &[] }, payload]);
        if let Ok(packet) = RtpView::parse(&packet) {
            receiver.handle_rtp(now, &packet);
        }
        while let Some(frame) = receiver.poll_frame() {
            if decoder.decode(&frame.data).is_err() {
                receiver.handle_decoder_failure(now);
            }
        }
        while receiver.poll_feedback(now).is_some() {}
        let _ = receiver.report_block(now);
    }
}

/// An offer: what is accepted has an answer, and nothing of the offer's text breaks out of its line there.
pub fn sdp(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let offers = [Offer::parse(text), Offer::parse_many(text)];
    let video = || vec![VideoCodec::H264, VideoCodec::Vp8];
    let pair = |bundle| Policy { video: video(), bundle, ..Policy::default() };
    let tiles = |audio| Policy {
        slots: Some(SlotPolicy { video: 9, audio }),
        simulcast: true,
        data: true,
        ..pair(true)
    };
    for offer in offers.into_iter().flatten() {
        for policy in [pair(false), pair(true), tiles(0), tiles(3)] {
            let Ok(negotiated) = negotiate(&offer, &policy) else { continue };
            answer(text, &negotiated);
            answer(text, &negotiated.renew(&offer, &policy).expect("the same offer is answered again"));
        }
    }
}

fn answer(offer: &str, negotiated: &Negotiated) {
    let ice = || LocalIce { ufrag: "ufragufr".to_owned(), pwd: "passwordpasswordpassword".to_owned() };
    let local = |ssrc| LocalMedia { ice: ice(), ssrc: Ssrc(ssrc), rtx: Some(Ssrc(ssrc + 1)) };
    let (audio, video, slots) = (local(10), local(20), vec![local(30); 9]);
    let data = LocalData { ice: ice(), max_message_size: 65_536 };
    let answer = write_answer(&Answer {
        negotiated,
        origin: Origin { session_id: 1, version: 1 },
        fingerprint: Fingerprint([7; 32]),
        candidates: &Candidate::of(&[address("192.0.2.1:40000").ip()], 40000, true),
        audio: Some(&audio),
        video: Some(&video),
        video_slots: &slots,
        audio_slots: &slots,
        data: Some(&data),
        cname: "canvas",
        stream: "room",
        one_stream: false,
    });
    for line in answer.split_terminator("\r\n") {
        assert!(line.as_bytes().get(1) == Some(&b'='), "{line:?}");
        assert!(!line.contains(['\r', '\n', '\0']), "{line:?}");
    }
    let sections = answer.lines().filter(|line| line.starts_with("m=")).count();
    let offered = offer.lines().filter(|line| line.starts_with("m=")).count();
    assert_eq!(sections, offered, "an answer has as many sections as its offer");
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// Datagrams at the media port, from a peer that was invited and from a stranger.
///
/// Steps: 0 from the stranger, 1 from the peer, 2 attributes of a check that the peer signs, 3 time passes. For the rest
/// of `what`, the stranger takes ever other ports.
pub fn stun_datagram(bytes: &[u8]) {
    static IDENTITY: OnceLock<Arc<Identity>> = OnceLock::new();
    let identity = IDENTITY.get_or_init(|| Arc::new(Identity::generate().expect("a certificate")));
    let mut now = Instant::now();
    let mut transports = Transports::new(Arc::clone(identity));
    let (key, local) = transports.open(PeerSetup {
        remote: RemoteIce { ufrag: "abcd".to_owned(), pwd: "p".repeat(24) },
        fingerprint: Fingerprint([7; 32]),
    });
    let peer = address("198.51.100.1:5000");
    let mut peer_is_valid = false;
    for (what, step) in steps(bytes) {
        let from = match what & 3 {
            0 => SocketAddr::new([203, 0, 113, 66].into(), u16::from(what) + 1),
            _ => peer,
        };
        let mut datagram = match what & 3 {
            2 => signed(&local, step),
            3 => {
                now += Duration::from_millis(step.len() as u64 * 50);
                transports.handle_timeout(now);
                Vec::new()
            }
            _ => step.to_vec(),
        };
        let size = datagram.len();
        match transports.receive(now, from, &mut datagram) {
            Received::Taken => assert!(from == peer, "nothing of a stranger is taken"),
            Received::Rtp { .. } | Received::Rtcp { .. } => panic!("there are no keys"),
            Received::Refused(_) => {}
        }
        while let Some((to, sent)) = transports.poll_transmit() {
            assert_eq!(to.udp(), Some(peer), "a stranger gets no answer");
            assert!(peer_is_valid || sent.len() <= size, "an answer longer than the check");
        }
        while let Some((whose, event)) = transports.poll_event() {
            assert_eq!(whose, key);
            peer_is_valid |= matches!(event, TransportEvent::PathOpen(_));
            assert!(!matches!(event, TransportEvent::Keyed(_)), "without the certificate of the offer");
        }
    }
    transports.close(now, key);
    assert_eq!(transports.poll_timeout(), None);
}

/// Datagrams of a peer that ICE has let in: whatever they claim to be, they open no keys, and a stranger stays one.
///
/// Steps: 0 from the peer, 1 from the stranger, 2 as the only record of a handshake datagram, 3 time passes.
pub fn dtls_datagram(bytes: &[u8]) {
    static IDENTITY: OnceLock<Arc<Identity>> = OnceLock::new();
    let identity = IDENTITY.get_or_init(|| Arc::new(Identity::generate().expect("a certificate")));
    let mut now = Instant::now();
    let mut transports = Transports::new(Arc::clone(identity));
    let (_, local) = transports.open(PeerSetup {
        remote: RemoteIce { ufrag: "abcd".to_owned(), pwd: "p".repeat(24) },
        fingerprint: Fingerprint([7; 32]),
    });
    let (peer, stranger) = (address("198.51.100.1:5000"), address("203.0.113.66:5000"));
    // USE-CANDIDATE, empty.
    let mut check = signed(&local, &[0x00, 0x25, 0]);
    assert!(matches!(transports.receive(now, peer, &mut check), Received::Taken));
    // A hello costs a key exchange; a few show what there is to see.
    for (what, step) in steps(bytes).take(40) {
        let mut datagram = match what & 3 {
            2 => {
                let len = u16::try_from(step.len()).unwrap_or(u16::MAX).to_be_bytes();
                [&[22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, what >> 2, len[0], len[1]], step].concat()
            }
            3 => {
                now += Duration::from_millis(step.len() as u64 * 50);
                transports.handle_timeout(now);
                continue;
            }
            _ => step.to_vec(),
        };
        let from = if what & 3 == 1 { stranger } else { peer };
        match transports.receive(now, from, &mut datagram) {
            Received::Rtp { .. } | Received::Rtcp { .. } => panic!("there are no keys"),
            Received::Taken => assert_eq!(from, peer, "nothing of a stranger is taken"),
            Received::Refused(_) => {}
        }
        while let Some((to, _)) = transports.poll_transmit() {
            assert_eq!(to.udp(), Some(peer), "a stranger gets no answer");
        }
        while let Some((_, event)) = transports.poll_event() {
            assert!(!matches!(event, TransportEvent::Keyed(_)), "without the certificate of the offer");
        }
    }
}

/// A check with these attributes, as one who knows the password sends it. An attribute is two bytes of type, one of
/// length, and so many.
fn signed(local: &LocalIce, mut attributes: &[u8]) -> Vec<u8> {
    let crypto = AwsLcRsProvider::new();
    let username = format!("{}:abcd", local.ufrag).into_bytes();
    let mut setters: Vec<Box<dyn Setter + '_>> = vec![
        Box::new(BINDING_REQUEST),
        Box::new(TransactionId([7; 12])),
        Box::new(RawAttribute { typ: ATTR_USERNAME, length: 0, value: username }),
    ];
    while let Some((&[high, low, length], rest)) = attributes.split_first_chunk() {
        let (value, rest) = rest.split_at(rest.len().min(usize::from(length)));
        let typ = AttrType(u16::from_be_bytes([high, low]));
        setters.push(Box::new(RawAttribute { typ, length: 0, value: value.to_vec() }));
        attributes = rest;
    }
    let pwd = local.pwd.clone();
    setters.push(Box::new(MessageIntegrity::new_short_term_integrity_with_provider(pwd, crypto.crypto())));
    setters.push(Box::new(FINGERPRINT));
    let mut message = Message::new();
    // It fails when there is a FINGERPRINT already: then the check goes as far as it came.
    let _ = message.build(&setters);
    message.raw
}

/// Chunks of a peer in an association that is open, in the steps `kind, flags, length, value`.
pub fn sctp(bytes: &[u8]) {
    let mut now = Instant::now();
    let mut data = DataChannels::new(MESSAGE_MAX);
    let init = [
        &[0, 0, 0, 9, 0, 2, 0, 0, 0, 64, 0, 64][..],
        &FIRST_TSN.to_be_bytes(),
        &[0x80, 8, 0, 6, 192, 130, 0, 0],
    ];
    data.receive(now, sctp_packet(0, 1, 0, &init.concat()).into()).expect("an INIT");
    let answer = data.poll_transmit().expect("an INIT ACK");
    let word = |at: usize| u32::from_be_bytes(answer[at..at + 4].try_into().expect("four bytes"));
    let (tag, first) = (word(16), word(28));
    let cookie = &answer[36..32 + usize::from(answer[35])];
    data.receive(now, sctp_packet(tag, 10, 0, cookie).into()).expect("a COOKIE ECHO");
    let label = || "fuzz".to_owned();
    let delivery = Delivery { ordered: false, reliability: Reliability::MaxRetransmits(1) };
    data.open(now, ChannelSetup { label: label(), protocol: label(), delivery }).expect("a channel");

    let mut rest = bytes;
    while let Some((&[kind, flags, length], after)) = rest.split_first_chunk() {
        let (value, after) = after.split_at(after.len().min(usize::from(length)));
        rest = after;
        let near = |base: u32| {
            let by = value.first_chunk().map_or(0, |two| u32::from(u16::from_be_bytes(*two)));
            [&base.wrapping_add(by).to_be_bytes()[..], value.get(2..).unwrap_or_default()].concat()
        };
        let packet = match kind {
            // The peer's numbers and ours, so that most of them mean something.
            0 | 192 => sctp_packet(tag, kind, flags, &near(FIRST_TSN)),
            3 => sctp_packet(tag, kind, flags, &near(first.wrapping_sub(1))),
            255 => {
                now += Duration::from_millis(u64::from(length) * 20);
                data.handle_timeout(now);
                Vec::new()
            }
            254 => {
                let message = DataMessage { is_text: flags & 1 == 0, bytes: value.repeat(9).into() };
                // It may be refused: the channel is not answered yet, or too much waits.
                let _ = data.send(now, "fuzz", &message);
                Vec::new()
            }
            253 => [&sctp_packet(tag, 0, 0, &[])[..12], value].concat(),
            _ => sctp_packet(tag, kind, flags, value),
        };
        if !packet.is_empty() {
            let _ = data.receive(now, sealed(packet).into());
        }
        let sent = std::iter::from_fn(|| data.poll_transmit()).map(|packet| packet.len()).sum::<usize>();
        assert!(sent <= 512 * 1024, "{sent} bytes at once");
        while data.poll_event().is_some() {}
    }
}

const FIRST_TSN: u32 = 0xffff_fff0;

/// A packet of one chunk, its checksum right.
fn sctp_packet(tag: u32, kind: u8, flags: u8, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX).to_be_bytes();
    let mut packet =
        [&[0x13, 0x88, 0x13, 0x88][..], &tag.to_be_bytes(), &[0; 4], &[kind, flags], &length, value].concat();
    packet.resize(packet.len().next_multiple_of(4), 0);
    sealed(packet)
}

/// The CRC-32C of RFC 9260 §A, put where it belongs.
fn sealed(mut packet: Vec<u8>) -> Vec<u8> {
    if let Some(checksum) = packet.get_mut(8..12) {
        checksum.fill(0);
    }
    let crc = packet.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0x82f6_3b78 * (crc & 1)))
    });
    if let Some(checksum) = packet.get_mut(8..12) {
        checksum.copy_from_slice(&(!crc).to_le_bytes());
    }
    packet
}
