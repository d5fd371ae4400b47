//! What a repeated request is answered: what the first one made, as it is now.
//!
//! A secret that the first answer held was told once; the repetition says that it is withheld.

use std::str::FromStr;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;
use shuntyard_domain::access::Place;
use shuntyard_domain::tenancy::Name;
use shuntyard_domain::wire::api::{RunnerBody, StepEvent};
use shuntyard_domain::wire::idempotency::Repeated;
use shuntyard_domain::wire::pools::PoolBody;
use tokio::sync::mpsc;

use crate::dispatch::{DEFAULT, DispatchError};
use crate::http::access::Caller;
use crate::http::error::ApiError;
use crate::http::{Api, steps};
use crate::store::{MadeByRequest, MadeKind};

/// The status and the shape of the first answer; 410 when what it made was deleted since.
pub(super) async fn answer(api: &Api, caller: &Caller, made: MadeByRequest) -> Response {
    let answer = shown(api, caller, &made).await;
    answer.unwrap_or_else(|error| error.about_made(&format!("{} `{}`", made.kind.as_str().replace('_', " "), made.id)))
}

async fn shown(api: &Api, caller: &Caller, made: &MadeByRequest) -> Result<Response, ApiError> {
    let MadeByRequest { kind, id } = made;
    let dispatcher = &api.dispatcher;
    match kind {
        MadeKind::Job => {
            let job = dispatcher.job(read(id)?).await?;
            still_sees(caller, &job.origin.org, &job.origin.project)?;
            created(&api.job_body(&job).await?)
        }
        MadeKind::PhaseRun => {
            let run = api.phase_run_body(read(id)?).await?;
            still_sees(caller, DEFAULT, &run.project)?;
            created(&run)
        }
        MadeKind::FanOut => {
            let fan_out = dispatcher.fan_out_body(read(id)?).await?;
            still_sees(caller, DEFAULT, &fan_out.project)?;
            created(&fan_out)
        }
        MadeKind::Change => created(&dispatcher.change_body(read(id)?).await?),
        MadeKind::JumpHost => created(&dispatcher.jump_host_body(&read::<Name>(id)?)?),
        MadeKind::Place => created(&json!({"name": id})),
        MadeKind::EnrolmentToken => without_secret(&dispatcher.enrolment_token(id).await?),
        MadeKind::Webhook => without_secret(&dispatcher.webhook(id).await?),
        MadeKind::Pool => without_secret(&PoolBody { instances: None, ..dispatcher.pool(id).await? }),
        MadeKind::User => created(&dispatcher.user(id).await?),
        MadeKind::Token => without_secret(&dispatcher.token(&caller.holder, id).await?),
        MadeKind::Runner => Ok(finished(api, Some(dispatcher.runner_body(id).await?))),
        MadeKind::InstalledJumpHost => {
            dispatcher.jump_host_body(&read::<Name>(id)?)?;
            Ok(finished(api, None))
        }
    }
}

/// The guard has asked about the path; the place of these was named in the body, and roles may have been taken since.
fn still_sees(caller: &Caller, org: &str, project: &str) -> Result<(), ApiError> {
    let there = caller.grants.at(&Place::of(org, project)).next().is_some();
    if there { Ok(()) } else { Err(ApiError::NotFound("there is no such project".into())) }
}

/// What is stored was an id when it was stored.
fn read<T: FromStr>(id: &str) -> Result<T, ApiError> {
    id.parse().map_err(|_| ApiError::Dispatch(DispatchError::Interrupted))
}

fn created(body: &impl Serialize) -> Result<Response, ApiError> {
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

fn without_secret(body: &impl Serialize) -> Result<Response, ApiError> {
    created(&Repeated { secret_withheld: true, about: body })
}

/// The last event of a bootstrap.
fn finished(api: &Api, runner: Option<RunnerBody>) -> Response {
    let (listener, events) = mpsc::unbounded_channel();
    // Never refused: its receiver is here.
    let _ = listener.send(StepEvent::Finished { runner: runner.map(Box::new), left_behind: Vec::new() });
    steps::answer(events, api.dispatcher.stop_signal()).into_response()
}
