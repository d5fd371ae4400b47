//! What the events of `/events` hold, read when they are sent and only what their reader sees.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use axum::response::sse::Event;
use serde_json::{Value, json};
use shuntyard_domain::access::Place;
use shuntyard_domain::change::ChangeState;
use shuntyard_domain::ids::{ChangeId, JobId, RunnerId};
use shuntyard_domain::job::Job;
use shuntyard_domain::tenancy::Name;
use shuntyard_domain::wire::api::RunnerBody;

use super::{Reader, Topic};
use crate::dispatch::{DispatchError, Mark, News};
use crate::http::access::Look;
use crate::http::error::ApiError;
use crate::http::pages::MAX_PAGE;
use crate::http::sse;
use crate::store::{ChangeQuery, JobQuery, StoreError, job_find, job_page};

/// A page of a snapshot: runners, then jobs, then changes, newest first.
#[derive(Clone, Debug)]
pub(super) enum SnapshotPage {
    Runners,
    Jobs(Option<JobId>),
    Changes(Option<ChangeId>),
}

impl SnapshotPage {
    pub(super) const fn first() -> Self {
        Self::Runners
    }
}

impl Reader {
    /// One page, and the one behind it.
    pub(super) async fn page(&self, page: SnapshotPage) -> Result<(Value, Option<SnapshotPage>), ApiError> {
        let (mut body, next) = match page {
            SnapshotPage::Runners => (self.runners_page().await?, Some(SnapshotPage::Jobs(None))),
            SnapshotPage::Jobs(before) => {
                let (body, last) = self.jobs_page(before).await?;
                (body, Some(last.map_or(SnapshotPage::Changes(None), |last| SnapshotPage::Jobs(Some(last)))))
            }
            SnapshotPage::Changes(before) => {
                let (body, last) = self.changes_page(before).await?;
                (body, last.map(|last| SnapshotPage::Changes(Some(last))))
            }
        };
        body["more"] = next.is_some().into();
        Ok((body, next))
    }

    async fn runners_page(&self) -> Result<Value, ApiError> {
        if !self.wanted.has(Topic::Runners) {
            return Ok(json!({}));
        }
        let mut runners = self.api.dispatcher.runner_bodies().await?;
        runners.retain(|runner| self.sees_runner(runner));
        Ok(json!({"runners": runners}))
    }

    /// Unfinished jobs, or those that were asked for.
    async fn jobs_page(&self, before: Option<JobId>) -> Result<(Value, Option<JobId>), ApiError> {
        if !self.wanted.has(Topic::Jobs) {
            return Ok((json!({}), None));
        }
        let (jobs, last) = match &self.wanted.jobs {
            Some(ids) => (self.jobs_now(ids.clone()).await?, None),
            None => {
                let within = self.caller.within(Look::ROLES);
                let state = Some("unfinished".to_owned());
                let query = JobQuery { state, within, before, limit: MAX_PAGE, ..JobQuery::default() };
                let page: Vec<Job> = self.api.dispatcher.store().read(move |c| job_page(c, &query)).await?;
                let last = page.last().filter(|_| page.len() == MAX_PAGE as usize).map(|job| job.id);
                (page, last)
            }
        };
        Ok((json!({"jobs": self.api.job_bodies(&jobs).await?}), last))
    }

    /// Changes that are open.
    async fn changes_page(&self, before: Option<ChangeId>) -> Result<(Value, Option<ChangeId>), ApiError> {
        if !self.wanted.has(Topic::Changes) {
            return Ok((json!({}), None));
        }
        let query = ChangeQuery {
            org: None,
            project: None,
            pipeline: None,
            within: self.caller.within(Look::ROLES),
            state: Some(ChangeState::Open),
            before,
            limit: MAX_PAGE,
        };
        let page = self.api.dispatcher.change_bodies(Name::of_default(), query).await?;
        let last = page.last().filter(|_| page.len() == MAX_PAGE as usize).map(|change| change.id);
        Ok((json!({"changes": page}), last))
    }

    /// The events for these changes, in their order.
    pub(super) async fn told(&self, changes: Vec<(Mark, News)>) -> Result<VecDeque<Event>, ApiError> {
        let ids = changes.iter().filter_map(|(_, news)| if let News::Job(id) = news { Some(*id) } else { None });
        let jobs = self.jobs_now(ids.collect()).await?;
        let bodies = self.api.job_bodies(&jobs).await?;
        let mut jobs: BTreeMap<JobId, _> =
            jobs.into_iter().zip(bodies).map(|(job, body)| (job.id, (job, body))).collect();
        let mut events = VecDeque::new();
        for (mark, news) in changes {
            match news {
                News::Job(id) => {
                    let Some((job, body)) = jobs.remove(&id) else { continue };
                    // A job that starts or ends changes its runner's free slots. Only the last event has the place.
                    if let Some(runner) = job.state.runner() {
                        events.extend(self.runner(runner).await?);
                    }
                    if self.wanted.job(id) {
                        events.push_back(sse::event("job", &json!({"op": "upsert", "job": body})).id(mark.to_string()));
                    }
                }
                News::Runner(id) => events.extend(self.runner(id).await?.map(|event| event.id(mark.to_string()))),
                News::Change(id) => events.extend(self.change(id).await?.map(|event| event.id(mark.to_string()))),
                News::FanOut(_) | News::Limits | News::Access => (),
            }
        }
        Ok(events)
    }

    /// The jobs among these that are there and that the reader sees.
    async fn jobs_now(&self, ids: BTreeSet<JobId>) -> Result<Vec<Job>, ApiError> {
        let read = move |c: &mut crate::store::Connection| {
            ids.into_iter().filter_map(|id| job_find(c, id).transpose()).collect::<Result<Vec<Job>, StoreError>>()
        };
        let mut jobs: Vec<Job> = self.api.dispatcher.store().read(read).await?;
        jobs.retain(|job| self.is_within(&Place::of(&job.origin.org, &job.origin.project)));
        Ok(jobs)
    }

    async fn runner(&self, id: RunnerId) -> Result<Option<Event>, ApiError> {
        if !self.wanted.has(Topic::Runners) {
            return Ok(None);
        }
        let removed = || sse::event("runner", &json!({"op": "remove", "id": id}));
        let Some(hostname) = self.api.dispatcher.runner_name(id) else { return Ok(Some(removed())) };
        match self.api.dispatcher.runner_body(&hostname).await {
            Ok(runner) if self.sees_runner(&runner) => {
                Ok(Some(sse::event("runner", &json!({"op": "upsert", "runner": runner}))))
            }
            // Its scope may have been another one when the reader was told of it.
            Ok(_) | Err(DispatchError::NoRunner(_)) => Ok(Some(removed())),
            Err(error) => Err(error.into()),
        }
    }

    async fn change(&self, id: ChangeId) -> Result<Option<Event>, ApiError> {
        if !self.wanted.has(Topic::Changes) {
            return Ok(None);
        }
        let change = match self.api.dispatcher.change_body(id).await {
            Err(DispatchError::NoChange(_)) => {
                return Ok(Some(sse::event("change", &json!({"op": "remove", "id": id}))));
            }
            change => change?,
        };
        let place = Place::Project(change.org.clone(), change.project.clone());
        Ok(self.is_within(&place).then(|| sse::event("change", &json!({"op": "upsert", "change": change}))))
    }

    fn is_within(&self, place: &Place) -> bool {
        self.caller.grants.at(place).next().is_some()
    }

    fn sees_runner(&self, runner: &RunnerBody) -> bool {
        runner.scope.org().is_none_or(|org| self.caller.grants.sees(&Place::of(org, "")))
    }
}
