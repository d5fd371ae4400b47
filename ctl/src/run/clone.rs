//! `--git` and `--ref`: a clone that the runner makes by itself, and the configuration that belongs to it.

use std::path::{Path, PathBuf};

use shuntyard_domain::git_source::GitSource;
use shuntyard_domain::project_config::{CANDIDATES, LOCAL_PHASES_CANDIDATES};

use crate::failure::Usage;
use crate::git::Repository;
use crate::terminal::{note, plain};

/// Checks URL and ref.
///
/// # Errors
/// `Usage::BadName`
pub fn source(url: &str, reference: &str) -> Result<GitSource, Usage> {
    let source = GitSource { url: url.into(), reference: reference.into(), config_blob: None, local_blob: None };
    source.check()?;
    Ok(source)
}

/// Reads the configuration that the local repository in `dir` has at the source's ref, and remembers in the source
/// which one it is: the runner refuses a clone with another one. `None`: the ref is not known here, or has none.
pub fn committed_config(dir: &Path, source: &mut GitSource) -> Option<(PathBuf, String)> {
    for candidate in CANDIDATES {
        // Without git here, too, the configuration of the directory is left.
        let Ok(Some(blob)) = (Repository { dir }).file(&source.reference, candidate) else { continue };
        let path = dir.join(format!("{candidate} of {}", plain(&source.reference)));
        note(&format!("note: the configuration is {}", path.display()));
        source.config_blob = Some(blob.id).filter(|id| id.len() == 40);
        return Some((path, blob.text));
    }
    note(&format!(
        "note: {} is no ref with a configuration of the repository in {}: the configuration is read from the directory",
        plain(&source.reference),
        dir.display()
    ));
    None
}

/// The project.toml that the local repository in `dir` has at the source's ref.
pub fn committed_local_phases(dir: &Path, source: &GitSource) -> Option<(PathBuf, String)> {
    LOCAL_PHASES_CANDIDATES.iter().find_map(|candidate| {
        let blob = (Repository { dir }).file(&source.reference, candidate).ok().flatten()?;
        Some((dir.join(format!("{candidate} of {}", plain(&source.reference))), blob.text))
    })
}
