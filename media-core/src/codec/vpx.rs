//! libvpx: what its codecs have in common, and decoding.
//!
//! in:  coded frames whose size was read and bounded
//! out: pictures
//!
//! One thread per codec: libvpx' threads spin on each other and cost several times the work they share.

#![allow(
    unsafe_code,
    reason = "libvpx is a C library; this module and the encoder beside it are its only callers"
)]

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::Arc;

use layouts::Size;
use vpx_sys as vpx;

use super::yuv::View;
use super::{CodecError, Picture, PicturePool, keep};

/// A libvpx context, alive from a successful `init` to its drop.
pub(super) struct Context(Box<vpx::vpx_codec_ctx_t>);

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
    pub(super) fn new(
        call: &'static str,
        init: impl FnOnce(*mut vpx::vpx_codec_ctx_t) -> vpx::vpx_codec_err_t,
    ) -> Result<Self, CodecError> {
        // SAFETY: all-zero is a valid value of this C struct: null pointers, numbers, and enums that have a 0.
        let mut context: Box<vpx::vpx_codec_ctx_t> = Box::new(unsafe { MaybeUninit::zeroed().assume_init() });
        check(call, init(&raw mut *context))?;
        // From here on `Drop` destroys it; after a failed `init` libvpx has already done so.
        Ok(Self(context))
    }

    pub(super) fn as_mut(&mut self) -> *mut vpx::vpx_codec_ctx_t {
        &raw mut *self.0
    }

    pub(super) fn control(&mut self, id: u32, value: i32) -> Result<(), CodecError> {
        // SAFETY: only called with controls whose argument is an `int`; libvpx checks `id` itself.
        check("vpx_codec_control", unsafe { vpx::vpx_codec_control_(self.as_mut(), as_int(id), value) })
    }
}

impl Context {
    /// Tells a VP8 encoder which macroblocks to work on: one byte each, row by row.
    pub(super) fn set_active_map(&mut self, map: &mut [u8], size: Size) -> Result<(), CodecError> {
        let (columns, rows) = (size.width.div_ceil(16), size.height.div_ceil(16));
        if map.len() != columns as usize * rows as usize {
            return Err(CodecError::Refused("a map of another size"));
        }
        let mut wanted = vpx::vpx_active_map_t { active_map: map.as_mut_ptr(), rows, cols: columns };
        let id = as_int(vpx::vp8e_enc_control_id::VP8E_SET_ACTIVEMAP as u32);
        // SAFETY: this control reads a `vpx_active_map_t` through the pointer and copies rows × columns bytes, which `map`
        // has; libvpx refuses other numbers than those of the encoder's size.
        let result = unsafe { vpx::vpx_codec_control_(self.as_mut(), id, &raw mut wanted) };
        check("VP8E_SET_ACTIVEMAP", result)
    }

    /// The quantizer of the last picture, on the scale of the configuration.
    pub(super) fn last_quantizer(&mut self) -> Result<u8, CodecError> {
        let mut quantizer: i32 = 0;
        let id = as_int(vpx::vp8e_enc_control_id::VP8E_GET_LAST_QUANTIZER_64 as u32);
        // SAFETY: this control writes one `int` through the pointer.
        let result = unsafe { vpx::vpx_codec_control_(self.as_mut(), id, &raw mut quantizer) };
        check("VP8E_GET_LAST_QUANTIZER_64", result)?;
        Ok(u8::try_from(quantizer).unwrap_or(u8::MAX))
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: initialized by `new`, destroyed only here.
        unsafe { vpx::vpx_codec_destroy(self.as_mut()) };
    }
}

pub(super) fn check(call: &'static str, error: vpx::vpx_codec_err_t) -> Result<(), CodecError> {
    if error == vpx::VPX_CODEC_OK {
        return Ok(());
    }
    // SAFETY: returns a static, zero-terminated text for every value.
    let text = unsafe { CStr::from_ptr(vpx::vpx_codec_err_to_string(error)) };
    Err(CodecError::Library { call, why: text.to_string_lossy().into_owned() })
}

/// Numbers of the C API: small constants and bounded sizes.
pub(super) fn as_int(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// What libvpx decodes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Coding {
    Vp8,
    Vp9,
}

#[derive(Debug)]
pub(super) struct Decoder(Context);

impl Decoder {
    pub(super) fn new(coding: Coding) -> Result<Self, CodecError> {
        let config = vpx::vpx_codec_dec_cfg_t { threads: 1, w: 0, h: 0 };
        let abi = as_int(vpx::VPX_DECODER_ABI_VERSION);
        // SAFETY: both return a pointer to a static description of a codec.
        let interface = unsafe {
            match coding {
                Coding::Vp8 => vpx::vpx_codec_vp8_dx(),
                Coding::Vp9 => vpx::vpx_codec_vp9_dx(),
            }
        };
        // SAFETY: `context` is zeroed memory of the right type, `config` lives through the call, which copies it.
        let context = Context::new("vpx_codec_dec_init", |context| unsafe {
            vpx::vpx_codec_dec_init_ver(context, interface, &raw const config, 0, abi)
        })?;
        Ok(Self(context))
    }

    /// Decodes one picture, of which the caller has checked that it is no larger than it may be.
    pub(super) fn decode(
        &mut self,
        data: &[u8],
        pool: &mut PicturePool,
    ) -> Result<Option<Arc<Picture>>, CodecError> {
        let len = u32::try_from(data.len()).map_err(|_| CodecError::Damaged("too many bytes"))?;
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
        // SAFETY: `iter` starts as null, as the API asks; at most one picture comes of one call, the last that is shown.
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
