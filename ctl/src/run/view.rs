//! Where the jobs' output and our remarks about them go.

use std::io::{IsTerminal, Write};

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
        if self.to_stderr {
            return std::io::stderr().lock().write_all(bytes).map_err(Failure::Output);
        }
        print(bytes)
    }

    /// Remarks on one job, by name when there are several.
    pub fn remark(&self, row: usize, text: &str) {
        if self.quiet {
            return;
        }
        let name = if self.prefixes.is_empty() { "" } else { self.names.get(row).map_or("", String::as_str) };
        let line = if name.is_empty() { plain(text) } else { format!("{name}: {}", plain(text)) };
        note(&paint(self.colour, style::DIM, &line));
    }

    /// Says once that the server is away, whichever job noticed first.
    pub fn lost(&mut self, why: &str) {
        if !std::mem::replace(&mut self.lost, true) {
            note(&format!("lost contact with the server ({}); the jobs go on, trying again", plain(why)));
        }
    }

    /// Says once that the server is back.
    pub fn back(&mut self) {
        if std::mem::replace(&mut self.lost, false) {
            note("the server is back");
        }
    }
}
