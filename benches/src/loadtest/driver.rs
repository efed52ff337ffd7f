//! Signalling with a server under load: the one thing that differs between servers.
//!
//! in:  what a peer shall do
//! out: the peer, joined; the server's process

use std::time::Instant;

use super::LoadError;
use super::engine::{Engine, PeerId, Plan};

/// A peer that signalling has brought to the server; ICE and DTLS go on by themselves.
#[derive(Clone, Copy, Debug)]
pub struct Joined {
    /// In its engine.
    pub peer: PeerId,
    /// When signalling began: sockets and tokens were there.
    pub begun: Instant,
}

/// Whose pictures a subscriber gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// Those of everybody who publishes.
    All,
    /// Those of all but the publisher of this number, who is the same person.
    AllBut(usize),
}

/// How to join one kind of server.
pub trait Driver {
    /// Whether what is published is forwarded as it is; else packets are not compared with what was published.
    fn forwards(&self) -> bool;

    /// Whether who publishes receives over the same connection: then no subscribers are made for them.
    fn is_one_connection(&self) -> bool;

    /// The process that is measured.
    ///
    /// # Errors
    /// When it is not there.
    fn pid(&self) -> Result<u32, LoadError>;

    /// Joins a publisher.
    fn publish(
        &mut self,
        engine: &Engine,
        plan: Plan,
    ) -> impl Future<Output = Result<Joined, LoadError>> + Send;

    /// Joins a subscriber.
    fn subscribe(
        &mut self,
        engine: &Engine,
        plan: Plan,
        whom: Whom,
    ) -> impl Future<Output = Result<Joined, LoadError>> + Send;

    /// Joins somebody who watches the composed picture.
    fn watch_canvas(
        &mut self,
        _: &Engine,
        _: Plan,
    ) -> impl Future<Output = Result<Joined, LoadError>> + Send {
        std::future::ready(Err(LoadError::Refused("this server composes no picture".to_owned())))
    }

    /// All have joined.
    ///
    /// # Errors
    /// When the server does not go on.
    fn begin(&mut self) -> Result<(), LoadError> {
        Ok(())
    }
}
