//! The audio plane in virtual time.

mod mixing;
mod world;
