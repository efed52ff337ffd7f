//! How many files and sockets the process may have open.
//!
//! in:  the limit it was started with
//! out: the highest that it may give itself

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit to the hard one. Shells and systemd start processes with 1024, for the sake of programs that
/// still use `select`; 1024 connections are nothing here.
pub(crate) fn raise_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => tracing::debug!(?current, ?maximum, "more files may be open"),
        Err(error) => tracing::warn!(%error, ?current, "no more files may be open than before"),
    }
}
