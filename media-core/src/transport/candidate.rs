//! Where we can be reached, as an answer says it (RFC 8839 §5.1, RFC 6544 §4.5).
//!
//! in:  the addresses the operator tells, the port of a shard, whether it takes connections
//! out: host candidates in the order they are to be tried
//!
//! UDP comes before TCP, which delays what comes after a lost packet. Among addresses IPv6 is first and the families
//! take turns (RFC 8421 §4): where one of them is broken, the next check goes by the other.

use std::net::{IpAddr, SocketAddr};

/// Type preferences of RFC 8445 §5.1.2.2 and of RFC 6544 §4.2: a host by UDP, and one by TCP, below all UDP.
const UDP_HOST: u32 = 126;
const TCP_HOST: u32 = 90;
/// Local preferences have 16 bits. For TCP, the upper three are the direction's: 4 for the passive side of a host.
const LOCAL_MAX: u32 = (1 << 16) - 1;
const PASSIVE: u32 = 4 << 13;
/// What is left of them for telling addresses apart.
const OTHER_MAX: u32 = (1 << 13) - 1;

/// What runs below ICE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Datagrams.
    Udp,
    /// Connections that the peer makes to us: `tcptype passive`.
    Tcp,
}

/// A host candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// How to speak to it.
    pub protocol: Protocol,
    /// Where.
    pub address: SocketAddr,
}

impl Candidate {
    /// All candidates of a port, best first.
    #[must_use]
    pub fn of(addresses: &[IpAddr], port: u16, tcp: bool) -> Vec<Self> {
        let addresses = interleaved(addresses);
        let protocols = if tcp { &[Protocol::Udp, Protocol::Tcp][..] } else { &[Protocol::Udp] };
        let each = protocols.iter().flat_map(|&protocol| {
            addresses.iter().map(move |&ip| Self { protocol, address: SocketAddr::new(ip, port) })
        });
        each.collect()
    }

    /// What stands behind `a=candidate:`; the rank, from 1, is the place in the list.
    #[must_use]
    pub fn line(&self, rank: u32) -> String {
        let (name, preference, local, tail) = match self.protocol {
            Protocol::Udp => ("udp", UDP_HOST, LOCAL_MAX.saturating_sub(rank.saturating_sub(1)), ""),
            Protocol::Tcp => ("tcp", TCP_HOST, PASSIVE + OTHER_MAX.saturating_sub(rank), " tcptype passive"),
        };
        // RFC 8445 §5.1.2.1, component 1.
        let priority = (preference << 24) | (local << 8) | 255;
        let (ip, port) = (self.address.ip(), self.address.port());
        format!("{rank} 1 {name} {priority} {ip} {port} typ host{tail}")
    }

    /// The one for those who look at `m=` and `c=` alone: they are older than IPv6 in most places (RFC 8839 §4.2.1.2).
    #[must_use]
    pub fn default_of(candidates: &[Self]) -> Option<SocketAddr> {
        let mut udp = candidates.iter().filter(|candidate| candidate.protocol == Protocol::Udp);
        let first = udp.clone().next();
        udp.find(|candidate| candidate.address.is_ipv4()).or(first).map(|candidate| candidate.address)
    }
}

/// IPv6, IPv4, IPv6, …, each family in its own order, nothing twice.
fn interleaved(addresses: &[IpAddr]) -> Vec<IpAddr> {
    let mut families: [Vec<IpAddr>; 2] = [Vec::new(), Vec::new()];
    for address in addresses.iter().map(IpAddr::to_canonical) {
        let [v6, v4] = &mut families;
        let family = if address.is_ipv6() { v6 } else { v4 };
        if !family.contains(&address) {
            family.push(address);
        }
    }
    let [v6, v4] = families;
    let longer = v6.len().max(v4.len());
    (0..longer).flat_map(|at| [v6.get(at), v4.get(at)]).flatten().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(addresses: &[&str], tcp: bool) -> Vec<String> {
        let addresses: Vec<IpAddr> = addresses.iter().map(|a| a.parse().unwrap()).collect();
        (1..).zip(Candidate::of(&addresses, 40000, tcp)).map(|(rank, c)| c.line(rank)).collect()
    }

    fn priority(line: &str) -> u32 {
        line.split(' ').nth(3).unwrap().parse().unwrap()
    }

    #[test]
    fn ipv6_is_first_and_the_families_take_turns() {
        let all = lines(&["192.0.2.7", "192.0.2.8", "2001:db8::7", "::ffff:192.0.2.7"], true);
        let addresses: Vec<&str> = all.iter().map(|line| line.split(' ').nth(4).unwrap()).collect();
        let order = ["2001:db8::7", "192.0.2.7", "192.0.2.8"];
        assert_eq!(addresses, [order, order].concat());
        assert!(all[..3].iter().all(|line| line.contains(" udp ") && !line.contains("tcptype")));
        assert!(all[3..].iter().all(|line| line.contains(" tcp ") && line.ends_with("host tcptype passive")));
        let mut priorities: Vec<u32> = all.iter().map(|line| priority(line)).collect();
        priorities.reverse();
        assert!(priorities.is_sorted_by(|a, b| a < b), "{priorities:?}");
    }

    #[test]
    fn without_connections_there_is_udp_alone() {
        assert_eq!(lines(&["::1"], false).len(), 1);
        assert!(lines(&["::1"], false)[0].starts_with("1 1 udp "));
    }

    #[test]
    fn the_default_is_ipv4_where_there_is_one_and_never_tcp() {
        let check = |addresses: &[&str], expected: Option<&str>| {
            let addresses: Vec<IpAddr> = addresses.iter().map(|a| a.parse().unwrap()).collect();
            let found = Candidate::default_of(&Candidate::of(&addresses, 9, true));
            assert_eq!(found.map(|a| a.ip().to_string()).as_deref(), expected);
        };
        check(&[], None);
        check(&["::1"], Some("::1"));
        check(&["2001:db8::7", "192.0.2.7"], Some("192.0.2.7"));
    }
}
