//! What all compose, made by `ffmpeg` out of footage.
//!
//! in:  two films
//! out: VP8 files, and the ideal canvas, uncompressed
//!
//! Cameras are different moments of the films, some of them mirrored. The screen is text that scrolls by three lines every
//! half second.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use layouts::Size;

use super::shape::{Content, Grid};
use crate::loadtest::LoadError;
use crate::process::scratch;

/// Of all inputs and of the canvas.
pub(super) const FPS: u32 = 30;
/// Of the canvas.
pub(super) const KBPS: u32 = 1_500;
/// Frames of the short run.
pub(super) const FIRST: u32 = 30;
const FILMS: [&str; 2] = ["bigbuckbunny.mp4", "bikes.mp4"];
/// Footage's frames between one camera and the next.
const APART: usize = 11;
const FONT: &str = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf";

/// Files of one case, removed with this value.
#[derive(Debug)]
pub(super) struct Inputs {
    folder: PathBuf,
    grid: Grid,
    frames: u32,
    files: Vec<PathBuf>,
}

impl Drop for Inputs {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Inputs {
    pub(super) fn make(footage: &Path, grid: Grid, content: Content, frames: u32) -> Result<Self, LoadError> {
        let frames = frames.clamp(FIRST + 30, 1_800);
        let mut inputs = Self { folder: scratch("mixing")?, grid, frames, files: Vec::new() };
        let mut raw = Vec::new();
        for (n, (size, _)) in grid.layers().into_iter().enumerate() {
            let plain = inputs.folder.join(format!("{n}.yuv"));
            let coded = inputs.folder.join(format!("{n}.ivf"));
            let is_screen = grid == Grid::Screen && n == 0;
            match is_screen {
                true => inputs.screen(&plain, size)?,
                false => inputs.camera(footage, n, size, content == Content::Still && n > 0, &plain)?,
            }
            inputs.code(&plain, size, is_screen, &coded)?;
            raw.push((plain, size));
            inputs.files.push(coded);
        }
        inputs.compose_ideal(&raw)?;
        raw.iter().for_each(|(plain, _)| drop(fs::remove_file(plain)));
        Ok(inputs)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn grid(&self) -> Grid {
        self.grid
    }

    pub(super) fn frames(&self) -> u32 {
        self.frames
    }

    /// VP8 files in the order of the layers.
    pub(super) fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The canvas as it would be if nothing had been coded.
    pub(super) fn ideal(&self) -> PathBuf {
        self.folder.join("ideal.yuv")
    }

    fn camera(
        &self,
        footage: &Path,
        n: usize,
        size: Size,
        is_still: bool,
        to: &Path,
    ) -> Result<(), LoadError> {
        let film = footage.join(FILMS.get(n % FILMS.len()).copied().unwrap_or_default());
        if !film.is_file() {
            return Err(LoadError::Source(format!("{} is not there", film.display())));
        }
        let Size { width, height } = size;
        let mirror = if n / FILMS.len() % 2 == 1 { ",hflip" } else { "" };
        let begin = n * APART;
        let still = match is_still {
            true => ",select='eq(n,0)',loop=loop=-1:size=1:start=0,setpts=N/(30*TB)",
            false => "",
        };
        let filter = format!(
            "fps={FPS},scale={width}:{height}:force_original_aspect_ratio=increase:flags=bicubic,\
             crop={width}:{height}{mirror},trim=start_frame={begin},setpts=PTS-STARTPTS{still}"
        );
        let mut command = ffmpeg();
        command.args(["-stream_loop", "-1", "-i"]).arg(film).args(["-an", "-vf", &filter]);
        self.raw(command, to)
    }

    fn screen(&self, to: &Path, Size { width, height }: Size) -> Result<(), LoadError> {
        let text = self.folder.join("text");
        let lines = (1..120)
            .map(|n| format!("{n:4}  The quick brown fox {} jumps over {} lazy dogs.", n * 7919, n * n));
        fs::write(&text, lines.collect::<Vec<_>>().join("\n"))?;
        let source = format!(
            "color=white:s={width}x{height}:r={FPS},drawtext=fontfile={FONT}:textfile={}:fontsize=22:x=40:\
             y=20-78*floor(t*2)",
            text.display()
        );
        let mut command = ffmpeg();
        command.args(["-f", "lavfi", "-i", &source]);
        self.raw(command, to)
    }

    fn raw(&self, mut command: Command, to: &Path) -> Result<(), LoadError> {
        let frames = self.frames.to_string();
        command.args(["-frames:v", &frames, "-pix_fmt", "yuv420p", "-f", "rawvideo"]).arg(to);
        finish(command)
    }

    fn code(&self, raw: &Path, size: Size, is_screen: bool, to: &Path) -> Result<(), LoadError> {
        let kbps = match (is_screen, size.width) {
            (true, _) => "1500k",
            (false, 640) => "700k",
            (false, _) => "250k",
        };
        let mut command = ffmpeg();
        plain(&mut command, raw, size);
        command.args(["-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "-6", "-threads", "1"]);
        command.args(["-b:v", kbps, "-maxrate", kbps, "-g", "9999", "-lag-in-frames", "0", "-f", "ivf"]);
        command.arg(to);
        finish(command)
    }

    fn compose_ideal(&self, raw: &[(PathBuf, Size)]) -> Result<(), LoadError> {
        let mut command = ffmpeg();
        raw.iter().for_each(|(file, size)| plain(&mut command, file, *size));
        let filter = stacked(self.grid, "bicubic+accurate_rnd+full_chroma_int");
        command.args(["-filter_complex", &filter, "-map", "[v]"]);
        self.raw(command, &self.ideal())
    }
}

/// A filter graph that puts all inputs in their places.
pub(super) fn stacked(grid: Grid, flags: &str) -> String {
    let layers = grid.layers();
    let scaled: String = (0..)
        .zip(&layers)
        .map(|(n, (_, rect))| format!("[{n}:v]scale={}:{}:flags={flags}[s{n}];", rect.width, rect.height))
        .collect();
    let names: String = (0..layers.len()).map(|n| format!("[s{n}]")).collect();
    let places: Vec<String> = layers.iter().map(|(_, rect)| format!("{}_{}", rect.x, rect.y)).collect();
    format!("{scaled}{names}xstack=inputs={}:layout={}:fill=black[v]", layers.len(), places.join("|"))
}

pub(super) fn ffmpeg() -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-nostdin", "-y"]);
    command
}

/// An uncompressed file as input.
pub(super) fn plain(command: &mut Command, file: &Path, Size { width, height }: Size) {
    let size = format!("{width}x{height}");
    let fps = FPS.to_string();
    command.args(["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", &size, "-r", &fps, "-i"]).arg(file);
}

fn finish(mut command: Command) -> Result<(), LoadError> {
    let output = command.output().map_err(|error| LoadError::Source(format!("ffmpeg: {error}")))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(LoadError::Source(format!("ffmpeg: {}", String::from_utf8_lossy(&output.stderr)))),
    }
}
