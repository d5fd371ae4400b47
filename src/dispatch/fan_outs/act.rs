//! What people do with fan-outs, and with many jobs at a time.

use std::collections::HashMap;

use shuntyard_domain::access::Place;
use shuntyard_domain::change::Signed;
use shuntyard_domain::fan_out::FanOut;
use shuntyard_domain::filter::{Attributes, Filter};
use shuntyard_domain::ids::{FanOutId, JobId};
use shuntyard_domain::job::Job;
use shuntyard_domain::wire::fan_out::{CancelJobs, CancelledJob, CancelledJobs};

use super::Ask;
use crate::dispatch::engine_error::bad;
use crate::dispatch::submit::check_filter;
use crate::dispatch::{DispatchError, Dispatcher};
use crate::store::{Connection, JobQuery, StoreError, fan_out_find, fan_out_update, job_page};

/// Jobs that one request ends, or lists, at most: its answer must come in time.
const JOBS_MAX: usize = 2000;
const PAGE: u32 = 500;
/// The words of `GET /jobs?state=` that jobs which have not ended are found by.
const STATES: [&str; 6] = ["unfinished", "pending", "queued", "assigned", "starting", "running"];

impl Dispatcher {
    /// Ends a fan-out: no further row is started, and the jobs of those that are under way are cancelled. Asking twice, or
    /// for one that has ended, changes nothing.
    ///
    /// # Errors
    /// `NoFanOut` for an unknown id.
    pub async fn cancel_fan_out(&self, id: FanOutId, by: &str) -> Result<(), DispatchError> {
        let signed = Signed { at_ms: self.0.clock.now_ms(), by: by.to_owned() };
        let mark = move |c: &mut Connection| -> Result<bool, StoreError> {
            let Some(found) = fan_out_find(c, id)? else { return Ok(false) };
            if found.end.is_none() && found.cancel.is_none() {
                fan_out_update(c, &FanOut { cancel: Some(signed), ..found })?;
            }
            Ok(true)
        };
        let engine = self.clone();
        self.to_the_end(async move {
            let found = engine.0.store.write(mark).await;
            // Also when it failed: a commit may have failed in appearance only.
            engine.ask_about_fan_outs(Ask::One(id));
            if !found? {
                return Err(DispatchError::NoFanOut(id));
            }
            tracing::info!(fan_out.id = %id, "a fan-out is cancelled");
            engine.0.feed.fan_out_changed(id);
            Ok(())
        })
        .await
    }

    /// Asks for the end of every unfinished job that the request chooses and that nobody has asked for yet, newest first;
    /// at most `JOBS_MAX` of them.
    ///
    /// # Errors
    /// `BadRequest`, `NoFanOut`; `Store` when some of them may have been cancelled and others not.
    pub async fn cancel_chosen_jobs(
        &self,
        request: CancelJobs,
        within: Option<Vec<Place>>,
        by: &str,
    ) -> Result<CancelledJobs, DispatchError> {
        let state = request.state.clone().unwrap_or_else(|| "unfinished".into());
        if !STATES.contains(&state.as_str()) {
            return Err(bad("state", format!("no unfinished job is in state `{state}`"), &STATES));
        }
        check_filter("runners", &request.runners)?;
        let (engine, by) = (self.clone(), by.to_owned());
        self.to_the_end(async move {
            let chosen_by_more = request.state.is_some() || request.project.is_some() || !is_any(&request.runners);
            let (fan_out, dry_run) = (request.fan_out, request.dry_run);
            if let Some(id) = fan_out {
                let (fan_out, _) = engine.fan_out_view(id).await?;
                let place = Place::of(&fan_out.org, &fan_out.project);
                if within.as_ref().is_some_and(|within| !within.iter().any(|holds| holds.holds(&place))) {
                    return Err(DispatchError::NoFanOut(id));
                }
            }
            let (jobs, more) = engine.chosen_jobs(request, within, state).await?;
            let body = |job: &Job| CancelledJob {
                id: job.id,
                title: job.origin.title.clone(),
                project: job.origin.project.clone(),
                state: job.state.name().to_owned(),
                runner: job.state.runner().and_then(|id| engine.runner_name(id)),
            };
            let answer = CancelledJobs { jobs: jobs.iter().map(body).collect(), more };
            if !dry_run {
                // First, so that no row takes the place of one that is cancelled.
                if let Some(id) = fan_out.filter(|_| !chosen_by_more) {
                    engine.cancel_fan_out(id, &by).await?;
                }
                engine.cancel_each(jobs.iter().map(|job| job.id).collect(), &by).await?;
            }
            Ok(answer)
        })
        .await
    }

    /// The jobs that are chosen, and whether there are others.
    async fn chosen_jobs(
        &self,
        request: CancelJobs,
        within: Option<Vec<Place>>,
        state: String,
    ) -> Result<(Vec<Job>, bool), DispatchError> {
        let mut runners = RunnerChoice::new(self, request.runners);
        let mut query = JobQuery {
            state: Some(state),
            project: request.project,
            within,
            fan_out: request.fan_out,
            limit: PAGE,
            ..JobQuery::default()
        };
        let mut chosen = Vec::new();
        loop {
            let asked = query.clone();
            let page: Vec<Job> = self.0.store.read(move |c| job_page(c, &asked)).await?;
            let (is_last, last): (bool, Option<JobId>) = (page.len() < PAGE as usize, page.last().map(|job| job.id));
            for job in page.into_iter().filter(|job| job.cancel.is_none()) {
                if runners.takes(self, &job) {
                    if chosen.len() == JOBS_MAX {
                        return Ok((chosen, true));
                    }
                    chosen.push(job);
                }
            }
            if is_last {
                return Ok((chosen, false));
            }
            query.before = last;
        }
    }
}

fn is_any(filter: &Filter) -> bool {
    *filter == Filter::default()
}

/// Jobs by the runners that they are on, or could go to.
struct RunnerChoice {
    wanted: Filter,
    inventory: Vec<Attributes>,
    /// Of filters of waiting jobs that were looked at before: many jobs have the same.
    known: HashMap<Filter, bool>,
}

impl RunnerChoice {
    fn new(engine: &Dispatcher, wanted: Filter) -> Self {
        let runners = if is_any(&wanted) { Vec::new() } else { engine.0.inventory.all() };
        let inventory = runners.iter().map(|known| known.runner.attributes()).collect();
        Self { wanted, inventory, known: HashMap::new() }
    }

    /// A placed job by its runner; a waiting one when some runner matches its filter, and all that do are wanted.
    fn takes(&mut self, engine: &Dispatcher, job: &Job) -> bool {
        if is_any(&self.wanted) {
            return true;
        }
        if let Some(id) = job.state.runner() {
            return engine.0.inventory.get(id).is_some_and(|known| self.wanted.matches(&known.runner.attributes()));
        }
        let needs = job.needs().canonical();
        if let Some(known) = self.known.get(&needs) {
            return *known;
        }
        let mut able = self.inventory.iter().filter(|runner| needs.matches(runner)).peekable();
        let takes = able.peek().is_some() && able.all(|runner| self.wanted.matches(runner));
        self.known.insert(needs, takes);
        takes
    }
}
