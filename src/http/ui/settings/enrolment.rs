//! Enrolment tokens: which there are, what became of them.

use axum::extract::State;
use axum::response::Response;
use maud::html;

use crate::http::Api;
use crate::http::error::ApiError;
use crate::http::path::PathId;
use crate::http::ui::done::Done;
use crate::http::ui::parts::{self, Tone, state};
use crate::http::ui::viewer::Viewer;

const HERE: &str = "/settings/enrolment";

pub(super) async fn page(State(api): State<Api>, viewer: Viewer) -> Result<Response, ApiError> {
    let tokens = api.dispatcher.enrolment_tokens().await?;
    let inside = html! {
        p { "A host that has one of these makes itself a runner. " a.button href="/add-runner" { "Make a token" } }
        @if tokens.is_empty() { (parts::empty("There is none. On the command line:", "shunt ctl create-token NAME")) } @else {
            div.table { table {
                thead { tr { th { "For" } th { "Begins with" } th { "State" } th { "By" } th { "Good until" } th { "Runner" } th { "Labels" } th { span.unseen { "Revoke" } } } }
                tbody { @for token in &tokens { tr {
                    td { (token.name) }
                    td { code { (token.prefix) "…" } }
                    td { (state(if token.state == "good" { Tone::Good } else { Tone::Off }, &token.state)) }
                    td { (token.created_by) }
                    td { (parts::at(&token.expires_at)) }
                    td { @if let Some(runner) = &token.runner { a href={ "/runners/" (runner) } { (runner) } } }
                    td { (parts::words(&token.labels)) }
                    td { @if token.state == "good" {
                        form method="post" action={ (HERE) "/" (token.id) "/revoke" } { button { "Revoke" } }
                    } }
                } } }
            } }
        }
    };
    Ok(super::page(&viewer, "Enrolment", &inside))
}

pub(super) async fn revoke(State(api): State<Api>, PathId(id): PathId<String>) -> Result<Done, ApiError> {
    api.dispatcher.revoke_enrolment_token(&id).await?;
    Ok(Done::at(HERE).saying("The token is revoked."))
}
