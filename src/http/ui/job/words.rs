//! A job's state and outcome, in a sentence.

use shuntyard_domain::outcome::{LostEvidence, NotRunReason, Outcome, StopReason, TruncatedReason};
use shuntyard_domain::wire::api::JobBody;

/// How the job goes, or how it ended; `by` is who asked for its end, if somebody did.
pub(super) fn told(job: &JobBody, by: Option<&str>) -> String {
    let runner = job.runner.as_deref().unwrap_or("a runner");
    if let Some(outcome) = job.outcome {
        return ended(job, outcome, runner, by);
    }
    let by = by.unwrap_or("somebody");
    let asked = if job.cancel_requested_at.is_some() { format!(" {by} asked for its end.") } else { String::new() };
    let now = match job.state.as_str() {
        "queued" if job.attempt > 0 => "It waits to be started again.".to_owned(),
        "queued" => "It waits for a runner.".to_owned(),
        "assigned" => format!("It has a slot on {runner} and is about to be started."),
        "starting" => format!("It was sent to {runner}; whether it runs there is not known yet."),
        _ => format!("It runs on {runner}."),
    };
    now + &asked
}

fn ended(job: &JobBody, outcome: Outcome, runner: &str, by: Option<&str>) -> String {
    let code = job.exit_code.map_or_else(String::new, |code| format!(" with exit code {code}"));
    let stopped = job.stop_reason.map(|why| match (why, by) {
        (StopReason::User, Some(by)) => format!("{by} asked for it"),
        (why, _) => stop_reason(why).to_owned(),
    });
    let because = stopped.map_or_else(String::new, |why| format!(": {why}"));
    match outcome {
        Outcome::Succeeded => format!("It succeeded on {runner}."),
        Outcome::Failed => format!("It failed on {runner}{code}{because}."),
        Outcome::Cancelled | Outcome::Expired if job.not_run_reason.is_some() => {
            format!("It never ran: {}.", job.not_run_reason.map_or("", not_run_reason))
        }
        Outcome::Cancelled => format!("It was stopped on {runner}{because}."),
        Outcome::TimedOut => format!("It was stopped on {runner}{because}."),
        Outcome::Lost => {
            format!("Its result is lost: {}.", job.lost_evidence.map_or("its host does not know it", lost))
        }
        Outcome::Expired => "It never ran: it waited longer than it was allowed to.".into(),
        Outcome::Abandoned => {
            format!("It was given up while nobody could tell whether it still ran on {runner}; it may still run.")
        }
    }
}

const fn stop_reason(why: StopReason) -> &'static str {
    match why {
        StopReason::User => "somebody asked for it",
        StopReason::RunLimit => "it ran longer than its limit",
        StopReason::SilenceLimit => "it wrote nothing for longer than its limit",
        StopReason::Orphaned => "nobody was attached to it for longer than it allows",
        StopReason::FailFast => "another row of its phase failed, and the phase is fail_fast",
        StopReason::DiskFull => "the disk of its runner was full, so that output may be missing",
        StopReason::OutputLimit => "it wrote more than its runner's spool may hold",
    }
}

const fn not_run_reason(why: NotRunReason) -> &'static str {
    match why {
        NotRunReason::CancelledWhileQueued => "it was cancelled while it waited",
        NotRunReason::QueueLimit => "it waited longer than it was allowed to",
        NotRunReason::PlacementsExhausted => "every host that it was sent to refused it",
        NotRunReason::FailFast => "another row of its phase failed first, and the phase is fail_fast",
    }
}

/// The proof of a loss.
pub(super) const fn lost(evidence: LostEvidence) -> &'static str {
    match evidence {
        LostEvidence::Rebooted => "its host has booted since",
        LostEvidence::InstanceChanged => "its host is another one now, or Shuntyard's directory there was removed",
        LostEvidence::SpoolGone => "its files are gone from its host",
        LostEvidence::WrapperKilled => "what watched it on its host was killed",
        LostEvidence::LauncherDied => "what started it on its host died, and nothing shows whether it began",
    }
}

pub(super) const fn truncated(why: TruncatedReason) -> &'static str {
    match why {
        TruncatedReason::AttemptLost => "the attempt is lost",
        TruncatedReason::Abandoned => "the job was given up",
        TruncatedReason::Incomplete => "its host told its end, but not all of its output",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn job(keys: &Value) -> JobBody {
        let mut body = json!({
            "id": "01890000-0000-7000-8000-000000000001", "project": "", "change": {"id": "", "title": ""},
            "org": "", "stage": null, "phase": null, "status": "finished", "submittedAt": "", "timeInState": "",
            "title": "t", "phase_run": null, "row": 0, "state": "running", "attempt": 1, "runner": "u1", "filter": {},
            "priority": 0, "created_at": "", "started_at": null, "finished_at": null, "cancel_requested_at": null,
            "outcome": null, "stop_reason": null, "not_run_reason": null, "lost_evidence": null, "exit_code": null,
            "log_bytes": 0, "log_cksum": null, "truncated": false, "run_limit_s": null,
        });
        body.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn a_job_is_told_in_a_sentence() {
        for (keys, sentence) in [
            (json!({"state": "queued", "attempt": 0, "runner": null}), "It waits for a runner."),
            (json!({"state": "running"}), "It runs on u1."),
            (json!({"state": "running", "cancel_requested_at": "x"}), "It runs on u1. ada asked for its end."),
            (json!({"outcome": "succeeded", "exit_code": 0}), "It succeeded on u1."),
            (json!({"outcome": "failed", "exit_code": 3}), "It failed on u1 with exit code 3."),
            (json!({"outcome": "cancelled", "stop_reason": "user"}), "It was stopped on u1: ada asked for it."),
            (
                json!({"outcome": "cancelled", "not_run_reason": "cancelled_while_queued", "runner": null}),
                "It never ran: it was cancelled while it waited.",
            ),
            (
                json!({"outcome": "timed_out", "stop_reason": "run_limit"}),
                "It was stopped on u1: it ran longer than its limit.",
            ),
            (json!({"outcome": "lost", "lost_evidence": "rebooted"}), "Its result is lost: its host has booted since."),
        ] {
            assert_eq!(told(&job(&keys), Some("ada")), sentence);
        }
    }
}
