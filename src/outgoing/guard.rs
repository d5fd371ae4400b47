//! Which addresses may be called: public ones, and the networks that the configuration opens.
//!
//! Sources: the IANA registries of special-purpose addresses for IPv4 and IPv6 (RFC 6890), and what clouds document of
//! their metadata services. Of IPv6 only 2000::/3 is given out for general use, so the rest needs no list.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use shuntyard_domain::cidr::Cidr;

/// An address that is not called. `kind` says what it is for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{address} is {kind}, which is not called unless [outgoing] allow_networks holds it")]
pub struct RefusedAddress {
    pub address: IpAddr,
    pub kind: &'static str,
}

/// Tells which addresses may be called.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    open: Vec<Cidr>,
}

impl Guard {
    /// Opens these networks besides the public ones.
    #[must_use]
    pub fn new(open: Vec<Cidr>) -> Self {
        Self { open }
    }

    /// Passes an address that may be called. One that wraps an IPv4 address counts as that address.
    ///
    /// # Errors
    /// `RefusedAddress`
    pub fn check(&self, address: IpAddr) -> Result<(), RefusedAddress> {
        let meant = unwrapped(address);
        let open = self.open.iter().any(|network| network.holds(address) || network.holds(meant));
        let kind = match meant {
            IpAddr::V4(meant) => special_v4(meant),
            IpAddr::V6(meant) => special_v6(meant),
        };
        match kind {
            Some(kind) if !open => Err(RefusedAddress { address, kind }),
            Some(_) | None => Ok(()),
        }
    }
}

/// The IPv4 address inside `::ffff:a.b.c.d` (RFC 4291) and `64:ff9b::a.b.c.d` (NAT64, RFC 6052), else the address itself.
fn unwrapped(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => match v6.segments() {
            [0x64, 0xff9b, 0, 0, 0, 0, ..] => {
                let [.., a, b, c, d] = v6.octets();
                IpAddr::V4(Ipv4Addr::new(a, b, c, d))
            }
            _ => address.to_canonical(),
        },
        IpAddr::V4(_) => address,
    }
}

/// What a special IPv4 address is for; None for a public one.
fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    // Azure's metadata and host agent: public by number, answered inside every machine there.
    const AZURE: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);
    let kind = match address.octets() {
        [0, ..] => "unspecified",
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => "a private address",
        [100, 64..=127, ..] => "an address shared behind a carrier's NAT",
        [127, ..] => "loopback",
        [169, 254, 169, 254] => "a cloud's metadata service",
        [169, 254, ..] => "link-local",
        [192, 0, 0, _] => "reserved for protocols",
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => "for documentation",
        [192, 88, 99, _] => "a relay of 6to4",
        [198, 18..=19, ..] => "for benchmarks",
        [224..=239, ..] => "multicast",
        [240..=255, ..] => "reserved",
        _ if address == AZURE => "a cloud's metadata service",
        _ => return None,
    };
    Some(kind)
}

/// What a special IPv6 address is for; None for a public one. Wrapped IPv4 addresses do not come here.
fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    let kind = match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => "unspecified",
        [0, 0, 0, 0, 0, 0, 0, 1] => "loopback",
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] => "a cloud's metadata service",
        [0xfc00..=0xfdff, ..] => "a unique-local address",
        [0xfe80..=0xfebf, ..] => "link-local",
        [0xff00..=0xffff, ..] => "multicast",
        // Teredo and others that carry further addresses inside (RFC 2928), and 6to4 (RFC 3056).
        [0x2001, 0..=0x1ff, ..] => "reserved for protocols",
        [0x2002, ..] => "an address of 6to4",
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => "for documentation",
        [0x2000..=0x3fff, ..] => return None,
        _ => "not an address of the public internet",
    };
    Some(kind)
}
