//! VP8 (RFC 6386) by libvpx.
//!
//! in:  coded frames, pictures
//! out: pictures, coded frames

#![allow(unsafe_code, reason = "libvpx is a C library")]

use std::mem::MaybeUninit;
use std::ptr;
use std::sync::Arc;

use bytes::Bytes;
use layouts::Size;
use vpx_sys as vpx;

use super::activity::Activity;
use super::vpx::{Coding, Context, as_int, check};
use super::{CodecError, Encoded, EncoderConfig, Picture, PicturePool, check_decoded_size};
use crate::rtp::vp8::key_frame_size;
use crate::units::Bitrate;

/// The frame tag says whether it is a key frame: RFC 6386 §9.1.
pub(super) fn is_key_frame(data: &[u8]) -> bool {
    data.first().is_some_and(|first| first & 1 == 0)
}

#[derive(Debug)]
pub(super) struct Decoder(super::vpx::Decoder);

impl Decoder {
    pub(super) fn new() -> Result<Self, CodecError> {
        super::vpx::Decoder::new(Coding::Vp8).map(Self)
    }

    pub(super) fn decode(
        &mut self,
        data: &[u8],
        pool: &mut PicturePool,
    ) -> Result<Option<Arc<Picture>>, CodecError> {
        // An empty frame tells libvpx that one was lost, and it would repeat the last picture.
        if data.len() < 3 {
            return Err(CodecError::Damaged("no frame tag"));
        }
        if is_key_frame(data) {
            check_decoded_size(key_frame_size(data).ok_or(CodecError::Damaged("no key frame header"))?)?;
        }
        self.0.decode(data, pool)
    }
}

/// Speed over quality: beyond -8 the quality falls faster than the time (measured at 720p).
const CPU_USED: i32 = -8;
/// The same where work is saved and much moves: no quarter pixels. A tenth of the time for 0.1 dB (measured on footage); on a
/// canvas that mostly stands still it would save nothing.
const CPU_USED_IN_MOTION: i32 = -10;
/// Much moves from so many percent of the blocks on, until it is fewer than so many.
const MOTION: (usize, usize) = (30, 20);
/// Where work is saved, blocks are looked for in the last picture alone: 8 % of the time, and no loss that could be measured.
const LAST_ONLY: u32 = vpx::VP8_EFLAG_NO_REF_GF | vpx::VP8_EFLAG_NO_REF_ARF;
/// Quantizers, on the scale of the configuration: the finest and the coarsest there are, and the finest for a leap. Few blocks
/// are coded finely, and so would the many be of the next page: one picture of half a second's bytes, and none after it.
const FINEST: u32 = 2;
const COARSEST: u8 = 63;
const FINEST_FOR_LEAP: u32 = 36;
/// Milliseconds of rate the decoder's model buffer holds, begins with, and is steered to.
const BUFFER_MS: (u32, u32, u32) = (1000, 500, 600);
/// Percent of the buffer below which pictures are left out rather than sent late.
const DROP_BELOW: u32 = 30;

/// The configuration in force, kept to change its rate.
#[derive(Debug)]
struct Config(vpx::vpx_codec_enc_cfg_t);

// SAFETY: its pointers belong to two-pass encoding and are null.
unsafe impl Send for Config {}

#[derive(Debug)]
pub(super) struct Encoder {
    context: Context,
    config: Config,
    frame_ticks: u64,
    /// A key frame was asked for while rate control left pictures out.
    key_owed: bool,
    /// What need not be coded again, when that is wanted.
    activity: Option<Activity>,
    /// With what the last picture was coded, 0 to 63.
    quantizer: u8,
    /// Much moves of late.
    in_motion: bool,
}

impl Encoder {
    pub(super) fn new(wanted: EncoderConfig, saves: bool) -> Result<Self, CodecError> {
        let config = config_of(wanted)?;
        let abi = as_int(vpx::VPX_ENCODER_ABI_VERSION);
        // SAFETY: `context` is zeroed memory of the right type; libvpx copies `config`.
        let mut context = Context::new("vpx_codec_enc_init", |context| unsafe {
            vpx::vpx_codec_enc_init_ver(context, vpx::vpx_codec_vp8_cx(), &raw const config, 0, abi)
        })?;
        use vpx::vp8e_enc_control_id as id;
        context.control(id::VP8E_SET_CPUUSED as u32, CPU_USED)?;
        context.control(id::VP8E_SET_STATIC_THRESHOLD as u32, 1)?;
        if saves {
            // Blocks that cost nothing then mislead rate control less: 0.3 dB of footage.
            context.control(id::VP8E_SET_SCREEN_CONTENT_MODE as u32, 1)?;
        }
        context.control(id::VP8E_SET_TOKEN_PARTITIONS as u32, 0)?;
        // A key frame may take half of the optimal buffer, in percent of an average frame.
        let intra_percent = (BUFFER_MS.2 / 2 * wanted.fps / 10).max(300);
        context.control(id::VP8E_SET_MAX_INTRA_BITRATE_PCT as u32, as_int(intra_percent))?;
        let frame_ticks = u64::from(90_000 / wanted.fps);
        let activity = saves.then(|| Activity::new(wanted.size));
        Ok(Self {
            context,
            config: Config(config),
            frame_ticks,
            key_owed: false,
            activity,
            quantizer: COARSEST,
            in_motion: false,
        })
    }

    pub(super) fn encode(
        &mut self,
        picture: &Picture,
        pts: u64,
        force_key: bool,
    ) -> Result<Option<Encoded>, CodecError> {
        self.key_owed |= force_key;
        let pts = i64::try_from(pts).map_err(|_| CodecError::Refused("time beyond the end of time"))?;
        let mut flags = if self.key_owed { i64::from(vpx::VPX_EFLAG_FORCE_KF) } else { 0 };
        if self.activity.is_some() {
            self.save(picture)?;
            if !self.key_owed {
                flags |= i64::from(LAST_ONLY);
            }
        }
        let image = image_of(picture);
        let deadline = u64::from(vpx::VPX_DL_REALTIME);
        // SAFETY: `image` points at planes of `picture`, which lives through the call; libvpx only reads them, and
        // copies what it keeps.
        check("vpx_codec_encode", unsafe {
            vpx::vpx_codec_encode(
                self.context.as_mut(),
                &raw const image,
                pts,
                self.frame_ticks,
                flags,
                deadline,
            )
        })?;
        let encoded = self.take_frame();
        if let Some(frame) = &encoded {
            self.key_owed &= !frame.keyframe;
            self.quantizer = self.context.last_quantizer()?;
            if let Some(activity) = &mut self.activity {
                activity.on_coded(picture, frame.keyframe, self.quantizer);
            }
        }
        Ok(encoded)
    }

    /// The last picture showed nothing new, and was coded as well as the rate allows. Only an encoder that saves knows.
    pub(super) fn is_settled(&self) -> Option<bool> {
        self.activity.as_ref().map(Activity::is_settled)
    }

    /// Without lag, at most one packet comes of one picture.
    fn take_frame(&mut self) -> Option<Encoded> {
        let mut iter: vpx::vpx_codec_iter_t = ptr::null();
        loop {
            // SAFETY: `iter` starts as null, as the API asks.
            let packet =
                unsafe { vpx::vpx_codec_get_cx_data(self.context.as_mut(), &raw mut iter).as_ref() }?;
            if packet.kind != vpx::vpx_codec_cx_pkt_kind::VPX_CODEC_CX_FRAME_PKT {
                continue;
            }
            // SAFETY: the kind says which member of the union is set.
            let frame = unsafe { &packet.data.frame };
            // SAFETY: libvpx holds `sz` bytes at `buf` until the next call with this context.
            let data = unsafe { std::slice::from_raw_parts(frame.buf.cast::<u8>(), frame.sz) };
            return Some(Encoded {
                keyframe: frame.flags & vpx::VPX_FRAME_IS_KEY != 0,
                data: Bytes::copy_from_slice(data),
            });
        }
    }

    /// Tells libvpx where to work, and how hard.
    fn save(&mut self, picture: &Picture) -> Result<(), CodecError> {
        let Some(activity) = &mut self.activity else { return Ok(()) };
        activity.look(picture, self.quantizer);
        self.context.set_active_map(activity.map(), picture.size())?;
        let (much, little) = MOTION;
        let in_motion = activity.motion_percent() > if self.in_motion { little } else { much };
        let finest = if activity.is_leap() { FINEST_FOR_LEAP } else { FINEST };
        if in_motion != self.in_motion {
            let speed = if in_motion { CPU_USED_IN_MOTION } else { CPU_USED };
            self.context.control(vpx::vp8e_enc_control_id::VP8E_SET_CPUUSED as u32, speed)?;
            self.in_motion = in_motion;
        }
        if finest != self.config.0.rc_min_quantizer {
            self.config.0.rc_min_quantizer = finest;
            self.configure()?;
        }
        Ok(())
    }

    pub(super) fn set_bitrate(&mut self, bitrate: Bitrate) -> Result<(), CodecError> {
        self.config.0.rc_target_bitrate = kbps(bitrate);
        self.configure()
    }

    /// Makes libvpx take the configuration.
    fn configure(&mut self) -> Result<(), CodecError> {
        // SAFETY: libvpx copies the configuration.
        check("vpx_codec_enc_config_set", unsafe {
            vpx::vpx_codec_enc_config_set(self.context.as_mut(), &raw const self.config.0)
        })
    }
}

fn kbps(bitrate: Bitrate) -> u32 {
    u32::try_from(bitrate.0 / 1000).unwrap_or(u32::MAX).clamp(10, 100_000)
}

fn config_of(wanted: EncoderConfig) -> Result<vpx::vpx_codec_enc_cfg_t, CodecError> {
    let mut config = MaybeUninit::zeroed();
    // SAFETY: writes a whole configuration when it returns OK.
    check("vpx_codec_enc_config_default", unsafe {
        vpx::vpx_codec_enc_config_default(vpx::vpx_codec_vp8_cx(), config.as_mut_ptr(), 0)
    })?;
    // SAFETY: written just now.
    let mut config: vpx::vpx_codec_enc_cfg_t = unsafe { config.assume_init() };
    config.g_w = wanted.size.width;
    config.g_h = wanted.size.height;
    config.g_threads = 1;
    config.g_timebase = vpx::vpx_rational { num: 1, den: 90_000 };
    config.g_lag_in_frames = 0;
    // Lost packets are sent again, so every frame may lean on the one before, entropy tables included.
    config.g_error_resilient = 0;
    config.rc_end_usage = vpx::vpx_rc_mode::VPX_CBR;
    config.rc_target_bitrate = kbps(wanted.bitrate);
    config.rc_min_quantizer = FINEST;
    config.rc_max_quantizer = 56;
    config.rc_undershoot_pct = 100;
    config.rc_overshoot_pct = 15;
    (config.rc_buf_sz, config.rc_buf_initial_sz, config.rc_buf_optimal_sz) = BUFFER_MS;
    config.rc_dropframe_thresh = DROP_BELOW;
    config.rc_resize_allowed = 0;
    config.kf_mode = vpx::vpx_kf_mode::VPX_KF_DISABLED;
    Ok(config)
}

/// The picture as libvpx wants to see it, without copying.
fn image_of(picture: &Picture) -> vpx::vpx_image_t {
    // SAFETY: all-zero is a valid value: null pointers, numbers, and enums that have a 0.
    let mut image: vpx::vpx_image_t = unsafe { MaybeUninit::zeroed().assume_init() };
    let Size { width, height } = picture.size();
    let stride = |bytes: usize| i32::try_from(bytes).unwrap_or(i32::MAX);
    image.fmt = vpx::vpx_img_fmt::VPX_IMG_FMT_I420;
    (image.w, image.h, image.d_w, image.d_h) = (width, height, width, height);
    (image.x_chroma_shift, image.y_chroma_shift, image.bps, image.bit_depth) = (1, 1, 12, 8);
    let planes = [picture.y(), picture.u(), picture.v()].map(|plane| plane.as_ptr().cast_mut());
    let [y, u, v] = planes;
    image.planes = [y, u, v, ptr::null_mut()];
    let chroma = stride(picture.chroma_stride());
    image.stride = [stride(picture.y_stride()), chroma, chroma, 0];
    image
}
