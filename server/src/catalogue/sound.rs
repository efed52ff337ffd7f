//! What a room does with the sound of its members: as REST and the configuration write it.

use media_core::room::SoundRules;
use serde::{Deserialize, Serialize};

/// All off, unless somebody asks for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Sound {
    /// Who can hear in stereo hears everybody from where they are seen.
    pub(crate) stereo: bool,
    /// Microphones are made about equally loud.
    pub(crate) automatic_gain: bool,
    /// What is no voice is taken out of microphones.
    pub(crate) noise_suppression: bool,
}

impl Sound {
    pub(crate) fn act(self) -> SoundRules {
        let Self { stereo, automatic_gain, noise_suppression } = self;
        SoundRules { stereo, automatic_gain, noise_suppression }
    }
}
