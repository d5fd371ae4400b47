//! The snapshot of `/events`, in pages of one kind.

use std::collections::BTreeSet;

use shuntyard_domain::access::Place;
use shuntyard_domain::change::ChangeState;
use shuntyard_domain::fan_out::FanOutStatus;
use shuntyard_domain::ids::{ChangeId, FanOutId, JobId, RunnerId};
use shuntyard_domain::job::Job;
use shuntyard_domain::tenancy::Name;
use shuntyard_domain::wire::api::{JobBody, LastTestBody, RunnerBody};
use shuntyard_domain::wire::change::ChangeBody;
use shuntyard_domain::wire::events::SnapshotBody;
use shuntyard_domain::wire::fan_out::FanOutBody;
use uuid::Uuid;

use super::Reader;
use super::wanted::Topic;
use crate::http::access::Look;
use crate::http::error::ApiError;
use crate::http::pages::MAX_PAGE;
use crate::store::{ChangeQuery, Connection, FanOutQuery, JobQuery, StoreError, job_find, job_page, runner_test_find};

/// A page of a snapshot: runners, then jobs, changes and fan-outs, these newest first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    pub(super) topic: Topic,
    /// The last thing of the page before.
    pub(super) before: Option<Uuid>,
}

/// The id of the last one when there may be more behind it.
fn last_of<T>(page: &[T], id: impl Fn(&T) -> Uuid) -> Option<Uuid> {
    page.last().filter(|_| page.len() == MAX_PAGE as usize).map(id)
}

impl Reader {
    /// One page, and the one behind it.
    pub(super) async fn page(&self, page: Page) -> Result<(SnapshotBody, Option<Page>), ApiError> {
        let mut body = SnapshotBody::default();
        let last = match page.topic {
            Topic::Runners => {
                body.runners = Some(self.runners().await?);
                None
            }
            Topic::Jobs => {
                let (jobs, last) = self.jobs_before(page.before.map(JobId)).await?;
                body.jobs = Some(jobs);
                last
            }
            Topic::Changes => {
                let changes = self.changes_before(page.before.map(ChangeId)).await?;
                let last = last_of(&changes, |change| change.id.0);
                body.changes = Some(changes);
                last
            }
            Topic::FanOuts => {
                let fan_outs = self.fan_outs_before(page.before.map(FanOutId)).await?;
                let last = last_of(&fan_outs, |fan_out| fan_out.id.0);
                body.fan_outs = Some(fan_outs);
                last
            }
        };
        let next = last.map(|before| Page { before: Some(before), ..page }).or_else(|| self.wanted.behind(page.topic));
        body.more = next.is_some();
        Ok((body, next))
    }

    /// Each with its last Test, as it is shown alone.
    async fn runners(&self) -> Result<Vec<RunnerBody>, ApiError> {
        let mut runners = self.api.dispatcher.runner_bodies().await?;
        runners.retain(|runner| self.sees_runner(runner));
        let ids: Vec<RunnerId> = runners.iter().map(|runner| runner.id).collect();
        let read = move |c: &mut Connection| {
            let test = |id: RunnerId| Ok(runner_test_find(c, id)?.map(LastTestBody::from));
            ids.into_iter().map(test).collect::<Result<Vec<_>, StoreError>>()
        };
        let tests = self.api.dispatcher.store().read(read).await?;
        Ok(runners.into_iter().zip(tests).map(|(runner, last_test)| RunnerBody { last_test, ..runner }).collect())
    }

    /// Unfinished jobs, or those that were asked for.
    async fn jobs_before(&self, before: Option<JobId>) -> Result<(Vec<JobBody>, Option<Uuid>), ApiError> {
        let (jobs, last) = match &self.wanted.jobs {
            Some(ids) => (self.jobs_asked_for(ids.clone()).await?, None),
            None => {
                let within = self.caller.within(Look::ROLES);
                let state = Some("unfinished".to_owned());
                let query = JobQuery { state, within, before, limit: MAX_PAGE, ..JobQuery::default() };
                let page: Vec<Job> = self.api.dispatcher.store().read(move |c| job_page(c, &query)).await?;
                let last = last_of(&page, |job| job.id.0);
                (page, last)
            }
        };
        Ok((self.api.job_bodies(&jobs).await?, last))
    }

    /// The jobs among these that are there and that the reader sees.
    async fn jobs_asked_for(&self, ids: BTreeSet<JobId>) -> Result<Vec<Job>, ApiError> {
        let read = move |c: &mut Connection| {
            ids.into_iter().filter_map(|id| job_find(c, id).transpose()).collect::<Result<Vec<Job>, StoreError>>()
        };
        let mut jobs: Vec<Job> = self.api.dispatcher.store().read(read).await?;
        jobs.retain(|job| self.is_within(&Place::of(&job.origin.org, &job.origin.project)));
        Ok(jobs)
    }

    async fn changes_before(&self, before: Option<ChangeId>) -> Result<Vec<ChangeBody>, ApiError> {
        let query = ChangeQuery {
            org: None,
            project: None,
            pipeline: None,
            within: self.caller.within(Look::ROLES),
            state: Some(ChangeState::Open),
            before,
            limit: MAX_PAGE,
        };
        Ok(self.api.dispatcher.change_bodies(Name::of_default(), query).await?)
    }

    async fn fan_outs_before(&self, before: Option<FanOutId>) -> Result<Vec<FanOutBody>, ApiError> {
        let status = Some(FanOutStatus::Running.as_str().to_owned());
        let within = self.caller.within(Look::ROLES);
        let query = FanOutQuery { status, project: None, within, before, limit: MAX_PAGE };
        Ok(self.api.dispatcher.fan_out_bodies(query).await?)
    }
}
