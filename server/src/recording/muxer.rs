//! From what a room gives to one part of a file: sound without holes, pictures from a key frame on, no pauses.
//!
//! in:  pictures and sound with their moments, pauses, what was lost on the way
//! out: bytes of Matroska, how much is recorded
//!
//! ```text
//!  moments    ──key────────────┃pause ····· resume ··· key──────────────────
//!  the part   0────────────────┃────────────────────────────────────────────
//! ```
//!
//! A stretch begins with a key frame, at the beginning and after each pause, and goes on where the one before ended.
//! Within it the clock of the room counts: sound that is missing becomes silence. Sans-I/O.

use std::time::{Duration, Instant};

use media_core::room::{Recorded, RecordedMedia};

use super::avc::ParameterSets;
use super::matroska::{SAMPLE_RATE, Track, Tracks, Writer};

/// Sound is late or early by less than this without anything being missing.
const TOLERANCE_SAMPLES: u64 = SAMPLE_RATE as u64 / 100;
/// Silence is written in pieces.
const PIECE_SAMPLES: u64 = SAMPLE_RATE as u64 / 10;
/// No more silence than this is made up at a time: where so much is missing, pictures are missing, too.
const SILENCE_MAX_SAMPLES: u64 = SAMPLE_RATE as u64 * 60;

/// What the pictures are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PictureFormat {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) fps: u32,
}

/// Makes one part.
pub(super) struct Muxer {
    format: PictureFormat,
    writer: Writer,
    sets: Option<ParameterSets>,
    stretch: Stretch,
    /// Samples of sound written.
    samples: u64,
    /// End of the last picture.
    pictures_end: Duration,
    out: Vec<u8>,
}

/// Whether something is recorded.
#[derive(Clone, Copy, Debug)]
enum Stretch {
    /// Not before the next key frame that is to be seen at this moment or later, if one is said.
    Awaits(Option<Instant>),
    /// From that moment on, which is so far into the part.
    Runs {
        from: Instant,
        at: Duration,
        has_picture: bool,
    },
    Paused,
}

impl Muxer {
    pub(super) fn new(format: PictureFormat) -> Self {
        Self {
            format,
            writer: Writer::default(),
            sets: None,
            stretch: Stretch::Awaits(None),
            samples: 0,
            pictures_end: Duration::ZERO,
            out: Vec::new(),
        }
    }

    /// How much there is in the part.
    pub(super) fn written(&self) -> Duration {
        duration_of(self.samples).max(self.pictures_end)
    }

    /// Nothing more before `resume`.
    pub(super) fn pause(&mut self) {
        self.stretch = Stretch::Paused;
    }

    /// What is seen and heard at `at` and later is recorded again, from a key frame on.
    pub(super) fn resume(&mut self, at: Instant) {
        self.stretch = Stretch::Awaits(Some(at));
    }

    /// Pictures were lost: those that lean on them are of no use.
    pub(super) fn pictures_lost(&mut self) {
        if let Stretch::Runs { has_picture, .. } = &mut self.stretch {
            *has_picture = false;
        }
    }

    /// Takes a piece; gives what is to be written now.
    pub(super) fn take(&mut self, recorded: &Recorded) -> &[u8] {
        self.out.clear();
        match &recorded.media {
            RecordedMedia::Picture { keyframe, data } => self.take_picture(recorded.at, *keyframe, data),
            RecordedMedia::Sound { samples } => self.take_sound(recorded.at, samples),
        }
        &self.out
    }

    fn take_picture(&mut self, at: Instant, key: bool, data: &[u8]) {
        if key {
            self.begin(at, data);
        }
        let Stretch::Runs { from, at: offset, has_picture } = &mut self.stretch else { return };
        *has_picture |= key;
        let (Some(sets), true) = (&self.sets, *has_picture) else { return };
        let Some(since) = at.checked_duration_since(*from) else { return };
        // Where the clock stood still two pictures would have one time.
        let time = (*offset + since).max(self.pictures_end.saturating_sub(self.frame() / 2));
        let frame = self.frame();
        let sample = sets.sample(data);
        self.writer.block(&mut self.out, Track::Video, time, key, &sample);
        self.pictures_end = time + frame;
    }

    fn frame(&self) -> Duration {
        Duration::from_secs(1) / self.format.fps.max(1)
    }

    /// A key frame begins what waits for one.
    fn begin(&mut self, at: Instant, data: &[u8]) {
        let Stretch::Awaits(earliest) = self.stretch else { return };
        if earliest.is_some_and(|earliest| at < earliest) {
            return;
        }
        if self.sets.is_none() {
            let Some(sets) = ParameterSets::of(data) else { return };
            let PictureFormat { width, height, fps } = self.format;
            let header = self.writer.header(&Tracks { width, height, fps, avcc: &sets.avcc() });
            self.out.extend_from_slice(&header);
            self.sets = Some(sets);
        }
        self.stretch = Stretch::Runs { from: at, at: self.written(), has_picture: false };
    }

    fn take_sound(&mut self, at: Instant, samples: &[i16]) {
        let Stretch::Runs { from, at: offset, .. } = self.stretch else { return };
        let count = samples.len() as u64;
        // Of a piece that began before the stretch the rest would have to be cut: it is left out, and silent.
        let Some(since) = at.checked_duration_since(from) else { return };
        let due = samples_of(offset + since);
        if due + TOLERANCE_SAMPLES < self.samples {
            return;
        }
        let missing = due.saturating_sub(self.samples);
        if missing > TOLERANCE_SAMPLES || self.samples == 0 {
            self.silence(missing.min(SILENCE_MAX_SAMPLES));
        }
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        self.sound(&bytes, count);
    }

    fn silence(&mut self, mut count: u64) {
        while count > 0 {
            let piece = count.min(PIECE_SAMPLES);
            let bytes = vec![0; usize::try_from(piece * 2).unwrap_or(0)];
            self.sound(&bytes, piece);
            count -= piece;
        }
    }

    fn sound(&mut self, bytes: &[u8], count: u64) {
        let time = duration_of(self.samples);
        self.writer.block(&mut self.out, Track::Audio, time, true, bytes);
        self.samples += count;
    }
}

fn duration_of(samples: u64) -> Duration {
    Duration::from_nanos(samples.saturating_mul(1_000_000_000 / 1000) / u64::from(SAMPLE_RATE / 1000))
}

fn samples_of(time: Duration) -> u64 {
    let samples = time.as_nanos() * u128::from(SAMPLE_RATE) / 1_000_000_000;
    u64::try_from(samples).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use layouts::Size;
    use media_core::codec::{EncoderConfig, Picture, Rgb, VideoEncoder};
    use media_core::units::{Bitrate, VideoCodec};

    use super::*;

    const FORMAT: PictureFormat = PictureFormat { width: 320, height: 180, fps: 30 };
    const SIZE: Size = Size { width: 320, height: 180 };

    /// A room that begins now.
    struct Source {
        start: Instant,
        encoder: VideoEncoder,
        frames: u64,
        ticks: u64,
    }

    impl Source {
        fn new() -> Self {
            let bitrate = Bitrate::kbps(500);
            let config = EncoderConfig { codec: VideoCodec::H264, size: SIZE, fps: 30, bitrate };
            Self { start: Instant::now(), encoder: VideoEncoder::new(config).unwrap(), frames: 0, ticks: 0 }
        }

        /// The next picture or sound, whichever comes first. Pictures come 20 ms late, and their clock begins 7 ms after
        /// that of the sound.
        fn next(&mut self, key_every: u64) -> Recorded {
            let seen = self.start + Duration::from_micros(7000 + self.frames * 1_000_000 / 30);
            let heard = self.start + Duration::from_millis(self.ticks * 20);
            if heard <= seen + Duration::from_millis(20) {
                self.ticks += 1;
                let samples = (0..960).map(|n| if (n / 48) % 2 == 0 { 8000 } else { -8000 }).collect();
                return Recorded { at: heard, media: RecordedMedia::Sound { samples } };
            }
            let colour = Rgb(u8::try_from(self.frames % 200).unwrap(), 80, 120);
            let picture = Picture::filled(SIZE, colour);
            let key = self.frames.is_multiple_of(key_every);
            let coded = self.encoder.encode(&picture, self.frames * 3000, key).unwrap().unwrap();
            self.frames += 1;
            Recorded {
                at: seen,
                media: RecordedMedia::Picture { keyframe: coded.keyframe, data: coded.data },
            }
        }

        fn until(&self) -> Duration {
            Duration::from_millis(self.ticks * 20)
        }
    }

    /// What ffprobe finds: (pictures, end of them, samples of sound, end of it).
    fn probe(bytes: &[u8]) -> (usize, f64, f64, f64) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("part.mkv");
        std::fs::write(&path, bytes).unwrap();
        let packets = |stream: &str| -> Vec<(f64, f64, f64)> {
            let arguments = ["-v", "error", "-select_streams", stream, "-of", "csv=p=0", "-show_entries"];
            let done = Command::new("ffprobe")
                .args(arguments)
                .arg("packet=pts_time,duration_time,size")
                .arg(&path)
                .output()
                .unwrap();
            assert!(done.stderr.is_empty(), "{}", String::from_utf8_lossy(&done.stderr));
            let text = String::from_utf8(done.stdout).unwrap();
            text.lines()
                .map(|line| {
                    let mut cells = line.split(',');
                    let mut number = || cells.next().unwrap().parse::<f64>().unwrap();
                    (number(), number(), number())
                })
                .collect()
        };
        let (video, audio) = (packets("v"), packets("a"));
        assert!(video.windows(2).all(|two| two[1].0 > two[0].0), "pictures have times that grow");
        let jumps = audio.windows(2).filter(|two| (two[1].0 - two[0].0 - two[0].1).abs() > 0.0025);
        assert_eq!(jumps.count(), 0, "sound has no holes");
        let done =
            Command::new("ffmpeg").args(["-v", "error", "-i"]).arg(&path).args(["-f", "null", "-"]).output();
        let said = String::from_utf8(done.unwrap().stderr).unwrap();
        assert_eq!(said, "", "it decodes without a complaint");
        let end = |all: &[(f64, f64, f64)]| all.last().map_or(0.0, |last| last.0 + last.1);
        (video.len(), end(&video), audio.iter().map(|packet| packet.2 / 2.0).sum(), end(&audio))
    }

    #[test]
    fn a_part_holds_every_picture_and_all_sound_from_the_first_key_frame_on() {
        let (mut source, mut muxer) = (Source::new(), Muxer::new(FORMAT));
        let mut bytes = Vec::new();
        let late = source.start + Duration::from_millis(300);
        while source.until() < Duration::from_secs(5) {
            let piece = source.next(60);
            // The recorder comes late, and waits for the second key frame.
            if piece.at > late {
                bytes.extend_from_slice(muxer.take(&piece));
            }
        }
        let (pictures, seen, samples, heard) = probe(&bytes);
        assert!((88..=90).contains(&pictures), "{pictures}");
        assert!((2.9..3.05).contains(&seen) && (2.9..3.05).contains(&heard), "{seen} s, {heard} s");
        assert!((samples / 48_000.0 - heard).abs() < 0.003, "{samples} samples");
        assert!((muxer.written().as_secs_f64() - heard.max(seen)).abs() < 0.003);
    }

    #[test]
    fn pauses_are_left_out_and_holes_in_the_sound_are_silent() {
        let (mut source, mut muxer) = (Source::new(), Muxer::new(FORMAT));
        let mut bytes = Vec::new();
        let (mut paused, mut resumed) = (false, false);
        while source.until() < Duration::from_secs(8) {
            let piece = source.next(15);
            let at = piece.at.saturating_duration_since(source.start);
            if at >= Duration::from_secs(3) && !paused {
                muxer.pause();
                paused = true;
            }
            if at >= Duration::from_secs(5) && !resumed {
                muxer.resume(piece.at);
                resumed = true;
            }
            let is_hole = (1200..1700).contains(&at.as_millis());
            let is_sound = matches!(piece.media, RecordedMedia::Sound { .. });
            if !(is_hole && is_sound) {
                bytes.extend_from_slice(muxer.take(&piece));
            }
        }
        let (pictures, seen, samples, heard) = probe(&bytes);
        // The pause is two seconds, and up to half a second goes by before the next key frame.
        assert!((164..=180).contains(&pictures), "{pictures}");
        for end in [seen, heard, samples / 48_000.0] {
            assert!((5.45..6.1).contains(&end), "{seen} s, {heard} s, {samples} samples");
        }
        assert!((seen - heard).abs() < 0.06, "{seen} s, {heard} s");
    }

    #[test]
    fn after_lost_pictures_it_goes_on_with_a_key_frame() {
        let (mut source, mut muxer) = (Source::new(), Muxer::new(FORMAT));
        let mut bytes = Vec::new();
        while source.until() < Duration::from_secs(4) {
            let piece = source.next(30);
            let at = piece.at.saturating_duration_since(source.start).as_millis();
            let is_picture = matches!(piece.media, RecordedMedia::Picture { .. });
            if is_picture && (1400..1500).contains(&at) {
                muxer.pictures_lost();
                continue;
            }
            bytes.extend_from_slice(muxer.take(&piece));
        }
        let (pictures, seen, _, heard) = probe(&bytes);
        assert!((100..=104).contains(&pictures), "from 1.4 s to 2 s none: {pictures}");
        assert!((seen - heard).abs() < 0.06, "{seen} s, {heard} s");
    }
}
