//! The picture size a sequence parameter set asks for, ITU-T H.264 §7.3.2.1.1.
//!
//! in:  a NAL unit of type 7
//! out: the size of the *coded* picture, in whole macroblocks, that a decoder would allocate; what of it is shown

use layouts::Size;

/// Two sizes of one picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureSize {
    /// In whole macroblocks.
    pub coded: Size,
    /// Without the edges that are cropped.
    pub shown: Size,
}

/// Reads no further than the sizes. `None` for a set that is cut, and for profiles that no SDP answer of ours admits.
#[must_use]
pub fn picture_size(unit: &[u8]) -> Option<PictureSize> {
    read(unit)
}

const BASELINE: u32 = 66;
const MAIN: u32 = 77;
const HIGH: u32 = 100;

fn read(unit: &[u8]) -> Option<PictureSize> {
    let mut bits = Bits { bytes: Payload { rest: unit.get(1..)?, zeros: 0 }, byte: 0, left: 0 };
    let profile = bits.take(8)?;
    bits.take(16)?; // constraint flags, level
    bits.exp_golomb()?; // seq_parameter_set_id
    match profile {
        BASELINE | MAIN => {}
        HIGH => skip_high(&mut bits)?,
        _ => return None,
    }
    bits.exp_golomb()?; // log2_max_frame_num_minus4
    match bits.exp_golomb()? {
        0 => {
            bits.exp_golomb()?; // log2_max_pic_order_cnt_lsb_minus4
        }
        1 => skip_order_cycle(&mut bits)?,
        2 => {}
        _ => return None,
    }
    bits.exp_golomb()?; // max_num_ref_frames
    bits.take(1)?; // gaps_in_frame_num_value_allowed_flag
    let columns = bits.exp_golomb()?.checked_add(1)?;
    let map_rows = bits.exp_golomb()?.checked_add(1)?;
    let frames_only = bits.take(1)? == 1;
    let rows = if frames_only { map_rows } else { map_rows.checked_mul(2)? };
    let coded = Size { width: columns.checked_mul(16)?, height: rows.checked_mul(16)? };
    // A set that ends here shows all: real ones go on, and what a decoder allocates is known.
    let shown = cropped(&mut bits, coded, frames_only).unwrap_or(coded);
    Some(PictureSize { coded, shown })
}

/// Takes off what `frame_cropping` says, in steps of two pixels, and of twice as many rows in interlaced pictures.
fn cropped(bits: &mut Bits<'_>, coded: Size, frames_only: bool) -> Option<Size> {
    if !frames_only {
        bits.take(1)?; // mb_adaptive_frame_field_flag
    }
    bits.take(1)?; // direct_8x8_inference_flag
    if bits.take(1)? == 0 {
        return None;
    }
    let (left, right) = (bits.exp_golomb()?, bits.exp_golomb()?);
    let (top, bottom) = (bits.exp_golomb()?, bits.exp_golomb()?);
    let off = |side: u32, a: u32, b: u32, step: u32| {
        side.checked_sub(a.checked_add(b)?.checked_mul(step)?).filter(|left| *left > 0)
    };
    let rows = if frames_only { 2 } else { 4 };
    Some(Size { width: off(coded.width, left, right, 2)?, height: off(coded.height, top, bottom, rows)? })
}

/// Only 4:2:0, 8 bits, without scaling matrices: what every camera's High profile is.
fn skip_high(bits: &mut Bits<'_>) -> Option<()> {
    let chroma_format = bits.exp_golomb()?;
    let (luma_depth, chroma_depth) = (bits.exp_golomb()?, bits.exp_golomb()?);
    let (_bypass, matrices) = (bits.take(1)?, bits.take(1)?);
    ((chroma_format, luma_depth, chroma_depth, matrices) == (1, 0, 0, 0)).then_some(())
}

/// `pic_order_cnt_type` 1.
fn skip_order_cycle(bits: &mut Bits<'_>) -> Option<()> {
    bits.take(1)?; // delta_pic_order_always_zero_flag
    bits.exp_golomb()?; // offset_for_non_ref_pic
    bits.exp_golomb()?; // offset_for_top_to_bottom_field
    let frames = bits.exp_golomb()?;
    if frames > 255 {
        return None; // §7.4.2.1.1
    }
    (0..frames).try_for_each(|_| bits.exp_golomb().map(|_| ()))
}

/// Bytes of a unit without emulation prevention, §7.4.1.1.
struct Payload<'a> {
    rest: &'a [u8],
    zeros: u8,
}

impl Iterator for Payload<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        if self.zeros >= 2 && byte == 3 {
            self.zeros = 0;
            return self.next();
        }
        self.zeros = if byte == 0 { self.zeros.saturating_add(1) } else { 0 };
        Some(byte)
    }
}

struct Bits<'a> {
    bytes: Payload<'a>,
    byte: u8,
    left: u32,
}

impl Bits<'_> {
    /// Up to 32 bits, first bit first.
    fn take(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            if self.left == 0 {
                self.byte = self.bytes.next()?;
                self.left = 8;
            }
            self.left -= 1;
            value = value << 1 | u32::from(self.byte >> self.left & 1);
        }
        Some(value)
    }

    /// `ue(v)`, §9.1. Signed codes have the same length, so this skips them too.
    fn exp_golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.take(1)? == 0 {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1 << zeros) - 1 + self.take(zeros)?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Writes an SPS as an encoder would.
    fn sps(profile: u32, fields: &[(u32, u32)]) -> Vec<u8> {
        let mut bits: Vec<bool> = Vec::new();
        let mut put = |count: u32, value: u32| bits.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
        put(8, profile);
        put(16, 0xe01f);
        for (count, value) in fields {
            match count {
                0 => {
                    let length = 32 - (value + 1).leading_zeros();
                    put(length - 1, 0);
                    put(length, value + 1);
                }
                _ => put(*count, *value),
            }
        }
        let bytes = bits.chunks(8).map(|chunk| {
            (0..8).fold(0_u8, |byte, bit| {
                byte << 1 | u8::from(chunk.get(bit).copied().unwrap_or(bit == chunk.len()))
            })
        });
        let mut unit = vec![0x67];
        for byte in bytes {
            if byte <= 3 && unit.ends_with(&[0, 0]) {
                unit.push(3);
            }
            unit.push(byte);
        }
        unit
    }

    const UE: u32 = 0;

    #[test]
    fn the_size_is_found_behind_every_kind_of_order_count() {
        let tail = [(UE, 1), (1, 0), (UE, 79), (UE, 44), (1, 1), (1, 1)];
        let check = |profile, head: &[(u32, u32)], expected: Option<(u32, u32)>| {
            let unit = sps(profile, &[head, &tail].concat());
            let expected = expected.map(|(width, height)| Size { width, height });
            assert_eq!(read(&unit).map(|size| size.coded), expected, "{profile} {head:?}");
        };
        let hd = Some((1280, 720));
        check(66, &[(UE, 0), (UE, 0), (UE, 2)], hd);
        check(66, &[(UE, 0), (UE, 12), (UE, 0), (UE, 12)], hd);
        check(66, &[(UE, 0), (UE, 0), (UE, 1), (1, 0), (UE, 0), (UE, 0), (UE, 2), (UE, 7), (UE, 900)], hd);
        check(66, &[(UE, 0), (UE, 0), (UE, 1), (1, 0), (UE, 0), (UE, 0), (UE, 256)], None);
        check(66, &[(UE, 0), (UE, 0), (UE, 3)], None);
        check(100, &[(UE, 0), (UE, 1), (UE, 0), (UE, 0), (1, 0), (1, 0), (UE, 0), (UE, 2)], hd);
        check(100, &[(UE, 0), (UE, 3), (1, 0), (UE, 0), (UE, 0), (1, 0), (1, 0), (UE, 0), (UE, 2)], None);
        check(244, &[(UE, 0), (UE, 0), (UE, 2)], None);
    }

    #[test]
    fn interlaced_rows_count_twice_and_sizes_do_not_overflow() {
        let size = |columns, rows, frames_only| {
            read(&sps(
                77,
                &[(UE, 0), (UE, 0), (UE, 2), (UE, 1), (1, 0), (UE, columns), (UE, rows), (1, frames_only)],
            ))
            .map(|size| size.coded)
        };
        assert_eq!(size(119, 33, 0), Some(Size { width: 1920, height: 1088 }));
        assert_eq!(size(u32::MAX >> 1, 0, 1), None);
        assert_eq!(size(65_535, 65_535, 1), Some(Size { width: 1 << 20, height: 1 << 20 }));
    }

    #[test]
    fn cropped_edges_are_not_shown() {
        let shown = |crop: &[(u32, u32)]| {
            let head = [(UE, 0), (UE, 0), (UE, 2), (UE, 1), (1, 0), (UE, 39), (UE, 22), (1, 1), (1, 1)];
            read(&sps(66, &[&head, crop].concat())).map(|size| size.shown)
        };
        let size = |width, height| Some(Size { width, height });
        assert_eq!(shown(&[(1, 1), (UE, 0), (UE, 0), (UE, 0), (UE, 4)]), size(640, 360));
        assert_eq!(shown(&[(1, 0)]), size(640, 368));
        assert_eq!(
            shown(&[(1, 1), (UE, 200), (UE, 120), (UE, 0), (UE, 4)]),
            size(640, 368),
            "nothing would be left"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(unit in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = read(&unit);
        }

        #[test]
        fn a_cut_set_is_refused_or_read_alike(cut in 0_usize..20) {
            let whole = sps(66, &[(UE, 0), (UE, 0), (UE, 2), (UE, 1), (1, 0), (UE, 39), (UE, 22), (1, 1), (1, 1)]);
            let size = read(&whole);
            prop_assert!(size.is_some());
            let part = read(&whole[..cut.min(whole.len())]);
            prop_assert!(part.is_none() || part.map(|size| size.coded) == size.map(|size| size.coded));
        }
    }
}
