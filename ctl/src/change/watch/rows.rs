//! The rows whose jobs are followed: found in snapshots, brought up to date by their own streams.

use std::collections::HashMap;

use shuntyard_domain::filter::Filter;
use shuntyard_domain::ids::{JobId, StageRunId};
use shuntyard_domain::phase::{Phase, Stage};
use shuntyard_domain::stage::Status;
use shuntyard_domain::wire::api::JobBody;
use shuntyard_domain::wire::change::{ChangeBody, PhaseBody, RowBody, StageBody};
use tokio::time::Instant;

use crate::run::names::{Called, names_of};
use crate::run::streams::Streams;
use crate::run::watch::waiting::{ASK_AGAIN, PATIENCE};

/// One job of one row.
#[derive(Debug)]
pub struct Row {
    /// Its place in the list; never another's.
    pub index: usize,
    pub run: StageRunId,
    /// Of its run.
    pub number: u32,
    pub stage: Stage,
    pub phase: Phase,
    /// `unit[ubuntu]`
    pub name: String,
    pub filter: Filter,
    pub job_id: JobId,
    /// What its stream last said.
    pub job: Option<JobBody>,
    pub ended: bool,
    /// Of the next byte of its output.
    pub offset: u64,
    /// When its job began to run, as this program saw it.
    pub running_since: Option<Instant>,
    /// The longest name in its run, for columns.
    pub name_width: usize,
    ask_at: Option<Instant>,
    said: String,
}

impl Row {
    /// `queued`, `running`, …; as long as nothing was said, `waiting`.
    #[must_use]
    pub fn state(&self) -> &str {
        self.job.as_ref().map_or("waiting", |job| job.state.as_str())
    }

    fn is_waiting(&self) -> bool {
        self.job.as_ref().is_none_or(|job| job.state == "queued")
    }
}

/// All of them, in the order in which they were met.
#[derive(Default)]
pub struct Rows {
    rows: Vec<Row>,
    index_of: HashMap<JobId, usize>,
    streams: Streams,
}

impl Rows {
    #[must_use]
    pub fn row(&self, index: usize) -> &Row {
        &self.rows[index]
    }

    #[must_use]
    pub fn has_ended(&self, index: usize) -> bool {
        self.rows[index].ended
    }

    #[must_use]
    pub fn all_ended(&self) -> bool {
        self.rows.iter().all(|row| row.ended)
    }

    /// Takes a run as it is now; returns the rows that are new.
    pub fn take(&mut self, change: &ChangeBody, run: &StageBody) -> Vec<usize> {
        let names: Vec<Vec<String>> = run.phases.iter().map(|phase| names(change, phase)).collect();
        let rows = run.phases.iter().zip(&names).flat_map(|(phase, names)| phase.run_details.iter().zip(names));
        let width = rows.filter(|(row, _)| row.skip.is_none()).map(|(_, name)| name.chars().count()).max().unwrap_or(0);
        let mut new = Vec::new();
        for (phase, names) in run.phases.iter().zip(names) {
            for (row, name) in phase.run_details.iter().zip(names) {
                let Some(job) = row.job.filter(|_| !row.carried) else { continue };
                let waits = row.status == Status::Idle && run.finished_at.is_none();
                match self.index_of.get(&job) {
                    Some(index) if !waits => self.streams.left_the_queue(*index),
                    Some(_) => {}
                    None => new.push(self.add(run, phase.name, row, job, name, width, waits)),
                }
            }
        }
        if run.finished_at.is_some() {
            // Also jobs that another one has taken the place of.
            let of_it = self.rows.iter().filter(|row| row.run == run.run).map(|row| row.index);
            of_it.collect::<Vec<_>>().into_iter().for_each(|index| self.streams.left_the_queue(index));
        }
        new
    }

    #[expect(clippy::too_many_arguments, reason = "all of them are the row's own")]
    fn add(
        &mut self,
        run: &StageBody,
        phase: Phase,
        row: &RowBody,
        job: JobId,
        name: String,
        name_width: usize,
        waits: bool,
    ) -> usize {
        let index = self.rows.len();
        self.rows.push(Row {
            index,
            run: run.run,
            number: run.number,
            stage: run.stage,
            phase,
            name,
            filter: row.filter.clone(),
            job_id: job,
            job: None,
            ended: false,
            offset: 0,
            running_since: None,
            name_width,
            ask_at: waits.then(|| Instant::now() + PATIENCE),
            said: String::new(),
        });
        self.index_of.insert(job, index);
        self.streams.push(waits);
        index
    }

    /// The next job whose stream is to be opened.
    pub fn open_next(&mut self) -> Option<(usize, JobId)> {
        self.streams.open_next().map(|index| (index, self.rows[index].job_id))
    }

    /// Counts what was given of its output, and what was not kept; returns the row with the offset of what is given.
    pub fn output(&mut self, index: usize, given: usize, elided: u64) -> (&Row, u64) {
        let row = &mut self.rows[index];
        let offset = row.offset;
        row.offset += given as u64 + elided;
        (row, offset)
    }

    /// The output begins anew.
    pub fn again(&mut self, index: usize) {
        self.rows[index].offset = 0;
    }

    /// The row's job is as its stream says.
    pub fn is_now(&mut self, index: usize, job: JobBody, ended: bool) {
        let row = &mut self.rows[index];
        if row.running_since.is_none() && job.state == "running" {
            row.running_since = Some(Instant::now());
        }
        let waited = row.is_waiting();
        row.job = Some(job);
        row.ended |= ended;
        row.ask_at = match (row.is_waiting() && !row.ended, waited) {
            (true, true) => row.ask_at,
            (true, false) => Some(Instant::now() + PATIENCE),
            (false, _) => None,
        };
        if ended {
            self.streams.over(index);
        }
    }

    /// The jobs that have waited long enough to be asked what for.
    pub fn due_questions(&mut self) -> Vec<(usize, JobId)> {
        let now = Instant::now();
        let due = self.rows.iter_mut().filter(|row| row.ask_at.is_some_and(|at| at <= now));
        due.map(|row| {
            row.ask_at = None;
            (row.index, row.job_id)
        })
        .collect()
    }

    /// What a job waits for; returned when it is worth a word.
    pub fn waits_for(&mut self, index: usize, summary: Option<String>) -> Option<String> {
        let row = &mut self.rows[index];
        // It may have started, or ended, while the answer was on its way.
        if row.ended || !row.is_waiting() {
            return None;
        }
        row.ask_at = Some(Instant::now() + ASK_AGAIN);
        let summary = summary.filter(|summary| row.said != *summary)?;
        row.said.clone_from(&summary);
        Some(summary)
    }
}

/// The rows' names; those of another project say so.
fn names(change: &ChangeBody, phase: &PhaseBody) -> Vec<String> {
    let word = |row: &RowBody| {
        if row.project == change.project { phase.name.to_string() } else { format!("{}:{}", row.project, phase.name) }
    };
    let words: Vec<String> = phase.run_details.iter().map(word).collect();
    let rows = phase.run_details.iter().zip(&words).enumerate();
    let called = rows.map(|(row, (body, word))| Called { word, filter: &body.filter, row });
    names_of(&called.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::standing::tests::case;

    fn names_of_rows(rows: &Rows) -> Vec<&str> {
        rows.rows.iter().map(|row| row.name.as_str()).collect()
    }

    #[test]
    fn jobs_are_taken_once_by_their_rows_names_and_those_of_an_earlier_run_not_at_all() {
        let (mut rows, change) = (Rows::default(), case("verify-running"));
        assert_eq!(rows.take(&change, &change.stages[0]), [0, 1, 2]);
        assert_eq!(names_of_rows(&rows), ["unit[ubuntu]", "unit[rhel]", "lint"]);
        assert!(rows.rows.iter().all(|row| row.name_width == "unit[ubuntu]".len()), "skipped phases need no room");
        assert!(rows.take(&change, &change.stages[0]).is_empty());
        let gate = case("at-the-gate");
        let mut rows = Rows::default();
        assert_eq!(rows.take(&gate, &gate.stages[0]), [0], "the other one is carried over");
        assert_eq!(names_of_rows(&rows), ["unit[rhel]"]);
        let delivered = case("delivered");
        let mut rows = Rows::default();
        rows.take(&delivered, &delivered.stages[3]);
        assert_eq!(names_of_rows(&rows), ["deploy", "shop:deploy"]);
    }

    #[test]
    fn an_offset_counts_what_was_not_kept_and_begins_anew_with_another_attempt() {
        let (mut rows, change) = (Rows::default(), case("verify-running"));
        rows.take(&change, &change.stages[0]);
        assert_eq!(rows.output(0, 5, 0).1, 0);
        rows.output(0, 0, 100);
        assert_eq!(rows.output(0, 1, 0).1, 105);
        rows.again(0);
        assert_eq!(rows.output(0, 1, 0).1, 0);
    }
}
