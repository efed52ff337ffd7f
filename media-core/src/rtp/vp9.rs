//! VP9 payload descriptor, RFC 9628 §4.2, and the head of a frame, VP9 bitstream specification §6.2.
//!
//! in:  a payload; a frame
//! out: what the descriptor says, where its numbers lie, and the piece of frame behind it; the size a frame begins with
//!
//! ```text
//!   I P L F B E V Z │ M PictureID │ TID U SID D │ TL0PICIDX │ P_DIFF N … │ SS … │ frame …
//!                                                 not flexible   flexible
//! ```
//!
//! One *frame* is one spatial layer of a picture; all frames of a picture have one timestamp, and the marker is on the
//! last packet of the last of them.

use layouts::Size;

use super::bits::BitReader;
use super::vp8::PictureIdAt;

/// Spatial layers a stream may have: SID has three bits.
pub const MAX_SPATIAL_LAYERS: usize = 8;
/// Pictures a frame refers to at most, in flexible mode and in a group of pictures, §4.2 and §4.2.1.
const MAX_REFERENCES: usize = 3;

/// What the descriptor of one packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// Begins a frame.
    pub begins_frame: bool,
    /// Ends a frame.
    pub ends_frame: bool,
    /// Refers to earlier pictures (P). Without it, a frame refers at most to the layer below in the same picture.
    pub inter_picture: bool,
    /// A key frame begins here: a new decoder can begin with this picture.
    pub keyframe: bool,
    /// References are told per frame (F), rather than by a structure that repeats.
    pub flexible: bool,
    /// 7 or 15 bits.
    pub picture_id: Option<u16>,
    /// Where it lies.
    pub picture_id_at: Option<PictureIdAt>,
    /// Layers, when the stream has any.
    pub layer: Option<Layer>,
    /// Counts the pictures of temporal layer 0; not in flexible mode.
    pub tl0_pic_idx: Option<u8>,
    /// Where that count lies in the payload.
    pub tl0_pic_idx_at: Option<usize>,
    /// Pictures this one refers to, by how much their picture id is smaller; flexible mode.
    pub references: References,
    /// No frame of a higher spatial layer of this picture depends on this one (Z).
    pub not_below_upper: bool,
    /// Sizes of the spatial layers, on key frames and whenever they change.
    pub structure: Option<Structure>,
    /// Bytes of the descriptor.
    pub len: usize,
}

/// Where a frame stands among the layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layer {
    /// TID
    pub temporal_id: u8,
    /// SID
    pub spatial_id: u8,
    /// From here on a receiver may go up to this temporal layer (U).
    pub switching_up_point: bool,
    /// Depends on the layer below in the same picture (D).
    pub inter_layer: bool,
}

/// Up to three references.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct References {
    count: usize,
    diffs: [u8; MAX_REFERENCES],
}

impl References {
    /// By how much each is smaller.
    pub fn iter(&self) -> impl Iterator<Item = u8> + '_ {
        self.diffs.iter().copied().take(self.count)
    }
}

/// The scalability structure, §4.2.1, as far as a forwarder needs it: a repeating group is walked over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Structure {
    /// 1–8.
    pub spatial_layers: u8,
    /// Pixels of each layer, when they are told.
    pub sizes: [Option<Size>; MAX_SPATIAL_LAYERS],
    /// Pictures after which the references repeat; 0 when they are not told.
    pub pictures_in_group: u8,
}

impl Structure {
    /// The size of the largest layer.
    #[must_use]
    pub fn largest(&self) -> Option<Size> {
        self.sizes.iter().rev().copied().find_map(|size| size)
    }
}

/// Takes a payload apart. `None` when the descriptor does not fit, nothing follows it, or it is of no layered stream
/// that could be (four references, more than 8 layers).
#[must_use]
pub fn parse(payload: &[u8]) -> Option<(Descriptor, &[u8])> {
    let mut bytes = Bytes { payload, at: 0 };
    let flags = bytes.take()?;
    let has = |bit: u8| flags & bit != 0;
    let (picture_id, picture_id_at) = if has(0x80) { bytes.picture_id()? } else { (None, None) };
    let flexible = has(0x10);
    let inter_picture = has(0x40);
    let layer = if has(0x20) { Some(layer(bytes.take()?)) } else { None };
    let tl0_pic_idx_at = (layer.is_some() && !flexible).then_some(bytes.at);
    let tl0_pic_idx = if tl0_pic_idx_at.is_some() { Some(bytes.take()?) } else { None };
    let references = if flexible && inter_picture { bytes.references()? } else { References::default() };
    let structure = if has(0x02) { Some(bytes.structure()?) } else { None };
    let rest = payload.get(bytes.at..).filter(|rest| !rest.is_empty())?;
    let begins_frame = has(0x08);
    let spatial_id = layer.map_or(0, |layer| layer.spatial_id);
    let descriptor = Descriptor {
        begins_frame,
        ends_frame: has(0x04),
        inter_picture,
        // P alone does not tell a key frame from one that is only intra coded, on which nothing can begin.
        keyframe: begins_frame && !inter_picture && spatial_id == 0 && is_key_frame(rest),
        flexible,
        picture_id,
        picture_id_at,
        layer,
        tl0_pic_idx,
        tl0_pic_idx_at,
        references,
        not_below_upper: has(0x01),
        structure,
        len: bytes.at,
    };
    Some((descriptor, rest))
}

impl Descriptor {
    /// 0 in a stream without layers.
    #[must_use]
    pub fn spatial_id(&self) -> u8 {
        self.layer.map_or(0, |layer| layer.spatial_id)
    }

    /// 0 in a stream without layers.
    #[must_use]
    pub fn temporal_id(&self) -> u8 {
        self.layer.map_or(0, |layer| layer.temporal_id)
    }

    /// Puts other numbers into the payload this was parsed from, as [`super::vp8::Descriptor::rewrite`].
    pub fn rewrite(&self, payload: &mut [u8], picture_id: u16, tl0_pic_idx: u8) {
        if let Some(at) = self.picture_id_at {
            at.write(payload, picture_id);
        }
        if let Some(place) = self.tl0_pic_idx_at.and_then(|at| payload.get_mut(at)) {
            *place = tl0_pic_idx;
        }
    }
}

fn layer(byte: u8) -> Layer {
    Layer {
        temporal_id: byte >> 5,
        switching_up_point: byte & 0x10 != 0,
        spatial_id: byte >> 1 & 0x07,
        inter_layer: byte & 0x01 != 0,
    }
}

/// A reader that knows where it is.
struct Bytes<'a> {
    payload: &'a [u8],
    at: usize,
}

impl Bytes<'_> {
    fn take(&mut self) -> Option<u8> {
        let byte = *self.payload.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn take_u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes([self.take()?, self.take()?]))
    }

    fn picture_id(&mut self) -> Option<(Option<u16>, Option<PictureIdAt>)> {
        let at = self.at;
        let high = self.take()?;
        if high & 0x80 == 0 {
            return Some((Some(u16::from(high)), Some(PictureIdAt::Seven(at))));
        }
        let id = u16::from_be_bytes([high & 0x7f, self.take()?]);
        Some((Some(id), Some(PictureIdAt::Fifteen(at))))
    }

    fn references(&mut self) -> Option<References> {
        let mut references = References::default();
        loop {
            let byte = self.take()?;
            *references.diffs.get_mut(references.count)? = byte >> 1;
            references.count += 1;
            if byte & 0x01 == 0 {
                return Some(references);
            }
        }
    }

    fn structure(&mut self) -> Option<Structure> {
        let head = self.take()?;
        let spatial_layers = (head >> 5) + 1;
        let mut sizes = [None; MAX_SPATIAL_LAYERS];
        if head & 0x10 != 0 {
            for size in sizes.iter_mut().take(usize::from(spatial_layers)) {
                let (width, height) = (self.take_u16()?, self.take_u16()?);
                *size = Some(Size { width: width.into(), height: height.into() });
            }
        }
        let pictures_in_group = if head & 0x08 == 0 { 0 } else { self.take()? };
        for _ in 0..pictures_in_group {
            let references = self.take()? >> 2 & 0x03;
            for _ in 0..references {
                self.take()?;
            }
        }
        Some(Structure { spatial_layers, sizes, pictures_in_group })
    }
}

/// Whether the frame is a key frame that is meant to be decoded, by its first byte or two.
#[must_use]
pub fn is_key_frame(frame: &[u8]) -> bool {
    Head::read(frame).is_some_and(|head| head.kind == Kind::Key)
}

/// What a frame says of its size before anything is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announced {
    /// It has this size.
    Size(Size),
    /// It has the size of one of the frames it refers to, or only shows one.
    AsBefore,
}

/// The size a frame begins with; `None` when its head is cut, or is of a profile with other than 8 bits and 4:2:0.
#[must_use]
pub fn frame_size(frame: &[u8]) -> Option<Announced> {
    let Head { mut bits, kind } = Head::read(frame)?;
    match kind {
        Kind::Shown => return Some(Announced::AsBefore),
        Kind::Key => {
            sync_code(&mut bits)?;
            color(&mut bits)?;
        }
        Kind::Intra => {
            sync_code(&mut bits)?; // profile 0 has no colour here
            bits.take(8)?; // refresh_frame_flags
        }
        Kind::Inter => {
            bits.take(8)?; // refresh_frame_flags
            bits.take(3 * 4)?; // for each reference its index and sign bias
            for _ in 0..3 {
                if bits.flag()? {
                    return Some(Announced::AsBefore);
                }
            }
        }
    }
    let (width, height) = (bits.take(16)? + 1, bits.take(16)? + 1);
    Some(Announced::Size(Size { width, height }))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Key,
    Intra,
    Inter,
    /// `show_existing_frame`
    Shown,
}

/// The uncompressed header up to where kinds of frames part.
struct Head<'a> {
    bits: BitReader<'a>,
    kind: Kind,
}

impl<'a> Head<'a> {
    fn read(frame: &'a [u8]) -> Option<Self> {
        let mut bits = BitReader::new(frame);
        // frame_marker, then the two bits of the profile: only 0 is negotiated.
        if (bits.take(2)?, bits.take(2)?) != (2, 0) {
            return None;
        }
        if bits.flag()? {
            return Some(Self { bits, kind: Kind::Shown });
        }
        let inter = bits.flag()?;
        let (shown, resilient) = (bits.flag()?, bits.flag()?);
        if !inter {
            return Some(Self { bits, kind: Kind::Key });
        }
        let intra_only = !shown && bits.flag()?;
        if !resilient {
            bits.take(2)?; // reset_frame_context
        }
        Some(Self { bits, kind: if intra_only { Kind::Intra } else { Kind::Inter } })
    }
}

fn sync_code(bits: &mut BitReader<'_>) -> Option<()> {
    (bits.take(24)? == 0x49_8342).then_some(())
}

/// `color_config` of profile 0.
fn color(bits: &mut BitReader<'_>) -> Option<()> {
    const RGB: u32 = 7;
    let space = bits.take(3)?;
    bits.flag()?; // color_range
    (space != RGB).then_some(())
}

/// Puts a picture together: the frames of its layers.
#[derive(Debug, Default)]
pub struct Assembler {
    frames: Vec<Vec<u8>>,
    open: bool,
}

impl Assembler {
    /// Adds the next payload. `None` when it is malformed or does not continue what was begun: the picture is lost.
    pub fn push(&mut self, payload: &[u8]) -> Option<()> {
        let (descriptor, piece) = parse(payload)?;
        if descriptor.begins_frame == self.open {
            return None;
        }
        if descriptor.begins_frame {
            if self.frames.len() == MAX_SPATIAL_LAYERS {
                return None;
            }
            self.frames.push(Vec::new());
        }
        self.frames.last_mut()?.extend_from_slice(piece);
        self.open = !descriptor.ends_frame;
        Some(())
    }

    /// The picture as a [`superframe`]. `None` when a frame is still open.
    #[must_use]
    pub fn finish(self) -> Option<Vec<u8>> {
        if self.open { None } else { superframe(&self.frames) }
    }
}

/// A picture's frames behind each other with the index that tells them apart, annex B.
///
/// The index is always written, also for one frame: a decoder then takes exactly these bytes for each frame, and never
/// looks for further frames behind one.
#[must_use]
pub fn superframe<F: AsRef<[u8]>>(frames: &[F]) -> Option<Vec<u8>> {
    if frames.is_empty() || frames.len() > MAX_SPATIAL_LAYERS {
        return None;
    }
    let total: usize = frames.iter().map(|frame| frame.as_ref().len()).sum();
    let mut out = Vec::with_capacity(total + 2 + 4 * frames.len());
    for frame in frames {
        out.extend_from_slice(frame.as_ref());
    }
    let count = u8::try_from(frames.len() - 1).ok()?;
    let marker = 0xc0 | 3 << 3 | count;
    out.push(marker);
    for frame in frames {
        out.extend_from_slice(&u32::try_from(frame.as_ref().len()).ok()?.to_le_bytes());
    }
    out.push(marker);
    Some(out)
}

/// The frames of a superframe in order, empty ones left out; `None` when there is no index, or it does not cover all.
#[must_use]
pub fn frames_of(data: &[u8]) -> Option<Vec<&[u8]>> {
    let (&marker, _) = data.split_last()?;
    if marker & 0xe0 != 0xc0 {
        return None;
    }
    let (count, width) = (usize::from(marker & 0x07) + 1, usize::from(marker >> 3 & 0x03) + 1);
    let at = data.len().checked_sub(2 + count * width)?;
    let (mut rest, index) = data.split_at_checked(at)?;
    if index.first() != Some(&marker) {
        return None;
    }
    let mut frames = Vec::with_capacity(count);
    for size in index.get(1..)?.chunks_exact(width).take(count) {
        let size = size.iter().rev().fold(0, |size, byte| size << 8 | usize::from(*byte));
        let (frame, after) = rest.split_at_checked(size)?;
        if !frame.is_empty() {
            frames.push(frame);
        }
        rest = after;
    }
    (rest.is_empty() && !frames.is_empty()).then_some(frames)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(payload: &[u8]) -> Option<Descriptor> {
        parse(payload).map(|(descriptor, _)| descriptor)
    }

    /// A key frame of 640×360: marker 2, profile 0, shown, resilient, sync code, BT.601, the size.
    const KEY: [u8; 10] = [0x83, 0x49, 0x83, 0x42, 0x20, 0x27, 0xf0, 0x16, 0x70, 0];
    const DELTA: [u8; 2] = [0x86, 0];

    fn with_frame(head: &[u8], frame: &[u8]) -> Vec<u8> {
        [head, frame].concat()
    }

    #[test]
    fn a_stream_without_layers() {
        let key = parsed(&with_frame(&[0x8c, 0x81, 0x02], &KEY)).unwrap();
        assert!(key.keyframe && key.begins_frame && key.ends_frame && !key.inter_picture);
        assert_eq!(
            (key.picture_id, key.picture_id_at, key.len),
            (Some(0x102), Some(PictureIdAt::Fifteen(1)), 3)
        );
        assert_eq!((key.layer, key.tl0_pic_idx, key.structure), (None, None, None));
        let delta = parsed(&with_frame(&[0xc8, 0x7f], &DELTA)).unwrap();
        assert!(!delta.keyframe && !delta.ends_frame);
        assert_eq!(delta.picture_id_at, Some(PictureIdAt::Seven(1)));
        // Without P, but coded against others: not a key frame.
        assert!(!parsed(&with_frame(&[0x88, 0x7f], &DELTA)).unwrap().keyframe);
        // The middle of a key frame does not begin one.
        assert!(!parsed(&with_frame(&[0x80, 0x7f], &KEY)).unwrap().keyframe);
    }

    #[test]
    fn layers_in_both_modes() {
        // I, P, L, B; TID 2, U, SID 1, D; TL0PICIDX 9.
        let steady = parsed(&with_frame(&[0xe8, 0x81, 0x02, 0x53, 9], &DELTA)).unwrap();
        let layer = Layer { temporal_id: 2, spatial_id: 1, switching_up_point: true, inter_layer: true };
        assert_eq!(
            (steady.layer, steady.tl0_pic_idx, steady.tl0_pic_idx_at),
            (Some(layer), Some(9), Some(4))
        );
        assert_eq!((steady.spatial_id(), steady.temporal_id(), steady.len), (1, 2, 5));
        // The same, flexible, with two references.
        let flexible = parsed(&with_frame(&[0xf8, 0x81, 0x02, 0x53, 1 << 1 | 1, 5 << 1], &DELTA)).unwrap();
        assert_eq!(flexible.references.iter().collect::<Vec<_>>(), [1, 5]);
        assert_eq!((flexible.tl0_pic_idx, flexible.tl0_pic_idx_at, flexible.len), (None, None, 6));
        // A key picture's upper layer is no place to begin.
        assert!(!parsed(&with_frame(&[0xa8, 1, 0x03, 9], &KEY)).unwrap().keyframe);
        assert_eq!(parse(&with_frame(&[0xf8, 1, 0x53, 3, 3, 3, 2], &DELTA)), None, "a fourth reference");
        assert_eq!(parse(&[0xf8, 1, 0x53, 3]), None, "a reference that is not there");
    }

    #[test]
    fn the_structure_tells_sizes_and_its_group_is_passed_over() {
        // L, B, V; two layers with sizes, a group of two pictures with one and two references.
        let head = [0x2a, 0x00, 7, 0x38, 1, 64, 0, 180, 2, 128, 1, 104, 2, 0x04, 1, 0x28, 1, 2];
        let descriptor = parsed(&with_frame(&head, &KEY)).unwrap();
        let structure = descriptor.structure.unwrap();
        assert_eq!(structure.spatial_layers, 2);
        assert_eq!(structure.sizes[0], Some(Size { width: 320, height: 180 }));
        assert_eq!(structure.largest(), Some(Size { width: 640, height: 360 }));
        assert_eq!((structure.pictures_in_group, descriptor.len), (2, head.len()));
        assert!(descriptor.keyframe);
        for cut in 1..head.len() {
            assert_eq!(parse(&head[..cut]), None, "cut at {cut}");
        }
    }

    #[test]
    fn sizes_of_frames() {
        let size = |width, height| Some(Announced::Size(Size { width, height }));
        assert_eq!(frame_size(&KEY), size(640, 360));
        assert_eq!(frame_size(&KEY[..8]), None);
        assert_eq!(frame_size(&[0x88]), Some(Announced::AsBefore), "an existing frame is shown");
        assert_eq!(frame_size(&[0x93, 0x49]), None, "another profile");
        assert_eq!(frame_size(&[0x83, 0x49, 0x83, 0x43, 0x20, 0x27, 0xf0, 0x16, 0x70, 0]), None);
        // Inter, resilient: refresh flags, references, then: the size of the second of them.
        assert_eq!(frame_size(&[0x87, 0xff, 0, 0x04, 0, 0]), Some(Announced::AsBefore));
        // None of them: a size of its own.
        assert_eq!(frame_size(&[0x87, 0xff, 0x00, 0x00, 0x04, 0xfe, 0x02, 0xce]), size(640, 360));
        assert_eq!(frame_size(&[]), None);
    }

    #[test]
    fn superframes_come_apart_as_they_were_put_together() {
        let frames: [&[u8]; 3] = [&KEY, &DELTA, &[9; 700]];
        let data = superframe(&frames).unwrap();
        assert_eq!(frames_of(&data), Some(frames.to_vec()));
        assert_eq!(frames_of(&superframe(&[&KEY]).unwrap()), Some(vec![&KEY[..]]));
        assert_eq!(frames_of(&KEY), None);
        assert_eq!(frames_of(&data[1..]), None, "the index does not cover it");
        assert_eq!(superframe::<&[u8]>(&[]), None);
        assert_eq!(superframe(&[&DELTA; 9]), None);
    }

    #[test]
    fn pictures_are_put_together_layer_by_layer() {
        let assembled = |payloads: &[&[u8]]| {
            let mut assembler = Assembler::default();
            payloads.iter().try_for_each(|payload| assembler.push(payload))?;
            assembler.finish()
        };
        // B and E; the lower layer in two packets.
        let pieces: [&[u8]; 3] = [&[0x28, 0x00, 1, 7], &[0x24, 0x00, 1, 8], &[0x2c, 0x03, 1, 9]];
        assert_eq!(assembled(&pieces), superframe(&[&[7, 8][..], &[9]]));
        assert_eq!(assembled(&pieces[..1]), None, "its end is missing");
        assert_eq!(assembled(&pieces[1..]), None, "its beginning is missing");
        assert_eq!(assembled(&[pieces[0], pieces[2]]), None, "a frame within a frame");
        assert_eq!(assembled(&[pieces[2]; 9]), None, "more layers than there are");
        assert_eq!(assembled(&[]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(payload in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Some((descriptor, rest)) = parse(&payload) {
                prop_assert_eq!(descriptor.len + rest.len(), payload.len());
                let mut rewritten = payload.clone();
                descriptor.rewrite(&mut rewritten, 0x1234, 5);
                let (again, _) = parse(&rewritten).unwrap();
                prop_assert_eq!(again.picture_id.is_some(), descriptor.picture_id.is_some());
                prop_assert_eq!((again.layer, again.references, again.len),
                    (descriptor.layer, descriptor.references, descriptor.len));
            }
            let _ = frame_size(&payload);
            let _ = frames_of(&payload);
        }
    }
}
