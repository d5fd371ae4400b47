//! Users and their roles.

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use shuntyard_domain::wire::access::{CreateUser, MIN_PASSWORD_CHARS, PatchUser, UserBody};

use super::grants;
use crate::http::Api;
use crate::http::access::Caller;
use crate::http::error::ApiError;
use crate::http::pages::bad;
use crate::http::path::PathUser;
use crate::http::ui::done::Done;
use crate::http::ui::fields::Fields;
use crate::http::ui::parts::{self, Ask, Tone, ask, state};
use crate::http::ui::viewer::Viewer;

const HERE: &str = "/settings/users";

pub(super) async fn page(State(api): State<Api>, viewer: Viewer) -> Result<Response, ApiError> {
    let users = api.dispatcher.users().await?;
    let inside = html! {
        @if users.is_empty() {
            (parts::empty("There is no user yet; only the admin token of the first start. Here, or:", "shunt user create NAME --role admin"))
        } @else { (table(&users)) }
        section { h2 { "A new user" }
            form method="post" action=(HERE) autocomplete="off" {
                label { "Name" input name="name" required maxlength="64" spellcheck="false" autocomplete="off"; }
                label { "Password" input type="password" name="password" minlength=(MIN_PASSWORD_CHARS) autocomplete="new-password"; }
                label { "Roles" textarea name="grants" rows="3" spellcheck="false" {} }
                p.hint { (grants::HINT) }
                button.primary { "Add the user" }
            }
        }
    };
    Ok(super::page(&viewer, "Users", &inside))
}

fn table(users: &[UserBody]) -> Markup {
    html! { div.table { table {
        thead { tr { th { "Name" } th { "Roles" } th { "State" } th { "Since" } th { span.unseen { "Change" } } } }
        tbody { @for user in users { tr {
            td { (user.name) }
            td { @for grant in grants::written(&user.grants) { div { (grant) } } }
            td { @if user.disabled_at.is_some() { (state(Tone::Off, "disabled")) } @else { (state(Tone::Good, "active")) } }
            td { (parts::ago(&user.created_at)) }
            td { div.acts { (acts(user)) } }
        } } }
    } } }
}

fn acts(user: &UserBody) -> Markup {
    let (change, delete) = (format!("{HERE}/{}/change", user.name), format!("{HERE}/{}/delete", user.name));
    let disabled = user.disabled_at.is_some();
    html! {
        (ask(&Ask { button: "Roles", danger: false, action: &change }, &html! {
            label { "Roles" textarea name="grants" rows="4" spellcheck="false" { (grants::written(&user.grants).join("\n")) } }
            p.hint { (grants::HINT) }
            button.primary { "Save" }
        }))
        (ask(&Ask { button: "Password", danger: false, action: &change }, &html! {
            label { "New password" input type="password" name="password" minlength=(MIN_PASSWORD_CHARS) autocomplete="new-password" required; }
            p.hint { "Their logins end." }
            button.primary { "Set it" }
        }))
        form method="post" action=(change) {
            input type="hidden" name="disabled" value=(if disabled { "no" } else { "yes" });
            button { @if disabled { "Enable" } @else { "Disable" } }
        }
        (ask(&Ask { button: "Delete", danger: true, action: &delete }, &html! {
            p { "Their tokens end. What they did stays in the audit log." }
            button.danger { "Delete " (user.name) }
        }))
    }
}

pub(super) async fn create(State(api): State<Api>, caller: Caller, fields: Fields) -> Result<Done, ApiError> {
    let name = fields.parsed("name")?.ok_or_else(|| bad("name", "the user has no name".into(), &[]))?;
    let grants = grants::read(fields.filled("grants").unwrap_or_default())?;
    let made =
        api.dispatcher.create_user(CreateUser { name, password: fields.secret("password"), grants }, &caller.name);
    Ok(Done::at(HERE).saying(format!("{} is a user.", made.await?.name)))
}

/// Does what the form's fields name: roles, password, enabled or not.
pub(super) async fn change(
    State(api): State<Api>,
    caller: Caller,
    PathUser(user): PathUser,
    fields: Fields,
) -> Result<Done, ApiError> {
    if fields.has("grants") {
        let grants = grants::read(fields.filled("grants").unwrap_or_default())?;
        api.dispatcher.put_grants(&user, &grants, &caller.name).await?;
    } else {
        let disabled = fields.filled("disabled").map(|word| word == "yes");
        let patch = PatchUser { disabled, password: fields.secret("password"), ..PatchUser::default() };
        api.dispatcher.patch_user(&user, patch, &caller.name).await?;
    }
    Ok(Done::at(HERE).saying(format!("{user} is changed.")))
}

pub(super) async fn delete(State(api): State<Api>, PathUser(user): PathUser) -> Result<Done, ApiError> {
    api.dispatcher.delete_user(&user).await?;
    Ok(Done::at(HERE).saying(format!("{user} is deleted.")))
}
