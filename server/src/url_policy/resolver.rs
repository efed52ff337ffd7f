//! What the policy asks of the machine: addresses of a name, and whether an address is the machine's own.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::timeout;

/// A name is found within this, or not at all.
const LOOKUP_TIME: Duration = Duration::from_secs(5);

/// Answers about names and addresses.
pub(crate) trait Resolver: Sync {
    /// Every address of the name.
    fn addresses(&self, host: &str) -> impl Future<Output = io::Result<Vec<IpAddr>>> + Send;

    /// Whether one of the machine's interfaces has that address.
    fn is_ours(&self, address: IpAddr) -> bool;
}

/// The resolver of the system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemResolver {
    /// With `ip_nonlocal_bind` every address can be bound, and binding tells nothing.
    binding_tells: bool,
}

impl SystemResolver {
    pub(crate) fn new() -> Self {
        // An address of documentation is nobody's.
        Self { binding_tells: !can_bind(IpAddr::from([192, 0, 2, 1])) }
    }
}

impl Resolver for SystemResolver {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        // Port 0: only the addresses are wanted.
        let found = timeout(LOOKUP_TIME, lookup_host((host, 0))).await??;
        Ok(found.map(|address| address.ip()).collect())
    }

    fn is_ours(&self, address: IpAddr) -> bool {
        self.binding_tells && can_bind(address)
    }
}

/// The kernel lets us bind what one of our interfaces has; nothing is sent.
fn can_bind(address: IpAddr) -> bool {
    UdpSocket::bind(SocketAddr::new(address, 0)).is_ok()
}
