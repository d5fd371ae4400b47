//! Where the jobs' output and our remarks about them go.

use std::io::{IsTerminal, Write};

use indicatif::{ProgressBar, ProgressStyle};

use crate::failure::Failure;
use crate::run::names;
use crate::run::prefix::LinePrefix;
use crate::terminal::{note, paint, plain, print, stderr_colour, stdout_colour, style};

/// Output on standard output (raw for one job, prefixed lines for several), remarks on standard error.
pub struct View {
    /// Empty when there is one job: its bytes stay as they are.
    prefixes: Vec<LinePrefix>,
    names: Vec<String>,
    /// Standard output is kept for JSON.
    to_stderr: bool,
    quiet: bool,
    colour: bool,
    lost: bool,
    /// Raw output stopped in the middle of a line.
    mid_line: bool,
    /// One line at the foot of the terminal.
    live: Option<ProgressBar>,
}

impl View {
    #[must_use]
    pub fn new(names: &[String], to_stderr: bool, quiet: bool) -> Self {
        let colour = if to_stderr { stderr_colour() } else { stdout_colour() };
        let prefixes = if names.len() > 1 { names::prefixes(names, colour) } else { Vec::new() };
        Self {
            prefixes: prefixes.iter().map(|p| LinePrefix::new(p)).collect(),
            names: names.to_vec(),
            to_stderr,
            quiet,
            colour: stderr_colour(),
            lost: false,
            mid_line: false,
            live: None,
        }
    }

    /// Keeps a line about all of it at the foot of the terminal, if there is one.
    #[must_use]
    pub fn with_live_line(mut self) -> Self {
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if !self.quiet && !is_dumb && std::io::stderr().is_terminal() {
            let style = ProgressStyle::with_template("{spinner} {wide_msg}");
            let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
            self.live = Some(ProgressBar::new_spinner().with_style(style));
        }
        self
    }

    /// Time has passed; `text` is about all of it.
    pub fn tick(&self, text: &str) {
        if let Some(live) = &self.live {
            live.set_message(plain(text));
            live.tick();
        }
    }

    /// Takes the live line away.
    pub fn close(&self) {
        if let Some(live) = &self.live {
            live.finish_and_clear();
        }
    }

    /// Shows output of the job in `row`.
    ///
    /// # Errors
    /// `Failure::Output`
    pub fn output(&mut self, row: usize, bytes: &[u8]) -> Result<(), Failure> {
        match self.prefixes.get_mut(row) {
            Some(prefix) => {
                let lines = prefix.feed(bytes);
                self.write(&lines)
            }
            None => {
                self.mid_line = bytes.last().is_some_and(|last| *last != b'\n');
                self.write(bytes)
            }
        }
    }

    /// Shows what is left of the row's last line; on a terminal, the remarks after it begin on a line of their own.
    ///
    /// # Errors
    /// `Failure::Output`
    pub fn end(&mut self, row: usize) -> Result<(), Failure> {
        if std::mem::take(&mut self.mid_line) && std::io::stdout().is_terminal() && std::io::stderr().is_terminal() {
            note("");
        }
        let rest = self.prefixes.get_mut(row).map(LinePrefix::finish).unwrap_or_default();
        self.write(&rest)
    }

    fn write(&self, bytes: &[u8]) -> Result<(), Failure> {
        if bytes.is_empty() {
            return Ok(());
        }
        let write = || {
            if self.to_stderr {
                return std::io::stderr().lock().write_all(bytes).map_err(Failure::Output);
            }
            print(bytes)
        };
        match &self.live {
            Some(live) => live.suspend(write),
            None => write(),
        }
    }

    /// A word about all of it.
    pub fn note(&self, said: &str) {
        match &self.live {
            Some(live) => live.suspend(|| note(said)),
            None => note(said),
        }
    }

    /// A line about one job, by name.
    pub fn say(&self, row: usize, said: &str) {
        if !self.quiet {
            let name = self.names.get(row).map_or("", String::as_str);
            self.note(&format!("{}: {said}", plain(name)));
        }
    }

    /// Remarks on one job, by name when there are several.
    pub fn remark(&self, row: usize, text: &str) {
        if self.quiet {
            return;
        }
        let name = if self.prefixes.is_empty() { "" } else { self.names.get(row).map_or("", String::as_str) };
        let line = if name.is_empty() { plain(text) } else { format!("{name}: {}", plain(text)) };
        self.note(&paint(self.colour, style::DIM, &line));
    }

    /// Says once that the server is away, whichever job noticed first.
    pub fn lost(&mut self, why: &str) {
        if !std::mem::replace(&mut self.lost, true) {
            self.note(&format!("lost contact with the server ({}); the jobs go on, trying again", plain(why)));
        }
    }

    /// Says once that the server is back.
    pub fn back(&mut self) {
        if std::mem::replace(&mut self.lost, false) {
            self.note("the server is back");
        }
    }
}
