//! The rows of the queue.

use maud::{Markup, html};
use shuntyard_domain::access::Place;
use shuntyard_domain::wire::api::JobBody;

use super::cancel::trash;
use super::why::Why;
use crate::http::access::Act;
use crate::http::ui::parts;
use crate::http::ui::viewer::Viewer;

/// Of the table.
const COLUMNS: u32 = 11;

/// Both parts of the queue under the same columns.
pub(super) fn table(running: &[JobBody], waiting: &[JobBody], viewer: &Viewer, why: &Why) -> Markup {
    html! { div.table { table {
        thead { tr {
            th { span.unseen { "Choose" } } th { "Job" } th { "Project" } th { "Change" } th { "Stage, phase" } th { "State" } th { "Runner" }
            th { "Filter" } th.number { "Priority" } th { "Since" } th { span.unseen { "Cancel" } }
        } }
        @for (name, jobs, none) in [("Running", running, "Nothing runs."), ("Waiting", waiting, why.nobody())] {
            tbody data-key=(name) {
                tr.part {
                    // Without scripts it would tick nothing.
                    td { input.scripts type="checkbox" data-all aria-label={ "Choose all of: " (name) } autocomplete="off"; }
                    th colspan=(COLUMNS - 1) scope="rowgroup" { h2 { (name) } }
                }
                @if jobs.is_empty() { tr { td.muted colspan=(COLUMNS) { (none) } } }
                @for job in jobs { (row(job, viewer, why)) (why.below(job.id, COLUMNS)) }
            }
        }
    } } }
}

fn row(job: &JobBody, viewer: &Viewer, why: &Why) -> Markup {
    let may = viewer.may(Act::ROLES, &Place::of(&job.org, &job.project));
    let since =
        if job.state == "queued" { &job.created_at } else { job.started_at.as_ref().unwrap_or(&job.created_at) };
    html! { tr #{ "j-" (job.id) } {
        td { @if may { input type="checkbox" name="job" value=(job.id) aria-label={ "Choose " (job.title) }; } }
        td {
            a href={ "/jobs/" (job.id) } { (job.title) }
            (why.sentence(job.id))
        }
        td { (job.project) }
        td { @if !job.change.id.is_empty() { a href={ "/changes/" (job.change.id) } { (job.change.title) } } }
        td { @if let Some(stage) = job.stage { (stage) " " } @if let Some(phase) = job.phase { (phase) } }
        td { (parts::job_state(&job.state)) @if job.cancel_requested_at.is_some() { div.muted { "is being cancelled" } } }
        td { @if let Some(runner) = &job.runner { a href={ "/runners/" (runner) } { (runner) } } }
        td { (parts::filter(&job.filter)) }
        td.number { (job.priority) }
        td { (parts::elapsed(since)) }
        td { @if may && job.cancel_requested_at.is_none() { (trash(job)) } }
    } }
}
