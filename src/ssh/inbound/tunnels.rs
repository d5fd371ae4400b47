//! The tunnels that hosts have opened: which key opens which runner's, and which of them is up.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use russh::keys::PublicKey;
use shuntyard_domain::ids::RunnerId;

use super::post::Post;
use crate::clock::Clock;
use crate::shutdown::Tasks;
use crate::ssh::host_keys;
use crate::ssh::route::Route;
use crate::ssh::settings::Settings;

/// The user name of every host that dials out; the key says which it is.
pub const DIAL_OUT_USER: &str = "dial-out";

/// A tunnel that is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TunnelUp {
    pub since_ms: i64,
    /// The other end of its TCP connection.
    pub peer: SocketAddr,
}

/// A second host came with the key of a tunnel that is up, and was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TurnedAway {
    pub at_ms: i64,
    pub peer: SocketAddr,
}

/// The key is another runner's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key opens the tunnel of another runner")]
pub struct KeyTaken;

/// The tunnels of all runners. Clones share them.
#[derive(Clone)]
pub struct Tunnels(Arc<Shared>);

struct Shared {
    posts: Mutex<Posts>,
    around: Around,
}

/// What every tunnel needs.
#[derive(Clone)]
pub(super) struct Around {
    pub tasks: Tasks,
    pub clock: Clock,
    /// How long a connection waits for a tunnel to come up.
    pub patience: Duration,
    pub max_queued_bytes: usize,
}

#[derive(Default)]
struct Posts {
    by_key: HashMap<String, Arc<Post>>,
    by_runner: HashMap<RunnerId, Arc<Post>>,
}

impl Tunnels {
    /// No runner has a tunnel yet.
    #[must_use]
    pub fn new(tasks: &Tasks, clock: Clock, settings: &Settings) -> Self {
        let around = Around {
            tasks: tasks.clone(),
            clock,
            // Less than the connection may take: it is to say what is missing.
            patience: settings.connect_deadline.mul_f64(0.8),
            max_queued_bytes: settings.max_queued_bytes,
        };
        Self(Arc::new(Shared { posts: Mutex::default(), around }))
    }

    fn lock(&self) -> MutexGuard<'_, Posts> {
        self.0.posts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets `key_line` (as `dial_out_key` writes it) open the tunnel of one runner, and no other key. A tunnel that another
    /// key of this runner has opened is cut.
    ///
    /// # Errors
    /// `KeyTaken` when it opens another runner's.
    pub fn admit(&self, runner: RunnerId, hostname: &str, key_line: &str) -> Result<(), KeyTaken> {
        let mut posts = self.lock();
        if let Some(post) = posts.by_key.get(key_line) {
            return if post.runner == runner { Ok(()) } else { Err(KeyTaken) };
        }
        let post = posts.post(runner, hostname, &self.0.around);
        posts.by_key.retain(|_, other| !Arc::ptr_eq(other, &post));
        posts.by_key.insert(key_line.to_owned(), Arc::clone(&post));
        drop(posts);
        post.cut();
        Ok(())
    }

    /// From here on no key opens a tunnel of this runner; one that is up is cut.
    pub fn revoke(&self, runner: RunnerId) {
        let mut posts = self.lock();
        let Some(post) = posts.by_runner.remove(&runner) else { return };
        posts.by_key.retain(|_, other| !Arc::ptr_eq(other, &post));
        drop(posts);
        post.revoke();
    }

    /// The way to a runner: by its tunnel, whenever there is one.
    #[must_use]
    pub fn route(&self, runner: RunnerId, hostname: &str) -> Route {
        Route::Carried(self.lock().post(runner, hostname, &self.0.around))
    }

    /// The runner's tunnel, when it is up.
    #[must_use]
    pub fn up(&self, runner: RunnerId) -> Option<TunnelUp> {
        self.lock().by_runner.get(&runner)?.up()
    }

    /// The last host that was turned away because the tunnel was up.
    #[must_use]
    pub fn turned_away(&self, runner: RunnerId) -> Option<TurnedAway> {
        self.lock().by_runner.get(&runner)?.turned_away()
    }

    /// Resolves when the runner has a tunnel, at once when it is up. Never for a runner whose key is revoked meanwhile.
    pub async fn come_up(&self, runner: RunnerId, hostname: &str) {
        let post = self.lock().post(runner, hostname, &self.0.around);
        post.come_up().await;
    }

    /// The runner whose tunnel `key` opens.
    pub(super) fn post_of(&self, key: &PublicKey) -> Option<Arc<Post>> {
        self.lock().by_key.get(&host_keys::line(key)).cloned()
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.0.around.clock
    }
}

impl Posts {
    fn post(&mut self, runner: RunnerId, hostname: &str, around: &Around) -> Arc<Post> {
        let make = || Arc::new(Post::new(runner, hostname, around.clone()));
        Arc::clone(self.by_runner.entry(runner).or_insert_with(make))
    }
}

/// Reads the public key of a host that dials out; returns its `ALGORITHM BASE64` line. `None` when it is not one, or is
/// neither ed25519 nor ECDSA.
#[must_use]
pub fn dial_out_key(text: &str) -> Option<String> {
    let key = host_keys::parse(text)?;
    (key.algorithm().is_ed25519() || key.algorithm().is_ecdsa()).then(|| host_keys::line(&key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const ONE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBDrvKDAVVKNmy1gfDVGzQYxWbjYhfV0hs9fSX2FUmLx";
    const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINGyU5lVI8SrHcJGS8Qqg+zYqQnZmBEJeIHF6Zw5gqkx";

    fn tunnels() -> Tunnels {
        Tunnels::new(&Tasks::new(), Clock::fixed(1), &Settings::default())
    }

    fn opens(tunnels: &Tunnels, line: &str) -> Option<RunnerId> {
        tunnels.post_of(&host_keys::parse(line).expect("a key")).map(|post| post.runner)
    }

    #[test]
    fn a_key_opens_the_tunnel_of_exactly_one_runner_until_it_is_revoked() {
        let (tunnels, [a, b]) = (tunnels(), [1, 2].map(|n| RunnerId(Uuid::from_u128(n))));
        tunnels.admit(a, "a", ONE).expect("admitted");
        tunnels.admit(a, "a", ONE).expect("again");
        assert_eq!(tunnels.admit(b, "b", ONE), Err(KeyTaken));
        tunnels.admit(b, "b", OTHER).expect("admitted");
        assert_eq!((opens(&tunnels, ONE), opens(&tunnels, OTHER)), (Some(a), Some(b)));
        tunnels.revoke(b);
        assert_eq!((opens(&tunnels, ONE), opens(&tunnels, OTHER)), (Some(a), None));
        tunnels.admit(a, "a", OTHER).expect("another key");
        assert_eq!((opens(&tunnels, ONE), opens(&tunnels, OTHER)), (None, Some(a)), "a runner has one key");
    }

    #[test]
    fn a_route_stays_the_same_until_its_runner_is_revoked() {
        let (tunnels, a) = (tunnels(), RunnerId(Uuid::from_u128(1)));
        let route = tunnels.route(a, "a");
        tunnels.admit(a, "a", ONE).expect("admitted");
        assert!(tunnels.route(a, "a") == route && tunnels.up(a).is_none());
        tunnels.revoke(a);
        assert!(tunnels.route(a, "a") != route);
    }

    #[test]
    fn only_keys_of_today_are_taken() {
        assert_eq!(dial_out_key(&format!("{ONE} root@h\n")).as_deref(), Some(ONE));
        for bad in ["", "ssh-ed25519", "ssh-ed25519 AAAA", "no key", "ssh-dss AAAAB3NzaC1kc3MAAAAA"] {
            assert_eq!(dial_out_key(bad), None, "{bad}");
        }
    }
}
