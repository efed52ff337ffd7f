//! How near a coded canvas comes to the ideal one.
//!
//! in:  a coded file, the ideal, uncompressed
//! out: PSNR and SSIM of luma, by `ffmpeg`
//!
//! A frame that an encoder left out counts as the frame before it, which is what a viewer sees.

use std::path::Path;

use super::inputs::{FPS, Inputs, plain};
use super::shape::CANVAS;
use crate::loadtest::LoadError;

/// PSNR-Y in dB, SSIM-Y.
pub(super) fn against_ideal(coded: &Path, inputs: &Inputs) -> Result<(f64, f64), LoadError> {
    let psnr = measure(coded, inputs, "psnr")?;
    let ssim = measure(coded, inputs, "ssim")?;
    let find = |text: &str, key: &str| {
        let at = text.rfind(key)? + key.len();
        text.get(at..)?.split([' ', '(']).next()?.parse().ok()
    };
    find(&psnr, "PSNR y:").zip(find(&ssim, "SSIM Y:")).ok_or_else(|| {
        LoadError::Source(format!("ffmpeg said no quality of {}: {psnr}{ssim}", coded.display()))
    })
}

/// Bytes of a file.
pub(super) fn bytes(file: &Path) -> Result<f64, LoadError> {
    Ok(f64::from(u32::try_from(std::fs::metadata(file)?.len()).unwrap_or(u32::MAX)))
}

fn measure(coded: &Path, inputs: &Inputs, filter: &str) -> Result<String, LoadError> {
    let mut command = std::process::Command::new("ffmpeg");
    command.args(["-hide_banner", "-nostats", "-nostdin", "-i"]).arg(coded);
    plain(&mut command, &inputs.ideal(), CANVAS);
    let graph = format!("[0:v]setpts=PTS-STARTPTS,fps={FPS}[a];[a][1:v]{filter}");
    command.args(["-lavfi", &graph, "-f", "null", "-"]);
    let output = command.output().map_err(|error| LoadError::Source(format!("ffmpeg: {error}")))?;
    Ok(String::from_utf8_lossy(&output.stderr).into_owned())
}
