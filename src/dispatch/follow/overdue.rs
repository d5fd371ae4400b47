//! The dispatcher's own look at run, silence and output limits, for a host that does not keep them.

use std::time::Duration;

use shuntyard_domain::clocks::{output_overdue_ms, run_overdue_ms, silence_overdue_ms};
use shuntyard_domain::job::JobState;
use shuntyard_domain::outcome::StopReason;
use tokio::time::Instant;

use super::{Followed, Following};
use crate::dispatch::engine_error::told;

impl Following<'_> {
    /// The first limit that the host should have kept by then; `heard` is when this channel began or had output last.
    ///
    /// Silence counts on a channel only: what a host says while nobody listens is not known.
    pub(super) fn overdue(&self, heard: Instant) -> Option<(Instant, StopReason)> {
        if self.job.cancel.is_some() || self.cancel.is_cancelled() {
            return None;
        }
        let silence = silence_overdue_ms(&self.job.spec).map(|ms| (heard + millis(ms), StopReason::SilenceLimit));
        let output =
            self.over_bound_at.map(|at| (at + millis(output_overdue_ms(&self.job.spec)), StopReason::OutputLimit));
        let run = self.run_left_ms().map(|ms| (Instant::now() + millis(ms), StopReason::RunLimit));
        run.into_iter().chain(silence).chain(output).min_by_key(|(at, _)| *at)
    }

    /// Notes when more output has come than the host may hold.
    pub(super) fn look_at_bound(&mut self) {
        if self.job.spec.spool_bound_bytes().is_some_and(|bound| self.sink.stored_bytes() > bound) {
            self.over_bound_at.get_or_insert_with(Instant::now);
        }
    }

    /// Milliseconds until the run limit is overdue; not above zero: it is.
    fn run_left_ms(&self) -> Option<i64> {
        let JobState::Running { started_at_ms, .. } = self.job.state else { return None };
        Some(started_at_ms + run_overdue_ms(&self.job.spec)? - self.engine.0.clock.now_ms())
    }

    /// Asks for the stop of a job that its host has not stopped; the request is stored, and outlives this channel.
    pub(super) async fn stop_overdue(&mut self, reason: StopReason) -> Option<Followed> {
        tracing::warn!(%reason, "the host has not kept the job's limit; the dispatcher stops it");
        match self.engine.cancel(self.job.id, "shuntd", reason).await {
            Ok(job) => {
                self.job.cancel = job.cancel;
                self.cancel.cancel();
                None
            }
            Err(error) => Some(Followed::NotStored(format!("the stop could not be stored: {}", told(&error)))),
        }
    }

    /// Marks a job on a host that cannot be reached when its run limit is overdue: delivered when the path heals.
    pub(in crate::dispatch) async fn mark_overdue(&mut self) {
        let unmarked = self.job.cancel.is_none() && !self.cancel.is_cancelled();
        if unmarked && self.run_left_ms().is_some_and(|left_ms| left_ms <= 0) {
            // What could not be stored is tried again at the next look.
            let _ = self.stop_overdue(StopReason::RunLimit).await;
        }
    }
}

fn millis(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}
