//! What it proves that a host does not know an attempt, and what it does not.
//!
//! A claim that is not seen may be a directory that cannot be read just now. So the host is asked who it is, and the
//! attempt is fenced: only a base directory of the same instance that takes the fence speaks about the attempt. And
//! only in the boot of the intent: what was written before another one may have been lost with the power.

use shuntyard_domain::attempt::{Absent, AttemptRecord, Boot, HostIdentity, boot_between, judge_absent};
use shuntyard_domain::job::{Job, JobState};
use shuntyard_domain::outcome::{LogSummary, LostEvidence};
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
        if self.start_channel && code.proves_no_start() && self.running.is_none() && self.is_starting() {
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
        let judged = tokio::select! {
            () = stop.cancelled() => return Followed::Detached,
            judged = judge(self.engine, &known, &self.job, self.nothing_sent) => judged,
        };
        match judged {
            Err(undecided) => Followed::LinkLost(undecided),
            Ok((Absent::Lost(evidence), now)) => {
                let log = LogSummary { truncated: true, ..self.sink.seal().await.unwrap_or_default() };
                self.lose(evidence, log, now).await
            }
            Ok((Absent::NeverStarted, _)) => {
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

    const fn is_starting(&self) -> bool {
        matches!(self.job.state, JobState::Starting { .. })
    }
}

/// What the host's answers prove, and who it is now; `Err` says why nothing is proved.
async fn judge(
    engine: &Dispatcher,
    known: &Known,
    job: &Job,
    nothing_sent: bool,
) -> Result<(Absent, HostIdentity), String> {
    let installation = &known.runner.installation;
    let (mut lease, now) = greet(engine, known).await?;
    let Some(instance) = &now.instance_id else {
        return Err("the runner's instance id cannot be read".into());
    };
    if *instance != installation.instance_id {
        // A fence in another base directory would prove nothing about what ran from the earlier one.
        return Ok((Absent::Lost(LostEvidence::InstanceChanged), now));
    }
    let claimed = match attempt::fence(&mut lease, &installation.wrapper_path, job.attempt_id()).await {
        Ok(FenceAnswer::Fenced) => false,
        Err(VerbError::Refused { code: ErrCode::Removed, .. }) => true,
        Ok(FenceAnswer::Exists(state)) => return Err(format!("the attempt exists after all: {state:?}")),
        Err(error) => return Err(error.to_string()),
    };
    // What was never there, no boot has taken away; and since the bootstrap there was none.
    let boot = if nothing_sent || now.boot_id.as_deref() == Some(installation.boot_id.as_str()) {
        Boot::Same
    } else {
        boot_between(&host_then(engine, job).await?, &now)
    };
    let confirmed = !matches!(job.state, JobState::Starting { .. });
    Ok((judge_absent(boot, confirmed, claimed), now))
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
