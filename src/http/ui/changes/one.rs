//! One change: its stages from left to right, and what may be done with it now.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use shuntyard_domain::access::{Place, Role};
use shuntyard_domain::change::Source;
use shuntyard_domain::ids::{ChangeId, JobId, StageRunId};
use shuntyard_domain::phase::{Phase, Stage};
use shuntyard_domain::plan::SkipReason;
use shuntyard_domain::tenancy::PipelinePath;
use shuntyard_domain::wire::change::{ChangeBody, PhaseBody, RowBody, StageBody};

use super::list::of_state;
use super::{matrix, status};
use crate::dispatch::News;
use crate::http::Api;
use crate::http::access::{Act, Commit, Review, Ship, Trigger};
use crate::http::error::ApiError;
use crate::http::path::{PathId, enterprise};
use crate::http::ui::bar::Section;
use crate::http::ui::live;
use crate::http::ui::page::Page;
use crate::http::ui::parts::{self, Ask, Lasting, ask};
use crate::http::ui::viewer::Viewer;
use crate::store::{Connection, Span, StageTook, StoreError, jobs_artifact_counts, jobs_ran, phase_spans, stages_took};

pub(super) async fn page(
    State(api): State<Api>,
    viewer: Viewer,
    PathId(id): PathId<ChangeId>,
) -> Result<Response, ApiError> {
    live::answer(api, viewer, move |news| *news == News::Change(id), move |api, viewer| draw(api, viewer, id)).await
}

async fn draw(api: Api, viewer: Viewer, id: ChangeId) -> Result<Page, ApiError> {
    let change = api.dispatcher.change_body(id).await?;
    let kept = Kept::of(&api, &change).await?;
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
            " · " a href={ "/changes/" (id) "/config" } { "Configuration" }
        }
        @if !change.description.is_empty() { p.description { (change.description) } }
        div.stages {
            @for stage in Stage::ALL {
                @match change.stages.iter().find(|reached| reached.stage == *stage) {
                    Some(reached) => (column(reached, &kept)),
                    None => section.stage.future { h2 { (stage) } p.muted { "not reached" } },
                }
            }
        }
        (kept.artifacts(&change))
    };
    Ok(Page::live(change.title.clone(), Section::Changes, main))
}

/// What is known beside the change itself.
struct Kept {
    /// What the pipeline's last run of each stage took that has passed.
    took: BTreeMap<Stage, StageTook>,
    phases: BTreeMap<(StageRunId, Phase), Span>,
    ran: BTreeMap<JobId, Span>,
    /// How many files a job has kept.
    files: BTreeMap<JobId, i64>,
}

impl Kept {
    async fn of(api: &Api, change: &ChangeBody) -> Result<Self, ApiError> {
        let jobs: Vec<JobId> = rows(change).filter_map(|(.., row)| row.job).collect();
        let (org, project, pipeline) = (change.org.clone(), change.project.clone(), change.pipeline.clone());
        let at = PipelinePath { enterprise: enterprise()?, org, project, pipeline };
        let runs: Vec<StageRunId> = change.stages.iter().map(|stage| stage.run).collect();
        let read = move |c: &mut Connection| {
            let (took, phases) = (stages_took(c, &at)?, phase_spans(c, &runs)?);
            Ok(Self { took, phases, ran: jobs_ran(c, &jobs)?, files: jobs_artifact_counts(c, &jobs)? })
        };
        let read: Result<Self, StoreError> = api.dispatcher.store().read(read).await;
        Ok(read?)
    }

    fn artifacts(&self, change: &ChangeBody) -> Markup {
        html! { @if !self.files.is_empty() {
            h2 { "Artifacts" }
            ul.rows { @for (stage, phase, row) in rows(change) {
                @if let Some((job, count)) = row.job.and_then(|job| self.files.get_key_value(&job)) {
                    li { a href={ "/jobs/" (job) } { (count) @if *count == 1 { " file" } @else { " files" } } " of " (stage) " " (phase) " " (parts::filter(&row.filter)) }
                }
            } }
        } }
    }
}

/// Every row, with its stage and phase.
fn rows(change: &ChangeBody) -> impl Iterator<Item = (Stage, Phase, &RowBody)> {
    let phases = change.stages.iter().flat_map(|stage| stage.phases.iter().map(move |phase| (stage.stage, phase)));
    phases.flat_map(|(stage, phase)| phase.run_details.iter().map(move |row| (stage, phase.name, row)))
}

fn column(stage: &StageBody, kept: &Kept) -> Markup {
    let took = Lasting { from: Some(&stage.created_at), to: stage.finished_at.as_deref() };
    let usual = kept.took.get(&stage.stage);
    html! { section.stage #{ "s-" (stage.stage) } {
        h2 { (stage.stage) " " (status(stage.status)) }
        p.muted {
            "run " (stage.number) ", " (parts::lasting(took))
            @if stage.finished_at.is_none() { (of_about(usual.map(|usual| usual.whole_ms))) }
            @if let Some(by) = &stage.triggered_by { ", again by " (by) }
            @if let Some(by) = &stage.cancelled_by { ", cancelled by " (by) }
        }
        @if let Some(fault) = &stage.fault { p.complaint { (fault) } }
        @for phase in &stage.phases { div.phase data-key=(phase.name) {
            h3 {
                (phase.name) " " (status(phase.status)) " "
                @if let Some(span) = kept.phases.get(&(stage.run, phase.name)) {
                    span.muted {
                        (parts::spanning(*span))
                        @if span.ended_ms.is_none() { (of_about(usual.and_then(|usual| usual.phases_ms.get(&phase.name).copied()))) }
                    }
                }
            }
            @match skipped_whole(phase) {
                Some(why) => p.muted { (why.as_str().replace('_', " ")) },
                None => (matrix::rows(phase, &kept.ran)),
            }
        } }
    } }
}

/// Why nothing of a phase is run; `None` when something is.
fn skipped_whole(phase: &PhaseBody) -> Option<SkipReason> {
    let why = phase.run_details.first()?.skip?;
    phase.run_details.iter().all(|row| row.skip == Some(why)).then_some(why)
}

/// What it usually takes, behind how long it has taken.
fn of_about(usual_ms: Option<i64>) -> Markup {
    html! { @if let Some(ms) = usual_ms { " of about " (parts::clock(ms)) } }
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
        @if viewer.may(Commit::ROLES, &place) { a.button href={ "/new-change?from=" (change.id) } { "Submit again" } }
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
