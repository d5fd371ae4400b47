//! The guard, the reading of URLs and the signature; calls themselves are in tests/it/outgoing/.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

const ADDRESSES: &str = include_str!("../../fixtures/outgoing/addresses.json");
const DESTINATIONS: &str = include_str!("../../fixtures/outgoing/destinations.json");

#[derive(serde::Deserialize)]
struct Destinations {
    called: BTreeMap<String, String>,
    refused: BTreeMap<String, Vec<String>>,
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap_or_else(|_| panic!("{text} is no address"))
}

fn guard(open: &[&str]) -> Guard {
    Guard::new(open.iter().map(|network| network.parse().unwrap()).collect())
}

#[test]
fn every_special_address_is_refused_for_what_it_is() {
    let cases: BTreeMap<String, Vec<String>> = serde_json::from_str(ADDRESSES).unwrap();
    for (kind, addresses) in &cases {
        for text in addresses {
            let found = guard(&[]).check(address(text)).map_or_else(|refused| refused.kind, |()| "public");
            assert_eq!(found, kind, "{text}");
        }
    }
    assert!(cases.len() >= 14);
}

#[test]
fn networks_that_are_opened_are_called_and_no_others() {
    let guard = guard(&["10.1.0.0/16", "127.0.0.1", "fd00::/8"]);
    for open in ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::10.1.2.3", "127.0.0.1", "fd00::1", "8.8.8.8"] {
        assert_eq!(guard.check(address(open)), Ok(()), "{open}");
    }
    for closed in ["10.2.0.1", "127.0.0.2", "::1", "fc00::1", "169.254.169.254"] {
        assert!(guard.check(address(closed)).is_err(), "{closed}");
    }
}

proptest! {
    #[test]
    fn what_the_standard_library_calls_special_is_refused(bits: u32) {
        let v4 = Ipv4Addr::from(bits);
        let special = v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_multicast() || v4.is_broadcast()
            || v4.is_documentation() || v4.is_unspecified();
        prop_assert!(!special || guard(&[]).check(v4.into()).is_err());
    }

    #[test]
    fn a_wrapped_ipv4_address_counts_as_itself(bits: u32) {
        let v4 = Ipv4Addr::from(bits);
        let kind = |address: IpAddr| guard(&[]).check(address).map_err(|refused| refused.kind);
        prop_assert_eq!(kind(v4.into()), kind(v4.to_ipv6_mapped().into()));
        let nat64 = Ipv6Addr::from((0x0064_ff9b_u128 << 96) | u128::from(bits));
        prop_assert_eq!(kind(v4.into()), kind(nat64.into()));
    }

    #[test]
    fn only_the_part_of_ipv6_that_is_given_out_is_called(bits: u128) {
        let v6 = Ipv6Addr::from(bits);
        prop_assume!(v6.to_ipv4_mapped().is_none() && bits >> 32 != 0x0064_ff9b_u128 << 64);
        prop_assert!(bits >> 125 == 1 || guard(&[]).check(v6.into()).is_err());
    }

    /// However an address is written, what is read is what is checked.
    #[test]
    fn an_address_in_any_spelling_is_the_same_address(bits: u32, spelling in 0..6_u8) {
        let [a, b, c, d] = bits.to_be_bytes();
        let host = match spelling {
            0 => format!("{bits}"),
            1 => format!("0x{bits:x}"),
            2 => format!("0{bits:o}"),
            3 => format!("0x{a:x}.0{b:o}.{}", u16::from_be_bytes([c, d])),
            4 => format!("[::ffff:{a}.{b}.{c}.{d}]"),
            _ => format!("{a}.{}", bits & 0xff_ffff),
        };
        let plain = guard(&[]).check(Ipv4Addr::from(bits).into()).map_err(|refused| refused.kind);
        let found = match Destination::parse(&format!("https://{host}/"), false, &guard(&[])) {
            Ok(_) => Ok(()),
            Err(BadDestination::Refused(refused)) => Err(refused.kind),
            Err(other) => return Err(TestCaseError::fail(format!("{host}: {other}"))),
        };
        prop_assert_eq!(found, plain, "{}", host);
    }

    #[test]
    fn no_text_makes_the_reader_of_urls_panic(text: String) {
        let _ = Destination::parse(&text, false, &guard(&[]));
        let _ = Destination::parse(&format!("https://{text}"), false, &guard(&[]));
    }
}

#[test]
fn urls_are_called_or_refused_for_a_reason() {
    let cases: Destinations = serde_json::from_str(DESTINATIONS).unwrap();
    for (url, at) in &cases.called {
        let found = Destination::parse(url, false, &guard(&[])).unwrap_or_else(|error| panic!("{url}: {error}"));
        let unicode = found.at().replace("xn--bcher-kva", "bücher");
        assert_eq!(&unicode, at, "{url}");
    }
    for (reason, urls) in &cases.refused {
        for url in urls {
            let found = Destination::parse(url, false, &guard(&[])).map(|destination| destination.at());
            let error = found.expect_err(url).to_string();
            assert!(error.contains(reason), "{url:?} was refused because {error}, not {reason}");
        }
    }
    let long = format!("https://example.com/{}", "a".repeat(MAX_URL_BYTES));
    assert_eq!(Destination::parse(&long, false, &guard(&[])), Err(BadDestination::TooLong));
    assert!(Destination::parse("http://example.com/", true, &guard(&[])).is_ok());
    let secret = Destination::parse("https://example.com/secret?key=secret", false, &guard(&[])).unwrap();
    assert!(!format!("{secret:?} {}", secret.at()).contains("secret"));
}

/// The example of the reference libraries of Standard Webhooks.
#[test]
fn the_signature_is_that_of_the_specification() {
    let secret = SigningSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let signed = signature(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
    assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

#[test]
fn a_secret_is_read_as_it_was_written_and_never_shown_by_accident() {
    let made = SigningSecret::generate().unwrap();
    let text = made.text();
    assert_eq!(SigningSecret::parse(&text).unwrap().text(), text);
    assert_ne!(SigningSecret::generate().unwrap().text(), text);
    assert!(!format!("{made:?}").contains(&text[6..16]));
    for bad in [
        "",
        "whsec_",
        "whsec_AAAA",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_!!!!",
        &format!("whsec_{}", "A".repeat(100)),
    ] {
        assert_eq!(SigningSecret::parse(bad).err(), Some(BadSecret::NotASecret), "{bad}");
    }
}
