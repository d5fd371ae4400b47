//! From the host's word that the job runs to the commit of `running`.

use std::time::Duration;

use futures_util::FutureExt as _;
use shuntyard_domain::ids::AttemptId;
use shuntyard_domain::job::{Job, JobEvent, JobState};
use shuntyard_domain::recovery::{AfterFault, Step, after_fault};
use shuntyard_domain::wire::frame::Word;
use tokio::time::Instant;

use super::{Followed, Following};
use crate::dispatch::engine_error::told;
use crate::ssh::attempt::Attempt;
use crate::store::{ApplyError, Connection, Expected, job_apply};

/// A job that ends before this has one commit less, and its output in one piece.
pub(super) const SHORT_JOB: Duration = Duration::from_millis(100);

/// A start that the host has confirmed at `at_ms`. A short job's start and end are one commit.
#[derive(Clone, Copy)]
pub(super) struct Confirmed {
    pub(super) at_ms: i64,
    pub(super) commit_at: Instant,
}

impl Following<'_> {
    /// Notes that the job runs, to be committed after `delay` or with its end.
    pub(super) fn confirm(&mut self, delay: Duration) {
        if matches!(self.job.state, JobState::Starting { .. }) {
            let now = Instant::now();
            self.confirmed.get_or_insert(Confirmed { at_ms: self.engine.0.clock.now_ms(), commit_at: now + delay });
        }
    }

    /// The job is not a short one: it is shown as running, its output is wanted now, and its host has to watch how much that is.
    pub(super) async fn on_lasting(&mut self, stream: &mut Attempt) -> Option<Followed> {
        self.commit_running();
        let word = if std::mem::take(&mut stream.unfollowed) { Word::Follow } else { Word::Watch };
        stream.input.send(word).await.err().map(|error| Followed::LinkLost(error.to_string()))
    }

    /// Begins the commit of a confirmed start; output is taken meanwhile. Until it is stored, the end brings it along.
    pub(super) fn commit_running(&mut self) {
        let Some(Confirmed { at_ms, .. }) = self.confirmed.filter(|_| self.running.is_none()) else { return };
        let (store, AttemptId { job, attempt }) = (self.engine.0.store.clone(), self.job.attempt_id());
        let apply = move |c: &mut Connection| job_apply(c, job, Expected::Attempt(attempt), &JobEvent::Started, at_ms);
        self.running = Some(async move { store.write(apply).await }.boxed());
    }

    pub(super) fn on_running(&mut self, stored: Result<Job, ApplyError>) -> Option<Followed> {
        self.running = None;
        match stored {
            Ok(job) => {
                self.confirmed = None;
                self.engine.job_changed(&job);
                self.job = job;
                None
            }
            Err(error) => Some(match after_fault(Step::Running, error.fault()) {
                AfterFault::LetGo => Followed::Over,
                AfterFault::AskStore => Followed::NotStored(format!("`running` could not be stored: {}", told(&error))),
            }),
        }
    }
}
