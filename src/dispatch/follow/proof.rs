//! What it proves that a host does not know an attempt, and what it does not.
//!
//! A claim that is not seen may be a directory that cannot be read just now. So the host is asked who it is, and the
//! attempt is fenced: only a base directory of the same instance that takes the fence speaks about the attempt.

use shuntyard_domain::ids::AttemptId;
use shuntyard_domain::job::{JobEvent, JobState};
use shuntyard_domain::outcome::{LogSummary, LostEvidence};
use shuntyard_domain::wire::control::ErrCode;

use super::{Followed, Following};
use crate::dispatch::Dispatcher;
use crate::dispatch::inventory::Known;
use crate::ssh::attempt::{self, FenceAnswer, VerbError};

impl Following<'_> {
    /// Only the start's own channel can prove by a refusal that the job never ran.
    pub(super) async fn on_refused(&mut self, code: ErrCode, detail: &str) -> Followed {
        if self.start_channel && code.proves_no_start() && self.confirmed.is_none() && self.is_starting() {
            return Followed::NeverStarted(format!("the host refused: {detail} ({code})"));
        }
        tracing::info!(%code, detail, "the host refused to attach");
        self.on_unknown().await
    }

    /// The host knows no such attempt, or only its claim.
    pub(super) async fn on_unknown(&mut self) -> Followed {
        // A start that the host has confirmed is not forgotten because its commit is still under way.
        if let Some(commit) = self.running.take() {
            let stored = commit.await;
            if let Some(followed) = self.on_running(stored) {
                return followed;
            }
        }
        let Some(known) = self.job.state.runner().and_then(|id| self.engine.known(id).ok()) else {
            return Followed::LinkLost("the runner is not in the inventory".into());
        };
        let stop = self.stop.clone();
        let evidence = tokio::select! {
            () = stop.cancelled() => return Followed::Detached,
            evidence = evidence(self.engine, &known, self.job.attempt_id(), self.is_starting()) => evidence,
        };
        match evidence {
            Err(undecided) => Followed::LinkLost(undecided),
            Ok(Evidence::Lost(evidence)) => {
                let log = LogSummary { truncated: true, ..self.sink.seal().await.unwrap_or_default() };
                self.finish(JobEvent::LostProven { evidence, log }).await
            }
            Ok(Evidence::NeverStarted) => {
                Followed::NeverStarted("the start never reached the host, and is fenced now".into())
            }
        }
    }

    const fn is_starting(&self) -> bool {
        matches!(self.job.state, JobState::Starting { .. })
    }
}

/// What the wrapper says instead of an instance id that it cannot read.
const UNREADABLE: &str = "unknown";

enum Evidence {
    Lost(LostEvidence),
    NeverStarted,
}

/// `Err` says why nothing is proved.
async fn evidence(engine: &Dispatcher, known: &Known, id: AttemptId, starting: bool) -> Result<Evidence, String> {
    let installation = &known.runner.installation;
    let mut lease = engine.lease_service(known).await.map_err(|error| error.to_string())?;
    let hello = attempt::hello(&mut lease, &installation.wrapper_path).await.map_err(|error| error.to_string())?;
    if hello.instance_id == UNREADABLE {
        return Err("the runner's instance id cannot be read".into());
    }
    if hello.instance_id != installation.instance_id {
        // A fence in another base directory would prove nothing about what ran from the earlier one.
        return Ok(Evidence::Lost(LostEvidence::InstanceChanged));
    }
    match attempt::fence(&mut lease, &installation.wrapper_path, id).await {
        Ok(FenceAnswer::Fenced) if starting => Ok(Evidence::NeverStarted),
        Ok(FenceAnswer::Fenced) | Err(VerbError::Refused { code: ErrCode::Removed, .. }) => {
            Ok(Evidence::Lost(LostEvidence::SpoolGone))
        }
        Ok(FenceAnswer::Exists(state)) => Err(format!("the attempt exists after all: {state:?}")),
        Err(error) => Err(error.to_string()),
    }
}
