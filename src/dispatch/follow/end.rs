//! The end of an attempt: log sealed, what it has left fetched, result stored, files on the host given up.

use shuntyard_domain::artifacts::Collected;
use shuntyard_domain::attempt::{HostIdentity, Loss};
use shuntyard_domain::ids::AttemptId;
use shuntyard_domain::job::JobEvent;
use shuntyard_domain::recovery::{AfterFault, End, Step, after_fault};

use super::running::Confirmed;
use super::{Followed, Following};
use crate::dispatch::engine_error::told;
use crate::ssh::attempt::Attempt;
use crate::store::{ApplyError, Expected, job_apply_each, job_attempt_lost, job_collected_insert, job_receipt_insert};

impl Following<'_> {
    /// Everything is here: stores the end, then lets the host forget the attempt.
    pub(super) async fn settle(&mut self, stream: Attempt, end: End) -> Followed {
        if !self.sink.ends_at(end.size()) {
            return Followed::LinkLost("more came than the job's output; it is read again".into());
        }
        let (summary, came) = match self.sink.seal(Some(end.size())).await {
            Ok(sealed) => sealed,
            Err(error) => return Followed::LinkLost(error.to_string()),
        };
        let has_left = matches!(&end, End::Result(record) if record.has_outputs || !self.job.spec.artifacts.is_empty());
        if has_left {
            // Fetching may take its time: until then the job is shown as running.
            self.commit_running();
        }
        if let Some(commit) = self.running.take() {
            // What could not be stored is stored with the end.
            let stored = commit.await;
            let _ = self.on_running(stored);
        }
        let collected = match &end {
            End::Result(record) if has_left => self.collect(record.has_outputs).await,
            End::Result(_) | End::Lost { .. } => Some((Collected::default(), Vec::new())),
        };
        let Some((collected, pins)) = collected else { return Followed::Detached };
        let runner = self.job.state.runner();
        let event = end.event(&self.job, summary, came);
        let followed = match &end {
            End::Result(_) => self.store_end(event, None, collected).await,
            End::Lost { .. } => {
                let now = self.host_now().await;
                self.lose(event, now).await
            }
        };
        drop(pins);
        if let (Followed::Over | Followed::Requeued { .. }, Some(runner)) = (&followed, runner) {
            let mut stream = stream;
            if has_left && !stream.is_open() {
                // Its link was lost while files came. Who connects sweeps; that was before the end was stored.
                self.engine.forget_attempt(runner, self.job.attempt_id());
            }
            // An attached channel ends with its attempt.
            if self.start_channel { self.engine.park(runner, stream) } else { self.engine.let_go(stream) }
        }
        followed
    }

    /// Stores that the attempt is lost, with what proves it: who the host is now.
    pub(super) async fn lose(&mut self, event: JobEvent, now: HostIdentity) -> Followed {
        let at_ms = self.engine.0.clock.now_ms();
        let loss = event.lost_evidence().map(|evidence| Loss { evidence, at_ms, now });
        self.store_end(event, loss, Collected::default()).await
    }

    pub(super) async fn finish(&mut self, event: JobEvent) -> Followed {
        self.store_end(event, None, Collected::default()).await
    }

    async fn store_end(&mut self, event: JobEvent, loss: Option<Loss>, collected: Collected) -> Followed {
        let AttemptId { job: id, attempt } = self.job.attempt_id();
        let (now_ms, confirmed) = (self.engine.0.clock.now_ms(), self.confirmed);
        let receipt = self.receipt.clone();
        let write = self.engine.0.store.write(move |c| {
            let start = confirmed.map(|Confirmed { at_ms, .. }| (&JobEvent::Started, at_ms));
            let steps: Vec<_> = start.into_iter().chain([(&event, now_ms)]).collect();
            let job = job_apply_each(c, id, Expected::Attempt(attempt), &steps)?;
            if let Some(loss) = loss {
                job_attempt_lost(c, job.attempt_id(), &loss)?;
            }
            // A job has one: that of the attempt with which it ends.
            if !receipt.is_empty() && job.state.is_finished() {
                job_receipt_insert(c, job.attempt_id(), &receipt)?;
            }
            if !collected.is_empty() && job.state.is_finished() {
                job_collected_insert(c, job.attempt_id(), &collected)?;
            }
            Ok::<_, ApplyError>(job)
        });
        match write.await {
            Ok(job) => {
                self.confirmed = None;
                self.engine.job_changed(&job);
                if !job.state.is_finished() {
                    tracing::warn!(attempt = job.attempt, "the attempt is lost; the job waits for another start");
                    return Followed::Requeued { attempt: job.attempt };
                }
                tracing::info!(state = job.state.name(), "job ended");
                Followed::Over
            }
            Err(error) => match after_fault(Step::End, error.fault()) {
                // An admin gave the job up meanwhile, say.
                AfterFault::LetGo => {
                    tracing::info!(%error, "the job was ended by somebody else");
                    Followed::Over
                }
                AfterFault::AskStore => Followed::NotStored(format!("the end could not be stored: {}", told(&error))),
            },
        }
    }
}
