//! What a forwarder wants to know of a payload, whatever its codec.
//!
//! in:  a payload, its codec, the marker bit, the dependency descriptor when the packet has one
//! out: [`PayloadInfo`]; [`Layering`], what a stream that can be cut tells for that
//!
//! A *frame* is what is kept or dropped as a whole: a picture, or one spatial layer of it. A stream without layers has
//! everything in layer 0.

use std::sync::Arc;

use layouts::Size;

use super::dependency::{Descriptor, Indication, Structure};
use super::{PictureNumbers, av1, h264, vp8, vp9};
use crate::units::VideoCodec;

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "independent properties of a packet, as its headers tell them"
)]
pub struct PayloadInfo {
    /// Certainly the first packet of a frame.
    pub begins: bool,
    /// The last packet of a frame.
    pub ends: bool,
    /// With this packet a new receiver can begin: the first of a key picture. H.264: of the packets of an IDR picture the
    /// one with its parameter sets.
    pub keyframe: bool,
    /// 0 is the smallest.
    pub spatial_id: u8,
    /// 0 is the slowest.
    pub temporal_id: u8,
    /// From here on a receiver of fewer temporal layers can go up: to this frame's layer (VP8, AV1), or to any behind it
    /// (VP9).
    pub is_switching_point: bool,
    /// Nothing refers to this frame: it can be left out of a stream for good.
    pub discardable: bool,
    /// Pixels, when this packet tells them; of a layered stream those of its largest layer.
    pub size: Option<Size>,
    /// Numbers that each viewer needs of its own.
    pub numbers: Option<PictureNumbers>,
}

/// Where a packet stands among the layers of a stream that can be cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layering {
    /// Nothing is told, or temporal layers only, which [`PayloadInfo`] tells.
    Plain,
    /// RFC 9628.
    Vp9(vp9::Descriptor),
    /// With a dependency descriptor, and the structure that it leans on.
    Av1(Descriptor, Arc<Structure>),
}

impl Layering {
    fn descriptor(&self) -> Option<&Descriptor> {
        match self {
            Self::Plain | Self::Vp9(_) => None,
            Self::Av1(descriptor, _) => Some(descriptor),
        }
    }
}

impl PayloadInfo {
    /// Looks at a payload; `dependency`: its dependency descriptor, with the structure that it leans on. `None` when it is not
    /// what its codec says.
    #[must_use]
    pub fn read(
        codec: VideoCodec,
        payload: &[u8],
        marker: bool,
        dependency: Option<(Descriptor, Arc<Structure>)>,
    ) -> Option<(Self, Layering)> {
        match codec {
            VideoCodec::Vp8 => Some((Self::of_vp8(payload, marker)?, Layering::Plain)),
            VideoCodec::H264 => Some((Self::of_h264(payload, marker)?, Layering::Plain)),
            VideoCodec::Vp9 => {
                let (info, descriptor) = Self::of_vp9(payload)?;
                Some((info, Layering::Vp9(descriptor)))
            }
            VideoCodec::Av1 => {
                let layering = dependency.map_or(Layering::Plain, |(own, of)| Layering::Av1(own, of));
                Some((Self::of_av1(payload, marker, layering.descriptor())?, layering))
            }
        }
    }

    /// The same without what is needed to cut.
    #[must_use]
    pub fn of(
        codec: VideoCodec,
        payload: &[u8],
        marker: bool,
        dependency: Option<&Descriptor>,
    ) -> Option<Self> {
        match codec {
            VideoCodec::Vp8 => Self::of_vp8(payload, marker),
            VideoCodec::H264 => Self::of_h264(payload, marker),
            VideoCodec::Vp9 => Some(Self::of_vp9(payload)?.0),
            VideoCodec::Av1 => Self::of_av1(payload, marker, dependency),
        }
    }

    fn of_vp8(payload: &[u8], marker: bool) -> Option<Self> {
        let (descriptor, frame) = vp8::parse(payload)?;
        let temporal_id = descriptor.temporal_id.unwrap_or(0);
        Some(Self {
            begins: descriptor.begins_picture,
            ends: marker,
            keyframe: descriptor.keyframe,
            spatial_id: 0,
            temporal_id,
            // Upper layers' frames behind one of layer 0 may refer to any before it; only Y tells of one that it does not.
            is_switching_point: descriptor.layer_sync,
            discardable: descriptor.non_reference,
            size: if descriptor.keyframe { vp8::key_frame_size(frame) } else { None },
            numbers: PictureNumbers::of_vp8(&descriptor),
        })
    }

    fn of_h264(payload: &[u8], marker: bool) -> Option<Self> {
        let summary = h264::summary(payload)?;
        Some(Self {
            begins: summary.begins_picture,
            ends: marker,
            keyframe: summary.sps,
            spatial_id: 0,
            temporal_id: 0,
            is_switching_point: false,
            discardable: summary.non_reference,
            size: summary.size,
            numbers: None,
        })
    }

    fn of_vp9(payload: &[u8]) -> Option<(Self, vp9::Descriptor)> {
        let (descriptor, frame) = vp9::parse(payload)?;
        let of_frame = || match vp9::frame_size(frame) {
            Some(vp9::Announced::Size(size)) => Some(size),
            Some(vp9::Announced::AsBefore) | None => None,
        };
        let told = descriptor.structure.and_then(|structure| structure.largest());
        let info = Self {
            begins: descriptor.begins_frame,
            ends: descriptor.ends_frame,
            keyframe: descriptor.keyframe,
            spatial_id: descriptor.spatial_id(),
            temporal_id: descriptor.temporal_id(),
            is_switching_point: descriptor
                .layer
                .is_none_or(|layer| layer.temporal_id == 0 || layer.switching_up_point),
            discardable: false,
            size: told.or_else(|| if descriptor.keyframe { of_frame() } else { None }),
            numbers: PictureNumbers::of_vp9(&descriptor),
        };
        Some((info, descriptor))
    }

    fn of_av1(payload: &[u8], marker: bool, dependency: Option<&Descriptor>) -> Option<Self> {
        let summary = av1::summary(payload)?;
        let Some(descriptor) = dependency else {
            let (temporal_id, spatial_id) = summary.layer.unwrap_or((0, 0));
            return Some(Self {
                begins: summary.begins_sequence,
                ends: marker,
                keyframe: summary.begins_sequence,
                spatial_id,
                temporal_id,
                is_switching_point: summary.begins_sequence,
                discardable: false,
                size: summary.size,
                numbers: None,
            });
        };
        let frame = &descriptor.frame;
        let indications = frame.indications.as_slice();
        let told = descriptor.structure.as_deref().and_then(|structure| {
            structure.resolutions.as_slice().last().map(|resolution| resolution.size())
        });
        Some(Self {
            begins: descriptor.begins_frame,
            ends: descriptor.ends_frame,
            keyframe: descriptor.begins_frame && descriptor.is_key_frame(),
            spatial_id: frame.spatial_id,
            temporal_id: frame.temporal_id,
            is_switching_point: indications.contains(&Indication::Switch),
            discardable: indications
                .iter()
                .all(|one| matches!(one, Indication::NotPresent | Indication::Discardable)),
            size: told.or(summary.size),
            numbers: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(codec: VideoCodec, payload: &[u8], marker: bool, expected: Option<PayloadInfo>) {
        assert_eq!(PayloadInfo::of(codec, payload, marker, None), expected, "{codec:?} {payload:02x?}");
    }

    #[test]
    fn each_codec_says_it_in_its_own_way() {
        let size = |width, height| Some(Size { width, height });
        let plain = PayloadInfo::default();
        let key = PayloadInfo { begins: true, keyframe: true, ..plain };
        check(
            VideoCodec::Vp8,
            &[0x10, 0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01],
            false,
            Some(PayloadInfo { size: size(640, 360), ..key }),
        );
        // Layer 1 with Y, then without; referred to by nobody.
        check(
            VideoCodec::Vp8,
            &[0xb0, 0x20, 0x60, 0x01],
            false,
            Some(PayloadInfo {
                begins: true,
                temporal_id: 1,
                is_switching_point: true,
                discardable: true,
                ..plain
            }),
        );
        check(
            VideoCodec::Vp8,
            &[0xb0, 0x20, 0x40, 0x01],
            true,
            Some(PayloadInfo {
                begins: true,
                ends: true,
                temporal_id: 1,
                discardable: true,
                ..PayloadInfo::default()
            }),
        );
        check(VideoCodec::H264, &[0x78, 0, 2, 0x67, 9, 0, 2, 0x68, 9], false, Some(key));
        check(VideoCodec::H264, &[0x61, 0x9a], true, Some(PayloadInfo { ends: true, ..plain }));
        let numbers = |tl0| {
            let picture_id_at = vp8::PictureIdAt::Seven(1);
            Some(PictureNumbers { picture_id: 1, picture_id_at, tl0, closes: false })
        };
        // Two layers told; the whole of the lower frame.
        let vp9 = [0xae, 1, 0x00, 7, 0x30, 1, 64, 0, 180, 2, 128, 1, 104, 0x83, 0x49];
        check(
            VideoCodec::Vp9,
            &vp9,
            false,
            Some(PayloadInfo {
                ends: true,
                size: size(640, 360),
                is_switching_point: true,
                numbers: numbers(Some((7, 3))),
                ..key
            }),
        );
        check(
            VideoCodec::Vp9,
            &[0x8c, 1, 0x86, 0],
            false,
            Some(PayloadInfo {
                begins: true,
                ends: true,
                is_switching_point: true,
                numbers: numbers(None),
                ..plain
            }),
        );
        check(
            VideoCodec::Av1,
            &[0x18, 0x30, 0x10],
            true,
            Some(PayloadInfo { ends: true, is_switching_point: true, ..key }),
        );
        check(
            VideoCodec::Av1,
            &[0x90, 0x30],
            true,
            Some(PayloadInfo { ends: true, ..PayloadInfo::default() }),
        );
        for codec in [VideoCodec::Vp8, VideoCodec::H264, VideoCodec::Vp9, VideoCodec::Av1] {
            check(codec, &[], true, None);
        }
    }
}
