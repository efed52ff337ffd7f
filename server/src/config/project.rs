//! The project of this server and its secret.

use std::fmt;

use subtle::ConstantTimeEq;

/// The one project of this server and the secret of its REST and realtime clients.
#[derive(Clone)]
pub(crate) struct Project {
    pub(crate) id: String,
    pub(crate) api_token: String,
}

impl Project {
    /// Whether these are its credentials; takes as long for a nearly right secret as for any other.
    pub(crate) fn accepts(&self, id: &str, api_token: &str) -> bool {
        // Digests, because a comparison of the texts would tell their length.
        let digest = |text: &str| aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
        let same = |a: &str, b: &str| digest(a).as_ref().ct_eq(digest(b).as_ref());
        (same(&self.id, id) & same(&self.api_token, api_token)).into()
    }
}

impl fmt::Debug for Project {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Project").field("id", &self.id).finish_non_exhaustive()
    }
}
