//! The jobs of runners, as far as their pages show them.

use maud::{Markup, html};
use shuntyard_domain::ids::RunnerId;
use shuntyard_domain::wire::api::JobBody;

use crate::http::Api;
use crate::http::access::{Caller, Look};
use crate::http::error::ApiError;
use crate::http::pages::MAX_PAGE;
use crate::http::ui::parts::{Lasting, ago, elapsed, job_state, lasting};
use crate::store::JobQuery;

/// Past jobs on a runner's page.
const PAST: u32 = 20;

/// The running jobs of one runner, and its last ones.
pub(super) async fn of(api: &Api, caller: &Caller, runner: RunnerId) -> Result<(Vec<JobBody>, Vec<JobBody>), ApiError> {
    let running = api.page(query(caller, "unfinished", Some(runner), MAX_PAGE)).await?;
    Ok((running, api.page(query(caller, "finished", Some(runner), PAST)).await?))
}

fn query(caller: &Caller, state: &str, runner: Option<RunnerId>, limit: u32) -> JobQuery {
    JobQuery { state: Some(state.into()), within: caller.within(Look::ROLES), runner, limit, ..JobQuery::default() }
}

/// A line of a list: what it is, and for how long.
pub(super) fn line(job: &JobBody) -> Markup {
    html! {
        a href={ "/jobs/" (job.id) } { (job.title) } " "
        span.muted { (elapsed(job.started_at.as_deref().unwrap_or(&job.created_at))) }
    }
}

pub(super) fn table(jobs: &[JobBody]) -> Markup {
    html! { div.table { table {
        thead { tr { th { "Job" } th { "Project" } th { "State" } th { "Took" } th { "Ended" } } }
        tbody { @for job in jobs { tr #{ "j-" (job.id) } {
            td.cut { a href={ "/jobs/" (job.id) } { (job.title) } }
            td { (job.project) }
            td { (job_state(&job.state)) }
            td { (lasting(Lasting { from: job.started_at.as_deref(), to: job.finished_at.as_deref() })) }
            td { @if let Some(at) = &job.finished_at { (ago(at)) } }
        } } }
    } } }
}
