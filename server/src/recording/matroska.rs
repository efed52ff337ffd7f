//! Writes Matroska (RFC 9559) for a reader at the other end of a pipe: one track of H.264, one of PCM.
//!
//! in:  sizes, the decoder's configuration, blocks with their times
//! out: bytes, to be appended in order
//!
//! Segment and clusters have an unknown size (RFC 8794 §6.2), so nothing waits for their end, and what was written before a
//! sudden end can be read. Times are whole milliseconds.

use std::time::Duration;

/// 48 kHz, mono, 16 bits.
pub(super) const SAMPLE_RATE: u32 = 48_000;

/// Times of blocks are 16 bits, from their cluster's; a new one also begins with every key frame.
const CLUSTER_MS: u64 = 1000;

// Element IDs, RFC 9559 §5.1, RFC 8794 §11.2.
const EBML: u32 = 0x1A45_DFA3;
const EBML_VERSION: u32 = 0x4286;
const EBML_READ_VERSION: u32 = 0x42F7;
const EBML_MAX_ID_LENGTH: u32 = 0x42F2;
const EBML_MAX_SIZE_LENGTH: u32 = 0x42F3;
const DOC_TYPE: u32 = 0x4282;
const DOC_TYPE_VERSION: u32 = 0x4287;
const DOC_TYPE_READ_VERSION: u32 = 0x4285;
const SEGMENT: u32 = 0x1853_8067;
const INFO: u32 = 0x1549_A966;
const TIMESTAMP_SCALE: u32 = 0x2A_D7B1;
const MUXING_APP: u32 = 0x4D80;
const WRITING_APP: u32 = 0x5741;
const TRACKS: u32 = 0x1654_AE6B;
const TRACK_ENTRY: u32 = 0xAE;
const TRACK_NUMBER: u32 = 0xD7;
const TRACK_UID: u32 = 0x73C5;
const TRACK_TYPE: u32 = 0x83;
const FLAG_LACING: u32 = 0x9C;
const CODEC_ID: u32 = 0x86;
const CODEC_PRIVATE: u32 = 0x63A2;
const DEFAULT_DURATION: u32 = 0x23_E383;
const VIDEO: u32 = 0xE0;
const PIXEL_WIDTH: u32 = 0xB0;
const PIXEL_HEIGHT: u32 = 0xBA;
const AUDIO: u32 = 0xE1;
const SAMPLING_FREQUENCY: u32 = 0xB5;
const CHANNELS: u32 = 0x9F;
const BIT_DEPTH: u32 = 0x6264;
const CLUSTER: u32 = 0x1F43_B675;
const TIMESTAMP: u32 = 0xE7;
const SIMPLE_BLOCK: u32 = 0xA3;

/// Which track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Track {
    Video,
    Audio,
}

impl Track {
    fn number(self) -> u8 {
        match self {
            Self::Video => 1,
            Self::Audio => 2,
        }
    }
}

/// What the tracks are.
#[derive(Clone, Debug)]
pub(super) struct Tracks<'a> {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) fps: u32,
    /// `avcC`, ISO/IEC 14496-15 §5.3.3.
    pub(super) avcc: &'a [u8],
}

/// Writes clusters; knows where the last one began.
#[derive(Debug, Default)]
pub(super) struct Writer {
    cluster_ms: Option<u64>,
}

impl Writer {
    /// What comes before the first block.
    pub(super) fn header(&mut self, tracks: &Tracks<'_>) -> Vec<u8> {
        let mut ebml = Vec::new();
        uint(&mut ebml, EBML_VERSION, 1);
        uint(&mut ebml, EBML_READ_VERSION, 1);
        uint(&mut ebml, EBML_MAX_ID_LENGTH, 4);
        uint(&mut ebml, EBML_MAX_SIZE_LENGTH, 8);
        element(&mut ebml, DOC_TYPE, b"matroska");
        uint(&mut ebml, DOC_TYPE_VERSION, 4);
        uint(&mut ebml, DOC_TYPE_READ_VERSION, 2);

        let mut info = Vec::new();
        uint(&mut info, TIMESTAMP_SCALE, 1_000_000);
        element(&mut info, MUXING_APP, b"signalbox");
        element(&mut info, WRITING_APP, b"signalbox");

        let mut entries = Vec::new();
        element(&mut entries, TRACK_ENTRY, &video(tracks));
        element(&mut entries, TRACK_ENTRY, &audio());

        let mut out = Vec::new();
        element(&mut out, EBML, &ebml);
        open(&mut out, SEGMENT);
        element(&mut out, INFO, &info);
        element(&mut out, TRACKS, &entries);
        self.cluster_ms = None;
        out
    }

    /// Appends a block.
    pub(super) fn block(&mut self, out: &mut Vec<u8>, track: Track, at: Duration, key: bool, data: &[u8]) {
        let at_ms = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
        let begins_with_key = key && track == Track::Video;
        let cluster = match self.cluster_ms {
            // A block may lie a little before its cluster, when sound and pictures come in another order than they are heard.
            Some(cluster) if !begins_with_key && at_ms < cluster + CLUSTER_MS => cluster,
            Some(_) | None => {
                open(out, CLUSTER);
                uint(out, TIMESTAMP, at_ms);
                self.cluster_ms = Some(at_ms);
                at_ms
            }
        };
        let since = i128::from(at_ms) - i128::from(cluster);
        let since = i16::try_from(since).unwrap_or(i16::MIN);
        id(out, SIMPLE_BLOCK);
        size(out, data.len() + 4);
        out.push(0x80 | track.number());
        out.extend_from_slice(&since.to_be_bytes());
        out.push(if key { 0x80 } else { 0 });
        out.extend_from_slice(data);
    }
}

fn video(tracks: &Tracks<'_>) -> Vec<u8> {
    let mut picture = Vec::new();
    uint(&mut picture, PIXEL_WIDTH, tracks.width.into());
    uint(&mut picture, PIXEL_HEIGHT, tracks.height.into());
    let mut entry = entry(Track::Video, 1, b"V_MPEG4/ISO/AVC");
    element(&mut entry, CODEC_PRIVATE, tracks.avcc);
    uint(&mut entry, DEFAULT_DURATION, 1_000_000_000 / u64::from(tracks.fps.max(1)));
    element(&mut entry, VIDEO, &picture);
    entry
}

fn audio() -> Vec<u8> {
    let mut sound = Vec::new();
    element(&mut sound, SAMPLING_FREQUENCY, &f64::from(SAMPLE_RATE).to_be_bytes());
    uint(&mut sound, CHANNELS, 1);
    uint(&mut sound, BIT_DEPTH, 16);
    let mut entry = entry(Track::Audio, 2, b"A_PCM/INT/LIT");
    element(&mut entry, AUDIO, &sound);
    entry
}

fn entry(track: Track, kind: u64, codec: &[u8]) -> Vec<u8> {
    let mut entry = Vec::new();
    uint(&mut entry, TRACK_NUMBER, track.number().into());
    uint(&mut entry, TRACK_UID, track.number().into());
    uint(&mut entry, TRACK_TYPE, kind);
    uint(&mut entry, FLAG_LACING, 0);
    element(&mut entry, CODEC_ID, codec);
    entry
}

fn element(out: &mut Vec<u8>, name: u32, body: &[u8]) {
    id(out, name);
    size(out, body.len());
    out.extend_from_slice(body);
}

fn uint(out: &mut Vec<u8>, name: u32, value: u64) {
    let bytes = value.to_be_bytes();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count().min(7);
    element(out, name, bytes.get(zeros..).unwrap_or_default());
}

/// An element whose end is not known.
fn open(out: &mut Vec<u8>, name: u32) {
    id(out, name);
    out.extend_from_slice(&[0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]);
}

/// An ID has its length in itself.
fn id(out: &mut Vec<u8>, name: u32) {
    let bytes = name.to_be_bytes();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    out.extend_from_slice(bytes.get(zeros..).unwrap_or_default());
}

/// A size in eight bytes is as good as a short one.
fn size(out: &mut Vec<u8>, size: usize) {
    let mut bytes = (size as u64).to_be_bytes();
    bytes[0] = 0x01;
    out.extend_from_slice(&bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_as_in_the_rfc() {
        let mut out = Vec::new();
        uint(&mut out, DOC_TYPE_VERSION, 4);
        uint(&mut out, TIMESTAMP_SCALE, 1_000_000);
        uint(&mut out, FLAG_LACING, 0);
        let expected = [
            &[0x42, 0x87, 1, 0, 0, 0, 0, 0, 0, 1, 4][..],
            &[0x2A, 0xD7, 0xB1, 1, 0, 0, 0, 0, 0, 0, 3, 0x0F, 0x42, 0x40],
            &[0x9C, 1, 0, 0, 0, 0, 0, 0, 1, 0],
        ];
        assert_eq!(out, expected.concat());
    }

    #[test]
    fn a_cluster_begins_with_each_key_frame_and_each_second() {
        let mut writer = Writer::default();
        let clusters = |out: &[u8]| out.windows(4).filter(|four| *four == CLUSTER.to_be_bytes()).count();
        let mut out = Vec::new();
        let ms = Duration::from_millis;
        for (at, track, key, expected) in [
            (0, Track::Video, true, 1),
            (0, Track::Audio, true, 1),
            (500, Track::Audio, true, 1),
            (990, Track::Video, false, 1),
            (1010, Track::Audio, true, 2),
            (1005, Track::Video, false, 2),
            (1200, Track::Video, true, 3),
            (90_000, Track::Video, false, 4),
        ] {
            writer.block(&mut out, track, ms(at), key, &[7; 3]);
            assert_eq!(clusters(&out), expected, "{at} ms");
        }
    }
}
