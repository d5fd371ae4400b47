//! One change: its stages from left to right, and what may be done with it now.

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use shuntyard_domain::access::{Place, Role};
use shuntyard_domain::change::Source;
use shuntyard_domain::ids::ChangeId;
use shuntyard_domain::phase::Stage;
use shuntyard_domain::wire::change::{ChangeBody, StageBody};

use super::list::of_state;
use super::{matrix, status};
use crate::dispatch::News;
use crate::http::Api;
use crate::http::access::{Act, Commit, Review, Ship, Trigger};
use crate::http::error::ApiError;
use crate::http::path::PathId;
use crate::http::ui::bar::Section;
use crate::http::ui::live;
use crate::http::ui::page::Page;
use crate::http::ui::parts::{self, Ask, Lasting, ask};
use crate::http::ui::viewer::Viewer;

pub(super) async fn page(
    State(api): State<Api>,
    viewer: Viewer,
    PathId(id): PathId<ChangeId>,
) -> Result<Response, ApiError> {
    live::answer(api, viewer, move |news| *news == News::Change(id), move |api, viewer| draw(api, viewer, id)).await
}

async fn draw(api: Api, viewer: Viewer, id: ChangeId) -> Result<Page, ApiError> {
    let change = api.dispatcher.change_body(id).await?;
    let main = html! {
        div.top {
            h1 { (change.title) }
            (of_state(change.state))
            span.muted { (change.org) "/" (change.project) ", pipeline " (change.pipeline) }
            div.right.acts { (acts(&change, &viewer)) }
        }
        p.muted {
            "Submitted by " (change.submit_by) " " (parts::ago(&change.submitted_at))
            @if let (Some(by), Some(at)) = (&change.approved_by, &change.approved_at) { "; approved by " (by) " " (parts::ago(at)) }
            @if let (Some(by), Some(at)) = (&change.delivered_by, &change.delivered_at) { "; delivered by " (by) " " (parts::ago(at)) }
            ". Source: " (source(&change.source)) ". " a href={ "/changes/" (id) "/plan" } { "What it would do (plan)" }
        }
        @if !change.description.is_empty() { p.description { (change.description) } }
        div.stages {
            @for stage in Stage::ALL {
                @match change.stages.iter().find(|reached| reached.stage == *stage) {
                    Some(reached) => (column(reached)),
                    None => section.stage.future { h2 { (stage) } p.muted { "not reached" } },
                }
            }
        }
    };
    Ok(Page::live(change.title.clone(), Section::Changes, main))
}

fn column(stage: &StageBody) -> Markup {
    let took = Lasting { from: Some(&stage.created_at), to: stage.finished_at.as_deref() };
    html! { section.stage #{ "s-" (stage.stage) } {
        h2 { (stage.stage) " " (status(stage.status)) }
        p.muted {
            "run " (stage.number) ", " (parts::lasting(took))
            @if let Some(by) = &stage.triggered_by { ", again by " (by) }
            @if let Some(by) = &stage.cancelled_by { ", cancelled by " (by) }
        }
        @if let Some(fault) = &stage.fault { p.complaint { (fault) } }
        @for phase in &stage.phases { div.phase {
            h3 { (phase.name) " " (status(phase.status)) }
            (matrix::rows(phase))
        } }
    } }
}

fn source(source: &Source) -> Markup {
    match source {
        Source::None => html! { "none" },
        Source::Workspace { digest } => {
            html! { "workspace " code { (digest.to_string().chars().take(12).collect::<String>()) } }
        }
        Source::Git { url, reference } => html! { code { (url) } " at " code { (reference) } },
    }
}

/// A button for each action that is allowed now, by the pipeline and by the reader's roles.
fn acts(change: &ChangeBody, viewer: &Viewer) -> Markup {
    let place = Place::Project(change.org.clone(), change.project.clone());
    let can = |action: &str, roles: &[Role]| change.links.contains_key(action) && viewer.may(roles, &place);
    let at = format!("/changes/{}", change.id);
    let stands = change.stages.last().map_or(Stage::Verify, |stage| stage.stage);
    html! {
        @if can("approve", Review::ROLES) { form method="post" action={ (at) "/approve" } { button.primary { "Approve" } } }
        @if can("deliver", Ship::ROLES) { form method="post" action={ (at) "/deliver" } { button.primary { "Deliver" } } }
        @if can("rerun_failed", Trigger::ROLES) {
            form method="post" action={ (at) "/trigger/" (stands) } {
                input type="hidden" name="failed_only" value="yes";
                button { "Run failed rows again" }
            }
        }
        @if can("trigger", Trigger::ROLES) {
            form method="post" action={ (at) "/trigger/" (stands) } { button { "Run " (stands) " again" } }
        }
        @if can("cancel", Act::ROLES) {
            @let action = format!("{at}/cancel");
            (ask(&Ask { button: "Cancel", danger: true, action: &action }, &html! {
                p { "Jobs of the run that is under way are stopped." }
                button.danger { "Cancel the run" }
            }))
        }
        @if can("close", Commit::ROLES) {
            @let action = format!("{at}/close");
            (ask(&Ask { button: "Give up", danger: true, action: &action }, &html! {
                p { "Nothing of this change runs again; its history stays." }
                button.danger { "Give the change up" }
            }))
        }
    }
}
