//! What it proves that a host does not know an attempt, and what it does not.
//!
//! A claim that is not seen may be a directory that cannot be read just now. So the host is asked who it is, and the
//! attempt is fenced: only a base directory of the same instance that takes the fence speaks about the attempt. And
//! only in the boot of the intent: what was written before another one may have been lost with the power.

use shuntyard_domain::attempt::{AttemptRecord, Boot, HostIdentity, boot_between};
use shuntyard_domain::job::Job;
use shuntyard_domain::recovery::{
    FenceWord, RefusedOn, Verdict, identity, judge_fence, judge_identity, lost, refusal_proves_no_start,
};
use shuntyard_domain::wire::control::ErrCode;

use super::{Followed, Following};
use crate::dispatch::Dispatcher;
use crate::dispatch::inventory::Known;
use crate::ssh::Lease;
use crate::ssh::attempt::{self, FenceAnswer, VerbError};
use crate::store::{StoreError, job_attempts};

impl Following<'_> {
    /// Only the start's own channel can prove by a refusal that the job never ran.
    pub(super) async fn on_refused(&mut self, code: ErrCode, detail: &str) -> Followed {
        let on = RefusedOn { start_channel: self.start_channel, start_confirmed: self.confirmed.is_some() };
        if refusal_proves_no_start(&self.job.state, on, code) {
            let hint = match code {
                ErrCode::Magic => {
                    "; its wrapper is older than this dispatcher: run `shunt ctl install-runner` for it again"
                }
                _ => "",
            };
            return Followed::NeverStarted(format!("the host refused: {detail} ({code}){hint}"));
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
        if self.engine.is_restored() {
            return Followed::LinkLost(
                "the data is from a backup; nothing is judged before every runner was asked".into(),
            );
        }
        let stop = self.stop.clone();
        let judged = tokio::select! {
            () = stop.cancelled() => return Followed::Detached,
            judged = judge(self.engine, &known, &self.job, self.nothing_sent) => judged,
        };
        match judged {
            Err(error) => Followed::LinkLost(error),
            Ok(Judged { verdict: Verdict::Undecided, said, .. }) => Followed::LinkLost(said),
            Ok(Judged { verdict: Verdict::Lost(evidence), now, .. }) => match self.sink.seal(None).await {
                Ok((stored, _)) => self.lose(lost(&self.job, evidence, stored), now).await,
                // The record must say how much is stored: the proof stays, and is asked for again.
                Err(error) => Followed::LinkLost(error.to_string()),
            },
            Ok(Judged { verdict: Verdict::NeverStarted, .. }) => {
                Followed::NeverStarted("the start never reached the host, and is fenced now".into())
            }
        }
    }

    /// Who the job's host says it is now; unknown when it does not answer.
    pub(super) async fn host_now(&mut self) -> HostIdentity {
        let Some(known) = self.job.state.runner().and_then(|id| self.engine.known(id).ok()) else {
            return HostIdentity::default();
        };
        let stop = self.stop.clone();
        tokio::select! {
            () = stop.cancelled() => HostIdentity::default(),
            greeted = greet(self.engine, &known) => greeted.map(|(_, now)| now).unwrap_or_default(),
        }
    }
}

/// What follows from a host's answers, what it said, and who it is now.
struct Judged {
    verdict: Verdict,
    said: String,
    now: HostIdentity,
}

/// Asks the host who it is, and to fence the attempt. `Err`: it cannot be asked.
async fn judge(engine: &Dispatcher, known: &Known, job: &Job, nothing_sent: bool) -> Result<Judged, String> {
    let installation = &known.runner.installation;
    let (mut lease, now) = greet(engine, known).await?;
    let shown = now.instance_id.as_deref();
    if let Some(verdict) = judge_identity(identity(&installation.instance_id, shown)) {
        let said = format!("the runner's instance id is {}", shown.unwrap_or("not to be read"));
        return Ok(Judged { verdict, said, now });
    }
    let word = match attempt::fence(&mut lease, &installation.wrapper_path, job.attempt_id()).await {
        Ok(FenceAnswer::Fenced) => FenceWord::Fenced,
        Ok(FenceAnswer::Exists(state)) => FenceWord::Exists(state),
        Err(VerbError::Refused { code: ErrCode::Removed, .. }) => FenceWord::Removed,
        Err(error) => return Err(error.to_string()),
    };
    // What was never there, no boot has taken away; and since the bootstrap there was none.
    let boot = if nothing_sent || now.boot_id.as_deref() == Some(installation.boot_id.as_str()) {
        Boot::Same
    } else {
        boot_between(&host_then(engine, job).await?, &now)
    };
    let said = format!("the fence was answered {word:?}");
    Ok(Judged { verdict: judge_fence(&job.state, word, boot), said, now })
}

/// Who the host was when the start was intended.
async fn host_then(engine: &Dispatcher, job: &Job) -> Result<HostIdentity, String> {
    let (id, attempt) = (job.id, job.attempt);
    let attempts: Result<Vec<AttemptRecord>, StoreError> = engine.0.store.read(move |c| job_attempts(c, id)).await;
    let of_this = attempts.map_err(|error| error.to_string())?.into_iter().find(|record| record.attempt == attempt);
    Ok(of_this.map(|record| record.host).unwrap_or_default())
}

/// Asks a runner who it is, on a channel of its own.
async fn greet(engine: &Dispatcher, known: &Known) -> Result<(Lease, HostIdentity), String> {
    let mut lease = engine.lease_service(known).await.map_err(|error| error.to_string())?;
    let wrapper = &known.runner.installation.wrapper_path;
    let hello = attempt::hello(&mut lease, wrapper).await.map_err(|error| error.to_string())?;
    Ok((lease, HostIdentity::from(&hello)))
}
