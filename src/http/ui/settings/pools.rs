//! Pools of machines that are started when jobs wait.

use axum::extract::State;
use axum::response::Response;
use maud::html;

use crate::http::Api;
use crate::http::error::ApiError;
use crate::http::ui::parts;
use crate::http::ui::viewer::Viewer;

pub(super) async fn page(State(api): State<Api>, viewer: Viewer) -> Result<Response, ApiError> {
    let pools = api.dispatcher.pools().await?;
    let inside = html! {
        @if pools.is_empty() {
            (parts::empty("There is no pool. One has a provider's URL and is made on the command line:", "shunt ctl pools create NAME --help"))
        } @else {
            div.table { table {
                thead { tr { th { "Name" } th.number { "Starting" } th.number { "Enrolled" } th.number { "Draining" } th.number { "Stopping" }
                    th.number { "Jobs that wait" } th { "Last error" } th { "Made by" } } }
                tbody { @for pool in &pools { tr {
                    td { (pool.name) @if pool.deleting { div.muted { "is being deleted" } } }
                    td.number { (pool.counts.starting) } td.number { (pool.counts.enrolled) }
                    td.number { (pool.counts.draining) } td.number { (pool.counts.stopping) }
                    td.number { (pool.waiting_jobs) }
                    td { @if let Some(error) = &pool.last_error { span.complaint { (error.error) } }
                        @if let Some(at) = &pool.next_start_at { div.muted { "next start " (parts::at(at)) } } }
                    td { (pool.created_by) " " (parts::ago(&pool.created_at)) }
                } } }
            } }
        }
    };
    Ok(super::page(&viewer, "Pools", &inside))
}
