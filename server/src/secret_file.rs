//! Secrets of this server, each in a file of its owner's.
//!
//! in:  a path
//! out: what the file holds, made of random bytes when there was none; or why it cannot be trusted

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::random;

/// As long as the hash of HS512; RFC 7518 §3.2 asks for no less.
pub(crate) const MADE_BYTES: usize = 64;

/// More is another file.
const MAX_BYTES: u64 = 64 * 1024;

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("{path}: others may read or write it (mode {mode:o}); `chmod 600` it")]
    Open { path: PathBuf, mode: u32 },
    #[error("{path}: has more than {MAX_BYTES} bytes")]
    TooLong { path: PathBuf },
}

/// What is in `path`; [`MADE_BYTES`] random bytes are put there when nothing is.
pub(crate) fn open_or_make(path: &Path) -> Result<Vec<u8>, SecretError> {
    match open(path) {
        Err(SecretError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            make(path).map_err(|source| SecretError::Io { path: path.to_owned(), source })?;
            // Read back: of two processes that start at once, one made the secret of both.
            open(path)
        }
        opened => opened,
    }
}

/// What is in `path`.
pub(crate) fn open(path: &Path) -> Result<Vec<u8>, SecretError> {
    let io = |source| SecretError::Io { path: path.to_owned(), source };
    let mut secret = Vec::new();
    let file = File::open(path).map_err(io)?;
    let mode = file.metadata().map_err(io)?.permissions().mode() & 0o777;
    // The group may read it: orchestrators mount secrets so.
    if mode & 0o027 != 0 {
        return Err(SecretError::Open { path: path.to_owned(), mode });
    }
    file.take(MAX_BYTES + 1).read_to_end(&mut secret).map_err(io)?;
    if secret.len() as u64 > MAX_BYTES {
        return Err(SecretError::TooLong { path: path.to_owned() });
    }
    Ok(secret)
}

/// Writes a new secret beside `path` and links it there whole, unless another process was first.
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
            file.write_all(&random::bytes::<MADE_BYTES>()).and_then(|()| file.sync_all())
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
    fn a_secret_is_made_once_and_only_for_its_owner() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data/token.key");
        let made = open_or_make(&path).unwrap();
        assert_eq!(made.len(), MADE_BYTES);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(open_or_make(&path).unwrap(), made);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no draft stays");
    }

    #[test]
    fn two_that_start_at_once_share_one_secret() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token.key");
        let secrets: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| open_or_make(&path).unwrap())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(secrets.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[test]
    fn a_file_that_others_can_read_or_that_is_no_secret_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token.key");
        for (bytes, mode, expected) in
            [(64, 0o644, "chmod 600"), (64, 0o620, "chmod 600"), (65_537, 0o600, "more than 65536")]
        {
            fs::write(&path, vec![7; bytes]).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = open_or_make(&path).err().unwrap().to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert!(open_or_make(dir.path()).is_err());
    }
}
