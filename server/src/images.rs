//! Images that applications give for canvases: backgrounds, foregrounds, and what stands for muted members.
//!
//! in:  PNG, JPEG and WebP files, by name
//! out: the same in `<data-dir>/images`; decoded, for the rooms that show them
//!
//! A file is decoded before it is kept, within bounds of size and memory, and again when the first room needs it; as long
//! as any room shows it, all share one. All of it waits for disks and decoders, so it is called where waiting is allowed.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::{self, Cursor};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use layouts::{Size, is_image_name as is_name};
use media_core::mix::video::Image;

/// Files kept.
pub(crate) const MAX_IMAGES: usize = 64;
/// Largest file.
pub(crate) const MAX_BYTES: usize = 4 << 20;
/// Longest side of what is given, and memory its decoder may take.
const MAX_SIDE: u32 = 4096;
const MAX_ALLOC: u64 = 128 << 20;
/// Longest side of what is kept in memory: no canvas is larger.
const SHOWN_SIDE: u32 = 1920;

/// The images of this server.
pub(crate) struct Images {
    folder: PathBuf,
    shelf: Mutex<Shelf>,
    /// Held while one is decoded: one at a time is enough, and bounds the memory.
    turn: Mutex<()>,
}

#[derive(Default)]
struct Shelf {
    kept: BTreeMap<String, Kept>,
    shown: HashMap<String, Weak<Image>>,
}

/// What is known of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) kind: Kind,
    pub(crate) bytes: u64,
    pub(crate) size: Size,
}

/// What files may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Png,
    Jpeg,
    WebP,
}

/// Why a file is not kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("Name must be 1 to 64 of a-z, 0-9, _ and -")]
    Name,
    #[error("Image must be PNG, JPEG or WebP with sides of at most {MAX_SIDE} pixels: {0}")]
    Content(String),
    #[error("There may be at most {MAX_IMAGES} images")]
    TooMany,
    #[error(transparent)]
    Disk(#[from] io::Error),
}

impl Kind {
    const ALL: [Self; 3] = [Self::Png, Self::Jpeg, Self::WebP];

    fn ending(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::WebP => "webp",
        }
    }

    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::WebP => "image/webp",
        }
    }

    fn format(self) -> ImageFormat {
        match self {
            Self::Png => ImageFormat::Png,
            Self::Jpeg => ImageFormat::Jpeg,
            Self::WebP => ImageFormat::WebP,
        }
    }

    fn of(bytes: &[u8]) -> Option<Self> {
        let format = image::guess_format(bytes).ok()?;
        Self::ALL.into_iter().find(|kind| kind.format() == format)
    }
}

impl Images {
    /// Finds what there is. What is no image of ours is left alone.
    pub(crate) fn open(data_dir: &Path) -> io::Result<Self> {
        let folder = data_dir.join("images");
        fs::create_dir_all(&folder)?;
        let mut shelf = Shelf::default();
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let Some(name) = path.file_stem().and_then(|stem| stem.to_str()).filter(|name| is_name(name))
            else {
                continue;
            };
            let kind =
                Kind::ALL.into_iter().find(|kind| path.extension().is_some_and(|it| it == kind.ending()));
            let known = kind.and_then(|kind| {
                let (width, height) = ImageReader::open(&path).ok()?.into_dimensions().ok()?;
                Some(Kept { kind, bytes: fs::metadata(&path).ok()?.len(), size: Size { width, height } })
            });
            if let Some(known) = known {
                shelf.kept.insert(name.to_owned(), known);
            }
        }
        Ok(Self { folder, shelf: Mutex::new(shelf), turn: Mutex::default() })
    }

    /// All of them, by name.
    pub(crate) fn list(&self) -> Vec<(String, Kept)> {
        self.shelf().kept.iter().map(|(name, kept)| (name.clone(), kept.clone())).collect()
    }

    pub(crate) fn find(&self, name: &str) -> Option<Kept> {
        self.shelf().kept.get(name).cloned()
    }

    /// Keeps a file, in the place of one of the same name. Rooms that show that one go on with it.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> Result<Kept, Refused> {
        if !is_name(name) {
            return Err(Refused::Name);
        }
        let kind = Kind::of(bytes).ok_or_else(|| Refused::Content("it is none of these".to_owned()))?;
        let _turn = self.turn();
        let decoded = decoded(bytes, kind).map_err(|error| Refused::Content(error.to_string()))?;
        let kept = Kept {
            kind,
            bytes: bytes.len() as u64,
            size: Size { width: decoded.width(), height: decoded.height() },
        };
        let before = self.find(name);
        if before.is_none() && self.shelf().kept.len() >= MAX_IMAGES {
            return Err(Refused::TooMany);
        }
        let draft = self.folder.join(format!("{name}.new"));
        fs::write(&draft, bytes)?;
        fs::File::open(&draft)?.sync_all()?;
        fs::rename(&draft, self.path(name, kind))?;
        if let Some(before) = before.filter(|before| before.kind != kind) {
            fs::remove_file(self.path(name, before.kind))?;
        }
        let mut shelf = self.shelf();
        shelf.kept.insert(name.to_owned(), kept.clone());
        shelf.shown.remove(name);
        Ok(kept)
    }

    /// Forgets a file; `false` when there is none.
    pub(crate) fn remove(&self, name: &str) -> io::Result<bool> {
        let Some(kept) = self.find(name) else { return Ok(false) };
        fs::remove_file(self.path(name, kept.kind))?;
        let mut shelf = self.shelf();
        shelf.kept.remove(name);
        shelf.shown.remove(name);
        Ok(true)
    }

    /// The image of that name, decoded; `None` when there is none, or its file can no longer be read.
    pub(crate) fn shown(&self, name: &str) -> Option<Arc<Image>> {
        let _turn = self.turn();
        if let Some(shown) = self.shelf().shown.get(name).and_then(Weak::upgrade) {
            return Some(shown);
        }
        let kept = self.find(name)?;
        let read = fs::read(self.path(name, kept.kind)).map_err(|error| error.to_string());
        let image = read.and_then(|bytes| decoded(&bytes, kept.kind).map_err(|error| error.to_string()));
        let image =
            image.inspect_err(|error| tracing::warn!(name, %error, "an image cannot be shown")).ok()?;
        let small = if image.width().max(image.height()) > SHOWN_SIDE {
            image.thumbnail(SHOWN_SIDE, SHOWN_SIDE)
        } else {
            image
        };
        let rgba = small.into_rgba8();
        let shown = Image::of_rgba(Size { width: rgba.width(), height: rgba.height() }, &rgba)?;
        let mut shelf = self.shelf();
        shelf.shown.retain(|_, shown| shown.strong_count() > 0);
        shelf.shown.insert(name.to_owned(), Arc::downgrade(&shown));
        Some(shown)
    }

    fn path(&self, name: &str, kind: Kind) -> PathBuf {
        self.folder.join(format!("{name}.{}", kind.ending()))
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Turned as the camera that made it was held.
fn decoded(bytes: &[u8], kind: Kind) -> image::ImageResult<DynamicImage> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), kind.format());
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_ALLOC);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    let orientation = decoder.orientation()?;
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    Ok(image)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(kind: Kind, width: u32, height: u32) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        let image =
            DynamicImage::ImageRgb8(image::RgbImage::from_pixel(width, height, image::Rgb([9, 200, 30])));
        image.write_to(&mut bytes, kind.format()).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn images_are_kept_shown_and_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let images = Images::open(folder.path()).unwrap();
        for (kind, name) in [(Kind::Png, "logo"), (Kind::Jpeg, "sea_1"), (Kind::WebP, "a-b")] {
            let kept = images.put(name, &file(kind, 30, 20)).unwrap();
            assert_eq!((kept.kind, kept.size), (kind, Size { width: 30, height: 20 }));
        }
        let first = images.shown("logo").unwrap();
        assert!(Arc::ptr_eq(&first, &images.shown("logo").unwrap()), "one for all");
        // Another file of the same name, and of another kind.
        images.put("logo", &file(Kind::Jpeg, 4000, 40)).unwrap();
        assert!(!Arc::ptr_eq(&first, &images.shown("logo").unwrap()));
        let names = |images: &Images| images.list().into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names(&Images::open(folder.path()).unwrap()), ["a-b", "logo", "sea_1"]);
        assert_eq!(fs::read_dir(folder.path().join("images")).unwrap().count(), 3, "nothing is left over");
        assert!(images.remove("sea_1").unwrap() && !images.remove("sea_1").unwrap());
        assert!(images.shown("sea_1").is_none());
        assert_eq!(names(&Images::open(folder.path()).unwrap()), ["a-b", "logo"]);
    }

    #[test]
    fn what_is_no_image_or_too_large_is_refused_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let images = Images::open(folder.path()).unwrap();
        let png = file(Kind::Png, 8, 8);
        for name in ["", "Logo", "a/b", "..", "a.b", &"x".repeat(65)] {
            assert!(matches!(images.put(name, &png), Err(Refused::Name)), "{name}");
        }
        let mut cut = file(Kind::Png, 200, 200);
        cut.truncate(cut.len() / 2);
        let mut bomb = png.clone();
        // The header says 65535 by 65535.
        bomb[16..24].copy_from_slice(&[0, 0, 255, 255, 0, 0, 255, 255]);
        for bytes in [b"".as_slice(), b"GIF89a", b"<svg/>", &cut, &bomb, &file(Kind::Png, 4097, 1)] {
            assert!(matches!(images.put("logo", bytes), Err(Refused::Content(_))), "{} bytes", bytes.len());
        }
        assert!(images.list().is_empty());
        assert_eq!(fs::read_dir(folder.path().join("images")).unwrap().count(), 0);
        for number in 0..MAX_IMAGES {
            images.put(&format!("i{number}"), &png).unwrap();
        }
        assert!(matches!(images.put("more", &png), Err(Refused::TooMany)));
        images.put("i0", &png).unwrap();
    }
}
