//! Where a request comes from: the other end of its connection, or what a trusted proxy says of it.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use axum::http::request::Parts;
use shuntyard_domain::cidr::Cidr;

use super::error::ApiError;

const FORWARDED_FOR: &str = "x-forwarded-for";
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// Whether the request came over TLS, as far as we or a trusted proxy can tell; each request has it among its extensions.
#[derive(Clone, Copy, Debug)]
pub(super) struct OverTls(pub bool);

impl OverTls {
    pub(super) fn of(own: bool, other_end: SocketAddr, headers: &HeaderMap, trusted: &[Cidr]) -> Self {
        let told = || headers.get(FORWARDED_PROTO).is_some_and(|proto| proto == "https");
        Self(own || (trusted.iter().any(|network| network.holds(other_end.ip())) && told()))
    }
}

/// Refuses what a page of another site has sent. Programs, which say nothing of where they stand, pass.
///
/// # Errors
/// `CrossSite`
pub(super) fn check_same_site(parts: &Parts) -> Result<(), ApiError> {
    let said = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let same = match (said("sec-fetch-site"), said("origin")) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        // Older browsers say only this; the scheme is not compared, as a proxy may end the TLS.
        (None, Some(origin)) => origin.split_once("://").map(|(_, host)| host) == said("host"),
        (None, None) => true,
    };
    if same { Ok(()) } else { Err(ApiError::CrossSite) }
}

/// The client of a request; each request has it among its extensions. The port is 0 when a proxy told the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Peer(pub SocketAddr);

impl Peer {
    /// Believes `X-Forwarded-For` as far as the proxies are trusted: from its end, where the nearest one has written, to the
    /// first address that is none of theirs. What a client has written itself stands before that, and does not count.
    pub(super) fn of(other_end: SocketAddr, headers: &HeaderMap, trusted: &[Cidr]) -> Self {
        let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.holds(address));
        let mut client = other_end;
        let told = headers.get_all(FORWARDED_FOR).iter().map(|value| value.to_str().unwrap_or_default());
        let told: Vec<&str> = told.flat_map(|value| value.split(',')).collect();
        for hop in told.iter().rev() {
            if !is_trusted(client.ip()) {
                break;
            }
            // What cannot be read was not written by a proxy of ours: the last one that could be is as near as we get.
            let Some(address) = address(hop.trim()) else { break };
            client = SocketAddr::new(address, 0);
        }
        Self(client)
    }
}

/// An address as proxies write it: bare, in brackets, or with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_trusted_proxies_are_believed_and_only_about_their_own_clients() {
        let trusted: Vec<Cidr> = ["10.0.0.0/8", "::1/128"].map(|network| network.parse().unwrap()).into();
        for (other_end, told, client) in [
            ("192.0.2.1:7", &["198.51.100.1"][..], "192.0.2.1:7"),
            ("10.0.0.1:7", &[], "10.0.0.1:7"),
            ("10.0.0.1:7", &["198.51.100.1"], "198.51.100.1:0"),
            ("[::ffff:10.0.0.1]:7", &["198.51.100.1"], "198.51.100.1:0"),
            // The client has written the first one itself.
            ("10.0.0.1:7", &["127.0.0.1, 198.51.100.1"], "198.51.100.1:0"),
            ("10.0.0.1:7", &["127.0.0.1", "198.51.100.1 , 10.0.0.2"], "198.51.100.1:0"),
            ("[::1]:7", &["[2001:db8::1]"], "[2001:db8::1]:0"),
            ("[::1]:7", &["198.51.100.1:4711"], "198.51.100.1:0"),
            ("10.0.0.1:7", &["198.51.100.1, unknown"], "10.0.0.1:7"),
            ("10.0.0.1:7", &["x, 10.0.0.2"], "10.0.0.2:0"),
            ("10.0.0.1:7", &["10.0.0.3, 10.0.0.2"], "10.0.0.3:0"),
        ] {
            let mut headers = HeaderMap::new();
            for value in told {
                headers.append(FORWARDED_FOR, HeaderValue::from_static(value));
            }
            let found = Peer::of(other_end.parse().unwrap(), &headers, &trusted);
            assert_eq!(found, Peer(client.parse().unwrap()), "{other_end} {told:?}");
        }
    }
}
