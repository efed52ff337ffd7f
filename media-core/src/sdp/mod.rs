//! Offers in, answers out.

/// A parsed offer.
#[derive(Clone, Debug)]
pub struct Offer {}
