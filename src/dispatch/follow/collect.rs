//! Between the host's word that a job has ended and the commit of that: what it has left is fetched.
//!
//! Nothing here decides how the job ended. What cannot be had is told beside its result.

use std::time::Duration;

use shuntyard_domain::artifacts::Collected;
use shuntyard_domain::ids::JobId;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use super::Following;
use crate::blobs::Pin;
use crate::dispatch::Dispatcher;
use crate::dispatch::collect::{Gathering, NotCollected};
use crate::dispatch::keeper::Backoff;
use crate::dispatch::run_job::{REATTACH_CAP, REATTACH_FIRST};

/// How long a job's end waits for a host that cannot be reached.
const PATIENCE: Duration = Duration::from_secs(600);
/// How long it waits in all: a host that drips keeps its slot for no longer.
const LIMIT: Duration = Duration::from_secs(2 * 3600);
/// How often a host may say what makes no sense.
const MAX_GARBLED: u32 = 3;

/// How often the store is asked whether somebody else has ended the job meanwhile.
const LOOK_EVERY: Duration = Duration::from_secs(5);

impl Following<'_> {
    /// Fetches outputs and files; `None` when the daemon stops. The pins are dropped behind the commit.
    pub(super) async fn collect(&mut self, has_outputs: bool) -> Option<(Collected, Vec<Pin>)> {
        let mut gathering = Gathering::new(&self.job.spec.artifacts, has_outputs, self.masks.clone());
        let ended = until_ended(self.engine, self.job.id, self.cancel.clone());
        let mut fault = tokio::select! {
            why = ended => Some(why.to_owned()),
            fault = self.try_while_patient(&mut gathering) => fault?,
        };
        if let Err(error) = self.engine.sync_collected(&gathering).await {
            fault.get_or_insert(error.to_string());
        }
        if let Some(why) = &fault {
            tracing::warn!(why, "not all that the job has left is kept");
        }
        Some(gathering.into_collected(fault))
    }

    /// Tries until all is here, or says why not; `None` when the daemon stops.
    async fn try_while_patient(&mut self, gathering: &mut Gathering) -> Option<Option<String>> {
        let mut backoff = Backoff::new(REATTACH_FIRST, REATTACH_CAP);
        let until = Instant::now() + LIMIT;
        let (mut patient_until, mut garbled): (Option<Instant>, u32) = (None, 0);
        loop {
            let Some(runner) = self.job.state.runner() else { return Some(Some("its runner is not known".to_owned())) };
            let before = gathering.progress();
            let why = match self.try_to_collect(gathering, until).await? {
                Ok(()) => return Some(None),
                Err(NotCollected::Final(why)) => return Some(Some(why)),
                Err(NotCollected::Garbled(why)) => {
                    garbled += 1;
                    if garbled >= MAX_GARBLED {
                        return Some(Some(why));
                    }
                    why
                }
                Err(NotCollected::Link(why)) => why,
            };
            // It counts from the first failure behind the last progress, without the time that others took.
            let waited = gathering.take_waited();
            let earlier = patient_until.filter(|_| gathering.progress() == before).map(|until| until + waited);
            let give_up_at = *patient_until.insert(earlier.unwrap_or_else(|| Instant::now() + PATIENCE));
            if Instant::now() >= give_up_at {
                return Some(Some(format!("given up after {} minutes: {why}", PATIENCE.as_secs() / 60)));
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
        }
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

/// Waits until the job is cancelled while its files are fetched, or was ended by somebody else, and says which.
async fn until_ended(engine: &Dispatcher, id: JobId, cancel: CancellationToken) -> &'static str {
    // A job that was stopped leaves its files, too.
    let may_be_cancelled = !cancel.is_cancelled();
    loop {
        tokio::select! {
            () = cancel.cancelled(), if may_be_cancelled => return "cancelled while its files were fetched",
            () = sleep(LOOK_EVERY) => {}
        }
        if engine.ended_elsewhere(id, &cancel).await {
            return "the job was ended by somebody else while its files were fetched";
        }
    }
}
