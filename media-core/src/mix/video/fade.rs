//! One canvas over another, while an arrangement changes.
//!
//! in:  the canvas as it was, the canvas as it is, how much of the old one is seen
//! out: a third picture, so that neither of the two is drawn on
//!
//! The canvas itself is composed as ever, and what is drawn anew on it does not depend on the change.

use std::sync::Arc;

use crate::codec::{Picture, PicturePool};

/// The canvas before the change, and how opaque it still is over what is there now.
#[derive(Clone, Debug)]
pub struct Fade {
    /// As it was.
    pub from: Arc<Picture>,
    /// 255 is nothing but the old one.
    pub opacity: u8,
}

impl Fade {
    /// The canvas with what is left of the old one over it.
    pub(crate) fn over(&self, pool: &mut PicturePool, canvas: &Picture) -> Arc<Picture> {
        let size = canvas.size();
        let opacity = vec![self.opacity; size.width as usize * size.height as usize];
        pool.draw(size, |view| {
            view.copy_from(&canvas.view());
            view.blend(&self.from.view(), &opacity);
        })
    }
}
