//! What the operator opens beyond the public internet.
//!
//! in:  `egress.allow`: networks, addresses and host names
//! out: whether a host or an address is among them

use std::net::IpAddr;

use ipnet::IpNet;

use super::target::canonical_name;

/// Exceptions: hosts by name, whatever addresses they have, and networks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Allowed {
    hosts: Vec<String>,
    networks: Vec<IpNet>,
}

impl Allowed {
    /// The list as it is configured. The error names the entry that is neither.
    pub(crate) fn parse<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut allowed = Self::default();
        for entry in entries {
            if let Ok(network) = entry.parse::<IpNet>() {
                allowed.networks.push(network);
            } else if let Ok(address) = entry.parse::<IpAddr>() {
                allowed.networks.push(address.to_canonical().into());
            } else {
                let name = canonical_name(entry)
                    .ok_or_else(|| format!("{entry:?} is not a network, an address or a host name"))?;
                allowed.hosts.push(name);
            }
        }
        Ok(allowed)
    }

    /// Whether that canonical address of that host is opened.
    pub(super) fn has(&self, host: &str, address: IpAddr) -> bool {
        self.hosts.iter().any(|name| name == host)
            || self.networks.iter().any(|network| network.contains(&address))
    }
}
