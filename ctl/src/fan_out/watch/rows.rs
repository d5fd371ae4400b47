//! The rows whose jobs are followed: found in snapshots, brought up to date by their own streams.

use shuntyard_domain::ids::JobId;
use shuntyard_domain::wire::fan_out::FanOutRowBody;
use tokio::time::Instant;

use crate::run::streams::Streams;
use crate::run::watch::waiting::{ASK_AGAIN, PATIENCE};

#[derive(Default)]
struct Row {
    /// Its job, and which of the streams is its.
    job: Option<(JobId, usize)>,
    ended: bool,
    waits: bool,
    ask_at: Option<Instant>,
    said: String,
}

/// All of them, in the order of the fan-out.
pub struct Rows {
    rows: Vec<Row>,
    streams: Streams,
    /// The row of each stream.
    row_of: Vec<usize>,
}

impl Rows {
    #[must_use]
    pub fn new(rows: usize) -> Self {
        let rows = std::iter::repeat_with(Row::default).take(rows).collect();
        Self { rows, streams: Streams::default(), row_of: Vec::new() }
    }

    /// Every job that was met has ended, and its output was given.
    #[must_use]
    pub fn all_ended(&self) -> bool {
        self.rows.iter().all(|row| row.ended || row.job.is_none())
    }

    #[must_use]
    pub fn has_ended(&self, row: usize) -> bool {
        self.rows[row].ended
    }

    /// Takes a row as a snapshot shows it.
    pub fn is_now(&mut self, row: usize, body: &FanOutRowBody) {
        let (Some(job), Some(known)) = (body.job, self.rows.get_mut(row)) else { return };
        let waits = body.state == "queued";
        match known.job {
            None => {
                known.job = Some((job, self.row_of.len()));
                known.waits = waits;
                known.ask_at = waits.then(|| Instant::now() + PATIENCE);
                self.row_of.push(row);
                self.streams.push(waits);
            }
            Some(_) if !waits => self.started(row),
            Some(_) => {}
        }
    }

    /// Its job has left the queue.
    pub fn started(&mut self, row: usize) {
        let known = &mut self.rows[row];
        (known.waits, known.ask_at) = (false, None);
        if let Some((_, stream)) = known.job {
            self.streams.left_the_queue(stream);
        }
    }

    /// Nothing more comes of it.
    pub fn over(&mut self, row: usize) {
        self.started(row);
        let known = &mut self.rows[row];
        known.ended = true;
        if let Some((_, stream)) = known.job {
            self.streams.over(stream);
        }
    }

    /// The next job whose stream is to be opened.
    pub fn open_next(&mut self) -> Option<(usize, JobId)> {
        let row = self.row_of[self.streams.open_next()?];
        self.rows[row].job.map(|(job, _)| (row, job))
    }

    /// The jobs that have waited long enough to be asked what for.
    pub fn due_questions(&mut self) -> Vec<(usize, JobId)> {
        let now = Instant::now();
        let due = self.rows.iter_mut().enumerate().filter(|(_, row)| row.ask_at.is_some_and(|at| at <= now));
        due.filter_map(|(index, row)| {
            row.ask_at = None;
            row.job.map(|(job, _)| (index, job))
        })
        .collect()
    }

    /// What a job waits for; returned when it is worth a word.
    pub fn waits_for(&mut self, row: usize, summary: Option<String>) -> Option<String> {
        let row = &mut self.rows[row];
        // It may have started, or ended, while the answer was on its way.
        if row.ended || !row.waits {
            return None;
        }
        row.ask_at = Some(Instant::now() + ASK_AGAIN);
        let summary = summary.filter(|summary| row.said != *summary)?;
        row.said.clone_from(&summary);
        Some(summary)
    }
}
