//! The one task that looks after pools: what is there, what is wanted, what is to be done.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use shuntyard_domain::board::Use;
use shuntyard_domain::ids::RunnerId;
use shuntyard_domain::pool::instance::{Instance, InstanceEvent, InstanceState, LeaveReason};
use shuntyard_domain::pool::name::instance_name;
use shuntyard_domain::pool::scale::{Contact as Reached, Live, Plan, Seen, View, plan, room};
use shuntyard_domain::pool::{ClassDemand, Template, share};
use shuntyard_domain::runner::RunnerState;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::token_context;
use crate::dispatch::engine_error::told;
use crate::dispatch::enrol::store_token;
use crate::dispatch::event_loop::{Demand, LoopEvent};
use crate::dispatch::inventory::{Contact, Known};
use crate::dispatch::{DispatchError, Dispatcher};
use crate::store::{
    Connection, InstanceRow, PoolRow, StoreError, enrolment_token_revoke, instance_apply, instance_find,
    instance_insert, instances_live, instances_of, pool_by_id, pool_list,
};

/// Events of a moment are looked at together.
const DEBOUNCE: Duration = Duration::from_millis(100);
/// After a look that failed.
const AGAIN: Duration = Duration::from_secs(5);
/// Nothing is asked of the clock more seldom while there are pools: clocks are set.
const AT_LEAST_EVERY_MS: i64 = 60_000;

/// Runs until `stop`.
pub(super) async fn run(engine: Dispatcher, stop: CancellationToken) {
    let mut counted = false;
    loop {
        if !counted {
            counted = engine.count_failures().await.is_ok();
        }
        let pause = match engine.look_at_pools().await {
            Ok(Some(at_ms)) => Some(Duration::from_millis((at_ms - engine.0.clock.now_ms()).max(0).unsigned_abs())),
            Ok(None) => None,
            Err(error) => {
                tracing::error!(error = told(&error), "the pools could not be looked at; trying again");
                Some(AGAIN)
            }
        };
        let due = async {
            match pause {
                Some(pause) => tokio::time::sleep(pause).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = engine.0.pools.wake.notified() => (),
            () = due => (),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(DEBOUNCE) => (),
        }
    }
}

/// Makes a machine a runner, in the commit that stores the runner; `None`: it is not wanted any more.
pub(in crate::dispatch) fn enrol_instance(
    c: &mut Connection,
    instance: &str,
    runner: RunnerId,
    now_ms: i64,
) -> Result<Option<PoolRow>, StoreError> {
    let event = InstanceEvent::Enrolled { runner };
    match instance_apply(c, instance, &event, None, now_ms)? {
        Some(row) => pool_by_id(c, row.pool),
        None => Ok(None),
    }
}

/// A pool and its live machines, oldest first.
struct Looked {
    pool: PoolRow,
    rows: Vec<InstanceRow>,
    machines: Vec<Seen>,
}

impl Dispatcher {
    /// A machine of the pool has become a runner.
    pub(in crate::dispatch) fn instance_enrolled(&self, pool: Uuid) {
        self.0.pools.memory().enrolled(pool);
        self.pools_changed();
    }

    async fn count_failures(&self) -> Result<(), DispatchError> {
        let read = |c: &mut Connection| {
            let pools = pool_list(c)?.into_iter();
            pools.map(|pool| Ok((pool.id, instances_of(c, pool.id)?))).collect::<Result<Vec<_>, StoreError>>()
        };
        let all = self.0.store.read(read).await?;
        let mut memory = self.0.pools.memory();
        all.iter().for_each(|(pool, rows)| memory.count_failures(*pool, rows));
        Ok(())
    }

    /// Looks once, and does what is to be done; returns when to look again if nothing happens before.
    async fn look_at_pools(&self) -> Result<Option<i64>, DispatchError> {
        let read = |c: &mut Connection| Ok::<_, StoreError>((pool_list(c)?, instances_live(c)?));
        let (pools, rows) = self.0.store.read(read).await?;
        self.0.pools.some.store(!pools.is_empty(), Ordering::Relaxed);
        self.forget_gone(&pools, &rows);
        if pools.is_empty() {
            return Ok(None);
        }
        let templates: Vec<Template> = pools.iter().map(|pool| pool.spec.template()).collect();
        let runners: Vec<RunnerId> = rows.iter().filter_map(|row| row.instance.runner).collect();
        let Some(demand) = self.demand(templates, runners.clone()).await else { return Ok(None) };
        let used: HashMap<RunnerId, Use> =
            runners.into_iter().zip(demand.used).filter_map(|(id, used)| Some((id, used?))).collect();
        let looked: Vec<Looked> = pools.into_iter().map(|pool| self.seen(pool, &rows, &used)).collect();
        let rooms: Vec<u32> =
            looked.iter().map(|of| if of.pool.deleting { 0 } else { room(&of.pool.spec, &of.machines) }).collect();
        let shares = share(&active(demand.classes, &looked), &rooms);
        let now_ms = self.0.clock.now_ms();
        let mut next_ms = now_ms + AT_LEAST_EVERY_MS;
        for (of, waiting) in looked.into_iter().zip(shares) {
            let at_ms = self.look_at(&of, waiting, now_ms).await?;
            next_ms = next_ms.min(at_ms.unwrap_or(i64::MAX)).min(self.0.pools.memory().list_at_ms(of.pool.id));
        }
        Ok(Some(next_ms))
    }

    fn forget_gone(&self, pools: &[PoolRow], rows: &[InstanceRow]) {
        let pools: HashSet<Uuid> = pools.iter().map(|pool| pool.id).collect();
        let rows: HashSet<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        self.0.pools.memory().keep(&pools, &rows);
    }

    /// Asks the board; `None` while the daemon stops.
    async fn demand(&self, templates: Vec<Template>, runners: Vec<RunnerId>) -> Option<Demand> {
        let (ask, answer) = oneshot::channel();
        self.0.loop_events.send(LoopEvent::Demand(templates, runners, ask)).ok()?;
        answer.await.ok()
    }

    fn seen(&self, pool: PoolRow, rows: &[InstanceRow], used: &HashMap<RunnerId, Use>) -> Looked {
        let rows: Vec<InstanceRow> = rows.iter().filter(|row| row.pool == pool.id).cloned().collect();
        let machines = rows.iter().map(|row| self.seen_machine(row, used)).collect();
        Looked { pool, rows, machines }
    }

    fn seen_machine(&self, row: &InstanceRow, used: &HashMap<RunnerId, Use>) -> Seen {
        let known = row.instance.runner.and_then(|runner| self.known(runner).ok());
        let live = known.map(|known| self.live(row, &known, used.get(&known.runner.id).copied().unwrap_or_default()));
        Seen { instance: row.instance.clone(), live }
    }

    fn live(&self, row: &InstanceRow, known: &Known, used: Use) -> Live {
        let now_ms = self.0.clock.now_ms();
        let mut memory = self.0.pools.memory();
        let idle_since_ms = memory.idle_since_ms(&row.id, used, now_ms);
        let is_unhealthy = known.runner.health.keeps_jobs_away();
        let unhealthy_since_ms = memory.unhealthy_since_ms(&row.id, is_unhealthy, now_ms);
        let contact = match (&known.contact, unhealthy_since_ms) {
            (Contact::Unreachable { since_ms, .. }, _) => Reached::Away { since_ms: *since_ms },
            (_, Some(since_ms)) => Reached::Away { since_ms },
            (Contact::Connecting { .. }, None) => Reached::Connecting,
            (Contact::Connected { .. }, None) => Reached::Ready,
        };
        Live {
            contact,
            jobs: used.jobs,
            idle_since_ms,
            spent: known.runner.spent_by().is_some(),
            held: known.runner.state != RunnerState::Enrolled,
        }
    }

    /// Does what is to be done for one pool.
    async fn look_at(&self, of: &Looked, waiting: u32, now_ms: i64) -> Result<Option<i64>, DispatchError> {
        of.rows.iter().for_each(|row| self.see_that_it_is_called(row));
        self.see_that_it_is_listed(&of.pool, now_ms);
        for (row, seen) in of.rows.iter().zip(&of.machines) {
            if row.instance.state == InstanceState::Draining && seen.live.as_ref().is_none_or(|live| live.jobs == 0) {
                self.empty(&of.pool, row).await?;
            }
        }
        if of.pool.deleting && of.rows.is_empty() {
            self.forget_pool(&of.pool).await?;
            return Ok(None);
        }
        let plan = self.plan_for_pool(of, waiting, now_ms);
        for (at, reason) in &plan.leave {
            self.leave(&of.pool, &of.rows[*at], *reason, None).await?;
        }
        for _ in 0..plan.start {
            self.ask_for_one(&of.pool).await?;
        }
        Ok(plan.look_again_at_ms)
    }

    fn plan_for_pool(&self, of: &Looked, waiting: u32, now_ms: i64) -> Plan {
        let mut memory = self.0.pools.memory();
        let known = memory.of_pool.entry(of.pool.id).or_default();
        known.waiting_jobs = waiting;
        plan(&View {
            spec: &of.pool.spec,
            deleting: of.pool.deleting,
            machines: &of.machines,
            demand: waiting,
            failures: known.failures,
            last_failed_at_ms: known.last_failed_at_ms,
            now_ms,
        })
    }

    /// Stores a machine that is to be, with its token; the provider is called after that.
    async fn ask_for_one(&self, pool: &PoolRow) -> Result<(), DispatchError> {
        let id = instance_name(pool.name.as_str(), pool.id, Uuid::new_v4());
        let (token, text) = self.instance_token(pool.name.as_str(), &pool.spec, &id)?;
        let sealed = self.0.sealer.seal(&token_context(&id), text.as_bytes())?;
        let row = InstanceRow {
            pool: pool.id,
            instance: Instance::new(self.0.clock.now_ms()),
            note: None,
            token_id: token.id.clone(),
            sealed_token: Some(sealed),
            version: 1,
            id: id.clone(),
        };
        let of = (pool.id, pool.version);
        let insert = move |c: &mut Connection| -> Result<bool, StoreError> {
            // Not for a pool that was changed since it was looked at.
            if pool_by_id(c, of.0)?.is_none_or(|pool| pool.version != of.1) {
                return Ok(false);
            }
            store_token(c, &token)?;
            instance_insert(c, &row)?;
            Ok(true)
        };
        if self.0.store.write(insert).await? {
            tracing::info!(pool.name = %pool.name, pool.instance = id, "a machine is wanted");
        }
        self.pools_changed();
        Ok(())
    }

    /// Leaves a machine, for which it is enough that it is wanted no more.
    pub(super) async fn leave(
        &self,
        pool: &PoolRow,
        row: &InstanceRow,
        reason: LeaveReason,
        note: Option<String>,
    ) -> Result<(), DispatchError> {
        tracing::info!(pool.name = %pool.name, pool.instance = row.id, %reason, "a machine is left");
        if row.instance.state == InstanceState::Starting {
            return self.leave_starting(row, reason, note).await;
        }
        self.drain_machine(pool, row, reason, note).await
    }

    /// Nothing can enrol as it any more, from the same commit on.
    pub(super) async fn leave_starting(
        &self,
        row: &InstanceRow,
        reason: LeaveReason,
        note: Option<String>,
    ) -> Result<(), DispatchError> {
        let (id, token, now_ms) = (row.id.clone(), row.token_id.clone(), self.0.clock.now_ms());
        let write = move |c: &mut Connection| {
            // It may have enrolled in this moment.
            let still = instance_find(c, &id)?.is_some_and(|row| row.instance.state == InstanceState::Starting);
            if !still {
                return Ok(false);
            }
            enrolment_token_revoke(c, &token, now_ms)?;
            instance_apply(c, &id, &InstanceEvent::Left { reason }, note.as_deref(), now_ms).map(|row| row.is_some())
        };
        let left: Result<bool, StoreError> = self.0.store.write(write).await;
        if left? {
            self.0.pools.memory().left(row.pool, reason, now_ms);
        }
        self.pools_changed();
        Ok(())
    }
}

/// Without pools that start nothing: what could be theirs is another's.
fn active(mut classes: Vec<ClassDemand>, looked: &[Looked]) -> Vec<ClassDemand> {
    let is_active = |at: &usize| looked.get(*at).is_some_and(|of| of.pool.spec.enabled && !of.pool.deleting);
    classes.iter_mut().for_each(|class| class.pools.retain(is_active));
    classes
}
