//! VP8 (RFC 6386) by libvpx.
//!
//! in:  coded frames, pictures
//! out: pictures, coded frames
//!
//! One thread per codec: libvpx' threads spin on each other and cost several times the work they share.

#![allow(unsafe_code, reason = "libvpx is a C library; this module is its only caller")]

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::Arc;

use bytes::Bytes;
use layouts::Size;
use vpx_sys as vpx;

use super::yuv::View;
use super::{CodecError, Encoded, EncoderConfig, Picture, PicturePool, check_decoded_size, keep};
use crate::units::Bitrate;

/// The frame tag says whether it is a key frame: RFC 6386 §9.1.
pub(super) fn is_key_frame(data: &[u8]) -> bool {
    data.first().is_some_and(|first| first & 1 == 0)
}

/// The size a key frame announces, RFC 6386 §9.1; `None` when the header is cut or its start code wrong.
fn key_frame_size(data: &[u8]) -> Option<Size> {
    let &[_, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1, ..] = data else { return None };
    // The upper two bits ask the player to scale up; nobody does.
    let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
    Some(Size { width: side(w0, w1), height: side(h0, h1) })
}

/// A libvpx context, alive from a successful `init` to its drop.
struct Context(Box<vpx::vpx_codec_ctx_t>);

// SAFETY: a context is plain memory without ties to the thread that made it, and is used by one thread at a time:
// every use needs `&mut`.
unsafe impl Send for Context {}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Context")
    }
}

impl Context {
    /// Boxed before `init`, because libvpx keeps no pointer to it today but does not promise so.
    fn new(
        call: &'static str,
        init: impl FnOnce(*mut vpx::vpx_codec_ctx_t) -> vpx::vpx_codec_err_t,
    ) -> Result<Self, CodecError> {
        // SAFETY: all-zero is a valid value of this C struct: null pointers, numbers, and enums that have a 0.
        let mut context: Box<vpx::vpx_codec_ctx_t> = Box::new(unsafe { MaybeUninit::zeroed().assume_init() });
        check(call, init(&raw mut *context))?;
        // From here on `Drop` destroys it; after a failed `init` libvpx has already done so.
        Ok(Self(context))
    }

    fn as_mut(&mut self) -> *mut vpx::vpx_codec_ctx_t {
        &raw mut *self.0
    }

    fn control(&mut self, id: u32, value: i32) -> Result<(), CodecError> {
        // SAFETY: only called with controls whose argument is an `int`; libvpx checks `id` itself.
        check("vpx_codec_control", unsafe { vpx::vpx_codec_control_(self.as_mut(), as_int(id), value) })
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: initialized by `new`, destroyed only here.
        unsafe { vpx::vpx_codec_destroy(self.as_mut()) };
    }
}

fn check(call: &'static str, error: vpx::vpx_codec_err_t) -> Result<(), CodecError> {
    if error == vpx::VPX_CODEC_OK {
        return Ok(());
    }
    // SAFETY: returns a static, zero-terminated text for every value.
    let text = unsafe { CStr::from_ptr(vpx::vpx_codec_err_to_string(error)) };
    Err(CodecError::Library { call, why: text.to_string_lossy().into_owned() })
}

/// Numbers of the C API: small constants and bounded sizes.
fn as_int(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

#[derive(Debug)]
pub(super) struct Decoder(Context);

impl Decoder {
    pub(super) fn new() -> Result<Self, CodecError> {
        let config = vpx::vpx_codec_dec_cfg_t { threads: 1, w: 0, h: 0 };
        let abi = as_int(vpx::VPX_DECODER_ABI_VERSION);
        // SAFETY: `context` is zeroed memory of the right type, `config` lives through the call, which copies it.
        let context = Context::new("vpx_codec_dec_init", |context| unsafe {
            vpx::vpx_codec_dec_init_ver(context, vpx::vpx_codec_vp8_dx(), &raw const config, 0, abi)
        })?;
        Ok(Self(context))
    }

    pub(super) fn decode(
        &mut self,
        data: &[u8],
        pool: &mut PicturePool,
    ) -> Result<Option<Arc<Picture>>, CodecError> {
        // An empty frame tells libvpx that one was lost, and it would repeat the last picture.
        let len = u32::try_from(data.len()).map_err(|_| CodecError::Damaged("too many bytes"))?;
        if data.len() < 3 {
            return Err(CodecError::Damaged("no frame tag"));
        }
        if is_key_frame(data) {
            check_decoded_size(key_frame_size(data).ok_or(CodecError::Damaged("no key frame header"))?)?;
        }
        // SAFETY: `data` is readable for `len` bytes during the call; libvpx does not keep it.
        let result =
            unsafe { vpx::vpx_codec_decode(self.0.as_mut(), data.as_ptr(), len, ptr::null_mut(), 0) };
        if result != vpx::VPX_CODEC_OK {
            return Err(CodecError::Damaged("libvpx cannot decode it"));
        }
        if self.is_corrupted()? {
            return Err(CodecError::Damaged("libvpx decoded it with guesses"));
        }
        let mut iter: vpx::vpx_codec_iter_t = ptr::null();
        // SAFETY: `iter` starts as null, as the API asks; VP8 gives at most one picture per frame.
        let image = unsafe { vpx::vpx_codec_get_frame(self.0.as_mut(), &raw mut iter) };
        if image.is_null() {
            return Ok(None); // show_frame is 0
        }
        // SAFETY: not null, and valid until the next call with this context, which `&mut self` keeps away.
        let image = unsafe { &*image };
        let view = view_of(image).ok_or(CodecError::Damaged("not an 8-bit 4:2:0 picture"))?;
        keep(&view, pool).map(Some)
    }

    /// Whether the picture just decoded, or one it refers to, has invented parts.
    fn is_corrupted(&mut self) -> Result<bool, CodecError> {
        let mut corrupted: i32 = 0;
        let id = as_int(vpx::vp8_dec_control_id::VP8D_GET_FRAME_CORRUPTED as u32);
        // SAFETY: this control writes one `int` through the pointer.
        let result = unsafe { vpx::vpx_codec_control_(self.0.as_mut(), id, &raw mut corrupted) };
        check("VP8D_GET_FRAME_CORRUPTED", result)?;
        Ok(corrupted != 0)
    }
}

/// The picture libvpx holds, without copying.
fn view_of(image: &vpx::vpx_image_t) -> Option<View<'_>> {
    if image.fmt != vpx::vpx_img_fmt::VPX_IMG_FMT_I420 || image.d_w == 0 || image.d_h == 0 {
        return None;
    }
    let size = Size { width: image.d_w, height: image.d_h };
    let plane = |index: usize, columns: u32, rows: u32| {
        let data = *image.planes.get(index)?;
        let stride = usize::try_from(*image.stride.get(index)?).ok()?;
        let len = stride.checked_mul(rows as usize - 1)?.checked_add(columns as usize)?;
        // SAFETY: libvpx' planes have `rows` rows of `stride` bytes, of which the first `columns` are pixels, and live
        // as long as `image` may be used.
        (!data.is_null()).then(|| (unsafe { std::slice::from_raw_parts(data.cast_const(), len) }, stride))
    };
    let (y, y_stride) = plane(0, size.width, size.height)?;
    let (u, u_stride) = plane(1, size.width.div_ceil(2), size.height.div_ceil(2))?;
    let (v, v_stride) = plane(2, size.width.div_ceil(2), size.height.div_ceil(2))?;
    View::new(size, [y, u, v], [y_stride, u_stride, v_stride])
}

/// Speed over quality: beyond -8 the quality falls faster than the time (measured at 720p).
const CPU_USED: i32 = -8;
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
}

impl Encoder {
    pub(super) fn new(wanted: EncoderConfig) -> Result<Self, CodecError> {
        let config = config_of(wanted)?;
        let abi = as_int(vpx::VPX_ENCODER_ABI_VERSION);
        // SAFETY: `context` is zeroed memory of the right type; libvpx copies `config`.
        let mut context = Context::new("vpx_codec_enc_init", |context| unsafe {
            vpx::vpx_codec_enc_init_ver(context, vpx::vpx_codec_vp8_cx(), &raw const config, 0, abi)
        })?;
        use vpx::vp8e_enc_control_id as id;
        context.control(id::VP8E_SET_CPUUSED as u32, CPU_USED)?;
        context.control(id::VP8E_SET_STATIC_THRESHOLD as u32, 1)?;
        context.control(id::VP8E_SET_TOKEN_PARTITIONS as u32, 0)?;
        // A key frame may take half of the optimal buffer, in percent of an average frame.
        let intra_percent = (BUFFER_MS.2 / 2 * wanted.fps / 10).max(300);
        context.control(id::VP8E_SET_MAX_INTRA_BITRATE_PCT as u32, as_int(intra_percent))?;
        let frame_ticks = u64::from(90_000 / wanted.fps);
        Ok(Self { context, config: Config(config), frame_ticks, key_owed: false })
    }

    pub(super) fn encode(
        &mut self,
        picture: &Picture,
        pts: u64,
        force_key: bool,
    ) -> Result<Option<Encoded>, CodecError> {
        self.key_owed |= force_key;
        let pts = i64::try_from(pts).map_err(|_| CodecError::Refused("time beyond the end of time"))?;
        let flags = if self.key_owed { i64::from(vpx::VPX_EFLAG_FORCE_KF) } else { 0 };
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
        if encoded.as_ref().is_some_and(|frame| frame.keyframe) {
            self.key_owed = false;
        }
        Ok(encoded)
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

    pub(super) fn set_bitrate(&mut self, bitrate: Bitrate) -> Result<(), CodecError> {
        self.config.0.rc_target_bitrate = kbps(bitrate);
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
    config.rc_min_quantizer = 2;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_frame_header_is_read_as_rfc_6386_writes_it() {
        let size = |width, height| Some(Size { width, height });
        let check = |data: &[u8], expected| assert_eq!(key_frame_size(data), expected, "{data:02x?}");
        check(&[0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01], size(640, 360));
        check(&[0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x42, 0x68, 0xc1, 9, 9], size(640, 360));
        check(&[0x10, 0, 0, 0x9d, 0x01, 0x2b, 0x80, 0x02, 0x68, 0x01], None);
        check(&[0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68], None);
        check(&[], None);
    }
}
