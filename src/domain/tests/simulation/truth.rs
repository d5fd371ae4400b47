//! What really happened on the hosts, and whether the dispatcher's record says the same.

use std::collections::{BTreeMap, BTreeSet};

use shuntyard_domain::ids::{AttemptId, JobId};
use shuntyard_domain::job::{Finished, Job, JobState};
use shuntyard_domain::outcome::{LostEvidence, Outcome, StopReason};
use shuntyard_domain::wire::control::{ResultRecord, SpoolState};

use super::host::Host;
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

    /// A job began on a host.
    ///
    /// # Errors
    /// The sentence names the promise that this breaks.
    pub fn started(&mut self, attempt: AttemptId, store: &Store) -> Result<(), String> {
        self.seen(attempt).starts += 1;
        if self.seen(attempt).starts > 1 {
            return Err(format!("attempt {} was started twice", attempt.attempt));
        }
        let all: u32 = self.attempts.iter().filter(|(id, _)| id.job == attempt.job).map(|(_, seen)| seen.starts).sum();
        if all > 1 {
            return Err("a job that had started was started again without proof".into());
        }
        if let Some(Job { state: JobState::Finished(Finished { not_run_reason: Some(reason), .. }), .. }) =
            store.jobs.get(&attempt.job)
        {
            return Err(format!("a job that never ran ({reason}) was started"));
        }
        Ok(())
    }

    /// A terminal state was stored.
    ///
    /// # Errors
    /// The sentence says what is not true about it.
    pub fn ended(&mut self, job: &Job, store: &Store, hosts: &[Host]) -> Result<(), String> {
        let JobState::Finished(finished) = &job.state else { return Ok(()) };
        if let Some(before) = self.terminal.insert(job.id, job.clone())
            && before != *job
        {
            return Err("a terminal state was changed".into());
        }
        let attempt = job.attempt_id();
        let starts: u32 = self.attempts.iter().filter(|(id, _)| id.job == job.id).map(|(_, seen)| seen.starts).sum();
        if let Some(reason) = finished.not_run_reason {
            return if starts == 0 { Ok(()) } else { Err(format!("it ran, and the record says {reason}")) };
        }
        if finished.outcome == Outcome::Abandoned {
            return Ok(());
        }
        let Some(seen) = self.attempts.get(&attempt) else { return Err("it ended without an attempt".into()) };
        match finished.lost_evidence {
            Some(evidence) => lost(evidence, attempt, seen, &hosts[seen.host])?,
            None => exited(finished, seen)?,
        }
        let none = Vec::new();
        let log = store.logs.get(&attempt).map_or(&none, |log| &log.bytes);
        if !seen.written.starts_with(log) {
            return Err(format!("the log of {} bytes is no beginning of what the job wrote", log.len()));
        }
        if finished.lost_evidence.is_none() && !finished.log.truncated && seen.written != *log {
            return Err("the log is not whole, and is not called truncated".into());
        }
        if finished.log.truncated && seen.written == *log && finished.lost_evidence.is_none() && !seen.damaged {
            return Err("the log is whole, and is called truncated".into());
        }
        Ok(())
    }
}

fn exited(finished: &Finished, seen: &Seen) -> Result<(), String> {
    let told = |result: &ResultRecord| {
        let outcome = match (result.stopped, result.exit_code) {
            (Some(StopReason::RunLimit | StopReason::SilenceLimit), _) => Outcome::TimedOut,
            (Some(_), _) => Outcome::Cancelled,
            (None, 0) => Outcome::Succeeded,
            (None, _) => Outcome::Failed,
        };
        finished.outcome == outcome
            && finished.exit_code == Some(result.exit_code)
            && finished.stop_reason == result.stopped
    };
    if seen.results.iter().any(told) {
        return Ok(());
    }
    Err(format!("the record says {} {:?}, the host {:?}", finished.outcome, finished.exit_code, seen.results))
}

fn lost(evidence: LostEvidence, attempt: AttemptId, seen: &Seen, host: &Host) -> Result<(), String> {
    let same_disk = host.instance_id() == seen.instance;
    let proved = match evidence {
        LostEvidence::Rebooted => seen.claimed_in_boot.is_some_and(|boot| boot < host.boot),
        LostEvidence::InstanceChanged => !same_disk,
        // A launcher that died behind its claim, before it made the spool, leaves the same picture.
        LostEvidence::SpoolGone => seen.damaged || !same_disk || seen.starts == 0,
        LostEvidence::WrapperKilled => seen.waiter_killed,
        LostEvidence::LauncherDied => seen.launcher_killed,
    };
    if !proved {
        return Err(format!("the record says lost by {evidence}, which is not so"));
    }
    // Who stops a job whose waiting process was killed writes a result for it; a launcher may be outlived.
    let may_have_a_result = matches!(evidence, LostEvidence::WrapperKilled | LostEvidence::LauncherDied);
    if same_disk && !may_have_a_result && matches!(host.look(attempt), Ok(Some(SpoolState::End(_)))) {
        return Err(format!("the record says lost by {evidence}, and the host has the result"));
    }
    Ok(())
}
