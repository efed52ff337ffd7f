//! Bits of a byte string, the highest of a byte first.
//!
//! in:  bytes
//! out: numbers of so many bits, as long as there are any; and the way back
//!
//! Reading ends with `None` at the end of the bytes, so a loop over what an untrusted length says ends there as well.

/// Reads.
#[derive(Clone, Copy, Debug)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next bits as a number; at most 32.
    pub(super) fn take(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            value = value << 1 | u32::from(self.flag()?);
        }
        Some(value)
    }

    /// At most 8 bits.
    pub(super) fn small(&mut self, count: u32) -> Option<u8> {
        u8::try_from(self.take(count)?).ok()
    }

    /// One bit.
    pub(super) fn flag(&mut self) -> Option<bool> {
        let byte = self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit == 1)
    }

    /// A number below `values`, which is not 0: `ns(n)` of AV1 §4.10.7 and of its payload format's appendix A.
    pub(super) fn below(&mut self, values: u32) -> Option<u32> {
        let (width, short) = non_symmetric(values);
        let value = self.take(width - 1)?;
        if value < short {
            return Some(value);
        }
        Some((value << 1) - short + u32::from(self.flag()?))
    }
}

/// Bits of the longest code for numbers below `values`, and how many of them have one bit less.
fn non_symmetric(values: u32) -> (u32, u32) {
    let width = 32 - values.leading_zeros();
    (width, (1 << width) - values)
}

/// Writes at the end of a buffer.
#[derive(Debug)]
pub(super) struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    /// Free bits of the last byte.
    free: u32,
}

impl<'a> BitWriter<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, free: 0 }
    }

    /// The lowest `count` bits of `value`.
    pub(super) fn put(&mut self, count: u32, value: u32) {
        for bit in (0..count).rev() {
            self.flag(value >> bit & 1 == 1);
        }
    }

    pub(super) fn flag(&mut self, value: bool) {
        if self.free == 0 {
            self.out.push(0);
            self.free = 8;
        }
        self.free -= 1;
        if let Some(last) = self.out.last_mut() {
            *last |= u8::from(value) << self.free;
        }
    }

    /// The reverse of [`BitReader::below`].
    pub(super) fn put_below(&mut self, values: u32, value: u32) {
        let (width, short) = non_symmetric(values);
        if value < short {
            self.put(width - 1, value);
        } else {
            self.put(width, value + short);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_below_five_are_coded_as_the_specification_shows() {
        for (value, expected) in
            [(0, 0b0000_0000), (1, 0b0100_0000), (2, 0b1000_0000), (3, 0b1100_0000), (4, 0b1110_0000)]
        {
            let mut out = Vec::new();
            BitWriter::new(&mut out).put_below(5, value);
            assert_eq!(out, [expected]);
            assert_eq!(BitReader::new(&out).below(5), Some(value));
        }
        assert_eq!(BitReader::new(&[]).below(1), Some(0), "one value takes no bits");
    }

    #[test]
    fn the_end_is_the_end() {
        let mut bits = BitReader::new(&[0xa5]);
        assert_eq!(
            (bits.take(3), bits.small(5), bits.take(0), bits.flag()),
            (Some(5), Some(5), Some(0), None)
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(numbers in prop::collection::vec((1u32..=32, any::<u32>(), 1u32..1000), 0..40)) {
            let mut out = Vec::new();
            let mut bits = BitWriter::new(&mut out);
            for (count, value, values) in &numbers {
                bits.put(*count, *value);
                bits.put_below(*values, value % values);
            }
            let mut bits = BitReader::new(&out);
            for (count, value, values) in numbers {
                let mask = u32::MAX >> (32 - count);
                prop_assert_eq!(bits.take(count), Some(value & mask));
                prop_assert_eq!(bits.below(values), Some(value % values));
            }
        }
    }
}
