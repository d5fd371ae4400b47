//! Pools as people see them: made, shown, changed, deleted.

use serde_json::{Map, Value};
use shuntyard_domain::cidr::Cidr;
use shuntyard_domain::pool::instance::InstanceState;
use shuntyard_domain::pool::name::PoolName;
use shuntyard_domain::pool::scale::next_start_at_ms;
use shuntyard_domain::pool::{BadPool, PoolSpec};
use shuntyard_domain::runner::Runner;
use shuntyard_domain::wire::pools::{InstanceBody, NewPool, PatchPool, PoolBody, PoolCounts};
use shuntyard_domain::wire::time_text::rfc3339;
use uuid::Uuid;

use super::secret_context;
use crate::dispatch::engine_error::bad;
use crate::dispatch::{DispatchError, Dispatcher, new_id};
use crate::outgoing::SigningSecret;
use crate::store::{
    Connection, InstanceRow, MadeKind, PoolRow, StoreError, instances_delete, instances_live, instances_of, pool_by_id,
    pool_delete, pool_find, pool_insert, pool_list, pool_update, runner_by_id, runner_update,
};

/// Ended machines that are shown.
const ENDED_SHOWN: usize = 20;
const URL: &str = "an https:// URL";

/// What becomes of the machines of a pool that is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// They end their jobs and are stopped; the pool goes with the last one.
    Nothing,
    /// They stay as ordinary runners, which nobody stops.
    Runners,
    /// As `Runners`; what is being started or stopped is forgotten, whatever the provider has of it.
    RunnersByForce,
}

impl Dispatcher {
    /// Makes a pool from the keys of `PoolSpec`; its secret is told this once. `by` is who asked.
    ///
    /// # Errors
    /// `BadRequest` for values outside of the rules, `Taken`.
    pub async fn create_pool(
        &self,
        name: PoolName,
        keys: Map<String, Value>,
        by: &str,
    ) -> Result<NewPool, DispatchError> {
        let spec = self.checked_spec(keys).await?;
        let (id, secret) = (new_id(), new_secret()?);
        let row = PoolRow {
            id,
            name,
            spec,
            sealed_secret: self.0.sealer.seal(&secret_context(id), secret.text().as_bytes())?,
            deleting: false,
            created_at_ms: self.0.clock.now_ms(),
            created_by: by.to_owned(),
            version: 1,
        };
        let stored = row.clone();
        let (engine, name) = (self.clone(), row.name.clone());
        let insert = move |c: &mut Connection| pool_insert(c, &stored).map_err(|error| taken(error, &stored.name));
        let commit = async move {
            engine.0.store.create(MadeKind::Pool, name, insert).await?;
            engine.pools_changed();
            Ok(())
        };
        self.to_the_end(commit).await?;
        tracing::info!(pool.name = %row.name, "a pool is made");
        Ok(NewPool { secret: secret.text().to_string(), about: self.pool_shown(&row, &[], false) })
    }

    /// Every pool, by name, without its machines.
    ///
    /// # Errors
    /// `Store`
    pub async fn pools(&self) -> Result<Vec<PoolBody>, DispatchError> {
        let read = |c: &mut Connection| Ok::<_, StoreError>((pool_list(c)?, instances_live(c)?));
        let (pools, rows) = self.0.store.read(read).await?;
        let of = |pool: &PoolRow| rows.iter().filter(|row| row.pool == pool.id).cloned().collect::<Vec<_>>();
        Ok(pools.iter().map(|pool| self.pool_shown(pool, &of(pool), false)).collect())
    }

    /// One pool with its machines.
    ///
    /// # Errors
    /// `NoPool`
    pub async fn pool(&self, name: &str) -> Result<PoolBody, DispatchError> {
        let (pool, rows) = self.pool_and_rows(name).await?;
        Ok(self.pool_shown(&pool, &rows, true))
    }

    /// Changes a pool. What is there already is not started anew: it goes as its limits say. The secret is told when it
    /// is a new one.
    ///
    /// # Errors
    /// `NoPool`, `BadRequest` for values outside of the rules; nothing is changed then.
    pub async fn patch_pool(&self, name: &str, patch: PatchPool) -> Result<(PoolBody, Option<String>), DispatchError> {
        let (before, rows) = self.pool_and_rows(name).await?;
        if before.deleting {
            return Err(bad("name", "the pool is being deleted", &["a pool that stays"]));
        }
        let mut keys = match serde_json::to_value(&before.spec) {
            Ok(Value::Object(keys)) => keys,
            _ => Map::new(),
        };
        for (key, value) in patch.changes {
            // `null`: as if it had never been said.
            if value.is_null() {
                keys.remove(&key)
            } else {
                keys.insert(key, value)
            };
        }
        let spec = self.checked_spec(keys).await?;
        let secret = patch.new_secret.then(new_secret).transpose()?;
        let sealed_secret = match &secret {
            Some(secret) => self.0.sealer.seal(&secret_context(before.id), secret.text().as_bytes())?,
            None => before.sealed_secret.clone(),
        };
        let next = PoolRow { spec, sealed_secret, ..before };
        let stored = self.commit_pool(move |c| Ok(pool_update(c, &next)?)).await?;
        tracing::info!(pool.name = name, "a pool is changed");
        Ok((self.pool_shown(&stored, &rows, true), secret.map(|secret| secret.text().to_string())))
    }

    /// Deletes a pool: at once when its runners are kept, else when its last machine is gone; until then it is shown as `deleting`.
    /// Returns how many machines are to be stopped first.
    ///
    /// # Errors
    /// `NoPool`; `BadRequest` when runners are to be kept while machines are being started or stopped.
    pub async fn delete_pool(&self, name: &str, keep: Keep) -> Result<u32, DispatchError> {
        let (pool, rows) = self.pool_and_rows(name).await?;
        if keep != Keep::Nothing {
            let (engine, id) = (self.clone(), pool.id);
            let let_go = async move {
                let kept = engine.0.store.write(move |c| let_go(c, id, keep)).await?;
                kept.into_iter().for_each(|runner| engine.record_changed(runner));
                // What takes one job is removed as any other from now on.
                engine.retire_the_spent();
                engine.pools_changed();
                Ok(0)
            };
            return self.to_the_end(let_go).await;
        }
        if !pool.deleting {
            let next = PoolRow { deleting: true, ..pool };
            self.commit_pool(move |c| Ok(pool_update(c, &next)?)).await?;
        }
        Ok(counts(&rows).live())
    }

    /// Stores a change of a pool and has the pools looked at, also when the caller goes away half-way.
    async fn commit_pool<T: Send + 'static>(
        &self,
        write: impl FnOnce(&mut Connection) -> Result<T, DispatchError> + Send + 'static,
    ) -> Result<T, DispatchError> {
        let engine = self.clone();
        let commit = async move {
            let stored = engine.0.store.write(write).await?;
            engine.pools_changed();
            Ok(stored)
        };
        self.to_the_end(commit).await
    }

    async fn pool_and_rows(&self, name: &str) -> Result<(PoolRow, Vec<InstanceRow>), DispatchError> {
        let wanted = name.to_owned();
        let read = move |c: &mut Connection| -> Result<Option<(PoolRow, Vec<InstanceRow>)>, StoreError> {
            let Some(pool) = pool_find(c, &wanted)? else { return Ok(None) };
            let rows = instances_of(c, pool.id)?;
            Ok(pool_by_id(c, pool.id)?.map(|pool| (pool, rows)))
        };
        let found = self.0.store.read(read).await?;
        found.ok_or_else(|| DispatchError::NoPool(name.to_owned()))
    }

    /// Reads the keys of a pool and checks them all.
    async fn checked_spec(&self, keys: Map<String, Value>) -> Result<PoolSpec, DispatchError> {
        let spec: PoolSpec = serde_path_to_error::deserialize(Value::Object(keys)).map_err(|error| {
            let path = error.path().to_string();
            let path = if path == "." { "body".to_owned() } else { path };
            bad(path, error.into_inner().to_string(), &["the keys of a pool (docs/OPERATIONS.md)"])
        })?;
        spec.check().map_err(|BadPool { path, message, allowed }| bad(path, message, &[allowed]))?;
        if let Err(wrong) = self.0.caller.destination(&spec.url) {
            return Err(bad("url", wrong.to_string(), &[URL]));
        }
        check_enrol_url(&spec.enrol_url)?;
        if spec.cidr.as_ref().is_some_and(|text| text.parse::<Cidr>().is_err()) {
            return Err(bad("cidr", "not a network", &["10.0.0.0/8, 2001:db8::/32, or one address"]));
        }
        self.check_scope(spec.scope.clone()).await?;
        Ok(spec)
    }

    fn pool_shown(&self, pool: &PoolRow, rows: &[InstanceRow], with_instances: bool) -> PoolBody {
        let memory = self.0.pools.memory();
        let known = memory.of_pool.get(&pool.id);
        let failures = known.map_or(0, |known| known.failures);
        let next_ms = next_start_at_ms(failures, known.map_or(0, |known| known.last_failed_at_ms));
        let live = rows.iter().filter(|row| row.instance.is_live());
        let ended = rows.iter().filter(|row| !row.instance.is_live()).take(ENDED_SHOWN);
        PoolBody {
            id: pool.id.to_string(),
            name: pool.name.clone(),
            spec: pool.spec.clone(),
            deleting: pool.deleting,
            created_at: rfc3339(pool.created_at_ms),
            created_by: pool.created_by.clone(),
            counts: counts(rows),
            waiting_jobs: known.map_or(0, |known| known.waiting_jobs),
            failures,
            next_start_at: (next_ms > self.0.clock.now_ms()).then(|| rfc3339(next_ms)),
            last_error: known.and_then(|known| known.error.clone()),
            instances: with_instances.then(|| live.chain(ended).map(instance_shown).collect()),
        }
    }
}

/// Deletes a pool and makes its machines ordinary runners; nothing when one of them is not enrolled, unless by force.
fn let_go(c: &mut Connection, pool: Uuid, keep: Keep) -> Result<Vec<Runner>, DispatchError> {
    let (rows, mut kept) = (instances_of(c, pool)?, Vec::new());
    let counts = counts(&rows);
    if keep != Keep::RunnersByForce && counts.live() > counts.enrolled {
        let moving = counts.live() - counts.enrolled;
        let message = format!("{moving} machine(s) are being started or stopped, and are no runners that could stay");
        return Err(bad(
            "keep",
            message,
            &["a pool whose machines are all enrolled", "a deletion without `keep`", "`force`"],
        ));
    }
    for row in rows {
        let runner = row.instance.runner.map(|runner| runner_by_id(c, runner)).transpose()?.flatten();
        if let Some(runner) = runner {
            kept.push(runner_update(c, &Runner { pool: None, ..runner })?);
        }
    }
    instances_delete(c, pool)?;
    pool_delete(c, pool)?;
    Ok(kept)
}

fn new_secret() -> Result<SigningSecret, DispatchError> {
    SigningSecret::generate().map_err(|_| DispatchError::Random)
}

fn taken(error: StoreError, name: &PoolName) -> DispatchError {
    match error {
        StoreError::Conflict { .. } => DispatchError::Taken { what: "pool", key: name.to_string() },
        error => error.into(),
    }
}

/// It stands in a line for a shell.
fn check_enrol_url(text: &str) -> Result<(), DispatchError> {
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '/' | '[' | ']');
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    if rest.is_some_and(|rest| !rest.is_empty() && rest.len() < 300 && rest.chars().all(letters)) {
        return Ok(());
    }
    let allowed = "http:// or https://, a host, a port and a path of letters, digits, `.`, `-`, `_` and `/`";
    Err(bad("enrol_url", "not a URL at which a machine could enrol", &[allowed]))
}

fn counts(rows: &[InstanceRow]) -> PoolCounts {
    let mut counts = PoolCounts::default();
    for row in rows {
        match row.instance.state {
            InstanceState::Starting => counts.starting += 1,
            InstanceState::Enrolled => counts.enrolled += 1,
            InstanceState::Draining => counts.draining += 1,
            InstanceState::Stopping => counts.stopping += 1,
            InstanceState::Stopped | InstanceState::Failed => (),
        }
    }
    counts
}

fn instance_shown(row: &InstanceRow) -> InstanceBody {
    let instance = &row.instance;
    InstanceBody {
        instance: row.id.clone(),
        state: instance.state,
        reason: instance.reason,
        note: row.note.clone(),
        provider_id: instance.provider_id.clone(),
        runner_id: instance.runner,
        created_at: rfc3339(instance.created_at_ms),
        state_at: rfc3339(instance.state_at_ms),
        accepted_at: instance.accepted_at_ms.map(rfc3339),
        enrolled_at: instance.enrolled_at_ms.map(rfc3339),
    }
}
