//! Log in and out: the token of a login as a cookie that scripts cannot read.

use axum::Extension;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use maud::html;
use serde::Deserialize;
use shuntyard_domain::wire::access::{GetToken, TokenKind};

use super::done::{Done, set_cookie};
use super::fields::Fields;
use super::page::Page;
use super::viewer::Viewer;
use crate::http::Api;
use crate::http::access::Caller;
use crate::http::error::ApiError;
use crate::http::pages::bad;
use crate::http::peer::{OverTls, Peer};
use crate::http::query::ApiQuery;

/// The cookie of the token.
pub(in crate::http) const SESSION: &str = "shunt_session";

#[derive(Debug, Default, Deserialize)]
pub(super) struct LoginQuery {
    /// The page that was asked for.
    next: Option<String>,
}

pub(super) async fn show(viewer: Viewer, ApiQuery(query): ApiQuery<LoginQuery>) -> Response {
    let next = query.next.unwrap_or_else(|| "/".into());
    let main = html! {
        section.login {
            h1 { "Log in to Shuntyard" }
            form method="post" action="/login" {
                input type="hidden" name="next" value=(next);
                label { "User" input name="user" autocomplete="username" autofocus required; }
                label { "Password" input type="password" name="password" autocomplete="current-password" required; }
                button.primary { "Log in" }
            }
            details {
                summary { "Log in with a token" }
                p {
                    "The first start has written an admin token into the daemon's data directory, as " code { "admin.token" }
                    ". Make a user of your own with it: " code { "shunt user create NAME --role admin" } "."
                }
                form method="post" action="/login" {
                    input type="hidden" name="next" value=(next);
                    label { "Token" input type="password" name="token" autocomplete="off" required; }
                    button { "Log in with the token" }
                }
            }
        }
    };
    Page::still("Log in", None, main).response(&viewer)
}

pub(super) async fn log_in(
    State(api): State<Api>,
    Extension(Peer(peer)): Extension<Peer>,
    Extension(OverTls(secure)): Extension<OverTls>,
    fields: Fields,
) -> Result<Response, ApiError> {
    let (token, ttl) = if let Some(token) = fields.filled("token") {
        // A token that is somebody's; it stays theirs to revoke.
        api.dispatcher.holder(token, None).await?;
        (token.to_owned(), None)
    } else {
        let password = fields.secret("password").ok_or_else(|| bad("password", "there is no password".into(), &[]))?;
        let asked = GetToken { username: fields.text("user")?, password };
        let got = api.dispatcher.get_token(peer.ip(), asked).await?;
        (got.token, Some(got.ttl))
    };
    let mut response = Done::at(fields.local("next")).into_response();
    let kept = ttl.map_or_else(String::new, |ttl| format!("; Max-Age={ttl}"));
    let secure = if secure { "; Secure" } else { "" };
    set_cookie(&mut response, SESSION, &token, &format!("{kept}{secure}"));
    Ok(response)
}

/// A token that the login made ends with it; one that was brought stays good.
pub(super) async fn log_out(State(api): State<Api>, caller: Caller) -> Result<Response, ApiError> {
    if caller.holder.kind == TokenKind::Login {
        api.dispatcher.revoke_token(&caller.holder, &caller.token_id).await?;
    }
    let mut response = Done::at("/login").saying("You are logged out.").into_response();
    set_cookie(&mut response, SESSION, "", "; Max-Age=0");
    response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    Ok(response)
}
