//! What the demo prints: steps, prefixed live output, the final table. Colours only on a terminal.

use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::Path;

use comfy_table::{Table, presets};

const COLOURS: [u8; 6] = [36, 33, 35, 32, 34, 31];

/// One job in the final table.
pub(super) struct Row {
    pub job: String,
    pub runner: String,
    pub platform: String,
    pub state: &'static str,
    pub exit_code: Option<i32>,
    /// From the host's `ok` to the stored result, in milliseconds.
    pub ms: Option<i64>,
    pub succeeded: bool,
}

/// Standard output.
pub(super) struct Screen {
    colours: bool,
}

impl Screen {
    pub(super) fn new() -> Self {
        Self { colours: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() }
    }

    fn paint(&self, code: u8, text: &str) -> String {
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(super) fn title(&self, text: &str) {
        say(&format!("\n{}", self.paint(1, &format!("▶ {text}"))));
    }

    pub(super) fn step(&self, step: &str, detail: &str) {
        say(&format!("  {} {step:<12} {detail}", self.paint(32, "✔")));
    }

    /// A printer of one job's lines under its name.
    pub(super) fn lines(&self, colour: usize, job: &str) -> Lines {
        Lines { prefix: self.paint(COLOURS[colour % COLOURS.len()], &format!("{job} │ ")), partial: Vec::new() }
    }

    pub(super) fn table(&self, rows: &[Row]) {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED);
        table.set_header(["job", "runner", "platform", "state", "exit", "time"]);
        for row in rows {
            table.add_row([
                row.job.clone(),
                row.runner.clone(),
                row.platform.clone(),
                row.state.to_owned(),
                row.exit_code.map_or_else(|| "-".into(), |code| code.to_string()),
                row.ms.map_or_else(|| "-".into(), |ms| format!("{}.{:03} s", ms / 1000, ms % 1000)),
            ]);
        }
        say(&format!("\n{table}"));
    }

    pub(super) fn stay(&self, address: SocketAddr, token: &Path) {
        self.title("the server stays; try, in another terminal (Ctrl-C here stops it):");
        let flags = format!("--server http://{address} --token-file {}", token.display());
        say(&format!("  shunt {flags} ctl list-runners\n  shunt {flags} run --filter platform=ubuntu -- uname -a"));
    }
}

/// Cuts a job's bytes into lines and prints each under the job's name.
pub(super) struct Lines {
    prefix: String,
    partial: Vec<u8>,
}

impl Lines {
    pub(super) fn print(&mut self, bytes: &[u8]) {
        self.partial.extend_from_slice(bytes);
        while let Some(end) = self.partial.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = self.partial.drain(..=end).collect();
            self.line(&line[..end]);
        }
    }

    /// Prints what is left of a last line without its end.
    pub(super) fn end(&mut self) {
        if !self.partial.is_empty() {
            let line = std::mem::take(&mut self.partial);
            self.line(&line);
        }
    }

    fn line(&self, line: &[u8]) {
        say(&format!("{}{}", self.prefix, String::from_utf8_lossy(line)));
    }
}

/// Prints a line; a reader that went away must not end the demo.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
