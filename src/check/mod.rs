//! `shuntd check`: what a start would find wrong in the data directory and the database, all of it at once.
//!
//! A look that changes nothing: no file is made, no row written, and a daemon that runs meanwhile is not disturbed.

mod contents;
mod database;
mod files;
mod report;

use std::path::Path;

use serde::Serialize;

use crate::config::Config;

pub use report::Report;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// A start would fail, or something is lost or open to others.
    Fault,
    /// It goes on in a worse way.
    Warning,
    Note,
}

impl Level {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fault => "fault",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub level: Level,
    /// Stable, for programs.
    pub code: &'static str,
    /// One sentence, with the path it is about.
    pub message: String,
    /// What to do; empty for a note.
    pub next: String,
}

/// What was found so far.
#[derive(Default)]
pub(crate) struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, level: Level, code: &'static str, message: String, next: impl Into<String>) {
        self.0.push(Finding { level, code, message, next: next.into() });
    }

    fn fault(&mut self, code: &'static str, message: String, next: impl Into<String>) {
        self.add(Level::Fault, code, message, next);
    }

    fn warning(&mut self, code: &'static str, message: String, next: impl Into<String>) {
        self.add(Level::Warning, code, message, next);
    }

    fn note(&mut self, code: &'static str, message: String) {
        self.add(Level::Note, code, message, "");
    }
}

/// Looks at the data directory and the database of a configuration; faults first. Blocks.
#[must_use]
pub fn check(config: &Config) -> Vec<Finding> {
    let (paths, mut findings) = (config.paths(), Findings::default());
    if files::check(config, &paths, &mut findings) {
        database::check(config, &paths, &mut findings);
    }
    let mut found = findings.0;
    // Stable: findings of one level stay in the order in which they were made.
    found.sort_by_key(|finding| finding.level);
    found
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
