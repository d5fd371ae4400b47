//! How many connections are being made at a time: sshd drops the surplus (MaxStartups) and remembers who made it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::lock;

const PER_ADDRESS: usize = 4;
const IN_ALL: usize = 32;

/// Limits the connections that are being made.
pub(super) struct Pace {
    all: Arc<Semaphore>,
    addresses: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { all: Arc::new(Semaphore::new(IN_ALL)), addresses: Mutex::default() }
    }

    /// Waits for a turn at `at` (`HOST:PORT`); the turn ends when the permits are dropped.
    pub(super) async fn turn(&self, at: &str) -> Vec<OwnedSemaphorePermit> {
        let address = {
            let mut addresses = lock(&self.addresses);
            addresses.retain(|_, turns| Arc::strong_count(turns) > 1 || turns.available_permits() < PER_ADDRESS);
            Arc::clone(addresses.entry(at.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(PER_ADDRESS))))
        };
        let mut permits = Vec::with_capacity(2);
        // The address first, so that a slow host does not hold turns that others could use.
        for turns in [address, Arc::clone(&self.all)] {
            permits.extend(turns.acquire_owned().await.ok());
        }
        permits
    }
}
