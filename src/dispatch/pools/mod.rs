//! Pools: machines that are started when jobs wait, and stopped when none do.
//!
//! One task (`look`) looks at everything when something has changed: what is stored of pools and machines, what waits on the
//! board, what runs; the core says what is to be done, and each step is stored before anybody is called. The calls of
//! providers (`calls`) are tasks of their own that go by what is stored, so a crash anywhere leaves nothing but a row for
//! which the call is made again, with the same name. `list` (`compare`) finds what went wrong elsewhere.

mod calls;
mod compare;
mod empty;
mod hook;
mod look;
mod memory;
mod offers;
mod records;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, Semaphore};
use uuid::Uuid;

use super::Dispatcher;
use memory::Memory;

pub(super) use look::enrol_instance;
pub use records::Keep;

/// Calls to providers at a time; the others wait for their turn.
const CALLS_AT_A_TIME: usize = 16;

/// Everything about pools that is not stored.
pub(super) struct Pools {
    wake: Notify,
    /// There is one at least: board events matter.
    some: AtomicBool,
    calls: Semaphore,
    memory: Mutex<Memory>,
}

impl Pools {
    pub(super) fn new() -> Self {
        Self {
            wake: Notify::new(),
            // Until the first look has told.
            some: AtomicBool::new(true),
            calls: Semaphore::new(CALLS_AT_A_TIME),
            memory: Mutex::default(),
        }
    }

    /// Something changed on the board: costs nothing where there is no pool.
    pub(super) fn board_changed(&self) {
        if self.some.load(Ordering::Relaxed) {
            self.wake.notify_one();
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Dispatcher {
    /// A pool, or one of its machines, is not what it was.
    fn pools_changed(&self) {
        self.0.pools.wake.notify_one();
    }
}

/// Starts the task that looks after pools; everything else is taken up before.
pub(super) fn start(engine: &Dispatcher) {
    let owner = engine.clone();
    engine.0.tasks.spawn(tracing::info_span!("pools"), move |stop| look::run(owner, stop));
}

/// The associated data under which a pool's secret is sealed.
fn secret_context(pool: Uuid) -> String {
    secret_context_of(&pool.to_string())
}

/// The same, by the text of its id.
pub(super) fn secret_context_of(id: &str) -> String {
    format!("pool:{id}:secret")
}

/// The same of the token of one of its machines.
pub(super) fn token_context(instance: &str) -> String {
    format!("pool_instance:{instance}:token")
}
