//! The trash can.

use axum::extract::State;
use shuntyard_domain::access::Place;
use shuntyard_domain::ids::JobId;
use shuntyard_domain::outcome::StopReason;

use crate::dispatch::DispatchError;
use crate::http::Api;
use crate::http::access::{Act, Caller};
use crate::http::error::ApiError;
use crate::http::pages::bad;
use crate::http::ui::done::Done;
use crate::http::ui::fields::Fields;

/// Cancels one job, by its button, or all that are ticked. Nothing is cancelled when one of them may not be.
pub(super) async fn cancel(State(api): State<Api>, caller: Caller, fields: Fields) -> Result<Done, ApiError> {
    let chosen: Vec<&str> = fields.filled("only").map_or_else(|| fields.all("job").collect(), |only| vec![only]);
    if chosen.is_empty() {
        return Err(bad("job", "no job is chosen: tick the ones to cancel".into(), &[]));
    }
    let mut ids = Vec::new();
    for id in chosen {
        let id: JobId = id.parse().map_err(|_| ApiError::NotFound(format!("there is no job `{id}`")))?;
        let job = api.dispatcher.job(id).await?;
        let place = Place::of(&job.origin.org, &job.origin.project);
        if !caller.grants.sees(&place) {
            return Err(DispatchError::NoJob(id).into());
        }
        caller.check(Act::ROLES, &place)?;
        ids.push(id);
    }
    let (mut count, mut ended) = (0, 0);
    for id in ids {
        let job = api.dispatcher.cancel(id, &caller.name, StopReason::User).await?;
        *if job.cancel.is_some() { &mut count } else { &mut ended } += 1;
    }
    let back = if fields.has("back") { fields.local("back") } else { "/queue".into() };
    Ok(Done::at(back).saying(told(count, ended)))
}

fn told(cancelled: u32, ended: u32) -> String {
    let cancelled = match cancelled {
        0 => "No job is cancelled".to_owned(),
        1 => "The job is being cancelled".to_owned(),
        n => format!("{n} jobs are being cancelled"),
    };
    match ended {
        0 => format!("{cancelled}."),
        1 => format!("{cancelled}; one had ended before."),
        n => format!("{cancelled}; {n} had ended before."),
    }
}
