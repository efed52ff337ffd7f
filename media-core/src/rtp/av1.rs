//! AV1 payloads (AV1 RTP payload format §4) and what stands in an OBU (AV1 bitstream specification §5).
//!
//! in:  payloads of one temporal unit, in order
//! out: the temporal unit in the low-overhead format; whether a coded video sequence begins, and its size
//!
//! ```text
//!   Z Y W W N - - - │ size (leb128) │ OBU │ size │ OBU │ … │ OBU      W = 0: every OBU has a size;
//!   │ │  └ count  └ new coded video sequence                          else the last has none
//!   │ └ the last goes on in the next packet
//!   └ the first continues that of the packet before
//! ```

use layouts::Size;

use super::bits::BitReader;

/// OBU types, AV1 §6.2.2.
mod obu {
    pub(super) const SEQUENCE_HEADER: u8 = 1;
    pub(super) const TEMPORAL_DELIMITER: u8 = 2;
    pub(super) const FRAME_HEADER: u8 = 3;
    pub(super) const FRAME: u8 = 6;
    pub(super) const TILE_LIST: u8 = 8;

    pub(super) fn kind(header: u8) -> u8 {
        header >> 3 & 0x0f
    }
}

/// An OBU has an extension byte with its layers.
const HAS_EXTENSION: u8 = 0x04;
/// An OBU tells its size.
const HAS_SIZE: u8 = 0x02;
/// Begins a temporal unit: type 2, with a size of 0.
const DELIMITER: [u8; 2] = [obu::TEMPORAL_DELIMITER << 3 | HAS_SIZE, 0];

/// What one payload tells about its temporal unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The first packet of a coded video sequence (N), so of a key frame.
    pub begins_sequence: bool,
    /// The first OBU goes on from the packet before (Z).
    pub continues: bool,
    /// The last OBU goes on in the next packet (Y).
    pub unfinished: bool,
    /// Temporal and spatial layer, when an OBU that begins here tells them.
    pub layer: Option<(u8, u8)>,
    /// Largest frame of the sequence, when its header is here whole.
    pub size: Option<Size>,
}

/// Looks at a payload without copying. `None` when it is malformed.
#[must_use]
pub fn summary(payload: &[u8]) -> Option<Summary> {
    let (head, elements) = Elements::of(payload)?;
    let mut summary = Summary {
        begins_sequence: head & 0x08 != 0 && head & 0x80 == 0,
        continues: head & 0x80 != 0,
        unfinished: head & 0x40 != 0,
        ..Summary::default()
    };
    for element in elements {
        let element = element?;
        if element.continues {
            continue;
        }
        let header = ObuHeader::read(element.bytes)?;
        summary.layer = summary.layer.or(header.layer);
        if header.kind == obu::SEQUENCE_HEADER && !element.unfinished {
            summary.size = element.bytes.get(header.len..).and_then(sequence_size);
        }
    }
    Some(summary)
}

/// An OBU, or a piece of one.
struct Element<'a> {
    bytes: &'a [u8],
    continues: bool,
    unfinished: bool,
}

/// The OBU elements of a payload; an item is `None` when the rest does not fit, and it is the last.
struct Elements<'a> {
    rest: &'a [u8],
    /// Elements to come; `None`: until the bytes end.
    left: Option<u8>,
    continues: bool,
    unfinished: bool,
}

impl<'a> Elements<'a> {
    fn of(payload: &'a [u8]) -> Option<(u8, Self)> {
        let (&head, rest) = payload.split_first()?;
        if rest.is_empty() {
            return None;
        }
        let count = head >> 4 & 0x03;
        let elements = Self {
            rest,
            left: (count > 0).then_some(count),
            continues: head & 0x80 != 0,
            unfinished: head & 0x40 != 0,
        };
        Some((head, elements))
    }

    fn take(&mut self) -> Option<Element<'a>> {
        let is_sized = self.left != Some(1);
        let len = if is_sized { leb128(&mut self.rest)? } else { self.rest.len() };
        let (bytes, after) = self.rest.split_at_checked(len)?;
        self.rest = after;
        self.left = self.left.map(|left| left - 1);
        let is_last = self.left.map_or(after.is_empty(), |left| left == 0);
        let element = Element {
            bytes,
            continues: std::mem::take(&mut self.continues),
            unfinished: self.unfinished && is_last,
        };
        Some(element)
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Option<Element<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let is_over = self.left.map_or(self.rest.is_empty(), |left| left == 0);
        if is_over {
            return None;
        }
        let element = self.take();
        if element.is_none() {
            (self.rest, self.left) = (&[], Some(0));
        }
        Some(element)
    }
}

/// A number in groups of seven bits, the lowest first; AV1 §4.10.5. Longer than a datagram is refused.
fn leb128(rest: &mut &[u8]) -> Option<usize> {
    let mut value = 0;
    for group in 0..4 {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        value |= usize::from(byte & 0x7f) << (7 * group);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn put_leb128(out: &mut Vec<u8>, mut value: usize) {
    loop {
        let byte = u8::try_from(value & 0x7f).unwrap_or_default();
        value >>= 7;
        if value == 0 {
            out.push(byte);
            return;
        }
        out.push(byte | 0x80);
    }
}

#[derive(Clone, Copy)]
struct ObuHeader {
    kind: u8,
    /// Temporal and spatial layer.
    layer: Option<(u8, u8)>,
    /// Bytes up to the OBU's content, with its size field.
    len: usize,
    /// Bytes of the content, when the OBU tells.
    content: Option<usize>,
}

impl ObuHeader {
    fn read(obu: &[u8]) -> Option<Self> {
        let (&first, mut rest) = obu.split_first()?;
        if first & 0x80 != 0 {
            return None; // obu_forbidden_bit
        }
        let mut layer = None;
        if first & HAS_EXTENSION != 0 {
            let (&byte, after) = rest.split_first()?;
            layer = Some((byte >> 5, byte >> 3 & 0x03));
            rest = after;
        }
        let content = if first & HAS_SIZE != 0 { Some(leb128(&mut rest)?) } else { None };
        Some(Self { kind: obu::kind(first), layer, len: obu.len() - rest.len(), content })
    }
}

/// Puts a temporal unit together.
#[derive(Debug, Default)]
pub struct Assembler {
    out: Vec<u8>,
    /// The OBU that goes on in the next payload.
    open: Option<Vec<u8>>,
}

impl Assembler {
    /// With room for `capacity` bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        let mut out = Vec::with_capacity(capacity + DELIMITER.len());
        out.extend_from_slice(&DELIMITER);
        Self { out, open: None }
    }

    /// Adds the next payload. `None` when it is malformed or does not continue what was begun: the unit is lost.
    pub fn push(&mut self, payload: &[u8]) -> Option<()> {
        let (head, elements) = Elements::of(payload)?;
        if (head & 0x80 != 0) != self.open.is_some() {
            return None;
        }
        for element in elements {
            let element = element?;
            let mut bytes = self.open.take().unwrap_or_default();
            bytes.extend_from_slice(element.bytes);
            if element.unfinished {
                self.open = Some(bytes);
            } else {
                self.append(&bytes)?;
            }
        }
        // An OBU said to go on is there, even when the element was empty.
        (self.open.is_some() == (head & 0x40 != 0)).then_some(())
    }

    /// The OBU with a size of its own, which it need not have in a packet. Delimiters are ours.
    fn append(&mut self, obu: &[u8]) -> Option<()> {
        if obu.is_empty() {
            return Some(());
        }
        let header = ObuHeader::read(obu)?;
        if matches!(header.kind, obu::TEMPORAL_DELIMITER | obu::TILE_LIST) {
            return Some(());
        }
        let content = obu.get(header.len..)?;
        let content = match header.content {
            Some(len) => content.get(..len)?,
            None => content,
        };
        let [first, extension] = [*obu.first()?, obu.get(1).copied().unwrap_or_default()];
        self.out.push(first | HAS_SIZE);
        if header.layer.is_some() {
            self.out.push(extension);
        }
        put_leb128(&mut self.out, content.len());
        self.out.extend_from_slice(content);
        Some(())
    }

    /// The temporal unit. `None` when an OBU is still open.
    #[must_use]
    pub fn finish(self) -> Option<Vec<u8>> {
        (self.open.is_none() && self.out.len() > DELIMITER.len()).then_some(self.out)
    }
}

/// What a temporal unit in the low-overhead format says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnitSummary {
    /// It has a sequence header, and its first frame is a key frame.
    pub keyframe: bool,
    /// Largest frame of the sequence, when its header is there.
    pub size: Option<Size>,
    /// A sequence header is there whose size is not readable.
    pub unreadable_sequence: bool,
}

/// Looks at a temporal unit. `None` when its OBUs do not fit together or one has no size.
#[must_use]
pub fn unit_summary(mut unit: &[u8]) -> Option<UnitSummary> {
    let mut summary = UnitSummary::default();
    let mut first_frame = None;
    while !unit.is_empty() {
        let header = ObuHeader::read(unit)?;
        let end = header.len.checked_add(header.content?)?;
        let content = unit.get(header.len..end)?;
        match header.kind {
            obu::SEQUENCE_HEADER => {
                let size = sequence_size(content);
                summary.unreadable_sequence |= size.is_none();
                summary.size = larger(summary.size, size);
            }
            obu::FRAME | obu::FRAME_HEADER if first_frame.is_none() => {
                // show_existing_frame, then two bits of frame_type: 0 is a key frame.
                first_frame = Some(content.first().is_some_and(|first| first & 0xe0 == 0));
            }
            _ => {}
        }
        unit = unit.get(end..)?;
    }
    let has_sequence = summary.size.is_some() || summary.unreadable_sequence;
    summary.keyframe = has_sequence && first_frame == Some(true);
    Some(summary)
}

fn larger(a: Option<Size>, b: Option<Size>) -> Option<Size> {
    match (a, b) {
        (Some(a), Some(b)) => Some(Size { width: a.width.max(b.width), height: a.height.max(b.height) }),
        (one, other) => one.or(other),
    }
}

/// The largest frame a sequence header allows, AV1 §5.5.1.
#[must_use]
pub fn sequence_size(header: &[u8]) -> Option<Size> {
    let mut bits = BitReader::new(header);
    bits.take(3)?; // seq_profile
    bits.flag()?; // still_picture
    if bits.flag()? {
        bits.take(5)?; // reduced_still_picture_header: seq_level_idx alone
    } else {
        let timing = if bits.flag()? { timing(&mut bits)? } else { None };
        operating_points(&mut bits, timing)?;
    }
    let (width_bits, height_bits) = (bits.take(4)? + 1, bits.take(4)? + 1);
    Some(Size { width: bits.take(width_bits)? + 1, height: bits.take(height_bits)? + 1 })
}

/// `timing_info` and the decoder model: bits of a delay in the latter.
#[allow(clippy::option_option, reason = "the outer one is the end of the bits")]
fn timing(bits: &mut BitReader<'_>) -> Option<Option<u32>> {
    bits.take(32)?; // num_units_in_display_tick
    bits.take(32)?; // time_scale
    if bits.flag()? {
        // num_ticks_per_picture_minus_1, uvlc
        let mut zeros = 0;
        while !bits.flag()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        bits.take(zeros)?;
    }
    if !bits.flag()? {
        return Some(None);
    }
    let delay_bits = bits.take(5)? + 1;
    bits.take(32)?; // num_units_in_decoding_tick
    bits.take(5 + 5)?; // lengths of removal and presentation times
    Some(Some(delay_bits))
}

fn operating_points(bits: &mut BitReader<'_>, delay_bits: Option<u32>) -> Option<()> {
    let has_display_delay = bits.flag()?;
    let count = bits.take(5)? + 1;
    for _ in 0..count {
        bits.take(12)?; // operating_point_idc
        if bits.take(5)? > 7 {
            bits.flag()?; // seq_tier
        }
        if let Some(delay_bits) = delay_bits
            && bits.flag()?
        {
            bits.take(delay_bits)?;
            bits.take(delay_bits)?;
            bits.flag()?; // low_delay_mode_flag
        }
        if has_display_delay && bits.flag()? {
            bits.take(4)?;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Profile 0, one operating point, level 5, 10 bits for each side: 640×360.
    const SEQUENCE: [u8; 8] = [0x00, 0x00, 0x00, 0x2c, 0xcc, 0xfe, 0xb3, 0x80];

    /// A sequence header OBU without a size, as packets carry it.
    fn sequence_obu() -> Vec<u8> {
        [&[obu::SEQUENCE_HEADER << 3][..], &SEQUENCE, &[0xff]].concat()
    }

    fn unit(payloads: &[&[u8]]) -> Option<Vec<u8>> {
        let mut assembler = Assembler::with_capacity(0);
        payloads.iter().try_for_each(|payload| assembler.push(payload))?;
        assembler.finish()
    }

    #[test]
    fn a_sequence_header_tells_the_size() {
        let size = Some(Size { width: 640, height: 360 });
        assert_eq!(sequence_size(&sequence_obu()[1..]), size);
        assert_eq!(sequence_size(&SEQUENCE[..5]), None);
        // A reduced still picture: level, then the same widths.
        assert_eq!(sequence_size(&[0x19, 0x66, 0x67, 0xf5, 0x9c]), size);
    }

    #[test]
    fn payloads_are_summed_up() {
        let sequence = sequence_obu();
        let frame = [obu::FRAME << 3 | HAS_EXTENSION, 1 << 5 | 2 << 3, 0x10, 1];
        // N, W = 2: a sized sequence header and a frame that goes on.
        let len = u8::try_from(sequence.len()).unwrap();
        let payload = [&[0x68, len][..], &sequence, &frame].concat();
        let summed = summary(&payload).unwrap();
        assert!(summed.begins_sequence && summed.unfinished && !summed.continues);
        assert_eq!((summed.layer, summed.size), (Some((1, 2)), Some(Size { width: 640, height: 360 })));
        let rest = summary(&[0x90, 1, 2, 3]).unwrap();
        assert_eq!(rest, Summary { continues: true, ..Summary::default() });
        assert_eq!(summary(&[0x10]), None, "nothing follows");
        assert_eq!(summary(&[0x20, 9, 1]), None, "shorter than it says");
        assert_eq!(summary(&[0x10, 0x80]), None, "the forbidden bit");
    }

    #[test]
    fn units_are_put_together_with_sizes() {
        let frame = [obu::FRAME << 3, 0x30, 7];
        let sized = [0x12, 0, obu::FRAME << 3 | HAS_SIZE, 2, 0x30, 7];
        assert_eq!(unit(&[&[&[0x10][..], &frame].concat()]), Some(sized.to_vec()));
        // The same in two packets, and with a size of every element.
        assert_eq!(unit(&[&[0x50, frame[0]], &[0x90, 0x30, 7]]), Some(sized.to_vec()));
        assert_eq!(unit(&[&[&[0x00, 3][..], &frame].concat()]), Some(sized.to_vec()));
        // A delimiter from the sender does not come twice; a size the OBU has is kept.
        assert_eq!(unit(&[&[0x20, 2, 0x12, 0, obu::FRAME << 3 | 2, 2, 0x30, 7]]), Some(sized.to_vec()));
        // Layers stay.
        assert_eq!(
            unit(&[&[0x10, obu::FRAME << 3 | HAS_EXTENSION, 0x28, 0x30]]),
            Some(vec![0x12, 0, obu::FRAME << 3 | HAS_EXTENSION | HAS_SIZE, 0x28, 1, 0x30])
        );
        assert_eq!(unit(&[]), None);
        assert_eq!(unit(&[&[0x50, frame[0]]]), None, "its end is missing");
        assert_eq!(unit(&[&[0x90, 0x30, 7]]), None, "its beginning is missing");
        assert_eq!(unit(&[&[0x50, frame[0]], &[0x10, 0x30]]), None, "it was interrupted");
        assert_eq!(unit(&[&[0x10, obu::FRAME << 3 | 2, 9, 1]]), None, "its own size is a lie");
    }

    #[test]
    fn key_frames_are_told_from_others() {
        let with = |obus: &[Vec<u8>]| {
            let mut assembler = Assembler::with_capacity(0);
            for obu in obus {
                assembler.push(&[&[0x10][..], obu].concat()).unwrap();
            }
            unit_summary(&assembler.finish().unwrap()).unwrap()
        };
        let (key, delta) = (vec![obu::FRAME << 3, 0x10], vec![obu::FRAME << 3, 0x30]);
        let size = Some(Size { width: 640, height: 360 });
        assert_eq!(
            with(&[sequence_obu(), key.clone(), delta.clone()]),
            UnitSummary { keyframe: true, size, unreadable_sequence: false }
        );
        assert!(!with(&[sequence_obu(), delta.clone()]).keyframe);
        assert_eq!(with(&[key]), UnitSummary::default());
        assert!(with(&[vec![obu::SEQUENCE_HEADER << 3, 0], delta]).unreadable_sequence);
        assert_eq!(unit_summary(&[obu::FRAME << 3, 1]), None, "no size");
        assert_eq!(unit_summary(&[obu::FRAME << 3 | 2, 5, 1]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..4)) {
            let slices: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
            for payload in &slices {
                let _ = summary(payload);
                let _ = unit_summary(payload);
                let _ = sequence_size(payload);
            }
            if let Some(unit) = unit(&slices) {
                prop_assert!(unit_summary(&unit).is_some(), "{:02x?}", unit);
            }
        }
    }
}
