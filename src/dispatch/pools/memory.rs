//! What is known of pools beside the store; a restart begins it anew.

use std::collections::{HashMap, HashSet};

use shuntyard_domain::board::Use;
use shuntyard_domain::pool::instance::LeaveReason;
use shuntyard_domain::wire::pools::{HookAction, HookError};
use uuid::Uuid;

use crate::store::InstanceRow;

/// Between two lists of one pool when nothing is wrong.
const LIST_EVERY_MS: i64 = 5 * 60_000;
/// Between two lists when calls fail.
const LIST_AGAIN_MS: i64 = 30_000;

#[derive(Default)]
pub(super) struct Memory {
    pub of_pool: HashMap<Uuid, OfPool>,
    of_instance: HashMap<String, OfInstance>,
    /// Whom a task calls now: a machine, or a pool by its id.
    calling: HashSet<(String, HookAction)>,
}

/// Of one pool.
#[derive(Default)]
pub(super) struct OfPool {
    pub waiting_jobs: u32,
    /// Starts that came to nothing since the last machine that enrolled.
    pub failures: u32,
    pub last_failed_at_ms: i64,
    pub error: Option<HookError>,
    /// Unix milliseconds; 0: at once.
    list_at_ms: i64,
    listed_at_ms: i64,
}

/// Of one machine.
#[derive(Clone, Copy, Default)]
struct OfInstance {
    last_used: u64,
    idle_since_ms: i64,
    unhealthy_since_ms: Option<i64>,
}

impl Memory {
    /// Counts the starts that came to nothing since the last machine that enrolled; `rows` are newest first.
    pub(super) fn count_failures(&mut self, pool: Uuid, rows: &[InstanceRow]) {
        let recent = || {
            rows.iter()
                .take_while(|row| row.instance.enrolled_at_ms.is_none())
                .filter(|row| is_failure(row.instance.reason))
        };
        let of = self.of_pool.entry(pool).or_default();
        of.failures = u32::try_from(recent().count()).unwrap_or(u32::MAX);
        of.last_failed_at_ms = recent().map(|row| row.instance.state_at_ms).max().unwrap_or(0);
    }

    /// Notes that a machine is left while it starts.
    pub(super) fn left(&mut self, pool: Uuid, reason: LeaveReason, now_ms: i64) {
        if is_failure(Some(reason)) {
            let of = self.of_pool.entry(pool).or_default();
            of.failures = of.failures.saturating_add(1);
            of.last_failed_at_ms = now_ms;
        }
    }

    pub(super) fn enrolled(&mut self, pool: Uuid) {
        self.of_pool.entry(pool).or_default().failures = 0;
    }

    /// Since when the machine has no job, as far as it was seen.
    pub(super) fn idle_since_ms(&mut self, instance: &str, used: Use, now_ms: i64) -> i64 {
        let first = OfInstance { last_used: used.last_used, idle_since_ms: now_ms, unhealthy_since_ms: None };
        let known = self.of_instance.entry(instance.to_owned()).or_insert(first);
        if used.jobs > 0 || known.last_used != used.last_used {
            (known.last_used, known.idle_since_ms) = (used.last_used, now_ms);
        }
        known.idle_since_ms
    }

    /// Since when its Test fails.
    pub(super) fn unhealthy_since_ms(&mut self, instance: &str, is_unhealthy: bool, now_ms: i64) -> Option<i64> {
        let known = self.of_instance.entry(instance.to_owned()).or_default();
        known.unhealthy_since_ms = is_unhealthy.then(|| known.unhealthy_since_ms.unwrap_or(now_ms));
        known.unhealthy_since_ms
    }

    /// Forgets what is gone.
    pub(super) fn keep(&mut self, pools: &HashSet<Uuid>, instances: &HashSet<&str>) {
        self.of_pool.retain(|pool, _| pools.contains(pool));
        self.of_instance.retain(|instance, _| instances.contains(instance.as_str()));
    }

    /// True for the one who may call now; it says `called` afterwards.
    pub(super) fn may_call(&mut self, whom: &str, action: HookAction) -> bool {
        self.calling.insert((whom.to_owned(), action))
    }

    pub(super) fn called(&mut self, whom: &str, action: HookAction) {
        self.calling.remove(&(whom.to_owned(), action));
    }

    /// Keeps what went wrong, and has the provider asked soon what it has.
    pub(super) fn failed(&mut self, pool: Uuid, error: HookError) {
        let of = self.of_pool.entry(pool).or_default();
        if error.action != HookAction::List {
            of.list_at_ms = of.list_at_ms.min(of.listed_at_ms + LIST_AGAIN_MS);
        }
        of.error = Some(error);
    }

    /// Forgets what went wrong with calls of this kind.
    pub(super) fn went_well(&mut self, pool: Uuid, action: HookAction) {
        let of = self.of_pool.entry(pool).or_default();
        of.error = of.error.take().filter(|error| error.action != action);
    }

    /// When the pool's provider is to be asked what it has; Unix milliseconds.
    pub(super) fn list_at_ms(&self, pool: Uuid) -> i64 {
        self.of_pool.get(&pool).map_or(0, |of| of.list_at_ms)
    }

    /// Notes a list that begins now.
    pub(super) fn lists(&mut self, pool: Uuid, now_ms: i64) {
        let of = self.of_pool.entry(pool).or_default();
        (of.listed_at_ms, of.list_at_ms) = (now_ms, now_ms + LIST_EVERY_MS);
    }
}

/// The machine did not become a runner, and nobody wanted that.
const fn is_failure(reason: Option<LeaveReason>) -> bool {
    matches!(reason, Some(LeaveReason::StartLimit | LeaveReason::StartRefused))
}
