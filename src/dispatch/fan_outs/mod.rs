//! Fan-outs: one command on every matching runner.
//!
//! What to do next about one is decided by `domain::fan_out::steps` from what is stored. One task (`drive`) asks it when
//! a job of it ended, somebody acted, a runner was deleted, or the daemon started. Nothing of a fan-out lives only here.

mod act;
mod carry_out;
mod drive;
mod submit;

use shuntyard_domain::fan_out::{FanOut, FanOutRow};
use shuntyard_domain::ids::FanOutId;
use shuntyard_domain::job::{Job, JobState};
use shuntyard_domain::wire::fan_out::FanOutBody;
use tokio::sync::mpsc;
use tracing::info_span;

use super::{DispatchError, Dispatcher};
use crate::store::{FanOutQuery, StoreError, fan_out_counts, fan_out_find, fan_out_page, fan_out_rows_of};

/// What is to be asked about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ask {
    One(FanOutId),
    /// Everything that has not ended.
    Open,
}

/// The engine's side of fan-outs.
pub(super) struct FanOuts {
    asks: mpsc::UnboundedSender<Ask>,
}

impl FanOuts {
    pub(super) const fn new(asks: mpsc::UnboundedSender<Ask>) -> Self {
        Self { asks }
    }
}

/// Starts the task that asks; it asks about everything that is open first.
pub(super) fn start(engine: &Dispatcher, inbox: mpsc::UnboundedReceiver<Ask>) {
    engine.ask_about_fan_outs(Ask::Open);
    let driven = engine.clone();
    engine.0.tasks.spawn(info_span!("fan_outs"), move |stop| drive::run(driven, inbox, stop));
}

impl Dispatcher {
    /// Asks soon what is to be done next.
    pub(super) fn ask_about_fan_outs(&self, ask: Ask) {
        // The task ends only with the daemon; at the next start it asks about everything.
        let _ = self.0.fan_outs.asks.send(ask);
    }

    /// A job of a fan-out has changed.
    pub(super) fn fan_out_job_changed(&self, id: FanOutId, job: &Job) {
        self.0.feed.fan_out_changed(id);
        // Also one that is back in the queue: its runner may have been deleted meanwhile.
        let is_back = matches!(job.state, JobState::Queued) && job.attempt > 0;
        if is_back || job.state.is_finished() {
            self.ask_about_fan_outs(Ask::One(id));
        }
    }

    /// A fan-out with its rows.
    async fn fan_out_view(&self, id: FanOutId) -> Result<(FanOut, Vec<FanOutRow>), DispatchError> {
        let found = self.0.store.read(move |c| {
            let Some(fan_out) = fan_out_find(c, id)? else { return Ok(None) };
            Ok::<_, StoreError>(Some((fan_out, fan_out_rows_of(c, id)?)))
        });
        found.await?.ok_or(DispatchError::NoFanOut(id))
    }

    /// A fan-out as the API shows it, with its rows.
    ///
    /// # Errors
    /// `NoFanOut` for an unknown id.
    pub async fn fan_out_body(&self, id: FanOutId) -> Result<FanOutBody, DispatchError> {
        let (fan_out, rows) = self.fan_out_view(id).await?;
        Ok(FanOutBody::of(&fan_out, &rows))
    }

    /// As `fan_out_body`, without rows.
    ///
    /// # Errors
    /// `NoFanOut` for an unknown id.
    pub async fn fan_out_summary(&self, id: FanOutId) -> Result<FanOutBody, DispatchError> {
        let found = self.0.store.read(move |c| {
            let Some(fan_out) = fan_out_find(c, id)? else { return Ok(None) };
            let counts = fan_out_counts(c, &[id])?.remove(&id).unwrap_or_default();
            Ok::<_, StoreError>(Some(FanOutBody::without_rows(&fan_out, counts)))
        });
        found.await?.ok_or(DispatchError::NoFanOut(id))
    }

    /// One page of fan-outs, newest first, without rows.
    ///
    /// # Errors
    /// `Store`
    pub async fn fan_out_bodies(&self, query: FanOutQuery) -> Result<Vec<FanOutBody>, DispatchError> {
        let found = self.0.store.read(move |c| {
            let page = fan_out_page(c, &query)?;
            let ids: Vec<FanOutId> = page.iter().map(|fan_out| fan_out.id).collect();
            Ok::<_, StoreError>((fan_out_counts(c, &ids)?, page))
        });
        let (counts, page) = found.await?;
        let body =
            |fan_out: &FanOut| FanOutBody::without_rows(fan_out, counts.get(&fan_out.id).copied().unwrap_or_default());
        Ok(page.iter().map(body).collect())
    }
}
