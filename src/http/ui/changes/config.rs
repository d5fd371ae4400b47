//! The configuration that a change is planned with, as it was given.

use axum::extract::State;
use axum::response::Response;
use maud::html;
use shuntyard_domain::ids::ChangeId;

use super::below;
use crate::http::Api;
use crate::http::error::ApiError;
use crate::http::path::PathId;
use crate::http::ui::viewer::Viewer;

pub(super) async fn page(
    State(api): State<Api>,
    viewer: Viewer,
    PathId(id): PathId<ChangeId>,
) -> Result<Response, ApiError> {
    let change = api.dispatcher.change_body(id).await?;
    let texts = api.dispatcher.config_of(id).await?;
    let inside = html! {
        h2 { "config.json" }
        pre.command tabindex="0" { (texts.config) }
        @if let Some(local) = &texts.local_phases {
            h2 { "project.toml" }
            pre.command tabindex="0" { (local) }
        }
    };
    Ok(below(&viewer, &change, "Configuration", &inside))
}
