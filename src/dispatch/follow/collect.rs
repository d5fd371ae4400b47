//! Between the host's word that a job has ended and the commit of that: what it has left is fetched.
//!
//! Nothing here decides how the job ended. What cannot be had is told beside its result.

use std::time::Duration;

use shuntyard_domain::artifacts::Collected;
use tokio::time::{Instant, timeout_at};

use super::Following;
use crate::blobs::Pin;
use crate::dispatch::collect::{Gathering, NotCollected};
use crate::dispatch::keeper::Backoff;
use crate::dispatch::run_job::{REATTACH_CAP, REATTACH_FIRST};

/// How long a job's end waits for a host that cannot be reached.
const PATIENCE: Duration = Duration::from_secs(600);
/// How long it waits in all: a host that drips keeps its slot for no longer.
const LIMIT: Duration = Duration::from_secs(2 * 3600);
/// How often a host may say what makes no sense.
const MAX_GARBLED: u32 = 3;

impl Following<'_> {
    /// Fetches outputs and files; `None` when the daemon stops. The pins are dropped behind the commit.
    pub(super) async fn collect(&mut self, has_outputs: bool) -> Option<(Collected, Vec<Pin>)> {
        let mut gathering = Gathering::new(&self.job.spec.artifacts, has_outputs);
        let mut backoff = Backoff::new(REATTACH_FIRST, REATTACH_CAP);
        let until = Instant::now() + LIMIT;
        let (mut patient_until, mut garbled) = (Instant::now() + PATIENCE, 0);
        let fault = loop {
            let Some(runner) = self.job.state.runner() else { break Some("its runner is not known".to_owned()) };
            let before = gathering.files();
            let why = match self.try_to_collect(&mut gathering, until).await? {
                Ok(()) => break None,
                Err(NotCollected::Final(why)) => break Some(why),
                Err(NotCollected::Garbled(why)) => {
                    garbled += 1;
                    if garbled >= MAX_GARBLED {
                        break Some(why);
                    }
                    why
                }
                Err(NotCollected::Link(why)) => why,
            };
            if gathering.files() > before {
                patient_until = Instant::now() + PATIENCE;
            }
            if Instant::now() >= patient_until.min(until) || self.ended_elsewhere().await {
                break Some(format!("given up after {} minutes: {why}", PATIENCE.as_secs() / 60));
            }
            let delay = backoff.delay();
            tracing::info!(
                why,
                delay_ms = delay.as_millis() as u64,
                "what the job has left could not be fetched; trying again"
            );
            if self.wait_or_stop(runner, delay).await {
                return None;
            }
        };
        if let Some(why) = &fault {
            tracing::warn!(why, "not all that the job has left is kept");
        }
        Some(gathering.into_collected(fault))
    }

    /// One try; `None` when the daemon stops.
    async fn try_to_collect(&mut self, gathering: &mut Gathering, until: Instant) -> Option<Result<(), NotCollected>> {
        let known = self.job.state.runner().map(|runner| self.engine.known(runner));
        let Some(Ok(known)) = known else { return Some(Err(NotCollected::Final("its runner was deleted".into()))) };
        if let Some(why) = known.not_to_be_dialled() {
            self.away = true;
            return Some(Err(NotCollected::Link(why)));
        }
        let stop = self.stop.clone();
        let gather = self.engine.gather(&known, self.job.attempt_id(), gathering);
        tokio::select! {
            () = stop.cancelled() => None,
            tried = timeout_at(until, gather) => {
                Some(tried.unwrap_or_else(|_| Err(NotCollected::Final("it took longer than two hours".into()))))
            }
        }
    }
}
