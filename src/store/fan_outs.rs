//! Fan-outs: what was asked for, and how it ended. Their rows are in `fan_out_rows`.

use diesel::prelude::*;
use serde_json::json;

use shuntyard_domain::access::Place;
use shuntyard_domain::change::Signed;
use shuntyard_domain::digest::Digest;
use shuntyard_domain::fan_out::{FanOut, FanOutEnd};
use shuntyard_domain::ids::FanOutId;
use shuntyard_domain::job::JobSpec;

use super::audit::{Changed, audit_note};
use super::connection::StoreConnection;
use super::error::{About, Row, StoreError};
use super::schema::fan_outs;
use super::within::within;

const FAN_OUT: &str = "fan-out";

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = fan_outs)]
struct Columns {
    id: String,
    enterprise: String,
    org: String,
    project: String,
    title: String,
    spec: String,
    filter: String,
    priority: i32,
    pace: String,
    left_out: String,
    repeats: Option<String>,
    created_at_ms: i64,
    created_by: String,
    #[diesel(embed)]
    moving: Moving,
}

/// What changes while it goes on.
#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = fan_outs, treat_none_as_null = true)]
struct Moving {
    cancel_at_ms: Option<i64>,
    cancel_by: Option<String>,
    finished_at_ms: Option<i64>,
    status: Option<String>,
    version: i64,
}

impl Moving {
    fn new(fan_out: &FanOut) -> Self {
        Self {
            cancel_at_ms: fan_out.cancel.as_ref().map(|cancel| cancel.at_ms),
            cancel_by: fan_out.cancel.as_ref().map(|cancel| cancel.by.clone()),
            finished_at_ms: fan_out.end.map(|end| end.at_ms),
            status: fan_out.end.map(|end| end.status.to_string()),
            version: fan_out.version,
        }
    }
}

impl Columns {
    fn into_fan_out(self) -> Result<FanOut, StoreError> {
        let row = Row { table: "fan_outs", key: &self.id };
        let status = row.parse_opt("status", self.moving.status.as_deref())?;
        Ok(FanOut {
            id: row.parse("id", &self.id)?,
            spec: row.json("spec", &self.spec)?,
            filter: row.json("filter", &self.filter)?,
            pace: row.json("pace", &self.pace)?,
            left_out: row.json("left_out", &self.left_out)?,
            repeats: row.parse_opt("repeats", self.repeats.as_deref())?,
            enterprise: self.enterprise,
            org: self.org,
            project: self.project,
            title: self.title,
            priority: self.priority,
            created: Signed { at_ms: self.created_at_ms, by: self.created_by },
            cancel: self.moving.cancel_at_ms.zip(self.moving.cancel_by).map(|(at_ms, by)| Signed { at_ms, by }),
            end: self.moving.finished_at_ms.zip(status).map(|(at_ms, status)| FanOutEnd { status, at_ms }),
            version: self.moving.version,
        })
    }
}

/// Inserts a fan-out, before its rows.
///
/// # Errors
/// `Conflict` when the id is taken.
pub fn fan_out_insert(c: &mut StoreConnection, fan_out: &FanOut) -> Result<(), StoreError> {
    let key = fan_out.id.to_string();
    let about = About { what: FAN_OUT, key: &key };
    let columns = Columns {
        id: key.clone(),
        enterprise: fan_out.enterprise.clone(),
        org: fan_out.org.clone(),
        project: fan_out.project.clone(),
        title: fan_out.title.clone(),
        spec: about.json("spec", &fan_out.spec)?,
        filter: about.json("filter", &fan_out.filter)?,
        priority: fan_out.priority,
        pace: about.json("pace", &fan_out.pace)?,
        left_out: about.json("left_out", &fan_out.left_out)?,
        repeats: fan_out.repeats.map(|id| id.to_string()),
        created_at_ms: fan_out.created.at_ms,
        created_by: fan_out.created.by.clone(),
        moving: Moving::new(fan_out),
    };
    c.transaction(|c| diesel::insert_into(fan_outs::table).values(columns).execute(c))
        .map_err(|source| about.insert(source))?;
    audit_note(c, "fan_out.submit", || {
        let after = json!({"title": fan_out.title, "org": fan_out.org, "project": fan_out.project});
        Changed::new(format!("fan-out {key}"), None, Some(after))
    })
}

/// Writes how a fan-out stands over the version that it was read with, and returns it with the next one.
///
/// # Errors
/// `Raced` when the version is another one by now; nothing was written.
pub fn fan_out_update(c: &mut StoreConnection, fan_out: &FanOut) -> Result<FanOut, StoreError> {
    let key = fan_out.id.to_string();
    let next = FanOut { version: fan_out.version + 1, ..fan_out.clone() };
    let row = fan_outs::table.find(&key).filter(fan_outs::version.eq(fan_out.version));
    let updated = diesel::update(row).set(Moving::new(&next)).execute(c);
    match updated.map_err(|source| About { what: FAN_OUT, key: &key }.update(source))? {
        0 => Err(StoreError::Raced { what: FAN_OUT, key, expected: fan_out.version }),
        _ => {
            audit_note(c, "fan_out.change", || {
                let after = json!({"cancel": next.cancel, "ended": next.end.is_some()});
                Changed::new(format!("fan-out {key}"), None, Some(after))
            })?;
            Ok(next)
        }
    }
}

/// Returns the fan-out with that id.
pub fn fan_out_find(c: &mut StoreConnection, id: FanOutId) -> Result<Option<FanOut>, StoreError> {
    let key = id.to_string();
    let found = fan_outs::table.find(&key).select(Columns::as_select()).first(c).optional();
    found.map_err(|source| About { what: FAN_OUT, key: &key }.find(source))?.map(Columns::into_fan_out).transpose()
}

/// Which fan-outs are asked for. `None` asks for any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FanOutQuery {
    /// `running`, or a status of the end.
    pub status: Option<String>,
    pub project: Option<String>,
    /// Only what lies in these places.
    pub within: Option<Vec<Place>>,
    /// Older than this one: the last of the page before.
    pub before: Option<FanOutId>,
    /// 1 to 500; taken to the nearer end otherwise.
    pub limit: u32,
}

/// Returns one page, newest first; fewer than `limit` mean that it is the last.
pub fn fan_out_page(c: &mut StoreConnection, query: &FanOutQuery) -> Result<Vec<FanOut>, StoreError> {
    let mut found = fan_outs::table.select(Columns::as_select()).into_boxed();
    found = match query.status.as_deref() {
        None => found,
        Some("running") => found.filter(fan_outs::finished_at_ms.is_null()),
        Some(status) => found.filter(fan_outs::status.eq(status.to_owned())),
    };
    found = within!(found, fan_outs, query.within.as_deref());
    if let Some(project) = &query.project {
        found = found.filter(fan_outs::project.eq(project.clone()));
    }
    if let Some(before) = query.before {
        found = found.filter(fan_outs::id.lt(before.to_string()));
    }
    let page: QueryResult<Vec<Columns>> =
        found.order(fan_outs::id.desc()).limit(i64::from(query.limit.clamp(1, 500))).load(c);
    page.map_err(|source| StoreError::List { what: "fan-outs", source })?
        .into_iter()
        .map(Columns::into_fan_out)
        .collect()
}

/// Returns the fan-outs that have not ended, oldest first.
pub fn fan_outs_open(c: &mut StoreConnection) -> Result<Vec<FanOutId>, StoreError> {
    let open = fan_outs::table.filter(fan_outs::finished_at_ms.is_null()).order(fan_outs::id).select(fan_outs::id);
    let ids: Vec<String> = open.load(c).map_err(|source| StoreError::List { what: "fan-outs", source })?;
    ids.iter().map(|id| Row { table: "fan_outs", key: id }.parse("id", id)).collect()
}

/// The workspaces of fan-outs that have not ended: rows that have no job yet need them too.
pub(super) fn fan_out_workspaces(c: &mut StoreConnection) -> Result<Vec<Digest>, StoreError> {
    let named = fan_outs::table
        .filter(fan_outs::finished_at_ms.is_null())
        .filter(fan_outs::spec.like("%\"workspace\":\"%"))
        .select((fan_outs::id, fan_outs::spec));
    let named: Vec<(String, String)> =
        named.load(c).map_err(|source| StoreError::List { what: "workspaces in use", source })?;
    let mut found = Vec::new();
    for (id, spec) in named {
        let spec: JobSpec = Row { table: "fan_outs", key: &id }.json("spec", &spec)?;
        found.extend(spec.workspace);
    }
    Ok(found)
}
