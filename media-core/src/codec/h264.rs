//! H.264 (constrained baseline) by OpenH264.
//!
//! in:  access units in Annex B, pictures
//! out: pictures, access units in Annex B
//!
//! The decoder sees only the NAL units a conversation needs, and a parameter set only after its size was read and
//! bounded. The encoder keeps one SPS and PPS identifier, repeats both before every IDR, and makes an IDR only when
//! asked: its own scene-change detection would hide more of them in the stream.

#![allow(unsafe_code, reason = "OpenH264's bit rate can be changed only through its C interface")]

mod nal;

use std::sync::Arc;

use bytes::Bytes;
use layouts::Size;
use openh264::OpenH264API;
use openh264::decoder::DecoderConfig;
use openh264::encoder as oh;
use openh264::formats::YUVSource;

use self::nal::NalType;
use super::yuv::View;
use super::{CodecError, Encoded, EncoderConfig, Picture, PicturePool, check_decoded_size, keep};
use crate::rtp::h264::picture_size;
use crate::units::Bitrate;

/// Whether the access unit can be decoded without any before it. A recovery point without IDR is not taken as one:
/// browsers send IDRs.
pub(super) fn is_key_frame(data: &[u8]) -> bool {
    nal::units(data).any(|unit| nal::kind(unit) == NalType::Idr)
}

pub(super) struct Decoder {
    inner: openh264::decoder::Decoder,
    /// The units that go on, behind start codes; kept for its allocation.
    stream: Vec<u8>,
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Decoder")
    }
}

impl Decoder {
    pub(super) fn new() -> Result<Self, CodecError> {
        let inner =
            openh264::decoder::Decoder::with_api_config(OpenH264API::from_source(), DecoderConfig::new())
                .map_err(|error| library_error("decoder", &error))?;
        Ok(Self { inner, stream: Vec::new() })
    }

    pub(super) fn decode(
        &mut self,
        data: &[u8],
        pool: &mut PicturePool,
    ) -> Result<Option<Arc<Picture>>, CodecError> {
        let has_picture = self.admit(data)?;
        let decoded =
            self.inner.decode(&self.stream).map_err(|_| CodecError::Damaged("OpenH264 cannot decode it"))?;
        let Some(yuv) = decoded else {
            // Nothing is reordered, so a whole access unit gives its picture at once; parameter sets alone give none.
            let incomplete = CodecError::Damaged("the access unit is not whole");
            return if has_picture { Err(incomplete) } else { Ok(None) };
        };
        let (width, height) = yuv.dimensions();
        let side = |pixels| u32::try_from(pixels).unwrap_or(u32::MAX);
        let size = Size { width: side(width), height: side(height) };
        let (y_stride, u_stride, v_stride) = yuv.strides();
        let view = View::new(size, [yuv.y(), yuv.u(), yuv.v()], [y_stride, u_stride, v_stride])
            .ok_or(CodecError::Damaged("OpenH264's picture is shorter than its size"))?;
        keep(&view, pool).map(Some)
    }

    /// Collects what the library may see; says whether there is a slice.
    fn admit(&mut self, data: &[u8]) -> Result<bool, CodecError> {
        self.stream.clear();
        let mut has_picture = false;
        for unit in nal::units(data) {
            match nal::kind(unit) {
                NalType::Sps => {
                    let size = picture_size(unit).ok_or(CodecError::Damaged("no usable SPS"))?;
                    check_decoded_size(size.coded)?;
                }
                NalType::Pps => {}
                NalType::Slice | NalType::Idr => has_picture = true,
                // Delimiters and SEI change no pixel; partitions, extensions and auxiliary pictures are not baseline.
                NalType::Other => continue,
            }
            self.stream.extend_from_slice(&nal::START_CODE);
            self.stream.extend_from_slice(unit);
        }
        if self.stream.is_empty() {
            Err(CodecError::Damaged("no NAL unit to decode"))
        } else {
            Ok(has_picture)
        }
    }
}

/// Burst the rate control may allow itself over the target, in percent: equal to the target, OpenH264 undershoots.
const MAX_OVER_TARGET: u32 = 150;

pub(super) struct Encoder {
    inner: oh::Encoder,
    wanted_bps: u32,
    /// The rate the library runs at; `None` before its first picture, when it does not take options yet.
    applied_bps: Option<u32>,
    /// A key frame was asked for while rate control left pictures out.
    key_owed: bool,
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Encoder")
    }
}

impl Encoder {
    pub(super) fn new(wanted: EncoderConfig) -> Result<Self, CodecError> {
        let wanted_bps = bps(wanted.bitrate);
        #[allow(clippy::cast_precision_loss, reason = "1 to 60 is exact")]
        let fps = wanted.fps as f32;
        let config = oh::EncoderConfig::new()
            .profile(oh::Profile::Baseline)
            .sps_pps_strategy(oh::SpsPpsStrategy::ConstantId)
            .scene_change_detect(false)
            .intra_frame_period(oh::IntraFramePeriod::from_num_frames(0))
            .usage_type(oh::UsageType::CameraVideoRealTime)
            .complexity(oh::Complexity::Low)
            .rate_control_mode(oh::RateControlMode::Bitrate)
            .skip_frames(true)
            .num_threads(1)
            // The canvas' space; without it receivers assume BT.709.
            .vui(oh::VuiConfig::bt601())
            .max_frame_rate(oh::FrameRate::from_hz(fps))
            .bitrate(oh::BitRate::from_bps(wanted_bps));
        let inner = oh::Encoder::with_api_config(OpenH264API::from_source(), config)
            .map_err(|error| library_error("encoder", &error))?;
        Ok(Self { inner, wanted_bps, applied_bps: None, key_owed: false })
    }

    pub(super) fn encode(
        &mut self,
        picture: &Picture,
        pts: u64,
        force_key: bool,
    ) -> Result<Option<Encoded>, CodecError> {
        self.key_owed |= force_key;
        if self.applied_bps.is_some() {
            self.apply_bitrate()?;
            if self.key_owed {
                self.inner.force_intra_frame();
            }
        }
        let time = openh264::Timestamp::from_millis(pts / 90);
        let stream =
            self.inner.encode_at(&Source(picture), time).map_err(|error| library_error("encode", &error))?;
        let keyframe = stream.frame_type() == oh::FrameType::IDR;
        let data = Bytes::from(stream.to_vec());
        self.key_owed &= !keyframe;
        if self.applied_bps.is_none() {
            // The first picture was always an IDR; from now on the library takes options.
            self.apply_bitrate()?;
        }
        Ok((!data.is_empty()).then_some(Encoded { keyframe, data }))
    }

    #[allow(clippy::unnecessary_wraps, reason = "one signature for all encoders")]
    pub(super) fn set_bitrate(&mut self, bitrate: Bitrate) -> Result<(), CodecError> {
        self.wanted_bps = bps(bitrate);
        Ok(())
    }

    /// The library refuses a limit below the target, so they move in the order that keeps the limit above.
    fn apply_bitrate(&mut self) -> Result<(), CodecError> {
        use openh264_sys2::{ENCODER_OPTION_BITRATE as TARGET, ENCODER_OPTION_MAX_BITRATE as LIMIT};
        use openh264_sys2::{SPATIAL_LAYER_0, SPATIAL_LAYER_ALL};
        if self.applied_bps == Some(self.wanted_bps) {
            return Ok(());
        }
        let limit = (LIMIT, SPATIAL_LAYER_0, self.wanted_bps / 100 * MAX_OVER_TARGET);
        let target = (TARGET, SPATIAL_LAYER_ALL, self.wanted_bps);
        let rises = self.applied_bps.is_none_or(|applied| applied < self.wanted_bps);
        for (option, layer, bps) in if rises { [limit, target] } else { [target, limit] } {
            let bps = i32::try_from(bps).unwrap_or(i32::MAX);
            let mut value = openh264_sys2::SBitrateInfo { iLayer: layer, iBitrate: bps };
            // SAFETY: both options read one `SBitrateInfo` through the pointer and keep no reference to it.
            let failed = unsafe { self.inner.raw_api().set_option(option, (&raw mut value).cast()) };
            if failed != 0 {
                return Err(CodecError::Library { call: "SetOption", why: format!("error {failed}") });
            }
        }
        self.applied_bps = Some(self.wanted_bps);
        Ok(())
    }
}

/// The library counts in `int`; below its least target it refuses.
fn bps(bitrate: Bitrate) -> u32 {
    u32::try_from(bitrate.0).unwrap_or(u32::MAX).clamp(10_000, 100_000_000)
}

fn library_error(call: &'static str, error: &openh264::Error) -> CodecError {
    CodecError::Library { call, why: error.to_string() }
}

/// A picture as OpenH264 wants to see it, without copying.
struct Source<'a>(&'a Picture);

impl YUVSource for Source<'_> {
    fn dimensions(&self) -> (usize, usize) {
        let Size { width, height } = self.0.size();
        (width as usize, height as usize)
    }

    fn strides(&self) -> (usize, usize, usize) {
        (self.0.y_stride(), self.0.chroma_stride(), self.0.chroma_stride())
    }

    fn y(&self) -> &[u8] {
        self.0.y()
    }

    fn u(&self) -> &[u8] {
        self.0.u()
    }

    fn v(&self) -> &[u8] {
        self.0.v()
    }
}
