//! Runners as the API shows them, and changes of their records.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value, json};
use shuntyard_domain::board::BoardEvent;
use shuntyard_domain::ids::{JobId, RunnerId};
use shuntyard_domain::job::Job;
use shuntyard_domain::runner::{Runner, RunnerState};
use shuntyard_domain::wire::api::{ChangeRef, ContactBody, RunnerBody, RunnerLive};
use shuntyard_domain::wire::time_text::rfc3339;

use super::fan_outs::Ask;
use super::inventory::{Contact, Known};
use super::{DispatchError, Dispatcher, Thing};
use crate::ssh;
use crate::store::{
    Connection, RunnerDeleted, RunnerEvent, StoreError, dial_out_key_delete, jobs_on_runners, jobs_placed,
    runner_by_id, runner_delete, runner_event_insert, runner_test_find, runner_update,
};

impl Dispatcher {
    /// # Errors
    /// `NoRunner` for an unknown name.
    pub fn runner(&self, hostname: &str) -> Result<Arc<Runner>, DispatchError> {
        Ok(self.known_by_name(hostname)?.runner)
    }

    /// The name of a runner that is in the inventory.
    #[must_use]
    pub fn runner_name(&self, id: RunnerId) -> Option<String> {
        Some(self.0.inventory.get(id)?.runner.hostname.clone())
    }

    /// `ubuntu 22.04`, for people.
    #[must_use]
    pub fn runner_platform(&self, id: RunnerId) -> Option<String> {
        let facts = self.0.inventory.get(id)?.runner.facts.clone();
        Some(format!("{} {}", facts.platform, facts.platform_version))
    }

    /// The record of every runner, by name.
    #[must_use]
    pub fn runners(&self) -> Vec<Arc<Runner>> {
        self.0.inventory.all().into_iter().map(|known| known.runner).collect()
    }

    /// Every runner with its live side, by name.
    ///
    /// # Errors
    /// `Store` when the running jobs cannot be read.
    pub async fn runner_bodies(&self) -> Result<Vec<RunnerBody>, DispatchError> {
        let jobs = self.0.store.read(jobs_placed).await?;
        self.bodies_with(self.0.inventory.all(), &jobs).await
    }

    /// A few runners with their live side, and the jobs that they have been given; those that are gone are left out.
    ///
    /// # Errors
    /// `Store` when the jobs cannot be read.
    pub async fn runner_bodies_of(&self, ids: &[RunnerId]) -> Result<(Vec<RunnerBody>, Vec<Job>), DispatchError> {
        let known = ids.iter().filter_map(|id| self.0.inventory.get(*id)).collect();
        let ids = ids.to_vec();
        let jobs = self.0.store.read(move |c| jobs_on_runners(c, &ids)).await?;
        Ok((self.bodies_with(known, &jobs).await?, jobs))
    }

    /// `jobs` are those that have been given to these runners; there may be others.
    async fn bodies_with(&self, known: Vec<Known>, jobs: &[Job]) -> Result<Vec<RunnerBody>, DispatchError> {
        let changes = self.changes_of_jobs(jobs).await?;
        let mut by_runner: HashMap<RunnerId, Vec<&Job>> = HashMap::new();
        for job in jobs {
            if let Some(runner) = job.state.runner() {
                by_runner.entry(runner).or_default().push(job);
            }
        }
        let body = |known: Known| {
            let running = by_runner.remove(&known.runner.id).unwrap_or_default();
            self.runner_body_of(&known, &running, &changes)
        };
        Ok(known.into_iter().map(body).collect())
    }

    /// One runner with its live side.
    ///
    /// # Errors
    /// `NoRunner` for an unknown name.
    pub async fn runner_body(&self, hostname: &str) -> Result<RunnerBody, DispatchError> {
        let known = self.known_by_name(hostname)?;
        let id = known.runner.id;
        let running = self.jobs_on(id).await?;
        let last_test = self.0.store.read(move |c| runner_test_find(c, id)).await?;
        let changes = self.changes_of_jobs(&running).await?;
        let body = self.runner_body_of(&known, &running.iter().collect::<Vec<_>>(), &changes);
        Ok(RunnerBody { last_test: last_test.map(Into::into), ..body })
    }

    /// Jobs that a runner has been given and that have not ended.
    pub(super) async fn jobs_on(&self, id: RunnerId) -> Result<Vec<Job>, DispatchError> {
        Ok(self.0.store.read(move |c| jobs_on_runners(c, &[id])).await?)
    }

    /// Changes a runner's record in the store and then in memory, also when the caller goes away.
    ///
    /// # Errors
    /// `NoRunner` when it was deleted meanwhile.
    pub(super) async fn change_record(
        &self,
        id: RunnerId,
        change: impl FnOnce(&mut Runner) + Send + 'static,
    ) -> Result<(), DispatchError> {
        let engine = self.clone();
        self.to_the_end(async move {
            let write = move |c: &mut Connection| {
                let Some(mut runner) = runner_by_id(c, id)? else { return Ok(None) };
                change(&mut runner);
                runner_update(c, &runner).map(Some)
            };
            let stored: Result<Option<Runner>, StoreError> = engine.0.store.write(write).await;
            let stored = stored?.ok_or_else(|| DispatchError::NoRunner(id.to_string()))?;
            engine.record_changed(stored);
            Ok(())
        })
        .await
    }

    /// Takes over a record as it is stored now.
    pub(super) fn record_changed(&self, stored: Runner) {
        self.update_runner(stored.id, |entry| {
            // Contacts are not stored. Of two changes the later one may be told first.
            if stored.version >= entry.runner.version {
                let last_seen_at_ms = stored.last_seen_at_ms.max(entry.runner.last_seen_at_ms);
                entry.runner = Runner { last_seen_at_ms, ..stored }.into();
            }
        });
    }

    /// Takes a runner out of the inventory, the board and the pool; what it was stays in its history. `also` is stored in
    /// the same commit.
    pub(super) async fn forget_runner(
        &self,
        id: RunnerId,
        by: String,
        reason: Option<String>,
        also: impl FnOnce(&mut Connection) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<(), DispatchError> {
        let now_ms = self.0.clock.now_ms();
        let delete = move |c: &mut Connection| -> Result<(), StoreError> {
            also(c)?;
            if let Some(runner) = runner_by_id(c, id)? {
                let event = RunnerEvent::Deleted(RunnerDeleted { by, reason, runner: Box::new((&runner).into()) });
                let last = Runner { version: runner.version + 1, ..runner };
                runner_event_insert(c, &last, now_ms, &event)?;
            }
            dial_out_key_delete(c, id)?;
            runner_delete(c, id).map(drop)
        };
        self.0.store.write(delete).await?;
        let scope = self.0.inventory.get(id).map(|known| known.runner.scope.place());
        self.0.inventory.remove(id, || self.tell_board(BoardEvent::RunnerRemoved(id)));
        self.need_not_ask(id).await;
        self.0.dial_out.tunnels.revoke(id);
        self.0.pool.forget(id);
        self.ask_about_fan_outs(Ask::Open);
        if let Some(scope) = scope {
            self.0.feed.removed(Thing::Runner(id), scope);
        }
        Ok(())
    }
}

impl Dispatcher {
    fn runner_body_of(&self, known: &Known, running: &[&Job], changes: &BTreeMap<JobId, ChangeRef>) -> RunnerBody {
        let pool = &self.0.pool;
        let live = RunnerLive {
            contact: contact_body(&known.contact),
            connections: pool.connection_count(known.runner.id),
            max_sessions: pool.sessions_learnt(known.runner.id),
            running_jobs: running.iter().map(|job| job.id).collect::<Vec<JobId>>(),
            job: running.first().map(|job| chef_job(job, changes.get(&job.id))).unwrap_or_default(),
            host_keys: known.runner.endpoint.host_keys.iter().filter_map(|line| ssh::fingerprint(line)).collect(),
            dial_out: self.tunnel_body(&known.runner),
        };
        let mut body = RunnerBody::of(&known.runner, live);
        if known.closed {
            // Its host is being changed; the record says what it is after that.
            body.state = RunnerState::Draining;
        }
        body
    }
}

/// Chef's `job` of a busy runner names the change; a job outside a pipeline names itself.
fn chef_job(job: &Job, change: Option<&ChangeRef>) -> Map<String, Value> {
    let own = || ChangeRef { id: job.id.to_string(), title: job.origin.title.clone() };
    let named = change.cloned().unwrap_or_else(own);
    let value = json!({"id": named.id, "title": named.title, "org": job.origin.org, "project": job.origin.project});
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn contact_body(contact: &Contact) -> ContactBody {
    let (status, since_ms) = match contact {
        Contact::Connecting { since_ms } => ("connecting", since_ms),
        Contact::Connected { since_ms } => ("connected", since_ms),
        Contact::Unreachable { since_ms, .. } => ("unreachable", since_ms),
    };
    let mut body = ContactBody { status: status.into(), since: rfc3339(*since_ms), ..ContactBody::default() };
    if let Contact::Unreachable { why, tries, next_try_at_ms, .. } = contact {
        body.reason = Some(why.clone());
        body.tries = *tries;
        body.next_try_at = next_try_at_ms.map(rfc3339);
    }
    body
}
