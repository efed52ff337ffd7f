//! Packets of a video stream in order, with their gaps, and the pictures they make.
//!
//! in:  packets with extended numbers, in any order
//! out: which numbers are missing; the picture at the front; where a complete key frame begins
//!
//! ```text
//!   front                                    last
//!     │                                        │
//!   [Stored][Stored][Missing][Void][Stored][Stored]      one slot for each number
//!    └ picture 1 ┘ └─ incomplete ──────────┘
//! ```
//!
//! At most [`MAX_SLOTS`] slots. A number beyond that, or behind a gap too long to be asked for again, empties the
//! buffer: the stream begins anew there and needs a key frame.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;

use crate::rtp::{av1, h264, vp9};
use crate::units::{MediaTime, SeqNo, VideoCodec};

/// About three seconds at 4 Mbit/s; 1.5 MB at most.
const MAX_SLOTS: u64 = 1024;
/// A longer gap (a second at 2.5 Mbit/s) is cheaper to leave behind by a key frame than to fill.
const MAX_GAP: u64 = 256;
/// How far below the first packet others may come, as long as nothing was taken: the beginning of the first key frame is
/// easily overtaken.
const MAX_EARLIER: u64 = 32;
/// Buffers kept for further packets.
const MAX_SPARE: usize = 64;

/// What is known of a packet besides its bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meta {
    pub(super) codec: VideoCodec,
    pub(super) timestamp: MediaTime,
    pub(super) marker: bool,
    /// Certainly the first packet of a picture. H.264 and AV1 have no such bit: there a picture also begins where one
    /// ended.
    pub(super) begins: bool,
    /// VP8, VP9, AV1: first packet of a key frame. H.264: carries IDR data.
    pub(super) keyframe: bool,
    pub(super) arrived: Instant,
}

/// A number that has not come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Missing {
    pub(super) since: Instant,
    /// When to ask for it (again).
    pub(super) ask_at: Instant,
    pub(super) asked: u8,
}

#[derive(Debug)]
enum Slot {
    Missing(Missing),
    Stored(Meta, Vec<u8>),
    /// Padding only: it came and carries nothing.
    Void,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inserted {
    /// In its place.
    Stored,
    /// In its place, and the buffer was emptied for it.
    Restarted,
    /// Its place is taken.
    Duplicate,
    /// Its place is gone.
    TooOld,
}

/// What lies at the front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Front {
    /// No packet, or not all packets of the picture.
    Blocked,
    /// A whole picture.
    Picture(Extent),
}

/// A whole picture's slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) slots: usize,
    pub(super) keyframe: bool,
}

/// A whole picture.
#[derive(Debug)]
pub(super) struct Assembled {
    pub(super) codec: VideoCodec,
    pub(super) timestamp: MediaTime,
    pub(super) arrived: Instant,
    pub(super) data: Bytes,
}

/// Whether the first packet of a picture tells that it is a key frame; in H.264 an IDR slice may follow.
fn tells_at_once(codec: VideoCodec) -> bool {
    match codec {
        VideoCodec::Vp8 | VideoCodec::Vp9 | VideoCodec::Av1 => true,
        VideoCodec::H264 => false,
    }
}

#[derive(Debug, Default)]
pub(super) struct PacketBuffer {
    front: Option<SeqNo>,
    slots: VecDeque<Slot>,
    missing: usize,
    /// Nothing has left the front since the buffer began.
    untouched: bool,
    /// The slot before the front ended a picture, so the front begins one.
    front_begins: bool,
    spare: Vec<Vec<u8>>,
}

impl PacketBuffer {
    /// Puts a packet into its place; without `meta` it is padding. Numbers skipped by it become missing, to be asked for
    /// at `ask_at`.
    pub(super) fn insert(
        &mut self,
        now: Instant,
        ask_at: Instant,
        seq: SeqNo,
        packet: Option<(Meta, &[u8])>,
    ) -> Inserted {
        let mut front = match self.front {
            Some(front) => front,
            None => self.begin_at(seq),
        };
        if self.untouched && seq < front && front.0 - seq.0 <= MAX_EARLIER {
            self.extend_down_to(now, ask_at, seq);
            front = seq;
        }
        let Some(at) = seq.0.checked_sub(front.0) else { return Inserted::TooOld };
        let gap = at.saturating_sub(self.slots.len() as u64);
        let restarted = gap > MAX_GAP || at >= MAX_SLOTS;
        if restarted {
            self.clear();
            self.begin_at(seq);
        }
        let at = if restarted { 0 } else { usize::try_from(at).unwrap_or(usize::MAX) };
        while self.slots.len() < at {
            self.slots.push_back(Slot::Missing(Missing { since: now, ask_at, asked: 0 }));
            self.missing += 1;
        }
        let slot = match packet {
            Some((meta, payload)) => {
                let mut bytes = self.spare.pop().unwrap_or_default();
                bytes.extend_from_slice(payload);
                Slot::Stored(meta, bytes)
            }
            None => Slot::Void,
        };
        match self.slots.get_mut(at) {
            None => self.slots.push_back(slot),
            Some(place @ Slot::Missing(_)) => {
                *place = slot;
                self.missing -= 1;
            }
            Some(Slot::Stored(..) | Slot::Void) => {
                self.recycle(slot);
                return Inserted::Duplicate;
            }
        }
        if restarted { Inserted::Restarted } else { Inserted::Stored }
    }

    fn begin_at(&mut self, seq: SeqNo) -> SeqNo {
        self.front = Some(seq);
        self.untouched = true;
        seq
    }

    fn extend_down_to(&mut self, now: Instant, ask_at: Instant, seq: SeqNo) {
        while let Some(front) = self.front.filter(|front| *front > seq) {
            self.slots.push_front(Slot::Missing(Missing { since: now, ask_at, asked: 0 }));
            self.missing += 1;
            self.front = Some(SeqNo(front.0 - 1));
        }
    }

    /// Numbers that have not come, first to last.
    pub(super) fn missing(&mut self) -> impl Iterator<Item = (SeqNo, &mut Missing)> {
        let front = self.front.unwrap_or(SeqNo(0));
        let slots = if self.missing == 0 { 0 } else { self.slots.len() };
        let slots = self.slots.iter_mut().take(slots).enumerate();
        slots.filter_map(move |(i, slot)| match slot {
            Slot::Missing(missing) => Some((SeqNo(front.0 + i as u64), missing)),
            Slot::Stored(..) | Slot::Void => None,
        })
    }

    /// The number that has been missing for longest, which is the first one, unless it came in between.
    pub(super) fn first_missing(&self) -> Option<Missing> {
        if self.missing == 0 {
            return None;
        }
        self.slots.iter().find_map(|slot| match slot {
            Slot::Missing(missing) => Some(*missing),
            Slot::Stored(..) | Slot::Void => None,
        })
    }

    /// What lies at the front, padding put aside.
    pub(super) fn front(&mut self) -> Front {
        while matches!(self.slots.front(), Some(Slot::Void)) {
            self.pop();
        }
        self.extent(0).map_or(Front::Blocked, Front::Picture)
    }

    /// Takes the whole picture at the front. `None` when its packets do not fit together.
    pub(super) fn take(&mut self, extent: Extent) -> Option<Assembled> {
        let assembled = self.assemble(extent.slots);
        self.drop_front(extent.slots);
        self.front_begins = true;
        assembled
    }

    /// The same without its data, of which nobody asks whether it fits together.
    pub(super) fn pass(&mut self, extent: Extent) -> Option<Assembled> {
        let mut stored = self.slots.iter().take(extent.slots).filter_map(|slot| match slot {
            Slot::Stored(meta, _) => Some(*meta),
            Slot::Missing(_) | Slot::Void => None,
        });
        let first = stored.next();
        let assembled = first.map(|Meta { codec, timestamp, arrived, .. }| Assembled {
            codec,
            timestamp,
            arrived: stored.map(|meta| meta.arrived).fold(arrived, Instant::max),
            data: Bytes::new(),
        });
        self.drop_front(extent.slots);
        self.front_begins = true;
        assembled
    }

    /// Drops all slots before the first whole key frame and gives that. `None` when there is none.
    pub(super) fn skip_to_keyframe(&mut self) -> Option<Extent> {
        let mut begins = self.front_begins;
        let mut at = 0;
        loop {
            match self.slots.get(at) {
                None => return None,
                Some(Slot::Void) => at += 1,
                Some(Slot::Missing(_)) => {
                    begins = false;
                    at += 1;
                }
                Some(Slot::Stored(meta, _)) => {
                    let extent = if begins || meta.begins { self.extent(at) } else { None };
                    match extent {
                        Some(extent) if extent.keyframe => {
                            self.drop_front(at);
                            self.front_begins = true;
                            return Some(extent);
                        }
                        Some(extent) => {
                            at += extent.slots;
                            begins = true;
                        }
                        None => {
                            begins = self.ends_picture(at);
                            at += 1;
                        }
                    }
                }
            }
        }
    }

    /// Drops from the front what cannot become part of a key frame: other pictures, pieces without their beginning, and
    /// numbers given up by `is_lost`.
    pub(super) fn drop_useless(&mut self, is_lost: impl Fn(&Missing) -> bool) {
        loop {
            let (count, ends) = match self.slots.front() {
                Some(Slot::Void) => (1, self.front_begins),
                Some(Slot::Missing(missing)) if is_lost(missing) => (1, false),
                Some(Slot::Stored(meta, _)) if self.front_begins || meta.begins => match self.extent(0) {
                    Some(extent) if !extent.keyframe => (extent.slots, true),
                    None if tells_at_once(meta.codec) && !meta.keyframe => (1, false),
                    Some(_) | None => return,
                },
                Some(Slot::Stored(..)) => (1, self.ends_picture(0)),
                Some(Slot::Missing(_)) | None => return,
            };
            self.drop_front(count);
            self.front_begins = ends;
        }
    }

    fn clear(&mut self) {
        while !self.slots.is_empty() {
            self.pop();
        }
        self.front_begins = false;
    }

    fn drop_front(&mut self, count: usize) {
        for _ in 0..count {
            self.pop();
        }
    }

    fn pop(&mut self) {
        let Some(slot) = self.slots.pop_front() else { return };
        self.untouched = false;
        if matches!(slot, Slot::Missing(_)) {
            self.missing -= 1;
        }
        self.front = self.front.map(|seq| SeqNo(seq.0 + 1));
        self.recycle(slot);
    }

    fn recycle(&mut self, slot: Slot) {
        if let Slot::Stored(_, mut bytes) = slot
            && self.spare.len() < MAX_SPARE
        {
            bytes.clear();
            self.spare.push(bytes);
        }
    }

    /// The slots of the picture that begins at `at`, when all of them are here.
    fn extent(&self, at: usize) -> Option<Extent> {
        let Slot::Stored(first, _) = self.slots.get(at)? else { return None };
        let mut keyframe = false;
        for (i, slot) in self.slots.iter().enumerate().skip(at) {
            match slot {
                Slot::Missing(_) => return None,
                Slot::Void => {}
                Slot::Stored(meta, _) if meta.timestamp != first.timestamp => {
                    // Its marker was not set; the next picture tells its end.
                    return Some(Extent { slots: i - at, keyframe });
                }
                Slot::Stored(meta, _) => {
                    keyframe |= meta.keyframe;
                    if meta.marker {
                        return Some(Extent { slots: i + 1 - at, keyframe });
                    }
                }
            }
        }
        None
    }

    /// Whether the packet at `at` is the last of its picture, as far as one can see.
    fn ends_picture(&self, at: usize) -> bool {
        let Some(Slot::Stored(meta, _)) = self.slots.get(at) else { return false };
        let next_differs = match self.slots.get(at + 1) {
            Some(Slot::Stored(next, _)) => next.timestamp != meta.timestamp,
            Some(Slot::Missing(_) | Slot::Void) | None => false,
        };
        meta.marker || next_differs
    }

    fn assemble(&self, count: usize) -> Option<Assembled> {
        let pieces = || {
            self.slots.iter().take(count).filter_map(|slot| match slot {
                Slot::Stored(meta, bytes) => Some((meta, bytes)),
                Slot::Missing(_) | Slot::Void => None,
            })
        };
        let (first, _) = pieces().next()?;
        if pieces().any(|(meta, _)| meta.codec != first.codec) {
            return None;
        }
        let len = pieces().map(|(_, bytes)| bytes.len() + 8).sum();
        let data = match first.codec {
            VideoCodec::Vp8 => {
                let mut frame = Vec::with_capacity(len);
                for (i, (meta, bytes)) in pieces().enumerate() {
                    if meta.begins != (i == 0) {
                        return None;
                    }
                    frame.extend_from_slice(bytes);
                }
                frame
            }
            VideoCodec::H264 => {
                let mut assembler = h264::Assembler::with_capacity(len);
                pieces().try_for_each(|(_, bytes)| assembler.push(bytes))?;
                assembler.finish()?
            }
            VideoCodec::Vp9 => {
                let mut assembler = vp9::Assembler::default();
                pieces().try_for_each(|(_, bytes)| assembler.push(bytes))?;
                assembler.finish()?
            }
            VideoCodec::Av1 => {
                let mut assembler = av1::Assembler::with_capacity(len);
                pieces().try_for_each(|(_, bytes)| assembler.push(bytes))?;
                assembler.finish()?
            }
        };
        let arrived = pieces().map(|(meta, _)| meta.arrived).max()?;
        Some(Assembled { codec: first.codec, timestamp: first.timestamp, arrived, data: data.into() })
    }
}
