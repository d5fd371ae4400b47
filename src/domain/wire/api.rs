//! The JSON bodies of the HTTP API, shared by the daemon and the command line.
//!
//! Chef Automate Workflow's keys come first and keep their spelling; ours stand beside them.
//! Times of ours are RFC 3339 in UTC.

mod artifacts;
mod attempts;
mod bootstrap;
mod contact;
mod events;
mod log_chunk;
mod log_lines;
mod patch;
mod runner_live;
mod submit;
mod test;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::digest::Digest;
use crate::facts::Facts;
use crate::filter::Filter;
use crate::git_source::GitSource;
use crate::ids::{FanOutId, JobId, PhaseRunId, RunnerId};
use crate::job::{Concurrency, Job, JobState};
use crate::outcome::{LostEvidence, NotRunReason, Outcome, StopReason, TruncatedReason};
use crate::output::head_bytes;
use crate::phase::{Phase, Stage};
use crate::project_config::Fault;
use crate::receipt::StopReceipt;
use crate::runner::{OneOff, Runner, RunnerState, Scope};
use crate::tenancy::Name;
use crate::wire::dial_out::TunnelBody;
use crate::wire::time_text::{chef_duration, chef_time, rfc3339};

pub use artifacts::ArtifactBody;
pub use attempts::{AttemptBody, LossBody, Retry};
#[cfg(feature = "openapi")]
pub use bootstrap::AddRunner;
pub use bootstrap::{AcceptHostKey, InstallRunner, StepEvent, default_ssh_port};
pub use contact::ContactBody;
pub use events::{JobEventBody, RecordedBody, RunnerEventBody, RunnerEventKind, Submitted, ValueChange};
pub use log_chunk::LogChunk;
pub use log_lines::{LogGrowth, LogLine, LogLines, LogMatch, LogMatches, LogRun, LogStyle};
pub use patch::{DeletedRunnerBody, PatchRunner, StateNoteBody};
pub use runner_live::RunnerLive;
pub use submit::{ProjectLimits, SubmitJob, SubmitPhaseRun};
pub use test::{HealthBody, LastTestBody};

/// Every error answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ErrorBody {
    /// Stable word for programs: `bad_request`, `not_found`, `precondition_failed` …
    pub error: String,
    /// One sentence for people.
    #[serde(default)]
    pub message: String,
    /// JSON path of the offending value in the request body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<String>,
    /// Of a faulty configuration: every fault, in the order of the text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
    #[serde(default)]
    pub request_id: String,
}

/// Chef's change reference; ad-hoc jobs carry empty strings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ChangeRef {
    pub id: String,
    pub title: String,
}

/// `GET /jobs/:id` and each element of `GET /jobs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct JobBody {
    pub id: JobId,
    pub project: String,
    pub change: ChangeRef,
    pub org: String,
    pub stage: Option<Stage>,
    pub phase: Option<Phase>,
    /// Chef's word: `pending`, `running`; `finished` for history.
    #[cfg_attr(feature = "openapi", schemars(extend("enum" = ["pending", "running", "finished"])))]
    pub status: String,
    #[serde(rename = "submittedAt")]
    pub submitted_at: String,
    #[serde(rename = "timeInState")]
    pub time_in_state: String,

    pub title: String,
    pub phase_run: Option<PhaseRunId>,
    pub row: u32,
    /// The full state: queued, assigned, starting, running, or the outcome.
    #[cfg_attr(feature = "openapi", schemars(with = "crate::wire::schema::StateWord"))]
    pub state: String,
    pub attempt: u32,
    /// Host name of the runner, once there is one.
    pub runner: Option<String>,
    pub filter: Filter,
    pub priority: i32,
    pub created_at: String,
    pub started_at: Option<String>,
    pub finished_at: Option<String>,
    pub cancel_requested_at: Option<String>,
    pub outcome: Option<Outcome>,
    pub stop_reason: Option<StopReason>,
    pub not_run_reason: Option<NotRunReason>,
    pub lost_evidence: Option<LostEvidence>,
    pub exit_code: Option<i32>,
    pub log_bytes: u64,
    pub log_cksum: Option<u32>,
    /// The stored log is not the whole output, but its beginning, `log_bytes` long.
    pub truncated: bool,
    #[serde(default)]
    pub truncated_reason: Option<TruncatedReason>,
    /// Bytes from the middle of the output that are not kept; `log_bytes` counts them too.
    #[serde(default)]
    pub elided_bytes: u64,
    /// Offset of the first of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elided_from: Option<u64>,
    /// What is kept of the output.
    #[serde(default)]
    pub output_cap_bytes: u64,
    #[serde(default)]
    pub queue_limit_s: Option<u32>,
    pub run_limit_s: Option<u32>,
    #[serde(default)]
    pub silence_limit_s: Option<u32>,
    /// The tree of files that it starts in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<Digest>,
    /// The clone that it starts in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<GitSource>,
    #[serde(default)]
    pub stop_after_disconnect_s: Option<u32>,
    #[serde(default)]
    pub retry: Retry,
    /// The group under whose limit it counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Concurrency>,
    /// The fan-out that it is a row of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fan_out: Option<FanOutId>,
    /// Patterns of files to keep.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifact_patterns: Vec<String>,
    /// How many files were kept, `GET /jobs/:id/artifacts`; here and in the next three: in `GET /jobs/:id` of a job that ended.
    #[serde(default)]
    pub artifacts: u64,
    /// What of the files was not kept, and why; the job does not fail of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifacts_fault: Option<String>,
    /// What the job has written into the file `$SHUNT_OUTPUT`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, String>,
    /// Why there are no outputs although it has written some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs_fault: Option<String>,
    /// Its placements, oldest first; in `GET /jobs/:id`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<AttemptBody>,
    /// How the host stopped it; in `GET /jobs/:id` of a job that was stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<StopReceipt>,
    /// What its runner was, when that is deleted; in `GET /jobs/:id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_runner: Option<DeletedRunnerBody>,
}

impl JobBody {
    /// Builds the answer; `runner` is the host name behind the job's runner id, `log_bytes` what is stored now.
    #[must_use]
    pub fn of(job: &Job, runner: Option<String>, log_bytes: u64, now_ms: i64) -> Self {
        let finished = match &job.state {
            JobState::Finished(finished) => Some(finished),
            _ => None,
        };
        let started_at_ms = match &job.state {
            JobState::Running { started_at_ms, .. } => Some(*started_at_ms),
            JobState::Finished(finished) => finished.started_at_ms,
            _ => None,
        };
        let status = match &job.state {
            JobState::Queued => "pending",
            JobState::Assigned { .. } | JobState::Starting { .. } | JobState::Running { .. } => "running",
            JobState::Finished(_) => "finished",
        };
        Self {
            id: job.id,
            project: job.origin.project.clone(),
            change: ChangeRef::default(),
            org: job.origin.org.clone(),
            stage: job.origin.stage,
            phase: job.origin.phase,
            status: status.into(),
            submitted_at: chef_time(job.created_at_ms),
            time_in_state: chef_duration(now_ms - job.state_at_ms),
            title: job.origin.title.clone(),
            phase_run: job.origin.phase_run,
            row: job.origin.row,
            state: job.state.name().into(),
            attempt: job.attempt,
            runner,
            filter: job.filter.clone(),
            priority: job.priority,
            created_at: rfc3339(job.created_at_ms),
            started_at: started_at_ms.map(rfc3339),
            finished_at: job.finished_at_ms.map(rfc3339),
            cancel_requested_at: job.cancel.as_ref().map(|c| rfc3339(c.at_ms)),
            outcome: finished.map(|f| f.outcome),
            stop_reason: finished.and_then(|f| f.stop_reason),
            not_run_reason: finished.and_then(|f| f.not_run_reason),
            lost_evidence: finished.and_then(|f| f.lost_evidence),
            exit_code: finished.and_then(|f| f.exit_code),
            log_bytes: finished.map_or(log_bytes, |f| f.log.bytes),
            log_cksum: finished.map(|f| f.log.cksum),
            truncated: finished.is_some_and(|f| f.log.truncated),
            truncated_reason: finished.filter(|f| f.log.truncated).map(|f| TruncatedReason::of(f.outcome)),
            elided_bytes: 0,
            elided_from: None,
            output_cap_bytes: job.spec.output_cap_bytes,
            queue_limit_s: job.spec.queue_limit_s,
            run_limit_s: job.spec.run_limit_s,
            silence_limit_s: job.spec.silence_limit_s,
            workspace: job.spec.workspace,
            git: job.spec.git.clone(),
            stop_after_disconnect_s: job.spec.orphan_grace_s,
            retry: Retry { on_lost: job.spec.retry_on_lost },
            concurrency: job.spec.concurrency.clone(),
            fan_out: job.spec.fan_out,
            artifact_patterns: job.spec.artifacts.clone(),
            artifacts: 0,
            artifacts_fault: None,
            outputs: BTreeMap::new(),
            outputs_fault: None,
            attempts: Vec::new(),
            receipt: None,
            deleted_runner: None,
        }
        .eliding(finished.map_or(0, |f| f.log.elided_bytes))
    }

    /// The same job, of whose output so many bytes are not kept.
    #[must_use]
    pub fn eliding(self, elided_bytes: u64) -> Self {
        let elided_from = (elided_bytes > 0).then(|| head_bytes(self.output_cap_bytes));
        Self { elided_bytes, elided_from, ..self }
    }
}

/// `GET /runners/:hostname` and each element of `GET /runners`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct RunnerBody {
    pub id: RunnerId,
    pub hostname: String,
    /// Chef's `job`: `{}` when idle, else the change of one running job.
    pub job: Map<String, Value>,
    pub openssh_public_key: String,
    pub health: HealthBody,
    pub os: String,
    pub platform: String,
    pub platform_family: String,
    pub platform_version: String,

    pub address: String,
    pub port: u16,
    pub user: String,
    /// The jump host through which it is reached.
    #[serde(default)]
    pub jump: Option<Name>,
    /// The tunnel through which it is reached; absent unless its host dials out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dial_out: Option<TunnelBody>,
    pub facts: Facts,
    pub labels: BTreeSet<String>,
    pub capabilities: BTreeSet<String>,
    pub scope: Scope,
    pub slots: u32,
    pub slots_free: u32,
    /// It takes one job, the one named here once it has it, and is then removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub one_off: Option<OneOff>,
    /// The pool that started its machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    pub state: RunnerState,
    /// Absent while nobody has changed the state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_note: Option<StateNoteBody>,
    pub contact: ContactBody,
    /// SSH connections to it that are up.
    #[serde(default)]
    pub connections: usize,
    /// Sessions that its sshd was seen to allow on one connection; absent while it refused none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_sessions: Option<usize>,
    /// `SHA256:…` of every pinned host key.
    pub host_keys: Vec<String>,
    pub running_jobs: Vec<JobId>,
    pub wrapper_version: String,
    pub base_dir: String,
    pub system_mode: bool,
    /// It is the dispatcher's own machine, which its configuration turns on and off.
    #[serde(default)]
    pub local: bool,
    /// By which means the processes of a job are found when it is stopped, strongest first: `cgroup`, `environment`,
    /// `log`, `session`, `group`; `children` without /proc.
    #[serde(default)]
    pub stop_means: Vec<String>,
    pub last_seen_at: Option<String>,
    pub created_at: String,
    /// In `GET /runners/:hostname` of a runner that was tested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_test: Option<LastTestBody>,
}

impl RunnerBody {
    #[must_use]
    pub fn of(runner: &Runner, live: RunnerLive) -> Self {
        let busy = u32::try_from(live.running_jobs.len()).unwrap_or(u32::MAX);
        Self {
            id: runner.id,
            hostname: runner.hostname.clone(),
            job: live.job,
            openssh_public_key: runner.openssh_public_key.clone(),
            health: HealthBody::from(&runner.health),
            os: runner.facts.os.clone(),
            platform: runner.facts.platform.clone(),
            platform_family: runner.facts.platform_family.clone(),
            platform_version: runner.facts.platform_version.clone(),
            address: runner.endpoint.address.clone(),
            port: runner.endpoint.port,
            user: runner.endpoint.user.clone(),
            jump: runner.endpoint.via.jump().cloned(),
            dial_out: live.dial_out,
            facts: runner.facts.clone(),
            labels: runner.labels.clone(),
            capabilities: runner.capabilities.clone(),
            scope: runner.scope.clone(),
            slots: runner.slots,
            slots_free: if runner.spent_by().is_some() { 0 } else { runner.slots_at_a_time().saturating_sub(busy) },
            one_off: runner.one_off,
            pool: runner.pool.clone(),
            state: runner.state,
            state_note: runner.state_note.as_ref().map(StateNoteBody::from),
            contact: live.contact,
            connections: live.connections,
            max_sessions: live.max_sessions,
            host_keys: live.host_keys,
            running_jobs: live.running_jobs,
            wrapper_version: runner.installation.wrapper_version.clone(),
            base_dir: runner.installation.base_dir.clone(),
            system_mode: runner.installation.system_mode,
            local: runner.installation.local,
            stop_means: runner.installation.stop_means.clone(),
            last_seen_at: runner.last_seen_at_ms.map(rfc3339),
            created_at: rfc3339(runner.created_at_ms),
            last_test: None,
        }
    }
}

/// The answer to `POST /phase_runs` and `GET /phase_runs/:id`; rows in matrix order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct PhaseRunBody {
    pub id: PhaseRunId,
    pub project: String,
    pub phase: Phase,
    /// The configuration skips this phase: there are no jobs.
    pub skipped: bool,
    pub jobs: Vec<JobBody>,
}
