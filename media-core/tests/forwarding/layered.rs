//! One stream with three spatial and three temporal layers, as VP9 and AV1 carry it.
//!
//! ```text
//!   S2 │ ■──■──■──■──■      T0 T2 T1 T2: refers to the same layer 4, 1, 2, 1 pictures before …
//!   S1 │ ■──■──■──■──■
//!   S0 │ ■──■──■──■──■      … and each but S0 to the layer below in the same picture
//! ```

use std::sync::Arc;

use layouts::Size;
use media_core::rtp::dependency::{Descriptor, Few, Frame, Indication, Resolution, Structure};

/// Spatial and temporal layers.
pub const LAYERS: u8 = 3;
/// How far before is the picture that each of the pattern refers to.
pub const BACK: [u8; 4] = [4, 1, 2, 1];
const TEMPORAL: [u8; 4] = [0, 2, 1, 2];
pub const SIZES: [Size; 3] =
    [Size { width: 320, height: 180 }, Size { width: 640, height: 360 }, Size { width: 1280, height: 720 }];

/// Where a frame stands.
#[derive(Clone, Copy, Debug)]
pub struct At {
    pub spatial: u8,
    /// Since the key picture, modulo 4.
    pub step: usize,
    pub keyframe: bool,
}

/// The descriptor of a VP9 payload; RFC 9628 §4.2, not flexible.
pub fn vp9(at: At, (first, last): (bool, bool), picture_id: u16, tl0: u8) -> Vec<u8> {
    let temporal = TEMPORAL[at.step];
    let [high, low] = (0x8000 | picture_id).to_be_bytes();
    let structure = at.keyframe && at.spatial == 0 && first;
    let flags = 0xa0
        | u8::from(!at.keyframe) << 6
        | u8::from(first) << 3
        | u8::from(last) << 2
        | u8::from(structure) << 1;
    let up = u8::from(at.step < 3);
    let mut out =
        vec![flags, high, low, temporal << 5 | up << 4 | at.spatial << 1 | u8::from(at.spatial > 0), tl0];
    if structure {
        out.push((LAYERS - 1) << 5 | 0x10);
        for size in SIZES {
            out.extend((size.width as u16).to_be_bytes());
            out.extend((size.height as u16).to_be_bytes());
        }
    }
    if first && at.keyframe && at.spatial == 0 {
        out.extend([0x83, 0x49, 0x83, 0x42, 0x20, 0x27, 0xf0, 0x16, 0x70, 0]);
    } else if first {
        out.extend([0x86, 0]);
    }
    out
}

/// The structure of the AV1 stream: targets in the order of their spatial, then temporal layer.
pub fn structure(template_id_offset: u8) -> Structure {
    let mut templates = Vec::new();
    for spatial in 0..LAYERS {
        templates.push(frame(At { spatial, step: 0, keyframe: true }));
        for step in [0, 2, 1] {
            templates.push(frame(At { spatial, step, keyframe: false }));
        }
    }
    Structure {
        template_id_offset,
        decode_targets: LAYERS * LAYERS,
        templates,
        protected_by: Few::default(),
        chains: 0,
        resolutions: SIZES.into_iter().filter_map(Resolution::of).collect(),
    }
}

fn frame(at: At) -> Frame {
    let temporal = TEMPORAL[at.step];
    let mut references: Few<u16, 8> = Few::default();
    if !at.keyframe {
        references.push(u16::from(BACK[at.step] * LAYERS)).unwrap();
    }
    if at.spatial > 0 {
        references.push(1).unwrap();
    }
    let indication = |target: u8| {
        let (upto, pictures) = (target / LAYERS, target % LAYERS);
        if at.spatial > upto || temporal > pictures {
            Indication::NotPresent
        } else if at.keyframe || at.spatial == upto && temporal < 2 {
            Indication::Switch
        } else if at.spatial == upto {
            Indication::Discardable
        } else {
            Indication::Required
        }
    };
    Frame {
        spatial_id: at.spatial,
        temporal_id: temporal,
        indications: (0..LAYERS * LAYERS).map(indication).collect(),
        references,
        chains: Few::default(),
    }
}

/// The dependency descriptor of a frame's packet.
pub fn described(structure: &Arc<Structure>, at: At, number: u16, (first, last): (bool, bool)) -> Vec<u8> {
    let of_layer = u8::from(!at.keyframe) + [0, 2, 1, 2][at.step];
    let begins = at.keyframe && at.spatial == 0 && first;
    let descriptor = Descriptor {
        begins_frame: first,
        ends_frame: last,
        template_id: structure.template_id_offset.wrapping_add(at.spatial * 4 + of_layer) & 0x3f,
        frame_number: number,
        structure: begins.then(|| Arc::clone(structure)),
        active: None,
        frame: frame(at),
    };
    let mut out = Vec::new();
    assert!(descriptor.write(Some(structure), &mut out));
    out
}

/// Temporal layer of a step.
pub fn temporal(step: usize) -> u8 {
    TEMPORAL[step]
}
