//! After a restore: every runner is asked which attempts it has before anything starts or counts as lost.
//!
//! The backup is older than the hosts. A job that it has as queued may run: it is taken up where it is. An attempt of a
//! job that it does not know is reported and left alone.

use shuntyard_domain::board::BoardEvent;
use shuntyard_domain::ids::{AttemptId, RunnerId};
use shuntyard_domain::job::{Job, JobEvent, JobState};
use shuntyard_domain::runner::RunnerState;
use shuntyard_domain::wire::control::SpoolState;
use shuntyard_domain::wire::queue::UnknownAttempt;
use tracing::info_span;

use super::engine_error::told;
use super::inventory::Known;
use super::limits::account;
use super::{DispatchError, Dispatcher, attend};
use crate::store::{ApplyError, Connection, Expected, job_apply, job_attempt_insert, job_find};

/// Attempts that are told by name; a host may have thousands.
const UNKNOWN_MAX: usize = 100;

impl Dispatcher {
    /// Whether the data is from a backup and not every runner was asked: nothing counts as lost.
    pub(super) fn is_restored(&self) -> bool {
        self.0.queue.standing().pause.as_ref().is_some_and(|pause| pause.restored)
    }

    /// Notes which runners are to be asked; those to which nothing is sent are not. Once everything is taken up: some
    /// have answered before.
    pub(super) async fn await_runners(&self) {
        if !self.is_restored() {
            return;
        }
        let asked = |known: &Known| !matches!(known.runner.state, RunnerState::Quarantined | RunnerState::Pending);
        let all = self.0.inventory.all();
        let ids = all.iter().filter(|known| asked(known) && self.turned_off(&known.runner).is_none());
        self.0.queue.standing().not_asked = ids.map(|known| known.runner.id).collect();
        self.0.queue.taken_up.send_replace(true);
        self.resume_when_all_were_asked().await;
    }

    /// Takes up what the runner has of queued jobs, and notes what nobody knows.
    pub(super) async fn runner_was_asked(&self, known: &Known, spools: &[(AttemptId, SpoolState)]) {
        if !self.is_restored() {
            return;
        }
        if self.0.queue.taken_up.subscribe().wait_for(|taken_up| *taken_up).await.is_err() {
            return;
        }
        for (id, state) in spools {
            if let Err(error) = self.compare_attempt(known, *id, *state).await {
                tracing::warn!(error = told(&error), attempt = %id, "an attempt could not be compared; asked again later");
                return;
            }
        }
        self.0.queue.standing().not_asked.remove(&known.runner.id);
        self.resume_when_all_were_asked().await;
    }

    /// A runner that was deleted keeps nobody waiting.
    pub(super) async fn need_not_ask(&self, runner: RunnerId) {
        let waited_for = self.0.queue.standing().not_asked.remove(&runner);
        if waited_for {
            self.resume_when_all_were_asked().await;
        }
    }

    async fn resume_when_all_were_asked(&self) {
        if !self.is_restored() || !self.0.queue.standing().not_asked.is_empty() {
            return;
        }
        let unknown = self.0.queue.standing().unknown.len();
        tracing::info!(unknown, "every runner was asked after the restore; the queue goes on");
        if let Err(error) = self.resume_queue().await {
            tracing::error!(error = told(&error), "the queue stays paused; `shunt queue resume` lets it go on");
        }
    }

    async fn compare_attempt(&self, known: &Known, id: AttemptId, state: SpoolState) -> Result<(), DispatchError> {
        let job = self.0.store.read(move |c| job_find(c, id.job)).await?;
        match job {
            // A claim that only keeps an attempt from starting.
            _ if state == SpoolState::Fenced => Ok(()),
            Some(job) if job.attempt >= id.attempt || job.state.is_finished() => Ok(()),
            Some(job) if matches!(job.state, JobState::Queued) => self.take_up_there(known, job, id).await,
            Some(_) | None => {
                let (runner, running) = (known.runner.hostname.clone(), matches!(state, SpoolState::Run { .. }));
                tracing::warn!(attempt = %id, running, "the runner has an attempt that the restored data does not know");
                let mut standing = self.0.queue.standing();
                let attempt = UnknownAttempt { runner, attempt: id.to_string(), running };
                if standing.unknown.len() < UNKNOWN_MAX && !standing.unknown.contains(&attempt) {
                    standing.unknown.push(attempt);
                }
                Ok(())
            }
        }
    }

    /// The job was placed there after the backup: it is given that placement again, and followed.
    async fn take_up_there(&self, known: &Known, job: Job, id: AttemptId) -> Result<(), DispatchError> {
        let (runner, hostname, host) = (known.runner.id, known.runner.hostname.clone(), known.identity.clone());
        let now_ms = self.0.clock.now_ms();
        let place = move |c: &mut Connection| -> Result<Job, ApplyError> {
            let placed = place_again(c, id, runner, now_ms)?;
            job_attempt_insert(c, id, (runner, &hostname), now_ms, &host)?;
            Ok(placed)
        };
        let placed = self.0.store.write(place).await?;
        tracing::info!(job.id = %job.id, attempt = id.attempt, "a queued job of the backup has run since; it is taken up");
        self.tell_board(BoardEvent::SlotTaken { runner, job: placed.id, account: account(&placed) });
        self.job_changed(&placed);
        let cancel = self.activate(placed.id, placed.cancel.is_some());
        let span = info_span!("job", job.id = %placed.id, runner.id = %runner);
        let engine = self.clone();
        self.0.tasks.spawn(span, move |stop| attend::take_up(engine, placed, runner, cancel, stop));
        Ok(())
    }
}

/// Counts the placements up to that of `id`; those between are not known.
fn place_again(c: &mut Connection, id: AttemptId, runner: RunnerId, now_ms: i64) -> Result<Job, ApplyError> {
    loop {
        let job = job_apply(c, id.job, Expected::Anything, &JobEvent::Assigned { runner }, now_ms)?;
        if job.attempt >= id.attempt {
            return job_apply(c, id.job, Expected::Attempt(id.attempt), &JobEvent::StartIntended, now_ms);
        }
        let why = "placed after the backup, on a runner that is not known".to_owned();
        job_apply(c, id.job, Expected::Anything, &JobEvent::Unassigned { why }, now_ms)?;
    }
}
