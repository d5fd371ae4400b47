//! What really happened on the hosts, and whether the dispatcher's record says the same.

use std::collections::{BTreeMap, BTreeSet};

use shuntyard_domain::ids::{AttemptId, JobId};
use shuntyard_domain::job::{Finished, Job, JobState};
use shuntyard_domain::outcome::{LostEvidence, Outcome, StopReason};
use shuntyard_domain::output::Cksum;
use shuntyard_domain::wire::control::{ResultRecord, SpoolState};

use super::host::Host;
use super::promise::{Broken, Promise};
use super::store::Store;

/// One attempt as an observer saw it who sees everything.
#[derive(Default)]
pub struct Seen {
    pub host: usize,
    /// Instance in the runner's record when the intent was stored.
    pub instance: String,
    pub claimed_in_boot: Option<u32>,
    pub starts: u32,
    /// Every byte that the job has written into its log.
    pub written: Vec<u8>,
    pub results: Vec<ResultRecord>,
    pub waiter_killed: bool,
    pub launcher_killed: bool,
    /// A power cut may have damaged the files.
    pub damaged: bool,
}

#[derive(Default)]
pub struct Truth {
    /// Jobs whose submission was answered.
    pub acknowledged: BTreeSet<JobId>,
    pub attempts: BTreeMap<AttemptId, Seen>,
    pub terminal: BTreeMap<JobId, Job>,
}

impl Truth {
    pub fn seen(&mut self, attempt: AttemptId) -> &mut Seen {
        self.attempts.entry(attempt).or_default()
    }

    fn starts_of(&self, job: JobId) -> u32 {
        self.attempts.iter().filter(|(id, _)| id.job == job).map(|(_, seen)| seen.starts).sum()
    }

    /// A job began on a host.
    ///
    /// # Errors
    /// The promise that this breaks.
    pub fn started(&mut self, attempt: AttemptId, store: &Store) -> Result<(), Broken> {
        self.seen(attempt).starts += 1;
        if self.seen(attempt).starts > 1 {
            return Promise::OneStart.broken(format!("attempt {} was started twice", attempt.attempt));
        }
        if self.starts_of(attempt.job) > 1 {
            return Promise::NoSecondRun.broken("a job that had started was started again");
        }
        match store.jobs.get(&attempt.job).map(|job| &job.state) {
            Some(JobState::Finished(Finished { not_run_reason: Some(reason), .. })) => {
                Promise::NeverRan.broken(format!("a job that never ran ({reason}) was started"))
            }
            _ => Ok(()),
        }
    }

    /// A host was told that it may forget an attempt.
    ///
    /// # Errors
    /// The promise that this breaks.
    pub fn forgotten(&self, attempt: AttemptId, store: &Store) -> Result<(), Broken> {
        if store.jobs.get(&attempt.job).is_some_and(|job| job.state.is_finished()) {
            return Ok(());
        }
        Promise::TrueEnd.broken("its host may forget what is not stored")
    }

    /// A terminal state was stored by dispatcher `home`.
    ///
    /// # Errors
    /// The promise that this breaks.
    pub fn ended(&mut self, job: &Job, home: usize, store: &Store, hosts: &[Host]) -> Result<(), Broken> {
        let JobState::Finished(finished) = &job.state else { return Ok(()) };
        if let Some(before) = self.terminal.insert(job.id, job.clone()) {
            return if before == *job { Ok(()) } else { Promise::TrueEnd.broken("a terminal state was changed") };
        }
        if let Some(reason) = finished.not_run_reason {
            return match self.starts_of(job.id) {
                0 => Ok(()),
                _ => Promise::NeverRan.broken(format!("it ran, and the record says {reason}")),
            };
        }
        if finished.outcome == Outcome::Abandoned {
            return Ok(());
        }
        let attempt = job.attempt_id();
        let Some(seen) = self.attempts.get(&attempt) else { return Promise::TrueEnd.broken("it has no attempt") };
        match finished.lost_evidence {
            Some(evidence) => {
                let intended_in = store.intents.get(&attempt).copied().flatten();
                lost(evidence, attempt, seen, intended_in, &hosts[seen.host])?;
            }
            None => exited(job, finished, seen)?,
        }
        let none = Vec::new();
        log(finished, seen, store.logs.get(&(home, attempt)).map_or(&none, |log| &log.bytes))
    }
}

fn exited(job: &Job, finished: &Finished, seen: &Seen) -> Result<(), Broken> {
    let told = |result: &ResultRecord| {
        // The host knows only that somebody asked for the stop.
        let asked = job.cancel.as_ref().map(|request| request.reason);
        let stopped = if result.stopped == Some(StopReason::User) { asked } else { result.stopped };
        let outcome = match (stopped, result.exit_code) {
            (Some(StopReason::RunLimit | StopReason::SilenceLimit), _) => Outcome::TimedOut,
            (Some(StopReason::DiskFull | StopReason::OutputLimit), _) => Outcome::Failed,
            (Some(_), _) => Outcome::Cancelled,
            (None, 0) => Outcome::Succeeded,
            (None, _) => Outcome::Failed,
        };
        finished.outcome == outcome && finished.exit_code == Some(result.exit_code) && finished.stop_reason == stopped
    };
    if seen.results.iter().any(told) {
        return Ok(());
    }
    let said = (finished.outcome, finished.exit_code);
    Promise::TrueEnd.broken(format!("the record says {said:?}, the host {:?}", seen.results))
}

fn lost(
    evidence: LostEvidence,
    attempt: AttemptId,
    seen: &Seen,
    intended_in: Option<u32>,
    host: &Host,
) -> Result<(), Broken> {
    let same_disk = host.instance_id() == seen.instance;
    let proved = match evidence {
        LostEvidence::Rebooted => seen.claimed_in_boot.or(intended_in).is_some_and(|boot| boot < host.boot),
        LostEvidence::InstanceChanged => !same_disk,
        // A launcher that died behind its claim, before it made the spool, leaves the same picture.
        LostEvidence::SpoolGone => seen.damaged || !same_disk || seen.starts == 0,
        LostEvidence::WrapperKilled => seen.waiter_killed,
        LostEvidence::LauncherDied => seen.launcher_killed,
    };
    if !proved {
        return Promise::TrueEnd.broken(format!("the record says lost by {evidence}, which is not so"));
    }
    // Who stops a job whose waiting process was killed writes a result for it; a launcher may be outlived.
    let may_have_a_result = matches!(evidence, LostEvidence::WrapperKilled | LostEvidence::LauncherDied);
    if same_disk && !may_have_a_result && matches!(host.look(attempt), Ok(Some(SpoolState::End(_)))) {
        return Promise::TrueEnd.broken(format!("the record says lost by {evidence}, and the host has the result"));
    }
    Ok(())
}

fn log(finished: &Finished, seen: &Seen, stored: &[u8]) -> Result<(), Broken> {
    let mut sum = Cksum::default();
    sum.update(stored);
    let broken = |detail: String| Promise::TrueLog.broken(detail);
    if !seen.written.starts_with(stored) {
        return broken(format!("the log of {} bytes is no beginning of what the job wrote", stored.len()));
    }
    if (finished.log.bytes, finished.log.cksum) != (sum.bytes(), sum.value()) {
        return broken(format!("the record says {} bytes, and {} are stored", finished.log.bytes, stored.len()));
    }
    let whole = seen.written == stored;
    // A host that lost power has lost output with its own word for how much there was.
    let untold = seen.damaged && finished.lost_evidence.is_some();
    if !(finished.log.truncated || whole || untold) {
        return broken("the log is not whole, and is not called truncated".into());
    }
    if finished.log.truncated && whole && finished.lost_evidence.is_none() && !seen.damaged {
        return broken("the log is whole, and is called truncated".into());
    }
    Ok(())
}
