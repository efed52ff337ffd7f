//! H.264 payloads of packetization modes 0 and 1, RFC 6184 §5.
//!
//! in:  payloads of one access unit, in order
//! out: the access unit in Annex B form
//!
//! A single NAL unit, STAP-A and FU-A are understood; interleaved modes are never negotiated.

mod sps;

use layouts::Size;

pub use sps::{PictureSize, picture_size};

/// NAL unit types, RFC 6184 §5.2 and H.264 table 7-1.
pub(crate) mod nal {
    /// Slice of another picture.
    pub(crate) const SLICE: u8 = 1;
    /// Slice of an IDR picture.
    pub(crate) const IDR: u8 = 5;
    /// Sequence parameter set.
    pub(crate) const SPS: u8 = 7;
    /// Access unit delimiter.
    pub(crate) const AUD: u8 = 9;
    /// Filler data.
    pub(crate) const FILLER: u8 = 12;
    /// Single-time aggregation packet without decoding order number.
    pub(crate) const STAP_A: u8 = 24;
    /// Fragmentation unit without decoding order number.
    pub(crate) const FU_A: u8 = 28;

    pub(crate) fn kind(header: u8) -> u8 {
        header & 0x1f
    }
}

/// Annex B start code.
pub(crate) const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// What one payload tells about its access unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Carries (a piece of) an IDR slice.
    pub idr: bool,
    /// Certainly the first packet of an access unit: parameter sets or a delimiter lead it.
    pub begins_picture: bool,
    /// Carries a sequence parameter set. Browsers put one before every IDR picture, so a new receiver can begin here.
    pub sps: bool,
    /// Carries the beginning of a picture's first slice.
    pub first_slice: bool,
    /// No other picture refers to what is in here.
    pub non_reference: bool,
    /// Pixels shown, by the sequence parameter set.
    pub size: Option<Size>,
}

/// Looks at a payload without copying. `None` when it is malformed.
#[must_use]
pub fn summary(payload: &[u8]) -> Option<Summary> {
    let mut sum = Summary { non_reference: true, ..Summary::default() };
    for_each_unit(payload, |unit| {
        let (header, begins, body) = match unit {
            Unit::Whole(nal) => {
                let (&header, body) = nal.split_first()?;
                if nal::kind(header) == nal::SPS {
                    sum.size = picture_size(nal).map(|size| size.shown);
                }
                (header, true, body)
            }
            Unit::Fragment { header, start, body, .. } => (header, start, body),
        };
        let kind = nal::kind(header);
        sum.idr |= kind == nal::IDR;
        sum.begins_picture |= matches!(kind, nal::SPS | nal::AUD);
        sum.sps |= kind == nal::SPS;
        // A slice begins with first_mb_in_slice, an Exp-Golomb code: its first bit alone is set for macroblock 0.
        let is_slice = matches!(kind, nal::SLICE | nal::IDR);
        sum.first_slice |= is_slice && begins && body.first().is_some_and(|first| first & 0x80 != 0);
        sum.non_reference &= header & 0x60 == 0; // nal_ref_idc
        Some(())
    })?;
    Some(sum)
}

/// Puts an access unit together.
#[derive(Debug, Default)]
pub struct Assembler {
    out: Vec<u8>,
    fragment_open: bool,
}

impl Assembler {
    /// With room for `capacity` bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { out: Vec::with_capacity(capacity), fragment_open: false }
    }

    /// Adds the next payload. `None` when it is malformed or does not continue what was begun: the access unit is lost.
    pub fn push(&mut self, payload: &[u8]) -> Option<()> {
        for_each_unit(payload, |unit| match unit {
            Unit::Whole(nal) => {
                if self.fragment_open {
                    return None;
                }
                self.out.extend_from_slice(&START_CODE);
                self.out.extend_from_slice(nal);
                Some(())
            }
            Unit::Fragment { header, start, end, body } => {
                if start == self.fragment_open {
                    return None;
                }
                if start {
                    self.out.extend_from_slice(&START_CODE);
                    self.out.push(header);
                }
                self.out.extend_from_slice(body);
                self.fragment_open = !end;
                Some(())
            }
        })
    }

    /// The access unit. `None` when a fragment is still open.
    #[must_use]
    pub fn finish(self) -> Option<Vec<u8>> {
        (!self.fragment_open && !self.out.is_empty()).then_some(self.out)
    }
}

enum Unit<'a> {
    Whole(&'a [u8]),
    Fragment { header: u8, start: bool, end: bool, body: &'a [u8] },
}

fn for_each_unit<'a>(payload: &'a [u8], mut on: impl FnMut(Unit<'a>) -> Option<()>) -> Option<()> {
    let (&indicator, rest) = payload.split_first()?;
    match nal::kind(indicator) {
        1..=23 => on(Unit::Whole(payload)),
        nal::STAP_A => {
            let mut rest = rest;
            while !rest.is_empty() {
                let (len, after) = rest.split_first_chunk::<2>()?;
                let (nal, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
                if !matches!(nal::kind(*nal.first()?), 1..=23) {
                    return None;
                }
                on(Unit::Whole(nal))?;
                rest = after;
            }
            Some(())
        }
        nal::FU_A => {
            let (&fu, body) = rest.split_first()?;
            let (start, end) = (fu & 0x80 != 0, fu & 0x40 != 0);
            // RFC 6184 §5.8: a fragment never is first and last at once. Some encoders do it all the same; harmless.
            on(Unit::Fragment { header: indicator & 0xe0 | nal::kind(fu), start, end, body })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(payloads: &[&[u8]], expected: Option<&[u8]>) {
        let mut assembler = Assembler::default();
        let pushed: Option<Vec<()>> = payloads.iter().map(|p| assembler.push(p)).collect();
        let got = pushed.and_then(|_| assembler.finish());
        assert_eq!(got.as_deref(), expected, "{payloads:02x?}");
    }

    #[test]
    fn assembles() {
        check(&[&[0x65, 1, 2]], Some(&[0, 0, 0, 1, 0x65, 1, 2]));
        check(
            &[&[0x78, 0, 2, 0x67, 9, 0, 1, 0x68], &[0x65, 1]],
            Some(&[0, 0, 0, 1, 0x67, 9, 0, 0, 0, 1, 0x68, 0, 0, 0, 1, 0x65, 1]),
        );
        check(&[&[0x7c, 0x85, 1], &[0x7c, 0x05, 2], &[0x7c, 0x45, 3]], Some(&[0, 0, 0, 1, 0x65, 1, 2, 3]));
    }

    #[test]
    fn refuses() {
        check(&[], None);
        check(&[&[]], None);
        check(&[&[0x7c, 0x05, 2]], None); // a fragment without its start
        check(&[&[0x7c, 0x85, 1]], None); // … without its end
        check(&[&[0x7c, 0x85, 1], &[0x65, 1]], None); // … interrupted
        check(&[&[0x7c, 0x85, 1], &[0x7c, 0x85, 1]], None); // … begun twice
        check(&[&[0x7c]], None);
        check(&[&[0x78, 0, 2, 0x67]], None); // shorter than it says
        check(&[&[0x78, 0, 1, 0x67, 0]], None); // half a length
        check(&[&[0x78, 0, 0]], None); // an empty unit
        check(&[&[0x78, 0, 1, 0x7c]], None); // nested
        check(&[&[0x78]], None); // nothing in it
        check(&[&[0x00, 1]], None);
        check(&[&[0x79, 1, 2]], None); // STAP-B
    }

    #[test]
    fn summaries() {
        let sum = |p: &[u8]| summary(p).map(|s| (s.idr, s.begins_picture));
        assert_eq!(sum(&[0x41, 1]), Some((false, false)));
        assert_eq!(sum(&[0x65, 1]), Some((true, false)));
        assert_eq!(sum(&[0x78, 0, 1, 0x67, 0, 1, 0x68]), Some((false, true)));
        assert_eq!(sum(&[0x78, 0, 1, 0x67, 0, 1, 0x65]), Some((true, true)));
        assert_eq!(sum(&[0x7c, 0x85, 1]), Some((true, false)));
        assert_eq!(sum(&[0x09, 0xf0]), Some((false, true)));
        assert_eq!(sum(&[0x78, 0]), None);
    }

    #[test]
    fn parameter_sets_and_slices_are_seen_through_aggregates_and_fragments() {
        // 640×360 by constrained baseline.
        let sps = [0x67, 0x42, 0xc0, 0x1f, 0xda, 0x02, 0x80, 0xbf, 0xe5];
        let aggregate = [&[0x78, 0, 9][..], &sps, &[0, 2, 0x68, 0xce]].concat();
        let sum = summary(&aggregate).unwrap();
        assert!(sum.sps && sum.begins_picture && !sum.idr && !sum.first_slice && !sum.non_reference);
        assert_eq!(sum.size, picture_size(&sps).map(|size| size.shown));
        assert_eq!(sum.size, Some(Size { width: 640, height: 360 }));
        let of = |payload: &[u8]| summary(payload).map(|s| (s.first_slice, s.non_reference)).unwrap();
        assert_eq!(of(&[0x41, 0x9a]), (true, false));
        assert_eq!(of(&[0x01, 0x9a]), (true, true));
        assert_eq!(of(&[0x41, 0x4a]), (false, false), "a later slice");
        assert_eq!(of(&[0x7c, 0x85, 0x88]), (true, false), "the first fragment of an IDR slice");
        assert_eq!(of(&[0x7c, 0x05, 0x88]), (false, false), "a later fragment");
        assert_eq!(of(&[0x1c, 0x81, 0x88]), (true, true));
    }
}
