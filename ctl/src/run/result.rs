//! What a run ended with: its exit code and its last words.

use std::time::Duration;

use shuntyard_domain::outcome::Outcome;
use shuntyard_domain::wire::api::JobBody;

use crate::table;
use crate::terminal::{paint, plain, style};

/// The exit code that stands for one job: its own, and at least 1 when it did not succeed.
#[must_use]
pub fn exit_code(job: &JobBody) -> u8 {
    if job.outcome == Some(Outcome::Succeeded) {
        return 0;
    }
    // Killed, cut off, never run: there may be no exit code, or a deceptive 0.
    u8::try_from(job.exit_code.unwrap_or(1).clamp(1, 255)).unwrap_or(1)
}

/// The worst exit code of several jobs: the highest.
#[must_use]
pub fn worst<'a>(jobs: impl IntoIterator<Item = &'a JobBody>) -> u8 {
    jobs.into_iter().map(exit_code).max().unwrap_or(0)
}

/// One line about one job: outcome, runner, time, id.
#[must_use]
pub fn line(job: &JobBody, colour: bool) -> String {
    let text = plain(&format!("{} (job {})", told(job), job.id));
    if exit_code(job) == 0 {
        format!("{} {text}", paint(colour, style::GREEN, "✔"))
    } else {
        format!("{} {text}", paint(colour, style::RED, "✖"))
    }
}

/// The same without mark and id.
#[must_use]
pub fn told(job: &JobBody) -> String {
    let runner = job.runner.as_ref().map(|r| format!(" on {r}")).unwrap_or_default();
    let time = ran_for(job).map(|t| format!(" in {t}")).unwrap_or_default();
    let code = job.exit_code.filter(|c| *c != 0).map(|c| format!(", exit code {c}")).unwrap_or_default();
    format!("{}{runner}{time}{code}{}", job.state, reasons(job))
}

/// A table of several jobs, `names` in the same order.
#[must_use]
pub fn summary(names: &[String], jobs: &[JobBody]) -> String {
    let row = |(name, job): (&String, &JobBody)| {
        vec![
            name.clone(),
            job.runner.clone().unwrap_or_default(),
            format!("{}{}", job.state, reasons(job)),
            job.exit_code.map(|code| code.to_string()).unwrap_or_default(),
            ran_for(job).unwrap_or_default(),
            job.id.to_string(),
        ]
    };
    table::render(&["JOB", "RUNNER", "STATE", "EXIT", "TIME", "ID"], names.iter().zip(jobs).map(row).collect())
}

fn reasons(job: &JobBody) -> String {
    let words = [
        job.stop_reason.map(|r| r.as_str()),
        job.not_run_reason.map(|r| r.as_str()),
        job.lost_evidence.map(|r| r.as_str()),
    ];
    let truncated = job.truncated.then(|| {
        let why = job.truncated_reason.map(|why| format!(": {}", why.as_str().replace('_', " ")));
        format!(", output truncated after {} bytes{}", job.log_bytes, why.unwrap_or_default())
    });
    let elided = (job.elided_bytes > 0).then(|| format!(", {} bytes of output not kept", job.elided_bytes));
    let words = words.into_iter().flatten().map(|word| format!(", {}", word.replace('_', " ")));
    words.chain(truncated).chain(elided).collect()
}

/// What it has left that could not be taken, a sentence each.
#[must_use]
pub fn not_kept(job: &JobBody) -> Vec<String> {
    let outputs = job.outputs_fault.iter().map(|why| format!("no outputs: {why}"));
    outputs.chain(job.artifacts_fault.iter().map(|why| format!("artifacts not kept: {why}"))).collect()
}

/// From start to end, by the server's clock; `None` when it never ran.
#[must_use]
pub fn ran_for(job: &JobBody) -> Option<String> {
    let time = |text: &Option<String>| humantime::parse_rfc3339(text.as_deref()?).ok();
    let ran = time(&job.finished_at)?.duration_since(time(&job.started_at)?).ok()?;
    Some(run_time(ran))
}

/// Tenths of seconds below a minute.
#[must_use]
pub fn run_time(ran: Duration) -> String {
    match ran.as_secs() {
        0..60 => format!("{:.1}s", ran.as_secs_f64()),
        s @ 60..3600 => format!("{}m{:02}s", s / 60, s % 60),
        s => format!("{}h{:02}m", s / 3600, s / 60 % 60),
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use serde_json::json;

    /// A finished job as the server would describe it.
    pub fn job(outcome: Option<&str>, exit_code: Option<i32>) -> JobBody {
        serde_json::from_value(json!({
            "id": "01890000-0000-7000-8000-000000000001", "project": "hello", "change": {"id": "", "title": ""},
            "org": "default", "stage": null, "phase": "unit", "status": "finished", "submittedAt": "",
            "timeInState": "", "title": "unit {\"platform\":[\"ubuntu\"]}", "phase_run": null, "row": 0,
            "state": outcome.unwrap_or("running"), "attempt": 1, "runner": "u1",
            "filter": {"platform": ["ubuntu"]}, "priority": 0, "created_at": "2026-11-21T11:40:00.000Z",
            "started_at": "2026-11-21T11:40:00.000Z", "finished_at": "2026-11-21T11:40:01.500Z",
            "cancel_requested_at": null, "outcome": outcome, "stop_reason": null, "not_run_reason": null,
            "lost_evidence": null, "exit_code": exit_code, "log_bytes": 0, "log_cksum": null, "truncated": false,
            "run_limit_s": null,
        }))
        .unwrap()
    }

    #[test]
    fn a_job_that_did_not_succeed_is_never_exit_code_zero() {
        for (outcome, code, expected) in [
            ("succeeded", Some(0), 0),
            ("failed", Some(7), 7),
            ("failed", Some(143), 143),
            ("failed", Some(300), 255),
            ("failed", Some(-1), 1),
            ("failed", None, 1),
            ("cancelled", Some(0), 1),
            ("cancelled", None, 1),
            ("timed_out", Some(143), 143),
            ("lost", None, 1),
            ("expired", None, 1),
            ("abandoned", None, 1),
        ] {
            assert_eq!(exit_code(&job(Some(outcome), code)), expected, "{outcome} {code:?}");
        }
        assert_eq!(exit_code(&job(None, None)), 1, "a job without outcome has not succeeded");
    }

    #[test]
    fn the_worst_row_decides() {
        let jobs = [job(Some("succeeded"), Some(0)), job(Some("failed"), Some(3)), job(Some("lost"), None)];
        assert_eq!(worst(&jobs), 3);
        assert_eq!(worst(&jobs[..1]), 0);
        assert_eq!(worst(&[]), 0);
    }

    #[test]
    fn what_could_not_be_kept_is_said_of_a_job_that_succeeded_too() {
        let mut job = job(Some("succeeded"), Some(0));
        assert!(not_kept(&job).is_empty());
        job.outputs_fault = Some("line 2 has no =".into());
        job.artifacts_fault = Some("too large".into());
        assert_eq!(not_kept(&job), ["no outputs: line 2 has no =", "artifacts not kept: too large"]);
    }

    #[test]
    fn one_job_ends_with_one_line() {
        let text = line(&job(Some("failed"), Some(3)), false);
        assert_eq!(text, "✖ failed on u1 in 1.5s, exit code 3 (job 01890000-0000-7000-8000-000000000001)");
        assert_eq!(run_time(Duration::from_secs(75)), "1m15s");
        assert_eq!(run_time(Duration::from_secs(7500)), "2h05m");
    }
}
