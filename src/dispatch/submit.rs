//! New jobs, and requests to stop them.

mod check;

use shuntyard_domain::board::BoardEvent;
use shuntyard_domain::filter::Filter;
use shuntyard_domain::ids::{JobId, PhaseRunId};
use shuntyard_domain::job::{Job, JobEvent, JobOrigin, JobSpec, JobState};
use shuntyard_domain::outcome::StopReason;
use shuntyard_domain::project_config::{self, PhaseConfig};
use shuntyard_domain::wire::api::{SubmitJob, SubmitPhaseRun};

use sha2::{Digest as _, Sha256};

use super::engine_error::bad;
use super::pipelines::source::{Parsed, parsed};
use super::quotas::Asked;
use super::{DispatchError, Dispatcher, new_id};
use crate::store::{
    ApplyError, Connection, Expected, GivenConfig, MadeKind, PhaseRunRow, job_apply, job_find, job_insert,
    phase_run_insert,
};
pub(super) use check::check_filter;
use check::{check_concurrency, check_env, check_job, check_name, check_script};

/// The tenant of jobs until there are others.
pub const DEFAULT: &str = "default";

/// A request for an ad-hoc job, checked.
pub(super) struct Checked {
    pub origin: JobOrigin,
    pub spec: JobSpec,
    pub filter: Filter,
    pub priority: i32,
}

impl Dispatcher {
    /// Queues one ad-hoc job; it is stored when this answers.
    ///
    /// # Errors
    /// `BadRequest` names the offending key; nothing is stored then.
    pub async fn submit(&self, request: SubmitJob) -> Result<Job, DispatchError> {
        let log = request.output_cap_bytes.map(|bytes| ("output_cap_bytes".to_owned(), bytes));
        let asked = Asked { script: Some(("script".to_owned(), request.script.len())), log, ..Asked::default() };
        let Checked { origin, spec, filter, priority } = self.checked(request).await?;
        let job = self.new_job(origin, spec, filter, priority);
        let engine = self.clone();
        self.to_the_end(async move {
            let (stored, quotas) = (job.clone(), engine.0.quotas);
            let insert = move |c: &mut Connection| {
                job_insert(c, &stored)?;
                quotas.check(c, &stored.origin, &asked)
            };
            engine.0.store.create(MadeKind::Job, job.id, insert).await?;
            engine.announce(&job);
            Ok(job)
        })
        .await
    }

    /// What an ad-hoc job is made of.
    ///
    /// # Errors
    /// `BadRequest` names the offending key.
    pub(super) async fn checked(&self, request: SubmitJob) -> Result<Checked, DispatchError> {
        check_job(&request)?;
        self.check_workspace(request.workspace).await?;
        let place = (DEFAULT, DEFAULT, request.project.as_str());
        self.check_git(place, request.git.as_ref(), request.workspace.is_some()).await?;
        self.check_secrets(place, "secrets", &request.secrets, &request.env).await?;
        let given = request.title.filter(|title| !title.trim().is_empty());
        let title = given.unwrap_or_else(|| JobSpec::title_of(&request.script));
        let spec = JobSpec {
            env: request.env,
            queue_limit_s: request.queue_limit_s,
            run_limit_s: request.run_limit_s,
            silence_limit_s: request.silence_limit_s,
            stop_grace_s: request.stop_grace_s.unwrap_or(JobSpec::default_stop_grace_s()),
            workspace: request.workspace,
            artifacts: request.artifacts,
            git: request.git,
            secrets: request.secrets,
            output_cap_bytes: request.output_cap_bytes.unwrap_or(self.0.logs.cap_bytes()),
            spool_cap_bytes: Some(self.0.spool_cap_bytes),
            orphan_grace_s: request.stop_after_disconnect_s,
            retry_on_lost: request.retry.on_lost,
            concurrency: request.concurrency,
            ..JobSpec::shell(request.script)
        };
        let origin = JobOrigin { title, ..origin(request.project) };
        Ok(Checked { origin, spec, filter: request.filter, priority: request.priority })
    }

    /// Queues one job per row of a phase's matrix, all of them or none.
    ///
    /// # Errors
    /// `BadConfig` with every fault of the configuration; `BadRequest` when the phase has nothing to run.
    pub async fn submit_phase_run(&self, request: SubmitPhaseRun) -> Result<(PhaseRunId, Vec<Job>), DispatchError> {
        let texts = GivenConfig { config: request.config.clone(), local_phases: request.local_phases.clone() };
        let Parsed { config, local, .. } = parsed(&texts)?;
        check_env("env", &request.env)?;
        check_name("project", &request.project)?;
        check_concurrency(request.concurrency.as_ref())?;
        self.check_workspace(request.workspace).await?;
        self.check_git((DEFAULT, DEFAULT, &request.project), request.git.as_ref(), request.workspace.is_some()).await?;
        let mut phase = config.phase(request.phase);
        // As in a stage (`domain::plan`): config.json first.
        let local = local.as_ref().and_then(|local| local.command(request.phase));
        phase.run = phase.run.or_else(|| local.map(ToOwned::to_owned));
        let mut env = phase.env.clone();
        env.extend(request.env.clone());
        let path = format!("phases.{}.secrets", request.phase);
        self.check_secrets((DEFAULT, DEFAULT, &request.project), &path, &phase.secrets, &env).await?;
        let id = PhaseRunId(new_id());
        let jobs = if phase.skip { Vec::new() } else { self.rows(id, &request, &phase)? };
        let named = |key: &str| format!("phases.{}.{key}", request.phase);
        let asked = Asked {
            script: phase.run.as_ref().map(|script| (named("run"), script.len())),
            rows: jobs.len(),
            log: phase.output_cap_bytes.map(|bytes| (named("output_cap_bytes"), bytes)),
            ..Asked::default()
        };
        let quotas = self.0.quotas;
        let row = PhaseRunRow {
            id,
            enterprise: DEFAULT.into(),
            org: DEFAULT.into(),
            project: request.project,
            phase: request.phase,
            stage: None,
            config_digest: Sha256::digest(request.config.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect(),
            config_text: request.config,
            created_at_ms: self.0.clock.now_ms(),
            skipped: phase.skip,
        };
        let (engine, stored) = (self.clone(), jobs.clone());
        self.to_the_end(async move {
            let insert = move |c: &mut Connection| {
                phase_run_insert(c, &row)?;
                stored.iter().try_for_each(|job| job_insert(c, job))?;
                stored.first().map_or(Ok(()), |job| quotas.check(c, &job.origin, &asked))
            };
            engine.0.store.create(MadeKind::PhaseRun, id, insert).await?;
            jobs.iter().for_each(|job| engine.announce(job));
            Ok((id, jobs))
        })
        .await
    }

    fn rows(&self, id: PhaseRunId, request: &SubmitPhaseRun, phase: &PhaseConfig) -> Result<Vec<Job>, DispatchError> {
        let Some(script) = &phase.run else {
            return Err(bad(
                format!("phases.{}.run", request.phase),
                format!("the configuration does not say what phase `{}` runs", request.phase),
                &["a shell script"],
            ));
        };
        check_script(&format!("phases.{}.run", request.phase), script)?;
        check_env(&format!("phases.{}.env", request.phase), &phase.env)?;
        let mut env = phase.env.clone();
        env.extend(request.env.clone());
        let spec = JobSpec {
            env,
            queue_limit_s: phase.queue_s,
            run_limit_s: phase.timeout_s,
            silence_limit_s: phase.silence_s,
            stop_grace_s: phase.stop_grace_s,
            workspace: request.workspace,
            artifacts: phase.artifacts.clone(),
            git: request.git.clone(),
            secrets: phase.secrets.clone(),
            output_cap_bytes: phase.output_cap_bytes.unwrap_or(self.0.logs.cap_bytes()),
            spool_cap_bytes: Some(self.0.spool_cap_bytes),
            orphan_grace_s: phase.stop_after_disconnect_s,
            retry_on_lost: phase.retry_on_lost,
            concurrency: request.concurrency.clone().or_else(|| phase.concurrency.clone()),
            ..JobSpec::shell(script.clone())
        };
        let job = |(row, filter): (usize, &Filter)| {
            let origin = JobOrigin {
                phase: Some(request.phase),
                phase_run: Some(id),
                row: u32::try_from(row).unwrap_or(u32::MAX),
                title: project_config::row_title(request.phase, filter),
                ..origin(request.project.clone())
            };
            self.new_job(origin, spec.clone(), filter.clone(), request.priority)
        };
        Ok(phase.filters.iter().enumerate().map(job).collect())
    }

    pub(super) fn new_job(&self, origin: JobOrigin, spec: JobSpec, filter: Filter, priority: i32) -> Job {
        let now_ms = self.0.clock.now_ms();
        Job {
            id: JobId(new_id()),
            origin,
            spec,
            filter,
            priority,
            state: JobState::Queued,
            attempt: 0,
            version: 1,
            created_at_ms: now_ms,
            state_at_ms: now_ms,
            cancel: None,
            finished_at_ms: None,
        }
    }

    pub(super) fn announce(&self, job: &Job) {
        self.queue(job, Vec::new());
        self.job_changed(job);
    }

    /// Asks for a job's end. A queued job ends at once and never starts; a running one ends when its
    /// host confirms. Asking twice, or for a finished job, changes nothing.
    ///
    /// # Errors
    /// `NoJob` for an unknown id.
    pub async fn cancel(&self, id: JobId, by: &str, reason: StopReason) -> Result<Job, DispatchError> {
        let (engine, by) = (self.clone(), by.to_owned());
        self.to_the_end(async move { engine.cancel_stored(id, by, reason).await }).await
    }

    async fn cancel_stored(&self, id: JobId, by: String, reason: StopReason) -> Result<Job, DispatchError> {
        let before = self.job(id).await?;
        if before.state.is_finished() || before.cancel.is_some() {
            // A commit may have failed in appearance only: then nobody was told when it was asked for first.
            self.tell_of_cancel(&before);
            self.job_changed(&before);
            return Ok(before);
        }
        let (event, now_ms) = (JobEvent::CancelRequested { by: by.clone(), reason }, self.0.clock.now_ms());
        let job = match self.0.store.write(move |c| job_apply(c, id, Expected::Anything, &event, now_ms)).await {
            Ok(job) => job,
            // It ended between the look and the request.
            Err(ApplyError::Illegal(_)) => return self.job(id).await,
            Err(error) => return Err(error.into()),
        };
        tracing::info!(job.id = %id, state = job.state.name(), by, "cancel requested");
        self.tell_of_cancel(&job);
        self.job_changed(&job);
        Ok(job)
    }

    /// Tells the board and the job's task that it is to end. Saying it twice changes nothing.
    fn tell_of_cancel(&self, job: &Job) {
        if job.state.is_finished() {
            self.tell_board(BoardEvent::JobDropped(job.id));
        }
        // Also one that has ended: its task may wait for a place on the runner.
        if let Some(signal) = self.cancel_signal(job.id) {
            signal.cancel();
        }
    }

    /// Gives a job up although it may still run; its task lets go of it.
    pub(super) async fn abandon(&self, id: JobId, by: &str) -> Result<(), DispatchError> {
        let (event, now_ms) = (JobEvent::Abandoned { by: by.to_owned() }, self.0.clock.now_ms());
        match self.0.store.write(move |c| job_apply(c, id, Expected::Anything, &event, now_ms)).await {
            Ok(job) => self.job_changed(&job),
            Err(ApplyError::Illegal(_)) => (),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// # Errors
    /// `NoJob` for an unknown id.
    pub async fn job(&self, id: JobId) -> Result<Job, DispatchError> {
        let found = self.0.store.read(move |c| job_find(c, id)).await;
        found?.ok_or(DispatchError::NoJob(id))
    }
}

fn origin(project: String) -> JobOrigin {
    JobOrigin { enterprise: DEFAULT.into(), org: DEFAULT.into(), project, ..JobOrigin::default() }
}
