//! One live line for each row at the foot of the terminal.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use shuntyard_domain::ids::StageRunId;
use shuntyard_domain::phase::Phase;

use super::rows::Row;
use crate::run::result;
use crate::terminal::{paint, plain, style};

/// More lines than these would push the output off the screen.
const MAX_LINES: usize = 16;

/// The lines of the rows whose phases are not finished.
pub struct Bars {
    all: MultiProgress,
    lines: BTreeMap<usize, Line>,
    /// What the last line says: of all rows.
    summary: ProgressBar,
    /// The longest name of a runner so far.
    runner_width: usize,
}

struct Line {
    bar: ProgressBar,
    of: (StageRunId, Phase),
    text: String,
    since: Option<tokio::time::Instant>,
    over: bool,
}

impl Bars {
    #[must_use]
    pub fn new() -> Self {
        let all = MultiProgress::new();
        let summary = all.add(ProgressBar::new_spinner().with_style(template("{spinner} {wide_msg}")));
        Self { all, lines: BTreeMap::new(), summary, runner_width: 1 }
    }

    /// Does something else with the terminal meanwhile.
    pub fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        self.all.suspend(write)
    }

    /// Shows a row as it is, if there is room.
    pub fn row(&mut self, row: &Row, colour: bool) {
        if !self.lines.contains_key(&row.index) {
            if row.ended || !self.make_room() {
                return;
            }
            let bar = self.all.insert_before(&self.summary, ProgressBar::new_spinner());
            bar.set_style(template("{spinner} {wide_msg}"));
            let line = Line { bar, of: (row.run, row.phase), text: String::new(), since: None, over: false };
            self.lines.insert(row.index, line);
        }
        let runner = row.job.as_ref().and_then(|job| job.runner.as_deref()).unwrap_or("-");
        self.runner_width = self.runner_width.max(runner.chars().count());
        if let Some(line) = self.lines.get_mut(&row.index) {
            line.show(row, &format!("{runner:width$}", width = self.runner_width), colour);
        }
    }

    /// The phase has an end: its lines go.
    pub fn collapse(&mut self, run: StageRunId, phase: Phase) {
        self.lines.retain(|_, line| {
            let stays = line.of != (run, phase);
            if !stays {
                self.all.remove(&line.bar);
            }
            stays
        });
    }

    /// Time has passed; `summary` is about all rows.
    pub fn tick(&mut self, summary: &str) {
        for line in self.lines.values().filter(|line| !line.over) {
            line.bar.set_message(line.message());
            line.bar.tick();
        }
        self.summary.set_message(plain(summary));
        self.summary.tick();
    }

    /// Takes all lines away.
    pub fn close(&self) {
        let _ = self.all.clear();
    }

    /// A finished row makes room for another one.
    fn make_room(&mut self) -> bool {
        if self.lines.len() < MAX_LINES {
            return true;
        }
        let finished = self.lines.iter().find(|(_, line)| line.over).map(|(index, _)| *index);
        if let Some(line) = finished.and_then(|index| self.lines.remove(&index)) {
            self.all.remove(&line.bar);
        }
        self.lines.len() < MAX_LINES
    }
}

impl Line {
    fn show(&mut self, row: &Row, runner: &str, colour: bool) {
        let (name, width) = (&row.name, row.name_width);
        self.text = plain(&format!("{name:width$}  {runner}  {}", row.state()));
        self.since = row.running_since;
        if let Some(job) = row.job.as_ref().filter(|_| row.ended) {
            self.over = true;
            let (mark, of) = if result::exit_code(job) == 0 { ("✔", style::GREEN) } else { ("✖", style::RED) };
            self.bar.set_style(template("{wide_msg}"));
            let time = result::ran_for(job).map(|time| format!("  {time}")).unwrap_or_default();
            self.bar.set_message(format!("{} {}{time}", paint(colour, of, mark), self.text));
            self.bar.tick();
        } else {
            self.bar.set_message(self.message());
            self.bar.tick();
        }
    }

    fn message(&self) -> String {
        match self.since {
            Some(since) => format!("{}  {}", self.text, whole_seconds(since.elapsed())),
            None => self.text.clone(),
        }
    }
}

/// A line that changes each tenth of a second is hard to read.
fn whole_seconds(time: Duration) -> String {
    if time.as_secs() < 60 { format!("{}s", time.as_secs()) } else { result::run_time(time) }
}

fn template(text: &'static str) -> ProgressStyle {
    ProgressStyle::with_template(text).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
