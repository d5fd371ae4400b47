//! One answer of the reconciler, done: everything of it that is a record in one commit, then the jobs are told of.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use shuntyard_domain::change::Change;
use shuntyard_domain::ids::{ChangeId, JobId, PhaseRunId, StageRunId};
use shuntyard_domain::job::{Job, JobOrigin, JobSpec};
use shuntyard_domain::outcome::StopReason;
use shuntyard_domain::phase::Stage;
use shuntyard_domain::plan::{PhasePlan, description};
use shuntyard_domain::stage::{ChangeView, End, JobStanding, PhaseRun, RunPlan, RunView, StageRun, Status, Step, Turn};

use crate::dispatch::{DispatchError, Dispatcher, new_id};
use crate::store::{
    Connection, StoreError, row_job_insert, stage_phase_end, stage_phase_insert, stage_run_insert, stage_run_update,
};

/// Who asks for the end of rows that a failed sibling makes needless.
const FAIL_FAST: &str = "fail_fast";

/// Ends that are asked for at a time.
const CANCELS_AT_A_TIME: usize = 64;

/// A record that a step writes.
enum Record {
    Run(StageRun),
    /// A run that has ended.
    Ended(StageRun),
    Phase {
        stage: Stage,
        run: PhaseRun,
        skipped: bool,
    },
    Row(PhaseRunId, Turn, Box<Job>),
    PhaseEnd(PhaseRunId, End),
}

impl Dispatcher {
    /// Does the steps of one answer.
    ///
    /// # Errors
    /// `Store` with `Raced` or `Conflict` when somebody acted meanwhile: nothing was stored, and the next answer is
    /// another one.
    pub(super) async fn carry_out(&self, view: &ChangeView, steps: Vec<Step>) -> Result<(), DispatchError> {
        let mut records = Vec::new();
        for step in steps {
            match step {
                Step::PlanStage { run } => self.make_plan(view, run).await?,
                Step::CancelJobs { jobs, reason } => self.cancel_jobs(view, jobs, reason).await?,
                Step::StartStage { stage, number } => {
                    tracing::info!(change.id = %view.change.id, %stage, number, "a stage begins");
                    records.push(Record::Run(self.new_run(view.change.id, stage, number)));
                }
                step => self.records(view, step, &mut records),
            }
        }
        if records.is_empty() {
            return Ok(());
        }
        self.store_records(view, records).await?;
        self.0.feed.change_changed(view.change.id);
        Ok(())
    }

    pub(super) fn new_run(&self, change: ChangeId, stage: Stage, number: u32) -> StageRun {
        StageRun {
            id: StageRunId(new_id()),
            change,
            stage,
            number,
            triggered_by: None,
            repeats: None,
            plan: RunPlan::Unread,
            cancel: None,
            created_at_ms: self.0.clock.now_ms(),
            end: None,
            version: 0,
        }
    }

    /// What a step of the latest run writes.
    fn records(&self, view: &ChangeView, step: Step, records: &mut Vec<Record>) {
        let Some(latest) = &view.latest else { return };
        let now_ms = self.0.clock.now_ms();
        match step {
            Step::StartPhase { run, project, phase, carried } => {
                let skipped =
                    latest.plan().and_then(|plan| plan.find(&project, phase)).is_some_and(|p| p.skip.is_some());
                let id = PhaseRunId(new_id());
                let run = PhaseRun { id, stage_run: run, project, phase, carried, created_at_ms: now_ms, end: None };
                records.push(Record::Phase { stage: latest.run.stage, run, skipped });
            }
            Step::SubmitRows { phase_run, rows } => {
                let Some(plan) = plan_of(latest, phase_run) else { return };
                let jobs = rows.into_iter().filter_map(|at| {
                    let job = self.row_job(&view.change, &latest.run, plan, phase_run, at)?;
                    Some(Record::Row(phase_run, at, Box::new(job)))
                });
                records.extend(jobs);
            }
            Step::FinishPhase { phase_run, status } => {
                records.push(Record::PhaseEnd(phase_run, End { status, at_ms: now_ms }));
            }
            Step::FinishStage { status, .. } => {
                tracing::info!(change.id = %view.change.id, stage = %latest.run.stage, %status, "a stage has ended");
                let end = Some(End { status, at_ms: now_ms });
                records.push(Record::Ended(StageRun { end, ..latest.run.clone() }));
            }
            Step::StartStage { .. } | Step::PlanStage { .. } | Step::CancelJobs { .. } => {}
        }
    }

    /// The job of a row.
    fn row_job(
        &self,
        change: &Change,
        run: &StageRun,
        plan: &PhasePlan,
        phase_run: PhaseRunId,
        at: Turn,
    ) -> Option<Job> {
        let filter = plan.rows.get(at.row as usize)?.filter.clone();
        let place = plan.elsewhere.as_ref().unwrap_or(&change.at);
        let origin = JobOrigin {
            enterprise: place.enterprise.to_string(),
            org: place.org.to_string(),
            project: plan.project.to_string(),
            stage: Some(run.stage),
            phase: Some(plan.phase),
            phase_run: Some(phase_run),
            row: at.row,
            title: description(&plan.project, &filter),
        };
        let spec = JobSpec {
            env: environment(change, run, plan),
            spool_cap_bytes: Some(self.0.spool_cap_bytes),
            ..plan.spec.clone()
        };
        Some(self.new_job(origin, spec, filter, 0))
    }

    async fn store_records(&self, view: &ChangeView, records: Vec<Record>) -> Result<(), DispatchError> {
        let at = view.change.at.clone();
        let jobs: Vec<Job> = records.iter().filter_map(|record| Some(record.job()?.clone())).collect();
        let change = view.change.id;
        self.0.store.write(move |c| records.iter().try_for_each(|record| record.store(c, &at))).await?;
        // Before they can end.
        self.0.pipelines.jobs().extend(jobs.iter().map(|job| (job.id, change)));
        jobs.iter().for_each(|job| self.announce(job));
        Ok(())
    }

    async fn cancel_jobs(&self, view: &ChangeView, jobs: Vec<JobId>, reason: StopReason) -> Result<(), DispatchError> {
        let cancel = view.latest.as_ref().and_then(|latest| latest.run.cancel.as_ref());
        let by = match (reason, cancel) {
            (StopReason::FailFast, _) => FAIL_FAST,
            (_, Some(cancel)) => &cancel.by,
            (_, None) => &view.change.submitted.by,
        };
        // Together, so that they are committed in groups.
        let cancels = stream::iter(jobs).map(|job| self.cancel(job, by, reason)).buffer_unordered(CANCELS_AT_A_TIME);
        cancels.try_for_each(|_| async { Ok(()) }).await
    }

    /// Takes up rows that were stored and that nobody was told of: a commit may have failed in appearance only.
    pub(super) async fn adopt(&self, view: &ChangeView) -> Result<(), DispatchError> {
        let phases = view.latest.iter().flat_map(|latest| &latest.phases).filter(|phase| phase.run.end.is_none());
        let rows = phases.flat_map(|phase| phase.jobs.values().flatten());
        let live = rows.filter(|job| matches!(job.standing, JobStanding::Waiting | JobStanding::Running));
        let unknown: Vec<JobId> = {
            let known = self.0.pipelines.jobs();
            live.map(|job| job.id).filter(|id| !known.contains_key(id)).collect()
        };
        for id in unknown {
            let job = self.job(id).await?;
            if !job.state.is_finished() {
                tracing::warn!(job.id = %id, "a row was stored and nobody was told; taking it up");
                self.0.pipelines.jobs().insert(id, view.change.id);
                self.announce(&job);
            }
        }
        Ok(())
    }
}

impl Record {
    fn job(&self) -> Option<&Job> {
        match self {
            Self::Row(_, _, job) => Some(job),
            _ => None,
        }
    }

    fn store(&self, c: &mut Connection, at: &shuntyard_domain::tenancy::PipelinePath) -> Result<(), StoreError> {
        match self {
            Self::Run(run) => stage_run_insert(c, at, run),
            Self::Ended(run) => stage_run_update(c, run).map(drop),
            Self::Phase { stage, run, skipped } => stage_phase_insert(c, at, *stage, run, *skipped),
            Self::Row(phase_run, turn, job) => row_job_insert(c, *phase_run, *turn, job),
            Self::PhaseEnd(id, end) => stage_phase_end(c, *id, *end).map(drop),
        }
    }
}

/// The plan of a phase that has started.
fn plan_of(latest: &RunView, phase_run: PhaseRunId) -> Option<&PhasePlan> {
    let phase = latest.phases.iter().find(|phase| phase.run.id == phase_run)?;
    latest.plan()?.find(&phase.run.project, phase.run.phase)
}

/// What a row sees of its change, under what its author set. The rest every job sees.
fn environment(change: &Change, run: &StageRun, plan: &PhasePlan) -> BTreeMap<String, String> {
    let words = [
        ("SHUNT_CHANGE_ID", change.id.to_string()),
        ("SHUNT_CHANGE_TITLE", change.title.clone()),
        // Another than the change's own in union, for a consumer.
        ("SHUNT_SOURCE_CHANGE_ID", plan.change.to_string()),
        ("SHUNT_PIPELINE", plan.elsewhere.as_ref().unwrap_or(&change.at).pipeline.to_string()),
        ("SHUNT_STAGE_RUN", run.number.to_string()),
    ];
    let mut environment: BTreeMap<String, String> =
        words.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    environment.extend(plan.spec.env.clone());
    environment
}

/// How a run that was cancelled at a stage's door ends.
pub(super) const fn refused_end(at_ms: i64) -> End {
    End { status: Status::Failed, at_ms }
}
