//! How often one caller may ask: a token once it was found good, else an address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

/// Callers that are remembered; who asks seldom is forgotten first.
const MAX_CALLERS: usize = 16_384;
/// So many seconds' worth of requests may come at once.
pub(super) const BURST_S: u64 = 10;
const SECOND_US: u64 = 1_000_000;

/// Requests a second; 0: any number.
#[derive(Clone, Copy, Debug)]
pub struct RateLimits {
    /// Of one token.
    pub token_per_s: u32,
    /// Of one address without a good token.
    pub address_per_s: u32,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    /// By the SHA-256 of a token.
    Token(Vec<u8>),
    Address(IpAddr),
}

/// A caller has asked too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooOften {
    /// After so many seconds the next request is taken.
    pub wait_s: u64,
    pub per_s: u32,
}

/// When each caller's requests would have come had they come evenly: the generic cell rate algorithm.
pub struct Rates {
    limits: RateLimits,
    begun: Instant,
    /// In microseconds since `begun`.
    due: Mutex<HashMap<Key, u64>>,
}

impl Rates {
    #[must_use]
    pub fn new(limits: RateLimits) -> Self {
        Self { limits, begun: Instant::now(), due: Mutex::default() }
    }

    /// Counts a request by a token that was good before as the token's, any other as the address's.
    pub(super) fn take(&self, token: Option<&str>, address: Option<IpAddr>) -> Result<(), TooOften> {
        let digest = token.map(digest);
        self.take_at(digest.as_deref(), address, self.now_us())
    }

    /// Remembers that the token is good: its requests count as its own from now on.
    pub(super) fn known(&self, token: &str) {
        let now_us = self.now_us();
        if self.limits.token_per_s > 0 {
            self.room_for(Key::Token(digest(token)), now_us);
        }
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn due(&self) -> MutexGuard<'_, HashMap<Key, u64>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn room_for(&self, key: Key, now_us: u64) {
        let mut due = self.due();
        if due.contains_key(&key) {
            return;
        }
        if due.len() >= MAX_CALLERS {
            due.retain(|_, at_us| *at_us > now_us);
        }
        if due.len() >= MAX_CALLERS {
            due.clear();
        }
        due.insert(key, now_us);
    }

    fn take_at(&self, digest: Option<&[u8]>, address: Option<IpAddr>, now_us: u64) -> Result<(), TooOften> {
        let token = digest.map(|digest| Key::Token(digest.to_vec())).filter(|key| self.due().contains_key(key));
        let (key, per_s) = match (token, address) {
            (Some(token), _) => (token, self.limits.token_per_s),
            (None, Some(address)) => (Key::Address(counted(address)), self.limits.address_per_s),
            // Without a connection, as in a test: nobody to count.
            (None, None) => return Ok(()),
        };
        if per_s == 0 {
            return Ok(());
        }
        self.room_for(key.clone(), now_us);
        let each_us = SECOND_US / u64::from(per_s);
        let mut due = self.due();
        let next_us = due.get(&key).map_or(now_us, |due_us| now_us.max(*due_us)) + each_us;
        let ahead_us = (next_us - now_us).saturating_sub(BURST_S * SECOND_US);
        if ahead_us > 0 {
            return Err(TooOften { wait_s: ahead_us.div_ceil(SECOND_US), per_s });
        }
        due.insert(key, next_us);
        Ok(())
    }
}

/// What is remembered of a token, instead of itself.
fn digest(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

/// One host can have all of an IPv6 /64.
fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) & (u128::MAX << 64))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates() -> Rates {
        Rates::new(RateLimits { token_per_s: 100, address_per_s: 2 })
    }

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn an_address_may_ask_in_a_burst_and_then_at_its_pace() {
        let (rates, peer) = (rates(), address("192.0.2.1"));
        for n in 0..20 {
            assert_eq!(rates.take_at(None, peer, n), Ok(()), "{n}");
        }
        assert_eq!(rates.take_at(None, peer, 20), Err(TooOften { wait_s: 1, per_s: 2 }));
        // Others are not concerned; those of one IPv6 network are one.
        assert_eq!(rates.take_at(None, address("192.0.2.2"), 20), Ok(()));
        (0..20).for_each(|n| assert_eq!(rates.take_at(None, address(&format!("2001:db8::{n:x}")), 20), Ok(())));
        assert!(rates.take_at(None, address("2001:db8::ffff"), 20).is_err());
        assert!(rates.take_at(None, address("2001:db8:0:1::1"), 20).is_ok());
        // Half a second later there is room for one, and for one only; refused ones cost nothing.
        assert_eq!(rates.take_at(None, peer, 500_000), Ok(()));
        (0..50).for_each(|_| assert!(rates.take_at(None, peer, 500_001).is_err()));
        assert_eq!(rates.take_at(None, peer, 1_000_000), Ok(()));
        assert_eq!(rates.take_at(None, peer, 1_000_001).map_err(|over| over.wait_s), Err(1));
    }

    #[test]
    fn a_token_counts_as_its_own_caller_once_it_was_good_and_a_guess_as_its_address() {
        let (rates, peer) = (rates(), address("192.0.2.1"));
        for n in 0_u8..20 {
            assert_eq!(rates.take_at(Some(&[n; 32]), peer, 0), Ok(()));
        }
        assert!(rates.take_at(Some(&[99; 32]), peer, 0).is_err(), "another token is not another caller");
        let now_us = 1_000;
        rates.room_for(Key::Token(vec![1; 32]), now_us);
        let taken = (0..2_000).filter(|_| rates.take_at(Some(&[1; 32]), peer, now_us).is_ok()).count();
        assert_eq!(taken, 1_000);
        assert!(rates.take_at(None, peer, now_us).is_err());
    }

    #[test]
    fn memory_is_bounded_and_nothing_limits_where_nothing_is_set() {
        let rates = rates();
        for n in 0..50_000_u32 {
            let _ = rates.take_at(None, Some(IpAddr::from(n.to_be_bytes())), 1);
        }
        assert!(rates.due().len() <= MAX_CALLERS);
        let free = Rates::new(RateLimits { token_per_s: 0, address_per_s: 0 });
        assert!((0..10_000).all(|_| free.take_at(None, address("192.0.2.1"), 1).is_ok()));
    }
}
