//! For people: the rows' output on standard output, each line with its row's name; what happens on standard error.

use std::collections::{BTreeMap, BTreeSet};

use shuntyard_domain::ids::StageRunId;
use shuntyard_domain::phase::Phase;
use shuntyard_domain::stage::Status;
use shuntyard_domain::wire::change::{PhaseBody, StageBody};
use tokio::time::Instant;

use super::bars::Bars;
use super::rows::Row;
use crate::change::words::{marked, skipped_because};
use crate::failure::Failure;
use crate::run::names::prefix;
use crate::run::prefix::LinePrefix;
use crate::run::result;
use crate::terminal::{self, paint, plain, print, style};

/// What was shown, and what is still to be shown.
pub struct Text {
    bars: Option<Bars>,
    quiet: bool,
    out_colour: bool,
    colour: bool,
    prefixes: BTreeMap<usize, LinePrefix>,
    states: BTreeMap<usize, String>,
    runs: BTreeMap<StageRunId, Run>,
}

struct Run {
    body: StageBody,
    /// Rows that have not ended.
    open: BTreeMap<Phase, BTreeSet<usize>>,
    began: BTreeMap<Phase, Instant>,
    since: Instant,
    said: BTreeSet<Phase>,
    over: bool,
}

impl Text {
    #[must_use]
    pub fn new(live: bool, quiet: bool) -> Self {
        Self {
            bars: live.then(Bars::new),
            quiet,
            out_colour: terminal::stdout_colour(),
            colour: terminal::stderr_colour(),
            prefixes: BTreeMap::new(),
            states: BTreeMap::new(),
            runs: BTreeMap::new(),
        }
    }

    pub fn run(&mut self, body: &StageBody, new: &[&Row]) -> Result<(), Failure> {
        if let Some(run) = self.runs.get_mut(&body.run) {
            run.body = body.clone();
        } else {
            let number = if body.number > 1 { format!(", run {}", body.number) } else { String::new() };
            self.say(&paint(self.colour, style::BOLD, &format!("{}{number}", body.stage)));
            let (open, began, said) = Default::default();
            let run = Run { body: body.clone(), open, began, since: Instant::now(), said, over: false };
            self.runs.insert(body.run, run);
        }
        // All of them first: a phase has not ended before the last of its rows.
        new.iter().for_each(|row| self.count(row));
        for row in new {
            self.row(row)?;
        }
        self.settle(body.run);
        Ok(())
    }

    fn count(&mut self, row: &Row) {
        if let Some(run) = self.runs.get_mut(&row.run) {
            run.began.entry(row.phase).or_insert_with(Instant::now);
            let open = run.open.entry(row.phase).or_default();
            let _ = if row.ended { open.remove(&row.index) } else { open.insert(row.index) };
        }
    }

    pub fn row(&mut self, row: &Row) -> Result<(), Failure> {
        self.count(row);
        if row.ended {
            let rest = self.prefixes.remove(&row.index).map(|mut prefix| prefix.finish()).unwrap_or_default();
            self.write(&rest)?;
        }
        if let Some(bars) = &mut self.bars {
            bars.row(row, self.colour);
        }
        let before = self.states.insert(row.index, row.state().to_owned());
        if let Some(job) = &row.job {
            let faults = if row.ended { result::not_kept(job) } else { Vec::new() };
            faults.iter().for_each(|said| self.remark(row, &format!("warning: {said}")));
            if row.ended && (self.bars.is_none() || result::exit_code(job) != 0) {
                self.say(&format!("{}: {}", plain(&row.name), result::line(job, self.colour)));
            } else if self.bars.is_none() && row.state() == "running" && before.as_deref() != Some("running") {
                self.remark(row, &format!("running on {}", job.runner.as_deref().unwrap_or("its runner")));
            }
        }
        self.settle(row.run);
        Ok(())
    }

    pub fn output(&mut self, row: &Row, bytes: &[u8]) -> Result<(), Failure> {
        let colour = self.out_colour;
        let make = || LinePrefix::new(&prefix(&row.name, row.index, row.name_width, colour));
        let lines = self.prefixes.entry(row.index).or_insert_with(make).feed(bytes);
        self.write(&lines)
    }

    pub fn remark(&self, row: &Row, said: &str) {
        self.say(&paint(self.colour, style::DIM, &format!("{}: {}", plain(&row.name), plain(said))));
    }

    /// Says something, also when it is to be quiet.
    pub fn note(&self, said: &str) {
        match &self.bars {
            Some(bars) => bars.suspend(|| terminal::note(said)),
            None => terminal::note(said),
        }
    }

    pub fn tick(&mut self) {
        let Some(run) = self.runs.values().find(|run| !run.over) else { return };
        let summary = summary(&run.body);
        if let Some(bars) = &mut self.bars {
            bars.tick(&summary);
        }
    }

    pub fn close(&mut self) {
        if let Some(bars) = self.bars.take() {
            bars.close();
        }
    }

    fn say(&self, said: &str) {
        if !self.quiet {
            self.note(said);
        }
    }

    fn write(&self, bytes: &[u8]) -> Result<(), Failure> {
        match &self.bars {
            _ if bytes.is_empty() => Ok(()),
            Some(bars) => bars.suspend(|| print(bytes)),
            None => print(bytes),
        }
    }

    /// Says which phases have ended, and whether the run has, once the output of their rows was given.
    fn settle(&mut self, id: StageRunId) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        let (mut ended, mut lines) = (Vec::new(), Vec::new());
        for phase in run.body.phases.iter().filter(|phase| is_final(phase, &run.body)) {
            let has_open = run.open.get(&phase.name).is_some_and(|open| !open.is_empty());
            if !has_open && run.said.insert(phase.name) {
                let time = run.began.get(&phase.name).map(Instant::elapsed);
                lines.push(phase_line(phase, time.map(result::run_time), self.colour));
                ended.push(phase.name);
            }
        }
        if run.body.finished_at.is_some() && run.said.len() == run.body.phases.len() && !run.over {
            run.over = true;
            lines.push(run_line(&run.body, &result::run_time(run.since.elapsed()), self.colour));
        }
        if let Some(bars) = &mut self.bars {
            ended.into_iter().for_each(|phase| bars.collapse(id, phase));
        }
        lines.iter().for_each(|line| self.say(line));
    }
}

/// A phase that has failed can still have rows that run.
fn is_final(phase: &PhaseBody, run: &StageBody) -> bool {
    let is_under_way = |status| matches!(status, Status::Running | Status::Idle);
    match phase.status {
        Status::Passed | Status::Skipped => true,
        Status::Failed => run.finished_at.is_some() || !phase.run_details.iter().any(|row| is_under_way(row.status)),
        Status::Idle | Status::Running => run.finished_at.is_some(),
    }
}

fn phase_line(phase: &PhaseBody, time: Option<String>, colour: bool) -> String {
    let rows = phase.run_details.len();
    let count = |status: Status| phase.run_details.iter().filter(|row| row.status == status).count();
    let carried = phase.run_details.iter().filter(|row| row.carried).count();
    let mut said = match phase.status {
        Status::Skipped => format!("skipped: {}", skipped_because(phase)),
        Status::Idle => "not run".into(),
        Status::Failed => format!("failed: {} of {rows} row(s)", count(Status::Failed)),
        Status::Passed if count(Status::Failed) > 0 => {
            format!("passed: {} row(s) that may fail did", count(Status::Failed))
        }
        Status::Passed | Status::Running => format!("{}: {rows} row(s)", phase.status),
    };
    if carried > 0 {
        said += &format!(", {carried} carried over from the run before");
    }
    let time = time.filter(|_| phase.status != Status::Skipped).map(|time| format!(" in {time}"));
    marked(phase.status, &format!("{} {said}{}", phase.name, time.unwrap_or_default()), colour)
}

fn run_line(run: &StageBody, time: &str, colour: bool) -> String {
    let why = match (&run.fault, &run.cancelled_by) {
        (Some(fault), _) => format!(": {}", plain(fault)),
        (None, Some(by)) => format!(": cancelled by {}", plain(by)),
        (None, None) => String::new(),
    };
    marked(run.status, &format!("{} {} in {time}{why}", run.stage, run.status), colour)
}

/// How many rows are how.
fn summary(run: &StageBody) -> String {
    let rows = || run.phases.iter().flat_map(|phase| &phase.run_details);
    let counts = Status::ALL.iter().filter_map(|status| {
        let count = rows().filter(|row| row.status == *status).count();
        (count > 0).then(|| format!("{count} {status}"))
    });
    format!("{}: {}", run.stage, counts.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::standing::tests::case;

    #[test]
    fn phases_and_runs_end_with_a_line_that_says_how() {
        let running = case("verify-running").stages.remove(0);
        let line = |phase: &PhaseBody| phase_line(phase, Some("1.0s".into()), false);
        assert_eq!(line(&running.phases[1]), "✔ lint passed: 1 row(s) that may fail did in 1.0s");
        assert_eq!(line(&running.phases[2]), "– syntax skipped: nothing to run");
        assert_eq!(summary(&running), "verify: 1 idle, 1 running, 1 failed, 1 skipped");
        let gate = case("at-the-gate").stages.remove(0);
        assert_eq!(line(&gate.phases[0]), "✔ unit passed: 2 row(s), 1 carried over from the run before in 1.0s");
        let faulty = case("faulty").stages.remove(0);
        assert!(run_line(&faulty, "0.1s", false).starts_with("✖ verify failed in 0.1s: config.json has 2 faults:"));
        let closed = case("closed").stages.remove(0);
        assert_eq!(run_line(&closed, "0.1s", false), "✖ verify failed in 0.1s: cancelled by ada");
    }

    #[test]
    fn a_phase_that_has_failed_is_not_over_as_long_as_a_row_of_it_runs() {
        let mut run = case("verify-running").stages.remove(0);
        run.phases[0].status = Status::Failed;
        assert!(!is_final(&run.phases[0], &run));
        run.finished_at = Some("then".into());
        assert!(is_final(&run.phases[0], &run));
        assert!(is_final(&run.phases[1], &run) && is_final(&run.phases[2], &run));
    }
}
