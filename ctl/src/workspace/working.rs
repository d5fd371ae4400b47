//! The files as they are in the directory, without what .gitignore names.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ignore::WalkBuilder;

use super::WorkspaceError;
use super::tree::{Found, Source};

/// Lists files and symbolic links below `dir`.
///
/// In a repository git says which: what is tracked counts even when .gitignore names it. Elsewhere, and without git,
/// the .gitignore files are read here.
pub(super) fn list(dir: &Path) -> Result<Vec<(String, Found)>, WorkspaceError> {
    let paths = match by_git(dir) {
        Some(paths) => paths?,
        None => by_walk(dir)?,
    };
    let mut found = Vec::with_capacity(paths.len());
    for path in paths {
        let at = dir.join(&path);
        let told = |source| WorkspaceError::Read { path: at.clone(), source };
        let what = match fs::symlink_metadata(&at) {
            Ok(what) => what,
            // Tracked, and deleted in the directory.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(told(error)),
        };
        let entry = if what.is_file() {
            Found::File { source: Source::File(at), executable: what.permissions().mode() & 0o100 != 0 }
        } else if what.is_symlink() {
            let target = fs::read_link(&at).map_err(told)?;
            Found::Link { target: name(&target)? }
        } else if what.is_dir() {
            // A submodule; git lists it as one entry.
            continue;
        } else {
            return Err(WorkspaceError::Special(at));
        };
        found.push((path, entry));
    }
    Ok(found)
}

/// `None` when `dir` is in no repository, or there is no git.
fn by_git(dir: &Path) -> Option<Result<Vec<String>, WorkspaceError>> {
    let mut command = Command::new("git");
    command.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let output = command.current_dir(dir).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    if !output.status.success() {
        return None;
    }
    let names = output.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    let paths: Result<Vec<String>, WorkspaceError> = names
        .map(|name| {
            String::from_utf8(name.to_vec())
                .map_err(|_| WorkspaceError::Name(String::from_utf8_lossy(name).into_owned()))
        })
        .collect();
    Some(paths.map(|mut paths| {
        paths.sort_unstable();
        // A conflict lists its file once for each side.
        paths.dedup();
        paths
    }))
}

fn by_walk(dir: &Path) -> Result<Vec<String>, WorkspaceError> {
    let mut walk = WalkBuilder::new(dir);
    walk.hidden(false).require_git(false).git_global(false).parents(false).follow_links(false);
    walk.filter_entry(|entry| entry.file_name() != ".git");
    let mut paths = Vec::new();
    for entry in walk.build() {
        let entry = entry.map_err(|error| WorkspaceError::Walk { dir: dir.to_owned(), why: error.to_string() })?;
        let below = entry.path().strip_prefix(dir).unwrap_or(entry.path());
        if !entry.file_type().is_some_and(|kind| kind.is_dir()) {
            paths.push(name(below)?);
        }
    }
    Ok(paths)
}

fn name(path: &Path) -> Result<String, WorkspaceError> {
    let lossy = || WorkspaceError::Name(path.to_string_lossy().into_owned());
    PathBuf::from(path).into_os_string().into_string().map_err(|_| lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_of_a_repository_gitignore_files_count_and_hidden_files_come_along() {
        let dir = tempfile::tempdir().unwrap();
        for path in [".gitignore", ".hidden/x", "a/.gitignore", "a/keep", "a/drop.log", "target/out", ".git/config"] {
            fs::create_dir_all(dir.path().join(path).parent().unwrap()).unwrap();
            fs::write(dir.path().join(path), "*.log\n/target\n").unwrap();
        }
        std::os::unix::fs::symlink("a/keep", dir.path().join("link")).unwrap();
        let names = || {
            let mut names: Vec<String> = list(dir.path()).unwrap().into_iter().map(|(path, _)| path).collect();
            names.sort();
            names
        };
        assert_eq!(names(), [".gitignore", ".hidden/x", "a/.gitignore", "a/keep", "link"]);
        let socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
        let refused = list(dir.path()).map(|found| found.len()).unwrap_err().to_string();
        assert!(refused.contains("socket is neither a file"), "{refused}");
        drop(socket);
    }
}
