//! A new change: of a commit that runners clone, of the files of an earlier one, or without files.

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use shuntyard_domain::access::Place;
use shuntyard_domain::change::{MAX_TITLE_CHARS, Source};
use shuntyard_domain::digest::Digest;
use shuntyard_domain::ids::ChangeId;
use shuntyard_domain::tenancy::{Name, PipelinePath};
use shuntyard_domain::wire::change::ChangeBody;
use shuntyard_domain::wire::pipelines::SubmitChange;

use crate::dispatch::DispatchError;
use crate::http::Api;
use crate::http::access::{Caller, Commit, Look};
use crate::http::error::ApiError;
use crate::http::pages::bad;
use crate::http::path::enterprise;
use crate::http::query::ApiQuery;
use crate::http::ui::bar::Section;
use crate::http::ui::done::Done;
use crate::http::ui::fields::Fields;
use crate::http::ui::page::Page;
use crate::http::ui::viewer::Viewer;
use crate::store::GivenConfig;

const EXAMPLE: &str = r#"{ "phases": { "unit": { "run": "make test" } } }"#;

/// What the page reads of its query.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct Wanted {
    /// The change that the form is filled in from.
    from: Option<ChangeId>,
}

/// An earlier change, and its configuration when that does not lie in its files.
struct Earlier {
    change: ChangeBody,
    given: Option<GivenConfig>,
}

impl Earlier {
    async fn of(api: &Api, caller: &Caller, id: ChangeId) -> Result<Self, ApiError> {
        let change = api.dispatcher.change_body(id).await?;
        let place = Place::Project(change.org.clone(), change.project.clone());
        caller.check(Look::ROLES, &place).map_err(|_| DispatchError::NoChange(id))?;
        let has_own = change.source.workspace().is_some();
        let given = if has_own { None } else { Some(api.dispatcher.config_of(id).await?) };
        Ok(Self { change, given })
    }
}

pub(super) async fn page(
    State(api): State<Api>,
    viewer: Viewer,
    ApiQuery(wanted): ApiQuery<Wanted>,
) -> Result<Response, ApiError> {
    let earlier = match wanted.from {
        Some(id) => Some(Earlier::of(&api, viewer.known()?, id).await?),
        None => None,
    };
    let main = html! {
        h1 { "A new change" }
        p.muted { "It begins in verify at once. The files of a directory are sent by the command line: " code { "shunt change submit" } }
        form.wide method="post" action="/new-change" {
            div.columns {
                section { h2 { "Where and what" } (place(earlier.as_ref())) }
                section { h2 { "Its files" } (files(earlier.as_ref())) }
            }
            (configuration(earlier.as_ref().and_then(|earlier| earlier.given.as_ref())))
            button.primary { "Submit it" }
        }
    };
    Ok(Page::still("A new change", Some(Section::Changes), main).response(&viewer))
}

fn place(earlier: Option<&Earlier>) -> Markup {
    let change = earlier.map(|earlier| &earlier.change);
    let or = |name: fn(&ChangeBody) -> &Name, other: &str| change.map_or(other.to_owned(), |c| name(c).to_string());
    html! {
        label { "Organisation" input name="org" required value=(or(|c| &c.org, "default")) spellcheck="false"; }
        label { "Project" input name="project" required value=(or(|c| &c.project, "")) spellcheck="false"; }
        label { "Pipeline" input name="pipeline" required value=(or(|c| &c.pipeline, "master")) spellcheck="false"; }
        label { "Title" input name="title" required maxlength=(MAX_TITLE_CHARS) value=(change.map_or("", |c| &c.title)); }
        label { "Description" textarea name="description" rows="3" { "\n" (change.map_or("", |c| &c.description)) } }
    }
}

fn files(earlier: Option<&Earlier>) -> Markup {
    let source = earlier.map(|earlier| &earlier.change.source);
    let (url, reference) = match source {
        Some(Source::Git { url, reference }) => (url.as_str(), reference.as_str()),
        _ => ("", ""),
    };
    let workspace = source.and_then(Source::workspace);
    let by_git = workspace.is_none() && source != Some(&Source::None);
    html! {
        @if let (Some(digest), Some(earlier)) = (workspace, earlier) {
            label { input type="radio" name="source" value="workspace" checked; " Those of “" (earlier.change.title) "”, with their configuration" }
            input type="hidden" name="workspace" value=(digest);
        }
        label { input type="radio" name="source" value="git" checked[by_git]; " A commit, which runners clone" }
        label { "URL" input type="text" name="url" value=(url) placeholder="https://… or ssh://…" spellcheck="false"; }
        label { "Commit" span.hint { " all 40 digits: " code { "git rev-parse HEAD" } }
            input name="ref" value=(reference) maxlength="40" spellcheck="false"; }
        label { input type="radio" name="source" value="none" checked[source == Some(&Source::None)]; " None: the phases' commands bring what they need" }
    }
}

fn configuration(given: Option<&GivenConfig>) -> Markup {
    let local = given.and_then(|given| given.local_phases.as_deref());
    html! {
        h2 { "Its configuration" }
        p.hint { "The text of config.json, of a commit exactly as it is there. Files that were sent have their own." }
        label { "config.json" textarea name="config" rows="8" spellcheck="false" placeholder=(EXAMPLE) { "\n" (given.map_or("", |given| &given.config)) } }
        details open[local.is_some()] {
            summary { ".delivery/project.toml" }
            label { "project.toml" textarea name="local_phases" rows="6" spellcheck="false" { "\n" (local.unwrap_or_default()) } }
        }
    }
}

pub(super) async fn submit(State(api): State<Api>, caller: Caller, fields: Fields) -> Result<Done, ApiError> {
    let name =
        |key: &str| fields.parsed::<Name>(key)?.ok_or_else(|| bad(key, format!("`{key}` is not filled in"), &[]));
    let (org, project, pipeline) = (name("org")?, name("project")?, name("pipeline")?);
    caller.check(Commit::ROLES, &Place::Project(org.clone(), project.clone()))?;
    let source = source(&fields)?;
    let has_own = source.workspace().is_some();
    let request = SubmitChange {
        title: fields.text("title")?,
        description: fields.lines("description").unwrap_or_default(),
        config: fields.lines("config").filter(|_| !has_own),
        local_phases: fields.lines("local_phases").filter(|_| !has_own),
        source,
    };
    let at = PipelinePath { enterprise: enterprise()?, org, project, pipeline };
    let id = api.dispatcher.submit_change(at, request, &caller.name).await?;
    Ok(Done::at(format!("/changes/{id}")).saying("The change is submitted."))
}

fn source(fields: &Fields) -> Result<Source, ApiError> {
    match fields.filled("source") {
        Some("git") => Ok(Source::Git { url: fields.text("url")?, reference: fields.text("ref")? }),
        Some("none") => Ok(Source::None),
        Some("workspace") => {
            let digest: Option<Digest> = fields.parsed("workspace")?;
            let digest = digest.ok_or_else(|| bad("workspace", "the form names no files".into(), &[]))?;
            Ok(Source::Workspace { digest })
        }
        other => {
            let found = other.unwrap_or("nothing");
            Err(bad("source", format!("`{found}` is no source of files"), &["git", "none", "workspace"]))
        }
    }
}
