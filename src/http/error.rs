//! The only place that knows status codes for errors.

mod uploads;
pub(super) mod words;

use std::any::Any;
use std::sync::Arc;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use shuntyard_domain::project_config::Fault;
use shuntyard_domain::wire::api::ErrorBody;
use shuntyard_domain::wire::idempotency;

use super::open_streams::TooManyStreams;
use super::rate::{BURST_S, TooOften};
use super::request_id;
use crate::dispatch::{AccountError, DispatchError, EnrolError, NotReady, Quota};
use crate::store::StoreError;

/// An answer that is not a success.
#[derive(Debug)]
pub(super) enum ApiError {
    /// No or an unknown token.
    TokenDenied,
    TokenExpired,
    /// The caller sees the place, but has no role for this there. Chef's answer to it has no body.
    Forbidden,
    /// A page of another site has sent it, with its reader's cookie.
    CrossSite,
    /// A login was refused, or a change of users or tokens.
    Account(AccountError),
    NotFound(String),
    BadRequest {
        path: Option<String>,
        message: String,
        allowed: Vec<String>,
    },
    /// A range of a log that does not exist.
    BadRange {
        length: u64,
    },
    TooLarge(String),
    /// The Idempotency-Key is that of another request.
    KeyReused(String),
    /// The first request with the Idempotency-Key is still being carried out.
    KeyUnderWay(String),
    /// The body did not arrive in time.
    TooSlow,
    /// More requests than one caller may send.
    TooOften(TooOften),
    /// More open streams than one caller may have.
    TooManyStreams(TooManyStreams),
    /// A step on a runner's host failed.
    StepFailed(String),
    /// A host was not enrolled.
    Enrol(Arc<EnrolError>),
    /// Requests should be sent elsewhere, or later.
    NotReady(NotReady),
    Dispatch(DispatchError),
}

impl ApiError {
    /// What is wrong, for people.
    pub(super) fn sentence(self) -> String {
        shown(self).message
    }

    /// The answer when what an earlier request has made cannot be shown: 410 when it is no longer there.
    pub(super) fn about_made(self, what: &str) -> Response {
        let shown = shown(self);
        if shown.status != StatusCode::NOT_FOUND {
            return shown.into_response();
        }
        let message = format!("the {what} that this request has made is no longer there");
        Shown::new(StatusCode::GONE, "gone", message).into_response()
    }
}

impl From<DispatchError> for ApiError {
    fn from(error: DispatchError) -> Self {
        Self::Dispatch(error)
    }
}

impl From<AccountError> for ApiError {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::TokenDenied => Self::TokenDenied,
            AccountError::TokenExpired => Self::TokenExpired,
            AccountError::Forbidden => Self::Forbidden,
            AccountError::Engine(error) => Self::Dispatch(error),
            error => Self::Account(error),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::Dispatch(DispatchError::Store(error))
    }
}

struct Shown {
    status: StatusCode,
    error: &'static str,
    message: String,
    path: Option<String>,
    allowed: Vec<String>,
    faults: Vec<Fault>,
}

impl Shown {
    fn new(status: StatusCode, error: &'static str, message: impl Into<String>) -> Self {
        Self { status, error, message: message.into(), path: None, allowed: Vec::new(), faults: Vec::new() }
    }
}

impl IntoResponse for Shown {
    fn into_response(self) -> Response {
        let body = ErrorBody {
            error: self.error.into(),
            message: self.message,
            path: self.path,
            allowed: self.allowed,
            faults: self.faults,
            request_id: request_id::current(),
        };
        (self.status, Json(body)).into_response()
    }
}

fn shown(error: ApiError) -> Shown {
    match error {
        ApiError::TokenDenied => Shown::new(
            StatusCode::UNAUTHORIZED,
            "token_denied",
            "the request carries no valid token; send `Authorization: Bearer TOKEN`",
        ),
        ApiError::TokenExpired => Shown::new(
            StatusCode::UNAUTHORIZED,
            "token_expired",
            "the token has expired; log in again, or make another",
        ),
        ApiError::CrossSite => Shown::new(
            StatusCode::FORBIDDEN,
            "cross_site",
            "a page of another site has sent this; open Shuntyard's own page and try again",
        ),
        ApiError::Account(error) => shown_account(error),
        ApiError::Forbidden => Shown::new(StatusCode::FORBIDDEN, "forbidden", ""),
        ApiError::NotFound(message) => Shown::new(StatusCode::NOT_FOUND, "not_found", message),
        ApiError::BadRequest { path, message, allowed } => {
            Shown { path, allowed, ..Shown::new(StatusCode::BAD_REQUEST, "bad_request", message) }
        }
        ApiError::BadRange { length } => Shown::new(
            StatusCode::RANGE_NOT_SATISFIABLE,
            "bad_range",
            format!("the log has {length} bytes; nothing of the range is kept, or it begins behind them"),
        ),
        ApiError::NotReady(why) => Shown::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", why.to_string()),
        ApiError::StepFailed(message) => Shown::new(StatusCode::BAD_GATEWAY, "step_failed", message),
        ApiError::TooLarge(message) => Shown::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message),
        ApiError::KeyReused(key) => Shown {
            path: Some("Idempotency-Key".into()),
            allowed: vec!["a key that is new, or the same request".into()],
            ..Shown::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                format!("the key `{key}` was used for another request in the last 24 hours"),
            )
        },
        ApiError::KeyUnderWay(key) => Shown::new(
            StatusCode::CONFLICT,
            idempotency::UNDER_WAY,
            format!("the first request with the key `{key}` is still being carried out; ask again in a few seconds"),
        ),
        ApiError::TooSlow => {
            Shown::new(StatusCode::REQUEST_TIMEOUT, "too_slow", "the body did not arrive within 60 seconds")
        }
        ApiError::TooManyStreams(TooManyStreams { most }) => Shown::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_streams",
            format!("this caller has {most} event streams open, as many as [limits] streams allows; close one first"),
        ),
        ApiError::TooOften(TooOften { wait_s, per_s }) => {
            let message = format!("more requests than are taken from one caller; try again in {wait_s} s");
            let allowed = vec![format!("{per_s} requests a second, and {} at once", u64::from(per_s) * BURST_S)];
            Shown { allowed, ..Shown::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message) }
        }
        ApiError::Enrol(error) => shown_enrol(&error),
        ApiError::Dispatch(error) => shown_dispatch(error),
    }
}

fn shown_dispatch(error: DispatchError) -> Shown {
    use DispatchError as E;
    let message = error.to_string();
    match error {
        E::Blob(error) => uploads::shown_blob(&error, message),
        E::NoToken(_)
        | E::NoPool(_)
        | E::NoWebhook(_)
        | E::NoDelivery(_)
        | E::NoJumpHost(_)
        | E::NoJob(_)
        | E::NoRunner(_)
        | E::NoChange(_)
        | E::NoFanOut(_)
        | E::NoPlace(_) => Shown::new(StatusCode::NOT_FOUND, "not_found", message),
        E::Raced(_) | E::Store(StoreError::Repeated { .. }) => Shown::new(StatusCode::CONFLICT, "raced", message),
        E::FanOutRuns(_) => Shown::new(StatusCode::CONFLICT, "still_running", message),
        E::TokenUsed { .. } => Shown::new(StatusCode::CONFLICT, "token_used", message),
        E::JumpHostUsed { .. } => Shown::new(StatusCode::CONFLICT, "in_use", message),
        E::DialOutOff => Shown::new(StatusCode::CONFLICT, "dial_out_off", message),
        E::Taken { .. } => Shown::new(StatusCode::CONFLICT, "conflict", message),
        E::NotAllowed(_) => Shown::new(StatusCode::PRECONDITION_FAILED, "precondition_failed", message),
        E::BadConfig(faults) => {
            let first = faults.first();
            Shown {
                path: first.map(|f| f.path.clone()),
                allowed: first.map(|f| f.allowed.clone()).unwrap_or_default(),
                faults,
                ..Shown::new(StatusCode::BAD_REQUEST, "bad_config", message)
            }
        }
        E::BadRequest { path, message, allowed } => {
            Shown { path: Some(path), allowed, ..Shown::new(StatusCode::BAD_REQUEST, "bad_request", message) }
        }
        E::OverQuota(over) => {
            let (status, code) = match over.quota {
                Quota::UnfinishedJobs => (StatusCode::TOO_MANY_REQUESTS, "queue_full"),
                Quota::ScriptBytes => (StatusCode::PAYLOAD_TOO_LARGE, "script_too_large"),
                Quota::MatrixRows => (StatusCode::UNPROCESSABLE_ENTITY, "matrix_too_large"),
                Quota::JobLogBytes => (StatusCode::UNPROCESSABLE_ENTITY, "log_too_large"),
            };
            Shown { path: Some(over.path.clone()), allowed: vec![over.allowed()], ..Shown::new(status, code, message) }
        }
        E::BadName(_) => Shown::new(StatusCode::BAD_REQUEST, "bad_request", message),
        E::RunnerBusy { .. } => Shown::new(StatusCode::CONFLICT, "runner_busy", message),
        E::IsLocal { .. } | E::LocalNameTaken(_) => Shown::new(StatusCode::CONFLICT, "local_runner", message),
        E::Removed { .. } => Shown::new(StatusCode::GONE, "removed", message),
        E::UnderWay(_) => Shown::new(StatusCode::CONFLICT, "under_way", message),
        E::Connect(_) => Shown::new(StatusCode::BAD_GATEWAY, "runner_unreachable", message),
        E::Random | E::Key(_) | E::Apply(_) | E::Store(_) | E::Log(_) | E::Seal(_) | E::Interrupted => {
            tracing::error!(error = message, "a request failed");
            Shown::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal_error",
                "the server could not do this; its log says why under this request id",
            )
        }
    }
}

fn shown_account(error: AccountError) -> Shown {
    use AccountError as E;
    let message = error.to_string();
    let (status, word) = match error {
        E::TokenDenied | E::TokenExpired | E::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized"),
        E::TooManyTries { .. } => (StatusCode::TOO_MANY_REQUESTS, "too_many_tries"),
        E::Crowded => (StatusCode::TOO_MANY_REQUESTS, "crowded"),
        E::Forbidden => (StatusCode::FORBIDDEN, "forbidden"),
        E::NoUser(_) | E::NoOrg(_) | E::NoToken(_) => (StatusCode::NOT_FOUND, "not_found"),
        E::LastAdmin => (StatusCode::CONFLICT, "last_admin"),
        E::ReservedName => (StatusCode::BAD_REQUEST, "bad_request"),
        E::FileToken => (StatusCode::CONFLICT, "file_token"),
        E::NoPassword(_) => (StatusCode::CONFLICT, "no_password"),
        E::Engine(error) => return shown_dispatch(error),
    };
    Shown::new(status, word, message)
}

/// Seconds until it is worth to ask again.
fn retry_after(error: &ApiError) -> Option<HeaderValue> {
    match error {
        ApiError::Account(AccountError::TooManyTries { wait_s }) => Some(HeaderValue::from(*wait_s)),
        ApiError::Account(AccountError::Crowded) => Some(HeaderValue::from(1)),
        ApiError::KeyUnderWay(_) => Some(HeaderValue::from(3)),
        ApiError::TooOften(over) => Some(HeaderValue::from(over.wait_s)),
        _ => None,
    }
}

/// Why a host was not enrolled, with what its owner can try.
fn shown_enrol(error: &EnrolError) -> Shown {
    use EnrolError as E;
    let status = match error {
        E::Malformed | E::Unknown | E::Expired { .. } | E::Revoked { .. } | E::Used { .. } => StatusCode::UNAUTHORIZED,
        E::WrongNetwork { .. } | E::WrongName { .. } => StatusCode::FORBIDDEN,
        E::TooManyTries { .. } | E::Crowded => StatusCode::TOO_MANY_REQUESTS,
        E::NameTaken(_) | E::HostTaken(_) | E::OtherVersion { .. } | E::Engine(DispatchError::UnderWay(_)) => {
            StatusCode::CONFLICT
        }
        E::Engine(DispatchError::DialOutOff) => StatusCode::CONFLICT,
        E::NoEnrolment => StatusCode::NOT_FOUND,
        E::BadRequest(_) | E::BadValue(_) | E::Facts(_) | E::Install(_) => StatusCode::BAD_REQUEST,
        E::Step { .. } => StatusCode::BAD_GATEWAY,
        E::Engine(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    Shown::new(status, error.code(), format!("{error}; {}", error.try_next()))
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if matches!(self, Self::Forbidden) {
            return StatusCode::FORBIDDEN.into_response();
        }
        let retry_after = retry_after(&self);
        let denied = matches!(self, Self::TokenDenied | Self::TokenExpired | Self::Account(AccountError::Unauthorized));
        let mut response = shown(self).into_response();
        if denied {
            let challenge = HeaderValue::from_static("ChefToken realm=\"ChefDelivery\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

/// Whether a request was refused because nobody good has sent it.
pub(super) fn is_denied(response: &Response) -> bool {
    response.status() == StatusCode::UNAUTHORIZED
}

/// Whether a request was refused for want of a role.
pub(super) fn is_forbidden(response: &Response) -> bool {
    response.status() == StatusCode::FORBIDDEN
}

/// Chef's answer to a path that is not an API route.
pub(super) async fn invalid_route() -> Response {
    let message = "there is no such route; API routes begin with /api/v0/e/default/";
    Shown::new(StatusCode::NOT_FOUND, "invalid_route", message).into_response()
}

/// The `Allow` header is set by the router.
pub(super) async fn method_not_allowed() -> Response {
    let message = "this route does not know the method; the Allow header lists those it knows";
    Shown::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message).into_response()
}

/// Plain HTTP was spoken to a port that speaks TLS. The connection is closed: nothing else will be understood on it.
pub(super) async fn spoke_plain_http() -> Response {
    let message = "this port speaks TLS: write https:// in the address";
    let headers = [(header::CONNECTION, "close")];
    (headers, Shown::new(StatusCode::BAD_REQUEST, "tls_required", message)).into_response()
}

/// There are more connections than are served at a time; this one is told so and closed.
pub(super) async fn crowded() -> Response {
    let message = "the server has as many connections as it takes; close some, or try again in a few seconds";
    let headers = [(header::CONNECTION, "close"), (header::RETRY_AFTER, "5")];
    (headers, Shown::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_connections", message)).into_response()
}

/// A handler panicked: a fault of ours that must not end the connection without an answer.
pub(super) fn panicked(_: Box<dyn Any + Send>) -> Response {
    ApiError::Dispatch(DispatchError::Interrupted).into_response()
}
