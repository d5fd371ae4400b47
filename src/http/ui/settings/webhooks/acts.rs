//! What forms do to webhooks; each does what the API's route does.

use axum::extract::State;
use axum::response::Response;
use shuntyard_domain::wire::webhook::{CreateWebhook, NewWebhook, PatchWebhook};

use super::{HERE, form, page_of};
use crate::http::Api;
use crate::http::access::Caller;
use crate::http::error::ApiError;
use crate::http::path::{PathDelivery, PathId};
use crate::http::ui::done::Done;
use crate::http::ui::fields::Fields;
use crate::http::ui::settings::{Once, once};
use crate::http::ui::viewer::Viewer;

pub(super) async fn create(
    State(api): State<Api>,
    viewer: Viewer,
    caller: Caller,
    fields: Fields,
) -> Result<Response, ApiError> {
    let wanted = CreateWebhook {
        name: fields.text("name")?,
        url: fields.text("url")?,
        events: form::events(&fields),
        org: fields.filled("org").map(str::to_owned),
        project: fields.filled("project").map(str::to_owned),
        enabled: true,
    };
    Ok(shown(&viewer, &api.dispatcher.create_webhook(wanted, &caller.name).await?))
}

/// Name, URL and events, as they shall be from now on.
pub(super) async fn change(
    State(api): State<Api>,
    PathId(id): PathId<String>,
    fields: Fields,
) -> Result<Done, ApiError> {
    let patch = PatchWebhook {
        name: Some(fields.text("name")?),
        url: Some(fields.text("url")?),
        events: Some(form::events(&fields)),
        enabled: None,
    };
    let changed = api.dispatcher.patch_webhook(&id, patch).await?;
    Ok(Done::at(page_of(&id)).saying(format!("{} is changed.", changed.name)))
}

pub(super) async fn switch(
    State(api): State<Api>,
    PathId(id): PathId<String>,
    fields: Fields,
) -> Result<Done, ApiError> {
    let enabled = fields.filled("enabled") == Some("yes");
    let patch = PatchWebhook { enabled: Some(enabled), ..PatchWebhook::default() };
    let changed = api.dispatcher.patch_webhook(&id, patch).await?;
    let what = if enabled { "on" } else { "off" };
    Ok(Done::at(page_of(&id)).saying(format!("{} is {what}.", changed.name)))
}

pub(super) async fn test(State(api): State<Api>, PathId(id): PathId<String>) -> Result<Done, ApiError> {
    let told = api.dispatcher.ping_webhook(&id).await?;
    let status = told.status.map(|status| format!(" (status {status})")).unwrap_or_default();
    let sentence = match told.error {
        Some(why) => format!("The receiver did not take the message: {why}{status}"),
        None => format!("The receiver took the message{status}."),
    };
    Ok(Done::at(page_of(&id)).saying(sentence))
}

pub(super) async fn secret(
    State(api): State<Api>,
    viewer: Viewer,
    PathId(id): PathId<String>,
) -> Result<Response, ApiError> {
    Ok(shown(&viewer, &api.dispatcher.rotate_webhook(&id).await?))
}

fn shown(viewer: &Viewer, made: &NewWebhook) -> Response {
    let (title, what) = ("A webhook", format!("The secret of the webhook {}", made.about.name));
    let hint = "The receiver checks by it that a message is ours, as standardwebhooks.com describes.";
    once(viewer, &Once { title, what: &what, secret: &made.secret, hint, back: &page_of(&made.about.id) })
}

pub(super) async fn delete(State(api): State<Api>, PathId(id): PathId<String>) -> Result<Done, ApiError> {
    api.dispatcher.delete_webhook(&id).await?;
    Ok(Done::at(HERE).saying("The webhook is deleted."))
}

pub(super) async fn redeliver(
    State(api): State<Api>,
    PathId(id): PathId<String>,
    PathDelivery(delivery): PathDelivery,
) -> Result<Done, ApiError> {
    let again = api.dispatcher.redeliver(&id, &delivery).await?;
    Ok(Done::at(page_of(&id)).saying(format!("{} is sent again.", again.event)))
}
