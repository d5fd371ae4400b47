//! Names become addresses once for each connection, and only checked addresses are connected to.

use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;

use super::guard::Guard;

/// Asks the system, and refuses a name if any of its addresses is refused: a name with a public and a private address is
/// either an attack or a mistake. Because the answer is what is connected to, a name that means something else a moment later
/// (DNS rebinding) gains nothing.
pub(super) struct GuardedResolver {
    pub guard: Guard,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.guard.clone();
        Box::pin(async move {
            // Port 0 is replaced by the URL's.
            let found: Vec<SocketAddr> = lookup_host((name.as_str(), 0)).await?.collect();
            for address in &found {
                guard.check(address.ip())?;
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
