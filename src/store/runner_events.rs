//! What people decided about runners; appended, never changed. It stays when the runner is deleted.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use shuntyard_domain::runner::Runner;

use super::connection::StoreConnection;
use super::error::{About, Row, StoreError};
use super::schema::runner_events;

const KIND: &str = "host_key_accepted";
const EVENTS: &str = "events of runner";

/// Somebody confirmed a host's new key, and the runner left its quarantine. Keys are `SHA256:…` fingerprints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostKeyAccepted {
    pub by: String,
    /// What was pinned until then.
    pub before: Vec<String>,
    /// What is pinned since.
    pub after: Vec<String>,
}

/// One event of a runner's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunnerEventRow {
    pub at_ms: i64,
    /// The word under which the event is stored and shown.
    pub kind: String,
    pub event: HostKeyAccepted,
}

/// Appends an event at the version that the runner has by it.
///
/// # Errors
/// `Conflict` when that version has an event.
pub fn runner_event_insert(
    c: &mut StoreConnection,
    runner: &Runner,
    at_ms: i64,
    event: &HostKeyAccepted,
) -> Result<(), StoreError> {
    let about = About { what: EVENTS, key: &runner.hostname };
    let body = about.json("body", event)?;
    let row = (
        runner_events::runner_id.eq(runner.id.to_string()),
        runner_events::version.eq(runner.version),
        runner_events::hostname.eq(&runner.hostname),
        runner_events::at_ms.eq(at_ms),
        runner_events::kind.eq(KIND),
        runner_events::body.eq(body),
    );
    c.transaction(|c| diesel::insert_into(runner_events::table).values(row).execute(c))
        .map(|_| ())
        .map_err(|source| about.insert(source))
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
        Ok(RunnerEventRow { at_ms, kind, event: row.json("body", &body)? })
    };
    rows.into_iter().map(entry).collect()
}
