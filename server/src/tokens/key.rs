//! The signing key of room tokens: a file of its owner's, made at first start.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::hmac;

use crate::random;

/// As long as the hash of HS512; RFC 7518 §3.2 asks for no less.
const KEY_BYTES: usize = 64;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    #[error("token key {path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("token key {path}: others may read or write it (mode {mode:o}); `chmod 600` it")]
    Open { path: PathBuf, mode: u32 },
    #[error("token key {path}: has {len} bytes, not {KEY_BYTES}")]
    Length { path: PathBuf, len: usize },
}

/// The secret that signs. It has no `Debug`, so that it lands in no log.
pub(crate) struct Key([u8; KEY_BYTES]);

impl Key {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// A key for another purpose, which tells nothing about this one.
    pub(crate) fn derived(&self, purpose: &str) -> hmac::Key {
        let parent = hmac::Key::new(hmac::HMAC_SHA512, &self.0);
        hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&parent, purpose.as_bytes()).as_ref())
    }

    #[cfg(test)]
    pub(crate) fn random() -> Self {
        Self(random::bytes())
    }

    /// The key in `path`; made there when nothing is.
    pub(crate) fn open_or_make(path: &Path) -> Result<Self, KeyError> {
        let io = |source| KeyError::Io { path: path.to_owned(), source };
        match fs::read(path) {
            Ok(bytes) => Self::checked(path, &bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make(path).map_err(io)?;
                // Read back: of two processes that start at once, one made the key of both.
                Self::checked(path, &fs::read(path).map_err(io)?)
            }
            Err(error) => Err(io(error)),
        }
    }

    fn checked(path: &Path, bytes: &[u8]) -> Result<Self, KeyError> {
        let mode = fs::metadata(path)
            .map_err(|source| KeyError::Io { path: path.to_owned(), source })?
            .permissions()
            .mode()
            & 0o777;
        // The group may read it: orchestrators mount secrets so.
        if mode & 0o027 != 0 {
            return Err(KeyError::Open { path: path.to_owned(), mode });
        }
        let key =
            bytes.try_into().map_err(|_| KeyError::Length { path: path.to_owned(), len: bytes.len() })?;
        Ok(Self(key))
    }
}

/// Writes a new key beside `path` and links it there whole, unless another process was first.
fn make(path: &Path) -> io::Result<()> {
    if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    }
    let draft = path.with_extension(format!("new-{}", random::text(8)));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut file: File| {
            file.write_all(&random::bytes::<KEY_BYTES>()).and_then(|()| file.sync_all())
        })
        .and_then(|()| match fs::hard_link(&draft, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        });
    let removed = fs::remove_file(&draft);
    written.and(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_made_once_and_only_for_its_owner() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data/token.key");
        let made = Key::open_or_make(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
        let opened = Key::open_or_make(&path).unwrap();
        assert_eq!(made.bytes(), opened.bytes());
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no draft stays");
    }

    #[test]
    fn two_that_start_at_once_share_one_key() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token.key");
        let keys: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..8).map(|_| scope.spawn(|| Key::open_or_make(&path).unwrap().0)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(keys.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[test]
    fn a_key_that_is_open_or_short_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token.key");
        for (bytes, mode, expected) in
            [(64, 0o644, "chmod 600"), (63, 0o600, "has 63 bytes"), (0, 0o600, "0 bytes")]
        {
            fs::write(&path, vec![7; bytes]).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = Key::open_or_make(&path).err().unwrap().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
