//! A fan-out for people: who takes part, a table of the hosts, and its exit code.

use std::time::Duration;

use shuntyard_domain::fan_out::{FanOutStatus, LeftOut, RowNotRun};
use shuntyard_domain::wire::fan_out::{FanOutBody, FanOutCounts, FanOutRowBody};

use crate::run::result::run_time;
use crate::table;
use crate::terminal::plain;

/// Names that are written out.
const NAMES_MAX: usize = 20;

/// `3 runners: a, b, c`, and who is left out.
#[must_use]
pub fn who<'a>(hostnames: impl ExactSizeIterator<Item = &'a str>, left_out: &[LeftOut]) -> String {
    let count = hostnames.len();
    let mut text = format!("{count} runner{}: {}", if count == 1 { "" } else { "s" }, listed(hostnames));
    if !left_out.is_empty() {
        let named: Vec<String> = left_out.iter().map(|out| format!("{} ({})", out.hostname, out.why)).collect();
        text += &format!("\n{} left out: {}", named.len(), listed(named.iter().map(String::as_str)));
    }
    text
}

fn listed<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = names.len().saturating_sub(NAMES_MAX);
    let named: Vec<String> = names.take(NAMES_MAX).map(plain).collect();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", named.join(", "))
}

/// `2 succeeded, 1 failed, 4 running`
#[must_use]
pub fn counted(counts: &FanOutCounts) -> String {
    let words = [
        (counts.succeeded, "succeeded"),
        (counts.failed, "failed"),
        (counts.running, "under way"),
        (counts.waiting, "waiting"),
        (counts.not_run, "not run"),
    ];
    let said: Vec<String> = words.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    said.join(", ")
}

/// A line for each host.
#[must_use]
pub fn hosts(fan_out: &FanOutBody) -> String {
    let row = |row: &FanOutRowBody| {
        vec![
            row.hostname.clone(),
            state(row),
            row.exit_code.map(|code| code.to_string()).unwrap_or_default(),
            ran_for(row).map(run_time).unwrap_or_default(),
            row.job.map(|job| job.to_string()).unwrap_or_default(),
        ]
    };
    table::render(&["HOST", "STATE", "EXIT", "TIME", "JOB"], fan_out.rows.iter().map(row).collect())
}

/// `failed`, `not run, canary failed`, `waiting (canary)`
#[must_use]
pub fn state(row: &FanOutRowBody) -> String {
    let words = [
        row.row_not_run.map(|reason| reason.as_str()),
        row.stop_reason.map(|reason| reason.as_str()),
        row.not_run_reason.map(|reason| reason.as_str()).filter(|_| row.row_not_run.is_none()),
    ];
    let canary = if row.canary { " (canary)" } else { "" };
    let words = words.into_iter().flatten().map(|word| format!(", {}", word.replace('_', " ")));
    format!("{}{}{canary}", row.state.replace('_', " "), words.collect::<String>())
}

fn ran_for(row: &FanOutRowBody) -> Option<Duration> {
    let time = |text: &Option<String>| humantime::parse_rfc3339(text.as_deref()?).ok();
    time(&row.finished_at)?.duration_since(time(&row.started_at)?).ok()
}

/// How it ended, and what to type next.
#[must_use]
pub fn end(fan_out: &FanOutBody) -> String {
    let why = fan_out.halted.map(|halted| match halted {
        RowNotRun::CanaryFailed => ": a canary has not succeeded, the others were not started",
        RowNotRun::MaxFailures => ": too many have failed, the others were not started",
        RowNotRun::Cancelled | RowNotRun::RunnerDeleted => "",
    });
    let said = format!("{}: {}{}", fan_out.status, counted(&fan_out.counts), why.unwrap_or_default());
    match fan_out.status {
        FanOutStatus::Running | FanOutStatus::Succeeded => said,
        FanOutStatus::Failed | FanOutStatus::Cancelled => {
            format!("{said}\nto run those again that have not succeeded: shunt fan-out rerun {}", fan_out.id)
        }
    }
}

/// The worst of its rows: the highest exit code, and at least 1 for one that has not succeeded.
#[must_use]
pub fn exit_code(fan_out: &FanOutBody) -> u8 {
    let code = |row: &FanOutRowBody| match row.state.as_str() {
        "succeeded" => 0,
        _ => u8::try_from(row.exit_code.unwrap_or(1).clamp(1, 255)).unwrap_or(1),
    };
    fan_out.rows.iter().map(code).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(hostname: &str, state: &str, exit_code: Option<i32>) -> FanOutRowBody {
        serde_json::from_value(json!({
            "row": 0, "hostname": hostname, "runner": "01890000-0000-7000-8000-000000000001", "canary": false,
            "state": state, "job": null, "exit_code": exit_code, "started_at": null, "finished_at": null,
            "stop_reason": null, "not_run_reason": null, "row_not_run": null,
        }))
        .unwrap()
    }

    fn fan_out(rows: Vec<FanOutRowBody>) -> FanOutBody {
        let mut body: FanOutBody = serde_json::from_value(json!({
            "id": "01890000-0000-7000-8000-000000000009", "title": "t", "org": "default", "project": "",
            "status": "failed", "halted": "canary_failed", "filter": {}, "canary": 1, "repeats": null, "created_at": "",
            "created_by": "admin", "cancelled_by": null, "finished_at": null,
            "counts": {"rows": 2, "waiting": 0, "running": 0, "succeeded": 0, "failed": 1, "not_run": 1},
        }))
        .unwrap();
        body.rows = rows;
        body
    }

    #[test]
    fn who_takes_part_is_named_up_to_a_point() {
        let names: Vec<String> = (0..22).map(|n| format!("h{n}")).collect();
        let text = who(names.iter().map(String::as_str), &[LeftOut { hostname: "z".into(), why: "disabled".into() }]);
        assert!(text.starts_with("22 runners: h0, h1, ") && text.contains("h19 and 2 more"), "{text}");
        assert!(text.ends_with("\n1 left out: z (disabled)"), "{text}");
        assert_eq!(who(["a"].into_iter(), &[]), "1 runner: a");
    }

    #[test]
    fn the_end_says_why_it_was_halted_and_how_to_go_on_and_the_worst_host_decides() {
        let mut not_run = row("b", "not_run", None);
        not_run.row_not_run = Some(RowNotRun::CanaryFailed);
        let mut canary = row("a", "failed", Some(7));
        canary.canary = true;
        let ended = fan_out(vec![canary, not_run]);
        assert_eq!(exit_code(&ended), 7);
        assert_eq!(
            hosts(&ended),
            "HOST  STATE                   EXIT  TIME  JOB\n\
             a     failed (canary)         7     -     -\n\
             b     not run, canary failed  -     -     -\n"
        );
        let text = end(&ended);
        assert!(text.starts_with("failed: 1 failed, 1 not run: a canary has not succeeded"), "{text}");
        assert!(text.contains("shunt fan-out rerun 01890000-0000-7000-8000-000000000009"), "{text}");
        assert_eq!(exit_code(&fan_out(vec![row("a", "succeeded", Some(0)), row("b", "expired", None)])), 1);
        assert_eq!(exit_code(&fan_out(vec![row("a", "cancelled", Some(0))])), 1);
        assert_eq!(exit_code(&fan_out(vec![row("a", "succeeded", Some(0))])), 0);
    }
}
