//! NAL units of a byte stream, ITU-T H.264 Annex B.

/// What begins every unit we write.
pub(super) const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// `nal_unit_type`, table 7-1, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NalType {
    Slice,
    Idr,
    Sps,
    Pps,
    Other,
}

pub(super) fn kind(unit: &[u8]) -> NalType {
    match unit.first().map(|header| header & 0x1f) {
        Some(1) => NalType::Slice,
        Some(5) => NalType::Idr,
        Some(7) => NalType::Sps,
        Some(8) => NalType::Pps,
        _ => NalType::Other,
    }
}

/// The units between start codes, without the zeros that may trail them; what stands before the first start code is
/// no unit.
pub(super) fn units(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(data);
    std::iter::from_fn(move || {
        let from = rest?;
        let (unit, next) = match find_start_code(from) {
            Some(at) => (from.get(..at)?, after_start_code(from.get(at..)?)),
            None => (from, None),
        };
        rest = next;
        let end = unit.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        unit.get(..end)
    })
    .filter(|unit| !unit.is_empty())
}

/// Where the next `00 00 01` begins.
fn find_start_code(data: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        // Ones are rare at this place, so look for them first.
        let one = from + data.get(from..)?.iter().position(|byte| *byte == 1)?;
        if one >= 2 && data.get(one - 2..one) == Some(&[0, 0]) {
            return Some(one - 2);
        }
        from = one + 1;
    }
}

fn after_start_code(data: &[u8]) -> Option<&[u8]> {
    data.get(find_start_code(data)? + 3..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_what_stands_between_start_codes() {
        let check = |data: &[u8], expected: &[&[u8]]| {
            assert_eq!(units(data).collect::<Vec<_>>(), expected, "{data:?}");
        };
        check(&[], &[]);
        check(&[0, 0, 1], &[]);
        check(&[9, 9, 9], &[]);
        check(&[0, 0, 1, 7], &[&[7]]);
        check(&[0, 0, 0, 1, 7, 8, 0, 0, 0, 1, 9], &[&[7, 8], &[9]]);
        check(&[5, 5, 0, 0, 1, 7, 0, 1, 8, 0, 0, 0, 0, 0, 1, 0, 0, 1, 9, 0, 0], &[&[7, 0, 1, 8], &[9]]);
        check(&[0, 1, 0, 0, 1, 1, 0, 0, 1, 1], &[&[1], &[1]]);
    }
}
