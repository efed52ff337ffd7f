//! From where everybody is heard in a stereo room: from where they are seen.
//!
//! in:  layers in force, members
//! out: the mix told, when somebody's place is another
//!
//! A slot says so itself (`audio_pan`), else its middle does. A screen stays in the middle of the room unless its slot
//! says so, because music has two sides of its own. A microphone without a camera is where its owner is; who is not seen
//! is in the middle.

use std::collections::BTreeMap;

use layouts::{Layer, SourceKey};

use super::{MemberKind, Room};
use crate::mix::audio::AudioInput;
use crate::shard::Reach;
use crate::units::MemberKey;

/// Where the mix has everybody, in thousandths from −1000, left, to 1000, right. Nobody is in the middle.
#[derive(Default)]
pub(super) struct Panning {
    places: BTreeMap<MemberKey, i16>,
}

impl Room {
    /// Tells the mix of everybody who is heard from elsewhere now. Only rooms with stereo ask.
    pub(super) fn settle_pans(&mut self, reach: &mut Reach<'_>, layers: &[Layer]) {
        if !self.sound.stereo {
            return;
        }
        let seen = |key: MemberKey| {
            let at = |layer: &&Layer| layer.visible && layer.source == Some(SourceKey(key.0));
            layers.iter().filter(at).max_by_key(|layer| layer.rect.area())
        };
        let mut places = BTreeMap::new();
        for (&key, member) in &self.members {
            let own = seen(key);
            let layer = match member.config.kind {
                MemberKind::Member => own,
                MemberKind::Device => own.or_else(|| seen(member.config.parent?)),
                MemberKind::Screen => own.filter(|layer| layer.pan.is_some()),
            };
            let place = layer.map_or(0, Layer::heard_from);
            if self.panning.places.get(&key).copied().unwrap_or(0) != place {
                reach.audio(AudioInput::SetPan { room: self.key, member: key, place });
            }
            places.insert(key, place);
        }
        self.panning.places = places;
    }
}
