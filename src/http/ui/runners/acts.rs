//! What forms do to a runner; each does what the API's route of the same name does.

use axum::extract::State;
use axum::response::Response;
use shuntyard_domain::runner::RunnerState;
use shuntyard_domain::wire::api::PatchRunner;

use super::page_of;
use super::steps::follow;
use crate::dispatch::{Removal, Removing};
use crate::http::Api;
use crate::http::access::Caller;
use crate::http::error::ApiError;
use crate::http::pages::bad;
use crate::http::path::PathHost;
use crate::http::ui::done::Done;
use crate::http::ui::fields::Fields;
use crate::http::ui::viewer::Viewer;

pub(super) async fn test(
    State(api): State<Api>,
    viewer: Viewer,
    PathHost(hostname): PathHost,
) -> Result<Response, ApiError> {
    let steps = api.dispatcher.test(&hostname).await?;
    let done = Done::at(page_of(&hostname)).saying(format!("The Test of {hostname} has passed."));
    follow(&api, &viewer, steps, done).await
}

/// Drains, disables or enables.
pub(super) async fn state(
    State(api): State<Api>,
    caller: Caller,
    PathHost(hostname): PathHost,
    fields: Fields,
) -> Result<Done, ApiError> {
    let state: Option<RunnerState> = fields.parsed("state")?;
    let state = state.ok_or_else(|| bad("state", "the form names no state".into(), &[]))?;
    let reason = fields.filled("reason").map(str::to_owned);
    let patch = PatchRunner { state: Some(state), reason, ..PatchRunner::default() };
    api.dispatcher.patch_runner(&hostname, patch.into(), &caller.name).await?;
    Ok(Done::at(page_of(&hostname)).saying(format!("{hostname} is {state}.")))
}

/// Labels, capabilities and slots, as they shall be from now on.
pub(super) async fn change(
    State(api): State<Api>,
    caller: Caller,
    PathHost(hostname): PathHost,
    fields: Fields,
) -> Result<Done, ApiError> {
    let patch = PatchRunner {
        labels: fields.has("labels").then(|| fields.words("labels")),
        capabilities: fields.has("capabilities").then(|| fields.words("capabilities")),
        slots: fields.parsed("slots")?,
        ..PatchRunner::default()
    };
    api.dispatcher.patch_runner(&hostname, patch.into(), &caller.name).await?;
    Ok(Done::at(page_of(&hostname)).saying(format!("{hostname} is changed.")))
}

pub(super) async fn delete(
    State(api): State<Api>,
    caller: Caller,
    viewer: Viewer,
    PathHost(hostname): PathHost,
    fields: Fields,
) -> Result<Response, ApiError> {
    let removal = match fields.filled("jobs") {
        None | Some("idle") => Removal::Idle,
        Some("drain") => Removal::Drained,
        Some("cancel") => Removal::Cancelled,
        Some("force") => Removal::Forced,
        Some(other) => {
            let allowed = ["idle", "drain", "cancel", "force"];
            return Err(bad("jobs", format!("`{other}` is no way to delete a runner"), &allowed));
        }
    };
    let reason = fields.filled("reason").map(str::to_owned);
    let steps = api.dispatcher.uninstall(&hostname, Removing { removal, by: caller.name, reason }).await?;
    follow(&api, &viewer, steps, Done::at("/runners").saying(format!("{hostname} is deleted."))).await
}

pub(super) async fn approve(
    State(api): State<Api>,
    caller: Caller,
    PathHost(hostname): PathHost,
) -> Result<Done, ApiError> {
    api.dispatcher.approve_runner(&hostname, &caller.name).await?;
    Ok(Done::at(page_of(&hostname)).saying(format!("{hostname} is approved.")))
}
