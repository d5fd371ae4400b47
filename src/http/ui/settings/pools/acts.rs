//! What forms do to pools; each does what the API's route does.

use axum::extract::State;
use axum::response::Response;
use serde_json::Map;
use shuntyard_domain::pool::name::PoolName;
use shuntyard_domain::wire::pools::PatchPool;

use super::{HERE, form, page_of};
use crate::dispatch::{DispatchError, Keep};
use crate::http::Api;
use crate::http::access::Caller;
use crate::http::error::ApiError;
use crate::http::pages::bad;
use crate::http::path::PathPool;
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
    let name: PoolName = fields.text("name")?.parse().map_err(DispatchError::BadName)?;
    let mut keys = form::keys(&fields)?;
    keys.retain(|_, value| !value.is_null());
    let made = api.dispatcher.create_pool(name, keys, &caller.name).await?;
    Ok(shown(&viewer, made.about.name.as_str(), &made.secret))
}

/// All keys of the form, as they shall be from now on.
pub(super) async fn change(State(api): State<Api>, PathPool(name): PathPool, fields: Fields) -> Result<Done, ApiError> {
    let changes = form::keys(&fields)?;
    api.dispatcher.patch_pool(&name, PatchPool { new_secret: false, changes }).await?;
    Ok(Done::at(page_of(&name)).saying(format!("{name} is changed.")))
}

pub(super) async fn switch(State(api): State<Api>, PathPool(name): PathPool, fields: Fields) -> Result<Done, ApiError> {
    let enabled = fields.filled("enabled") == Some("yes");
    let changes = Map::from_iter([("enabled".to_owned(), enabled.into())]);
    api.dispatcher.patch_pool(&name, PatchPool { new_secret: false, changes }).await?;
    let what = if enabled { "enabled" } else { "disabled" };
    Ok(Done::at(page_of(&name)).saying(format!("{name} is {what}.")))
}

pub(super) async fn secret(
    State(api): State<Api>,
    viewer: Viewer,
    PathPool(name): PathPool,
) -> Result<Response, ApiError> {
    let patch = PatchPool { new_secret: true, changes: Map::new() };
    let (_, secret) = api.dispatcher.patch_pool(&name, patch).await?;
    Ok(shown(&viewer, &name, &secret.unwrap_or_default()))
}

fn shown(viewer: &Viewer, name: &str, secret: &str) -> Response {
    let (title, what) = ("A pool", format!("The secret of the pool {name}"));
    let hint = "The provider checks by it that a call is ours, as standardwebhooks.com describes.";
    once(viewer, &Once { title, what: &what, secret, hint, back: &page_of(name) })
}

pub(super) async fn delete(State(api): State<Api>, PathPool(name): PathPool, fields: Fields) -> Result<Done, ApiError> {
    let keep = match fields.filled("machines") {
        None | Some("stop") => Keep::Nothing,
        Some("keep") => Keep::Runners,
        Some("force") => Keep::RunnersByForce,
        Some(other) => {
            let message = format!("`{other}` is nothing that becomes of machines");
            return Err(bad("machines", message, &["stop", "keep", "force"]));
        }
    };
    Ok(match api.dispatcher.delete_pool(&name, keep).await? {
        0 => Done::at(HERE).saying(format!("{name} is deleted.")),
        1 => Done::at(page_of(&name)).saying(format!("{name} goes when its machine is stopped.")),
        left => Done::at(page_of(&name)).saying(format!("{name} goes when its {left} machines are stopped.")),
    })
}
