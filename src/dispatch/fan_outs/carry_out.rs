//! The steps of one answer, done: a commit each, then the jobs are told of.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use shuntyard_domain::fan_out::{FanOut, FanOutEnd, FanOutRow, FanOutStatus, RowNotRun, Step};
use shuntyard_domain::filter::Filter;
use shuntyard_domain::ids::{FanOutId, JobId};
use shuntyard_domain::job::{Job, JobOrigin, JobSpec};
use shuntyard_domain::outcome::StopReason;

use super::drive::Memory;
use crate::dispatch::{DispatchError, Dispatcher};
use crate::store::{Connection, StoreError, fan_out_find, fan_out_row_start, fan_out_rows_leave_out, fan_out_update};

/// Who asks for the end of a job whose runner is gone.
const DISPATCHER: &str = "dispatcher";
/// Ends that are asked for at a time.
pub(in crate::dispatch) const CANCELS_AT_A_TIME: usize = 64;

impl Dispatcher {
    /// Does the steps of one answer.
    ///
    /// # Errors
    /// `Store` with `Raced` or `Conflict` when somebody acted meanwhile: the rest is decided anew.
    pub(super) async fn carry_out_steps(
        &self,
        fan_out: &FanOut,
        rows: &[FanOutRow],
        steps: Vec<Step>,
        memory: &mut Memory,
    ) -> Result<(), DispatchError> {
        for step in steps {
            match step {
                Step::Start { rows: numbers } => self.start_rows(fan_out, rows, &numbers, memory).await?,
                Step::LeaveOut { rows, reason } => self.leave_out(fan_out.id, rows, reason).await?,
                Step::Cancel { jobs } => {
                    let by = fan_out.cancel.as_ref().map_or(DISPATCHER, |cancel| &cancel.by);
                    self.cancel_each(jobs, by).await?;
                }
                Step::Finish { status } => self.finish(fan_out, status).await?,
            }
        }
        self.0.feed.fan_out_changed(fan_out.id);
        Ok(())
    }

    async fn start_rows(
        &self,
        fan_out: &FanOut,
        rows: &[FanOutRow],
        numbers: &[u32],
        memory: &mut Memory,
    ) -> Result<(), DispatchError> {
        // They are in the order of their numbers.
        let row = |number: &u32| rows.get(*number as usize).filter(|row| row.number == *number);
        let jobs: Vec<(u32, Job)> =
            numbers.iter().filter_map(row).map(|row| (row.number, self.fan_out_job(fan_out, row))).collect();
        let (stored, id, version) = (jobs.clone(), fan_out.id, fan_out.version);
        let start = move |c: &mut Connection| {
            // Nothing is started behind a cancel.
            if fan_out_find(c, id)?.is_none_or(|now| now.version != version) {
                return Err(StoreError::Raced { what: "fan-out", key: id.to_string(), expected: version });
            }
            stored.iter().try_for_each(|(number, job)| fan_out_row_start(c, id, *number, job))
        };
        match self.0.store.write(start).await {
            Ok(()) => {
                jobs.iter().for_each(|(_, job)| self.announce(job));
                Ok(())
            }
            Err(error @ (StoreError::Raced { .. } | StoreError::Conflict { .. })) => Err(error.into()),
            Err(error) => {
                memory.doubtful.extend(jobs.iter().map(|(_, job)| job.id));
                Err(error.into())
            }
        }
    }

    /// The job of a row, which only the row's runner can take: by its name, which a runner keeps for its life.
    fn fan_out_job(&self, fan_out: &FanOut, row: &FanOutRow) -> Job {
        let origin = JobOrigin {
            enterprise: fan_out.enterprise.clone(),
            org: fan_out.org.clone(),
            project: fan_out.project.clone(),
            title: fan_out.title.clone(),
            ..JobOrigin::default()
        };
        let spec = JobSpec { fan_out: Some(fan_out.id), ..fan_out.spec.clone() };
        let filter = Filter { hostname: vec![row.hostname.clone()], ..Filter::default() };
        self.new_job(origin, spec, filter, fan_out.priority)
    }

    async fn leave_out(&self, id: FanOutId, rows: Vec<u32>, reason: RowNotRun) -> Result<(), DispatchError> {
        tracing::info!(fan_out.id = %id, rows = rows.len(), %reason, "rows of a fan-out are not run");
        Ok(self.0.store.write(move |c| fan_out_rows_leave_out(c, id, &rows, reason)).await?)
    }

    async fn finish(&self, fan_out: &FanOut, status: FanOutStatus) -> Result<(), DispatchError> {
        let end = Some(FanOutEnd { status, at_ms: self.0.clock.now_ms() });
        let ended = FanOut { end, ..fan_out.clone() };
        self.0.store.write(move |c| fan_out_update(c, &ended).map(drop)).await?;
        tracing::info!(fan_out.id = %fan_out.id, %status, "a fan-out has ended");
        Ok(())
    }

    /// Asks for the ends of jobs, together, so that they are committed in groups.
    pub(in crate::dispatch) async fn cancel_each(&self, jobs: Vec<JobId>, by: &str) -> Result<(), DispatchError> {
        let cancels = stream::iter(jobs).map(|job| self.cancel(job, by, StopReason::User));
        cancels.buffer_unordered(CANCELS_AT_A_TIME).try_for_each(|_| async { Ok(()) }).await
    }

    /// Takes up rows that were stored and that nobody was told of.
    pub(super) async fn adopt_rows(&self, rows: &[FanOutRow], memory: &mut Memory) -> Result<(), DispatchError> {
        if memory.doubtful.is_empty() {
            return Ok(());
        }
        for id in rows.iter().filter_map(|row| row.job.as_ref()).map(|job| job.id) {
            if memory.doubtful.contains(&id) {
                let job = self.job(id).await?;
                memory.doubtful.remove(&id);
                if !job.state.is_finished() {
                    tracing::warn!(job.id = %id, "a row was stored and nobody was told; taking it up");
                    self.announce(&job);
                }
            }
        }
        Ok(())
    }
}
