//! IVF: coded pictures with their times, one after another.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

use layouts::Size;

/// A picture larger than this is not read.
const MOST: u32 = 8 << 20;

/// Pictures of a file, in order.
#[derive(Debug)]
pub(super) struct Reader(BufReader<File>);

impl Reader {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut file = BufReader::new(File::open(path)?);
        let mut header = [0; 32];
        file.read_exact(&mut header)?;
        match header.starts_with(b"DKIF") {
            true => Ok(Self(file)),
            false => Err(io::Error::other(format!("{} is not IVF", path.display()))),
        }
    }

    /// The next picture; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut header = [0; 12];
        match self.0.read_exact(&mut header) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let [l0, l1, l2, l3, ..] = header;
        let length = u32::from_le_bytes([l0, l1, l2, l3]);
        if length > MOST {
            return Err(io::Error::other(format!("a picture of {length} bytes")));
        }
        let mut data = vec![0; usize::try_from(length).unwrap_or(0)];
        self.0.read_exact(&mut data)?;
        Ok(Some(data))
    }
}

/// Writes a file.
#[derive(Debug)]
pub(super) struct Writer(BufWriter<File>);

impl Writer {
    pub(super) fn create(path: &Path, codec: &[u8; 4], size: Size, fps: u32) -> io::Result<Self> {
        let mut file = BufWriter::new(File::create(path)?);
        let side = |pixels: u32| u16::try_from(pixels).unwrap_or(u16::MAX).to_le_bytes();
        file.write_all(b"DKIF\0\0\x20\0")?;
        file.write_all(codec)?;
        file.write_all(&side(size.width))?;
        file.write_all(&side(size.height))?;
        file.write_all(&fps.to_le_bytes())?;
        file.write_all(&1_u32.to_le_bytes())?;
        file.write_all(&[0; 8])?;
        Ok(Self(file))
    }

    pub(super) fn put(&mut self, frame: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_all(&u32::try_from(data.len()).unwrap_or(u32::MAX).to_le_bytes())?;
        self.0.write_all(&frame.to_le_bytes())?;
        self.0.write_all(data)
    }

    pub(super) fn close(mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::scratch;

    #[test]
    fn what_is_written_is_read() {
        let folder = scratch("ivf").unwrap();
        let path = folder.join("a.ivf");
        let mut writer = Writer::create(&path, b"VP80", Size { width: 640, height: 360 }, 30).unwrap();
        writer.put(0, &[1, 2, 3]).unwrap();
        writer.put(2, &[]).unwrap();
        writer.close().unwrap();
        let mut reader = Reader::open(&path).unwrap();
        assert_eq!(reader.next().unwrap(), Some(vec![1, 2, 3]));
        assert_eq!(reader.next().unwrap(), Some(vec![]));
        assert_eq!(reader.next().unwrap(), None);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
