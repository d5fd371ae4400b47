//! A change as text: who and what, the way through the pipeline, each run with its phases and rows, what may be done.

use std::collections::BTreeMap;

use shuntyard_domain::change::{ChangeState, Source};
use shuntyard_domain::ids::JobId;
use shuntyard_domain::phase::Stage;
use shuntyard_domain::pipeline::{Gate, next};
use shuntyard_domain::stage::Status;
use shuntyard_domain::wire::api::JobBody;
use shuntyard_domain::wire::change::{ChangeBody, PhaseBody, RowBody, StageBody};

use super::standing::sentence;
use super::words::{mark, marked, next_steps, skipped_because};
use crate::run::result;
use crate::terminal::{paint, plain, style};

/// Of a phase with more rows than these only those that run or have failed are listed.
const FEW_ROWS: usize = 20;

/// The jobs of the rows that are listed, in their order.
#[must_use]
pub fn jobs_of_interest(change: &ChangeBody) -> Vec<JobId> {
    let phases = change.stages.iter().flat_map(|stage| &stage.phases);
    phases.flat_map(listed).filter_map(|row| row.job).collect()
}

/// The rows of a phase that are shown one by one.
fn listed(phase: &PhaseBody) -> Vec<&RowBody> {
    let few = phase.run_details.len() <= FEW_ROWS;
    let is_listed = |row: &&RowBody| few || matches!(row.status, Status::Failed | Status::Running);
    phase.run_details.iter().filter(is_listed).collect()
}

/// The whole text; `jobs` may lack any.
#[must_use]
pub fn text(change: &ChangeBody, jobs: &BTreeMap<JobId, JobBody>, colour: bool) -> String {
    let mut text = head(change, colour);
    text += &format!("\n{}\n", way(change, colour));
    for stage in &change.stages {
        text += "\n";
        text += &stage_text(stage, jobs, colour);
    }
    text + &tail(change, jobs)
}

fn head(change: &ChangeBody, colour: bool) -> String {
    let mut lines = vec![
        paint(colour, style::BOLD, &plain(&change.title)),
        format!("change   {}", change.id),
        format!("in       {}/{}/{}", change.org, change.project, change.pipeline),
        match change.state {
            ChangeState::Closed => format!("state    {}", sentence(change)),
            state => format!("state    {state}: {}", sentence(change)),
        },
        format!("source   {}", source(&change.source)),
        format!("by       {}, {}", plain(&change.submit_by), change.submitted_at),
    ];
    for (word, by, at) in [
        ("approved", &change.approved_by, &change.approved_at),
        ("delivered", &change.delivered_by, &change.delivered_at),
    ] {
        if let Some(by) = by {
            lines.push(format!("{word} by {}, {}", plain(by), at.as_deref().unwrap_or("-")));
        }
    }
    lines.extend(change.description.lines().map(|line| format!("  {}", plain(line))));
    lines.join("\n") + "\n"
}

fn source(source: &Source) -> String {
    match source {
        Source::None => "no files".into(),
        Source::Workspace { digest } => format!("workspace {digest}"),
        Source::Git { url, reference } => format!("git {} at {}", plain(url), plain(reference)),
    }
}

/// Every stage and every gate, from left to right.
fn way(change: &ChangeBody, colour: bool) -> String {
    let mut steps = Vec::new();
    for stage in Stage::ALL {
        let status = change.stages.iter().find(|run| run.stage == *stage).map_or(Status::Idle, |run| run.status);
        steps.push(format!("{} {stage}", mark(status, colour)));
        match next(*stage) {
            Some((_, Some(Gate::Approve))) => steps.push(gate("approve", change.approved_at.is_some(), colour)),
            Some((_, Some(Gate::Deliver))) => steps.push(gate("deliver", change.delivered_at.is_some(), colour)),
            Some((_, None)) | None => {}
        }
    }
    steps.join(" → ")
}

fn gate(word: &str, is_open: bool, colour: bool) -> String {
    let style = if is_open { style::GREEN } else { style::YELLOW };
    let text = if is_open { format!("({word} ✔)") } else { format!("({word})") };
    paint(colour, style, &text)
}

fn stage_text(stage: &StageBody, jobs: &BTreeMap<JobId, JobBody>, colour: bool) -> String {
    let number = if stage.number > 1 { format!(", run {}", stage.number) } else { String::new() };
    let triggered = stage.triggered_by.as_ref().map(|by| format!(", triggered by {}", plain(by))).unwrap_or_default();
    let how = match (&stage.cancelled_by, stage.finished_at.is_some()) {
        (Some(by), false) => format!("being cancelled by {}", plain(by)),
        (None, false) if stage.status == Status::Failed => "failing".into(),
        (Some(by), true) if stage.status == Status::Failed => format!("was cancelled by {}", plain(by)),
        (Some(_) | None, _) => stage.status.to_string(),
    };
    let head = format!("{}{number}: {how}{triggered}", stage.stage);
    let mut text = marked(stage.status, &head, colour) + "\n";
    if let Some(fault) = &stage.fault {
        text += &format!("  {}\n", fault.lines().map(plain).collect::<Vec<_>>().join("\n  "));
    }
    for phase in &stage.phases {
        text += &phase_text(phase, jobs, colour);
    }
    text
}

fn phase_text(phase: &PhaseBody, jobs: &BTreeMap<JobId, JobBody>, colour: bool) -> String {
    if phase.status == Status::Skipped {
        let line = format!("{}: skipped: {}", phase.name, skipped_because(phase));
        return format!("  {}\n", marked(phase.status, &line, colour));
    }
    let mut text = format!("  {}\n", marked(phase.status, &format!("{}: {}", phase.name, phase.status), colour));
    let listed = listed(phase);
    for row in &listed {
        text += &format!("    {}\n", marked(row.status, &row_text(row, jobs), colour));
        let job = row.job.and_then(|id| jobs.get(&id));
        text.extend(
            job.into_iter().flat_map(result::not_kept).map(|said| format!("      warning: {}\n", plain(&said))),
        );
    }
    let others = phase.run_details.len() - listed.len();
    if others > 0 {
        text += &format!("    {others} rows are not listed: --json has them\n");
    }
    text
}

fn row_text(row: &RowBody, jobs: &BTreeMap<JobId, JobBody>) -> String {
    let mut words = vec![plain(&row.description)];
    if let Some(job) = row.job.and_then(|id| jobs.get(&id)) {
        words.push(plain(&result::told(job)));
    } else {
        words.push(row.status.to_string());
    }
    if row.continue_on_error {
        words.push("may fail".into());
    }
    if row.carried {
        words.push("carried over from the run before".into());
    }
    let job = row.job.map(|job| format!("  job {job}")).unwrap_or_default();
    format!("{}{job}", words.join("  "))
}

/// What may be done now.
fn tail(change: &ChangeBody, jobs: &BTreeMap<JobId, JobBody>) -> String {
    let steps = next_steps(change, jobs);
    if steps.is_empty() { String::new() } else { format!("\nnext:\n{steps}") }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::Value;

    use super::*;

    /// Cases under fixtures/api/changes; `UPDATE_SHOWN=1` records what is shown now.
    #[test]
    fn changes_are_shown_as_recorded() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/api/changes");
        let mut cases = 0;
        for file in std::fs::read_dir(dir).unwrap() {
            let path = file.unwrap().path();
            let mut case: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
            let change: ChangeBody = serde_json::from_value(case["change"].clone()).unwrap();
            let jobs: Vec<JobBody> = serde_json::from_value(case["jobs"].clone()).unwrap();
            let text = text(&change, &jobs.into_iter().map(|job| (job.id, job)).collect(), false);
            let shown: Vec<&str> = text.lines().collect();
            if std::env::var_os("UPDATE_SHOWN").is_some() {
                case["shown"] = shown.into();
                std::fs::write(&path, serde_json::to_string_pretty(&case).unwrap() + "\n").unwrap();
            } else {
                let expected: Vec<String> = serde_json::from_value(case["shown"].clone()).unwrap();
                assert_eq!(shown, expected, "{}: {}", path.display(), case["about"]);
            }
            cases += 1;
        }
        assert!(cases >= 6, "{cases} cases");
    }

    #[test]
    fn colour_changes_nothing_but_colour() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/api/changes/verify-running.json");
        let case: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let change: ChangeBody = serde_json::from_value(case["change"].clone()).unwrap();
        let coloured = text(&change, &BTreeMap::new(), true);
        let mut bare = String::new();
        let mut pieces = coloured.split("\x1b[");
        bare += pieces.next().unwrap();
        pieces.for_each(|piece| bare += piece.split_once('m').unwrap().1);
        assert!(coloured.contains('\x1b'));
        assert_eq!(bare, text(&change, &BTreeMap::new(), false));
    }
}
