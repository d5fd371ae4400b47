//! What forms do to a change; each does what the API's route does.

use axum::extract::State;
use shuntyard_domain::ids::ChangeId;

use crate::dispatch::Trigger;
use crate::http::Api;
use crate::http::access::Caller;
use crate::http::error::ApiError;
use crate::http::path::{PathId, PathStage};
use crate::http::ui::done::Done;
use crate::http::ui::fields::Fields;

fn done(id: ChangeId, sentence: &str) -> Done {
    Done::at(format!("/changes/{id}")).saying(sentence)
}

pub(super) async fn approve(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId<ChangeId>,
) -> Result<Done, ApiError> {
    api.dispatcher.approve_change(id, &caller.name).await?;
    Ok(done(id, "The change is approved."))
}

pub(super) async fn deliver(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId<ChangeId>,
) -> Result<Done, ApiError> {
    api.dispatcher.deliver_change(id, &caller.name).await?;
    Ok(done(id, "The change is on its way to delivered."))
}

pub(super) async fn trigger(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId<ChangeId>,
    PathStage(stage): PathStage,
    fields: Fields,
) -> Result<Done, ApiError> {
    let what = Trigger { stage, failed_only: fields.has("failed_only") };
    api.dispatcher.trigger_stage(id, what, &caller.name).await?;
    Ok(done(id, "The stage runs again."))
}

pub(super) async fn cancel(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId<ChangeId>,
) -> Result<Done, ApiError> {
    api.dispatcher.cancel_change(id, &caller.name).await?;
    Ok(done(id, "The run is being cancelled."))
}

pub(super) async fn close(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId<ChangeId>,
) -> Result<Done, ApiError> {
    api.dispatcher.close_change(id, &caller.name).await?;
    Ok(done(id, "The change is given up."))
}
