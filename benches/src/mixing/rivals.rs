//! The three programs that compose, with the same settings as far as they have them.
//!
//! in:  inputs, a codec, a number of frames
//! out: processor time, a file
//!
//! VP8 is libvpx for all: realtime, cpu-used -8, one thread, CBR with the same buffers, quantizers 2 to 56. H.264 is
//! OpenH264 of the lowest complexity with ours and GStreamer, and x264 `ultrafast zerolatency` with ffmpeg, which
//! Debian builds without OpenH264. Decoders and filters have one thread.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

use super::inputs::{FPS, Inputs, KBPS, ffmpeg, stacked};
use super::shape::{CANVAS, Grid};
use super::{Coded, file};
use crate::loadtest::LoadError;

/// Who composes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rival {
    /// This project, set as the others are.
    Ours,
    /// This project as it is in a room: what did not change is not coded, and motion is looked for in fewer places.
    Saving,
    /// `ffmpeg` with `scale` and `xstack`.
    Ffmpeg,
    /// `gst-launch-1.0` with `compositor`.
    GStreamer,
}

impl Rival {
    /// Who has a turn; there is nothing to save with H.264.
    pub(super) fn of(coded: Coded) -> impl Iterator<Item = Self> {
        let all = [Self::Ours, Self::Saving, Self::Ffmpeg, Self::GStreamer];
        all.into_iter().filter(move |rival| *rival != Self::Saving || coded == Coded::Vp8)
    }

    pub(super) fn is_ours(self) -> bool {
        matches!(self, Self::Ours | Self::Saving)
    }

    /// What is said behind a case's name.
    pub(super) fn remark(self) -> &'static str {
        if self == Self::Saving { ", savings on" } else { "" }
    }

    pub(super) fn short(self) -> &'static str {
        match self {
            Self::Ours => "signalbox",
            Self::Saving => "signalbox, savings on",
            Self::Ffmpeg => "ffmpeg",
            Self::GStreamer => "gstreamer",
        }
    }

    pub(super) fn name(self, coded: Coded) -> &'static str {
        match (self, coded) {
            (Self::Ours | Self::Saving, _) => "signalbox",
            (Self::Ffmpeg, Coded::Vp8) => "ffmpeg xstack",
            (Self::Ffmpeg, Coded::H264) => "ffmpeg xstack, x264 ultrafast",
            (Self::GStreamer, Coded::Vp8) => "gstreamer compositor",
            (Self::GStreamer, Coded::H264) => "gstreamer compositor, openh264",
        }
    }

    /// Composes so many frames; the processor time and the file.
    pub(super) fn run(
        self,
        inputs: &Inputs,
        coded: Coded,
        frames: u32,
    ) -> Result<(Duration, PathBuf), LoadError> {
        let to = match self {
            Self::Ours | Self::Saving => file(inputs, "ours.ivf"),
            Self::Ffmpeg => file(inputs, "ffmpeg.mkv"),
            Self::GStreamer => file(inputs, "gstreamer.mkv"),
        };
        let command = match self {
            Self::Ours => ours(inputs, coded, frames, &to)?,
            Self::Saving => {
                let mut command = ours(inputs, coded, frames, &to)?;
                command.arg("--savings");
                command
            }
            Self::Ffmpeg => by_ffmpeg(inputs, coded, frames, &to),
            Self::GStreamer => by_gstreamer(inputs, coded, frames, &to),
        };
        Ok((processor_time(command)?, to))
    }
}

fn ours(inputs: &Inputs, coded: Coded, frames: u32, to: &Path) -> Result<Command, LoadError> {
    let grid = match inputs.grid() {
        Grid::TwoByTwo => "two-by-two",
        Grid::ThreeByThree => "three-by-three",
        Grid::FiveByFive => "five-by-five",
        Grid::Screen => "screen",
    };
    let coded = match coded {
        Coded::Vp8 => "vp8",
        Coded::H264 => "h264",
    };
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["compose", "--grid", grid, "--coded", coded, "--frames", &frames.to_string(), "--output"]);
    command.arg(to).args(inputs.files());
    Ok(command)
}

fn by_ffmpeg(inputs: &Inputs, coded: Coded, frames: u32, to: &Path) -> Command {
    let mut command = ffmpeg();
    for file in inputs.files() {
        command.args(["-threads", "1", "-i"]).arg(file);
    }
    let filter = stacked(inputs.grid(), "bilinear");
    command.args(["-filter_complex_threads", "1", "-filter_complex", &filter, "-map", "[v]"]);
    let rate = format!("{KBPS}k");
    let frames = frames.to_string();
    command.args(["-frames:v", &frames, "-pix_fmt", "yuv420p", "-b:v", &rate, "-maxrate", &rate]);
    command.args(["-threads", "1", "-g", "99999"]);
    match coded {
        Coded::Vp8 => {
            command.args(["-minrate", &rate, "-bufsize", &rate, "-c:v", "libvpx", "-deadline", "realtime"]);
            command.args(["-cpu-used", "-8", "-qmin", "2", "-qmax", "56", "-lag-in-frames", "0"]);
            command.args(["-undershoot-pct", "100", "-overshoot-pct", "15", "-drop-threshold", "30"]);
            command.args(["-static-thresh", "1", "-auto-alt-ref", "0", "-max-intra-rate", "900"]);
        }
        Coded::H264 => {
            command.args(["-bufsize", &rate, "-c:v", "libx264", "-preset", "ultrafast"]);
            command.args(["-tune", "zerolatency", "-profile:v", "baseline"]);
        }
    }
    command.arg(to);
    command
}

fn by_gstreamer(inputs: &Inputs, coded: Coded, frames: u32, to: &Path) -> Command {
    let mut command = Command::new("gst-launch-1.0");
    command.arg("-q").args(["compositor", "name=c", "background=black", "max-threads=1"]);
    for (n, (_, rect)) in inputs.grid().layers().iter().enumerate() {
        let values = [("xpos", rect.x), ("ypos", rect.y), ("width", rect.width), ("height", rect.height)];
        command.args(values.map(|(name, value)| format!("sink_{n}::{name}={value}")));
    }
    let caps =
        format!("video/x-raw,format=I420,width={},height={},framerate={FPS}/1", CANVAS.width, CANVAS.height);
    command.args(["!", &caps, "!", "identity"]).arg(format!("eos-after={}", frames + 1)).arg("!");
    let bits = KBPS * 1_000;
    match coded {
        Coded::Vp8 => {
            command.args(["vp8enc", "deadline=1", "cpu-used=-8", "threads=1", "end-usage=cbr"]);
            command.arg(format!("target-bitrate={bits}"));
            command.args(["min-quantizer=2", "max-quantizer=56", "undershoot=100", "overshoot=15"]);
            command.args(["buffer-size=1000", "buffer-initial-size=500", "buffer-optimal-size=600"]);
            command.args(["dropframe-threshold=30", "static-threshold=1", "lag-in-frames=0"]);
            command.args(["keyframe-max-dist=99999", "max-intra-bitrate=900"]);
        }
        Coded::H264 => {
            command.args(["openh264enc", "complexity=low", "rate-control=bitrate", "multi-thread=1"]);
            command.arg(format!("bitrate={bits}"));
            command.args(["gop-size=99999", "enable-frame-skip=true", "scene-change-detection=false"]);
            command.args(["!", "h264parse"]);
        }
    }
    command.args(["!", "matroskamux", "!", "filesink"]).arg(format!("location={}", to.display()));
    for (n, file) in inputs.files().iter().enumerate() {
        command.arg("filesrc").arg(format!("location={}", file.display()));
        command.args(["!", "ivfparse", "!", "vp8dec", "threads=1", "!"]).arg(format!("c.sink_{n}"));
    }
    command
}

/// Runs it to its end; what it and its threads took of processors.
fn processor_time(mut command: Command) -> Result<Duration, LoadError> {
    let name = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let child = command.spawn().map_err(|error| LoadError::Source(format!("{name}: {error}")))?;
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap_or(0));
    let gone = |error: nix::Error| LoadError::Source(format!("{name}: {error}"));
    // It has ended and is not yet buried: its clock can still be read.
    waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).map_err(gone)?;
    let taken = clock_getcpuclockid(pid).and_then(clock_gettime).map_err(gone)?;
    let output = child.wait_with_output()?;
    match output.status.success() {
        true => Ok(taken.into()),
        false => Err(LoadError::Source(format!("{name}: {}", String::from_utf8_lossy(&output.stderr)))),
    }
}
