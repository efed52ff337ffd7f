//! Who watches which rendition of the canvas: renditions begin, change their rates and end with their viewers.
//!
//! in:  viewers that come, go, lose packets, and what may be sent to each
//! out: which packets a viewer gets; young key frames for those who wait for one

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::Canvas;
use super::recorder::Recorder;
use super::rendition::Rendition;
use crate::forward::{MediaPacket, PacketCache};
use crate::room::key_demand::{CACHED_MAX_AGE, Demand, is_many};
use crate::room::watching::{AUDIO, Gate, Remedy, RenditionKey, SizeClass, Viewer, rate_for};
use crate::units::{Bitrate, LegKey, VideoCodec};

/// A rendition nobody watches is encoded for so long: who left it for a moment comes back without a new encoder.
const HANG: Duration = Duration::from_secs(3);
/// Viewers' budgets are looked at this often.
const SETTLE_EVERY: Duration = Duration::from_millis(100);
/// An encoder is told another rate when it differs by this much, in percent.
const RATE_STEP_PERCENT: u64 = 5;

/// How a viewer gets the key frame it waits for.
pub(crate) enum FirstPicture {
    /// The last one is young: these packets, from it on, are sent again.
    Cached(Vec<MediaPacket>),
    /// The next frame is one.
    Coming,
}

impl Canvas {
    /// Whether a viewer gets a packet of a rendition.
    pub(crate) fn gate(
        &mut self,
        now: Instant,
        leg: LegKey,
        rendition: RenditionKey,
        packet: &MediaPacket,
    ) -> Gate {
        match self.viewers.get_mut(&leg).filter(|viewer| viewer.codec == rendition.codec) {
            Some(viewer) => viewer.gate(now, rendition.size, packet.begins && packet.keyframe),
            None => Gate::Drop,
        }
    }

    /// The rendition a viewer waits for.
    pub(crate) fn awaited(&self, leg: LegKey) -> Option<RenditionKey> {
        let viewer = self.viewers.get(&leg)?;
        Some(RenditionKey { codec: viewer.codec, size: viewer.awaits()? })
    }

    /// What viewers could make use of at best, with the mix.
    pub(crate) fn most(&self) -> Bitrate {
        let recorded = self.recorder.as_ref().map_or(Bitrate(0), Recorder::least);
        Bitrate(SizeClass::Full.most(self.size).max(recorded).0 + AUDIO.0)
    }

    /// A leg begins to watch; the rendition is made if it is the first.
    pub(crate) fn watch(&mut self, now: Instant, leg: LegKey, codec: VideoCodec) -> FirstPicture {
        self.viewers.insert(leg, Viewer::new(codec));
        self.begin(now, RenditionKey { codec, size: SizeClass::Full }, Demand::Newcomer)
    }

    /// A viewer waits for a key frame of a rendition, which is made if it is the first.
    pub(super) fn begin(&mut self, now: Instant, key: RenditionKey, demand: Demand) -> FirstPicture {
        if self.renditions.is_empty() {
            self.skip_idle_frames(now);
        }
        let (size, fps, numbered) = (self.size, self.fps, &mut self.numbered);
        let rendition = self.renditions.entry(key).or_insert_with(|| {
            *numbered += 1;
            Rendition::new(*numbered, key, size, fps)
        });
        rendition.unwatched_since = None;
        let cached: Vec<_> = rendition.cache.since_keyframe(now, CACHED_MAX_AGE).cloned().collect();
        if cached.is_empty() {
            rendition.demand.want(demand);
            return FirstPicture::Coming;
        }
        FirstPicture::Cached(cached)
    }

    /// A viewer has the picture in full size and waits for nothing.
    pub(crate) fn is_content(&self, leg: LegKey) -> bool {
        self.viewers.get(&leg).is_some_and(Viewer::is_content)
    }

    /// A viewer gets its picture from elsewhere for a while.
    pub(crate) fn leave_to_another(&mut self, leg: LegKey) {
        if let Some(viewer) = self.viewers.get_mut(&leg) {
            viewer.leave_to_another();
        }
    }

    /// … and is back: it waits for a key frame of what comes now.
    pub(crate) fn come_back(&mut self, now: Instant, leg: LegKey) {
        let Some(viewer) = self.viewers.get_mut(&leg) else { return };
        let demand = if viewer.come_back() { Demand::Returning } else { Demand::Newcomer };
        let key = RenditionKey { codec: viewer.codec, size: SizeClass::Full };
        let _ = self.begin(now, key, demand);
        // A young one is older than what was seen last.
        if let Some(rendition) = self.renditions.get_mut(&key) {
            rendition.demand.want(demand);
        }
    }

    /// A viewer has gone; the last of a codec takes its renditions along.
    pub(crate) fn unwatch(&mut self, leg: LegKey) {
        if let Some(Viewer { codec, .. }) = self.viewers.remove(&leg) {
            self.end_unused(codec);
        }
    }

    /// Ends the renditions of a codec that nobody watches any more, but for the recorded one.
    pub(super) fn end_unused(&mut self, codec: VideoCodec) {
        if !self.viewers.values().any(|viewer| viewer.codec == codec) {
            let recorded = self.recorder.is_some();
            self.renditions.retain(|key, _| key.codec != codec || (recorded && *key == Recorder::READS));
        }
    }

    /// Looks now and then at what each viewer may be sent. Gives young key frames to those who begin to wait for one.
    pub(crate) fn settle(
        &mut self,
        now: Instant,
        budget: impl Fn(LegKey) -> Option<Bitrate>,
    ) -> Vec<(LegKey, RenditionKey, Vec<MediaPacket>)> {
        if self.settle_at > now || self.viewers.is_empty() {
            return Vec::new();
        }
        self.settle_at = now + SETTLE_EVERY;
        for (&leg, viewer) in &mut self.viewers {
            viewer.set_budget(budget(leg));
        }
        // First what each rendition can come down to, then who cannot bear even that.
        self.set_rates();
        let mut waiting = Vec::new();
        for (&leg, viewer) in &mut self.viewers {
            let full = RenditionKey { codec: viewer.codec, size: SizeClass::Full };
            let rate = self.renditions.get(&full).map_or(Bitrate(0), |it| it.rate);
            if let Some(size) = viewer.on_budget(now, budget(leg), self.size, rate) {
                waiting.push((leg, RenditionKey { codec: viewer.codec, size }));
            }
        }
        let mut young = Vec::new();
        for (leg, key) in waiting {
            match self.begin(now, key, Demand::Loss) {
                FirstPicture::Coming => {}
                FirstPicture::Cached(packets) => young.push((leg, key, packets)),
            }
        }
        self.end_unwatched(now);
        young
    }

    pub(super) fn set_rates(&mut self) {
        for (key, rendition) in &mut self.renditions {
            let its = self.viewers.values().filter(|viewer| viewer.codec == key.codec);
            let mut budgets: Vec<_> = its.filter_map(|viewer| viewer.picture_budget(key.size)).collect();
            let mut rate = rate_for(key.size, self.size, &mut budgets);
            if let Some(recorder) = self.recorder.as_ref().filter(|_| *key == Recorder::READS) {
                rate = rate.max(recorder.least());
            }
            if rate.0.abs_diff(rendition.rate.0) * 100 > rendition.rate.0 * RATE_STEP_PERCENT {
                rendition.rate = rate;
            }
        }
    }

    fn end_unwatched(&mut self, now: Instant) {
        let (viewers, recorded) = (&self.viewers, self.recorder.is_some());
        self.renditions.retain(|key, rendition| {
            let is_recorded = recorded && *key == Recorder::READS;
            if is_recorded
                || viewers.values().any(|viewer| viewer.codec == key.codec && viewer.needs(key.size))
            {
                rendition.unwatched_since = None;
                return true;
            }
            let since = *rendition.unwatched_since.get_or_insert(now);
            now.saturating_duration_since(since) < HANG
        });
    }

    /// A viewer lost something, and `repaired` of it was sent again just now. Gives a young key frame, when there is one.
    pub(crate) fn on_loss(
        &mut self,
        now: Instant,
        leg: LegKey,
        repaired: bool,
        rtt: Duration,
    ) -> Option<(RenditionKey, Vec<MediaPacket>)> {
        let codec = self.viewers.get(&leg)?.codec;
        let watching = self.viewers.values().filter(|viewer| viewer.codec == codec).count();
        let viewer = self.viewers.get_mut(&leg)?;
        match viewer.on_loss(now, repaired, rtt, is_many(watching))? {
            Remedy::Wait => None,
            Remedy::First(size) => {
                let key = RenditionKey { codec, size };
                match self.begin(now, key, Demand::Newcomer) {
                    FirstPicture::Cached(packets) => Some((key, packets)),
                    FirstPicture::Coming => None,
                }
            }
            Remedy::KeyFrame(size) => {
                let key = RenditionKey { codec, size };
                // A young key frame of what it shows has been sent to it, and was lost with the rest.
                let shown = viewer.shows() == Some(size);
                match self.begin(now, key, Demand::Loss) {
                    FirstPicture::Cached(packets) if !shown => Some((key, packets)),
                    FirstPicture::Cached(_) => {
                        self.want_key(key);
                        None
                    }
                    FirstPicture::Coming => None,
                }
            }
        }
    }

    /// A viewer's packets were given up before they were sent.
    pub(crate) fn on_given_up(&mut self, leg: LegKey) {
        let given_up = |viewer: &mut Viewer| Some((viewer.codec, viewer.on_given_up()?));
        if let Some((codec, size)) = self.viewers.get_mut(&leg).and_then(given_up) {
            self.want_key(RenditionKey { codec, size });
        }
    }

    fn want_key(&mut self, key: RenditionKey) {
        if let Some(rendition) = self.renditions.get_mut(&key) {
            rendition.demand.want(Demand::Loss);
        }
    }

    /// Packets that can be sent to a viewer again.
    pub(crate) fn cache(&self, leg: LegKey) -> Option<&PacketCache> {
        let viewer = self.viewers.get(&leg)?;
        let key = RenditionKey { codec: viewer.codec, size: viewer.shows()? };
        self.renditions.get(&key).map(|rendition| &rendition.cache)
    }
}

/// Legs that get a rendition, or wait for it.
pub(super) fn viewers(viewers: &BTreeMap<LegKey, Viewer>, key: RenditionKey) -> usize {
    viewers.values().filter(|viewer| viewer.codec == key.codec && viewer.needs(key.size)).count()
}
