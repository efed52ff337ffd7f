//! A slot as a viewer has it: one stream, looked at closely.
//!
//! in:  RTP of the slot
//! out: the pictures that could be shown; what is asked for

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use media_core::receive::{Format, VideoConfig, VideoReceiver};
use media_core::rtp::dependency::Tracker;
use media_core::rtp::{ExtId, RtpView, original, vp8, vp9};
use media_core::units::Ssrc;

use crate::camera::{Coding, VP8, Value};
use crate::extensions::{Ids, Said};

#[derive(Clone, Copy, Debug)]
pub struct Shown {
    pub at: Instant,
    pub value: Value,
    pub timestamp: u64,
}

pub struct SlotView {
    ids: Ids,
    /// What was said beside the pictures, in the order of coming …
    pub said: Vec<Said>,
    /// … and beside repeated ones.
    pub repeats: Vec<Said>,
    pub receiver: VideoReceiver,
    pub shown: Vec<Shown>,
    /// Picture id and temporal base by extended picture number, of what came.
    picture_ids: BTreeMap<u32, u8>,
    last_id: Option<u32>,
    /// Of VP9: picture ids that came, extended.
    layered_ids: BTreeSet<u32>,
    /// Of AV1: frames that were described, by extended number, with the numbers they refer to.
    described: BTreeMap<u32, Vec<u32>>,
    tracker: Tracker,
    /// Numbers of the stream that came, by themselves or repeated; extended.
    came: BTreeSet<u32>,
    highest: Option<u32>,
    /// What counts for [`SlotView::residual_percent`].
    counted: (u32, Option<u32>),
}

impl SlotView {
    pub fn new(ssrc: Ssrc, ids: Ids) -> Self {
        let of = |coding: Coding| {
            let pt = coding.pt();
            [(pt, Format::Codec(coding.codec())), (coding.rtx(), Format::Rtx { of: pt })]
        };
        let formats = Coding::ALL.into_iter().flat_map(of).collect();
        Self {
            ids,
            said: Vec::new(),
            repeats: Vec::new(),
            receiver: VideoReceiver::new(VideoConfig { ssrc, formats }),
            shown: Vec::new(),
            picture_ids: BTreeMap::new(),
            last_id: None,
            layered_ids: BTreeSet::new(),
            described: BTreeMap::new(),
            tracker: Tracker::default(),
            came: BTreeSet::new(),
            highest: None,
            counted: (0, None),
        }
    }

    pub fn take(&mut self, now: Instant, packet: &RtpView<'_>) {
        let said = Said::read(packet, &self.ids);
        let is_media = Coding::ALL.into_iter().any(|coding| coding.pt() == packet.pt());
        if is_media { &mut self.said } else { &mut self.repeats }.push(said);
        if packet.pt() == VP8 {
            self.look_at_ids(packet.payload());
        }
        if packet.pt() == Coding::Vp9.pt() && !packet.payload().is_empty() {
            let id = vp9::parse(packet.payload()).unwrap().0.picture_id.unwrap();
            let last = self.layered_ids.last().copied();
            let id = extended(last, id.into(), 15);
            self.layered_ids.insert(id);
        }
        if let Some(bytes) = packet.ext(ExtId(self.ids.dependency)) {
            let (descriptor, _) = self.tracker.read(bytes).expect("a descriptor that can be read");
            let last = self.described.last_key_value().map(|(number, _)| *number);
            let number = extended(last, descriptor.frame_number.into(), 16);
            let references =
                descriptor.frame.references.as_slice().iter().map(|diff| number - u32::from(*diff));
            self.described.insert(number, references.collect());
        }
        let wire = if is_media { Some(packet.seq()) } else { original(packet.payload()).map(|(seq, _)| seq) };
        wire.into_iter().for_each(|wire| self.note(wire));
        self.receiver.handle_rtp(now, packet);
        while let Some(frame) = self.receiver.poll_frame() {
            let coding = Coding::ALL.into_iter().find(|coding| coding.codec() == frame.codec).unwrap();
            let value = Value::read(coding, &frame.data);
            self.shown.push(Shown { at: now, value, timestamp: frame.timestamp.ticks });
        }
    }

    /// Every frame that came refers to frames that came.
    pub fn assert_described(&self) {
        for (number, references) in &self.described {
            for reference in references {
                assert!(self.described.contains_key(reference), "{number} refers to {reference}");
            }
        }
    }

    /// Frames of all that came whose references came: what is given up for a key frame refers to what did not.
    pub fn described_share(&self) -> f64 {
        let has = |reference: &u32| self.described.contains_key(reference);
        let whole = self.described.values().filter(|references| references.iter().all(has)).count();
        if self.described.is_empty() {
            1.0
        } else {
            f64::from(whole as u32) / f64::from(self.described.len() as u32)
        }
    }

    /// Numbers of pictures, and of frames where all layers are wanted, go on by small steps: no stream begins elsewhere.
    pub fn layered_ids_are_closed(&self) -> bool {
        let closed = |numbers: Vec<u32>, most: u32| numbers.windows(2).all(|pair| pair[1] - pair[0] <= most);
        closed(self.layered_ids.iter().copied().collect(), 1)
            && closed(self.described.keys().copied().collect(), 3)
    }

    fn note(&mut self, wire: u16) {
        let highest = self.highest.unwrap_or(0x10_0000 | u32::from(wire));
        let ahead = wire.wrapping_sub(highest as u16) as i16;
        let extended = highest.checked_add_signed(ahead.into()).unwrap();
        self.highest = Some(highest.max(extended));
        self.came.insert(extended);
    }

    /// What is lost from now on counts.
    pub fn count_anew(&mut self) {
        self.came.clear();
        self.counted = (self.highest.unwrap() + 1, None);
    }

    /// What is sent from now on does not count.
    pub fn stop_counting(&mut self) {
        self.counted.1 = self.highest;
    }

    /// Packets that never came, of all that were sent while it counted.
    pub fn residual_percent(&self) -> f64 {
        let (from, to) = (self.counted.0, self.counted.1.unwrap());
        let sent = to - from + 1;
        assert!(sent > 500, "{sent} packets are no stream");
        let came = u32::try_from(self.came.range(from..=to).count()).unwrap();
        f64::from(sent - came) * 100.0 / f64::from(sent)
    }

    /// Looks at the numbers so far, and keeps the last of them.
    pub fn forget_old_ids(&mut self) {
        assert!(self.ids_are_closed() && self.bases_are_closed(), "{:?}", self.picture_ids);
        self.said.clear();
        self.repeats.clear();
        self.layered_ids.clear();
        while self.picture_ids.len() > 1 {
            self.picture_ids.pop_first();
        }
        while self.came.len() > 1 {
            self.came.pop_first();
        }
    }

    fn look_at_ids(&mut self, payload: &[u8]) {
        if payload.is_empty() {
            return; // a number with nothing under it
        }
        let (descriptor, _) = vp8::parse(payload).unwrap();
        let layered = extended(self.layered_ids.last().copied(), descriptor.picture_id.unwrap().into(), 15);
        self.layered_ids.insert(layered);
        let id = u32::from(descriptor.picture_id.unwrap());
        let last = self.last_id.unwrap_or(id + 0x8000);
        let ahead = (id.wrapping_sub(last & 0x7fff) & 0x7fff) as i32;
        let step = if ahead < 0x4000 { ahead } else { ahead - 0x8000 };
        let extended = last.checked_add_signed(step).unwrap();
        self.last_id = Some(last.max(extended));
        self.picture_ids.insert(extended, payload[4]);
    }

    /// Numbers of pictures that came, from the first to the last: without a hole?
    pub fn ids_are_closed(&self) -> bool {
        let ids: Vec<u32> = self.picture_ids.keys().copied().collect();
        ids.windows(2).all(|pair| pair[1] - pair[0] == 1)
    }

    /// The temporal base grows by one with each picture of temporal id 0 and by nothing else.
    pub fn bases_are_closed(&self) -> bool {
        let bases: Vec<u8> = self.picture_ids.values().copied().collect();
        bases.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) <= 1)
    }

    /// The longest time without a picture.
    pub fn longest_gap(&self, from: Instant, to: Instant) -> std::time::Duration {
        let came = self.shown.iter().map(|shown| shown.at).filter(|at| (from..to).contains(at));
        let marks: Vec<Instant> = [from].into_iter().chain(came).chain([to]).collect();
        marks.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap()
    }
}

/// A number of so many bits beside the last one, which may have wrapped.
fn extended(last: Option<u32>, number: u32, bits: u32) -> u32 {
    let cycle = 1 << bits;
    let Some(last) = last else { return number + cycle };
    let ahead = number.wrapping_sub(last) & (cycle - 1);
    if ahead < cycle / 2 { last + ahead } else { last + ahead - cycle }
}
