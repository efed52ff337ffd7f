//! To be written.

mod params;

pub use params::{Fingerprint, LocalIce, RemoteIce};
