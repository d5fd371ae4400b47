//! Changes: one proposed version of a project each.

use diesel::prelude::*;
use serde_json::json;

use shuntyard_domain::change::{Change, Signed};
use shuntyard_domain::ids::ChangeId;
use shuntyard_domain::tenancy::PipelinePath;

use super::audit::{Changed, audit_note};
use super::connection::StoreConnection;
use super::error::{About, Row, StoreError};
use super::schema::changes;

const CHANGE: &str = "change";

/// The texts that say what a change's phases do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenConfig {
    /// config.json.
    pub config: String,
    /// project.toml, when there is one.
    pub local_phases: Option<String>,
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = changes, treat_none_as_null = true)]
pub(super) struct Columns {
    id: String,
    enterprise: String,
    org: String,
    project: String,
    pipeline: String,
    title: String,
    description: String,
    state: String,
    source: String,
    submitted_at_ms: i64,
    submitted_by: String,
    approved_at_ms: Option<i64>,
    approved_by: Option<String>,
    delivered_at_ms: Option<i64>,
    delivered_by: Option<String>,
    version: i64,
}

impl Columns {
    fn new(about: About<'_>, change: &Change) -> Result<Self, StoreError> {
        let at = |signed: &Option<Signed>| signed.as_ref().map(|signed| signed.at_ms);
        let by = |signed: &Option<Signed>| signed.as_ref().map(|signed| signed.by.clone());
        Ok(Self {
            id: about.key.to_owned(),
            enterprise: change.at.enterprise.to_string(),
            org: change.at.org.to_string(),
            project: change.at.project.to_string(),
            pipeline: change.at.pipeline.to_string(),
            title: change.title.clone(),
            description: change.description.clone(),
            state: change.state.to_string(),
            source: about.json("source", &change.source)?,
            submitted_at_ms: change.submitted.at_ms,
            submitted_by: change.submitted.by.clone(),
            approved_at_ms: at(&change.approved),
            approved_by: by(&change.approved),
            delivered_at_ms: at(&change.delivered),
            delivered_by: by(&change.delivered),
            version: change.version,
        })
    }

    pub(super) fn into_change(self) -> Result<Change, StoreError> {
        let row = Row { table: "changes", key: &self.id };
        let signed = |at_ms: Option<i64>, by: Option<String>| Some(Signed { at_ms: at_ms?, by: by? });
        Ok(Change {
            id: row.parse("id", &self.id)?,
            at: PipelinePath {
                enterprise: row.parse("enterprise", &self.enterprise)?,
                org: row.parse("org", &self.org)?,
                project: row.parse("project", &self.project)?,
                pipeline: row.parse("pipeline", &self.pipeline)?,
            },
            state: row.parse("state", &self.state)?,
            source: row.json("source", &self.source)?,
            title: self.title,
            description: self.description,
            submitted: Signed { at_ms: self.submitted_at_ms, by: self.submitted_by },
            approved: signed(self.approved_at_ms, self.approved_by),
            delivered: signed(self.delivered_at_ms, self.delivered_by),
            version: self.version,
        })
    }
}

/// Inserts a change; its pipeline must be there.
///
/// # Errors
/// `Conflict` when the id is taken.
pub fn change_insert(c: &mut StoreConnection, change: &Change) -> Result<(), StoreError> {
    let key = change.id.to_string();
    let about = About { what: CHANGE, key: &key };
    let columns = Columns::new(about, change)?;
    c.transaction(|c| diesel::insert_into(changes::table).values(columns).execute(c))
        .map_err(|source| about.insert(source))?;
    audit_note(c, "change.submit", || {
        let after = json!({"title": change.title, "pipeline": change.at.to_string()});
        Changed::new(format!("change {key}"), None, Some(after))
    })
}

/// Writes a change over the version that it was read with, and returns it with the next one.
///
/// # Errors
/// `Raced` when the version is another one by now; nothing was written.
pub fn change_update(c: &mut StoreConnection, change: &Change) -> Result<Change, StoreError> {
    let key = change.id.to_string();
    let about = About { what: CHANGE, key: &key };
    let next = Change { version: change.version + 1, ..change.clone() };
    let columns = Columns::new(about, &next)?;
    let row = changes::table.find(&key).filter(changes::version.eq(change.version));
    match diesel::update(row).set(columns).execute(c).map_err(|source| about.update(source))? {
        0 => Err(StoreError::Raced { what: CHANGE, key, expected: change.version }),
        _ => Ok(next),
    }
}

/// Returns the change with that id.
pub fn change_find(c: &mut StoreConnection, id: ChangeId) -> Result<Option<Change>, StoreError> {
    let key = id.to_string();
    let found = changes::table.find(&key).select(Columns::as_select()).first(c).optional();
    found.map_err(|source| About { what: CHANGE, key: &key }.find(source))?.map(Columns::into_change).transpose()
}

/// Keeps the configuration that was given with a change whose source the dispatcher cannot read.
pub fn change_keep_given(c: &mut StoreConnection, id: ChangeId, given: &GivenConfig) -> Result<(), StoreError> {
    let key = id.to_string();
    let set = (
        changes::given_config.eq(Some(given.config.as_str())),
        changes::given_local_phases.eq(given.local_phases.as_deref()),
    );
    let updated = diesel::update(changes::table.find(&key)).set(set).execute(c);
    updated.map_err(|source| About { what: CHANGE, key: &key }.update(source))?;
    Ok(())
}

/// Returns the configuration that was given with a change.
pub fn change_given(c: &mut StoreConnection, id: ChangeId) -> Result<Option<GivenConfig>, StoreError> {
    let key = id.to_string();
    let texts = changes::table.find(&key).select((changes::given_config, changes::given_local_phases));
    let found: Option<(Option<String>, Option<String>)> =
        texts.first(c).optional().map_err(|source| About { what: CHANGE, key: &key }.find(source))?;
    Ok(found.and_then(|(config, local_phases)| Some(GivenConfig { config: config?, local_phases })))
}
