//! Self-enrolment: its script, the questions of hosts, and the tokens.

use std::sync::LazyLock;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use shuntyard_domain::wire::api::RunnerBody;
use shuntyard_domain::wire::enrolment::{
    CreateEnrolmentToken, EnrolmentTokenBody, HostRequest, NewEnrolmentToken, answer_lines,
};
use shuntyard_domain::wrapper::enrol_script;

use super::Api;
use super::access::Caller;
use super::body::{ApiJson, ApiText};
use super::error::ApiError;
use super::path::{PathEnterprise, PathHost, PathId};
use super::peer::Peer;
use crate::dispatch::EnrolError;

/// The script is no secret, and the same for all.
pub(super) async fn script() -> Response {
    static SCRIPT: LazyLock<String> = LazyLock::new(enrol_script);
    ([(header::CONTENT_TYPE, "text/x-shellscript; charset=utf-8")], SCRIPT.as_str()).into_response()
}

/// Answers a host in lines. One that accepts plain text is told in lines what went wrong, too, and with 200: BusyBox's wget
/// throws away every other answer.
pub(super) async fn enrol(
    State(api): State<Api>,
    Extension(Peer(peer)): Extension<Peer>,
    headers: HeaderMap,
    ApiText(text): ApiText,
) -> Result<Response, ApiError> {
    let answer = match HostRequest::parse(&text) {
        Ok(request) => api.dispatcher.enrol(peer.ip(), request).await,
        Err(bad) => Err(EnrolError::from(bad).into()),
    };
    match answer {
        Ok(lines) => Ok(plain(answer_lines(lines))),
        Err(error) if wants_lines(&headers) => {
            let why = [("err", format!("{} {error}", error.code())), ("try", error.try_next())];
            Ok(plain(answer_lines(why)))
        }
        Err(error) => Err(ApiError::Enrol(error)),
    }
}

fn plain(text: String) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")], text).into_response()
}

fn wants_lines(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|v| v.starts_with("text/plain"))
}

/// Makes a token; this answer is the only one that holds it.
pub(super) async fn create(
    State(api): State<Api>,
    caller: Caller,
    PathEnterprise(enterprise): PathEnterprise,
    ApiJson(wanted): ApiJson<CreateEnrolmentToken>,
) -> Result<(StatusCode, Json<NewEnrolmentToken>), ApiError> {
    Ok((StatusCode::CREATED, Json(api.dispatcher.create_enrolment_token(enterprise, wanted, &caller.name).await?)))
}

/// Every token without itself, newest first.
pub(super) async fn list(State(api): State<Api>) -> Result<Json<Vec<EnrolmentTokenBody>>, ApiError> {
    Ok(Json(api.dispatcher.enrolment_tokens().await?))
}

pub(super) async fn revoke(State(api): State<Api>, PathId(id): PathId<String>) -> Result<StatusCode, ApiError> {
    api.dispatcher.revoke_enrolment_token(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets a pending runner take jobs.
pub(super) async fn approve(
    State(api): State<Api>,
    caller: Caller,
    PathHost(hostname): PathHost,
) -> Result<Json<RunnerBody>, ApiError> {
    api.dispatcher.approve_runner(&hostname, &caller.name).await?;
    Ok(Json(api.dispatcher.runner_body(&hostname).await?))
}
