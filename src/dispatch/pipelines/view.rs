//! What is stored about a change, put together.

use std::collections::BTreeMap;

use shuntyard_domain::change::Change;
use shuntyard_domain::ids::{ChangeId, JobId};
use shuntyard_domain::job::Job;
use shuntyard_domain::phase::Stage;
use shuntyard_domain::stage::{ChangeView, PhaseView, RunView, StageRun, allowed};
use shuntyard_domain::tenancy::Name;
use shuntyard_domain::wire::api::ChangeRef;
use shuntyard_domain::wire::change::ChangeBody;

use crate::dispatch::{DispatchError, Dispatcher};
use crate::store::{
    ChangeQuery, Connection, StoreError, change_find, change_page, changes_of_jobs, row_jobs_of, stage_phases,
    stage_runs_of, stages_taken,
};

impl Dispatcher {
    /// What the next steps of a change depend on.
    ///
    /// # Errors
    /// `NoChange` for an unknown id; `Store`
    pub(super) async fn change_view(&self, id: ChangeId) -> Result<ChangeView, DispatchError> {
        let read = self.0.store.read(move |c| {
            let Some(change) = change_find(c, id)? else { return Ok(None) };
            let runs = stage_runs_of(c, id)?;
            view(c, change, runs).map(Some)
        });
        let found: Result<Option<ChangeView>, StoreError> = read.await;
        found?.ok_or(DispatchError::NoChange(id))
    }

    /// A change as the API shows it.
    ///
    /// # Errors
    /// As `change_view`.
    pub async fn change_body(&self, id: ChangeId) -> Result<ChangeBody, DispatchError> {
        let read = self.0.store.read(move |c| {
            let Some(change) = change_find(c, id)? else { return Ok(None) };
            body(c, change).map(Some)
        });
        let found: Result<Option<ChangeBody>, StoreError> = read.await;
        found?.ok_or(DispatchError::NoChange(id))
    }

    /// The changes in whose stages the jobs run; a job outside of stages is left out.
    ///
    /// # Errors
    /// `Store`
    pub async fn changes_of_jobs(&self, jobs: &[Job]) -> Result<BTreeMap<JobId, ChangeRef>, DispatchError> {
        let ids: Vec<JobId> = jobs.iter().filter(|job| job.origin.stage.is_some()).map(|job| job.id).collect();
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let found = self.0.store.read(move |c| changes_of_jobs(c, &ids)).await?;
        Ok(found.into_iter().map(|(job, (id, title))| (job, ChangeRef { id: id.to_string(), title })).collect())
    }

    /// One page of changes, newest first.
    ///
    /// # Errors
    /// `Store`
    pub async fn change_bodies(&self, enterprise: Name, query: ChangeQuery) -> Result<Vec<ChangeBody>, DispatchError> {
        let read = self.0.store.read(move |c| {
            let page = change_page(c, &enterprise, &query)?;
            page.into_iter().map(|change| body(c, change)).collect::<Result<Vec<_>, StoreError>>()
        });
        Ok(read.await?)
    }
}

fn view(c: &mut Connection, change: Change, runs: Vec<StageRun>) -> Result<ChangeView, StoreError> {
    let mut numbers: BTreeMap<Stage, u32> = BTreeMap::new();
    for run in &runs {
        let highest = numbers.entry(run.stage).or_default();
        *highest = run.number.max(*highest);
    }
    // A change never goes back: the order does not depend on a clock.
    let latest = runs.iter().max_by_key(|run| (run.stage, run.number)).cloned();
    let repeats = latest.as_ref().and_then(|run| run.repeats);
    let repeated = runs.into_iter().find(|run| Some(run.id) == repeats);
    let taken = stages_taken(c, &change.at, change.id)?;
    Ok(ChangeView {
        change,
        numbers,
        latest: latest.map(|run| run_view(c, run)).transpose()?,
        repeated: repeated.map(|run| run_view(c, run)).transpose()?,
        taken,
    })
}

/// The change with the latest run of each stage, and what may be done about it.
fn body(c: &mut Connection, change: Change) -> Result<ChangeBody, StoreError> {
    let runs = stage_runs_of(c, change.id)?;
    let mut in_order: Vec<&StageRun> = runs.iter().collect();
    in_order.sort_by_key(|run| (run.stage, run.number));
    let latest: BTreeMap<Stage, StageRun> = in_order.into_iter().map(|run| (run.stage, run.clone())).collect();
    let shown = latest.into_values().map(|run| run_view(c, run)).collect::<Result<Vec<_>, _>>()?;
    let view = view(c, change, runs)?;
    Ok(ChangeBody::of(&view.change, &shown, &allowed(&view)))
}

fn run_view(c: &mut Connection, run: StageRun) -> Result<RunView, StoreError> {
    let mut phases = Vec::new();
    for phase in stage_phases(c, run.id)? {
        let jobs = row_jobs_of(c, phase.id)?;
        phases.push(PhaseView { run: phase, jobs });
    }
    Ok(RunView { run, phases })
}
