//! How many connections are being made at a time: sshd drops the surplus (MaxStartups) and remembers who made it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::lock;

const PER_ADDRESS: usize = 4;
const IN_ALL: usize = 32;
/// A connection that takes longer than this waits for its host and costs us nothing: hosts that are silent or drip
/// must not keep others from their turn.
const BUSY: Duration = Duration::from_secs(1);

/// Limits the connections that are being made.
pub(super) struct Pace {
    all: Arc<Semaphore>,
    addresses: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { all: Arc::new(Semaphore::new(IN_ALL)), addresses: Mutex::default() }
    }

    /// Makes a connection to `at` (`HOST:PORT`) when it is its turn.
    pub(super) async fn paced<T>(&self, at: &str, making: impl Future<Output = T>) -> T {
        // The address first, so that a slow host does not hold turns that others could use.
        let _address = take(self.address(at)).await;
        let all = take(Arc::clone(&self.all)).await;
        let mut making = std::pin::pin!(making);
        if let Ok(made) = tokio::time::timeout(BUSY, &mut making).await {
            return made;
        }
        drop(all);
        making.await
    }

    fn address(&self, at: &str) -> Arc<Semaphore> {
        let mut addresses = lock(&self.addresses);
        addresses.retain(|_, turns| Arc::strong_count(turns) > 1 || turns.available_permits() < PER_ADDRESS);
        Arc::clone(addresses.entry(at.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(PER_ADDRESS))))
    }
}

/// A semaphore of ours is never closed: `None` does not come.
async fn take(turns: Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    turns.acquire_owned().await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn hundreds_of_silent_hosts_delay_another_by_seconds_and_one_address_has_four_at_a_time() {
        let pace = Pace::new();
        let names: Vec<String> = (0..320).map(|n| format!("h{n}:22")).collect();
        let stuck = names.iter().map(|at| pace.paced(at, std::future::pending::<()>()));
        let stuck = futures_util::future::join_all(stuck);
        let began = tokio::time::Instant::now();
        tokio::select! {
            _ = stuck => unreachable!(),
            () = async {
                tokio::task::yield_now().await;
                pace.paced("well:22", async {}).await;
            } => {}
        }
        assert!(began.elapsed() <= Duration::from_secs(11), "{:?}", began.elapsed());
        let crowd = futures_util::future::join_all((0..4).map(|_| pace.paced("one:22", std::future::pending::<()>())));
        let fifth = async {
            tokio::task::yield_now().await;
            tokio::time::timeout(Duration::from_secs(60), pace.paced("one:22", async {})).await
        };
        tokio::select! {
            _ = crowd => unreachable!(),
            fifth = fifth => assert!(fifth.is_err(), "a fifth connection to one address"),
        }
    }
}
