//! Networks, and which addresses lie in them.

// An address is plain data in `core`; sockets, which the core must not know, are only in `std`.
use core::net::IpAddr;
use std::fmt;
use std::str::FromStr;

/// One network: `10.0.0.0/8`, `2001:db8::/32`; a single address is a network of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    network: IpAddr,
    bits: u32,
}

/// Not a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a network such as 10.0.0.0/8, 2001:db8::/32, or one address")]
pub struct NotCidr;

impl Cidr {
    /// Tells whether the address lies in it. An IPv4 address that came over an IPv6 socket counts as what it is.
    #[must_use]
    pub fn holds(&self, address: IpAddr) -> bool {
        match (self.network, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - self.bits).unwrap_or(0);
                u32::from(network) & mask == u32::from(address) & mask
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - self.bits).unwrap_or(0);
                u128::from(network) & mask == u128::from(address) & mask
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl FromStr for Cidr {
    type Err = NotCidr;

    fn from_str(text: &str) -> Result<Self, NotCidr> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let network: IpAddr = address.parse().map_err(|_| NotCidr)?;
        let most = if network.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => most,
            // `+8` and `08` are numbers to Rust, and mistakes here.
            Some(bits) if bits.len() > 3 || !bits.bytes().all(|b| b.is_ascii_digit()) => return Err(NotCidr),
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= most).ok_or(NotCidr)?,
        };
        Ok(Self { network, bits })
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_lies_in_a_network_or_not() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", &["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"][..], &["11.0.0.0", "9.9.9.9", "::1"][..]),
            ("10.1.2.3/8", &["10.200.0.1"], &["11.0.0.1"]),
            ("0.0.0.0/0", &["1.2.3.4"], &["2001:db8::1"]),
            ("192.0.2.7", &["192.0.2.7"], &["192.0.2.8"]),
            ("2001:db8::/32", &["2001:db8:ffff::1"], &["2001:db9::1", "10.0.0.1"]),
            ("::/0", &["2001:db9::1"], &["10.0.0.1"]),
            ("::1/128", &["::1"], &["::2"]),
        ] {
            let cidr: Cidr = network.parse().unwrap();
            assert_eq!(cidr.to_string().parse(), Ok(cidr));
            for address in inside {
                assert!(cidr.holds(address.parse().unwrap()), "{address} is not in {network}");
            }
            for address in outside {
                assert!(!cidr.holds(address.parse().unwrap()), "{address} is in {network}");
            }
        }
        for bad in ["", "10.0.0.0/33", "10.0.0.0/", "10.0.0/8", "10.0.0.0/+8", "::/129", "host/8", "10.0.0.0/8/8"] {
            assert_eq!(bad.parse::<Cidr>(), Err(NotCidr), "{bad}");
        }
    }
}
