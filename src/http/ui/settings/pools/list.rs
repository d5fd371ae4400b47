//! All pools, and a new one.

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use shuntyard_domain::pool::PoolSpec;
use shuntyard_domain::wire::pools::PoolBody;

use super::{HERE, TAB, form, page_of, pool_state};
use crate::http::Api;
use crate::http::error::ApiError;
use crate::http::ui::own_url::OwnUrl;
use crate::http::ui::parts;
use crate::http::ui::settings;
use crate::http::ui::viewer::Viewer;

pub(super) async fn page(State(api): State<Api>, viewer: Viewer, OwnUrl(own): OwnUrl) -> Result<Response, ApiError> {
    let mut pools = api.dispatcher.pools().await?;
    // One that is deleted and has no machine goes in this moment.
    pools.retain(|pool| !pool.deleting || pool.counts.live() > 0);
    let inside = html! {
        @if pools.is_empty() {
            (parts::empty(
                "There is no pool. When jobs wait, one has your provider start machines, which become runners and are stopped when nothing is left to do. Here, or:",
                "shunt ctl pool create cloud --url https://provider.example/hook --max 10 --labels cloud",
            ))
        } @else { (table(&pools)) }
        h2 { "A new pool" }
        form method="post" action=(HERE) autocomplete="off" {
            (form::inputs(&PoolSpec::new(String::new(), own), true))
            p.hint { "Its secret, with which each call is signed, is shown once." }
            button.primary { "Make the pool" }
        }
    };
    Ok(settings::page(&viewer, TAB, &inside))
}

fn table(pools: &[PoolBody]) -> Markup {
    html! { div.table { table {
        thead { tr { th { "Name" } th { "State" } th.number { "Machines" } th.number { "Starting" } th.number { "Enrolled" }
            th.number { "Leaving" } th.number { "Jobs that wait" } th { "Last error" } th { "Made" } } }
        tbody { @for pool in pools { tr {
            @let counts = &pool.counts;
            td { a href=(page_of(pool.name.as_str())) { (pool.name) } }
            td { (pool_state(pool)) }
            td.number { (counts.live()) " of " (pool.spec.max) }
            td.number { (counts.starting) }
            td.number { (counts.enrolled) }
            td.number { (counts.draining + counts.stopping) }
            td.number { (pool.waiting_jobs) }
            td { @if let Some(error) = &pool.last_error { div.complaint.cut title=(error.error) { (error.action) ": " (error.error) } }
                @if let Some(at) = &pool.next_start_at { div.muted { "next start " (parts::at(at)) } } }
            td { (parts::ago(&pool.created_at)) " by " (pool.created_by) }
        } } }
    } } }
}
