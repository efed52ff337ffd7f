//! A slot as a viewer has it: one stream, looked at closely.
//!
//! in:  RTP of the slot
//! out: the pictures that could be shown; what is asked for

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use media_core::receive::{Format, VideoConfig, VideoReceiver};
use media_core::rtp::{RtpView, original, vp8};
use media_core::units::{Ssrc, VideoCodec};

use crate::camera::{RTX, VP8, Value};
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
    /// Numbers of the stream that came, by themselves or repeated; extended.
    came: BTreeSet<u32>,
    highest: Option<u32>,
    /// What counts for [`SlotView::residual_percent`].
    counted: (u32, Option<u32>),
}

impl SlotView {
    pub fn new(ssrc: Ssrc, ids: Ids) -> Self {
        let formats = vec![(VP8, Format::Codec(VideoCodec::Vp8)), (RTX, Format::Rtx { of: VP8 })];
        Self {
            ids,
            said: Vec::new(),
            repeats: Vec::new(),
            receiver: VideoReceiver::new(VideoConfig { ssrc, formats }),
            shown: Vec::new(),
            picture_ids: BTreeMap::new(),
            last_id: None,
            came: BTreeSet::new(),
            highest: None,
            counted: (0, None),
        }
    }

    pub fn take(&mut self, now: Instant, packet: &RtpView<'_>) {
        let said = Said::read(packet, &self.ids);
        if packet.pt() == VP8 { &mut self.said } else { &mut self.repeats }.push(said);
        if packet.pt() == VP8 {
            self.look_at_ids(packet.payload());
        }
        let wire = if packet.pt() == VP8 {
            Some(packet.seq())
        } else {
            original(packet.payload()).map(|(seq, _)| seq)
        };
        wire.into_iter().for_each(|wire| self.note(wire));
        self.receiver.handle_rtp(now, packet);
        while let Some(frame) = self.receiver.poll_frame() {
            let value = Value::read(&frame.data);
            self.shown.push(Shown { at: now, value, timestamp: frame.timestamp.ticks });
        }
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
        while self.picture_ids.len() > 1 {
            self.picture_ids.pop_first();
        }
        while self.came.len() > 1 {
            self.came.pop_first();
        }
    }

    fn look_at_ids(&mut self, payload: &[u8]) {
        let (descriptor, _) = vp8::parse(payload).unwrap();
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
