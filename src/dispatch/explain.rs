//! Why a job waits: the board's answer, or what is known about a job that is between queue and host.

use shuntyard_domain::explain::{Explanation, Verdict, WhyNot};
use shuntyard_domain::job::{Job, JobEvent, JobState};
use tokio::sync::oneshot;

use super::event_loop::{Explained, LoopEvent};
use super::run_job::queued;
use super::{DispatchError, Dispatcher};
use crate::store::{RecordedEvent, job_events};

impl Dispatcher {
    /// Why the job waits; `None` when it does not wait.
    ///
    /// # Errors
    /// `Store` when the job's history cannot be read, `Interrupted` while the daemon stops.
    pub async fn explain(&self, job: &Job) -> Result<Option<Explanation>, DispatchError> {
        if !matches!(job.state, JobState::Queued) {
            return Ok(None);
        }
        let (ask, answer) = oneshot::channel();
        let question = LoopEvent::Explain(Box::new(queued(job, Vec::new())), ask);
        self.0.loop_events.send(question).map_err(|_| DispatchError::Interrupted)?;
        let told = match answer.await.map_err(|_| DispatchError::Interrupted)? {
            Explained::OnTheBoard(explanation) => self.with_times_of_holders(explanation).await?,
            Explained::Beside(explanation) if explanation.verdict == Verdict::Never => explanation,
            Explained::Beside(explanation) => {
                let (summary, unblock) = self.between_placements(job).await?;
                return Ok(Some(Explanation { summary, unblock, ..explanation }));
            }
        };
        let mut told = told;
        self.with_pause(&mut told);
        Ok(Some(self.with_notes(told).with_pools(self.offers(&queued(job, Vec::new())).await?)))
    }

    /// Says of runners that people took out of service since when, by whom and why; the board does not know it.
    fn with_notes(&self, mut told: Explanation) -> Explanation {
        for candidate in &mut told.candidates {
            if matches!(candidate.why, WhyNot::Draining | WhyNot::Disabled | WhyNot::Quarantined) {
                let known = self.0.inventory.by_name(&candidate.hostname);
                candidate.note = known.and_then(|known| known.runner.state_note.as_ref().map(ToString::to_string));
            }
        }
        if let ([only], 1) = (told.candidates.as_slice(), told.candidates_total)
            && let Some(note) = &only.note
        {
            told.summary = format!("{} {note}", told.summary);
        }
        told
    }

    /// Two sentences: why it waits, and what would let it start.
    async fn between_placements(&self, job: &Job) -> Result<(String, String), DispatchError> {
        if self.cancel_signal(job.id).is_some() {
            return Ok(("is being placed: waits for a channel to its runner".into(), "the runner's answer".into()));
        }
        let id = job.id;
        let events = self.0.store.read(move |c| job_events(c, id)).await?;
        let refused = events.into_iter().rev().find_map(|row| match row.event {
            RecordedEvent::Applied(JobEvent::NeverStarted { why } | JobEvent::Unassigned { why }) => Some(why),
            _ => None,
        });
        let pause = "nothing: it is placed again in a moment".to_owned();
        Ok(match refused {
            Some(why) => (format!("pauses before its next placement: the last one was not started: {why}"), pause),
            None => ("pauses before its next placement".into(), pause),
        })
    }
}
