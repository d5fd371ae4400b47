//! Changes in lists: page by page, those under way, and what stands in the shared environments.

use std::collections::BTreeMap;

use diesel::dsl::{exists, not};
use diesel::prelude::*;

use shuntyard_domain::access::Place;
use shuntyard_domain::change::{Change, ChangeState};
use shuntyard_domain::ids::{ChangeId, JobId};
use shuntyard_domain::phase::Stage;
use shuntyard_domain::stage::Status;
use shuntyard_domain::tenancy::Name;

use super::changes::Columns;
use super::connection::StoreConnection;
use super::error::{Row, StoreError};
use super::schema::{changes, jobs, phase_runs, stage_runs};
use super::within::within;

diesel::alias!(changes as later: Later);

/// Which changes of an enterprise are asked for. `None` asks for any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeQuery {
    pub org: Option<Name>,
    pub project: Option<Name>,
    pub pipeline: Option<Name>,
    /// Only what lies in these places.
    pub within: Option<Vec<Place>>,
    pub state: Option<ChangeState>,
    /// Older than this change: the last one of the page before.
    pub before: Option<ChangeId>,
    /// 1 to 500; taken to the nearer end otherwise.
    pub limit: u32,
}

/// Returns one page, newest first; fewer than `limit` changes mean that it is the last.
pub fn change_page(c: &mut StoreConnection, enterprise: &Name, query: &ChangeQuery) -> Result<Vec<Change>, StoreError> {
    let mut found = changes::table
        .filter(changes::enterprise.eq(enterprise.as_str().to_owned()))
        .select(Columns::as_select())
        .into_boxed();
    found = within!(found, changes, query.within.as_deref());
    if let Some(org) = &query.org {
        found = found.filter(changes::org.eq(org.as_str().to_owned()));
    }
    if let Some(project) = &query.project {
        found = found.filter(changes::project.eq(project.as_str().to_owned()));
    }
    if let Some(pipeline) = &query.pipeline {
        found = found.filter(changes::pipeline.eq(pipeline.as_str().to_owned()));
    }
    if let Some(state) = query.state {
        found = found.filter(changes::state.eq(state.as_str()));
    }
    if let Some(before) = query.before {
        found = found.filter(changes::id.lt(before.to_string()));
    }
    read(found.order(changes::id.desc()).limit(i64::from(query.limit.clamp(1, 500))).load(c))
}

/// Returns the changes that may still have something to do, oldest first: with an open run, or neither closed nor passed
/// to the end.
pub fn changes_under_way(c: &mut StoreConnection) -> Result<Vec<Change>, StoreError> {
    let arrived = stage_runs::table
        .filter(stage_runs::change_id.eq(changes::id))
        .filter(stage_runs::stage.eq(Stage::Delivered.as_str()))
        .filter(stage_runs::status.eq_any([Status::Passed.as_str(), Status::Skipped.as_str()]));
    let open =
        stage_runs::table.filter(stage_runs::change_id.eq(changes::id)).filter(stage_runs::finished_at_ms.is_null());
    let query = changes::table
        .filter(exists(open).or(changes::state.ne(ChangeState::Closed.as_str()).and(not(exists(arrived)))))
        .order(changes::id)
        .select(Columns::as_select());
    read(query.load(c))
}

/// Returns the change of each pipeline that was delivered last: what stands in the shared environments. Of one enterprise,
/// or of all.
pub fn changes_delivered_last(c: &mut StoreConnection, of: Option<&Name>) -> Result<Vec<Change>, StoreError> {
    let (one, other) = (changes::delivered_at_ms, later.field(changes::delivered_at_ms));
    let beside = || {
        later
            .filter(later.field(changes::enterprise).eq(changes::enterprise))
            .filter(later.field(changes::org).eq(changes::org))
            .filter(later.field(changes::pipeline).eq(changes::pipeline))
            .filter(later.field(changes::project).eq(changes::project))
            .filter(other.is_not_null())
            .select(later.field(changes::id))
    };
    // Two questions, each of which the index of deliveries answers; with `or` it could not.
    let after = beside().filter(other.gt(one));
    let at_once = beside().filter(other.eq(one)).filter(later.field(changes::id).gt(changes::id));
    let mut query = changes::table
        .filter(one.is_not_null())
        .filter(not(exists(after)))
        .filter(not(exists(at_once)))
        .order(changes::id)
        .select(Columns::as_select())
        .into_boxed();
    if let Some(enterprise) = of {
        query = query.filter(changes::enterprise.eq(enterprise.as_str().to_owned()));
    }
    read(query.load(c))
}

/// Returns the change in whose stage each of the jobs runs, and its title; a job outside of stages is left out.
pub fn changes_of_jobs(
    c: &mut StoreConnection,
    ids: &[JobId],
) -> Result<BTreeMap<JobId, (ChangeId, String)>, StoreError> {
    let keys: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let rows: Vec<(String, String, String)> = jobs::table
        .inner_join(phase_runs::table.inner_join(stage_runs::table.inner_join(changes::table)))
        .filter(jobs::id.eq_any(keys))
        .select((jobs::id, changes::id, changes::title))
        .load(c)
        .map_err(|source| StoreError::List { what: "changes of jobs", source })?;
    let parsed = |(job, change, title): (String, String, String)| {
        let row = Row { table: "jobs", key: &job };
        Ok((row.parse("id", &job)?, (row.parse("change_id", &change)?, title)))
    };
    rows.into_iter().map(parsed).collect()
}

fn read(rows: QueryResult<Vec<Columns>>) -> Result<Vec<Change>, StoreError> {
    let rows = rows.map_err(|source| StoreError::List { what: "changes", source })?;
    rows.into_iter().map(Columns::into_change).collect()
}
