//! What it proves that a host does not know an attempt, and what it does not.
//!
//! A claim that is not seen may be a directory that cannot be read just now. So the host is asked who it is, and the
//! attempt is fenced: only a base directory of the same instance that takes the fence speaks about the attempt.

use shuntyard_domain::job::Job;
use shuntyard_domain::recovery::{
    FenceWord, RefusedOn, Verdict, identity, judge_fence, judge_identity, lost, refusal_proves_no_start,
};
use shuntyard_domain::wire::control::ErrCode;

use super::{Followed, Following};
use crate::dispatch::Dispatcher;
use crate::dispatch::inventory::Known;
use crate::ssh::attempt::{self, FenceAnswer, VerbError};

impl Following<'_> {
    /// Only the start's own channel can prove by a refusal that the job never ran.
    pub(super) async fn on_refused(&mut self, code: ErrCode, detail: &str) -> Followed {
        let on = RefusedOn { start_channel: self.start_channel, start_confirmed: self.confirmed.is_some() };
        if refusal_proves_no_start(&self.job.state, on, code) {
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
        let verdict = tokio::select! {
            () = stop.cancelled() => return Followed::Detached,
            verdict = verdict(self.engine, &known, &self.job) => verdict,
        };
        match verdict {
            Err(error) => Followed::LinkLost(error),
            Ok((Verdict::Undecided, said)) => Followed::LinkLost(said),
            Ok((Verdict::Lost(evidence), _)) => match self.sink.seal().await {
                Ok(stored) => self.finish(lost(evidence, stored)).await,
                // The record must say how much is stored: the proof stays, and is asked for again.
                Err(error) => Followed::LinkLost(error.to_string()),
            },
            Ok((Verdict::NeverStarted, _)) => {
                Followed::NeverStarted("the start never reached the host, and is fenced now".into())
            }
        }
    }
}

/// Asks the host who it is, and to fence the attempt; the text is what it said. `Err`: it cannot be asked.
async fn verdict(engine: &Dispatcher, known: &Known, job: &Job) -> Result<(Verdict, String), String> {
    let installation = &known.runner.installation;
    let mut lease = engine.lease_service(known).await.map_err(|error| error.to_string())?;
    let hello = attempt::hello(&mut lease, &installation.wrapper_path).await.map_err(|error| error.to_string())?;
    let shown = hello.instance_id;
    if let Some(verdict) = judge_identity(identity(&installation.instance_id, &shown)) {
        return Ok((verdict, format!("the runner's instance id is {shown}")));
    }
    let word = match attempt::fence(&mut lease, &installation.wrapper_path, job.attempt_id()).await {
        Ok(FenceAnswer::Fenced) => FenceWord::Fenced,
        Ok(FenceAnswer::Exists(state)) => FenceWord::Exists(state),
        Err(VerbError::Refused { code: ErrCode::Removed, .. }) => FenceWord::Removed,
        Err(error) => return Err(error.to_string()),
    };
    Ok((judge_fence(&job.state, word), format!("the fence was answered {word:?}")))
}
