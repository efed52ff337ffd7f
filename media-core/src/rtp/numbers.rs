//! Numbers of pictures in a payload descriptor, with their places: each viewer gets its own.
//!
//! in:  a descriptor of VP8 (RFC 7741 §4.2) or VP9 (RFC 9628 §4.2)
//! out: the numbers; others in their place

use super::vp8::{self, PictureIdAt};
use super::vp9;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureNumbers {
    /// Picture id, 7 or 15 bits.
    pub picture_id: u16,
    /// Where it is.
    pub picture_id_at: PictureIdAt,
    /// `TL0PICIDX`, and where it is.
    pub tl0: Option<(u8, u8)>,
    /// Ids close up over pictures that are left out. Not those of VP9: there, differences of ids name the pictures that one
    /// refers to, and a receiver takes no offence at a gap.
    pub closes: bool,
}

impl PictureNumbers {
    /// As our own packetizer writes them ([`vp8::descriptor`]).
    #[must_use]
    pub const fn own(picture_id: u16) -> Self {
        Self { picture_id, picture_id_at: PictureIdAt::Fifteen(2), tl0: None, closes: true }
    }

    /// Out of a descriptor of VP8. `None` where pictures are not numbered: then there is nothing to keep closed.
    #[must_use]
    pub fn of_vp8(descriptor: &vp8::Descriptor) -> Option<Self> {
        Some(Self {
            picture_id: descriptor.picture_id?,
            picture_id_at: descriptor.picture_id_at?,
            tl0: placed(descriptor.tl0_pic_idx, descriptor.tl0_pic_idx_at),
            closes: true,
        })
    }

    /// Out of one of VP9.
    #[must_use]
    pub fn of_vp9(descriptor: &vp9::Descriptor) -> Option<Self> {
        Some(Self {
            picture_id: descriptor.picture_id?,
            picture_id_at: descriptor.picture_id_at?,
            tl0: placed(descriptor.tl0_pic_idx, descriptor.tl0_pic_idx_at),
            closes: false,
        })
    }

    /// The id that closes up when the picture is left out.
    #[must_use]
    pub fn closing_id(&self) -> Option<u16> {
        self.closes.then_some(self.picture_id)
    }

    /// Writes a viewer's numbers into its copy of the payload.
    pub fn rewrite(&self, payload: &mut [u8], picture_id: u16, tl0: u8) {
        self.picture_id_at.write(payload, picture_id);
        if let Some(field) = self.tl0.and_then(|(_, at)| payload.get_mut(usize::from(at))) {
            *field = tl0;
        }
    }
}

fn placed(tl0: Option<u8>, at: Option<usize>) -> Option<(u8, u8)> {
    let (tl0, at) = tl0.zip(at)?;
    Some((tl0, u8::try_from(at).ok()?))
}
