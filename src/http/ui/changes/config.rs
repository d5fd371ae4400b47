//! The configuration that a change is planned with, as it was given.

use axum::extract::State;
use axum::response::Response;
use maud::html;
use shuntyard_domain::ids::ChangeId;

use crate::http::Api;
use crate::http::error::ApiError;
use crate::http::path::PathId;
use crate::http::ui::bar::Section;
use crate::http::ui::page::Page;
use crate::http::ui::viewer::Viewer;

pub(super) async fn page(
    State(api): State<Api>,
    viewer: Viewer,
    PathId(id): PathId<ChangeId>,
) -> Result<Response, ApiError> {
    let change = api.dispatcher.change_body(id).await?;
    let texts = api.dispatcher.config_of(id).await?;
    let title = format!("Configuration of {}", change.title);
    let main = html! {
        h1 { (title) }
        p { a href={ "/changes/" (id) } { "Back to the change" } " · " a href={ "/changes/" (id) "/plan" } { "What it would do (plan)" } }
        h2 { "config.json" }
        pre.command tabindex="0" { (texts.config) }
        @if let Some(local) = &texts.local_phases {
            h2 { "project.toml" }
            pre.command tabindex="0" { (local) }
        }
    };
    Ok(Page::still(title, Some(Section::Changes), main).response(&viewer))
}
