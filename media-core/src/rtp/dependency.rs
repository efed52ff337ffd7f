//! Dependency descriptor, a header extension: AV1 RTP payload format, appendix A.
//!
//! in:  an extension's bytes, the structure the stream announced with its last key frame
//! out: the frame's layers, what it means for each decode target, its references and chains; and the way back
//!
//! ```text
//!   start end template number │ structure? active? custom? │ structure … │ active targets │ custom values …
//!   3 bytes, mandatory          5 bits, only when there is more than 3 bytes
//! ```
//!
//! A *template* is what many frames have in common; a packet names one and tells only what differs. A *decode target*
//! is a spatial and temporal quality; a *chain* is the frames a target cannot do without. Everything is bounded: at most
//! 64 templates (their ids have six bits), 32 decode targets and chains (five bits), [`MAX_REFERENCES`] references.
//! Only a structure is allocated, so only for key frames.

use std::sync::Arc;

use layouts::Size;

use super::bits::{BitReader, BitWriter};

/// Ids of templates have six bits.
pub const MAX_TEMPLATES: usize = 64;
/// Decode targets are counted by five bits, and there are no more chains than targets.
pub const MAX_TARGETS: usize = 32;
/// Frames that one frame refers to. AV1 has seven reference frames, and one more for its contexts.
pub const MAX_REFERENCES: usize = 8;
/// Length of what every packet has, A.8.2.
const MANDATORY: usize = 3;
/// What fits into a header extension, RFC 8285 §4.3.
const MAX_LEN: usize = 255;
/// Largest difference a template, and a frame of its own, can tell.
const TEMPLATE_DIFF: u16 = 16;
const FRAME_DIFF: u16 = 1 << 12;

/// What a frame means for a decode target, table A.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Indication {
    /// Not part of it.
    #[default]
    NotPresent,
    /// Part of it, and nothing in it refers to the frame.
    Discardable,
    /// Part of it; when the frame can be decoded, so can all that follow in the target.
    Switch,
    /// Part of it.
    Required,
}

impl Indication {
    fn of(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::NotPresent,
            1 => Self::Discardable,
            2 => Self::Switch,
            _ => Self::Required,
        }
    }

    fn bits(self) -> u32 {
        match self {
            Self::NotPresent => 0,
            Self::Discardable => 1,
            Self::Switch => 2,
            Self::Required => 3,
        }
    }
}

/// At most `N` values, kept in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Few<T, const N: usize> {
    len: usize,
    values: [T; N],
}

impl<T: Copy + Default, const N: usize> Default for Few<T, N> {
    fn default() -> Self {
        Self { len: 0, values: [T::default(); N] }
    }
}

impl<T: Copy + Default, const N: usize> Few<T, N> {
    /// Adds one; `None` when it is full.
    pub fn push(&mut self, value: T) -> Option<()> {
        *self.values.get_mut(self.len)? = value;
        self.len += 1;
        Some(())
    }

    /// The values.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        self.values.get(..self.len).unwrap_or_default()
    }

    /// One of them.
    #[must_use]
    pub fn at(&self, index: usize) -> Option<T> {
        self.as_slice().get(index).copied()
    }
}

impl<T: Copy + Default, const N: usize> FromIterator<T> for Few<T, N> {
    /// What is beyond `N` is left out.
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let mut few = Self::default();
        values.into_iter().map_while(|value| few.push(value)).for_each(drop);
        few
    }
}

/// What a packet says of its frame, or a template of many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// Spatial layer.
    pub spatial_id: u8,
    /// Temporal layer.
    pub temporal_id: u8,
    /// For each decode target.
    pub indications: Few<Indication, MAX_TARGETS>,
    /// Frames this one refers to, by how much their number is smaller.
    pub references: Few<u16, MAX_REFERENCES>,
    /// For each chain by how much the number of its frame before is smaller; 0: the chain begins here.
    pub chains: Few<u8, MAX_TARGETS>,
}

/// The structure of a coded video sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Structure {
    /// Id of the first template.
    pub template_id_offset: u8,
    /// 1–32.
    pub decode_targets: u8,
    /// 1–64, in the order of their spatial and, within it, temporal layer.
    pub templates: Vec<Frame>,
    /// For each decode target its chain; empty without chains.
    pub protected_by: Few<u8, MAX_TARGETS>,
    /// How many chains.
    pub chains: u8,
    /// Pixels of each spatial layer; empty when they are not told.
    pub resolutions: Few<Resolution, 4>,
}

/// Width and height less one, as they travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resolution {
    width_minus_1: u16,
    height_minus_1: u16,
}

impl Resolution {
    /// Of these sides; `None` when one is 0 or beyond 16 bits.
    #[must_use]
    pub fn of(size: Size) -> Option<Self> {
        let narrow = |side: u32| u16::try_from(side.checked_sub(1)?).ok();
        Some(Self { width_minus_1: narrow(size.width)?, height_minus_1: narrow(size.height)? })
    }

    /// In pixels.
    #[must_use]
    pub fn size(self) -> Size {
        Size { width: u32::from(self.width_minus_1) + 1, height: u32::from(self.height_minus_1) + 1 }
    }
}

/// A set of decode targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Targets(pub u32);

impl Targets {
    /// The first `count` of them.
    #[must_use]
    pub fn first(count: u8) -> Self {
        Self(1_u32.checked_shl(count.into()).map_or(u32::MAX, |bit| bit - 1))
    }

    /// These; beyond the 32nd there is none.
    #[must_use]
    pub fn of(targets: impl IntoIterator<Item = usize>) -> Self {
        let bits = targets.into_iter().filter_map(|target| 1_u32.checked_shl(u32::try_from(target).ok()?));
        Self(bits.fold(0, |all, bit| all | bit))
    }

    /// Whether it is among them.
    #[must_use]
    pub fn has(self, target: usize) -> bool {
        u32::try_from(target).ok().and_then(|bit| self.0.checked_shr(bit)).is_some_and(|bits| bits & 1 == 1)
    }
}

/// One packet's descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// The first packet of its frame.
    pub begins_frame: bool,
    /// The last packet of its frame.
    pub ends_frame: bool,
    /// The template it names.
    pub template_id: u8,
    /// Counts frames, modulo 65536.
    pub frame_number: u16,
    /// A new coded video sequence begins with this packet.
    pub structure: Option<Arc<Structure>>,
    /// From here on these decode targets are sent. `None`: nothing changes, or all when there is a structure.
    pub active: Option<Targets>,
    /// The template's values with what the packet says of its own.
    pub frame: Frame,
}

/// Why a descriptor is not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is cut, or beyond the bounds.
    #[error("malformed dependency descriptor")]
    Malformed,
    /// It leans on a structure that has not come, or on a template that the known one does not have.
    #[error("no structure for this dependency descriptor")]
    NoStructure,
}

impl Structure {
    /// The template of this id.
    #[must_use]
    pub fn template(&self, id: u8) -> Option<&Frame> {
        self.templates.get(usize::from(id.wrapping_sub(self.template_id_offset) & 0x3f))
    }

    /// Spatial and temporal layer of a decode target: the highest of any template in it.
    #[must_use]
    pub fn layer_of(&self, target: usize) -> (u8, u8) {
        let parts = self.templates.iter().filter(|template| {
            template.indications.at(target).is_some_and(|indication| indication != Indication::NotPresent)
        });
        parts.fold((0, 0), |(spatial, temporal), part| {
            (spatial.max(part.spatial_id), temporal.max(part.temporal_id))
        })
    }

    /// The highest spatial and temporal layer of any frame.
    #[must_use]
    pub fn highest_layer(&self) -> (u8, u8) {
        self.templates.iter().fold((0, 0), |(spatial, temporal), part| {
            (spatial.max(part.spatial_id), temporal.max(part.temporal_id))
        })
    }

    /// Pixels of a spatial layer.
    #[must_use]
    pub fn size_of(&self, spatial_id: u8) -> Option<Size> {
        self.resolutions.at(spatial_id.into()).map(Resolution::size)
    }

    fn read(bits: &mut BitReader<'_>) -> Option<Self> {
        let template_id_offset = bits.small(6)?;
        let decode_targets = bits.small(5)? + 1;
        let mut templates = read_layers(bits)?;
        for template in &mut templates {
            template.indications = read_indications(bits, decode_targets)?;
        }
        for template in &mut templates {
            while bits.flag()? {
                template.references.push(u16::from(bits.small(4)?) + 1)?;
            }
        }
        let chains = u8::try_from(bits.below(u32::from(decode_targets) + 1)?).ok()?;
        let mut protected_by = Few::default();
        if chains > 0 {
            for _ in 0..decode_targets {
                protected_by.push(u8::try_from(bits.below(chains.into())?).ok()?)?;
            }
            for template in &mut templates {
                for _ in 0..chains {
                    template.chains.push(bits.small(4)?)?;
                }
            }
        }
        let mut resolutions = Few::default();
        if bits.flag()? {
            let layers = templates.last().map_or(0, |template| template.spatial_id) + 1;
            for _ in 0..layers {
                let (width, height) = (bits.take(16)?, bits.take(16)?);
                let narrow = |side| u16::try_from(side).ok();
                let resolution =
                    Resolution { width_minus_1: narrow(width)?, height_minus_1: narrow(height)? };
                resolutions.push(resolution)?;
            }
        }
        Some(Self { template_id_offset, decode_targets, templates, protected_by, chains, resolutions })
    }

    /// `None` when it cannot be written: it was not made by the rules of the type.
    fn write(&self, bits: &mut BitWriter<'_>) -> Option<()> {
        bits.put(6, self.template_id_offset.into());
        bits.put(5, u32::from(self.decode_targets).checked_sub(1)?);
        write_layers(bits, &self.templates)?;
        for template in &self.templates {
            write_indications(bits, &template.indications, self.decode_targets);
        }
        for template in &self.templates {
            for diff in template.references.as_slice() {
                bits.flag(true);
                bits.put(4, u32::from(*diff).checked_sub(1)?);
            }
            bits.flag(false);
        }
        bits.put_below(u32::from(self.decode_targets) + 1, self.chains.into());
        if self.chains > 0 {
            for target in 0..usize::from(self.decode_targets) {
                bits.put_below(self.chains.into(), self.protected_by.at(target)?.into());
            }
            for template in &self.templates {
                for chain in 0..usize::from(self.chains) {
                    bits.put(4, template.chains.at(chain)?.into());
                }
            }
        }
        bits.flag(!self.resolutions.as_slice().is_empty());
        for resolution in self.resolutions.as_slice() {
            bits.put(16, resolution.width_minus_1.into());
            bits.put(16, resolution.height_minus_1.into());
        }
        Some(())
    }

    /// Whether templates can tell these values; a structure from the network always can.
    fn is_writable(&self) -> bool {
        let layers = self.templates.last().map_or(0, |template| usize::from(template.spatial_id) + 1);
        let told = self.resolutions.as_slice().len();
        (1..=MAX_TEMPLATES).contains(&self.templates.len())
            && (1..=MAX_TARGETS).contains(&usize::from(self.decode_targets))
            && self.chains <= self.decode_targets
            && (told == 0 || told == layers)
            && self.templates.iter().all(|template| {
                template.references.as_slice().iter().all(|diff| (1..=TEMPLATE_DIFF).contains(diff))
                    && template.chains.as_slice().iter().all(|diff| *diff < 16)
            })
    }
}

/// `template_layers`: templates with their layers and nothing else yet.
fn read_layers(bits: &mut BitReader<'_>) -> Option<Vec<Frame>> {
    let mut templates = Vec::new();
    let (mut spatial_id, mut temporal_id) = (0, 0);
    loop {
        if templates.len() == MAX_TEMPLATES {
            return None;
        }
        templates.push(Frame { spatial_id, temporal_id, ..Frame::default() });
        match bits.take(2)? {
            0 => {}
            1 => temporal_id += 1,
            2 => (spatial_id, temporal_id) = (spatial_id + 1, 0),
            _ => break,
        }
        if spatial_id > 3 || temporal_id > 7 {
            return None; // AV1 §6.2.3: two and three bits
        }
    }
    Some(templates)
}

fn write_layers(bits: &mut BitWriter<'_>, templates: &[Frame]) -> Option<()> {
    for (before, after) in templates.iter().zip(templates.iter().skip(1)) {
        let layer = |template: &Frame| (template.spatial_id, template.temporal_id);
        let (spatial, temporal) = layer(before);
        let step = match layer(after) {
            same if same == (spatial, temporal) => 0,
            next if next == (spatial, temporal.wrapping_add(1)) => 1,
            next if next == (spatial.wrapping_add(1), 0) => 2,
            _ => return None,
        };
        bits.put(2, step);
    }
    bits.put(2, 3);
    Some(())
}

fn read_indications(bits: &mut BitReader<'_>, targets: u8) -> Option<Few<Indication, MAX_TARGETS>> {
    let mut indications = Few::default();
    for _ in 0..targets {
        indications.push(Indication::of(bits.small(2)?))?;
    }
    Some(indications)
}

fn write_indications(bits: &mut BitWriter<'_>, indications: &Few<Indication, MAX_TARGETS>, targets: u8) {
    for target in 0..usize::from(targets) {
        bits.put(2, indications.at(target).unwrap_or_default().bits());
    }
}

impl Descriptor {
    /// Reads the extension of a packet. `known` is the structure of the stream so far; the descriptor's own goes first.
    ///
    /// # Errors
    /// [`Unreadable`]
    pub fn parse(bytes: &[u8], known: Option<&Structure>) -> Result<Self, Unreadable> {
        let mut bits = BitReader::new(bytes);
        let head = Head::read(&mut bits).ok_or(Unreadable::Malformed)?;
        let mut extended = Extended::default();
        if bytes.len() > MANDATORY {
            extended = Extended::read(&mut bits).ok_or(Unreadable::Malformed)?;
        }
        let structure = if extended.has_structure {
            Some(Arc::new(Structure::read(&mut bits).ok_or(Unreadable::Malformed)?))
        } else {
            None
        };
        let valid = structure.as_deref().or(known).ok_or(Unreadable::NoStructure)?;
        let template = valid.template(head.template_id).ok_or(Unreadable::NoStructure)?;
        let (active, frame) =
            read_frame(&mut bits, extended, valid, template).ok_or(Unreadable::Malformed)?;
        let Head { begins_frame, ends_frame, template_id, frame_number } = head;
        Ok(Self { begins_frame, ends_frame, template_id, frame_number, structure, active, frame })
    }

    /// Appends the extension's bytes. `known` as in [`Self::parse`]. Nothing is appended and `false` comes back when it
    /// cannot be told: no structure, values beyond the bounds, or more than fits into an extension.
    pub fn write(&self, known: Option<&Structure>, out: &mut Vec<u8>) -> bool {
        let begin = out.len();
        let written = self.write_all(known, out).is_some() && out.len() - begin <= MAX_LEN;
        if !written {
            out.truncate(begin);
        }
        written
    }

    fn write_all(&self, known: Option<&Structure>, out: &mut Vec<u8>) -> Option<()> {
        let valid = self.structure.as_deref().or(known)?;
        let template = valid.template(self.template_id)?;
        let mut bits = BitWriter::new(out);
        bits.flag(self.begins_frame);
        bits.flag(self.ends_frame);
        bits.put(6, self.template_id.into());
        bits.put(16, self.frame_number.into());
        let frame = &self.frame;
        let extended = Extended {
            has_structure: self.structure.is_some(),
            has_active: self.active.is_some(),
            own_indications: frame.indications != template.indications,
            own_references: frame.references != template.references,
            own_chains: frame.chains != template.chains,
        };
        if extended == Extended::default() {
            return Some(());
        }
        extended.write(&mut bits);
        if let Some(structure) = self.structure.as_deref() {
            structure.is_writable().then(|| structure.write(&mut bits))??;
        }
        if let Some(Targets(active)) = self.active {
            bits.put(valid.decode_targets.into(), active);
        }
        if extended.own_indications {
            write_indications(&mut bits, &frame.indications, valid.decode_targets);
        }
        if extended.own_references {
            write_references(&mut bits, &frame.references)?;
        }
        if extended.own_chains {
            for chain in 0..usize::from(valid.chains) {
                bits.put(8, frame.chains.at(chain)?.into());
            }
        }
        Some(())
    }

    /// A new decoder can begin with this frame: a structure comes with it and it refers to nothing.
    #[must_use]
    pub fn is_key_frame(&self) -> bool {
        self.structure.is_some() && self.frame.references.as_slice().is_empty()
    }
}

/// A stream's structures, kept for the packets that lean on them.
#[derive(Clone, Debug, Default)]
pub struct Tracker {
    current: Option<Arc<Structure>>,
    /// Packets of the sequence before may come late. Its templates have other ids.
    before: Option<Arc<Structure>>,
}

impl Tracker {
    /// Reads the extension of the stream's next packet, with the structure it leans on.
    ///
    /// # Errors
    /// [`Unreadable`]
    pub fn read(&mut self, bytes: &[u8]) -> Result<(Descriptor, Arc<Structure>), Unreadable> {
        let mut result = Err(Unreadable::NoStructure);
        for known in [&self.current, &self.before] {
            result = Descriptor::parse(bytes, known.as_deref()).and_then(|descriptor| {
                let own = descriptor.structure.as_ref().or(known.as_ref());
                let structure = own.map(Arc::clone).ok_or(Unreadable::NoStructure)?;
                Ok((descriptor, structure))
            });
            if result != Err(Unreadable::NoStructure) {
                break;
            }
        }
        if let Ok((descriptor, structure)) = &result
            && descriptor.structure.is_some()
            && self.current.as_ref() != Some(structure)
        {
            self.before = self.current.replace(Arc::clone(structure));
        }
        result
    }
}

/// What every packet has.
struct Head {
    begins_frame: bool,
    ends_frame: bool,
    template_id: u8,
    frame_number: u16,
}

impl Head {
    fn read(bits: &mut BitReader<'_>) -> Option<Self> {
        Some(Self {
            begins_frame: bits.flag()?,
            ends_frame: bits.flag()?,
            template_id: bits.small(6)?,
            frame_number: u16::try_from(bits.take(16)?).ok()?,
        })
    }
}

/// What follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "the five flags of the wire, independent of each other")]
struct Extended {
    has_structure: bool,
    has_active: bool,
    own_indications: bool,
    own_references: bool,
    own_chains: bool,
}

impl Extended {
    fn read(bits: &mut BitReader<'_>) -> Option<Self> {
        Some(Self {
            has_structure: bits.flag()?,
            has_active: bits.flag()?,
            own_indications: bits.flag()?,
            own_references: bits.flag()?,
            own_chains: bits.flag()?,
        })
    }

    fn write(self, bits: &mut BitWriter<'_>) {
        bits.flag(self.has_structure);
        bits.flag(self.has_active);
        bits.flag(self.own_indications);
        bits.flag(self.own_references);
        bits.flag(self.own_chains);
    }
}

/// What a packet tells of its own, over the values of its template.
fn read_frame(
    bits: &mut BitReader<'_>,
    extended: Extended,
    structure: &Structure,
    template: &Frame,
) -> Option<(Option<Targets>, Frame)> {
    let active = if extended.has_active { Some(bits.take(structure.decode_targets.into())?) } else { None };
    let mut frame = *template;
    if extended.own_indications {
        frame.indications = read_indications(bits, structure.decode_targets)?;
    }
    if extended.own_references {
        frame.references = read_references(bits)?;
    }
    if extended.own_chains {
        frame.chains = Few::default();
        for _ in 0..structure.chains {
            frame.chains.push(bits.small(8)?)?;
        }
    }
    Some((active.map(Targets), frame))
}

/// `frame_fdiffs`: each difference in as many half bytes as it says.
fn read_references(bits: &mut BitReader<'_>) -> Option<Few<u16, MAX_REFERENCES>> {
    let mut references = Few::default();
    loop {
        match bits.take(2)? {
            0 => return Some(references),
            halves => references.push(u16::try_from(bits.take(4 * halves)? + 1).ok()?)?,
        }
    }
}

fn write_references(bits: &mut BitWriter<'_>, references: &Few<u16, MAX_REFERENCES>) -> Option<()> {
    for diff in references.as_slice() {
        let value = diff.checked_sub(1).filter(|value| *value < FRAME_DIFF)?;
        let halves = match value {
            0..=0xf => 1,
            0x10..=0xff => 2,
            _ => 3,
        };
        bits.put(2, halves);
        bits.put(4 * halves, value.into());
    }
    bits.put(2, 0);
    Some(())
}

#[cfg(test)]
#[path = "dependency_tests.rs"]
mod tests;
