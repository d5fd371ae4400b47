//! A project: its name, and the settings that say what its phases do, read and checked.

use std::io;
use std::path::{Path, PathBuf};

use shuntyard_domain::phase::Phase;
use shuntyard_domain::project_config::{
    self, CANDIDATES, Fault, LOCAL_PHASES_CANDIDATES, LocalPhases, parse_local_phases,
};
use shuntyard_domain::tenancy::Name;

use crate::commands::config_check;
use crate::failure::{Failure, Usage};
use crate::terminal::note;

/// The texts of config.json and project.toml, without faults.
#[derive(Debug)]
pub struct Settings {
    pub config: String,
    pub local_phases: Option<String>,
}

/// Where settings are read.
pub trait Files {
    /// The text at a path from the project's directory; `None` when nothing is there.
    ///
    /// # Errors
    /// `Failure`
    fn text(&mut self, path: &str) -> Result<Option<String>, Failure>;

    /// How people call what is read at a path.
    fn called(&self, path: &str) -> PathBuf;

    /// What to say when there is no configuration.
    fn without_config(&self) -> Usage;
}

/// The files as they are in a directory.
pub struct InDirectory<'a>(pub &'a Path);

impl Files for InDirectory<'_> {
    fn text(&mut self, path: &str) -> Result<Option<String>, Failure> {
        let path = self.0.join(path);
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Failure::ReadFile { path, source }),
        }
    }

    fn called(&self, path: &str) -> PathBuf {
        self.0.join(path)
    }

    fn without_config(&self) -> Usage {
        Usage::NoConfig { dir: self.0.to_owned(), looked: CANDIDATES.join(", ") }
    }
}

/// Reads the settings of a project; `None` when they have faults, which were all shown.
///
/// # Errors
/// `Usage::NoConfig` and its like, and what `files` says.
pub fn settings(files: &mut dyn Files) -> Result<Option<Settings>, Failure> {
    let Some((path, config)) = first(&CANDIDATES, files)? else { return Err(files.without_config().into()) };
    let parsed = checked(&path, project_config::parse(&config));
    let local = project_toml(files)?;
    let parsed_local = match &local {
        Some((path, text)) => checked(path, parse_local_phases(text)),
        None => Some(LocalPhases::default()),
    };
    let (Some(parsed), Some(parsed_local)) = (parsed, parsed_local) else { return Ok(None) };
    config_check::warn_of_misspelt(&path, &parsed);
    let says = |phase: &Phase| parsed.phase(*phase).run.is_some() || parsed_local.command(*phase).is_some();
    if !Phase::ALL.iter().any(says) {
        note(&format!(
            "{}: warning: no phase says what it runs (`phases.unit.run` and the like): without a command template of the \
             server everything is skipped",
            path.display()
        ));
    }
    Ok(Some(Settings { config, local_phases: local.map(|(_, text)| text) }))
}

/// What is right; every fault of what is wrong is shown.
fn checked<T>(path: &Path, parsed: Result<T, Vec<Fault>>) -> Option<T> {
    parsed.map_err(|faults| note(&config_check::faults_text(path, &faults))).ok()
}

/// The project.toml, if there is one: what to call it, and its text.
///
/// # Errors
/// What `files` says.
pub fn project_toml(files: &mut dyn Files) -> Result<Option<(PathBuf, String)>, Failure> {
    first(&LOCAL_PHASES_CANDIDATES, files)
}

/// The first candidate that is there: what to call it, and its text.
///
/// # Errors
/// What `files` says.
pub fn first(candidates: &[&str], files: &mut dyn Files) -> Result<Option<(PathBuf, String)>, Failure> {
    for candidate in candidates {
        if let Some(text) = files.text(candidate)? {
            return Ok(Some((files.called(candidate), text)));
        }
    }
    Ok(None)
}

/// The name of the directory, as it is called.
///
/// # Errors
/// `Usage::NoProjectName`, `Failure::ReadFile`
pub fn directory_name(dir: &Path) -> Result<String, Failure> {
    let absolute = dir.canonicalize().map_err(|source| Failure::ReadFile { path: dir.to_owned(), source })?;
    let name = absolute.file_name().and_then(|name| name.to_str());
    Ok(name.ok_or_else(|| Usage::NoProjectName(absolute.clone()))?.to_owned())
}

/// The name that was given, else the directory's.
///
/// # Errors
/// As `directory_name`; `Usage::OddProjectName` when the directory is called as no project can be.
pub fn project_name(given: Option<Name>, dir: &Path) -> Result<Name, Failure> {
    if let Some(name) = given {
        return Ok(name);
    }
    Ok(directory_name(dir)?.parse().map_err(|bad| Usage::OddProjectName { dir: dir.to_owned(), bad })?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_are_the_first_of_each_kind_and_a_missing_configuration_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let missing = settings(&mut InDirectory(dir.path())).unwrap_err().to_string();
        assert!(missing.contains(".shuntyard/config.json, .delivery/config.json, config.json"), "{missing}");
        std::fs::write(dir.path().join("config.json"), "{}").unwrap();
        std::fs::create_dir(dir.path().join(".delivery")).unwrap();
        std::fs::write(dir.path().join(".delivery/project.toml"), "[local_phases]\nunit = \"make\"\n").unwrap();
        let read = settings(&mut InDirectory(dir.path())).unwrap().unwrap();
        assert_eq!((read.config.as_str(), read.local_phases.is_some()), ("{}", true));
        std::fs::write(dir.path().join(".delivery/project.toml"), "[local_phases]\nunti = \"make\"\n").unwrap();
        assert!(settings(&mut InDirectory(dir.path())).unwrap().is_none());
    }

    #[test]
    fn a_directory_that_cannot_be_a_projects_name_asks_for_one() {
        let dir = tempfile::tempdir().unwrap();
        let odd = dir.path().join("my project");
        std::fs::create_dir(&odd).unwrap();
        let said = project_name(None, &odd).unwrap_err().to_string();
        assert!(said.contains("--name"), "{said}");
        assert_eq!(project_name(Some("hello".parse().unwrap()), &odd).unwrap().as_str(), "hello");
    }
}
