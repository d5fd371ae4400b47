//! Events that webhooks tell of: their words, and what is sent.

use serde_json::{Value, json};

use crate::closed::closed_list;
use crate::job::{Job, JobSpec, JobState};
use crate::runner::{Health, Runner, RunnerState, Scope};
use crate::wire::api::{ContactBody, JobBody, RunnerBody, RunnerLive};
use crate::wire::time_text::rfc3339;

closed_list! {
    /// An event that a webhook can ask for.
    WebhookEvent {
        /// A job was submitted, or is queued again because its runner refused it.
        #[serde(rename = "job.queued")]
        JobQueued = "job.queued",
        /// A job's script has started.
        #[serde(rename = "job.started")]
        JobStarted = "job.started",
        /// A job has ended; `outcome` says how.
        #[serde(rename = "job.finished")]
        JobFinished = "job.finished",
        /// A runner may take jobs for the first time.
        #[serde(rename = "runner.enrolled")]
        RunnerEnrolled = "runner.enrolled",
        /// A runner's state is another one.
        #[serde(rename = "runner.state_changed")]
        RunnerStateChanged = "runner.state_changed",
        /// A Test has ended, or health is another one since; `health` says which.
        #[serde(rename = "runner.health_changed")]
        RunnerHealthChanged = "runner.health_changed",
        /// A runner left the inventory.
        #[serde(rename = "runner.deleted")]
        RunnerDeleted = "runner.deleted",
    }
}

/// The word of a message that only tries whether the receiver answers; nobody can ask for it.
pub const PING: &str = "ping";

/// What a job's step from one state to another tells; None when nobody is told.
#[must_use]
pub fn of_job(before: Option<&JobState>, after: &JobState) -> Option<WebhookEvent> {
    let same = before.is_some_and(|before| before.name() == after.name());
    match after {
        _ if same => None,
        JobState::Queued => Some(WebhookEvent::JobQueued),
        JobState::Running { .. } => Some(WebhookEvent::JobStarted),
        JobState::Finished(_) => Some(WebhookEvent::JobFinished),
        JobState::Assigned { .. } | JobState::Starting { .. } => None,
    }
}

/// What a change of a runner's record tells; `before` is None for a new one.
#[must_use]
pub fn of_runner(before: Option<&Runner>, after: &Runner) -> Vec<WebhookEvent> {
    let mut events = Vec::new();
    let state = before.map(|before| before.state);
    match (state, after.state) {
        (None | Some(RunnerState::Pending), RunnerState::Enrolled) => events.push(WebhookEvent::RunnerEnrolled),
        (before, after) if before != Some(after) => events.push(WebhookEvent::RunnerStateChanged),
        _ => {}
    }
    let verdict = |health: &Health| match health {
        Health::Ok { .. } => Some(true),
        Health::Error { .. } => Some(false),
        Health::Untested | Health::Pending { .. } => None,
    };
    let found = verdict(&after.health);
    if found.is_some() && before.is_some_and(|before| verdict(&before.health) != found) {
        events.push(WebhookEvent::RunnerHealthChanged);
    }
    events
}

/// The text of a message: `id`, `type`, `at`, `data`.
#[must_use]
pub fn message(id: &str, event: &str, at_ms: i64, data: &Value) -> String {
    json!({"id": id, "type": event, "at": rfc3339(at_ms), "data": data}).to_string()
}

/// A job as the API shows it, without script and environment; `runner` is the name of its runner.
///
/// A title that is the command itself is left out: people type passwords into commands, and this goes to others.
#[must_use]
pub fn job_data(job: &Job, runner: Option<String>, now_ms: i64) -> Value {
    let mut body = JobBody::of(job, runner, 0, now_ms);
    if body.title == JobSpec::title_of(&job.spec.script) {
        body.title = String::new();
    }
    serde_json::to_value(body).unwrap_or_default()
}

/// A runner as the API shows it, without what is not in its record: its contact and its jobs.
#[must_use]
pub fn runner_data(runner: &Runner) -> Value {
    let live = RunnerLive {
        contact: ContactBody::default(),
        connections: 0,
        max_sessions: None,
        running_jobs: Vec::new(),
        job: serde_json::Map::new(),
        host_keys: Vec::new(),
        dial_out: None,
    };
    let mut data = serde_json::to_value(RunnerBody::of(runner, live)).unwrap_or_default();
    if let Some(keys) = data.as_object_mut() {
        for unknown in ["contact", "connections", "running_jobs", "job", "host_keys", "slots_free"] {
            keys.remove(unknown);
        }
    }
    data
}

/// The organisation that a runner serves alone.
#[must_use]
pub fn runner_org(runner: &Runner) -> Option<&str> {
    match &runner.scope {
        Scope::Enterprise => None,
        Scope::Org(org) => Some(org),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_tells_of_states_that_people_wait_for() {
        let queued = JobState::Queued;
        assert_eq!(of_job(None, &queued), Some(WebhookEvent::JobQueued));
        assert_eq!(of_job(Some(&queued), &queued), None);
    }

    #[test]
    fn words_have_an_object_and_a_past_tense() {
        for event in WebhookEvent::ALL {
            assert_eq!(event.as_str().parse(), Ok(*event));
            assert!(event.as_str().starts_with("job.") || event.as_str().starts_with("runner."));
        }
        assert!(PING.parse::<WebhookEvent>().is_err());
    }
}
