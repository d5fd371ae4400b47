//! What a change would do, from its own source, against the runners as they are now.

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use shuntyard_domain::ids::ChangeId;
use shuntyard_domain::plan::{PhaseForecast, RowForecast};
use shuntyard_domain::wire::pipelines::StagePlanBody;

use super::below;
use crate::http::Api;
use crate::http::error::ApiError;
use crate::http::path::PathId;
use crate::http::ui::parts::{self, Tone, state};
use crate::http::ui::viewer::Viewer;

pub(super) async fn page(
    State(api): State<Api>,
    viewer: Viewer,
    PathId(id): PathId<ChangeId>,
) -> Result<Response, ApiError> {
    let change = api.dispatcher.change_body(id).await?;
    let plan = api.dispatcher.plan_of(id, Vec::new()).await?;
    let stages = html! { @for stage in &plan.stages { (of_stage(stage)) } };
    Ok(below(&viewer, &change, "Plan", &stages))
}

fn of_stage(plan: &StagePlanBody) -> Markup {
    let (tone, word) =
        if plan.forecast.runnable { (Tone::Good, "can run") } else { (Tone::Bad, "cannot run as it is") };
    html! {
        h2 { (plan.forecast.stage) " " (state(tone, word)) }
        div.table { table {
            thead { tr { th { "Group" } th { "Phase" } th { "Does" } th { "Row" } th.number { "Runners" } th { "Who" } } }
            tbody { @for (n, group) in plan.forecast.groups.iter().enumerate() { @for phase in group {
                @for (r, row) in phase.rows.iter().enumerate() { (of_row(n + 1, phase, row, r == 0)) }
            } } }
        } }
        @if !plan.differences.is_empty() {
            p { "Otherwise than in the last run of this stage:" }
            ul { @for phase in &plan.differences {
                li { (phase.project) " " (phase.phase) ": " (phase.changed.join(", "))
                    @for row in &phase.rows_added { " + " code { (row) } }
                    @for row in &phase.rows_removed { " − " code { (row) } } }
            } }
        }
    }
}

fn of_row(group: usize, phase: &PhaseForecast, row: &RowForecast, first: bool) -> Markup {
    html! { tr {
        td { @if first { (group) } }
        td { @if first { (phase.project) " " (phase.phase) } }
        td { @if first {
            @match phase.skip {
                Some(why) => span.muted { "skipped: " (why.as_str().replace('_', " ")) },
                None => code { (phase.runs.as_deref().unwrap_or_default()) },
            }
        } }
        td { (parts::filter(&row.filter)) }
        td.number { (row.matching) }
        td {
            (row.runners.join(", "))
            @if let Some(why) = &row.why_not { div.complaint { (why) } }
            @if let Some(unblock) = &row.unblock { div.muted { (unblock) } }
        }
    } }
}
