//! A plan as text: a table for each stage, what stands in the way, what is otherwise than last time.

use shuntyard_domain::plan::{PhaseDifference, PhaseForecast, RowForecast, UnknownWord};
use shuntyard_domain::wire::pipelines::{PlanBody, StagePlanBody};

use crate::change::words::reason;
use crate::table;
use crate::terminal::{paint, plain, style};

const HEADER: [&str; 4] = ["PHASE", "FILTER", "RUNNERS", "RUNS"];
/// Runners that are named; others are counted.
const NAMED: usize = 3;
const RUNS_MAX_CHARS: usize = 60;

/// A table for each stage, and its differences.
#[must_use]
pub fn text(plan: &PlanBody, colour: bool) -> String {
    plan.stages.iter().map(|stage| stage_text(stage, colour)).collect::<Vec<_>>().join("\n")
}

/// What keeps rows from being run, and what would help; a line each.
#[must_use]
pub fn obstacles(plan: &PlanBody) -> String {
    let mut text = String::new();
    for stage in &plan.stages {
        let phases = stage.forecast.groups.iter().flatten().filter(|phase| phase.skip.is_none());
        for (phase, row) in phases.flat_map(|phase| phase.rows.iter().map(move |row| (phase, row))) {
            let at = format!("{} {} {}", stage.forecast.stage, phase.phase, row.filter);
            text.extend(row.unknown.iter().map(|word| format!("{}\n", plain(&unknown(&at, word)))));
            if let Some(why) = &row.why_not {
                let help = row.unblock.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
                text += &format!("{}\n", plain(&format!("error: {at}: {why}{help}")));
            }
        }
    }
    text
}

fn unknown(at: &str, word: &UnknownWord) -> String {
    let nearest = word.nearest.as_ref().map(|word| format!("; did you mean `{word}`?")).unwrap_or_default();
    let kind = if word.is_error { "error" } else { "warning" };
    format!("{kind}: {at}: no runner has the {} `{}`{nearest}", word.key, word.word)
}

fn stage_text(stage: &StagePlanBody, colour: bool) -> String {
    let (word, of) = if stage.forecast.runnable { ("can run", style::GREEN) } else { ("cannot run", style::RED) };
    let mut text =
        format!("{}: {}\n", paint(colour, style::BOLD, stage.forecast.stage.as_str()), paint(colour, of, word));
    let mut rows = Vec::new();
    for phase in stage.forecast.groups.iter().flatten() {
        rows.extend(phase_rows(phase, stage));
    }
    text += &indented(&table::render(&HEADER, rows));
    text + &indented(&differences(stage))
}

fn phase_rows(phase: &PhaseForecast, stage: &StagePlanBody) -> Vec<Vec<String>> {
    let own = stage.forecast.groups.iter().flatten().next().map(|first| &first.project);
    let name = if own == Some(&phase.project) {
        phase.phase.to_string()
    } else {
        format!("{}:{}", phase.project, phase.phase)
    };
    if phase.skip.is_some() {
        return vec![vec![name, String::new(), String::new(), format!("skipped: {}", reason(phase.skip))]];
    }
    let runs = phase.runs.as_deref().map(shortened).unwrap_or_default();
    let row = |row: &RowForecast| vec![name.clone(), row.filter.to_string(), runners(row), runs.clone()];
    phase.rows.iter().map(row).collect()
}

fn shortened(runs: &str) -> String {
    if runs.chars().count() <= RUNS_MAX_CHARS {
        return runs.to_owned();
    }
    runs.chars().take(RUNS_MAX_CHARS - 1).chain(['…']).collect()
}

/// `u1, u2 and 3 more (2 of 5 ready)`
fn runners(row: &RowForecast) -> String {
    if row.matching == 0 {
        return "nobody".into();
    }
    let named = row.runners.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let others = row.matching.saturating_sub(row.runners.len().min(NAMED));
    let others = if others > 0 { format!(" and {others} more") } else { String::new() };
    let ready =
        if row.ready == row.matching { String::new() } else { format!(" ({} of {} ready)", row.ready, row.matching) };
    format!("{named}{others}{ready}")
}

fn differences(stage: &StagePlanBody) -> String {
    let Some(last) = &stage.last else { return "no run of this stage to compare with\n".into() };
    let which = format!("the last run ({}, {}, change {} {:?})", last.status, last.created_at, last.change, last.title);
    if stage.differences.is_empty() {
        return format!("as in {}\n", plain(&which));
    }
    let mut text = format!("otherwise than in {}:\n", plain(&which));
    for difference in &stage.differences {
        text += &format!("  {}\n", plain(&difference_line(difference)));
    }
    text
}

fn difference_line(difference: &PhaseDifference) -> String {
    let mut parts = difference.changed.clone();
    parts.extend(difference.rows_added.iter().map(|filter| format!("+ {filter}")));
    parts.extend(difference.rows_removed.iter().map(|filter| format!("- {filter}")));
    format!("{} of {}: {}", difference.phase, difference.project, parts.join(", "))
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn plan() -> PlanBody {
        let row = |filter: serde_json::Value, runners: &[&str], ready: usize| json!({"description": "", "filter": filter, "matching": runners.len(), "ready": ready, "runners": runners});
        let mut nobody = row(json!({"labels": ["gqu"]}), &[], 0);
        nobody["why_not"] = "no runner in the inventory can match".into();
        nobody["unblock"] = "give runner `u1` the labels [\"gqu\"]".into();
        nobody["unknown"] = json!([{"key": "labels", "word": "gqu", "nearest": "gpu", "is_error": true}]);
        let change = "00000000-0000-0000-0000-000000000000";
        let unit = json!({"project": "hello", "change": change, "phase": "unit", "runs": "make test", "rows": [
            row(json!({"platform": ["ubuntu"]}), &["u1", "u2", "u3", "u4"], 3), nobody]});
        let lint = json!({"project": "hello", "change": change, "phase": "lint", "skip": "nothing_to_run",
            "rows": [row(json!({"labels": ["gqu"]}), &[], 0)]});
        let last =
            json!({"change": change, "title": "before\u{1b}", "number": 1, "status": "passed", "created_at": "then"});
        let difference = json!({"project": "hello", "phase": "unit", "changed": ["run"],
            "rows_added": [{"labels": ["gqu"]}], "rows_removed": [{"os": ["linux"]}]});
        let stage = json!({"stage": "verify", "runnable": false, "groups": [[unit, lint]], "last": last,
            "differences": [difference]});
        serde_json::from_value(json!({"stages": [stage]})).unwrap()
    }

    #[test]
    fn a_plan_names_rows_runners_commands_and_what_is_otherwise() {
        let text = text(&plan(), false);
        assert!(text.starts_with("verify: cannot run\n  PHASE  FILTER "), "{text}");
        for said in [
            "u1, u2, u3 and 1 more (3 of 4 ready)  make test",
            "{\"labels\":[\"gqu\"]}       nobody ",
            "lint   -                        -                                     skipped: nothing to run",
            "otherwise than in the last run (passed, then, change 00000000",
            "unit of hello: run, + {\"labels\":[\"gqu\"]}, - {\"os\":[\"linux\"]}",
        ] {
            assert!(text.contains(said), "no {said:?} in\n{text}");
        }
        assert!(!text.contains('\x1b'));
    }

    #[test]
    fn a_long_command_shows_that_it_was_cut() {
        assert_eq!(shortened(&"é".repeat(60)), "é".repeat(60));
        assert_eq!(shortened(&"é".repeat(61)), "é".repeat(59) + "…");
    }

    #[test]
    fn obstacles_name_the_nearest_word_and_what_would_help_and_skipped_phases_have_none() {
        let text = obstacles(&plan());
        assert_eq!(
            text,
            "error: verify unit {\"labels\":[\"gqu\"]}: no runner has the labels `gqu`; did you mean `gpu`?\n\
             error: verify unit {\"labels\":[\"gqu\"]}: no runner in the inventory can match; give runner `u1` the \
             labels [\"gqu\"]\n"
        );
    }
}
