//! Where datagrams of a peer come from and go to.

use std::net::SocketAddr;

/// One way of a connection, RFC 6544 §4: names a TCP connection of a shard, which never has another of the same name at
/// a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u32);

/// The other end of a way between a peer and our port. Media, DTLS and STUN are the same on each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Path {
    /// Datagrams from and to this address.
    Udp(SocketAddr),
    /// Frames (RFC 4571) on a connection the peer has made to us.
    Tcp(ConnectionId),
}

impl Path {
    /// The address of a peer that speaks UDP.
    #[must_use]
    pub fn udp(self) -> Option<SocketAddr> {
        match self {
            Self::Udp(address) => Some(address),
            Self::Tcp(_) => None,
        }
    }
}

impl From<SocketAddr> for Path {
    fn from(address: SocketAddr) -> Self {
        Self::Udp(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_no_larger_than_an_address() {
        assert_eq!(size_of::<Path>(), size_of::<SocketAddr>());
    }
}
