//! Tokens of the reader and, for admins, of all; and the reader's own password.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use shuntyard_domain::wire::access::{ChangePassword, CreateToken, MIN_PASSWORD_CHARS, TOKEN_TTL_S, TokenBody};

use super::{Once, grants, once};
use crate::http::Api;
use crate::http::access::Caller;
use crate::http::error::ApiError;
use crate::http::pages::bad;
use crate::http::path::PathId;
use crate::http::peer::Peer;
use crate::http::ui::done::Done;
use crate::http::ui::fields::Fields;
use crate::http::ui::parts::{self, Ask, Tone, ask, state};
use crate::http::ui::viewer::Viewer;

const HERE: &str = "/settings/tokens";
const DAY_S: u32 = 24 * 3600;

pub(super) async fn page(State(api): State<Api>, viewer: Viewer) -> Result<Response, ApiError> {
    let caller = viewer.known()?;
    let tokens = api.dispatcher.tokens(&caller.holder).await?;
    let inside = html! {
        div.columns {
            section { h2 { "A new token" } (new(caller)) }
            @if caller.holder.user.is_some() { section { h2 { "Your password" } (own_password()) } }
        }
        h2 { "Tokens" }
        (table(&tokens))
    };
    Ok(super::page(&viewer, "Tokens", &inside))
}

fn new(caller: &Caller) -> Markup {
    html! {
        form method="post" action=(HERE) {
            label { "Name" input name="name" required maxlength="64" spellcheck="false"; }
            label { "Good for, in days" input type="number" name="days" min="1" max="3650" value=(TOKEN_TTL_S / DAY_S); }
            @if caller.holder.is_admin() {
                // The token of the first start is nobody's.
                @let own = caller.holder.user.is_some();
                label { "Whose" span.hint { @if own { " empty: your own" } @else { " a user, unless it is for a program" } }
                    input name="user" maxlength="64" spellcheck="false"; }
                label { input type="checkbox" name="machine"; " For a program, with roles of its own:" }
                label { "Roles of the program" textarea name="grants" rows="3" spellcheck="false" {} }
                p.hint { (grants::HINT) }
            }
            button.primary { "Make a token" }
        }
    }
}

fn own_password() -> Markup {
    html! {
        form method="post" action="/settings/password" {
            label { "The present one" input type="password" name="old" autocomplete="current-password" required; }
            label { "The new one" input type="password" name="new" autocomplete="new-password" minlength=(MIN_PASSWORD_CHARS) required; }
            button { "Change it" }
            p.hint { "Other logins of yours end." }
        }
    }
}

fn table(tokens: &[TokenBody]) -> Markup {
    html! { div.table { table {
        thead { tr { th { "Name" } th { "Kind" } th { "Whose" } th { "Begins with" } th { "State" } th { "Last used" } th { "Good until" } th { span.unseen { "Revoke" } } } }
        tbody { @for token in tokens { tr {
            td { (token.name) @for grant in grants::written(&token.grants) { div.muted { (grant) } } }
            td { (token.kind) }
            td { (token.user.as_deref().unwrap_or_default()) }
            td { code { (token.prefix) "…" } }
            td { (state(if token.state == "good" { Tone::Good } else { Tone::Off }, &token.state)) }
            td { @if let Some(at) = &token.last_used_at { (parts::ago(at)) } @else { span.muted { "never" } } }
            td { @if let Some(at) = &token.expires_at { (parts::at(at)) } @else { span.muted { "always" } } }
            td { @if token.state == "good" {
                @let action = format!("{HERE}/{}/revoke", token.id);
                (ask(&Ask { button: "Revoke", danger: true, action: &action }, &html! {
                    p { "Whoever uses it is refused from now on." }
                    button.danger { "Revoke " (token.name) }
                }))
            } }
        } } }
    } } }
}

pub(super) async fn create(
    State(api): State<Api>,
    viewer: Viewer,
    caller: Caller,
    fields: Fields,
) -> Result<Response, ApiError> {
    let days: u32 = fields.parsed("days")?.unwrap_or(TOKEN_TTL_S / DAY_S);
    let name = fields.parsed("name")?.ok_or_else(|| bad("name", "the token has no name".into(), &[]))?;
    let wanted = CreateToken {
        name,
        ttl_s: days.saturating_mul(DAY_S),
        user: fields.parsed("user")?,
        machine: fields.has("machine"),
        grants: grants::read(fields.filled("grants").unwrap_or_default())?,
    };
    let made = api.dispatcher.create_token(&caller.holder, wanted).await?;
    let what = format!("The token {}", made.about.name);
    let hint = "`shunt` takes it from SHUNT_TOKEN; other programs send it as `Authorization: Bearer`.";
    Ok(once(&viewer, &Once { title: "A token", what: &what, secret: &made.token, hint, back: HERE }))
}

pub(super) async fn revoke(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId<String>,
) -> Result<Done, ApiError> {
    api.dispatcher.revoke_token(&caller.holder, &id).await?;
    Ok(Done::at(HERE).saying("The token is revoked."))
}

pub(super) async fn password(
    State(api): State<Api>,
    caller: Caller,
    Extension(Peer(peer)): Extension<Peer>,
    fields: Fields,
) -> Result<Done, ApiError> {
    let text = |name: &str| fields.secret(name).ok_or_else(|| bad(name, format!("`{name}` is not filled in"), &[]));
    let asked = ChangePassword { old: text("old")?, new: text("new")? };
    api.dispatcher.change_password(peer.ip(), &caller.holder, asked).await?;
    Ok(Done::at(HERE).saying("The password is changed."))
}
