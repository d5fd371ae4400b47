//! The end of an attempt: log sealed, result stored, files on the host given up.

use shuntyard_domain::attempt::{HostIdentity, Loss};
use shuntyard_domain::job::JobEvent;
use shuntyard_domain::outcome::{LogSummary, LostEvidence};
use shuntyard_domain::wire::control::ResultRecord;

use super::running::Confirmed;
use super::{Followed, Following};
use crate::dispatch::engine_error::told;
use crate::dispatch::run_job::MAX_PLACEMENTS;
use crate::ssh::attempt::Attempt;
use crate::store::{ApplyError, job_apply_each, job_attempt_lost, job_receipt_insert};

/// How the attempt ended, as the host says it.
#[derive(Clone, Copy)]
pub(super) enum End {
    Result(ResultRecord),
    Lost { evidence: LostEvidence, size: u64 },
}

impl End {
    pub(super) const fn size(&self) -> u64 {
        match self {
            Self::Result(record) => record.size,
            Self::Lost { size, .. } => *size,
        }
    }
}

impl Following<'_> {
    /// Everything is here: stores the end, then lets the host forget the attempt.
    pub(super) async fn settle(&mut self, stream: Attempt, end: End) -> Followed {
        let summary = match self.sink.seal().await {
            Ok(summary) => summary,
            Err(error) => return Followed::LinkLost(error.to_string()),
        };
        if let Some(commit) = self.running.take() {
            // Committed in the order of submission; an error shows again in the next commit.
            if let Ok(job) = commit.await {
                self.engine.0.feed.job_changed(job.id, job.version);
                self.job = job;
            }
        }
        let runner = self.job.state.runner();
        let followed = match end {
            End::Result(record) => {
                let truncated = summary.bytes != record.size || summary.cksum != record.cksum;
                let log = LogSummary { truncated, ..summary };
                self.finish(JobEvent::Exited { exit_code: record.exit_code, stopped: record.stopped, log }).await
            }
            End::Lost { evidence, size } => {
                let log = LogSummary { truncated: summary.bytes != size, ..summary };
                let now = self.host_now().await;
                self.lose(evidence, log, now).await
            }
        };
        if let (Followed::Over | Followed::Requeued { .. }, Some(runner)) = (&followed, runner) {
            self.engine.park(runner, stream);
        }
        followed
    }

    /// Stores that the attempt is lost, with what proves it. The job ends by it, or waits for another start when its
    /// author said so.
    pub(super) async fn lose(&mut self, evidence: LostEvidence, log: LogSummary, now: HostIdentity) -> Followed {
        let again = self.job.spec.retry_on_lost && self.job.attempt < MAX_PLACEMENTS;
        let loss = Loss { evidence, at_ms: self.engine.0.clock.now_ms(), now };
        let event =
            if again { JobEvent::RequeuedAfterLoss { evidence, log } } else { JobEvent::LostProven { evidence, log } };
        self.store_end(event, Some(loss)).await
    }

    pub(super) async fn finish(&mut self, event: JobEvent) -> Followed {
        self.store_end(event, None).await
    }

    async fn store_end(&mut self, event: JobEvent, loss: Option<Loss>) -> Followed {
        let (id, now_ms, confirmed) = (self.job.id, self.engine.0.clock.now_ms(), self.confirmed);
        let receipt = self.receipt.clone();
        let write = self.engine.0.store.write(move |c| {
            let start = confirmed.map(|Confirmed { at_ms, .. }| (&JobEvent::Started, at_ms));
            let steps: Vec<_> = start.into_iter().chain([(&event, now_ms)]).collect();
            let job = job_apply_each(c, id, None, &steps)?;
            if let Some(loss) = loss {
                job_attempt_lost(c, job.attempt_id(), &loss)?;
            }
            // A job has one: that of the attempt with which it ends.
            if !receipt.is_empty() && job.state.is_finished() {
                job_receipt_insert(c, job.attempt_id(), &receipt)?;
            }
            Ok(job)
        });
        match write.await {
            Ok(job) => {
                self.confirmed = None;
                self.engine.0.feed.job_changed(id, job.version);
                if !job.state.is_finished() {
                    tracing::warn!(attempt = job.attempt, "the attempt is lost; the job waits for another start");
                    return Followed::Requeued { attempt: job.attempt };
                }
                tracing::info!(state = job.state.name(), "job ended");
                Followed::Over
            }
            // An admin gave the job up meanwhile: its record is final.
            Err(ApplyError::Illegal(_) | ApplyError::NotFound(_)) => {
                tracing::info!("the job was ended by somebody else");
                Followed::Over
            }
            Err(error) => Followed::NotStored(format!("the end could not be stored: {}", told(&error))),
        }
    }
}
