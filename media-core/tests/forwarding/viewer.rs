//! A slot as a viewer has it: one stream, looked at closely.
//!
//! in:  RTP of the slot
//! out: the pictures that could be shown; what is asked for

use std::collections::BTreeMap;
use std::time::Instant;

use media_core::receive::{Format, VideoConfig, VideoReceiver};
use media_core::rtp::{RtpView, vp8};
use media_core::units::{Ssrc, VideoCodec};

use crate::camera::{RTX, VP8, Value};

#[derive(Clone, Copy, Debug)]
pub struct Shown {
    pub at: Instant,
    pub value: Value,
    pub timestamp: u64,
}

pub struct SlotView {
    pub receiver: VideoReceiver,
    pub shown: Vec<Shown>,
    /// Picture id and temporal base by extended picture number, of what came.
    ids: BTreeMap<u32, u8>,
    last_id: Option<u32>,
}

impl SlotView {
    pub fn new(ssrc: Ssrc) -> Self {
        let formats = vec![(VP8, Format::Codec(VideoCodec::Vp8)), (RTX, Format::Rtx { of: VP8 })];
        Self {
            receiver: VideoReceiver::new(VideoConfig { ssrc, formats }),
            shown: Vec::new(),
            ids: BTreeMap::new(),
            last_id: None,
        }
    }

    pub fn take(&mut self, now: Instant, packet: &RtpView<'_>) {
        if packet.pt() == VP8 {
            self.look_at_ids(packet.payload());
        }
        self.receiver.handle_rtp(now, packet);
        while let Some(frame) = self.receiver.poll_frame() {
            let value = Value::read(&frame.data);
            self.shown.push(Shown { at: now, value, timestamp: frame.timestamp.ticks });
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
        self.ids.insert(extended, payload[4]);
    }

    /// Numbers of pictures that came, from the first to the last: without a hole?
    pub fn ids_are_closed(&self) -> bool {
        let ids: Vec<u32> = self.ids.keys().copied().collect();
        ids.windows(2).all(|pair| pair[1] - pair[0] == 1)
    }

    /// The temporal base grows by one with each picture of temporal id 0 and by nothing else.
    pub fn bases_are_closed(&self) -> bool {
        let bases: Vec<u8> = self.ids.values().copied().collect();
        bases.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) <= 1)
    }

    /// The longest time without a picture.
    pub fn longest_gap(&self, from: Instant, to: Instant) -> std::time::Duration {
        let came = self.shown.iter().map(|shown| shown.at).filter(|at| (from..to).contains(at));
        let marks: Vec<Instant> = [from].into_iter().chain(came).chain([to]).collect();
        marks.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap()
    }
}
