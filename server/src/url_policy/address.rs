//! What kind of address this is, when it is not one of the public internet.
//!
//! in:  an address, in whatever form IPv6 can wrap an IPv4 one
//! out: the reason not to connect there, or none
//!
//! The special-purpose registries of IANA (RFC 6890 and its updates) are the source. Of IPv6 only 2000::/3 is handed
//! out to anybody, so all else is refused by default and named where there is a name for it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// Why outsiders have no business at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AddressKind {
    /// 0.0.0.0/8 and `::`, which systems take for themselves.
    Unspecified,
    Loopback,
    /// RFC 1918.
    Private,
    /// 100.64.0.0/10, RFC 6598.
    CarrierNat,
    /// RFC 3927 and fe80::/10; metadata services of clouds are here.
    LinkLocal,
    /// fc00::/7.
    UniqueLocal,
    Multicast,
    Broadcast,
    Documentation,
    Benchmark,
    /// 6to4, Teredo, ISATAP and the like: an IPv4 address in disguise, routed by somebody unknown.
    Tunnel,
    /// A public address that the cloud answers itself, to the machine alone.
    CloudService,
    /// Not handed out to anybody.
    Reserved,
    /// This server's.
    Own,
}

impl fmt::Display for AddressKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unspecified => "the unspecified address",
            Self::Loopback => "a loopback address",
            Self::Private => "a private address",
            Self::CarrierNat => "an address behind a carrier's NAT",
            Self::LinkLocal => "a link-local address",
            Self::UniqueLocal => "a unique local address",
            Self::Multicast => "a multicast address",
            Self::Broadcast => "the broadcast address",
            Self::Documentation => "an address for documentation",
            Self::Benchmark => "an address for benchmarks",
            Self::Tunnel => "an address that wraps another one",
            Self::CloudService => "an address of the cloud's own services",
            Self::Reserved => "a reserved address",
            Self::Own => "an address of this server",
        })
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn v6(start: [u16; 4], length: u8) -> Ipv6Net {
    let [a, b, c, d] = start;
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0), length)
}

/// The first row that matches counts.
const V4: &[(Ipv4Net, AddressKind)] = &[
    (v4(0, 0, 0, 0, 8), AddressKind::Unspecified),
    (v4(10, 0, 0, 0, 8), AddressKind::Private),
    (v4(100, 64, 0, 0, 10), AddressKind::CarrierNat),
    (v4(127, 0, 0, 0, 8), AddressKind::Loopback),
    // What machines of Azure reach their host by.
    (v4(168, 63, 129, 16, 32), AddressKind::CloudService),
    (v4(169, 254, 0, 0, 16), AddressKind::LinkLocal),
    (v4(172, 16, 0, 0, 12), AddressKind::Private),
    (v4(192, 0, 0, 0, 24), AddressKind::Reserved),
    (v4(192, 0, 2, 0, 24), AddressKind::Documentation),
    (v4(192, 88, 99, 0, 24), AddressKind::Tunnel),
    (v4(192, 168, 0, 0, 16), AddressKind::Private),
    (v4(198, 18, 0, 0, 15), AddressKind::Benchmark),
    (v4(198, 51, 100, 0, 24), AddressKind::Documentation),
    (v4(203, 0, 113, 0, 24), AddressKind::Documentation),
    (v4(224, 0, 0, 0, 4), AddressKind::Multicast),
    (v4(255, 255, 255, 255, 32), AddressKind::Broadcast),
    (v4(240, 0, 0, 0, 4), AddressKind::Reserved),
];

/// The first row that matches counts.
const V6: &[(Ipv6Net, AddressKind)] = &[
    // RFC 8215: where the IPv4 address is in it, only the network knows.
    (v6([0x64, 0xff9b, 1, 0], 48), AddressKind::Tunnel),
    (v6([0xfc00, 0, 0, 0], 7), AddressKind::UniqueLocal),
    (v6([0xfe80, 0, 0, 0], 10), AddressKind::LinkLocal),
    // Site-local, deprecated and still routed inside by some.
    (v6([0xfec0, 0, 0, 0], 10), AddressKind::Private),
    (v6([0xff00, 0, 0, 0], 8), AddressKind::Multicast),
    (v6([0x2001, 0, 0, 0], 32), AddressKind::Tunnel),
    (v6([0x2001, 2, 0, 0], 48), AddressKind::Benchmark),
    (v6([0x2001, 0xdb8, 0, 0], 32), AddressKind::Documentation),
    (v6([0x3fff, 0, 0, 0], 20), AddressKind::Documentation),
    (v6([0x2001, 0, 0, 0], 23), AddressKind::Reserved),
    (v6([0x2002, 0, 0, 0], 16), AddressKind::Tunnel),
];

/// All that is handed out of IPv6.
const GLOBAL_UNICAST: Ipv6Net = v6([0x2000, 0, 0, 0], 3);

/// RFC 6052: what DNS64 makes of an IPv4-only name, so in IPv6-only networks a good address.
const NAT64: Ipv6Net = v6([0x64, 0xff9b, 0, 0], 96);

/// The deprecated `::a.b.c.d`.
const V4_COMPATIBLE: Ipv6Net = v6([0, 0, 0, 0], 96);

/// The deprecated `::ffff:0:a.b.c.d` of stateless translation.
const V4_TRANSLATED: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, 0, 0), 96);

impl AddressKind {
    /// `None`: an address of the public internet.
    pub(crate) fn of(address: IpAddr) -> Option<Self> {
        match address.to_canonical() {
            IpAddr::V4(address) => of_v4(address),
            IpAddr::V6(address) => of_v6(address),
        }
    }

    /// Nobody means these; the others an operator may open.
    pub(crate) fn may_be_allowed(self) -> bool {
        match self {
            Self::Unspecified | Self::Multicast | Self::Broadcast => false,
            Self::Loopback
            | Self::Private
            | Self::CarrierNat
            | Self::LinkLocal
            | Self::UniqueLocal
            | Self::Documentation
            | Self::Benchmark
            | Self::Tunnel
            | Self::CloudService
            | Self::Reserved
            | Self::Own => true,
        }
    }
}

fn of_v4(address: Ipv4Addr) -> Option<AddressKind> {
    V4.iter().find(|(net, _)| net.contains(&address)).map(|(_, kind)| *kind)
}

fn of_v6(address: Ipv6Addr) -> Option<AddressKind> {
    if address.is_unspecified() {
        return Some(AddressKind::Unspecified);
    }
    if address.is_loopback() {
        return Some(AddressKind::Loopback);
    }
    if NAT64.contains(&address) {
        return of_v4(last_32_bits(address));
    }
    if V4_COMPATIBLE.contains(&address) || V4_TRANSLATED.contains(&address) || is_isatap(address) {
        return Some(of_v4(last_32_bits(address)).unwrap_or(AddressKind::Tunnel));
    }
    let named = V6.iter().find(|(net, _)| net.contains(&address)).map(|(_, kind)| *kind);
    named.or_else(|| (!GLOBAL_UNICAST.contains(&address)).then_some(AddressKind::Reserved))
}

/// The address that is reached in the end: IPv4 taken out of IPv6, by a translator of the network too.
pub(super) fn reached(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if NAT64.contains(&address) => last_32_bits(address).into(),
        address @ (IpAddr::V4(_) | IpAddr::V6(_)) => address,
    }
}

fn last_32_bits(address: Ipv6Addr) -> Ipv4Addr {
    let [.., a, b, c, d] = address.octets();
    Ipv4Addr::new(a, b, c, d)
}

/// RFC 5214 §6.1: the interface identifier tells of a tunnel to the IPv4 address at its end.
fn is_isatap(address: Ipv6Addr) -> bool {
    let [_, _, _, _, flags, mark, ..] = address.segments();
    (flags == 0 || flags == 0x0200) && mark == 0x5efe
}
