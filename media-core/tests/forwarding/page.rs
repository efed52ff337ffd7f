//! A page with the tile client: a camera, and a slot for each picture it draws.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use media_core::receive::{Feedback, TwccRecorder};
use media_core::rtcp::{self, NtpClock, NtpTime, Packet};
use media_core::rtp::{ExtId, RtpView};
use media_core::transport::{Fingerprint, LocalIce};
use media_core::units::{Ssrc, TransportKey};

use crate::camera::{Camera, Coding, RIDS};
use crate::extensions::Ids;
use crate::microphone::{Heard, Microphone, OPUS, RED, Sound};
use crate::sim::browser::Browser;
use crate::viewer::SlotView;

pub const TRANSPORT_CC: u8 = 3;
pub const MID: u8 = 4;
pub const RID: u8 = 10;
pub const REPAIRED_RID: u8 = 11;
const SERVICE_EVERY: Duration = Duration::from_millis(10);

#[derive(Clone, Copy)]
pub struct Setup {
    /// Encodings of its camera; 0 is none, 1 no simulcast.
    pub encodings: u8,
    pub slots: u8,
}

pub struct Page {
    pub setup: Setup,
    pub sound: Sound,
    pub microphone: Option<Microphone>,
    /// By the SSRC of the slot, in the order of its sections.
    pub voices: Vec<(Ssrc, Vec<Heard>)>,
    pub browser: Browser,
    /// What its camera encodes with. It reads that and VP8.
    pub coding: Coding,
    pub ids: Ids,
    number: u32,
    member: u8,
    pub camera: Option<Camera>,
    /// By the SSRC of the slot, in the order of its sections.
    pub slots: Vec<(Ssrc, Ssrc, SlotView)>,
    service_at: Instant,
    report_at: Instant,
    transport_wide: u16,
    /// What it tells of packets' arrivals, as browsers do …
    arrivals: TwccRecorder,
    /// … when its link is to be estimated, and encodings follow that as well.
    pub is_estimated: bool,
    ntp: NtpClock,
    queue: VecDeque<Vec<u8>>,
    pub plis_got: usize,
    pub plis_sent: usize,
    pub nacked: usize,
    reports: BTreeMap<Ssrc, (NtpTime, u32)>,
}

/// Where a page is.
pub fn address(number: u32) -> SocketAddr {
    format!("198.51.100.{}:{}", number % 250 + 1, 5000 + number / 250).parse().unwrap()
}

impl Page {
    pub fn new(now: Instant, number: u32, member: u8, setup: Setup) -> Self {
        let address = address(number).to_string();
        Self {
            browser: Browser::chromium(&format!("uf{number:05}"), &[&address]),
            coding: Coding::Vp8,
            ids: Ids::of(number),
            number,
            member,
            camera: None,
            slots: Vec::new(),
            service_at: now,
            report_at: now,
            transport_wide: 0,
            arrivals: TwccRecorder::default(),
            is_estimated: true,
            ntp: NtpClock::new(now, Duration::from_secs(1_700_000_000)),
            queue: VecDeque::new(),
            plis_got: 0,
            plis_sent: 0,
            nacked: 0,
            reports: BTreeMap::new(),
            sound: Sound::default(),
            microphone: None,
            voices: Vec::new(),
            setup,
        }
    }

    pub fn offer(&self) -> String {
        let Setup { encodings, slots } = self.setup;
        let count = 1 + u8::from(encodings > 0) + slots + self.sound.slots;
        let mids: Vec<String> = (0..count).map(|mid| mid.to_string()).collect();
        let mut sdp = format!("v=0\r\no=- {} 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n", self.number);
        sdp += &format!("a=group:BUNDLE {}\r\n", mids.join(" "));
        let direction = if self.sound.speaks { "sendonly" } else { "recvonly" };
        sdp += &self.audio("0", direction, self.sound.redundant);
        let mut mid = 1;
        if encodings > 0 {
            sdp += &self.video(&mid.to_string(), "sendonly");
            if encodings > 1 {
                let rids: Vec<&str> = RIDS.into_iter().take(encodings.into()).collect();
                rids.iter().for_each(|rid| sdp += &format!("a=rid:{rid} send\r\n"));
                sdp += &format!("a=simulcast:send {}\r\n", rids.join(";"));
            }
            mid += 1;
        }
        for _ in 0..slots {
            sdp += &self.video(&mid.to_string(), "recvonly");
            mid += 1;
        }
        for _ in 0..self.sound.slots {
            sdp += &self.audio(&mid.to_string(), "recvonly", false);
            mid += 1;
        }
        sdp
    }

    fn audio(&self, mid: &str, direction: &str, redundant: bool) -> String {
        let (opus, red) = (OPUS.0, RED.0);
        let formats = if redundant { format!("{red} {opus}") } else { opus.to_string() };
        let mut sdp = format!("m=audio 9 UDP/TLS/RTP/SAVPF {formats}\r\n");
        sdp += &self.section(mid, direction);
        sdp += &self.ids.of_audio();
        sdp += &format!("a=rtpmap:{opus} opus/48000/2\r\na=rtcp-fb:{opus} transport-cc\r\n");
        if redundant {
            sdp += &format!("a=rtpmap:{red} red/48000/2\r\na=fmtp:{red} {opus}/{opus}\r\n");
        }
        sdp
    }

    fn video(&self, mid: &str, direction: &str) -> String {
        let known = Coding::ALL.into_iter().filter(|it| matches!(it, Coding::Vp8) || *it == self.coding);
        let formats: Vec<String> = known.clone().map(|it| format!("{} {}", it.pt().0, it.rtx().0)).collect();
        let mut sdp = format!("m=video 9 UDP/TLS/RTP/SAVPF {}\r\n", formats.join(" "));
        sdp += &self.section(mid, direction);
        sdp += &format!("a=extmap:{RID} urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n");
        sdp += &format!("a=extmap:{REPAIRED_RID} urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id\r\n");
        sdp += &self.ids.of_video();
        sdp + "a=extmap-allow-mixed\r\n" + &known.map(Coding::lines).collect::<String>()
    }

    fn section(&self, mid: &str, direction: &str) -> String {
        let ice = self.browser.remote_ice();
        let mut sdp = format!("c=IN IP4 0.0.0.0\r\na=ice-ufrag:{}\r\na=ice-pwd:{}\r\n", ice.ufrag, ice.pwd);
        sdp += &format!("a=fingerprint:sha-256 {}\r\na=setup:actpass\r\n", self.browser.fingerprint());
        sdp += &format!("a=mid:{mid}\r\na={direction}\r\na=rtcp-mux\r\na=rtcp-rsize\r\n");
        sdp += &format!("a=extmap:{MID} urn:ietf:params:rtp-hdrext:sdes:mid\r\n");
        sdp + &format!(
            "a=extmap:{TRANSPORT_CC} http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n"
        )
    }

    pub fn answered(&mut self, now: Instant, sdp: &str) {
        let sections: Vec<&str> = sdp.split("\r\nm=").skip(1).collect();
        assert_eq!(
            sections.len(),
            usize::from(1 + u8::from(self.setup.encodings > 0) + self.setup.slots + self.sound.slots),
            "{sdp}"
        );
        let value = |text: &str, name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name))
                .unwrap_or_else(|| panic!("{name}: {sdp}"))
                .to_owned()
        };
        let first = sections[0];
        let ice = LocalIce { ufrag: value(first, "a=ice-ufrag:"), pwd: value(first, "a=ice-pwd:") };
        let fingerprint = Fingerprint::parse(&value(first, "a=fingerprint:sha-256 ")).unwrap();
        self.browser.answered(now, TransportKey(0), ice, fingerprint);
        let slots = || sections.iter().skip(1).filter(|section| section.contains("a=sendonly"));
        let first = sections.iter().take(usize::from(self.sound.first_is_slot));
        for section in first.chain(slots().filter(|section| section.starts_with("audio"))) {
            let line = value(section, "a=ssrc:");
            let ssrc = line.split(' ').next().unwrap().parse().unwrap();
            self.voices.push((Ssrc(ssrc), Vec::new()));
        }
        if self.sound.speaks {
            let level = self.ids.audio_level;
            self.microphone =
                Some(Microphone::new(now, self.member, self.number, self.sound.redundant, level));
        }
        for section in slots().filter(|section| section.starts_with("video")) {
            let group = value(section, "a=ssrc-group:FID ");
            let mut ssrcs = group.split(' ').map(|ssrc| Ssrc(ssrc.parse().unwrap()));
            let (media, rtx) = (ssrcs.next().unwrap(), ssrcs.next().unwrap());
            self.slots.push((media, rtx, SlotView::new(media, self.ids)));
        }
        assert_eq!(self.slots.len(), usize::from(self.setup.slots), "{sdp}");
        if self.setup.encodings > 0 {
            let ssrc = self.number * 100 + 10_000;
            self.camera =
                Some(Camera::new(now, self.member, ssrc, self.setup.encodings, self.coding, self.ids));
        }
    }

    pub fn is_connected(&self) -> bool {
        self.browser.is_connected()
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        let browser = self.browser.poll_timeout();
        if !self.is_connected() {
            return browser;
        }
        let camera = self.camera.as_ref().map(Camera::due);
        let microphone = self.microphone.as_ref().map(Microphone::due);
        [browser, camera, microphone, Some(self.service_at)].into_iter().flatten().min()
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        self.browser.handle_timeout(now);
        if !self.is_connected() {
            self.microphone.iter_mut().for_each(|microphone| microphone.wait(now));
            return;
        }
        while self.camera.as_ref().is_some_and(|camera| camera.due() <= now) {
            let packets = self.camera.as_mut().unwrap().film(now);
            packets.iter().for_each(|packet| self.send(packet));
        }
        while let Some(microphone) = self.microphone.as_mut().filter(|microphone| microphone.due() <= now) {
            if let Some(packet) = microphone.speak() {
                self.browser.sends(&packet);
            }
        }
        if self.service_at <= now {
            self.service_at = now + SERVICE_EVERY;
            self.service(now);
        }
    }

    fn send(&mut self, packet: &crate::camera::Outgoing) {
        let bytes = packet.write(self.transport_wide);
        self.transport_wide = self.transport_wide.wrapping_add(1);
        self.browser.sends(&bytes);
    }

    fn service(&mut self, now: Instant) {
        let own = Ssrc(self.number);
        let mut out = Vec::new();
        for (media, _, slot) in &mut self.slots {
            while let Some(feedback) = slot.receiver.poll_feedback(now) {
                match feedback {
                    Feedback::Nack(lost) => {
                        self.nacked += lost.len();
                        rtcp::write_nack(&mut out, own, *media, &lost);
                    }
                    // A slot that has never shown anything waits for its first picture.
                    Feedback::Pli => {
                        self.plis_sent += 1;
                        rtcp::write_pli(&mut out, own, *media);
                    }
                }
            }
        }
        while self.is_estimated && self.arrivals.poll_feedback(now, own, &mut out) {}
        if self.report_at <= now {
            self.report_at = now + Duration::from_secs(1);
            let blocks: Vec<_> =
                self.slots.iter_mut().filter_map(|(_, _, slot)| slot.receiver.report_block(now)).collect();
            rtcp::write_receiver_report(&mut out, own, &blocks);
        }
        if !out.is_empty() {
            self.browser.sends_rtcp(&out);
        }
    }

    pub fn take_received(&mut self, now: Instant) {
        for (_, packet) in std::mem::take(&mut self.browser.rtp) {
            let view = RtpView::parse(&packet).unwrap();
            let (media, rtx) = (view.ssrc(), view.ssrc());
            if let Some(number) = view.transport_cc(ExtId(TRANSPORT_CC)) {
                self.arrivals.handle_packet(now, media, number);
            }
            if let Some((_, _, slot)) = self.slots.iter_mut().find(|slot| slot.0 == media || slot.1 == rtx) {
                slot.take(now, &view);
            }
            if let Some((_, heard)) = self.voices.iter_mut().find(|(ssrc, _)| *ssrc == media) {
                heard.push(Heard::read(now, &view, self.ids.audio_level));
            }
        }
        for packet in std::mem::take(&mut self.browser.rtcp) {
            self.on_rtcp(&packet);
        }
    }

    fn on_rtcp(&mut self, packet: &[u8]) {
        let mut repeats = Vec::new();
        for packet in rtcp::packets(packet) {
            let Some(camera) = &mut self.camera else { continue };
            match packet {
                Packet::Nack { media, lost, .. } => {
                    repeats.extend(lost.filter_map(|seq| camera.repeat(media, seq)));
                }
                Packet::Pli { media, .. } => {
                    self.plis_got += 1;
                    camera.want_key(media);
                }
                Packet::ReceiverReport { blocks, .. } | Packet::SenderReport { blocks, .. } => {
                    blocks.for_each(|block| camera.reported(block.ssrc));
                }
                _ => {}
            }
        }
        repeats.iter().for_each(|packet| self.send(packet));
    }
}
