//! What people did to runners; appended, never changed. It stays when the runner is deleted.

use std::collections::BTreeMap;

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use shuntyard_domain::ids::RunnerId;
use shuntyard_domain::runner::{Runner, RunnerSnapshot};

use super::connection::StoreConnection;
use super::error::{About, Row, StoreError};
use super::outbox;
use super::schema::runner_events;

const EVENTS: &str = "events of runner";
const HOST_KEY_ACCEPTED: &str = "host_key_accepted";
const CHANGED: &str = "changed";
const DELETED: &str = "deleted";

/// Somebody confirmed a host's new key, and the runner left its quarantine. Keys are `SHA256:…` fingerprints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostKeyAccepted {
    pub by: String,
    /// What was pinned until then.
    pub before: Vec<String>,
    /// What is pinned since.
    pub after: Vec<String>,
}

/// Labels, capabilities, slots, scope or state were changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunnerChanged {
    pub by: String,
    /// As it was given with a new state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// By key; never empty.
    pub changes: BTreeMap<String, ValueChange>,
}

/// A value as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValueChange {
    pub before: Value,
    pub after: Value,
}

/// The runner left the inventory; what it was stays here for its jobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunnerDeleted {
    pub by: String,
    /// Why, when somebody said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub runner: Box<RunnerSnapshot>,
}

/// What happened, under the word by which it is stored and shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum RunnerEvent {
    HostKeyAccepted(HostKeyAccepted),
    Changed(RunnerChanged),
    Deleted(RunnerDeleted),
}

impl RunnerEvent {
    /// Kind and body of the row.
    fn stored(&self, about: About<'_>) -> Result<(&'static str, String), StoreError> {
        Ok(match self {
            Self::HostKeyAccepted(event) => (HOST_KEY_ACCEPTED, about.json("body", event)?),
            Self::Changed(event) => (CHANGED, about.json("body", event)?),
            Self::Deleted(event) => (DELETED, about.json("body", event)?),
        })
    }

    fn read(row: Row<'_>, kind: &str, body: &str) -> Result<Self, StoreError> {
        match kind {
            CHANGED => row.json("body", body).map(Self::Changed),
            DELETED => row.json("body", body).map(Self::Deleted),
            HOST_KEY_ACCEPTED => row.json("body", body).map(Self::HostKeyAccepted),
            unknown => Err(row.bad("kind", unknown)),
        }
    }
}

/// One event of a runner's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunnerEventRow {
    pub at_ms: i64,
    pub event: RunnerEvent,
}

/// Appends an event at the version that the runner has by it.
///
/// # Errors
/// `Conflict` when that version has an event.
pub fn runner_event_insert(
    c: &mut StoreConnection,
    runner: &Runner,
    at_ms: i64,
    event: &RunnerEvent,
) -> Result<(), StoreError> {
    let about = About { what: EVENTS, key: &runner.hostname };
    let (kind, body) = event.stored(about)?;
    let row = (
        runner_events::runner_id.eq(runner.id.to_string()),
        runner_events::version.eq(runner.version),
        runner_events::hostname.eq(&runner.hostname),
        runner_events::at_ms.eq(at_ms),
        runner_events::kind.eq(kind),
        runner_events::body.eq(body),
    );
    c.transaction(|c| diesel::insert_into(runner_events::table).values(row).execute(c))
        .map_err(|source| about.insert(source))?;
    match event {
        RunnerEvent::Deleted(_) => outbox::runner_deleted(c, runner),
        // Told where the record itself is written.
        RunnerEvent::HostKeyAccepted(_) | RunnerEvent::Changed(_) => Ok(()),
    }
}

/// Returns the events of every runner that had this name, oldest first.
pub fn runner_events(c: &mut StoreConnection, hostname: &str) -> Result<Vec<RunnerEventRow>, StoreError> {
    let rows: Vec<(i64, String, String)> = runner_events::table
        .filter(runner_events::hostname.eq(hostname))
        .order((runner_events::at_ms.asc(), runner_events::version.asc()))
        .select((runner_events::at_ms, runner_events::kind, runner_events::body))
        .load(c)
        .map_err(|source| About { what: EVENTS, key: hostname }.find(source))?;
    let row = Row { table: "runner_events", key: hostname };
    let entry = |(at_ms, kind, body): (i64, String, String)| {
        Ok(RunnerEventRow { at_ms, event: RunnerEvent::read(row, &kind, &body)? })
    };
    rows.into_iter().map(entry).collect()
}

/// Returns what is kept of a runner that was deleted, and when that was, in Unix milliseconds.
pub fn runner_snapshot(c: &mut StoreConnection, runner: RunnerId) -> Result<Option<(i64, RunnerSnapshot)>, StoreError> {
    let key = runner.to_string();
    let found: Option<(i64, String)> = runner_events::table
        .filter(runner_events::runner_id.eq(&key))
        .filter(runner_events::kind.eq(DELETED))
        .order(runner_events::version.desc())
        .select((runner_events::at_ms, runner_events::body))
        .first(c)
        .optional()
        .map_err(|source| About { what: EVENTS, key: &key }.find(source))?;
    let row = Row { table: "runner_events", key: &key };
    let read = |(at_ms, body): (i64, String)| Ok((at_ms, *row.json::<RunnerDeleted>("body", &body)?.runner));
    found.map(read).transpose()
}
