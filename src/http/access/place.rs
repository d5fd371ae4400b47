//! Where the thing lies that a path names, and the answer to those who must not know that it exists.

use std::str::FromStr;

use axum::extract::RawPathParams;
use shuntyard_domain::access::Place;
use shuntyard_domain::ids::{ChangeId, FanOutId, JobId, PhaseRunId};

use super::policy::At;
use crate::dispatch::DispatchError;
use crate::http::Api;
use crate::http::error::ApiError;
use crate::store::{change_find, fan_out_find, phase_run_find};

/// Where it lies, and what is answered when the caller does not see that.
pub(super) struct Found {
    pub place: Place,
    pub unseen: ApiError,
    /// Everybody with any role may look at it: a runner that serves all.
    pub shared: bool,
    /// It is not there; only who has a role in the whole enterprise is told so by the handler.
    pub missing: bool,
}

impl Found {
    fn new(place: Place, unseen: impl Into<ApiError>) -> Self {
        Self { place, unseen: unseen.into(), shared: false, missing: false }
    }
}

fn word<T: FromStr>(words: &RawPathParams, name: &str) -> Result<T, ApiError> {
    let found = words.iter().find(|(key, _)| *key == name).map(|(_, word)| word);
    let word = found.ok_or_else(|| ApiError::NotFound(format!("the path names no {name}")))?;
    word.parse().map_err(|_| ApiError::NotFound(format!("there is no `{word}`")))
}

/// Looks up where it lies.
///
/// # Errors
/// `NotFound` for what cannot exist.
pub(super) async fn find(api: &Api, at: At, words: &RawPathParams) -> Result<Found, ApiError> {
    let store = api.dispatcher.store();
    match at {
        At::Enterprise | At::Anywhere => Ok(Found::new(Place::Enterprise, ApiError::Forbidden)),
        At::Org | At::PartOfOrg => {
            Ok(Found::new(Place::Org(word(words, "org")?), DispatchError::NoPlace("organisation")))
        }
        At::Project => {
            let place = Place::Project(word(words, "org")?, word(words, "project")?);
            Ok(Found::new(place, DispatchError::NoPlace("project")))
        }
        At::Runner => {
            let hostname: String = word(words, "hostname")?;
            let unseen = DispatchError::NoRunner(hostname.clone());
            let Ok(runner) = api.dispatcher.runner(&hostname) else {
                return Ok(Found { missing: true, ..Found::new(Place::Enterprise, unseen) });
            };
            let org = runner.scope.org().and_then(|org| org.parse().ok());
            let shared = org.is_none();
            Ok(Found { shared, ..Found::new(org.map_or(Place::Enterprise, Place::Org), unseen) })
        }
        At::Job => {
            let id: JobId = word(words, "id")?;
            let job = api.dispatcher.job(id).await?;
            Ok(Found::new(Place::of(&job.origin.org, &job.origin.project), DispatchError::NoJob(id)))
        }
        At::PhaseRun => {
            let id: PhaseRunId = word(words, "id")?;
            let unseen = || ApiError::NotFound(format!("there is no phase run {id}"));
            let run = store.read(move |c| phase_run_find(c, id)).await?.ok_or_else(unseen)?;
            Ok(Found::new(Place::of(&run.org, &run.project), unseen()))
        }
        At::FanOut => {
            let id: FanOutId = word(words, "id")?;
            let found = store.read(move |c| fan_out_find(c, id)).await?.ok_or(DispatchError::NoFanOut(id))?;
            Ok(Found::new(Place::of(&found.org, &found.project), DispatchError::NoFanOut(id)))
        }
        At::Change => {
            let id: ChangeId = word(words, "id")?;
            let found = store.read(move |c| change_find(c, id)).await?.ok_or(DispatchError::NoChange(id))?;
            let at = found.at;
            Ok(Found::new(Place::Project(at.org, at.project), DispatchError::NoChange(id)))
        }
    }
}
