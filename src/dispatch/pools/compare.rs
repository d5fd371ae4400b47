//! What the provider has, and what we think that it has: asked at a start, every five minutes, and after failed calls.
//!
//! A machine that is named as this pool's and is not ours to keep is stopped: rows are stored before the provider is
//! called, so what it has and we do not know is left over from a store that was put back, or was said to be gone. A
//! machine that the provider lost is left only when it does not answer either; a job on it is lost only with evidence, so
//! one with a job stays until that has ended or somebody deletes the runner by force.

use std::collections::{HashMap, HashSet};

use shuntyard_domain::pool::instance::{InstanceState, LeaveReason};
use shuntyard_domain::pool::name::instance_prefix;
use shuntyard_domain::wire::pools::{HookAction, HookCall, HookError, Listed, ListedInstance};
use shuntyard_domain::wire::time_text::rfc3339;
use tracing::info_span;

use super::hook::HookFailed;
use crate::dispatch::engine_error::told;
use crate::dispatch::inventory::Contact;
use crate::dispatch::{DispatchError, Dispatcher};
use crate::store::{Connection, InstanceRow, PoolRow, StoreError, instances_of, pool_by_id};

impl Dispatcher {
    /// Has the provider asked what it has, when that is due.
    pub(super) fn see_that_it_is_listed(&self, pool: &PoolRow, now_ms: i64) {
        let whom = pool.id.to_string();
        {
            let mut memory = self.0.pools.memory();
            if memory.list_at_ms(pool.id) > now_ms || !memory.may_call(&whom, HookAction::List) {
                return;
            }
            memory.lists(pool.id, now_ms);
        }
        let (engine, pool) = (self.clone(), pool.clone());
        let span = info_span!("list", pool.name = %pool.name);
        self.0.tasks.spawn(span, move |stop| async move {
            tokio::select! {
                () = stop.cancelled() => (),
                () = engine.compare(&pool) => (),
            }
            engine.0.pools.memory().called(&whom, HookAction::List);
            engine.pools_changed();
        });
    }

    async fn compare(&self, pool: &PoolRow) {
        let asked_at_ms = self.0.clock.now_ms();
        let compared = match self.hook_list(pool).await {
            Ok(listed) => self.settle_differences(pool, &listed, asked_at_ms).await.map_err(HookFailed::from),
            Err(failed) => Err(failed),
        };
        match compared {
            Ok(()) => self.0.pools.memory().went_well(pool.id, HookAction::List),
            Err(failed) => {
                let at = rfc3339(self.0.clock.now_ms());
                let error = told(&failed);
                tracing::warn!(error, "the provider does not say what it has");
                let next = self.0.pools.memory().list_at_ms(pool.id);
                let next_try_at = Some(rfc3339(next));
                let error = HookError { at, action: HookAction::List, instance: None, error, tries: 1, next_try_at };
                self.0.pools.memory().failed(pool.id, error);
            }
        }
    }

    async fn settle_differences(&self, pool: &PoolRow, listed: &Listed, asked_at_ms: i64) -> Result<(), DispatchError> {
        let id = pool.id;
        // Read behind the answer: whatever it names was stored before. The pool is read last: one that has let its machines
        // go meanwhile has no rows, and they are runners of their own.
        let read = move |c: &mut Connection| -> Result<Option<Vec<InstanceRow>>, StoreError> {
            let rows = instances_of(c, id)?;
            Ok(pool_by_id(c, id)?.map(|_| rows))
        };
        let Some(rows) = self.0.store.read(read).await? else { return Ok(()) };
        let ours: HashMap<&str, &InstanceRow> = rows.iter().map(|row| (row.id.as_str(), row)).collect();
        let prefix = instance_prefix(pool.name.as_str(), pool.id);
        // After a restore a machine that nobody knows may run jobs: it stays until the queue goes on.
        let named = |there: &&ListedInstance| there.instance.starts_with(&prefix) && !self.is_restored();
        for there in listed.instances.iter().filter(named) {
            if ours.get(there.instance.as_str()).is_none_or(|row| !row.instance.is_live()) {
                tracing::warn!(pool.instance = there.instance, "the provider has a machine that is not wanted");
                self.stop_unwanted(pool, &there.instance, there.provider_id.clone()).await;
            }
        }
        let named: HashSet<&str> = listed.instances.iter().map(|there| there.instance.as_str()).collect();
        let lost = |row: &&InstanceRow| {
            let accepted = row.instance.accepted_at_ms.is_some_and(|at_ms| at_ms < asked_at_ms);
            accepted && row.instance.state == InstanceState::Enrolled && !named.contains(row.id.as_str())
        };
        for row in rows.iter().filter(lost) {
            let known = row.instance.runner.and_then(|runner| self.known(runner).ok());
            match known.map(|known| known.contact) {
                Some(Contact::Unreachable { .. }) | None => {
                    self.leave(pool, row, LeaveReason::Vanished, None).await?;
                }
                Some(Contact::Connected { .. } | Contact::Connecting { .. }) => {
                    tracing::warn!(pool.instance = row.id, "the provider does not name a machine that answers");
                }
            }
        }
        Ok(())
    }

    /// Tried once: a machine that stays is found by the next list.
    async fn stop_unwanted(&self, pool: &PoolRow, instance: &str, provider_id: Option<String>) {
        let (name, reason) = (pool.name.to_string(), "unknown".to_owned());
        let call = HookCall::Stop { pool: name, instance: instance.to_owned(), provider_id, reason };
        if let Err(failed) = self.hook_stop(pool, &call, instance).await {
            tracing::warn!(pool.instance = instance, error = told(&failed), "it could not be stopped");
        }
    }
}
