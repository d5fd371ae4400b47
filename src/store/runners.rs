//! Runners: the inventory and the sealed private half of each runner's key.

use diesel::prelude::*;

use shuntyard_domain::ids::RunnerId;
use shuntyard_domain::runner::{Runner, RunnerState};
use shuntyard_domain::webhook::runner_data;

use super::audit::{self, Changed, audit_note};
use super::base64_text;
use super::connection::StoreConnection;
use super::error::{About, Row, StoreError};
use super::outbox;
use super::runner_row::RunnerRow;
use super::runner_tests::runner_test_delete;
use super::schema::runners;
use super::secrets::secrets_of_runner_delete;

const RUNNER: &str = "runner";

/// Inserts a runner with the sealed private half of its key.
///
/// # Errors
/// `Conflict` when the hostname (or the id) is taken; the transaction goes on.
pub fn runner_insert(c: &mut StoreConnection, runner: &Runner, sealed_private_key: &[u8]) -> Result<(), StoreError> {
    let about = About { what: RUNNER, key: &runner.hostname };
    let row = RunnerRow::new(about, runner)?;
    let sealed = base64_text::encode(sealed_private_key);
    c.transaction(|c| {
        diesel::insert_into(runners::table).values((row, runners::sealed_private_key.eq(sealed))).execute(c)
    })
    .map_err(|source| about.insert(source))?;
    audit_note(c, "runner.add", || changed(None, Some(runner)))?;
    outbox::runner_written(c, None, runner)
}

/// Returns the runner of that name, compared exactly.
pub fn runner_find(c: &mut StoreConnection, hostname: &str) -> Result<Option<Runner>, StoreError> {
    let row = runners::table.filter(runners::hostname.eq(hostname)).select(RunnerRow::as_select()).first(c).optional();
    row.map_err(|source| About { what: RUNNER, key: hostname }.find(source))?.map(RunnerRow::into_runner).transpose()
}

/// Returns the runner with that id.
pub fn runner_by_id(c: &mut StoreConnection, id: RunnerId) -> Result<Option<Runner>, StoreError> {
    let key = id.to_string();
    let row = runners::table.find(&key).select(RunnerRow::as_select()).first(c).optional();
    row.map_err(|source| About { what: RUNNER, key: &key }.find(source))?.map(RunnerRow::into_runner).transpose()
}

/// Returns the runner's state alone: what is asked at every placement.
pub fn runner_state(c: &mut StoreConnection, id: RunnerId) -> Result<Option<RunnerState>, StoreError> {
    let key = id.to_string();
    let state: Option<String> = runners::table
        .find(&key)
        .select(runners::state)
        .first(c)
        .optional()
        .map_err(|source| About { what: RUNNER, key: &key }.find(source))?;
    state.map(|word| Row { table: "runners", key: &key }.parse("state", &word)).transpose()
}

/// Returns every runner, by hostname in byte order.
pub fn runner_list(c: &mut StoreConnection) -> Result<Vec<Runner>, StoreError> {
    let rows: Vec<RunnerRow> = runners::table
        .select(RunnerRow::as_select())
        .load(c)
        .map_err(|source| StoreError::List { what: "runners", source })?;
    let mut found = rows.into_iter().map(RunnerRow::into_runner).collect::<Result<Vec<_>, _>>()?;
    // Here and not in SQL: PostgreSQL orders text by the database's locale.
    found.sort_by(|a, b| a.hostname.cmp(&b.hostname));
    Ok(found)
}

/// Writes the whole record over version `runner.version` and returns it with its new version.
///
/// # Errors
/// `Raced` when it has another version by now, `NotFound`, `Conflict` when a new hostname is taken.
pub fn runner_update(c: &mut StoreConnection, runner: &Runner) -> Result<Runner, StoreError> {
    let key = runner.id.to_string();
    let about = About { what: RUNNER, key: &runner.hostname };
    let next = Runner { version: runner.version + 1, ..runner.clone() };
    let row = RunnerRow::new(about, &next)?;
    let before = if audit::is_acting() || outbox::is_heard(c)? { runner_by_id(c, runner.id)? } else { None };
    let target = runners::table.filter(runners::id.eq(&key)).filter(runners::version.eq(runner.version));
    let written =
        c.transaction(|c| diesel::update(target).set(row).execute(c)).map_err(|source| about.update(source))?;
    if written > 0 {
        if let Some(before) = before {
            audit_note(c, "runner.change", || changed(Some(&before), Some(&next)))?;
            outbox::runner_written(c, Some(&before), &next)?;
        }
        return Ok(next);
    }
    match runner_by_id(c, runner.id)? {
        Some(_) => Err(StoreError::Raced { what: RUNNER, key: runner.hostname.clone(), expected: runner.version }),
        None => Err(about.not_found()),
    }
}

/// Replaces the sealed private half; the record and its version stay.
///
/// # Errors
/// `NotFound` when there is no such runner.
pub fn runner_replace_key(c: &mut StoreConnection, id: RunnerId, sealed: &[u8]) -> Result<(), StoreError> {
    let key = id.to_string();
    let about = About { what: RUNNER, key: &key };
    let written = diesel::update(runners::table.find(&key))
        .set(runners::sealed_private_key.eq(base64_text::encode(sealed)))
        .execute(c)
        .map_err(|source| about.update(source))?;
    if written == 0 {
        return Err(about.not_found());
    }
    audit_note(c, "runner.key", || Changed::new(format!("runner {key}"), None, None))
}

/// Returns the sealed private half of the runner's key.
pub fn runner_sealed_key(c: &mut StoreConnection, id: RunnerId) -> Result<Option<Vec<u8>>, StoreError> {
    let key = id.to_string();
    let found: Option<String> = runners::table
        .find(&key)
        .select(runners::sealed_private_key)
        .first(c)
        .optional()
        .map_err(|source| About { what: RUNNER, key: &key }.find(source))?;
    let row = Row { table: "runners", key: &key };
    found.map(|text| base64_text::decode(row, "sealed_private_key", &text)).transpose()
}

/// Removes the runner, its key, its secrets and its last Test; its jobs keep its id and name. Tells whether it was there.
pub fn runner_delete(c: &mut StoreConnection, id: RunnerId) -> Result<bool, StoreError> {
    let key = id.to_string();
    let before = if audit::is_acting() { runner_by_id(c, id)? } else { None };
    runner_test_delete(c, id)?;
    secrets_of_runner_delete(c, id)?;
    let deleted = diesel::delete(runners::table.find(&key)).execute(c);
    let deleted = deleted.map_err(|source| About { what: RUNNER, key: &key }.delete(source))? > 0;
    if let Some(before) = before {
        audit_note(c, "runner.delete", || changed(Some(&before), None))?;
    }
    Ok(deleted)
}

/// What the audit log says of a runner's record.
fn changed(before: Option<&Runner>, after: Option<&Runner>) -> Changed {
    let hostname = after.or(before).map(|runner| runner.hostname.as_str()).unwrap_or_default();
    // What a Test finds is kept with the runner and is no change by anybody.
    let body = |runner: &Runner| {
        let mut data = runner_data(runner);
        for found in ["health", "last_seen_at"] {
            data.as_object_mut().map(|keys| keys.remove(found));
        }
        data
    };
    Changed::new(format!("runner {hostname}"), before.map(body), after.map(body))
}
