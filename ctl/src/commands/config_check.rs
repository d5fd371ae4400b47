//! `shunt config check`: every fault of a project's configuration, or what its phases resolve to. Needs no server.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use shuntyard_domain::project_config::{self, CANDIDATES, CheckReport, Fault, ProjectConfig, SaidIn, check_report};

use crate::failure::{EXIT_ERROR, Failure};
use crate::pretty_json::pretty;
use crate::project::{InDirectory, project_toml};
use crate::run::request::read_config;
use crate::table;
use crate::terminal::{note, paint, plain, print, stderr_colour, stdout_colour, style};

/// Check a project's configuration; show every fault, or what each phase resolves to
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// The configuration; - for standard input [default: .shuntyard/config.json, .delivery/config.json or config.json
    /// of the project]. A .shuntyard/project.toml or .delivery/project.toml of the project is checked with it
    file: Option<PathBuf>,
    /// Directory of the project [default: the current one]
    #[arg(long, value_name = "DIR", conflicts_with = "file")]
    project: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// # Errors
/// `Failure` when a file cannot be found or read; a faulty one is exit code 1.
pub fn run(args: &CheckArgs) -> Result<u8, Failure> {
    let (path, text) = match &args.file {
        Some(path) if path == Path::new("-") => {
            (path.clone(), io::read_to_string(io::stdin()).map_err(Failure::ReadInput)?)
        }
        file => read_config(args.project.as_deref().unwrap_or(Path::new(".")), file.clone())?,
    };
    let local = match project_of(&path) {
        Some(dir) => project_toml(&mut InDirectory(&dir))?,
        None => None,
    };
    let local_path = local.as_ref().map(|(path, _)| path.clone()).unwrap_or_default();
    let shown = local_path.display().to_string();
    let report = check_report(&text, local.as_ref().map(|(_, text)| (shown.as_str(), text.as_str())));
    if let Ok(config) = project_config::parse(&text) {
        warn_of_misspelt(&path, &config);
    }
    if args.json {
        print(pretty(&json!(report), stdout_colour()).as_bytes())?;
    } else if report.valid {
        print(phases_table(&report).as_bytes())?;
    } else {
        let of_local = report.local_phases.as_ref().map_or(&[][..], |local| &local.errors);
        for (path, faults) in [(&path, &report.errors[..]), (&local_path, of_local)] {
            if !faults.is_empty() {
                note(&faults_text(path, faults));
            }
        }
    }
    Ok(if report.valid { 0 } else { EXIT_ERROR })
}

/// The directory of the project whose configuration this is; none for standard input.
fn project_of(config: &Path) -> Option<PathBuf> {
    let candidate = CANDIDATES.iter().find(|candidate| config.ends_with(candidate));
    let depth = candidate.map_or(1, |candidate| Path::new(candidate).components().count());
    let project = config.ancestors().nth(depth).unwrap_or(Path::new(""));
    (config != Path::new("-")).then(|| project.to_owned())
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
            let said_in = match of.said_in {
                Some(SaidIn::Config) => "config.json",
                Some(SaidIn::LocalPhases) => "project.toml",
                None => "-",
            };
            rows.push(vec![phase.to_string(), filter.to_string(), said_in.into(), timeout.clone(), skip.into()]);
        }
    }
    table::render(&["PHASE", "FILTER", "COMMAND", "TIMEOUT", "SKIP"], rows)
}

/// Names the keys that are ignored and look like a slip, on standard error.
pub fn warn_of_misspelt(path: &Path, config: &ProjectConfig) {
    for (key, meant) in config.misspelt() {
        let key = plain(&key);
        note(&format!("{}: warning: the key `{key}` means nothing here; did you mean `{meant}`?", path.display()));
    }
}
