//! How often one address may come with a token that is no good.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Wrong tokens that one address may send in a window.
const TRIES: u32 = 10;
const WINDOW_MS: i64 = 60_000;
/// Addresses that are remembered; there is no more to gain by guessing from many, only memory to lose.
const MAX_ADDRESSES: usize = 4096;

/// The windows of addresses that have failed lately.
#[derive(Default)]
pub(super) struct Limits(Mutex<HashMap<IpAddr, Window>>);

struct Window {
    until_ms: i64,
    failed: u32,
}

impl Limits {
    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Window>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers the seconds to wait when this address has failed too often.
    pub(super) fn wait_s(&self, peer: IpAddr, now_ms: i64) -> Option<i64> {
        let windows = self.lock();
        let window = windows.get(&counted(peer)).filter(|window| window.until_ms > now_ms && window.failed >= TRIES)?;
        Some((window.until_ms - now_ms + 999) / 1000)
    }

    /// Counts one more failure.
    pub(super) fn failed(&self, peer: IpAddr, now_ms: i64) {
        let mut windows = self.lock();
        if windows.len() >= MAX_ADDRESSES {
            windows.retain(|_, window| window.until_ms > now_ms);
        }
        if windows.len() >= MAX_ADDRESSES {
            windows.clear();
        }
        let window = windows.entry(counted(peer)).or_insert(Window { until_ms: 0, failed: 0 });
        if window.until_ms <= now_ms {
            *window = Window { until_ms: now_ms + WINDOW_MS, failed: 0 };
        }
        window.failed += 1;
    }
}

/// One host can have all of an IPv6 /64.
pub(in crate::dispatch) fn counted(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) & (u128::MAX << 64))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_fails_ten_times_waits_for_the_end_of_its_minute() {
        let (limits, peer) = (Limits::default(), "192.0.2.1".parse().unwrap());
        for now_ms in 1..=10 {
            assert_eq!(limits.wait_s(peer, now_ms), None);
            limits.failed(peer, now_ms);
        }
        assert_eq!(limits.wait_s(peer, 11), Some(60));
        assert_eq!(limits.wait_s("192.0.2.2".parse().unwrap(), 11), None);
        assert_eq!(limits.wait_s("::ffff:192.0.2.1".parse().unwrap(), 60_000), Some(1));
        assert_eq!(limits.wait_s(peer, 60_001), None);
        limits.failed(peer, 60_001);
        assert_eq!(limits.wait_s(peer, 60_002), None, "a new window begins");
    }

    #[test]
    fn addresses_of_one_ipv6_network_count_together_and_memory_is_bounded() {
        let limits = Limits::default();
        for n in 0..u128::from(TRIES) {
            limits.failed(Ipv6Addr::from((0x2001_0db8_u128 << 96) + n).into(), 1);
        }
        assert!(limits.wait_s("2001:db8::ffff".parse().unwrap(), 2).is_some());
        assert!(limits.wait_s("2001:db8:0:1::1".parse().unwrap(), 2).is_none());
        for n in 0..10_000_u32 {
            limits.failed(IpAddr::from(n.to_be_bytes()), 1);
        }
        assert!(limits.lock().len() <= MAX_ADDRESSES);
    }
}
