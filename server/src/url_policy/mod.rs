//! Where this server may connect on somebody's word: the one judge of URLs that webhooks, playback and streams share.
//!
//! in:  the text of a URL, what it is for, what the operator allows, answers of the resolver
//! out: a [`Destination`] with the very addresses to connect to, or a typed [`Refusal`]
//!
//! ```text
//!   text ──read──► Target: one canonical host, port ──resolve once──► addresses ──all good──► Destination
//! ```
//!
//! Whoever connects takes the addresses of the [`Destination`] and asks no resolver again: a name that points
//! elsewhere a moment later (DNS rebinding) changes nothing. One bad address among several refuses them all. Every
//! redirect and every address inside a playlist is a new URL and comes here anew.

mod address;
mod allowed;
mod resolver;
mod target;

use std::net::{IpAddr, SocketAddr};

pub(crate) use address::AddressKind;
pub(crate) use allowed::Allowed;
pub(crate) use resolver::{Resolver, SystemResolver};
pub(crate) use target::{Purpose, Target};

/// A host with more addresses than this has the rest of them checked and left out.
const MAX_ADDRESSES: usize = 16;

/// Why a URL is not used. The text names the fault and never the URL, whose path may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// Not the text of one absolute URL.
    #[error("it is not a URL: {0}")]
    Malformed(&'static str),
    /// This use knows other schemes.
    #[error("its scheme is not one of {0}")]
    Scheme(&'static str),
    /// `user:password@host`.
    #[error("it carries a user name or password")]
    UserInfo,
    /// Nothing there speaks what we speak.
    #[error("port {0} belongs to another protocol")]
    Port(u16),
    /// Among its addresses there is one that outsiders have no business with.
    #[error("its host has {0}")]
    Address(AddressKind),
    /// No address at all.
    #[error("its host cannot be found")]
    Unresolved,
}

/// A URL that was found good, and where to connect for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    /// What was asked for; its host is the name for `Host` and TLS.
    pub(crate) target: Target,
    /// Where to connect, best first; never empty.
    pub(crate) addresses: Vec<SocketAddr>,
}

/// What the operator allows, and which addresses are the server's own.
#[derive(Clone, Debug, Default)]
pub(crate) struct UrlPolicy {
    allowed: Allowed,
    own: Vec<IpAddr>,
}

impl UrlPolicy {
    /// `own`: addresses under which others reach this server, beside those of the machine's interfaces.
    pub(crate) fn new(allowed: Allowed, own: Vec<IpAddr>) -> Self {
        Self { allowed, own }
    }

    /// What can be said without asking a resolver; for URLs that are only kept for later.
    pub(crate) fn read(&self, purpose: Purpose, text: &str) -> Result<Target, Refusal> {
        let target = Target::read(purpose, text)?;
        for address in target.literal() {
            self.check(&target, *address, |_| false)?;
        }
        Ok(target)
    }

    /// The whole judgement, to be asked right before each connection.
    pub(crate) async fn destination(
        &self,
        purpose: Purpose,
        text: &str,
        resolver: &impl Resolver,
    ) -> Result<Destination, Refusal> {
        let target = self.read(purpose, text)?;
        let found = match target.literal() {
            [] => resolver.addresses(target.host()).await.map_err(|_| Refusal::Unresolved)?,
            literal => literal.to_vec(),
        };
        if found.is_empty() {
            return Err(Refusal::Unresolved);
        }
        for address in &found {
            self.check(&target, *address, |address| resolver.is_ours(address))?;
        }
        let addresses = found
            .into_iter()
            .take(MAX_ADDRESSES)
            .map(|address| SocketAddr::new(address.to_canonical(), target.port()))
            .collect();
        Ok(Destination { target, addresses })
    }

    fn check(
        &self,
        target: &Target,
        address: IpAddr,
        is_ours: impl Fn(IpAddr) -> bool,
    ) -> Result<(), Refusal> {
        let address = address.to_canonical();
        let kind = AddressKind::of(address).or_else(|| {
            let reached = address::reached(address);
            let own = self.own.contains(&reached) || is_ours(reached);
            own.then_some(AddressKind::Own)
        });
        match kind {
            None => Ok(()),
            Some(kind) if kind.may_be_allowed() && self.allowed.has(target.host(), address) => Ok(()),
            Some(kind) => Err(Refusal::Address(kind)),
        }
    }
}

#[cfg(test)]
mod tests;
