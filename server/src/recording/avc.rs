//! H.264 from the way encoders write it to the way files hold it.
//!
//! in:  access units in Annex B (ITU-T H.264)
//! out: units with their length before them, and `avcC` (ISO/IEC 14496-15 §5.3.3)

/// `nal_unit_type`, ITU-T H.264 table 7-1.
const SPS: u8 = 7;
const PPS: u8 = 8;
const DELIMITER: u8 = 9;

/// What a decoder must know before the first picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ParameterSets {
    sps: Vec<u8>,
    pps: Vec<u8>,
}

impl ParameterSets {
    /// Those of a key frame.
    pub(super) fn of(annex_b: &[u8]) -> Option<Self> {
        let find = |kind| units(annex_b).find(|unit| kind_of(unit) == kind).map(<[u8]>::to_vec);
        let (sps, pps) = (find(SPS)?, find(PPS)?);
        // Profile, constraints and level are copied from it.
        (sps.len() >= 4 && sps.len() <= usize::from(u16::MAX) && pps.len() <= usize::from(u16::MAX))
            .then_some(Self { sps, pps })
    }

    /// `AVCDecoderConfigurationRecord`, lengths of four bytes.
    pub(super) fn avcc(&self) -> Vec<u8> {
        let mut out = vec![1];
        out.extend(self.sps.iter().skip(1).take(3));
        out.push(0xFC | 3);
        out.push(0xE0 | 1);
        push_sized(&mut out, &self.sps);
        out.push(1);
        push_sized(&mut out, &self.pps);
        out
    }

    /// An access unit as a file has it. Parameter sets that the file tells already are left out.
    pub(super) fn sample(&self, annex_b: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(annex_b.len() + 16);
        for unit in units(annex_b) {
            let is_known = unit == self.sps || unit == self.pps || kind_of(unit) == DELIMITER;
            if let Ok(length) = u32::try_from(unit.len())
                && !is_known
            {
                out.extend_from_slice(&length.to_be_bytes());
                out.extend_from_slice(unit);
            }
        }
        out
    }
}

fn push_sized(out: &mut Vec<u8>, unit: &[u8]) {
    let length = u16::try_from(unit.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(unit);
}

fn kind_of(unit: &[u8]) -> u8 {
    unit.first().map_or(0, |first| first & 0x1F)
}

/// What stands between start codes, ITU-T H.264 §B.1.
fn units(annex_b: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(annex_b);
    std::iter::from_fn(move || {
        loop {
            let from = rest?;
            let end = from.windows(3).position(|three| three == [0, 0, 1]);
            let (unit, next) = match end {
                Some(end) => (from.get(..end)?, from.get(end + 3..)),
                None => (from, None),
            };
            rest = next;
            // Zeros before a start code of four bytes, and trailing ones, belong to no unit.
            let length = unit.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            if length > 0 {
                return unit.get(..length);
            }
        }
    })
}

fn after_start_code(bytes: &[u8]) -> Option<&[u8]> {
    let begin = bytes.windows(3).position(|three| three == [0, 0, 1])?;
    bytes.get(begin + 3..)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] =
        &[0, 0, 0, 1, 0x67, 0x42, 0xC0, 0x1F, 9, 0, 0, 0, 1, 0x68, 0xCE, 0, 0, 1, 0x65, 1, 2, 0, 3, 0, 0, 0];

    #[test]
    fn a_key_frame_tells_its_configuration() {
        let sets = ParameterSets::of(KEY).unwrap();
        let expected =
            [1, 0x42, 0xC0, 0x1F, 0xFF, 0xE1, 0, 5, 0x67, 0x42, 0xC0, 0x1F, 9, 1, 0, 2, 0x68, 0xCE];
        assert_eq!(sets.avcc(), expected);
        assert_eq!(sets.sample(KEY), [0, 0, 0, 5, 0x65, 1, 2, 0, 3]);
        let delta = [0, 0, 1, 9, 0xF0, 0, 0, 0, 1, 0x41, 5, 0, 0, 1, 0x41, 6];
        assert_eq!(sets.sample(&delta), [0, 0, 0, 2, 0x41, 5, 0, 0, 0, 2, 0x41, 6]);
    }

    #[test]
    fn others_parameter_sets_stay_with_their_picture() {
        let sets = ParameterSets::of(KEY).unwrap();
        let other = [0, 0, 1, 0x67, 0x42, 0xC0, 0x20, 9, 0, 0, 1, 0x65, 1];
        assert_eq!(sets.sample(&other), [0, 0, 0, 5, 0x67, 0x42, 0xC0, 0x20, 9, 0, 0, 0, 2, 0x65, 1]);
    }

    #[test]
    fn what_has_none_has_no_configuration() {
        for bytes in
            [&[][..], &[0, 0, 1], &[0, 0, 1, 0x65, 1], &[0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 1], &[1; 9]]
        {
            assert_eq!(ParameterSets::of(bytes), None, "{bytes:?}");
        }
    }
}
