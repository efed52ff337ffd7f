//! VP9 by libvpx: decoding.
//!
//! in:  pictures of one or more spatial layers, as superframes with an index
//! out: pictures
//!
//! Every frame's head is read before libvpx sees it: a frame may have a size of its own, key frame or not. The index
//! matters for that as well: without one libvpx looks for further frames behind the first, whose heads nobody read.

use std::borrow::Cow;
use std::sync::Arc;

use super::vpx::Coding;
use super::{CodecError, Picture, PicturePool, check_decoded_size};
use crate::rtp::vp9::{self, Announced};

const NO_HEADER: CodecError = CodecError::Damaged("no VP9 frame header of profile 0");

/// Whether a decoder can begin with this picture: its lowest layer is a key frame.
pub(super) fn is_key_frame(data: &[u8]) -> bool {
    let first = vp9::frames_of(data).and_then(|frames| frames.first().copied()).unwrap_or(data);
    vp9::is_key_frame(first)
}

#[derive(Debug)]
pub(super) struct Decoder(super::vpx::Decoder);

impl Decoder {
    pub(super) fn new() -> Result<Self, CodecError> {
        super::vpx::Decoder::new(Coding::Vp9).map(Self)
    }

    pub(super) fn decode(
        &mut self,
        data: &[u8],
        pool: &mut PicturePool,
    ) -> Result<Option<Arc<Picture>>, CodecError> {
        self.0.decode(&checked(data)?, pool)
    }
}

/// The picture with an index, every frame of it no larger than it may be.
fn checked(data: &[u8]) -> Result<Cow<'_, [u8]>, CodecError> {
    if let Some(frames) = vp9::frames_of(data) {
        frames.into_iter().try_for_each(check_frame)?;
        return Ok(Cow::Borrowed(data));
    }
    check_frame(data)?;
    vp9::superframe(&[data]).map(Cow::Owned).ok_or(NO_HEADER)
}

fn check_frame(frame: &[u8]) -> Result<(), CodecError> {
    match vp9::frame_size(frame) {
        Some(Announced::Size(size)) => check_decoded_size(size),
        Some(Announced::AsBefore) => Ok(()),
        None => Err(NO_HEADER),
    }
}
