//! Jobs page by page, newest first, for lists and history.

use diesel::define_sql_function;
use diesel::prelude::*;
use diesel::sql_types::Text;

use shuntyard_domain::access::Place;
use shuntyard_domain::ids::{FanOutId, JobId, PhaseRunId, RunnerId};
use shuntyard_domain::job::Job;

use super::connection::StoreConnection;
use super::error::StoreError;
use super::job_row::JobRow;
use super::schema::{fan_out_rows, jobs};
use super::within::within;

/// Which jobs are asked for. `None` asks for any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobQuery {
    /// A state's word, or `pending` (queued, assigned or starting), `unfinished`, `finished`; any other word finds none.
    pub state: Option<String>,
    pub project: Option<String>,
    /// Only what lies in these places.
    pub within: Option<Vec<Place>>,
    /// A part of the title, in any case of its letters.
    pub title: Option<String>,
    pub runner: Option<RunnerId>,
    pub phase_run: Option<PhaseRunId>,
    pub fan_out: Option<FanOutId>,
    /// Older than this job: the last one of the page before.
    pub before: Option<JobId>,
    /// 1 to 500; taken to the nearer end otherwise.
    pub limit: u32,
}

define_sql_function! {
    fn lower(text: Text) -> Text;
}

/// What `LIKE` finds a part of a text by.
fn pattern(part: &str) -> String {
    let quoted = part.to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{quoted}%")
}

impl JobQuery {
    /// The words that `state` may be.
    pub const STATES: &[&str] = &[
        "unfinished",
        "finished",
        "pending",
        "queued",
        "assigned",
        "starting",
        "running",
        "succeeded",
        "failed",
        "cancelled",
        "timed_out",
        "lost",
        "expired",
        "abandoned",
    ];
}

/// Returns one page, newest first; fewer than `limit` jobs mean that it is the last.
pub fn job_page(c: &mut StoreConnection, query: &JobQuery) -> Result<Vec<Job>, StoreError> {
    let mut found = jobs::table.select(JobRow::as_select()).into_boxed();
    found = match query.state.as_deref() {
        None => found,
        Some("unfinished") => found.filter(jobs::finished_at_ms.is_null()),
        Some("finished") => found.filter(jobs::finished_at_ms.is_not_null()),
        // All that is unfinished but running: so that an index in the order of the page serves.
        Some("pending") => found.filter(jobs::finished_at_ms.is_null()).filter(jobs::state.ne("running")),
        Some(word) => found.filter(jobs::state.eq(word.to_owned())),
    };
    found = within!(found, jobs, query.within.as_deref());
    if let Some(project) = &query.project {
        found = found.filter(jobs::project.eq(project.clone()));
    }
    if let Some(part) = &query.title {
        found = found.filter(lower(jobs::title).like(pattern(part)).escape('\\'));
    }
    if let Some(runner) = query.runner {
        found = found.filter(jobs::runner_id.eq(runner.to_string()));
    }
    if let Some(phase_run) = query.phase_run {
        found = found.filter(jobs::phase_run_id.eq(phase_run.to_string()));
    }
    if let Some(fan_out) = query.fan_out {
        let rows = fan_out_rows::table.filter(fan_out_rows::fan_out_id.eq(fan_out.to_string()));
        found = found.filter(jobs::id.nullable().eq_any(rows.select(fan_out_rows::job_id)));
    }
    if let Some(before) = query.before {
        found = found.filter(jobs::id.lt(before.to_string()));
    }
    let rows: Vec<JobRow> = found
        .order(jobs::id.desc())
        .limit(i64::from(query.limit.clamp(1, 500)))
        .load(c)
        .map_err(|source| StoreError::List { what: "jobs", source })?;
    rows.into_iter().map(JobRow::into_job).collect()
}
