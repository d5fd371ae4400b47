//! The events of `/events` behind its snapshot: each thing as it is when it is sent, and only what the reader sees.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use axum::response::sse::Event;
use shuntyard_domain::access::Place;
use shuntyard_domain::ids::{ChangeId, FanOutId, JobId, RunnerId};
use shuntyard_domain::job::Job;
use shuntyard_domain::wire::api::JobBody;
use shuntyard_domain::wire::events::{RemovedBody, ThingKind};

use super::Reader;
use super::wanted::Topic;
use crate::dispatch::{DispatchError, Mark, News, Removed, Thing};
use crate::http::error::ApiError;
use crate::http::sse;
use crate::store::{Connection, StoreError, job_attempts, job_find};

/// What is to be told about one thing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Delta {
    Now(Thing),
    Removed(Thing),
}

/// The jobs of some changes, and the runners whose slots they may have taken or freed.
#[derive(Default)]
struct JobsNow {
    bodies: BTreeMap<JobId, JobBody>,
    runners: BTreeMap<JobId, BTreeSet<RunnerId>>,
}

impl Reader {
    /// The events for these changes in their order. The last event of a place has it: what comes before has none, so
    /// that who is cut between them gets both again.
    pub(super) async fn deltas(&self, changes: Vec<(Mark, News)>) -> Result<Vec<(Option<Mark>, Event)>, ApiError> {
        let ids = changes.iter().filter_map(|(_, news)| if let News::Job(id) = news { Some(*id) } else { None });
        let mut jobs = self.jobs_now(ids.collect()).await?;
        let mut events: Vec<(Option<Mark>, Event)> = Vec::new();
        for (mark, deltas) in self.once(changes, &jobs) {
            let begin = events.len();
            for delta in deltas {
                events.extend(self.event(delta, &mut jobs).await?.map(|event| (None, event)));
            }
            if let Some((at, _)) = events[begin..].last_mut() {
                *at = Some(mark);
            }
        }
        Ok(events)
    }

    /// What is to be told at each place, each thing where it comes last.
    fn once(&self, changes: Vec<(Mark, News)>, jobs: &JobsNow) -> Vec<(Mark, Vec<Delta>)> {
        let mut seen = HashSet::new();
        let mut told: Vec<(Mark, Vec<Delta>)> = Vec::new();
        for (mark, news) in changes.into_iter().rev() {
            let mut deltas = self.of(news, jobs);
            deltas.retain(|delta| seen.insert(delta.clone()));
            told.push((mark, deltas));
        }
        told.reverse();
        told
    }

    /// What a change means to the reader.
    fn of(&self, news: News, jobs: &JobsNow) -> Vec<Delta> {
        match news {
            News::Job(id) => {
                let runners = jobs.runners.get(&id).into_iter().flatten();
                let runners = runners.filter(|_| self.wanted.has(Topic::Runners)).map(|id| Thing::Runner(*id));
                let job = Some(Thing::Job(id)).filter(|_| self.wanted.job(id));
                runners.chain(job).map(Delta::Now).collect()
            }
            News::Runner(id) if self.wanted.has(Topic::Runners) => vec![Delta::Now(Thing::Runner(id))],
            News::Change(id) if self.wanted.has(Topic::Changes) => vec![Delta::Now(Thing::Change(id))],
            News::FanOut(id) if self.wanted.has(Topic::FanOuts) => vec![Delta::Now(Thing::FanOut(id))],
            News::Removed(removed) if self.saw(&removed) => vec![Delta::Removed(removed.thing)],
            News::Runner(_) | News::Change(_) | News::FanOut(_) | News::Removed(_) | News::Limits | News::Access => {
                Vec::new()
            }
        }
    }

    /// Whether it was told of the thing that is gone.
    fn saw(&self, removed: &Removed) -> bool {
        let place = &removed.was_at;
        match removed.thing {
            Thing::Runner(_) => self.wanted.has(Topic::Runners) && self.caller.grants.sees(place),
            Thing::Job(id) => self.wanted.job(id) && self.is_within(place),
            Thing::Change(_) => self.wanted.has(Topic::Changes) && self.is_within(place),
            Thing::FanOut(_) => self.wanted.has(Topic::FanOuts) && self.is_within(place),
        }
    }

    /// `None` for what is not there, or not for the reader: of what it knew, `Removed` tells it.
    async fn event(&self, delta: Delta, jobs: &mut JobsNow) -> Result<Option<Event>, ApiError> {
        match delta {
            Delta::Removed(thing) => {
                let (kind, id) = match thing {
                    Thing::Runner(id) => (ThingKind::Runner, id.0),
                    Thing::Job(id) => (ThingKind::Job, id.0),
                    Thing::Change(id) => (ThingKind::Change, id.0),
                    Thing::FanOut(id) => (ThingKind::FanOut, id.0),
                };
                Ok(Some(sse::event("removed", &RemovedBody { kind, id })))
            }
            Delta::Now(Thing::Job(id)) => Ok(jobs.bodies.remove(&id).map(|job| sse::event("job", &job))),
            Delta::Now(Thing::Runner(id)) => self.runner(id).await,
            Delta::Now(Thing::Change(id)) => self.change(id).await,
            Delta::Now(Thing::FanOut(id)) => self.fan_out(id).await,
        }
    }

    async fn jobs_now(&self, ids: BTreeSet<JobId>) -> Result<JobsNow, ApiError> {
        if ids.is_empty() {
            return Ok(JobsNow::default());
        }
        let with_runners = self.wanted.has(Topic::Runners);
        let read = move |c: &mut Connection| {
            let mut found = Vec::new();
            for id in ids {
                let Some(job) = job_find(c, id)? else { continue };
                let runners = if with_runners { runners_of(c, &job)? } else { BTreeSet::new() };
                found.push((job, runners));
            }
            Ok::<_, StoreError>(found)
        };
        let found: Vec<(Job, BTreeSet<RunnerId>)> = self.api.dispatcher.store().read(read).await?;
        let mut runners = BTreeMap::new();
        let mut seen = Vec::new();
        for (job, of_job) in found {
            // Also of a job that the reader does not see: the runner's slots are everybody's.
            runners.insert(job.id, of_job);
            if self.wanted.job(job.id) && self.is_within(&Place::of(&job.origin.org, &job.origin.project)) {
                seen.push(job);
            }
        }
        let bodies = self.api.job_bodies(&seen).await?;
        Ok(JobsNow { bodies: bodies.into_iter().map(|body| (body.id, body)).collect(), runners })
    }

    async fn runner(&self, id: RunnerId) -> Result<Option<Event>, ApiError> {
        let Some(hostname) = self.api.dispatcher.runner_name(id) else { return Ok(None) };
        match self.api.dispatcher.runner_body(&hostname).await {
            Ok(runner) => Ok(self.sees_runner(&runner).then(|| sse::event("runner", &runner))),
            Err(DispatchError::NoRunner(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn change(&self, id: ChangeId) -> Result<Option<Event>, ApiError> {
        match self.api.dispatcher.change_body(id).await {
            Ok(change) => {
                let place = Place::Project(change.org.clone(), change.project.clone());
                Ok(self.is_within(&place).then(|| sse::event("change", &change)))
            }
            Err(DispatchError::NoChange(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn fan_out(&self, id: FanOutId) -> Result<Option<Event>, ApiError> {
        match self.api.dispatcher.fan_out_summary(id).await {
            Ok(fan_out) => {
                let place = Place::of(&fan_out.org, &fan_out.project);
                Ok(self.is_within(&place).then(|| sse::event("fan_out", &fan_out)))
            }
            Err(DispatchError::NoFanOut(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// The runner that has the job, or had it: also those of earlier attempts, which may have come and gone between two looks.
fn runners_of(c: &mut Connection, job: &Job) -> Result<BTreeSet<RunnerId>, StoreError> {
    let mut runners: BTreeSet<RunnerId> = job.state.runner().into_iter().collect();
    if job.attempt > 1 || (job.attempt == 1 && runners.is_empty()) {
        runners.extend(job_attempts(c, job.id)?.into_iter().map(|attempt| attempt.runner));
    }
    Ok(runners)
}
