//! How many connections may be here before they have proved who they are, and how often an address may fail to.
//!
//! As sshd's MaxStartups and PerSourceMaxStartups. Many hosts can stand behind one address, so one with a wrong key costs
//! the others at most the rest of a minute.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Connections that have not proved who they are, of all addresses together.
const IN_ALL: usize = 128;
/// The same of one address.
const PER_ADDRESS: usize = 16;
/// Keys that one address may show in vain within a window; then it is not listened to until the window ends.
const REFUSED: u32 = 60;
const WINDOW: Duration = Duration::from_secs(60);
/// Addresses that are remembered.
const MAX_ADDRESSES: usize = 4096;

/// Counts those who have not proved who they are.
#[derive(Default)]
pub(super) struct Guard(Mutex<State>);

#[derive(Default)]
struct State {
    strangers: usize,
    addresses: HashMap<IpAddr, Address>,
}

struct Address {
    strangers: usize,
    refused: u32,
    window_ends: Instant,
}

/// Why a connection is closed before anything is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Crowded,
    AddressCrowded,
    TooManyKeys,
}

/// One stranger's place; free when it is dropped.
pub(super) struct Place {
    guard: Arc<Guard>,
    address: IpAddr,
}

impl Guard {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a place to a new connection from `peer`.
    pub(super) fn admit(self: &Arc<Self>, peer: IpAddr, now: Instant) -> Result<Place, Refusal> {
        let mut state = self.lock();
        if state.strangers >= IN_ALL {
            return Err(Refusal::Crowded);
        }
        let address = counted(peer);
        let known = state.about(address, now);
        if known.strangers >= PER_ADDRESS {
            return Err(Refusal::AddressCrowded);
        }
        if known.refused >= REFUSED {
            return Err(Refusal::TooManyKeys);
        }
        known.strangers += 1;
        state.strangers += 1;
        Ok(Place { guard: Arc::clone(self), address })
    }
}

impl State {
    fn about(&mut self, address: IpAddr, now: Instant) -> &mut Address {
        if self.addresses.len() >= MAX_ADDRESSES {
            self.addresses.retain(|_, known| known.strangers > 0 || known.window_ends > now);
        }
        if self.addresses.len() >= MAX_ADDRESSES {
            // What they have failed at is forgotten; how many of them are here is not.
            self.addresses.retain(|_, known| known.strangers > 0);
        }
        let known =
            self.addresses.entry(address).or_insert(Address { strangers: 0, refused: 0, window_ends: now + WINDOW });
        if known.window_ends <= now {
            (known.refused, known.window_ends) = (0, now + WINDOW);
        }
        known
    }
}

impl Place {
    /// Counts a key that was shown in vain. True for the first of a window, which is worth a line in the log.
    pub(super) fn key_refused(&self, now: Instant) -> bool {
        let mut state = self.guard.lock();
        let known = state.about(self.address, now);
        known.refused = known.refused.saturating_add(1);
        known.refused == 1
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.guard.lock();
        state.strangers = state.strangers.saturating_sub(1);
        if let Some(known) = state.addresses.get_mut(&self.address) {
            known.strangers = known.strangers.saturating_sub(1);
        }
    }
}

/// One host can have all of an IPv6 /64.
fn counted(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) & (u128::MAX << 64))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u32) -> IpAddr {
        IpAddr::from((0x0a00_0000 + n).to_be_bytes())
    }

    #[test]
    fn one_address_has_few_places_and_all_together_have_an_end() {
        let (guard, now) = (Arc::new(Guard::default()), Instant::now());
        let mut places: Vec<Place> = (0..PER_ADDRESS).filter_map(|_| guard.admit(address(1), now).ok()).collect();
        assert_eq!(places.len(), PER_ADDRESS);
        assert_eq!(guard.admit(address(1), now).err(), Some(Refusal::AddressCrowded));
        places.extend((2..).map_while(|n| guard.admit(address(n), now).ok()));
        assert_eq!(places.len(), IN_ALL);
        assert_eq!(guard.admit(address(9999), now).err(), Some(Refusal::Crowded));
        places.remove(0);
        assert!(guard.admit(address(1), now).is_ok(), "a place that is left is free again");
    }

    #[test]
    fn an_address_with_wrong_keys_waits_for_the_end_of_its_minute_and_others_do_not() {
        let (guard, now) = (Arc::new(Guard::default()), Instant::now());
        for n in 0..REFUSED {
            let place = guard.admit(address(1), now).unwrap_or_else(|_| panic!("a place"));
            assert_eq!(place.key_refused(now), n == 0);
        }
        assert_eq!(guard.admit(address(1), now).err(), Some(Refusal::TooManyKeys));
        assert!(guard.admit(address(2), now).is_ok());
        assert!(guard.admit(address(1), now + WINDOW).is_ok());
    }

    #[test]
    fn addresses_that_are_remembered_are_bounded() {
        let (guard, now) = (Arc::new(Guard::default()), Instant::now());
        for n in 0..10_000 {
            drop(guard.admit(address(n), now));
        }
        assert!(guard.lock().addresses.len() <= MAX_ADDRESSES);
    }
}
