//! The same on both databases.

#[path = "../../../tests/support/postgres.rs"]
mod postgres;
