//! Where an artifact is put: below the directory that the user named, whatever its path says.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path, PathBuf};

use sha2::{Digest as _, Sha256};
use shuntyard_domain::digest::Digest;
use shuntyard_domain::ids::JobId;

use super::Artifact;
use crate::client::Client;
use crate::failure::Failure;
use crate::terminal::plain;

/// Why a file was not put there; others may have been.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    #[error("the server names a file `{0}`, which would lie elsewhere; it was not fetched")]
    Escapes(String),
    #[error("the server names a file `{0}`: what git keeps for itself is not written; nothing was fetched")]
    OfGit(String),
    #[error("{0} is a symbolic link: what lies behind it is not to be overwritten")]
    Link(PathBuf),
    #[error("{path} is there already{others}; nothing was fetched. --force overwrites, --to names another directory")]
    Exists { path: PathBuf, others: String },
    #[error("cannot write {path}: {source}")]
    Write { path: PathBuf, source: io::Error },
    #[error("what the server sent as {path} is not what it has listed; the file was not kept")]
    Differs { path: String },
}

/// Checks all files before the first one is fetched: none lies elsewhere or in a `.git`, and none is there already unless
/// `force` says that it may be replaced.
///
/// # Errors
/// `PlaceError`; nothing was written.
pub fn check(files: &[&Artifact], to: &Path, force: bool) -> Result<(), PlaceError> {
    let mut there = Vec::new();
    for file in files {
        checked_components(&file.path)?;
        let at = to.join(&file.path);
        match fs::symlink_metadata(&at) {
            Ok(found) if found.is_symlink() => return Err(PlaceError::Link(at)),
            Ok(_) => there.push(at),
            // Also below what is no directory: told when it is made.
            Err(_) => {}
        }
    }
    let others = if there.len() > 1 { format!(", and {} more", there.len() - 1) } else { String::new() };
    match there.into_iter().next() {
        Some(path) if !force => Err(PlaceError::Exists { path, others }),
        _ => Ok(()),
    }
}

/// Fetches one file into a new one beside its place, checks it, and puts it there.
///
/// # Errors
/// `Failure::Place`, `Failure::Client`
pub async fn fetch(client: &Client, job: JobId, file: &Artifact, to: &Path) -> Result<PathBuf, Failure> {
    let at = prepare(to, &file.path)?;
    let beside = at.with_file_name(format!(".shunt-{}-{}", std::process::id(), &file.digest.to_string()[..12]));
    let placed = write(client, job, file, &beside).await.and_then(|()| {
        fs::rename(&beside, &at).map_err(|source| PlaceError::Write { path: at.clone(), source }.into())
    });
    if placed.is_err() {
        let _ = fs::remove_file(&beside);
    }
    placed.map(|()| at)
}

async fn write(client: &Client, job: JobId, file: &Artifact, beside: &Path) -> Result<(), Failure> {
    let told = |source| PlaceError::Write { path: beside.to_owned(), source };
    let mode = if file.is_executable() { 0o777 } else { 0o666 };
    let mut new = File::options().write(true).create_new(true).mode(mode).open(beside).map_err(told)?;
    let mut response = client.bytes(&client.url(&format!("jobs/{job}/artifacts/{}", file.path), &[])).await?;
    let (mut sum, mut bytes) = (Sha256::new(), 0);
    while let Some(piece) = client.chunk(&mut response).await? {
        sum.update(&piece);
        bytes += piece.len() as u64;
        new.write_all(&piece).map_err(told)?;
    }
    new.sync_all().map_err(told)?;
    if bytes == file.size && Digest::of_sha256(sum.finalize().into()) == file.digest {
        return Ok(());
    }
    Err(PlaceError::Differs { path: plain(&file.path) }.into())
}

/// The names of a path that leads down, and into no `.git`.
fn checked_components(path: &str) -> Result<Vec<Component<'_>>, PlaceError> {
    let components: Vec<Component<'_>> = Path::new(path).components().collect();
    let is_plain = |component: &Component<'_>| matches!(component, Component::Normal(_));
    let written_so = path.split('/').all(|name| !name.is_empty() && name != "." && name != "..");
    if components.is_empty() || !components.iter().all(is_plain) || !written_so || path.chars().any(char::is_control) {
        return Err(PlaceError::Escapes(plain(path)));
    }
    // Some file systems ignore the case. A hook or a configuration there would run as the user.
    if components.iter().any(|name| name.as_os_str().eq_ignore_ascii_case(".git")) {
        return Err(PlaceError::OfGit(plain(path)));
    }
    Ok(components)
}

/// The file's place below `to`; the directories above it are made, and none of them is a link.
fn prepare(to: &Path, path: &str) -> Result<PathBuf, PlaceError> {
    let components = checked_components(path)?;
    let told = |path: &Path| {
        let path = path.to_owned();
        move |source| PlaceError::Write { path, source }
    };
    fs::create_dir_all(to).map_err(told(to))?;
    let mut at = to.to_owned();
    for (number, component) in components.iter().enumerate() {
        at.push(component);
        let is_last = number + 1 == components.len();
        match fs::symlink_metadata(&at) {
            Ok(found) if found.is_symlink() => return Err(PlaceError::Link(at)),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound && is_last => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => fs::create_dir(&at).map_err(told(&at))?,
            Err(error) => return Err(told(&at)(error)),
        }
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(path: &str) -> Artifact {
        let digest = "0".repeat(64);
        serde_json::from_value(serde_json::json!({"path": path, "size": 0, "digest": digest})).unwrap()
    }

    #[test]
    fn nothing_is_fetched_into_a_repository_or_over_a_file_that_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let check = |path: &str, force| check(&[&artifact("new"), &artifact(path)], dir.path(), force);
        for bad in [".git", ".git/hooks/post-checkout", "a/.GIT/config", "a/.Git"] {
            assert!(matches!(check(bad, true), Err(PlaceError::OfGit(_))), "{bad}");
        }
        assert!(check(".gitignore", false).is_ok() && check("a/x.git/config", false).is_ok());
        std::fs::write(dir.path().join("old"), "").unwrap();
        assert!(matches!(check("old", false), Err(PlaceError::Exists { .. })));
        assert!(check("old", true).is_ok());
        std::os::unix::fs::symlink("nowhere", dir.path().join("link")).unwrap();
        assert!(matches!(check("link", true), Err(PlaceError::Link(_))));
    }

    #[test]
    fn a_path_of_the_server_never_leaves_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("to");
        for bad in ["", "/etc/passwd", "..", "../x", "a/../../x", "a/./b", "a//b", "a/", "./x", "a\nb", "."] {
            assert!(matches!(prepare(&to, bad), Err(PlaceError::Escapes(_))), "{bad:?}");
        }
        assert_eq!(prepare(&to, "a/b c/d.log").unwrap(), to.join("a/b c/d.log"));
        assert!(to.join("a/b c").is_dir() && !to.join("a/b c/d.log").exists());
        std::os::unix::fs::symlink(dir.path(), to.join("link")).unwrap();
        for behind in ["link", "link/x"] {
            assert!(matches!(prepare(&to, behind), Err(PlaceError::Link(_))), "{behind}");
        }
        std::fs::write(to.join("file"), "").unwrap();
        assert!(matches!(prepare(&to, "file/x"), Err(PlaceError::Write { .. })));
    }
}
