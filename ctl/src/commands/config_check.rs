//! `shunt config check`: every fault of a project's configuration, or what its phases resolve to. Needs no server.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use shuntyard_domain::project_config::{self, CheckReport, Fault, ProjectConfig, check_report};

use crate::failure::{EXIT_ERROR, Failure};
use crate::pretty_json::pretty;
use crate::run::request::read_config;
use crate::table;
use crate::terminal::{note, paint, plain, print, stderr_colour, stdout_colour, style};

/// Check a project's configuration; show every fault, or what each phase resolves to
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// The configuration; - for standard input [default: .shuntyard/config.json, .delivery/config.json or config.json
    /// of the project]
    file: Option<PathBuf>,
    /// Directory of the project [default: the current one]
    #[arg(long, value_name = "DIR", conflicts_with = "file")]
    project: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// # Errors
/// `Failure` when the file cannot be found or read; a faulty one is exit code 1.
pub fn run(args: &CheckArgs) -> Result<u8, Failure> {
    let (path, text) = match &args.file {
        Some(path) if path == Path::new("-") => {
            (path.clone(), io::read_to_string(io::stdin()).map_err(Failure::ReadInput)?)
        }
        file => read_config(args.project.as_deref().unwrap_or(Path::new(".")), file.clone())?,
    };
    let report = check_report(&text);
    if let Ok(config) = project_config::parse(&text) {
        warn_of_misspelt(&path, &config);
    }
    if args.json {
        print(pretty(&json!(report), stdout_colour()).as_bytes())?;
    } else if report.valid {
        print(phases_table(&report).as_bytes())?;
    } else {
        note(&faults_text(&path, &report.errors));
    }
    Ok(if report.valid { 0 } else { EXIT_ERROR })
}

/// One line per fault, `FILE:LINE:COLUMN: path: message`, and how many there are.
#[must_use]
pub fn faults_text(path: &Path, faults: &[Fault]) -> String {
    let colour = stderr_colour();
    let count = if faults.len() == 1 { "1 fault".to_owned() } else { format!("{} faults", faults.len()) };
    let mut text = String::new();
    for fault in faults {
        text += &format!("{}:{}\n", path.display(), plain(&fault.to_string()));
    }
    text + &paint(colour, style::RED, &format!("{count} in {}", path.display()))
}

/// One line per job: a matrix has as many as it has rows.
fn phases_table(report: &CheckReport) -> String {
    let mut rows = Vec::new();
    for (phase, of) in &report.phases {
        let timeout = of.timeout_s.map_or_else(|| "none".into(), |s| format!("{s}s"));
        let skip = if of.skip { "skipped" } else { "" };
        for filter in &of.filters {
            rows.push(vec![phase.to_string(), filter.to_string(), timeout.clone(), skip.into()]);
        }
    }
    table::render(&["PHASE", "FILTER", "TIMEOUT", "SKIP"], rows)
}

/// Names the keys that are ignored and look like a slip, on standard error.
pub fn warn_of_misspelt(path: &Path, config: &ProjectConfig) {
    for (key, meant) in config.misspelt() {
        let key = plain(&key);
        note(&format!("{}: warning: the key `{key}` means nothing here; did you mean `{meant}`?", path.display()));
    }
}
