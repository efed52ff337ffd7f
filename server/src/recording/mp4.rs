//! Looks whether a finished MP4 file is one, without a decoder.
//!
//! in:  a file
//! out: its duration, and whether its index comes first
//!
//! ISO/IEC 14496-12: boxes of 32 or 64 bits length; `moov` holds `mvhd` with the duration.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

/// Boxes of the file that are looked at.
const MAX_BOXES: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mp4 {
    pub(super) duration: Duration,
    /// A player needs not have all of it to begin.
    pub(super) is_fast_start: bool,
    /// Bytes.
    pub(super) size: u64,
}

/// `None` when it is no whole MP4 file.
pub(super) fn look(path: &Path) -> io::Result<Option<Mp4>> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let (mut at, mut duration, mut is_fast_start, mut has_media) = (0, None, false, false);
    for _ in 0..MAX_BOXES {
        if at >= size {
            break;
        }
        let Some((kind, head, length)) = header(&mut file, at, size)? else { return Ok(None) };
        match &kind {
            b"moov" => {
                is_fast_start = !has_media;
                duration = movie_header(&mut file, at + head, at + length)?;
            }
            b"mdat" => has_media = true,
            _ => {}
        }
        at += length;
    }
    Ok(duration.filter(|_| has_media && at == size).map(|duration| Mp4 { duration, is_fast_start, size }))
}

/// Name, length of the head and of the whole box at `at`, if it ends before `end`.
fn header(file: &mut File, at: u64, end: u64) -> io::Result<Option<([u8; 4], u64, u64)>> {
    let mut head = [0; 16];
    if end - at < 8 {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(at))?;
    let known = usize::try_from((end - at).min(16)).unwrap_or(16);
    let Some(part) = head.get_mut(..known) else { return Ok(None) };
    file.read_exact(part)?;
    let [a, b, c, d, n0, n1, n2, n3, long @ ..] = head;
    let (head, length) = match u32::from_be_bytes([a, b, c, d]) {
        0 => (8, end - at),
        1 => (16, u64::from_be_bytes(long)),
        short => (8, u64::from(short)),
    };
    let fits = length >= head && at.checked_add(length).is_some_and(|to| to <= end);
    Ok(fits.then_some(([n0, n1, n2, n3], head, length)))
}

/// `mvhd`, §8.2.2: version 0 or 1.
fn movie_header(file: &mut File, mut at: u64, end: u64) -> io::Result<Option<Duration>> {
    for _ in 0..MAX_BOXES {
        if at >= end {
            break;
        }
        let Some((kind, head, length)) = header(file, at, end)? else { return Ok(None) };
        if &kind == b"mvhd" {
            let mut body = [0; 32];
            if length - head < body.len() as u64 {
                return Ok(None);
            }
            file.seek(SeekFrom::Start(at + head))?;
            file.read_exact(&mut body)?;
            let number = |from: usize, bytes: usize| {
                let part = body.get(from..from + bytes).unwrap_or_default();
                part.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
            };
            let (scale, length) =
                if body[0] == 1 { (number(20, 4), number(24, 8)) } else { (number(12, 4), number(16, 4)) };
            let ms = u128::from(length) * 1000 / u128::from(scale.max(1));
            return Ok(Some(Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX))));
        }
        at += length;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 8).unwrap();
        [&length.to_be_bytes()[..], kind, body].concat()
    }

    fn moov(scale: u32, length: u32) -> Vec<u8> {
        let body = [&[0; 12][..], &scale.to_be_bytes(), &length.to_be_bytes(), &[0; 80]].concat();
        boxed(b"moov", &boxed(b"mvhd", &body))
    }

    fn of(bytes: &[u8]) -> Option<Mp4> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.mp4");
        std::fs::write(&path, bytes).unwrap();
        look(&path).unwrap()
    }

    #[test]
    fn a_file_tells_how_long_it_is_and_where_its_index_is() {
        let (ftyp, mdat) = (boxed(b"ftyp", b"isom"), boxed(b"mdat", &[1; 100]));
        for (bytes, is_fast_start) in [
            ([&ftyp[..], &moov(600, 1500), &mdat].concat(), true),
            ([&ftyp[..], &mdat, &moov(600, 1500)].concat(), false),
        ] {
            let size = bytes.len() as u64;
            let expected = Mp4 { duration: Duration::from_millis(2500), is_fast_start, size };
            assert_eq!(of(&bytes), Some(expected));
            for cut in [1, 50, 107, bytes.len() - 9] {
                assert_eq!(of(&bytes[..bytes.len() - cut]), None, "{cut} bytes are missing");
            }
        }
        assert_eq!(of(&[ftyp, mdat].concat()), None, "no index");
        assert_eq!(of(b"#EXTM3U\n"), None);
    }
}
