//! Socket addresses as the kernel has them.

use std::mem::{MaybeUninit, size_of};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};

/// Address families as the address structures hold them.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "2 and 10")]
const FAMILY: (libc::sa_family_t, libc::sa_family_t) =
    (libc::AF_INET as libc::sa_family_t, libc::AF_INET6 as libc::sa_family_t);
#[allow(clippy::cast_possible_truncation, reason = "16 bytes")]
const SOCKADDR_IN_LEN: libc::socklen_t = size_of::<libc::sockaddr_in>() as libc::socklen_t;
#[allow(clippy::cast_possible_truncation, reason = "28 bytes")]
const SOCKADDR_IN6_LEN: libc::socklen_t = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
pub(super) const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
#[allow(clippy::cast_possible_truncation, reason = "128 bytes")]
pub(super) const SOCKADDR_LEN: libc::socklen_t = size_of::<libc::sockaddr_storage>() as libc::socklen_t;

/// An address structure without an address.
pub(super) fn empty() -> libc::sockaddr_storage {
    // SAFETY: sockaddr_storage is plain old data; all zeroes is a valid value of it.
    unsafe { MaybeUninit::zeroed().assume_init() }
}

pub(super) fn socket_address(storage: &libc::sockaddr_storage) -> Option<SocketAddr> {
    match i32::from(storage.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says that the storage holds a sockaddr_in, which is smaller and less aligned.
            let v4 = unsafe { *std::ptr::from_ref(storage).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            Some(SocketAddr::new(IpAddr::V4(ip), u16::from_be(v4.sin_port)))
        }
        libc::AF_INET6 => {
            // SAFETY: the family says that the storage holds a sockaddr_in6, which is smaller and less aligned.
            let v6 = unsafe { *std::ptr::from_ref(storage).cast::<libc::sockaddr_in6>() };
            let (ip, port) = (Ipv6Addr::from(v6.sin6_addr.s6_addr), u16::from_be(v6.sin6_port));
            // A socket for both families says IPv4 addresses in their IPv6 form; link-local ones mean nothing without
            // their scope.
            Some(match ip.to_ipv4_mapped() {
                Some(v4) => SocketAddr::new(IpAddr::V4(v4), port),
                None => SocketAddr::V6(SocketAddrV6::new(ip, port, 0, v6.sin6_scope_id)),
            })
        }
        _ => None,
    }
}

/// `family` is the socket's: one of IPv6 reaches IPv4 by mapped addresses (RFC 4291 §2.5.5.2).
pub(super) fn write_address(
    address: SocketAddr,
    family: Family,
    storage: &mut libc::sockaddr_storage,
) -> libc::socklen_t {
    let address = match (address, family) {
        (SocketAddr::V4(v4), Family::V6) => SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port()),
        (address @ (SocketAddr::V4(_) | SocketAddr::V6(_)), Family::V4 | Family::V6) => address,
    };
    match address {
        SocketAddr::V4(v4) => {
            // SAFETY: sockaddr_storage is large and aligned enough for a sockaddr_in.
            let out = unsafe { &mut *std::ptr::from_mut(storage).cast::<libc::sockaddr_in>() };
            out.sin_family = FAMILY.0;
            out.sin_port = v4.port().to_be();
            out.sin_addr.s_addr = u32::from(*v4.ip()).to_be();
            SOCKADDR_IN_LEN
        }
        SocketAddr::V6(v6) => {
            // SAFETY: sockaddr_storage is large and aligned enough for a sockaddr_in6.
            let out = unsafe { &mut *std::ptr::from_mut(storage).cast::<libc::sockaddr_in6>() };
            out.sin6_family = FAMILY.1;
            out.sin6_port = v6.port().to_be();
            out.sin6_addr.s6_addr = v6.ip().octets();
            out.sin6_flowinfo = v6.flowinfo();
            out.sin6_scope_id = v6.scope_id();
            SOCKADDR_IN6_LEN
        }
    }
}

/// Of a socket; one of IPv6 may serve both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    pub(super) fn of(socket: &UdpSocket) -> Self {
        let address = socket.local_addr().expect("a bound socket has an address");
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }
}
