//! A runner as a row, without its sealed key.

use diesel::prelude::*;

use shuntyard_domain::runner::{Runner, Scope};

use super::error::{About, Row, StoreError};
use super::schema::runners;

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = runners, treat_none_as_null = true)]
pub(super) struct RunnerRow {
    id: String,
    hostname: String,
    endpoint: String,
    openssh_public_key: String,
    installation: String,
    facts: String,
    labels: String,
    capabilities: String,
    scope_org: Option<String>,
    slots: i64,
    state: String,
    health: String,
    created_at_ms: i64,
    last_seen_at_ms: Option<i64>,
    version: i64,
    state_note: Option<String>,
    one_off: Option<String>,
    pool: Option<String>,
}

impl RunnerRow {
    pub fn new(about: About<'_>, runner: &Runner) -> Result<Self, StoreError> {
        Ok(Self {
            id: runner.id.to_string(),
            hostname: runner.hostname.clone(),
            endpoint: about.json("endpoint", &runner.endpoint)?,
            openssh_public_key: runner.openssh_public_key.clone(),
            installation: about.json("installation", &runner.installation)?,
            facts: about.json("facts", &runner.facts)?,
            labels: about.json("labels", &runner.labels)?,
            capabilities: about.json("capabilities", &runner.capabilities)?,
            scope_org: match &runner.scope {
                Scope::Enterprise => None,
                Scope::Org(org) => Some(org.clone()),
            },
            slots: i64::from(runner.slots),
            state: runner.state.to_string(),
            health: about.json("health", &runner.health)?,
            created_at_ms: runner.created_at_ms,
            last_seen_at_ms: runner.last_seen_at_ms,
            version: runner.version,
            state_note: runner.state_note.as_ref().map(|note| about.json("state_note", note)).transpose()?,
            one_off: runner.one_off.as_ref().map(|one_off| about.json("one_off", one_off)).transpose()?,
            pool: runner.pool.clone(),
        })
    }

    pub fn into_runner(self) -> Result<Runner, StoreError> {
        let key = self.id.clone();
        let row = Row { table: "runners", key: &key };
        Ok(Runner {
            id: row.parse("id", &self.id)?,
            hostname: self.hostname,
            endpoint: row.json("endpoint", &self.endpoint)?,
            openssh_public_key: self.openssh_public_key,
            installation: row.json("installation", &self.installation)?,
            facts: row.json("facts", &self.facts)?,
            labels: row.json("labels", &self.labels)?,
            capabilities: row.json("capabilities", &self.capabilities)?,
            scope: self.scope_org.map_or(Scope::Enterprise, Scope::Org),
            slots: row.number("slots", self.slots)?,
            state: row.parse("state", &self.state)?,
            state_note: self.state_note.map(|note| row.json("state_note", &note)).transpose()?,
            one_off: self.one_off.map(|one_off| row.json("one_off", &one_off)).transpose()?,
            pool: self.pool,
            health: row.json("health", &self.health)?,
            created_at_ms: self.created_at_ms,
            last_seen_at_ms: self.last_seen_at_ms,
            version: self.version,
        })
    }
}
