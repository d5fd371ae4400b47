//! What `shunt run` submits: flags and files turned into one body, all checks done here.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use shuntyard_domain::digest::Digest;
use shuntyard_domain::git_source::GitSource;
use shuntyard_domain::job::Concurrency;
use shuntyard_domain::phase::Phase;
use shuntyard_domain::project_config::{self, CANDIDATES, LOCAL_PHASES_CANDIDATES, parse_local_phases};
use shuntyard_domain::runner::BadName;
use shuntyard_domain::secret::SecretUse;
use shuntyard_domain::wire::api::{Retry, SubmitJob, SubmitPhaseRun};
use shuntyard_domain::wire::time_text::length_s;

use crate::commands::config_check;
use crate::failure::{Failure, Usage};
use crate::project::{Files as _, InDirectory, directory_name, first};
use crate::run::{RunArgs, clone, filter_arg, shell_words, size_arg};
use crate::terminal::{note, plain};

/// A checked body.
#[derive(Debug)]
pub enum Request {
    Phase(Box<SubmitPhaseRun>),
    AdHoc(Box<SubmitJob>),
    /// The configuration has faults; they were shown.
    FaultyConfig,
}

impl Request {
    /// Lets every job start in a tree that the server has.
    pub fn start_in(&mut self, tree: Digest) {
        match self {
            Self::Phase(body) => body.workspace = Some(tree),
            Self::AdHoc(body) => body.workspace = Some(tree),
            Self::FaultyConfig => {}
        }
    }

    fn in_group(mut self, group: Option<Concurrency>) -> Self {
        if let Self::Phase(body) = &mut self {
            body.concurrency = group;
        }
        self
    }

    fn in_workspace(mut self, tree: Option<Digest>) -> Self {
        tree.into_iter().for_each(|tree| self.start_in(tree));
        self
    }
}

/// Checks the flags and reads the files.
///
/// # Errors
/// `Usage`, `ReadFile`, `ReadInput`
pub fn resolve(args: RunArgs) -> Result<Request, Failure> {
    let env = args.env.iter().map(|text| parse_env(text)).collect::<Result<BTreeMap<_, _>, _>>()?;
    let git = args.git.as_deref().zip(args.reference.as_deref());
    let git = git.map(|(url, reference)| clone::source(url, reference)).transpose()?;
    match args.phase {
        Some(phase) => {
            let request = phase_run(args.project.as_deref(), args.config, phase, env, args.priority, git)?;
            Ok(request.in_workspace(args.workspace).in_group(args.concurrency))
        }
        None => ad_hoc(args, env, git).map(|body| Request::AdHoc(Box::new(body))),
    }
}

fn phase_run(
    project: Option<&Path>,
    config: Option<PathBuf>,
    phase: Phase,
    env: BTreeMap<String, String>,
    priority: i32,
    mut git: Option<GitSource>,
) -> Result<Request, Failure> {
    let dir = project.unwrap_or(Path::new("."));
    let committed = git.as_mut().filter(|_| config.is_none()).and_then(|git| clone::committed_config(dir, git));
    let (path, config) = match committed {
        Some(committed) => committed,
        None => read_config(dir, config)?,
    };
    let local_phases = match &git {
        // Where the configuration is that of the ref, so is what it goes with.
        Some(git) if git.config_blob.is_some() => clone::committed_local_phases(dir, git),
        _ => first(&LOCAL_PHASES_CANDIDATES, &mut InDirectory(dir))?,
    };
    if let Some(Err(faults)) = local_phases.as_ref().map(|(_, text)| parse_local_phases(text)) {
        let path = local_phases.map(|(path, _)| path).unwrap_or_default();
        note(&config_check::faults_text(&path, &faults));
        return Ok(Request::FaultyConfig);
    }
    let local_phases = local_phases.map(|(_, text)| text);
    match project_config::parse(&config) {
        Ok(parsed) => config_check::warn_of_misspelt(&path, &parsed),
        Err(faults) => {
            note(&config_check::faults_text(&path, &faults));
            return Ok(Request::FaultyConfig);
        }
    }
    let project = directory_name(dir)?;
    Ok(Request::Phase(Box::new(SubmitPhaseRun {
        project,
        phase,
        config,
        local_phases,
        env,
        priority,
        concurrency: None,
        workspace: None,
        git,
    })))
}

/// Reads the configuration: the named file, else the first candidate below `dir`.
///
/// # Errors
/// `Usage::NoConfig` when there is none, `ReadFile` when it cannot be read.
pub fn read_config(dir: &Path, named: Option<PathBuf>) -> Result<(PathBuf, String), Failure> {
    if let Some(path) = named {
        return match std::fs::read_to_string(&path) {
            Ok(text) => Ok((path, text)),
            Err(source) => Err(Failure::ReadFile { path, source }),
        };
    }
    let mut files = InDirectory(dir);
    Ok(first(&CANDIDATES, &mut files)?.ok_or_else(|| files.without_config())?)
}

fn ad_hoc(args: RunArgs, env: BTreeMap<String, String>, git: Option<GitSource>) -> Result<SubmitJob, Failure> {
    let secrets = secret_uses(&args.secret, &args.secret_file)?;
    // The project of a clone tells whose secrets open it; that of a job, whose secrets it is handed.
    let project = match (&git, &args.project) {
        (None, None) if secrets.is_empty() => String::new(),
        (None, None) => directory_name(Path::new("."))?,
        (_, Some(dir)) => directory_name(dir)?,
        (Some(git), None) => git.repository().to_owned(),
    };
    let filter = filter_arg::parse(&args.filter)?;
    let seconds = |given: Option<&str>| given.map(parse_duration).transpose();
    let (run_limit_s, silence_limit_s) = (seconds(args.timeout.as_deref())?, seconds(args.silence_limit.as_deref())?);
    let queue_limit_s = seconds(args.queue_limit.as_deref())?;
    let output_cap_bytes = args.output_cap.as_deref().map(size_arg::parse).transpose()?;
    let stop_after_disconnect_s = args.stop_after_disconnect.as_deref().map(parse_patience).transpose()?;
    let script = match args.script {
        Some(path) if path == Path::new("-") => io::read_to_string(io::stdin()).map_err(Failure::ReadInput)?,
        Some(path) => std::fs::read_to_string(&path).map_err(|source| Failure::ReadFile { path, source })?,
        None => shell_words::quote_all(&args.command) + "\n",
    };
    if script.trim().is_empty() {
        return Err(Usage::EmptyScript.into());
    }
    Ok(SubmitJob {
        script,
        title: args.title,
        filter,
        env,
        priority: args.priority,
        queue_limit_s,
        run_limit_s,
        silence_limit_s,
        stop_grace_s: None,
        output_cap_bytes,
        stop_after_disconnect_s,
        retry: Retry { on_lost: args.retry_on_lost },
        project,
        workspace: args.workspace,
        concurrency: args.concurrency,
        artifacts: args.artifacts,
        git,
        secrets,
    })
}

/// The secrets in variables, then those in files.
fn secret_uses(variables: &[String], files: &[String]) -> Result<Vec<SecretUse>, Usage> {
    let parts = |text: &'_ str| text.split_once('=').map(|(name, env)| (name.to_owned(), Some(env.to_owned())));
    let parts = |text: &String| parts(text).unwrap_or_else(|| (text.clone(), None));
    let variables = variables.iter().map(parts).map(|(name, env)| SecretUse::variable(&name, env.as_deref()));
    let files = files.iter().map(parts).map(|(name, env)| SecretUse::file(&name, env.as_deref()));
    let uses = variables.chain(files).collect::<Result<Vec<_>, _>>();
    uses.map_err(|bad| Usage::BadName(BadName { found: plain(&bad.found), ..bad }))
}

fn parse_env(text: &str) -> Result<(String, String), Usage> {
    let bad = || Usage::BadEnv { found: plain(text) };
    let (name, value) = text.split_once('=').ok_or_else(bad)?;
    let good = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if good { Ok((name.to_owned(), value.to_owned())) } else { Err(bad()) }
}

/// Whole seconds, written as a number or as a duration; 0 is allowed.
fn parse_patience(text: &str) -> Result<u32, Usage> {
    if let Ok(seconds) = text.parse::<u32>() {
        return Ok(seconds);
    }
    if humantime::parse_duration(text).is_ok_and(|duration| duration.is_zero()) { Ok(0) } else { parse_duration(text) }
}

/// Whole seconds, rounded up, at least one.
pub fn parse_duration(text: &str) -> Result<u32, Usage> {
    length_s(text).map_err(|why| Usage::BadDuration { found: plain(text), why: why.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_variables_need_a_shells_name() {
        assert_eq!(parse_env("A_1=x=y").unwrap(), ("A_1".into(), "x=y".into()));
        assert_eq!(parse_env("A=").unwrap(), ("A".into(), String::new()));
        for bad in ["A", "=x", "1A=x", "a-b=x", "a b=x", "$(id)=x"] {
            assert!(parse_env(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn patience_with_a_lost_dispatcher_is_a_number_of_seconds_or_a_duration() {
        for (text, seconds) in [("0", 0), ("90", 90), ("0s", 0), ("90s", 90), ("2m", 120)] {
            assert_eq!(parse_patience(text).unwrap(), seconds, "{text}");
        }
        for bad in ["", "-1", "1.5", "never", "200years", "4294967296"] {
            assert!(parse_patience(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_first_candidate_is_taken_and_a_missing_one_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let missing = read_config(dir.path(), None).unwrap_err().to_string();
        assert!(missing.contains(".shuntyard/config.json, .delivery/config.json, config.json"), "{missing}");
        std::fs::write(dir.path().join("config.json"), "last").unwrap();
        assert_eq!(read_config(dir.path(), None).unwrap().1, "last");
        std::fs::create_dir(dir.path().join(".delivery")).unwrap();
        std::fs::write(dir.path().join(".delivery/config.json"), "chef's").unwrap();
        assert_eq!(read_config(dir.path(), None).unwrap().1, "chef's");
        assert!(read_config(dir.path(), Some("no/such/file".into())).is_err());
    }
}
