//! AV1 by libdav1d: decoding.
//!
//! in:  temporal units in the low-overhead format
//! out: pictures
//!
//! One thread and no delay: a picture comes out of the call that brought it. Of a stream with layers the highest that
//! came is shown. A sequence header's size is read and bounded before libdav1d sees it, and libdav1d bounds every frame.

#![allow(unsafe_code, reason = "libdav1d is a C library; this module is its only caller")]

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use dav1d_sys as dav1d;
use layouts::Size;

use super::yuv::View;
use super::{CodecError, MAX_PIXELS, Picture, PicturePool, check_decoded_size, keep};
use crate::rtp::av1::unit_summary;

/// Whether a decoder can begin with this temporal unit.
pub(super) fn is_key_frame(data: &[u8]) -> bool {
    unit_summary(data).is_some_and(|unit| unit.keyframe)
}

/// The release whose structures `dav1d-sys` describes; later ones differ in size.
const VERSION: &str = "1.0.";

/// A decoder of libdav1d, from a successful `open` to its drop.
pub(super) struct Decoder(NonNull<dav1d::Dav1dContext>);

// SAFETY: a context with one thread has no ties to the thread that made it, and is used by one thread at a time: every
// use needs `&mut`.
unsafe impl Send for Decoder {}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Decoder")
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        let mut context = self.0.as_ptr();
        // SAFETY: opened by `new`, closed only here; the call writes null through the pointer.
        unsafe { dav1d::dav1d_close(&raw mut context) };
    }
}

impl Decoder {
    pub(super) fn new() -> Result<Self, CodecError> {
        // SAFETY: returns a static, zero-terminated text.
        let version = unsafe { CStr::from_ptr(dav1d::dav1d_version()) }.to_string_lossy();
        if !version.starts_with(VERSION) {
            return Err(failed("dav1d_version", &format!("{version} is not {VERSION}x")));
        }
        let mut settings = MaybeUninit::uninit();
        // SAFETY: writes all of the settings.
        let mut settings: dav1d::Dav1dSettings = unsafe {
            dav1d::dav1d_default_settings(settings.as_mut_ptr());
            settings.assume_init()
        };
        settings.n_threads = 1;
        settings.max_frame_delay = 1;
        settings.all_layers = 0;
        settings.frame_size_limit = MAX_PIXELS;
        settings.logger.callback = ptr::null_mut(); // says nothing
        let mut context = ptr::null_mut();
        // SAFETY: `settings` is whole and lives through the call, which copies it.
        let result = unsafe { dav1d::dav1d_open(&raw mut context, &raw const settings) };
        match NonNull::new(context) {
            Some(context) if result == 0 => Ok(Self(context)),
            Some(_) | None => Err(failed("dav1d_open", &format!("error {result}"))),
        }
    }

    pub(super) fn decode(
        &mut self,
        data: &[u8],
        pool: &mut PicturePool,
    ) -> Result<Option<Arc<Picture>>, CodecError> {
        let unit = unit_summary(data).ok_or(CodecError::Damaged("OBUs do not fit together"))?;
        if unit.unreadable_sequence {
            return Err(CodecError::Damaged("no usable sequence header"));
        }
        unit.size.map_or(Ok(()), check_decoded_size)?;
        let mut input = Input::copy_of(data)?;
        let mut shown = None;
        // A call takes what it can; what it leaves goes in once a picture is out. Each round does one or the other, and
        // a temporal unit has fewer frames than bytes.
        for _ in 0..=data.len() {
            let has_more = self.send(&mut input)?;
            match self.picture()? {
                Some(picture) => shown = Some(picture.keep(pool)?),
                None if !has_more => return Ok(shown),
                None => {}
            }
        }
        Err(CodecError::Damaged("libdav1d makes no way"))
    }

    /// Whether something is left.
    fn send(&mut self, input: &mut Input) -> Result<bool, CodecError> {
        if input.0.sz == 0 {
            return Ok(false);
        }
        // SAFETY: both are valid; libdav1d takes a reference to what it keeps and says in `input` what it left.
        match unsafe { dav1d::dav1d_send_data(self.0.as_ptr(), &raw mut input.0) } {
            0 => Ok(input.0.sz > 0),
            code if code == again() => Ok(true),
            _ => Err(CodecError::Damaged("libdav1d cannot decode it")),
        }
    }

    fn picture(&mut self) -> Result<Option<Output>, CodecError> {
        // SAFETY: all-zero is a valid value of this C struct: null pointers, numbers, and enums that have a 0.
        let mut output = Output(unsafe { MaybeUninit::zeroed().assume_init() });
        // SAFETY: `output` is zeroed, as the API asks; on success it holds a reference that its drop gives back.
        match unsafe { dav1d::dav1d_get_picture(self.0.as_ptr(), &raw mut output.0) } {
            0 => Ok(Some(output)),
            code if code == again() => Ok(None),
            _ => Err(CodecError::Damaged("libdav1d cannot decode it")),
        }
    }
}

/// `DAV1D_ERR(EAGAIN)`
fn again() -> i32 {
    -libc::EAGAIN
}

fn failed(call: &'static str, why: &str) -> CodecError {
    CodecError::Library { call, why: why.to_owned() }
}

/// Coded bytes in memory of libdav1d, which may keep them longer than the call.
struct Input(dav1d::Dav1dData);

impl Input {
    fn copy_of(data: &[u8]) -> Result<Self, CodecError> {
        if data.is_empty() {
            return Err(CodecError::Damaged("no bytes"));
        }
        // SAFETY: all-zero is a valid value: null pointers and numbers.
        let mut input = Self(unsafe { MaybeUninit::zeroed().assume_init() });
        // SAFETY: `input` is zeroed; the call gives `data.len()` writable bytes, or null.
        let room = unsafe { dav1d::dav1d_data_create(&raw mut input.0, data.len()) };
        if room.is_null() {
            return Err(failed("dav1d_data_create", "no memory"));
        }
        // SAFETY: fresh memory of that length, so it does not overlap `data`.
        unsafe { ptr::copy_nonoverlapping(data.as_ptr(), room, data.len()) };
        Ok(input)
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        // SAFETY: holds one reference, or none any more, which the call sees.
        unsafe { dav1d::dav1d_data_unref(&raw mut self.0) };
    }
}

/// A reference to a picture of libdav1d.
struct Output(dav1d::Dav1dPicture);

impl Drop for Output {
    fn drop(&mut self) {
        // SAFETY: zeroed, or holding the reference `dav1d_get_picture` gave.
        unsafe { dav1d::dav1d_picture_unref(&raw mut self.0) };
    }
}

impl Output {
    fn keep(&self, pool: &mut PicturePool) -> Result<Arc<Picture>, CodecError> {
        let view = self.view().ok_or(CodecError::Damaged("not an 8-bit 4:2:0 picture"))?;
        keep(&view, pool)
    }

    fn view(&self) -> Option<View<'_>> {
        let parameters = &self.0.p;
        if parameters.layout != dav1d::DAV1D_PIXEL_LAYOUT_I420 || parameters.bpc != 8 {
            return None;
        }
        let size =
            Size { width: u32::try_from(parameters.w).ok()?, height: u32::try_from(parameters.h).ok()? };
        if size.width == 0 || size.height == 0 {
            return None;
        }
        let [luma, chroma] = self.0.stride;
        let plane = |index: usize, stride: isize, columns: u32, rows: u32| {
            let data = self.0.data.get(index)?.cast::<u8>().cast_const();
            let stride = usize::try_from(stride).ok()?;
            let len = stride.checked_mul(rows as usize - 1)?.checked_add(columns as usize)?;
            // SAFETY: libdav1d's planes have `rows` rows of `stride` bytes, of which the first `columns` are pixels, and
            // live as long as the reference in `self`.
            (!data.is_null()).then(|| (unsafe { std::slice::from_raw_parts(data, len) }, stride))
        };
        let (y, y_stride) = plane(0, luma, size.width, size.height)?;
        let (u, u_stride) = plane(1, chroma, size.width.div_ceil(2), size.height.div_ceil(2))?;
        let (v, v_stride) = plane(2, chroma, size.width.div_ceil(2), size.height.div_ceil(2))?;
        View::new(size, [y, u, v], [y_stride, u_stride, v_stride])
    }
}
