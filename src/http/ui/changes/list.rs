//! All changes, newest first.

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use shuntyard_domain::change::ChangeState;
use shuntyard_domain::ids::ChangeId;
use shuntyard_domain::wire::change::ChangeBody;

use super::status;
use crate::dispatch::News;
use crate::http::Api;
use crate::http::access::{Commit, Look};
use crate::http::error::ApiError;
use crate::http::path::enterprise;
use crate::http::query::{ApiQuery, filled, parsed};
use crate::http::ui::bar::Section;
use crate::http::ui::page::Page;
use crate::http::ui::parts::{Tone, state};
use crate::http::ui::viewer::Viewer;
use crate::http::ui::{live, parts};
use crate::store::ChangeQuery;

const A_PAGE: u32 = 50;

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct ListQuery {
    project: Option<String>,
    state: Option<String>,
    before: Option<ChangeId>,
}

pub(super) async fn page(
    State(api): State<Api>,
    viewer: Viewer,
    ApiQuery(query): ApiQuery<ListQuery>,
) -> Result<Response, ApiError> {
    live::answer(
        api,
        viewer,
        |news| matches!(news, News::Change(_) | News::Removed(_)),
        move |api, viewer| draw(api, viewer, query.clone()),
    )
    .await
}

async fn draw(api: Api, viewer: Viewer, query: ListQuery) -> Result<Page, ApiError> {
    let asked = ChangeQuery {
        org: None,
        project: parsed("project", filled(query.project.as_ref()))?,
        pipeline: None,
        within: viewer.known()?.within(Look::ROLES),
        state: parsed("state", filled(query.state.as_ref()))?,
        before: query.before,
        limit: A_PAGE,
    };
    let changes = api.dispatcher.change_bodies(enterprise()?, asked).await?;
    let older = changes.last().filter(|_| changes.len() == A_PAGE as usize).map(|last| address(&query, last.id));
    let main = html! {
        div.top {
            h1 { "Changes" }
            (search(&query))
            @if viewer.may_somewhere(Commit::ROLES) { div.right { a.button.primary href="/new-change" { "New change" } } }
        }
        @if changes.is_empty() {
            (parts::empty("No change fits. A project's directory becomes a change, and begins in verify at once, by:", "shunt change submit"))
        } @else { (table(&changes)) }
        (parts::more(older))
    };
    Ok(Page::live("Changes", Section::Changes, main))
}

fn search(query: &ListQuery) -> Markup {
    html! {
        form.filterbox method="get" action="/changes" data-filter role="search" {
            label { "Project " input type="search" name="project" value=(query.project.as_deref().unwrap_or_default()) size="16"; }
            label { "State " select name="state" {
                option value="" { "all" }
                @for state in ChangeState::ALL { option value=(state) selected[query.state.as_deref() == Some(state.as_str())] { (state) } }
            } }
            span role="status" {}
            button { "Search" }
        }
    }
}

fn table(changes: &[ChangeBody]) -> Markup {
    html! { div.table { table {
        thead { tr { th { "Change" } th { "Project" } th { "Pipeline" } th { "State" } th { "Stage" } th { "By" } th { "Submitted" } } }
        tbody { @for change in changes { tr #{ "c-" (change.id) } {
            td.cut { a href={ "/changes/" (change.id) } { (change.title) } }
            td { (change.project) }
            td { (change.pipeline) }
            td { (of_state(change.state)) }
            td { @if let Some(stage) = change.stages.last() { (stage.stage) " " (status(stage.status)) } }
            td { (change.submit_by) }
            td { (parts::ago(&change.submitted_at)) }
        } } }
    } } }
}

pub(super) fn of_state(of: ChangeState) -> Markup {
    let tone = match of {
        ChangeState::Open => Tone::Calm,
        ChangeState::Merged => Tone::Good,
        ChangeState::Closed => Tone::Off,
    };
    state(tone, of.as_str())
}

/// The same list, further back.
fn address(query: &ListQuery, before: ChangeId) -> String {
    let before = before.to_string();
    let words = [("project", query.project.as_deref()), ("state", query.state.as_deref()), ("before", Some(&*before))];
    parts::address("/changes", &words)
}
