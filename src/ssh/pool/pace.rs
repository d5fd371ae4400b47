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

    #[tokio::test]
    async fn more_silent_hosts_than_turns_delay_another_by_a_moment_and_one_address_has_four_at_a_time() {
        let pace = Pace::new();
        let silent = |at: &'static str| pace.paced(at, std::future::pending::<()>());
        let names = (0..IN_ALL + 8).map(|n| format!("h{n}:22")).collect::<Vec<_>>();
        let stuck = futures_util::future::join_all(names.iter().map(|at| pace.paced(at, std::future::pending::<()>())));
        // Polled behind them all: it is the last in the queue.
        let other = async { tokio::time::timeout(BUSY * 20, pace.paced("well:22", async {})).await };
        tokio::select! {
            biased;
            _ = stuck => unreachable!("they are silent"),
            other = other => assert!(other.is_ok(), "silent hosts keep their turns"),
        }
        let crowd = futures_util::future::join_all((0..PER_ADDRESS).map(|_| silent("one:22")));
        let fifth = async { tokio::time::timeout(Duration::from_millis(100), pace.paced("one:22", async {})).await };
        tokio::select! {
            biased;
            _ = crowd => unreachable!("they are silent"),
            fifth = fifth => assert!(fifth.is_err(), "a fifth connection to one address at a time"),
        }
    }
}
